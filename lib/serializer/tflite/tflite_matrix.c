/* SPDX-License-Identifier: Apache-2.0 */
/* Products of matrices. */
#include "serializer/tflite/tflite_ops.h"

/* Constant weights [in, out] are FULLY_CONNECTED's [out, in]. */
static bool fully_connected(const cnnfi_tfl_call *call)
{
    static const int32_t turned[] = {1, 0};
    const cnnfi_value weights = cnnfi_tfl_in_shape(call, 1);
    const bool as_it_is = cnnf_node_attr_bool(call->node, "transpose_b", 0);
    if (cnnf_node_attr_bool(call->node, "transpose_a", 0) || weights.count <= 0 || weights.rank != 2) return false;
    if (cnnfi_export_const_of(&call->asked, 1) == NULL) return false;
    const int64_t *w = weights.dims, dims[] = {w[as_it_is ? 0 : 1], w[as_it_is ? 1 : 0]};
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_weights(call, 1, as_it_is ? NULL : turned, 2, dims),
                                  NULL};
    cnnfi_tfl_offer(call, cnnfi_tfl_give_one(call, TFL_FULLY_CONNECTED, 3, inputs));
    return true;
}

static void batch_matmul(const cnnfi_tfl_call *call, const char *turn_x, const char *turn_y)
{
    cnnfi_tfl_tensor *inputs[] = {cnnfi_tfl_in(call, 0), cnnfi_tfl_in(call, 1)};
    cnnfi_tfl_node *node = cnnfi_tfl_give_one(call, TFL_BATCH_MATMUL, 2, inputs);
    cnnfi_tfl_set_byte(node, BATCH_MATMUL_ADJ_X, cnnf_node_attr_bool(call->node, turn_x, 0));
    cnnfi_tfl_set_byte(node, BATCH_MATMUL_ADJ_Y, cnnf_node_attr_bool(call->node, turn_y, 0));
}

static void convert_matmul(cnnfi_tfl_call *call)
{
    if (!fully_connected(call)) batch_matmul(call, "transpose_a", "transpose_b");
}

static void convert_batch_matmul(cnnfi_tfl_call *call)
{
    if (cnnfi_tfl_in_shape(call, 0).dtype != cnnfi_tfl_out_shape(call, 0).dtype)
        cnnfi_tfl_refuse(call, "a result of another dtype");
    batch_matmul(call, "adj_x", "adj_y");
}

/* clang-format off */
const cnnfi_tfl_row cnnfi_tfl_matrix_rows[] = {
    {"MatMul", convert_matmul, TFL_FULLY_CONNECTED, CNNFI_TFL_OF_FLOAT},
    {"BatchMatMul", convert_batch_matmul, TFL_BATCH_MATMUL, CNNFI_TFL_OF_FLOAT, .axes = 5},
    {"BatchMatMulV2", convert_batch_matmul, TFL_BATCH_MATMUL, CNNFI_TFL_OF_FLOAT, .axes = 5},
    {"BatchMatMulV3", convert_batch_matmul, TFL_BATCH_MATMUL, CNNFI_TFL_OF_FLOAT, .axes = 5},
    {NULL, NULL},
};
/* clang-format on */
