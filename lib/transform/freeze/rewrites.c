/* SPDX-License-Identifier: Apache-2.0 */
/* One rewrite per op that a constant may arrive at where a variable was. */
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/tensor.h"
#include "transform/freeze/freeze_convert.h"

/* ---- ops that hand their input on ---- */

/* Identity, Switch, Enter, Exit, NextIteration. */
static cnnf_status rewrite_intermediate(cnnfi_conversion *c, const cnnfi_arrival *at, cnnf_error *error)
{
    cnnf_node *copy = cnnfi_conversion_copy(c, at);
    if (at->input != 0) return CNNF_OK; /* a predicate */
    cnnfi_node_set_type(c->edit->b, copy, "T", cnnfi_arrival_dtype(at));
    cnnfi_node_attr_remove(copy, "_output_shapes");
    return cnnfi_conversion_spread(c, at, -1, error);
}

/* The same for reference types, whose ops have no constant input: RefSwitch -> Switch ... */
static cnnf_status rewrite_reference(cnnfi_conversion *c, const cnnfi_arrival *at, cnnf_error *error)
{
    cnnf_node *copy = cnnfi_conversion_copy(c, at);
    if (cnnfi_starts_with(copy->op, "Ref")) cnnfi_node_set_op(c->edit->b, copy, copy->op + 3);
    return rewrite_intermediate(c, at, error);
}

static cnnf_status rewrite_ref_merge(cnnfi_conversion *c, const cnnfi_arrival *at, cnnf_error *error)
{
    cnnfi_node_set_op(c->edit->b, cnnfi_conversion_copy(c, at), "Merge");
    return cnnfi_conversion_spread(c, at, 0, error);
}

/* TensorFlow does not touch a Merge; one of resources has to change its type to be valid. */
static cnnf_status rewrite_merge(cnnfi_conversion *c, const cnnfi_arrival *at, cnnf_error *error)
{
    cnnf_node *copy = cnnfi_conversion_copy(c, at);
    if (cnnfi_node_type(cnnfi_conversion_original(c, at), "T") != CNNF_RESOURCE) return CNNF_OK;
    cnnfi_node_set_type(c->edit->b, copy, "T", cnnfi_arrival_dtype(at));
    cnnfi_node_attr_remove(copy, "_output_shapes");
    return cnnfi_conversion_spread(c, at, 0, error);
}

/* ---- reading a resource ---- */

static void copy_attr_as(cnnfi_conversion *c, cnnf_node *to, const char *key, const cnnf_node *from,
                         const char *from_key)
{
    const cnnfi_attr *attr = cnnfi_node_attr(from, from_key);
    if (attr) cnnfi_node_copy_attr(c->edit->b, to, key, attr);
}

/* "name:from:0" as "name:to:0"; NULL when it is not that. */
static const char *renamed_output(cnnfi_builder *b, const char *input, const char *name, const char *from,
                                  const char *to)
{
    const size_t n = strlen(name), m = strlen(from);
    if (strncmp(input, name, n) != 0 || input[n] != ':') return NULL;
    const char *rest = input + n + 1;
    if (strncmp(rest, from, m) != 0 || (rest[m] != ':' && rest[m] != '\0')) return NULL;
    return cnnfi_builder_printf(b, "%s:%s%s", name, to, rest + m);
}

/* Inside a function an output is known by its name: readers and returns follow the new op's. */
static void rename_output(cnnfi_conversion *c, const cnnfi_arrival *at, const char *from, const char *to)
{
    if (at->scope == CNNFI_MAIN_SCOPE) return;
    const cnnfi_scope *scope = &c->functions[at->scope].scope;
    cnnfi_function *f = c->edit->b->graph->functions[at->scope];
    const char *name = f->nodes[at->node]->name;
    for (size_t i = scope->first[at->node]; i < scope->first[at->node + 1]; i++) {
        cnnf_node *reader = f->nodes[scope->uses[i].node];
        const size_t input = (size_t)scope->uses[i].input;
        const char *renamed =
            input < reader->n_inputs ? renamed_output(c->edit->b, reader->inputs[input], name, from, to) : NULL;
        if (renamed) cnnfi_node_set_input(c->edit->b, reader, input, renamed);
    }
    for (size_t i = 0; i < f->n_ret; i++) {
        const char *renamed = renamed_output(c->edit->b, f->ret[i].value, name, from, to);
        if (renamed) f->ret[i].value = renamed;
    }
}

