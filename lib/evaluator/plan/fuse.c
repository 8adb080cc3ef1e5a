/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds convolutions and matrix products with constant filters, gathers what follows them (bias, batch
 * normalization, rectifiers, a residual sum, a 2x2 maximum) and hands the lot to a backend.
 * Only float, channels last, shapes known; everything else stays with the general kernels.
 */
#include "evaluator/plan/fuse.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"

/* How far the chain has come: an affine step folds into the filter, or follows the first clamp, or ends the chain. */
typedef enum stage { LINEAR, CLAMPED, SUMMED, DONE } stage;

typedef struct chain {
    cnnfi_plan *plan;
    cnnf_error *error;
    cnnfi_fusion_backend first, second; /* who is asked; NULL: nobody */
    const int32_t *reader;              /* by slot: the step that reads it (any, when several) */
    cnnfi_fusion fusion;
    stage stage;
    int32_t channels;
    double *scale, *shift, *late_scale, *late_shift; /* channels each */
    bool shifted, scaled, late;
    int32_t input, residual, output; /* slots */
    int32_t n_absorbed;
    int32_t *absorbed; /* steps that the fused one replaces, the last one's place is its own */
} chain;

static const cnnfi_slot *slot_at(const chain *c, int32_t index)
{
    return &c->plan->slots[index];
}

static bool is_constant(const cnnfi_slot *slot, cnnf_dtype dtype)
{
    return slot->value.data && slot->place == CNNFI_PLACE_CONST && slot->value.dtype == dtype &&
           slot->life == CNNFI_LIVE;
}

static bool is_ordinary(const cnnfi_step *step)
{
    return step->kind == CNNFI_STEP_KERNEL && !step->dynamic && step->live_flag < 0 && step->node;
}

static bool is_op(const cnnfi_step *step, const char *op)
{
    return strcmp(step->kernel->op, op) == 0;
}

/* One number per channel, or one for all; NULL when the slot is neither. */
static const float *channel_numbers(const chain *c, int32_t slot, int64_t *step)
{
    const cnnfi_slot *s = slot_at(c, slot);
    const cnnfi_value *v = &s->value;
    if (!is_constant(s, CNNF_FLOAT)) return NULL;
    if (v->rank > slot_at(c, c->output)->value.rank) return NULL;
    *step = v->count == 1 ? 0 : 1;
    bool vector = v->count == c->channels && v->rank > 0 && v->dims[v->rank - 1] == c->channels;
    return v->count == 1 || vector ? v->data : NULL;
}

/* v * scale + shift, either pointer NULL; steps 0 repeat one number. */
static bool apply_affine(chain *c, const float *scale, int64_t scale_step, const float *shift, int64_t shift_step,
                         double sign)
{
    double *to_scale = c->stage == LINEAR ? c->scale : c->late_scale,
           *to_shift = c->stage == LINEAR ? c->shift : c->late_shift;
    if (c->stage > CLAMPED) return false;
    for (int64_t i = 0; i < c->channels; i++) {
        double s = scale ? (double)scale[i * scale_step] : 1.0, t = shift ? sign * (double)shift[i * shift_step] : 0.0;
        to_scale[i] *= s;
        to_shift[i] = to_shift[i] * s + t;
    }
    if (c->stage == LINEAR) {
        c->shifted = c->shifted || shift;
        c->scaled = c->scaled || scale;
    } else {
        c->late = true;
    }
    return true;
}

static bool absorb_bias(chain *c, const cnnfi_step *step)
{
    int64_t spread;
    const char *format = cnnf_node_attr_string(NULL, step->node, "data_format");
    const float *bias = channel_numbers(c, step->inputs[1], &spread);
    if (!bias || step->inputs[0] != c->output || (format && strncmp(format, "NC", 2) == 0)) return false;
    return apply_affine(c, NULL, 0, bias, spread, 1.0);
}

