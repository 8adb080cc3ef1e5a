/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions: TensorFlow's filters are [rows, columns, in, out], TFLite's [out, rows, columns, in]. */
#include "ops/convolution.h"

#include "serializer/tflite/tflite_ops.h"

/* ---- channels first ---- */

cnnfi_tfl_tensor *cnnfi_tfl_channels_last(const cnnfi_tfl_call *call, cnnfi_tfl_tensor *x)
{
    int64_t perm[CNNFI_OP_MAX_RANK] = {0};
    if (x == NULL || x->rank < 3) return x;
    for (int32_t i = 1; i < x->rank; i++)
        perm[i] = i == x->rank - 1 ? 1 : i + 1;
    return cnnfi_tfl_transpose(call, x, perm, NULL);
}

cnnfi_tfl_tensor *cnnfi_tfl_channels_first(const cnnfi_tfl_call *call, cnnfi_tfl_tensor *x, cnnfi_tfl_tensor *out)
{
    int64_t perm[CNNFI_OP_MAX_RANK] = {0};
    if (x == NULL || x->rank < 3) return x;
    for (int32_t i = 1; i < x->rank; i++)
        perm[i] = i == 1 ? x->rank - 1 : i - 1;
    return cnnfi_tfl_transpose(call, x, perm, out);
}

/* ---- one convolution ---- */

typedef struct convolution {
    cnnfi_window w;
    cnnfi_value filter;
    cnnfi_tfl_tensor *data; /* channels last, padded where SAME and VALID do not say it */
    int32_t padding;
} convolution;

/* Sizes below, before and behind the places of the data, as PAD has them. */
static cnnfi_tfl_tensor *pad_data(const cnnfi_tfl_call *call, cnnfi_tfl_tensor *x, const cnnfi_window *w)
{
    double pads[2 * CNNFI_OP_MAX_RANK] = {0};
    int64_t dims[CNNFI_OP_MAX_RANK];
    const int64_t shape[] = {w->spatial + 2, 2};
    if (x == NULL) return NULL;
    for (int32_t i = 0; i < x->rank; i++)
        dims[i] = x->dims[i];
    for (int32_t i = 0; i < w->spatial; i++) {
        const int32_t axis = 3 - w->spatial + i;
        pads[2 * (i + 1)] = (double)w->before[axis];
        pads[2 * (i + 1) + 1] = (double)w->after[axis];
        if (dims[i + 1] >= 0) dims[i + 1] += w->before[axis] + w->after[axis];
    }
    return cnnfi_tfl_binary(call->m, TFL_PAD, x, cnnfi_tfl_numbers(call->m, CNNF_INT32, 2, shape, pads),
                            cnnfi_tfl_part_of(call, x->dtype, x->rank, dims));
}

static bool pads_nothing(const cnnfi_window *w)
{
    for (int32_t i = 0; i < 3; i++)
        if (w->before[i] != 0 || w->after[i] != 0) return false;
    return true;
}

static void take_data(const cnnfi_tfl_call *call, convolution *c, int32_t input)
{
    const bool same = cnnfi_node_string_is(call->node, "padding", "SAME");
    c->data = cnnfi_tfl_in(call, input);
    if (c->w.channels_first) c->data = cnnfi_tfl_channels_last(call, c->data);
    c->padding = same ? PADDING_SAME : PADDING_VALID;
    if (cnnfi_node_string_is(call->node, "padding", "EXPLICIT") && !pads_nothing(&c->w))
        c->data = pad_data(call, c->data, &c->w);
}

static bool known_filter(const cnnfi_tfl_call *call, const cnnfi_value *filter)
{
    if (filter->count > 0) return true;
    cnnfi_tfl_refuse(call, "the filter's shape is not known");
    return false;
}

/* The filter as perm and dims say: a constant, or a Transpose when it is computed. */
static cnnfi_tfl_tensor *filter_as(const cnnfi_tfl_call *call, int32_t input, const int32_t *perm, int32_t rank,
                                   const int64_t *dims)
{
    int64_t order[CNNFI_OP_MAX_RANK];
    cnnfi_tfl_tensor *weights = cnnfi_tfl_weights(call, input, perm, rank, dims);
    if (weights != NULL) return weights;
    cnnfi_tfl_tensor *filter = cnnfi_tfl_in(call, input);
    for (int32_t i = 0; perm != NULL && i < rank; i++)
        order[i] = perm[i];
    if (perm != NULL) return cnnfi_tfl_transpose(call, filter, order, NULL);
    return cnnfi_tfl_reshape(call->m, filter, cnnfi_tfl_part_of(call, CNNF_FLOAT, rank, dims));
}

