/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/keras/read/keras_convert.h"

#include <string.h>

#include "base/context.h"

#define MAX_RANK 6

/* ---- numbers in another order ---- */

/* Element i of the result is element `perm`, `flipped` of the source: dims of the result are dims[perm[i]]. */
typedef struct order {
    int32_t perm[MAX_RANK];
    bool flip[MAX_RANK]; /* by dimension of the result */
} order;

static void reorder(const float *from, float *to, int32_t rank, const int64_t *dims, const order *o)
{
    int64_t stride[MAX_RANK], at[MAX_RANK] = {0}, total = 1;
    for (int32_t i = rank; i-- > 0;) {
        stride[i] = total;
        total *= dims[i];
    }
    for (int64_t n = 0; n < total; n++) {
        int64_t offset = 0;
        for (int32_t i = 0; i < rank; i++) {
            int64_t length = dims[o->perm[i]];
            offset += (o->flip[i] ? length - 1 - at[i] : at[i]) * stride[o->perm[i]];
        }
        to[n] = from[offset];
        for (int32_t i = rank; i-- > 0 && ++at[i] == dims[o->perm[i]];)
            at[i] = 0;
    }
}

static cnnf_status replace(cnnfi_keras_model *model, cnnfi_keras_weight *weight, cnnf_tensor *value, cnnf_error *error)
{
    CNNFI_TRY(cnnfi_keras_model_hold(model, value, error));
    weight->value = value;
    return CNNF_OK;
}

static cnnf_status apply(cnnfi_keras_model *model, cnnfi_keras_weight *weight, const order *o, cnnf_error *error)
{
    cnnf_tensor *loaded = NULL, *made = NULL;
    int64_t dims[MAX_RANK];
    int32_t rank = cnnf_tensor_rank(weight->value);
    CNNFI_TRY(cnnf_tensor_load(&loaded, weight->value, error));
    for (int32_t i = 0; i < rank; i++)
        dims[i] = cnnf_tensor_dim(loaded, o->perm[i]);
    cnnf_status status = cnnf_tensor_new(&made, model->context, CNNF_FLOAT, rank, dims, error);
    if (status == CNNF_OK && cnnf_tensor_element_count(made) > 0)
        reorder(cnnf_tensor_data(loaded), cnnf_tensor_data_mut(made), rank, cnnfi_tensor_dims(loaded), o);
    cnnf_tensor_unref(loaded);
    return status == CNNF_OK ? replace(model, weight, made, error) : status;
}

static order identity(int32_t rank)
{
    order o = {{0}, {false}};
    for (int32_t i = 0; i < rank; i++)
        o.perm[i] = i;
    return o;
}

/* ---- convolutions ---- */

static bool first_format(const cnnfi_keras_layer *layer)
{
    return strcmp(cnnfi_json_string(cnnfi_json_get(layer->config, "data_format"), ""), "channels_first") == 0;
}

/* Keras 1 kept kernels as (filters, channels, rows, columns) for "th", and transposed ones the other way round. */
static bool keras1_order(const cnnfi_keras_layer *layer, int32_t rank, order *o)
{
    static const struct {
        const char *class_name;
        int32_t rank;
        bool first;
        int32_t perm[MAX_RANK];
    } known[] = {
        {"Conv2D", 4, true, {2, 3, 1, 0}},
        {"Conv2DTranspose", 4, false, {0, 1, 3, 2}},
        {"Conv2DTranspose", 4, true, {2, 3, 0, 1}},
        {"Conv3D", 5, true, {2, 3, 4, 1, 0}},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i].class_name, layer->class_name) != 0 || known[i].rank != rank ||
            known[i].first != first_format(layer))
            continue;
        memcpy(o->perm, known[i].perm, sizeof o->perm);
        return true;
    }
    return false;
}

/* Keras 1's one-dimensional kernels have a dimension of 1 more: (length, 1, channels, filters), before 1.1 (filters,
 * channels, length, 1). */