static bool same_dims(const cnnfi_value *a, const cnnfi_value *b)
{
    return a->rank == b->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof(int64_t)) == 0;
}

static bool absorb_residual(chain *c, int32_t other)
{
    const cnnfi_slot *slot = slot_at(c, other);
    if (c->stage > CLAMPED || slot->value.data || !slot->known || slot->life != CNNFI_LIVE) return false;
    if (slot->value.dtype != CNNF_FLOAT || !same_dims(&slot->value, &slot_at(c, c->output)->value)) return false;
    c->residual = other;
    c->fusion.residual = true;
    c->stage = SUMMED;
    return true;
}

static bool absorb_sum(chain *c, const cnnfi_step *step)
{
    int64_t spread;
    int32_t other = step->inputs[step->inputs[0] == c->output];
    if (other == c->output) return false;
    const float *numbers = channel_numbers(c, other, &spread);
    if (numbers) return apply_affine(c, NULL, 0, numbers, spread, 1.0);
    return absorb_residual(c, other);
}

static bool absorb_difference(chain *c, const cnnfi_step *step)
{
    int64_t spread;
    const float *numbers = step->inputs[0] == c->output ? channel_numbers(c, step->inputs[1], &spread) : NULL;
    return numbers && apply_affine(c, NULL, 0, numbers, spread, -1.0);
}

static bool absorb_product(chain *c, const cnnfi_step *step)
{
    int64_t spread;
    const float *numbers = channel_numbers(c, step->inputs[step->inputs[0] == c->output], &spread);
    return numbers && apply_affine(c, numbers, spread, NULL, 0, 1.0);
}

static bool absorb_norm(chain *c, const cnnfi_step *step)
{
    const char *format = cnnf_node_attr_string(NULL, step->node, "data_format");
    const float *numbers[4];
    if (step->inputs[0] != c->output || cnnf_node_attr_bool(step->node, "is_training", 1)) return false;
    if ((format && strncmp(format, "NC", 2) == 0) || c->stage > CLAMPED) return false;
    for (int32_t i = 1; i < step->n_outputs; i++) {
        if (slot_at(c, step->output + i)->uses > 0) return false;
    }
    for (int32_t i = 0; i < 4; i++) {
        int64_t spread;
        numbers[i] = channel_numbers(c, step->inputs[i + 1], &spread);
        if (!numbers[i] || (spread == 0 && c->channels != 1)) return false;
    }
    double epsilon = cnnf_node_attr_float(step->node, "epsilon", 1e-4);
    double *scale = c->stage == LINEAR ? c->scale : c->late_scale,
           *shift = c->stage == LINEAR ? c->shift : c->late_shift;
    for (int64_t i = 0; i < c->channels; i++) {
        double factor = (double)numbers[0][i] / sqrt((double)numbers[3][i] + epsilon);
        scale[i] *= factor;
        shift[i] = (shift[i] - (double)numbers[2][i]) * factor + (double)numbers[1][i];
    }
    if (c->stage == LINEAR)
        c->shifted = c->scaled = true;
    else
        c->late = true;
    return true;
}

static bool absorb_clamp(chain *c, float low, float high)
{
    cnnfi_fusion *f = &c->fusion;
    if (c->stage == DONE) return false;
    if (c->stage == LINEAR) {
        f->clamp_first = true;
        f->low_first = low;
        f->high_first = high;
        c->stage = CLAMPED;
        return true;
    }
    f->clamp_last = true;
    f->low_last = low;
    f->high_last = high;
    c->stage = DONE;
    return true;
}

static bool absorb_relu(chain *c, const cnnfi_step *step)
{
    (void)step;
    return absorb_clamp(c, 0.0f, INFINITY);
}

static bool absorb_relu6(chain *c, const cnnfi_step *step)
{
    (void)step;
    return absorb_clamp(c, 0.0f, 6.0f);
}

