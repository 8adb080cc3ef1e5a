/* SPDX-License-Identifier: Apache-2.0 */
/*
 * convert_to_float16: half the bytes. "weights" keeps constants in half precision and casts them where they are read;
 * "all" computes in half precision wherever an op can, with Casts where one cannot, so that inputs and outputs stay
 * float32.
 */
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "edit/edit.h"
#include "graph/element.h"
#include "graph/tensor.h"
#include "ops/op_table.h"
#include "transform/framework/pass_edit.h"
#include "transform/rewrite/prune.h"

#define LARGEST_HALF 65504.0

typedef struct converter {
    cnnfi_pass_run *run;
    cnnfi_edit edit;
    int64_t minimum; /* elements */
    int64_t weights, ops, casts;
} converter;

/* ---- constants ---- */

/* The tensor in half precision; NULL: a number would not be one, or the builder failed. */
static cnnf_tensor *halved(cnnfi_builder *b, const cnnf_tensor *value)
{
    cnnf_tensor *loaded = NULL, *out = NULL;
    if (!b->status) b->status = cnnf_tensor_load(&loaded, value, b->error);
    if (!b->status)
        b->status = cnnf_tensor_new(&out, b->graph->context, CNNF_HALF, cnnf_tensor_rank(value),
                                    cnnfi_tensor_dims(value), b->error);
    bool fits = !b->status;
    uint16_t *to = fits ? cnnf_tensor_data_mut(out) : NULL;
    for (int64_t i = 0; fits && i < cnnf_tensor_element_count(value); i++) {
        double number;
        cnnfi_element_f64(&number, CNNF_FLOAT, cnnf_tensor_data(loaded), i);
        fits = fabs(number) <= LARGEST_HALF;
        if (fits) to[i] = cnnfi_float_to_half((float)number);
    }
    cnnf_tensor_unref(loaded);
    if (fits) return out;
    cnnf_tensor_unref(out);
    return NULL;
}

static const cnnf_tensor *float_constant(const cnnf_node *node)
{
    const cnnf_tensor *value = cnnf_node_attr_tensor(node, "value");
    return strcmp(node->op, "Const") == 0 && value && cnnf_tensor_dtype(value) == CNNF_FLOAT ? value : NULL;
}

/* A Cast called as the constant was, which is "<name>/half" now. */
static void cast_weight(converter *c, cnnf_node *node)
{
    cnnfi_edit *edit = &c->edit;
    const cnnf_tensor *value = float_constant(node);
    if (!value || cnnf_tensor_element_count(value) < c->minimum || node->n_inputs) return;
    cnnf_tensor *half = halved(edit->b, value);
    if (!half) {
        cnnfi_run_note(c->run, node->name, "kept: a number is larger than half precision has");
        return;
    }
    cnnf_node *stored = cnnfi_edit_const(edit, half, "%s/half", node->name);
    cnnf_tensor_unref(half);
    cnnfi_edit_place_before(edit, stored, node);
    cnnfi_edit_reset(edit, node, "Cast");
    cnnfi_node_set_type(edit->b, node, "SrcT", CNNF_HALF);
    cnnfi_node_set_type(edit->b, node, "DstT", CNNF_FLOAT);
    cnnfi_edit_add_input(edit, node, cnnfi_end(stored, 0));
    c->weights++;
    edit->changes++;
}

/* ---- ops ---- */

/* Whether attribute `attr` of the node is float and may be half. */
static bool may_be_half(const cnnf_node *node, const cnnfi_op_attr *attr)
{
    const cnnfi_attr half = {.kind = CNNF_ATTR_TYPE, .u.type = CNNF_HALF};
    return strcmp(attr->type, "type") == 0 && cnnf_node_attr_type(node, attr->name, 0) == CNNF_FLOAT &&
           cnnfi_wire_allows(attr->allowed, &half);
}

