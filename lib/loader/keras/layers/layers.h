/* SPDX-License-Identifier: Apache-2.0 */
/* The table of Keras layers: one row per class, one file per family. */
#ifndef CNNFI_LOADER_KERAS_LAYERS_LAYERS_H
#define CNNFI_LOADER_KERAS_LAYERS_LAYERS_H

#include "loader/keras/build/keras_build.h"

typedef struct cnnfi_keras_family {
    const char *name;
    const cnnfi_keras_row *rows;
    size_t count;
} cnnfi_keras_family;

/* The families; layer_table.c joins them. */
extern const cnnfi_keras_family cnnfi_keras_core;
extern const cnnfi_keras_family cnnfi_keras_convolutional;
extern const cnnfi_keras_family cnnfi_keras_pooling;
extern const cnnfi_keras_family cnnfi_keras_adaptive_pooling;
extern const cnnfi_keras_family cnnfi_keras_locally_connected;
extern const cnnfi_keras_family cnnfi_keras_depthwise;
extern const cnnfi_keras_family cnnfi_keras_transposed;
extern const cnnfi_keras_family cnnfi_keras_normalization;
extern const cnnfi_keras_family cnnfi_keras_layer_normalization;
extern const cnnfi_keras_family cnnfi_keras_attention;
extern const cnnfi_keras_family cnnfi_keras_advanced_activations;
extern const cnnfi_keras_family cnnfi_keras_embeddings;
extern const cnnfi_keras_family cnnfi_keras_merging;
extern const cnnfi_keras_family cnnfi_keras_reshaping;
extern const cnnfi_keras_family cnnfi_keras_preprocessing;
extern const cnnfi_keras_family cnnfi_keras_operations;
extern const cnnfi_keras_family cnnfi_keras_functions;
extern const cnnfi_keras_family cnnfi_keras_lambda;
extern const cnnfi_keras_family cnnfi_keras_recurrent;
extern const cnnfi_keras_family cnnfi_keras_wrappers;
extern const cnnfi_keras_family cnnfi_keras_addons;
extern const cnnfi_keras_family cnnfi_keras_weight_wrappers;
extern const cnnfi_keras_family cnnfi_keras_quantize_wrappers;
extern const cnnfi_keras_family cnnfi_keras_category;

const cnnfi_keras_family *cnnfi_keras_family_at(size_t index); /* NULL past the last */

/* The activation functions by index; NULL past the last. */
const char *cnnfi_keras_activation_name(size_t index);

/* Pieces families share. */
cnnfi_keras_tensor cnnfi_build_softmax_by_hand(cnnfi_keras_builder *b, cnnfi_keras_tensor x,
                                               int32_t axis); /* exp(x - max) / sum */
cnnfi_keras_tensor cnnfi_build_leaky_relu(cnnfi_keras_builder *b, cnnfi_keras_tensor x, double alpha);
/* A normalisation: x, and its parameters where `scale` and `center` say they are there. */
typedef struct cnnfi_keras_norm {
    cnnfi_keras_tensor x, gamma, beta, mean, variance;
    int32_t axis;
    bool scale, center;
    double epsilon;
} cnnfi_keras_norm;
cnnfi_keras_tensor cnnfi_build_batchnorm(cnnfi_keras_builder *b,
                                         const cnnfi_keras_norm *n); /* tf.nn.batch_normalization() */
cnnfi_keras_tensor cnnfi_build_product(cnnfi_keras_builder *b, cnnfi_keras_tensor dims); /* reduce_prod() of a vector */
bool cnnfi_keras_same_padding(cnnfi_layer_call *call); /* "same" or "valid"; else fails */
/* "NHWC" and kin for n spatial dimensions. */
const char *cnnfi_keras_tf_format(int32_t n, bool channels_first);
/* Length of a window's output over one dimension; -1 stays unknown. */
int64_t cnnfi_keras_window_length(int64_t length, int64_t size, int64_t stride, int64_t dilation, bool same);
/* Transposes that Keras puts around ops the CPU has for channels_last only. */
cnnfi_keras_tensor cnnfi_keras_to_last(cnnfi_keras_builder *b, cnnfi_keras_tensor x);
cnnfi_keras_tensor cnnfi_keras_to_first(cnnfi_keras_builder *b, cnnfi_keras_tensor x);
/* A convolution over n spatial dimensions, as its configuration has it. */
typedef struct cnnfi_keras_conv {
    int32_t n;
    bool first, same, causal, dilated; /* channels_first, padding */
    int64_t kernel[3], strides[3], dilation[3];
} cnnfi_keras_conv;
cnnfi_keras_conv cnnfi_keras_conv_read(cnnfi_layer_call *call, int32_t n);
/* Channels of the input; fails when they are not known. */
int64_t cnnfi_keras_channels(cnnfi_layer_call *call, bool channels_first);
/* Conv2D or Conv3D called `name`: x and the kernel as they are. */
cnnfi_keras_tensor cnnfi_keras_conv_op(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x,
                                       cnnfi_keras_tensor kernel, int32_t n, const int64_t *strides, bool same,
                                       bool first);
/* tf.nn.convolution() or one of its kin in scope `name`; first: channels are the second dimension. */
cnnfi_keras_tensor cnnfi_keras_convolution(cnnfi_layer_call *call, const char *name, cnnfi_keras_tensor x,
                                           cnnfi_keras_tensor kernel, const cnnfi_keras_conv *c, bool first);
