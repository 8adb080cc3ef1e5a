/* SPDX-License-Identifier: Apache-2.0 */
/* Rows gathered into segments, and counting: Segment*, UnsortedSegment*, SparseSegment*, Bincount,
   HistogramFixedWidth. */
#include "graph/element.h"
#include "ops/op_rules.h"

/* ---- segments ---- */

/* The number that input `input` says; CNNFI_UNKNOWN when its value is not known. */
static cnnf_status read_count(cnnfi_call *call, int32_t input, int64_t least, const char *what, int64_t *count)
{
    CNNFI_TRY(cnnfi_want_rank(call, input, 0));
    const cnnf_status status = cnnfi_call_int(call, input, count);
    if (status == CNNFI_INFER_DYNAMIC) *count = CNNFI_UNKNOWN;
    if (status) return status < 0 ? status : CNNF_OK;
    if (*count >= least) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_INVALID, "%s is %lld, must be >= %lld", what, (long long)*count,
                           (long long)least);
}

/* Segments of a sorted list: one more than its last id; ids must not fall. */
static cnnf_status sorted_count(cnnfi_call *call, const cnnfi_value *ids, int64_t *count)
{
    int64_t last = -1;
    *count = CNNFI_UNKNOWN;
    if (!ids->data || !ids->dtype || !cnnfi_value_is_shaped(ids)) return CNNF_OK;
    for (int64_t i = 0; i < ids->count; i++) {
        int64_t id;
        cnnfi_element_i64(&id, ids->dtype, ids->data, i);
        if (id < 0 || id < last) {
            return cnnfi_call_fail(call, CNNF_E_INVALID, "segment ids are not increasing at %lld", (long long)i);
        }
        last = id;
    }
    *count = cnnfi_dim_add(last, 1);
    return CNNF_OK;
}

/* `segments` rows of the data's axes after the first `skip`, which the ids stand for. */
static cnnf_status output_segments(cnnfi_call *call, int64_t segments, int32_t skip)
{
    int64_t dims[CNNFI_OP_MAX_RANK + 1] = {segments};
    const cnnfi_value *data = &call->inputs[0];
    if (data->rank == CNNFI_UNKNOWN || skip == CNNFI_UNKNOWN) {
        return cnnfi_output_of_rank(call, data->dtype, CNNFI_UNKNOWN);
    }
    for (int32_t i = skip; i < data->rank; i++)
        dims[1 + i - skip] = data->dims[i];
    return cnnfi_output_one(call, data->dtype, data->rank - skip + 1, dims);
}

/* data, segment_ids: an id for each row */
static cnnf_status infer_sorted(cnnfi_call *call)
{
    int64_t count;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, 1));
    CNNFI_TRY(cnnfi_want_int(call, 1));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 1));
    const cnnfi_value *data = &call->inputs[0], *ids = &call->inputs[1];
    if (!cnnfi_dim_fits(data->dims[0], ids->dims[0])) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "%lld segment ids for %lld rows", (long long)ids->dims[0],
                               (long long)data->dims[0]);
    }
    CNNFI_TRY(sorted_count(call, ids, &count));
    return output_segments(call, count, 1);
}

/* data, segment_ids of a leading part of its shape, num_segments */
static cnnf_status infer_unsorted(cnnfi_call *call)
{
    int64_t count;
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 3));
    CNNFI_TRY(cnnfi_want_int(call, 1));
    const cnnfi_value *data = &call->inputs[0], *ids = &call->inputs[1];
    bool fits = data->rank == CNNFI_UNKNOWN || ids->rank <= data->rank;
    for (int32_t i = 0; data->rank != CNNFI_UNKNOWN && fits && i < ids->rank; i++)
        fits = cnnfi_dim_fits(ids->dims[i], data->dims[i]);
    if (!fits) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the segment ids do not fit the data");
    CNNFI_TRY(read_count(call, 2, 0, "num_segments", &count));
    return output_segments(call, count, ids->rank);
}

/* data, indices of its rows, segment_ids of those, perhaps num_segments */
static cnnf_status infer_sparse(cnnfi_call *call)
{
    int64_t count;
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 4));
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, 1));
    for (int32_t i = 1; i < 3; i++) {
        CNNFI_TRY(cnnfi_want_int(call, i));
        CNNFI_TRY(cnnfi_want_rank(call, i, 1));
    }
    CNNFI_TRY(cnnfi_want_same_shape(call, 1, 2));
    if (call->n_inputs == 4)
        CNNFI_TRY(read_count(call, 3, 0, "num_segments", &count));
    else
        CNNFI_TRY(sorted_count(call, &call->inputs[2], &count));
    return output_segments(call, count, 1);
}

