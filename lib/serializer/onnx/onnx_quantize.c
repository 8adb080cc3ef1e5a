/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FakeQuantWithMinMax* as QuantizeLinear and DequantizeLinear (QDQ): what a runtime with integer kernels reads. Weights
 * behind one are written as their integers, and the bias of a product whose data and weights are on grids as int32.
 */
#include "serializer/onnx/onnx_quantize.h"

#include <math.h>
#include <string.h>

#include "serializer/onnx/onnx_ops.h"

#define OPSET_OF_16_BITS 21

/* ---- the node ---- */

/* min and max of a FakeQuant node, by channel; channels 0: they are not constant. */
typedef struct fake_node {
    int64_t channels, bits;
    bool narrow, by_channel;
    const cnnfi_constant *low, *high; /* NULL: attributes */
} fake_node;

static bool is_op(const cnnf_node *node, const char *op)
{
    return strcmp(node->op, op) == 0;
}

static fake_node read_fake(cnnfi_onnx_convert *c, const cnnf_node *node)
{
    fake_node f = {.bits = cnnf_node_attr_int(node, "num_bits", 8),
                   .narrow = cnnf_node_attr_bool(node, "narrow_range", 0) != 0,
                   .by_channel = is_op(node, "FakeQuantWithMinMaxVarsPerChannel"),
                   .channels = 1};
    if (f.bits < 2 || f.bits > 16) return (fake_node){.channels = 0};
    if (is_op(node, "FakeQuantWithMinMaxArgs")) return f;
    f.low = cnnfi_value_input(&c->model.x.values, node, 1);
    f.high = cnnfi_value_input(&c->model.x.values, node, 2);
    const bool known = cnnfi_constant_is_whole(f.low) && cnnfi_constant_is_whole(f.high);
    if (!known || f.low->shape.count != f.high->shape.count || (!f.by_channel && f.low->shape.count != 1))
        return (fake_node){.channels = 0};
    f.channels = f.low->shape.count;
    return f;
}

static bool grid_of(const fake_node *f, const cnnf_node *node, int64_t channel, cnnfi_fake_grid *out)
{
    const float low = (float)(f->low != NULL ? f->low->v[channel] : cnnf_node_attr_float(node, "min", -6));
    const float high = (float)(f->high != NULL ? f->high->v[channel] : cnnf_node_attr_float(node, "max", 6));
    if (!(low < high) && (low != 0 || high != 0)) return false;
    *out = cnnfi_fake_quant_grid(low, high, f->bits, f->narrow);
    return isfinite(out->scale) != 0;
}

/* Integers are written signed: 0 to 255 as -128 to 127. */
static int32_t half_of(const fake_node *f)
{
    return (int32_t)1 << (f->bits - 1);
}

static cnnf_dtype type_of(const fake_node *f)
{
    return f->bits > 8 ? CNNF_INT16 : CNNF_INT8;
}

/* Scale and zero point, one of each or a vector of channels. */
typedef struct numbers {
    const char *scale, *zero;
    cnnfi_fake_grid *grids; /* [channels] */
} numbers;

