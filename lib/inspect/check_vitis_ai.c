/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the quantizer of AMD's DPU takes: vai_q_tensorflow 3.5 on TensorFlow 1.15, and xnnc 3.5, the compiler's front
 * end behind it. It folds constants first, so that parameters may be computed; what it does not quantise stays on the
 * CPU. Some graphs it takes and computes wrong without a word: those are refused here.
 */
#include <string.h>

#include "graph/tensor.h"
#include "inspect/check.h"

static bool is_op(const cnnf_node *node, const char *op)
{
    return node && strcmp(node->op, op) == 0;
}

static bool is_add(const cnnf_node *node)
{
    return is_op(node, "Add") || is_op(node, "AddV2");
}

static bool is_compute(const cnnf_node *node)
{
    static const char *const ops[] = {"Conv2D", "Conv2DBackpropInput", "Conv3D", "DepthwiseConv2dNative", "MatMul"};
    return node && cnnfi_text_in(node->op, ops, sizeof ops / sizeof *ops);
}

/* The input that is constant, -1: none or both. */
static int const_operand(const cnnfi_finding *f, const cnnf_node *node)
{
    const bool first = cnnfi_check_is_const(f, node, 0), second = cnnfi_check_is_const(f, node, 1);
    return first == second ? -1 : first ? 0 : 1;
}

static const cnnf_node *data_of(const cnnfi_finding *f, const cnnf_node *node)
{
    return cnnfi_check_source(f, node, const_operand(f, node) == 0 ? 1 : 0);
}

/* The convolution or product behind the node's data, through its bias. */
static const cnnf_node *compute_behind(const cnnfi_finding *f, const cnnf_node *node)
{
    const cnnf_node *from = data_of(f, node);
    if (is_op(from, "BiasAdd") || (is_add(from) && const_operand(f, from) >= 0)) from = data_of(f, from);
    return is_compute(from) ? from : NULL;
}

static int64_t const_elements(const cnnfi_finding *f, const cnnf_node *node)
{
    const int at = const_operand(f, node);
    return at < 0 ? -1 : cnnfi_check_shape(f, node, (size_t)at).count;
}

static bool is_depthwise_many(const cnnfi_finding *f, const cnnf_node *conv)
{
    const cnnfi_value filter = cnnfi_check_shape(f, conv, 1);
    return is_op(conv, "DepthwiseConv2dNative") && filter.rank == 4 && filter.dims[3] > 1;
}

static const char *check_compute(const cnnfi_finding *f, const cnnf_node *node)
{
    return cnnfi_check_is_const(f, node, 1) ? NULL : "its weights are not constant";
}

static const char *check_bias(const cnnfi_finding *f, const cnnf_node *node)
{
    const cnnf_node *from = cnnfi_check_source(f, node, 0);
    if (!cnnfi_check_is_const(f, node, 1)) return "its bias is not constant";
    if (is_compute(from) || is_op(from, "BatchToSpaceND")) return NULL;
    return "a BiasAdd is quantised behind a convolution or a product only";
}

static const char *check_batch_norm(const cnnfi_finding *f, const cnnf_node *node)
{
    for (size_t k = 1; k < cnnfi_node_data_inputs(node); k++) {
        if (!cnnfi_check_is_const(f, node, k)) return "its parameters are not constant";
    }
    if (f->output[node->index]) return "its name is gone when it is folded: an output wants an Identity behind it";
    const cnnf_node *from = cnnfi_check_source(f, node, 0);
    const cnnf_node *conv = is_op(from, "BiasAdd") ? cnnfi_check_source(f, from, 0) : from;
    if (!is_compute(conv)) return "no convolution before it takes it, and the compiler refuses what is left of it";
    if (cnnfi_check_readers(f, from, NULL) > 1 || cnnfi_check_readers(f, conv, NULL) > 1)
        return "others read what it would go into, and the compiler refuses what is left of it";
    return is_depthwise_many(f, conv) ? "after a depthwise convolution with a multiplier it goes into the wrong weights"
                                      : NULL;
}

