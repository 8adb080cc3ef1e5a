/* SPDX-License-Identifier: Apache-2.0 */
/* Ops that compare elements with each other: ArgMax, TopK, NthElement, InTopK, Unique, LowerBound, ListDiff. */
#include "ops/rules/sort_topk_rules.h"

#include <string.h>

#include "ops/op_rules.h"

/* An attribute that says int32 or int64, of which int32 is the default. */
static cnnf_dtype index_dtype(const cnnfi_call *call, const char *attr)
{
    return cnnf_node_attr_type(call->node, attr, CNNF_INT32) == CNNF_INT64 ? CNNF_INT64 : CNNF_INT32;
}

/* Whether the elements are at hand and can be compared. */
static bool has_numbers(const cnnfi_value *value)
{
    static const uint8_t zero[16];
    double number;
    const bool is_complex = value->dtype == CNNF_COMPLEX64 || value->dtype == CNNF_COMPLEX128;
    return value->data && !is_complex && cnnfi_element_f64(&number, value->dtype, zero, 0);
}

/* ---- ArgMax, ArgMin ---- */

static cnnf_status infer_arg(cnnfi_call *call)
{
    int64_t value, dims[CNNFI_OP_MAX_RANK];
    int32_t axis, rank = 0;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    const cnnfi_value *in = call->inputs;
    const cnnf_dtype dtype = cnnf_node_attr_type(call->node, "output_type", CNNF_INT64);
    if (dtype != CNNF_INT32 && dtype != CNNF_INT64 && dtype != CNNF_INT16 && dtype != CNNF_UINT16) {
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "output_type %s", cnnf_dtype_name(dtype));
    }
    /* a scalar has no axis to look along: refused below */
    CNNFI_TRY(cnnfi_output_of_rank(call, dtype, in->rank > 0 ? in->rank - 1 : in->rank));
    CNNFI_TRY(cnnfi_call_int(call, 1, &value));
    CNNFI_TRY(cnnfi_check_axis(call, value, in->rank, "dimension", &axis));
    if (in->dims[axis] == 0) return cnnfi_call_fail(call, CNNF_E_INVALID, "axis %d is empty", axis);
    for (int32_t i = 0; i < in->rank; i++)
        if (i != axis) dims[rank++] = in->dims[i];
    return cnnfi_output_one(call, dtype, rank, dims);
}

/* ---- TopK, NthElement, InTopK ---- */

/* A number from input 1, of which the last axis of input 0 has at least `spare` more. CNNFI_UNKNOWN as long as it is
   not known. */
static cnnf_status check_last(cnnfi_call *call, const char *what, int64_t k, int64_t spare)
{
    const cnnfi_value *in = &call->inputs[0];
    const int64_t last = in->rank > 0 ? in->dims[in->rank - 1] : CNNFI_UNKNOWN;
    if (k >= 0 && (last == CNNFI_UNKNOWN || k <= last - spare)) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "%s is %lld of %lld elements", what, (long long)k, (long long)last);
}

static cnnf_status infer_topk(cnnfi_call *call)
{
    int64_t k = cnnf_node_attr_int(call->node, "k", -1);
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 2));
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, 1));
    const cnnf_status status = call->n_inputs == 2 ? cnnfi_call_int(call, 1, &k) : CNNF_OK;
    if (status < 0) return status;
    if (status == CNNF_OK) CNNFI_TRY(check_last(call, "k", k, 0));
    cnnf_dtype index = cnnf_node_attr_type(call->node, "index_type", CNNF_INT32);
    if (index != CNNF_INT64 && index != CNNF_INT16) index = CNNF_INT32;
    cnnfi_value out = call->inputs[0];
    if (out.rank > 0) out.dims[out.rank - 1] = status == CNNF_OK ? k : CNNFI_UNKNOWN;
    CNNFI_TRY(cnnfi_call_output(call, 0, out.dtype, out.rank, out.dims));
    CNNFI_TRY(cnnfi_call_output(call, 1, index, out.rank, out.dims));
    return status;
}

/* The n-th smallest of each row. */
static cnnf_status infer_nth(cnnfi_call *call)
{
    int64_t n;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, 1));
    const cnnfi_value *in = call->inputs;
    CNNFI_TRY(cnnfi_output_one(call, in->dtype, in->rank == CNNFI_UNKNOWN ? CNNFI_UNKNOWN : in->rank - 1, in->dims));
    CNNFI_TRY(cnnfi_call_int(call, 1, &n));
    return check_last(call, "n", n, 1);
}

