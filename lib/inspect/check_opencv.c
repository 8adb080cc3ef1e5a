/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What cv::dnn::readNetFromTensorflow takes: modules/dnn/src/tensorflow/tf_importer.cpp and its layers, as
 * OpenCV 4.10.0 and 5.0.0 run ("opencv": both have to take it; "opencv4", "opencv5": that one). The importer keeps
 * images in NCHW and guesses where it does not see a convolution; it folds no constants, and it absorbs an addition of
 * constants into what stands before it.
 */
#include <stdio.h>
#include <string.h>

#include "graph/tensor.h"
#include "inspect/check.h"

#define NEEDS_CONST "its parameters are no Const"

/* Releases, where they differ. */
#define OPENCV_4 1u
#define OPENCV_5 2u

static bool is_asked(const cnnfi_finding *f, uint32_t release)
{
    return (f->target->releases & release) != 0;
}

static bool is_op(const cnnf_node *node, const char *op)
{
    return node && strcmp(node->op, op) == 0;
}

static bool is_add(const cnnf_node *node)
{
    return is_op(node, "Add") || is_op(node, "AddV2");
}

/* Takes a bias that alone reads it. */
static bool takes_bias(const cnnf_node *node)
{
    static const char *const ops[] = {"Conv2D", "Conv2DBackpropInput", "Conv3D", "DepthwiseConv2dNative", "MatMul"};
    return node && cnnfi_text_in(node->op, ops, sizeof ops / sizeof *ops);
}

/* The input that is a Const, -1 none, -2 both. */
static int const_operand(const cnnfi_finding *f, const cnnf_node *node)
{
    const bool first = cnnfi_check_is_const(f, node, 0), second = cnnfi_check_is_const(f, node, 1);
    return first && second ? -2 : first ? 0 : second ? 1 : -1;
}

static int64_t elements(const cnnfi_finding *f, const cnnf_node *node, int input)
{
    const cnnf_tensor *tensor = cnnfi_check_tensor(f, node, (size_t)input);
    return tensor ? cnnf_tensor_element_count(tensor) : -1;
}

/* How many additions of the given kind read the node. */
static size_t add_readers(const cnnfi_finding *f, const cnnf_node *node)
{
    return cnnfi_check_readers(f, node, "Add") + cnnfi_check_readers(f, node, "AddV2");
}

static bool is_scalar_const(const cnnfi_finding *f, const cnnf_node *node, size_t input)
{
    return cnnfi_check_is_const(f, node, input) && elements(f, node, (int)input) == 1;
}

/* ---- layouts: whether the importer knows that a tensor of rank 4 is an image ---- */

static bool has_format(const cnnf_node *node)
{
    return cnnfi_node_attr(node, "data_format") != NULL;
}

/* An op with a data_format among those that lead to the node, or that read any of them. */
static bool has_layout(const cnnfi_finding *f, const cnnf_node *node)
{
    for (size_t steps = 0; node && steps < f->graph->n_nodes; steps++) {
        if (has_format(node) || f->layout[node->index]) return true;
        const cnnf_node *from = cnnfi_check_source(f, node, 0);
        if (is_op(from, "Const")) from = cnnfi_check_source(f, node, 1);
        node = from;
    }
    return false;
}

/* ---- shape arithmetic that the importer knows ---- */

/* StridedSlice(Shape(x), Const, Const, Const). */
static const cnnf_node *sliced_shape(const cnnfi_finding *f, const cnnf_node *slice)
{
    const cnnf_node *shape = is_op(slice, "StridedSlice") ? cnnfi_check_source(f, slice, 0) : NULL;
    return is_op(shape, "Shape") ? cnnfi_check_source(f, shape, 0) : NULL;
}

