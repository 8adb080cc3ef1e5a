/* SPDX-License-Identifier: Apache-2.0 */
/* K.rnn(unroll=True): every step of a known number of them as nodes of its own. */
#include <string.h>

#include "graph/builder.h"
#include "loader/keras/layers/rnn_cells.h"

/* tf.unstack(): part 0; the others are its ports. */
static cnnfi_keras_tensor unstack(cnnfi_keras_builder *b, cnnfi_keras_tensor x)
{
    cnnfi_keras_tensor part;
    cnnf_node *node = cnnfi_build_node_t(b, &part, "Unpack", "unstack", 1, &x);
    cnnfi_node_set_int(b->graph, node, "num", x.dims[0]);
    cnnfi_node_set_int(b->graph, node, "axis", 0);
    return cnnfi_keras_tensor_shaped(part, x.rank - 1, &x.dims[1]);
}

static cnnfi_keras_tensor stack(cnnfi_keras_builder *b, size_t steps, const cnnfi_keras_tensor *outputs)
{
    cnnfi_keras_tensor y;
    int64_t dims[CNNFI_KERAS_MAX_RANK] = {(int64_t)steps};
    cnnf_node *node = cnnfi_build_node_t(b, &y, "Pack", "stack", steps, outputs);
    cnnfi_node_set_int(b->graph, node, "N", (int64_t)steps);
    cnnfi_node_set_int(b->graph, node, "axis", 0);
    memcpy(&dims[1], outputs[0].dims, (size_t)outputs[0].rank * sizeof dims[0]);
    return cnnfi_keras_tensor_shaped(y, outputs[0].rank + 1, dims);
}

/* ---- masks ---- */

/* The output of a step, or of the one before where it is masked; states stay as they were. */
static cnnfi_keras_tensor masked_step(cnnfi_rnn_run *run, cnnfi_keras_tensor x, cnnfi_keras_tensor mask,
                                      const cnnfi_keras_tensor *before)
{
    cnnfi_keras_builder *b = run->b;
    size_t n = run->rnn->n_states;
    cnnfi_keras_tensor *held = cnnfi_builder_array(b->graph, n, sizeof *held), y, fitted, last;
    if (!held) return x;
    memcpy(held, run->state, n * sizeof *held);
    y = cnnfi_rnn_step(run->rnn, x, run->state);
    if (b->tf) fitted = cnnfi_rnn_fit_mask(b, mask, y, 1);
    last = before ? *before : cnnfi_build_unary(b, "ZerosLike", "zeros_like", y);
    if (!b->tf) fitted = cnnfi_rnn_fit_mask(b, mask, y, 1);
    y = cnnfi_build_where(b, fitted, y, last);
    cnnfi_rnn_hold_states(run, mask, held, 1);
    return y;
}

static cnnfi_keras_tensor zero_where_masked(cnnfi_keras_builder *b, cnnfi_keras_tensor y, cnnfi_keras_tensor mask,
                                            int32_t fixed)
{
    cnnfi_keras_tensor fitted = cnnfi_rnn_fit_mask(b, mask, y, fixed);
    return cnnfi_build_where(b, fitted, y, cnnfi_build_unary(b, "ZerosLike", "zeros_like", y));
}

void cnnfi_rnn_unroll(cnnfi_rnn_run *run)
{
    cnnfi_keras_builder *b = run->b;
    cnnfi_keras_tensor x = run->time_major ? run->x : cnnfi_rnn_swap_time(b, run->x), mask, masks, *outputs;
    size_t steps = (size_t)x.dims[0];
    outputs = cnnfi_builder_array(b->graph, steps, sizeof *outputs);
    if (!outputs || !cnnfi_build_ok(b)) return;
    if (run->mask) mask = cnnfi_rnn_turned_mask(run);
    cnnfi_keras_tensor parts = unstack(b, x);
    if (run->mask) {
        mask.dims[0] = (int64_t)steps;
        masks = unstack(b, mask);
    }
    for (size_t t = 0; t < steps && cnnfi_build_ok(b); t++) {
        int32_t at = (int32_t)(run->backwards ? steps - 1 - t : t);
        cnnfi_keras_tensor part = cnnfi_build_port(b, &parts, at);
        outputs[t] = run->mask ? masked_step(run, part, cnnfi_build_port(b, &masks, at), t ? &outputs[t - 1] : NULL)
                               : cnnfi_rnn_step(run->rnn, part, run->state);
    }
    if (!cnnfi_build_ok(b)) return;
    run->last = outputs[steps - 1];
    run->all = stack(b, steps, outputs);
    if (run->mask && run->zero_output) {
        int32_t end = run->backwards ? 0 : (int32_t)steps - 1;
        run->last = zero_where_masked(b, run->last, cnnfi_build_port(b, &masks, end), 1);
        /* the loop turns the mask with the steps, Keras' unrolled form forgets to */
        if (run->backwards && !run->written_out) mask = cnnfi_build_reverse(b, mask, 0);
        run->all = zero_where_masked(b, run->all, mask, 2);
    }
    if (!run->time_major) run->all = cnnfi_rnn_swap_time(b, run->all);
}
