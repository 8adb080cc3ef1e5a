/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts the graph at its inputs and outputs. */
#include <string.h>

#include "base/context.h"
#include "graph/order.h"
#include "graph/builder.h"
#include "ops/op_table.h"
#include "transform/rewrite/prune.h"

typedef struct cut {
    bool *keep;
    bool *is_input;
} cut;

/* The index of `node` among the name=... arguments, which type_for_name and shape_for_name run along; -1. */
static int64_t named_index(const cnnfi_pass_run *run, const char *node)
{
    const size_t count = cnnfi_run_arg_count(run, "name");
    for (size_t i = 0; i < count; i++) {
        char name[4096];
        if (strcmp(cnnfi_input_node(cnnfi_run_arg(run, "name", i), name, sizeof name), node) == 0) return (int64_t)i;
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
static void make_placeholder(cnnfi_pass_run *run, cnnfi_builder *b, const cnnf_node *from, cnnf_node *node)
{
    const char *type = for_name(run, from->name, "type_for_name", "type");
    const char *shape = for_name(run, from->name, "shape_for_name", "shape");
    cnnf_dtype dtype = known_type(from);
    if (type) cnnfi_parse_dtype(type, &dtype);
    int64_t dims[CNNFI_MAX_RANK];
    cnnfi_shape known = known_shape(from);
    if (shape && cnnfi_parse_shape(shape, &known.rank, dims)) known.dims = dims;
    cnnfi_node_set_op(b, node, "Placeholder");
    cnnfi_node_clear_inputs(node);
    node->n_attrs = 0;
    node->value = NULL;
    node->extra = (cnnfi_bytes){0};
    cnnfi_node_set_type(b, node, "dtype", dtype);
    cnnfi_node_set_shape(b, node, "shape", known.rank, known.dims);
}

static int64_t edit(cnnfi_pass_run *run, const cnnf_graph *in, cnnfi_builder *b, void *user)
{
    const cut *c = user;
    int64_t removed = 0, made = 0;
    for (size_t i = 0; i < in->n_nodes; i++) {
        cnnf_node *node = cnnfi_builder_node(b, i);
        if (!c->keep[i]) {
            cnnfi_builder_remove(b, node);
            removed++;
        } else if (c->is_input[i] && strcmp(node->op, "Placeholder")) {
            make_placeholder(run, b, in->nodes[i], node);
            made++;
        }
    }
    const int64_t functions = cnnfi_prune_functions(b);
    cnnfi_run_count(run, "removed", removed);
    cnnfi_run_count(run, "placeholders", made);
    cnnfi_run_count(run, "removed_functions", functions);
    return removed + made + functions;
}

/* As cnnfi_reach(), but not past the inputs; a Placeholder has one output. */
static cnnf_status mark(cnnfi_pass_run *run, const cnnf_graph *in, const cut *c, int32_t *stack)
{
    size_t depth = 0;
    for (size_t i = 0; i < in->n_nodes; i++) {
        c->is_input[i] = cnnfi_run_is_input(run, in->nodes[i]->name);
        c->keep[i] = c->is_input[i] || cnnfi_run_is_output(run, in->nodes[i]->name);
        if (c->keep[i] && !c->is_input[i]) stack[depth++] = (int32_t)i;
    }
    while (depth) {
        const cnnf_node *node = in->nodes[stack[--depth]];
        for (size_t k = 0; k < node->n_inputs; k++) {
            const cnnfi_edge edge = node->edges[k];
            if (c->is_input[edge.node] && edge.port > 0) {
                return cnnfi_fail(run->error, CNNF_E_UNSUPPORTED,
                                  "input '%s' cannot be a Placeholder: '%s' reads its output %d",
                                  in->nodes[edge.node]->name, node->name, (int)edge.port);
            }
            if (c->keep[edge.node]) continue;
            c->keep[edge.node] = true;
            stack[depth++] = edge.node;
        }
    }
    return CNNF_OK;
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    CNNFI_TRY(cnnfi_need_outputs(run));
    cut c = {
        .keep = cnnfi_calloc(in->context, in->n_nodes, sizeof *c.keep),
        .is_input = cnnfi_calloc(in->context, in->n_nodes, sizeof *c.is_input),
    };
    int32_t *stack = cnnfi_array(in->context, in->n_nodes, sizeof *stack);
    cnnf_status status = c.keep && c.is_input && stack ? CNNF_OK : cnnfi_fail_nomem(run->error);
    if (!status) status = mark(run, in, &c, stack);
    if (!status) status = cnnfi_pass_edit(run, in, out, edit, &c);
    cnnfi_free(in->context, c.keep);
    cnnfi_free(in->context, c.is_input);
    cnnfi_free(in->context, stack);
    return status;
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
