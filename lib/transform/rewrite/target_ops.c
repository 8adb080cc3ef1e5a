/* SPDX-License-Identifier: Apache-2.0 */
/* One row per op that has an older form. */
#include <inttypes.h>
#include <string.h>

#include "ops/op_table.h"
#include "transform/rewrite/target_tf.h"
#include "graph/builder.h"

static cnnf_status refuse(const cnnfi_lowering *l, const char *why)
{
    return cnnfi_fail_at_node(l->run->error, CNNF_E_UNSUPPORTED, l->from->name,
                              "node '%s': %s is newer than TensorFlow %d.%d and %s", l->from->name, l->from->op,
                              (int)(l->release / 100), (int)(l->release % 100), why);
}

static cnnf_status rename_op(const cnnfi_lowering *l, const char *op)
{
    cnnfi_node_set_op(l->b, l->node, op);
    return CNNF_OK;
}

static cnnf_status lower_add(const cnnfi_lowering *l)
{
    return rename_op(l, "Add");
}

static bool reads_port(const cnnf_graph *in, const cnnf_node *node, int32_t port)
{
    for (size_t i = 0; i < in->n_nodes; i++) {
        for (size_t k = 0; k < in->nodes[i]->n_inputs; k++) {
            const cnnfi_edge edge = in->nodes[i]->edges[k];
            if (edge.node == node->index && edge.port == port) return true;
        }
    }
    return false;
}

/* V3 has one more output, scratch of the GPU's gradient; V2 adds the type of the statistics to V1. */
static cnnf_status lower_batch_norm(const cnnfi_lowering *l)
{
    if (!l->in) return refuse(l, "a function may read its sixth output");
    if (strcmp(l->node->op, "FusedBatchNormV3") == 0) {
        if (reads_port(l->in, l->from, 5)) return refuse(l, "its sixth output is read");
        cnnfi_node_set_op(l->b, l->node, "FusedBatchNormV2");
    }
    if (cnnfi_op_in_release(cnnfi_op_find("FusedBatchNormV2"), l->release)) return CNNF_OK;
    if (cnnfi_node_type(l->node, "T") != CNNF_FLOAT) return refuse(l, "FusedBatchNorm knows only float");
    cnnfi_node_attr_remove(l->node, "U");
    return rename_op(l, "FusedBatchNorm");
}

/* BatchMatMul does not broadcast: both sides must have the same leading dimensions, which only constants show. */
static cnnf_status lower_batch_matmul(const cnnfi_lowering *l)
{
    if (strcmp(l->node->op, "BatchMatMulV3") == 0) {
        const cnnf_dtype a = cnnfi_node_type(l->node, "Ta");
        if (a != cnnfi_node_type(l->node, "Tb") || a != cnnfi_node_type(l->node, "Tout")) {
            return refuse(l, "its types differ");
        }
        cnnfi_node_attr_remove(l->node, "Ta");
        cnnfi_node_attr_remove(l->node, "Tb");
        cnnfi_node_attr_remove(l->node, "Tout");
        cnnfi_node_set_type(l->b, l->node, "T", a);
        cnnfi_node_set_op(l->b, l->node, "BatchMatMulV2");
        if (cnnfi_op_in_release(cnnfi_op_find("BatchMatMulV2"), l->release)) return CNNF_OK;
    }
    return refuse(l, "BatchMatMul does not broadcast");
}

/* max(x, alpha x) is LeakyRelu for 0 <= alpha <= 1. */
static cnnf_status lower_leaky_relu(const cnnfi_lowering *l)
{
    const double alpha = cnnf_node_attr_float(l->from, "alpha", 0.2f);
    const cnnf_dtype dtype = cnnf_node_attr_type(l->from, "T", CNNF_FLOAT);
    if (!l->in) return refuse(l, "a function's nodes are not split");
    if (alpha < 0 || alpha > 1 || dtype != CNNF_FLOAT)
        return refuse(l, "only float with 0 <= alpha <= 1 has an exact older form");
    const float value = (float)alpha;
    const char *constant = cnnfi_builder_unique(l->b, cnnfi_builder_printf(l->b, "%s/alpha", l->from->name));
    const char *product = cnnfi_builder_unique(l->b, cnnfi_builder_printf(l->b, "%s/mul", l->from->name));
    cnnfi_builder_const_f32(l->b, constant, 0, &value, 1);
    cnnf_node *mul = cnnfi_builder_add(l->b, "Mul", product);
    cnnfi_node_set_type(l->b, mul, "T", dtype);
    if (!mul) return CNNF_OK;
    cnnfi_node_add_input(l->b, mul, l->from->inputs[0]);
    cnnfi_node_add_input(l->b, mul, constant);
    /* Data inputs come before control inputs. */
    const char *controls[16];
    const size_t n = l->node->n_inputs - 1 < 16 ? l->node->n_inputs - 1 : 16;
    if (n) memcpy(controls, l->node->inputs + 1, n * sizeof *controls);
    l->node->n_inputs = 1;
    cnnfi_node_add_input(l->b, l->node, product);
    for (size_t i = 0; i < n; i++)
        cnnfi_node_add_input(l->b, l->node, controls[i]);
    cnnfi_node_attr_remove(l->node, "alpha");
    cnnfi_node_set_type(l->b, l->node, "T", dtype);
    return rename_op(l, "Maximum");
}

static cnnf_status lower_select(const cnnfi_lowering *l)
{
    return refuse(l, "Select does not broadcast");
}

/* The stateless forms only promise more. */
static cnnf_status lower_if(const cnnfi_lowering *l)
{
    return rename_op(l, "If");
}

static cnnf_status lower_while(const cnnfi_lowering *l)
{
    return rename_op(l, "While");
}

static const struct {
    const char *op;
    cnnf_status (*lower)(const cnnfi_lowering *lowering);
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

cnnf_status cnnfi_lower_op(const cnnfi_lowering *l, bool *done)
{
    const cnnfi_op *op = cnnfi_op_find(l->node->op);
    *done = false;
    if (!op || cnnfi_op_in_release(op, l->release)) return CNNF_OK;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (strcmp(op->name, rows[i].op)) continue;
        *done = true;
        CNNFI_TRY(rows[i].lower(l));
        const cnnfi_op *now = cnnfi_op_find(l->node->op);
        return now && cnnfi_op_in_release(now, l->release) ? CNNF_OK : refuse(l, "so is its older form");
    }
    return refuse(l, "has no exact older form");
}
