/* SPDX-License-Identifier: Apache-2.0 */
/* Ops that compare elements with each other: ArgMax, TopK, NthElement, InTopK, Unique, LowerBound, ListDiff. */
#include <math.h>

#include "evaluator/kernels/portable.h"

/* -1, 0, 1; exact for every type. NaN compares equal to everything, as in chains of '<'. */
static int compare(const cnnfi_value *v, int64_t i, int64_t j)
{
    cnnfi_type type = cnnfi_type_of(v->dtype);
    if (type >= CNNFI_T_I8 && type <= CNNFI_T_U64) {
        uint64_t flip = type == CNNFI_T_U64 ? (uint64_t)1 << 63 : 0; /* orders uint64 as int64 */
        int64_t a = (int64_t)((uint64_t)cnnfi_get_i64(v, i) ^ flip),
                b = (int64_t)((uint64_t)cnnfi_get_i64(v, j) ^ flip);
        return (a > b) - (a < b);
    }
    double a = cnnfi_get_f64(v, i), b = cnnfi_get_f64(v, j);
    return (a > b) - (a < b);
}

static cnnf_status want_ordered(cnnfi_call *call, int32_t input)
{
    cnnfi_type type = cnnfi_type_of(call->inputs[input].dtype);
    return type < CNNFI_T_C64 ? CNNF_OK : cnnfi_fail_dtype(call, input);
}

static void put_index(cnnfi_value *out, int64_t at, int64_t value)
{
    size_t size = cnnf_dtype_size(out->dtype);
    memcpy((char *)out->data + (size_t)at * size, &value, size);
}

static void copy_element(cnnfi_value *out, int64_t at, const cnnfi_value *in, int64_t from)
{
    size_t size = cnnf_dtype_size(in->dtype);
    memcpy((char *)out->data + (size_t)at * size, (const char *)in->data + (size_t)from * size, size);
}

/* ---- ArgMax, ArgMin ---- */

static cnnf_status arg_infer(cnnfi_call *call)
{
    int64_t value, dims[CNNFI_OP_MAX_RANK];
    int32_t axis, rank = 0;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(want_ordered(call, 0));
    const cnnfi_value *in = call->inputs;
    CNNFI_TRY(cnnfi_call_int(call, 1, &value));
    CNNFI_TRY(cnnfi_check_axis(call, value, in->rank, "dimension", &axis));
    for (int32_t i = 0; i < in->rank; i++)
        if (i != axis) dims[rank++] = in->dims[i];
    if (in->dims[axis] == 0) return cnnfi_call_fail(call, CNNF_E_INVALID, "axis %d is empty", axis);
    cnnf_dtype dtype = cnnf_node_attr_type(call->node, "output_type", CNNF_INT64);
    if (dtype != CNNF_INT32 && dtype != CNNF_INT64 && dtype != CNNF_INT16 && dtype != CNNF_UINT16)
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "output_type %s", cnnf_dtype_name(dtype));
    return cnnfi_output_one(call, dtype, rank, dims);
}

/* The first of equals wins; a comparison with NaN is false. */
static cnnf_status arg_run(cnnfi_call *call, int sign)
{
    const cnnfi_value *in = call->inputs;
    int64_t axis = cnnfi_get_i64(&call->inputs[1], 0);
    if (axis < 0) axis += in->rank;
    int64_t n = in->dims[axis], inner = cnnfi_span(in->dims, (int32_t)axis + 1, in->rank);
    for (int64_t i = 0; i < call->outputs[0].count; i++) {
        int64_t first = i / inner * n * inner + i % inner, best = 0;
        if (in->dtype == CNNF_FLOAT) {
            const float *x = (const float *)in->data + first;
            for (int64_t k = 1; k < n; k++)
                if (sign > 0 ? x[k * inner] > x[best * inner] : x[k * inner] < x[best * inner]) best = k;
        } else {
            for (int64_t k = 1; k < n; k++)
                if (compare(in, first + k * inner, first + best * inner) == sign) best = k;
        }
        put_index(&call->outputs[0], i, best);
    }
    return CNNF_OK;
}

static cnnf_status arg_max_run(cnnfi_call *call)
{
    return arg_run(call, 1);
}

