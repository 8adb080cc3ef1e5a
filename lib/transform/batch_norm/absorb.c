/* SPDX-License-Identifier: Apache-2.0 */
/* What both directions of travel share: axes, constants, additions. See absorb.h. */
#include "transform/batch_norm/absorb.h"

#include <string.h>

#include "base/error.h"
#include "graph/builder.h"

bool cnnfi_travel_refuse(cnnfi_travel *t, const cnnf_node *node, const char *reason)
{
    t->reason = reason;
    t->reason_node = node ? node->name : NULL;
    return false;
}

cnnfi_weight_change *cnnfi_travel_change(cnnfi_travel *t)
{
    static const cnnfi_weight_change none;
    cnnfi_weight_change *change = cnnfi_edit_array(t->edit, 1, sizeof *change);
    if (!change) return NULL;
    *change = none;
    change->next = t->changes;
    return t->changes = change;
}

/* ---- axes ---- */

/* A constant list of axes of the input, as distances from the last axis, into flags. */
static bool axes_from_end(cnnfi_travel *t, const cnnf_node *node, const int64_t *axes, size_t count, bool *marked)
{
    const cnnfi_value x = cnnfi_shape_of_input(&t->values->shapes, node, 0);
    for (size_t i = 0; i < count; i++) {
        if (axes[i] >= 0 && x.rank < 0) return cnnfi_travel_refuse(t, node, "the rank of its input is not known");
        const int64_t axis = axes[i] < 0 ? -axes[i] - 1 : x.rank - 1 - axes[i];
        if (axis < 0 || axis >= CNNFI_OP_MAX_RANK) return cnnfi_travel_refuse(t, node, "an axis is out of range");
        marked[axis] = true;
    }
    return true;
}

/* Axes of the input marked in `gone` are not in the output. */
static bool drop_axes(cnnfi_travel *t, const cnnf_node *node, const bool *gone, cnnfi_affine *a, bool back)
{
    if (a->n == 1) return true;
    if (!back && gone[a->axis]) return cnnfi_travel_refuse(t, node, "it takes the channel axis away");
    int32_t in = 0, out = 0;
    for (;; in++) {
        while (back && in < CNNFI_OP_MAX_RANK && gone[in])
            in++;
        if (in >= CNNFI_OP_MAX_RANK) return cnnfi_travel_refuse(t, node, "its rank is too large");
        if (back ? out == a->axis : in == a->axis) break;
        if (!gone[in]) out++;
    }
    a->axis = back ? in : out;
    return true;
}

static bool map_squeeze(cnnfi_travel *t, const cnnf_node *node, cnnfi_affine *a, bool back)
{
    int64_t axes[CNNFI_OP_MAX_RANK];
    bool gone[CNNFI_OP_MAX_RANK + 1] = {false};
    const int64_t count = cnnf_node_attr_list_count(node, "squeeze_dims");
    if (a->n == 1) return true;
    if (count <= 0 || count > CNNFI_OP_MAX_RANK) return cnnfi_travel_refuse(t, node, "it does not name its axes");
    for (int64_t i = 0; i < count; i++)
        axes[i] = cnnf_node_attr_list_int(node, "squeeze_dims", i, 0);
    return axes_from_end(t, node, axes, (size_t)count, gone) && drop_axes(t, node, gone, a, back);
}

static bool map_mean(cnnfi_travel *t, const cnnf_node *node, cnnfi_affine *a, bool back)
{
    int64_t axes[CNNFI_OP_MAX_RANK];
    bool gone[CNNFI_OP_MAX_RANK + 1] = {false};
    size_t count;
    if (a->n == 1) return true;
    if (!cnnfi_value_ints(t->values, node, 1, axes, CNNFI_OP_MAX_RANK, &count)) {
        return cnnfi_travel_refuse(t, node, "its axes are not constant");
    }
    if (!axes_from_end(t, node, axes, count, gone)) return false;
    if (!cnnf_node_attr_bool(node, "keep_dims", 0)) return drop_axes(t, node, gone, a, back);
    return gone[a->axis] ? cnnfi_travel_refuse(t, node, "it averages over channels") : true;
}

