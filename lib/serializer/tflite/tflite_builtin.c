/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/tflite/tflite_builtin.h"

#include <string.h>

/* ---- rules of versions: what a use of an operator asks for ---- */

static cnnf_dtype in_type(const cnnfi_tfl_node *node, size_t input)
{
    const bool there = input < node->n_inputs && node->inputs[input] != NULL;
    return there ? node->inputs[input]->dtype : CNNF_DTYPE_INVALID;
}

static int32_t in_rank(const cnnfi_tfl_node *node, size_t input)
{
    return input < node->n_inputs && node->inputs[input] != NULL ? node->inputs[input]->rank : 0;
}

static bool in_is(const cnnfi_tfl_node *node, size_t input, cnnf_dtype dtype)
{
    return in_type(node, input) == dtype;
}

/* Weights of 8 bits under data of 32. */
static bool is_hybrid(const cnnfi_tfl_node *node)
{
    return in_is(node, 0, CNNF_FLOAT) && in_is(node, 1, CNNF_INT8);
}

static bool has_scales(const cnnfi_tfl_node *node, size_t input)
{
    const cnnfi_tfl_quantization *q = node->inputs[input]->quantization;
    return q != NULL && q->n_scales > 1;
}

/* Two operands of different shapes, one of more than 4 axes. */
static bool broadcasts_far(const cnnfi_tfl_node *node)
{
    const cnnfi_tfl_tensor *x = node->inputs[0], *y = node->inputs[1];
    bool same = x->rank == y->rank;
    for (int32_t i = 0; same && i < x->rank; i++)
        same = x->dims[i] == y->dims[i];
    return !same && (x->rank > 4 || y->rank > 4);
}

/* Of the first input: a version for int8, one for int16. */
static int32_t by_width(const cnnfi_tfl_node *node, int32_t int8, int32_t int16)
{
    return in_is(node, 0, CNNF_INT8) ? int8 : in_is(node, 0, CNNF_INT16) ? int16 : 1;
}

static int32_t version_first(const cnnfi_tfl_node *node)
{
    (void)node;
    return 1;
}

static int32_t version_second(const cnnfi_tfl_node *node)
{
    (void)node;
    return 2;
}

static int32_t version_byte(const cnnfi_tfl_node *node)
{
    return by_width(node, 2, 1);
}

static int32_t version_narrow(const cnnfi_tfl_node *node)
{
    return by_width(node, 2, 3);
}

static int32_t version_exp(const cnnfi_tfl_node *node)
{
    return by_width(node, 2, 2);
}

static int32_t version_add(const cnnfi_tfl_node *node)
{
    return in_is(node, 0, CNNF_INT64) ? 4 : by_width(node, 2, 5);
}

static int32_t version_sub(const cnnfi_tfl_node *node)
{
    if (in_is(node, 0, CNNF_INT64)) return 4;
    return broadcasts_far(node) ? 3 : by_width(node, 2, 1);
}

static int32_t version_mul(const cnnfi_tfl_node *node)
{
    if (in_is(node, 0, CNNF_UINT32)) return 7;
    return in_is(node, 0, CNNF_INT64) ? 5 : by_width(node, 2, 7);
}

static int32_t version_div(const cnnfi_tfl_node *node)
{
    return broadcasts_far(node) ? 2 : 1;
}

static int32_t version_extreme(const cnnfi_tfl_node *node)
{
    return broadcasts_far(node) ? 3 : by_width(node, 2, 4);
}

static int32_t version_conv(const cnnfi_tfl_node *node)
{
    const cnnfi_tfl_tensor *data = node->inputs[0], *filter = node->inputs[1];
    if (data->rank == 4 && data->dims[3] != filter->dims[3]) return 6;
    if (is_hybrid(node)) return has_scales(node, 1) ? 5 : 2;
    return by_width(node, 3, 4);
}

static int32_t version_depthwise(const cnnfi_tfl_node *node)
{
    if (is_hybrid(node)) return has_scales(node, 1) ? 6 : 4;
    if (in_is(node, 0, CNNF_INT8)) return 3;
    const bool dilated =
        cnnfi_tfl_option_of(node, DEPTHWISE_DILATION_W) > 1 || cnnfi_tfl_option_of(node, DEPTHWISE_DILATION_H) > 1;
    return dilated ? 2 : 1;
}

