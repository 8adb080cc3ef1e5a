/* SPDX-License-Identifier: Apache-2.0 */
/* Products of matrices. */
#include <string.h>

#include "serializer/onnx/onnx_ops.h"
#include "serializer/onnx/onnx_quantize.h"

/* The second operand, as integers where it is weights on a grid. */
static const char *weights(const cnnfi_onnx_call *call)
{
    static const int32_t perm[] = {0, 1};
    const cnnfi_value shape = cnnfi_export_in_shape(&call->asked, 1);
    if (!cnnfi_onnx_has_quantized_weights(call, 1)) return cnnfi_onnx_in(call, 1, CNNFI_PLAIN);
    return cnnfi_onnx_quantized_weights(call, 1, perm, 2, shape.dims, 1);
}

/* Gemm, so that a bias can follow into it; runtimes have it for floats, and MatMul for integers. */
static void convert_matmul(cnnfi_onnx_call *call)
{
    const char *inputs[] = {cnnfi_onnx_in(call, 0, CNNFI_PLAIN), weights(call)};
    const cnnf_dtype dtype = cnnfi_export_in_shape(&call->asked, 0).dtype;
    const bool turned_a = cnnf_node_attr_bool(call->node, "transpose_a", 0);
    const bool turned_b = cnnf_node_attr_bool(call->node, "transpose_b", 0);
    const bool floats = dtype == CNNF_FLOAT || dtype == CNNF_DOUBLE || dtype == CNNF_HALF;
    const char *op = floats || turned_a || turned_b ? "Gemm" : "MatMul";
    cnnfi_onnx_node *node;
    const char *y = cnnfi_onnx_add(call->m, &node, op, cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN), 2, inputs);
    if (turned_a) cnnfi_onnx_set_int(call->m, node, "transA", 1);
    if (turned_b) cnnfi_onnx_set_int(call->m, node, "transB", 1);
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN, y);
    if (floats) cnnfi_onnx_offer_quantized_bias(call, node, 0, 1);
}

/* An operand of a batched product, its two last axes exchanged when `flag` says so. */
static const char *operand(const cnnfi_onnx_call *call, int32_t input, const char *flag)
{
    const char *x = cnnfi_onnx_in(call, input, CNNFI_PLAIN);
    const int32_t rank = cnnfi_export_in_shape(&call->asked, input).rank;
    int64_t perm[CNNFI_OP_MAX_RANK];
    if (!cnnf_node_attr_bool(call->node, flag, 0) || rank < 2) return x;
    for (int32_t i = 0; i < rank; i++)
        perm[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    return cnnfi_onnx_transpose(call->m, x, rank, perm, NULL);
}

static void convert_batch_matmul(cnnfi_onnx_call *call)
{
    const char *x = operand(call, 0, "adj_x"), *y = operand(call, 1, "adj_y");
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN,
                    cnnfi_onnx_binary(call->m, "MatMul", cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN), x, y));
}

/* A label twice in the result is a diagonal, which ONNX' Einsum cannot give. */
static bool repeats_in_result(const char *equation)
{
    const char *result = strstr(equation, "->");
    bool seen[256] = {false};
    for (const char *c = result != NULL ? result + 2 : ""; *c != '\0'; c++) {
        const uint8_t label = (uint8_t)*c;
        if (seen[label] && label != '.' && label != ' ') return true;
        seen[label] = true;
    }
    return false;
}

static void convert_einsum(cnnfi_onnx_call *call)
{
    const char *equation = cnnf_node_attr_string(NULL, call->node, "equation");
    const char **inputs = cnnfi_export_array(&call->m->x, (size_t)call->n_inputs, sizeof *inputs);
    if (inputs == NULL || equation == NULL) return;
    if (repeats_in_result(equation)) cnnfi_export_refuse(&call->asked, "a label twice in the result");
    for (int32_t i = 0; i < call->n_inputs; i++)
        inputs[i] = cnnfi_onnx_in(call, i, CNNFI_PLAIN);
    cnnfi_onnx_node *node;
    const char *y = cnnfi_onnx_add(call->m, &node, "Einsum", cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN),
                                   (size_t)call->n_inputs, inputs);
    cnnfi_onnx_set_text(call->m, node, "equation", equation);
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN, y);
}

/* clang-format off */
const cnnfi_onnx_row cnnfi_onnx_matrix_rows[] = {
    {"MatMul", convert_matmul},
    {"BatchMatMul", convert_batch_matmul},
    {"BatchMatMulV2", convert_batch_matmul},
    {"BatchMatMulV3", convert_batch_matmul},
    {"Einsum", convert_einsum},
    {NULL, NULL},
};
/* clang-format on */