static cnnf_status convert_conv1d(cnnfi_keras_model *model, const cnnfi_keras_layer *layer, cnnf_error *error)
{
    cnnfi_keras_weight *weight = &layer->weights[0];
    const cnnfi_json *size = cnnfi_json_get(layer->config, "kernel_size");
    int64_t length = cnnfi_json_int(cnnfi_json_is_array(size) ? cnnfi_json_at(size, 0) : size, 0),
            filters = cnnfi_json_int(cnnfi_json_get(layer->config, "filters"), 0);
    cnnf_tensor *flat = NULL;
    if (cnnf_tensor_rank(weight->value) != 4) return CNNF_OK;
    if (cnnf_tensor_dim(weight->value, 0) != length || cnnf_tensor_dim(weight->value, 1) != 1 ||
        cnnf_tensor_dim(weight->value, 3) != filters) {
        const order o = {.perm = {2, 3, 1, 0}};
        CNNFI_TRY(apply(model, weight, &o, error));
    }
    const cnnf_tensor *t = weight->value;
    if (cnnf_tensor_dim(t, 1) != 1) return CNNF_OK; /* told when the layer is built */
    const int64_t dims[3] = {cnnf_tensor_dim(t, 0), cnnf_tensor_dim(t, 2), cnnf_tensor_dim(t, 3)};
    CNNFI_TRY(cnnfi_tensor_reshape(&flat, t, 3, dims, error));
    return replace(model, weight, flat, error);
}

