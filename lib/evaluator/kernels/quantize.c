/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers rounded to a grid and back: FakeQuant*, QuantizeAndDequantize*. */
#include <float.h>
#include <math.h>

#include "evaluator/kernels/portable.h"
#include "ops/fake_quant.h"
#include "ops/histogram.h"
#include "ops/requantize.h"

/* ---- FakeQuantWithMinMax* (fake_quant_ops_functor.h) ---- */

static float fake(const cnnfi_fake_grid *g, float x)
{
    float inverse = 1.0f / g->scale, zero = floorf(-g->low * inverse + 0.5f);
    float cut = x < g->low ? g->low : x > g->high ? g->high : x;
    return floorf((cut - g->low) * inverse - zero + 0.5f) * g->scale;
}

static cnnf_status fake_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs;
    int64_t bits = cnnf_node_attr_int(call->node, "num_bits", 8), n = call->n_inputs == 3 ? in[1].count : 1;
    bool narrow = cnnf_node_attr_bool(call->node, "narrow_range", 0) != 0;
    for (int64_t c = 0; c < n; c++) {
        float low =
            call->n_inputs == 3 ? ((const float *)in[1].data)[c] : (float)cnnf_node_attr_float(call->node, "min", -6);
        float high =
            call->n_inputs == 3 ? ((const float *)in[2].data)[c] : (float)cnnf_node_attr_float(call->node, "max", 6);
        bool zero = low == 0 && high == 0;
        if (!zero && !(low < high)) return cnnfi_call_fail(call, CNNF_E_INVALID, "min is not below max");
        const cnnfi_fake_grid g = cnnfi_fake_quant_grid(low, high, bits, narrow);
        for (int64_t i = c; i < in->count; i += n)
            ((float *)call->outputs[0].data)[i] = zero ? 0 : fake(&g, ((const float *)in->data)[i]);
    }
    return CNNF_OK;
}

/* ---- _ObserveRange ---- */

static cnnf_status observe_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs;
    if (in->count) memcpy(call->outputs[0].data, in->data, (size_t)in->count * sizeof(float));
    cnnfi_histogram_of(call->outputs[1].data, in->data, in->count);
    return CNNF_OK;
}

/* ---- QuantizeAndDequantizeV2, V3, V4 (quantize_and_dequantize_op.h) ---- */

/* The side of the range that binds decides the scale; the other side moves. Arithmetic in the tensor's precision. */
static void fit_range(const cnnfi_requantize *q, bool single, double *low, double *high, double *scale, double *inverse)
{
    double first = q->is_signed ? -(double)((int64_t)1 << (q->bits - 1)) + q->narrow : q->narrow ? 1 : 0;
    double last = (double)(q->is_signed ? ((int64_t)1 << (q->bits - 1)) - 1 : ((int64_t)1 << q->bits) - 1);
    double most = single ? (double)FLT_MAX : DBL_MAX;
    double from_low = first * *low > 0 ? first / *low : most, from_high = last * *high > 0 ? last / *high : most;
    if (!q->is_signed) first = 0;
    if (from_low < from_high) {
        *scale = single ? (double)(float)from_low : from_low;
        *inverse = *low / first;
        *high = last * *inverse;
    } else {
        *scale = single ? (double)(float)from_high : from_high;
        *inverse = *high / last;
        *low = first * *inverse;
    }
    if (single) *inverse = (double)(float)*inverse;
}

static double requantized(const cnnfi_requantize *q, bool single, double x, double low, double high, double scale,
                          double inverse)
{
    if (q->given) x = x < low ? low : x > high ? high : x;
    double y = single ? (double)((float)x * (float)scale) : x * scale;
    y = q->half_up ? floor(y + 0.5) : rint(y);
    return single ? (double)((float)y * (float)inverse) : y * inverse;
}

static cnnf_status requantize_run(cnnfi_call *call)
{
    cnnfi_requantize q;
    CNNFI_TRY(cnnfi_requantize_read(call, &q));
    const cnnfi_value *in = call->inputs;
    cnnfi_type type = cnnfi_type_of(in->dtype);
    size_t size = cnnf_dtype_size(in->dtype);
    bool single = type != CNNFI_T_F64;
    int64_t n = q.axis < 0 ? 1 : in->dims[q.axis],
            inner = q.axis < 0 ? 1 : cnnfi_span(in->dims, (int32_t)q.axis + 1, in->rank);
    for (int64_t c = 0; c < n; c++) {
        double low = (double)INFINITY, high = -(double)INFINITY, scale, inverse;
        for (int64_t i = 0; i < in->count && !q.given; i++) {
            if (i / inner % n != c) continue;
            double x = cnnfi_get_f64(in, i);
            low = x < low ? x : low;
            high = x > high ? x : high;
        }
        if (q.given) low = cnnfi_get_f64(&in[1], c), high = cnnfi_get_f64(&in[2], c);
        if (q.given && low > high) return cnnfi_call_fail(call, CNNF_E_INVALID, "input_min is above input_max");
        fit_range(&q, single, &low, &high, &scale, &inverse);
        for (int64_t i = 0; i < in->count; i++) {
            char element[16];
            if (i / inner % n != c) continue;
            cnnfi_put_f64(type, requantized(&q, single, cnnfi_get_f64(in, i), low, high, scale, inverse), element);
            memcpy((char *)call->outputs[0].data + (size_t)i * size, element, size);
        }
    }
    return CNNF_OK;
}

static cnnf_status scratch(cnnfi_call *call)
{
    return cnnfi_type_is_float(cnnfi_type_of(call->inputs[0].dtype)) ? CNNF_OK : cnnfi_fail_dtype(call, 0);
}

static const cnnfi_kernel kernels[] = {
    {"_ObserveRange", observe_run, 0, NULL},
    {"FakeQuantWithMinMaxArgs", fake_run, 0, NULL},
    {"FakeQuantWithMinMaxVars", fake_run, 0, NULL},
    {"FakeQuantWithMinMaxVarsPerChannel", fake_run, 0, NULL},
    {"QuantizeAndDequantizeV2", requantize_run, 0, scratch},
    {"QuantizeAndDequantizeV3", requantize_run, 0, scratch},
    {"QuantizeAndDequantizeV4", requantize_run, 0, scratch},
};

const cnnfi_kernel_family cnnfi_kernels_quantize = {"quantize", kernels, sizeof(kernels) / sizeof(kernels[0])};
