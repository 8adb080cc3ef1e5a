/* SPDX-License-Identifier: Apache-2.0 */
/* What OpenVINO 2026.4's TensorFlow frontend takes and its CPU plugin computes. */
#include <string.h>

#include "inspect/check.h"

static const char *check_log_softmax(const cnnfi_finding *f, const cnnf_node *node)
{
    return cnnfi_check_shape(f, node, 0).rank == 4 ? "of an image behind a convolution its numbers are wrong" : NULL;
}

static const cnnfi_op_row rows[] = {
    {"LogSoftmax", CNNFI_REFUSED, NULL, check_log_softmax},
};

static void put_command(cnnfi_strbuf *out, const cnnf_graph *graph, const char *file)
{
    cnnfi_strbuf_puts(out, "ovc ");
    cnnfi_put_word(out, file);
    cnnfi_strbuf_puts(out, " --output_model model.xml");
}

const cnnfi_target cnnfi_target_openvino = {
    .name = "openvino",
    .version = "OpenVINO 2026.4",
    .bit = CNNFI_FOR_OPENVINO,
    .folds = true,
    .rows = rows,
    .n_rows = sizeof rows / sizeof *rows,
    .passes = "inline_functions set_learning_phase remove_dropout fold_constants static_shapes fold_constants "
              "fold_batch_norms fold_constants remove_identity prune sort_by_execution_order",
    .command = put_command,
};
