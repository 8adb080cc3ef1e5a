/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a Keras model as data to the graph that this Keras would have built for inference, node for node.
 *
 * Keras builds a graph by running Python: every op goes through TensorFlow's Graph.unique_name() under a
 * stack of name scopes. The builder here does the same (cnnfi_build_push(), cnnfi_build_node()), so a layer is
 * written as its call() reads, and all names follow.
 *
 * Everything is sticky: after the first failure nothing is added and cnnfi_keras_tensor values stay harmless, so a
 * layer needs no checks between its lines; it must only not trust ranks and dims it has not been promised (rows have
 * min_rank and max_rank).
 */
#ifndef CNNFI_LOADER_KERAS_BUILD_KERAS_BUILD_H
#define CNNFI_LOADER_KERAS_BUILD_KERAS_BUILD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/loader.h>

#include "base/strmap.h"
#include "graph/builder.h"
#include "loader/keras/read/keras_model.h"

/* TensorFlow's kernels go up to 8 dimensions. */
#define CNNFI_KERAS_MAX_RANK 8

/* A tensor of the graph under construction: what a node's input is called, its static shape (-1 unknown). */
typedef struct cnnfi_keras_tensor {
    const char *name; /* "node" or "node:1" */
    cnnf_dtype dtype;
    int32_t rank;
    int64_t dims[CNNFI_KERAS_MAX_RANK];
    bool variable;  /* a resource handle: each op that takes it reads it in its own scope */
    bool open_size; /* TensorFlow 1 does not know the size that Keras computed: a transposed convolution's output */
    /* Keras' _keras_mask: a bool tensor [batch, steps, ...] in the graph's arena, or NULL */
    const struct cnnfi_keras_tensor *mask;
} cnnfi_keras_tensor;

/* What the builder remembers of a layer between its calls. */
typedef struct cnnfi_keras_state {
    bool built;
    size_t n_variables, used_weights;
    cnnfi_keras_tensor *variables; /* in the order the layer made them */
    const char **handles;          /* their nodes */
    size_t n_order;
    struct cnnfi_keras_order { /* a nested model: its calls in the order Keras runs them */
        int32_t layer, call;
    } * order;
    cnnfi_keras_layer *activation; /* Conv2D(activation=LeakyReLU(0.2)): the layer that is its activation; NULL */
    void *extra;                   /* a family's own, in the graph's arena */
} cnnfi_keras_state;

/* A loop being built (keras_loop.c). */
typedef struct cnnfi_keras_loop cnnfi_keras_loop;

typedef struct cnnfi_keras_builder {
    cnnf_context *context;
    cnnfi_builder *graph;
    cnnfi_keras_model *model;
    bool tf;            /* names and ops as tf.keras makes them; else as multi-backend Keras */
    bool keras3;        /* a Keras 3 file: tf.keras' names, Keras 3's definitions */
    bool tf1;           /* multi-backend Keras on TensorFlow 1.15, where a few functions make other nodes than 2.15's */
    bool resource;      /* VarHandleOp; else VariableV2 */
    const char *suffix; /* added to the first component of every name: "_1" */
    const char *scope;  /* "a/b"; "" at the root */
    const char *colocate; /* ops.colocate_with(): nodes are placed with this one; NULL */
    cnnfi_strmap names;   /* TensorFlow's _names_in_use: lower case -> count */
    int32_t ghost; /* > 0: names are taken but no node is made (a nested model's own graph, which nothing uses) */
    int32_t depth; /* of containers */
    cnnfi_keras_loop *loop; /* whose body nodes are made for now; NULL */
    uint64_t n_ops;         /* ghosts too: nested models called many times multiply */
} cnnfi_keras_builder;

/* One call of one layer, as its builder sees it. */
typedef struct cnnfi_layer_call {
    cnnfi_keras_builder *b;
    cnnfi_keras_layer *layer;
    cnnfi_keras_state *state;
    const cnnfi_json *config;
    const cnnfi_keras_call *record; /* as in the file; NULL for the layer inside a wrapper */
    size_t n_inputs;
    const cnnfi_keras_tensor *inputs; /* name NULL where the call has a constant: record->inputs[i].value */
    const cnnfi_keras_tensor *named;  /* record->n_named of them */
    size_t n_outputs;                 /* set by the builder through cnnfi_layer_return() */
    cnnfi_keras_tensor *outputs;
    struct cnnfi_keras_asked *asked; /* which arguments a function has looked at; NULL: nobody wants to know */
} cnnfi_layer_call;

