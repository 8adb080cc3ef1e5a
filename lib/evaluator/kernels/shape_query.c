/* SPDX-License-Identifier: Apache-2.0 */
/* Ops about shapes, and those that give their input another one: Shape, Reshape, Squeeze ... */
#include <math.h>

#include "evaluator/kernels/portable.h"

static cnnf_status copy_run(cnnfi_call *call)
{
    cnnfi_copy_bytes(&call->outputs[0], &call->inputs[0]);
    return CNNF_OK;
}

static cnnf_status identity_infer(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

/* CheckNumerics, CheckNumericsV2: the message attribute, then what was found. */
static cnnf_status check_numerics_infer(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_float(call, 0));
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

static cnnf_status check_numerics_run(cnnfi_call *call)
{
    const cnnfi_value *in = call->inputs;
    bool nan = false, inf = false;
    for (int64_t i = 0; i < in->count; i++) {
        double x = cnnfi_get_f64(in, i);
        nan |= isnan(x) != 0;
        inf |= isinf(x) != 0;
    }
    const char *message = cnnf_node_attr_string(NULL, call->node, "message");
    if (nan || inf)
        return cnnfi_call_fail(call, CNNF_E_INVALID, "%s : Tensor had %s values", message ? message : "",
                               nan && inf ? "Inf and NaN"
                               : nan      ? "NaN"
                                          : "Inf");
    cnnfi_copy_bytes(&call->outputs[0], in);
    return CNNF_OK;
}

/* Assert: a condition, then what TensorFlow would print. No outputs; run for its control edges. */
static cnnf_status assert_infer(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, -1));
    CNNFI_TRY(cnnfi_want_dtype(call, 0, CNNF_BOOL));
    if (call->inputs[0].count != 1) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the condition must be a scalar");
    call->n_outputs = 0;
    return CNNF_OK;
}

static cnnf_status assert_run(cnnfi_call *call)
{
    if (*(const uint8_t *)call->inputs[0].data) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_INVALID, "assertion failed");
}

/* EnsureShape: the shape attribute must fit. */
static cnnf_status ensure_shape_infer(cnnfi_call *call)
{
    CNNFI_TRY(identity_infer(call));
    int32_t rank = cnnf_node_attr_shape_rank(call->node, "shape");
    const cnnfi_value *in = call->inputs;
    bool fits = rank < 0 || rank == in->rank;
    for (int32_t i = 0; fits && i < rank; i++) {
        int64_t dim = cnnf_node_attr_shape_dim(call->node, "shape", i);
        fits = dim < 0 || dim == in->dims[i];
    }
    return fits ? CNNF_OK : cnnfi_call_fail(call, CNNF_E_MISMATCH, "the input's shape does not fit the attribute's");
}

/* Bitcast: a wider type takes the last axis with it. */
static cnnf_status bitcast_infer(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    CNNFI_TRY(cnnfi_want_bytes(call, 0));
    const cnnfi_value *in = call->inputs;
    cnnf_dtype type = cnnf_node_attr_type(call->node, "type", CNNF_DTYPE_INVALID);
    int64_t from = (int64_t)cnnf_dtype_size(in->dtype), to = (int64_t)cnnf_dtype_size(type);
    int64_t dims[CNNFI_OP_MAX_RANK + 1];
    int32_t rank = in->rank;
    if (to == 0) return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "type is %s", cnnf_dtype_name(type));
    memcpy(dims, in->dims, sizeof(in->dims));
    if (to < from) dims[rank++] = from / to;
    if (to > from && (rank == 0 || dims[--rank] != to / from))
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the last axis must be %lld", (long long)(to / from));
    return cnnfi_output_one(call, type, rank, dims);
}

/* ---- Reshape and kin ---- */

static cnnf_status reshape_infer(cnnfi_call *call)
{
    int64_t dims[CNNFI_OP_MAX_RANK], n = 0, known = 1;
    int32_t free_axis = -1;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_call_ints(call, 1, dims, CNNFI_OP_MAX_RANK, &n));
    for (int32_t i = 0; i < n; i++) {
        if (dims[i] < -1 || (dims[i] == -1 && free_axis >= 0))
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the new shape has size %lld at %d", (long long)dims[i], i);
        if (dims[i] == -1)
            free_axis = i;
        else if (!cnnfi_mul_i64(&known, known, dims[i]))
            return cnnfi_call_fail(call, CNNF_E_LIMIT, "the new shape is too big");
    }
    if (free_axis >= 0) {
        if (known == 0 && call->inputs[0].count != 0)
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the size of -1 cannot be told");
        dims[free_axis] = known == 0 ? 0 : call->inputs[0].count / known;
        known *= dims[free_axis];
    }
    if (known != call->inputs[0].count)
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "%lld elements do not go into a shape of %lld",
                               (long long)call->inputs[0].count, (long long)known);
    return cnnfi_output_one(call, call->inputs[0].dtype, (int32_t)n, dims);
}

