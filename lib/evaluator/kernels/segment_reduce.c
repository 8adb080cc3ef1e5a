/* SPDX-License-Identifier: Apache-2.0 */
/* Rows gathered into segments, and counting: Segment*, UnsortedSegment*, SparseSegment*, Bincount, HistogramFixedWidth.
 */
#include <math.h>

#include "evaluator/kernels/portable.h"

typedef enum segment_op { SUM, MEAN, SQRT_N, PROD, MAX, MIN } segment_op;

/* How rows come to segments. */
typedef enum segment_kind { SORTED, UNSORTED, SPARSE } segment_kind;

static const cnnfi_value *ids_of(const cnnfi_call *call, segment_kind kind)
{
    return &call->inputs[kind == SPARSE ? 2 : 1];
}

/* A number for each output element, a count of rows for each segment. */
static cnnf_status segment_scratch(cnnfi_call *call)
{
    const cnnfi_value *out = &call->outputs[0];
    size_t rows;
    if (cnnfi_type_of(call->inputs[0].dtype) >= CNNFI_T_BOOL) return cnnfi_fail_dtype(call, 0);
    if (cnnfi_mul_size(&call->scratch_size, (size_t)out->count, sizeof(double)) &&
        cnnfi_mul_size(&rows, (size_t)out->dims[0], sizeof(int64_t)) &&
        cnnfi_add_size(&call->scratch_size, call->scratch_size, rows))
        return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_LIMIT, "too many segments");
}

/* What a segment without rows holds: 0 for sums, 1 for products; for extremes 0 when sorted, else the type's end. */
static double empty_value(segment_op op, segment_kind kind, cnnfi_type type)
{
    static const double low[] = {-128, -32768, -2147483648.0, -9223372036854775808.0};
    static const double high[] = {127, 32767, 2147483647.0, 9223372036854775807.0};
    static const double top[] = {255, 65535, 4294967295.0, 18446744073709551615.0};
    if (op == PROD) return 1;
    if ((op != MAX && op != MIN) || kind == SORTED) return 0;
    if (type == CNNFI_T_F32) return op == MAX ? -3.4028234663852886e38 : 3.4028234663852886e38;
    if (type == CNNFI_T_F64) return op == MAX ? -1.7976931348623157e308 : 1.7976931348623157e308;
    if (type == CNNFI_T_HALF) return op == MAX ? -65504 : 65504;
    if (type == CNNFI_T_BF16) return op == MAX ? -3.3895313892515355e38 : 3.3895313892515355e38;
    if (type <= CNNFI_T_I64) return op == MAX ? low[type - CNNFI_T_I8] : high[type - CNNFI_T_I8];
    return op == MAX ? 0 : top[type - CNNFI_T_U8];
}

/* Integers are kept in the 8 bytes of a double's place. */
typedef union number {
    double real;
    int64_t sint;
    uint64_t uint;
} number;

static void add_real(segment_op op, number *to, double x, bool first)
{
    if (op == PROD)
        to->real = first ? x : to->real * x;
    else if (op == MAX)
        to->real = first || x > to->real ? x : to->real;
    else if (op == MIN)
        to->real = first || x < to->real ? x : to->real;
    else
        to->real += x;
}

static void add_integer(segment_op op, number *to, int64_t x, bool first, bool is_unsigned)
{
    bool above = is_unsigned ? (uint64_t)x > to->uint : x > to->sint,
         below = is_unsigned ? (uint64_t)x < to->uint : x < to->sint;
    if (op == PROD)
        to->uint = first ? (uint64_t)x : to->uint * (uint64_t)x;
    else if (op == MAX)
        to->sint = first || above ? x : to->sint;
    else if (op == MIN)
        to->sint = first || below ? x : to->sint;
    else
        to->uint += (uint64_t)x;
}

static void put_number(cnnfi_value *out, int64_t at, number x, bool real)
{
    char element[16];
    size_t size = cnnf_dtype_size(out->dtype);
    if (real)
        cnnfi_put_f64(cnnfi_type_of(out->dtype), x.real, element);
    else
        memcpy(element, &x, sizeof(x));
    memcpy((char *)out->data + (size_t)at * size, element, size);
}

