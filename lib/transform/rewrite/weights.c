/* SPDX-License-Identifier: Apache-2.0 */
/* round_weights and quantize_weights: both lose information, as their namesakes of the Graph Transform Tool do. */
#include <math.h>
#include <string.h>

#include "base/context.h"
#include "graph/tensor.h"
#include "transform/framework/pass_edit.h"

/* The float constants with more than `least` elements. */
static bool is_weight(const cnnf_node *node, int64_t least)
{
    const cnnf_tensor *value = strcmp(node->op, "Const") ? NULL : cnnf_node_attr_tensor(node, "value");
    return value && cnnf_tensor_dtype(value) == CNNF_FLOAT && cnnf_tensor_element_count(value) > least;
}

/* A tensor of another type and the same shape, to be filled. */
static cnnf_tensor *like(cnnfi_builder *b, const cnnf_tensor *value, cnnf_dtype dtype)
{
    cnnf_tensor *out = NULL;
    const cnnf_status status =
        cnnf_tensor_new(&out, b->graph->context, dtype, cnnf_tensor_rank(value), cnnfi_tensor_dims(value), b->error);
    if (status) b->status = status;
    return out;
}

/* Range of the finite elements; false when there are none, or the file failed. */
static bool load_range(cnnfi_builder *b, const cnnf_tensor *value, cnnf_tensor **loaded, float *low, float *high)
{
    const cnnf_status status = cnnf_tensor_load(loaded, value, b->error);
    if (status) {
        b->status = status;
        return false;
    }
    const float *data = cnnf_tensor_data(*loaded);
    *low = INFINITY;
    *high = -INFINITY;
    for (int64_t i = 0; i < cnnf_tensor_element_count(value); i++) {
        if (!isfinite(data[i])) return false;
        if (data[i] < *low) *low = data[i];
        if (data[i] > *high) *high = data[i];
    }
    return *low <= *high;
}

/* ---- round_weights ---- */

/* The nearest of num_steps levels from the smallest to the largest element. */
static cnnf_tensor *rounded(cnnfi_builder *b, const cnnf_tensor *value, int64_t steps)
{
    float low, high;
    cnnf_tensor *loaded = NULL, *out = NULL;
    if (load_range(b, value, &loaded, &low, &high) && high > low) out = like(b, value, CNNF_FLOAT);
    const float *from = cnnf_tensor_data(loaded);
    float *to = out ? cnnf_tensor_data_mut(out) : NULL;
    /* In double, so that the ends are hit exactly and a second run finds the same levels. */
    const double width = out ? ((double)high - (double)low) / (double)(steps - 1) : 1;
    for (int64_t i = 0; to && i < cnnf_tensor_element_count(value); i++) {
        const double level = nearbyint(((double)from[i] - (double)low) / width);
        to[i] = (float)((double)low + level * width);
    }
    const size_t size = out ? cnnf_tensor_byte_size(out) : 0;
    const bool same = out && memcmp(cnnf_tensor_data(out), from, size) == 0;
    cnnf_tensor_unref(loaded);
    if (!same) return out;
    cnnf_tensor_unref(out);
    return NULL;
}

static cnnf_status run_round(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    const int64_t steps = cnnfi_run_int(run, "num_steps", 256);
    if (steps < 2 || steps > 1 << 16) return cnnfi_fail(run->error, CNNF_E_INVALID, "num_steps must be 2 .. 65536");
    cnnfi_edit edit;
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, run, in));
    for (size_t i = 0; !edit.b->status && i < edit.originals; i++) {
        cnnf_node *node = edit.b->graph->nodes[i];
        if (!is_weight(node, 15)) continue;
        cnnf_tensor *value = rounded(edit.b, cnnf_node_attr_tensor(node, "value"), steps);
        if (!value) continue;
        cnnfi_node_set_tensor(edit.b, node, "value", value);
        cnnf_tensor_unref(value);
        edit.changes++;
    }
    cnnfi_run_count(run, "rounded", (int64_t)edit.changes);
    return cnnfi_pass_end_edit(&edit, run, in, out);
}

static const cnnfi_pass_param round_params[] = {
    {"num_steps", CNNFI_ARG_INT, false, false, "levels between the smallest and the largest element; default 256"},
};