static cnnf_status arg_min_run(cnnfi_call *call)
{
    return arg_run(call, -1);
}

/* ---- sorting rows of indices ---- */

typedef struct sort_order {
    const cnnfi_value *v;
    int64_t base;
    bool descending;
} sort_order;

static bool comes_first(const sort_order *o, int64_t a, int64_t b)
{
    int c = compare(o->v, o->base + a, o->base + b);
    if (o->descending) c = -c;
    return c < 0 || (c == 0 && a < b); /* equal ones in the order they came */
}

static void sift_down(int64_t *heap, int64_t n, int64_t at, const sort_order *o)
{
    for (;;) { /* the last in order on top */
        int64_t child = 2 * at + 1;
        if (child >= n) return;
        if (child + 1 < n && comes_first(o, heap[child], heap[child + 1])) child++;
        if (!comes_first(o, heap[at], heap[child])) return;
        int64_t t = heap[at];
        heap[at] = heap[child];
        heap[child] = t;
        at = child;
    }
}

/* The first k of n in order, as indices. */
static void first_k(const sort_order *o, int64_t n, int64_t k, int64_t *heap)
{
    for (int64_t i = 0; i < k; i++)
        heap[i] = i;
    for (int64_t i = k / 2 - 1; i >= 0; i--)
        sift_down(heap, k, i, o);
    for (int64_t i = k; i < n && k > 0; i++) {
        if (!comes_first(o, i, heap[0])) continue;
        heap[0] = i;
        sift_down(heap, k, 0, o);
    }
    for (int64_t i = k - 1; i > 0; i--) {
        int64_t t = heap[0];
        heap[0] = heap[i];
        heap[i] = t;
        sift_down(heap, i, 0, o);
    }
}

/* ---- TopK, TopKV2 ---- */

static cnnf_status topk_infer(cnnfi_call *call)
{
    int64_t k, dims[CNNFI_OP_MAX_RANK];
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 2));
    CNNFI_TRY(want_ordered(call, 0));
    const cnnfi_value *in = call->inputs;
    k = cnnf_node_attr_int(call->node, "k", -1);
    if (call->n_inputs == 2) CNNFI_TRY(cnnfi_call_int(call, 1, &k));
    if (in->rank < 1 || k < 0 || k > in->dims[in->rank - 1])
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "k is %lld of %lld elements", (long long)k,
                               (long long)(in->rank ? in->dims[in->rank - 1] : 0));
    memcpy(dims, in->dims, sizeof(dims));
    dims[in->rank - 1] = k;
    cnnf_dtype index = cnnf_node_attr_type(call->node, "index_type", CNNF_INT32);
    if (index != CNNF_INT64 && index != CNNF_INT16) index = CNNF_INT32;
    CNNFI_TRY(cnnfi_call_output(call, 0, in->dtype, in->rank, dims));
    CNNFI_TRY(cnnfi_call_output(call, 1, index, in->rank, dims));
    call->n_outputs = 2;
    call->scratch_size = (size_t)k * sizeof(int64_t);
    return CNNF_OK;
}

static cnnf_status topk_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs;
    int64_t n = in->dims[in->rank - 1], k = call->outputs[0].dims[in->rank - 1], *heap = call->scratch;
    for (int64_t row = 0; k > 0 && row < in->count / n; row++) {
        first_k(&(sort_order){.v = in, .base = row * n, .descending = true}, n, k, heap);
        for (int64_t i = 0; i < k; i++) {
            copy_element(&call->outputs[0], row * k + i, in, row * n + heap[i]);
            put_index(&call->outputs[1], row * k + i, heap[i]);
        }
    }
    return CNNF_OK;
}

/* ---- NthElement: the n-th smallest (reverse: largest) of each row ---- */

static cnnf_status nth_infer(cnnfi_call *call)
{
    int64_t n;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(want_ordered(call, 0));
    CNNFI_TRY(cnnfi_call_int(call, 1, &n));
    const cnnfi_value *in = call->inputs;
    if (in->rank < 1 || n < 0 || n >= in->dims[in->rank - 1])
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "n is %lld of %lld elements", (long long)n,
                               (long long)(in->rank ? in->dims[in->rank - 1] : 0));
    call->scratch_size = (size_t)(n + 1) * sizeof(int64_t);
    return cnnfi_output_one(call, in->dtype, in->rank - 1, in->dims);
}

