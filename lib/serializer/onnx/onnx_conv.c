/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions: TensorFlow's filters are [places..., in, out], ONNX' [out, in, places...]. */
#include "ops/convolution.h"

#include "serializer/onnx/onnx_ops.h"
#include "serializer/onnx/onnx_quantize.h"
#include "serializer/onnx/onnx_window.h"

/* Data channels-first: as an ONNX tensor and as the layout that the result has for TensorFlow. */
static cnnfi_layout data_layout(const cnnfi_window *w)
{
    return w->channels_first ? CNNFI_PLAIN : CNNFI_FIRST;
}

/* The filter [places..., in, out] as perm and dims say: an initializer, or a Transpose when it is computed. */
static const char *filter_as(const cnnfi_onnx_call *call, int32_t input, int32_t rank, const int32_t *perm,
                             int32_t out_rank, const int64_t *dims)
{
    const cnnf_tensor *tensor = cnnfi_export_const_of(&call->asked, input);
    int64_t order[CNNFI_OP_MAX_RANK];
    if (cnnfi_onnx_has_quantized_weights(call, input))
        return cnnfi_onnx_quantized_weights(call, input, perm, out_rank, dims, 0);
    if (tensor != NULL) return cnnfi_onnx_weights(call, tensor, "filter", perm, out_rank, dims);
    for (int32_t i = 0; i < rank; i++)
        order[i] = perm[i];
    const char *filter = cnnfi_onnx_transpose(call->m, cnnfi_onnx_in(call, input, CNNFI_PLAIN), rank, order, NULL);
    return cnnfi_onnx_reshape(call->m, filter, (size_t)out_rank, dims, NULL);
}

/* [places..., a, b] to [b, a, places...]. */
static const char *turned_filter(const cnnfi_onnx_call *call, int32_t input, const cnnfi_value *filter)
{
    const int32_t rank = filter->rank, places = rank - 2;
    int32_t perm[CNNFI_OP_MAX_RANK] = {rank - 1, rank - 2};
    int64_t dims[CNNFI_OP_MAX_RANK];
    for (int32_t i = 0; i < places; i++)
        perm[i + 2] = i;
    for (int32_t i = 0; i < rank; i++)
        dims[i] = filter->dims[perm[i]];
    return filter_as(call, input, rank, perm, rank, dims);
}

/* The node over data and filter, its result given; a bias may follow. */
static cnnfi_onnx_node *convolve(cnnfi_onnx_call *call, const char *op, const cnnfi_window *w, int32_t data,
                                 const char *filter)
{
    const cnnfi_layout layout = data_layout(w);
    cnnfi_onnx_node *node;
    const char *inputs[] = {cnnfi_onnx_in(call, data, layout), filter};
    const char *y = cnnfi_onnx_add(call->m, &node, op, cnnfi_onnx_out_name(call, 0, layout), 2, inputs);
    cnnfi_onnx_set_window(call, node, w);
    cnnfi_onnx_give(call, 0, layout, y);
    if (!w->channels_first) cnnfi_onnx_offer_quantized_bias(call, node, data, 1);
    return node;
}

static bool known_filter(const cnnfi_onnx_call *call, const cnnfi_value *filter)
{
    if (filter->count > 0) return true;
    cnnfi_export_refuse(&call->asked, "the filter's shape is not known");
    return false;
}

static void convert_conv(cnnfi_onnx_call *call)
{
    cnnfi_export_question q;
    cnnfi_window w;
    if (!cnnfi_export_ask(&call->asked, &q)) return;
    const cnnfi_value *data = &q.call.inputs[0], *filter = &q.call.inputs[1];
    const cnnf_status status = cnnfi_convolution(&q.call, &w, (int32_t)call->row->number, data, filter);
    if (!cnnfi_export_answered(&call->asked, &q, status) || !known_filter(call, filter)) return;
    cnnfi_onnx_node *node = convolve(call, "Conv", &w, 0, turned_filter(call, 1, filter));
    const int64_t per_group = filter->dims[filter->rank - 2];
    if (w.in_channels > 0 && w.in_channels != per_group)
        cnnfi_onnx_set_int(call->m, node, "group", w.in_channels / per_group);
    cnnfi_onnx_set_pads(call, node, &w);
}