static int32_t version_fully_connected(const cnnfi_tfl_node *node)
{
    if (is_hybrid(node) && has_scales(node, 1)) return 12;
    if (cnnfi_tfl_option_of(node, FULLY_CONNECTED_KEEP_NUM_DIMS)) return 5;
    if (in_is(node, 0, CNNF_INT8)) return 4;
    if (is_hybrid(node)) return cnnfi_tfl_option_of(node, FULLY_CONNECTED_ASYMMETRIC) ? 9 : 3;
    return 1;
}

static int32_t version_transpose_conv(const cnnfi_tfl_node *node)
{
    if (cnnfi_tfl_option_of(node, TRANSPOSE_CONV_ACTIVATION)) return 4;
    if (in_type(node, 3) != CNNF_DTYPE_INVALID) return 3;
    return in_is(node, 1, CNNF_INT8) ? 2 : 1;
}

static int32_t version_gather(const cnnfi_tfl_node *node)
{
    if (cnnfi_tfl_option_of(node, GATHER_BATCH_DIMS) != 0) return 5;
    return in_is(node, 0, CNNF_BOOL) ? 3 : by_width(node, 2, 4);
}

static int32_t version_gather_nd(const cnnfi_tfl_node *node)
{
    return in_is(node, 0, CNNF_BOOL) ? 5 : by_width(node, 1, 3);
}

static int32_t version_transpose(const cnnfi_tfl_node *node)
{
    if (in_rank(node, 0) > 5) return 6;
    if (in_rank(node, 0) > 4) return 4;
    return in_is(node, 0, CNNF_BOOL) ? 3 : by_width(node, 2, 5);
}

static int32_t version_split(const cnnfi_tfl_node *node)
{
    const cnnf_dtype dtype = in_type(node, 1);
    return dtype == CNNF_INT16 ? 4 : dtype == CNNF_INT32 ? 3 : dtype == CNNF_INT8 ? 2 : 1;
}

static int32_t version_slice(const cnnfi_tfl_node *node)
{
    if (in_is(node, 0, CNNF_UINT32)) return 6;
    return in_rank(node, 0) > 4 ? 5 : by_width(node, 2, 4);
}

static int32_t version_unpack(const cnnfi_tfl_node *node)
{
    if (in_is(node, 0, CNNF_BOOL)) return 3;
    return in_is(node, 0, CNNF_UINT8) ? 2 : by_width(node, 2, 4);
}

static int32_t version_dequantize(const cnnfi_tfl_node *node)
{
    if (in_is(node, 0, CNNF_INT8)) return has_scales(node, 0) ? 5 : 2;
    return in_is(node, 0, CNNF_HALF) || in_is(node, 0, CNNF_INT16) ? 3 : 1;
}

static int32_t version_floor_div(const cnnfi_tfl_node *node)
{
    return in_is(node, 0, CNNF_FLOAT) ? 2 : by_width(node, 3, 3);
}

static int32_t version_abs(const cnnfi_tfl_node *node)
{
    return in_is(node, 0, CNNF_INT32) ? 5 : by_width(node, 2, 4);
}

static int32_t version_sign(const cnnfi_tfl_node *node)
{
    return in_is(node, 0, CNNF_INT32) ? 2 : 1;
}

static int32_t version_strided_slice(const cnnfi_tfl_node *node)
{
    if (in_is(node, 0, CNNF_UINT32)) return 7;
    if (cnnfi_tfl_option_of(node, SLICE_ELLIPSIS_MASK) || cnnfi_tfl_option_of(node, SLICE_NEW_AXIS_MASK)) return 6;
    if (in_rank(node, 0) > 4) return 4;
    return in_is(node, 0, CNNF_BOOL) ? 3 : by_width(node, 2, 1);
}

static int32_t version_reverse(const cnnfi_tfl_node *node)
{
    return in_is(node, 0, CNNF_BOOL) ? 2 : by_width(node, 3, 1);
}

static int32_t version_resize_bilinear(const cnnfi_tfl_node *node)
{
    return cnnfi_tfl_option_of(node, RESIZE_BILINEAR_HALF) ? 3 : by_width(node, 2, 4);
}

