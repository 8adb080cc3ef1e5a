/* SPDX-License-Identifier: Apache-2.0 */
/* Lists and arrays of tensors: handles are scalars, what they hold is known while computing. */
#include "ops/op_rules.h"

/* ---- what an input must be ---- */

static cnnf_status want_handle(cnnfi_call *call, int32_t input)
{
    const cnnfi_value *value = &call->inputs[input];
    const bool is_handle = !value->dtype || value->dtype == CNNF_VARIANT || value->dtype == CNNF_RESOURCE;
    if (!is_handle) return cnnfi_fail_dtype(call, input);
    return cnnfi_want_rank(call, input, 0);
}

static cnnf_status want_int_scalar(cnnfi_call *call, int32_t input)
{
    CNNFI_TRY(cnnfi_want_int(call, input));
    if (cnnfi_dim_fits(call->inputs[input].count, 1)) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d must be one number", (int)input);
}

static cnnf_status want_shape(cnnfi_call *call, int32_t input)
{
    CNNFI_TRY(cnnfi_want_int(call, input));
    if (call->inputs[input].rank < 2) return CNNF_OK;
    return cnnfi_call_fail(call, CNNF_E_MISMATCH, "input %d is no shape", (int)input);
}

/* ---- what inputs are, a letter each: (h)andle, (i)nteger, (s)hape, (v)ector of integers, (t)ensor ---- */

static cnnf_status want(cnnfi_call *call, const char *kinds)
{
    for (int32_t i = 0; kinds[i] && i < call->n_inputs; i++) {
        switch (kinds[i]) {
        case 'h':
            CNNFI_TRY(want_handle(call, i));
            break;
        case 'i':
            CNNFI_TRY(want_int_scalar(call, i));
            break;
        case 's':
            CNNFI_TRY(want_shape(call, i));
            break;
        case 'v':
            CNNFI_TRY(cnnfi_want_int(call, i));
            CNNFI_TRY(cnnfi_want_rank(call, i, 1));
            break;
        default:
            break;
        }
    }
    return CNNF_OK;
}

static cnnf_status give_list(cnnfi_call *call)
{
    return cnnfi_output_one(call, CNNF_VARIANT, 0, NULL);
}

static cnnf_status give_open(cnnfi_call *call, int32_t output, const char *attr)
{
    CNNFI_TRY(cnnfi_call_output(call, output, cnnfi_node_type(call->node, attr), CNNFI_UNKNOWN, NULL));
    return CNNFI_INFER_DYNAMIC;
}

static cnnf_status infer_new_list(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "si"));
    return give_list(call);
}

static cnnf_status infer_from_tensor(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "ts"));
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, 1));
    return give_list(call);
}

static cnnf_status infer_split(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "tsv"));
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, 1));
    return give_list(call);
}

static cnnf_status infer_scatter(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "tvsi"));
    CNNFI_TRY(cnnfi_want_least_rank(call, 0, 1));
    return give_list(call);
}

static cnnf_status infer_scatter_into(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "htv"));
    CNNFI_TRY(cnnfi_want_least_rank(call, 1, 1));
    return give_list(call);
}

static cnnf_status infer_change(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "h"));
    return give_list(call);
}

static cnnf_status infer_at_index(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "hi"));
    return give_list(call);
}

static cnnf_status infer_join_lists(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "hh"));
    return give_list(call);
}

static cnnf_status infer_length(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "h"));
    return cnnfi_output_one(call, CNNF_INT32, 0, NULL);
}

static cnnf_status infer_element_shape(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "h"));
    return give_open(call, 0, "shape_type");
}

static cnnf_status infer_get(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "his"));
    return give_open(call, 0, "element_dtype");
}

static cnnf_status infer_stack(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "hs"));
    return give_open(call, 0, "element_dtype");
}

static cnnf_status infer_gather(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "hvs"));
    return give_open(call, 0, "element_dtype");
}

static cnnf_status infer_pop(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "hs"));
    CNNFI_TRY(give_list(call));
    return give_open(call, 1, "element_dtype");
}

static cnnf_status give_joined(cnnfi_call *call, const char *attr)
{
    const int64_t open = CNNFI_UNKNOWN;
    CNNFI_TRY(cnnfi_call_output(call, 0, cnnfi_node_type(call->node, attr), CNNFI_UNKNOWN, NULL));
    CNNFI_TRY(cnnfi_call_output(call, 1, CNNF_INT64, 1, &open));
    return CNNFI_INFER_DYNAMIC;
}

static cnnf_status infer_concat(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "hsv"));
    return give_joined(call, "element_dtype");
}

/* ---- arrays ---- */

static cnnf_status infer_array(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "i"));
    CNNFI_TRY(cnnfi_call_output(call, 0, CNNF_RESOURCE, 0, NULL));
    return cnnfi_call_output(call, 1, CNNF_FLOAT, 0, NULL);
}

static cnnf_status give_flow(cnnfi_call *call)
{
    return cnnfi_output_one(call, CNNF_FLOAT, 0, NULL);
}

static cnnf_status infer_write(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "hit"));
    return give_flow(call);
}

static cnnf_status infer_array_scatter(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "hvt"));
    CNNFI_TRY(cnnfi_want_least_rank(call, 2, 1));
    return give_flow(call);
}

static cnnf_status infer_array_split(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "htv"));
    CNNFI_TRY(cnnfi_want_least_rank(call, 1, 1));
    return give_flow(call);
}

static cnnf_status infer_read(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "hi"));
    return give_open(call, 0, "dtype");
}

static cnnf_status infer_array_gather(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "hv"));
    return give_open(call, 0, "dtype");
}

static cnnf_status infer_array_concat(cnnfi_call *call)
{
    CNNFI_TRY(want(call, "h"));
    return give_joined(call, "dtype");
}

static cnnf_status infer_close(cnnfi_call *call)
{
    return want(call, "h");
}

static const cnnfi_op_rule rules[] = {
    {"EmptyTensorList", infer_new_list, 0},
    {"TensorArrayCloseV3", infer_close, 0},
    {"TensorArrayConcatV3", infer_array_concat, 0},
    {"TensorArrayGatherV3", infer_array_gather, 0},
    {"TensorArrayReadV3", infer_read, 0},
    {"TensorArrayScatterV3", infer_array_scatter, 0},
    {"TensorArraySizeV3", infer_length, 0},
    {"TensorArraySplitV3", infer_array_split, 0},
    {"TensorArrayV3", infer_array, 0},
    {"TensorArrayWriteV3", infer_write, 0},
    {"TensorListConcat", infer_concat, 0},
    {"TensorListConcatLists", infer_join_lists, 0},
    {"TensorListConcatV2", infer_concat, 0},
    {"TensorListElementShape", infer_element_shape, 0},
    {"TensorListFromTensor", infer_from_tensor, 0},
    {"TensorListGather", infer_gather, 0},
    {"TensorListGetItem", infer_get, 0},
    {"TensorListLength", infer_length, 0},
    {"TensorListPopBack", infer_pop, 0},
    {"TensorListPushBack", infer_change, 0},
    {"TensorListReserve", infer_new_list, 0},
    {"TensorListResize", infer_at_index, 0},
    {"TensorListScatter", infer_scatter, 0},
    {"TensorListScatterIntoExistingList", infer_scatter_into, 0},
    {"TensorListScatterV2", infer_scatter, 0},
    {"TensorListSetItem", infer_at_index, 0},
    {"TensorListSplit", infer_split, 0},
    {"TensorListStack", infer_stack, 0},
};

const cnnfi_rule_family cnnfi_rules_list = {"lists", rules, sizeof rules / sizeof *rules};
