/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/preprocessing at inference, and the small layers that keras.applications define for themselves. */
#include <string.h>

#include "loader/keras/layers/layers.h"
#include "graph/builder.h"

/* ---- Rescaling ---- */

/* tf.cast(number, float32): a float is that already, an int becomes a Const and a Cast */
static cnnfi_kt cast_constant(cnnfi_kc *kc, const cnnfi_json *value)
{
    cnnfi_kb *b = kc->b;
    const char *saved = cnnfi_kb_push(b, "Cast");
    cnnfi_kt x = cnnfi_kc_constant(kc, "x", value, 0);
    if (x.dtype != kc->inputs[0].dtype && cnnfi_kb_ok(b)) x = cnnfi_kb_cast(b, "", x, kc->inputs[0].dtype);
    cnnfi_kb_pop(b, saved);
    return x;
}

static void rescaling(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    const cnnfi_json *offset_value = cnnfi_json_get(kc->config, "offset");
    cnnfi_kt x = kc->inputs[0];
    if (x.dtype != CNNF_FLOAT && x.dtype != CNNF_DOUBLE && x.dtype != CNNF_HALF)
        x = cnnfi_kb_cast(b, "Cast", x, CNNF_FLOAT);
    kc->inputs = &x;
    cnnfi_kt scale = cast_constant(kc, cnnfi_json_get(kc->config, "scale"));
    cnnfi_kt offset = offset_value ? cast_constant(kc, offset_value) : cnnfi_kb_scalar(b, "Cast_1/x", x.dtype, 0);
    if (cnnfi_kb_ok(b))
        cnnfi_kc_return_masked3(kc,
                                cnnfi_kb_binary(b, "AddV2", "add", cnnfi_kb_binary(b, "Mul", "mul", x, scale), offset));
}

/* ---- Normalization ---- */

/* The dimensions whose elements have their own mean: `keep` in the input, their sizes in `dims`. */
typedef struct kept {
    bool keep[CNNFI_KERAS_MAX_RANK];
    int32_t rank;
    int64_t dims[CNNFI_KERAS_MAX_RANK], broadcast[CNNFI_KERAS_MAX_RANK];
} kept;

static kept kept_axes(cnnfi_kc *kc)
{
    kept k = {.rank = 0};
    const cnnfi_kt *x = &kc->inputs[0];
    int64_t axes[CNNFI_KERAS_MAX_RANK];
    const cnnfi_json *axis = cnnfi_json_get(kc->config, "axis");
    int32_t n = cnnfi_json_is_null(axis) ? 0 : axis ? cnnfi_json_integers(axis, axes, CNNFI_KERAS_MAX_RANK) : 1;
    if (!axis) axes[0] = -1;
    if (n < 0) cnnfi_kc_fail(kc, CNNF_E_CORRUPT, "'axis' is no list of axes");
    for (int32_t i = 0; i < n; i++)
        k.keep[cnnfi_kc_axis(kc, axes[i], x->rank)] = true;
    for (int32_t i = 0; i < x->rank; i++) {
        k.broadcast[i] = k.keep[i] ? x->dims[i] : 1;
        if (k.keep[i]) k.dims[k.rank++] = x->dims[i];
    }
    return k;
}

static bool given(const cnnfi_kc *kc)
{
    const cnnfi_json *mean = cnnfi_json_get(kc->config, "mean");
    return mean && !cnnfi_json_is_null(mean);
}

static void normalization_build(cnnfi_kc *kc)
{
    if (given(kc)) return;
    kept k = kept_axes(kc);
    (void)cnnfi_kc_weight(kc, "mean", k.rank, k.dims, CNNFI_KINIT_ZEROS, false);
    (void)cnnfi_kc_weight(kc, "variance", k.rank, k.dims, CNNFI_KINIT_ONES, false);
    if (kc->state->used_weights < kc->layer->n_weights)
        (void)cnnfi_kc_weight(kc, "count", 0, NULL, CNNFI_KINIT_ZEROS, false);
}

