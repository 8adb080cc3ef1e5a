/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fit_vitis_ai: the forms that the DPU's quantizer takes best (lib/inspect/check_vitis_ai.c says which it takes wrong),
 * each computing what was there. What scales and shifts an image becomes a 1x1 DepthwiseConv2dNative and a BiasAdd,
 * behind a convolution or product it goes into the weights; vectors keep Mul and Add.
 */
#include <string.h>

#include "graph/tensor.h"
#include "transform/batch_norm/linear_ops.h"
#include "transform/rewrite/forms.h"

static const cnnfi_edge none = {-1, 0};

/* ---- scales and shifts ---- */

/* values[n] of an operand, negated or not. */
static double *spread(cnnfi_forms *f, const cnnfi_form_operand *o, size_t n, double sign)
{
    double *values = cnnfi_edit_array(&f->edit, n, sizeof *values);
    for (size_t i = 0; values && i < n; i++)
        values[i] = sign * o->v[o->n == 1 ? 0 : i];
    return values;
}

/* An image of known channels, which come last. */
static bool is_image(const cnnfi_form_operand *o)
{
    return o->x.rank == 4 && o->channels > 0;
}

/* x -> DepthwiseConv2dNative with one weight a channel, in place of `node` or (NULL) as a new one beside `like`. */
static cnnf_node *depthwise(cnnfi_forms *f, cnnf_node *node, const cnnf_node *like, cnnfi_edge x, int64_t channels,
                            const double *weights)
{
    static const int64_t ones[4] = {1, 1, 1, 1};
    const int64_t dims[4] = {1, 1, channels, 1};
    cnnf_tensor *value = weights ? cnnfi_tensor_of_doubles(&f->edit, CNNF_FLOAT, 4, dims, weights) : NULL;
    const cnnf_node *filter = cnnfi_edit_const(&f->edit, value, "%s/weights", like->name);
    cnnf_tensor_unref(value);
    if (!filter) return NULL;
    if (node)
        cnnfi_forms_become(f, node, "DepthwiseConv2dNative", x, cnnfi_end(filter, 0));
    else
        node = cnnfi_forms_add(f, like, "depthwise", "DepthwiseConv2dNative", x, cnnfi_end(filter, 0));
    if (!node) return NULL;
    cnnfi_node_set_ints(f->edit.b, node, "strides", ones, 4);
    cnnfi_node_set_ints(f->edit.b, node, "dilations", ones, 4);
    cnnfi_node_set_string(f->edit.b, node, "padding", "VALID");
    cnnfi_node_set_string(f->edit.b, node, "data_format", "NHWC");
    return node;
}

/* The convolution or product that a factor goes into, and the bias between (NULL: none); false: there is none. */
static bool find_linear(cnnfi_forms *f, const cnnf_node *node, size_t data, cnnf_node **linear, cnnf_node **bias)
{
    const char *reason;
    cnnf_node *from = cnnfi_forms_producer(f, node, data);
    *bias = cnnfi_forms_is(from, "BiasAdd") ? from : NULL;
    if (*bias) {
        if (!cnnfi_forms_reader(f, *bias) || !cnnfi_value_input(&f->values, *bias, 1)) return false;
        from = cnnfi_forms_producer(f, *bias, 0);
    }
    if (!from || !cnnfi_forms_reader(f, from) || !cnnfi_linear_of(&f->edit, from, &reason)) return false;
    *linear = from;
    return true;
}

static void set_bias(cnnfi_forms *f, cnnf_node *bias, const double *values, int64_t n)
{
    cnnf_tensor *value = values ? cnnfi_tensor_of_doubles(&f->edit, CNNF_FLOAT, 1, &n, values) : NULL;
    if (value) cnnfi_edit_own_const(&f->edit, bias, 1, value);
    cnnf_tensor_unref(value);
}