/* The operator over inputs, its result given as TensorFlow has it. */
static cnnfi_tfl_node *give_convolution(const cnnfi_tfl_call *call, const convolution *c, size_t n_inputs,
                                        cnnfi_tfl_tensor *const *inputs)
{
    const cnnfi_value shape = cnnfi_tfl_out_shape(call, 0);
    int64_t dims[CNNFI_OP_MAX_RANK];
    if (!c->w.channels_first) {
        cnnfi_tfl_node *node = cnnfi_tfl_give_one(call, call->row->as, n_inputs, inputs);
        cnnfi_tfl_offer(call, node);
        return node;
    }
    for (int32_t i = 0; i < shape.rank; i++)
        dims[i] = shape.dims[i == 0 ? 0 : i == shape.rank - 1 ? 1 : i + 1];
    cnnfi_tfl_tensor *out = cnnfi_tfl_part_of(call, shape.dtype, shape.rank, dims);
    cnnfi_tfl_node *node = cnnfi_tfl_add(call->m, call->row->as, n_inputs, inputs, 1, &out);
    cnnfi_tfl_give(call, 0, cnnfi_tfl_channels_first(call, out, cnnfi_tfl_out(call, 0)));
    return node;
}

/* ---- ops ---- */

static bool ask_convolution(const cnnfi_tfl_call *call, cnnfi_export_question *q, convolution *c)
{
    if (!cnnfi_export_ask(&call->asked, q)) return false;
    const cnnfi_value *data = &q->call.inputs[0], *filter = &q->call.inputs[1];
    const cnnf_status status = call->row->as == TFL_DEPTHWISE_CONV_2D
                                   ? cnnfi_convolution_depthwise(&q->call, &c->w, data, filter)
                                   : cnnfi_convolution(&q->call, &c->w, call->row->number, data, filter);
    c->filter = *filter;
    return cnnfi_export_answered(&call->asked, q, status) && known_filter(call, filter);
}

static void convert_conv(cnnfi_tfl_call *call)
{
    static const int32_t perm[] = {3, 0, 1, 2};
    cnnfi_export_question q;
    convolution c;
    if (!ask_convolution(call, &q, &c)) return;
    take_data(call, &c, 0);
    const int64_t *f = c.filter.dims, dims[] = {f[3], f[0], f[1], f[2]};
    cnnfi_tfl_tensor *inputs[] = {c.data, filter_as(call, 1, perm, 4, dims), NULL};
    cnnfi_tfl_node *node = give_convolution(call, &c, 3, inputs);
    cnnfi_tfl_set_byte(node, CONV_PADDING, c.padding);
    cnnfi_tfl_set_int(node, CONV_STRIDE_W, c.w.stride[2]);
    cnnfi_tfl_set_int(node, CONV_STRIDE_H, c.w.stride[1]);
    cnnfi_tfl_set_int(node, CONV_DILATION_W, c.w.dilation[2]);
    cnnfi_tfl_set_int(node, CONV_DILATION_H, c.w.dilation[1]);
}

/* [rows, columns, in, multiplier] is [1, rows, columns, in x multiplier] in the same order. */
static void convert_depthwise(cnnfi_tfl_call *call)
{
    cnnfi_export_question q;
    convolution c;
    if (!ask_convolution(call, &q, &c)) return;
    take_data(call, &c, 0);
    const int64_t *f = c.filter.dims, dims[] = {1, f[0], f[1], f[2] * f[3]};
    cnnfi_tfl_tensor *inputs[] = {c.data, filter_as(call, 1, NULL, 4, dims), NULL};
    cnnfi_tfl_node *node = give_convolution(call, &c, 3, inputs);
    cnnfi_tfl_set_byte(node, DEPTHWISE_PADDING, c.padding);
    cnnfi_tfl_set_int(node, DEPTHWISE_STRIDE_W, c.w.stride[2]);
    cnnfi_tfl_set_int(node, DEPTHWISE_STRIDE_H, c.w.stride[1]);
    cnnfi_tfl_set_int(node, DEPTHWISE_MULTIPLIER, f[3]);
    cnnfi_tfl_set_int(node, DEPTHWISE_DILATION_W, c.w.dilation[2]);
    cnnfi_tfl_set_int(node, DEPTHWISE_DILATION_H, c.w.dilation[1]);
}