static cnnf_status nth_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs;
    int64_t width = in->dims[in->rank - 1], n = cnnfi_get_i64(&call->inputs[1], 0), *heap = call->scratch;
    bool reverse = cnnf_node_attr_bool(call->node, "reverse", 0) != 0;
    for (int64_t row = 0; row < call->outputs[0].count; row++) {
        first_k(&(sort_order){.v = in, .base = row * width, .descending = reverse}, width, n + 1, heap);
        copy_element(&call->outputs[0], row, in, row * width + heap[n]);
    }
    return CNNF_OK;
}

/* ---- InTopK: predictions, targets, k ---- */

static cnnf_status in_topk_infer(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 3));
    CNNFI_TRY(cnnfi_want_dtype(call, 0, CNNF_FLOAT));
    CNNFI_TRY(cnnfi_want_rank(call, 0, 2));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 1));
    CNNFI_TRY(cnnfi_want_int(call, 1));
    if (call->inputs[0].dims[0] != call->inputs[1].dims[0])
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "one target per row is needed");
    if (call->n_inputs == 3 && call->inputs[2].count != 1)
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "k must be a scalar");
    return cnnfi_output_like(call, 1, CNNF_BOOL);
}

/* A target outside the classes, or a row with a number that is not finite, is not in the top (in_topk_op.h). */
static cnnf_status in_topk_run(cnnfi_call *call)
{
    const cnnfi_value *p = call->inputs, *targets = &call->inputs[1];
    int64_t classes = p->dims[1], k = cnnf_node_attr_int(call->node, "k", 0);
    if (call->n_inputs == 3) k = cnnfi_get_i64(&call->inputs[2], 0);
    for (int64_t row = 0; row < targets->count; row++) {
        const float *x = (const float *)p->data + row * classes;
        int64_t target = cnnfi_get_i64(targets, row), better = 0;
        bool good = target >= 0 && target < classes && isfinite(x[target]);
        for (int64_t c = 0; good && c < classes; c++) {
            good = isfinite(x[c]);
            better += x[c] > x[target];
        }
        ((uint8_t *)call->outputs[0].data)[row] = good && better < k;
    }
    return CNNF_OK;
}

/* ---- Unique and kin: slices along an axis, numbered in the order they first come ---- */

typedef struct slices {
    const cnnfi_value *in;
    int64_t n, outer, inner; /* slices; elements of one: outer rows of inner */
} slices;

static bool slices_equal(const slices *s, int64_t a, int64_t b)
{
    for (int64_t o = 0; o < s->outer; o++)
        for (int64_t i = 0; i < s->inner; i++) {
            int64_t at = o * s->n * s->inner + i;
            double x = cnnfi_get_f64(s->in, at + a * s->inner), y = cnnfi_get_f64(s->in, at + b * s->inner);
            if (x != y || compare(s->in, at + a * s->inner, at + b * s->inner) != 0) return false;
        }
    return true;
}

static uint64_t hash_slice(const slices *s, int64_t a)
{
    uint64_t hash = 0x9e3779b97f4a7c15u;
    for (int64_t o = 0; o < s->outer; o++)
        for (int64_t i = 0; i < s->inner; i++) {
            double x = cnnfi_get_f64(s->in, (o * s->n + a) * s->inner + i) + 0.0; /* -0 is 0 */
            uint64_t bits;
            memcpy(&bits, &x, sizeof(bits));
            hash = (hash ^ bits) * 0xff51afd7ed558ccdu;
            hash ^= hash >> 32;
        }
    return hash;
}

/* first[u]: the slice that unique u stands for; id[i]: the unique of slice i. table: 2^bits places, -1 free. */
static int64_t find_uniques(const slices *s, int64_t *first, int64_t *id, int64_t *table, int64_t mask)
{
    int64_t count = 0;
    for (int64_t i = 0; i <= mask; i++)
        table[i] = -1;
    for (int64_t i = 0; i < s->n; i++) {
        int64_t at = (int64_t)(hash_slice(s, i) & (uint64_t)mask);
        while (table[at] >= 0 && !slices_equal(s, first[table[at]], i))
            at = (at + 1) & mask;
        if (table[at] < 0) {
            first[count] = i;
            table[at] = count++;
        }
        id[i] = table[at];
    }
    return count;
}

