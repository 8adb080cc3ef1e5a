/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a Keras model as data to the graph that this Keras would have built for inference, node for node.
 *
 * Keras builds a graph by running Python: every op goes through TensorFlow's Graph.unique_name() under a
 * stack of name scopes. The builder here does the same (cnnfi_kb_push(), cnnfi_kb_node()), so a layer is
 * written as its call() reads, and all names follow.
 *
 * Everything is sticky: after the first failure nothing is added and cnnfi_kt values stay harmless, so a layer
 * needs no checks between its lines; it must only not trust ranks and dims it has not been promised (rows have
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
typedef struct cnnfi_kt {
    const char *name; /* "node" or "node:1" */
    cnnf_dtype dtype;
    int32_t rank;
    int64_t dims[CNNFI_KERAS_MAX_RANK];
    bool variable;  /* a resource handle: each op that takes it reads it in its own scope */
    bool open_size; /* TensorFlow 1 does not know the size that Keras computed: a transposed convolution's output */
    /* Keras' _keras_mask: a bool tensor [batch, steps, ...] in the graph's arena, or NULL */
    const struct cnnfi_kt *mask;
} cnnfi_kt;

/* What the builder remembers of a layer between its calls. */
typedef struct cnnfi_kstate {
    bool built;
    size_t n_variables, used_weights;
    cnnfi_kt *variables;  /* in the order the layer made them */
    const char **handles; /* their nodes */
    size_t n_order;
    struct cnnfi_korder { /* a nested model: its calls in the order Keras runs them */
        int32_t layer, call;
    } * order;
    cnnfi_keras_layer *activation; /* Conv2D(activation=LeakyReLU(0.2)): the layer that is its activation; NULL */
    void *extra;                   /* a family's own, in the graph's arena */
} cnnfi_kstate;

/* A loop being built (keras_loop.c). */
typedef struct cnnfi_kloop cnnfi_kloop;

typedef struct cnnfi_kb {
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
    int32_t ghost;     /* > 0: names are taken but no node is made (a nested model's own graph, which nothing uses) */
    int32_t depth;     /* of containers */
    cnnfi_kloop *loop; /* whose body nodes are made for now; NULL */
    uint64_t n_ops;    /* ghosts too: nested models called many times multiply */
} cnnfi_kb;

/* One call of one layer, as its builder sees it. */
typedef struct cnnfi_kc {
    cnnfi_kb *b;
    cnnfi_keras_layer *layer;
    cnnfi_kstate *state;
    const cnnfi_json *config;
    const cnnfi_keras_call *call; /* as in the file; NULL for the layer inside a wrapper */
    size_t n_inputs;
    const cnnfi_kt *inputs; /* name NULL where the call has a constant: call->inputs[i].value */
    const cnnfi_kt *named;  /* call->n_named of them */
    size_t n_outputs;       /* set by the builder through cnnfi_kc_return() */
    cnnfi_kt *outputs;
} cnnfi_kc;

/* ---- scopes and names (keras_names.c) ---- */

/* tf.name_scope(name): enters a new scope; returns what cnnfi_kb_pop() needs. */
const char *cnnfi_kb_push(cnnfi_kb *b, const char *name);
void cnnfi_kb_pop(cnnfi_kb *b, const char *saved);
/* Graph.unique_name(): the full name, taken. "" is the current scope itself (TensorFlow's name="scope/"). */
const char *cnnfi_kb_unique(cnnfi_kb *b, const char *name);
/* Takes a name without making a node, for what Keras makes and inference never uses. */
void cnnfi_kb_reserve(cnnfi_kb *b, const char *name);

/* ---- failing ---- */

bool cnnfi_kb_ok(const cnnfi_kb *b);
/* "<file>: Keras: layer 'x' (Class): ..."; sticky. */
void cnnfi_kc_fail(const cnnfi_kc *kc, cnnf_status code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* "<file>: Keras config: layer 'x': ..."; for what is wrong with the class itself. */
void cnnfi_kc_fail_config(const cnnfi_kc *kc, cnnf_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- nodes (keras_ops.c) ---- */

/*
 * A node `op` called cnnfi_kb_unique(name) with these inputs (variables are read in the node's scope). *out: its
 * output 0, dtype and shape of inputs[0] (a scalar without inputs) for the caller to mend. NULL node when nothing is
 * made: cnnfi_node_set_*() take that.
 */
cnnf_node *cnnfi_kb_node(cnnfi_kb *b, cnnfi_kt *out, const char *op, const char *name, size_t n,
                         const cnnfi_kt *inputs);
/* The same with attribute T, the dtype of inputs[0]. */
cnnf_node *cnnfi_kb_node_t(cnnfi_kb *b, cnnfi_kt *out, const char *op, const char *name, size_t n,
                           const cnnfi_kt *inputs);
/* Output `port` of the same node. */
cnnfi_kt cnnfi_kb_port(cnnfi_kb *b, const cnnfi_kt *out, int32_t port);
/* t with `mask` as its mask. */
cnnfi_kt cnnfi_kb_masked(cnnfi_kb *b, cnnfi_kt t, cnnfi_kt mask);
/* t with another shape. */
cnnfi_kt cnnfi_kt_shaped(cnnfi_kt t, int32_t rank, const int64_t *dims);
/* A resource variable read now, in this scope ("ReadVariableOp"); anything else as it is. */
cnnfi_kt cnnfi_kb_read(cnnfi_kb *b, cnnfi_kt t);

cnnfi_kt cnnfi_kb_unary(cnnfi_kb *b, const char *op, const char *name, cnnfi_kt x);
/* Broadcasting binary op, python's `x <op> y`: a variable x is read before the op's scope is entered. */
cnnfi_kt cnnfi_kb_binary(cnnfi_kb *b, const char *op, const char *name, cnnfi_kt x, cnnfi_kt y);
/* python's `x <op> number`: the constant is "<name>/y", or "<name>/x" for number <op> x. */
cnnfi_kt cnnfi_kb_binary_const(cnnfi_kb *b, const char *op, const char *name, cnnfi_kt x, double y);
cnnfi_kt cnnfi_kb_const_binary(cnnfi_kb *b, const char *op, const char *name, double x, cnnfi_kt y);

cnnfi_kt cnnfi_kb_scalar(cnnfi_kb *b, const char *name, cnnf_dtype dtype, double value);
cnnfi_kt cnnfi_kb_splat(cnnfi_kb *b, const char *name, int32_t rank, const int64_t *dims, double value);
cnnfi_kt cnnfi_kb_ints(cnnfi_kb *b, const char *name, size_t count, const int32_t *values);  /* a vector */
cnnfi_kt cnnfi_kb_longs(cnnfi_kb *b, const char *name, size_t count, const int64_t *values); /* an int64 vector */
cnnfi_kt cnnfi_kb_floats(cnnfi_kb *b, const char *name, size_t count, const float *values);  /* a vector */
cnnfi_kt cnnfi_kb_pairs(cnnfi_kb *b, const char *name, size_t n, const int32_t (*pairs)[2]); /* int32 [n,2] */
cnnfi_kt cnnfi_kb_int(cnnfi_kb *b, const char *name, int32_t value);
/* Any numeric dtype and shape, from values in memory. */
cnnfi_kt cnnfi_kb_const(cnnfi_kb *b, const char *name, cnnf_dtype dtype, int32_t rank, const int64_t *dims,
                        const void *values);

/* Reshape to constant dims ("<name>/shape"). */
cnnfi_kt cnnfi_kb_reshape(cnnfi_kb *b, const char *name, cnnfi_kt x, int32_t rank, const int64_t *dims);
/* Transpose by constant perm ("<name>/perm"). */
cnnfi_kt cnnfi_kb_transpose(cnnfi_kb *b, const char *name, cnnfi_kt x, const int32_t *perm);
cnnfi_kt cnnfi_kb_shape_of(cnnfi_kb *b, const char *name, cnnfi_kt x);
/* value[begin:end] of a vector, or value[begin] when shrink; open_begin, open_end: x[:e], x[b:]. "<name>/stack", ... */
cnnfi_kt cnnfi_kb_slice(cnnfi_kb *b, const char *name, cnnfi_kt x, int32_t begin, int32_t end, bool open_begin,
                        bool open_end, bool shrink);
/* tf.stack / automatic packing of scalars. */
cnnfi_kt cnnfi_kb_pack(cnnfi_kb *b, const char *name, size_t n, const cnnfi_kt *values);
/* An item of a list that TensorFlow packs by itself: a tensor (name not NULL), or a number. */
typedef struct cnnfi_kdim {
    cnnfi_kt tensor;
    int32_t value;
} cnnfi_kdim;
cnnfi_kdim cnnfi_kdim_of(int64_t value);
cnnfi_kdim cnnfi_kdim_tensor(cnnfi_kt tensor);
/* ops.convert_to_tensor([a, 2, b]): numbers become "<name>/<index>". */
cnnfi_kt cnnfi_kb_autopack(cnnfi_kb *b, const char *name, size_t n, const cnnfi_kdim *items);
/* Reshape to a list of numbers and tensors ("<name>/shape"); rank and dims: the static result. */
cnnfi_kt cnnfi_kb_reshape_to(cnnfi_kb *b, const char *name, cnnfi_kt x, size_t n, const cnnfi_kdim *items,
                             const int64_t *dims);
/* Reshape to a tensor that is there. */
cnnfi_kt cnnfi_kb_reshape_by(cnnfi_kb *b, const char *name, cnnfi_kt x, cnnfi_kt shape, int32_t rank,
                             const int64_t *dims);
/* Mean, Max, Sum, Prod ... over constant axes: "<name>/reduction_indices". */
cnnfi_kt cnnfi_kb_reduce(cnnfi_kb *b, const char *op, const char *name, cnnfi_kt x, size_t n_axes, const int32_t *axes,
                         bool keep);
/* The same over one axis, written as in the program: axis=-1. */
cnnfi_kt cnnfi_kb_reduce_axis(cnnfi_kb *b, const char *op, const char *name, cnnfi_kt x, int32_t axis, bool keep);
/* K.reverse(x, axis), axis from 0. */
cnnfi_kt cnnfi_kb_reverse(cnnfi_kb *b, cnnfi_kt x, int32_t axis);
cnnfi_kt cnnfi_kb_expand_dims(cnnfi_kb *b, const char *name, cnnfi_kt x, int32_t axis); /* "<name>/dim" */
cnnfi_kt cnnfi_kb_squeeze(cnnfi_kb *b, const char *name, cnnfi_kt x, int32_t axis);
cnnfi_kt cnnfi_kb_concat(cnnfi_kb *b, const char *name, size_t n, const cnnfi_kt *values, int32_t axis);
cnnfi_kt cnnfi_kb_matmul(cnnfi_kb *b, const char *name, cnnfi_kt x, cnnfi_kt y);
cnnfi_kt cnnfi_kb_bias_add(cnnfi_kb *b, const char *name, cnnfi_kt x, cnnfi_kt bias, const char *data_format);
cnnfi_kt cnnfi_kb_cast(cnnfi_kb *b, const char *name, cnnfi_kt x, cnnf_dtype to);
cnnfi_kt cnnfi_kb_pad(cnnfi_kb *b, const char *name, cnnfi_kt x, const int32_t (*paddings)[2]); /* "<name>/paddings" */
/* where(condition, x, y): Select in multi-backend Keras, SelectV2 in tf.keras. */
cnnfi_kt cnnfi_kb_where(cnnfi_kb *b, cnnfi_kt condition, cnnfi_kt x, cnnfi_kt y);
/* tf.clip_by_value() with constants made before ("Const"), or by it. */
cnnfi_kt cnnfi_kb_clip(cnnfi_kb *b, cnnfi_kt x, double low, double high);
cnnfi_kt cnnfi_kb_clip_tensors(cnnfi_kb *b, cnnfi_kt x, cnnfi_kt low, cnnfi_kt high);
/* The shape two tensors broadcast to; unknown dims stay unknown. */
cnnfi_kt cnnfi_kt_broadcast(cnnfi_kt x, cnnfi_kt y);

/* ---- loops (keras_loop.c) ---- */

/*
 * tf.while_loop() of TensorFlow 1 ("while"): Enter, Merge, Switch, NextIteration and Exit frames. Until it ends, what a
 * node takes from outside comes through an Enter of its own, and what takes nothing from inside waits for the
 * iteration.
 */
struct cnnfi_kloop {
    const char *saved, *scope, *frame, *pivot;
    struct cnnfi_kentered *entered; /* outer tensor -> Enter */
    size_t n;
    cnnfi_kt *switches;
};
/* while vars[0] < limit; vars: the first values, then those of an iteration. */
bool cnnfi_kb_loop_begin(cnnfi_kb *b, cnnfi_kloop *loop, size_t n, cnnfi_kt *vars, cnnfi_kt limit);
/* vars: the next values, then the last. */
void cnnfi_kb_loop_end(cnnfi_kb *b, cnnfi_kloop *loop, cnnfi_kt *vars);
/* For cnnfi_kb_node(): the inputs of `node` as the loop sees them; *waits: they say nothing of the iteration. */
void cnnfi_kb_loop_inputs(cnnfi_kb *b, const char *node, size_t n, const cnnfi_kt *inputs, const char **names,
                          bool *waits);

/* ---- variables (keras_vars.c) ---- */

/* How Keras fills a variable before the weights are set: only names depend on it. */
typedef enum cnnfi_kinit { CNNFI_KINIT_ZEROS, CNNFI_KINIT_ONES, CNNFI_KINIT_RANDOM } cnnfi_kinit;

/* add_weight(): the layer's next stored weight, its shape checked, as variable "<scope>/<name>". */
cnnfi_kt cnnfi_kc_weight(cnnfi_kc *kc, const char *name, int32_t rank, const int64_t *dims, cnnfi_kinit init,
                         bool trainable);
/* Attribute _class: placed with the node called `name`. */
void cnnfi_kb_colocate(cnnfi_kb *b, cnnf_node *node, const char *name);
/* Variable `index` of the layer, in the order they were made. */
cnnfi_kt cnnfi_kc_variable(const cnnfi_kc *kc, size_t index);
/* A variable at full name `name` (unique already), bound to `value` (NULL: a tensor of `fill`). colocate: loc:@ of that
   node, or NULL for itself. */
cnnfi_kt cnnfi_kb_variable(cnnfi_kb *b, const char *name, const char *initial, cnnf_dtype dtype, int32_t rank,
                           const int64_t *dims, double fill, const cnnf_tensor *value, const char *colocate,
                           bool trainable);

/* ---- configuration (keras_fields.c) ---- */

int64_t cnnfi_kc_int(const cnnfi_kc *kc, const char *key, int64_t fallback);
double cnnfi_kc_float(const cnnfi_kc *kc, const char *key, double fallback); /* fallback for null too */
bool cnnfi_kc_bool(const cnnfi_kc *kc, const char *key, bool fallback);
const char *cnnfi_kc_string(const cnnfi_kc *kc, const char *key, const char *fallback);
/* "units": must be there and > 0. */
int64_t cnnfi_kc_positive(cnnfi_kc *kc, const char *key);
/* A number or a list of n numbers, each >= minimum; fallback for all when absent or null. */
void cnnfi_kc_ints(cnnfi_kc *kc, const char *key, size_t n, int64_t *out, int64_t fallback, int64_t minimum);
/* The config of something serialised: {"class_name":…, "config":…}; *class_name its class or, for a plain string,
 * itself. */
const cnnfi_json *cnnfi_kc_serialized(const cnnfi_json *value, const char **class_name);
bool cnnfi_kc_channels_first(cnnfi_kc *kc);
/* A negative axis counted from the end; fails outside [0, rank). */
int32_t cnnfi_kc_axis(cnnfi_kc *kc, int64_t axis, int32_t rank);

/* ---- layers ---- */

void cnnfi_kc_return(cnnfi_kc *kc, cnnfi_kt y);        /* one output */
void cnnfi_kc_return_masked(cnnfi_kc *kc, cnnfi_kt y); /* with the first input's mask: supports_masking */
/* The same where only Keras 3's layer supports masking. */
void cnnfi_kc_return_masked3(cnnfi_kc *kc, cnnfi_kt y);
void cnnfi_kc_return_n(cnnfi_kc *kc, size_t n, const cnnfi_kt *tensors);
/* The activation named by config key (null or absent: linear), in the current scope. */
cnnfi_kt cnnfi_kc_activation(cnnfi_kc *kc, const char *key, cnnfi_kt x);
cnnfi_kt cnnfi_kc_activate(cnnfi_kc *kc, const cnnfi_json *activation, cnnfi_kt x);
/* The layer's state, made on first use; NULL after a failure. */
cnnfi_kstate *cnnfi_kb_state(cnnfi_kb *b, cnnfi_keras_layer *layer);
/* Runs a layer on inputs within the current scope (no scope of its own): build on its first call, then call. Wrappers
   use it for the layer inside, whose weights they have set to their part of their own. */
void cnnfi_kb_run(cnnfi_kb *b, cnnfi_keras_layer *layer, const cnnfi_keras_call *call, size_t n, const cnnfi_kt *inputs,
                  const cnnfi_kt *named, size_t *n_outputs, cnnfi_kt **outputs);

/* The layer that a layer's `activation` is, where it is one and no function ("LeakyReLU" and kin): made when first
   asked for, with those weights of `kc`'s layer that its own configuration leaves over. NULL: a function, or nothing
   known. */
cnnfi_keras_layer *cnnfi_kb_activation_layer(cnnfi_kc *kc, const cnnfi_json *activation);

/* CNNF_E_UNSUPPORTED with all of them when the model has more than one class that is not supported
   (keras_unsupported.c). */
cnnf_status cnnfi_keras_check_classes(const cnnfi_keras_model *model, cnnf_error *error);
/* The whole model as a published graph. */
cnnf_status cnnfi_keras_build(cnnf_graph **out, cnnfi_keras_model *model, int32_t variables, const char *suffix,
                              bool training_state, cnnf_error *error);
/* The optimizer's variables, as load_model() makes them for a compiled model (keras_optimizer.c). */
void cnnfi_keras_build_optimizer(cnnfi_kb *b);

/* ---- what a layer is to the builder: layers/ fills the table ---- */

/*
 * A layer class. `build` makes the variables on the first call (NULL: none), inside the layer's name scope;
 * `call` emits the ops of one call and ends with cnnfi_kc_return(). Both see which Keras wrote the file in
 * kc->b->tf and kc->b->keras3; a class that differs throughout has call_tf.
 */
typedef struct cnnfi_keras_row {
    const char *class_name;
    const char *fields;         /* configuration fields read, for docs/layers.md */
    const char *weights;        /* variables in order; "" */
    const char *verified;       /* Keras versions whose graphs were compared */
    int32_t min_rank, max_rank; /* of the first input, batch included */
    size_t min_inputs, max_inputs;
    void (*build)(cnnfi_kc *kc);
    void (*call)(cnnfi_kc *kc); /* multi-backend; tf.keras too when call_tf is NULL */
    void (*call_tf)(cnnfi_kc *kc);
} cnnfi_keras_row;

/* NULL when the class is unknown. */
const cnnfi_keras_row *cnnfi_keras_row_find(const char *class_name);

#endif
