/* SPDX-License-Identifier: Apache-2.0 */
/* Affines travelling against the data: see absorb.h. */
#include "transform/batch_norm/absorb.h"

#include <float.h>
#include <string.h>

#include "base/error.h"
#include "graph/builder.h"

#define MAX_DEPTH 64

/* The producer of an edge, asked to make a(its output) of its output. */
typedef struct step {
    cnnf_node *node; /* the producer */
    cnnf_node *user; /* who reads it */
    size_t input;    /* where */
} step;

/* Bounds of this size are none: a float holds no more. */
#define OPEN_BOUND ((double)FLT_MAX)

typedef bool (*backward_fn)(cnnfi_travel *t, const step *s, const cnnfi_affine *a);

static bool hand_on(cnnfi_travel *t, const step *s, size_t input, const cnnfi_affine *a)
{
    return cnnfi_absorb_backward(t, s->node, input, a);
}

/* ---- those that absorb ---- */

static bool back_linear(cnnfi_travel *t, const step *s, const cnnfi_affine *a)
{
    const char *reason;
    const cnnfi_linear_op *op = cnnfi_linear_of(t->edit, s->node, &reason);
    if (!op) return cnnfi_travel_refuse(t, s->node, reason);
    if (!cnnfi_linear_fits_output(t->edit, s->node, op, a)) {
        return cnnfi_travel_refuse(t, s->node, "its output channels do not match");
    }
    if (!t->commit) return true;
    const size_t channels = (size_t)cnnfi_linear_outputs(t->edit, s->node, op);
    cnnfi_weight_change *change = cnnfi_travel_change(t);
    if (change) cnnfi_linear_scale_output(t->edit, s->node, op, a, change);
    if (!cnnfi_affine_has_shift(a)) return true;
    cnnfi_affine shift = cnnfi_affine_shift_only(t->edit, a);
    shift.axis = cnnfi_linear_axis(s->node, op);
    cnnfi_insert_shift(t, s->node, s->user, s->input, &shift, channels);
    return true;
}

/* The constant operand of a binary op as values per channel, and where the data comes in. */
typedef struct operand {
    const cnnfi_constant *value;
    size_t at, data; /* inputs */
    size_t n;
    int32_t axis;
} operand;

static bool constant_operand(cnnfi_travel *t, const cnnf_node *node, operand *o)
{
    const bool bias = strcmp(node->op, "BiasAdd") == 0;
    for (size_t at = 2; at-- > 0;) {
        o->value = cnnfi_value_input(t->values, node, at);
        o->at = at;
        o->data = 1 - at;
        if (!o->value || !cnnfi_channel_values(o->value, &o->n, &o->axis)) continue;
        if (bias && cnnfi_node_string_is(node, "data_format", "NCHW")) {
            const cnnfi_value x = cnnfi_shape_of_input(&t->values->shapes, node, 0);
            if (x.rank < 2) return cnnfi_travel_refuse(t, node, "the rank of its input is not known");
            o->axis = x.rank - 2;
        }
        return !bias || at == 1;
    }
    return false;
}

/* Whether values per channel of the operand and of the affine meet on one axis. */
static bool meets(const operand *o, const cnnfi_affine *a)
{
    if (a->n == 1) return true;
    if (o->n == 1) return !a->blocks;
    return o->axis == a->axis && o->n % a->n == 0;
}

/* Replaces the operand by values[n]; the shape stays but for a scalar that becomes a vector. */
static void set_operand(cnnfi_travel *t, cnnf_node *node, const operand *o, const cnnfi_affine *a, size_t n,
                        const double *values)
{
    int64_t dims[CNNFI_OP_MAX_RANK];
    int32_t rank = o->value->shape.rank;
    for (int32_t i = 0; i < rank; i++)
        dims[i] = o->value->shape.dims[i];
    if (n != o->n) {
        rank = a->axis + 1;
        for (int32_t i = 0; i < rank; i++)
            dims[i] = i ? 1 : (int64_t)n;
    }
    const cnnf_dtype dtype = cnnfi_affine_dtype(node);
    cnnf_tensor *value = rank <= CNNFI_OP_MAX_RANK ? cnnfi_tensor_of_doubles(t->edit, dtype, rank, dims, values) : NULL;
    cnnfi_edit_own_const(t->edit, node, o->at, value);
    cnnf_tensor_unref(value);
}