static void set_window_3d(cnnfi_tfl_node *node, const convolution *c)
{
    cnnfi_tfl_set_byte(node, CONV3D_PADDING, c->padding);
    cnnfi_tfl_set_int(node, CONV3D_STRIDE_D, c->w.stride[0]);
    cnnfi_tfl_set_int(node, CONV3D_STRIDE_H, c->w.stride[1]);
    cnnfi_tfl_set_int(node, CONV3D_STRIDE_W, c->w.stride[2]);
    cnnfi_tfl_set_int(node, CONV3D_DILATION_D, c->w.dilation[0]);
    cnnfi_tfl_set_int(node, CONV3D_DILATION_H, c->w.dilation[1]);
    cnnfi_tfl_set_int(node, CONV3D_DILATION_W, c->w.dilation[2]);
}

static void convert_conv_3d(cnnfi_tfl_call *call)
{
    cnnfi_export_question q;
    convolution c;
    if (!ask_convolution(call, &q, &c)) return;
    if (c.w.in_channels >= 0 && c.w.in_channels != c.filter.dims[3]) cnnfi_tfl_refuse(call, "groups");
    take_data(call, &c, 0);
    cnnfi_tfl_tensor *inputs[] = {c.data, cnnfi_tfl_in(call, 1), NULL};
    set_window_3d(give_convolution(call, &c, 3, inputs), &c);
}

/* Conv2DBackpropInput(sizes, filter [rows, columns, out, in], data), Conv2DTranspose's op. */
static bool ask_transposed(const cnnfi_tfl_call *call, cnnfi_export_question *q, convolution *c)
{
    if (!cnnfi_export_ask(&call->asked, q)) return false;
    c->filter = q->call.inputs[1];
    const cnnf_status status = cnnfi_convolution_back(&q->call, &c->w, call->row->number);
    if (!cnnfi_export_answered(&call->asked, q, status) || !known_filter(call, &c->filter)) return false;
    const int64_t channels = cnnfi_shape_from_end(&q->call.inputs[2], 0);
    const bool padded = cnnfi_node_string_is(call->node, "padding", "EXPLICIT");
    const int64_t dilated = c->w.dilation[0] * c->w.dilation[1] * c->w.dilation[2];
    if (c->w.channels_first || padded || (dilated != 1 && call->row->number == 2)) {
        cnnfi_tfl_refuse(call, "%s",
                         c->w.channels_first ? "the channels come first"
                         : padded            ? "padding EXPLICIT"
                                             : "dilations other than 1");
        return false;
    }
    if (channels >= 0 && channels != c->filter.dims[c->filter.rank - 1]) cnnfi_tfl_refuse(call, "groups");
    return true;
}

static void convert_transposed(cnnfi_tfl_call *call)
{
    static const int32_t perm[] = {2, 0, 1, 3};
    cnnfi_export_question q;
    convolution c;
    if (!ask_transposed(call, &q, &c)) return;
    take_data(call, &c, 2);
    const int64_t *f = c.filter.dims, dims[] = {f[2], f[0], f[1], f[3]};
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in_int32(call, 0), filter_as(call, 1, perm, 4, dims), c.data, NULL};
    cnnfi_tfl_node *node = give_convolution(call, &c, 4, inputs);
    cnnfi_tfl_set_byte(node, TRANSPOSE_CONV_PADDING, c.padding);
    cnnfi_tfl_set_int(node, TRANSPOSE_CONV_STRIDE_W, c.w.stride[2]);
    cnnfi_tfl_set_int(node, TRANSPOSE_CONV_STRIDE_H, c.w.stride[1]);
}

static void convert_transposed_3d(cnnfi_tfl_call *call)
{
    cnnfi_export_question q;
    convolution c;
    if (!ask_transposed(call, &q, &c)) return;
    take_data(call, &c, 2);
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in_int32(call, 0), cnnfi_tfl_in(call, 1), c.data, NULL};
    set_window_3d(give_convolution(call, &c, 4, inputs), &c);
}

#define FLOAT CNNFI_TFL_OF_FLOAT

/* clang-format off */
const cnnfi_tfl_row cnnfi_tfl_conv_rows[] = {
    {"Conv2D", convert_conv, TFL_CONV_2D, FLOAT, 2},
    {"DepthwiseConv2dNative", convert_depthwise, TFL_DEPTHWISE_CONV_2D, FLOAT, 2},
    {"Conv3D", convert_conv_3d, TFL_CONV_3D, FLOAT, 3},
    {"Conv2DBackpropInput", convert_transposed, TFL_TRANSPOSE_CONV, FLOAT, 2, .data = 2},
    {"Conv3DBackpropInputV2", convert_transposed_3d, TFL_CONV_3D_TRANSPOSE, FLOAT, 3, .data = 2},
    {NULL, NULL},
};
/* clang-format on */
