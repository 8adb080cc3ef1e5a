/* SPDX-License-Identifier: Apache-2.0 */
/* K.rnn(unroll=True): every step of a known number of them as nodes of its own. */
#include <string.h>

#include "graph/builder.h"
#include "loader/keras/layers/rnn_cells.h"

static cnnfi_kt swap_time(cnnfi_kb *b, cnnfi_kt x)
{
    int32_t perm[CNNFI_KERAS_MAX_RANK];
    for (int32_t i = 0; i < x.rank; i++)
        perm[i] = i > 1 ? i : 1 - i;
    return cnnfi_kb_transpose(b, "transpose", x, perm);
}

/* tf.unstack(): part 0; the others are its ports. */
static cnnfi_kt unstack(cnnfi_kb *b, cnnfi_kt x)
{
    cnnfi_kt part;
    cnnf_node *node = cnnfi_kb_node_t(b, &part, "Unpack", "unstack", 1, &x);
    cnnfi_node_set_int(b->graph, node, "num", x.dims[0]);
    cnnfi_node_set_int(b->graph, node, "axis", 0);
    return cnnfi_kt_shaped(part, x.rank - 1, &x.dims[1]);
}

static cnnfi_kt stack(cnnfi_kb *b, size_t steps, const cnnfi_kt *outputs)
{
    cnnfi_kt y;
    int64_t dims[CNNFI_KERAS_MAX_RANK] = {(int64_t)steps};
    cnnf_node *node = cnnfi_kb_node_t(b, &y, "Pack", "stack", steps, outputs);
    cnnfi_node_set_int(b->graph, node, "N", (int64_t)steps);
    cnnfi_node_set_int(b->graph, node, "axis", 0);
    memcpy(&dims[1], outputs[0].dims, (size_t)outputs[0].rank * sizeof dims[0]);
    return cnnfi_kt_shaped(y, outputs[0].rank + 1, dims);
}

/* ---- masks ---- */

static cnnfi_kt tile(cnnfi_kb *b, cnnfi_kt x, cnnfi_kt multiples, const cnnfi_kt *like)
{
    cnnfi_kt out, inputs[2] = {x, multiples};
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "Tile", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tmultiples", CNNF_INT32);
    return cnnfi_kt_shaped(out, like->rank, like->dims);
}

/* tf.keras' _expand_mask(): the mask repeated along the dimensions from `fixed` on, which are known. */
static cnnfi_kt expand_mask(cnnfi_kb *b, cnnfi_kt mask, cnnfi_kt like, int32_t fixed)
{
    int32_t multiples[CNNFI_KERAS_MAX_RANK];
    while (mask.rank < like.rank && cnnfi_kb_ok(b))
        mask = cnnfi_kb_expand_dims(b, "ExpandDims", mask, -1);
    for (int32_t i = 0; i < like.rank; i++)
        multiples[i] = i < fixed ? 1 : (int32_t)like.dims[i];
    const char *saved = cnnfi_kb_push(b, "Tile");
    cnnfi_kt out = tile(b, mask, cnnfi_kb_ints(b, "multiples", (size_t)like.rank, multiples), &like);
    cnnfi_kb_pop(b, saved);
    return out;
}

/* multi-backend's get_matching_mask(): repeated by what the shape is at run time */
static cnnfi_kt matching_mask(cnnfi_kb *b, cnnfi_kt mask, cnnfi_kt like)
{
    while (mask.rank < like.rank && cnnfi_kb_ok(b))
        mask = cnnfi_kb_expand_dims(b, "ExpandDims", mask, -1);
    cnnfi_kt shape = cnnfi_kb_shape_of(b, "Shape", like);
    cnnfi_kt rest = cnnfi_kb_slice(b, "strided_slice", shape, 1, 0, false, true, false), out;
    const char *saved = cnnfi_kb_push(b, "concat");
    cnnfi_kt parts[3] = {cnnfi_kb_ints(b, "values_0", 1, (const int32_t[]){1}), rest, cnnfi_kb_int(b, "axis", 0)};
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "ConcatV2", "", 3, parts);
    cnnfi_node_set_int(b->graph, node, "N", 2);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_kb_pop(b, saved);
    (void)cnnfi_kb_push(b, "Tile");
    out = tile(b, mask, cnnfi_kt_shaped(out, 1, (const int64_t[]){like.rank}), &like);
    cnnfi_kb_pop(b, saved);
    return out;
}

static cnnfi_kt fit_mask(cnnfi_kb *b, cnnfi_kt mask, cnnfi_kt like)
{
    return b->tf ? expand_mask(b, mask, like, 1) : matching_mask(b, mask, like);
}