static bool is_convolution(const char *class_name)
{
    static const char *const names[] = {"Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], class_name) == 0) return true;
    return false;
}

/* Theano's convolution is one: its kernels are turned by 180 degrees (conv_utils.convert_kernel). */
static cnnf_status flip_kernel(cnnfi_keras_model *model, cnnfi_keras_weight *weight, cnnf_error *error)
{
    int32_t rank = cnnf_tensor_rank(weight->value);
    if (rank < 3 || rank > 5) return CNNF_OK;
    order o = identity(rank);
    for (int32_t i = 0; i < rank - 2; i++)
        o.flip[i] = true;
    return apply(model, weight, &o, error);
}

static cnnf_status convert_convolution(cnnfi_keras_model *model, const cnnfi_keras_layer *layer, cnnf_error *error)
{
    if (model->keras_major != 1 && !model->theano_kernels) return CNNF_OK;
    order o = identity(MAX_RANK);
    cnnfi_keras_weight *kernel = &layer->weights[0];
    if (cnnf_tensor_dtype(kernel->value) != CNNF_FLOAT) return CNNF_OK;
    if (model->keras_major == 1 && strcmp(layer->class_name, "Conv1D") == 0)
        CNNFI_TRY(convert_conv1d(model, layer, error));
    else if (model->keras_major == 1 && keras1_order(layer, cnnf_tensor_rank(kernel->value), &o))
        CNNFI_TRY(apply(model, kernel, &o, error));
    return model->theano_kernels ? flip_kernel(model, kernel, error) : CNNF_OK;
}

/* ---- recurrent layers ---- */

static bool same_shape(const cnnf_tensor *x, const cnnf_tensor *y)
{
    if (cnnf_tensor_rank(x) != cnnf_tensor_rank(y)) return false;
    for (int32_t i = 0; i < cnnf_tensor_rank(x); i++)
        if (cnnf_tensor_dim(x, i) != cnnf_tensor_dim(y, i)) return false;
    return true;
}

/* Weights at the indices, side by side along the last dimension. */
static cnnf_status join(cnnfi_keras_model *model, const cnnfi_keras_layer *layer, const size_t *indices, size_t n,
                        cnnfi_keras_weight *out, cnnf_error *error)
{
    const cnnf_tensor *first = layer->weights[indices[0]].value;
    const int32_t rank = cnnf_tensor_rank(first);
    int64_t dims[MAX_RANK];
    cnnf_tensor *made = NULL, *part = NULL;
    if (rank < 1 || rank > 4 || cnnf_tensor_dim(first, rank - 1) < 1 || cnnf_tensor_dim(first, rank - 1) > INT32_MAX)
        return cnnfi_keras_fail(error, CNNF_E_MISMATCH, layer, "its weights are no kernels");
    for (size_t k = 0; k < n; k++) {
        const cnnf_tensor *t = layer->weights[indices[k]].value;
        if (!same_shape(t, first) || cnnf_tensor_dtype(t) != CNNF_FLOAT)
            return cnnfi_keras_fail(error, CNNF_E_MISMATCH, layer, "the weights of its gates have different shapes");
    }
    const int64_t columns = cnnf_tensor_dim(first, rank - 1), rows = cnnf_tensor_element_count(first) / columns;
    memcpy(dims, cnnfi_tensor_dims(first), (size_t)rank * sizeof dims[0]);
    dims[rank - 1] = columns * (int64_t)n;
    CNNFI_TRY(cnnf_tensor_new(&made, model->context, CNNF_FLOAT, rank, dims, error));
    cnnf_status status = CNNF_OK;
    for (size_t k = 0; k < n && status == CNNF_OK; k++) {
        status = cnnf_tensor_load(&part, layer->weights[indices[k]].value, error);
        for (int64_t r = 0; status == CNNF_OK && r < rows; r++)
            memcpy((float *)cnnf_tensor_data_mut(made) + (r * (int64_t)n + (int64_t)k) * columns,
                   (const float *)cnnf_tensor_data(part) + r * columns, (size_t)columns * sizeof(float));
        cnnf_tensor_unref(part);
        part = NULL;
    }
    if (status != CNNF_OK) cnnf_tensor_unref(made);
    out->name = layer->weights[indices[0]].name;
    return status == CNNF_OK ? replace(model, out, made, error) : status;
}

static int32_t gates_of(const char *class_name)
{
    if (strcmp(class_name, "LSTM") == 0 || strcmp(class_name, "ConvLSTM2D") == 0) return 4;
    return strcmp(class_name, "GRU") == 0 ? 3 : 0;
}

/* Keras 1 had one matrix a gate: GRU z, r, h; LSTM i, c, f, o, of which Keras 2 makes i, f, c, o. */
static cnnf_status join_gates(cnnfi_keras_model *model, cnnfi_keras_layer *layer, cnnf_error *error)
{
    static const size_t gru[3] = {0, 3, 6}, lstm[4] = {0, 6, 3, 9};
    const size_t n = (size_t)gates_of(layer->class_name);
    cnnfi_keras_weight *joined = cnnfi_arena_array(&model->arena, 3, sizeof *joined);
    if (!joined) return cnnfi_fail_nomem(error);
    for (size_t part = 0; part < 3; part++) {
        size_t indices[4];
        for (size_t k = 0; k < n; k++)
            indices[k] = (n == 3 ? gru[k] : lstm[k]) + part;
        CNNFI_TRY(join(model, layer, indices, n, &joined[part], error));
    }
    layer->weights = joined;
    layer->n_weights = 3;
    return CNNF_OK;
}

/* ---- cuDNN ---- */

/* The numbers of one gate's matrix, `columns` of a row of `wide`, in a file of cuDNN's: by columns, or turned. */
static void turn_gate(const float *from, float *to, int64_t rows, int64_t columns, int64_t wide, bool by_columns)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < columns; k++) {
            int64_t at = by_columns ? k * rows + i : k * columns + i;
            to[i * wide + k] = from[at / columns * wide + at % columns];
        }
}

/* _convert_rnn_weights(): kernels are kept by columns, recurrent kernels turned, each gate for itself. */
static cnnf_status turn_kernel(cnnfi_keras_model *model, cnnfi_keras_weight *weight, int32_t gates, bool by_columns,
                               cnnf_error *error)
{
    cnnf_tensor *loaded = NULL, *made = NULL;
    CNNFI_TRY(cnnf_tensor_load(&loaded, weight->value, error));
    int64_t rows = cnnf_tensor_dim(loaded, 0), wide = cnnf_tensor_dim(loaded, 1), columns = wide / gates;
    cnnf_status status = cnnf_tensor_new(&made, model->context, CNNF_FLOAT, 2, cnnfi_tensor_dims(loaded), error);
    for (int32_t g = 0; status == CNNF_OK && rows > 0 && g < gates; g++)
        turn_gate((const float *)cnnf_tensor_data(loaded) + g * columns,
                  (float *)cnnf_tensor_data_mut(made) + g * columns, rows, columns, wide, by_columns);
    cnnf_tensor_unref(loaded);
    return status == CNNF_OK ? replace(model, weight, made, error) : status;
}