/*
 * s * (x + c) + b = s * x + (s * c + b); the same for x - c, and for c - x with -s * x.
 * The sum's constant takes the shift, the scale goes on.
 */
static bool move_shift_into(cnnfi_travel *t, const step *s, const operand *o, const cnnfi_affine *a)
{
    const bool minus = strcmp(s->node->op, "Sub") == 0 && o->at == 1;
    const size_t n = o->n > a->n ? o->n : a->n;
    double *values = cnnfi_edit_array(t->edit, n, sizeof *values);
    if (!meets(o, a) || !cnnfi_affine_dtype(s->node))
        return cnnfi_travel_refuse(t, s->node, "its constant has another shape");
    const cnnfi_affine scale = cnnfi_affine_scale_only(t->edit, a);
    if (!values || !scale.n) return false;
    for (size_t i = 0; i < n; i++) {
        const size_t k = cnnfi_affine_channel(a, i, n);
        const double c = minus ? -o->value->v[o->n == 1 ? 0 : i] : o->value->v[o->n == 1 ? 0 : i];
        const double sum = a->scale[k] * c + a->shift[k];
        values[i] = minus ? -sum : sum;
    }
    if (cnnfi_affine_has_scale(a) && !hand_on(t, s, o->data, &scale)) return false;
    if (t->commit) set_operand(t, s->node, o, a, n, values);
    return true;
}

/* s * (u + v) + b: the scale to both, the shift to the first. */
static bool back_both(cnnfi_travel *t, const step *s, const cnnfi_affine *a)
{
    const cnnfi_affine scale = cnnfi_affine_scale_only(t->edit, a);
    return scale.n && hand_on(t, s, 0, a) && hand_on(t, s, 1, &scale);
}

static bool back_add(cnnfi_travel *t, const step *s, const cnnfi_affine *a)
{
    operand o;
    if (constant_operand(t, s->node, &o)) return move_shift_into(t, s, &o, a);
    if (strcmp(s->node->op, "BiasAdd") == 0) return cnnfi_travel_refuse(t, s->node, "its bias is not constant");
    return back_both(t, s, a);
}

/* s * (x * c) + b: c takes the scale, an addition behind it the shift. */
static bool back_multiply(cnnfi_travel *t, const step *s, const cnnfi_affine *a)
{
    operand o;
    if (!constant_operand(t, s->node, &o) || !meets(&o, a) || !cnnfi_affine_dtype(s->node)) {
        return cnnfi_travel_refuse(t, s->node, "it multiplies two tensors");
    }
    if (!t->commit) return true;
    const size_t n = o.n > a->n ? o.n : a->n;
    double *values = cnnfi_edit_array(t->edit, n, sizeof *values);
    for (size_t i = 0; values && i < n; i++) {
        values[i] = o.value->v[o.n == 1 ? 0 : i] * a->scale[cnnfi_affine_channel(a, i, n)];
    }
    if (!values) return false;
    cnnfi_affine shift = cnnfi_affine_shift_only(t->edit, a);
    set_operand(t, s->node, &o, a, n, values);
    if (cnnfi_affine_has_shift(a)) cnnfi_insert_shift(t, s->node, s->user, s->input, &shift, a->n == 1 ? 0 : n);
    return true;
}

/* ---- bounds: Relu, Relu6, Maximum, Minimum ---- */

/* clip(x, low, high); the bounds of one channel or of all. */
typedef struct bounds {
    size_t n;
    int32_t axis;
    const double *low, *high; /* NULL, or beyond what a float holds: none */
    size_t data;              /* which input */
} bounds;

static bool find_bounds(cnnfi_travel *t, const cnnf_node *node, bounds *out)
{
    static const double zero[1] = {0.0}, six[1] = {6.0};
    operand o;
    *out = (bounds){.n = 1, .low = zero};
    if (strcmp(node->op, "Relu") == 0) return true;
    out->high = six;
    if (strcmp(node->op, "Relu6") == 0) return true;
    if (!constant_operand(t, node, &o)) return cnnfi_travel_refuse(t, node, "it compares two tensors");
    const bool is_max = strcmp(node->op, "Maximum") == 0;
    *out = (bounds){.n = o.n, .axis = o.axis, .data = o.data};
    *(is_max ? &out->low : &out->high) = o.value->v;
    return true;
}

