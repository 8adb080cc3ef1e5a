/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The older step of the tool: FixNeurons become attributes of what they round. ipos and opos are [bits, position] of
 * each input and of the output, products carry their weights and bias on the grid.
 */
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "edit/shapes.h"
#include "graph/tensor.h"
#include "ops/fixed_grid.h"
#include "transform/quantize/vitis.h"

#define PRODUCTS   CNNFI_VITIS_CONVFC "|Conv2DBackpropInput"
#define RECTIFIERS "Relu|Relu6|LeakyRelu|Identity"

typedef struct deployer {
    cnnfi_vitis *v;
    cnnfi_shapes shapes;
    bool *wanted; /* by node: outputs, and what took their place */
} deployer;

static void refuse(const deployer *d, const cnnf_node *node, const char *why)
{
    cnnfi_builder_fail_at(d->v->edit->b, CNNF_E_UNSUPPORTED, node->name, "'%s' (%s) has no form in deploy_model: %s",
                          node->name, node->op, why);
}

static bool is_fix(const cnnf_node *node)
{
    return cnnfi_vitis_is(node, "FixNeuron");
}

/* ---- positions ---- */

static cnnf_node *fix_behind(const deployer *d, const cnnf_node *node)
{
    for (const cnnfi_use *use = cnnfi_edit_uses(d->v->edit, node); use; use = use->next) {
        if (is_fix(use->user)) return use->user;
    }
    return NULL;
}

static cnnf_node *only_reader(const deployer *d, const cnnf_node *node)
{
    const cnnfi_use *use = cnnfi_edit_uses(d->v->edit, node);
    return use && !use->next ? use->user : NULL;
}

/* The FixNeuron that rounds a node: behind it, or behind the rectifier that alone reads it; NULL. */
static const cnnf_node *rounded_by(const deployer *d, const cnnf_node *node)
{
    for (int depth = 0; node && depth < CNNFI_VITIS_MAX_NODES; depth++) {
        const cnnf_node *fix = fix_behind(d, node);
        if (fix) return fix;
        node = only_reader(d, node);
        if (!cnnfi_vitis_is(node, RECTIFIERS)) return NULL;
    }
    return NULL;
}

static void set_position(const deployer *d, cnnf_node *node, const char *key, const cnnf_node *fix)
{
    const int64_t pair[] = {cnnf_node_attr_int(fix, "bit_width", 8), cnnf_node_attr_int(fix, "quantize_pos", 0)};
    cnnfi_node_set_ints(d->v->edit->b, node, key, pair, 2);
}

static void set_positions(const deployer *d, cnnf_node *node)
{
    const size_t n = cnnfi_node_data_inputs(node);
    int64_t *pairs = cnnfi_edit_array(d->v->edit, 2 * n + 1, sizeof *pairs);
    size_t count = 0;
    for (size_t i = 0; pairs && i < n; i++) {
        const cnnf_node *from = cnnfi_vitis_input(d->v, node, i), *fix = is_fix(from) ? from : NULL;
        if (from && !fix && cnnfi_vitis_is(node, RECTIFIERS)) fix = rounded_by(d, from);
        if (!fix) continue;
        pairs[count++] = cnnf_node_attr_int(fix, "bit_width", 8);
        pairs[count++] = cnnf_node_attr_int(fix, "quantize_pos", 0);
    }
    if (count) cnnfi_node_set_ints(d->v->edit->b, node, "ipos", pairs, count);
    const cnnf_node *out = rounded_by(d, node);
    if (out) set_position(d, node, "opos", out);
}

/* `node` is gone, `to` takes its readers and, of an output, its place. */
static void leave_out(const deployer *d, cnnf_node *node, cnnfi_edge to)
{
    if (to.node >= 0) d->wanted[to.node] |= d->wanted[node->index];
    cnnfi_edit_bypass(d->v->edit, node, to);
}

/* ---- products ---- */