static cnnf_status unique_slices(cnnfi_call *call, slices *s, int32_t *axis)
{
    const cnnfi_value *in = call->inputs;
    int64_t given = 0;
    *axis = 0;
    if (call->n_inputs == 2) {
        CNNFI_TRY(cnnfi_want_int(call, 1));
        if (call->inputs[1].count > 1) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "at most one axis");
        if (call->inputs[1].count == 1) CNNFI_TRY(cnnfi_call_int(call, 1, &given));
    }
    if (call->n_inputs < 2 || call->inputs[1].count == 0) CNNFI_TRY(cnnfi_want_rank(call, 0, 1));
    CNNFI_TRY(cnnfi_check_axis(call, given, in->rank, "axis", axis));
    *s = (slices){.in = in,
                  .n = in->dims[*axis],
                  .outer = cnnfi_span(in->dims, 0, *axis),
                  .inner = cnnfi_span(in->dims, *axis + 1, in->rank)};
    return CNNF_OK;
}

/* One block for first, id and the hash table. */
static cnnf_status count_uniques(cnnfi_call *call, const slices *s, int64_t **block, int64_t *count)
{
    int64_t mask = 1;
    while (mask < 2 * s->n)
        mask *= 2;
    *block = cnnfi_array(call->context, (size_t)(2 * s->n + mask), sizeof(int64_t));
    if (!*block) return cnnfi_fail_nomem(call->error);
    *count = find_uniques(s, *block, *block + s->n, *block + 2 * s->n, mask - 1);
    return CNNF_OK;
}

static bool with_counts(const cnnfi_call *call)
{
    return strncmp(call->node->op, "UniqueWithCounts", 16) == 0;
}

static cnnf_status unique_infer(cnnfi_call *call)
{
    slices s;
    int64_t *block, count, dims[CNNFI_OP_MAX_RANK];
    int32_t axis;
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 2));
    CNNFI_TRY(want_ordered(call, 0));
    CNNFI_TRY(unique_slices(call, &s, &axis));
    CNNFI_TRY(cnnfi_want_value(call, 0));
    CNNFI_TRY(count_uniques(call, &s, &block, &count));
    cnnfi_free(call->context, block);
    cnnf_dtype index = cnnf_node_attr_type(call->node, "out_idx", CNNF_INT32) == CNNF_INT64 ? CNNF_INT64 : CNNF_INT32;
    memcpy(dims, s.in->dims, sizeof(dims));
    dims[axis] = count;
    CNNFI_TRY(cnnfi_call_output(call, 0, s.in->dtype, s.in->rank, dims));
    CNNFI_TRY(cnnfi_call_output(call, 1, index, 1, &s.n));
    call->n_outputs = with_counts(call) ? 3 : 2;
    return call->n_outputs == 3 ? cnnfi_call_output(call, 2, index, 1, &count) : CNNF_OK;
}

static cnnf_status unique_run(cnnfi_call *call)
{
    slices s;
    int64_t *block, count;
    int32_t axis;
    CNNFI_TRY(unique_slices(call, &s, &axis));
    CNNFI_TRY(count_uniques(call, &s, &block, &count));
    const int64_t *first = block, *id = block + s.n;
    for (int64_t o = 0; o < s.outer; o++)
        for (int64_t u = 0; u < count; u++)
            for (int64_t i = 0; i < s.inner; i++)
                copy_element(&call->outputs[0], (o * count + u) * s.inner + i, s.in,
                             (o * s.n + first[u]) * s.inner + i);
    for (int64_t i = 0; i < s.n; i++)
        put_index(&call->outputs[1], i, id[i]);
    for (int64_t u = 0; with_counts(call) && u < count; u++)
        put_index(&call->outputs[2], u, 0);
    for (int64_t i = 0; with_counts(call) && i < s.n; i++)
        put_index(&call->outputs[2], id[i], cnnfi_get_i64(&call->outputs[2], id[i]) + 1);
    cnnfi_free(call->context, block);
    return CNNF_OK;
}

/* ---- ListDiff: what of x is not in y, and where it was ---- */