/* a(clip(x, low, high)) = clip(a(x), ...): a negative scale swaps the bounds, scale 0 makes both the shift. */
typedef struct new_bounds {
    size_t n;
    double *low, *high;
    bool has_low, has_high;
} new_bounds;

/* The bound of channel i, moved; `open` when there is none. */
static double moved_bound(const double *values, size_t n, size_t i, double scale, double shift, double open)
{
    const double value = values ? values[n == 1 ? 0 : i] : open;
    return value <= -OPEN_BOUND || value >= OPEN_BOUND ? open : scale * value + shift;
}

static bool map_bounds(cnnfi_travel *t, const bounds *old, const cnnfi_affine *a, new_bounds *out)
{
    const size_t n = old->n > a->n ? old->n : a->n;
    *out = (new_bounds){.n = n,
                        .low = cnnfi_edit_array(t->edit, n, sizeof(double)),
                        .high = cnnfi_edit_array(t->edit, n, sizeof(double))};
    for (size_t i = 0; out->low && out->high && i < n; i++) {
        const size_t k = cnnfi_affine_channel(a, i, n);
        const double scale = a->scale[k], shift = a->shift[k];
        const bool falls = scale < 0;
        const double *below = falls ? old->high : old->low, *above = falls ? old->low : old->high;
        out->low[i] = scale == 0 ? shift : moved_bound(below, old->n, i, scale, shift, -OPEN_BOUND);
        out->high[i] = scale == 0 ? shift : moved_bound(above, old->n, i, scale, shift, OPEN_BOUND);
        out->has_low |= out->low[i] > -OPEN_BOUND;
        out->has_high |= out->high[i] < OPEN_BOUND;
    }
    return out->low && out->high;
}

/* A plain ReLU stays one when nothing moves its zero. */
static bool stays_relu(const cnnf_node *node, const cnnfi_affine *a)
{
    return strcmp(node->op, "Relu") == 0 && !cnnfi_affine_has_shift(a) && cnnfi_affine_negatives(a) == 0;
}

/* Rewrites `node` as op(data, values). */
static void make_bound(cnnfi_travel *t, cnnf_node *node, const char *op, cnnfi_edge data, const cnnfi_affine *like,
                       const double *values, size_t n)
{
    cnnfi_edit *edit = t->edit;
    const cnnf_dtype dtype = cnnfi_affine_dtype(node);
    cnnf_tensor *value = cnnfi_channel_tensor(edit, dtype, like, values, n);
    const cnnf_node *bound =
        cnnfi_edit_const(edit, value, "%s/%s", node->name, strcmp(op, "Maximum") == 0 ? "low" : "high");
    cnnf_tensor_unref(value);
    cnnfi_edit_reset(edit, node, op);
    cnnfi_edit_add_input(edit, node, data);
    cnnfi_edit_add_input(edit, node, cnnfi_end(bound, 0));
    cnnfi_node_set_type(edit->b, node, "T", dtype);
}

static void rewrite_bounds(cnnfi_travel *t, const step *s, const bounds *old, const new_bounds *now,
                           const cnnfi_affine *a)
{
    cnnfi_affine like = *a; /* the layout of `now`'s values */
    like.n = now->n;
    if (a->n == 1 && old->n > 1) like.axis = old->axis;
    if (now->n == 1) like.axis = 0;
    if (!now->has_low || !now->has_high) {
        const char *op = now->has_low ? "Maximum" : "Minimum";
        make_bound(t, s->node, op, s->node->edges[old->data], &like, now->has_low ? now->low : now->high, now->n);
        return;
    }
    cnnf_node *lower = cnnfi_edit_add(t->edit, "Maximum", cnnfi_edit_unique(t->edit, "%s/lower", s->node->name));
    if (!lower) return;
    cnnfi_node_set_type(t->edit->b, lower, "T", cnnfi_affine_dtype(s->node));
    make_bound(t, lower, "Maximum", s->node->edges[old->data], &like, now->low, now->n);
    make_bound(t, s->node, "Minimum", cnnfi_end(lower, 0), &like, now->high, now->n);
}