static void finish(cnnfi_value *out, segment_kind kind, segment_op op, number *acc, const int64_t *rows, int64_t width)
{
    cnnfi_type type = cnnfi_type_of(out->dtype);
    bool real = cnnfi_type_is_float(type);
    for (int64_t i = 0; i < out->count; i++) {
        int64_t n = rows[i / width];
        number x = acc[i];
        if (n == 0) {
            double empty = empty_value(op, kind, type);
            x.real = empty;
            if (!real && type != CNNFI_T_U64) x.sint = empty >= 9223372036854775807.0 ? INT64_MAX : (int64_t)empty;
            if (type == CNNFI_T_U64) x.uint = empty > 1 ? UINT64_MAX : (uint64_t)empty;
        } else if (real && (op == MEAN || op == SQRT_N)) {
            x.real /= op == MEAN ? (double)n : sqrt((double)n);
        } else if (op == MEAN) {
            x.sint = type >= CNNFI_T_U8 ? (int64_t)(x.uint / (uint64_t)n) : x.sint / n;
        }
        put_number(out, i, x, real);
    }
}

static cnnf_status segment_run(cnnfi_call *call, segment_kind kind, segment_op op)
{
    cnnfi_value *out = &call->outputs[0];
    const cnnfi_value *data = call->inputs, *ids = ids_of(call, kind);
    cnnfi_type type = cnnfi_type_of(data->dtype);
    bool real = cnnfi_type_is_float(type);
    number *acc = call->scratch;
    int64_t *rows = (int64_t *)(void *)(acc + out->count), segments = out->dims[0];
    int64_t width = cnnfi_span(out->dims, 1, out->rank), before = -1;
    if (call->scratch_size) memset(call->scratch, 0, call->scratch_size); /* no segments, no memory */
    for (int64_t i = 0; i < ids->count; i++) {
        int64_t id = cnnfi_get_i64(ids, i), row = kind == SPARSE ? cnnfi_get_i64(&call->inputs[1], i) : i;
        if (kind == UNSORTED && id < 0) continue; /* dropped */
        if (id < 0 || id >= segments || (kind != UNSORTED && id < before))
            return cnnfi_call_fail(call, CNNF_E_INVALID, "segment_ids[%lld] is %lld of %lld", (long long)i,
                                   (long long)id, (long long)segments);
        if (kind == SPARSE && (row < 0 || row >= data->dims[0]))
            return cnnfi_call_fail(call, CNNF_E_INVALID, "indices[%lld] is %lld", (long long)i, (long long)row);
        before = id;
        for (int64_t k = 0; k < width; k++) {
            if (real)
                add_real(op, &acc[id * width + k], cnnfi_get_f64(data, row * width + k), rows[id] == 0);
            else
                add_integer(op, &acc[id * width + k], cnnfi_get_i64(data, row * width + k), rows[id] == 0,
                            type >= CNNFI_T_U8);
        }
        rows[id]++;
    }
    if (width > 0) finish(out, kind, op, acc, rows, width);
    return CNNF_OK;
}

/* ---- counting ---- */

static cnnf_status bincount_check(cnnfi_call *call)
{
    return cnnfi_type_of(call->inputs[2].dtype) >= CNNFI_T_BOOL ? cnnfi_fail_dtype(call, 2) : CNNF_OK;
}

static void add_weight(cnnfi_value *out, int64_t at, const cnnfi_value *weights, int64_t i, bool binary)
{
    bool real = cnnfi_type_is_float(cnnfi_type_of(out->dtype));
    bool one = binary || weights->count == 0;
    number x = {.sint = 0};
    if (real)
        x.real = binary ? 1 : cnnfi_get_f64(out, at) + (one ? 1 : cnnfi_get_f64(weights, i));
    else
        x.uint = binary ? 1 : (uint64_t)cnnfi_get_i64(out, at) + (one ? 1 : (uint64_t)cnnfi_get_i64(weights, i));
    put_number(out, at, x, real);
}

