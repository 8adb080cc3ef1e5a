/* SPDX-License-Identifier: Apache-2.0 */
/* The float graph as the quantizer sees it: constants folded, cut to size, norms and pools as the DPU has them. */
#include <math.h>
#include <string.h>

#include <cnnfreeze/transform.h>

#include "base/context.h"
#include "base/error.h"
#include "edit/constants.h"
#include "graph/tensor.h"
#include "transform/quantize/vitis.h"

/* ---- what passes do already ---- */

#define PASSES "fold_constants(ignore_errors=true) strip_unused_nodes remove_nodes(op=Identity, op=IdentityN)"

cnnf_status cnnfi_quantize_run_passes(cnnf_graph **out, const cnnf_graph *graph, const cnnfi_quantize_options *options,
                                      const char *passes, cnnf_error *error)
{
    cnnf_pipeline *pipeline = NULL;
    cnnf_status status = cnnf_pipeline_new(&pipeline, graph->context, error);
    if (!status) status = cnnf_pipeline_add(pipeline, passes, error);
    for (size_t i = 0; !status && i < options->n_inputs; i++)
        status = cnnf_pipeline_add_input(pipeline, options->inputs[i], error);
    for (size_t i = 0; !status && i < options->n_outputs; i++)
        status = cnnf_pipeline_add_output(pipeline, options->outputs[i], error);
    if (!status) status = cnnf_pipeline_run(out, pipeline, graph, error);
    cnnf_pipeline_free(pipeline);
    return status;
}

/* ---- small rewrites ---- */

/* A kernel that several products read would be scaled for all of them. */
static void own_weights(cnnfi_vitis *v, cnnf_node *node)
{
    const cnnf_node *weights =
        cnnfi_vitis_is(node, CNNFI_VITIS_CONVFC "|Conv2DBackpropInput") ? cnnfi_vitis_const(v, node, 1) : NULL;
    if (!weights || cnnfi_edit_user_count(v->edit, weights, CNNFI_PORT_ANY) < 2) return;
    const char *name = cnnfi_edit_unique(v->edit, "%s/%s", node->name, "weights");
    const cnnf_node *copy = name ? cnnfi_edit_copy(v->edit, weights, name) : NULL;
    cnnfi_edit_set_input(v->edit, node, 1, cnnfi_end(copy, 0));
}

static bool scalar_of(const cnnfi_vitis *v, const cnnf_node *node, size_t input, double *value)
{
    const cnnf_node *from = cnnfi_vitis_const(v, node, input);
    const cnnf_tensor *tensor = from ? cnnf_node_attr_tensor(from, "value") : NULL;
    return tensor && cnnf_tensor_element_count(tensor) == 1 && cnnfi_tensor_get_f64(tensor, 0, value);
}

/* Minimum(Relu(x), c) is Relu6 to the tool, whatever c is. */
static void bound_relu(cnnfi_vitis *v, cnnf_node *node)
{
    double bound = 0;
    cnnfi_edit *edit = v->edit;
    if (strcmp(node->op, "Minimum")) return;
    cnnf_node *relu = cnnfi_vitis_input(v, node, 0);
    if (!cnnfi_vitis_is(relu, "Relu") || !cnnfi_vitis_is_private(v, relu) || !cnnfi_vitis_const(v, node, 1)) return;
    const bool six = scalar_of(v, node, 1, &bound) && bound == 6.0;
    const cnnfi_edge x = cnnfi_edit_input(relu, 0);
    if (six || v->options->as_vai_q) {
        cnnfi_edit_reset(edit, node, "Relu6");
        cnnfi_edit_add_input(edit, node, x);
        cnnfi_node_set_type(edit->b, node, "T", CNNF_FLOAT);
        cnnfi_edit_remove(edit, relu);
        if (!six)
            cnnfi_quantize_say(v->notes, node->name, "Minimum(Relu(x), c) with c != 6 becomes Relu6, as in the tool");
        return;
    }
    /* The order that the tool has a pattern for: Maximum(Minimum(x, c), 0). */
    const float zero = 0.0f;
    const cnnfi_edge c = cnnfi_edit_input(node, 1);
    cnnf_tensor *none = NULL;
    if (!edit->b->status)
        edit->b->status = cnnfi_tensor_copy(&none, edit->b->graph->context, CNNF_FLOAT, 0, NULL, &zero, edit->b->error);
    const cnnf_node *constant = cnnfi_edit_const(edit, none, "%s/zero", node->name);
    cnnf_tensor_unref(none);
    cnnfi_edit_reset(edit, relu, "Minimum");
    cnnfi_edit_add_input(edit, relu, x);
    cnnfi_edit_add_input(edit, relu, c);
    cnnfi_node_set_type(edit->b, relu, "T", CNNF_FLOAT);
    cnnfi_edit_reset(edit, node, "Maximum");
    cnnfi_edit_add_input(edit, node, cnnfi_end(relu, 0));
    cnnfi_edit_add_input(edit, node, cnnfi_end(constant, 0));
    cnnfi_node_set_type(edit->b, node, "T", CNNF_FLOAT);
    cnnfi_quantize_say(v->notes, node->name,
                       "Minimum(Relu(x), c) is kept as Maximum(Minimum(x, c), 0); the tool would make it Relu6");
}