/* ---- scopes and names (keras_names.c) ---- */

/* tf.name_scope(name): enters a new scope; returns what cnnfi_build_pop() needs. */
const char *cnnfi_build_push(cnnfi_keras_builder *b, const char *name);
void cnnfi_build_pop(cnnfi_keras_builder *b, const char *saved);
/* Graph.unique_name(): the full name, taken. "" is the current scope itself (TensorFlow's name="scope/"). */
const char *cnnfi_build_unique(cnnfi_keras_builder *b, const char *name);
/* Takes a name without making a node, for what Keras makes and inference never uses. */
void cnnfi_build_reserve(cnnfi_keras_builder *b, const char *name);

/* ---- failing ---- */

bool cnnfi_build_ok(const cnnfi_keras_builder *b);
/* "<file>: Keras: layer 'x' (Class): ..."; sticky. */
void cnnfi_layer_fail(const cnnfi_layer_call *call, cnnf_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "<file>: Keras config: layer 'x': ..."; for what is wrong with the class itself. */
void cnnfi_layer_fail_config(const cnnfi_layer_call *call, cnnf_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- nodes (keras_ops.c) ---- */

/*
 * A node `op` called cnnfi_build_unique(name) with these inputs (variables are read in the node's scope). *out: its
 * output 0, dtype and shape of inputs[0] (a scalar without inputs) for the caller to mend. NULL node when nothing is
 * made: cnnfi_node_set_*() take that.
 */
cnnf_node *cnnfi_build_node(cnnfi_keras_builder *b, cnnfi_keras_tensor *out, const char *op, const char *name, size_t n,
                            const cnnfi_keras_tensor *inputs);
/* The same with attribute T, the dtype of inputs[0]. */
cnnf_node *cnnfi_build_node_t(cnnfi_keras_builder *b, cnnfi_keras_tensor *out, const char *op, const char *name,
                              size_t n, const cnnfi_keras_tensor *inputs);
/* Output `port` of the same node. */
cnnfi_keras_tensor cnnfi_build_port(cnnfi_keras_builder *b, const cnnfi_keras_tensor *out, int32_t port);
/* t with `mask` as its mask. */
cnnfi_keras_tensor cnnfi_build_masked(cnnfi_keras_builder *b, cnnfi_keras_tensor t, cnnfi_keras_tensor mask);
/* t with another shape. */
cnnfi_keras_tensor cnnfi_keras_tensor_shaped(cnnfi_keras_tensor t, int32_t rank, const int64_t *dims);
/* A resource variable read now, in this scope ("ReadVariableOp"); anything else as it is. */
cnnfi_keras_tensor cnnfi_build_read(cnnfi_keras_builder *b, cnnfi_keras_tensor t);

cnnfi_keras_tensor cnnfi_build_unary(cnnfi_keras_builder *b, const char *op, const char *name, cnnfi_keras_tensor x);
/* Broadcasting binary op, python's `x <op> y`: a variable x is read before the op's scope is entered. */
cnnfi_keras_tensor cnnfi_build_binary(cnnfi_keras_builder *b, const char *op, const char *name, cnnfi_keras_tensor x,
                                      cnnfi_keras_tensor y);
/* python's `x <op> number`: the constant is "<name>/y", or "<name>/x" for number <op> x. */
cnnfi_keras_tensor cnnfi_build_binary_const(cnnfi_keras_builder *b, const char *op, const char *name,
                                            cnnfi_keras_tensor x, double y);
cnnfi_keras_tensor cnnfi_build_const_binary(cnnfi_keras_builder *b, const char *op, const char *name, double x,
                                            cnnfi_keras_tensor y);

cnnfi_keras_tensor cnnfi_build_scalar(cnnfi_keras_builder *b, const char *name, cnnf_dtype dtype, double value);
cnnfi_keras_tensor cnnfi_build_splat(cnnfi_keras_builder *b, const char *name, int32_t rank, const int64_t *dims,
                                     double value);
cnnfi_keras_tensor cnnfi_build_ints(cnnfi_keras_builder *b, const char *name, size_t count,
                                    const int32_t *values); /* a vector */
cnnfi_keras_tensor cnnfi_build_longs(cnnfi_keras_builder *b, const char *name, size_t count,
                                     const int64_t *values); /* an int64 vector */
cnnfi_keras_tensor cnnfi_build_floats(cnnfi_keras_builder *b, const char *name, size_t count,
                                      const float *values); /* a vector */
cnnfi_keras_tensor cnnfi_build_pairs(cnnfi_keras_builder *b, const char *name, size_t n,
                                     const int32_t (*pairs)[2]); /* int32 [n,2] */
cnnfi_keras_tensor cnnfi_build_int(cnnfi_keras_builder *b, const char *name, int32_t value);
/* Any numeric dtype and shape, from values in memory. */
cnnfi_keras_tensor cnnfi_build_const(cnnfi_keras_builder *b, const char *name, cnnf_dtype dtype, int32_t rank,
                                     const int64_t *dims, const void *values);

/* Reshape to constant dims ("<name>/shape"). */
cnnfi_keras_tensor cnnfi_build_reshape(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x, int32_t rank,
                                       const int64_t *dims);
/* Transpose by constant perm ("<name>/perm"). */
cnnfi_keras_tensor cnnfi_build_transpose(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x,
                                         const int32_t *perm);
cnnfi_keras_tensor cnnfi_build_shape_of(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x);
/* value[begin:end] of a vector, or value[begin] when shrink; open_begin, open_end: x[:e], x[b:]. "<name>/stack", ... */
cnnfi_keras_tensor cnnfi_build_slice(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x, int32_t begin,
                                     int32_t end, bool open_begin, bool open_end, bool shrink);
/* tf.stack / automatic packing of scalars. */
cnnfi_keras_tensor cnnfi_build_pack(cnnfi_keras_builder *b, const char *name, size_t n,
                                    const cnnfi_keras_tensor *values);
/* An item of a list that TensorFlow packs by itself: a tensor (name not NULL), or a number. */
typedef struct cnnfi_keras_dim {
    cnnfi_keras_tensor tensor;
    int32_t value;
} cnnfi_keras_dim;
cnnfi_keras_dim cnnfi_keras_dim_of(int64_t value);
cnnfi_keras_dim cnnfi_keras_dim_tensor(cnnfi_keras_tensor tensor);
/* ops.convert_to_tensor([a, 2, b]): numbers become "<name>/<index>". */
cnnfi_keras_tensor cnnfi_build_autopack(cnnfi_keras_builder *b, const char *name, size_t n,
                                        const cnnfi_keras_dim *items);
/* Reshape to a list of numbers and tensors ("<name>/shape"); rank and dims: the static result. */
cnnfi_keras_tensor cnnfi_build_reshape_to(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x, size_t n,
                                          const cnnfi_keras_dim *items, const int64_t *dims);
/* Reshape to a tensor that is there. */
cnnfi_keras_tensor cnnfi_build_reshape_by(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x,
                                          cnnfi_keras_tensor shape, int32_t rank, const int64_t *dims);
/* Mean, Max, Sum, Prod ... over constant axes: "<name>/reduction_indices". */
cnnfi_keras_tensor cnnfi_build_reduce(cnnfi_keras_builder *b, const char *op, const char *name, cnnfi_keras_tensor x,
                                      size_t n_axes, const int32_t *axes, bool keep);
/* The same over one axis, written as in the program: axis=-1. */
cnnfi_keras_tensor cnnfi_build_reduce_axis(cnnfi_keras_builder *b, const char *op, const char *name,
                                           cnnfi_keras_tensor x, int32_t axis, bool keep);
/* K.reverse(x, axis), axis from 0. */
cnnfi_keras_tensor cnnfi_build_reverse(cnnfi_keras_builder *b, cnnfi_keras_tensor x, int32_t axis);
cnnfi_keras_tensor cnnfi_build_expand_dims(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x,
                                           int32_t axis); /* "<name>/dim" */
cnnfi_keras_tensor cnnfi_build_squeeze(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x, int32_t axis);
cnnfi_keras_tensor cnnfi_build_concat(cnnfi_keras_builder *b, const char *name, size_t n,
                                      const cnnfi_keras_tensor *values, int32_t axis);
cnnfi_keras_tensor cnnfi_build_matmul(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x,
                                      cnnfi_keras_tensor y);
cnnfi_keras_tensor cnnfi_build_bias_add(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x,
                                        cnnfi_keras_tensor bias, const char *data_format);
cnnfi_keras_tensor cnnfi_build_cast(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x, cnnf_dtype to);
cnnfi_keras_tensor cnnfi_build_pad(cnnfi_keras_builder *b, const char *name, cnnfi_keras_tensor x,
                                   const int32_t (*paddings)[2]); /* "<name>/paddings" */
/* where(condition, x, y): Select in multi-backend Keras, SelectV2 in tf.keras. */
cnnfi_keras_tensor cnnfi_build_where(cnnfi_keras_builder *b, cnnfi_keras_tensor condition, cnnfi_keras_tensor x,
                                     cnnfi_keras_tensor y);
/* tf.clip_by_value() with constants made before ("Const"), or by it. */
cnnfi_keras_tensor cnnfi_build_clip(cnnfi_keras_builder *b, cnnfi_keras_tensor x, double low, double high);
cnnfi_keras_tensor cnnfi_build_clip_tensors(cnnfi_keras_builder *b, cnnfi_keras_tensor x, cnnfi_keras_tensor low,
                                            cnnfi_keras_tensor high);
/* The shape two tensors broadcast to; unknown dims stay unknown. */
cnnfi_keras_tensor cnnfi_keras_tensor_broadcast(cnnfi_keras_tensor x, cnnfi_keras_tensor y);

/* ---- loops (keras_loop.c) ---- */

/*
 * tf.while_loop() of TensorFlow 1 ("while"): Enter, Merge, Switch, NextIteration and Exit frames. Until it ends, what a
 * node takes from outside comes through an Enter of its own, and what takes nothing from inside waits for the
 * iteration.
 */
struct cnnfi_keras_loop {
    const char *saved, *scope, *frame, *pivot;
    struct cnnfi_keras_entered *entered; /* outer tensor -> Enter */
    size_t n;
    cnnfi_keras_tensor *switches;
};
/* while vars[0] < limit; vars: the first values, then those of an iteration. */
bool cnnfi_build_loop_begin(cnnfi_keras_builder *b, cnnfi_keras_loop *loop, size_t n, cnnfi_keras_tensor *vars,
                            cnnfi_keras_tensor limit);
/* vars: the next values, then the last. */
void cnnfi_build_loop_end(cnnfi_keras_builder *b, cnnfi_keras_loop *loop, cnnfi_keras_tensor *vars);
/* For cnnfi_build_node(): the inputs of `node` as the loop sees them; *waits: they say nothing of the iteration. */
void cnnfi_build_loop_inputs(cnnfi_keras_builder *b, const char *node, size_t n, const cnnfi_keras_tensor *inputs,
                             const char **names, bool *waits);

/* ---- variables (keras_vars.c) ---- */

/* How Keras fills a variable before the weights are set: only names depend on it. */
typedef enum cnnfi_keras_init {
    CNNFI_KERAS_INIT_ZEROS,
    CNNFI_KERAS_INIT_ONES,
    CNNFI_KERAS_INIT_RANDOM
} cnnfi_keras_init;

/* add_weight(): the layer's next stored weight, its shape checked, as variable "<scope>/<name>". */
cnnfi_keras_tensor cnnfi_layer_weight(cnnfi_layer_call *call, const char *name, int32_t rank, const int64_t *dims,
                                      cnnfi_keras_init init, bool trainable);
/* Attribute _class: placed with the node called `name`. */
void cnnfi_build_colocate(cnnfi_keras_builder *b, cnnf_node *node, const char *name);
/* Variable `index` of the layer, in the order they were made. */
cnnfi_keras_tensor cnnfi_layer_variable(const cnnfi_layer_call *call, size_t index);
/* A variable at full name `name` (unique already), bound to `value` (NULL: a tensor of `fill`). colocate: loc:@ of that
   node, or NULL for itself. */
cnnfi_keras_tensor cnnfi_build_variable(cnnfi_keras_builder *b, const char *name, const char *initial, cnnf_dtype dtype,
                                        int32_t rank, const int64_t *dims, double fill, const cnnf_tensor *value,
                                        const char *colocate, bool trainable);

/* ---- configuration (keras_fields.c) ---- */

int64_t cnnfi_layer_int(const cnnfi_layer_call *call, const char *key, int64_t fallback);
double cnnfi_layer_float(const cnnfi_layer_call *call, const char *key, double fallback); /* fallback for null too */
bool cnnfi_layer_bool(const cnnfi_layer_call *call, const char *key, bool fallback);
const char *cnnfi_layer_string(const cnnfi_layer_call *call, const char *key, const char *fallback);
/* "units": must be there and > 0. */
int64_t cnnfi_layer_positive(cnnfi_layer_call *call, const char *key);
/* A number or a list of n numbers, each >= minimum; fallback for all when absent or null. */
void cnnfi_layer_ints(cnnfi_layer_call *call, const char *key, size_t n, int64_t *out, int64_t fallback,
                      int64_t minimum);
/* The config of something serialised: {"class_name":…, "config":…}; *class_name its class or, for a plain string,
 * itself. */
const cnnfi_json *cnnfi_layer_serialized(const cnnfi_json *value, const char **class_name);
bool cnnfi_layer_channels_first(cnnfi_layer_call *call);
/* A negative axis counted from the end; fails outside [0, rank). */
int32_t cnnfi_layer_axis(cnnfi_layer_call *call, int64_t axis, int32_t rank);

/* ---- layers ---- */

void cnnfi_layer_return(cnnfi_layer_call *call, cnnfi_keras_tensor y); /* one output */
void cnnfi_layer_return_masked(cnnfi_layer_call *call,
                               cnnfi_keras_tensor y); /* with the first input's mask: supports_masking */
/* The same where only Keras 3's layer supports masking. */
void cnnfi_layer_return_masked3(cnnfi_layer_call *call, cnnfi_keras_tensor y);
void cnnfi_layer_return_n(cnnfi_layer_call *call, size_t n, const cnnfi_keras_tensor *tensors);
/* The activation named by config key (null or absent: linear), in the current scope. */
cnnfi_keras_tensor cnnfi_layer_activation(cnnfi_layer_call *call, const char *key, cnnfi_keras_tensor x);
cnnfi_keras_tensor cnnfi_layer_activate(cnnfi_layer_call *call, const cnnfi_json *activation, cnnfi_keras_tensor x);
/* The layer's state, made on first use; NULL after a failure. */
cnnfi_keras_state *cnnfi_build_state(cnnfi_keras_builder *b, cnnfi_keras_layer *layer);
/* Runs a layer on inputs within the current scope (no scope of its own): build on its first call, then call. Wrappers
   use it for the layer inside, whose weights they have set to their part of their own. */
void cnnfi_build_run(cnnfi_keras_builder *b, cnnfi_keras_layer *layer, const cnnfi_keras_call *record, size_t n,
                     const cnnfi_keras_tensor *inputs, const cnnfi_keras_tensor *named, size_t *n_outputs,
                     cnnfi_keras_tensor **outputs);

/* The layer's variables alone, as its first call would make them: a wrapper that puts others in their place. */
void cnnfi_build_weights_of(cnnfi_keras_builder *b, cnnfi_keras_layer *layer, size_t n,
                            const cnnfi_keras_tensor *inputs);

/* The layer that a layer's `activation` is, where it is one and no function ("LeakyReLU" and kin): made when first
   asked for, with those weights of `call`'s layer that its own configuration leaves over. NULL: a function, or nothing
   known. */
cnnfi_keras_layer *cnnfi_build_activation_layer(cnnfi_layer_call *call, const cnnfi_json *activation);

/* CNNF_E_UNSUPPORTED with all of them when the model has more than one class that is not supported
   (keras_unsupported.c). */
cnnf_status cnnfi_keras_check_classes(const cnnfi_keras_model *model, cnnf_error *error);
/* The whole model as a published graph. */
cnnf_status cnnfi_keras_build(cnnf_graph **out, cnnfi_keras_model *model, int32_t variables, const char *suffix,
                              bool training_state, cnnf_error *error);
/* The optimizer's variables, as load_model() makes them for a compiled model (keras_optimizer.c). */
void cnnfi_keras_build_optimizer(cnnfi_keras_builder *b);

/* ---- what a layer is to the builder: layers/ fills the table ---- */

/*
 * A layer class. `build` makes the variables on the first call (NULL: none), inside the layer's name scope;
 * `call` emits the ops of one call and ends with cnnfi_layer_return(). Both see which Keras wrote the file in
 * call->b->tf and call->b->keras3; a class that differs throughout has call_tf.
 */
typedef struct cnnfi_keras_row {
    const char *class_name;
    const char *fields;         /* configuration fields read, for docs/layers.md */
    const char *weights;        /* variables in order; "" */
    const char *verified;       /* Keras versions whose graphs were compared */
    int32_t min_rank, max_rank; /* of the first input, batch included */
    size_t min_inputs, max_inputs;
    void (*build)(cnnfi_layer_call *call);
    void (*call)(cnnfi_layer_call *call); /* multi-backend; tf.keras too when call_tf is NULL */
    void (*call_tf)(cnnfi_layer_call *call);
} cnnfi_keras_row;

/* NULL when the class is unknown. */
const cnnfi_keras_row *cnnfi_keras_row_find(const char *class_name);

#endif
