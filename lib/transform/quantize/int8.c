/* SPDX-License-Identifier: Apache-2.0 */
/* Where FakeQuant nodes go, and what they say in the end. */
#include "transform/quantize/int8.h"

#include <math.h>
#include <string.h>

#include <cnnfreeze/transform.h>

#include "base/context.h"
#include "base/error.h"
#include "edit/constants.h"
#include "graph/tensor.h"
#include "ops/fake_quant.h"
#include "transform/quantize/vitis.h"

#define BITS 8

/* ---- prepare ---- */

#define PASSES                                                                                                         \
    "inline_functions set_learning_phase remove_dropout fold_constants(ignore_errors=true) remove_identity "           \
    "static_shapes fold_constants(ignore_errors=true) fold_batch_norms(plain_relu=true) "                              \
    "fold_constants(ignore_errors=true) fuse_relu6 sort_by_execution_order fit_vitis_ai "                              \
    "fold_constants(ignore_errors=true) remove_control_dependencies prune sort_by_execution_order"

cnnf_status cnnfi_affine_prepare(cnnf_graph **out, const cnnf_graph *graph, const cnnfi_quantize_options *options,
                                 cnnf_error *error)
{
    return cnnfi_quantize_run_passes(out, graph, options, PASSES, error);
}

/* ---- insert ---- */

#define PRODUCTS "Conv2D|DepthwiseConv2dNative|MatMul|Conv2DBackpropInput|Conv3D"
/* Compute anew: a range of their own. */
#define OWN "Add|AddV2|Sub|Mul|AddN|ConcatV2|AvgPool|Mean|LeakyRelu|Relu|Relu6|ResizeBilinear|Maximum|Minimum"
/* Only move numbers, 0 among them. */
#define MOVES                                                                                                          \
    "MaxPool|Reshape|Squeeze|ExpandDims|Identity|Transpose|Pad|StridedSlice|Slice|ResizeNearestNeighbor|"              \
    "SpaceToBatchND|BatchToSpaceND|SpaceToDepth|DepthToSpace|Max|MirrorPad|Tile"

typedef struct insertion {
    cnnfi_vitis v;
    cnnfi_arena *arena;
    cnnfi_affine_plan *plan;
    int32_t *observer; /* [n_nodes] of the original nodes' output 0; -1 */
    const cnnf_graph *graph;
} insertion;

static cnnf_node *scalar(cnnfi_edit *edit, const char *name, const char *what)
{
    const float zero = 0;
    cnnf_tensor *tensor = NULL;
    cnnfi_builder *b = edit->b;
    if (b->status) return NULL;
    b->status = cnnfi_tensor_copy(&tensor, b->graph->context, CNNF_FLOAT, 0, NULL, &zero, b->error);
    cnnf_node *node = cnnfi_edit_const(edit, tensor, "%s/%s", name, what);
    cnnf_tensor_unref(tensor);
    return node;
}

static void set_fake(cnnfi_builder *b, cnnf_node *node, bool narrow)
{
    cnnfi_node_set_int(b, node, "num_bits", BITS);
    cnnfi_node_set_bool(b, node, "narrow_range", narrow);
}

/* The observer of what the node gives, put behind it when there is none; -1 after a failure. */
static int32_t observe(insertion *in, cnnf_node *from, int32_t like)
{
    cnnfi_edit *edit = in->v.edit;
    cnnfi_affine_plan *plan = in->plan;
    if (in->observer[from->index] >= 0) return in->observer[from->index];
    const char *name = cnnfi_edit_unique(edit, "%s/fake_quant", from->name);
    cnnf_node *node = name ? cnnfi_edit_add(edit, "FakeQuantWithMinMaxVars", name) : NULL;
    const char *kept = node ? cnnfi_arena_strdup(in->arena, name) : NULL;
    if (!kept) return -1;
    cnnfi_edit_redirect(edit, from, 0, cnnfi_end(node, 0), NULL);
    cnnfi_edit_add_input(edit, node, cnnfi_end(from, 0));
    cnnfi_edit_add_input(edit, node, cnnfi_end(scalar(edit, name, "min"), 0));
    cnnfi_edit_add_input(edit, node, cnnfi_end(scalar(edit, name, "max"), 0));
    set_fake(edit->b, node, false);
    plan->names[plan->n] = kept;
    plan->like[plan->n] = like;
    in->observer[from->index] = (int32_t)plan->n;
    return (int32_t)plan->n++;
}