static const char *check_product(const cnnfi_finding *f, const cnnf_node *node)
{
    if (const_operand(f, node) < 0) return NULL;
    const cnnf_node *compute = compute_behind(f, node), *reader = cnnfi_check_reader(f, node, NULL);
    if (is_op(compute, "MatMul")) return "behind a MatMul it makes all weights zero";
    if (is_op(reader, "Maximum") && data_of(f, node) == cnnfi_check_source(f, reader, 0))
        return "a leaky ReLU is LeakyRelu";
    if (is_op(reader, "Maximum") && data_of(f, node) == cnnfi_check_source(f, reader, 1))
        return "a leaky ReLU is LeakyRelu";
    if (!compute) return NULL;
    if (is_depthwise_many(f, compute))
        return "after a depthwise convolution with a multiplier it goes into the wrong weights";
    if (const_elements(f, node) == 1 && is_add(reader) && const_elements(f, reader) == 1)
        return "scalars behind a convolution are refused or wrong: they want to be in its weights";
    return f->output[node->index] ? "its name is gone when it is folded: an output wants an Identity behind it" : NULL;
}

static const char *note_constant(const cnnfi_finding *f, const cnnf_node *node)
{
    if (const_operand(f, node) < 0) return NULL;
    return "its constant is counted as an activation; a 1x1 DepthwiseConv2dNative and BiasAdd are on the DPU";
}

static const char *check_sum(const cnnfi_finding *f, const cnnf_node *node)
{
    const int at = const_operand(f, node);
    if (at < 0 || !is_compute(data_of(f, node)) || const_elements(f, node) < 2) return NULL;
    const cnnf_node *constant = cnnfi_check_source(f, node, (size_t)at);
    if (strstr(constant->name, "bias") || is_op(cnnfi_check_reader(f, node, NULL), "Relu")) return NULL;
    return "a bias is BiasAdd: this one is counted as a sum of two tensors";
}

static const char *check_minimum(const cnnfi_finding *f, const cnnf_node *node)
{
    double bound = 0;
    const cnnf_tensor *high = cnnfi_check_tensor(f, node, 1);
    if (!is_op(cnnfi_check_source(f, node, 0), "Relu") || !cnnfi_check_is_const(f, node, 1)) return NULL;
    const bool six =
        high && cnnf_tensor_element_count(high) == 1 && cnnfi_tensor_get_f64(high, 0, &bound) && bound == 6;
    return six ? NULL : "Minimum(Relu(x), c) becomes Relu6 whatever c is; Maximum(Minimum(x, c), 0) is taken";
}

static const char *note_minimum(const cnnfi_finding *f, const cnnf_node *node)
{
    const cnnf_node *reader = cnnfi_check_reader(f, node, NULL);
    return is_op(reader, "Maximum") || is_op(cnnfi_check_source(f, node, 0), "Relu") ? NULL : "it is left on the CPU";
}

static const char *note_maximum(const cnnfi_finding *f, const cnnf_node *node)
{
    return is_op(cnnfi_check_source(f, node, 0), "Minimum") ? NULL : "it is left on the CPU, its constant in float";
}

/* A constant shape, or the one Keras 2 makes: Pack(batch, height * factor, width * factor, channels). */
static const char *check_transposed(const cnnfi_finding *f, const cnnf_node *node)
{
    if (!cnnfi_check_is_const(f, node, 1)) return "its weights are not constant";
    if (cnnfi_check_is_const(f, node, 0)) return NULL;
    const cnnf_node *pack = cnnfi_check_source(f, node, 0);
    bool known = is_op(pack, "Pack") && cnnfi_node_data_inputs(pack) == 4 && cnnfi_check_is_const(f, pack, 3);
    known = known && is_op(cnnfi_check_source(f, pack, 0), "StridedSlice");
    for (size_t k = 1; known && k < 3; k++) {
        const cnnf_node *mul = cnnfi_check_source(f, pack, k);
        known = is_op(mul, "Mul") && is_op(cnnfi_check_source(f, mul, 0), "StridedSlice") &&
                cnnfi_check_is_const(f, mul, 1);
    }
    return known ? NULL : "its output shape is not constant, so it stays in float: give the batch size (--batchsize=1)";
}

static const char *check_concat(const cnnfi_finding *f, const cnnf_node *node)
{
    return cnnfi_node_type(node, "T") == CNNF_FLOAT ? NULL : "only float is concatenated";
}

static const char *check_pool(const cnnfi_finding *f, const cnnf_node *node)
{
    return f->output[node->index] ? "its scale is never measured: an output wants an Identity behind it" : NULL;
}

static const char *check_integers(const cnnfi_finding *f, const cnnf_node *node)
{
    return cnnfi_check_output(f, node).dtype == CNNF_INT64 ? "the compiler refuses int64" : NULL;
}

#define TAKEN(op)                                                                                                      \
    {                                                                                                                  \
        op, CNNFI_TAKEN, NULL, NULL                                                                                    \
    }
