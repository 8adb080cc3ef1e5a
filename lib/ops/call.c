/* SPDX-License-Identifier: Apache-2.0 */
/* What every rule needs: failing, demanding, declaring outputs, and sizes that may be unknown. */
#include "ops/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "graph/shape.h"

/* ---- values ---- */

cnnfi_value cnnfi_value_unknown(cnnf_dtype dtype)
{
    cnnfi_value value = {.dtype = dtype, .rank = CNNFI_UNKNOWN, .count = CNNFI_UNKNOWN};
    for (int32_t i = 0; i < CNNFI_OP_MAX_RANK; i++)
        value.dims[i] = CNNFI_UNKNOWN;
    return value;
}

cnnfi_value cnnfi_value_make(cnnf_dtype dtype, int32_t rank, const int64_t *dims)
{
    if (rank < 0 || rank > CNNFI_OP_MAX_RANK || (rank && !dims)) return cnnfi_value_unknown(dtype);
    cnnfi_value value = {.dtype = dtype, .rank = rank};
    for (int32_t i = 0; i < rank; i++)
        value.dims[i] = dims[i] < 0 ? CNNFI_UNKNOWN : dims[i];
    value.count = cnnfi_dims_product(value.dims, 0, rank);
    return value;
}

bool cnnfi_value_of_tensor(cnnfi_value *out, const cnnf_tensor *tensor)
{
    int64_t dims[CNNFI_OP_MAX_RANK];
    const int32_t rank = cnnf_tensor_rank(tensor);
    if (rank < 0 || rank > CNNFI_OP_MAX_RANK) return false;
    for (int32_t i = 0; i < rank; i++)
        dims[i] = cnnf_tensor_dim(tensor, i);
    *out = cnnfi_value_make(cnnf_tensor_dtype(tensor), rank, dims);
    return true;
}

cnnfi_value cnnfi_value_of_attrs(const cnnf_node *node)
{
    int64_t dims[CNNFI_OP_MAX_RANK];
    const cnnf_dtype dtype = cnnfi_node_type(node, "dtype");
    const int32_t rank = cnnf_node_attr_shape_rank(node, "shape");
    if (rank > CNNFI_OP_MAX_RANK) return cnnfi_value_unknown(dtype);
    for (int32_t i = 0; i < rank; i++)
        dims[i] = cnnf_node_attr_shape_dim(node, "shape", i);
    return cnnfi_value_make(dtype, rank, dims);
}

/* ---- dims ---- */

int64_t cnnfi_dim_add(int64_t a, int64_t b)
{
    int64_t sum;
    if (a == CNNFI_UNKNOWN || b == CNNFI_UNKNOWN) return CNNFI_UNKNOWN;
    return __builtin_add_overflow(a, b, &sum) ? INT64_MAX : sum;
}

int64_t cnnfi_dim_mul(int64_t a, int64_t b)
{
    int64_t product;
    if (a == 0 || b == 0) return 0;
    if (a == CNNFI_UNKNOWN || b == CNNFI_UNKNOWN) return CNNFI_UNKNOWN;
    return __builtin_mul_overflow(a, b, &product) ? INT64_MAX : product;
}

int64_t cnnfi_dim_div(int64_t a, int64_t b)
{
    return a == CNNFI_UNKNOWN || b < 1 ? CNNFI_UNKNOWN : a / b;
}

int64_t cnnfi_dims_product(const int64_t *dims, int32_t begin, int32_t end)
{
    int64_t product = 1;
    for (int32_t i = begin; i < end; i++) {
        if (dims[i] == CNNFI_UNKNOWN) return CNNFI_UNKNOWN; /* beside 0 too: the shape is not known */
        product = cnnfi_dim_mul(product, dims[i]);
    }
    return product;
}

/* ---- failing ---- */

cnnf_status cnnfi_call_fail(cnnfi_call *call, cnnf_status code, const char *format, ...)
{
    char text[768];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return cnnfi_fail_at_node(call->error, code, call->node->name, "node '%s' (%s): %s", call->node->name,
                              call->node->op, text);
}

cnnf_status cnnfi_fail_dtype(cnnfi_call *call, int32_t input)
{
    return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "'%s' is not there for dtype %s (input %d)", call->node->op,
                           cnnf_dtype_name(call->inputs[input].dtype), input);
}

