/* SPDX-License-Identifier: Apache-2.0 */
/* Choosing element by element, and the element-wise ops of three and more inputs: Select, Where, AddN, ClipByValue ...
 */
#include "ops/rules/where_rules.h"

#include "graph/element.h"
#include "ops/op_rules.h"

/* ---- Select, SelectV2 ---- */

static cnnf_status select_types(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 3));
    CNNFI_TRY(cnnfi_want_dtype(call, 0, CNNF_BOOL));
    return cnnfi_want_same_dtype(call, 1, 2);
}

static cnnf_status infer_select_v2(cnnfi_call *call)
{
    CNNFI_TRY(select_types(call));
    return cnnfi_broadcast_output(call, 3, call->inputs[1].dtype);
}

/* The condition: of the same shape, a scalar, or a vector that chooses rows. */
static cnnf_status infer_select(cnnfi_call *call)
{
    cnnfi_value out;
    CNNFI_TRY(select_types(call));
    CNNFI_TRY(cnnfi_call_merge(call, 1, 2, &out));
    const cnnfi_value *condition = &call->inputs[0];
    const int32_t rank = condition->rank;
    if (rank > 0 && out.rank != CNNFI_UNKNOWN) {
        bool fits = rank == out.rank || (rank == 1 && out.rank > 1);
        for (int32_t i = 0; fits && i < rank; i++) {
            fits = cnnfi_dim_fits(condition->dims[i], out.dims[i]);
            out.dims[i] = cnnfi_dim_merge(out.dims[i], condition->dims[i]);
        }
        if (!fits) return cnnfi_call_fail(call, CNNF_E_MISMATCH, "inputs 0 and 1 must have the same shape");
    }
    return cnnfi_output_one(call, out.dtype, out.rank, out.dims);
}

/* ---- Where: the places that are not zero ---- */

bool cnnfi_element_is_set(const cnnfi_value *value, int64_t i)
{
    double real, imaginary = 0;
    const cnnf_dtype dtype = value->dtype, part = dtype == CNNF_COMPLEX64    ? CNNF_FLOAT
                                                  : dtype == CNNF_COMPLEX128 ? CNNF_DOUBLE
                                                                             : 0;
    if (part) cnnfi_element_f64(&imaginary, part, value->data, 2 * i + 1);
    cnnfi_element_f64(&real, dtype, value->data, i);
    return real != 0 || imaginary != 0;
}

static cnnf_status infer_where(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    const cnnfi_value *in = call->inputs;
    const bool is_known = in->dtype && in->data;
    int64_t count = is_known ? 0 : CNNFI_UNKNOWN;
    for (int64_t i = 0; is_known && i < in->count; i++)
        count += cnnfi_element_is_set(in, i);
    return cnnfi_output_one(call, CNNF_INT64, 2, (const int64_t[]){count, in->rank});
}

/* ---- element by element ---- */

static cnnf_status infer_add_n(cnnfi_call *call)
{
    cnnfi_value out;
    CNNFI_TRY(cnnfi_want_inputs(call, 1, -1));
    CNNFI_TRY(cnnfi_call_merge(call, 0, call->n_inputs, &out));
    return cnnfi_output_one(call, out.dtype, out.rank, out.dims);
}

/* As AddN, and the shape is an attribute. */
static cnnf_status infer_accumulate(cnnfi_call *call)
{
    cnnfi_value out;
    CNNFI_TRY(cnnfi_want_inputs(call, 1, -1));
    CNNFI_TRY(cnnfi_call_merge(call, 0, call->n_inputs, &out));
    const cnnfi_value said = cnnfi_value_of_attrs(call->node);
    if (!cnnfi_value_merge(&out, &said))
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the inputs' shape is not the attribute's");
    return cnnfi_output_one(call, out.dtype, out.rank, out.dims);
}