static bool put_numbers(const cnnfi_onnx_call *call, const fake_node *f, const cnnf_node *node, numbers *out)
{
    cnnfi_onnx_model *m = call->m;
    if (f->bits > 8 && m->opset < OPSET_OF_16_BITS) {
        cnnfi_export_refuse(&call->asked, "%d bits need opset %d", (int)f->bits, OPSET_OF_16_BITS);
        return false;
    }
    const size_t n = (size_t)f->channels;
    double *scales = cnnfi_export_array(&m->x, n, sizeof *scales), *zeros = cnnfi_export_array(&m->x, n, sizeof *zeros);
    out->grids = cnnfi_export_array(&m->x, n, sizeof *out->grids);
    if (scales == NULL || zeros == NULL || out->grids == NULL) return false;
    for (size_t i = 0; i < n; i++) {
        if (!grid_of(f, node, (int64_t)i, &out->grids[i])) {
            cnnfi_export_refuse(&call->asked, "min is not below max");
            return false;
        }
        scales[i] = out->grids[i].scale > 0 ? (double)out->grids[i].scale : 1; /* all are zero: any scale will do */
        zeros[i] = out->grids[i].zero - half_of(f);
    }
    const int32_t rank = f->by_channel ? 1 : 0;
    out->scale = cnnfi_onnx_part(m, "scale");
    out->zero = cnnfi_onnx_part(m, "zero_point");
    cnnfi_onnx_numbers(m, out->scale, CNNF_FLOAT, rank, &f->channels, scales);
    cnnfi_onnx_numbers(m, out->zero, type_of(f), rank, &f->channels, zeros);
    return m->x.status == CNNF_OK;
}

/* ---- activations ---- */

/* The integers that the grid does not use are cut off before. */
static const char *put_cut(const cnnfi_onnx_call *call, const fake_node *f, const numbers *n, const char *x)
{
    const bool full = !f->narrow && (f->bits == 8 || f->bits == 16);
    if (full || f->by_channel) return x;
    const char *inputs[] = {x, cnnfi_onnx_scalar(call->m, CNNF_FLOAT, (double)n->grids[0].low),
                            cnnfi_onnx_scalar(call->m, CNNF_FLOAT, (double)n->grids[0].high)};
    return cnnfi_onnx_add(call->m, NULL, "Clip", NULL, 3, inputs);
}

static void convert_fake_quant(cnnfi_onnx_call *call)
{
    const fake_node f = read_fake(call->c, call->node);
    const cnnfi_layout layout = cnnfi_onnx_layout_of(call, 0);
    const int32_t rank = cnnfi_export_in_shape(&call->asked, 0).rank;
    numbers n;
    if (f.channels == 0 || (f.by_channel && (rank < 1 || f.narrow || f.bits % 8 != 0))) {
        /* Weights are read by whoever multiplies them; for others this form has no integers. */
        if (cnnfi_export_const_of(&call->asked, 0) == NULL || f.channels == 0)
            cnnfi_export_refuse(&call->asked, "%s",
                                f.channels == 0 ? "min and max are not constant"
                                                : "channels cut off at both ends cannot be said");
        if (f.channels == 0 || call->m->x.status != CNNF_OK) return;
    }
    if (!put_numbers(call, &f, call->node, &n)) return;
    const char *x = put_cut(call, &f, &n, cnnfi_onnx_in(call, 0, layout));
    const char *integers[] = {x, n.scale, n.zero};
    cnnfi_onnx_node *quantize, *dequantize;
    const char *q = cnnfi_onnx_add(call->m, &quantize, "QuantizeLinear", NULL, 3, integers);
    const char *grid[] = {q, n.scale, n.zero};
    const char *y =
        cnnfi_onnx_add(call->m, &dequantize, "DequantizeLinear", cnnfi_onnx_out_name(call, 0, layout), 3, grid);
    if (f.by_channel) {
        const int64_t axis = cnnfi_onnx_axis(layout, rank - 1, rank);
        cnnfi_onnx_set_int(call->m, quantize, "axis", axis);
        cnnfi_onnx_set_int(call->m, dequantize, "axis", axis);
    }
    cnnfi_onnx_give(call, 0, layout, y);
}

/* ---- weights ---- */

static const cnnf_node *producer(const cnnfi_onnx_call *call, const cnnf_node *node, size_t input)
{
    const cnnfi_edge edge = input < cnnfi_node_data_inputs(node) ? node->edges[input] : (cnnfi_edge){-1, 0};
    return edge.node >= 0 && edge.port == 0 ? call->m->x.graph->nodes[edge.node] : NULL;
}

