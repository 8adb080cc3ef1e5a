/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/context.h"
#include "graph/resolve.h"
#include "transform/framework/pass_edit.h"

static bool is_placeholder(const cnnf_node *node)
{
    static const char *const ops[] = {"Placeholder", "PlaceholderV2", "PlaceholderWithDefault"};
    return cnnfi_text_in(node->op, ops, sizeof ops / sizeof *ops);
}

/* Flags of the name=... arguments, else of every declared input that is a placeholder. */
static cnnf_status choose(bool *chosen, const cnnfi_pass_run *run, const cnnf_graph *in)
{
    const size_t names = cnnfi_run_arg_count(run, "name");
    for (size_t i = 0; i < names; i++) {
        const cnnf_node *node;
        CNNFI_TRY(cnnfi_resolve_node(&node, in, cnnfi_run_arg(run, "name", i), run->error));
        if (!is_placeholder(node)) {
            return cnnfi_fail(run->error, CNNF_E_INVALID, "'%s' is no placeholder but %s", node->name, node->op);
        }
        chosen[node->index] = true;
    }
    for (size_t i = 0; !names && i < run->inputs.count; i++) {
        const cnnf_node *node = cnnf_graph_find(in, run->inputs.names[i]);
        if (node && is_placeholder(node)) chosen[node->index] = true;
    }
    return CNNF_OK;
}

/* The shape with the batch size put in, where only that is asked for. */
static void wanted_shape(const cnnfi_pass_run *run, const cnnf_node *node, cnnfi_shape *shape, int64_t *dims)
{
    const char *text = cnnfi_run_string(run, "shape", NULL);
    const int64_t batch = cnnfi_run_int(run, "batch", -2);
    const cnnfi_attr *attr = cnnfi_node_attr(node, "shape");
    *shape = (cnnfi_shape){.rank = -1};
    if (text)
        cnnfi_parse_shape(text, &shape->rank, dims);
    else if (attr && attr->kind == CNNF_ATTR_SHAPE && attr->u.shape.rank >= 0) {
        shape->rank = attr->u.shape.rank;
        if (shape->rank) memcpy(dims, attr->u.shape.dims, (size_t)shape->rank * sizeof *dims);
    }
    if (batch >= -1 && shape->rank > 0) dims[0] = batch;
    shape->dims = shape->rank > 0 ? dims : NULL;
}

static bool set_shape(const cnnfi_pass_run *run, cnnfi_edit *edit, cnnf_node *node)
{
    int64_t dims[CNNFI_MAX_RANK];
    cnnfi_shape shape;
    wanted_shape(run, node, &shape, dims);
    const cnnfi_attr *attr = cnnfi_node_attr(node, "shape");
    if (attr && attr->kind == CNNF_ATTR_SHAPE && cnnfi_shape_equal(&attr->u.shape, &shape)) return false;
    cnnfi_node_set_shape(edit->b, node, "shape", shape.rank, shape.dims);
    return true;
}

static cnnf_status set_shapes(cnnfi_pass_run *run, const cnnf_graph *in, const bool *chosen, cnnf_graph **out)
{
    cnnfi_edit edit;
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, run, in));
    for (size_t i = 0; i < edit.originals; i++) {
        if (chosen[i]) edit.changes += set_shape(run, &edit, edit.b->graph->nodes[i]);
    }
    /* What the file said about shapes behind the inputs no longer holds. */
    for (size_t i = 0; edit.changes && i < edit.originals; i++)
        cnnfi_node_attr_remove(edit.b->graph->nodes[i], "_output_shapes");
    cnnfi_run_count(run, "set", (int64_t)edit.changes);
    return cnnfi_pass_end_edit(&edit, run, in, out);
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    if (!cnnfi_run_arg_count(run, "shape") && !cnnfi_run_arg_count(run, "batch")) {
        return cnnfi_fail(run->error, CNNF_E_INVALID, "set_input_shape expects shape=... or batch=...");
    }
    bool *chosen = cnnfi_calloc(in->context, in->n_nodes, sizeof *chosen);
    cnnf_status status = chosen ? choose(chosen, run, in) : cnnfi_fail_nomem(run->error);
    if (!status) status = set_shapes(run, in, chosen, out);
    cnnfi_free(in->context, chosen);
    return status;
}

static const cnnfi_pass_param params[] = {
    {"name", CNNFI_ARG_STRING, false, true, "a placeholder (repeatable); default every input"},
    {"shape", CNNFI_ARG_SHAPE, false, false, "its shape, \"1,28,28,1\", -1 or ? unknown"},
    {"batch", CNNFI_ARG_INT, false, false, "only the first dimension, -1 unknown"},
};

const cnnfi_pass cnnfi_pass_set_input_shape = {
    .name = "set_input_shape",
    .description = "Sets the shape of inputs, or their batch size only.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .may_reshape = true,
    .run = run_pass,
};
