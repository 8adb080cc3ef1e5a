/* SPDX-License-Identifier: Apache-2.0 */
/* Pools, leaky rectifiers and hard sigmoids with the constants that the DPU computes with. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "edit/pattern.h"
#include "ops/call.h"
#include "transform/quantize/vitis.h"

/* ---- average pools ---- */

/* What the DPU multiplies a window's sum by, times its size: 1 where that is exact. */
static float pool_factor(int64_t height, int64_t width)
{
    static const struct {
        int64_t side;
        double factor;
    } rows[] = {
        {3, 9 * 7 / 64.0}, {5, 25 * 10 / 256.0}, {6, 36 * 7 / 256.0}, {7, 49 * 21 / 1024.0}, {14, 196 * 21 / 4096.0}};
    for (size_t i = 0; height == width && i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].side == height) return (float)rows[i].factor;
    }
    /* The first best k / 2^n for 1 / size. */
    const double size = (double)height * (double)width;
    const int most = (int)ceil(log2(128.0 * size));
    double best = 0, least = (double)INFINITY;
    for (int n = 0; n < most; n++) {
        const double power = ldexp(1.0, n), rounded = round(power / size), k = rounded < 1 ? 1 : rounded;
        const double error = fabs(k / power - 1.0 / size);
        if (!(error < least)) continue;
        least = error;
        best = k / power;
    }
    return (float)(best * size);
}

static bool is_channels_last(const cnnf_node *node)
{
    const char *format = cnnf_node_attr_string(NULL, node, "data_format");
    return !format || strcmp(format, "NHWC") == 0;
}

static void set_square(cnnfi_vitis *v, cnnf_node *node, const char *key, int64_t height, int64_t width)
{
    cnnfi_node_set_ints(v->edit->b, node, key, (const int64_t[]){1, height, width, 1}, 4);
}

/* Readers of `from` read `to`, but for `to` itself. */
static void read_instead(cnnfi_vitis *v, const cnnf_node *from, const cnnf_node *to)
{
    cnnfi_edit_redirect(v->edit, from, 0, cnnfi_end(to, 0), to);
}

static cnnf_node *add_behind(cnnfi_vitis *v, const cnnf_node *node, const char *op, const char *suffix)
{
    const char *name = cnnfi_edit_unique(v->edit, "%s/%s", node->name, suffix);
    cnnf_node *added = name ? cnnfi_edit_add(v->edit, op, name) : NULL;
    if (!added) return NULL;
    cnnfi_edit_add_input(v->edit, added, cnnfi_end(node, 0));
    cnnfi_node_set_type(v->edit->b, added, "T", CNNF_FLOAT);
    read_instead(v, node, added);
    return added;
}

/* A mean over an image is an average pool of that size, then Squeeze. */
static void pool_mean(cnnfi_vitis *v, cnnfi_shapes *shapes, cnnf_node *node)
{
    int64_t axes[2];
    if (strcmp(node->op, "Mean") || !cnnfi_vitis_is_float(node)) return;
    if (!cnnfi_pattern_ints(v->edit, node, 1, axes, 2) || axes[0] != 1 || axes[1] != 2) return;
    const cnnfi_value x = cnnfi_shape_of_input(shapes, node, 0);
    if (x.rank != 4) return;
    if (x.dims[1] < 1 || x.dims[2] < 1) {
        cnnfi_quantize_say(v->notes, node->name, "Mean stays as it is: the image's size is not known");
        return;
    }
    const bool keep = cnnf_node_attr_bool(node, "keep_dims", 0) != 0;
    const cnnfi_edge input = cnnfi_edit_input(node, 0);
    cnnfi_edit_reset(v->edit, node, "AvgPool");
    cnnfi_edit_add_input(v->edit, node, input);
    cnnfi_node_set_type(v->edit->b, node, "T", CNNF_FLOAT);
    cnnfi_node_set_string(v->edit->b, node, "data_format", "NHWC");
    cnnfi_node_set_string(v->edit->b, node, "padding", "VALID");
    set_square(v, node, "ksize", x.dims[1], x.dims[2]);
    set_square(v, node, "strides", x.dims[1], x.dims[2]);
    if (keep) return;
    cnnf_node *squeeze = add_behind(v, node, "Squeeze", "squeeze");
    if (squeeze) cnnfi_node_set_ints(v->edit->b, squeeze, "squeeze_dims", (const int64_t[]){1, 2}, 2);
}

static int64_t side(const cnnf_node *pool, const char *key, int64_t axis)
{
    return cnnf_node_attr_list_int(pool, key, axis, 1);
}

/* The DPU's windows are smaller than 512: the factors of each side nearest its root. */
static int64_t near_root(int64_t n)
{
    int64_t factor = 1;
    for (int64_t i = 1; i * i <= n; i++) {
        if (n % i == 0) factor = i;
    }
    return n / factor;
}

enum { LARGEST_WINDOW = 512 };