/* LSTM adds the two halves of cuDNN's bias, GRU keeps them as rows. */
static cnnf_status convert_bias(cnnfi_keras_model *model, cnnfi_keras_weight *weight, int32_t gates, cnnf_error *error)
{
    cnnf_tensor *loaded = NULL, *made = NULL;
    int64_t half = cnnf_tensor_dim(weight->value, 0) / 2;
    if (gates == 3) {
        CNNFI_TRY(cnnfi_tensor_reshape(&made, weight->value, 2, (const int64_t[]){2, half}, error));
        return replace(model, weight, made, error);
    }
    CNNFI_TRY(cnnf_tensor_load(&loaded, weight->value, error));
    cnnf_status status = cnnf_tensor_new(&made, model->context, CNNF_FLOAT, 1, &half, error);
    const float *from = cnnf_tensor_data(loaded);
    for (int64_t i = 0; status == CNNF_OK && i < half; i++)
        ((float *)cnnf_tensor_data_mut(made))[i] = from[i] + from[half + i];
    cnnf_tensor_unref(loaded);
    return status == CNNF_OK ? replace(model, weight, made, error) : status;
}

/* Weights of CuDNNLSTM and CuDNNGRU: one bias of two per gate and unit, whatever the class is called. */
static bool is_cudnn(const cnnfi_keras_layer *layer)
{
    const int32_t gates = gates_of(layer->class_name);
    if (gates == 0 || layer->n_weights != 3) return false;
    const cnnf_tensor *kernel = layer->weights[0].value, *recurrent = layer->weights[1].value,
                      *bias = layer->weights[2].value;
    if (cnnf_tensor_rank(kernel) != 2 || cnnf_tensor_rank(recurrent) != 2 || cnnf_tensor_rank(bias) != 1) return false;
    const int64_t units = cnnf_tensor_dim(recurrent, 0), wide = cnnf_tensor_dim(recurrent, 1);
    for (size_t i = 0; i < 3; i++)
        if (cnnf_tensor_dtype(layer->weights[i].value) != CNNF_FLOAT) return false;
    return units > 0 && wide % gates == 0 && wide / gates == units && cnnf_tensor_dim(kernel, 1) == wide &&
           cnnf_tensor_dim(bias, 0) % 2 == 0 && cnnf_tensor_dim(bias, 0) / 2 == wide;
}

static cnnf_status convert_cudnn(cnnfi_keras_model *model, cnnfi_keras_layer *layer, cnnf_error *error)
{
    const int32_t gates = gates_of(layer->class_name);
    CNNFI_TRY(turn_kernel(model, &layer->weights[0], gates, true, error));
    CNNFI_TRY(turn_kernel(model, &layer->weights[1], gates, false, error));
    return convert_bias(model, &layer->weights[2], gates, error);
}

/* Both kernels are a convolution's. */
static cnnf_status convert_conv_lstm(cnnfi_keras_model *model, const cnnfi_keras_layer *layer, bool keras1,
                                     cnnf_error *error)
{
    const order first = {.perm = {2, 3, 1, 0}};
    for (size_t i = 0; i < 2 && i < layer->n_weights; i++) {
        cnnfi_keras_weight *kernel = &layer->weights[i];
        if (cnnf_tensor_rank(kernel->value) != 4 || cnnf_tensor_dtype(kernel->value) != CNNF_FLOAT) continue;
        if (keras1 && first_format(layer)) CNNFI_TRY(apply(model, kernel, &first, error));
        if (model->theano_kernels) CNNFI_TRY(flip_kernel(model, kernel, error));
    }
    return CNNF_OK;
}

