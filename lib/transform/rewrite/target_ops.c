/* SPDX-License-Identifier: Apache-2.0 */
/* One row per op that has an older form. */
#include <string.h>

#include "base/error.h"
#include "graph/tensor.h"
#include "ops/op_table.h"
#include "transform/rewrite/target_tf.h"

static void refuse(const cnnfi_lowering *l, const char *why)
{
    cnnfi_builder *b = l->edit->b;
    cnnfi_builder_fail_at(b, CNNF_E_UNSUPPORTED, l->node->name, "node '%s': %s is newer than TensorFlow %d.%d and %s",
                          l->node->name, l->op, (int)(l->release / 100), (int)(l->release % 100), why);
}

/* None of these ops looks at shape only: nothing that an edit counts changes. */
static void set_op(const cnnfi_lowering *l, const char *op)
{
    cnnfi_node_set_op(l->edit->b, l->node, op);
}

static void lower_add(const cnnfi_lowering *l)
{
    set_op(l, "Add");
}

/* V3 has one more output, scratch of the GPU's gradient; V2 adds the type of the statistics to V1. */
static void lower_batch_norm(const cnnfi_lowering *l)
{
    if (l->in_function) {
        refuse(l, "a function may read its sixth output");
        return;
    }
    if (strcmp(l->node->op, "FusedBatchNormV3") == 0) {
        if (cnnfi_edit_user_count(l->edit, l->node, 5)) {
            refuse(l, "its sixth output is read");
            return;
        }
        set_op(l, "FusedBatchNormV2");
    }
    if (cnnfi_op_in_release(cnnfi_op_find("FusedBatchNormV2"), l->release)) return;
    if (cnnfi_node_type(l->node, "T") != CNNF_FLOAT) {
        refuse(l, "FusedBatchNorm knows only float");
        return;
    }
    cnnfi_node_attr_remove(l->node, "U");
    set_op(l, "FusedBatchNorm");
}

/* BatchMatMul does not broadcast: both sides must have the same leading dimensions, which only constants show. */
static void lower_batch_matmul(const cnnfi_lowering *l)
{
    if (strcmp(l->node->op, "BatchMatMulV3") == 0) {
        const cnnf_dtype a = cnnfi_node_type(l->node, "Ta");
        if (a != cnnfi_node_type(l->node, "Tb") || a != cnnfi_node_type(l->node, "Tout")) {
            refuse(l, "its types differ");
            return;
        }
        cnnfi_node_attr_remove(l->node, "Ta");
        cnnfi_node_attr_remove(l->node, "Tb");
        cnnfi_node_attr_remove(l->node, "Tout");
        cnnfi_node_set_type(l->edit->b, l->node, "T", a);
        set_op(l, "BatchMatMulV2");
        if (cnnfi_op_in_release(cnnfi_op_find("BatchMatMulV2"), l->release)) return;
    }
    refuse(l, "BatchMatMul does not broadcast");
}

/* max(x, alpha x) is LeakyRelu for 0 <= alpha <= 1. */
static void lower_leaky_relu(const cnnfi_lowering *l)
{
    cnnfi_edit *edit = l->edit;
    cnnfi_builder *b = edit->b;
    const double alpha = cnnf_node_attr_float(l->node, "alpha", 0.2f);
    const cnnf_dtype dtype = cnnf_node_attr_type(l->node, "T", CNNF_FLOAT);
    if (l->in_function || alpha < 0 || alpha > 1 || dtype != CNNF_FLOAT) {
        refuse(l, l->in_function ? "a function's nodes are not split"
                                 : "only float with 0 <= alpha <= 1 has an exact older form");
        return;
    }
    const float value = (float)alpha;
    cnnf_tensor *scalar = NULL;
    b->status = cnnfi_tensor_copy(&scalar, b->graph->context, CNNF_FLOAT, 0, NULL, &value, b->error);
    cnnf_node *constant = cnnfi_edit_const(edit, scalar, "%s/alpha", l->node->name);
    cnnf_tensor_unref(scalar);
    const char *name = cnnfi_edit_unique(edit, "%s/mul", l->node->name);
    cnnf_node *product = name ? cnnfi_edit_add(edit, "Mul", name) : NULL;
    cnnfi_edit_place_before(edit, constant, NULL);
    cnnfi_edit_place_before(edit, product, NULL);
    cnnfi_edit_add_input(edit, product, cnnfi_edit_input(l->node, 0));
    cnnfi_edit_add_input(edit, product, cnnfi_end(constant, 0));
    cnnfi_node_set_type(b, product, "T", dtype);
    cnnfi_edit_add_input(edit, l->node, cnnfi_end(product, 0));
    cnnfi_node_attr_remove(l->node, "alpha");
    cnnfi_node_set_type(b, l->node, "T", dtype);
    set_op(l, "Maximum");
}

static void lower_select(const cnnfi_lowering *l)
{
    refuse(l, "Select does not broadcast");
}

/* The stateless forms only promise more. */
static void lower_if(const cnnfi_lowering *l)
{
    set_op(l, "If");
}

static void lower_while(const cnnfi_lowering *l)
{
    set_op(l, "While");
}

static const struct {
    const char *op;
    void (*lower)(const cnnfi_lowering *lowering);
} rows[] = {
    {"AddV2", lower_add},
    {"BatchMatMulV2", lower_batch_matmul},
    {"BatchMatMulV3", lower_batch_matmul},
    {"FusedBatchNormV2", lower_batch_norm},
    {"FusedBatchNormV3", lower_batch_norm},
    {"LeakyRelu", lower_leaky_relu},
    {"SelectV2", lower_select},
    {"StatelessIf", lower_if},
    {"StatelessWhile", lower_while},
};

bool cnnfi_lower_op(const cnnfi_lowering *l)
{
    const cnnfi_op *op = cnnfi_op_find(l->node->op);
    if (!op || cnnfi_op_in_release(op, l->release)) return false;
    size_t row = 0;
    while (row < sizeof rows / sizeof *rows && strcmp(op->name, rows[row].op))
        row++;
    if (row == sizeof rows / sizeof *rows) {
        refuse(l, "has no exact older form");
        return false;
    }
    rows[row].lower(l);
    const cnnfi_op *now = cnnfi_op_find(l->node->op);
    if (!l->edit->b->status && (!now || !cnnfi_op_in_release(now, l->release))) refuse(l, "so is its older form");
    return true;
}