/* Pack(-1, Prod(x's sizes)), Pack(x's batch, Const), Pack(x's batch, Const, Const, Const). */
static bool is_known_target(const cnnfi_finding *f, const cnnf_node *reshape)
{
    const cnnf_node *pack = cnnfi_check_source(f, reshape, 1), *x = cnnfi_check_source(f, reshape, 0);
    const size_t n = is_op(pack, "Pack") ? cnnfi_node_data_inputs(pack) : 0;
    if (n == 2 && cnnfi_check_is_const(f, pack, 0)) {
        const cnnf_node *prod = cnnfi_check_source(f, pack, 1);
        return is_op(prod, "Prod") && sliced_shape(f, cnnfi_check_source(f, prod, 0)) == x;
    }
    if ((n != 2 && n != 4) || sliced_shape(f, cnnfi_check_source(f, pack, 0)) != x) return false;
    for (size_t k = 1; k < n; k++) {
        if (!cnnfi_check_is_const(f, pack, k)) return false;
    }
    return true;
}

/* Mul(x's sizes, two factors). */
static bool is_known_size(const cnnfi_finding *f, const cnnf_node *resize)
{
    const cnnf_node *mul = cnnfi_check_source(f, resize, 1);
    return is_op(mul, "Mul") && elements(f, mul, 1) == 2 && cnnfi_check_is_const(f, mul, 1) &&
           sliced_shape(f, cnnfi_check_source(f, mul, 0)) == cnnfi_check_source(f, resize, 0);
}

/* Pack(batch, height * factor [+ more], width * factor [+ more], channels), as Keras 2 makes it. */
static bool is_known_transposed(const cnnfi_finding *f, const cnnf_node *node)
{
    const cnnf_node *pack = cnnfi_check_source(f, node, 0), *x = cnnfi_check_source(f, node, 2);
    const bool same = cnnfi_node_string_is(node, "padding", "SAME");
    if (!is_op(pack, "Pack") || cnnfi_node_data_inputs(pack) != 4 || !cnnfi_check_is_const(f, pack, 3)) return false;
    if (sliced_shape(f, cnnfi_check_source(f, pack, 0)) != x) return false;
    for (size_t k = 1; k < 3; k++) {
        const cnnf_node *size = cnnfi_check_source(f, pack, k);
        if (!same && (!is_add(size) || !cnnfi_check_is_const(f, size, 1))) return false;
        const cnnf_node *mul = same ? size : cnnfi_check_source(f, size, 0);
        if (!is_op(mul, "Mul") || !cnnfi_check_is_const(f, mul, 1)) return false;
        if (sliced_shape(f, cnnfi_check_source(f, mul, 0)) != x) return false;
    }
    return true;
}

/* Sizes, and constants that are computed: whoever reads them is asked whether it can. */
static bool is_for_others(const cnnfi_finding *f, const cnnf_node *node)
{
    const cnnf_dtype dtype = cnnfi_check_output(f, node).dtype;
    if (f->output[node->index] || is_op(node, "Placeholder")) return false;
    return f->constant[node->index] || dtype == CNNF_INT32 || dtype == CNNF_INT64;
}

/* ---- convolutions and products ---- */

/* Others would see the bias, too. */
static const char *check_bias_reader(const cnnfi_finding *f, const cnnf_node *node)
{
    const bool matmul = is_op(node, "MatMul");
    size_t biases = cnnfi_check_readers(f, node, "BiasAdd");
    if (!biases && matmul) biases = add_readers(f, node);
    if (biases != 1) return NULL;
    if (cnnfi_check_readers(f, node, NULL) > 1)
        return "the bias goes into it, and others that read it get the bias, too";
    const cnnf_node *reader = cnnfi_check_reader(f, node, NULL);
    return const_operand(f, reader) == 1 || (matmul && const_operand(f, reader) == 0)
               ? NULL
               : "what reads it is taken for a bias, which it is not";
}

static const char *check_convolution(const cnnfi_finding *f, const cnnf_node *node)
{
    if (!cnnfi_check_is_const(f, node, 1) || cnnfi_check_is_const(f, node, 0)) return NEEDS_CONST;
    for (int64_t i = 0; i < cnnf_node_attr_list_count(node, "dilations"); i++) {
        if (cnnf_node_attr_list_int(node, "dilations", i, 1) != 1)
            return "dilations are not read (SpaceToBatchND is), and the result is wrong";
    }
    return check_bias_reader(f, node);
}

static const char *check_transposed(const cnnfi_finding *f, const cnnf_node *node)
{
    const bool is_const = cnnfi_check_is_const(f, node, 0) && elements(f, node, 0) == 4;
    if (!is_const && !is_known_transposed(f, node)) return "its output shape is no Const";
    if (!cnnfi_check_is_const(f, node, 1)) return NEEDS_CONST;
    return check_bias_reader(f, node);
}