/* (x * w + b) * s = x * (w * s) + b * s. */
static bool scale_weights(cnnfi_forms *f, cnnf_node *node, const cnnfi_form_operand *o)
{
    cnnf_node *linear, *bias;
    const char *reason;
    if (!find_linear(f, node, o->data, &linear, &bias) || cnnfi_edit_is_protected(&f->edit, node)) return false;
    const cnnfi_linear_op *op = cnnfi_linear_of(&f->edit, linear, &reason);
    cnnfi_affine affine;
    double *scale, *shift;
    affine = cnnfi_affine_new(&f->edit, o->n, cnnfi_linear_axis(linear, op), &scale, &shift);
    if (!affine.n || affine.axis != 0) return false;
    memcpy(scale, o->v, o->n * sizeof *scale);
    if (!cnnfi_linear_fits_output(&f->edit, linear, op, &affine)) return false;
    const cnnfi_constant *old = bias ? cnnfi_value_input(&f->values, bias, 1) : NULL;
    double *values = old ? cnnfi_edit_array(&f->edit, (size_t)old->shape.count, sizeof *values) : NULL;
    for (int64_t i = 0; values && i < old->shape.count; i++)
        values[i] = old->v[i] * o->v[o->n == 1 ? 0 : i];
    cnnfi_weight_change change = {0};
    cnnfi_linear_scale_output(&f->edit, linear, op, &affine, &change);
    if (bias) set_bias(f, bias, values, old ? old->shape.count : 0);
    cnnfi_edit_bypass(&f->edit, node, cnnfi_edit_input(node, o->data));
    f->edit.changes++;
    return true;
}

static void fit_product(cnnfi_forms *f, cnnf_node *node)
{
    cnnfi_form_operand o;
    if (!cnnfi_forms_operand(f, node, &o)) return;
    const cnnf_node *reader = cnnfi_forms_reader(f, node);
    if (cnnfi_forms_is(reader, "Maximum") || scale_weights(f, node, &o)) return;
    if (is_image(&o))
        depthwise(f, node, node, cnnfi_edit_input(node, o.data), o.channels, spread(f, &o, (size_t)o.channels, 1));
}

/* (x * w + b) + c = x * w + (b + c). */
static bool shift_bias(cnnfi_forms *f, cnnf_node *node, const cnnfi_form_operand *o, double sign)
{
    const cnnf_node *from = cnnfi_forms_producer(f, node, o->data);
    const cnnfi_constant *old = cnnfi_forms_is(from, "BiasAdd") ? cnnfi_value_input(&f->values, from, 1) : NULL;
    if (!old || !cnnfi_forms_reader(f, from) || (o->n != 1 && (int64_t)o->n != old->shape.count)) return false;
    double *values = cnnfi_edit_array(&f->edit, (size_t)old->shape.count, sizeof *values);
    for (int64_t i = 0; values && i < old->shape.count; i++)
        values[i] = old->v[i] + sign * o->v[o->n == 1 ? 0 : i];
    const cnnf_node *bias = values ? cnnfi_forms_const(f, node, "bias", (size_t)old->shape.count, values) : NULL;
    if (bias) cnnfi_forms_become_bias(f, node, cnnfi_edit_input(from, 0), bias);
    return true;
}

static void fit_sum(cnnfi_forms *f, cnnf_node *node)
{
    cnnfi_form_operand o;
    const bool sub = cnnfi_forms_is(node, "Sub"), bias = cnnfi_forms_is(node, "BiasAdd");
    if (cnnfi_node_string_is(node, "data_format", "NCHW") || !cnnfi_forms_operand(f, node, &o)) return;
    if (sub && o.at == 0) return;
    cnnfi_edge x = cnnfi_edit_input(node, o.data);
    const cnnf_node *from = cnnfi_edit_node(&f->edit, x.node);
    const bool takes = cnnfi_forms_takes_bias(from) || cnnfi_forms_is(from, "BatchToSpaceND");
    if (bias && takes) return;
    if (!bias && shift_bias(f, node, &o, sub ? -1 : 1)) return;
    if (!takes && !is_image(&o)) {
        /* A vector: what shifts it alone is an Add. */
        if (bias) cnnfi_forms_become(f, node, "Add", x, cnnfi_edit_input(node, 1));
        return;
    }
    if (o.channels <= 0) return;
    const cnnf_node *shift =
        cnnfi_forms_const(f, node, "bias", (size_t)o.channels, spread(f, &o, (size_t)o.channels, sub ? -1 : 1));
    if (!takes) {
        const cnnfi_form_operand unit = {.v = (const double[]){1}, .n = 1};
        from = depthwise(f, NULL, node, x, o.channels, spread(f, &unit, (size_t)o.channels, 1));
        x = cnnfi_end(from, 0);
    }
    if (from && shift) cnnfi_forms_become_bias(f, node, x, shift);
}

/* ---- bounds ---- */