static int32_t version_resize_nearest(const cnnfi_tfl_node *node)
{
    const bool newer =
        cnnfi_tfl_option_of(node, RESIZE_NEAREST_HALF) || cnnfi_tfl_option_of(node, RESIZE_NEAREST_ALIGN);
    return newer ? 3 : by_width(node, 2, 4);
}

static int32_t version_pack(const cnnfi_tfl_node *node)
{
    return in_is(node, 0, CNNF_UINT32) ? 4 : by_width(node, 2, 3);
}

static int32_t version_tile(const cnnfi_tfl_node *node)
{
    return in_is(node, 0, CNNF_INT8) ? 3 : 1;
}

static int32_t version_blocks(const cnnfi_tfl_node *node)
{
    return in_rank(node, 0) != 4 ? 3 : by_width(node, 2, 4);
}

static int32_t version_pad(const cnnfi_tfl_node *node)
{
    return in_rank(node, 0) > 4 ? 4 : by_width(node, 2, 3);
}

static int32_t version_concatenation(const cnnfi_tfl_node *node)
{
    return in_is(node, 0, CNNF_UINT32) ? 4 : by_width(node, 2, 3);
}

static int32_t version_fill(const cnnfi_tfl_node *node)
{
    const cnnf_dtype dtype = in_type(node, 1);
    if (dtype == CNNF_HALF) return 4;
    return dtype == CNNF_INT8 || dtype == CNNF_INT16 ? 3 : dtype == CNNF_BOOL ? 2 : 1;
}

static int32_t version_equal(const cnnfi_tfl_node *node)
{
    return by_width(node, 2, 4);
}

static int32_t version_range(const cnnfi_tfl_node *node)
{
    return in_is(node, 0, CNNF_INT64) ? 2 : 1;
}

static int32_t version_arg(const cnnfi_tfl_node *node)
{
    return in_is(node, 0, CNNF_BOOL) ? 3 : by_width(node, 2, 1);
}

static int32_t version_select(const cnnfi_tfl_node *node)
{
    const bool five = in_rank(node, 0) == 5 || in_rank(node, 1) == 5 || in_rank(node, 2) == 5;
    return five ? 3 : 1;
}

