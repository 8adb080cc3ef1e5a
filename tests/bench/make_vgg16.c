/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a graph and a checkpoint with VGG16's weights' shapes and random values: make_vgg16 FOLDER */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cnnfreeze/cnnfreeze.h>

#include "base/error.h"
#include "graph/builder.h"
#include "graph/tensor.h"

typedef struct layer {
    const char *name;
    int32_t rank;
    int64_t dims[4];
} layer;

static const layer layers[] = {{"block1_conv1", 4, {3, 3, 3, 64}},
                               {"block1_conv2", 4, {3, 3, 64, 64}},
                               {"block2_conv1", 4, {3, 3, 64, 128}},
                               {"block2_conv2", 4, {3, 3, 128, 128}},
                               {"block3_conv1", 4, {3, 3, 128, 256}},
                               {"block3_conv2", 4, {3, 3, 256, 256}},
                               {"block3_conv3", 4, {3, 3, 256, 256}},
                               {"block4_conv1", 4, {3, 3, 256, 512}},
                               {"block4_conv2", 4, {3, 3, 512, 512}},
                               {"block4_conv3", 4, {3, 3, 512, 512}},
                               {"block5_conv1", 4, {3, 3, 512, 512}},
                               {"block5_conv2", 4, {3, 3, 512, 512}},
                               {"block5_conv3", 4, {3, 3, 512, 512}},
                               {"fc1", 2, {25088, 4096}},
                               {"fc2", 2, {4096, 4096}},
                               {"predictions", 2, {4096, 1000}}};

static uint64_t state = 88172645463325252u;

static float random_float(void)
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return (float)(int32_t)(state >> 32) * 0x1p-34f;
}

/* A reference variable with its value, and its reading. */
static const char *add_variable(cnnfi_builder *b, const char *name, int32_t rank, const int64_t *dims)
{
    cnnf_tensor *tensor = NULL;
    cnnf_error error = {0};
    if (cnnf_tensor_new(&tensor, b->graph->context, CNNF_FLOAT, rank, dims, &error) != CNNF_OK) {
        fprintf(stderr, "%s\n", error.message);
        exit(1);
    }
    float *values = cnnf_tensor_data_mut(tensor);
    for (int64_t i = 0; i < cnnf_tensor_element_count(tensor); i++)
        values[i] = random_float();
    cnnf_node *variable = cnnfi_builder_add(b, "VariableV2", name);
    cnnfi_node_set_type(b, variable, "dtype", CNNF_FLOAT);
    cnnfi_node_set_shape(b, variable, "shape", rank, dims);
    cnnfi_node_set_value(b, variable, tensor);
    cnnf_tensor_unref(tensor);
    const char *read = cnnfi_builder_printf(b, "%s/read", name);
    cnnf_node *identity = cnnfi_builder_add(b, "Identity", read);
    cnnfi_node_add_input(b, identity, name);
    cnnfi_node_set_type(b, identity, "T", CNNF_FLOAT);
    return read;
}

static const char *add_layer(cnnfi_builder *b, const layer *l, const char *input)
{
    const char *kernel = add_variable(b, cnnfi_builder_printf(b, "%s/kernel", l->name), l->rank, l->dims);
    const char *bias = add_variable(b, cnnfi_builder_printf(b, "%s/bias", l->name), 1, &l->dims[l->rank - 1]);
    cnnf_node *product =
        cnnfi_builder_add(b, l->rank == 4 ? "Conv2D" : "MatMul", cnnfi_builder_printf(b, "%s/product", l->name));
    cnnfi_node_add_input(b, product, input);
    cnnfi_node_add_input(b, product, kernel);
    cnnfi_node_set_type(b, product, "T", CNNF_FLOAT);
    cnnf_node *sum = cnnfi_builder_add(b, "BiasAdd", cnnfi_builder_printf(b, "%s/BiasAdd", l->name));
    cnnfi_node_add_input(b, sum, product->name);
    cnnfi_node_add_input(b, sum, bias);
    cnnfi_node_set_type(b, sum, "T", CNNF_FLOAT);
    return sum->name;
}

static cnnf_status make(cnnf_context *context, const char *folder, cnnf_error *error)
{
    char path[4096];
    cnnfi_builder *b = NULL;
    cnnf_graph *graph = NULL;
    const char *last = "x";
    cnnf_status status = cnnfi_builder_new(&b, context, error);
    if (status) return status;
    cnnfi_node_set_type(b, cnnfi_builder_add(b, "Placeholder", "x"), "dtype", CNNF_FLOAT);
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        last = add_layer(b, &layers[i], last);
    cnnf_node *out = cnnfi_builder_add(b, "Softmax", "out");
    cnnfi_node_add_input(b, out, last);
    cnnfi_node_set_type(b, out, "T", CNNF_FLOAT);
    cnnfi_builder_set_versions(b, 134, 0);
    status = cnnfi_builder_publish(&graph, b, error);
    snprintf(path, sizeof path, "%s/graph.pb", folder);
    if (!status) status = cnnf_write_graphdef_file(graph, path, NULL, error);
    snprintf(path, sizeof path, "%s/model.ckpt", folder);
    if (!status) status = cnnf_write_checkpoint(graph, path, NULL, error);
    cnnf_graph_unref(graph);
    return status;
}

int main(int argc, char **argv)
{
    cnnf_context *context = NULL;
    cnnf_error *error = cnnf_error_new();
    if (argc != 2 || cnnf_context_new(&context, NULL, error) != CNNF_OK) return 2;
    const cnnf_status status = make(context, argv[1], error);
    if (status) fprintf(stderr, "%s\n", cnnf_error_message(error));
    cnnf_error_free(error);
    cnnf_context_unref(context);
    return status != CNNF_OK;
}