const cnnfi_pass cnnfi_pass_round_weights = {
    .name = "round_weights",
    .description = "Rounds the elements of float constants to evenly spaced levels, so that files compress better.",
    .params = round_params,
    .n_params = sizeof round_params / sizeof *round_params,
    .run = run_round,
};

/* ---- quantize_weights ---- */

/* Dequantize's MIN_FIRST, 8 bits: value = low + q * (high - low) / 255, with a zero that is exactly one level. */
static void nudge_range(float *low, float *high)
{
    if (*low > 0) *low = 0;
    if (*high < 0) *high = 0;
    if (*high - *low < 1e-6f) *high = *low + 1e-6f;
}

/* The levels of `value`, [its shape]; NULL when it has no finite range. */
static cnnf_tensor *levels_of(cnnfi_builder *b, const cnnf_tensor *value, float *low, float *high)
{
    cnnf_tensor *loaded = NULL, *bytes = NULL;
    if (load_range(b, value, &loaded, low, high)) bytes = like(b, value, CNNF_QUINT8);
    if (bytes) {
        nudge_range(low, high);
        const float *data = cnnf_tensor_data(loaded);
        uint8_t *to = cnnf_tensor_data_mut(bytes);
        const double scale = 255.0 / ((double)*high - (double)*low);
        for (int64_t i = 0; i < cnnf_tensor_element_count(value); i++) {
            const double level = nearbyint(((double)data[i] - (double)*low) * scale);
            to[i] = (uint8_t)(level < 0 ? 0 : level > 255 ? 255 : level);
        }
    }
    cnnf_tensor_unref(loaded);
    return bytes;
}

static cnnf_tensor *scalar(cnnfi_builder *b, float value)
{
    cnnf_tensor *out = NULL;
    if (!b->status) b->status = cnnfi_tensor_copy(&out, b->graph->context, CNNF_FLOAT, 0, NULL, &value, b->error);
    return out;
}

static void quantize(cnnfi_edit *edit, cnnf_node *node)
{
    static const char *const names[] = {"const", "min", "max"};
    cnnfi_builder *b = edit->b;
    float low = 0, high = 0;
    cnnf_tensor *levels = levels_of(b, cnnf_node_attr_tensor(node, "value"), &low, &high);
    if (!levels) return;
    cnnf_tensor *const parts[] = {levels, scalar(b, low), scalar(b, high)};
    cnnfi_edit_set_op(edit, node, "Dequantize");
    node->n_attrs = 0;
    for (size_t k = 0; k < 3; k++) {
        cnnf_node *part = cnnfi_edit_const(edit, parts[k], "%s_quantized_%s", node->name, names[k]);
        cnnfi_edit_place_before(edit, part, NULL);
        cnnfi_edit_add_input(edit, node, cnnfi_end(part, 0));
        cnnf_tensor_unref(parts[k]);
    }
    cnnfi_node_set_type(b, node, "T", CNNF_QUINT8);
    cnnfi_node_set_string(b, node, "mode", "MIN_FIRST");
    edit->changes++;
}

static cnnf_status run_quantize(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    const int64_t minimum = cnnfi_run_int(run, "minimum_size", 1024);
    cnnfi_edit edit;
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, run, in));
    for (size_t i = 0; !edit.b->status && i < edit.originals; i++) {
        cnnf_node *node = edit.b->graph->nodes[i];
        if (is_weight(node, minimum - 1) && !node->n_inputs) quantize(&edit, node);
    }
    cnnfi_run_count(run, "quantized", (int64_t)edit.changes);
    return cnnfi_pass_end_edit(&edit, run, in, out);
}

static const cnnfi_pass_param quantize_params[] = {
    {"minimum_size", CNNFI_ARG_INT, false, false, "constants with fewer elements stay; default 1024"},
};

const cnnfi_pass cnnfi_pass_quantize_weights = {
    .name = "quantize_weights",
    .description = "Stores float constants in 8 bits, with a Dequantize node under the old name.",
    .params = quantize_params,
    .n_params = sizeof quantize_params / sizeof *quantize_params,
    .run = run_quantize,
};