/* ---- demands ---- */

cnnf_status cnnfi_want_inputs(cnnfi_call *call, int32_t least, int32_t most)
{
    if (call->n_inputs >= least && (most < 0 || call->n_inputs <= most)) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_CORRUPT, "has %d inputs, '%s' takes %d", call->n_inputs, call->node->op, least);
}

cnnf_status cnnfi_want_rank(cnnfi_call *call, int32_t input, int32_t rank)
{
    const int32_t have = call->inputs[input].rank;
    if (have == CNNFI_UNKNOWN || have == rank) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d has rank %d, must be %d", input, have, rank);
}

cnnf_status cnnfi_want_least_rank(cnnfi_call *call, int32_t input, int32_t least)
{
    const int32_t have = call->inputs[input].rank;
    if (have == CNNFI_UNKNOWN || have >= least) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d has rank %d, must be at least %d", input, have, least);
}

cnnf_status cnnfi_want_same_dtype(cnnfi_call *call, int32_t a, int32_t b)
{
    const cnnf_dtype x = call->inputs[a].dtype, y = call->inputs[b].dtype;
    if (!x || !y || x == y) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d is %s, input %d is %s", a, cnnf_dtype_name(x), b,
                           cnnf_dtype_name(y));
}

cnnf_status cnnfi_want_same_shape(cnnfi_call *call, int32_t a, int32_t b)
{
    const cnnfi_value *x = &call->inputs[a], *y = &call->inputs[b];
    if (x->rank == CNNFI_UNKNOWN || y->rank == CNNFI_UNKNOWN) return CNNF_OK;
    bool same = x->rank == y->rank;
    for (int32_t i = 0; same && i < x->rank; i++)
        same = cnnfi_dim_fits(x->dims[i], y->dims[i]);
    return same ? CNNF_OK : cnnfi_call_fail(call, CNNF_E_MISMATCH, "inputs %d and %d must have the same shape", a, b);
}

cnnf_status cnnfi_want_dtype(cnnfi_call *call, int32_t input, cnnf_dtype dtype)
{
    const cnnf_dtype have = call->inputs[input].dtype;
    return !have || have == dtype ? CNNF_OK : cnnfi_fail_dtype(call, input);
}

cnnf_status cnnfi_want_int(cnnfi_call *call, int32_t input)
{
    const cnnf_dtype have = call->inputs[input].dtype;
    return !have || have == CNNF_INT32 || have == CNNF_INT64 ? CNNF_OK : cnnfi_fail_dtype(call, input);
}

cnnf_status cnnfi_want_float(cnnfi_call *call, int32_t input)
{
    const cnnf_dtype have = call->inputs[input].dtype;
    const bool is_float = have == CNNF_FLOAT || have == CNNF_DOUBLE || have == CNNF_HALF || have == CNNF_BFLOAT16;
    return !have || is_float ? CNNF_OK : cnnfi_fail_dtype(call, input);
}

cnnf_status cnnfi_want_bytes(cnnfi_call *call, int32_t input)
{
    const cnnf_dtype have = call->inputs[input].dtype;
    return !have || cnnf_dtype_size(have) > 0 ? CNNF_OK : cnnfi_fail_dtype(call, input);
}

cnnf_status cnnfi_want_value(cnnfi_call *call, int32_t input)
{
    return call->inputs[input].data ? CNNF_OK : CNNFI_INFER_DYNAMIC;
}

cnnf_status cnnfi_check_axis(cnnfi_call *call, int64_t axis, int32_t rank, const char *what, int32_t *out)
{
    if (rank == CNNFI_UNKNOWN) return CNNFI_INFER_DYNAMIC;
    if (axis < -rank || axis >= rank) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "%s %lld is outside [%d, %d)", what, (long long)axis, -rank,
                               rank);
    }
    *out = (int32_t)(axis < 0 ? axis + rank : axis);
    return CNNF_OK;
}

/* ---- integers ---- */