/* numpy's value * ones(shape), reshaped: a double constant until it is cast */
static cnnfi_kt given_statistic(cnnfi_kc *kc, const char *key, const kept *k)
{
    cnnfi_kb *b = kc->b;
    const char *saved = cnnfi_kb_push(b, "Reshape");
    cnnfi_kt tensor = cnnfi_kc_constant(kc, "tensor", cnnfi_json_get(kc->config, key), CNNF_DOUBLE), out;
    int32_t shape[CNNFI_KERAS_MAX_RANK];
    int64_t count = 1;
    for (int32_t i = 0; i < kc->inputs[0].rank; i++) {
        shape[i] = (int32_t)k->broadcast[i];
        if (__builtin_mul_overflow(count, k->broadcast[i], &count)) count = -1;
    }
    int64_t have = 1;
    for (int32_t i = 0; i < tensor.rank; i++)
        have *= tensor.dims[i]; /* a constant's elements are few */
    if (have != count) cnnfi_kc_fail(kc, CNNF_E_MISMATCH, "'%s' does not fit the input", key);
    cnnfi_kt inputs[2] = {tensor, cnnfi_kb_ints(b, "shape", (size_t)kc->inputs[0].rank, shape)};
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "Reshape", "", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tshape", CNNF_INT32);
    cnnfi_kb_pop(b, saved);
    return cnnfi_kt_shaped(out, kc->inputs[0].rank, k->broadcast);
}

static void normalization(cnnfi_kc *kc)
{
    cnnfi_kb *b = kc->b;
    kept k = kept_axes(kc);
    cnnfi_kt x = kc->inputs[0], mean, variance;
    if (!cnnfi_kb_ok(b)) return;
    if (given(kc)) {
        mean = given_statistic(kc, "mean", &k);
        variance = given_statistic(kc, "variance", &k);
        mean = cnnfi_kb_cast(b, "Cast", mean, CNNF_FLOAT);
        variance = cnnfi_kb_cast(b, "Cast", variance, CNNF_FLOAT);
    } else {
        mean = cnnfi_kb_reshape(b, "Reshape", cnnfi_kc_variable(kc, 0), x.rank, k.broadcast);
        variance = cnnfi_kb_reshape(b, "Reshape", cnnfi_kc_variable(kc, 1), x.rank, k.broadcast);
    }
    if (x.dtype != CNNF_FLOAT) x = cnnfi_kb_cast(b, "Cast", x, CNNF_FLOAT);
    bool invert = cnnfi_kc_bool(kc, "invert", false);
    cnnfi_kt moved = invert ? x : cnnfi_kb_binary(b, "Sub", "sub", x, mean);
    cnnfi_kt deviation =
        cnnfi_kb_binary_const(b, "Maximum", "Maximum", cnnfi_kb_unary(b, "Sqrt", "Sqrt", variance), 1e-7);
    if (invert)
        cnnfi_kc_return_masked3(
            kc, cnnfi_kb_binary(b, "AddV2", "add", mean, cnnfi_kb_binary(b, "Mul", "mul", x, deviation)));
    else
        cnnfi_kc_return_masked3(kc, cnnfi_kb_binary(b, "RealDiv", "truediv", moved, deviation));
}

/* ---- Resizing, CenterCrop, RandomCrop ---- */

typedef struct box {
    int64_t height, width;            /* wanted */
    int64_t top, left, rows, columns; /* of the input */
} box;

/* The sizes must be known: then Keras' run-time arithmetic has one result. */
static bool read_box(cnnfi_kc *kc, box *out)
{
    const cnnfi_kt *x = &kc->inputs[0];
    *out = (box){.height = cnnfi_kc_positive(kc, "height"),
                 .width = cnnfi_kc_positive(kc, "width"),
                 .rows = x->dims[1],
                 .columns = x->dims[2]};
    if (cnnfi_kc_channels_first(kc))
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "data_format channels_first is not supported");
    return cnnfi_kb_ok(kc->b);
}