static const char *check_matmul(const cnnfi_finding *f, const cnnf_node *node)
{
    const int at = const_operand(f, node);
    if (at < 0) return "it multiplies two tensors";
    if (at == 0) return "its first operand is the Const";
    if (cnnf_node_attr_bool(node, "transpose_a", 0) || cnnf_node_attr_bool(node, "transpose_b", 0))
        return "transpose_a and transpose_b are not read";
    return check_bias_reader(f, node);
}

/* ---- sums and products of two ---- */

/* x * rsqrt(max(sum(square(x)), epsilon)). */
static bool is_l2_product(const cnnfi_finding *f, const cnnf_node *node)
{
    const cnnf_node *rsqrt = cnnfi_check_source(f, node, 1), *most = rsqrt ? cnnfi_check_source(f, rsqrt, 0) : NULL;
    const cnnf_node *sum = most ? cnnfi_check_source(f, most, 0) : NULL;
    return is_op(node, "Mul") && is_op(rsqrt, "Rsqrt") && is_op(most, "Maximum") && is_op(sum, "Sum") &&
           is_op(cnnfi_check_source(f, sum, 0), "Square");
}

/*
 * An unfused batch norm, in the order TensorFlow writes it: Add(Mul(x, m), Sub(beta, Mul(mean, m))), m being
 * Mul(Rsqrt(Add(variance, epsilon)), gamma) or without gamma.
 */
static bool is_norm_end(const cnnfi_finding *f, const cnnf_node *add)
{
    const cnnf_node *product = cnnfi_check_source(f, add, 0), *shift = cnnfi_check_source(f, add, 1);
    if (!is_add(add) || !is_op(product, "Mul") || !is_op(shift, "Sub")) return false;
    const cnnf_node *m = cnnfi_check_source(f, product, 1), *mean = cnnfi_check_source(f, shift, 1);
    const cnnf_node *rsqrt = is_op(m, "Mul") ? cnnfi_check_source(f, m, 0) : m;
    if (!is_op(rsqrt, "Rsqrt") || !is_op(mean, "Mul") || cnnfi_check_source(f, mean, 1) != m) return false;
    const cnnf_node *sum = cnnfi_check_source(f, rsqrt, 0);
    return is_add(sum) && const_operand(f, sum) == -2 && cnnfi_check_is_const(f, shift, 0) &&
           cnnfi_check_is_const(f, mean, 0) && (m == rsqrt || cnnfi_check_is_const(f, m, 1));
}

static bool is_norm_product(const cnnfi_finding *f, const cnnf_node *node)
{
    const cnnf_node *reader = cnnfi_check_reader(f, node, NULL);
    return is_op(node, "Mul") && reader && is_norm_end(f, reader) && cnnfi_check_source(f, reader, 0) == node;
}

static bool is_product(const cnnf_node *node)
{
    return is_op(node, "Mul") || is_op(node, "RealDiv");
}

/* Two tensors: of one shape, or one a pixel that is spread over an image; OpenCV 5 multiplies by one channel, too. */
static const char *check_pair(const cnnfi_finding *f, const cnnf_node *node)
{
    const cnnfi_value a = cnnfi_check_shape(f, node, 0), b = cnnfi_check_shape(f, node, 1);
    if (is_norm_end(f, node) || is_norm_product(f, node)) return NULL;
    for (size_t k = 0; k < 2; k++) {
        const cnnf_node *from = cnnfi_check_source(f, node, k);
        if (from && f->constant[from->index]) return "constants are not computed by OpenCV";
    }
    if (is_l2_product(f, node)) return NULL;
    if (a.rank < 0 || b.rank < 0) return "the rank of its operands is not known";
    if (a.rank != b.rank) return "its operands have another rank";
    for (int32_t i = 1; i < a.rank; i++) {
        const bool differ = a.dims[i] != b.dims[i];
        const bool one = a.rank == 4 && (a.dims[i] == 1 || b.dims[i] == 1);
        const bool spread = one && (i < 3 || (!is_asked(f, OPENCV_4) && is_product(node)));
        if (differ && !spread) return "its operands have other shapes, and only a pixel is spread";
    }
    return NULL;
}

