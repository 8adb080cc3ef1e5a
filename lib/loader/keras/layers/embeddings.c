/* SPDX-License-Identifier: Apache-2.0 */
/* Embedding and Masking: the layers that make masks. */
#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

static void embedding_build(cnnfi_layer_call *call)
{
    const int64_t dims[2] = {cnnfi_layer_positive(call, "input_dim"), cnnfi_layer_positive(call, "output_dim")};
    if (cnnfi_build_ok(call->b)) (void)cnnfi_layer_weight(call, "embeddings", 2, dims, CNNFI_KERAS_INIT_RANDOM, true);
}

static cnnf_node *gather_node(cnnfi_keras_builder *b, cnnfi_keras_tensor *y, cnnfi_keras_tensor table,
                              cnnfi_keras_tensor indices)
{
    cnnfi_keras_tensor inputs[3] = {table, indices};
    cnnf_node *node;
    if (table.variable) {
        inputs[0].variable = false; /* ResourceGather reads the handle itself */
        node = cnnfi_build_node(b, y, "ResourceGather", "", 2, inputs);
        cnnfi_node_set_type(b->graph, node, "dtype", table.dtype);
        cnnfi_node_set_bool(b->graph, node, "validate_indices", true);
    } else {
        inputs[2] = cnnfi_build_int(b, "axis", 0);
        node = cnnfi_build_node(b, y, "GatherV2", "", 3, inputs);
        cnnfi_node_set_type(b->graph, node, "Tparams", table.dtype);
        cnnfi_node_set_type(b->graph, node, "Taxis", CNNF_INT32);
    }
    cnnfi_node_set_type(b->graph, node, "Tindices", indices.dtype);
    cnnfi_node_set_int(b->graph, node, "batch_dims", 0);
    return node;
}

/* tf.nn.embedding_lookup() */
static cnnfi_keras_tensor lookup(cnnfi_layer_call *call, cnnfi_keras_tensor table, cnnfi_keras_tensor indices)
{
    cnnfi_keras_builder *b = call->b;
    const char *saved = cnnfi_build_push(b, "embedding_lookup");
    cnnfi_keras_tensor y;
    if (b->tf1 && call->state->n_variables) b->colocate = call->state->handles[0]; /* the axis too */
    cnnf_node *node = gather_node(b, &y, table, indices);
    b->colocate = NULL;
    if (call->state->n_variables) cnnfi_build_colocate(b, node, call->state->handles[0]);
    y = cnnfi_keras_tensor_shaped(y, indices.rank, indices.dims);
    y.dims[y.rank++] = table.dims[1];
    y = cnnfi_build_unary(b, "Identity", "Identity", y);
    cnnfi_build_pop(b, saved);
    return y;
}

static void embedding(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = call->inputs[0], indices = x;
    bool wide = b->tf && x.dtype == CNNF_INT64;
    if (x.dtype != CNNF_INT32 && !wide) indices = cnnfi_build_cast(b, "Cast", x, CNNF_INT32);
    cnnfi_keras_tensor y = lookup(call, cnnfi_layer_variable(call, 0), indices);
    if (cnnfi_layer_bool(call, "mask_zero", false))
        y = cnnfi_build_masked(b, y, cnnfi_build_binary_const(b, "NotEqual", "NotEqual", x, 0));
    cnnfi_layer_return(call, y);
}

/* x where any feature differs from mask_value, else 0 */
static void masking(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    double value = cnnfi_layer_float(call, "mask_value", 0);
    cnnfi_keras_tensor x = call->inputs[0];
    cnnfi_keras_tensor any = cnnfi_build_binary_const(b, "NotEqual", "NotEqual", x, value);
    any = cnnfi_build_reduce_axis(b, "Any", "Any", any, -1, true);
    cnnfi_keras_tensor y = cnnfi_build_binary(b, "Mul", "mul", x, cnnfi_build_cast(b, "Cast", any, x.dtype));
    y = cnnfi_keras_tensor_shaped(y, x.rank, x.dims);
    if (b->tf) {
        y = cnnfi_build_masked(b, y, cnnfi_build_squeeze(b, "Squeeze", any, -1));
    } else {
        cnnfi_keras_tensor again = cnnfi_build_binary_const(b, "NotEqual", "NotEqual", x, value);
        y = cnnfi_build_masked(b, y, cnnfi_build_reduce_axis(b, "Any", "Any", again, -1, false));
    }
    cnnfi_layer_return(call, y);
}

static const cnnfi_keras_row rows[] = {
    {"Embedding", "input_dim output_dim mask_zero", "embeddings", CNNFI_KERAS_VERIFIED, 1, 7, 1, 1, embedding_build,
     embedding, NULL},
    {"Masking", "mask_value", "", CNNFI_KERAS_VERIFIED, 2, 8, 1, 1, NULL, masking, NULL},
};

const cnnfi_keras_family cnnfi_keras_embeddings = {"Embedding and masking", rows, sizeof rows / sizeof rows[0]};