/* min(relu(x), c) = max(min(x, c), 0) for c >= 0. */
static void fit_minimum(cnnfi_forms *f, cnnf_node *node)
{
    cnnfi_form_operand o;
    if (!cnnfi_forms_operand(f, node, &o) || o.n != 1 || o.v[0] < 0) return;
    const cnnf_node *relu = cnnfi_forms_producer(f, node, o.data);
    if (!cnnfi_forms_is(relu, "Relu")) return;
    if (o.v[0] == 6) {
        cnnfi_forms_become(f, node, "Relu6", cnnfi_edit_input(relu, 0), none);
        return;
    }
    const cnnf_node *high = cnnfi_forms_fill(f, node, "high", 0, o.v[0]);
    const cnnf_node *zero = cnnfi_forms_fill(f, node, "zero", 0, 0);
    const cnnf_node *below =
        high ? cnnfi_forms_add(f, node, "below", "Minimum", cnnfi_edit_input(relu, 0), cnnfi_end(high, 0)) : NULL;
    if (below) cnnfi_forms_become(f, node, "Maximum", cnnfi_end(below, 0), cnnfi_end(zero, 0));
}

static void fit_maximum(cnnfi_forms *f, cnnf_node *node)
{
    cnnfi_forms_leaky(f, node);
}

/* ---- transposed convolutions ---- */

static cnnf_node *int_const(cnnfi_forms *f, const cnnf_node *like, const char *what, int32_t rank, int32_t value)
{
    return cnnfi_forms_ints(f, like, what, rank, 1, &value);
}

static cnnf_node *int_node(cnnfi_forms *f, const cnnf_node *like, const char *what, const char *op)
{
    const char *name = cnnfi_edit_unique(&f->edit, "%s/%s", like->name, what);
    cnnf_node *node = name ? cnnfi_edit_add(&f->edit, op, name) : NULL;
    if (node) cnnfi_node_set_type(f->edit.b, node, "T", CNNF_INT32);
    return node;
}

/* shape[axis] */
static cnnf_node *size_of(cnnfi_forms *f, const cnnf_node *like, const cnnf_node *shape, int32_t axis)
{
    cnnf_node *slice = int_node(f, like, "size", "StridedSlice");
    if (!slice) return NULL;
    cnnfi_edit_add_input(&f->edit, slice, cnnfi_end(shape, 0));
    cnnfi_edit_add_input(&f->edit, slice, cnnfi_end(int_const(f, like, "begin", 1, axis), 0));
    cnnfi_edit_add_input(&f->edit, slice, cnnfi_end(int_const(f, like, "end", 1, axis + 1), 0));
    cnnfi_edit_add_input(&f->edit, slice, cnnfi_end(int_const(f, like, "step", 1, 1), 0));
    cnnfi_node_set_type(f->edit.b, slice, "Index", CNNF_INT32);
    cnnfi_node_set_int(f->edit.b, slice, "shrink_axis_mask", 1);
    return slice;
}

/* Pack(batch, height * factor, width * factor, channels), the one open shape that is taken. */
static void fit_transposed(cnnfi_forms *f, cnnf_node *node)
{
    const cnnfi_value x = cnnfi_shape_of_input(&f->values.shapes, node, 2);
    const cnnfi_value out = cnnfi_shape_of_output(&f->values.shapes, node, 0);
    const cnnf_node *given = cnnfi_forms_producer(f, node, 0);
    if (!cnnfi_forms_is(given, "Pack") || x.rank != 4 || out.rank != 4 || out.dims[3] <= 0) return;
    if (cnnfi_forms_is(cnnfi_forms_producer(f, given, 1), "Mul")) return;
    for (int32_t i = 1; i < 3; i++) {
        if (x.dims[i] <= 0 || out.dims[i] <= 0 || out.dims[i] % x.dims[i]) return;
    }
    cnnf_node *shape = int_node(f, node, "input_shape", "Shape"), *pack = int_node(f, node, "output_shape", "Pack");
    if (!shape || !pack) return;
    cnnfi_node_set_type(f->edit.b, shape, "T", CNNF_FLOAT);
    cnnfi_node_set_type(f->edit.b, shape, "out_type", CNNF_INT32);
    cnnfi_edit_add_input(&f->edit, shape, cnnfi_edit_input(node, 2));
    cnnfi_edit_add_input(&f->edit, pack, cnnfi_end(size_of(f, node, shape, 0), 0));
    for (int32_t i = 1; i < 3; i++) {
        cnnf_node *mul = int_node(f, node, "scaled", "Mul");
        if (!mul) return;
        cnnfi_edit_add_input(&f->edit, mul, cnnfi_end(size_of(f, node, shape, i), 0));
        cnnfi_edit_add_input(&f->edit, mul,
                             cnnfi_end(int_const(f, node, "factor", 0, (int32_t)(out.dims[i] / x.dims[i])), 0));
        cnnfi_edit_add_input(&f->edit, pack, cnnfi_end(mul, 0));
    }
    cnnfi_edit_add_input(&f->edit, pack, cnnfi_end(int_const(f, node, "channels", 0, (int32_t)out.dims[3]), 0));
    cnnfi_node_set_int(f->edit.b, pack, "N", 4);
    cnnfi_node_set_int(f->edit.b, pack, "axis", 0);
    cnnfi_edit_set_input(&f->edit, node, 0, cnnfi_end(pack, 0));
    f->edit.changes++;
}

