/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts the graph at its inputs and outputs. */
#include <string.h>

#include "edit/unused_functions.h"
#include "ops/op_table.h"
#include "transform/framework/pass_edit.h"
#include "transform/rewrite/prune.h"

/* The index of `node` among the name=... arguments, which type_for_name and shape_for_name run along; -1. */
static int64_t named_index(const cnnfi_pass_run *run, const char *node)
{
    const size_t count = cnnfi_run_arg_count(run, "name");
    for (size_t i = 0; i < count; i++) {
        const char *name;
        size_t length;
        cnnfi_input_parse(cnnfi_run_arg(run, "name", i), &name, &length);
        if (strlen(node) == length && memcmp(name, node, length) == 0) return (int64_t)i;
    }
    return -1;
}

static const char *for_name(const cnnfi_pass_run *run, const char *node, const char *list, const char *fallback)
{
    const int64_t at = named_index(run, node);
    const char *value = at < 0 ? NULL : cnnfi_run_arg(run, list, (size_t)at);
    return value ? value : cnnfi_run_string(run, fallback, NULL);
}

/* The first shape of `_output_shapes`, where a file kept it. */
static cnnfi_shape known_shape(const cnnf_node *node)
{
    const cnnfi_attr *attr = cnnfi_node_attr(node, "_output_shapes");
    if (attr && attr->kind == CNNF_ATTR_LIST && attr->u.list.item_kind == CNNF_ATTR_SHAPE && attr->u.list.count) {
        return attr->u.list.u.shapes[0];
    }
    return (cnnfi_shape){.rank = -1};
}

static cnnf_dtype known_type(const cnnf_node *node)
{
    const cnnf_dtype dtype = cnnfi_node_output_type(node, 0);
    return dtype ? dtype : CNNF_FLOAT;
}

/* Name and place stay; everything else is the placeholder's. */
static void make_placeholder(cnnfi_pass_run *run, cnnfi_edit *edit, cnnf_node *node)
{
    const char *type = for_name(run, node->name, "type_for_name", "type");
    const char *shape = for_name(run, node->name, "shape_for_name", "shape");
    cnnf_dtype dtype = known_type(node);
    if (type) cnnfi_parse_dtype(type, &dtype);
    int64_t dims[CNNFI_MAX_RANK];
    cnnfi_shape known = known_shape(node);
    if (shape && cnnfi_parse_shape(shape, &known.rank, dims)) known.dims = dims;
    cnnfi_edit_reset(edit, node, "Placeholder");
    node->value = NULL;
    cnnfi_node_set_type(edit->b, node, "dtype", dtype);
    cnnfi_node_set_shape(edit->b, node, "shape", known.rank, known.dims);
}

static void strip(cnnfi_pass_run *run, cnnfi_edit *edit, const bool *is_input, const bool *keep)
{
    int64_t removed = 0, made = 0;
    for (size_t i = 0; i < edit->originals; i++) {
        cnnf_node *node = edit->b->graph->nodes[i];
        if (!keep[i]) {
            cnnfi_edit_remove(edit, node);
            removed++;
        } else if (is_input[i] && strcmp(node->op, "Placeholder")) {
            make_placeholder(run, edit, node);
            made++;
        }
    }
    const int64_t functions = cnnfi_drop_unused_functions(edit->b);
    cnnfi_run_count(run, "removed", removed);
    cnnfi_run_count(run, "placeholders", made);
    cnnfi_run_count(run, "removed_functions", functions);
    edit->changes += (size_t)(removed + made + functions);
}

/* As cnnfi_edit_reach(), but not past the inputs; a Placeholder has one output. keep[]: the outputs on entry. */
static void mark(cnnfi_edit *edit, const bool *is_input, bool *keep, int32_t *stack)
{
    size_t depth = 0;
    for (size_t i = 0; i < edit->originals; i++) {
        if (keep[i] && !is_input[i]) stack[depth++] = (int32_t)i;
        keep[i] |= is_input[i];
    }
    while (depth) {
        const cnnf_node *node = edit->b->graph->nodes[stack[--depth]];
        for (size_t k = 0; k < node->n_inputs; k++) {
            const cnnfi_edge edge = node->edges[k];
            if (is_input[edge.node] && edge.port > 0) {
                cnnfi_builder_fail(edit->b, CNNF_E_UNSUPPORTED,
                                   "input '%s' cannot be a Placeholder: '%s' reads its output %d",
                                   edit->b->graph->nodes[edge.node]->name, node->name, (int)edge.port);
                return;
            }
            if (keep[edge.node]) continue;
            keep[edge.node] = true;
            stack[depth++] = edge.node;
        }
    }
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    cnnfi_edit edit;
    CNNFI_TRY(cnnfi_need_outputs(run));
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, run, in));
    const bool *is_input = cnnfi_pass_marked(&edit, &run->inputs);
    bool *keep = cnnfi_pass_marked(&edit, &run->outputs);
    int32_t *stack = cnnfi_edit_array(&edit, edit.count, sizeof *stack);
    if (is_input && keep && stack) mark(&edit, is_input, keep, stack);
    if (!edit.b->status) strip(run, &edit, is_input, keep);
    return cnnfi_pass_end_edit(&edit, run, in, out);
}

static const cnnfi_pass_param params[] = {
    {"type", CNNFI_ARG_DTYPE, false, false, "type of new placeholders; default what the node gave, else float"},
    {"shape", CNNFI_ARG_SHAPE, false, false, "their shape, \"1,28,28,1\"; default what the file says, else unknown"},
    {"name", CNNFI_ARG_STRING, false, true, "an input that has a type and shape of its own (repeatable)"},
    {"type_for_name", CNNFI_ARG_DTYPE, false, true, "its type, in the order of the names"},
    {"shape_for_name", CNNFI_ARG_SHAPE, false, true, "its shape, in the order of the names"},
};

const cnnfi_pass cnnfi_pass_strip_unused_nodes = {
    .name = "strip_unused_nodes",
    .description = "Keeps what lies between inputs and outputs; an input that is no Placeholder becomes one.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .may_reshape = true,
    .run = run_pass,
};