static bool map_expand_dims(cnnfi_travel *t, const cnnf_node *node, cnnfi_affine *a, bool back)
{
    int64_t axis;
    size_t count;
    if (a->n == 1) return true;
    if (!cnnfi_value_ints(t->values, node, 1, &axis, 1, &count) || count != 1) {
        return cnnfi_travel_refuse(t, node, "its axis is not constant");
    }
    const cnnfi_value x = cnnfi_shape_of_input(&t->values->shapes, node, 0);
    if (axis >= 0 && x.rank < 0) return cnnfi_travel_refuse(t, node, "the rank of its input is not known");
    const int64_t at = axis < 0 ? -axis - 1 : x.rank - axis; /* of the output, from the end */
    if (back && a->axis == at) return cnnfi_travel_refuse(t, node, "the channel axis begins here");
    if (back ? a->axis > at : a->axis >= at) a->axis += back ? -1 : 1;
    return true;
}

static bool map_transpose(cnnfi_travel *t, const cnnf_node *node, cnnfi_affine *a, bool back)
{
    int64_t perm[CNNFI_OP_MAX_RANK];
    size_t rank;
    if (a->n == 1) return true;
    if (!cnnfi_value_ints(t->values, node, 1, perm, CNNFI_OP_MAX_RANK, &rank) || a->axis >= (int32_t)rank) {
        return cnnfi_travel_refuse(t, node, "its permutation is not constant");
    }
    const int64_t at = (int64_t)rank - 1 - a->axis;
    for (size_t i = 0; i < rank; i++) {
        if (perm[i] < 0 || perm[i] >= (int64_t)rank) break;
        if (back ? (int64_t)i != at : perm[i] != at) continue;
        a->axis = (int32_t)((int64_t)rank - 1 - (back ? perm[i] : (int64_t)i));
        return true;
    }
    return cnnfi_travel_refuse(t, node, "its permutation is not valid");
}

static bool is_constant_int(cnnfi_travel *t, const cnnf_node *node, size_t input, int64_t value)
{
    int64_t found;
    size_t count;
    return cnnfi_value_ints(t->values, node, input, &found, 1, &count) && count == 1 && found == value;
}

/* strided_slice(shape(the reshape's own input)) from `begin`. */
static bool slices_own_shape(cnnfi_travel *t, const cnnf_node *reshape, const cnnf_node *node, size_t input,
                             int64_t begin)
{
    const cnnfi_edit *edit = t->edit;
    const cnnf_node *slice = cnnfi_edit_producer(edit, node, input, NULL);
    const cnnf_node *shape =
        slice && strcmp(slice->op, "StridedSlice") == 0 ? cnnfi_edit_producer(edit, slice, 0, NULL) : NULL;
    if (!shape || strcmp(shape->op, "Shape") != 0 || !is_constant_int(t, slice, 1, begin)) return false;
    return cnnfi_edit_producer(edit, shape, 0, NULL) == cnnfi_edit_producer(edit, reshape, 0, NULL);
}

/* [-1, n], n all of an input's axes but the batch: what static_shapes makes of those below. */
static bool flattens_by_constant(cnnfi_travel *t, const cnnf_node *reshape)
{
    int64_t dims[2];
    size_t rank;
    const cnnfi_value x = cnnfi_shape_of_input(&t->values->shapes, reshape, 0);
    if (!cnnfi_value_ints(t->values, reshape, 1, dims, 2, &rank) || rank != 2 || x.rank < 2) return false;
    const int64_t rest = cnnfi_dims_product(x.dims, 1, x.rank);
    return rest > 0 && dims[1] == rest && (dims[0] == -1 || dims[0] == x.dims[0]);
}

/* Whether the reshape makes [batch, everything else]: Keras' Pack(-1, Prod(shape[1:])), tf.layers' Pack(shape[0], -1).
 */
