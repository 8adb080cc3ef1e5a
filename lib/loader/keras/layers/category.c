/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers to categories and categories to vectors: Discretization, IntegerLookup, CategoryEncoding. */
#include <string.h>

#include "base/context.h"
#include "graph/builder.h"
#include "loader/keras/layers/layers.h"

/* Nobody writes more into a configuration. */
#define MAX_ITEMS 65536

/* ---- one_hot, multi_hot, count ---- */

/* OneHot [..., depth] of integers, as floats */
static cnnfi_keras_tensor one_hot(cnnfi_keras_builder *b, cnnfi_keras_tensor x, int64_t depth)
{
    const char *saved = cnnfi_build_push(b, "one_hot");
    cnnfi_keras_tensor y,
        inputs[4] = {x, cnnfi_build_int(b, "depth", (int32_t)depth), cnnfi_build_scalar(b, "on_value", CNNF_FLOAT, 1),
                     cnnfi_build_scalar(b, "off_value", CNNF_FLOAT, 0)};
    cnnf_node *node = cnnfi_build_node(b, &y, "OneHot", "", 4, inputs);
    cnnfi_node_set_type(b->graph, node, "T", CNNF_FLOAT);
    cnnfi_node_set_type(b->graph, node, "TI", x.dtype);
    cnnfi_node_set_int(b->graph, node, "axis", -1);
    cnnfi_build_pop(b, saved);
    y.dtype = CNNF_FLOAT;
    y.dims[y.rank++] = depth;
    return y;
}

/* tf.math.bincount(x, minlength=depth, maxlength=depth, axis=-1) of integers [batch, n], as tf.keras encodes them. */
static cnnfi_keras_tensor bincount(cnnfi_keras_builder *b, cnnfi_keras_tensor x, int64_t depth, bool binary)
{
    static const int32_t axes[] = {0, 1};
    const char *saved = cnnfi_build_push(b, "bincount");
    cnnfi_keras_tensor size, y, scalar = cnnfi_keras_tensor_shaped(x, 0, NULL);
    cnnf_node *node = cnnfi_build_node_t(b, &size, "Size", "Size", 1, &x);
    cnnfi_node_set_type(b->graph, node, "out_type", CNNF_INT32);
    size = cnnfi_keras_tensor_shaped(size, 0, NULL);
    size.dtype = CNNF_INT32;
    cnnfi_keras_tensor some =
        cnnfi_build_cast(b, "Cast", cnnfi_build_binary_const(b, "Greater", "Greater", size, 0), x.dtype);
    const cnnfi_keras_tensor range[2] = {x, cnnfi_build_ints(b, "Const", 2, axes)};
    cnnfi_keras_tensor top;
    node = cnnfi_build_node_t(b, &top, "Max", "Max", 2, range);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_node_set_bool(b->graph, node, "keep_dims", false);
    top = cnnfi_keras_tensor_shaped(top, scalar.rank, scalar.dims);
    top = cnnfi_build_binary(b, "Mul", "mul", some, cnnfi_build_binary_const(b, "AddV2", "add", top, 1));
    top = cnnfi_build_binary(b, "Maximum", "Maximum", cnnfi_build_scalar(b, "minlength", x.dtype, (double)depth), top);
    top = cnnfi_build_binary(b, "Minimum", "Minimum", cnnfi_build_scalar(b, "maxlength", x.dtype, (double)depth), top);
    const cnnfi_keras_tensor inputs[3] = {x, top, cnnfi_build_floats(b, "Const", 0, NULL)};
    node = cnnfi_build_node(b, &y, "DenseBincount", "DenseBincount", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "T", CNNF_FLOAT);
    cnnfi_node_set_type(b->graph, node, "Tidx", x.dtype);
    cnnfi_node_set_bool(b->graph, node, "binary_output", binary);
    cnnfi_build_pop(b, saved);
    y.dtype = CNNF_FLOAT;
    return cnnfi_keras_tensor_shaped(y, 2, (const int64_t[]){x.dims[0], depth});
}

