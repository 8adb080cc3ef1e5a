/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions and products: where channels lie in their weights, and scaling them. See linear_ops.h. */
#include "transform/batch_norm/linear_ops.h"

#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/tensor.h"
#include "graph/builder.h"

/* A backprop-input convolution takes (input sizes, filter, data); all others (data, weights). */
static const cnnfi_linear_op linear_ops[] = {
    {"BatchMatMul", CNNFI_PRODUCT, 0, 1, 0, "adj_y"},
    {"BatchMatMulV2", CNNFI_PRODUCT, 0, 1, 0, "adj_y"},
    {"BatchMatMulV3", CNNFI_PRODUCT, 0, 1, 0, "adj_y"},
    {"Conv2D", CNNFI_CONVOLUTION, 0, 1, 4, NULL},
    {"Conv2DBackpropInput", CNNFI_TRANSPOSED, 2, 1, 4, NULL},
    {"Conv3D", CNNFI_CONVOLUTION, 0, 1, 5, NULL},
    {"Conv3DBackpropInputV2", CNNFI_TRANSPOSED, 2, 1, 5, NULL},
    {"DepthwiseConv2dNative", CNNFI_DEPTHWISE, 0, 1, 4, NULL},
    {"MatMul", CNNFI_PRODUCT, 0, 1, 2, "transpose_b"},
};

/* Weights seen as [outer, channels, inner] along one axis (or two merged ones). */
typedef struct slices {
    size_t outer, channels, inner;
} slices;

const cnnfi_linear_op *cnnfi_linear_op_find(const char *op)
{
    for (size_t i = 0; i < sizeof linear_ops / sizeof *linear_ops; i++) {
        if (strcmp(linear_ops[i].op, op) == 0) return &linear_ops[i];
    }
    return NULL;
}

const cnnf_tensor *cnnfi_linear_weights(const cnnfi_edit *edit, const cnnf_node *node, const cnnfi_linear_op *op)
{
    const cnnf_node *source = cnnfi_const_node(edit, node, (size_t)op->weights);
    return source ? cnnf_node_attr_tensor(source, "value") : NULL;
}

static cnnf_node *reshaped_const(const cnnfi_edit *edit, const cnnf_node *node, size_t input)
{
    static const char *const reshapes[] = {"ExpandDims", "Reshape", "Squeeze"};
    cnnf_node *from = cnnfi_edit_producer(edit, node, input, NULL);
    bool reshaped = false;
    for (int depth = 0; from && depth < 8; depth++) {
        if (strcmp(from->op, "Const") == 0) return reshaped ? from : NULL;
        const bool reshape = cnnfi_text_in(from->op, reshapes, 3);
        if (!reshape && !cnnfi_op_is_identity(from->op)) return NULL;
        reshaped |= reshape;
        from = cnnfi_edit_producer(edit, from, 0, NULL);
    }
    return NULL;
}

void cnnfi_linear_settle_weights(cnnfi_edit *edit, cnnf_node *node, const cnnfi_value *shape)
{
    const cnnfi_linear_op *op = cnnfi_linear_op_find(node->op);
    const cnnf_node *source = op ? reshaped_const(edit, node, (size_t)op->weights) : NULL;
    const cnnf_tensor *old = source ? cnnf_node_attr_tensor(source, "value") : NULL;
    int64_t count;
    if (!old || shape->rank < 0 || !cnnfi_shape_elements(&count, shape->rank, shape->dims) ||
        count != cnnf_tensor_element_count(old))
        return;
    cnnfi_builder *b = edit->b;
    cnnf_tensor *value = NULL;
    if (!b->status) b->status = cnnfi_tensor_reshape(&value, old, shape->rank, shape->dims, b->error);
    const cnnf_node *weights = cnnfi_edit_const(edit, value, "%s/weights", node->name);
    cnnf_tensor_unref(value);
    cnnfi_edit_set_input(edit, node, (size_t)op->weights, cnnfi_end(weights, 0));
    edit->changes++;
}

/* transpose_a, adj_x: channels of the data are then not its last axis. */
static bool transposes_data(const cnnf_node *node)
{
    return cnnf_node_attr_bool(node, "transpose_a", 0) || cnnf_node_attr_bool(node, "adj_x", 0);
}

