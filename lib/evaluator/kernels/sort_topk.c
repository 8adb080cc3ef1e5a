/* SPDX-License-Identifier: Apache-2.0 */
/* Ops that compare elements with each other: ArgMax, TopK, NthElement, InTopK, Unique, LowerBound, ListDiff. */
#include <math.h>

#include "evaluator/kernels/portable.h"
#include "ops/rules/sort_topk_rules.h"

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
                if (cnnfi_compare_elements(in, first + k * inner, first + best * inner) == sign) best = k;
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
    int c = cnnfi_compare_elements(o->v, o->base + a, o->base + b);
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

static cnnf_status topk_scratch(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_take_ordered(call));
    const cnnfi_value *out = &call->outputs[0];
    call->scratch_size = (size_t)out->dims[out->rank - 1] * sizeof(int64_t);
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

static cnnf_status nth_scratch(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_take_ordered(call));
    call->scratch_size = (size_t)(cnnfi_get_i64(&call->inputs[1], 0) + 1) * sizeof(int64_t);
    return CNNF_OK;
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

static bool with_counts(const cnnfi_call *call)
{
    return strncmp(call->node->op, "UniqueWithCounts", 16) == 0;
}

static cnnf_status unique_run(cnnfi_call *call)
{
    cnnfi_slices s;
    int64_t *block, count;
    CNNFI_TRY(cnnfi_unique_slices(call, &s));
    CNNFI_TRY(cnnfi_unique_count(call, &s, &block, &count));
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

static cnnf_status diff_run(cnnfi_call *call)
{
    int64_t at = 0;
    for (int64_t i = 0; i < call->inputs[0].count; i++) {
        if (cnnfi_list_has(&call->inputs[1], call->inputs, i)) continue;
        copy_element(&call->outputs[0], at, call->inputs, i);
        put_index(&call->outputs[1], at++, i);
    }
    return CNNF_OK;
}

/* ---- LowerBound, UpperBound: sorted (batch, n), values (batch, m) ---- */

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
    {"ArgMax", arg_max_run, 0, cnnfi_take_ordered},
    {"ArgMin", arg_min_run, 0, cnnfi_take_ordered},
    {"InTopK", in_topk_run, 0, NULL},
    {"InTopKV2", in_topk_run, 0, NULL},
    {"ListDiff", diff_run, 0, cnnfi_take_ordered},
    {"LowerBound", lower_run, 0, cnnfi_take_ordered},
    {"NthElement", nth_run, 0, nth_scratch},
    {"TopK", topk_run, 0, topk_scratch},
    {"TopKV2", topk_run, 0, topk_scratch},
    {"Unique", unique_run, 0, cnnfi_take_ordered},
    {"UniqueV2", unique_run, 0, cnnfi_take_ordered},
    {"UniqueWithCounts", unique_run, 0, cnnfi_take_ordered},
    {"UniqueWithCountsV2", unique_run, 0, cnnfi_take_ordered},
    {"UpperBound", upper_run, 0, cnnfi_take_ordered},
};

const cnnfi_kernel_family cnnfi_kernels_order = {"order", kernels, sizeof(kernels) / sizeof(kernels[0])};
