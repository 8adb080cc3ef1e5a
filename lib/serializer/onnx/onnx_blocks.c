/* SPDX-License-Identifier: Apache-2.0 */
/* Space, batch and depth. */
#include "serializer/onnx/onnx_ops.h"

/* Both sides count a block's places before its channels. */
static void convert_depth(cnnfi_onnx_call *call)
{
    const cnnfi_layout layout = cnnfi_export_channels_last(&call->asked) ? CNNFI_FIRST : CNNFI_PLAIN;
    const char *x = cnnfi_onnx_in(call, 0, layout);
    cnnfi_onnx_node *node;
    const char *y = cnnfi_onnx_add(call->m, &node, call->row->as, cnnfi_onnx_out_name(call, 0, layout), 1, &x);
    cnnfi_onnx_set_int(call->m, node, "blocksize", cnnf_node_attr_int(call->node, "block_size", 1));
    cnnfi_onnx_give(call, 0, layout, y);
}

/* An op over blocks of the axes after the batch: sizes of the blocks, what is padded or cropped. */
typedef struct blocks {
    cnnfi_value in;
    size_t n; /* axes that have blocks */
    int64_t size[CNNFI_OP_MAX_RANK], edges[2 * CNNFI_OP_MAX_RANK];
    int64_t product;
} blocks;

static bool read_blocks(const cnnfi_onnx_call *call, blocks *b)
{
    size_t n_edges;
    *b = (blocks){.in = cnnfi_export_in_shape(&call->asked, 0), .product = 1};
    if (!cnnfi_export_want_ints(&call->asked, 1, "the block", b->size, CNNFI_OP_MAX_RANK, &b->n)) return false;
    if (!cnnfi_export_want_ints(&call->asked, 2, "what is padded or cropped", b->edges, 2 * CNNFI_OP_MAX_RANK,
                                &n_edges))
        return false;
    bool known = b->in.rank > (int32_t)b->n && n_edges == 2 * b->n && b->in.rank + (int32_t)b->n <= CNNFI_OP_MAX_RANK;
    for (int32_t axis = 1; known && axis < b->in.rank; axis++)
        known = b->in.dims[axis] >= 0;
    for (size_t i = 0; known && i < b->n; i++) {
        known = b->size[i] > 0;
        b->product *= b->size[i];
    }
    if (!known) cnnfi_export_refuse(&call->asked, "sizes other than the batch's are not known");
    return known;
}

/* Pad, split each axis into [blocks, block], blocks' places to the batch. */
static void convert_space_to_batch(cnnfi_onnx_call *call)
{
    blocks b;
    int64_t pads[2 * CNNFI_OP_MAX_RANK] = {0}, apart[CNNFI_OP_MAX_RANK], perm[CNNFI_OP_MAX_RANK],
                     whole[CNNFI_OP_MAX_RANK];
    if (!read_blocks(call, &b)) return;
    const int32_t rank = b.in.rank, n = (int32_t)b.n;
    apart[0] = whole[0] = -1;
    for (int32_t i = 0; i < rank - 1; i++) {
        const bool block = i < n;
        if (block) pads[i + 1] = b.edges[2 * i];
        if (block) pads[rank + i + 1] = b.edges[2 * i + 1];
        const int64_t size = b.in.dims[i + 1] + pads[i + 1] + pads[rank + i + 1];
        whole[i + 1] = block ? size / b.size[i] : size;
        apart[block ? 2 * i + 1 : n + i + 1] = whole[i + 1];
        if (block) apart[2 * i + 2] = b.size[i];
        perm[n + 1 + i] = block ? 2 * i + 1 : n + i + 1;
        if (block) perm[i] = 2 * i + 2;
    }
    perm[n] = 0;
    const char *x = cnnfi_onnx_binary(call->m, "Pad", NULL, cnnfi_onnx_in(call, 0, CNNFI_PLAIN),
                                      cnnfi_onnx_ints(call->m, 2 * (size_t)rank, pads));
    x = cnnfi_onnx_reshape(call->m, x, (size_t)(rank + n), apart, NULL);
    x = cnnfi_onnx_transpose(call->m, x, rank + n, perm, NULL);
    x = cnnfi_onnx_reshape(call->m, x, (size_t)rank, whole, cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN));
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN, x);
}

/* The way back, cropped at the end. */
static void convert_batch_to_space(cnnfi_onnx_call *call)
{
    blocks b;
    int64_t apart[CNNFI_OP_MAX_RANK], perm[CNNFI_OP_MAX_RANK], whole[CNNFI_OP_MAX_RANK];
    int64_t begin[CNNFI_OP_MAX_RANK], end[CNNFI_OP_MAX_RANK], axes[CNNFI_OP_MAX_RANK];
    if (!read_blocks(call, &b)) return;
    const int32_t rank = b.in.rank, n = (int32_t)b.n;
    apart[n] = whole[0] = -1;
    perm[0] = n;
    for (int32_t i = 0; i < rank - 1; i++) {
        const bool block = i < n;
        apart[n + 1 + i] = b.in.dims[i + 1];
        perm[block ? 2 * i + 1 : n + i + 1] = n + 1 + i;
        whole[i + 1] = b.in.dims[i + 1] * (block ? b.size[i] : 1);
        if (!block) continue;
        apart[i] = b.size[i];
        perm[2 * i + 2] = i;
        axes[i] = i + 1;
        begin[i] = b.edges[2 * i];
        end[i] = whole[i + 1] - b.edges[2 * i + 1];
    }
    const char *x = cnnfi_onnx_reshape(call->m, cnnfi_onnx_in(call, 0, CNNFI_PLAIN), (size_t)(rank + n), apart, NULL);
    x = cnnfi_onnx_transpose(call->m, x, rank + n, perm, NULL);
    x = cnnfi_onnx_reshape(call->m, x, (size_t)rank, whole, NULL);
    const char *inputs[] = {x, cnnfi_onnx_ints(call->m, b.n, begin), cnnfi_onnx_ints(call->m, b.n, end),
                            cnnfi_onnx_ints(call->m, b.n, axes)};
    cnnfi_onnx_give(call, 0, CNNFI_PLAIN,
                    cnnfi_onnx_add(call->m, NULL, "Slice", cnnfi_onnx_out_name(call, 0, CNNFI_PLAIN), 4, inputs));
}

/* clang-format off */
const cnnfi_onnx_row cnnfi_onnx_blocks_rows[] = {
    {"DepthToSpace", convert_depth, "DepthToSpace"},
    {"SpaceToDepth", convert_depth, "SpaceToDepth"},
    {"SpaceToBatchND", convert_space_to_batch},
    {"BatchToSpaceND", convert_batch_to_space},
    {NULL, NULL},
};
/* clang-format on */