static bool is_pair(const cnnf_node *node, const char *key)
{
    static const int64_t want[4] = {1, 2, 2, 1};
    if (cnnf_node_attr_list_count(node, key) != 4) return false;
    for (int64_t i = 0; i < 4; i++) {
        if (cnnf_node_attr_list_int(node, key, i, 0) != want[i]) return false;
    }
    return true;
}

/* 2x2 windows side by side, wholly inside the image. */
static bool absorb_pool(chain *c, const cnnfi_step *step)
{
    const cnnfi_window *w = &c->fusion.w;
    const cnnfi_value *in = &slot_at(c, c->output)->value;
    const char *format = cnnf_node_attr_string(NULL, step->node, "data_format");
    if (c->fusion.depthwise || c->fusion.residual || c->fusion.pool || (format && strcmp(format, "NHWC") != 0))
        return false;
    if (!is_pair(step->node, "ksize") || !is_pair(step->node, "strides") || in->rank != 4) return false;
    bool even = w->out[1] % 2 == 0 && w->out[2] % 2 == 0;
    if (in->dims[1] != w->out[1] || in->dims[2] != w->out[2] || w->out[1] < 2 || w->out[2] < 2) return false;
    if (!even && !cnnfi_node_string_is(step->node, "padding", "VALID")) return false;
    if (cnnfi_node_string_is(step->node, "padding", "EXPLICIT")) return false;
    c->fusion.pool = true;
    return true;
}

static bool absorb_view(chain *c, const cnnfi_step *step)
{
    const cnnfi_value *in = &slot_at(c, c->output)->value, *out = &slot_at(c, step->output)->value;
    if (step->inputs[0] != c->output || out->rank < 1 || in->count != out->count) return false;
    return in->dims[in->rank - 1] == out->dims[out->rank - 1];
}

typedef struct follower {
    const char *op;
    bool (*absorb)(chain *c, const cnnfi_step *step);
} follower;

static const follower followers[] = {
    {"Add", absorb_sum},
    {"AddV2", absorb_sum},
    {"BiasAdd", absorb_bias},
    {"BiasAddV1", absorb_bias},
    {"FusedBatchNorm", absorb_norm},
    {"FusedBatchNormV2", absorb_norm},
    {"FusedBatchNormV3", absorb_norm},
    {"Identity", absorb_view},
    {"MaxPool", absorb_pool},
    {"Mul", absorb_product},
    {"Relu", absorb_relu},
    {"Relu6", absorb_relu6},
    {"Squeeze", absorb_view},
    {"Sub", absorb_difference},
};

static bool absorb(chain *c, const cnnfi_step *step)
{
    for (size_t i = 0; i < sizeof(followers) / sizeof(followers[0]); i++) {
        if (is_op(step, followers[i].op)) return followers[i].absorb(c, step);
    }
    return false;
}

/* Follows the chain as far as it goes. Nothing after a pool. */
static void follow(chain *c)
{
    while (!c->fusion.pool && slot_at(c, c->output)->uses == 1) {
        int32_t index = c->reader[c->output];
        if (index < 0) return;
        const cnnfi_step *step = &c->plan->steps[index];
        if (!is_ordinary(step) || !absorb(c, step)) return;
        c->absorbed[c->n_absorbed++] = index;
        c->output = step->output;
    }
}

/* ---- the beginnings of a chain ---- */

/* Attribute lists as cnnfi_window_* read them, failing silently: infer has passed. */
static bool conv_window(chain *c, const cnnfi_step *step, cnnfi_window *w)
{
    struct cnnf_error unread = {0};
    const cnnfi_value *x = &slot_at(c, step->inputs[0])->value, *f = &slot_at(c, step->inputs[1])->value;
    cnnfi_call call = {.context = c->plan->context, .node = step->node, .error = &unread};
    if (cnnfi_window_data(&call, w, 2, x->rank, x->dims) != CNNF_OK || w->channels_first) return false;
    w->filter[1] = f->dims[0];
    w->filter[2] = f->dims[1];
    if (cnnfi_window_strides(&call, w, true) != CNNF_OK || cnnfi_window_padding(&call, w) != CNNF_OK) return false;
    w->out_channels = f->dims[3];
    return true;
}