/* What encode_categorical_inputs() makes of indices; weights: name NULL or one number for each index. */
static cnnfi_keras_tensor encode(cnnfi_layer_call *call, cnnfi_keras_tensor x, int64_t depth, const char *mode,
                                 cnnfi_keras_tensor weights)
{
    cnnfi_keras_builder *b = call->b;
    const bool single = strcmp(mode, "one_hot") == 0, count = strcmp(mode, "count") == 0;
    if (cnnfi_layer_bool(call, "sparse", false))
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "sparse output is not supported");
    if (!single && !count && strcmp(mode, "multi_hot") != 0)
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "output_mode '%.20s' is not supported", mode);
    if (x.rank >= CNNFI_KERAS_MAX_RANK || depth < 1 || depth > INT32_MAX)
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "%lld categories of an input of %d dimensions", (long long)depth,
                         x.rank);
    if (!cnnfi_build_ok(b)) return x;
    if (x.dtype != CNNF_INT32 && x.dtype != CNNF_INT64 && x.dtype != CNNF_UINT8)
        x = cnnfi_build_cast(b, "Cast", x, CNNF_INT64);
    if (!b->keras3 && x.rank == 2 && !weights.name && x.dtype != CNNF_UINT8) return bincount(b, x, depth, !count);
    if (single && x.rank > 1 && x.dims[x.rank - 1] == 1) x = cnnfi_build_squeeze(b, "Squeeze", x, -1);
    cnnfi_keras_tensor y = one_hot(b, x, depth);
    if (weights.name) {
        if (weights.dtype != CNNF_FLOAT) weights = cnnfi_build_cast(b, "Cast", weights, CNNF_FLOAT);
        weights = cnnfi_build_expand_dims(b, "ExpandDims", weights, -1);
        y = cnnfi_keras_tensor_shaped(cnnfi_build_binary(b, "Mul", "mul", y, weights), y.rank, y.dims);
    }
    if (single || x.rank < 2) return y;
    return cnnfi_build_reduce_axis(b, count ? "Sum" : "Max", count ? "Sum" : "Max", y, 1, false);
}

/* ---- CategoryEncoding ---- */

static void category_encoding(cnnfi_layer_call *call)
{
    const int64_t depth = cnnfi_layer_positive(call, "num_tokens");
    cnnfi_keras_tensor weights = {.name = NULL};
    for (size_t i = 0; call->record && i < call->record->n_named; i++)
        if (strcmp(call->record->names[i], "count_weights") == 0) weights = call->named[i];
    if (call->n_inputs > 1) weights = call->inputs[1];
    cnnfi_keras_tensor y =
        encode(call, call->inputs[0], depth, cnnfi_layer_string(call, "output_mode", "multi_hot"), weights);
    if (cnnfi_build_ok(call->b)) cnnfi_layer_return(call, y);
}

/* ---- Discretization ---- */

static cnnfi_keras_tensor bucketize(cnnfi_layer_call *call, const cnnfi_json *boundaries, size_t n)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = call->inputs[0], y;
    float *values = cnnfi_builder_array(b->graph, n + 1, sizeof *values);
    for (size_t i = 0; values && i < n; i++)
        values[i] = (float)cnnfi_json_number(cnnfi_json_at(boundaries, i), 0);
    cnnf_node *node = cnnfi_build_node_t(b, &y, "Bucketize", "Bucketize", 1, &x);
    if (values) cnnfi_node_set_floats(b->graph, node, "boundaries", values, n);
    y.dtype = CNNF_INT32;
    return y;
}

static void discretization(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    const cnnfi_json *boundaries = cnnfi_json_get(call->config, "bin_boundaries");
    const char *mode = cnnfi_layer_string(call, "output_mode", "int");
    const size_t n = cnnfi_json_size(boundaries);
    if (!cnnfi_json_is_array(boundaries) || n > MAX_ITEMS) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its boundaries are not in the configuration (bin_boundaries)");
        return;
    }
    cnnfi_keras_tensor y = bucketize(call, boundaries, n);
    if (strcmp(mode, "int") == 0)
        y = b->keras3 ? y : cnnfi_build_unary(b, "Identity", "Identity", cnnfi_build_cast(b, "Cast", y, CNNF_INT64));
    else
        y = encode(call, y, (int64_t)n + 1, mode, (cnnfi_keras_tensor){.name = NULL});
    if (cnnfi_build_ok(b)) cnnfi_layer_return(call, y);
}

/* ---- IntegerLookup ---- */

typedef struct vocabulary {
    size_t count;
    int64_t *tokens;
    int64_t oov, mask,
        offset; /* indices for what is not in it; 1 when there is a mask token; index of the first token */
    bool has_mask;
} vocabulary;

static bool read_vocabulary(cnnfi_layer_call *call, vocabulary *v)
{
    const cnnfi_json *list = cnnfi_json_get(call->config, "vocabulary"),
                     *mask = cnnfi_json_get(call->config, "mask_token");
    const bool as_index = strcmp(cnnfi_layer_string(call, "output_mode", "int"), "int") == 0;
    *v = (vocabulary){.count = cnnfi_json_size(list), .oov = cnnfi_layer_int(call, "num_oov_indices", 1)};
    v->has_mask = cnnfi_json_is_int(mask);
    v->mask = cnnfi_json_int(mask, 0);
    if (!cnnfi_json_is_array(list) || v->count == 0 || v->count > MAX_ITEMS || v->oov < 0 || v->oov > INT32_MAX) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "its vocabulary is not in the configuration");
        return false;
    }
    if (cnnfi_layer_bool(call, "invert", false)) {
        cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "invert is not supported");
        return false;
    }
    v->tokens = cnnfi_builder_array(call->b->graph, v->count, sizeof *v->tokens);
    for (size_t i = 0; v->tokens && i < v->count; i++)
        v->tokens[i] = cnnfi_json_int(cnnfi_json_at(list, i), INT64_MIN);
    v->offset = v->oov + (v->has_mask && as_index);
    return v->tokens && cnnfi_build_ok(call->b);
}