/* ReadVariableOp: control inputs, device and other attributes go. */
static cnnf_status rewrite_read(cnnfi_conversion *c, const cnnfi_arrival *at, cnnf_error *error)
{
    const cnnf_node *node = cnnfi_conversion_original(c, at);
    cnnf_node *copy = cnnfi_conversion_reset(c, at, "Identity", 1);
    copy_attr_as(c, copy, "T", node, "dtype");
    copy_attr_as(c, copy, "_class", node, "_class");
    rename_output(c, at, "value", "output");
    return CNNF_OK;
}

/* GatherV2 needs its axis as an input: a constant beside it. */
static cnnf_status add_axis(cnnfi_conversion *c, const cnnfi_arrival *at, cnnf_node *gather, cnnf_dtype dtype,
                            cnnf_error *error)
{
    static const int64_t zero = 0;
    cnnfi_builder *b = c->edit->b;
    cnnf_tensor *value = NULL;
    const char *name = cnnfi_builder_printf(b, "%s/axis", gather->name);
    if (!name) return cnnfi_fail_nomem(error);
    CNNFI_TRY(cnnfi_tensor_copy(&value, c->context, dtype, 0, NULL, &zero, error));
    if (at->scope == CNNFI_MAIN_SCOPE) {
        cnnf_node *axis = cnnfi_edit_const(c->edit, value, "%s", name);
        cnnfi_edit_place_before(c->edit, axis, NULL);
        cnnfi_edit_add_input(c->edit, gather, cnnfi_end(axis, 0));
    } else {
        cnnf_node *axis = cnnfi_function_add(b, b->graph->functions[at->scope], "Const", name);
        cnnfi_node_set_type(b, axis, "dtype", dtype);
        cnnfi_node_set_tensor(b, axis, "value", value);
        cnnfi_node_add_input(b, gather, cnnfi_builder_printf(b, "%s:output:0", name));
    }
    cnnf_tensor_unref(value);
    return CNNF_OK;
}

static void set_gather_attrs(cnnfi_conversion *c, cnnf_node *copy, const cnnf_node *node)
{
    copy_attr_as(c, copy, "Tparams", node, "dtype");
    copy_attr_as(c, copy, "Tindices", node, "Tindices");
    copy_attr_as(c, copy, "_class", node, "_class");
}

static cnnf_status check_indices(const cnnf_node *node, cnnf_error *error)
{
    if (cnnfi_node_data_inputs(node) >= 2) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_CORRUPT, "node '%s': %s without indices", node->name, node->op);
}

static cnnf_status rewrite_gather(cnnfi_conversion *c, const cnnfi_arrival *at, cnnf_error *error)
{
    const cnnf_node *node = cnnfi_conversion_original(c, at);
    const cnnfi_attr *batch = cnnfi_node_attr(node, "batch_dims");
    if (at->input != 0) return CNNF_OK; /* indices */
    if (batch && batch->kind == CNNF_ATTR_INT && batch->u.i != 0)
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "node '%s': batch_dims must be 0 to be frozen, it is %lld",
                          node->name, (long long)batch->u.i);
    CNNFI_TRY(check_indices(node, error));
    cnnf_node *copy = cnnfi_conversion_reset(c, at, "GatherV2", 2);
    const cnnf_dtype dtype = cnnfi_node_type(node, "Tindices");
    CNNFI_TRY(add_axis(c, at, copy, dtype == CNNF_INT64 ? CNNF_INT64 : CNNF_INT32, error));
    set_gather_attrs(c, copy, node);
    copy_attr_as(c, copy, "Taxis", node, "Tindices");
    return CNNF_OK;
}

static cnnf_status rewrite_gather_nd(cnnfi_conversion *c, const cnnfi_arrival *at, cnnf_error *error)
{
    const cnnf_node *node = cnnfi_conversion_original(c, at);
    if (at->input != 0) return CNNF_OK;
    CNNFI_TRY(check_indices(node, error));
    set_gather_attrs(c, cnnfi_conversion_reset(c, at, "GatherNd", 2), node);
    return CNNF_OK;
}

/* VariableShape -> Shape; TensorFlow leaves it, and cannot load what it wrote. */
static cnnf_status rewrite_shape(cnnfi_conversion *c, const cnnfi_arrival *at, cnnf_error *error)
{
    cnnf_node *copy = cnnfi_conversion_reset(c, at, "Shape", 1);
    (void)error;
    cnnfi_node_set_type(c->edit->b, copy, "T", cnnfi_arrival_dtype(at));
    copy_attr_as(c, copy, "out_type", cnnfi_conversion_original(c, at), "out_type");
    return CNNF_OK;
}

/* ---- calls ---- */

