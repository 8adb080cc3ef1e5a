/* SPDX-License-Identifier: Apache-2.0 */
/* fit_tflite: what TFLite's built-in kernels lack, in forms they have; each computes what was there. */
#include "graph/tensor.h"
#include "transform/rewrite/forms.h"

static const cnnfi_edge none = {-1, 0};

/* x / (|x| + 1), as TensorFlow computes it. */
static void fit_softsign(cnnfi_forms *f, cnnf_node *node)
{
    if (cnnfi_node_type(node, "T") != CNNF_FLOAT) return;
    const cnnfi_edge x = cnnfi_edit_input(node, 0);
    const cnnf_node *size = cnnfi_forms_add(f, node, "abs", "Abs", x, none);
    const cnnf_node *one = size ? cnnfi_forms_fill(f, node, "one", 0, 1) : NULL;
    const cnnf_node *sum = one ? cnnfi_forms_add(f, node, "add", "Add", cnnfi_end(size, 0), cnnfi_end(one, 0)) : NULL;
    if (sum) cnnfi_forms_become(f, node, "RealDiv", x, cnnfi_end(sum, 0));
}

/* V3 is V2 with one more output. */
static void fit_norm(cnnfi_forms *f, cnnf_node *node)
{
    cnnfi_edit_set_op(&f->edit, node, "FusedBatchNormV3");
    f->edit.changes++;
}

/* SAME whose padding would be negative along an axis, which XNNPACK gets wrong: VALID, behind a Pad for the other. */
static void fit_same(cnnfi_forms *f, cnnf_node *node)
{
    const cnnfi_value x = cnnfi_shape_of_input(&f->values.shapes, node, 0),
                      w = cnnfi_shape_of_input(&f->values.shapes, node, 1);
    int32_t pads[8] = {0};
    bool leaps = false, padded = false;
    if (!cnnfi_node_string_is(node, "padding", "SAME") || cnnfi_node_string_is(node, "data_format", "NCHW")) return;
    if (x.rank != 4 || w.rank != 4 || cnnfi_node_type(node, "T") != CNNF_FLOAT) return;
    for (int32_t i = 0; i < 2; i++) {
        const int64_t stride = cnnf_node_attr_list_int(node, "strides", i + 1, 1), size = x.dims[i + 1];
        const int64_t reach = (w.dims[i] - 1) * cnnf_node_attr_list_int(node, "dilations", i + 1, 1) + 1;
        if (size <= 0 || reach <= 0 || stride < 1 || size > INT32_MAX - stride || reach > INT32_MAX / 2) return;
        const int64_t total = ((size + stride - 1) / stride - 1) * stride + reach - size;
        leaps |= total < 0;
        padded |= total > 0;
        if (total > 0) pads[2 * i + 2] = (int32_t)(total / 2);
        if (total > 0) pads[2 * i + 3] = (int32_t)(total - total / 2);
    }
    if (!leaps) return;
    if (padded) {
        const int64_t dims[] = {4, 2};
        cnnf_tensor *tensor = NULL;
        cnnfi_builder *b = f->edit.b;
        if (!b->status) b->status = cnnfi_tensor_copy(&tensor, b->graph->context, CNNF_INT32, 2, dims, pads, b->error);
        const cnnf_node *paddings = cnnfi_edit_const(&f->edit, tensor, "%s/paddings", node->name);
        cnnf_tensor_unref(tensor);
        cnnf_node *pad =
            paddings ? cnnfi_forms_add(f, node, "pad", "Pad", cnnfi_edit_input(node, 0), cnnfi_end(paddings, 0)) : NULL;
        if (!pad) return;
        cnnfi_node_set_type(b, pad, "Tpaddings", CNNF_INT32);
        cnnfi_edit_set_input(&f->edit, node, 0, cnnfi_end(pad, 0));
    }
    cnnfi_node_set_string(f->edit.b, node, "padding", "VALID");
    cnnfi_edit_touch(&f->edit, node);
    f->edit.changes++;
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    cnnfi_forms f = {.run = run};
    CNNFI_TRY(cnnfi_pass_begin_edit(&f.edit, run, in));
    cnnfi_values_init(&f.values, &f.edit, false);
    for (size_t i = 0; i < f.edit.originals && !f.edit.b->status; i++) {
        cnnf_node *node = f.edit.b->graph->nodes[i];
        if (cnnfi_forms_is(node, "Conv2D") || cnnfi_forms_is(node, "DepthwiseConv2dNative")) fit_same(&f, node);
        if (cnnfi_forms_is(node, "Softsign")) fit_softsign(&f, node);
        if (cnnfi_forms_is(node, "FusedBatchNormV2")) fit_norm(&f, node);
    }
    cnnfi_run_count(run, "changed", (int64_t)f.edit.changes);
    return cnnfi_pass_end_edit(&f.edit, run, in, out);
}

const cnnfi_pass cnnfi_pass_fit_tflite = {
    .name = "fit_tflite",
    .description = "Writes what TFLite's built-in kernels lack in forms they have, exactly.",
    .run = run_pass,
};