/* The node that computes what an input reads, through its FakeQuant. */
static cnnf_node *source(const insertion *in, const cnnf_node *node, size_t input)
{
    cnnf_node *from = cnnfi_vitis_input(&in->v, node, input);
    if (from && strcmp(from->op, "FakeQuantWithMinMaxVars") == 0 && (size_t)from->index >= in->graph->n_nodes)
        from = cnnfi_vitis_input(&in->v, from, 0);
    return from;
}

static bool is_activation(const insertion *in, const cnnf_node *node, size_t input)
{
    int32_t port = 0;
    const cnnf_node *from = source(in, node, input);
    cnnfi_edit_producer(in->v.edit, node, input, &port);
    return from && port == 0 && strcmp(from->op, "Const") && (size_t)from->index < in->graph->n_nodes;
}

static bool is_observed(const insertion *in, const cnnf_node *node, size_t input)
{
    return is_activation(in, node, input) && in->observer[source(in, node, input)->index] >= 0;
}

static cnnf_node *only_reader(const insertion *in, const cnnf_node *node)
{
    const cnnfi_use *use = cnnfi_vitis_is_private(&in->v, node) ? cnnfi_edit_uses(in->v.edit, node) : NULL;
    return use && use->port == 0 ? use->user : NULL;
}

/* A rectifier or a bound with a constant, which the kernels of what stands before have in them. */
static bool is_clip(const insertion *in, const cnnf_node *node)
{
    if (cnnfi_vitis_is(node, "Relu|Relu6")) return true;
    return cnnfi_vitis_is(node, "Minimum|Maximum") && cnnfi_vitis_const(&in->v, node, 1);
}

/* What the kernel gives: behind bias and rectifier. */
static cnnf_node *tail_of(const insertion *in, cnnf_node *node, cnnf_node **bias)
{
    cnnf_node *next = only_reader(in, node);
    if (bias && next && strcmp(next->op, "BiasAdd") == 0 && cnnfi_vitis_const(&in->v, next, 1)) {
        *bias = node = next;
        next = only_reader(in, node);
    }
    for (int i = 0; next && i < 2 && is_clip(in, next); i++) {
        node = next;
        next = only_reader(in, node);
    }
    return node;
}

static bool has_integer_reader(const insertion *in, const cnnf_node *node)
{
    for (const cnnfi_use *use = cnnfi_edit_uses(in->v.edit, node); use; use = use->next) {
        if (cnnfi_vitis_is(use->user, PRODUCTS) || cnnfi_vitis_is(use->user, OWN) || cnnfi_vitis_is(use->user, MOVES))
            return true;
    }
    return false;
}

static void insert_product(insertion *in, cnnf_node *node)
{
    const size_t data = cnnfi_vitis_data_input(node);
    cnnf_node *bias = NULL;
    cnnfi_affine_plan *plan = in->plan;
    if (!cnnfi_vitis_const(&in->v, node, 1) || !is_activation(in, node, data) || !cnnfi_vitis_is_float(node)) {
        cnnfi_quantize_say(in->v.notes, node->name, "%s stays float: its weights are no constant", node->op);
        return;
    }
    const int32_t of = observe(in, source(in, node, data), -1);
    cnnf_node *tail = tail_of(in, node, &bias);
    if (of < 0) return;
    cnnfi_affine_product *product = &plan->products[plan->n_products++];
    *product = (cnnfi_affine_product){.name = cnnfi_arena_strdup(in->arena, node->name),
                                      .bias = bias ? cnnfi_arena_strdup(in->arena, bias->name) : NULL,
                                      .data = (size_t)of};
    /* The last product's kernel gives floats: a rounding less where the answer is read. */
    if (strcmp(node->op, "MatMul") || has_integer_reader(in, tail)) observe(in, tail, -1);
}

static void insert_own(insertion *in, cnnf_node *node)
{
    const size_t n = cnnfi_vitis_is(node, "ConcatV2|Mean|ResizeBilinear") ? cnnfi_node_data_inputs(node) - 1
                                                                          : cnnfi_node_data_inputs(node);
    bool any = false;
    if (!cnnfi_vitis_is_float(node) || in->observer[node->index] >= 0) return;
    for (size_t i = 0; i < n; i++) {
        if (!is_activation(in, node, i)) return;
        any |= is_observed(in, node, i);
    }
    if (!any || !has_integer_reader(in, tail_of(in, node, NULL))) return;
    for (size_t i = 0; i < n; i++)
        observe(in, source(in, node, i), -1);
    observe(in, tail_of(in, node, NULL), -1);
}