static bool is_member(const cnnfi_value *x, int64_t i, const cnnfi_value *y)
{
    for (int64_t k = 0; k < y->count; k++)
        if (cnnfi_get_f64(x, i) == cnnfi_get_f64(y, k) && cnnfi_get_i64(x, i) == cnnfi_get_i64(y, k)) return true;
    return false;
}

static cnnf_status diff_infer(cnnfi_call *call)
{
    int64_t count = 0;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(want_ordered(call, 0));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    CNNFI_TRY(cnnfi_want_rank(call, 0, 1));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 1));
    CNNFI_TRY(cnnfi_want_value(call, 0));
    CNNFI_TRY(cnnfi_want_value(call, 1));
    for (int64_t i = 0; i < call->inputs[0].count; i++)
        count += !is_member(call->inputs, i, &call->inputs[1]);
    cnnf_dtype index = cnnf_node_attr_type(call->node, "out_idx", CNNF_INT32) == CNNF_INT64 ? CNNF_INT64 : CNNF_INT32;
    CNNFI_TRY(cnnfi_call_output(call, 0, call->inputs[0].dtype, 1, &count));
    call->n_outputs = 2;
    return cnnfi_call_output(call, 1, index, 1, &count);
}

static cnnf_status diff_run(cnnfi_call *call)
{
    int64_t at = 0;
    for (int64_t i = 0; i < call->inputs[0].count; i++) {
        if (is_member(call->inputs, i, &call->inputs[1])) continue;
        copy_element(&call->outputs[0], at, call->inputs, i);
        put_index(&call->outputs[1], at++, i);
    }
    return CNNF_OK;
}

/* ---- LowerBound, UpperBound: sorted (batch, n), values (batch, m) ---- */

static cnnf_status bound_infer(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(want_ordered(call, 0));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    CNNFI_TRY(cnnfi_want_rank(call, 0, 2));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 2));
    if (call->inputs[0].dims[0] != call->inputs[1].dims[0])
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the batches differ");
    return cnnfi_output_like(
        call, 1, cnnf_node_attr_type(call->node, "out_type", CNNF_INT32) == CNNF_INT64 ? CNNF_INT64 : CNNF_INT32);
}

/* upper: the first place above the value, else the first not below it. */
static cnnf_status bound_run(cnnfi_call *call, bool upper)
{
    const cnnfi_value *sorted = call->inputs, *values = &call->inputs[1];
    int64_t n = sorted->dims[1], m = values->dims[1];
    for (int64_t i = 0; i < values->count; i++) {
        int64_t row = i / m * n, low = 0, high = n;
        double x = cnnfi_get_f64(values, i);
        while (low < high) {
            int64_t middle = (low + high) / 2;
            double y = cnnfi_get_f64(sorted, row + middle);
            if (upper ? !(x < y) : y < x)
                low = middle + 1;
            else
                high = middle;
        }
        put_index(&call->outputs[0], i, low);
    }
    return CNNF_OK;
}

static cnnf_status lower_run(cnnfi_call *call)
{
    return bound_run(call, false);
}

static cnnf_status upper_run(cnnfi_call *call)
{
    return bound_run(call, true);
}

static const cnnfi_kernel kernels[] = {
    {"ArgMax", arg_infer, arg_max_run, 0},
    {"ArgMin", arg_infer, arg_min_run, 0},
    {"InTopK", in_topk_infer, in_topk_run, 0},
    {"InTopKV2", in_topk_infer, in_topk_run, 0},
    {"ListDiff", diff_infer, diff_run, 0},
    {"LowerBound", bound_infer, lower_run, 0},
    {"NthElement", nth_infer, nth_run, 0},
    {"TopK", topk_infer, topk_run, 0},
    {"TopKV2", topk_infer, topk_run, 0},
    {"Unique", unique_infer, unique_run, 0},
    {"UniqueV2", unique_infer, unique_run, 0},
    {"UniqueWithCounts", unique_infer, unique_run, 0},
    {"UniqueWithCountsV2", unique_infer, unique_run, 0},
    {"UpperBound", bound_infer, upper_run, 0},
};

const cnnfi_kernel_family cnnfi_kernels_order = {"order", kernels, sizeof(kernels) / sizeof(kernels[0])};
