/* SPDX-License-Identifier: Apache-2.0 */
/* A plan in words: JSON, one object per step in the order they run. */
#include "evaluator/plan/describe.h"
#include "graph/shape.h"

static const char *algorithm(const cnnfi_step *step)
{
    switch (step->kind) {
    case CNNFI_STEP_FUSED:
        return step->fused->algorithm;
    case CNNFI_STEP_KERNEL:
        return step->dynamic ? "general, shapes at run time" : step->flags & CNNFI_OP_VIEW ? "view" : "general";
    case CNNFI_STEP_SWITCH:
    case CNNFI_STEP_MERGE:
    case CNNFI_STEP_MARK:
    case CNNFI_STEP_PASS:
    case CNNFI_STEP_CONTROL:
        break;
    }
    return "control flow";
}

static void describe_step(const cnnfi_plan *plan, const cnnfi_step *step, bool alone, bool last, cnnfi_strbuf *out)
{
    char shape[160] = "";
    const cnnfi_slot *slot = step->n_outputs > 0 ? &plan->slots[step->output] : NULL;
    if (slot && slot->known) cnnfi_shape_print(shape, sizeof(shape), slot->value.rank, slot->value.dims);
    cnnfi_strbuf_puts(out, "    {\"node\": ");
    cnnfi_strbuf_json_string(out, step->node->name);
    cnnfi_strbuf_puts(out, ", \"op\": ");
    cnnfi_strbuf_json_string(out, step->node->op);
    cnnfi_strbuf_printf(out, ", \"nodes\": %d, \"backend\": \"%s\", \"algorithm\": \"%s%s\"",
                        step->kind == CNNFI_STEP_FUSED ? (int)step->fused->n_nodes : 1,
                        step->kind == CNNFI_STEP_FUSED ? step->fused->backend : "portable", algorithm(step),
                        alone ? "" : ", image by image");
    if (step->kind == CNNFI_STEP_FUSED && step->fused->isa)
        cnnfi_strbuf_printf(out, ", \"isa\": \"%s\"", step->fused->isa);
    cnnfi_strbuf_printf(out, ", \"shape\": \"%s\"}%s\n", shape, last ? "" : ",");
}

/* A segment is told by its parts. */
static void describe_steps(const cnnfi_plan *plan, const cnnfi_step *steps, int32_t count, bool alone, bool last,
                           cnnfi_strbuf *out)
{
    for (int32_t i = 0; i < count; i++) {
        const cnnfi_fused *fused = steps[i].kind == CNNFI_STEP_FUSED ? steps[i].fused : NULL;
        bool end = last && i + 1 == count;
        if (fused && fused->n_parts > 0)
            describe_steps(plan, fused->parts, fused->n_parts, false, end, out);
        else
            describe_step(plan, &steps[i], alone, end, out);
    }
}

void cnnfi_plan_describe(const cnnfi_plan *plan, cnnfi_strbuf *out)
{
    cnnfi_strbuf_printf(out, "{\n  \"arena_bytes\": %llu,\n  \"steps\": [\n", (unsigned long long)plan->arena_size);
    describe_steps(plan, plan->steps, plan->n_steps, true, true, out);
    cnnfi_strbuf_puts(out, "  ]\n}\n");
}