/* Whose range this one has. */
static int32_t root_of(const cnnfi_affine_plan *plan, int32_t observer)
{
    return plan->like[observer] >= 0 ? plan->like[observer] : observer;
}

static void insert_move(insertion *in, cnnf_node *node)
{
    if (!cnnfi_vitis_is_float(node) || !is_observed(in, node, 0) || !has_integer_reader(in, node)) return;
    observe(in, node, root_of(in->plan, in->observer[source(in, node, 0)->index]));
}

static bool make_room(insertion *in)
{
    const size_t n = in->graph->n_nodes;
    in->observer = cnnfi_edit_array(in->v.edit, n + 1, sizeof *in->observer);
    in->plan->names = cnnfi_arena_array(in->arena, n + 1, sizeof *in->plan->names);
    in->plan->like = cnnfi_arena_array(in->arena, n + 1, sizeof *in->plan->like);
    in->plan->products = cnnfi_arena_array(in->arena, n + 1, sizeof *in->plan->products);
    if (!in->observer || !in->plan->names || !in->plan->like || !in->plan->products) return false;
    for (size_t i = 0; i < n; i++)
        in->observer[i] = -1;
    return true;
}

cnnf_status cnnfi_affine_insert(cnnf_graph **out, cnnfi_affine_plan *plan, cnnfi_arena *arena, const cnnf_graph *graph,
                                const cnnfi_quantize_options *options, cnnfi_quantize_notes *notes, cnnf_error *error)
{
    cnnfi_edit edit;
    insertion in = {.arena = arena, .plan = plan, .graph = graph};
    *out = NULL;
    *plan = (cnnfi_affine_plan){0};
    CNNFI_TRY(cnnfi_vitis_begin(&in.v, &edit, graph, options, notes, error));
    if (!make_room(&in)) cnnfi_builder_fail(edit.b, CNNF_E_NOMEM, "out of memory");
    for (int32_t i = 0; (size_t)i < graph->n_nodes && !edit.b->status; i++) {
        cnnf_node *node = cnnfi_edit_node(&edit, i);
        if (cnnfi_vitis_is(node, PRODUCTS))
            insert_product(&in, node);
        else if (cnnfi_vitis_is(node, OWN))
            insert_own(&in, node);
        else if (cnnfi_vitis_is(node, MOVES))
            insert_move(&in, node);
    }
    return cnnfi_vitis_end(&in.v, out, error);
}

/* ---- observe ---- */

cnnf_status cnnfi_affine_observe(cnnf_graph **out, const cnnf_graph *graph, const cnnfi_affine_plan *plan,
                                 cnnf_error *error)
{
    cnnfi_edit edit;
    *out = NULL;
    CNNFI_TRY(cnnfi_edit_begin(&edit, graph, NULL, error));
    for (size_t i = 0; i < plan->n; i++) {
        cnnf_node *node = cnnfi_edit_find(&edit, plan->names[i], strlen(plan->names[i]));
        const cnnfi_edge x = node ? cnnfi_edit_input(node, 0) : (cnnfi_edge){-1, 0};
        if (!node) continue;
        cnnfi_edit_reset(&edit, node, "_ObserveRange");
        cnnfi_edit_add_input(&edit, node, x);
    }
    cnnfi_edit_sweep(&edit);
    return cnnfi_builder_publish(out, cnnfi_edit_finish(&edit), error);
}

/* ---- finish ---- */

typedef struct finishing {
    cnnfi_vitis v;
    const cnnfi_affine_plan *plan;
    const cnnfi_affine_range *ranges;
    bool by_channel;
} finishing;

static void store_floats(finishing *f, cnnf_node *node, size_t input, int32_t rank, int64_t n, const float *values)
{
    cnnfi_builder *b = f->v.edit->b;
    cnnf_tensor *tensor = NULL;
    if (b->status) return;
    b->status = cnnfi_tensor_copy(&tensor, b->graph->context, CNNF_FLOAT, rank, &n, values, b->error);
    if (!b->status) cnnfi_edit_own_const(f->v.edit, node, input, tensor);
    cnnf_tensor_unref(tensor);
}

