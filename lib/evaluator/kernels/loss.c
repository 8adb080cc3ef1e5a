/* SPDX-License-Identifier: Apache-2.0 */
/* Losses and their kin: cross entropies, L2Loss, BiasAddGrad, gradients with an attribute, Dilation2D. */
#include <math.h>

#include "evaluator/kernels/portable.h"
#include "ops/window.h"

static void put(cnnfi_value *out, int64_t at, double x)
{
    char element[16];
    size_t size = cnnf_dtype_size(out->dtype);
    cnnfi_put_f64(cnnfi_type_of(out->dtype), x, element);
    memcpy((char *)out->data + (size_t)at * size, element, size);
}

/* ---- SoftmaxCrossEntropyWithLogits: features, labels -> loss, backprop ---- */

/* Of a matrix, or of a row or a number that stands for each row. */
static double at_broadcast(const cnnfi_value *v, int64_t row, int64_t column)
{
    const int64_t columns = v->rank > 0 ? v->dims[v->rank - 1] : 1, rows = v->rank == 2 ? v->dims[0] : 1;
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

static cnnf_status bias_grad_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs;
    int32_t axis = cnnfi_channel_axis(call, in->rank);
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

/* The largest of input + filter under one window; the arithmetic is the type's own. */
static double window_max(const cnnfi_call *call, const cnnfi_window *w, int64_t b, int64_t y, int64_t x, int64_t c)
{
    const cnnfi_value *in = call->inputs, *filter = &call->inputs[1];
    double best = -(double)INFINITY;
    bool single = in->dtype == CNNF_FLOAT;
    for (int64_t i = 0; i < w->filter[1]; i++) {
        for (int64_t j = 0; j < w->filter[2]; j++) {
            int64_t py = y * w->stride[1] - w->before[1] + i * w->dilation[1],
                    px = x * w->stride[2] - w->before[2] + j * w->dilation[2];
            if (py < 0 || py >= in->dims[1] || px < 0 || px >= in->dims[2]) continue;
            double v = cnnfi_get_f64(in, ((b * in->dims[1] + py) * in->dims[2] + px) * in->dims[3] + c);
            double f = cnnfi_get_f64(filter, (i * filter->dims[1] + j) * filter->dims[2] + c);
            double sum = single ? (double)((float)v + (float)f) : v + f;
            if (sum > best) best = sum;
        }
    }
    return best;
}

static cnnf_status dilation_run(cnnfi_call *call)
{
    cnnfi_window w;
    CNNFI_TRY(cnnfi_window_dilation(call, &w));
    const int64_t *dims = call->outputs[0].dims;
    for (int64_t i = 0; i < call->outputs[0].count; i++) {
        int64_t c = i % dims[3], x = i / dims[3] % dims[2], y = i / dims[3] / dims[2] % dims[1];
        put(&call->outputs[0], i, window_max(call, &w, i / dims[3] / dims[2] / dims[1], y, x, c));
    }
    return CNNF_OK;
}

static cnnf_status float_scratch(cnnfi_call *call)
{
    return cnnfi_type_is_float(cnnfi_type_of(call->inputs[0].dtype)) ? CNNF_OK : cnnfi_fail_dtype(call, 0);
}

static cnnf_status real_scratch(cnnfi_call *call)
{
    return cnnfi_type_of(call->inputs[0].dtype) < CNNFI_T_BOOL ? CNNF_OK : cnnfi_fail_dtype(call, 0);
}

static const cnnfi_kernel kernels[] = {
    {"BiasAddGrad", bias_grad_run, 0, float_scratch},
    {"Dilation2D", dilation_run, 0, real_scratch},
    {"L2Loss", l2_run, 0, float_scratch},
    {"LeakyReluGrad", leaky_grad_run, 0, float_scratch},
    {"SeluGrad", selu_grad_run, 0, float_scratch},
    {"SoftmaxCrossEntropyWithLogits", entropy_run, 0, float_scratch},
    {"SparseSoftmaxCrossEntropyWithLogits", sparse_entropy_run, 0, float_scratch},
};

const cnnfi_kernel_family cnnfi_kernels_loss = {"loss", kernels, sizeof(kernels) / sizeof(kernels[0])};
