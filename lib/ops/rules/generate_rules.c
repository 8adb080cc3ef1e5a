/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors from a few numbers: Fill, Range, LinSpace, OneHot, ZerosLike ... */
#include "ops/rules/generate_rules.h"

#include <math.h>
#include <string.h>

#include "graph/element.h"
#include "ops/op_rules.h"

/* ---- Fill, Empty, ZerosLike, OnesLike ---- */

/* A shape that input `index` holds. Its length is the rank, known or not. */
static cnnf_status output_of_shape(cnnfi_call *call, int32_t index, cnnf_dtype dtype)
{
    int64_t dims[CNNFI_OP_MAX_RANK], rank = 0;
    CNNFI_TRY(cnnfi_want_rank(call, index, 1));
    const cnnf_status status = cnnfi_call_ints(call, index, dims, CNNFI_OP_MAX_RANK, &rank);
    if (status < 0) return status;
    if (status == CNNFI_INFER_DYNAMIC) return cnnfi_output_of_rank(call, dtype, (int32_t)call->inputs[index].count);
    for (int64_t i = 0; i < rank; i++) {
        if (dims[i] >= 0) continue;
        return cnnfi_call_fail(call, CNNF_E_INVALID, "dims[%lld] is %lld", (long long)i, (long long)dims[i]);
    }
    return cnnfi_output_one(call, dtype, (int32_t)rank, dims);
}

static cnnf_status infer_fill(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_bytes(call, 1));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 0));
    return output_of_shape(call, 0, call->inputs[1].dtype);
}

static cnnf_status infer_empty(cnnfi_call *call)
{
    const cnnf_dtype dtype = cnnf_node_attr_type(call->node, "dtype", CNNF_DTYPE_INVALID);
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    if (!cnnf_dtype_size(dtype)) {
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "dtype %s", cnnf_dtype_name(dtype));
    }
    return output_of_shape(call, 0, dtype);
}

static cnnf_status infer_like(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

/* ---- Range ---- */

static bool is_float(cnnf_dtype dtype)
{
    return dtype == CNNF_FLOAT || dtype == CNNF_DOUBLE || dtype == CNNF_HALF || dtype == CNNF_BFLOAT16;
}

/* Elements from start by delta before limit, counted in double for floats and exactly for integers; false for a step of
   0 or of the wrong sign. */
static bool range_count(const cnnfi_value *in, int64_t *count)
{
    if (is_float(in->dtype)) {
        double start, limit, delta;
        cnnfi_element_f64(&start, in[0].dtype, in[0].data, 0);
        cnnfi_element_f64(&limit, in[1].dtype, in[1].data, 0);
        cnnfi_element_f64(&delta, in[2].dtype, in[2].data, 0);
        const double n = ceil(fabs((limit - start) / delta));
        if (delta == 0 || (start > limit && delta > 0) || (start < limit && delta < 0) || !(n < 4e18)) return false;
        *count = (int64_t)n;
        return true;
    }
    int64_t start, limit, delta;
    cnnfi_element_i64(&start, in[0].dtype, in[0].data, 0);
    cnnfi_element_i64(&limit, in[1].dtype, in[1].data, 0);
    cnnfi_element_i64(&delta, in[2].dtype, in[2].data, 0);
    if (delta == 0 || (start > limit && delta > 0) || (start < limit && delta < 0)) return false;
    const uint64_t span = start > limit ? (uint64_t)start - (uint64_t)limit : (uint64_t)limit - (uint64_t)start;
    const uint64_t step = delta > 0 ? (uint64_t)delta : 0 - (uint64_t)delta;
    const uint64_t n = span / step + (span % step != 0);
    *count = (int64_t)n;
    return n <= INT64_MAX;
}

static cnnf_status infer_range(cnnfi_call *call)
{
    int64_t count = CNNFI_UNKNOWN;
    bool known = true;
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 3));
    for (int32_t i = 0; i < 3; i++) {
        CNNFI_TRY(cnnfi_want_same_dtype(call, 0, i));
        CNNFI_TRY(cnnfi_want_bytes(call, i));
        CNNFI_TRY(cnnfi_want_rank(call, i, 0));
        known &= call->inputs[i].data && call->inputs[i].dtype && call->inputs[i].count == 1;
    }
    if (known && !range_count(call->inputs, &count)) {
        return cnnfi_call_fail(call, CNNF_E_INVALID, "the step never gets from start to limit");
    }
    return cnnfi_output_one(call, call->inputs[0].dtype, 1, &count);
}

/* ---- LinSpace: start, stop, num ---- */

/* The size that input `input` holds; CNNFI_UNKNOWN when it is not known. */
static cnnf_status read_size(cnnfi_call *call, int32_t input, int64_t least, const char *what, int64_t *size)
{
    CNNFI_TRY(cnnfi_want_rank(call, input, 0));
    const cnnf_status status = cnnfi_call_int(call, input, size);
    if (status == CNNFI_INFER_DYNAMIC) *size = CNNFI_UNKNOWN;
    if (status) return status < 0 ? status : CNNF_OK;
    if (*size >= least) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_INVALID, "%s is %lld, must be >= %lld", what, (long long)*size,
                           (long long)least);
}