/* The constant behind the FixNeuron at an input, rounded, as an attribute. */
static void set_rounded(const deployer *d, cnnf_node *to, const cnnf_node *from, size_t input, const char *value,
                        const char *position)
{
    const cnnf_node *fix = cnnfi_vitis_input(d->v, from, input);
    cnnfi_vitis_floats numbers = cnnfi_vitis_load(d->v, fix, 0);
    if (!numbers.data) return;
    cnnfi_fix_neuron_round(numbers.data, numbers.data, numbers.count, cnnf_node_attr_int(fix, "bit_width", 8),
                           cnnf_node_attr_int(fix, "quantize_pos", 0),
                           (cnnfi_fix_mode)cnnf_node_attr_int(fix, "mode", 0));
    cnnfi_tensor_set_encoding(numbers.tensor, CNNFI_ENCODING_CONTENT);
    cnnfi_node_set_tensor(d->v->edit->b, to, value, numbers.tensor);
    set_position(d, to, position, fix);
    cnnfi_vitis_drop(&numbers);
}

static bool has_rounded_constant(const deployer *d, const cnnf_node *node, size_t input)
{
    const cnnf_node *fix = cnnfi_vitis_input(d->v, node, input);
    return is_fix(fix) && cnnfi_vitis_is(cnnfi_vitis_input(d->v, fix, 0), "Const");
}

static cnnf_node *bias_of(const deployer *d, const cnnf_node *product)
{
    cnnf_node *reader = only_reader(d, product);
    if (cnnfi_vitis_is(reader, "BatchToSpaceND")) reader = only_reader(d, reader);
    return cnnfi_vitis_is(reader, CNNFI_VITIS_BIAS) && has_rounded_constant(d, reader, 1) ? reader : NULL;
}

static void deploy_product(const deployer *d, cnnf_node *node)
{
    cnnfi_edit *edit = d->v->edit;
    if (!cnnfi_vitis_is(node, PRODUCTS)) return;
    if (!has_rounded_constant(d, node, 1)) {
        refuse(d, node, "its weights are not quantized");
        return;
    }
    const cnnfi_edge data = cnnfi_edit_input(node, cnnfi_vitis_data_input(node));
    cnnf_node *bias = bias_of(d, node);
    set_rounded(d, node, node, 1, "weights", "wpos");
    if (bias) set_rounded(d, node, bias, 1, "bias", "bpos");
    if (strcmp(node->op, "Conv2DBackpropInput") == 0) cnnfi_edit_set_op(edit, node, "Deconv2d");
    cnnfi_edit_truncate_inputs(edit, node, 0);
    cnnfi_edit_add_input(edit, node, data);
    if (bias) leave_out(d, bias, cnnfi_edit_input(bias, 0));
}

/* BiasAdd(Mul(x, s), o) */
static void deploy_norm(const deployer *d, cnnf_node *mul)
{
    cnnf_node *bias = cnnfi_vitis_is(mul, "Mul") ? only_reader(d, mul) : NULL;
    if (!cnnfi_vitis_is(bias, "BiasAdd") || !cnnfi_vitis_is_float(bias)) return;
    if (!has_rounded_constant(d, mul, 1) || !has_rounded_constant(d, bias, 1)) {
        refuse(d, mul, "its constants are not quantized");
        return;
    }
    set_rounded(d, mul, mul, 1, "weights", "wpos");
    set_rounded(d, mul, bias, 1, "bias", "bpos");
    cnnfi_edit_set_op(d->v->edit, mul, "Scale");
    cnnfi_edit_truncate_inputs(d->v->edit, mul, 1);
    leave_out(d, bias, cnnfi_end(mul, 0));
}

/* ---- other ops ---- */

static void deploy_pool(const deployer *d, cnnf_node *node)
{
    cnnf_node *mul = cnnfi_vitis_is(node, "AvgPool") ? only_reader(d, node) : NULL;
    if (!cnnfi_vitis_is(mul, "Mul") || !cnnfi_vitis_const(d->v, mul, 1)) return;
    leave_out(d, mul, cnnfi_end(node, 0));
}

static void take_constant(const deployer *d, cnnf_node *to, const cnnf_node *node, size_t input, const char *key)
{
    const cnnf_node *from = cnnfi_vitis_input(d->v, node, input);
    const cnnf_tensor *value = cnnfi_vitis_is(from, "Const") ? cnnf_node_attr_tensor(from, "value") : NULL;
    if (value) cnnfi_node_set_tensor(d->v->edit->b, to, key, value);
}