static cnnf_status convert_recurrent(cnnfi_keras_model *model, cnnfi_keras_layer *layer, cnnf_error *error)
{
    const size_t gates = (size_t)gates_of(layer->class_name);
    const bool keras1 = gates > 0 && layer->n_weights == 3 * gates; /* nobody else has as many */
    if (keras1) CNNFI_TRY(join_gates(model, layer, error));
    if (strcmp(layer->class_name, "ConvLSTM2D") == 0) return convert_conv_lstm(model, layer, keras1, error);
    return is_cudnn(layer) ? convert_cudnn(model, layer, error) : CNNF_OK;
}

/* ---- all layers ---- */

static cnnf_status convert_layer(cnnfi_keras_model *model, cnnfi_keras_layer *layer, cnnf_error *error);

/* The weights from `first` on, `n` of them, as those of the layer inside; back come as many as that has in Keras 2. */
static cnnf_status convert_inside(cnnfi_keras_model *model, const cnnfi_keras_layer *layer,
                                  const cnnfi_keras_layer *within, size_t first, size_t n, cnnfi_keras_layer *out,
                                  cnnf_error *error)
{
    *out = *within;
    out->weights = layer->weights + first;
    out->n_weights = n;
    return convert_layer(model, out, error);
}

/* Bidirectional: two layers' weights, in halves. */
static cnnf_status convert_directions(cnnfi_keras_model *model, cnnfi_keras_layer *layer, cnnf_error *error)
{
    cnnfi_keras_layer sides[2];
    const size_t half = layer->n_weights / 2;
    for (size_t i = 0; i < 2; i++) {
        const cnnfi_keras_layer *within = i == 1 && layer->backward ? layer->backward : layer->wrapped;
        CNNFI_TRY(convert_inside(model, layer, within, i * half, half, &sides[i], error));
    }
    const size_t n = sides[0].n_weights, m = sides[1].n_weights;
    cnnfi_keras_weight *weights = cnnfi_arena_array(&model->arena, n + m, sizeof *weights);
    if (!weights) return cnnfi_fail_nomem(error);
    memcpy(weights, sides[0].weights, n * sizeof *weights);
    memcpy(weights + n, sides[1].weights, m * sizeof *weights);
    layer->weights = weights;
    layer->n_weights = n + m;
    return CNNF_OK;
}

static cnnf_status convert_layer(cnnfi_keras_model *model, cnnfi_keras_layer *layer, cnnf_error *error)
{
    cnnfi_keras_layer inside;
    if (layer->n_weights == 0) return CNNF_OK;
    if (layer->wrapped && !layer->wrapped->inner) {
        /* the wrapper holds the weights; what they are is told by the layer inside */
        if (strcmp(layer->class_name, "Bidirectional") == 0)
            return layer->n_weights % 2 == 0 ? convert_directions(model, layer, error) : CNNF_OK;
        CNNFI_TRY(convert_inside(model, layer, layer->wrapped, 0, layer->n_weights, &inside, error));
        layer->weights = inside.weights;
        layer->n_weights = inside.n_weights;
        return CNNF_OK;
    }
    if (is_convolution(layer->class_name)) return convert_convolution(model, layer, error);
    return convert_recurrent(model, layer, error);
}

cnnf_status cnnfi_keras_convert_weights(cnnfi_keras_model *model, cnnfi_keras_container *container, cnnf_error *error)
{
    for (size_t i = 0; i < container->n_layers; i++) {
        cnnfi_keras_layer *layer = &container->layers[i];
        cnnfi_keras_container *inner = layer->inner ? layer->inner : layer->wrapped ? layer->wrapped->inner : NULL;
        if (inner) CNNFI_TRY(cnnfi_keras_convert_weights(model, inner, error));
        if (!layer->inner) CNNFI_TRY(convert_layer(model, layer, error));
    }
    return CNNF_OK;
}