static cnnf_status infer_linspace(cnnfi_call *call)
{
    int64_t n;
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 3));
    CNNFI_TRY(cnnfi_want_float(call, 0));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    CNNFI_TRY(cnnfi_want_rank(call, 0, 0));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 0));
    CNNFI_TRY(read_size(call, 2, 1, "num", &n));
    return cnnfi_output_one(call, call->inputs[0].dtype, 1, &n);
}

/* ---- OneHot: indices, depth, on, off ---- */

static cnnf_status infer_one_hot(cnnfi_call *call)
{
    int64_t depth, dims[CNNFI_OP_MAX_RANK + 1];
    int32_t axis;
    CNNFI_TRY(cnnfi_want_inputs(call, 4, 4));
    const cnnfi_value *in = call->inputs;
    CNNFI_TRY(cnnfi_want_same_dtype(call, 2, 3));
    CNNFI_TRY(cnnfi_want_bytes(call, 2));
    CNNFI_TRY(cnnfi_want_rank(call, 2, 0));
    CNNFI_TRY(cnnfi_want_rank(call, 3, 0));
    CNNFI_TRY(read_size(call, 1, 0, "depth", &depth));
    const int64_t named = cnnf_node_attr_int(call->node, "axis", -1);
    if (named < -1) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "axis is %lld, must be >= -1", (long long)named);
    if (in->rank == CNNFI_UNKNOWN) return cnnfi_output_of_rank(call, in[2].dtype, CNNFI_UNKNOWN);
    CNNFI_TRY(cnnfi_check_axis(call, named, in->rank + 1, "axis", &axis));
    for (int32_t i = 0; i <= in->rank; i++)
        dims[i] = i == axis ? depth : in->dims[i - (i > axis)];
    return cnnfi_output_one(call, in[2].dtype, in->rank + 1, dims);
}

/* ---- of integers ---- */

static cnnf_status infer_invert_permutation(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_int(call, 0));
    CNNFI_TRY(cnnfi_want_rank(call, 0, 1));
    const int64_t size = call->inputs[0].count;
    return cnnfi_output_one(call, call->inputs[0].dtype, 1, &size);
}

/* UnravelIndex: flat indices, dims; a row per axis. */
static cnnf_status infer_unravel(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_int(call, 0));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    CNNFI_TRY(cnnfi_want_rank(call, 1, 1));
    const cnnfi_value *in = call->inputs;
    const int64_t dims[] = {in[1].count, in->count};
    if (in->rank > 1) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the indices must be a scalar or a vector");
    return cnnfi_output_one(call, in->dtype, in->rank == CNNFI_UNKNOWN ? CNNFI_UNKNOWN : in->rank + 1, dims);
}

/* ---- DataFormatDimMap, DataFormatVecPermute: NHWC positions and vectors to NCHW ones ---- */

cnnf_status cnnfi_read_formats(cnnfi_call *call, const char **from, const char **to)
{
    *from = cnnf_node_attr_string(NULL, call->node, "src_format");
    *to = cnnf_node_attr_string(NULL, call->node, "dst_format");
    if (!*from) *from = "NHWC";
    if (!*to) *to = "NCHW";
    bool good = (strlen(*from) == 4 || strlen(*from) == 5) && strlen(*from) == strlen(*to);
    for (const char *p = *from; good && *p; p++)
        good = strchr(*to, *p) && !strchr(p + 1, *p);
    return good ? CNNF_OK : cnnfi_call_fail(call, CNNF_E_CORRUPT, "formats %.8s and %.8s", *from, *to);
}

static cnnf_status infer_dim_map(cnnfi_call *call)
{
    const char *from, *to;
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_int(call, 0));
    CNNFI_TRY(cnnfi_read_formats(call, &from, &to));
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

/* A vector, or a matrix of pairs, with a row per axis or one per spatial axis. */
static cnnf_status infer_vec_permute(cnnfi_call *call)
{
    const char *from, *to;
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_int(call, 0));
    CNNFI_TRY(cnnfi_read_formats(call, &from, &to));
    const cnnfi_value *in = &call->inputs[0];
    if (in->rank == CNNFI_UNKNOWN) return cnnfi_output_like(call, 0, in->dtype);
    const int64_t axes = (int64_t)strlen(from), rows = in->dims[0];
    const bool is_matrix = in->rank == 2 && cnnfi_dim_fits(in->dims[1], 2);
    const bool fits = in->rank > 0 && (cnnfi_dim_fits(rows, axes) || rows == axes - 2);
    if (fits && (in->rank == 1 || is_matrix)) return cnnfi_output_like(call, 0, in->dtype);
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the input does not have a row per axis");
}

static const cnnfi_op_rule rules[] = {
    {"DataFormatDimMap", infer_dim_map, 0},
    {"DataFormatVecPermute", infer_vec_permute, 0},
    {"Empty", infer_empty, 0},
    {"Fill", infer_fill, 0},
    {"InvertPermutation", infer_invert_permutation, 0},
    {"LinSpace", infer_linspace, 0},
    {"OneHot", infer_one_hot, 0},
    {"OnesLike", infer_like, CNNFI_RULE_SHAPE},
    {"Range", infer_range, 0},
    {"UnravelIndex", infer_unravel, 0},
    {"ZerosLike", infer_like, CNNFI_RULE_SHAPE},
};

const cnnfi_rule_family cnnfi_rules_generate = {"generate", rules, sizeof rules / sizeof *rules};
