/* SPDX-License-Identifier: Apache-2.0 */
/* keras/layers/core.py */
#include <string.h>

#include "base/checked.h"
#include "graph/builder.h"
#include "loader/keras/layers/layers.h"

/* -1 when a dimension after the first is unknown or the product is no number */
static int64_t elements_of(const int64_t *dims, int32_t from, int32_t to)
{
    int64_t product_of = 1;
    for (int32_t i = from; i < to; i++) {
        if (dims[i] < 0 || !cnnfi_mul_i64(&product_of, product_of, dims[i])) return -1;
    }
    return product_of <= INT32_MAX ? product_of : -1;
}

/* ---- Dense ---- */

static void dense_build(cnnfi_layer_call *call)
{
    int64_t units = cnnfi_layer_positive(call, "units"), last = call->inputs[0].dims[call->inputs[0].rank - 1];
    (void)cnnfi_layer_weight(call, "kernel", 2, (const int64_t[]){last, units}, CNNFI_KERAS_INIT_RANDOM, true);
    if (cnnfi_layer_bool(call, "use_bias", true)) {
        (void)cnnfi_layer_weight(call, "bias", 1, &units, CNNFI_KERAS_INIT_ZEROS, true);
    }
}

/* K.dot() of a tensor of three and more dimensions with a matrix */
static cnnfi_keras_tensor dot_nd(cnnfi_keras_builder *b, cnnfi_keras_tensor x, cnnfi_keras_tensor kernel)
{
    int64_t in = kernel.dims[0], units = kernel.dims[1];
    cnnfi_keras_tensor shape = cnnfi_build_shape_of(b, "Shape", x), parts;
    cnnf_node *node = cnnfi_build_node_t(b, &parts, "Unpack", "unstack", 1, &shape);
    cnnfi_node_set_int(b->graph, node, "axis", 0);
    cnnfi_node_set_int(b->graph, node, "num", x.rank);
    cnnfi_keras_tensor flat = cnnfi_build_reshape(b, "Reshape", x, 2, (const int64_t[]){-1, in});
    cnnfi_keras_tensor turned = cnnfi_build_transpose(b, "transpose", kernel, (const int32_t[]){0, 1});
    cnnfi_keras_tensor matrix = cnnfi_build_reshape(b, "Reshape", turned, 2, (const int64_t[]){in, -1});
    matrix.dims[1] = units;
    cnnfi_keras_tensor y = cnnfi_build_matmul(b, "MatMul", flat, matrix);
    cnnfi_keras_dim items[CNNFI_KERAS_MAX_RANK];
    int64_t dims[CNNFI_KERAS_MAX_RANK];
    for (int32_t i = 0; i < x.rank; i++) {
        dims[i] = i + 1 < x.rank ? x.dims[i] : units;
        cnnfi_keras_tensor part = cnnfi_keras_tensor_shaped(cnnfi_build_port(b, &parts, i), 0, NULL);
        items[i] = dims[i] < 0 ? cnnfi_keras_dim_tensor(part) : cnnfi_keras_dim_of(dims[i]);
    }
    return cnnfi_build_reshape_to(b, "Reshape", y, (size_t)x.rank, items, dims);
}

static void dense(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = call->inputs[0], kernel = cnnfi_layer_variable(call, 0);
    cnnfi_keras_tensor y =
        x.rank > 2 ? dot_nd(b, x, cnnfi_build_read(b, kernel)) : cnnfi_build_matmul(b, "MatMul", x, kernel);
    if (cnnfi_layer_bool(call, "use_bias", true))
        y = cnnfi_build_keras_bias(b, y, cnnfi_layer_variable(call, 1), false);
    cnnfi_layer_return_masked(call, cnnfi_layer_activation(call, "activation", y));
}

