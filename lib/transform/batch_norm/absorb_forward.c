/* SPDX-License-Identifier: Apache-2.0 */
/* Affines travelling with the data: see absorb.h. */
#include "transform/batch_norm/absorb.h"

#include <string.h>

#include "base/error.h"

#define MAX_DEPTH 64

typedef bool (*forward_fn)(cnnfi_travel *t, const cnnfi_use *use, const cnnfi_affine *a);

/* ---- those that absorb ---- */

/* The BiasAdd that alone reads the node and whose bias can take `shift`; NULL when there is none. */
static cnnf_node *following_bias(cnnfi_travel *t, const cnnf_node *node, const cnnfi_constant **bias, size_t channels)
{
    const cnnfi_use *use = cnnfi_edit_uses(t->edit, node);
    if (!use || use->next || cnnfi_edit_is_protected(t->edit, node)) return NULL;
    cnnf_node *user = use->user;
    if (strcmp(user->op, "BiasAdd") != 0 || use->input != 0) return NULL;
    *bias = cnnfi_value_input(t->values, user, 1);
    return *bias && (*bias)->shape.count == (int64_t)channels ? user : NULL;
}

/* Adds `shift` to everything the node puts out. */
static void add_to_output(cnnfi_travel *t, cnnf_node *node, const cnnfi_affine *shift)
{
    const cnnfi_constant *bias;
    cnnf_node *sum = following_bias(t, node, &bias, shift->n);
    if (!sum) {
        cnnfi_insert_shift(t, node, NULL, 0, shift, shift->n);
        return;
    }
    double *values = cnnfi_edit_array(t->edit, shift->n, sizeof *values);
    for (size_t i = 0; values && i < shift->n; i++)
        values[i] = bias->v[i] + shift->shift[i];
    const int64_t dims[1] = {(int64_t)shift->n};
    cnnf_tensor *value = values ? cnnfi_tensor_of_doubles(t->edit, cnnfi_affine_dtype(sum), 1, dims, values) : NULL;
    cnnfi_edit_own_const(t->edit, sum, 1, value);
    cnnf_tensor_unref(value);
}

static bool forward_linear(cnnfi_travel *t, const cnnfi_use *use, const cnnfi_affine *a)
{
    const char *reason;
    cnnf_node *node = use->user;
    const cnnfi_linear_op *op = cnnfi_linear_of(t->edit, node, &reason);
    if (!op) return cnnfi_travel_refuse(t, node, reason);
    if (use->input != (size_t)op->data) return cnnfi_travel_refuse(t, node, "it is used as weights");
    if (!cnnfi_linear_fits_input(t->edit, node, op, a))
        return cnnfi_travel_refuse(t, node, "its input channels do not match");
    const bool shifts = cnnfi_affine_has_shift(a);
    if (shifts && cnnfi_linear_pads(node, op, cnnfi_linear_weights(t->edit, node, op))) {
        return cnnfi_travel_refuse(t, node, "it pads with zeros, which a shift would move");
    }
    if (shifts && cnnfi_edit_is_protected(t->edit, node))
        return cnnfi_travel_refuse(t, node, "it is an output of the graph");
    if (!t->commit) return true;
    cnnfi_affine shift = {0};
    cnnfi_weight_change *change = cnnfi_travel_change(t);
    if (change) cnnfi_linear_scale_input(t->edit, node, op, a, &shift, change);
    if (shifts && shift.n) add_to_output(t, node, &shift);
    return true;
}

/* ---- those that hand on ---- */

static bool hand_on(cnnfi_travel *t, const cnnfi_use *use, const cnnfi_affine *a)
{
    if (use->input != 0) return cnnfi_travel_refuse(t, use->user, "it is not its data");
    if (cnnfi_edit_is_protected(t->edit, use->user)) {
        return cnnfi_travel_refuse(t, use->user, "it is an output of the graph");
    }
    return cnnfi_absorb_forward(t, use->user, a);
}

static bool forward_axes(cnnfi_travel *t, const cnnfi_use *use, const cnnfi_affine *a)
{
    cnnfi_affine moved = *a;
    return cnnfi_axis_map_of(use->user->op)(t, use->user, &moved, false) && hand_on(t, use, &moved);
}

