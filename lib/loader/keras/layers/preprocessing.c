/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/preprocessing at inference, and the small layers that keras.applications define for themselves. */
#include <string.h>

#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

/* ---- Rescaling ---- */

/* tf.cast(number, float32): a float is that already, an int becomes a Const and a Cast */
static cnnfi_keras_tensor cast_constant(cnnfi_layer_call *call, const cnnfi_json *value)
{
    cnnfi_keras_builder *b = call->b;
    const char *saved = cnnfi_build_push(b, "Cast");
    cnnfi_keras_tensor x = cnnfi_layer_constant(call, "x", value, 0);
    if (x.dtype != call->inputs[0].dtype && cnnfi_build_ok(b)) x = cnnfi_build_cast(b, "", x, call->inputs[0].dtype);
    cnnfi_build_pop(b, saved);
    return x;
}

static void rescaling(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    const cnnfi_json *offset_value = cnnfi_json_get(call->config, "offset");
    cnnfi_keras_tensor x = call->inputs[0];
    if (x.dtype != CNNF_FLOAT && x.dtype != CNNF_DOUBLE && x.dtype != CNNF_HALF)
        x = cnnfi_build_cast(b, "Cast", x, CNNF_FLOAT);
    call->inputs = &x;
    cnnfi_keras_tensor scale = cast_constant(call, cnnfi_json_get(call->config, "scale"));
    cnnfi_keras_tensor offset =
        offset_value ? cast_constant(call, offset_value) : cnnfi_build_scalar(b, "Cast_1/x", x.dtype, 0);
    if (cnnfi_build_ok(b))
        cnnfi_layer_return_masked3(
            call, cnnfi_build_binary(b, "AddV2", "add", cnnfi_build_binary(b, "Mul", "mul", x, scale), offset));
}

/* ---- Normalization ---- */

/* The dimensions whose elements have their own mean: `keep` in the input, their sizes in `dims`. */
typedef struct kept {
    bool keep[CNNFI_KERAS_MAX_RANK];
    int32_t rank;
    int64_t dims[CNNFI_KERAS_MAX_RANK], broadcast[CNNFI_KERAS_MAX_RANK];
} kept;

static kept kept_axes(cnnfi_layer_call *call)
{
    kept k = {.rank = 0};
    const cnnfi_keras_tensor *x = &call->inputs[0];
    int64_t axes[CNNFI_KERAS_MAX_RANK];
    const cnnfi_json *axis = cnnfi_json_get(call->config, "axis");
    int32_t n = cnnfi_json_is_null(axis) ? 0 : axis ? cnnfi_json_integers(axis, axes, CNNFI_KERAS_MAX_RANK) : 1;
    if (!axis) axes[0] = -1;
    if (n < 0) cnnfi_layer_fail(call, CNNF_E_CORRUPT, "'axis' is no list of axes");
    for (int32_t i = 0; i < n; i++)
        k.keep[cnnfi_layer_axis(call, axes[i], x->rank)] = true;
    for (int32_t i = 0; i < x->rank; i++) {
        k.broadcast[i] = k.keep[i] ? x->dims[i] : 1;
        if (k.keep[i]) k.dims[k.rank++] = x->dims[i];
    }
    return k;
}

static bool given(const cnnfi_layer_call *call)
{
    const cnnfi_json *mean = cnnfi_json_get(call->config, "mean");
    return mean && !cnnfi_json_is_null(mean);
}

static void normalization_build(cnnfi_layer_call *call)
{
    if (given(call)) return;
    kept k = kept_axes(call);
    (void)cnnfi_layer_weight(call, "mean", k.rank, k.dims, CNNFI_KERAS_INIT_ZEROS, false);
    (void)cnnfi_layer_weight(call, "variance", k.rank, k.dims, CNNFI_KERAS_INIT_ONES, false);
    if (call->state->used_weights < call->layer->n_weights)
        (void)cnnfi_layer_weight(call, "count", 0, NULL, CNNFI_KERAS_INIT_ZEROS, false);
}

