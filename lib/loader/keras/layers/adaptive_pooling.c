/* SPDX-License-Identifier: Apache-2.0 */
/* Keras 3's adaptive pooling: windows from floor(i n / m) to ceil((i + 1) n / m), one dimension after the other. */
#include "graph/builder.h"
#include "loader/keras/layers/layers.h"

/* More pieces than anybody pools to. */
#define MAX_PIECES 1024

/* x[..., from:to, ...] along an axis, reduced to one. */
static cnnfi_keras_tensor piece(cnnfi_keras_builder *b, const char *op, cnnfi_keras_tensor x, int32_t axis,
                                int64_t from, int64_t to)
{
    cnnfi_keras_index indices[CNNFI_KERAS_MAX_RANK] = {{.kind = CNNFI_KERAS_INDEX_RANGE}};
    cnnfi_keras_tensor part;
    indices[axis] = (cnnfi_keras_index){.has_begin = true, .begin = from, .has_end = true, .end = to};
    if (!cnnfi_build_index(b, &part, x, (size_t)axis + 1, indices)) return x;
    return cnnfi_build_reduce(b, op, op, part, 1, &axis, true);
}

static cnnfi_keras_tensor pool_axis(cnnfi_layer_call *call, const char *op, cnnfi_keras_tensor x, int32_t axis,
                                    int64_t m)
{
    const int64_t n = x.dims[axis];
    if (n == m) return x;
    cnnfi_keras_tensor *parts = cnnfi_builder_array(call->b->graph, (size_t)m, sizeof *parts);
    for (int64_t i = 0; parts && i < m && cnnfi_build_ok(call->b); i++)
        parts[i] = piece(call->b, op, x, axis, i * n / m, ((i + 1) * n + m - 1) / m);
    if (!parts || !cnnfi_build_ok(call->b)) return x;
    return m == 1 ? parts[0] : cnnfi_build_concat(call->b, "concat", (size_t)m, parts, axis);
}

static void adaptive(cnnfi_layer_call *call, const char *op)
{
    cnnfi_keras_tensor x = call->inputs[0];
    const int32_t n = x.rank - 2, first = cnnfi_layer_channels_first(call) ? 2 : 1;
    int64_t size[3];
    cnnfi_layer_ints(call, "output_size", (size_t)n, size, 0, 1);
    for (int32_t i = 0; i < n && cnnfi_build_ok(call->b); i++) {
        if (size[i] < 1 || size[i] > MAX_PIECES)
            cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "'output_size' is no number from 1 to %d", MAX_PIECES);
        else if (x.dims[first + i] < 1)
            cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "the size of its input must be known");
        else
            x = pool_axis(call, op, x, first + i, size[i]);
    }
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return(call, x);
}

static void average(cnnfi_layer_call *call)
{
    adaptive(call, "Mean");
}

static void largest(cnnfi_layer_call *call)
{
    adaptive(call, "Max");
}

#define ROW(class, rank, call)                                                                                         \
    {                                                                                                                  \
        class, "output_size data_format", "", "3", rank, rank, 1, 1, NULL, call, NULL                                  \
    }

static const cnnfi_keras_row rows[] = {
    ROW("AdaptiveAveragePooling1D", 3, average), ROW("AdaptiveAveragePooling2D", 4, average),
    ROW("AdaptiveAveragePooling3D", 5, average), ROW("AdaptiveMaxPooling1D", 3, largest),
    ROW("AdaptiveMaxPooling2D", 4, largest),     ROW("AdaptiveMaxPooling3D", 5, largest),
};

const cnnfi_keras_family cnnfi_keras_adaptive_pooling = {"Adaptive pooling", rows, sizeof rows / sizeof rows[0]};