static const char *check_bias(const cnnfi_finding *f, const cnnf_node *node)
{
    if (!cnnfi_check_is_const(f, node, 1) || cnnfi_check_is_const(f, node, 0)) return NEEDS_CONST;
    const cnnf_node *from = cnnfi_check_source(f, node, 0);
    if (takes_bias(from)) return NULL; /* that one's rule says the rest */
    if (is_op(from, "BatchToSpaceND") && !is_asked(f, OPENCV_5)) return NULL;
    return "a shift per channel is taken behind a convolution or a product, or as Mul and Add, only";
}

static const char *check_sum(const cnnfi_finding *f, const cnnf_node *node)
{
    const int at = const_operand(f, node);
    if (at == -2) return "it adds two Const";
    if (at == -1) {
        for (size_t k = 0; is_add(node) && k < 2; k++) {
            const cnnf_node *from = cnnfi_check_source(f, node, k);
            if (is_op(from, "MatMul") && !cnnfi_check_readers(f, from, "BiasAdd") && add_readers(f, from) == 1)
                return "it is taken for the bias of a MatMul";
        }
        return check_pair(f, node);
    }
    if (is_op(node, "Sub") && at == 0) return "Const - x is computed as x - Const";
    if (elements(f, node, at) == 1) return NULL;
    const cnnf_node *from = cnnfi_check_source(f, node, (size_t)(1 - at));
    if (is_add(node) && is_op(from, "MatMul") && !cnnfi_check_readers(f, from, "BiasAdd")) return NULL;
    if (takes_bias(from) && !is_asked(f, OPENCV_5)) return NULL;
    if (is_add(node) && is_op(from, "Mul") && const_operand(f, from) >= 0 &&
        elements(f, from, const_operand(f, from)) > 1)
        return NULL;
    return "a shift per channel is taken behind a convolution or a product, or as Mul and Add, only";
}

static const char *check_sum_of_many(const cnnfi_finding *f, const cnnf_node *node)
{
    for (size_t k = 0; k < cnnfi_node_data_inputs(node); k++) {
        if (cnnfi_check_is_const(f, node, k)) return "it adds a Const";
    }
    return NULL;
}

/* Maximum(a * x, x). */
static bool is_leaky(const cnnfi_finding *f, const cnnf_node *maximum)
{
    for (size_t k = 0; k < 2; k++) {
        const cnnf_node *mul = cnnfi_check_source(f, maximum, k), *x = cnnfi_check_source(f, maximum, 1 - k);
        const int at = is_op(mul, "Mul") ? const_operand(f, mul) : -1;
        if (at >= 0 && elements(f, mul, at) == 1 && cnnfi_check_source(f, mul, (size_t)(1 - at)) == x) return true;
    }
    return false;
}

/* Scale takes the addition of constants that reads it. */
static const char *check_scale(const cnnfi_finding *f, const cnnf_node *node, int at)
{
    const cnnfi_value x = cnnfi_check_shape(f, node, (size_t)(1 - at));
    if (x.rank != 2 && x.rank != 4) return "a factor per channel is taken of ranks 2 and 4 only";
    if (elements(f, node, at) != x.dims[x.rank - 1])
        return "its Const is no vector of channels, and the result is wrong";
    const size_t adds = add_readers(f, node);
    if (!adds) return NULL;
    const cnnf_node *reader = cnnfi_check_reader(f, node, "Add");
    if (!reader) reader = cnnfi_check_reader(f, node, "AddV2");
    if (const_operand(f, reader) < 0) return "the addition that reads it is taken for a shift per channel";
    if (cnnfi_check_readers(f, node, NULL) > 1) return "others that read it get the shift of the addition, too";
    return NULL;
}