/* Channels of the weights that have a range each: the last axis, of a depthwise kernel the last two; else 1. */
static int64_t channels_of(const finishing *f, const cnnf_node *product, const cnnfi_vitis_floats *w)
{
    const bool depthwise = strcmp(product->op, "DepthwiseConv2dNative") == 0;
    const bool last = cnnfi_vitis_is(product, "Conv2D|Conv3D") ||
                      (strcmp(product->op, "MatMul") == 0 && !cnnf_node_attr_bool(product, "transpose_b", 0));
    if (!f->by_channel || w->rank < 2) return 1;
    if (depthwise && w->rank == 4) return w->dims[2] * w->dims[3];
    return last ? w->dims[w->rank - 1] : 1;
}

/*
 * The greatest magnitude of each channel, and no less than what keeps the bias within 2^30 steps of data times weights:
 * an int32 that a sum can still be added to.
 */
static float *magnitudes(finishing *f, const cnnfi_vitis_floats *w, int64_t channels, const cnnfi_vitis_floats *bias,
                         float step)
{
    float *most = cnnfi_edit_array(f->v.edit, (size_t)channels, sizeof *most);
    const double steps = 127.0 / 1073741824.0;
    for (int64_t i = 0; most && i < w->count; i++)
        most[i % channels] = fmaxf(most[i % channels], fabsf(w->data[i]));
    for (int64_t i = 0; most && bias->data && i < bias->count; i++) {
        float *mine = &most[channels == 1 ? 0 : i % channels];
        *mine = fmaxf(*mine, (float)(fabs((double)bias->data[i]) * steps / (double)step));
    }
    for (int64_t i = 0; most && i < channels; i++)
        if (!(most[i] > 1e-30f)) most[i] = 1; /* all are zero */
    return most;
}

/* Values on the grid of step x the weights' step. */
static void round_bias(finishing *f, cnnf_node *node, cnnfi_vitis_floats *bias, const float *most, int64_t channels,
                       float step)
{
    for (int64_t i = 0; i < bias->count; i++) {
        const float m = most[channels == 1 ? 0 : i % channels];
        const cnnfi_fake_grid grid = cnnfi_fake_quant_grid(-m, m, BITS, true);
        const double unit = (double)step * (double)grid.scale;
        bias->data[i] = (float)(round((double)bias->data[i] / unit) * unit);
    }
    cnnfi_vitis_store(&f->v, node, 1, bias);
}

/* A Const of the weights with the two last axes of a depthwise kernel as one. */
static cnnfi_edge flat_kernel(finishing *f, const cnnf_node *product, const cnnfi_vitis_floats *w, int64_t channels)
{
    const int64_t dims[3] = {w->dims[0], w->dims[1], channels};
    cnnfi_builder *b = f->v.edit->b;
    cnnf_tensor *tensor = NULL;
    if (!b->status) b->status = cnnfi_tensor_copy(&tensor, b->graph->context, CNNF_FLOAT, 3, dims, w->data, b->error);
    const cnnf_node *node = cnnfi_edit_const(f->v.edit, tensor, "%s/weights/flat", product->name);
    cnnf_tensor_unref(tensor);
    return cnnfi_end(node, 0);
}

static cnnfi_edge as_kernel(finishing *f, const cnnf_node *product, cnnfi_edge flat, const cnnfi_vitis_floats *w)
{
    const int64_t four = 4;
    int32_t dims[4];
    cnnfi_builder *b = f->v.edit->b;
    cnnf_tensor *tensor = NULL;
    for (int i = 0; i < 4; i++)
        dims[i] = (int32_t)w->dims[i];
    if (!b->status) b->status = cnnfi_tensor_copy(&tensor, b->graph->context, CNNF_INT32, 1, &four, dims, b->error);
    const cnnf_node *shape = cnnfi_edit_const(f->v.edit, tensor, "%s/weights/shape", product->name);
    cnnf_tensor_unref(tensor);
    const char *name = cnnfi_edit_unique(f->v.edit, "%s/weights/kernel", product->name);
    cnnf_node *node = name ? cnnfi_edit_add(f->v.edit, "Reshape", name) : NULL;
    if (!node || !shape) return (cnnfi_edge){-1, 0};
    cnnfi_edit_add_input(f->v.edit, node, flat);
    cnnfi_edit_add_input(f->v.edit, node, cnnfi_end(shape, 0));
    cnnfi_node_set_type(b, node, "T", CNNF_FLOAT);
    cnnfi_node_set_type(b, node, "Tshape", CNNF_INT32);
    return cnnfi_end(node, 0);
}