/* ---- outputs and names ---- */

/* What is measured, or found by name, only with a node behind it. */
static void keep_output(cnnfi_forms *f, cnnf_node *node)
{
    static const char *const ops[] = {"AvgPool",          "FusedBatchNorm", "FusedBatchNormV2",
                                      "FusedBatchNormV3", "Mean",           "Mul"};
    if (!cnnfi_edit_is_protected(&f->edit, node) || !cnnfi_text_in(node->op, ops, sizeof ops / sizeof *ops)) return;
    cnnf_node *inner = cnnfi_forms_move(f, node, "inner");
    if (inner) cnnfi_forms_become(f, node, "Identity", cnnfi_end(inner, 0), none);
}

static char *flat_name(cnnfi_forms *f, const char *name)
{
    char *flat = cnnfi_arena_strdup(&f->edit.arena, name);
    for (char *at = flat; at && *at; at++)
        if (*at == '/') *at = '_';
    return flat;
}

/* Names are compared with '/' as '_': the later one of two gets another. Outputs come first. */
static void part_names(cnnfi_forms *f)
{
    cnnfi_strmap seen;
    cnnfi_strmap_init(&seen, f->edit.b->graph->context);
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < f->edit.count && !f->edit.b->status; i++) {
            cnnf_node *node = f->edit.b->graph->nodes[i];
            if (node->removed || cnnfi_edit_is_protected(&f->edit, node) != (round == 0)) continue;
            char *flat = flat_name(f, node->name);
            if (flat && round && cnnfi_strmap_get(&seen, flat) >= 0) {
                const char *old = node->name, *name = cnnfi_edit_unique(&f->edit, "%s_other", node->name);
                if (!name) break;
                cnnfi_edit_rename(&f->edit, node, name);
                cnnfi_run_note(f->run, name, "was '%s', which is another node's name once '/' is '_'", old);
                flat = flat_name(f, name);
                f->edit.changes++;
            }
            if (!flat || !cnnfi_strmap_set(&seen, flat, (int64_t)i))
                cnnfi_builder_fail(f->edit.b, CNNF_E_NOMEM, "out of memory");
        }
    }
    cnnfi_strmap_free(&seen);
}

/* ---- the table ---- */

static const struct {
    const char *op;
    void (*fit)(cnnfi_forms *f, cnnf_node *node);
} forms[] = {
    {"Add", fit_sum},
    {"AddV2", fit_sum},
    {"BiasAdd", fit_sum},
    {"Cast", cnnfi_forms_step},
    {"Conv2DBackpropInput", fit_transposed},
    {"Tile", cnnfi_forms_tile},
    {"Maximum", fit_maximum},
    {"Minimum", fit_minimum},
    {"Mul", fit_product},
    {"Sub", fit_sum},
};

/* Producers before readers, as the graph has them: a factor is in the weights before the shift behind it is looked at.
 */
static void fit_all(cnnfi_forms *f)
{
    for (size_t i = 0; i < f->edit.originals && !f->edit.b->status; i++) {
        cnnf_node *node = f->edit.b->graph->nodes[i];
        for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
            if (node->removed || strcmp(node->op, forms[k].op) != 0) continue;
            forms[k].fit(f, node);
            break;
        }
    }
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    cnnfi_forms f = {.run = run};
    CNNFI_TRY(cnnfi_pass_begin_edit(&f.edit, run, in));
    cnnfi_values_init(&f.values, &f.edit, false);
    fit_all(&f);
    for (size_t i = 0; i < f.edit.originals && !f.edit.b->status; i++) {
        if (!f.edit.b->graph->nodes[i]->removed) keep_output(&f, f.edit.b->graph->nodes[i]);
    }
    cnnfi_edit_sweep(&f.edit);
    part_names(&f);
    cnnfi_run_count(run, "changed", (int64_t)f.edit.changes);
    return cnnfi_pass_end_edit(&f.edit, run, in, out);
}

const cnnfi_pass cnnfi_pass_fit_vitis_ai = {
    .name = "fit_vitis_ai",
    .description = "Writes what the DPU's quantizer takes wrong, or leaves on the CPU, in forms it takes, exactly.",
    .run = run_pass,
};