static void deploy_clip(const deployer *d, cnnf_node *node)
{
    cnnf_node *inner = cnnfi_vitis_is(node, "Maximum") ? cnnfi_vitis_input(d->v, node, 0) : NULL;
    if (!cnnfi_vitis_is(inner, "Minimum") || !cnnfi_vitis_const(d->v, node, 1) || !cnnfi_vitis_const(d->v, inner, 1))
        return;
    const cnnfi_edge x = cnnfi_edit_input(inner, 0);
    take_constant(d, node, node, 1, "min_clip_value");
    take_constant(d, node, inner, 1, "max_clip_value");
    cnnfi_edit_set_op(d->v->edit, node, "ClipByValue");
    cnnfi_edit_truncate_inputs(d->v->edit, node, 0);
    cnnfi_edit_add_input(d->v->edit, node, x);
}

/* The dims that a shape has, however it is made. */
static void set_shape(deployer *d, cnnf_node *node)
{
    int32_t dims[CNNFI_OP_MAX_RANK];
    cnnf_tensor *tensor = NULL;
    cnnfi_builder *b = d->v->edit->b;
    const cnnfi_value value = cnnfi_shape_of_output(&d->shapes, node, 0);
    if (value.rank < 0 || b->status) return;
    for (int32_t i = 0; i < value.rank; i++) {
        if (value.dims[i] > INT32_MAX) return;
        dims[i] = (int32_t)value.dims[i];
    }
    const int64_t rank = value.rank;
    b->status = cnnfi_tensor_copy(&tensor, b->graph->context, CNNF_INT32, 1, &rank, dims, b->error);
    if (tensor) cnnfi_tensor_set_encoding(tensor, CNNFI_ENCODING_CONTENT);
    if (tensor) cnnfi_node_set_tensor(b, node, "shape", tensor);
    cnnf_tensor_unref(tensor);
}

static void deploy_reshape(deployer *d, cnnf_node *node)
{
    if (!cnnfi_vitis_is(node, "Reshape") || !cnnfi_vitis_is_float(node)) return;
    if (cnnfi_vitis_is(cnnfi_vitis_input(d->v, node, 1), "Const"))
        take_constant(d, node, node, 1, "shape");
    else
        set_shape(d, node);
    if (cnnfi_node_attr(node, "shape")) cnnfi_edit_truncate_inputs(d->v->edit, node, 1);
}

static void deploy_concat(const deployer *d, cnnf_node *node)
{
    if (!cnnfi_vitis_is(node, "ConcatV2") || !cnnfi_vitis_is_float(node)) return;
    const size_t axis = cnnfi_node_data_inputs(node) - 1;
    take_constant(d, node, node, axis, "axis");
    if (cnnfi_node_attr(node, "axis")) cnnfi_edit_truncate_inputs(d->v->edit, node, axis);
}

static void deploy_placeholder(const deployer *d, cnnf_node *node)
{
    int64_t dims[CNNFI_MAX_RANK];
    const int32_t rank = cnnfi_vitis_is(node, "Placeholder") ? cnnf_node_attr_shape_rank(node, "shape") : 0;
    for (int32_t i = 0; i < rank; i++)
        dims[i] = cnnf_node_attr_shape_dim(node, "shape", i);
    if (rank < 1) return;
    dims[0] = 1;
    cnnfi_node_set_shape(d->v->edit->b, node, "shape", rank, dims);
}

