/* SPDX-License-Identifier: Apache-2.0 */
/* Losses and their kin: cross entropies, L2Loss, BiasAddGrad, gradients with an attribute, Dilation2D. */
#include <math.h>

#include "evaluator/kernels/portable.h"

static void put(cnnfi_value *out, int64_t at, double x)
{
    char element[16];
    size_t size = cnnf_dtype_size(out->dtype);
    cnnfi_put_f64(cnnfi_type_of(out->dtype), x, element);
    memcpy((char *)out->data + (size_t)at * size, element, size);
}

/* ---- SoftmaxCrossEntropyWithLogits: features, labels -> loss, backprop ---- */

static cnnf_status entropy_outputs(cnnfi_call *call, int64_t rows, int64_t classes)
{
    call->n_outputs = 2;
    CNNFI_TRY(cnnfi_call_output(call, 0, call->inputs[0].dtype, 1, &rows));
    return cnnfi_call_output(call, 1, call->inputs[0].dtype, 2, (const int64_t[]){rows, classes});
}

/* Both may broadcast, as TensorFlow allows. */
static cnnf_status entropy_infer(cnnfi_call *call)
{
    int64_t dims[CNNFI_OP_MAX_RANK];
    int32_t rank;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_float(call, 0));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    if (!cnnfi_broadcast_dims(call->inputs, 2, &rank, dims) || rank != 2)
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "logits and labels must be matrices of one shape");
    return entropy_outputs(call, dims[0], dims[1]);
}

static double at_broadcast(const cnnfi_value *v, int64_t row, int64_t column)
{
    int64_t columns = v->dims[v->rank - 1], rows = v->rank == 2 ? v->dims[0] : 1;
    return cnnfi_get_f64(v, (rows == 1 ? 0 : row) * columns + (columns == 1 ? 0 : column));
}

/* The largest logit of a row, and the log of the sum of exponents below it. */
static double row_log_sum(const cnnfi_value *logits, int64_t row, int64_t classes, double *largest)
{
    double sum = 0;
    *largest = -(double)INFINITY;
    for (int64_t c = 0; c < classes; c++) {
        double x = at_broadcast(logits, row, c);
        if (x > *largest || isnan(x)) *largest = x;
    }
    for (int64_t c = 0; c < classes; c++)
        sum += exp(at_broadcast(logits, row, c) - *largest);
    return log(sum);
}

static cnnf_status entropy_run(cnnfi_call *call)
{
    const cnnfi_value *logits = &call->inputs[0], *labels = &call->inputs[1];
    int64_t classes = call->outputs[1].dims[1];
    for (int64_t row = 0; row < call->outputs[0].count; row++) {
        double largest, log_sum = row_log_sum(logits, row, classes, &largest), loss = 0;
        for (int64_t c = 0; c < classes; c++) {
            double label = at_broadcast(labels, row, c), log_p = at_broadcast(logits, row, c) - largest - log_sum;
            loss -= label == 0 ? 0 : label * log_p;
            put(&call->outputs[1], row * classes + c, exp(log_p) - label);
        }
        put(&call->outputs[0], row, loss);
    }
    return CNNF_OK;
}

static cnnf_status sparse_entropy_infer(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_float(call, 0));
    CNNFI_TRY(cnnfi_want_int(call, 1));
    CNNFI_TRY(cnnfi_want_rank(call, 0, 2));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 1));
    if (call->inputs[0].dims[0] != call->inputs[1].dims[0])
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "one label per row is needed");
    return entropy_outputs(call, call->inputs[0].dims[0], call->inputs[0].dims[1]);
}

static cnnf_status sparse_entropy_run(cnnfi_call *call)
{
    int64_t classes = call->inputs[0].dims[1];
    for (int64_t row = 0; row < call->outputs[0].count; row++) {
        int64_t label = cnnfi_get_i64(&call->inputs[1], row);
        if (label < 0 || label >= classes)
            return cnnfi_call_fail(call, CNNF_E_INVALID, "label %lld is outside [0, %lld)", (long long)label,
                                   (long long)classes);
        double largest, log_sum = row_log_sum(call->inputs, row, classes, &largest);
        for (int64_t c = 0; c < classes; c++)
            put(&call->outputs[1], row * classes + c,
                exp(at_broadcast(call->inputs, row, c) - largest - log_sum) - (c == label));
        put(&call->outputs[0], row, log_sum + largest - at_broadcast(call->inputs, row, label));
    }
    return CNNF_OK;
}