/* numpy's value * ones(shape), reshaped: a double constant until it is cast */
static cnnfi_keras_tensor given_statistic(cnnfi_layer_call *call, const char *key, const kept *k)
{
    cnnfi_keras_builder *b = call->b;
    const char *saved = cnnfi_build_push(b, "Reshape");
    cnnfi_keras_tensor tensor = cnnfi_layer_constant(call, "tensor", cnnfi_json_get(call->config, key), CNNF_DOUBLE),
                       out;
    int32_t shape[CNNFI_KERAS_MAX_RANK];
    int64_t count = 1;
    for (int32_t i = 0; i < call->inputs[0].rank; i++) {
        shape[i] = (int32_t)k->broadcast[i];
        if (__builtin_mul_overflow(count, k->broadcast[i], &count)) count = -1;
    }
    int64_t have = 1;
    for (int32_t i = 0; i < tensor.rank; i++)
        have *= tensor.dims[i]; /* a constant's elements are few */
    if (have != count) cnnfi_layer_fail(call, CNNF_E_MISMATCH, "'%s' does not fit the input", key);
    cnnfi_keras_tensor inputs[2] = {tensor, cnnfi_build_ints(b, "shape", (size_t)call->inputs[0].rank, shape)};
    cnnf_node *node = cnnfi_build_node_t(b, &out, "Reshape", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tshape", CNNF_INT32);
    cnnfi_build_pop(b, saved);
    return cnnfi_keras_tensor_shaped(out, call->inputs[0].rank, k->broadcast);
}

static void normalization(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    kept k = kept_axes(call);
    cnnfi_keras_tensor x = call->inputs[0], mean, variance;
    if (!cnnfi_build_ok(b)) return;
    if (given(call)) {
        mean = given_statistic(call, "mean", &k);
        variance = given_statistic(call, "variance", &k);
        mean = cnnfi_build_cast(b, "Cast", mean, CNNF_FLOAT);
        variance = cnnfi_build_cast(b, "Cast", variance, CNNF_FLOAT);
    } else {
        mean = cnnfi_build_reshape(b, "Reshape", cnnfi_layer_variable(call, 0), x.rank, k.broadcast);
        variance = cnnfi_build_reshape(b, "Reshape", cnnfi_layer_variable(call, 1), x.rank, k.broadcast);
    }
    if (x.dtype != CNNF_FLOAT) x = cnnfi_build_cast(b, "Cast", x, CNNF_FLOAT);
    bool invert = cnnfi_layer_bool(call, "invert", false);
    cnnfi_keras_tensor moved = invert ? x : cnnfi_build_binary(b, "Sub", "sub", x, mean);
    cnnfi_keras_tensor deviation =
        cnnfi_build_binary_const(b, "Maximum", "Maximum", cnnfi_build_unary(b, "Sqrt", "Sqrt", variance), 1e-7);
    if (invert)
        cnnfi_layer_return_masked3(
            call, cnnfi_build_binary(b, "AddV2", "add", mean, cnnfi_build_binary(b, "Mul", "mul", x, deviation)));
    else
        cnnfi_layer_return_masked3(call, cnnfi_build_binary(b, "RealDiv", "truediv", moved, deviation));
}

/* ---- Resizing, CenterCrop, RandomCrop ---- */

typedef struct box {
    int64_t height, width;            /* wanted */
    int64_t top, left, rows, columns; /* of the input */
} box;

/* The sizes must be known: then Keras' run-time arithmetic has one result. */
static bool read_box(cnnfi_layer_call *call, box *out)
{
    const cnnfi_keras_tensor *x = &call->inputs[0];
    *out = (box){.height = cnnfi_layer_positive(call, "height"),
                 .width = cnnfi_layer_positive(call, "width"),
                 .rows = x->dims[1],
                 .columns = x->dims[2]};
    if (cnnfi_layer_channels_first(call))
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "data_format channels_first is not supported");
    return cnnfi_build_ok(call->b);
}

static bool known(cnnfi_layer_call *call, const box *at)
{
    if (at->rows > 0 && at->columns > 0) return true;
    cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "height and width of the input must be known");
    return false;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* utils.smart_resize(): the largest box of the wanted aspect in the middle */
static void aspect_box(box *at)
{
    int64_t rows = smaller(at->rows, (int64_t)((float)(at->columns * at->height) / (float)at->width));
    int64_t columns = smaller(at->columns, (int64_t)((float)(at->rows * at->width) / (float)at->height));
    at->top = (at->rows - rows) / 2;
    at->left = (at->columns - columns) / 2;
    at->rows = rows > 0 ? rows : 1;
    at->columns = columns > 0 ? columns : 1;
}

static cnnfi_keras_tensor cut(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x, const box *at)
{
    const int32_t begin[4] = {0, (int32_t)at->top, (int32_t)at->left, 0};
    const int32_t size[4] = {-1, (int32_t)at->rows, (int32_t)at->columns, -1};
    cnnfi_keras_tensor out,
        inputs[3] = {x, cnnfi_build_ints(b, "stack", 4, begin), cnnfi_build_ints(b, "stack", 4, size)};
    cnnf_node *node = cnnfi_build_node_t(b, &out, "Slice", name, 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Index", CNNF_INT32);
    out.dims[1] = at->rows;
    out.dims[2] = at->columns;
    return out;
}

static cnnfi_keras_tensor resized(cnnfi_layer_call *call, cnnfi_keras_tensor x, const box *at, const char *method)
{
    cnnfi_keras_builder *b = call->b;
    const char *op = cnnfi_keras_resize_op(method);
    if (!op) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "interpolation '%s' is not supported", method);
        return x;
    }
    const char *saved = cnnfi_build_push(b, "resize");
    cnnfi_keras_tensor size =
        cnnfi_build_ints(b, "size", 2, (const int32_t[]){(int32_t)at->height, (int32_t)at->width});
    x = cnnfi_build_resize(b, op, op, x, size, false, true, (const int64_t[]){at->height, at->width});
    cnnfi_build_pop(b, saved);
    return x;
}