cnnf_status cnnfi_call_ints(cnnfi_call *call, int32_t input, int64_t *out, int64_t max, int64_t *count)
{
    const cnnfi_value *value = &call->inputs[input];
    if (value->dtype && value->dtype != CNNF_INT32 && value->dtype != CNNF_INT64) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d is %s, must be int32 or int64", (int)input,
                               cnnf_dtype_name(value->dtype));
    }
    if (value->count > max) {
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "input %d has %lld elements, at most %lld are supported",
                               (int)input, (long long)value->count, (long long)max);
    }
    if (!value->data || !cnnfi_value_is_shaped(value) || !value->dtype) return CNNFI_INFER_DYNAMIC;
    for (int64_t i = 0; i < value->count; i++)
        out[i] = value->dtype == CNNF_INT32 ? ((const int32_t *)value->data)[i] : ((const int64_t *)value->data)[i];
    *count = value->count;
    return CNNF_OK;
}

cnnf_status cnnfi_call_ints_exact(cnnfi_call *call, int32_t input, int64_t *out, int64_t count)
{
    int64_t got = 0;
    if (!cnnfi_dim_fits(call->inputs[input].count, count)) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d has %lld elements, must have %lld", input,
                               (long long)call->inputs[input].count, (long long)count);
    }
    return cnnfi_call_ints(call, input, out, count, &got);
}

cnnf_status cnnfi_call_int(cnnfi_call *call, int32_t input, int64_t *out)
{
    return cnnfi_call_ints_exact(call, input, out, 1);
}

cnnf_status cnnfi_call_shape(cnnfi_call *call, int32_t input, cnnfi_value *out)
{
    const cnnfi_value *from = &call->inputs[input];
    int64_t dims[CNNFI_OP_MAX_RANK], count = from->count;
    *out = cnnfi_value_unknown(0);
    if (from->rank > 1) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d has rank %d, a shape has 1", (int)input,
                               (int)from->rank);
    }
    const cnnf_status status = cnnfi_call_ints(call, input, dims, CNNFI_OP_MAX_RANK, &count);
    if (status < 0) return status;
    out->rank = (int32_t)count;
    for (int64_t i = 0; status == CNNF_OK && i < count; i++) {
        if (dims[i] < 0) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d: size %lld at %d", (int)input, (long long)dims[i],
                                   (int)i);
        }
        out->dims[i] = dims[i];
    }
    if (count != CNNFI_UNKNOWN) out->count = cnnfi_dims_product(out->dims, 0, out->rank);
    return status;
}

/* ---- several inputs that are alike ---- */

bool cnnfi_value_merge(cnnfi_value *out, const cnnfi_value *in)
{
    if (in->rank == CNNFI_UNKNOWN) return true;
    if (out->rank == CNNFI_UNKNOWN) out->rank = in->rank;
    bool fits = out->rank == in->rank;
    for (int32_t i = 0; fits && i < in->rank; i++) {
        fits = cnnfi_dim_fits(out->dims[i], in->dims[i]);
        out->dims[i] = cnnfi_dim_merge(out->dims[i], in->dims[i]);
    }
    if (fits) out->count = cnnfi_dims_product(out->dims, 0, out->rank);
    return fits;
}

cnnf_status cnnfi_call_merge(cnnfi_call *call, int32_t first, int32_t n, cnnfi_value *out)
{
    *out = cnnfi_value_unknown(0);
    for (int32_t k = first; k < first + n; k++) {
        CNNFI_TRY(cnnfi_want_same_dtype(call, first, k));
        if (!out->dtype) out->dtype = call->inputs[k].dtype;
        if (!cnnfi_value_merge(out, &call->inputs[k])) {
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "inputs %d and %d must have the same shape", (int)first,
                                   (int)k);
        }
    }
    return CNNF_OK;
}

/* ---- outputs ---- */

int32_t cnnfi_call_max_outputs(const cnnf_node *node)
{
    enum { MOST = 65536 };
    static const char *const keys[] = {"num_split", "num", "num_partitions"};
    int64_t most = CNNFI_CALL_OUTPUTS;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const int64_t value = cnnf_node_attr_int(node, keys[i], 0);
        if (value > most) most = value > MOST ? MOST : value;
    }
    return (int32_t)((int64_t)node->n_inputs > most ? (int64_t)node->n_inputs : most);
}