static int32_t producer_of(const chain *c, int32_t slot)
{
    const cnnfi_slot *s = slot_at(c, slot);
    return s->root == slot ? s->producer : -1;
}

/* A Pad of zeros around the image that only this convolution reads becomes its padding. */
static void absorb_pad(chain *c)
{
    int32_t index = producer_of(c, c->input);
    if (index < 0 || slot_at(c, c->input)->uses != 1) return;
    const cnnfi_step *pad = &c->plan->steps[index];
    if (!is_ordinary(pad) || !is_op(pad, "Pad")) return;
    const cnnfi_slot *sizes = slot_at(c, pad->inputs[1]);
    if (!is_constant(sizes, CNNF_INT32) || sizes->value.count != 8) return;
    const int32_t *p = sizes->value.data;
    if (p[0] || p[1] || p[6] || p[7]) return;
    cnnfi_window *w = &c->fusion.w;
    for (int i = 1; i < 3; i++) {
        w->in[i] -= p[2 * i] + p[2 * i + 1];
        w->before[i] += p[2 * i];
    }
    c->absorbed[c->n_absorbed++] = index;
    c->input = pad->inputs[0];
}

static bool begin_conv(chain *c, const cnnfi_step *step)
{
    const cnnfi_value *f = &slot_at(c, step->inputs[1])->value;
    cnnfi_window *w = &c->fusion.w;
    if (!conv_window(c, step, w) || f->dims[2] != w->in_channels) return false; /* groups */
    absorb_pad(c);
    return true;
}

static bool begin_depthwise(chain *c, const cnnfi_step *step)
{
    cnnfi_window *w = &c->fusion.w;
    c->fusion.depthwise = true;
    if (!conv_window(c, step, w) || w->out_channels != 1) return false; /* multiplier */
    w->out_channels = w->in_channels;
    absorb_pad(c);
    return true;
}

static bool begin_product(chain *c, const cnnfi_step *step)
{
    const cnnfi_value *x = &slot_at(c, step->inputs[0])->value, *f = &slot_at(c, step->inputs[1])->value;
    bool matmul = is_op(step, "MatMul");
    if (f->rank != 2 || cnnf_node_attr_bool(step->node, matmul ? "transpose_a" : "adj_x", 0)) return false;
    cnnfi_window *w = &c->fusion.w;
    *w = (cnnfi_window){.spatial = 2, .batch = 1, .in_channels = x->dims[x->rank - 1]};
    for (int i = 0; i < 3; i++)
        w->in[i] = w->out[i] = w->filter[i] = w->stride[i] = w->dilation[i] = 1;
    if (w->in_channels == 0) return false;
    w->in[2] = w->out[2] = x->count / w->in_channels;
    w->out_channels = slot_at(c, step->output)->value.dims[x->rank - 1];
    return true;
}

/* Batch normalization on its own: one multiplication and addition per channel. */
static bool begin_norm(chain *c, const cnnfi_step *step)
{
    const cnnfi_value *x = &slot_at(c, step->inputs[0])->value;
    if (x->rank != 4) return false;
    c->fusion.depthwise = true;
    c->fusion.w =
        (cnnfi_window){.spatial = 2, .batch = x->dims[0], .in_channels = x->dims[3], .out_channels = x->dims[3]};
    cnnfi_window *w = &c->fusion.w;
    for (int i = 0; i < 3; i++) {
        w->filter[i] = w->stride[i] = w->dilation[i] = 1;
        w->in[i] = w->out[i] = i == 0 ? 1 : x->dims[i];
    }
    return true;
}

typedef struct beginning {
    const char *op;
    bool (*begin)(chain *c, const cnnfi_step *step);
    bool norm;
} beginning;