/* predictions, targets, k */
static cnnf_status infer_in_topk(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 3));
    CNNFI_TRY(cnnfi_want_dtype(call, 0, CNNF_FLOAT));
    CNNFI_TRY(cnnfi_want_rank(call, 0, 2));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 1));
    const int64_t rows = call->inputs[0].dims[0], targets = call->inputs[1].dims[0];
    if (!cnnfi_dim_fits(rows, targets)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "one target per row is needed");
    }
    if (call->n_inputs == 3 && !cnnfi_dim_fits(call->inputs[2].count, 1)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "k must be a scalar");
    }
    return cnnfi_output_one(call, CNNF_BOOL, 1, (const int64_t[]){cnnfi_dim_merge(rows, targets)});
}

/* ---- Unique and kin ---- */

static bool slices_equal(const cnnfi_slices *s, int64_t a, int64_t b)
{
    const cnnf_dtype dtype = s->in->dtype;
    for (int64_t o = 0; o < s->outer; o++) {
        for (int64_t i = 0; i < s->inner; i++) {
            const int64_t at = o * s->n * s->inner + i;
            double x, y;
            cnnfi_element_f64(&x, dtype, s->in->data, at + a * s->inner);
            cnnfi_element_f64(&y, dtype, s->in->data, at + b * s->inner);
            if (x != y || cnnfi_compare_elements(s->in, at + a * s->inner, at + b * s->inner) != 0) return false;
        }
    }
    return true;
}

static uint64_t hash_slice(const cnnfi_slices *s, int64_t a)
{
    uint64_t hash = 0x9e3779b97f4a7c15u;
    for (int64_t o = 0; o < s->outer; o++) {
        for (int64_t i = 0; i < s->inner; i++) {
            double x;
            uint64_t bits;
            cnnfi_element_f64(&x, s->in->dtype, s->in->data, (o * s->n + a) * s->inner + i);
            x += 0.0; /* -0 is 0 */
            memcpy(&bits, &x, sizeof bits);
            hash = (hash ^ bits) * 0xff51afd7ed558ccdu;
            hash ^= hash >> 32;
        }
    }
    return hash;
}

/* first[u]: the slice that unique u stands for; id[i]: the unique of slice i. table: mask + 1 places, -1 free. */
static int64_t find_uniques(const cnnfi_slices *s, int64_t *first, int64_t *id, int64_t *table, int64_t mask)
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

cnnf_status cnnfi_unique_count(cnnfi_call *call, const cnnfi_slices *slices, int64_t **block, int64_t *count)
{
    int64_t places = 1;
    while (places < 2 * slices->n)
        places *= 2;
    *block = cnnfi_array(call->context, (size_t)(2 * slices->n + places), sizeof **block);
    if (!*block) return cnnfi_fail_nomem(call->error);
    *count = find_uniques(slices, *block, *block + slices->n, *block + 2 * slices->n, places - 1);
    return CNNF_OK;
}

cnnf_status cnnfi_unique_slices(cnnfi_call *call, cnnfi_slices *slices)
{
    const cnnfi_value *in = &call->inputs[0];
    int64_t given = 0, n_axes = 0;
    if (call->n_inputs == 2) {
        CNNFI_TRY(cnnfi_want_int(call, 1));
        n_axes = call->inputs[1].count;
        if (n_axes > 1) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "at most one axis");
        if (n_axes == CNNFI_UNKNOWN) return CNNFI_INFER_DYNAMIC;
        if (n_axes == 1) CNNFI_TRY(cnnfi_call_int(call, 1, &given));
    }
    if (n_axes == 0) CNNFI_TRY(cnnfi_want_rank(call, 0, 1));
    *slices = (cnnfi_slices){.in = in};
    CNNFI_TRY(cnnfi_check_axis(call, given, in->rank, "axis", &slices->axis));
    slices->n = in->dims[slices->axis];
    slices->outer = cnnfi_dims_product(in->dims, 0, slices->axis);
    slices->inner = cnnfi_dims_product(in->dims, slices->axis + 1, in->rank);
    return CNNF_OK;
}

