/* SPDX-License-Identifier: Apache-2.0 */
/* What the TFLite converter of TensorFlow 2.15 takes without SELECT_TF_OPS, and its interpreter computes. */
#include <string.h>

#include "inspect/check.h"

/* The kernels have no float64 and float16. */
static const char *check_dtype(const cnnfi_finding *f, const cnnf_node *node)
{
    const cnnf_dtype dtype = cnnfi_check_output(f, node).dtype;
    static const char *const moves[] = {"Cast", "Const", "Identity", "Placeholder"};
    const bool wide = dtype == CNNF_DOUBLE || dtype == CNNF_HALF || dtype == CNNF_BFLOAT16;
    if (!wide || cnnfi_text_in(node->op, moves, sizeof moves / sizeof *moves)) return NULL;
    return "TFLite computes float32, not this type";
}

#define REFUSED(op)                                                                                                    \
    {                                                                                                                  \
        op, CNNFI_REFUSED, "it needs SELECT_TF_OPS", NULL                                                              \
    }

static const cnnfi_op_row rows[] = {
    REFUSED("Acos"),
    REFUSED("Acosh"),
    REFUSED("Asin"),
    REFUSED("Asinh"),
    REFUSED("Atan"),
    REFUSED("Atanh"),
    REFUSED("AvgPool3D"),
    REFUSED("Cosh"),
    REFUSED("Erf"),
    REFUSED("Erfc"),
    REFUSED("FusedBatchNormV2"),
    REFUSED("MaxPool3D"),
    REFUSED("ResizeBicubic"),
    REFUSED("Sinh"),
    REFUSED("Softsign"),
    REFUSED("Tan"),
    {"", CNNFI_REFUSED, NULL, check_dtype},
};

static void put_command(cnnfi_strbuf *out, const cnnf_graph *graph, const char *file)
{
    cnnfi_strbuf_puts(out, "tflite_convert --enable_v1_converter --graph_def_file=");
    cnnfi_put_word(out, file);
    cnnfi_strbuf_puts(out, " --output_file=model.tflite --input_arrays=");
    cnnfi_put_inputs(out, graph);
    cnnfi_strbuf_puts(out, " --input_shapes=");
    cnnfi_put_shapes(out, graph, "1", ":");
    cnnfi_strbuf_puts(out, " --output_arrays=");
    cnnfi_put_outputs(out, graph);
}

const cnnfi_target cnnfi_target_tflite = {
    .name = "tflite",
    .version = "TensorFlow 2.15",
    .bit = CNNFI_FOR_TFLITE,
    .release = 215,
    .folds = true,
    .rows = rows,
    .n_rows = sizeof rows / sizeof *rows,
    .passes = "inline_functions set_learning_phase remove_dropout fold_constants static_shapes fold_constants "
              "fold_batch_norms fold_constants fit_tflite remove_identity prune sort_by_execution_order",
    .command = put_command,
};