static bool known(cnnfi_kc *kc, const box *at)
{
    if (at->rows > 0 && at->columns > 0) return true;
    cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "height and width of the input must be known");
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

static cnnfi_kt cut(cnnfi_kb *b, const char *name, cnnfi_kt x, const box *at)
{
    const int32_t begin[4] = {0, (int32_t)at->top, (int32_t)at->left, 0};
    const int32_t size[4] = {-1, (int32_t)at->rows, (int32_t)at->columns, -1};
    cnnfi_kt out, inputs[3] = {x, cnnfi_kb_ints(b, "stack", 4, begin), cnnfi_kb_ints(b, "stack", 4, size)};
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "Slice", name, 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Index", CNNF_INT32);
    out.dims[1] = at->rows;
    out.dims[2] = at->columns;
    return out;
}

static cnnfi_kt resized(cnnfi_kc *kc, cnnfi_kt x, const box *at, const char *method)
{
    cnnfi_kb *b = kc->b;
    const char *op = cnnfi_keras_resize_op(method);
    if (!op) {
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "interpolation '%s' is not supported", method);
        return x;
    }
    const char *saved = cnnfi_kb_push(b, "resize");
    cnnfi_kt size = cnnfi_kb_ints(b, "size", 2, (const int32_t[]){(int32_t)at->height, (int32_t)at->width});
    x = cnnfi_kb_resize(b, op, op, x, size, false, true, (const int64_t[]){at->height, at->width});
    cnnfi_kb_pop(b, saved);
    return x;
}

/* int(float(length * wanted) / other) as ops */
static cnnfi_kt scaled_length(cnnfi_kb *b, cnnfi_kt length, int64_t wanted, int64_t other)
{
    cnnfi_kt product =
        cnnfi_kb_cast(b, "Cast", cnnfi_kb_binary_const(b, "Mul", "mul", length, (double)wanted), CNNF_FLOAT);
    return cnnfi_kb_cast(b, "Cast", cnnfi_kb_binary_const(b, "RealDiv", "truediv", product, (double)other), CNNF_INT32);
}

/* Where a part of `length` begins in the middle of `whole`. */
static cnnfi_kt middle(cnnfi_kb *b, cnnfi_kt whole, cnnfi_kt length)
{
    cnnfi_kt rest = cnnfi_kb_cast(b, "Cast", cnnfi_kb_binary(b, "Sub", "sub", whole, length), CNNF_FLOAT);
    return cnnfi_kb_cast(b, "Cast", cnnfi_kb_binary_const(b, "RealDiv", "truediv", rest, 2), CNNF_INT32);
}

/* utils.image_utils.smart_resize(): the box is computed from the shape when the graph runs */
static cnnfi_kt crop_to_aspect(cnnfi_kb *b, cnnfi_kt x, const box *at)
{
    cnnfi_kt shape = cnnfi_kb_shape_of(b, "Shape", x), out;
    cnnfi_kt height = cnnfi_kb_slice(b, "strided_slice", shape, -3, -2, false, false, true);
    cnnfi_kt width = cnnfi_kb_slice(b, "strided_slice", shape, -2, -1, false, false, true);
    cnnfi_kt rows = scaled_length(b, width, at->height, at->width),
             columns = scaled_length(b, height, at->width, at->height);
    rows = cnnfi_kb_binary(b, "Minimum", "Minimum", height, rows);
    columns = cnnfi_kb_binary(b, "Minimum", "Minimum", width, columns);
    cnnfi_kt top = middle(b, height, rows), left = middle(b, width, columns);
    const cnnfi_kdim begin[4] = {cnnfi_kdim_of(0), cnnfi_kdim_tensor(top), cnnfi_kdim_tensor(left), cnnfi_kdim_of(0)};
    const cnnfi_kdim size[4] = {cnnfi_kdim_of(-1), cnnfi_kdim_tensor(rows), cnnfi_kdim_tensor(columns),
                                cnnfi_kdim_of(-1)};
    cnnfi_kt from = cnnfi_kb_autopack(b, "stack", 4, begin), lengths = cnnfi_kb_autopack(b, "stack", 4, size);
    cnnfi_kt inputs[3] = {x, from, lengths};
    cnnf_node *node = cnnfi_kb_node_t(b, &out, "Slice", "Slice", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Index", CNNF_INT32);
    out.dims[1] = out.dims[2] = -1;
    return out;
}

static void resizing(cnnfi_kc *kc)
{
    box at;
    cnnfi_kt x = kc->inputs[0];
    if (!read_box(kc, &at)) return;
    if (cnnfi_kc_bool(kc, "pad_to_aspect_ratio", false) || cnnfi_kc_bool(kc, "antialias", false)) {
        cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED, "pad_to_aspect_ratio and antialias are not supported");
        return;
    }
    if (cnnfi_kc_bool(kc, "crop_to_aspect_ratio", false)) x = crop_to_aspect(kc->b, x, &at);
    cnnfi_kc_return(kc, resized(kc, x, &at, cnnfi_kc_string(kc, "interpolation", "bilinear")));
}