/* `squeeze_dims`, in the newest graphs `axis`. */
static cnnf_status squeeze_infer(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    const cnnfi_value *in = call->inputs;
    const char *name = cnnf_node_attr_list_count(call->node, "squeeze_dims") > 0 ? "squeeze_dims" : "axis";
    int64_t dims[CNNFI_OP_MAX_RANK], n = cnnf_node_attr_list_count(call->node, name);
    bool gone[CNNFI_OP_MAX_RANK] = {false};
    int32_t rank = 0, axis;
    for (int64_t i = 0; i < n; i++) {
        CNNFI_TRY(cnnfi_check_axis(call, cnnf_node_attr_list_int(call->node, name, i, 0), in->rank, "axis", &axis));
        if (in->dims[axis] != 1)
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "axis %d has %lld elements, cannot be squeezed", axis,
                                   (long long)in->dims[axis]);
        gone[axis] = true;
    }
    for (int32_t i = 0; i < in->rank; i++)
        if (n > 0 ? !gone[i] : in->dims[i] != 1) dims[rank++] = in->dims[i];
    return cnnfi_output_one(call, in->dtype, rank, dims);
}

static cnnf_status expand_dims_infer(cnnfi_call *call)
{
    int64_t axis, dims[CNNFI_OP_MAX_RANK + 1];
    int32_t at;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_call_int(call, 1, &axis));
    const cnnfi_value *in = call->inputs;
    CNNFI_TRY(cnnfi_check_axis(call, axis, in->rank + 1, "axis", &at));
    for (int32_t i = 0; i <= in->rank; i++)
        dims[i] = i == at ? 1 : in->dims[i - (i > at)];
    return cnnfi_output_one(call, in->dtype, in->rank + 1, dims);
}

/* ---- shapes as numbers ---- */

static cnnf_dtype index_dtype(const cnnfi_call *call)
{
    cnnf_dtype dtype = cnnf_node_attr_type(call->node, "out_type", CNNF_INT32);
    return dtype == CNNF_INT64 ? CNNF_INT64 : CNNF_INT32;
}

static void put_index(cnnfi_value *out, int64_t index, int64_t value)
{
    if (out->dtype == CNNF_INT64)
        ((int64_t *)out->data)[index] = value;
    else
        ((int32_t *)out->data)[index] = (int32_t)value;
}

static cnnf_status shape_infer(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, -1));
    call->n_outputs = call->n_inputs;
    for (int32_t i = 0; i < call->n_inputs; i++)
        CNNFI_TRY(cnnfi_call_output(call, i, index_dtype(call), 1, (const int64_t[]){call->inputs[i].rank}));
    return CNNF_OK;
}

static cnnf_status shape_run(cnnfi_call *call)
{
    for (int32_t i = 0; i < call->n_inputs; i++)
        for (int32_t d = 0; d < call->inputs[i].rank; d++)
            put_index(&call->outputs[i], d, call->inputs[i].dims[d]);
    return CNNF_OK;
}

static cnnf_status size_infer(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    return cnnfi_output_one(call, index_dtype(call), 0, NULL);
}

static cnnf_status size_run(cnnfi_call *call)
{
    put_index(&call->outputs[0], 0, call->inputs[0].count);
    return CNNF_OK;
}

static cnnf_status rank_infer(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    return cnnfi_output_one(call, CNNF_INT32, 0, NULL);
}

static cnnf_status rank_run(cnnfi_call *call)
{
    put_index(&call->outputs[0], 0, call->inputs[0].rank);
    return CNNF_OK;
}

/* ---- shapes that broadcast ---- */

typedef struct shape_pair {
    int64_t n[2], dims[2][CNNFI_OP_MAX_RANK];
    int64_t rank;
} shape_pair;

static int64_t pair_dim(const shape_pair *p, int k, int64_t i)
{
    int64_t at = i - (p->rank - p->n[k]);
    return at < 0 ? 1 : p->dims[k][at];
}

