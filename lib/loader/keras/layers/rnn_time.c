/* SPDX-License-Identifier: Apache-2.0 */
/* What K.rnn() does with time and masks, whether it loops or not. */
#include <string.h>

#include "graph/builder.h"
#include "loader/keras/layers/rnn_cells.h"

cnnfi_keras_tensor cnnfi_rnn_swap_time(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    int32_t perm[CNNFI_KERAS_MAX_RANK];
    for (int32_t i = 0; i < x.rank; i++)
        perm[i] = i > 1 ? i : 1 - i;
    return cnnfi_build_transpose(b, "transpose", x, perm);
}

static cnnfi_keras_tensor tile(cnnfi_keras_builder *b, cnnfi_keras_tensor x, cnnfi_keras_tensor multiples,
                               const cnnfi_keras_tensor *like)
{
    cnnfi_keras_tensor out, inputs[2] = {x, multiples};
    cnnf_node *node = cnnfi_build_node_t(b, &out, "Tile", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tmultiples", CNNF_INT32);
    return cnnfi_keras_tensor_shaped(out, like->rank, like->dims);
}

/* tf.keras' _expand_mask(): the mask repeated along the dimensions from `fixed` on, which are known. */
static cnnfi_keras_tensor expand_mask(cnnfi_keras_builder *b, cnnfi_keras_tensor mask, cnnfi_keras_tensor like,
                                      int32_t fixed)
{
    int32_t multiples[CNNFI_KERAS_MAX_RANK];
    while (mask.rank < like.rank && cnnfi_build_ok(b))
        mask = cnnfi_build_expand_dims(b, "ExpandDims", mask, -1);
    for (int32_t i = 0; i < like.rank; i++)
        multiples[i] = i < fixed ? 1 : (int32_t)like.dims[i];
    const char *saved = cnnfi_build_push(b, "Tile");
    cnnfi_keras_tensor out = tile(b, mask, cnnfi_build_ints(b, "multiples", (size_t)like.rank, multiples), &like);
    cnnfi_build_pop(b, saved);
    return out;
}

/* multi-backend's get_matching_mask(): repeated by what the shape is at run time */
static cnnfi_keras_tensor matching_mask(cnnfi_keras_builder *b, cnnfi_keras_tensor mask, cnnfi_keras_tensor like)
{
    while (mask.rank < like.rank && cnnfi_build_ok(b))
        mask = cnnfi_build_expand_dims(b, "ExpandDims", mask, -1);
    cnnfi_keras_tensor shape = cnnfi_build_shape_of(b, "Shape", like);
    cnnfi_keras_tensor rest = cnnfi_build_slice(b, "strided_slice", shape, 1, 0, false, true, false), out;
    const char *saved = cnnfi_build_push(b, "concat");
    cnnfi_keras_tensor parts[3] = {cnnfi_build_ints(b, "values_0", 1, (const int32_t[]){1}), rest,
                                   cnnfi_build_int(b, "axis", 0)};
    cnnf_node *node = cnnfi_build_node_t(b, &out, "ConcatV2", "", 3, parts);
    cnnfi_node_set_int(b->graph, node, "N", 2);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_build_pop(b, saved);
    (void)cnnfi_build_push(b, "Tile");
    out = tile(b, mask, cnnfi_keras_tensor_shaped(out, 1, (const int64_t[]){like.rank}), &like);
    cnnfi_build_pop(b, saved);
    return out;
}

cnnfi_keras_tensor cnnfi_rnn_fit_mask(cnnfi_keras_builder *b, cnnfi_keras_tensor mask, cnnfi_keras_tensor like,
                                      int32_t fixed)
{
    return b->tf ? expand_mask(b, mask, like, fixed) : matching_mask(b, mask, like);
}

/* where(mask, fresh, held) for every state; tf.keras makes all masks first */
void cnnfi_rnn_hold_states(cnnfi_rnn_run *run, cnnfi_keras_tensor mask, const cnnfi_keras_tensor *held, int32_t fixed)
{
    cnnfi_keras_builder *b = run->b;
    size_t n = run->rnn->n_states;
    cnnfi_keras_tensor *fitted = cnnfi_builder_array(b->graph, n, sizeof *fitted);
    for (size_t i = 0; fitted && b->tf && i < n; i++)
        fitted[i] = cnnfi_rnn_fit_mask(b, mask, held[i], fixed);
    for (size_t i = 0; fitted && i < n; i++) {
        if (!b->tf) fitted[i] = cnnfi_rnn_fit_mask(b, mask, run->state[i], fixed);
        run->state[i] = cnnfi_build_where(b, fitted[i], run->state[i], held[i]);
    }
}

/* [steps, batch], in tf.keras [steps, batch, 1] */
cnnfi_keras_tensor cnnfi_rnn_turned_mask(cnnfi_rnn_run *run)
{
    cnnfi_keras_builder *b = run->b;
    cnnfi_keras_tensor mask = *run->mask;
    if (mask.dtype != CNNF_BOOL) mask = cnnfi_build_cast(b, "Cast", mask, CNNF_BOOL);
    if (b->tf) mask = cnnfi_build_expand_dims(b, "ExpandDims", mask, -1);
    if (!run->time_major) mask = cnnfi_rnn_swap_time(b, mask);
    return mask;
}
