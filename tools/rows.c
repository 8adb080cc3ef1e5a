/* SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"

#include <stdio.h>
#include <string.h>

int64_t fixed_batch(const cnnf_graph *graph, const char *input)
{
    char name[1024];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(input, ":"), input);
    const cnnf_node *node = cnnf_graph_find(graph, name);
    const bool is_placeholder = node && strncmp(cnnf_node_op(node), "Placeholder", 11) == 0;
    const int64_t batch =
        is_placeholder && cnnf_node_attr_shape_rank(node, "shape") > 0 ? cnnf_node_attr_shape_dim(node, "shape", 0) : 0;
    return batch > 0 ? batch : 0;
}

cnnf_status take_rows(cnnf_tensor **out, const session *s, const cnnf_tensor *from, int64_t first, int64_t rows,
                      int64_t length)
{
    int64_t dims[32] = {0};
    const int32_t rank = cnnf_tensor_rank(from);
    for (int32_t i = 0; i < rank && i < 32; i++)
        dims[i] = cnnf_tensor_dim(from, i);
    dims[0] = length;
    const cnnf_status status = cnnf_tensor_new(out, s->context, cnnf_tensor_dtype(from), rank, dims, s->error);
    if (status) return status;
    const size_t row_bytes = cnnf_tensor_byte_size(*out) / (size_t)length;
    char *to = cnnf_tensor_data_mut(*out);
    memcpy(to, (const char *)cnnf_tensor_data(from) + (size_t)first * row_bytes, (size_t)rows * row_bytes);
    memset(to + (size_t)rows * row_bytes, 0, (size_t)(length - rows) * row_bytes);
    return CNNF_OK;
}