/* int(float(length * wanted) / other) as ops */
static cnnfi_keras_tensor scaled_length(cnnfi_keras_builder *b, cnnfi_keras_tensor length, int64_t wanted,
                                        int64_t other)
{
    cnnfi_keras_tensor product =
        cnnfi_build_cast(b, "Cast", cnnfi_build_binary_const(b, "Mul", "mul", length, (double)wanted), CNNF_FLOAT);
    return cnnfi_build_cast(b, "Cast", cnnfi_build_binary_const(b, "RealDiv", "truediv", product, (double)other),
                            CNNF_INT32);
}

/* Where a part of `length` begins in the middle of `whole`. */
static cnnfi_keras_tensor middle(cnnfi_keras_builder *b, cnnfi_keras_tensor whole, cnnfi_keras_tensor length)
{
    cnnfi_keras_tensor rest =
        cnnfi_build_cast(b, "Cast", cnnfi_build_binary(b, "Sub", "sub", whole, length), CNNF_FLOAT);
    return cnnfi_build_cast(b, "Cast", cnnfi_build_binary_const(b, "RealDiv", "truediv", rest, 2), CNNF_INT32);
}

/* utils.image_utils.smart_resize(): the box is computed from the shape when the graph runs */
static cnnfi_keras_tensor crop_to_aspect(cnnfi_keras_builder *b, cnnfi_keras_tensor x, const box *at)
{
    cnnfi_keras_tensor shape = cnnfi_build_shape_of(b, "Shape", x), out;
    cnnfi_keras_tensor height = cnnfi_build_slice(b, "strided_slice", shape, -3, -2, false, false, true);
    cnnfi_keras_tensor width = cnnfi_build_slice(b, "strided_slice", shape, -2, -1, false, false, true);
    cnnfi_keras_tensor rows = scaled_length(b, width, at->height, at->width),
                       columns = scaled_length(b, height, at->width, at->height);
    rows = cnnfi_build_binary(b, "Minimum", "Minimum", height, rows);
    columns = cnnfi_build_binary(b, "Minimum", "Minimum", width, columns);
    cnnfi_keras_tensor top = middle(b, height, rows), left = middle(b, width, columns);
    const cnnfi_keras_dim begin[4] = {cnnfi_keras_dim_of(0), cnnfi_keras_dim_tensor(top), cnnfi_keras_dim_tensor(left),
                                      cnnfi_keras_dim_of(0)};
    const cnnfi_keras_dim size[4] = {cnnfi_keras_dim_of(-1), cnnfi_keras_dim_tensor(rows),
                                     cnnfi_keras_dim_tensor(columns), cnnfi_keras_dim_of(-1)};
    cnnfi_keras_tensor from = cnnfi_build_autopack(b, "stack", 4, begin),
                       lengths = cnnfi_build_autopack(b, "stack", 4, size);
    cnnfi_keras_tensor inputs[3] = {x, from, lengths};
    cnnf_node *node = cnnfi_build_node_t(b, &out, "Slice", "Slice", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Index", CNNF_INT32);
    out.dims[1] = out.dims[2] = -1;
    return out;
}

static void resizing(cnnfi_layer_call *call)
{
    box at;
    cnnfi_keras_tensor x = call->inputs[0];
    if (!read_box(call, &at)) return;
    if (cnnfi_layer_bool(call, "pad_to_aspect_ratio", false) || cnnfi_layer_bool(call, "antialias", false)) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "pad_to_aspect_ratio and antialias are not supported");
        return;
    }
    if (cnnfi_layer_bool(call, "crop_to_aspect_ratio", false)) x = crop_to_aspect(call->b, x, &at);
    cnnfi_layer_return(call, resized(call, x, &at, cnnfi_layer_string(call, "interpolation", "bilinear")));
}