static const beginning beginnings[] = {
    {"BatchMatMulV2", begin_product, false}, {"BatchMatMulV3", begin_product, false},
    {"Conv2D", begin_conv, false},           {"DepthwiseConv2dNative", begin_depthwise, false},
    {"FusedBatchNorm", begin_norm, true},    {"FusedBatchNormV2", begin_norm, true},
    {"FusedBatchNormV3", begin_norm, true},  {"MatMul", begin_product, false},
};

static const beginning *find_beginning(const chain *c, const cnnfi_step *step)
{
    if (!is_ordinary(step) || step->n_inputs < 2) return NULL;
    const cnnfi_slot *x = slot_at(c, step->inputs[0]), *f = slot_at(c, step->inputs[1]);
    if (!x->known || x->value.dtype != CNNF_FLOAT || !is_constant(f, CNNF_FLOAT) || f->value.count == 0) return NULL;
    if (x->value.count == 0 || slot_at(c, step->output)->value.count == 0) return NULL;
    for (size_t i = 0; i < sizeof(beginnings) / sizeof(beginnings[0]); i++) {
        if (is_op(step, beginnings[i].op)) return &beginnings[i];
    }
    return NULL;
}

/* ---- building the fused step ---- */

/* Room for what the chain gathers; the numbers start as "leave it as it is". */
static bool chain_numbers(chain *c)
{
    cnnf_context *context = c->plan->context;
    c->channels = (int32_t)c->fusion.w.out_channels;
    c->scale = cnnfi_array(context, (size_t)c->channels * 4, sizeof(double));
    if (!c->scale) return false;
    c->shift = c->scale + c->channels;
    c->late_scale = c->shift + c->channels;
    c->late_shift = c->late_scale + c->channels;
    for (int64_t i = 0; i < c->channels; i++) {
        c->scale[i] = c->late_scale[i] = 1.0;
        c->shift[i] = c->late_shift[i] = 0.0;
    }
    return true;
}

/* The filter with its channels scaled, as [sum index][channel]; transposed: it lies the other way round. */
static float *scaled_filter(const chain *c, const float *filter, bool transposed)
{
    const cnnfi_window *w = &c->fusion.w;
    const int64_t depth = w->filter[1] * w->filter[2] * (c->fusion.depthwise ? 1 : w->in_channels), n = c->channels;
    float *out = cnnfi_array(c->plan->context, (size_t)depth * (size_t)n, sizeof(float));
    for (int64_t k = 0; out && k < depth; k++) {
        for (int64_t i = 0; i < n; i++) {
            float v = !filter ? 1.0f : transposed ? filter[i * depth + k] : filter[k * n + i];
            out[k * n + i] = c->scaled ? (float)((double)v * c->scale[i]) : v;
        }
    }
    return out;
}

static float *to_floats(const chain *c, const double *from)
{
    float *out = cnnfi_array(c->plan->context, (size_t)c->channels, sizeof(float));
    for (int64_t i = 0; out && i < c->channels; i++)
        out[i] = (float)from[i];
    return out;
}

static cnnf_status ask_backend(chain *c, const cnnfi_step *root, const beginning *b, cnnfi_fused **fused)
{
    cnnf_context *context = c->plan->context;
    cnnfi_fusion *f = &c->fusion;
    bool matmul = is_op(root, "MatMul");
    bool transposed = b->begin == begin_product && cnnf_node_attr_bool(root->node, matmul ? "transpose_b" : "adj_y", 0);
    f->filter = scaled_filter(c, b->norm ? NULL : slot_at(c, root->inputs[1])->value.data, transposed);
    f->bias = to_floats(c, c->shift);
    f->scale = to_floats(c, c->late_scale);
    f->shift = to_floats(c, c->late_shift);
    f->has_bias = c->shifted;
    f->has_scale = c->late;
    bool ready = f->filter && f->bias && f->scale && f->shift;
    cnnf_status status = ready ? c->first(fused, context, f, c->error) : cnnfi_fail_nomem(c->error);
    if (status == CNNF_OK && !*fused && c->second) status = c->second(fused, context, f, c->error);
    cnnfi_free(context, f->filter);
    cnnfi_free(context, f->bias);
    cnnfi_free(context, f->scale);
    cnnfi_free(context, f->shift);
    return status;
}