cnnfi_keras_tensor cnnfi_keras_causal_pad(cnnfi_keras_builder *b, cnnfi_keras_tensor x, const cnnfi_keras_conv *c);
/* use_bias of a tf.keras convolution: variable `index`. */
cnnfi_keras_tensor cnnfi_keras_bias_tf(cnnfi_layer_call *call, cnnfi_keras_tensor y, size_t index, bool channels_first);
/* The same of a multi-backend one. */
cnnfi_keras_tensor cnnfi_keras_bias_multi(cnnfi_layer_call *call, cnnfi_keras_tensor y, size_t index,
                                          bool channels_first);
/* tf.nn.atrous_conv2d_transpose() around its transposes; y: the static shape of the result. */
cnnfi_keras_tensor cnnfi_keras_atrous_transpose(cnnfi_layer_call *call, const cnnfi_keras_conv *c,
                                                cnnfi_keras_tensor shape, cnnfi_keras_tensor y);
/* A dilated window over the n dimensions after the batch. */
typedef struct cnnfi_keras_space {
    int32_t n, at; /* the first of them */
    bool same;
    int64_t kernel[3], rate[3];
    bool dynamic;                       /* the size is not known: */
    cnnfi_keras_tensor paddings, crops; /* computed in the graph */
} cnnfi_keras_space;
cnnfi_keras_tensor cnnfi_keras_space_to_batch(cnnfi_layer_call *call, cnnfi_keras_space *s, cnnfi_keras_tensor x);
/* y: what the op made of the batched x; x: before batching. */
cnnfi_keras_tensor cnnfi_keras_batch_to_space(cnnfi_layer_call *call, const cnnfi_keras_space *s, cnnfi_keras_tensor y,
                                              cnnfi_keras_tensor x);
void cnnfi_keras_space_dynamic(cnnfi_keras_builder *b, cnnfi_keras_space *s,
                               cnnfi_keras_tensor x); /* paddings and crops as nodes */
/* K.bias_add(): the bias along the last axis, or along axis 1 for channels_first. */
cnnfi_keras_tensor cnnfi_build_keras_bias(cnnfi_keras_builder *b, cnnfi_keras_tensor x, cnnfi_keras_tensor bias,
                                          bool channels_first);

/* tf.nn.l2_normalize() */
cnnfi_keras_tensor cnnfi_build_l2_normalize(cnnfi_keras_builder *b, cnnfi_keras_tensor x, int32_t axis, double epsilon);
/* tf.matmul() of two tensors of the same rank > 2 ("MatMul"). */
cnnfi_keras_tensor cnnfi_build_batch_matmul(cnnfi_keras_builder *b, cnnfi_keras_tensor x, cnnfi_keras_tensor y,
                                            bool adj_x, bool adj_y);

/* A number or nested lists of numbers as tf.constant() takes them: int32 or bool when all are, else float32; `dtype` 0
   or what to make of them instead. Fails when the value is something else. */
cnnfi_keras_tensor cnnfi_layer_constant(cnnfi_layer_call *call, const char *name, const cnnfi_json *value,
                                        cnnf_dtype dtype);
/* The same as integers in row order, for what shapes are computed from: how many; -1 when it is no such thing. */
int32_t cnnfi_json_integers(const cnnfi_json *value, int64_t *out, int32_t capacity);

/* One item of x[a, b, c] as Python has it; a missing begin or end is open. */
typedef enum cnnfi_keras_index_kind {
    CNNFI_KERAS_INDEX_RANGE,
    CNNFI_KERAS_INDEX_AT,
    CNNFI_KERAS_INDEX_ELLIPSIS,
    CNNFI_KERAS_INDEX_NEW
} cnnfi_keras_index_kind;
typedef struct cnnfi_keras_index {
    cnnfi_keras_index_kind kind;
    bool has_begin, has_end;
    int64_t begin, end, stride; /* begin: also the position of CNNFI_KERAS_INDEX_AT; stride 0 means 1 */
} cnnfi_keras_index;
/* Tensor.__getitem__ ("strided_slice"); n <= CNNFI_KERAS_MAX_RANK + 1. false: it does not fit the tensor. */
bool cnnfi_build_index(cnnfi_keras_builder *b, cnnfi_keras_tensor *out, cnnfi_keras_tensor x, size_t n,
                       const cnnfi_keras_index *indices);
/* The shape alone. */
bool cnnfi_keras_tensor_slice(cnnfi_keras_tensor *out, const cnnfi_keras_tensor *x, size_t n,
                              const cnnfi_keras_index *indices);
/* tf.split() in `count` equal parts ("split"): part 0; the others are its ports. */
cnnfi_keras_tensor cnnfi_build_split(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x, int32_t axis,
                                     int64_t count);
/* An image resized by an op that takes (images, size): ResizeBilinear and kin. */
cnnfi_keras_tensor cnnfi_build_resize(cnnfi_keras_builder *b, const char *op, const char *name, cnnfi_keras_tensor x,
                                      cnnfi_keras_tensor size, bool align_corners, bool half_pixel_centers,
                                      const int64_t height_width[2]);
/* The op for tf.image.resize()'s method ("bilinear", ...), NULL when it is made of others. */
const char *cnnfi_keras_resize_op(const char *method);

/* Whether a wrapper's stored weights have names (an H5). In a .keras they are numbered: first so many of the wrapper's
   own, then those of the layer inside, from 0 again. */
bool cnnfi_keras_has_names(const cnnfi_keras_layer *wrapper);
size_t cnnfi_keras_own_weights(const cnnfi_keras_layer *wrapper);

#define CNNFI_KERAS_VERIFIED "2.2.5, tf.keras 2.15, 3"

#endif