/* `count` different slices along `axis` of n; outputs: them, the number of each slice, how often each is there. */
static cnnf_status declare_unique(cnnfi_call *call, int32_t axis, int64_t n, int64_t count)
{
    const cnnf_dtype index = index_dtype(call, "out_idx");
    cnnfi_value out = call->inputs[0];
    if (call->n_inputs == 1) out.rank = 1;
    for (int32_t i = 0; i < out.rank; i++)
        if (axis == CNNFI_UNKNOWN || i == axis) out.dims[i] = count;
    CNNFI_TRY(cnnfi_call_output(call, 0, out.dtype, out.rank, out.dims));
    CNNFI_TRY(cnnfi_call_output(call, 1, index, 1, &n));
    const bool with_counts = strncmp(call->node->op, "UniqueWithCounts", 16) == 0;
    return with_counts ? cnnfi_call_output(call, 2, index, 1, &count) : CNNF_OK;
}

static cnnf_status infer_unique(cnnfi_call *call)
{
    cnnfi_slices s;
    int64_t *block, count;
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 2));
    const cnnf_status status = cnnfi_unique_slices(call, &s);
    if (status < 0) return status;
    if (status == CNNFI_INFER_DYNAMIC) {
        CNNFI_TRY(declare_unique(call, CNNFI_UNKNOWN, CNNFI_UNKNOWN, CNNFI_UNKNOWN));
        return status;
    }
    CNNFI_TRY(declare_unique(call, s.axis, s.n, CNNFI_UNKNOWN));
    if (!has_numbers(s.in)) return CNNFI_INFER_DYNAMIC;
    CNNFI_TRY(cnnfi_unique_count(call, &s, &block, &count));
    cnnfi_free(call->context, block);
    return declare_unique(call, s.axis, s.n, count);
}

/* ---- ListDiff: what of x is not in y, and where it was ---- */

bool cnnfi_list_has(const cnnfi_value *y, const cnnfi_value *x, int64_t i)
{
    double real, other;
    int64_t whole, other_whole;
    cnnfi_element_f64(&real, x->dtype, x->data, i);
    cnnfi_element_i64(&whole, x->dtype, x->data, i);
    for (int64_t k = 0; k < y->count; k++) {
        cnnfi_element_f64(&other, y->dtype, y->data, k);
        cnnfi_element_i64(&other_whole, y->dtype, y->data, k);
        if (real == other && whole == other_whole) return true;
    }
    return false;
}

static cnnf_status infer_list_diff(cnnfi_call *call)
{
    const cnnfi_value *x = &call->inputs[0], *y = &call->inputs[1];
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    CNNFI_TRY(cnnfi_want_rank(call, 0, 1));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 1));
    const bool is_known = has_numbers(x) && has_numbers(y);
    int64_t count = is_known ? 0 : CNNFI_UNKNOWN;
    for (int64_t i = 0; is_known && i < x->count; i++)
        count += !cnnfi_list_has(y, x, i);
    CNNFI_TRY(cnnfi_call_output(call, 0, x->dtype, 1, &count));
    return cnnfi_call_output(call, 1, index_dtype(call, "out_idx"), 1, &count);
}

/* ---- LowerBound, UpperBound: sorted [batch, n], values [batch, m] ---- */

static cnnf_status infer_bound(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    CNNFI_TRY(cnnfi_want_rank(call, 0, 2));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 2));
    const int64_t batch = call->inputs[0].dims[0], *values = call->inputs[1].dims;
    if (!cnnfi_dim_fits(batch, values[0])) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the batches differ");
    return cnnfi_output_one(call, index_dtype(call, "out_type"), 2,
                            (const int64_t[]){cnnfi_dim_merge(batch, values[0]), values[1]});
}

static const cnnfi_op_rule rules[] = {
    {"ArgMax", infer_arg, 0},
    {"ArgMin", infer_arg, 0},
    {"InTopK", infer_in_topk, 0},
    {"InTopKV2", infer_in_topk, 0},
    {"ListDiff", infer_list_diff, 0},
    {"LowerBound", infer_bound, 0},
    {"NthElement", infer_nth, 0},
    {"TopK", infer_topk, 0},
    {"TopKV2", infer_topk, 0},
    {"Unique", infer_unique, 0},
    {"UniqueV2", infer_unique, 0},
    {"UniqueWithCounts", infer_unique, 0},
    {"UniqueWithCountsV2", infer_unique, 0},
    {"UpperBound", infer_bound, 0},
};

const cnnfi_rule_family cnnfi_rules_sort_topk = {"order", rules, sizeof rules / sizeof *rules};