static bool flattens_all_but_batch(cnnfi_travel *t, const cnnf_node *reshape)
{
    if (flattens_by_constant(t, reshape)) return true;
    const cnnf_node *pack = cnnfi_edit_producer(t->edit, reshape, 1, NULL);
    if (!pack || strcmp(pack->op, "Pack") != 0 || cnnfi_node_data_inputs(pack) != 2) return false;
    const cnnf_node *prod = cnnfi_edit_producer(t->edit, pack, 1, NULL);
    if (is_constant_int(t, pack, 0, -1) && prod && strcmp(prod->op, "Prod") == 0) {
        return slices_own_shape(t, reshape, prod, 0, 1);
    }
    return is_constant_int(t, pack, 1, -1) && slices_own_shape(t, reshape, pack, 0, 0);
}

/* [batch, length] -> [batch, n, ...] with length = n * the rest, channels first. */
static bool unflattens_channels(cnnfi_travel *t, const cnnf_node *reshape, const cnnfi_affine *a)
{
    int64_t dims[CNNFI_OP_MAX_RANK], product = 1;
    size_t rank;
    const cnnfi_value x = cnnfi_shape_of_input(&t->values->shapes, reshape, 0);
    if (!cnnfi_value_ints(t->values, reshape, 1, dims, CNNFI_OP_MAX_RANK, &rank)) return false;
    if (x.rank != 2 || a->axis != (int32_t)rank - 2 || dims[1] != (int64_t)a->n) return false;
    for (size_t i = 1; i < rank; i++) {
        if (dims[i] <= 0 || dims[i] > INT32_MAX || __builtin_mul_overflow(product, dims[i], &product)) return false;
    }
    return x.dims[1] == product;
}

/*
 * A reshape keeps the elements in order. With channels last, element l belongs to channel l % n whatever the
 * dims, so the affine stays what it is; whoever absorbs it checks that n divides the axis it finds. With channels first
 * the whole of the other axes must be seen to merge with (or split from) them.
 */
static bool map_reshape(cnnfi_travel *t, const cnnf_node *node, cnnfi_affine *a, bool back)
{
    if (a->n == 1 || (a->axis == 0 && !a->blocks)) return true;
    if (a->blocks) return cnnfi_travel_refuse(t, node, "channels were merged before it");
    if (back ? !unflattens_channels(t, node, a) : !flattens_all_but_batch(t, node)) {
        return cnnfi_travel_refuse(t, node, "where it takes the channels is not known");
    }
    a->axis = 0;
    a->blocks = true;
    return true;
}

cnnfi_axis_map cnnfi_axis_map_of(const char *op)
{
    static const struct {
        const char *op;
        cnnfi_axis_map map;
    } maps[] = {{"ExpandDims", map_expand_dims},
                {"Mean", map_mean},
                {"Reshape", map_reshape},
                {"Squeeze", map_squeeze},
                {"Transpose", map_transpose}};
    for (size_t i = 0; i < sizeof maps / sizeof *maps; i++) {
        if (strcmp(maps[i].op, op) == 0) return maps[i].map;
    }
    return NULL;
}

/* ---- channels ---- */

bool cnnfi_channel_values(const cnnfi_constant *c, size_t *n, int32_t *axis)
{
    *n = (size_t)c->shape.count;
    *axis = 0;
    if ((size_t)c->shape.count == 1) return true;
    for (int32_t i = 0; i < c->shape.rank; i++) {
        if (c->shape.dims[i] == (int64_t)(size_t)c->shape.count) {
            *axis = c->shape.rank - 1 - i;
            return true;
        }
    }
    return false;
}

bool cnnfi_pads_spare_channels(cnnfi_travel *t, const cnnf_node *node, const cnnfi_affine *a)
{
    const cnnfi_constant *pads = cnnfi_value_input(t->values, node, 1);
    if (!pads || pads->shape.rank != 2 || pads->shape.dims[1] != 2)
        return cnnfi_travel_refuse(t, node, "its paddings are not constant");
    const int64_t row = pads->shape.dims[0] - 1 - a->axis;
    if (a->n == 1) return true;
    if (row < 0 || pads->v[2 * row] != 0 || pads->v[2 * row + 1] != 0) {
        return cnnfi_travel_refuse(t, node, "it pads the channels");
    }
    return true;
}

