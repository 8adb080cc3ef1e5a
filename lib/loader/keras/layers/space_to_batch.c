/* SPDX-License-Identifier: Apache-2.0 */
/* Dilation by SpaceToBatchND and BatchToSpaceND: tf.nn.with_space_to_batch(). */
#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

/* Channels first: the channels are a dimension that is left alone. */
typedef struct pads {
    int32_t n, paddings[4][2], crops[4][2], rate[4];
} pads;

/* required_space_to_batch_paddings() for a size that is known */
static pads pads_of(const cnnfi_keras_space *s, const cnnfi_keras_tensor *x)
{
    int32_t skip = s->at - 1;
    pads p = {.n = s->n + skip, .rate = {1, 1, 1, 1}};
    for (int32_t i = 0; i < s->n; i++) {
        int64_t reach = s->same ? (s->kernel[i] - 1) * s->rate[i] : 0, length = x->dims[s->at + i];
        int64_t start = reach / 2, rest = (length + reach) % s->rate[i];
        int64_t extra = rest ? s->rate[i] - rest : 0;
        p.rate[skip + i] = (int32_t)s->rate[i];
        p.paddings[skip + i][0] = (int32_t)start;
        p.paddings[skip + i][1] = (int32_t)(reach - start + extra);
        p.crops[skip + i][1] = (int32_t)extra;
    }
    return p;
}

static bool size_known(const cnnfi_keras_space *s, const cnnfi_keras_tensor *x)
{
    for (int32_t i = 0; i < s->n; i++) {
        if (x->dims[s->at + i] < 0) return false;
    }
    return !x->open_size;
}

/* One of the two ops; `amounts` a constant where the size is known, else the tensor that computes it. */
static cnnfi_keras_tensor rearrange(cnnfi_keras_builder *b, const pads *p, const char *op, cnnfi_keras_tensor x,
                                    const int32_t (*amounts)[2], const cnnfi_keras_tensor *computed)
{
    bool in = op[0] == 'S';
    const char *saved = cnnfi_build_push(b, op);
    cnnfi_keras_tensor y, inputs[3] = {x, cnnfi_build_ints(b, "block_shape", (size_t)p->n, p->rate)};
    inputs[2] = computed ? *computed : cnnfi_build_pairs(b, in ? "paddings" : "crops", (size_t)p->n, amounts);
    cnnf_node *node = cnnfi_build_node_t(b, &y, op, "", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Tblock_shape", CNNF_INT32);
    cnnfi_node_set_type(b->graph, node, in ? "Tpaddings" : "Tcrops", CNNF_INT32);
    cnnfi_build_pop(b, saved);
    return y;
}

cnnfi_keras_tensor cnnfi_keras_space_to_batch(cnnfi_layer_call *call, cnnfi_keras_space *s, cnnfi_keras_tensor x)
{
    cnnfi_keras_builder *b = call->b;
    int32_t skip = s->at - 1;
    pads p = pads_of(s, &x);
    s->dynamic = !size_known(s, &x);
    if (s->dynamic && skip > 0) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "dilation with channels first needs an input of known size");
    }
    if (s->dynamic) cnnfi_keras_space_dynamic(b, s, x);
    cnnfi_keras_tensor y =
        rearrange(b, &p, "SpaceToBatchND", x, (const int32_t(*)[2])p.paddings, s->dynamic ? &s->paddings : NULL);
    for (int32_t i = 0; i < s->n; i++) {
        int64_t padded = x.dims[s->at + i] + p.paddings[skip + i][0] + p.paddings[skip + i][1];
        y.dims[s->at + i] = x.dims[s->at + i] < 0 ? -1 : padded / s->rate[i];
    }
    y.dims[0] = -1;
    return y;
}

cnnfi_keras_tensor cnnfi_keras_batch_to_space(cnnfi_layer_call *call, const cnnfi_keras_space *s, cnnfi_keras_tensor y,
                                              cnnfi_keras_tensor x)
{
    int32_t skip = s->at - 1;
    pads p = pads_of(s, &x);
    cnnfi_keras_tensor out =
        rearrange(call->b, &p, "BatchToSpaceND", y, (const int32_t(*)[2])p.crops, s->dynamic ? &s->crops : NULL);
    for (int32_t i = 0; i < s->n; i++) {
        if (y.dims[s->at + i] >= 0) out.dims[s->at + i] = y.dims[s->at + i] * s->rate[i] - p.crops[skip + i][1];
    }
    out.dims[0] = x.dims[0];
    return out;
}