/* tf.cond(fits, crop, smart_resize) whose outcome is known: the branch taken, under the cond's name */
static void crop_or_resize(cnnfi_layer_call *call, bool may_crop)
{
    cnnfi_keras_builder *b = call->b;
    box at;
    cnnfi_keras_tensor x = call->inputs[0];
    if (!read_box(call, &at) || !known(call, &at)) return;
    const char *saved = cnnfi_build_push(b, "cond");
    if (may_crop && at.rows >= at.height && at.columns >= at.width) {
        at.top = (at.rows - at.height) / 2;
        at.left = (at.columns - at.width) / 2;
        at.rows = at.height;
        at.columns = at.width;
        x = cut(b, "Merge", x, &at);
    } else {
        aspect_box(&at);
        x = cnnfi_build_unary(b, "Identity", "Merge", resized(call, cut(b, "Slice", x, &at), &at, "bilinear"));
    }
    cnnfi_build_pop(b, saved);
    cnnfi_layer_return(call, x);
}

static void center_crop(cnnfi_layer_call *call)
{
    crop_or_resize(call, true);
}

static void random_crop(cnnfi_layer_call *call)
{
    crop_or_resize(call, false);
}

/* ---- what does nothing at inference ---- */

static void identity(cnnfi_layer_call *call)
{
    cnnfi_layer_return(call, call->inputs[0]);
}

/* ---- keras.applications.convnext.LayerScale ---- */

static void layer_scale_build(cnnfi_layer_call *call)
{
    int64_t channels = call->inputs[0].dims[call->inputs[0].rank - 1];
    (void)cnnfi_layer_weight(call, "gamma", 1, &channels, CNNFI_KERAS_INIT_ONES, true);
}

static void layer_scale(cnnfi_layer_call *call)
{
    cnnfi_layer_return(call, cnnfi_build_binary(call->b, "Mul", "mul", call->inputs[0], cnnfi_layer_variable(call, 0)));
}

/* ---- refused by name ---- */

static void refuse_lookup(cnnfi_layer_call *call)
{
    cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED,
                     "encoding of categories, text and audio is not supported; feed the network with encoded data "
                     "and leave the layer out");
}

#define RANDOM(class)                                                                                                  \
    {                                                                                                                  \
        class, "", "", CNNFI_KERAS_VERIFIED, 1, 8, 1, 1, NULL, identity, NULL                                          \
    }
#define REFUSED(class)                                                                                                 \
    {                                                                                                                  \
        class, "", "", "", 0, 8, 0, 65536, refuse_lookup, refuse_lookup, NULL                                          \
    }

static const cnnfi_keras_row rows[] = {
    {"CenterCrop", "height width", "", "tf.keras 2.15, 3", 4, 4, 1, 1, NULL, center_crop, NULL},
    REFUSED("HashedCrossing"),
    REFUSED("Hashing"),
    {"LayerScale", "", "gamma", "3", 2, 8, 1, 1, layer_scale_build, layer_scale, NULL},
    REFUSED("MelSpectrogram"),
    {"Normalization", "axis mean variance invert", "mean variance count", "tf.keras 2.15, 3", 1, 8, 1, 1,
     normalization_build, normalization, NULL},
    RANDOM("RandomBrightness"),
    RANDOM("RandomColorDegeneration"),
    RANDOM("RandomColorJitter"),
    RANDOM("RandomContrast"),
    {"RandomCrop", "height width", "", "tf.keras 2.15, 3", 4, 4, 1, 1, NULL, random_crop, NULL},
    RANDOM("RandomErasing"),
    RANDOM("RandomFlip"),
    RANDOM("RandomGaussianBlur"),
    RANDOM("RandomGrayscale"),
    {"RandomHeight", "", "", "", 4, 4, 1, 1, NULL, identity, NULL},
    RANDOM("RandomHue"),
    RANDOM("RandomInvert"),
    RANDOM("RandomPerspective"),
    RANDOM("RandomPosterization"),
    RANDOM("RandomRotation"),
    RANDOM("RandomSaturation"),
    RANDOM("RandomSharpness"),
    RANDOM("RandomShear"),
    RANDOM("RandomTranslation"),
    {"RandomWidth", "", "", "", 4, 4, 1, 1, NULL, identity, NULL},
    RANDOM("RandomZoom"),
    {"Rescaling", "scale offset", "", "tf.keras 2.15, 3", 1, 8, 1, 1, NULL, rescaling, NULL},
    {"Resizing", "height width interpolation crop_to_aspect_ratio", "", "tf.keras 2.15, 3", 4, 4, 1, 1, NULL, resizing,
     NULL},
    RANDOM("StochasticDepth"),
    REFUSED("StringLookup"),
    REFUSED("STFTSpectrogram"),
    REFUSED("TextVectorization"),
};

const cnnfi_keras_family cnnfi_keras_preprocessing = {"Preprocessing", rows, sizeof rows / sizeof rows[0]};