static cnnfi_keras_tensor gather_dims(cnnfi_keras_builder *b, cnnfi_keras_tensor shape, cnnfi_keras_tensor indices)
{
    const char *saved = cnnfi_build_push(b, "GatherV2");
    cnnfi_keras_tensor out, inputs[3] = {shape, indices, cnnfi_build_int(b, "axis", 0)};
    cnnf_node *node = cnnfi_build_node(b, &out, "GatherV2", "", 3, inputs);
    cnnfi_node_set_type(b->graph, node, "Tparams", CNNF_INT32);
    cnnfi_node_set_type(b->graph, node, "Tindices", CNNF_INT32);
    cnnfi_node_set_type(b->graph, node, "Taxis", CNNF_INT32);
    cnnfi_node_set_int(b->graph, node, "batch_dims", 0);
    cnnfi_build_pop(b, saved);
    return cnnfi_keras_tensor_shaped(out, 1, indices.dims);
}

cnnfi_keras_tensor cnnfi_build_product(cnnfi_keras_builder *b, cnnfi_keras_tensor dims)
{
    cnnfi_keras_tensor axes = cnnfi_build_ints(b, "Const", 1, (const int32_t[]){0}), out, inputs[2] = {dims, axes};
    cnnf_node *node = cnnfi_build_node_t(b, &out, "Prod", "Prod", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tidx", CNNF_INT32);
    cnnfi_node_set_bool(b->graph, node, "keep_dims", false);
    return cnnfi_keras_tensor_shaped(out, 0, NULL);
}

/* tf.tensordot(x, kernel, [[rank - 1], [0]]) for an input whose batch is not known */
static cnnfi_keras_tensor tensordot(cnnfi_keras_builder *b, cnnfi_keras_tensor x, cnnfi_keras_tensor kernel)
{
    int32_t last = x.rank - 1, units = (int32_t)kernel.dims[1], left[CNNFI_KERAS_MAX_RANK];
    for (int32_t i = 0; i < last; i++)
        left[i] = i;
    const char *saved = cnnfi_build_push(b, "Tensordot");
    cnnfi_keras_tensor matrix = cnnfi_build_read(b, kernel);
    cnnfi_keras_tensor axes = cnnfi_build_ints(b, "axes", 1, &last),
                       free_axes = cnnfi_build_ints(b, "free", (size_t)last, left);
    cnnfi_keras_tensor shape = cnnfi_build_shape_of(b, "Shape", x);
    cnnfi_keras_tensor kept = gather_dims(b, shape, free_axes), summed = gather_dims(b, shape, axes);
    cnnfi_keras_tensor rows = cnnfi_build_product(b, kept), columns = cnnfi_build_product(b, summed);
    cnnfi_keras_tensor perm = cnnfi_build_concat(b, "concat", 2, (const cnnfi_keras_tensor[]){free_axes, axes}, 0);
    cnnfi_keras_tensor size = cnnfi_build_pack(b, "stack", 2, (const cnnfi_keras_tensor[]){rows, columns});
    cnnfi_keras_tensor turned, inputs[2] = {x, perm};
    cnnf_node *node = cnnfi_build_node_t(b, &turned, "Transpose", "transpose", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tperm", CNNF_INT32);
    cnnfi_keras_tensor flat =
        cnnfi_build_reshape_by(b, "Reshape", turned, size, 2, (const int64_t[]){-1, kernel.dims[0]});
    cnnfi_keras_tensor y = cnnfi_build_matmul(b, "MatMul", flat, matrix);
    cnnfi_keras_tensor width = cnnfi_build_ints(b, "Const", 1, &units);
    cnnfi_keras_tensor to = cnnfi_build_concat(b, "concat", 2, (const cnnfi_keras_tensor[]){kept, width}, 0);
    int64_t dims[CNNFI_KERAS_MAX_RANK];
    for (int32_t i = 0; i < x.rank; i++)
        dims[i] = i < last ? x.dims[i] : units;
    y = cnnfi_build_reshape_by(b, "", y, to, x.rank, dims);
    cnnfi_build_pop(b, saved);
    return y;
}

static bool known_shape(const cnnfi_keras_tensor *x)
{
    for (int32_t i = 0; i < x->rank; i++) {
        if (x->dims[i] < 0) return false;
    }
    return true;
}

/* The same for a fixed batch: sizes are constants. */
static cnnfi_keras_tensor static_tensordot(cnnfi_keras_builder *b, cnnfi_keras_tensor x, cnnfi_keras_tensor kernel)
{
    int64_t dims[CNNFI_KERAS_MAX_RANK], rows = elements_of(x.dims, 0, x.rank - 1);
    for (int32_t i = 0; i < x.rank; i++)
        dims[i] = i + 1 < x.rank ? x.dims[i] : kernel.dims[1];
    const char *saved = cnnfi_build_push(b, "Tensordot");
    kernel = cnnfi_build_read(b, kernel);
    cnnfi_keras_tensor flat = cnnfi_build_reshape(b, "Reshape", x, 2, (const int64_t[]){rows, kernel.dims[0]});
    cnnfi_keras_tensor y = cnnfi_build_reshape(b, "", cnnfi_build_matmul(b, "MatMul", flat, kernel), x.rank, dims);
    cnnfi_build_pop(b, saved);
    return y;
}

static void dense_tf(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = call->inputs[0], kernel = cnnfi_layer_variable(call, 0);
    cnnfi_keras_tensor y = x.rank <= 2       ? cnnfi_build_matmul(b, "MatMul", x, kernel)
                           : known_shape(&x) ? static_tensordot(b, x, kernel)
                                             : tensordot(b, x, kernel);
    if (cnnfi_layer_bool(call, "use_bias", true))
        y = cnnfi_build_bias_add(b, "BiasAdd", y, cnnfi_layer_variable(call, 1), "NHWC");
    cnnfi_layer_return_masked(call, cnnfi_layer_activation(call, "activation", y));
}

/* ---- what does nothing at inference ---- */

static void identity(cnnfi_layer_call *call)
{
    cnnfi_layer_return(call, call->inputs[0]);
}

/* tf.keras' Dropout chooses between two branches, and the one for inference is tf.identity() */
static void dropout_tf(cnnfi_layer_call *call)
{
    cnnfi_layer_return_masked(call, cnnfi_build_unary(call->b, "Identity", "Identity", call->inputs[0]));
}

/* Identity carries a mask in Keras 3 only. */
static void identity_tf(cnnfi_layer_call *call)
{
    cnnfi_layer_return_masked3(call, cnnfi_build_unary(call->b, "Identity", "Identity", call->inputs[0]));
}

static void activation(cnnfi_layer_call *call)
{
    cnnfi_layer_return_masked(call, cnnfi_layer_activation(call, "activation", call->inputs[0]));
}

/* ---- shapes ---- */

static cnnfi_keras_tensor channels_last(cnnfi_layer_call *call, cnnfi_keras_tensor x)
{
    int32_t perm[CNNFI_KERAS_MAX_RANK] = {0};
    if (x.rank < 3 || !cnnfi_layer_channels_first(call)) return x;
    for (int32_t i = 1; i < x.rank; i++)
        perm[i] = i + 1 < x.rank ? i + 1 : 1;
    return cnnfi_build_transpose(call->b, "transpose", x, perm);
}

/* K.batch_flatten(): reshape(x, stack([-1, prod(shape(x)[1:])])) */
static void flatten(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = channels_last(call, call->inputs[0]);
    cnnfi_keras_tensor rest =
        cnnfi_build_slice(b, "strided_slice", cnnfi_build_shape_of(b, "Shape", x), 1, 0, false, true, false);
    const cnnfi_keras_dim items[2] = {cnnfi_keras_dim_of(-1), cnnfi_keras_dim_tensor(cnnfi_build_product(b, rest))};
    cnnfi_keras_tensor shape = cnnfi_build_autopack(b, "stack", 2, items);
    const int64_t dims[2] = {-1, elements_of(x.dims, 1, x.rank)};
    cnnfi_layer_return(call, cnnfi_build_reshape_by(b, "Reshape", x, shape, 2, dims));
}

static void flatten_tf(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = channels_last(call, call->inputs[0]);
    const int64_t dims[2] = {x.dims[0], elements_of(x.dims, 1, x.rank)};
    if (x.rank == 1) {
        cnnfi_layer_return(call, cnnfi_build_expand_dims(b, "ExpandDims", x, 1));
    } else if (dims[1] >= 0 || x.dims[0] >= 0) {
        const int32_t to[2] = {dims[1] >= 0 ? -1 : (int32_t)x.dims[0], dims[1] >= 0 ? (int32_t)dims[1] : -1};
        cnnfi_layer_return(call, cnnfi_build_reshape_by(b, "Reshape", x, cnnfi_build_ints(b, "Const", 2, to), 2, dims));
    } else {
        cnnfi_keras_tensor first =
            cnnfi_build_slice(b, "strided_slice", cnnfi_build_shape_of(b, "Shape", x), 0, 1, false, false, true);
        const cnnfi_keras_dim items[2] = {cnnfi_keras_dim_tensor(first), cnnfi_keras_dim_of(-1)};
        cnnfi_layer_return(call, cnnfi_build_reshape_to(b, "Reshape", x, 2, items, dims));
    }
}

/* target_shape with its -1 filled in where the input's size is known */
static size_t target_shape(cnnfi_layer_call *call, int64_t *written, int64_t *dims)
{
    const cnnfi_json *target = cnnfi_json_get(call->config, "target_shape");
    size_t n = cnnfi_json_size(target), open = SIZE_MAX;
    int64_t known = 1, total = elements_of(call->inputs[0].dims, 1, call->inputs[0].rank);
    if (!cnnfi_json_is_array(target) || n >= CNNFI_KERAS_MAX_RANK) {
        cnnfi_layer_fail(call, CNNF_E_CORRUPT, "target_shape is no list of at most %d sizes", CNNFI_KERAS_MAX_RANK - 1);
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        written[i] = dims[i] = cnnfi_json_int(cnnfi_json_at(target, i), -2);
        if (written[i] == -1)
            open = i;
        else if (written[i] < 0 || written[i] > INT32_MAX || !cnnfi_mul_i64(&known, known, written[i])) {
            cnnfi_layer_fail(call, CNNF_E_CORRUPT, "target_shape has a size that is none");
            return 0;
        }
    }
    if (total < 0) return n;
    if (open == SIZE_MAX ? known != total : known == 0 || total % known != 0) {
        cnnfi_layer_fail(call, CNNF_E_MISMATCH, "target_shape does not fit an input of %lld elements",
                         (long long)total);
    } else if (open != SIZE_MAX) {
        dims[open] = total / known;
    }
    return n;
}

static void reshape(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    cnnfi_keras_tensor x = call->inputs[0];
    int64_t written[CNNFI_KERAS_MAX_RANK], dims[CNNFI_KERAS_MAX_RANK];
    size_t n = target_shape(call, written, dims + 1);
    dims[0] = x.dims[0];
    if (!cnnfi_build_ok(b)) return;
    cnnfi_keras_tensor first =
        cnnfi_build_slice(b, "strided_slice", cnnfi_build_shape_of(b, "Shape", x), 0, 1, false, false, true);
    cnnfi_keras_dim items[CNNFI_KERAS_MAX_RANK] = {cnnfi_keras_dim_tensor(first)};
    for (size_t i = 0; i < n; i++)
        items[i + 1] = cnnfi_keras_dim_of(written[i]);
    cnnfi_layer_return(call, cnnfi_build_reshape_to(b, "Reshape", x, n + 1, items, dims));
}

static void permute(cnnfi_layer_call *call)
{
    int32_t perm[CNNFI_KERAS_MAX_RANK] = {0}, rank = call->inputs[0].rank;
    int64_t dims[CNNFI_KERAS_MAX_RANK];
    bool seen[CNNFI_KERAS_MAX_RANK] = {false};
    cnnfi_layer_ints(call, "dims", (size_t)rank - 1, dims, 1, 1);
    for (int32_t i = 1; i < rank && cnnfi_build_ok(call->b); i++) {
        perm[i] = (int32_t)dims[i - 1];
        if (perm[i] >= rank || seen[perm[i]])
            cnnfi_layer_fail(call, CNNF_E_CORRUPT, "'dims' is no permutation");
        else
            seen[perm[i]] = true;
    }
    if (cnnfi_build_ok(call->b))
        cnnfi_layer_return(call, cnnfi_build_transpose(call->b, "transpose", call->inputs[0], perm));
}

static void repeat_vector(cnnfi_layer_call *call)
{
    cnnfi_keras_builder *b = call->b;
    int32_t n = (int32_t)cnnfi_layer_positive(call, "n");
    cnnfi_keras_tensor x = cnnfi_build_expand_dims(b, "ExpandDims", call->inputs[0], 1), y;
    cnnfi_keras_tensor inputs[2] = {x, cnnfi_build_ints(b, "stack", 3, (const int32_t[]){1, n, 1})};
    cnnf_node *node = cnnfi_build_node_t(b, &y, "Tile", "Tile", 2, inputs);
    cnnfi_node_set_type(b->graph, node, "Tmultiples", CNNF_INT32);
    y.dims[1] = n;
    cnnfi_layer_return(call, y);
}

#define DROPOUT(class, fields)                                                                                         \
    {                                                                                                                  \
        class, fields, "", CNNFI_KERAS_VERIFIED, 1, 8, 1, 1, NULL, identity, dropout_tf                                \
    }
#define NOTHING(class, fields)                                                                                         \
    {                                                                                                                  \
        class, fields, "", CNNFI_KERAS_VERIFIED, 1, 8, 1, 1, NULL, identity, NULL                                      \
    }

static const cnnfi_keras_row rows[] = {
    {"Activation", "activation", "", CNNFI_KERAS_VERIFIED, 1, 8, 1, 1, NULL, activation, NULL},
    NOTHING("ActivityRegularization", ""),
    NOTHING("AlphaDropout", ""),
    {"Dense", "units use_bias activation", "kernel bias", CNNFI_KERAS_VERIFIED, 2, 8, 1, 1, dense_build, dense,
     dense_tf},
    DROPOUT("Dropout", ""),
    {"Flatten", "data_format", "", CNNFI_KERAS_VERIFIED, 1, 8, 1, 1, NULL, flatten, flatten_tf},
    NOTHING("GaussianDropout", ""),
    NOTHING("GaussianNoise", ""),
    {"Identity", "", "", CNNFI_KERAS_VERIFIED, 1, 8, 1, 1, NULL, identity, identity_tf},
    {"Permute", "dims", "", CNNFI_KERAS_VERIFIED, 2, 8, 1, 1, NULL, permute, NULL},
    {"RepeatVector", "n", "", CNNFI_KERAS_VERIFIED, 2, 2, 1, 1, NULL, repeat_vector, NULL},
    {"Reshape", "target_shape", "", CNNFI_KERAS_VERIFIED, 1, 8, 1, 1, NULL, reshape, NULL},
    DROPOUT("SpatialDropout1D", ""),
    DROPOUT("SpatialDropout2D", ""),
    DROPOUT("SpatialDropout3D", ""),
    NOTHING("StochasticDepth", ""),
};

const cnnfi_keras_family cnnfi_keras_core = {"Core", rows, sizeof rows / sizeof rows[0]};
