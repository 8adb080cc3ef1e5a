/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "transform/framework/passes.h"
#include "graph/resolve.h"
#include "graph/builder.h"

static bool is_placeholder(const cnnf_node *node)
{
    return strcmp(node->op, "Placeholder") == 0 || strcmp(node->op, "PlaceholderWithDefault") == 0 ||
           strcmp(node->op, "PlaceholderV2") == 0;
}

/* The name=... arguments, else every declared input. */
static bool is_meant(const cnnfi_pass_run *run, const cnnf_node *node)
{
    if (!is_placeholder(node)) return false;
    const size_t names = cnnfi_run_arg_count(run, "name");
    for (size_t i = 0; i < names; i++) {
        char name[4096];
        cnnfi_input_node(cnnfi_run_arg(run, "name", i), name, sizeof name);
        if (strcmp(name, node->name) == 0) return true;
    }
    return !names && cnnfi_run_is_input(run, node->name);
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

static int64_t edit(cnnfi_pass_run *run, const cnnf_graph *in, cnnfi_builder *b, void *user)
{
    int64_t changed = 0;
    for (size_t i = 0; i < in->n_nodes; i++) {
        int64_t dims[CNNFI_MAX_RANK];
        cnnfi_shape shape;
        const cnnf_node *node = in->nodes[i];
        if (!is_meant(run, node)) continue;
        wanted_shape(run, node, &shape, dims);
        const cnnfi_attr *attr = cnnfi_node_attr(node, "shape");
        if (attr && attr->kind == CNNF_ATTR_SHAPE && cnnfi_shape_equal(&attr->u.shape, &shape)) continue;
        cnnfi_node_set_shape(b, cnnfi_builder_node(b, i), "shape", shape.rank, shape.dims);
        changed++;
    }
    /* What the file said about shapes behind the inputs no longer holds. */
    for (size_t i = 0; changed && i < in->n_nodes; i++) {
        cnnfi_node_attr_remove(cnnfi_builder_node(b, i), "_output_shapes");
    }
    cnnfi_run_count(run, "set", changed);
    return changed;
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    if (!cnnfi_run_arg_count(run, "shape") && !cnnfi_run_arg_count(run, "batch")) {
        return cnnfi_fail(run->error, CNNF_E_INVALID, "set_input_shape expects shape=... or batch=...");
    }
    for (size_t i = 0; i < cnnfi_run_arg_count(run, "name"); i++) {
        const cnnf_node *node;
        CNNFI_TRY(cnnfi_resolve_node(&node, in, cnnfi_run_arg(run, "name", i), run->error));
        if (!is_placeholder(node)) {
            return cnnfi_fail(run->error, CNNF_E_INVALID, "'%s' is no placeholder but %s", node->name, node->op);
        }
    }
    return cnnfi_pass_edit(run, in, out, edit, NULL);
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