static void split_pool(cnnfi_vitis *v, cnnf_node *node)
{
    if (!cnnfi_vitis_is(node, "AvgPool|MaxPool") || !is_channels_last(node)) return;
    const int64_t height = side(node, "ksize", 1), width = side(node, "ksize", 2);
    if (height < 1 || width < 1 || height > INT32_MAX || width > INT32_MAX || height * width < LARGEST_WINDOW) return;
    const bool tiles = side(node, "strides", 1) == height && side(node, "strides", 2) == width &&
                       cnnfi_node_string_is(node, "padding", "VALID");
    const int64_t h = near_root(height), w = near_root(width);
    if (!tiles || (h == height && w == width)) return;
    const char *name = cnnfi_edit_unique(v->edit, "%s/split", node->name);
    cnnf_node *first = name ? cnnfi_edit_copy(v->edit, node, name) : NULL;
    if (!first) return;
    cnnfi_edit_add_input(v->edit, first, cnnfi_edit_input(node, 0));
    cnnfi_edit_set_input(v->edit, node, 0, cnnfi_end(first, 0));
    set_square(v, first, "ksize", h, w);
    set_square(v, first, "strides", h, w);
    set_square(v, node, "ksize", height / h, width / w);
    set_square(v, node, "strides", height / h, width / w);
}

static void scale_pool(cnnfi_vitis *v, cnnf_node *node)
{
    if (strcmp(node->op, "AvgPool") || !cnnfi_vitis_is_float(node) || !is_channels_last(node)) return;
    const int64_t height = side(node, "ksize", 1), width = side(node, "ksize", 2);
    if (height < 1 || width < 1 || height > INT32_MAX || width > INT32_MAX) return;
    const float factor = pool_factor(height, width);
    if (v->options->align_pool != CNNFI_ALIGN_NONE)
        cnnfi_quantize_say(v->notes, node->name, "an average pool: align_pool 2 does not saturate what it reads");
    cnnf_node *mul = add_behind(v, node, "Mul", "mul");
    const cnnf_node *constant = mul ? cnnfi_vitis_vector(v, &factor, 1, "%s/scale_value", node->name) : NULL;
    if (constant) cnnfi_edit_add_input(v->edit, mul, cnnfi_end(constant, 0));
}

/* ---- rectifiers ---- */

#define LEAKY_ALPHA (26.0f / 256.0f)

static bool is_tenth(double alpha)
{
    return fabs(alpha - 0.1) <= 1e-5;
}

static void bend_leaky(cnnfi_vitis *v, cnnf_node *node)
{
    if (strcmp(node->op, "LeakyRelu") == 0 && is_tenth(cnnf_node_attr_float(node, "alpha", 0.2)))
        cnnfi_node_set_float(v->edit->b, node, "alpha", LEAKY_ALPHA);
    const cnnf_node *mul = strcmp(node->op, "Maximum") == 0 ? cnnfi_vitis_input(v, node, 0) : NULL;
    if (!cnnfi_vitis_is(mul, "Mul")) return;
    for (size_t i = 0; i < 2; i++) {
        cnnf_node *product = cnnfi_vitis_input(v, node, 0);
        if (cnnfi_edit_input(product, 1 - i).node != cnnfi_edit_input(node, 1).node) continue;
        cnnfi_vitis_floats alpha = cnnfi_vitis_load(v, product, i);
        if (alpha.data && alpha.count == 1 && is_tenth((double)alpha.data[0])) {
            alpha.data[0] = LEAKY_ALPHA;
            cnnfi_vitis_store(v, product, i, &alpha);
        }
        cnnfi_vitis_drop(&alpha);
    }
}

/* Mul(Relu6(x + 3), 1/6): 1/6 is 2731 / 16384. */
static void scale_sigmoid(cnnfi_vitis *v, cnnf_node *node)
{
    const cnnf_node *relu = strcmp(node->op, "Mul") == 0 ? cnnfi_vitis_input(v, node, 0) : NULL;
    const cnnf_node *add = cnnfi_vitis_is(relu, "Relu6") ? cnnfi_vitis_input(v, relu, 0) : NULL;
    if (!cnnfi_vitis_is(add, "Add|AddV2") || !cnnfi_vitis_const(v, add, 1)) return;
    cnnfi_vitis_floats sixth = cnnfi_vitis_load(v, node, 1);
    const bool found = sixth.data && sixth.count == 1 && fabsf(sixth.data[0] - 1.0f / 6.0f) < 1e-5f;
    cnnfi_vitis_drop(&sixth);
    if (!found) return;
    const float factor = (float)(6.0 * 2731.0 / 16384.0);
    cnnf_node *mul = add_behind(v, node, "Mul", "mul");
    const cnnf_node *constant = mul ? cnnfi_vitis_vector(v, &factor, 1, "%s/scale_value", node->name) : NULL;
    if (constant) cnnfi_edit_add_input(v->edit, mul, cnnfi_end(constant, 0));
}

void cnnfi_vitis_simulate(cnnfi_vitis *v)
{
    cnnfi_shapes shapes;
    const size_t count = v->edit->count;
    cnnfi_shapes_init(&shapes, v->edit);
    for (int32_t i = 0; (size_t)i < count && !v->edit->b->status; i++) {
        cnnf_node *node = cnnfi_edit_node(v->edit, i);
        if (node) pool_mean(v, &shapes, node);
    }
    for (int32_t i = 0; (size_t)i < count && !v->edit->b->status; i++) {
        cnnf_node *node = cnnfi_edit_node(v->edit, i);
        if (!node) continue;
        split_pool(v, node);
        bend_leaky(v, node);
        scale_sigmoid(v, node);
    }
    const size_t with_splits = v->edit->count;
    for (int32_t i = 0; (size_t)i < with_splits && !v->edit->b->status; i++) {
        cnnf_node *node = cnnfi_edit_node(v->edit, i);
        if (node) scale_pool(v, node);
    }
}