static const cnnfi_caller callers[] = {
    {"Case", "Tin", 1, {"branches", NULL}},          {"If", "Tin", 1, {"then_branch", "else_branch"}},
    {"PartitionedCall", "Tin", 0, {"f", NULL}},      {"StatefulPartitionedCall", "Tin", 0, {"f", NULL}},
    {"StatelessCase", "Tin", 1, {"branches", NULL}}, {"StatelessIf", "Tin", 1, {"then_branch", "else_branch"}},
    {"StatelessWhile", "T", 0, {"body", "cond"}},    {"While", "T", 0, {"body", "cond"}},
};

const cnnfi_caller *cnnfi_caller_for(const char *op)
{
    for (size_t i = 0; i < sizeof callers / sizeof *callers; i++) {
        if (strcmp(callers[i].op, op) == 0) return &callers[i];
    }
    return NULL;
}

/* In the copy, whose attributes are the builder's own. */
static cnnfi_attr *own_attr(cnnf_node *copy, const char *key)
{
    return (cnnfi_attr *)(uintptr_t)cnnfi_node_attr(copy, key);
}

static cnnf_status enter_functions(cnnfi_conversion *c, const cnnfi_arrival *at, const cnnfi_attr *attr,
                                   int32_t argument, cnnf_error *error)
{
    if (!attr) return CNNF_OK;
    if (attr->kind == CNNF_ATTR_FUNC) return cnnfi_conversion_enter(c, at, attr->u.func->name, argument, error);
    if (attr->kind != CNNF_ATTR_LIST || attr->u.list.item_kind != CNNF_ATTR_FUNC) return CNNF_OK;
    for (size_t i = 0; i < attr->u.list.count; i++)
        CNNFI_TRY(cnnfi_conversion_enter(c, at, attr->u.list.u.funcs[i].name, argument, error));
    return CNNF_OK;
}

static cnnf_status retype(cnnf_node *copy, const char *key, size_t index, cnnf_dtype dtype, cnnf_error *error)
{
    cnnfi_attr *attr = own_attr(copy, key);
    if (attr && attr->kind == CNNF_ATTR_LIST && attr->u.list.item_kind == CNNF_ATTR_TYPE &&
        index < attr->u.list.count) {
        attr->u.list.u.types[index] = dtype;
        return CNNF_OK;
    }
    return cnnfi_fail(error, CNNF_E_CORRUPT, "node '%s': attribute '%s' has no element %zu", copy->name, key, index);
}

static cnnf_status rewrite_call(cnnfi_conversion *c, const cnnfi_arrival *at, cnnf_error *error)
{
    const cnnf_node *node = cnnfi_conversion_original(c, at);
    const cnnfi_caller *caller = cnnfi_caller_for(node->op);
    const int32_t argument = at->input - caller->first_input;
    if (argument < 0) return CNNF_OK; /* a condition */
    for (int i = 0; i < 2 && caller->functions[i]; i++)
        CNNFI_TRY(enter_functions(c, at, cnnfi_node_attr(node, caller->functions[i]), argument, error));
    CNNFI_TRY(
        retype(cnnfi_conversion_copy(c, at), caller->type_attr, (size_t)argument, cnnfi_arrival_dtype(at), error));
    if (!cnnfi_grow(c->context, (void **)&c->callers, &c->callers_capacity, c->n_callers, sizeof *c->callers))
        return cnnfi_fail_nomem(error);
    c->callers[c->n_callers++] = *at;
    return CNNF_OK;
}

/* TensorFlow's tool does not know StatelessCase. What it writes loads where the branches take the variable's value, and
   stays as it was; where they take the variable itself they have to be told. */
static cnnf_status rewrite_stateless_case(cnnfi_conversion *c, const cnnfi_arrival *at, cnnf_error *error)
{
    const cnnf_node *node = cnnfi_conversion_original(c, at);
    const cnnfi_attr *types = cnnfi_node_attr(node, "Tin");
    const int32_t argument = at->input - 1;
    const bool is_list = types && types->kind == CNNF_ATTR_LIST && types->u.list.item_kind == CNNF_ATTR_TYPE;
    const bool is_there = is_list && argument >= 0 && (size_t)argument < types->u.list.count;
    if (is_there && types->u.list.u.types[argument] != CNNF_RESOURCE) return CNNF_OK;
    return rewrite_call(c, at, error);
}

static cnnfi_function *body_copy(const cnnfi_conversion *c, const cnnf_node *loop)
{
    const cnnfi_attr *body = cnnfi_node_attr(loop, "body");
    const bool named = body && body->kind == CNNF_ATTR_FUNC;
    const int64_t index = named ? cnnfi_conversion_function(c, body->u.func->name) : -1;
    return index < 0 ? NULL : c->edit->b->graph->functions[index];
}