/* What stays float32: what is fed, read from elsewhere or kept, what says its type in so many words, and outputs whose
   name cannot move to a Cast. */
static bool stays(const converter *c, const cnnf_node *node)
{
    static const char *const ops[] = {
        "Cast",   "Const",         "Dequantize",  "Enter",         "Exit",
        "Merge",  "NextIteration", "Placeholder", "PlaceholderV2", "PlaceholderWithDefault",
        "Switch", "VarHandleOp",   "Variable",    "VariableV2",    "ReadVariableOp"};
    return cnnfi_text_in(node->op, ops, sizeof ops / sizeof *ops) ||
           (cnnfi_run_is_protected(c->run, node->name) && cnnfi_node_output_count(node) != 1);
}

static void convert_op(converter *c, cnnf_node *node)
{
    const cnnfi_op *op = cnnfi_op_find(node->op);
    bool changed = false;
    if (!op || stays(c, node)) return;
    for (size_t i = 0; i < op->n_attrs; i++) {
        const cnnfi_op_attr *attr = cnnfi_op_attr_at(op, i);
        if (!may_be_half(node, attr)) continue;
        cnnfi_node_set_type(c->edit.b, node, attr->name, CNNF_HALF);
        changed = true;
    }
    if (!changed) return;
    cnnfi_edit_touch(&c->edit, node);
    c->ops++;
    c->edit.changes++;
}

static cnnf_dtype wanted(const cnnf_node *reader, size_t input)
{
    const cnnfi_op *op = cnnfi_op_find(reader->op);
    return op ? cnnfi_op_input_type(op, reader, (int64_t)input, NULL) : 0;
}

/* A constant that every reader wants in half precision is kept so. */
static void convert_const(converter *c, cnnf_node *node)
{
    const cnnf_tensor *value = float_constant(node);
    if (!value || cnnfi_run_is_protected(c->run, node->name)) return;
    for (const cnnfi_use *use = cnnfi_edit_uses(&c->edit, node); use; use = use->next) {
        if (use->port != CNNFI_PORT_CONTROL && wanted(use->user, use->input) != CNNF_HALF) return;
    }
    cnnf_tensor *half = halved(c->edit.b, value);
    if (!half) return;
    cnnfi_node_set_tensor(c->edit.b, node, "value", half);
    cnnfi_node_set_type(c->edit.b, node, "dtype", CNNF_HALF);
    cnnfi_edit_touch(&c->edit, node);
    cnnf_tensor_unref(half);
    c->weights++;
    c->edit.changes++;
}

/* ---- edges ---- */

static cnnf_node *add_cast(converter *c, cnnfi_edge from, cnnf_dtype source, cnnf_dtype to, const char *name)
{
    cnnf_node *cast = cnnfi_edit_add(&c->edit, "Cast", name);
    cnnfi_node_set_type(c->edit.b, cast, "SrcT", source);
    cnnfi_node_set_type(c->edit.b, cast, "DstT", to);
    cnnfi_edit_add_input(&c->edit, cast, from);
    c->casts++;
    c->edit.changes++;
    return cast;
}

/* The Cast to that type that is there, else a new one. */
static cnnf_node *cast_of(converter *c, const cnnf_node *producer, int32_t port, cnnf_dtype have, cnnf_dtype to)
{
    for (const cnnfi_use *use = cnnfi_edit_uses(&c->edit, producer); use; use = use->next) {
        const bool fits = use->port == port && use->input == 0 && strcmp(use->user->op, "Cast") == 0 &&
                          use->user->index >= (int32_t)c->edit.originals;
        if (fits && cnnf_node_attr_type(use->user, "DstT", 0) == to) return use->user;
    }
    return add_cast(c, cnnfi_end(producer, port), have, to,
                    cnnfi_edit_unique(&c->edit, "%s/%s", producer->name, to == CNNF_HALF ? "half" : "float"));
}