/* tf.cond(fits, crop, smart_resize) whose outcome is known: the branch taken, under the cond's name */
static void crop_or_resize(cnnfi_kc *kc, bool may_crop)
{
    cnnfi_kb *b = kc->b;
    box at;
    cnnfi_kt x = kc->inputs[0];
    if (!read_box(kc, &at) || !known(kc, &at)) return;
    const char *saved = cnnfi_kb_push(b, "cond");
    if (may_crop && at.rows >= at.height && at.columns >= at.width) {
        at.top = (at.rows - at.height) / 2;
        at.left = (at.columns - at.width) / 2;
        at.rows = at.height;
        at.columns = at.width;
        x = cut(b, "Merge", x, &at);
    } else {
        aspect_box(&at);
        x = cnnfi_kb_unary(b, "Identity", "Merge", resized(kc, cut(b, "Slice", x, &at), &at, "bilinear"));
    }
    cnnfi_kb_pop(b, saved);
    cnnfi_kc_return(kc, x);
}

static void center_crop(cnnfi_kc *kc)
{
    crop_or_resize(kc, true);
}

static void random_crop(cnnfi_kc *kc)
{
    crop_or_resize(kc, false);
}

/* ---- what does nothing at inference ---- */

static void identity(cnnfi_kc *kc)
{
    cnnfi_kc_return(kc, kc->inputs[0]);
}

/* ---- keras.applications.convnext.LayerScale ---- */

static void layer_scale_build(cnnfi_kc *kc)
{
    int64_t channels = kc->inputs[0].dims[kc->inputs[0].rank - 1];
    (void)cnnfi_kc_weight(kc, "gamma", 1, &channels, CNNFI_KINIT_ONES, true);
}

static void layer_scale(cnnfi_kc *kc)
{
    cnnfi_kc_return(kc, cnnfi_kb_binary(kc->b, "Mul", "mul", kc->inputs[0], cnnfi_kc_variable(kc, 0)));
}

/* ---- refused by name ---- */

static void refuse_lookup(cnnfi_kc *kc)
{
    cnnfi_kc_fail(kc, CNNF_E_UNSUPPORTED,
                  "encoding of categories, text and audio is not supported; feed the network with encoded data "
                  "and leave the layer out");
}

static void refuse_lambda(cnnfi_kc *kc)
{
    cnnfi_kc_fail_config(kc, CNNF_E_UNSUPPORTED,
                         "class 'Lambda' holds Python code and is never run; unsupported; --map_layer "
                         "Lambda=KNOWN_CLASS loads it as another class, "
                         "--drop_layer %s where it changes nothing at inference",
                         kc->layer->name);
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
    {"Lambda", "", "", "", 0, 8, 0, 65536, refuse_lambda, refuse_lambda, NULL},
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