static int32_t version_cast(const cnnfi_tfl_node *node)
{
    const cnnf_dtype from = node->inputs[0]->dtype, to = node->outputs[0]->dtype;
    static const struct {
        cnnf_dtype dtype;
        int32_t version;
    } rows[] = {{CNNF_DOUBLE, 5}, {CNNF_HALF, 5}, {CNNF_UINT16, 4}, {CNNF_INT8, 3}, {CNNF_UINT32, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (from == rows[i].dtype || to == rows[i].dtype) return rows[i].version;
    return 1;
}

static int32_t version_where(const cnnfi_tfl_node *node)
{
    return in_is(node, 0, CNNF_BOOL) ? 1 : 2;
}

static int32_t version_relu(const cnnfi_tfl_node *node)
{
    return by_width(node, 2, 3);
}

static int32_t version_quantize(const cnnfi_tfl_node *node)
{
    return node->outputs[0]->dtype == CNNF_INT16 ? 2 : 1;
}

static int32_t version_leaky(const cnnfi_tfl_node *node)
{
    return by_width(node, 1, 2);
}

/* ---- the table ---- */

typedef struct builtin {
    cnnfi_tfl_code code;
    uint8_t options;
    int32_t (*version)(const cnnfi_tfl_node *node);
    const char *runtimes; /* since when runtimes have version 1, 2 ... */
    int8_t activation;    /* the field of the fused activation, plus 1 */
} builtin;

/* clang-format off */
static const builtin builtins[] = {
    {TFL_ADD, 11, version_add, "1.5.0 1.14.0 2.4.0 2.6.0 2.13.0", BINARY_ACTIVATION + 1},
    {TFL_AVERAGE_POOL_2D, 5, version_narrow, "1.5.0 1.14.0 2.3.0", POOL_ACTIVATION + 1},
    {TFL_CONCATENATION, 10, version_concatenation, "1.5.0 1.14.0 2.3.0 2.14.0"},
    {TFL_CONV_2D, 1, version_conv, "1.5.0 1.14.0 1.14.0 2.3.0 2.4.0 2.9.0", CONV_ACTIVATION + 1},
    {TFL_DEPTHWISE_CONV_2D, 2, version_depthwise, "1.5.0 1.12.0 1.14.0 2.2.0 2.3.0 2.3.0", DEPTHWISE_ACTIVATION + 1},
    {TFL_DEPTH_TO_SPACE, 94, version_byte, "2.1.0 2.5.0"},
    {TFL_DEQUANTIZE, 38, version_dequantize, "1.13.1 1.14.0 1.15.0 2.2.0 2.7.0"},
    {TFL_FLOOR, 0, version_first, "1.9.0"},
    {TFL_FULLY_CONNECTED, 8, version_fully_connected,
     "1.5.0 1.10.0 1.14.0 1.14.0 2.0.0 2.1.0 2.3.0 2.3.0 2.3.0 2.11.0 2.15.0 2.17.0", FULLY_CONNECTED_ACTIVATION + 1},
    {TFL_L2_NORMALIZATION, 12, version_byte, "1.5.0 1.14.0"},
    {TFL_LOCAL_RESPONSE_NORMALIZATION, 13, version_first, "1.5.0"},
    {TFL_LOGISTIC, 0, version_narrow, "1.14.0 1.14.0 2.3.0"},
    {TFL_MAX_POOL_2D, 5, version_narrow, "1.5.0 1.14.0 2.3.0", POOL_ACTIVATION + 1},
    {TFL_MUL, 21, version_mul, "1.5.0 1.14.0 1.15.0 2.3.0 2.6.0 2.11.0 2.13.0", BINARY_ACTIVATION + 1},
    {TFL_RELU, 0, version_relu, "1.5.0 2.1.0 2.5.0"},
    {TFL_RELU_N1_TO_1, 0, version_first, "1.5.0"},
    {TFL_RELU6, 0, version_narrow, "1.5.0 1.14.0 2.5.0"},
    {TFL_RESHAPE, 17, version_first, "1.5.0"},
    {TFL_RESIZE_BILINEAR, 15, version_resize_bilinear, "1.7.0 1.14.0 2.2.0 2.5.0"},
    {TFL_SOFTMAX, 9, version_narrow, "1.5.0 1.14.0 2.3.0"},
    {TFL_SPACE_TO_DEPTH, 19, version_byte, "1.5.0 1.14.0"},
    {TFL_TANH, 0, version_narrow, "1.14.0 1.14.0 2.3.0"},
    {TFL_PAD, 22, version_pad, "1.5.0 1.14.0 2.4.0 2.6.0"},
    {TFL_GATHER, 23, version_gather, "1.6.0 1.14.0 1.15.0 2.4.0 2.5.0"},
    {TFL_BATCH_TO_SPACE_ND, 24, version_blocks, "1.6.0 1.14.0 2.3.0"},
    {TFL_SPACE_TO_BATCH_ND, 25, version_blocks, "1.6.0 1.14.0 2.3.0"},
    {TFL_TRANSPOSE, 26, version_transpose, "1.6.0 1.14.0 1.15.0 2.3.0 2.4.0 2.12.0"},
    {TFL_MEAN, 27, version_narrow, "1.6.0 1.14.0 2.4.0"},
    {TFL_SUB, 28, version_sub, "1.6.0 1.14.0 2.3.0 2.4.0 2.4.0", BINARY_ACTIVATION + 1},
    {TFL_DIV, 29, version_div, "1.6.0 2.3.0", BINARY_ACTIVATION + 1},
    {TFL_SQUEEZE, 30, version_first, "1.6.0"},
    {TFL_STRIDED_SLICE, 32, version_strided_slice, "1.6.0 1.14.0 2.1.0 2.2.0 2.5.0 2.6.0 2.14.0"},
    {TFL_EXP, 33, version_exp, "1.7.0 2.12.0"},
    {TFL_TOPK_V2, 34, version_byte, "1.7.0 1.14.0"},
    {TFL_SPLIT, 35, version_split, "1.5.0 1.14.0 1.14.0 2.3.0"},
    {TFL_LOG_SOFTMAX, 36, version_byte, "1.14.0 1.14.0"},
    {TFL_CAST, 37, version_cast, "1.5.0 2.7.0 2.8.0 2.9.0 2.12.0"},
    {TFL_PRELU, 0, version_first, "1.8.0"},
    {TFL_MAXIMUM, 39, version_extreme, "1.14.0 1.14.0 2.3.0 2.3.0"},
    {TFL_ARG_MAX, 40, version_arg, "1.9.0 1.14.0 2.9.0"},
    {TFL_MINIMUM, 39, version_extreme, "1.14.0 1.14.0 2.3.0 2.3.0"},
    {TFL_LESS, 41, version_narrow, "1.14.0 1.14.0"},
    {TFL_NEG, 42, version_first, "1.9.0"},
    {TFL_PADV2, 43, version_pad, "1.9.0 1.14.0 2.4.0 2.6.0"},
    {TFL_GREATER, 44, version_byte, "1.14.0 1.14.0"},
    {TFL_GREATER_EQUAL, 45, version_narrow, "1.14.0 1.14.0"},
    {TFL_LESS_EQUAL, 46, version_byte, "1.14.0 1.14.0"},
    {TFL_SELECT, 47, version_select, "1.14.0 1.14.0 2.12.0 2.14.0"},
    {TFL_SLICE, 48, version_slice, "1.14.0 1.14.0 1.14.0 2.4.0 2.5.0 2.14.0"},
    {TFL_SIN, 0, version_first, "1.9.0"},
    {TFL_TRANSPOSE_CONV, 49, version_transpose_conv, "1.9.0 2.2.0 2.3.0 2.13.0", TRANSPOSE_CONV_ACTIVATION + 1},
    {TFL_TILE, 51, version_tile, "1.10.1 2.2.0 2.8.0"},
    {TFL_EXPAND_DIMS, 52, version_first, "1.10.0"},
    {TFL_EQUAL, 53, version_equal, "1.14.0 1.14.0 2.3.0 2.14.0"},
    {TFL_NOT_EQUAL, 54, version_byte, "1.14.0 1.14.0"},
    {TFL_LOG, 0, version_exp, "1.14.0 2.13.0"},
    {TFL_SUM, 27, version_byte, "1.10.0 1.15.0"},
    {TFL_SQRT, 0, version_first, "1.10.0"},
    {TFL_RSQRT, 0, version_narrow, "1.10.0 2.5.0"},
    {TFL_SHAPE, 55, version_first, "1.10.0"},
    {TFL_POW, 56, version_first, "1.10.0"},
    {TFL_ARG_MIN, 57, version_arg, "1.9.0 1.14.0 2.9.0"},
    {TFL_REDUCE_PROD, 27, version_exp, "1.11.0 2.6.0"},
    {TFL_REDUCE_MAX, 27, version_narrow, "1.11.0 1.14.0 2.5.0"},
    {TFL_PACK, 59, version_pack, "1.11.0 1.14.0 2.3.0 2.14.0"},
    {TFL_LOGICAL_OR, 60, version_first, "1.11.0"},
    {TFL_ONE_HOT, 61, version_first, "1.11.0"},
    {TFL_LOGICAL_AND, 62, version_first, "1.11.0"},
    {TFL_LOGICAL_NOT, 63, version_first, "1.11.0"},
    {TFL_UNPACK, 64, version_unpack, "1.11.0 1.14.0 2.2.0 2.3.0"},
    {TFL_REDUCE_MIN, 27, version_narrow, "1.11.0 1.14.0 2.5.0"},
    {TFL_FLOOR_DIV, 65, version_floor_div, "1.14.0 1.14.0 2.13.0"},
    {TFL_REDUCE_ANY, 27, version_first, "1.11.0"},
    {TFL_SQUARE, 66, version_first, "1.12.0"},
    {TFL_ZEROS_LIKE, 67, version_first, "1.12.0"},
    {TFL_FILL, 68, version_fill, "1.13.0 2.3.0 2.5.0 2.12.0"},
    {TFL_FLOOR_MOD, 72, version_exp, "1.13.0 2.13.0"},
    {TFL_RANGE, 73, version_range, "1.13.0 2.14.0"},
    {TFL_RESIZE_NEAREST_NEIGHBOR, 74, version_resize_nearest, "1.13.1 1.14.0 2.3.0 2.4.0"},
    {TFL_LEAKY_RELU, 75, version_leaky, "1.13.1 2.3.0"},
    {TFL_SQUARED_DIFFERENCE, 76, version_byte, "1.13.1 2.5.0"},
    {TFL_MIRROR_PAD, 77, version_narrow, "1.13.1 2.3.0 2.12.0"},
    {TFL_ABS, 78, version_abs, "1.13.0 2.4.0 2.5.0 2.6.0 2.12.0"},
    {TFL_SPLIT_V, 79, version_byte, "1.13.1 2.3.0"},
    {TFL_CEIL, 0, version_first, "1.14.0"},
    {TFL_REVERSE_V2, 81, version_reverse, "1.14.0 2.2.0 2.5.0"},
    {TFL_ADD_N, 82, version_first, "1.14.0"},
    {TFL_GATHER_ND, 83, version_gather_nd, "1.14.0 2.3.0 2.5.0 2.13.0 2.15.0"},
    {TFL_COS, 84, version_first, "1.14.0"},
    {TFL_WHERE, 85, version_where, "1.14.0 2.8.0"},
    {TFL_RANK, 86, version_first, "1.14.0"},
    {TFL_ELU, 0, version_first, "1.14.0"},
    {TFL_REVERSE_SEQUENCE, 87, version_first, "1.14.0"},
    {TFL_MATRIX_DIAG, 88, version_first, "1.14.0"},
    {TFL_QUANTIZE, 89, version_quantize, "1.14.0 1.15.0"},
    {TFL_MATRIX_SET_DIAG, 90, version_first, "1.14.0"},
    {TFL_ROUND, 0, version_first, "1.14.0"},
    {TFL_HARD_SWISH, 91, version_first, "1.15.0"},
    {TFL_SCATTER_ND, 97, version_first, "2.1.0"},
    {TFL_SELECT_V2, 98, version_first, "2.2.0"},
    {TFL_BATCH_MATMUL, 101, version_narrow, "2.3.0 2.3.0 2.4.0"},
    {TFL_CUMSUM, 102, version_first, "2.4.0"},
    {TFL_BROADCAST_TO, 104, version_second, "2.5.0 2.5.0"},
    {TFL_CONV_3D, 106, version_first, "2.5.0", CONV3D_ACTIVATION + 1},
    {TFL_REDUCE_ALL, 27, version_first, "2.6.0"},
    {TFL_CONV_3D_TRANSPOSE, 106, version_first, "2.6.0"},
    {TFL_BUCKETIZE, 115, version_first, "2.8.0"},
    {TFL_GELU, 116, version_first, "2.9.0"},
    {TFL_RELU_0_TO_1, 0, version_first, "2.10.0"},
    {TFL_ATAN2, 122, version_first, "2.10.0"},
    {TFL_SIGN, 123, version_sign, "2.12.0 2.12.0"},
    {TFL_BITWISE_XOR, 125, version_first, "2.13.0"},
    {TFL_RIGHT_SHIFT, 126, version_first, "2.13.0"},
};
/* clang-format on */

static const builtin *find(cnnfi_tfl_code code)
{
    for (size_t i = 0; i < sizeof builtins / sizeof *builtins; i++)
        if (builtins[i].code == code) return &builtins[i];
    return builtins;
}

uint32_t cnnfi_tfl_options_type(cnnfi_tfl_code code)
{
    return find(code)->options;
}

int32_t cnnfi_tfl_version(const cnnfi_tfl_node *node)
{
    return find(node->code)->version(node);
}

int32_t cnnfi_tfl_activation_field(cnnfi_tfl_code code)
{
    return find(code)->activation - 1;
}

const char *cnnfi_tfl_runtime(cnnfi_tfl_code code, int32_t version, size_t *length)
{
    const char *text = find(code)->runtimes;
    for (int32_t i = 1; i < version && strchr(text, ' ') != NULL; i++)
        text = strchr(text, ' ') + 1;
    *length = strcspn(text, " ");
    return text;
}