/* Puts the fused step where the last absorbed one was; the others are struck out. */
static cnnf_status replace(chain *c, cnnfi_fused *fused, const cnnf_node *node)
{
    cnnfi_plan *plan = c->plan;
    int32_t place = c->absorbed[0];
    for (int32_t i = 0; i < c->n_absorbed; i++) {
        if (c->absorbed[i] > place) place = c->absorbed[i];
    }
    CNNFI_TRY(cnnfi_plan_own(plan, fused, c->error));
    int32_t *inputs = cnnfi_arena_array(&plan->memory, 2, sizeof(int32_t));
    if (!inputs) return cnnfi_fail_nomem(c->error);
    for (int32_t i = 0; i < c->n_absorbed; i++) {
        cnnfi_step *step = &plan->steps[c->absorbed[i]];
        for (int32_t k = 0; k < step->n_outputs; k++)
            plan->slots[step->output + k].place = CNNFI_PLACE_NONE;
        step->node = NULL;
    }
    inputs[0] = c->input;
    inputs[1] = c->residual;
    fused->n_nodes = c->n_absorbed;
    plan->steps[place] = (cnnfi_step){.kind = CNNFI_STEP_FUSED,
                                      .node = node,
                                      .fused = fused,
                                      .n_inputs = c->fusion.residual ? 2 : 1,
                                      .n_outputs = 1,
                                      .max_outputs = 1,
                                      .inputs = inputs,
                                      .output = c->output,
                                      .live_flag = -1,
                                      .scratch_size = c->fusion.scratch_size};
    plan->slots[c->output].place = CNNFI_PLACE_ARENA;
    plan->slots[c->output].root = c->output;
    return CNNF_OK;
}

static cnnf_status try_chain(chain *c, int32_t index, const beginning *b)
{
    const cnnfi_step root = c->plan->steps[index];
    cnnfi_fused *fused = NULL;
    c->fusion = (cnnfi_fusion){
        .threads = c->fusion.threads, .strict = c->fusion.strict, .exact = c->fusion.exact, .isa = c->fusion.isa};
    c->stage = LINEAR;
    c->scaled = c->shifted = c->late = false;
    c->n_absorbed = 0;
    c->input = b->norm ? -1 : root.inputs[0];
    c->output = root.output;
    if (!b->begin(c, &root)) return CNNF_OK;
    if (!chain_numbers(c)) return cnnfi_fail_nomem(c->error);
    if (b->norm) {
        c->output = c->input = root.inputs[0];
        if (!absorb_norm(c, &root)) goto done;
        c->output = root.output;
    }
    c->absorbed[c->n_absorbed++] = index;
    follow(c);
    cnnf_status status = ask_backend(c, &root, b, &fused);
    if (status == CNNF_OK && fused) status = replace(c, fused, root.node);
    cnnfi_free(c->plan->context, c->scale);
    return status;
done:
    cnnfi_free(c->plan->context, c->scale);
    return CNNF_OK;
}

/* A view of a slot whose root became another: views of a fused chain's output keep it as their root. */
static void find_roots(cnnfi_plan *plan)
{
    for (int32_t i = 0; i < plan->n_steps; i++) {
        const cnnfi_step *step = &plan->steps[i];
        for (int32_t k = 0; k < step->n_outputs; k++) {
            cnnfi_slot *slot = &plan->slots[step->output + k];
            if (slot->place != CNNFI_PLACE_VIEW || step->n_inputs == 0) continue;
            slot->root = plan->slots[step->inputs[step->kind == CNNFI_STEP_PASS ? k : 0]].root;
        }
    }
}

