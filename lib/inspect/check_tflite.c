/* SPDX-License-Identifier: Apache-2.0 */
/* What the TFLite converter of TensorFlow 2.15 takes without SELECT_TF_OPS, and its interpreter computes. */
#include <math.h>
#include <string.h>

#include "graph/tensor.h"
#include "inspect/check.h"

/* The kernels have no float64 and float16. */
static const char *check_dtype(const cnnfi_finding *f, const cnnf_node *node)
{
    const cnnf_dtype dtype = cnnfi_check_output(f, node).dtype;
    static const char *const moves[] = {"Cast", "Const", "Identity", "Placeholder"};
    const bool wide = dtype == CNNF_DOUBLE || dtype == CNNF_HALF || dtype == CNNF_BFLOAT16;
    if (!wide || cnnfi_text_in(node->op, moves, sizeof moves / sizeof *moves)) return NULL;
    return "TFLite computes float32, not this type";
}

/* Padding that would be negative: the stride leaps over the image's end. XNNPACK, which runs it, reads elsewhere. */
static const char *check_same(const cnnfi_finding *f, const cnnf_node *node)
{
    const cnnfi_value x = cnnfi_check_shape(f, node, 0), w = cnnfi_check_shape(f, node, 1);
    if (!cnnfi_node_string_is(node, "padding", "SAME") || cnnfi_node_string_is(node, "data_format", "NCHW"))
        return NULL;
    if (x.rank != 4 || w.rank != 4 || (w.dims[0] == 1 && w.dims[1] == 1)) return NULL;
    for (int32_t i = 0; i < 2; i++) {
        const int64_t stride = cnnf_node_attr_list_int(node, "strides", i + 1, 1);
        const int64_t reach = (w.dims[i] - 1) * cnnf_node_attr_list_int(node, "dilations", i + 1, 1) + 1;
        const int64_t size = x.dims[i + 1];
        if (size < 0 || stride < 1) continue;
        if (((size + stride - 1) / stride - 1) * stride + reach < size)
            return "with SAME and a stride that leaps over the end its numbers are wrong";
    }
    return NULL;
}

static bool is_op(const cnnf_node *node, const char *op)
{
    return node && strcmp(node->op, op) == 0;
}

/* A node of two inputs, one a scalar near `value`: the other input, -1. */
static int other_than(const cnnfi_finding *f, const cnnf_node *node, double value)
{
    for (size_t k = 0; k < 2; k++) {
        double found = 0;
        const cnnf_tensor *tensor = cnnfi_check_tensor(f, node, k);
        if (!tensor || cnnf_tensor_element_count(tensor) != 1 || !cnnfi_tensor_get_f64(tensor, 0, &found)) continue;
        if (fabs(found - value) < 1e-4) return 1 - (int)k;
    }
    return -1;
}

/* 0.5 * x * (1 + erf(x / sqrt(2))) is the converter's GELU. */
static const char *check_erf(const cnnfi_finding *f, const cnnf_node *node)
{
    const char *const refused = "it needs SELECT_TF_OPS, but in a GELU";
    const cnnf_node *ratio = cnnfi_check_source(f, node, 0), *sum = cnnfi_check_reader(f, node, NULL);
    const cnnf_node *product = sum ? cnnfi_check_reader(f, sum, NULL) : NULL;
    const bool divides = is_op(ratio, "RealDiv"), adds = is_op(sum, "AddV2") || is_op(sum, "Add");
    if (!divides && !is_op(ratio, "Mul")) return refused;
    const int data = other_than(f, ratio, divides ? sqrt(2.0) : sqrt(0.5));
    if (data < 0 || !adds || other_than(f, sum, 1) < 0 || !is_op(product, "Mul")) return refused;
    if (cnnfi_check_readers(f, node, NULL) != 1 || cnnfi_check_readers(f, sum, NULL) != 1) return refused;
    const cnnf_node *half = cnnfi_check_source(f, product, cnnfi_check_source(f, product, 0) == sum ? 1 : 0);
    const int halved = is_op(half, "Mul") ? other_than(f, half, 0.5) : -1;
    if (halved < 0) return refused;
    return cnnfi_check_source(f, half, (size_t)halved) == cnnfi_check_source(f, ratio, (size_t)data) ? NULL : refused;
}

#define REFUSED(op)                                                                                                    \
    {                                                                                                                  \
        op, CNNFI_REFUSED, "it needs SELECT_TF_OPS", NULL                                                              \
    }

static const cnnfi_op_row rows[] = {
    REFUSED("Acos"),
    REFUSED("Acosh"),
    REFUSED("Asin"),
    REFUSED("Asinh"),
    REFUSED("Atan"),
    REFUSED("Atanh"),
    REFUSED("AvgPool3D"),
    {"Conv2D", CNNFI_REFUSED, NULL, check_same},
    REFUSED("Cosh"),
    {"DepthwiseConv2dNative", CNNFI_REFUSED, NULL, check_same},
    {"Erf", CNNFI_REFUSED, NULL, check_erf},
    REFUSED("Erfc"),
    REFUSED("FusedBatchNormV2"),
    REFUSED("MaxPool3D"),
    REFUSED("ResizeBicubic"),
    REFUSED("Sinh"),
    REFUSED("Softsign"),
    REFUSED("Tan"),
    {"", CNNFI_REFUSED, NULL, check_dtype},
};

static void put_command(cnnfi_strbuf *out, const cnnf_graph *graph, const char *file)
{
    cnnfi_strbuf_puts(out, "tflite_convert --enable_v1_converter --graph_def_file=");
    cnnfi_put_word(out, file);
    cnnfi_strbuf_puts(out, " --output_file=model.tflite --input_arrays=");
    cnnfi_put_inputs(out, graph);
    cnnfi_strbuf_puts(out, " --input_shapes=");
    cnnfi_put_shapes(out, graph, "1", ":");
    cnnfi_strbuf_puts(out, " --output_arrays=");
    cnnfi_put_outputs(out, graph);
}

const cnnfi_target cnnfi_target_tflite = {
    .name = "tflite",
    .version = "TensorFlow 2.15",
    .bit = CNNFI_FOR_TFLITE,
    .release = 215,
    .folds = true,
    .rows = rows,
    .n_rows = sizeof rows / sizeof *rows,
    .passes = "inline_functions set_learning_phase remove_dropout fold_constants static_shapes fold_constants "
              "fold_batch_norms fold_constants fit_tflite remove_identity prune sort_by_execution_order",
    .command = put_command,
};