static bool is_pair(cnnf_dtype a, cnnf_dtype b)
{
    return (a == CNNF_FLOAT && b == CNNF_HALF) || (a == CNNF_HALF && b == CNNF_FLOAT);
}

static void fit_inputs(converter *c, cnnf_node *node)
{
    for (size_t k = 0; k < cnnfi_node_data_inputs(node) && !c->edit.b->status; k++) {
        int32_t port;
        const cnnf_node *producer = cnnfi_edit_producer(&c->edit, node, k, &port);
        const cnnf_dtype have = producer ? cnnfi_node_output_type(producer, port) : 0;
        cnnf_dtype want = wanted(node, k);
        if (!want && have == CNNF_HALF) want = CNNF_FLOAT; /* an op that nobody knows has what it had */
        if (!is_pair(have, want)) continue;
        cnnfi_edit_set_input(&c->edit, node, k, cnnfi_end(cast_of(c, producer, port, have, want), 0));
    }
}

/* The output's name goes to a Cast to float32; who reads the node inside reads it as it is. */
static void fit_output(converter *c, cnnf_node *node)
{
    if (!cnnfi_run_is_output(c->run, node->name) || cnnfi_node_output_type(node, 0) != CNNF_HALF) return;
    const char *name = node->name;
    cnnfi_edit_set_protected(&c->edit, node, false);
    cnnfi_edit_rename(&c->edit, node, cnnfi_edit_unique(&c->edit, "%s/half", name));
    cnnf_node *cast = add_cast(c, cnnfi_end(node, 0), CNNF_HALF, CNNF_FLOAT, name);
    if (cast) cnnfi_edit_set_protected(&c->edit, cast, true);
}

static void convert_all(converter *c)
{
    const size_t n = c->edit.originals;
    cnnf_node **nodes = c->edit.b->graph->nodes;
    for (size_t i = 0; i < n && !c->edit.b->status; i++)
        convert_op(c, nodes[i]);
    for (size_t i = 0; i < n && !c->edit.b->status; i++)
        convert_const(c, nodes[i]);
    for (size_t i = 0; i < n && !c->edit.b->status; i++)
        fit_inputs(c, c->edit.b->graph->nodes[i]);
    for (size_t i = 0; i < n && !c->edit.b->status; i++)
        fit_output(c, c->edit.b->graph->nodes[i]);
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    converter c = {.run = run, .minimum = cnnfi_run_int(run, "minimum_size", 16)};
    const char *what = cnnfi_run_string(run, "what", "weights");
    const bool all = strcmp(what, "all") == 0;
    if (!all && strcmp(what, "weights") != 0)
        return cnnfi_fail(run->error, CNNF_E_INVALID, "convert_to_float16: what is weights or all, not '%s'", what);
    if (all) CNNFI_TRY(cnnfi_need_outputs(run));
    CNNFI_TRY(cnnfi_pass_begin_edit(&c.edit, run, in));
    for (size_t i = 0; !all && i < c.edit.originals && !c.edit.b->status; i++)
        cast_weight(&c, c.edit.b->graph->nodes[i]);
    if (all) convert_all(&c);
    cnnfi_run_count(run, "weights", c.weights);
    cnnfi_run_count(run, "ops", c.ops);
    cnnfi_run_count(run, "casts", c.casts);
    return cnnfi_pass_end_edit(&c.edit, run, in, out);
}

static const cnnfi_pass_param params[] = {
    {"what", CNNFI_ARG_STRING, false, false, "weights (default), or all: arithmetic too, float32 inputs and outputs"},
    {"minimum_size", CNNFI_ARG_INT, false, false, "weights: constants with fewer elements stay; default 16"},
};

const cnnfi_pass cnnfi_pass_convert_to_float16 = {
    .name = "convert_to_float16",
    .description = "Keeps float constants in half precision, or computes in it; inputs and outputs stay float32.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .run = run_pass,
};