static cnnf_node *bound(finishing *f, const char *name, const char *what, const float *most, int64_t channels,
                        float sign)
{
    float *values = cnnfi_edit_array(f->v.edit, (size_t)channels, sizeof *values);
    cnnfi_builder *b = f->v.edit->b;
    cnnf_tensor *tensor = NULL;
    for (int64_t i = 0; values && i < channels; i++)
        values[i] = sign * most[i];
    if (values && !b->status)
        b->status = cnnfi_tensor_copy(&tensor, b->graph->context, CNNF_FLOAT, channels == 1 ? 0 : 1, &channels, values,
                                      b->error);
    cnnf_node *node = cnnfi_edit_const(f->v.edit, tensor, "%s/%s", name, what);
    cnnf_tensor_unref(tensor);
    return node;
}

static void quantize_weights(finishing *f, cnnf_node *product, const cnnfi_vitis_floats *w, const float *most,
                             int64_t channels)
{
    cnnfi_edit *edit = f->v.edit;
    const bool depthwise = channels > 1 && strcmp(product->op, "DepthwiseConv2dNative") == 0;
    const cnnfi_edge given = depthwise ? flat_kernel(f, product, w, channels) : cnnfi_edit_input(product, 1);
    const char *name = cnnfi_edit_unique(edit, "%s/weights/fake_quant", product->name);
    cnnf_node *node =
        name
            ? cnnfi_edit_add(edit, channels > 1 ? "FakeQuantWithMinMaxVarsPerChannel" : "FakeQuantWithMinMaxVars", name)
            : NULL;
    if (!node) return;
    cnnfi_edit_add_input(edit, node, given);
    cnnfi_edit_add_input(edit, node, cnnfi_end(bound(f, name, "min", most, channels, -1), 0));
    cnnfi_edit_add_input(edit, node, cnnfi_end(bound(f, name, "max", most, channels, 1), 0));
    set_fake(edit->b, node, true);
    cnnfi_edit_set_input(edit, product, 1,
                         depthwise ? as_kernel(f, product, cnnfi_end(node, 0), w) : cnnfi_end(node, 0));
}

static void finish_product(finishing *f, const cnnfi_affine_product *p)
{
    cnnf_node *node = cnnfi_edit_find(f->v.edit, p->name, strlen(p->name));
    cnnf_node *bias_node = p->bias ? cnnfi_edit_find(f->v.edit, p->bias, strlen(p->bias)) : NULL;
    const cnnfi_affine_range *range = &f->ranges[p->data];
    const float step = cnnfi_fake_quant_grid(range->low, range->high, BITS, false).scale;
    cnnfi_vitis_floats w = {0}, bias = {0};
    if (node) w = cnnfi_vitis_load(&f->v, node, 1);
    if (bias_node) bias = cnnfi_vitis_load(&f->v, bias_node, 1);
    if (w.data && w.count > 0) {
        const int64_t channels = channels_of(f, node, &w);
        const float *most = magnitudes(f, &w, channels, &bias, step);
        if (most) quantize_weights(f, node, &w, most, channels);
        if (most && bias.data) round_bias(f, bias_node, &bias, most, channels, step);
    }
    cnnfi_vitis_drop(&w);
    cnnfi_vitis_drop(&bias);
}

cnnf_status cnnfi_affine_finish(cnnf_graph **out, const cnnf_graph *graph, const cnnfi_affine_plan *plan,
                                const cnnfi_quantize_options *options, const cnnfi_affine_range *ranges,
                                cnnf_error *error)
{
    cnnfi_edit edit;
    finishing f = {.plan = plan, .ranges = ranges, .by_channel = options->by_channel};
    *out = NULL;
    CNNFI_TRY(cnnfi_vitis_begin(&f.v, &edit, graph, options, NULL, error));
    for (size_t i = 0; i < plan->n; i++) {
        cnnf_node *node = cnnfi_edit_find(&edit, plan->names[i], strlen(plan->names[i]));
        if (!node) continue;
        store_floats(&f, node, 1, 0, 0, &ranges[i].low);
        store_floats(&f, node, 2, 0, 0, &ranges[i].high);
    }
    for (size_t i = 0; i < plan->n_products; i++)
        finish_product(&f, &plan->products[i]);
    cnnfi_edit_sweep(&edit);
    return cnnfi_vitis_end(&f.v, out, error);
}
