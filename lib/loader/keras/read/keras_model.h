/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Keras model as data: what every Keras file (H5 of Keras 1 to 3, weights-only H5 with JSON, .keras) is
 * read into, and all that the graph builder sees. Readers (keras_h5.c, keras_v3.c, keras_config.c) know files;
 * the builder (keras_build.c, layers/) knows graphs; this header is where they meet.
 *
 * Everything lives in the model's arena; weights are references to tensors that still lie in the file.
 */
#ifndef CNNFI_LOADER_KERAS_READ_KERAS_MODEL_H
#define CNNFI_LOADER_KERAS_READ_KERAS_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/budget.h"
#include "base/error.h"
#include "graph/tensor.h"
#include "loader/container/json.h"
#include "loader/expression.h"

/* The Keras that wrote the file: node names and variables follow it. */
typedef enum cnnfi_keras_world {
    CNNFI_KERAS_MULTI, /* multi-backend Keras 1.x and 2.x: conv2d_1/convolution, reference variables */
    CNNFI_KERAS_TF,    /* tf.keras 1.x and 2.x: conv2d/Conv2D, resource variables */
    CNNFI_KERAS_3      /* Keras 3: built as tf.keras would */
} cnnfi_keras_world;

typedef struct cnnfi_keras_layer cnnfi_keras_layer;
typedef struct cnnfi_keras_container cnnfi_keras_container;
struct cnnfi_keras_state; /* keras_build.h */

/* One weight as stored: name as in weight_names ("conv2d_1/kernel:0"; .keras: the vars index), value lazy. */
typedef struct cnnfi_keras_weight {
    const char *name;
    cnnf_tensor *value; /* a reference the model holds */
} cnnfi_keras_weight;

/* A tensor in the model: output `tensor` of call `node` of layer `layer` (Keras' (layer, node_index, tensor_index)). */
typedef struct cnnfi_keras_ref {
    int32_t layer; /* index in the container's layers; -1: not a tensor but a constant in `value` */
    int32_t node, tensor;
    const cnnfi_json *value; /* constant argument (TFOpLambda, Keras 3 operations) */
} cnnfi_keras_ref;

/* One call of a layer: its inbound tensors, and keyword arguments (NULL or a JSON object). */
typedef struct cnnfi_keras_call {
    size_t n_inputs;
    cnnfi_keras_ref *inputs;
    bool input_is_list;       /* called with a list: layer([a, b]) */
    const cnnfi_json *kwargs; /* as in inbound_nodes; TFOpLambda's arguments; nullable */
    size_t n_named;           /* tensors among the keyword arguments: y of tf.math.add(x, y=...) */
    cnnfi_keras_ref *named;   /* they order the graph as inputs do */
    const char **names;
} cnnfi_keras_call;

struct cnnfi_keras_layer {
    const char *class_name;   /* normalised: aliases and --map_layer applied (Convolution2D -> Conv2D) */
    const char *stored_class; /* as in the file, for messages */
    bool operation;           /* Keras 3: a function of keras.ops; class_name is then "ops.Add" */
    const char *name;
    const cnnfi_json *config; /* the layer's config object, Keras 2 field names (older ones renamed on reading) */
    size_t n_calls;
    cnnfi_keras_call *calls;
    size_t n_weights; /* in weight_names order; a nested model has none, the layers inside have them */
    cnnfi_keras_weight *weights;
    cnnfi_keras_container *inner; /* nested Sequential or functional model; NULL */
    cnnfi_keras_layer *wrapped; /* TimeDistributed, Bidirectional: the layer inside (weights stay with the wrapper; when
                                it is a model, its layers have them too); NULL */
    cnnfi_keras_layer *backward;     /* Bidirectional(backward_layer=...): the other direction's own layer; NULL */
    bool identity;                   /* --drop_layer */
    const cnnfi_expression *lambda;  /* --lambda: what it computes; NULL */
    struct cnnfi_keras_state *state; /* the builder's: variables and outputs; NULL when read */
};

/* A Sequential or functional model: the whole file's, or a nested one. Sequentials are read as a chain of calls
   (an InputLayer is added where the file has none, named as that Keras names it: "<first layer>_input"). */
struct cnnfi_keras_container {
    const char *name;
    bool sequential;
    size_t n_layers;
    cnnfi_keras_layer *layers; /* in file order (Keras' creation order) */
    size_t n_inputs, n_outputs;
    cnnfi_keras_ref *inputs, *outputs;
};

/* One optimizer variable: name as TensorFlow's checkpoint has it ("training/Adam/Variable"), value. */
typedef struct cnnfi_keras_model {
    cnnf_context *context;
    cnnfi_budget *budget; /* borrowed, of the call that loads it; nullable */
    cnnfi_arena arena;
    const char *path; /* for messages */
    cnnfi_keras_world world;
    bool tensorflow1;          /* multi-backend Keras, on TensorFlow 1.x: some ops are made otherwise there */
    const char *keras_version; /* "2.2.4"; "" when the file does not say */
    int32_t keras_major;       /* 1, 2, 3; 0 unknown */
    bool theano_kernels;       /* backend theano: convolution kernels are rotated and were converted on reading */
    int64_t rnn_steps;         /* > 0: recurrent layers of unknown length are written out for so many steps */
    cnnfi_keras_container *top;
    const cnnfi_json *training_config; /* NULL when not compiled */
    size_t n_optimizer_weights;
    cnnfi_keras_weight *optimizer_weights; /* names from optimizer_weights' weight_names, in order */
    cnnfi_json_doc *documents[4];          /* owned JSON */
    size_t n_documents;
    cnnf_tensor **tensors; /* references held */
    size_t n_tensors, tensor_capacity;
} cnnfi_keras_model;

/* An empty model that keeps a reference to the context. */
cnnf_status cnnfi_keras_model_new(cnnfi_keras_model **out, cnnf_context *context, const char *path,
                                  cnnfi_budget *budget, cnnf_error *error);
void cnnfi_keras_model_free(cnnfi_keras_model *model); /* NULL is allowed */
/* Takes the tensor, also on failure. */
cnnf_status cnnfi_keras_model_hold(cnnfi_keras_model *model, cnnf_tensor *tensor, cnnf_error *error);
/* Parses JSON that lives as long as the model. */
cnnf_status cnnfi_keras_model_json(cnnfi_json_doc **out, cnnfi_keras_model *model, const char *text, size_t size,
                                   const char *what, cnnf_error *error);

/* Whether layers of this class may have weights; true for unknown classes. (The table is the builder's: layers/.) */
bool cnnfi_keras_class_has_weights(const char *class_name);
/* Whether it is a layer of the table, under this name. */
bool cnnfi_keras_class_is_layer(const char *class_name);
/* Whether it takes an input of that rank, the batch included; false for unknown classes. */
bool cnnfi_keras_class_takes_rank(const char *class_name, int32_t rank);

/* "layer 'conv2d' (Conv2D): ..." */
cnnf_status cnnfi_keras_fail(cnnf_error *error, cnnf_status code, const cnnfi_keras_layer *layer, const char *format,
                             ...) __attribute__((format(printf, 4, 5)));

#endif