/* ---- batch normalization: X becomes BiasAdd(Mul(x, X/scale), X/offset) ---- */

static bool load_norm(cnnfi_vitis *v, const cnnf_node *node, cnnfi_vitis_floats parts[4])
{
    for (size_t i = 0; i < 4; i++) {
        parts[i] = cnnfi_vitis_load(v, node, i + 1);
        if (!parts[i].data || parts[i].count != parts[0].count) return false;
    }
    return true;
}

static void replace_norm(cnnfi_vitis *v, cnnf_node *node, const float *scale, const float *offset, int64_t count)
{
    cnnfi_edit *edit = v->edit;
    char format[16] = "NHWC";
    const char *given = cnnf_node_attr_string(NULL, node, "data_format");
    if (given && strlen(given) < sizeof format) strcpy(format, given);
    const cnnfi_edge x = cnnfi_edit_input(node, 0);
    const cnnf_node *s = cnnfi_vitis_vector(v, scale, count, "%s/scale", node->name);
    const cnnf_node *o = cnnfi_vitis_vector(v, offset, count, "%s/offset", node->name);
    const char *name = cnnfi_edit_unique(edit, "%s/mul", node->name);
    cnnf_node *mul = name ? cnnfi_edit_add(edit, "Mul", name) : NULL;
    if (!s || !o || !mul) return;
    cnnfi_edit_add_input(edit, mul, x);
    cnnfi_edit_add_input(edit, mul, cnnfi_end(s, 0));
    cnnfi_node_set_type(edit->b, mul, "T", CNNF_FLOAT);
    cnnfi_edit_reset(edit, node, "BiasAdd");
    cnnfi_edit_add_input(edit, node, cnnfi_end(mul, 0));
    cnnfi_edit_add_input(edit, node, cnnfi_end(o, 0));
    cnnfi_node_set_type(edit->b, node, "T", CNNF_FLOAT);
    cnnfi_node_set_string(edit->b, node, "data_format", format);
}

static bool only_first_output_is_read(const cnnfi_vitis *v, const cnnf_node *node)
{
    return cnnfi_edit_user_count(v->edit, node, 0) == cnnfi_edit_user_count(v->edit, node, CNNFI_PORT_ANY);
}

static void split_norm(cnnfi_vitis *v, cnnf_node *node)
{
    cnnfi_vitis_floats p[4] = {{0}}; /* gamma, beta, mean, variance */
    if (!cnnfi_vitis_is(node, "FusedBatchNorm|FusedBatchNormV2|FusedBatchNormV3")) return;
    if (cnnf_node_attr_bool(node, "is_training", 1) || !only_first_output_is_read(v, node)) return;
    const float epsilon = (float)cnnf_node_attr_float(node, "epsilon", 1e-4);
    if (load_norm(v, node, p)) {
        float *scale = p[0].data, *offset = p[1].data;
        for (int64_t i = 0; i < p[0].count; i++) {
            scale[i] = 1.0f / sqrtf(p[3].data[i] + epsilon) * scale[i];
            offset[i] = -p[2].data[i] * scale[i] + offset[i];
        }
        replace_norm(v, node, scale, offset, p[0].count);
    }
    for (size_t i = 0; i < 4; i++)
        cnnfi_vitis_drop(&p[i]);
}

/* ---- all of it ---- */

static void each_node(cnnfi_vitis *v, void (*change)(cnnfi_vitis *v, cnnf_node *node))
{
    for (int32_t i = 0; (size_t)i < v->edit->count && !v->edit->b->status; i++) {
        cnnf_node *node = cnnfi_edit_node(v->edit, i);
        if (node) change(v, node);
    }
}

static cnnf_status rewrite(cnnf_graph **out, const cnnf_graph *graph, const cnnfi_quantize_options *options,
                           cnnfi_quantize_notes *notes, cnnf_error *error)
{
    cnnfi_edit edit;
    cnnfi_vitis v;
    CNNFI_TRY(cnnfi_vitis_begin(&v, &edit, graph, options, notes, error));
    each_node(&v, own_weights);
    each_node(&v, bound_relu);
    each_node(&v, split_norm);
    cnnfi_vitis_fold_norms(&v);
    if (options->do_cle) cnnfi_vitis_equalize(&v);
    if (options->simulate_dpu) cnnfi_vitis_simulate(&v);
    cnnfi_edit_sweep(&edit);
    return cnnfi_vitis_end(&v, out, error);
}

cnnf_status cnnfi_quantize_prepare(cnnf_graph **out, const cnnf_graph *graph, const cnnfi_quantize_options *options,
                                   cnnfi_quantize_notes *notes, cnnf_error *error)
{
    cnnf_graph *cut = NULL;
    *out = NULL;
    cnnf_status status = cnnfi_quantize_run_passes(&cut, graph, options, PASSES, error);
    if (!status) status = rewrite(out, cut, options, notes, error);
    cnnf_graph_unref(cut);
    return status;
}