static bool is_fake(const cnnf_node *node)
{
    return node != NULL && strncmp(node->op, "FakeQuantWithMinMax", 19) == 0 && strstr(node->op, "Gradient") == NULL;
}

/* The FakeQuant node over a Const behind an input, through a Reshape; NULL. */
static const cnnf_node *weights_node(const cnnfi_onnx_call *call, int32_t input, const cnnf_tensor **tensor)
{
    const cnnf_node *node = producer(call, call->node, (size_t)input);
    if (node != NULL && is_op(node, "Reshape")) node = producer(call, node, 0);
    const cnnf_node *from = is_fake(node) ? producer(call, node, 0) : NULL;
    *tensor = from != NULL && is_op(from, "Const") ? cnnf_node_attr_tensor(from, "value") : NULL;
    const bool floats = *tensor != NULL && cnnf_tensor_dtype(*tensor) == CNNF_FLOAT;
    return floats && cnnf_tensor_rank(*tensor) > 0 ? node : NULL;
}

bool cnnfi_onnx_has_quantized_weights(const cnnfi_onnx_call *call, int32_t input)
{
    const cnnf_tensor *tensor;
    const cnnf_node *node = weights_node(call, input, &tensor);
    return node != NULL && read_fake(call->c, node).channels > 0;
}

/* Integers in the order of the initializer: element i is the weights' element at perm's strides. */
static int8_t *put_integers(const cnnfi_onnx_call *call, const fake_node *f, const cnnfi_fake_grid *grids,
                            const cnnf_tensor *tensor, const cnnfi_value *shape, const int32_t *perm)
{
    int64_t strides[CNNFI_OP_MAX_RANK], at[CNNFI_OP_MAX_RANK] = {0};
    const int32_t rank = shape->rank;
    cnnf_tensor *loaded = NULL;
    int8_t *out = cnnfi_export_array(&call->m->x, (size_t)shape->count, sizeof *out);
    if (out == NULL) return NULL;
    struct cnnf_error error = {.offset = -1};
    const cnnf_status status = cnnf_tensor_load(&loaded, tensor, &error);
    if (status != CNNF_OK) {
        cnnfi_export_pass_on(&call->m->x, status, &error);
        return NULL;
    }
    const float *values = cnnf_tensor_data(loaded);
    for (int32_t i = rank; i-- > 0;)
        strides[i] = i == rank - 1 ? 1 : strides[i + 1] * shape->dims[i + 1];
    for (int64_t i = 0, from = 0; i < shape->count; i++) {
        const cnnfi_fake_grid *grid = &grids[from % f->channels];
        out[i] = (int8_t)(cnnfi_fake_quant_integer(grid, values[from]) - half_of(f));
        for (int32_t k = rank; k-- > 0;) { /* the next one, the last axis first */
            from += strides[perm[k]];
            if (++at[k] < shape->dims[perm[k]]) break;
            from -= at[k] * strides[perm[k]];
            at[k] = 0;
        }
    }
    cnnf_tensor_unref(loaded);
    return out;
}

const char *cnnfi_onnx_quantized_weights(const cnnfi_onnx_call *call, int32_t input, const int32_t *perm, int32_t rank,
                                         const int64_t *dims, int64_t axis)
{
    const cnnf_tensor *tensor;
    const cnnf_node *node = weights_node(call, input, &tensor);
    const fake_node f = read_fake(call->c, node);
    const cnnfi_value shape = cnnfi_export_in_shape(&call->asked, input);
    numbers n;
    if (f.bits > 8 || shape.count != cnnf_tensor_element_count(tensor)) {
        cnnfi_export_refuse(&call->asked, "weights of more than 8 bits");
        return NULL;
    }
    if (f.by_channel && cnnfi_tensor_dims(tensor)[cnnf_tensor_rank(tensor) - 1] != f.channels) return NULL;
    if (!put_numbers(call, &f, node, &n)) return NULL;
    const int8_t *integers = put_integers(call, &f, n.grids, tensor, &shape, perm);
    const char *name = cnnfi_onnx_part(call->m, "weights");
    if (integers == NULL) return NULL;
    cnnfi_onnx_bytes(call->m, name, CNNF_INT8, rank, dims, integers, (size_t)shape.count);
    const char *inputs[] = {name, n.scale, n.zero};
    cnnfi_onnx_node *dequantize;
    const char *y = cnnfi_onnx_add(call->m, &dequantize, "DequantizeLinear", NULL, 3, inputs);
    if (f.by_channel) cnnfi_onnx_set_int(call->m, dequantize, "axis", axis);
    return y;
}

