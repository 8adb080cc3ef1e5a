/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three parts: a checkpoint's index (or a V1 checkpoint), its data shard, its state file. All tensors are verified and
 * read, and variables of their names are bound.
 */
#include <string.h>

#include "fuzz_parts.h"
#include "graph/builder.h"
#include "graph/tensor.h"

#define MOST_TENSORS 32

/* Every byte, so that a sanitizer sees those that nobody wrote. */
static void read_tensor(const cnnf_tensor *tensor)
{
    const size_t size = cnnf_tensor_byte_size(tensor);
    uint8_t *bytes = size <= (size_t)1 << 20 ? malloc(size + 1) : NULL;
    unsigned sum = 0;
    if (bytes && cnnf_tensor_read(bytes, tensor, 0, size, NULL) == CNNF_OK)
        for (size_t i = 0; i < size; i++)
            sum += bytes[i];
    if (sum == UINT32_MAX) abort();
    free(bytes);
}

static cnnf_graph *variables_of(cnnf_context *context, const cnnf_checkpoint *checkpoint)
{
    cnnfi_builder *b = NULL;
    cnnf_graph *graph = NULL;
    if (cnnfi_builder_new(&b, context, NULL)) return NULL;
    for (int64_t i = 0; i < cnnf_checkpoint_count(checkpoint) && i < MOST_TENSORS; i++) {
        const cnnf_tensor *tensor = cnnf_checkpoint_tensor(checkpoint, i);
        cnnf_node *node = cnnfi_builder_add(b, "VariableV2", cnnf_checkpoint_name(checkpoint, i));
        if (!node || !tensor) continue;
        cnnfi_node_set_type(b, node, "dtype", cnnf_tensor_dtype(tensor));
        cnnfi_node_set_shape(b, node, "shape", cnnf_tensor_rank(tensor), cnnfi_tensor_dims(tensor));
    }
    cnnfi_builder_publish(&graph, b, NULL);
    return graph;
}

static void open_and_read(cnnf_context *context, const char *path)
{
    cnnf_checkpoint *checkpoint = NULL;
    cnnf_graph *graph = NULL, *bound = NULL;
    if (cnnf_checkpoint_open(&checkpoint, context, path, NULL)) return;
    for (int64_t i = 0; i < cnnf_checkpoint_count(checkpoint) && i < MOST_TENSORS; i++) {
        cnnf_checkpoint_verify(checkpoint, i, NULL);
        if (cnnf_checkpoint_tensor(checkpoint, i)) read_tensor(cnnf_checkpoint_tensor(checkpoint, i));
    }
    graph = variables_of(context, checkpoint);
    if (graph && cnnf_bind_checkpoint(&bound, graph, path, NULL, NULL) == CNNF_OK) cnnf_graph_unref(bound);
    cnnf_graph_unref(graph);
    cnnf_checkpoint_unref(checkpoint);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char *const names[] = {"f.index", "f.data-00000-of-00001", "checkpoint"};
    uint8_t *data = (uint8_t *)(uintptr_t)bytes;
    cnnf_context *context = fuzz_context();
    part parts[3];
    for (size_t i = 0; i < 3; i++) {
        parts[i] = next_part(&data, &size);
        fuzz_write(names[i], parts[i]);
    }
    open_and_read(context, fuzz_path("f.index"));
    if (parts[2].size) open_and_read(context, fuzz_path("."));
    for (size_t i = 0; i < 3; i++)
        fuzz_remove(names[i]);
    fuzz_context_done(context);
    return 0;
}
