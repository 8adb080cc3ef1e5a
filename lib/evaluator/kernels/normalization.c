/* SPDX-License-Identifier: Apache-2.0 */
/* Bias, batch normalization, local response normalization, softmax and the rectifiers. */
#include <math.h>
#include <string.h>

#include "evaluator/kernels/nn.h"
#include "ops/window.h"

/* ---- adding along the channels ---- */

/* A tensor as (outer, channels, inner). */
typedef struct channelled {
    int64_t outer, channels, inner;
} channelled;

static channelled by_channel(const cnnfi_value *x, int32_t axis)
{
    channelled c = {1, x->dims[axis], 1};
    for (int32_t i = 0; i < axis; i++)
        c.outer *= x->dims[i];
    for (int32_t i = axis + 1; i < x->rank; i++)
        c.inner *= x->dims[i];
    return c;
}

typedef struct bias_job {
    channelled shape;
    const void *x, *b;
    void *y;
} bias_job;

#define DEFINE_BIAS(T)                                                                                                 \
    static void bias_##T(int64_t begin, int64_t end, void *user)                                                       \
    {                                                                                                                  \
        const bias_job *j = user;                                                                                      \
        const int64_t channels = j->shape.channels, inner = j->shape.inner;                                            \
        const T *b = j->b;                                                                                             \
        for (int64_t o = begin; o < end; o++) {                                                                        \
            const T *x = (const T *)j->x + o * channels * inner;                                                       \
            T *y = (T *)j->y + o * channels * inner;                                                                   \
            for (int64_t c = 0; inner == 1 && c < channels; c++)                                                       \
                y[c] = x[c] + b[c];                                                                                    \
            for (int64_t c = 0; inner != 1 && c < channels; c++) {                                                     \
                for (int64_t i = 0; i < inner; i++)                                                                    \
                    y[c * inner + i] = x[c * inner + i] + b[c];                                                        \
            }                                                                                                          \
        }                                                                                                              \
    }

DEFINE_BIAS(float)
DEFINE_BIAS(double)
DEFINE_BIAS(uint32_t)
DEFINE_BIAS(uint64_t)

static cnnf_status bias(cnnfi_call *call)
{
    bias_job j = {by_channel(&call->inputs[0], cnnfi_channel_axis(call, call->inputs[0].rank)), call->inputs[0].data,
                  call->inputs[1].data, call->outputs[0].data};
    cnnf_dtype dtype = call->outputs[0].dtype;
    if (call->outputs[0].count == 0) return CNNF_OK;
    cnnfi_parallel_for(call->pool, j.shape.outer, 64,
                       dtype == CNNF_DOUBLE  ? bias_double
                       : dtype == CNNF_INT32 ? bias_uint32_t
                       : dtype == CNNF_INT64 ? bias_uint64_t
                                             : bias_float,
                       &j);
    return CNNF_OK;
}

static cnnf_status bias_scratch(cnnfi_call *call)
{
    const cnnf_dtype dtype = call->outputs[0].dtype;
    call->scratch_size = 0;
    return dtype == CNNF_INT32 || dtype == CNNF_INT64 ? CNNF_OK : cnnfi_nn_scratch(call);
}

static cnnf_status run_bias(cnnfi_call *call)
{
    return cnnfi_nn_widened(call, bias);
}

/* ---- batch normalization ---- */

static bool is_training(const cnnfi_call *call)
{
    return cnnf_node_attr_bool(call->node, "is_training", 1) != 0;
}

typedef struct norm_job {
    channelled shape;
    const float *x;
    const float *mean, *variance, *scale, *offset;
    float epsilon;
    float *y;
} norm_job;

static void norm_rows(int64_t begin, int64_t end, void *user)
{
    const norm_job *j = user;
    const int64_t channels = j->shape.channels, inner = j->shape.inner;
    for (int64_t c = 0; c < channels; c++) {
        const float factor = j->scale[c] * (1.0f / sqrtf(j->variance[c] + j->epsilon));
        for (int64_t o = begin; o < end; o++) {
            const float *x = j->x + (o * channels + c) * inner;
            float *y = j->y + (o * channels + c) * inner;
            for (int64_t i = 0; i < inner; i++)
                y[i] = (x[i] - j->mean[c]) * factor + j->offset[c];
        }
    }
}

/* Mean and biased variance of one channel, in double: TensorFlow's float sums are no better. */
static void channel_stats(const norm_job *j, int64_t c, float *mean, float *variance)
{
    double sum = 0, squares = 0, count = (double)j->shape.outer * (double)j->shape.inner;
    for (int pass = 0; pass < 2; pass++) {
        double m = sum / count;
        for (int64_t o = 0; o < j->shape.outer; o++) {
            const float *x = j->x + (o * j->shape.channels + c) * j->shape.inner;
            for (int64_t i = 0; i < j->shape.inner; i++) {
                if (pass == 0)
                    sum += (double)x[i];
                else
                    squares += ((double)x[i] - m) * ((double)x[i] - m);
            }
        }
    }
    *mean = (float)(sum / count);
    *variance = (float)(squares / count);
}