/* where(mask, fresh, held) for every state; tf.keras makes all masks first */
static void hold_states(cnnfi_rnn_run *run, cnnfi_kt mask, const cnnfi_kt *held)
{
    cnnfi_kb *b = run->b;
    size_t n = run->rnn->n_states;
    cnnfi_kt *fitted = cnnfi_builder_array(b->graph, n, sizeof *fitted);
    for (size_t i = 0; fitted && b->tf && i < n; i++)
        fitted[i] = fit_mask(b, mask, held[i]);
    for (size_t i = 0; fitted && i < n; i++) {
        if (!b->tf) fitted[i] = fit_mask(b, mask, run->state[i]);
        run->state[i] = cnnfi_kb_where(b, fitted[i], run->state[i], held[i]);
    }
}

/* The output of a step, or of the one before where it is masked; states stay as they were. */
static cnnfi_kt masked_step(cnnfi_rnn_run *run, cnnfi_kt x, cnnfi_kt mask, const cnnfi_kt *before)
{
    cnnfi_kb *b = run->b;
    size_t n = run->rnn->n_states;
    cnnfi_kt *held = cnnfi_builder_array(b->graph, n, sizeof *held), y, fitted, last;
    if (!held) return x;
    memcpy(held, run->state, n * sizeof *held);
    y = cnnfi_rnn_step(run->rnn, x, run->state);
    if (b->tf) fitted = fit_mask(b, mask, y);
    last = before ? *before : cnnfi_kb_unary(b, "ZerosLike", "zeros_like", y);
    if (!b->tf) fitted = fit_mask(b, mask, y);
    y = cnnfi_kb_where(b, fitted, y, last);
    hold_states(run, mask, held);
    return y;
}

static cnnfi_kt zero_where_masked(cnnfi_kb *b, cnnfi_kt y, cnnfi_kt mask, int32_t fixed)
{
    cnnfi_kt fitted = expand_mask(b, mask, y, fixed);
    return cnnfi_kb_where(b, fitted, y, cnnfi_kb_unary(b, "ZerosLike", "zeros_like", y));
}

static cnnfi_kt reversed(cnnfi_kb *b, cnnfi_kt x)
{
    const int32_t axis = 0;
    const char *saved = cnnfi_kb_push(b, "ReverseV2");
    cnnfi_kt out, inputs[2] = {x, cnnfi_kb_ints(b, "axis", 1, &axis)};
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "ReverseV2", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_kb_pop(b, saved);
    return out;
}

/* [steps, batch], in tf.keras [steps, batch, 1] */
static cnnfi_kt turned_mask(cnnfi_rnn_run *run)
{
    cnnfi_kb *b = run->b;
    cnnfi_kt mask = *run->mask;
    if (mask.dtype != CNNF_BOOL) mask = cnnfi_kb_cast(b, "Cast", mask, CNNF_BOOL);
    if (b->tf) mask = cnnfi_kb_expand_dims(b, "ExpandDims", mask, -1);
    if (!run->time_major) mask = swap_time(b, mask);
    return mask;
}

void cnnfi_rnn_unroll(cnnfi_rnn_run *run)
{
    cnnfi_kb *b = run->b;
    cnnfi_kt x = run->time_major ? run->x : swap_time(b, run->x), mask, masks, *outputs;
    size_t steps = (size_t)x.dims[0];
    outputs = cnnfi_builder_array(b->graph, steps, sizeof *outputs);
    if (!outputs || !cnnfi_kb_ok(b)) return;
    if (run->mask) mask = turned_mask(run);
    cnnfi_kt parts = unstack(b, x);
    if (run->mask) {
        mask.dims[0] = (int64_t)steps;
        masks = unstack(b, mask);
    }
    for (size_t t = 0; t < steps && cnnfi_kb_ok(b); t++) {
        int32_t at = (int32_t)(run->backwards ? steps - 1 - t : t);
        cnnfi_kt part = cnnfi_kb_port(b, &parts, at);
        outputs[t] = run->mask ? masked_step(run, part, cnnfi_kb_port(b, &masks, at), t ? &outputs[t - 1] : NULL)
                               : cnnfi_rnn_step(run->rnn, part, run->state);
    }
    if (!cnnfi_kb_ok(b)) return;
    run->last = outputs[steps - 1];
    run->all = stack(b, steps, outputs);
    if (run->mask && run->zero_output) {
        int32_t end = run->backwards ? 0 : (int32_t)steps - 1;
        run->last = zero_where_masked(b, run->last, cnnfi_kb_port(b, &masks, end), 1);
        /* the loop turns the mask with the steps, Keras' unrolled form forgets to */
        if (run->backwards && !run->written_out) mask = reversed(b, mask);
        run->all = zero_where_masked(b, run->all, mask, 2);
    }
    if (!run->time_major) run->all = swap_time(b, run->all);
}
