/* SPDX-License-Identifier: Apache-2.0 */
/*
 * static_shapes: what is computed from shapes that are declared becomes constant, wherever it stands (Flatten's
 * Prod(Shape(x)[1:]), the sizes of an upsampling, the free axes of a Tensordot). A Reshape whose target knows all
 * sizes but one gets a constant with -1 there, which is why an unknown batch size is no obstacle.
 *
 * What lies behind a Switch or an Enter stays: a constant would live where its branch does not.
 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "edit/constants.h"
#include "edit/values.h"
#include "graph/tensor.h"
#include "transform/framework/pass_edit.h"

/* Shapes, axes, paddings, factors: longer ones are data. */
#define MOST_ELEMENTS 64

typedef struct shaper {
    cnnfi_edit edit;
    cnnfi_values values;
    bool *conditional; /* [originals] lives only where a branch is taken */
    int64_t constants, reshapes;
} shaper;

/* ---- what lies in branches and loops ---- */

static bool opens_frame(const char *op)
{
    static const char *const ops[] = {"Enter", "RefEnter", "RefSwitch", "Switch", "_SwitchN"};
    return cnnfi_text_in(op, ops, sizeof ops / sizeof *ops);
}

/* Marks the node and hands its users to the list. */
static void spread(shaper *s, const cnnf_node *node, int32_t *list, size_t *n)
{
    for (const cnnfi_use *use = cnnfi_edit_uses(&s->edit, node); use; use = use->next) {
        if (s->conditional[use->user->index]) continue;
        s->conditional[use->user->index] = true;
        list[(*n)++] = use->user->index;
    }
}

static void mark_conditional(shaper *s)
{
    cnnfi_edit *edit = &s->edit;
    int32_t *list = cnnfi_edit_array(edit, edit->originals + 1, sizeof *list);
    size_t n = 0;
    s->conditional = cnnfi_edit_array(edit, edit->originals + 1, sizeof *s->conditional);
    for (size_t i = 0; list && s->conditional && i < edit->originals; i++) {
        if (!opens_frame(edit->b->graph->nodes[i]->op)) continue;
        s->conditional[i] = true;
        list[n++] = (int32_t)i;
    }
    while (n && !edit->b->status) {
        n--;
        spread(s, edit->b->graph->nodes[list[n]], list, &n);
    }
}

/* ---- constants ---- */

/* The values in their dtype; NULL: not one that shapes are computed in, or no memory (the builder knows). */
static cnnf_tensor *tensor_of(cnnfi_edit *edit, const cnnfi_constant *c)
{
    union {
        int32_t i32[MOST_ELEMENTS];
        int64_t i64[MOST_ELEMENTS];
        float f32[MOST_ELEMENTS];
        uint8_t b[MOST_ELEMENTS];
    } data;
    memset(&data, 0, sizeof data);
    for (int64_t i = 0; i < c->shape.count; i++) {
        switch (c->shape.dtype) {
        case CNNF_INT32:
            data.i32[i] = (int32_t)c->v[i];
            break;
        case CNNF_INT64:
            data.i64[i] = (int64_t)c->v[i];
            break;
        case CNNF_FLOAT:
            data.f32[i] = (float)c->v[i];
            break;
        case CNNF_BOOL:
            data.b[i] = c->v[i] != 0;
            break;
        default:
            return NULL;
        }
    }
    cnnf_tensor *tensor = NULL;
    if (!edit->b->status) {
        edit->b->status = cnnfi_tensor_copy(&tensor, edit->b->graph->context, c->shape.dtype, c->shape.rank,
                                            c->shape.dims, &data, edit->b->error);
    }
    return tensor;
}

static bool is_small(const cnnfi_constant *c)
{
    return cnnfi_constant_is_whole(c) && c->shape.count <= MOST_ELEMENTS && !c->rounded;
}

/* The node whose output is the constant: the producer itself where it has no other outputs and no one to wait for. */
static cnnf_node *become_constant(shaper *s, cnnf_node *from, int32_t port, const cnnf_tensor *value)
{
    cnnfi_edit *edit = &s->edit;
    if (port > 0 || cnnfi_edit_user_count(edit, from, CNNFI_PORT_DATA) != cnnfi_edit_user_count(edit, from, 0)) {
        return cnnfi_edit_const(edit, value, "%s/static_%d", from->name, (int)port);
    }
    cnnfi_edit_reset(edit, from, "Const");
    cnnfi_node_set_type(edit->b, from, "dtype", cnnf_tensor_dtype(value));
    cnnfi_node_set_tensor(edit->b, from, "value", value);
    return from;
}

/* What an input reads becomes constant, where it is known and computed. */
static void settle_input(shaper *s, const cnnf_node *node, size_t input)
{
    cnnfi_edit *edit = &s->edit;
    int32_t port;
    cnnf_node *from = cnnfi_edit_producer(edit, node, input, &port);
    if (!from || from->n_inputs == 0 || port < 0 || cnnfi_node_data_inputs(from) != from->n_inputs) return;
    if (s->conditional[from->index] || cnnfi_op_is_identity(from->op)) return;
    const cnnfi_constant *known = cnnfi_value_input(&s->values, node, input);
    if (!is_small(known)) return;
    cnnf_tensor *value = tensor_of(edit, known);
    if (!value) return;
    const cnnf_node *constant = become_constant(s, from, port, value);
    if (constant && constant != from) cnnfi_edit_redirect(edit, from, port, cnnfi_end(constant, 0), NULL);
    cnnf_tensor_unref(value);
    s->constants++;
}

/* ---- Reshape ---- */