static const char *check_product(const cnnfi_finding *f, const cnnf_node *node)
{
    const int at = const_operand(f, node);
    const bool divides = is_op(node, "RealDiv");
    if (at == -2) return "it multiplies two Const";
    if (at == -1) return check_pair(f, node);
    if (cnnfi_check_shape(f, node, (size_t)at).dtype != CNNF_FLOAT) return "its Const is not float";
    if (divides && at == 0) return "Const / x is not known";
    if (elements(f, node, at) != 1) return check_scale(f, node, at);
    const cnnf_node *maximum = cnnfi_check_reader(f, node, "Maximum");
    return maximum && !is_leaky(f, maximum) ? "the Maximum that reads it is taken for a leaky ReLU" : NULL;
}

static const char *check_maximum(const cnnfi_finding *f, const cnnf_node *node)
{
    if (is_leaky(f, node)) return NULL;
    /* L2Normalize: x * rsqrt(max(sum(square(x)), eps)). */
    if (is_op(cnnfi_check_source(f, node, 0), "Sum") && is_op(cnnfi_check_reader(f, node, NULL), "Rsqrt")) return NULL;
    const cnnf_node *from = cnnfi_check_source(f, node, 0);
    if (is_op(from, "Minimum") && is_scalar_const(f, node, 1) && is_scalar_const(f, from, 1)) return NULL;
    return "only Maximum(Minimum(x, high), low) of scalars and Maximum(alpha * x, x) are known";
}

static const char *check_minimum(const cnnfi_finding *f, const cnnf_node *node)
{
    const cnnf_node *reader = cnnfi_check_reader(f, node, NULL);
    if (is_scalar_const(f, node, 1) && is_op(reader, "Maximum") && is_scalar_const(f, reader, 1) &&
        cnnfi_check_readers(f, node, NULL) == 1)
        return NULL;
    return "only Maximum(Minimum(x, high), low) of scalars is known";
}

static const char *check_clip(const cnnfi_finding *f, const cnnf_node *node)
{
    return is_scalar_const(f, node, 1) && is_scalar_const(f, node, 2) ? NULL : NEEDS_CONST;
}

static const char *check_rsqrt(const cnnfi_finding *f, const cnnf_node *node)
{
    const cnnf_node *from = cnnfi_check_source(f, node, 0), *sum = from ? cnnfi_check_source(f, from, 0) : NULL;
    if (is_op(from, "Maximum") && is_op(sum, "Sum") && is_op(cnnfi_check_source(f, sum, 0), "Square")) return NULL;
    return "it is known in L2 normalisation only";
}

static const char *check_norm(const cnnfi_finding *f, const cnnf_node *node)
{
    for (size_t k = 1; k < 5; k++) {
        if (!cnnfi_check_is_const(f, node, k)) return NEEDS_CONST;
    }
    return cnnf_node_attr_bool(node, "is_training", 1) ? "is_training" : NULL;
}

static const char *check_leaky(const cnnfi_finding *f, const cnnf_node *node)
{
    return cnnfi_node_attr(node, "alpha") ? NULL : "its alpha is not written out";
}

static const char *check_softmax(const cnnfi_finding *f, const cnnf_node *node)
{
    const cnnfi_value x = cnnfi_check_shape(f, node, 0);
    if (x.rank == 3 && f->graph->versions.producer < 2) return "of rows it takes the second axis for the last";
    if (x.rank != 4 || f->graph->versions.producer < 2) return NULL;
    return "of an image it takes the width for the channels where the graph names its producer (set_versions)";
}

/* ---- reductions and pools ---- */

static const char *check_reduction(const cnnfi_finding *f, const cnnf_node *node)
{
    int64_t axes[8];
    const int64_t n = cnnfi_check_ints(f, node, 1, axes, 8);
    const cnnfi_value x = cnnfi_check_shape(f, node, 0);
    if (n < 0) return "its axes are no Const";
    const cnnf_node *bound = cnnfi_check_reader(f, node, "Maximum");
    if (is_op(cnnfi_check_source(f, node, 0), "Square") &&
        is_op(bound ? cnnfi_check_reader(f, bound, NULL) : NULL, "Rsqrt"))
        return NULL; /* an L2 normalisation */
    if (x.rank != 4) return "it is known for images only";
    if (n == 1 && axes[0] != 0) return NULL;
    if (n == 2 && axes[0] == 1 && axes[1] == 2) return NULL;
    return "only one axis, or the axes [1, 2] in this order, are known";
}

/* ---- shapes ---- */