static bool forward_average(cnnfi_travel *t, const cnnfi_use *use, const cnnfi_affine *a)
{
    if (!cnnfi_pool_spares_channels(use->user, a)) return cnnfi_travel_refuse(t, use->user, "it pools over channels");
    return hand_on(t, use, a);
}

static bool forward_max_pool(cnnfi_travel *t, const cnnfi_use *use, const cnnfi_affine *a)
{
    if (cnnfi_affine_negatives(a)) {
        return cnnfi_travel_refuse(t, use->user, "a negative scale does not commute with max pooling");
    }
    return forward_average(t, use, a);
}

static bool forward_homogeneous(cnnfi_travel *t, const cnnfi_use *use, const cnnfi_affine *a)
{
    if (cnnfi_affine_has_shift(a) || cnnfi_affine_negatives(a)) {
        return cnnfi_travel_refuse(t, use->user, "an activation lies between");
    }
    return hand_on(t, use, a);
}

static bool forward_pad(cnnfi_travel *t, const cnnfi_use *use, const cnnfi_affine *a)
{
    if (!cnnfi_pads_spare_channels(t, use->user, a)) return false;
    if (strcmp(use->user->op, "Pad") == 0 && cnnfi_affine_has_shift(a)) {
        return cnnfi_travel_refuse(t, use->user, "it pads with zeros, which a shift would move");
    }
    return hand_on(t, use, a);
}

/* Batches and space only swap places; only the scale is sure not to meet zero padding. */
static bool forward_space(cnnfi_travel *t, const cnnfi_use *use, const cnnfi_affine *a)
{
    if (a->n != 1 && a->axis != 0) return cnnfi_travel_refuse(t, use->user, "channels are not its last axis");
    if (strcmp(use->user->op, "SpaceToBatchND") == 0 && cnnfi_affine_has_shift(a)) {
        return cnnfi_travel_refuse(t, use->user, "it pads with zeros, which a shift would move");
    }
    return hand_on(t, use, a);
}

/* ---- the table ---- */

static const struct {
    const char *op;
    forward_fn absorb;
} forward_ops[] = {
    {"AvgPool", forward_average},       {"AvgPool3D", forward_average},
    {"BatchToSpaceND", forward_space},  {"ExpandDims", forward_axes},
    {"LeakyRelu", forward_homogeneous}, {"MaxPool", forward_max_pool},
    {"MaxPool3D", forward_max_pool},    {"Mean", forward_axes},
    {"MirrorPad", forward_pad},         {"Pad", forward_pad},
    {"Relu", forward_homogeneous},      {"Reshape", forward_axes},
    {"ResizeBilinear", hand_on},        {"ResizeNearestNeighbor", hand_on},
    {"SpaceToBatchND", forward_space},  {"Squeeze", forward_axes},
    {"Transpose", forward_axes},
};

static forward_fn forward_of(const char *op)
{
    if (cnnfi_linear_op_find(op)) return forward_linear;
    if (cnnfi_op_is_identity(op)) return hand_on;
    for (size_t i = 0; i < sizeof forward_ops / sizeof *forward_ops; i++) {
        if (strcmp(forward_ops[i].op, op) == 0) return forward_ops[i].absorb;
    }
    return NULL;
}

static bool forward_one(cnnfi_travel *t, const cnnfi_use *use, const cnnfi_affine *a)
{
    if (use->port == CNNFI_PORT_CONTROL || cnnfi_op_is_shape_only(use->user->op)) return true;
    const forward_fn absorb = forward_of(use->user->op);
    return absorb ? absorb(t, use, a)
                  : cnnfi_travel_refuse(t, use->user, "its op does not commute with a scale per channel");
}

bool cnnfi_absorb_forward(cnnfi_travel *t, cnnf_node *node, const cnnfi_affine *a)
{
    const cnnfi_use *last = cnnfi_edit_last_use(t->edit, node);
    bool done = last || cnnfi_travel_refuse(t, node, "nobody reads it");
    if (t->depth >= MAX_DEPTH) return cnnfi_travel_refuse(t, node, "the way on is too long");
    t->depth++;
    /* What is put in on the way reads the node, too, or reads what read it. */
    for (const cnnfi_use *use = cnnfi_edit_uses(t->edit, node), *next; done && use; use = next) {
        next = use == last ? NULL : use->next;
        done = forward_one(t, use, a);
    }
    t->depth--;
    return done;
}