/* Joins a step with the next one, if that is the only reader of its output. */
static cnnf_status try_pair(cnnfi_plan *plan, int32_t index, int32_t threads, cnnf_error *error)
{
    cnnfi_step *first = &plan->steps[index], *second = first + 1;
    cnnfi_fused *fused = NULL;
    size_t scratch = 0;
    if (first->kind != CNNFI_STEP_FUSED || second->kind != CNNFI_STEP_FUSED || first->n_inputs != 1 || !first->node)
        return CNNF_OK;
    if (second->inputs[0] != first->output || plan->slots[first->output].uses != 1) return CNNF_OK;
    CNNFI_TRY(cnnfi_pair_portable(&fused, plan->context, first->fused, second->fused, threads, &scratch, error));
    if (!fused) return CNNF_OK;
    CNNFI_TRY(cnnfi_plan_own(plan, fused, error));
    second->fused = fused;
    second->inputs[0] = first->inputs[0];
    second->scratch_size = scratch;
    plan->slots[first->output].place = CNNFI_PLACE_NONE;
    first->node = NULL;
    return CNNF_OK;
}

/* "auto" is the portable vector code: Winograd, fused pools and threads inside an op put it ahead of oneDNN 2.6. */
static void choose_backends(chain *c, const char *backend)
{
    c->first = cnnfi_fusion_portable;
#if CNNFI_ONEDNN
    if (strcmp(backend, "onednn") == 0) {
        c->first = cnnfi_fusion_onednn;
        c->second = cnnfi_fusion_portable;
    }
#else
    (void)backend;
#endif
}

/* A graph of numbers on a grid: its products and sums are exact, and what comes out is to be the real tool's bit for
   bit. Winograd's transforms would leave the grid. */
static bool is_on_grid(const cnnfi_plan *plan)
{
    for (int32_t i = 0; i < plan->n_steps; i++) {
        const cnnfi_step *step = &plan->steps[i];
        if (is_ordinary(step) && (is_op(step, "FixNeuron") || is_op(step, "_CalibrateFixNeuron"))) return true;
    }
    return false;
}

cnnf_status cnnfi_plan_fuse(cnnfi_plan *plan, const cnnfi_fuse_options *options, cnnf_error *error)
{
    cnnf_context *context = plan->context;
    cnnf_status status = CNNF_OK;
    int32_t *reader = cnnfi_array(context, (size_t)plan->n_slots + 1, sizeof(int32_t));
    chain c = {.plan = plan,
               .error = error,
               .reader = reader,
               .fusion = {.threads = options->threads, .strict = options->strict, .isa = options->isa},
               .absorbed = cnnfi_array(context, (size_t)plan->n_steps + 1, sizeof(int32_t))};
    choose_backends(&c, options->backend);
    c.fusion.exact = is_on_grid(plan);
    if (c.fusion.exact) {
        c.first = cnnfi_fusion_portable;
        c.second = NULL;
    }
    if (!reader || !c.absorbed) {
        status = cnnfi_fail_nomem(error);
        goto done;
    }
    memset(reader, -1, ((size_t)plan->n_slots + 1) * sizeof(int32_t));
    for (int32_t i = 0; i < plan->n_steps; i++) {
        for (int32_t k = 0; k < plan->steps[i].n_inputs; k++)
            reader[plan->steps[i].inputs[k]] = i;
    }
    for (int32_t i = 0; i < plan->n_steps && status == CNNF_OK; i++) {
        const beginning *b = find_beginning(&c, &plan->steps[i]);
        if (b) status = try_chain(&c, i, b);
    }
    cnnfi_plan_compact(plan);
    for (int32_t i = 0; i + 1 < plan->n_steps && status == CNNF_OK; i++)
        status = try_pair(plan, i, options->threads, error);
    cnnfi_plan_compact(plan);
    find_roots(plan);
done:
    cnnfi_free(context, reader);
    cnnfi_free(context, c.absorbed);
    return status;
}