static const char *check_reshape(const cnnfi_finding *f, const cnnf_node *node)
{
    int64_t dims[8];
    const int64_t n = cnnfi_check_ints(f, node, 1, dims, 8);
    const cnnfi_value x = cnnfi_check_shape(f, node, 0);
    if (n < 0 && !is_known_target(f, node)) return "its target is no Const";
    if (n > 4) return "it makes more than 4 axes";
    if (x.rank < 0) return "the rank of its input is not known";
    if (x.rank > 4) return "it has more than 4 axes";
    if (x.rank == 4 && !has_layout(f, cnnfi_check_source(f, node, 0)))
        return "that its input is an image is not seen, and the result is wrong";
    if (n < 0) return NULL;
    if (x.rank == 2 && n == 4 && (dims[1] != 1 || dims[2] != 1)) return "a vector becomes an image in the wrong order";
    const cnnf_node *from = cnnfi_check_source(f, node, 0);
    if (x.rank == 2 && n == 4 && is_op(from, "ClipByValue")) return "a vector that was cut off is taken for an image";
    if (x.rank == 3 && n == 4 && is_asked(f, OPENCV_5)) return "rows become an image, which OpenCV 5 gets wrong";
    return NULL;
}

static const char *check_squeeze(const cnnfi_finding *f, const cnnf_node *node)
{
    const int64_t n = cnnf_node_attr_list_count(node, "squeeze_dims");
    for (int64_t i = 1; i < n; i++) {
        if (cnnf_node_attr_list_int(node, "squeeze_dims", i, 0) !=
            cnnf_node_attr_list_int(node, "squeeze_dims", 0, 0) + i)
            return "its axes are not in a row";
    }
    return n > 0 ? NULL : "its axes are not written out";
}

static const char *check_transpose(const cnnfi_finding *f, const cnnf_node *node)
{
    int64_t p[8];
    const int64_t n = cnnfi_check_ints(f, node, 1, p, 8);
    if (n < 0) return "its permutation is no Const";
    if (n != 4) return NULL;
    const bool to_first = p[1] == 3 && p[2] == 1 && p[3] == 2, to_last = p[1] == 2 && p[2] == 3 && p[3] == 1;
    const bool none = p[1] == 1 && p[2] == 2 && p[3] == 3;
    if (p[0] == 0 && (to_first || to_last || none) && has_layout(f, cnnfi_check_source(f, node, 0))) return NULL;
    return "only NHWC to NCHW and back are known";
}

static const char *check_concat(const cnnfi_finding *f, const cnnf_node *node)
{
    const size_t n = cnnfi_node_data_inputs(node);
    const size_t axis = strcmp(node->op, "Concat") == 0 ? 0 : n - 1;
    if (n < 2 || !cnnfi_check_is_const(f, node, axis)) return "its axis is no Const";
    const cnnfi_value x = cnnfi_check_output(f, node);
    if (x.rank == 4 && !has_layout(f, node)) return "that it has images is not seen, and the axis is taken for another";
    return NULL;
}

static const char *check_strided_slice(const cnnfi_finding *f, const cnnf_node *node)
{
    int64_t strides[8];
    const int64_t n = cnnfi_check_ints(f, node, 3, strides, 8);
    if (n < 0 || !cnnfi_check_is_const(f, node, 1) || !cnnfi_check_is_const(f, node, 2)) return NEEDS_CONST;
    for (int64_t i = 0; i < n; i++) {
        if (strides[i] != 1 && is_asked(f, OPENCV_4)) return "strides are not known to OpenCV 4.10";
    }
    if (cnnf_node_attr_int(node, "ellipsis_mask", 0) || cnnf_node_attr_int(node, "new_axis_mask", 0) ||
        cnnf_node_attr_int(node, "shrink_axis_mask", 0))
        return "its masks are not read";
    return NULL;
}

static const char *check_resize(const cnnfi_finding *f, const cnnf_node *node)
{
    return cnnfi_check_is_const(f, node, 1) || is_known_size(f, node) ? NULL : NEEDS_CONST;
}

static const char *check_constant(const cnnfi_finding *f, const cnnf_node *node)
{
    return f->output[node->index] ? "an output that is a constant is no layer to be asked for" : NULL;
}