static cnnfi_shape *shape_at(cnnf_node *copy, const char *key, size_t index)
{
    cnnfi_attr *attr = own_attr(copy, key);
    const bool shapes = attr && attr->kind == CNNF_ATTR_LIST && attr->u.list.item_kind == CNNF_ATTR_SHAPE;
    return shapes && index < attr->u.list.count ? &attr->u.list.u.shapes[index] : NULL;
}

/* A loop returns what it takes: the body's output and the loop's shape change with the argument. A scalar stands
   in `_output_shapes` for a resource; TensorFlow leaves it, and then cannot load what it wrote, unless the loop is in a
   function, where nobody reads that attribute. */
static cnnf_status rewrite_while(cnnfi_conversion *c, const cnnfi_arrival *at, cnnf_error *error)
{
    CNNFI_TRY(rewrite_call(c, at, error));
    cnnf_node *copy = cnnfi_conversion_copy(c, at);
    const cnnf_tensor *value = at->variable->value;
    const size_t index = (size_t)at->input;
    const cnnfi_shape shape = {.rank = cnnf_tensor_rank(value), .dims = cnnfi_tensor_dims(value)};
    if (!own_attr(copy, "output_shapes")) cnnfi_node_attr_slot(c->edit->b, copy, "output_shapes");
    cnnfi_shape *declared = shape_at(copy, "output_shapes", index), *known = shape_at(copy, "_output_shapes", index);
    if (declared) *declared = shape;
    if (known && known->rank == 0 && at->scope == CNNFI_MAIN_SCOPE) *known = shape;
    cnnfi_function *body = body_copy(c, cnnfi_conversion_original(c, at));
    if (body && index < body->n_outputs) body->outputs[index].type = cnnfi_arrival_dtype(at);
    return CNNF_OK;
}

/* ---- the table ---- */

static const struct {
    const char *op;
    cnnfi_rewrite_fn rewrite;
} rewrites[] = {
    {"Case", rewrite_call},
    {"Enter", rewrite_intermediate},
    {"Exit", rewrite_intermediate},
    {"Identity", rewrite_intermediate},
    {"If", rewrite_call},
    {"Merge", rewrite_merge},
    {"NextIteration", rewrite_intermediate},
    {"PartitionedCall", rewrite_call},
    {"ReadVariableOp", rewrite_read},
    {"RefEnter", rewrite_reference},
    {"RefExit", rewrite_reference},
    {"RefIdentity", rewrite_reference},
    {"RefMerge", rewrite_ref_merge},
    {"RefNextIteration", rewrite_reference},
    {"RefSwitch", rewrite_reference},
    {"ResourceGather", rewrite_gather},
    {"ResourceGatherNd", rewrite_gather_nd},
    {"StatefulPartitionedCall", rewrite_call},
    {"StatelessCase", rewrite_stateless_case},
    {"StatelessIf", rewrite_call},
    {"StatelessWhile", rewrite_while},
    {"Switch", rewrite_intermediate},
    {"VariableShape", rewrite_shape},
    {"While", rewrite_while},
    {"_SwitchN", rewrite_intermediate},
};

cnnfi_rewrite_fn cnnfi_rewrite_for(const char *op)
{
    for (size_t i = 0; i < sizeof rewrites / sizeof *rewrites; i++) {
        if (strcmp(rewrites[i].op, op) == 0) return rewrites[i].rewrite;
    }
    return NULL;
}

bool cnnfi_op_needs_variable(const char *op)
{
    static const char *const prefixes[] = {
        "Assign", "Apply", "SparseApply", "ResourceApply", "ResourceSparseApply", "ResourceScatter", "Ref"};
    static const char *const ops[] = {"CountUpTo",
                                      "DestroyResourceOp",
                                      "DestroyTemporaryVariable",
                                      "IsVariableInitialized",
                                      "ScatterAdd",
                                      "ScatterDiv",
                                      "ScatterMax",
                                      "ScatterMin",
                                      "ScatterMul",
                                      "ScatterNdAdd",
                                      "ScatterNdSub",
                                      "ScatterNdUpdate",
                                      "ScatterSub",
                                      "ScatterUpdate",
                                      "StridedSliceAssign",
                                      "VarIsInitializedOp"};
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        if (cnnfi_starts_with(op, prefixes[i])) return true;
    }
    return cnnfi_text_in(op, ops, sizeof ops / sizeof *ops);
}