static cnnfi_keras_tensor long_scalar(cnnfi_keras_builder *b, const char *name, int64_t value)
{
    return cnnfi_build_const(b, name, CNNF_INT64, 0, NULL, &value);
}

static cnnfi_keras_tensor choose(cnnfi_keras_builder *b, cnnfi_keras_tensor condition, cnnfi_keras_tensor x,
                                 cnnfi_keras_tensor y)
{
    cnnfi_keras_tensor out = cnnfi_build_where(b, condition, x, y);
    return cnnfi_keras_tensor_shaped(out, condition.rank, condition.dims);
}

/* The index of what is not in the vocabulary: of the mask, of one of the others by remainder. */
static cnnfi_keras_tensor unknown_index(cnnfi_keras_builder *b, const vocabulary *v, cnnfi_keras_tensor x)
{
    const int64_t first = v->offset - v->oov;
    if (v->oov < 2) return long_scalar(b, "oov", v->oov == 0 ? -1 : first);
    cnnfi_keras_tensor rest = cnnfi_build_binary_const(b, "FloorMod", "floormod", x, (double)v->oov);
    return cnnfi_build_binary_const(b, "AddV2", "add", rest, (double)first);
}

/* The place of x in the list of tokens: where it equals one, by ArgMax. */
static cnnfi_keras_tensor lookup(cnnfi_keras_builder *b, const vocabulary *v, cnnfi_keras_tensor x)
{
    cnnfi_keras_tensor wide = cnnfi_build_expand_dims(b, "ExpandDims", x, -1);
    cnnfi_keras_tensor same =
        cnnfi_build_binary(b, "Equal", "Equal", wide, cnnfi_build_longs(b, "vocabulary", v->count, v->tokens));
    cnnfi_keras_tensor place,
        inputs[2] = {cnnfi_build_cast(b, "Cast", same, CNNF_INT32), cnnfi_build_int(b, "ArgMax/dimension", -1)};
    cnnf_node *node = cnnfi_build_node_t(b, &place, "ArgMax", "ArgMax", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_node_set_type(b->graph, node, "output_type", CNNF_INT64);
    place.dtype = CNNF_INT64;
    place = cnnfi_keras_tensor_shaped(place, x.rank, x.dims);
    place = cnnfi_build_binary_const(b, "AddV2", "add", place, (double)v->offset);
    cnnfi_keras_tensor known = cnnfi_build_reduce_axis(b, "Any", "Any", same, -1, false);
    cnnfi_keras_tensor y = choose(b, known, place, unknown_index(b, v, x));
    if (!v->has_mask) return y;
    cnnfi_keras_tensor masked = cnnfi_build_binary(b, "Equal", "Equal", x, long_scalar(b, "mask", v->mask));
    return choose(b, masked, long_scalar(b, "mask_index", 0), y);
}

static void integer_lookup(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    vocabulary v;
    const char *mode = cnnfi_layer_string(call, "output_mode", "int");
    cnnfi_keras_tensor x = call->inputs[0];
    if (!read_vocabulary(call, &v)) return;
    if (x.rank >= CNNFI_KERAS_MAX_RANK) cnnfi_layer_fail(call, CNNF_E_UNSUPPORTED, "too many dimensions");
    if (!cnnfi_build_ok(b)) return;
    if (x.dtype != CNNF_INT64) x = cnnfi_build_cast(b, "Cast", x, CNNF_INT64);
    if (strcmp(mode, "int") != 0) v.has_mask = false; /* a mask has no place in a vector */
    cnnfi_keras_tensor y = lookup(b, &v, x);
    if (strcmp(mode, "int") != 0)
        y = encode(call, y, (int64_t)v.count + v.oov, mode, (cnnfi_keras_tensor){.name = NULL});
    if (y.dtype == CNNF_FLOAT && b->keras3) y = cnnfi_build_cast(b, "Cast", y, CNNF_INT64); /* its compute dtype */
    if (cnnfi_build_ok(b)) cnnfi_layer_return(call, y);
}

#define VERIFIED "tf.keras 2.15, 3"

static const cnnfi_keras_row rows[] = {
    {"CategoryEncoding", "num_tokens output_mode", "", VERIFIED, 1, 7, 1, 2, NULL, category_encoding, NULL},
    {"Discretization", "bin_boundaries output_mode", "", VERIFIED, 1, 7, 1, 1, NULL, discretization, NULL},
    {"IntegerLookup", "vocabulary num_oov_indices mask_token output_mode", "", "3", 1, 7, 1, 1, NULL, integer_lookup,
     NULL},
};

const cnnfi_keras_family cnnfi_keras_category = {"Categories", rows, sizeof rows / sizeof rows[0]};