static const char *check_first(const cnnfi_finding *f, const cnnf_node *node)
{
    return cnnfi_check_is_const(f, node, 0) ? NULL : NEEDS_CONST;
}

static const char *check_slice(const cnnfi_finding *f, const cnnf_node *node)
{
    return cnnfi_check_is_const(f, node, 1) && cnnfi_check_is_const(f, node, 2) ? NULL : NEEDS_CONST;
}

/* A Pad that is the same on both sides goes into the one convolution behind it, whose own padding is forgotten. */
static const char *check_pad(const cnnfi_finding *f, const cnnf_node *node)
{
    int64_t p[16];
    const int64_t n = cnnfi_check_ints(f, node, 1, p, 16);
    if (n < 0) return "its paddings are no Const";
    if (is_op(node, "MirrorPad"))
        return cnnfi_node_string_is(node, "mode", "REFLECT") ? NULL : "SYMMETRIC is read as REFLECT";
    if (n != 8 && !(n == 6 && !is_asked(f, OPENCV_4))) return "only images are padded";
    if (n != 8) return NULL;
    const size_t convs = cnnfi_check_readers(f, node, "Conv2D") + cnnfi_check_readers(f, node, "DepthwiseConv2dNative");
    if (!convs || p[2] != p[3] || p[4] != p[5]) return NULL;
    const cnnf_node *conv = cnnfi_check_reader(f, node, NULL);
    if (cnnfi_check_readers(f, node, NULL) > 1) return "it goes into a convolution, and others read it";
    return cnnfi_node_string_is(conv, "padding", "VALID") ? NULL
                                                          : "it goes into a convolution, whose SAME is forgotten";
}

static const char *check_space_to_batch(const cnnfi_finding *f, const cnnf_node *node)
{
    int64_t p[4];
    if (!cnnfi_check_is_const(f, node, 1) || cnnfi_check_ints(f, node, 2, p, 4) != 4) return NEEDS_CONST;
    const cnnf_node *conv = cnnfi_check_reader(f, node, NULL);
    if (cnnfi_check_readers(f, node, NULL) != 1 || !takes_bias(conv)) return "it is known before one convolution only";
    const cnnf_node *next = cnnfi_check_reader(f, conv, NULL);
    if (is_op(next, "BiasAdd")) next = cnnfi_check_reader(f, next, NULL);
    return is_op(next, "BatchToSpaceND") ? NULL : "it is known before one convolution only";
}

static const char *check_batch_to_space(const cnnfi_finding *f, const cnnf_node *node)
{
    const cnnf_node *conv = cnnfi_check_source(f, node, 0);
    if (is_op(conv, "BiasAdd")) conv = cnnfi_check_source(f, conv, 0);
    return takes_bias(conv) ? NULL : "it is known behind one convolution only";
}

static const char *check_placeholder(const cnnfi_finding *f, const cnnf_node *node)
{
    const bool three = cnnf_node_attr_shape_rank(node, "shape") == 3 && is_asked(f, OPENCV_4);
    return three ? "OpenCV 4.10 reads an array of 3 axes as an image of pixels" : NULL;
}

/* OpenCV 5 gives what nobody reads, and nothing else. */
static const char *check_inner_output(const cnnfi_finding *f, const cnnf_node *node)
{
    if (!is_asked(f, OPENCV_5) || !f->output[node->index] || !cnnfi_check_readers(f, node, NULL)) return NULL;
    return "it is an output that others read, which OpenCV 5 does not give";
}

#define TAKEN(op)                                                                                                      \
    {                                                                                                                  \
        op, CNNFI_TAKEN, NULL, NULL                                                                                    \
    }
#define RULE(op, rule)                                                                                                 \
    {                                                                                                                  \
        op, CNNFI_REFUSED, NULL, rule                                                                                  \
    }