/* x, lowest, highest: scalars, or as large as x. */
static cnnf_status infer_clip(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 3));
    for (int32_t k = 1; k < 3; k++) {
        CNNFI_TRY(cnnfi_want_same_dtype(call, 0, k));
        if (call->inputs[k].rank != 0) CNNFI_TRY(cnnfi_want_same_shape(call, 0, k));
    }
    return cnnfi_output_like(call, 0, call->inputs[0].dtype);
}

static cnnf_status infer_approximate_equal(cnnfi_call *call)
{
    cnnfi_value out;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_call_merge(call, 0, 2, &out));
    return cnnfi_output_one(call, CNNF_BOOL, out.rank, out.dims);
}

/* a, b, x of one shape; scalars among them stand for all of it. */
static cnnf_status infer_betainc(cnnfi_call *call)
{
    cnnfi_value out = cnnfi_value_unknown(0);
    bool are_scalars = true;
    CNNFI_TRY(cnnfi_want_inputs(call, 3, 3));
    CNNFI_TRY(cnnfi_want_float(call, 0));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 2));
    for (int32_t i = 0; i < 3; i++) {
        if (call->inputs[i].rank == 0) continue;
        are_scalars = false;
        if (!cnnfi_value_merge(&out, &call->inputs[i]))
            return cnnfi_call_fail(call, CNNF_E_MISMATCH, "inputs that are no scalars must have the same shape");
    }
    return cnnfi_output_one(call, call->inputs[0].dtype, are_scalars ? 0 : out.rank, out.dims);
}

static cnnf_status infer_bucketize(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 1, 1));
    const cnnfi_attr *attr = cnnfi_node_attr(call->node, "boundaries");
    const bool has_floats = attr && attr->kind == CNNF_ATTR_LIST && attr->u.list.item_kind == CNNF_ATTR_FLOAT;
    for (size_t i = 1; has_floats && i < attr->u.list.count; i++) {
        if (attr->u.list.u.floats[i] < attr->u.list.u.floats[i - 1]) {
            return cnnfi_call_fail(call, CNNF_E_CORRUPT, "boundaries are not sorted");
        }
    }
    return cnnfi_output_like(call, 0, CNNF_INT32);
}

static cnnf_status infer_complex(cnnfi_call *call)
{
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_want_same_dtype(call, 0, 1));
    const cnnf_dtype part = call->inputs[0].dtype;
    if (part && part != CNNF_FLOAT && part != CNNF_DOUBLE) return cnnfi_fail_dtype(call, 0);
    return cnnfi_broadcast_output(call, 2, !part ? 0 : part == CNNF_FLOAT ? CNNF_COMPLEX64 : CNNF_COMPLEX128);
}

static cnnf_status infer_cross(cnnfi_call *call)
{
    cnnfi_value out;
    CNNFI_TRY(cnnfi_want_inputs(call, 2, 2));
    CNNFI_TRY(cnnfi_call_merge(call, 0, 2, &out));
    if (out.rank == 0 || (out.rank > 0 && !cnnfi_dim_fits(out.dims[out.rank - 1], 3))) {
        return cnnfi_call_fail(call, CNNF_E_MISMATCH, "the last axis must have 3 elements");
    }
    return cnnfi_output_one(call, out.dtype, out.rank, out.dims);
}

static const cnnfi_op_rule rules[] = {
    {"AccumulateNV2", infer_accumulate, 0},
    {"AddN", infer_add_n, 0},
    {"ApproximateEqual", infer_approximate_equal, 0},
    {"Betainc", infer_betainc, 0},
    {"Bucketize", infer_bucketize, 0},
    {"ClipByValue", infer_clip, 0},
    {"Complex", infer_complex, 0},
    {"Cross", infer_cross, 0},
    {"Select", infer_select, 0},
    {"SelectV2", infer_select_v2, 0},
    {"Where", infer_where, 0},
};

const cnnfi_rule_family cnnfi_rules_where = {"select", rules, sizeof rules / sizeof *rules};