/* Values beyond the last bin are dropped; negative ones are an error. */
static cnnf_status bincount_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs;
    cnnfi_value *out = &call->outputs[0];
    int64_t size = out->dims[out->rank - 1], row = out->rank == 2 ? in->dims[1] : in->count;
    bool binary = cnnf_node_attr_bool(call->node, "binary_output", 0) != 0;
    memset(out->data, 0, (size_t)out->count * cnnf_dtype_size(out->dtype));
    for (int64_t i = 0; i < in->count; i++) {
        int64_t bin = cnnfi_get_i64(in, i);
        if (bin < 0) return cnnfi_call_fail(call, CNNF_E_INVALID, "the value %lld is negative", (long long)bin);
        if (bin < size) add_weight(out, i / row * size + bin, &call->inputs[2], i, binary);
    }
    return CNNF_OK;
}

static cnnf_status histogram_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs;
    cnnfi_value *out = &call->outputs[0];
    double low = cnnfi_get_f64(&call->inputs[1], 0), high = cnnfi_get_f64(&call->inputs[1], 1);
    int64_t bins = out->count;
    memset(out->data, 0, (size_t)bins * cnnf_dtype_size(out->dtype));
    if (!(low < high)) return cnnfi_call_fail(call, CNNF_E_INVALID, "value_range is empty");
    double step = (high - low) / (double)bins;
    for (int64_t i = 0; i < in->count; i++) {
        double x = cnnfi_get_f64(in, i), place = (x - low) / step;
        if (isnan(x)) return cnnfi_call_fail(call, CNNF_E_INVALID, "a value is NaN");
        int64_t bin = !(place > 0) ? 0 : place >= (double)bins ? bins - 1 : (int64_t)place;
        number n = {.sint = cnnfi_get_i64(out, bin) + 1};
        put_number(out, bin, n, false);
    }
    return CNNF_OK;
}

#define SEGMENT_OPS(X)                                                                                                 \
    X(SegmentMax, SORTED, MAX)                                                                                         \
    X(SegmentMean, SORTED, MEAN)                                                                                       \
    X(SegmentMin, SORTED, MIN)                                                                                         \
    X(SegmentProd, SORTED, PROD)                                                                                       \
    X(SegmentSum, SORTED, SUM)                                                                                         \
    X(SparseSegmentMean, SPARSE, MEAN)                                                                                 \
    X(SparseSegmentMeanWithNumSegments, SPARSE, MEAN)                                                                  \
    X(SparseSegmentSqrtN, SPARSE, SQRT_N)                                                                              \
    X(SparseSegmentSqrtNWithNumSegments, SPARSE, SQRT_N)                                                               \
    X(SparseSegmentSum, SPARSE, SUM)                                                                                   \
    X(SparseSegmentSumWithNumSegments, SPARSE, SUM)                                                                    \
    X(UnsortedSegmentMax, UNSORTED, MAX)                                                                               \
    X(UnsortedSegmentMin, UNSORTED, MIN)                                                                               \
    X(UnsortedSegmentProd, UNSORTED, PROD)                                                                             \
    X(UnsortedSegmentSum, UNSORTED, SUM)
#define DEFINE(op, kind, what)                                                                                         \
    static cnnf_status op##_run(cnnfi_call *call)                                                                      \
    {                                                                                                                  \
        return segment_run(call, kind, what);                                                                          \
    }
SEGMENT_OPS(DEFINE)

#define ROW(op, kind, what) {#op, op##_run, 0, segment_scratch},
static const cnnfi_kernel kernels[] = {{"Bincount", bincount_run, 0, bincount_check},
                                       {"DenseBincount", bincount_run, 0, bincount_check},
                                       {"HistogramFixedWidth", histogram_run, 0, NULL},
                                       SEGMENT_OPS(ROW)};

const cnnfi_kernel_family cnnfi_kernels_segment = {"segment", kernels, sizeof(kernels) / sizeof(kernels[0])};