/* [rows, columns, in, multiplier]: a group for each input channel, [in x multiplier, 1, rows, columns]. */
static void convert_depthwise(cnnfi_onnx_call *call)
{
    static const int32_t perm[] = {2, 3, 0, 1};
    cnnfi_export_question q;
    cnnfi_window w;
    if (!cnnfi_export_ask(&call->asked, &q)) return;
    const cnnfi_value *data = &q.call.inputs[0], *filter = &q.call.inputs[1];
    const cnnf_status status = cnnfi_convolution_depthwise(&q.call, &w, data, filter);
    if (!cnnfi_export_answered(&call->asked, &q, status) || !known_filter(call, filter)) return;
    const int64_t *f = filter->dims, dims[] = {f[2] * f[3], 1, f[0], f[1]};
    cnnfi_onnx_node *node = convolve(call, "Conv", &w, 0, filter_as(call, 1, 4, perm, 4, dims));
    cnnfi_onnx_set_int(call->m, node, "group", f[2]);
    cnnfi_onnx_set_pads(call, node, &w);
}

/* Sizes of the result in input 0's place: all but the batch must be known, for padding that is a number. */
static bool put_result_sizes(const cnnfi_onnx_call *call, cnnfi_export_question *q)
{
    const int64_t rank = (int64_t)call->row->number + 2;
    int32_t *sizes = cnnfi_export_array(&call->m->x, CNNFI_OP_MAX_RANK, sizeof *sizes);
    if (sizes == NULL) return false;
    for (int64_t i = 0; i < rank; i++) {
        int64_t size = cnnfi_export_int_known(&call->asked, 0, i);
        if (i == 0 && size < 0) size = 1;
        if (size < 0) {
            cnnfi_export_refuse(&call->asked, "the size of its result is not known");
            return false;
        }
        sizes[i] = (int32_t)size;
    }
    q->inputs[0] = cnnfi_value_make(CNNF_INT32, 1, &rank);
    q->inputs[0].data = sizes;
    if (q->inputs[2].rank > 0) q->inputs[2].dims[0] = sizes[0];
    return true;
}

/* The gradient of a convolution: w is that convolution, w.in what comes out here. ONNX crops pads off
   stride * (n - 1) + the filter's reach, and adds output_padding at the end where the convolution left something over.
 */
static void set_result_pads(const cnnfi_onnx_call *call, cnnfi_onnx_node *node, const cnnfi_window *w)
{
    int64_t pads[6] = {0}, rest[3] = {0};
    for (int32_t i = 0; i < w->spatial; i++) {
        const int32_t axis = 3 - w->spatial + i;
        const int64_t reach = w->stride[axis] * (w->out[axis] - 1) + (w->filter[axis] - 1) * w->dilation[axis] + 1;
        pads[i] = w->before[axis];
        pads[w->spatial + i] = w->after[axis];
        rest[axis] = w->in[axis] - (reach - pads[i] - pads[w->spatial + i]);
    }
    cnnfi_onnx_set_ints(call->m, node, "pads", 2 * (size_t)w->spatial, pads);
    if (rest[0] || rest[1] || rest[2]) cnnfi_onnx_spatial_ints(call, node, "output_padding", w, rest);
}

/* Conv2DBackpropInput(sizes, filter [places..., out, in], data), Conv2DTranspose's op. */
static void convert_conv_transpose(cnnfi_onnx_call *call)
{
    cnnfi_export_question q;
    cnnfi_window w;
    if (!cnnfi_export_ask(&call->asked, &q) || !put_result_sizes(call, &q)) return;
    const cnnfi_value *filter = &q.call.inputs[1];
    const cnnf_status status = cnnfi_convolution_back(&q.call, &w, (int32_t)call->row->number);
    if (!cnnfi_export_answered(&call->asked, &q, status) || !known_filter(call, filter)) return;
    cnnfi_onnx_node *node = convolve(call, "ConvTranspose", &w, 2, turned_filter(call, 1, filter));
    const int64_t per_group = filter->dims[filter->rank - 2];
    if (w.in_channels != per_group) cnnfi_onnx_set_int(call->m, node, "group", w.in_channels / per_group);
    set_result_pads(call, node, &w);
}

/* clang-format off */
const cnnfi_onnx_row cnnfi_onnx_conv_rows[] = {
    {"Conv2D", convert_conv, NULL, 2},
    {"Conv3D", convert_conv, NULL, 3},
    {"DepthwiseConv2dNative", convert_depthwise},
    {"Conv2DBackpropInput", convert_conv_transpose, NULL, 2},
    {"Conv3DBackpropInputV2", convert_conv_transpose, NULL, 3},
    {NULL, NULL},
};
/* clang-format on */