static void rename_op(const deployer *d, cnnf_node *node)
{
    static const char *const rows[][2] = {{"AddV2", "Add"}, {"LeakyRelu", "LeakyReLU"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (cnnfi_vitis_is(node, rows[i][0]) && cnnfi_vitis_is_float(node))
            cnnfi_edit_set_op(d->v->edit, node, rows[i][1]);
    }
}

static void refuse_unknown(const deployer *d, cnnf_node *node)
{
    if (!fix_behind(d, node) && !cnnfi_vitis_is(node, "Mul|Add|AddV2")) return;
    if (cnnfi_vitis_is(node, "Mul|Add|AddV2") && (has_rounded_constant(d, node, 0) || has_rounded_constant(d, node, 1)))
        refuse(d, node, "a constant is an input");
    if (cnnfi_vitis_is(node, "StridedSlice|DepthToSpace|Sigmoid"))
        refuse(d, node, "the converter does not know the op");
}

/* ---- all of it ---- */

/* What the converter forgets: constants of the sizes that a transposed convolution's shape is packed from. */
static void find_leftovers(const deployer *d)
{
    for (int32_t i = 0; (size_t)i < d->v->edit->count; i++) {
        const cnnf_node *node = cnnfi_edit_node(d->v->edit, i);
        const cnnf_node *pack = cnnfi_vitis_is(node, "Conv2DBackpropInput") ? cnnfi_vitis_input(d->v, node, 0) : NULL;
        for (size_t k = 1; cnnfi_vitis_is(pack, "Pack") && k < 3; k++) {
            const cnnf_node *size = cnnfi_vitis_input(d->v, pack, k);
            while (cnnfi_vitis_is(size, "Mul|Add|AddV2"))
                size = cnnfi_vitis_input(d->v, size, 0);
            for (size_t c = 1; cnnfi_vitis_is(size, "StridedSlice") && c < 4; c++) {
                const cnnf_node *constant = cnnfi_vitis_input(d->v, size, c);
                if (constant) d->wanted[constant->index] = true;
            }
        }
    }
}

/* Only what is wanted, and what that needs, stays. */
static void cut(const deployer *d)
{
    cnnfi_edit *edit = d->v->edit;
    int32_t *roots = cnnfi_edit_array(edit, edit->count + 1, sizeof *roots);
    size_t n_roots = 0;
    for (int32_t i = 0; roots && (size_t)i < edit->count; i++) {
        if (d->wanted[i] && cnnfi_edit_node(edit, i)) roots[n_roots++] = i;
    }
    const bool *needed = roots ? cnnfi_edit_reach(edit, roots, n_roots) : NULL;
    for (int32_t i = 0; needed && (size_t)i < edit->count; i++) {
        cnnf_node *node = cnnfi_edit_node(edit, i);
        if (node && !needed[i]) cnnfi_edit_remove(edit, node);
    }
}

static void each_node(deployer *d, void (*deploy)(const deployer *d, cnnf_node *node))
{
    for (int32_t i = 0; (size_t)i < d->v->edit->count && !d->v->edit->b->status; i++) {
        cnnf_node *node = cnnfi_edit_node(d->v->edit, i);
        if (node) deploy(d, node);
    }
}

static void take_out_fix(const deployer *d, cnnf_node *node)
{
    if (is_fix(node)) leave_out(d, node, cnnfi_edit_input(node, 0));
}

static void mark_positions(const deployer *d, cnnf_node *node)
{
    if (!is_fix(node) && !cnnfi_vitis_is(node, "Const")) set_positions(d, node);
}

static void deploy_all(deployer *d, const cnnfi_quantize_plan *plan, size_t n_outputs)
{
    cnnfi_edit *edit = d->v->edit;
    d->wanted = cnnfi_edit_array(edit, edit->count + 1, sizeof *d->wanted);
    for (size_t i = 0; i < n_outputs && d->wanted; i++) {
        const cnnf_node *node = cnnfi_edit_find(edit, plan->outputs[i], strlen(plan->outputs[i]));
        if (node) d->wanted[node->index] = true;
    }
    if (!d->wanted) return;
    cut(d);
    if (d->v->options->as_vai_q) find_leftovers(d);
    cnnfi_shapes_init(&d->shapes, edit);
    for (int32_t i = 0; (size_t)i < edit->count && !edit->b->status; i++) {
        cnnf_node *node = cnnfi_edit_node(edit, i);
        if (node) deploy_reshape(d, node);
    }
    each_node(d, deploy_product);
    each_node(d, deploy_norm);
    each_node(d, deploy_pool);
    each_node(d, deploy_clip);
    each_node(d, deploy_concat);
    each_node(d, refuse_unknown);
    each_node(d, mark_positions);
    each_node(d, rename_op);
    each_node(d, deploy_placeholder);
    each_node(d, take_out_fix);
    cut(d);
}

cnnf_status cnnfi_quantize_deploy(cnnf_graph **out, const cnnf_graph *graph, const cnnfi_quantize_plan *plan,
                                  const cnnfi_quantize_options *options, cnnf_error *error)
{
    cnnfi_edit edit;
    cnnfi_vitis v = {.options = options, .edit = &edit};
    deployer d = {.v = &v};
    *out = NULL;
    CNNFI_TRY(cnnfi_edit_begin(&edit, graph, NULL, error));
    deploy_all(&d, plan, options->n_outputs);
    return cnnfi_vitis_end(&v, out, error);
}