bool cnnfi_pool_spares_channels(const cnnf_node *node, const cnnfi_affine *a)
{
    const int64_t rank = cnnf_node_attr_list_count(node, "ksize");
    if (cnnfi_node_string_is(node, "data_format", "NCHW_VECT_C")) return false;
    return a->n == 1 || (a->axis < rank && cnnf_node_attr_list_int(node, "ksize", rank - 1 - a->axis, 0) == 1);
}

cnnf_dtype cnnfi_affine_dtype(const cnnf_node *node)
{
    const cnnf_dtype dtype = cnnfi_node_type(node, "T");
    return dtype == CNNF_FLOAT || dtype == CNNF_DOUBLE ? dtype : 0;
}

cnnf_tensor *cnnfi_channel_tensor(cnnfi_edit *edit, cnnf_dtype dtype, const cnnfi_affine *like, const double *values,
                                  size_t channels)
{
    int64_t dims[CNNFI_OP_MAX_RANK];
    double *spread = cnnfi_edit_array(edit, channels, sizeof *spread);
    if (!spread || like->axis >= CNNFI_OP_MAX_RANK) return NULL;
    for (size_t i = 0; i < channels; i++)
        spread[i] = values[cnnfi_affine_channel(like, i, channels)];
    dims[0] = (int64_t)channels;
    for (int32_t i = 1; i <= like->axis; i++)
        dims[i] = 1;
    return cnnfi_tensor_of_doubles(edit, dtype, like->axis + 1, dims, spread);
}

/* BiasAdd where it means the same in every TensorFlow: channels last, or NCHW images. A scalar is added by Add. */
static cnnf_node *add_addition(cnnfi_travel *t, const cnnf_node *node, const char *name, int32_t axis, size_t channels)
{
    const bool image = axis == 2 && cnnfi_shape_of_output(&t->values->shapes, node, 0).rank == 4;
    const bool bias = channels > 0 && (axis == 0 || image);
    cnnf_node *sum = cnnfi_edit_add(t->edit, bias ? "BiasAdd" : "Add", name);
    if (sum && bias) cnnfi_node_set_string(t->edit->b, sum, "data_format", axis == 0 ? "NHWC" : "NCHW");
    return sum;
}

cnnf_node *cnnfi_insert_shift(cnnfi_travel *t, cnnf_node *node, cnnf_node *user, size_t input, const cnnfi_affine *a,
                              size_t channels)
{
    cnnfi_edit *edit = t->edit;
    cnnfi_affine layout = *a;
    const cnnf_dtype dtype = cnnfi_affine_dtype(node);
    const char *name = cnnfi_edit_unique(edit, "%s/bn_bias", node->name);
    cnnf_node *sum = add_addition(t, node, name, a->axis, channels);
    if (!sum) return NULL;
    if (channels == 0 || strcmp(sum->op, "BiasAdd") == 0) layout.axis = 0; /* a vector */
    cnnf_tensor *value = cnnfi_channel_tensor(edit, dtype, &layout, a->shift, channels ? channels : 1);
    const cnnf_node *offset = cnnfi_edit_const(edit, value, "%s_bn_offset", node->name);
    cnnf_tensor_unref(value);
    if (user)
        cnnfi_edit_set_input(edit, user, input, cnnfi_end(sum, 0));
    else
        cnnfi_edit_redirect(edit, node, 0, cnnfi_end(sum, 0), NULL);
    cnnfi_edit_add_input(edit, sum, cnnfi_end(node, 0));
    cnnfi_edit_add_input(edit, sum, cnnfi_end(offset, 0));
    cnnfi_node_set_type(edit->b, sum, "T", dtype);
    return t->inserted = sum;
}