#define CPU(op)                                                                                                        \
    {                                                                                                                  \
        op, CNNFI_SLOW, "it is left on the CPU", NULL                                                                  \
    }
#define RULE(op, rule)                                                                                                 \
    {                                                                                                                  \
        op, CNNFI_REFUSED, NULL, rule                                                                                  \
    }
#define NOTE(op, rule)                                                                                                 \
    {                                                                                                                  \
        op, CNNFI_SLOW, NULL, rule                                                                                     \
    }

static const cnnfi_op_row rows[] = {
    NOTE("Add", note_constant),
    RULE("Add", check_sum),
    TAKEN("AddN"),
    NOTE("AddV2", note_constant),
    RULE("AddV2", check_sum),
    RULE("AvgPool", check_pool),
    TAKEN("BatchToSpaceND"),
    RULE("BatchNormWithGlobalNormalization", check_batch_norm),
    RULE("BiasAdd", check_bias),
    {"Cast", CNNFI_REFUSED, "the compiler refuses it", NULL},
    RULE("Concat", check_concat),
    RULE("ConcatV2", check_concat),
    TAKEN("Const"),
    RULE("Conv2D", check_compute),
    RULE("Conv2DBackpropInput", check_transposed),
    RULE("Conv3D", check_compute),
    TAKEN("DepthToSpace"),
    RULE("DepthwiseConv2dNative", check_compute),
    TAKEN("ExpandDims"),
    RULE("FusedBatchNorm", check_batch_norm),
    RULE("FusedBatchNormV2", check_batch_norm),
    RULE("FusedBatchNormV3", check_batch_norm),
    TAKEN("Identity"),
    TAKEN("LeakyRelu"),
    RULE("MatMul", check_compute),
    TAKEN("Max"),
    TAKEN("MaxPool"),
    NOTE("Maximum", note_maximum),
    RULE("Mean", check_pool),
    RULE("Minimum", check_minimum),
    NOTE("Minimum", note_minimum),
    TAKEN("MirrorPad"),
    NOTE("Mul", note_constant),
    RULE("Mul", check_product),
    TAKEN("NoOp"),
    TAKEN("Pad"),
    TAKEN("Placeholder"),
    TAKEN("Relu"),
    TAKEN("Relu6"),
    TAKEN("Reshape"),
    TAKEN("ResizeBilinear"),
    TAKEN("ResizeNearestNeighbor"),
    TAKEN("Softmax"),
    TAKEN("SpaceToBatchND"),
    TAKEN("Squeeze"),
    TAKEN("StridedSlice"),
    TAKEN("Sum"),
    {"Tile", CNNFI_REFUSED, "the compiler refuses it", NULL},
    TAKEN("Transpose"),
    {"", CNNFI_SLOW, "it is left on the CPU", NULL},
    RULE("", check_integers),
};

static void put_command(cnnfi_strbuf *out, const cnnf_graph *graph, const char *file)
{
    bool averages = false;
    for (size_t i = 0; i < graph->n_nodes; i++)
        averages |= is_op(graph->nodes[i], "AvgPool") || is_op(graph->nodes[i], "Mean");
    cnnfi_strbuf_puts(out, "vai_q_tensorflow quantize --input_frozen_graph ");
    cnnfi_put_word(out, file);
    cnnfi_strbuf_puts(out, " --input_nodes ");
    cnnfi_put_inputs(out, graph);
    cnnfi_strbuf_puts(out, " --input_shapes ");
    cnnfi_put_shapes(out, graph, "?", ":");
    cnnfi_strbuf_puts(out, " --output_nodes ");
    cnnfi_put_outputs(out, graph);
    cnnfi_strbuf_puts(out, " --input_fn input_fn.calib_input --calib_iter 100");
    if (averages) cnnfi_strbuf_puts(out, " --align_pool 2");
}

const cnnfi_target cnnfi_target_vitis_ai = {
    .name = "vitis-ai",
    .version = "vai_q_tensorflow 3.5 and xnnc 3.5",
    .bit = CNNFI_FOR_VITIS,
    .release = 115,
    .folds = true,
    .rows = rows,
    .n_rows = sizeof rows / sizeof *rows,
    .passes = "inline_functions set_learning_phase remove_dropout fold_constants remove_identity static_shapes "
              "fold_constants fold_batch_norms(plain_relu=true) fold_constants sort_by_execution_order fit_vitis_ai "
              "fold_constants remove_control_dependencies prune target_tf(version=1.15, clear_internal=true) "
              "sort_by_execution_order",
    .command = put_command,
};