/* ---- biases ---- */

void cnnfi_onnx_offer_quantized_bias(const cnnfi_onnx_call *call, cnnfi_onnx_node *node, int32_t data, int32_t weights)
{
    const cnnf_tensor *tensor;
    const cnnf_node *x = producer(call, call->node, (size_t)data), *w = weights_node(call, weights, &tensor);
    cnnfi_onnx_offer_bias(call, node);
    if (!is_fake(x) || w == NULL) return;
    const fake_node fx = read_fake(call->c, x), fw = read_fake(call->c, w);
    cnnfi_fake_grid gx, gw;
    if (fx.channels != 1 || fx.by_channel || fw.channels == 0 || !grid_of(&fx, x, 0, &gx)) return;
    double *scales = cnnfi_export_array(&call->m->x, (size_t)fw.channels, sizeof *scales);
    for (int64_t i = 0; scales != NULL && i < fw.channels; i++) {
        if (!grid_of(&fw, w, i, &gw) || !(gw.scale > 0) || !(gx.scale > 0)) return;
        scales[i] = (double)gx.scale * (double)gw.scale;
    }
    cnnfi_onnx_offer_bias_scales(call, scales, fw.by_channel ? fw.channels : 1);
}

const char *cnnfi_onnx_quantized_bias(const cnnfi_onnx_call *call, const cnnf_tensor *bias, const double *scales,
                                      int64_t n, cnnfi_onnx_node **taker)
{
    cnnfi_onnx_model *m = call->m;
    const int64_t count = cnnf_tensor_element_count(bias);
    double *values = cnnfi_export_array(&m->x, (size_t)count, sizeof *values);
    if (values == NULL || (n != 1 && n != count)) return NULL;
    for (int64_t i = 0; i < count; i++) {
        double value;
        if (!cnnfi_tensor_get_f64(bias, i, &value)) return NULL;
        values[i] = round(value / scales[n == 1 ? 0 : i]);
        if (!(fabs(values[i]) < 2147483647.0)) return NULL;
    }
    const char *name = cnnfi_onnx_part(m, "bias"), *scale = cnnfi_onnx_part(m, "bias_scale");
    cnnfi_onnx_numbers(m, name, CNNF_INT32, 1, &count, values);
    cnnfi_onnx_numbers(m, scale, CNNF_FLOAT, n == 1 ? 0 : 1, &n, scales);
    const char *inputs[] = {name, scale};
    cnnfi_onnx_node *dequantize;
    const char *y = cnnfi_onnx_add(m, &dequantize, "DequantizeLinear", NULL, 2, inputs);
    if (n != 1) cnnfi_onnx_set_int(m, dequantize, "axis", 0);
    if (y == NULL) return NULL;
    cnnfi_onnx_exchange(*taker, dequantize);
    *taker = dequantize;
    return y;
}

/* clang-format off */
const cnnfi_onnx_row cnnfi_onnx_quantize_rows[] = {
    {"FakeQuantWithMinMaxArgs", convert_fake_quant},
    {"FakeQuantWithMinMaxVars", convert_fake_quant},
    {"FakeQuantWithMinMaxVarsPerChannel", convert_fake_quant},
    {NULL, NULL},
};
/* clang-format on */