/* Each size that is known must be one; all known must be a tensor that may be: elements and bytes are limited. */
static cnnf_status check_size(cnnfi_call *call, const cnnfi_value *value)
{
    size_t bytes = 0;
    bool open = false;
    for (int32_t i = 0; i < value->rank; i++) {
        open |= value->dims[i] == CNNFI_UNKNOWN;
        if (value->dims[i] >= CNNFI_UNKNOWN && value->dims[i] < INT64_MAX) continue;
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "axis %d of an output would have %lld elements", (int)i,
                               (long long)value->dims[i]);
    }
    if (open) return CNNF_OK;
    return cnnfi_shape_bytes(&bytes, call->context, value->dtype, value->rank, value->dims, call->node->name,
                             call->error);
}

cnnf_status cnnfi_call_output(cnnfi_call *call, int32_t index, cnnf_dtype dtype, int32_t rank, const int64_t *dims)
{
    if (index >= call->max_outputs) {
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "more than %d outputs", (int)call->max_outputs);
    }
    if (rank > CNNFI_OP_MAX_RANK) {
        return cnnfi_call_fail(call, CNNF_E_UNSUPPORTED, "output %d has rank %d, the evaluator goes to %d", (int)index,
                               (int)rank, CNNFI_OP_MAX_RANK);
    }
    cnnfi_value *out = &call->outputs[index];
    *out = cnnfi_value_unknown(dtype);
    if (rank >= 0) {
        out->rank = rank;
        for (int32_t i = 0; i < rank; i++)
            out->dims[i] = dims[i];
        CNNFI_TRY(check_size(call, out));
        out->count = cnnfi_dims_product(out->dims, 0, rank);
    }
    if (call->n_outputs <= index) call->n_outputs = index + 1;
    return CNNF_OK;
}

cnnf_status cnnfi_output_one(cnnfi_call *call, cnnf_dtype dtype, int32_t rank, const int64_t *dims)
{
    call->n_outputs = 1;
    return cnnfi_call_output(call, 0, dtype, rank, dims);
}

cnnf_status cnnfi_output_like(cnnfi_call *call, int32_t like, cnnf_dtype dtype)
{
    return cnnfi_output_one(call, dtype, call->inputs[like].rank, call->inputs[like].dims);
}

cnnf_status cnnfi_output_of_rank(cnnfi_call *call, cnnf_dtype dtype, int32_t rank)
{
    const cnnfi_value open = cnnfi_value_unknown(dtype);
    return cnnfi_output_one(call, dtype, rank > CNNFI_OP_MAX_RANK ? CNNFI_UNKNOWN : rank, open.dims);
}

/* ---- broadcasting ---- */

/* One axis of the common shape; false when the sizes do not fit. */
static bool broadcast_dim(const cnnfi_value *inputs, int32_t n, int32_t axis, int32_t rank, int64_t *out)
{
    bool open = false;
    *out = 1;
    for (int32_t k = 0; k < n; k++) {
        const int32_t at = axis - (rank - inputs[k].rank);
        const int64_t dim = at < 0 ? 1 : inputs[k].dims[at];
        open |= dim == CNNFI_UNKNOWN;
        if (dim == 1 || dim == CNNFI_UNKNOWN || dim == *out) continue;
        if (*out != 1) return false;
        *out = dim;
    }
    if (open && *out == 1) *out = CNNFI_UNKNOWN;
    return true;
}

bool cnnfi_broadcast_dims(const cnnfi_value *inputs, int32_t n, int32_t *rank, int64_t *dims)
{
    *rank = 0;
    for (int32_t k = 0; k < n; k++) {
        if (inputs[k].rank == CNNFI_UNKNOWN) {
            *rank = CNNFI_UNKNOWN;
            return true;
        }
        if (inputs[k].rank > *rank) *rank = inputs[k].rank;
    }
    for (int32_t i = 0; i < *rank; i++) {
        if (!broadcast_dim(inputs, n, i, *rank, &dims[i])) return false;
    }
    return true;
}

cnnf_status cnnfi_broadcast_output(cnnfi_call *call, int32_t n, cnnf_dtype dtype)
{
    int64_t dims[CNNFI_OP_MAX_RANK];
    int32_t rank;
    char a[128], b[128];
    if (cnnfi_broadcast_dims(call->inputs, n, &rank, dims)) return cnnfi_output_one(call, dtype, rank, dims);
    const cnnfi_value *x = call->inputs, *y = call->inputs + n - 1;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "shapes %s and %s do not broadcast",
                           cnnfi_shape_print(a, sizeof a, x->rank, x->dims),
                           cnnfi_shape_print(b, sizeof b, y->rank, y->dims));
}