/* ---- L2Loss, BiasAddGrad ---- */

static cnnf_status l2_infer(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_float(call, 0));
    return cnnfi_output_one(call, call->inputs[0].dtype, 0, NULL);
}

static cnnf_status l2_run(cnnfi_call *call)
{
    double sum = 0;
    for (int64_t i = 0; i < call->inputs[0].count; i++) {
        double x = cnnfi_get_f64(call->inputs, i);
        sum += x * x;
    }
    put(&call->outputs[0], 0, sum / 2);
    return CNNF_OK;
}

static int32_t channel_axis(const cnnfi_call *call)
{
    const char *format = cnnf_node_attr_string(NULL, call->node, "data_format");
    return format && strncmp(format, "NC", 2) == 0 ? 1 : call->inputs[0].rank - 1;
}

static cnnf_status bias_grad_infer(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_float(call, 0));
    if (call->inputs[0].rank < 2) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "rank %d", call->inputs[0].rank);
    return cnnfi_output_one(call, call->inputs[0].dtype, 1, &call->inputs[0].dims[channel_axis(call)]);
}

static cnnf_status bias_grad_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs;
    int32_t axis = channel_axis(call);
    int64_t channels = in->dims[axis], inner = cnnfi_span(in->dims, axis + 1, in->rank);
    for (int64_t c = 0; c < channels; c++) {
        double sum = 0;
        for (int64_t i = 0; i < in->count / channels; i++)
            sum += cnnfi_get_f64(in, (i / inner * channels + c) * inner + i % inner);
        put(&call->outputs[0], c, sum);
    }
    return CNNF_OK;
}

/* ---- LeakyReluGrad, SeluGrad: gradients, features (Selu: outputs) ---- */

static cnnf_status grad_infer(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_float(call, 0));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    CNNFI_TRY(cnnfi_want_same_shape(call, 0, 1));
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

static cnnf_status leaky_grad_run(cnnfi_call *call)
{
    double alpha = cnnf_node_attr_float(call->node, "alpha", (double)0.2f);
    for (int64_t i = 0; i < call->inputs[0].count; i++) {
        double g = cnnfi_get_f64(call->inputs, i);
        put(&call->outputs[0], i, cnnfi_get_f64(&call->inputs[1], i) > 0 ? g : g * alpha);
    }
    return CNNF_OK;
}

static cnnf_status selu_grad_run(cnnfi_call *call)
{
    const double scale = 1.0507009873554804934193349852946, scaled_alpha = 1.7580993408473768599402175208123;
    for (int64_t i = 0; i < call->inputs[0].count; i++) {
        double g = cnnfi_get_f64(call->inputs, i), y = cnnfi_get_f64(&call->inputs[1], i);
        put(&call->outputs[0], i, y < 0 ? g * (y + scaled_alpha) : g * scale);
    }
    return CNNF_OK;
}

/* ---- Dilation2D: input (N, H, W, C), filter (h, w, C) ---- */

typedef struct dilation {
    int64_t size[2], stride[2], rate[2], before[2], out[2];
} dilation;

