/* SPDX-License-Identifier: Apache-2.0 */
/* Padding, cropping and repeating of keras/layers/convolutional.py (tf.keras: layers/reshaping). */
#include <string.h>

#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

/* Spatial dimensions of a row: rank without batch and channels. */
static int32_t spatial(const cnnfi_layer_call *call)
{
    return call->inputs[0].rank - 2;
}

/* Their first dimension. Layers over one dimension are always channels_last. */
static int32_t first_axis(cnnfi_layer_call *call)
{
    return spatial(call) > 1 && cnnfi_layer_channels_first(call) ? 2 : 1;
}

/* 2; [2, 1]; [[1, 2], [0, 3]]; for one dimension [1, 2]; Keras 1's [top, bottom, left, right]. */
static void read_pairs(cnnfi_layer_call *call, const char *key, int32_t pairs[3][2])
{
    const cnnfi_json *value = cnnfi_json_get(call->config, key);
    int32_t n = spatial(call);
    size_t given = cnnfi_json_size(value);
    bool list = cnnfi_json_is_array(value), flat = list && given == 2 * (size_t)n;
    if (list && given != (size_t)n && !flat) cnnfi_layer_fail(call, CNNF_E_CORRUPT, "'%s' has %zu values", key, given);
    for (int32_t i = 0; i < n; i++) {
        const cnnfi_json *item = list && !flat ? cnnfi_json_at(value, (size_t)i) : value;
        for (int32_t k = 0; k < 2; k++) {
            const cnnfi_json *number = flat                        ? cnnfi_json_at(value, (size_t)(2 * i + k))
                                       : cnnfi_json_is_array(item) ? cnnfi_json_at(item, (size_t)k)
                                                                   : item;
            int64_t amount = cnnfi_json_int(number, value ? -1 : 1);
            if (amount < 0 || amount > INT32_MAX / 4) {
                cnnfi_layer_fail(call, CNNF_E_CORRUPT, "'%s' is no list of amounts", key);
                amount = 0;
            }
            pairs[i][k] = (int32_t)amount;
        }
    }
}

/* ---- ZeroPadding ---- */

static void zero_padding(cnnfi_layer_call *call)
{
    int32_t pairs[3][2] = {{0}}, all[CNNFI_KERAS_MAX_RANK][2] = {{0}};
    read_pairs(call, "padding", pairs);
    memcpy(all[first_axis(call)], pairs, (size_t)spatial(call) * sizeof pairs[0]);
    if (cnnfi_build_ok(call->b))
        cnnfi_layer_return(call, cnnfi_build_pad(call->b, "Pad", call->inputs[0], (const int32_t(*)[2])all));
}

/* ---- Cropping ---- */

static void cropping(cnnfi_layer_call *call)
{
    int32_t pairs[3][2] = {{0}}, first = first_axis(call);
    cnnfi_keras_index indices[CNNFI_KERAS_MAX_RANK] = {{.kind = CNNFI_KERAS_INDEX_RANGE}};
    cnnfi_keras_tensor y, x = call->inputs[0];
    read_pairs(call, "cropping", pairs);
    for (int32_t i = 0; i < spatial(call); i++) {
        indices[first + i] = (cnnfi_keras_index){
            .has_begin = true, .begin = pairs[i][0], .has_end = pairs[i][1] > 0, .end = -pairs[i][1]};
        if (x.dims[first + i] >= 0 && pairs[i][0] + pairs[i][1] >= x.dims[first + i])
            cnnfi_layer_fail(call, CNNF_E_MISMATCH, "nothing is left of dimension %d after cropping", first + i);
    }
    if (cnnfi_build_ok(call->b) && cnnfi_build_index(call->b, &y, x, (size_t)x.rank, indices))
        cnnfi_layer_return(call, y);
}

/* ---- UpSampling ---- */

