/* SPDX-License-Identifier: Apache-2.0 */
/* Ops along axes: reductions, places of extremes, running sums. */
#include "serializer/tflite/tflite_ops.h"

static cnnfi_tfl_node *reduce(const cnnfi_tfl_call *call, cnnfi_tfl_code code, cnnfi_tfl_tensor *x,
                              cnnfi_tfl_tensor *out)
{
    cnnfi_tfl_tensor *inputs[] = {x, cnnfi_tfl_in_int32(call, 1)};
    cnnfi_tfl_node *node = cnnfi_tfl_add(call->m, code, 2, inputs, 1, &out);
    cnnfi_tfl_set_byte(node, REDUCER_KEEP_DIMS, cnnf_node_attr_bool(call->node, "keep_dims", 0));
    return node;
}

static void convert_reduction(cnnfi_tfl_call *call)
{
    int64_t axes[CNNFI_OP_MAX_RANK];
    size_t count;
    /* Along no axis nothing changes, and kernels take an empty list for all of them. */
    if (cnnfi_export_ints_of(&call->asked, 1, axes, CNNFI_OP_MAX_RANK, &count) && count == 0) {
        cnnfi_tfl_give_input(call, 0, 0);
        return;
    }
    cnnfi_tfl_tensor *out = cnnfi_tfl_out(call, 0);
    reduce(call, call->row->as, cnnfi_tfl_in(call, 0), out);
    cnnfi_tfl_give(call, 0, out);
}

static void convert_norm(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *square =
        cnnfi_tfl_unary(call->m, TFL_SQUARE, cnnfi_tfl_in(call, 0), cnnfi_tfl_part_like(call, 0, CNNF_FLOAT));
    cnnfi_tfl_tensor *sum = cnnfi_tfl_part(call);
    reduce(call, TFL_SUM, square, sum);
    cnnfi_tfl_give_one(call, TFL_SQRT, 1, &sum);
}

static void convert_arg(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_in_int32(call, 1)};
    const cnnf_dtype dtype = cnnfi_tfl_out_shape(call, 0).dtype;
    if (dtype != CNNF_INT32 && dtype != CNNF_INT64) cnnfi_tfl_refuse(call, "indices of %s", cnnf_dtype_name(dtype));
    cnnfi_tfl_node *node = cnnfi_tfl_give_one(call, call->row->as, 2, inputs);
    cnnfi_tfl_set_byte(node, OUTPUT_TYPE, cnnfi_tfl_type(dtype));
}

static void convert_cumsum(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_in_int32(call, 1)};
    cnnfi_tfl_node *node = cnnfi_tfl_give_one(call, TFL_CUMSUM, 2, inputs);
    cnnfi_tfl_set_byte(node, CUMSUM_EXCLUSIVE, cnnf_node_attr_bool(call->node, "exclusive", 0));
    cnnfi_tfl_set_byte(node, CUMSUM_REVERSE, cnnf_node_attr_bool(call->node, "reverse", 0));
}

/* Along the last axis. TopK has k as an attribute. */
static void convert_top_k(cnnfi_tfl_call *call)
{
    cnnfi_tfl_tensor *k = call->n_inputs > 1 ? cnnfi_tfl_in_int32(call, 1)
                                             : cnnfi_tfl_int(call->m, cnnf_node_attr_int(call->node, "k", 1));
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), k};
    double least = 1;
    if (cnnfi_export_number_of(&call->asked, 1, &least) && least < 1) cnnfi_tfl_refuse(call, "k is not above 0");
    cnnfi_tfl_tensor *outputs[] = {cnnfi_tfl_out(call, 0), cnnfi_tfl_out(call, 1)};
    if (outputs[1] != NULL && outputs[1]->dtype != CNNF_INT32)
        cnnfi_tfl_refuse(call, "indices of %s", cnnf_dtype_name(outputs[1]->dtype));
    cnnfi_tfl_add(call->m, TFL_TOPK_V2, 2, inputs, 2, outputs);
    cnnfi_tfl_give(call, 0, outputs[0]);
    cnnfi_tfl_give(call, 1, outputs[1]);
}

static void convert_l2_loss(cnnfi_tfl_call *call)
{
    int64_t axes[CNNFI_OP_MAX_RANK];
    const int32_t rank = cnnfi_tfl_in_shape(call, 0).rank;
    if (rank < 1) {
        cnnfi_tfl_refuse(call, "the number of axes of its input is not known, or 0");
        return;
    }
    for (int32_t i = 0; i < rank; i++)
        axes[i] = i;
    cnnfi_tfl_tensor *square =
        cnnfi_tfl_unary(call->m, TFL_SQUARE, cnnfi_tfl_in(call, 0), cnnfi_tfl_part_like(call, 0, CNNF_FLOAT));
    cnnfi_tfl_tensor *sum =
        cnnfi_tfl_binary(call->m, TFL_SUM, square, cnnfi_tfl_ints(call->m, (size_t)rank, axes), cnnfi_tfl_part(call));
    cnnfi_tfl_tensor *inputs[] = {sum, cnnfi_tfl_scalar(call->m, CNNF_FLOAT, 0.5)};
    cnnfi_tfl_give_one(call, TFL_MUL, 2, inputs);
}

#define FLOAT   CNNFI_TFL_OF_FLOAT
#define NUMBERS CNNFI_TFL_OF_NUMBERS

/* clang-format off */
const cnnfi_tfl_row cnnfi_tfl_reduction_rows[] = {
    {"Mean", convert_reduction, TFL_MEAN, NUMBERS},
    {"Sum", convert_reduction, TFL_SUM, NUMBERS},
    {"Prod", convert_reduction, TFL_REDUCE_PROD, NUMBERS},
    {"Max", convert_reduction, TFL_REDUCE_MAX, NUMBERS},
    {"Min", convert_reduction, TFL_REDUCE_MIN, NUMBERS},
    {"All", convert_reduction, TFL_REDUCE_ALL, CNNFI_TFL_OF_BOOL},
    {"Any", convert_reduction, TFL_REDUCE_ANY, CNNFI_TFL_OF_BOOL},
    {"EuclideanNorm", convert_norm, TFL_SQRT, FLOAT},
    {"ArgMax", convert_arg, TFL_ARG_MAX, FLOAT | CNNFI_TFL_OF_INT32 | CNNFI_TFL_OF_BYTE | CNNFI_TFL_OF_BOOL},
    {"ArgMin", convert_arg, TFL_ARG_MIN, FLOAT | CNNFI_TFL_OF_INT32 | CNNFI_TFL_OF_BYTE | CNNFI_TFL_OF_BOOL},
    {"Cumsum", convert_cumsum, TFL_CUMSUM, NUMBERS},
    {"TopK", convert_top_k, TFL_TOPK_V2, NUMBERS},
    {"TopKV2", convert_top_k, TFL_TOPK_V2, NUMBERS},
    {"L2Loss", convert_l2_loss, TFL_SUM, FLOAT},
    {NULL, NULL},
};
/* clang-format on */
