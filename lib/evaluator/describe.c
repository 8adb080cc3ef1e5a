/* SPDX-License-Identifier: Apache-2.0 */
/* A plan in words: JSON, one object per step in the order they run. */
#include "evaluator/plan.h"
#include "graph/shape.h"

static const char *algorithm(const cnnfi_step *step)
{
    switch (step->kind) {
    case CNNFI_STEP_FUSED: return step->fused->algorithm;
    case CNNFI_STEP_KERNEL: return step->dynamic ? "general, shapes at run time" : step->kernel->flags & CNNFI_OP_VIEW ? "view" : "general";
    case CNNFI_STEP_SWITCH:
    case CNNFI_STEP_MERGE:
    case CNNFI_STEP_MARK: break;
    }
    return "control flow";
}

static void describe_step(const cnnfi_plan *plan, const cnnfi_step *step, cnnfi_strbuf *out)
{
    char shape[160] = "";
    const cnnfi_slot *slot = step->n_outputs > 0 ? &plan->slots[step->output] : NULL;
    if (slot && slot->known) cnnfi_shape_print(shape, sizeof(shape), slot->value.rank, slot->value.dims);
    cnnfi_strbuf_puts(out, "    {\"node\": ");
    cnnfi_strbuf_json_string(out, step->node->name);
    cnnfi_strbuf_puts(out, ", \"op\": ");
    cnnfi_strbuf_json_string(out, step->node->op);
    cnnfi_strbuf_printf(out, ", \"nodes\": %d, \"backend\": \"%s\", \"algorithm\": \"%s\", \"shape\": \"%s\"}",
                        step->kind == CNNFI_STEP_FUSED ? (int)step->fused->n_nodes : 1,
                        step->kind == CNNFI_STEP_FUSED ? step->fused->backend : "portable", algorithm(step), shape);
}

void cnnfi_plan_describe(const cnnfi_plan *plan, cnnfi_strbuf *out)
{
    cnnfi_strbuf_printf(out, "{\n  \"arena_bytes\": %llu,\n  \"steps\": [\n", (unsigned long long)plan->arena_size);
    for (int32_t i = 0; i < plan->n_steps; i++) {
        describe_step(plan, &plan->steps[i], out);
        cnnfi_strbuf_puts(out, i + 1 < plan->n_steps ? ",\n" : "\n");
    }
    cnnfi_strbuf_puts(out, "  ]\n}\n");
}