/* K.repeat_elements() over a dimension that is not known: tile along a new one and merge the two */
static cnnfi_keras_tensor repeat_unknown(cnnfi_keras_builder *b, cnnfi_keras_tensor x, int32_t axis, int64_t times)
{
    int32_t reps[CNNFI_KERAS_MAX_RANK + 1];
    cnnfi_keras_tensor shape = cnnfi_build_shape_of(b, "Shape", x),
                       wide = cnnfi_build_expand_dims(b, "ExpandDims", x, axis + 1), tiled;
    for (int32_t i = 0; i <= x.rank; i++)
        reps[i] = i == axis + 1 ? (int32_t)times : 1;
    const char *saved = cnnfi_build_push(b, "Tile");
    cnnfi_keras_tensor inputs[2] = {wide, cnnfi_build_ints(b, "multiples", (size_t)x.rank + 1, reps)};
    cnnf_node *node = cnnfi_build_node_t(b, &tiled, "Tile", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tmultiples", CNNF_INT32);
    cnnfi_build_pop(b, saved);
    for (int32_t i = 0; i < x.rank; i++)
        reps[i] = i == axis ? (int32_t)times : 1;
    cnnfi_keras_tensor grown =
        cnnfi_build_binary(b, "Mul", "mul", shape, cnnfi_build_ints(b, "Const", (size_t)x.rank, reps));
    return cnnfi_build_reshape_by(b, "Reshape", tiled, grown, x.rank, x.dims);
}

/* K.repeat_elements(): np.repeat() by splitting into slices */
static cnnfi_keras_tensor repeat_elements(cnnfi_layer_call *call, cnnfi_keras_tensor x, int32_t axis, int64_t times)
{
    cnnfi_keras_builder *b = call->b;
    int64_t length = x.dims[axis];
    if (length < 0) return repeat_unknown(b, x, axis, times);
    if (length == 0 || times > 65536 / length) {
        cnnfi_layer_fail(call, CNNF_E_LIMIT, "repeating %lld slices %lld times makes too many inputs",
                         (long long)length, (long long)times);
        return x;
    }
    cnnfi_keras_tensor part = cnnfi_build_split(b, "split", x, axis, length);
    cnnfi_keras_tensor *parts = cnnfi_builder_array(b->graph, (size_t)(length * times), sizeof *parts);
    for (int64_t i = 0; parts && i < length * times; i++)
        parts[i] = cnnfi_build_port(b, &part, (int32_t)(i / times));
    if (!parts) return x;
    if (length * times > 1) return cnnfi_build_concat(b, "concat", (size_t)(length * times), parts, axis);
    const char *saved = cnnfi_build_push(b, "concat");
    cnnfi_build_reserve(b, "concat_dim");
    cnnfi_keras_tensor y = cnnfi_build_unary(b, "Identity", "", parts[0]);
    cnnfi_build_pop(b, saved);
    return y;
}

static void up_sampling_repeat(cnnfi_layer_call *call)
{
    int64_t size[3];
    cnnfi_keras_tensor x = call->inputs[0];
    cnnfi_layer_ints(call, "size", (size_t)spatial(call), size, 2, 1);
    int32_t first = first_axis(call);
    for (int32_t i = 0; i < spatial(call) && cnnfi_build_ok(call->b); i++)
        x = repeat_elements(call, x, first + i, size[i]);
    cnnfi_layer_return(call, x);
}

/* The new height and width as a tensor; known[] for the static shape. */
static cnnfi_keras_tensor new_size(cnnfi_layer_call *call, const int64_t size[2], int32_t first, int64_t known[2])
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = call->inputs[0], old;
    const int64_t *dims = x.dims + first;
    for (int32_t i = 0; i < 2; i++)
        if (dims[i] < 0 || !(__builtin_mul_overflow(dims[i], size[i], &known[i]) == 0 && known[i] <= INT32_MAX))
            known[i] = -1;
    if (b->tf && dims[0] >= 0 && dims[1] >= 0) {
        old = cnnfi_build_ints(b, "Const", 2, (const int32_t[]){(int32_t)dims[0], (int32_t)dims[1]});
    } else {
        old = cnnfi_build_slice(b, "strided_slice", cnnfi_build_shape_of(b, "Shape", x), first, first + 2, false, false,
                                false);
    }
    cnnfi_keras_tensor factor = cnnfi_build_ints(b, "Const", 2, (const int32_t[]){(int32_t)size[0], (int32_t)size[1]});
    return cnnfi_build_binary(b, "Mul", "mul", old, factor);
}

/* K.resize_images() */
static void up_sampling_2d(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    int64_t size[2], known[2];
    bool channels_first = cnnfi_layer_channels_first(call);
    const char *method = cnnfi_layer_string(call, "interpolation", "nearest"), *op = cnnfi_keras_resize_op(method);
    cnnfi_layer_ints(call, "size", 2, size, 2, 1);
    if (!op) cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "interpolation '%s' is not supported", method);
    if (!cnnfi_build_ok(b)) return;
    cnnfi_keras_tensor target = new_size(call, size, channels_first ? 2 : 1, known), x = call->inputs[0];
    if (channels_first) x = cnnfi_keras_to_last(b, x);
    const char *saved = b->scope;
    if (b->tf) (void)cnnfi_build_push(b, "resize");
    x = cnnfi_build_resize(b, op, op, x, target, false, b->tf, known);
    cnnfi_build_pop(b, saved);
    if (channels_first) x = cnnfi_keras_to_first(b, x);
    cnnfi_layer_return(call, x);
}

#define ROW(class, fields, rank, call)                                                                                 \
    {                                                                                                                  \
        class, fields, "", CNNFI_KERAS_VERIFIED, rank, rank, 1, 1, NULL, call, NULL                                    \
    }

static const cnnfi_keras_row rows[] = {
    ROW("Cropping1D", "cropping", 3, cropping),
    ROW("Cropping2D", "cropping data_format", 4, cropping),
    ROW("Cropping3D", "cropping data_format", 5, cropping),
    ROW("UpSampling1D", "size", 3, up_sampling_repeat),
    ROW("UpSampling2D", "size interpolation data_format", 4, up_sampling_2d),
    ROW("UpSampling3D", "size data_format", 5, up_sampling_repeat),
    ROW("ZeroPadding1D", "padding", 3, zero_padding),
    ROW("ZeroPadding2D", "padding data_format", 4, zero_padding),
    ROW("ZeroPadding3D", "padding data_format", 5, zero_padding),
};

const cnnfi_keras_family cnnfi_keras_reshaping = {"Padding and resizing", rows, sizeof rows / sizeof rows[0]};
