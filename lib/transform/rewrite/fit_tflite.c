/* SPDX-License-Identifier: Apache-2.0 */
/* fit_tflite: what TFLite's built-in kernels lack, in forms they have; each computes what was there. */
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

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    cnnfi_forms f = {.run = run};
    CNNFI_TRY(cnnfi_pass_begin_edit(&f.edit, run, in));
    for (size_t i = 0; i < f.edit.originals && !f.edit.b->status; i++) {
        cnnf_node *node = f.edit.b->graph->nodes[i];
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