/* Matrices of a batch differ: only one matrix for all can be scaled as a filter is. */
static bool rank_fits(const cnnfi_linear_op *op, const cnnf_tensor *weights)
{
    const int32_t rank = cnnf_tensor_rank(weights);
    if (op->kind != CNNFI_PRODUCT) return rank == op->rank;
    for (int32_t i = 0; i + 2 < rank; i++) {
        if (cnnf_tensor_dim(weights, i) != 1) return false;
    }
    return rank >= 2;
}

const cnnfi_linear_op *cnnfi_linear_of(const cnnfi_edit *edit, const cnnf_node *node, const char **reason)
{
    const cnnfi_linear_op *op = cnnfi_linear_op_find(node->op);
    *reason = "the op before it does not absorb a scale";
    if (!op) return NULL;
    const cnnf_tensor *weights = cnnfi_linear_weights(edit, node, op);
    *reason = "the weights are not constant";
    if (!weights) return NULL;
    const cnnf_dtype dtype = cnnf_tensor_dtype(weights);
    *reason = "weights of less than 32 bits cannot be scaled exactly";
    if (dtype != CNNF_FLOAT && dtype != CNNF_DOUBLE) return NULL;
    *reason = "the weights have an unexpected rank";
    if (!rank_fits(op, weights) || cnnf_tensor_element_count(weights) == 0) return NULL;
    *reason = "the data is transposed";
    if (transposes_data(node)) return NULL;
    const bool vect = cnnfi_node_string_is(node, "data_format", "NCHW_VECT_C");
    *reason = vect ? "the layout is NCHW_VECT_C" : NULL;
    return vect ? NULL : op;
}

int32_t cnnfi_linear_axis(const cnnf_node *node, const cnnfi_linear_op *op)
{
    const bool first =
        cnnfi_node_string_is(node, "data_format", "NCHW") || cnnfi_node_string_is(node, "data_format", "NCDHW");
    return first ? op->rank - 2 : 0;
}

static bool weights_transposed(const cnnf_node *node, const cnnfi_linear_op *op)
{
    return op->transposed && cnnf_node_attr_bool(node, op->transposed, 0);
}

static slices along(const cnnf_tensor *weights, int32_t first, int32_t last)
{
    slices s = {1, 1, 1};
    for (int32_t i = 0; i < cnnf_tensor_rank(weights); i++) {
        size_t *part = i < first ? &s.outer : i <= last ? &s.channels : &s.inner;
        *part *= (size_t)cnnf_tensor_dim(weights, i);
    }
    return s;
}

static slices output_slices(const cnnf_node *node, const cnnfi_linear_op *op, const cnnf_tensor *weights)
{
    const int32_t last = cnnf_tensor_rank(weights) - 1;
    if (op->kind == CNNFI_DEPTHWISE) return along(weights, last - 1, last);
    const bool swapped = op->kind == CNNFI_TRANSPOSED || weights_transposed(node, op);
    return swapped ? along(weights, last - 1, last - 1) : along(weights, last, last);
}

static slices input_slices(const cnnf_node *node, const cnnfi_linear_op *op, const cnnf_tensor *weights)
{
    const int32_t last = cnnf_tensor_rank(weights) - 1;
    const bool swapped = op->kind == CNNFI_TRANSPOSED || weights_transposed(node, op);
    return swapped ? along(weights, last, last) : along(weights, last - 1, last - 1);
}

int64_t cnnfi_linear_outputs(const cnnfi_edit *edit, const cnnf_node *node, const cnnfi_linear_op *op)
{
    const cnnf_tensor *weights = cnnfi_linear_weights(edit, node, op);
    return weights && rank_fits(op, weights) ? (int64_t)output_slices(node, op, weights).channels : -1;
}

int64_t cnnfi_linear_inputs(const cnnfi_edit *edit, const cnnf_node *node, const cnnfi_linear_op *op)
{
    const cnnf_tensor *weights = cnnfi_linear_weights(edit, node, op);
    return weights && rank_fits(op, weights) ? (int64_t)input_slices(node, op, weights).channels : -1;
}

static bool kernel_is_one(const cnnf_tensor *weights)
{
    for (int32_t i = 0; i + 2 < cnnf_tensor_rank(weights); i++) {
        if (cnnf_tensor_dim(weights, i) != 1) return false;
    }
    return true;
}