/* Outputs 1, 2: what the moving averages would become; 3, 4: the batch's own. */
static void training_stats(cnnfi_call *call, const norm_job *j)
{
    float *out[4];
    float factor = (float)cnnf_node_attr_float(call->node, "exponential_avg_factor", 1.0);
    float count = (float)(j->shape.outer * j->shape.inner), unbiased = count / (count > 1 ? count - 1 : 1);
    for (int32_t i = 0; i < 4; i++)
        out[i] = call->outputs[i + 1].data;
    const float *old_mean = call->inputs[3].data, *old_variance = call->inputs[4].data;
    for (int64_t c = 0; c < j->shape.channels; c++) {
        channel_stats(j, c, &out[2][c], &out[3][c]);
        out[0][c] = out[2][c];
        out[1][c] = out[3][c] * unbiased;
        if (factor == 1.0f) continue;
        out[0][c] = (1 - factor) * old_mean[c] + factor * out[0][c];
        out[1][c] = (1 - factor) * old_variance[c] + factor * out[1][c];
    }
}

static cnnf_status batch_norm(cnnfi_call *call)
{
    const cnnfi_value *x = &call->inputs[0];
    norm_job j = {.shape = by_channel(x, cnnfi_channel_axis(call, x->rank)),
                  .x = x->data,
                  .scale = call->inputs[1].data,
                  .offset = call->inputs[2].data,
                  .mean = call->inputs[3].data,
                  .variance = call->inputs[4].data,
                  .epsilon = (float)cnnf_node_attr_float(call->node, "epsilon", 1e-4),
                  .y = call->outputs[0].data};
    if (call->n_outputs > 5) *(float *)call->outputs[5].data = 0;
    if (is_training(call)) {
        training_stats(call, &j);
        j.mean = call->outputs[3].data;
        j.variance = call->outputs[4].data;
    } else {
        for (int32_t i = 1; i < 5; i++)
            memcpy(call->outputs[i].data, call->inputs[3 + (i - 1) % 2].data, (size_t)j.shape.channels * sizeof(float));
    }
    if (call->outputs[0].count > 0) cnnfi_parallel_for(call->pool, j.shape.outer, 16, norm_rows, &j);
    return CNNF_OK;
}

/* Half and bfloat16 are computed in float; double is not there. */
static cnnf_status norm_scratch(cnnfi_call *call)
{
    if (call->outputs[0].dtype == CNNF_DOUBLE) return cnnfi_fail_dtype(call, 0);
    return cnnfi_nn_scratch(call);
}

static cnnf_status batch_norm_scratch(cnnfi_call *call)
{
    if (call->inputs[1].dtype != CNNF_FLOAT) return cnnfi_fail_dtype(call, 1);
    return norm_scratch(call);
}

static cnnf_status run_batch_norm(cnnfi_call *call)
{
    return cnnfi_nn_widened(call, batch_norm);
}

/* ---- batch normalization of graphs from before FusedBatchNorm: t, mean, variance, beta, gamma ---- */

/* One factor per channel, in a whole number of cache lines, then what widening takes. */
static cnnf_status global_scratch(cnnfi_call *call)
{
    CNNFI_TRY(norm_scratch(call));
    call->scratch_size += ((size_t)call->inputs[0].dims[3] * sizeof(float) + 63) & ~(size_t)63;
    return CNNF_OK;
}

static cnnf_status global_norm(cnnfi_call *call)
{
    const cnnfi_value *x = &call->inputs[0];
    float *scale = call->scratch;
    bool scaled = cnnf_node_attr_bool(call->node, "scale_after_normalization", 0) != 0;
    for (int64_t c = 0; c < x->dims[3]; c++)
        scale[c] = scaled ? ((const float *)call->inputs[4].data)[c] : 1.0f;
    norm_job j = {.shape = by_channel(x, 3),
                  .x = x->data,
                  .scale = scale,
                  .offset = call->inputs[3].data,
                  .mean = call->inputs[1].data,
                  .variance = call->inputs[2].data,
                  .epsilon = (float)cnnf_node_attr_float(call->node, "variance_epsilon", 0),
                  .y = call->outputs[0].data};
    if (x->count > 0) cnnfi_parallel_for(call->pool, j.shape.outer, 16, norm_rows, &j);
    return CNNF_OK;
}

static cnnf_status run_global(cnnfi_call *call)
{
    return cnnfi_nn_widened(call, global_norm);
}

/* ---- local response normalization ---- */