static cnnf_status read_dilation(cnnfi_call *call, dilation *d)
{
    const char *padding = cnnf_node_attr_string(NULL, call->node, "padding");
    bool same = padding && strcmp(padding, "SAME") == 0;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    if (cnnfi_type_of(call->inputs[0].dtype) >= CNNFI_T_BOOL) return cnnfi_fail_dtype(call, 0);
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    CNNFI_TRY(cnnfi_want_rank(call, 0, 4));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 3));
    if (call->inputs[0].dims[3] != call->inputs[1].dims[2])
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input and filter differ in depth");
    for (int i = 0; i < 2; i++) {
        int64_t n = call->inputs[0].dims[1 + i], span = 0;
        d->size[i] = call->inputs[1].dims[i];
        d->stride[i] = cnnf_node_attr_list_int(call->node, "strides", 1 + i, 0);
        d->rate[i] = cnnf_node_attr_list_int(call->node, "rates", 1 + i, 0);
        if (d->size[i] < 1 || d->stride[i] < 1 || d->rate[i] < 1 || !cnnfi_mul_i64(&span, d->size[i] - 1, d->rate[i]) ||
            span > INT32_MAX)
            return cnnfi_call_fail(call, CNNF_E_INVALID, "filter, strides or rates of axis %d", i);
        span++;
        d->out[i] = same ? n / d->stride[i] + (n % d->stride[i] != 0) : (n - span + d->stride[i]) / d->stride[i];
        if (d->out[i] < 0) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the filter is larger than axis %d", i);
        int64_t need = same && d->out[i] > 0 ? (d->out[i] - 1) * d->stride[i] + span - n : 0;
        d->before[i] = need > 0 ? need / 2 : 0;
    }
    return CNNF_OK;
}

static cnnf_status dilation_infer(cnnfi_call *call)
{
    dilation d = {{0}, {0}, {0}, {0}, {0}};
    CNNFI_TRY(read_dilation(call, &d));
    const int64_t *dims = call->inputs[0].dims;
    return cnnfi_output_one(call, call->inputs[0].dtype, 4, (const int64_t[]){dims[0], d.out[0], d.out[1], dims[3]});
}

/* The largest of input + filter under one window; the arithmetic is the type's own. */
static double window_max(const cnnfi_call *call, const dilation *d, int64_t b, int64_t y, int64_t x, int64_t c)
{
    const cnnfi_value *in = call->inputs, *filter = &call->inputs[1];
    double best = -(double)INFINITY;
    bool single = in->dtype == CNNF_FLOAT;
    for (int64_t i = 0; i < d->size[0]; i++) {
        for (int64_t j = 0; j < d->size[1]; j++) {
            int64_t py = y * d->stride[0] - d->before[0] + i * d->rate[0],
                    px = x * d->stride[1] - d->before[1] + j * d->rate[1];
            if (py < 0 || py >= in->dims[1] || px < 0 || px >= in->dims[2]) continue;
            double v = cnnfi_get_f64(in, ((b * in->dims[1] + py) * in->dims[2] + px) * in->dims[3] + c);
            double w = cnnfi_get_f64(filter, (i * filter->dims[1] + j) * filter->dims[2] + c);
            double sum = single ? (double)((float)v + (float)w) : v + w;
            if (sum > best) best = sum;
        }
    }
    return best;
}

static cnnf_status dilation_run(cnnfi_call *call)
{
    dilation d = {{0}, {0}, {0}, {0}, {0}};
    CNNFI_TRY(read_dilation(call, &d));
    const int64_t *dims = call->outputs[0].dims;
    for (int64_t i = 0; i < call->outputs[0].count; i++) {
        int64_t c = i % dims[3], x = i / dims[3] % dims[2], y = i / dims[3] / dims[2] % dims[1];
        put(&call->outputs[0], i, window_max(call, &d, i / dims[3] / dims[2] / dims[1], y, x, c));
    }
    return CNNF_OK;
}

static const cnnfi_kernel kernels[] = {
    {"BiasAddGrad", bias_grad_infer, bias_grad_run, 0},
    {"Dilation2D", dilation_infer, dilation_run, 0},
    {"L2Loss", l2_infer, l2_run, 0},
    {"LeakyReluGrad", grad_infer, leaky_grad_run, 0},
    {"SeluGrad", grad_infer, selu_grad_run, 0},
    {"SoftmaxCrossEntropyWithLogits", entropy_infer, entropy_run, 0},
    {"SparseSoftmaxCrossEntropyWithLogits", sparse_entropy_infer, sparse_entropy_run, 0},
};

const cnnfi_kernel_family cnnfi_kernels_loss = {"loss", kernels, sizeof(kernels) / sizeof(kernels[0])};