static bool explicit_pads(const cnnf_node *node)
{
    for (int64_t i = 0; i < cnnf_node_attr_list_count(node, "explicit_paddings"); i++) {
        if (cnnf_node_attr_list_int(node, "explicit_paddings", i, 0)) return true;
    }
    return false;
}

bool cnnfi_linear_pads(const cnnf_node *node, const cnnfi_linear_op *op, const cnnf_tensor *weights)
{
    if (op->kind == CNNFI_PRODUCT) return false;
    if (op->kind == CNNFI_TRANSPOSED) return true; /* how many taps meet in an output pixel varies */
    if (cnnfi_node_string_is(node, "padding", "VALID")) return false;
    return cnnfi_node_string_is(node, "padding", "EXPLICIT") ? explicit_pads(node) : !kernel_is_one(weights);
}

/* ---- scaling ---- */

static bool divides(const cnnfi_affine *a, int64_t channels)
{
    return a->n && channels > 0 && (uint64_t)channels % a->n == 0;
}

bool cnnfi_linear_fits_output(const cnnfi_edit *edit, const cnnf_node *node, const cnnfi_linear_op *op,
                              const cnnfi_affine *a)
{
    return divides(a, cnnfi_linear_outputs(edit, node, op)) && (a->n == 1 || a->axis == cnnfi_linear_axis(node, op));
}

/* A grouped convolution sees all channels of the data, its filter those of one group; depthwise ones and products have
 * no groups. */
static size_t groups_of(const cnnfi_linear_op *op, const cnnfi_affine *a, int64_t inputs, int64_t outputs)
{
    if (op->kind != CNNFI_CONVOLUTION || a->blocks || a->n <= (size_t)inputs) return 1;
    const size_t groups = a->n / (size_t)inputs;
    return a->n % (size_t)inputs == 0 && (uint64_t)outputs % groups == 0 ? groups : 0;
}

bool cnnfi_linear_fits_input(const cnnfi_edit *edit, const cnnf_node *node, const cnnfi_linear_op *op,
                             const cnnfi_affine *a)
{
    const int64_t inputs = cnnfi_linear_inputs(edit, node, op), outputs = cnnfi_linear_outputs(edit, node, op);
    if (inputs <= 0 || outputs <= 0 || (a->n != 1 && a->axis != cnnfi_linear_axis(node, op))) return false;
    const size_t groups = groups_of(op, a, inputs, outputs);
    return groups > 0 && divides(a, inputs * (int64_t)groups);
}

/* The weights as they were and as they become; each in its own memory, float or double. */
typedef struct weights {
    cnnf_tensor *old, *scaled;
    const void *in;
    void *out;
    bool wide; /* double */
    cnnfi_weight_change *change;
} weights;

static bool weights_open(weights *w, cnnfi_edit *edit, const cnnf_tensor *tensor, cnnfi_weight_change *change)
{
    cnnfi_builder *b = edit->b;
    int64_t dims[CNNFI_OP_MAX_RANK];
    *w = (weights){.wide = cnnf_tensor_dtype(tensor) == CNNF_DOUBLE, .change = change};
    *change = (cnnfi_weight_change){.before = {INFINITY, -INFINITY}, .after = {INFINITY, -INFINITY}};
    for (int32_t i = 0; i < cnnf_tensor_rank(tensor); i++)
        dims[i] = cnnf_tensor_dim(tensor, i);
    if (!b->status) b->status = cnnf_tensor_load(&w->old, tensor, b->error);
    if (!b->status && !cnnf_tensor_data(w->old)) {
        /* Kept as value fields: the same elements laid out in memory. */
        double *values = cnnfi_doubles_of_tensor(edit, w->old);
        cnnf_tensor_unref(w->old);
        w->old = values
                     ? cnnfi_tensor_of_doubles(edit, cnnf_tensor_dtype(tensor), cnnf_tensor_rank(tensor), dims, values)
                     : NULL;
    }
    if (!b->status)
        b->status = cnnf_tensor_new(&w->scaled, b->graph->context, cnnf_tensor_dtype(tensor), cnnf_tensor_rank(tensor),
                                    dims, b->error);
    w->in = w->old ? cnnf_tensor_data(w->old) : NULL;
    w->out = w->scaled ? cnnf_tensor_data_mut(w->scaled) : NULL;
    return w->in && w->out;
}

static void weights_close(weights *w)
{
    cnnf_tensor_unref(w->old);
    cnnf_tensor_unref(w->scaled);
}

