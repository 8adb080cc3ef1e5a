/* SPDX-License-Identifier: Apache-2.0 */
/* Embedding and Masking: the layers that make masks. */
#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

static void embedding_build(cnnfi_kc *kc)
{
    const int64_t dims[2] = {cnnfi_kc_positive(kc, "input_dim"), cnnfi_kc_positive(kc, "output_dim")};
    if (cnnfi_kb_ok(kc->b)) (void)cnnfi_kc_weight(kc, "embeddings", 2, dims, CNNFI_KINIT_RANDOM, true);
}

static cnnf_node *gather_node(cnnfi_kb *b, cnnfi_kt *y, cnnfi_kt table, cnnfi_kt indices)
{
    cnnfi_kt inputs[3] = {table, indices};
    cnnf_node *node;
    if (table.variable) {
        inputs[0].variable = false; /* ResourceGather reads the handle itself */
        node = cnnfi_kb_node(b, y, "ResourceGather", "", 2, inputs);
        cnnfi_node_set_type(b->graph, node, "dtype", table.dtype);
        cnnfi_node_set_bool(b->graph, node, "validate_indices", true);
    } else {
        inputs[2] = cnnfi_kb_int(b, "axis", 0);
        node = cnnfi_kb_node(b, y, "GatherV2", "", 3, inputs);
        cnnfi_node_set_type(b->graph, node, "Tparams", table.dtype);
        cnnfi_node_set_type(b->graph, node, "Taxis", CNNF_INT32);
    }
    cnnfi_node_set_type(b->graph, node, "Tindices", indices.dtype);
    cnnfi_node_set_int(b->graph, node, "batch_dims", 0);
    return node;
}

/* tf.nn.embedding_lookup() */
static cnnfi_kt lookup(cnnfi_kc *kc, cnnfi_kt table, cnnfi_kt indices)
{
    cnnfi_kb *b = kc->b;
    const char *saved = cnnfi_kb_push(b, "embedding_lookup");
    cnnfi_kt y;
    if (b->tf1 && kc->state->n_variables) b->colocate = kc->state->handles[0]; /* the axis too */
    cnnf_node *node = gather_node(b, &y, table, indices);
    b->colocate = NULL;
    if (kc->state->n_variables) cnnfi_kb_colocate(b, node, kc->state->handles[0]);
    y = cnnfi_kt_shaped(y, indices.rank, indices.dims);
    y.dims[y.rank++] = table.dims[1];
    y = cnnfi_kb_unary(b, "Identity", "Identity", y);
    cnnfi_kb_pop(b, saved);
    return y;
}

static void embedding(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    cnnfi_kt x = kc->inputs[0], indices = x;
    bool wide = b->tf && x.dtype == CNNF_INT64;
    if (x.dtype != CNNF_INT32 && !wide) indices = cnnfi_kb_cast(b, "Cast", x, CNNF_INT32);
    cnnfi_kt y = lookup(kc, cnnfi_kc_variable(kc, 0), indices);
    if (cnnfi_kc_bool(kc, "mask_zero", false))
        y = cnnfi_kb_masked(b, y, cnnfi_kb_binary_const(b, "NotEqual", "NotEqual", x, 0));
    cnnfi_kc_return(kc, y);
}

/* x where any feature differs from mask_value, else 0 */
static void masking(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    double value = cnnfi_kc_float(kc, "mask_value", 0);
    cnnfi_kt x = kc->inputs[0];
    cnnfi_kt any = cnnfi_kb_binary_const(b, "NotEqual", "NotEqual", x, value);
    any = cnnfi_kb_reduce_axis(b, "Any", "Any", any, -1, true);
    cnnfi_kt y = cnnfi_kb_binary(b, "Mul", "mul", x, cnnfi_kb_cast(b, "Cast", any, x.dtype));
    y = cnnfi_kt_shaped(y, x.rank, x.dims);
    if (b->tf) {
        y = cnnfi_kb_masked(b, y, cnnfi_kb_squeeze(b, "Squeeze", any, -1));
    } else {
        cnnfi_kt again = cnnfi_kb_binary_const(b, "NotEqual", "NotEqual", x, value);
        y = cnnfi_kb_masked(b, y, cnnfi_kb_reduce_axis(b, "Any", "Any", again, -1, false));
    }
    cnnfi_kc_return(kc, y);
}

static const cnnfi_keras_row rows[] = {
    {"Embedding", "input_dim output_dim mask_zero", "embeddings", CNNFI_KERAS_VERIFIED, 1, 7, 1, 1, embedding_build,
     embedding, NULL},
    {"Masking", "mask_value", "", CNNFI_KERAS_VERIFIED, 2, 8, 1, 1, NULL, masking, NULL},
};

const cnnfi_keras_family cnnfi_keras_embeddings = {"Embedding and masking", rows, sizeof rows / sizeof rows[0]};