static bool back_bounds(cnnfi_travel *t, const step *s, const cnnfi_affine *a)
{
    bounds old;
    new_bounds now = {.n = 0};
    if (!cnnfi_affine_dtype(s->node)) return cnnfi_travel_refuse(t, s->node, "its dtype is not float");
    if (!find_bounds(t, s->node, &old)) return false;
    const bool plain = stays_relu(s->node, a);
    if (!plain && t->keep_activations) return cnnfi_travel_refuse(t, s->node, "the activation would have to change");
    const operand as_operand = {.n = old.n, .axis = old.axis};
    if (!meets(&as_operand, a)) return cnnfi_travel_refuse(t, s->node, "its bounds have another shape");
    if (a->blocks && !plain) return cnnfi_travel_refuse(t, s->node, "channels were merged before it");
    if (!plain && !map_bounds(t, &old, a, &now)) return false;
    if (!hand_on(t, s, old.data, a)) return false;
    if (t->commit && !plain) rewrite_bounds(t, s, &old, &now, a);
    return true;
}

/* f(s * x) = s * f(x) for s >= 0 and nothing else. */
static bool back_homogeneous(cnnfi_travel *t, const step *s, const cnnfi_affine *a)
{
    if (cnnfi_affine_has_shift(a) || cnnfi_affine_negatives(a)) {
        return cnnfi_travel_refuse(t, s->node, "an activation lies between");
    }
    return hand_on(t, s, 0, a);
}

/* ---- those that hand on ---- */

static bool back_through(cnnfi_travel *t, const step *s, const cnnfi_affine *a)
{
    return hand_on(t, s, 0, a);
}

static bool back_axes(cnnfi_travel *t, const step *s, const cnnfi_affine *a)
{
    cnnfi_affine moved = *a;
    return cnnfi_axis_map_of(s->node->op)(t, s->node, &moved, true) && hand_on(t, s, 0, &moved);
}

static bool back_average(cnnfi_travel *t, const step *s, const cnnfi_affine *a)
{
    if (!cnnfi_pool_spares_channels(s->node, a)) return cnnfi_travel_refuse(t, s->node, "it pools over channels");
    return hand_on(t, s, 0, a);
}

/* max commutes with what does not fall; TensorFlow's padding never is the maximum. */
static bool back_max_pool(cnnfi_travel *t, const step *s, const cnnfi_affine *a)
{
    if (cnnfi_affine_negatives(a))
        return cnnfi_travel_refuse(t, s->node, "a negative scale does not commute with max pooling");
    return back_average(t, s, a);
}

static bool back_pad(cnnfi_travel *t, const step *s, const cnnfi_affine *a)
{
    const bool zeros = strcmp(s->node->op, "Pad") == 0;
    if (!cnnfi_pads_spare_channels(t, s->node, a)) return false;
    if (zeros && cnnfi_affine_has_shift(a)) return cnnfi_travel_refuse(t, s->node, "zero padding lies between");
    return hand_on(t, s, 0, a);
}

static bool back_batch_to_space(cnnfi_travel *t, const step *s, const cnnfi_affine *a)
{
    if (a->n != 1 && a->axis != 0) return cnnfi_travel_refuse(t, s->node, "channels are not its last axis");
    return hand_on(t, s, 0, a);
}

static bool all_zero(const cnnfi_constant *c)
{
    for (size_t i = 0; c && i < (size_t)c->shape.count; i++) {
        if (c->v[i] != 0.0) return false;
    }
    return c != NULL;
}

static bool back_space_to_batch(cnnfi_travel *t, const step *s, const cnnfi_affine *a)
{
    if (cnnfi_affine_has_shift(a) && !all_zero(cnnfi_value_input(t->values, s->node, 2))) {
        return cnnfi_travel_refuse(t, s->node, "zero padding lies between");
    }
    return back_batch_to_space(t, s, a);
}

/* ---- Concat: each input takes its part ---- */

typedef struct concat {
    size_t first, count; /* the data inputs */
    bool channels;       /* along the affine's axis */
} concat;