/* Whether element `at` of the target is the batch size of the reshape's own input: Shape(x)[0]. */
static bool is_own_batch(shaper *s, const cnnf_node *reshape, const cnnf_node *pack, size_t at)
{
    const cnnfi_edit *edit = &s->edit;
    int64_t begin;
    size_t count;
    const cnnf_node *slice = cnnfi_edit_producer(edit, pack, at, NULL);
    if (!slice || strcmp(slice->op, "StridedSlice") != 0) return false;
    const cnnf_node *shape = cnnfi_edit_producer(edit, slice, 0, NULL);
    if (!shape || strcmp(shape->op, "Shape") != 0) return false;
    if (!cnnfi_value_ints(&s->values, slice, 1, &begin, 1, &count) || count != 1 || begin != 0) return false;
    const cnnfi_edge own = cnnfi_edit_input(reshape, 0), of = cnnfi_edit_input(shape, 0);
    return own.node == of.node && own.port == of.port && cnnf_node_attr_int(slice, "shrink_axis_mask", 0) == 1;
}

/* [Shape(x)[0], ..., -1, ...]: the -1 is what is left of x without its batch. false: not known. */
static bool find_rest(shaper *s, const cnnf_node *reshape, int64_t *dims, int64_t n)
{
    const cnnf_node *pack = cnnfi_edit_producer(&s->edit, reshape, 1, NULL);
    const cnnfi_value x = cnnfi_shape_of_input(&s->values.shapes, reshape, 0);
    const int64_t total = x.rank > 0 ? cnnfi_dims_product(x.dims, 1, x.rank) : CNNFI_UNKNOWN;
    int64_t rest = -1, known = 1;
    if (!pack || strcmp(pack->op, "Pack") != 0 || cnnfi_node_data_inputs(pack) != (size_t)n || total <= 0) return false;
    if (!is_own_batch(s, reshape, pack, 0)) return false;
    for (int64_t i = 1; i < n; i++) {
        if (dims[i] < 0 && rest >= 0) return false;
        if (dims[i] < 0)
            rest = i;
        else if (dims[i] == 0 || __builtin_mul_overflow(known, dims[i], &known))
            return false;
    }
    if (rest < 0 || total % known) return false;
    dims[rest] = total / known;
    return true;
}

/* The target of a Reshape with one size open, as sizes and -1; false: more is open. */
static bool open_target(shaper *s, const cnnf_node *node, const cnnfi_constant *target, int64_t *dims)
{
    const int64_t n = target->shape.count;
    const cnnfi_value out = cnnfi_shape_of_output(&s->values.shapes, node, 0);
    int64_t open = 0, zeros = 0;
    for (int64_t i = 0; i < n; i++) {
        dims[i] = isnan(target->v[i]) ? -1 : (int64_t)target->v[i];
        if (dims[i] < 0 && out.rank == n && out.dims[i] != CNNFI_UNKNOWN) dims[i] = out.dims[i];
        open += dims[i] < 0;
        zeros += dims[i] == 0;
    }
    if (zeros) return false; /* -1 beside 0 means nothing */
    if (open == 2 && dims[0] < 0 && find_rest(s, node, dims, n)) return true;
    return open <= 1;
}

static void settle_reshape(shaper *s, cnnf_node *node)
{
    cnnfi_edit *edit = &s->edit;
    int64_t dims[CNNFI_OP_MAX_RANK];
    const cnnf_node *from = cnnfi_edit_producer(edit, node, 1, NULL);
    const cnnfi_constant *target = cnnfi_value_known(&s->values, node, 1);
    if (!from || from->n_inputs == 0 || !target || !target->v || target->uniform || target->shape.rank != 1) return;
    if (!target->partial || target->shape.count > CNNFI_OP_MAX_RANK || !open_target(s, node, target, dims)) return;
    double values[CNNFI_OP_MAX_RANK];
    for (int64_t i = 0; i < target->shape.count; i++)
        values[i] = (double)dims[i];
    const cnnfi_constant whole = {.shape = target->shape, .v = values};
    cnnf_tensor *value = tensor_of(edit, &whole);
    if (!value) return;
    const cnnf_node *constant = cnnfi_edit_const(edit, value, "%s/static_shape", node->name);
    if (constant) cnnfi_edit_set_input(edit, node, 1, cnnfi_end(constant, 0));
    cnnf_tensor_unref(value);
    s->reshapes++;
}

/* ---- the graph ---- */

static void settle(shaper *s)
{
    cnnfi_edit *edit = &s->edit;
    for (size_t i = 0; i < edit->originals && !edit->b->status; i++) {
        cnnf_node *node = edit->b->graph->nodes[i];
        if (node->removed || s->conditional[i]) continue;
        for (size_t k = 0; k < cnnfi_node_data_inputs(node) && !edit->b->status; k++)
            settle_input(s, node, k);
        if (strcmp(node->op, "Reshape") == 0 && cnnfi_node_data_inputs(node) == 2) settle_reshape(s, node);
    }
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    shaper s = {.constants = 0};
    CNNFI_TRY(cnnfi_pass_begin_edit(&s.edit, run, in));
    cnnfi_values_init(&s.values, &s.edit, false);
    mark_conditional(&s);
    if (s.conditional) settle(&s);
    cnnfi_edit_sweep(&s.edit);
    cnnfi_run_count(run, "constants", s.constants);
    cnnfi_run_count(run, "reshapes", s.reshapes);
    s.edit.changes += (size_t)(s.constants + s.reshapes);
    return cnnfi_pass_end_edit(&s.edit, run, in, out);
}

const cnnfi_pass cnnfi_pass_static_shapes = {
    .name = "static_shapes",
    .description = "Makes constant what is computed from declared shapes; a Reshape gets -1 for the one size that is "
                   "open.",
    .run = run_pass,
};