static cnnf_status read_pair(cnnfi_call *call, shape_pair *p)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    for (int32_t k = 0; k < 2; k++)
        CNNFI_TRY(cnnfi_call_ints(call, k, p->dims[k], CNNFI_OP_MAX_RANK, &p->n[k]));
    p->rank = p->n[0] > p->n[1] ? p->n[0] : p->n[1];
    for (int64_t i = 0; i < p->rank; i++) {
        int64_t x = pair_dim(p, 0, i), y = pair_dim(p, 1, i);
        if (x != y && x != 1 && y != 1)
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "shapes do not broadcast: %lld and %lld", (long long)x,
                                   (long long)y);
    }
    return CNNF_OK;
}

static cnnf_status broadcast_args_infer(cnnfi_call *call)
{
    shape_pair p;
    CNNFI_TRY(read_pair(call, &p));
    return cnnfi_output_one(call, call->inputs[0].dtype, 1, &p.rank);
}

static cnnf_status broadcast_args_run(cnnfi_call *call)
{
    shape_pair p;
    CNNFI_TRY(read_pair(call, &p));
    for (int64_t i = 0; i < p.rank; i++) {
        int64_t x = pair_dim(&p, 0, i);
        put_index(&call->outputs[0], i, x == 1 ? pair_dim(&p, 1, i) : x);
    }
    return CNNF_OK;
}

/* Whether operand k is summed along axis i in its gradient; axes where both are 1 are, as bcast.cc has it. */
static bool gradient_axis(const shape_pair *p, int k, int64_t i)
{
    int64_t own = pair_dim(p, k, i), other = pair_dim(p, 1 - k, i);
    return own == 1 && (other != 1 || own == other);
}

/* Equal shapes have nothing to sum, not even over axes of size 1. */
static bool pair_equal(const shape_pair *p)
{
    return p->n[0] == p->n[1] && memcmp(p->dims[0], p->dims[1], (size_t)p->n[0] * sizeof(int64_t)) == 0;
}

static cnnf_status gradient_args_infer(cnnfi_call *call)
{
    shape_pair p;
    CNNFI_TRY(read_pair(call, &p));
    call->n_outputs = 2;
    for (int k = 0; k < 2; k++) {
        int64_t count = 0;
        for (int64_t i = 0; i < p.rank; i++)
            count += !pair_equal(&p) && gradient_axis(&p, k, i);
        CNNFI_TRY(cnnfi_call_output(call, k, call->inputs[0].dtype, 1, &count));
    }
    return CNNF_OK;
}

static cnnf_status gradient_args_run(cnnfi_call *call)
{
    shape_pair p;
    CNNFI_TRY(read_pair(call, &p));
    for (int k = 0; k < 2 && !pair_equal(&p); k++) {
        int64_t at = 0;
        for (int64_t i = 0; i < p.rank; i++)
            if (gradient_axis(&p, k, i)) put_index(&call->outputs[k], at++, i);
    }
    return CNNF_OK;
}

#define VIEW(op, infer)                                                                                                \
    {                                                                                                                  \
        op, infer, copy_run, CNNFI_OP_VIEW                                                                             \
    }
static const cnnfi_kernel kernels[] = {
    {"Assert", assert_infer, assert_run, CNNFI_OP_STATEFUL},
    VIEW("Bitcast", bitcast_infer),
    {"BroadcastArgs", broadcast_args_infer, broadcast_args_run, 0},
    {"BroadcastGradientArgs", gradient_args_infer, gradient_args_run, 0},
    {"CheckNumerics", check_numerics_infer, check_numerics_run, CNNFI_OP_STATEFUL},
    {"CheckNumericsV2", check_numerics_infer, check_numerics_run, CNNFI_OP_STATEFUL},
    VIEW("DeepCopy", identity_infer),
    VIEW("EnsureShape", ensure_shape_infer),
    VIEW("ExpandDims", expand_dims_infer),
    VIEW("GuaranteeConst", identity_infer),
    {"Rank", rank_infer, rank_run, CNNFI_OP_SHAPE},
    VIEW("Reshape", reshape_infer),
    {"Shape", shape_infer, shape_run, CNNFI_OP_SHAPE},
    {"ShapeN", shape_infer, shape_run, CNNFI_OP_SHAPE},
    {"Size", size_infer, size_run, CNNFI_OP_SHAPE},
    VIEW("Squeeze", squeeze_infer),
};

const cnnfi_kernel_family cnnfi_kernels_shape = {"shape", kernels, sizeof(kernels) / sizeof(kernels[0])};