/* ---- counting ---- */

static cnnf_status check_weights(cnnfi_call *call, bool fits)
{
    const cnnfi_value *in = &call->inputs[0], *weights = &call->inputs[2];
    if (fits || cnnfi_dim_fits(weights->count, 0)) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "%lld weights for %lld values", (long long)weights->count,
                           (long long)in->count);
}

/* arr, size, weights: as many as values, or none */
static cnnf_status infer_bincount(cnnfi_call *call)
{
    int64_t size;
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 3));
    CNNFI_TRY(cnnfi_want_int(call, 0));
    CNNFI_TRY(read_count(call, 1, 0, "size", &size));
    CNNFI_TRY(check_weights(call, cnnfi_dim_fits(call->inputs[0].count, call->inputs[2].count)));
    return cnnfi_output_one(call, call->inputs[2].dtype, 1, &size);
}

/* The same for each row of a matrix. */
static cnnf_status infer_dense_bincount(cnnfi_call *call)
{
    int64_t size;
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 3));
    CNNFI_TRY(cnnfi_want_int(call, 0));
    CNNFI_TRY(read_count(call, 1, 0, "size", &size));
    const cnnfi_value *in = &call->inputs[0], *weights = &call->inputs[2];
    if (in->rank == 0 || in->rank > 2) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input 0 has rank %d, must be 1 or 2", (int)in->rank);
    }
    bool fits = in->rank == CNNFI_UNKNOWN || weights->rank == CNNFI_UNKNOWN || weights->rank == in->rank;
    for (int32_t i = 0; fits && i < in->rank && i < weights->rank; i++)
        fits = cnnfi_dim_fits(in->dims[i], weights->dims[i]);
    CNNFI_TRY(check_weights(call, fits));
    if (in->rank == CNNFI_UNKNOWN) return cnnfi_output_of_rank(call, weights->dtype, CNNFI_UNKNOWN);
    const int64_t rows[] = {in->dims[0], size};
    return cnnfi_output_one(call, weights->dtype, in->rank, in->rank == 2 ? rows : &size);
}

/* values, value_range, nbins */
static cnnf_status infer_histogram(cnnfi_call *call)
{
    int64_t bins;
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 3));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 1));
    if (!cnnfi_dim_fits(call->inputs[1].count, 2)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "value_range has %lld elements, must have 2",
                               (long long)call->inputs[1].count);
    }
    CNNFI_TRY(read_count(call, 2, 1, "nbins", &bins));
    const cnnf_dtype dtype = cnnf_node_attr_type(call->node, "dtype", CNNF_INT32);
    return cnnfi_output_one(call, dtype == CNNF_INT64 ? CNNF_INT64 : CNNF_INT32, 1, &bins);
}

static const cnnfi_op_rule rules[] = {
    {"Bincount", infer_bincount, 0},
    {"DenseBincount", infer_dense_bincount, 0},
    {"HistogramFixedWidth", infer_histogram, 0},
    {"SegmentMax", infer_sorted, 0},
    {"SegmentMean", infer_sorted, 0},
    {"SegmentMin", infer_sorted, 0},
    {"SegmentProd", infer_sorted, 0},
    {"SegmentSum", infer_sorted, 0},
    {"SparseSegmentMean", infer_sparse, 0},
    {"SparseSegmentMeanWithNumSegments", infer_sparse, 0},
    {"SparseSegmentSqrtN", infer_sparse, 0},
    {"SparseSegmentSqrtNWithNumSegments", infer_sparse, 0},
    {"SparseSegmentSum", infer_sparse, 0},
    {"SparseSegmentSumWithNumSegments", infer_sparse, 0},
    {"UnsortedSegmentMax", infer_unsorted, 0},
    {"UnsortedSegmentMin", infer_unsorted, 0},
    {"UnsortedSegmentProd", infer_unsorted, 0},
    {"UnsortedSegmentSum", infer_unsorted, 0},
};

const cnnfi_rule_family cnnfi_rules_segment = {"segment", rules, sizeof rules / sizeof *rules};