static bool concat_layout(cnnfi_travel *t, const cnnf_node *node, const cnnfi_affine *a, concat *out)
{
    int64_t axis;
    size_t count;
    const size_t inputs = cnnfi_node_data_inputs(node);
    const bool axis_first = strcmp(node->op, "Concat") == 0;
    *out = (concat){.first = axis_first, .count = inputs ? inputs - 1 : 0};
    if (inputs < 2 || !cnnfi_value_ints(t->values, node, axis_first ? 0 : inputs - 1, &axis, 1, &count) || count != 1) {
        return cnnfi_travel_refuse(t, node, "its axis is not constant");
    }
    if (a->n == 1) return true;
    const cnnfi_value x = cnnfi_shape_of_input(&t->values->shapes, node, out->first);
    if (axis >= 0 && x.rank < 0) return cnnfi_travel_refuse(t, node, "the rank of its input is not known");
    out->channels = (axis < 0 ? -axis - 1 : x.rank - 1 - axis) == a->axis;
    return true;
}

static bool back_concat(cnnfi_travel *t, const step *s, const cnnfi_affine *a)
{
    concat c;
    size_t at = 0;
    if (!concat_layout(t, s->node, a, &c)) return false;
    for (size_t i = 0; i < c.count; i++) {
        cnnfi_affine part = *a;
        if (c.channels) {
            const cnnfi_value x = cnnfi_shape_of_input(&t->values->shapes, s->node, c.first + i);
            const int64_t channels = cnnfi_shape_from_end(&x, a->axis);
            if (channels <= 0 || at + (size_t)channels > a->n) {
                return cnnfi_travel_refuse(t, s->node, "how many channels each part has is not known");
            }
            part.n = (size_t)channels;
            part.scale += at;
            part.shift += at;
            at += part.n;
        }
        if (!hand_on(t, s, c.first + i, &part)) return false;
    }
    return !c.channels || at == a->n || cnnfi_travel_refuse(t, s->node, "its parts do not add up to the channels");
}

/* ---- the table ---- */

static const struct {
    const char *op;
    backward_fn absorb;
} backward_ops[] = {
    {"Add", back_add},
    {"AddV2", back_add},
    {"AvgPool", back_average},
    {"AvgPool3D", back_average},
    {"BatchToSpaceND", back_batch_to_space},
    {"BiasAdd", back_add},
    {"Concat", back_concat},
    {"ConcatV2", back_concat},
    {"ExpandDims", back_axes},
    {"LeakyRelu", back_homogeneous},
    {"MaxPool", back_max_pool},
    {"MaxPool3D", back_max_pool},
    {"Maximum", back_bounds},
    {"Mean", back_axes},
    {"Minimum", back_bounds},
    {"MirrorPad", back_pad},
    {"Mul", back_multiply},
    {"Pad", back_pad},
    {"Relu", back_bounds},
    {"Relu6", back_bounds},
    {"Reshape", back_axes},
    {"ResizeBilinear", back_through},
    {"ResizeNearestNeighbor", back_through},
    {"SpaceToBatchND", back_space_to_batch},
    {"Squeeze", back_axes},
    {"Sub", back_add},
    {"Transpose", back_axes},
};

static backward_fn backward_of(const char *op)
{
    if (cnnfi_linear_op_find(op)) return back_linear;
    if (cnnfi_op_is_identity(op)) return back_through;
    for (size_t i = 0; i < sizeof backward_ops / sizeof *backward_ops; i++) {
        if (strcmp(backward_ops[i].op, op) == 0) return backward_ops[i].absorb;
    }
    return NULL;
}

bool cnnfi_absorb_backward(cnnfi_travel *t, cnnf_node *user, size_t input, const cnnfi_affine *a)
{
    int32_t port;
    cnnf_node *node = cnnfi_edit_producer(t->edit, user, input, &port);
    if (!node || port != 0) return cnnfi_travel_refuse(t, user, "its input is not a plain tensor");
    const backward_fn absorb = backward_of(node->op);
    if (!absorb) return cnnfi_travel_refuse(t, node, "its op does not commute with a scale per channel");
    if (cnnfi_edit_is_protected(t->edit, node)) return cnnfi_travel_refuse(t, node, "it is an output of the graph");
    if (!cnnfi_edit_only_reader(t->edit, node)) return cnnfi_travel_refuse(t, node, "others use its output too");
    if (t->depth >= MAX_DEPTH) return cnnfi_travel_refuse(t, node, "the way back is too long");
    const step s = {.node = node, .user = user, .input = input};
    t->depth++;
    const bool done = absorb(t, &s, a);
    t->depth--;
    return done;
}