static cnnf_status lrn(cnnfi_call *call)
{
    const int64_t depth = call->inputs[0].dims[3], radius = cnnf_node_attr_int(call->node, "depth_radius", 5);
    const float bias = (float)cnnf_node_attr_float(call->node, "bias", 1.0);
    const float alpha = (float)cnnf_node_attr_float(call->node, "alpha", 1.0);
    const float beta = (float)cnnf_node_attr_float(call->node, "beta", 0.5);
    const float *x = call->inputs[0].data;
    float *y = call->outputs[0].data;
    for (int64_t i = 0; i < call->inputs[0].count; i++) {
        int64_t c = i % depth, reach = cnnfi_min_i64(cnnfi_max_i64(radius, 0), depth);
        float sum = 0;
        for (int64_t k = cnnfi_max_i64(c - reach, 0); k <= cnnfi_min_i64(c + reach, depth - 1); k++)
            sum += x[i - c + k] * x[i - c + k];
        y[i] = x[i] * powf(bias + alpha * sum, -beta);
    }
    return CNNF_OK;
}

static cnnf_status run_lrn(cnnfi_call *call)
{
    return cnnfi_nn_widened(call, lrn);
}

/* ---- softmax ---- */

typedef struct rows_job {
    const void *x;
    void *y;
    int64_t size;
} rows_job;

#define DEFINE_SOFTMAX(T, EXP, LOG)                                                                                    \
    static T most_##T(const T *x, int64_t n)                                                                           \
    {                                                                                                                  \
        T most = x[0];                                                                                                 \
        for (int64_t i = 1; i < n; i++)                                                                                \
            most = x[i] > most ? x[i] : most;                                                                          \
        return most;                                                                                                   \
    }                                                                                                                  \
    static void softmax_##T(int64_t begin, int64_t end, void *user)                                                    \
    {                                                                                                                  \
        const rows_job *j = user;                                                                                      \
        for (int64_t r = begin; r < end; r++) {                                                                        \
            const T *x = (const T *)j->x + r * j->size;                                                                \
            T *y = (T *)j->y + r * j->size, most = most_##T(x, j->size), sum = 0;                                      \
            for (int64_t i = 0; i < j->size; i++)                                                                      \
                sum += y[i] = EXP(x[i] - most);                                                                        \
            for (int64_t i = 0; i < j->size; i++)                                                                      \
                y[i] /= sum;                                                                                           \
        }                                                                                                              \
    }                                                                                                                  \
    static void log_softmax_##T(int64_t begin, int64_t end, void *user)                                                \
    {                                                                                                                  \
        const rows_job *j = user;                                                                                      \
        for (int64_t r = begin; r < end; r++) {                                                                        \
            const T *x = (const T *)j->x + r * j->size;                                                                \
            T *y = (T *)j->y + r * j->size, most = most_##T(x, j->size), sum = 0;                                      \
            for (int64_t i = 0; i < j->size; i++)                                                                      \
                sum += EXP(x[i] - most);                                                                               \
            const T log_sum = LOG(sum);                                                                                \
            for (int64_t i = 0; i < j->size; i++)                                                                      \
                y[i] = x[i] - most - log_sum;                                                                          \
        }                                                                                                              \
    }

DEFINE_SOFTMAX(float, expf, logf)
DEFINE_SOFTMAX(double, exp, log)

typedef void (*rows_fn)(int64_t begin, int64_t end, void *user);

static cnnf_status by_rows(cnnfi_call *call, rows_fn single, rows_fn twice)
{
    const cnnfi_value *x = &call->inputs[0];
    rows_job j = {x->data, call->outputs[0].data, x->dims[x->rank - 1]};
    if (x->count == 0) return CNNF_OK;
    cnnfi_parallel_for(call->pool, x->count / j.size, 1 + 4096 / j.size, x->dtype == CNNF_DOUBLE ? twice : single, &j);
    return CNNF_OK;
}

static cnnf_status softmax(cnnfi_call *call)
{
    return by_rows(call, softmax_float, softmax_double);
}

static cnnf_status log_softmax(cnnfi_call *call)
{
    return by_rows(call, log_softmax_float, log_softmax_double);
}

static cnnf_status run_softmax(cnnfi_call *call)
{
    return cnnfi_nn_widened(call, softmax);
}

static cnnf_status run_log_softmax(cnnfi_call *call)
{
    return cnnfi_nn_widened(call, log_softmax);
}

static const cnnfi_kernel kernels[] = {
    {"BatchNormWithGlobalNormalization", run_global, 0, global_scratch},
    {"BiasAdd", run_bias, CNNFI_OP_INPLACE, bias_scratch},
    {"BiasAddV1", run_bias, CNNFI_OP_INPLACE, bias_scratch},
    {"FusedBatchNorm", run_batch_norm, 0, batch_norm_scratch},
    {"FusedBatchNormV2", run_batch_norm, 0, batch_norm_scratch},
    {"FusedBatchNormV3", run_batch_norm, 0, batch_norm_scratch},
    {"LRN", run_lrn, 0, norm_scratch},
    {"LogSoftmax", run_log_softmax, CNNFI_OP_INPLACE, cnnfi_nn_scratch},
    {"Softmax", run_softmax, CNNFI_OP_INPLACE, cnnfi_nn_scratch},
};

const cnnfi_kernel_family cnnfi_kernels_nn = {"normalization", kernels, sizeof(kernels) / sizeof(kernels[0])};