static const cnnfi_op_row rows[] = {
    TAKEN("Abs"),
    RULE("Add", check_sum),
    RULE("AddN", check_sum_of_many),
    RULE("AddV2", check_sum),
    TAKEN("Asinh"),
    TAKEN("Atan"),
    TAKEN("AvgPool"),
    TAKEN("AvgPool3D"),
    RULE("BatchToSpaceND", check_batch_to_space),
    RULE("BiasAdd", check_bias),
    TAKEN("Ceil"),
    RULE("ClipByValue", check_clip),
    RULE("Concat", check_concat),
    RULE("ConcatV2", check_concat),
    RULE("Const", check_constant),
    RULE("Conv2D", check_convolution),
    RULE("Conv2DBackpropInput", check_transposed),
    RULE("Conv3D", check_convolution),
    TAKEN("Cos"),
    RULE("DepthwiseConv2dNative", check_convolution),
    TAKEN("Elu"),
    TAKEN("Erf"),
    TAKEN("Exp"),
    TAKEN("Floor"),
    RULE("FusedBatchNorm", check_norm),
    RULE("FusedBatchNormV3", check_norm),
    TAKEN("Identity"),
    TAKEN("LRN"),
    RULE("LeakyRelu", check_leaky),
    TAKEN("Log"),
    RULE("MatMul", check_matmul),
    RULE("Max", check_reduction),
    TAKEN("MaxPool"),
    TAKEN("MaxPool3D"),
    RULE("Maximum", check_maximum),
    RULE("Mean", check_reduction),
    RULE("Minimum", check_minimum),
    RULE("MirrorPad", check_pad),
    RULE("Mul", check_product),
    TAKEN("NoOp"),
    RULE("Pad", check_pad),
    RULE("Placeholder", check_placeholder),
    RULE("RealDiv", check_product),
    TAKEN("Reciprocal"),
    TAKEN("Relu"),
    TAKEN("Relu6"),
    RULE("Reshape", check_reshape),
    RULE("ResizeBilinear", check_resize),
    RULE("ResizeNearestNeighbor", check_resize),
    TAKEN("Round"),
    RULE("Rsqrt", check_rsqrt),
    TAKEN("Selu"),
    TAKEN("Sigmoid"),
    TAKEN("Sign"),
    TAKEN("Sin"),
    TAKEN("Sinh"),
    RULE("Slice", check_slice),
    RULE("Softmax", check_softmax),
    TAKEN("Softplus"),
    TAKEN("Softsign"),
    RULE("SpaceToBatchND", check_space_to_batch),
    RULE("Split", check_first),
    TAKEN("Sqrt"),
    TAKEN("Square"),
    RULE("Squeeze", check_squeeze),
    RULE("StridedSlice", check_strided_slice),
    RULE("Sub", check_sum),
    RULE("Sum", check_reduction),
    TAKEN("Tan"),
    TAKEN("Tanh"),
    RULE("Transpose", check_transpose),
    RULE("", check_inner_output),
};

static void put_command(cnnfi_strbuf *out, const cnnf_graph *graph, const char *file)
{
    (void)graph;
    cnnfi_strbuf_puts(out, "python3 -c 'import sys, cv2; net = cv2.dnn.readNetFromTensorflow(sys.argv[1]); "
                           "print(net.getUnconnectedOutLayersNames())' ");
    cnnfi_put_word(out, file);
}

#define TARGET(named, proven, asked)                                                                                   \
    {                                                                                                                  \
        .name = named, .version = proven, .bit = CNNFI_FOR_OPENCV, .releases = asked, .skips = is_for_others,          \
        .rows = rows, .n_rows = sizeof rows / sizeof *rows, .otherwise = "there is no layer for it",                   \
        .passes = "inline_functions set_learning_phase remove_dropout fold_constants remove_identity static_shapes "   \
                  "fold_constants fold_batch_norms(plain_relu=true) fold_constants sort_by_execution_order "           \
                  "fit_opencv static_shapes fold_constants remove_control_dependencies prune "                         \
                  "target_tf(version=1.15, clear_internal=true) sort_by_execution_order",                              \
        .command = put_command                                                                                         \
    }

const cnnfi_target cnnfi_target_opencv = TARGET("opencv", "OpenCV 4.10.0 and 5.0.0", OPENCV_4 | OPENCV_5);
const cnnfi_target cnnfi_target_opencv4 = TARGET("opencv4", "OpenCV 4.10.0", OPENCV_4);
const cnnfi_target cnnfi_target_opencv5 = TARGET("opencv5", "OpenCV 5.0.0", OPENCV_5);