static double weight_at(const weights *w, size_t i)
{
    return w->wide ? ((const double *)w->in)[i] : (double)((const float *)w->in)[i];
}

static void widen(double range[2], double value)
{
    if (value < range[0]) range[0] = value;
    if (value > range[1]) range[1] = value;
}

static void weight_set(weights *w, size_t i, double value)
{
    widen(w->change->before, weight_at(w, i));
    widen(w->change->after, value);
    if (w->wide)
        ((double *)w->out)[i] = value;
    else
        ((float *)w->out)[i] = (float)value;
}

void cnnfi_linear_scale_output(cnnfi_edit *edit, cnnf_node *node, const cnnfi_linear_op *op, const cnnfi_affine *a,
                               cnnfi_weight_change *change)
{
    const cnnf_tensor *tensor = cnnfi_linear_weights(edit, node, op);
    weights w;
    if (weights_open(&w, edit, tensor, change)) {
        const slices s = output_slices(node, op, tensor);
        for (size_t o = 0; o < s.outer; o++) {
            for (size_t c = 0; c < s.channels; c++) {
                const double scale = a->scale[cnnfi_affine_channel(a, c, s.channels)];
                const size_t first = (o * s.channels + c) * s.inner;
                for (size_t i = first; i < first + s.inner; i++)
                    weight_set(&w, i, scale * weight_at(&w, i));
            }
        }
        if (cnnfi_affine_has_scale(a)) cnnfi_edit_own_const(edit, node, (size_t)op->weights, w.scaled);
    }
    change->node = node->name;
    weights_close(&w);
}

/* The output channel that weight (o, c, i) of the input slices feeds. */
static size_t output_of(const cnnfi_linear_op *op, bool swapped, slices in, size_t outputs, size_t o, size_t c,
                        size_t i)
{
    if (op->kind == CNNFI_DEPTHWISE) return c * in.inner + i;
    return swapped ? o % outputs : i;
}

/* One weight: scaled, and what its input channel's shift adds to its output channel. */
typedef struct input_scaling {
    const cnnfi_linear_op *op;
    const cnnfi_affine *a;
    slices s;
    size_t outputs, groups;
    bool swapped;
} input_scaling;

static void scale_input_weight(const input_scaling *scaling, weights *w, double *sums, size_t o, size_t c, size_t i)
{
    const slices s = scaling->s;
    const cnnfi_affine *a = scaling->a;
    const size_t at = (o * s.channels + c) * s.inner + i;
    const size_t out = output_of(scaling->op, scaling->swapped, s, scaling->outputs, o, c, i);
    const size_t group = out / (scaling->outputs / scaling->groups);
    const size_t channel = cnnfi_affine_channel(a, group * s.channels + c, s.channels * scaling->groups);
    sums[out] += weight_at(w, at) * a->shift[channel];
    weight_set(w, at, weight_at(w, at) * a->scale[channel]);
}

void cnnfi_linear_scale_input(cnnfi_edit *edit, cnnf_node *node, const cnnfi_linear_op *op, const cnnfi_affine *a,
                              cnnfi_affine *shift, cnnfi_weight_change *change)
{
    const cnnf_tensor *tensor = cnnfi_linear_weights(edit, node, op);
    const size_t outputs = (size_t)cnnfi_linear_outputs(edit, node, op);
    double *none, *sums;
    weights w;
    *shift = cnnfi_affine_new(edit, outputs, cnnfi_linear_axis(node, op), &none, &sums);
    if (weights_open(&w, edit, tensor, change) && shift->n) {
        input_scaling scaling = {.op = op,
                                 .a = a,
                                 .s = input_slices(node, op, tensor),
                                 .outputs = outputs,
                                 .swapped = op->kind == CNNFI_TRANSPOSED || weights_transposed(node, op)};
        scaling.groups = groups_of(op, a, (int64_t)scaling.s.channels, (int64_t)outputs);
        for (size_t o = 0; o < scaling.s.outer; o++) {
            for (size_t c = 0; c < scaling.s.channels; c++) {
                for (size_t i = 0; i < scaling.s.inner; i++)
                    scale_input_weight(&scaling, &w, sums, o, c, i);
            }
        }
        if (cnnfi_affine_has_scale(a)) cnnfi_edit_own_const(edit, node, (size_t)op->weights, w.scaled);
    }
    change->node = node->name;
    weights_close(&w);
}
