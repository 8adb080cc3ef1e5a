/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph all rooms share. A builder is edited; publishing it makes an immutable, reference-counted
 * cnnf_graph whose inputs are resolved to edges. A pass copies a graph into a builder (strings and
 * attributes are copied, tensors shared), edits, publishes.
 *
 * The builder is sticky: the first failure (no memory, a duplicate name) is remembered, later calls do
 * nothing, nodes may be NULL, and cnnfi_builder_publish() reports it. Code that builds graphs therefore
 * needs no checks between the lines.
 */
#ifndef CNNFI_GRAPH_GRAPH_H
#define CNNFI_GRAPH_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/graph.h>

#include "base/arena.h"
#include "base/strmap.h"
#include "graph/attr.h"

#define CNNFI_PORT_CONTROL (-1)

/* A resolved input. */
typedef struct cnnfi_edge {
    int32_t node; /* index in the graph */
    int32_t port; /* output of that node; CNNFI_PORT_CONTROL for ^node */
} cnnfi_edge;

struct cnnf_node {
    const char *name, *op, *device; /* device "" when none */
    size_t n_inputs;                /* data inputs first, then control inputs */
    const char **inputs;            /* as written: "a", "a:1", "^a" */
    size_t n_attrs;
    cnnfi_attr *attrs;        /* sorted by key bytewise, unique */
    const cnnf_tensor *value; /* bound value of a variable; a reference the graph holds; NULL */
    const char *unbound;      /* a variable that should have a value and has none: why, for messages; NULL */
    cnnfi_bytes extra;        /* experimental_debug_info, experimental_type, unknown fields: canonical wire form */
    const cnnfi_edge *edges;  /* n_inputs of them, after publishing; NULL in functions and builders */
    int32_t index;            /* position in the graph, after publishing */
    bool removed;             /* builder: dropped at publish */
    size_t attr_capacity, input_capacity;
};

/* OpDef.ArgDef of a function's signature. */
typedef struct cnnfi_arg {
    const char *name, *description, *type_attr, *number_attr, *type_list_attr;
    int32_t type; /* DataType, 0 none */
    bool is_ref;
    cnnfi_bytes extra; /* handle_data, experimental_full_type, unknown: canonical */
} cnnfi_arg;

typedef struct cnnfi_pair {
    const char *key, *value;
} cnnfi_pair;

/* FunctionDef. Inside, inputs are "node:out_arg:index", "arg", "^node". */
typedef struct cnnfi_function {
    const char *name; /* signature.name */
    size_t n_inputs, n_outputs;
    cnnfi_arg *inputs, *outputs; /* signature.input_arg, output_arg */
    cnnfi_bytes signature_extra; /* the rest of the OpDef, canonical: attr, flags, control_output ... */
    size_t n_attrs;
    cnnfi_attr *attrs; /* sorted by key */
    size_t n_nodes;
    struct cnnf_node **nodes;
    size_t n_ret, n_control_ret;
    cnnfi_pair *ret, *control_ret; /* sorted by key */
    size_t n_arg_attrs;
    struct cnnfi_arg_attr {
        uint32_t index;
        size_t n_attrs;
        cnnfi_attr *attrs;
        cnnfi_bytes extra;
    } * arg_attrs;     /* sorted by index */
    cnnfi_bytes extra; /* resource_arg_unique_id, unknown: canonical */
} cnnfi_function;

/* VersionDef; present = the message was there. */
typedef struct cnnfi_versions {
    bool present;
    int32_t version; /* GraphDef.version, what there was before VersionDef; written when not 0 */
    int32_t producer, min_consumer;
    size_t n_bad_consumers;
    int32_t *bad_consumers;
} cnnfi_versions;

/* VariableDef, for a MetaGraph's variable collections. */
typedef struct cnnfi_variable_def {
    const char *variable_name, *initial_value_name, *initializer_name,
        *snapshot_name; /* with ":0" as TensorFlow writes */
    bool is_resource, trainable;
} cnnfi_variable_def;

/* What a MetaGraph, a SavedModel or a Keras file says beside the nodes. */
typedef struct cnnfi_meta {
    size_t n_inputs, n_outputs;
    const char **inputs, **outputs; /* declared: node names, or "node:1" for other ports */
    size_t n_variables;
    cnnfi_variable_def *variables;                                            /* in creation order */
    const char *saver_filename_tensor, *saver_save_tensor, *saver_restore_op; /* SaverDef; NULL when none */
    bool reference_variables;                                                 /* Keras loader: which kind it built */
} cnnfi_meta;

struct cnnf_graph {
    _Atomic int64_t refs;
    cnnf_context *context;
    cnnfi_arena arena;
    size_t n_nodes;
    struct cnnf_node **nodes;
    cnnfi_strmap names; /* node name -> index */
    size_t n_functions;
    cnnfi_function **functions;
    cnnfi_versions versions;
    cnnfi_bytes library_extra; /* gradient, registered_gradients, unknown of FunctionDefLibrary: canonical */
    bool has_library;          /* a library message was there, maybe empty */
    cnnfi_bytes extra;         /* debug_info, unknown fields of GraphDef: canonical */
    cnnfi_meta meta;
    cnnf_tensor **tensors; /* references held, for release */
    size_t n_tensors, tensor_capacity;
};

typedef struct cnnfi_builder {
    cnnf_graph *graph; /* under construction */
    size_t node_capacity, function_capacity;
    cnnf_status status;       /* sticky */
    struct cnnf_error *error; /* of the first failure; owned */
    bool in_function;         /* cnnfi_function_node(): names are not entered in the map */
} cnnfi_builder;

/* ---- building ---- */
cnnf_status cnnfi_builder_new(cnnfi_builder **out, cnnf_context *context, cnnf_error *error);
/* A copy of a graph to edit: same nodes in the same order, tensors shared. */
cnnf_status cnnfi_builder_from(cnnfi_builder **out, const cnnf_graph *graph, cnnf_error *error);
void cnnfi_builder_free(cnnfi_builder *builder); /* NULL is allowed */
/* Resolves inputs, checks the shape of the graph (unknown inputs, ports are left to validate) and takes the builder,
 * also on failure. */
cnnf_status cnnfi_builder_publish(cnnf_graph **out, cnnfi_builder *builder, cnnf_error *error);
/* Records a failure of the caller's in the builder. */
void cnnfi_builder_fail(cnnfi_builder *b, cnnf_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
cnnf_status cnnfi_builder_status(const cnnfi_builder *b);

/* One more reference to a tensor, released with the graph: for attributes filled by hand. */
bool cnnfi_hold_tensor(cnnfi_builder *b, const cnnf_tensor *tensor);

/* Strings in the graph's arena; NULL after a failure. */
const char *cnnfi_builder_strdup(cnnfi_builder *b, const char *text);
const char *cnnfi_builder_printf(cnnfi_builder *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void *cnnfi_builder_array(cnnfi_builder *b, size_t count, size_t size); /* zeroed */

/* Adds a node (strings copied); NULL after a failure. A name that exists is a failure. */
cnnf_node *cnnfi_builder_add(cnnfi_builder *b, const char *op, const char *name);
/* Inserts before the node at `position` (for passes that keep an order). */
cnnf_node *cnnfi_builder_insert(cnnfi_builder *b, size_t position, const char *op, const char *name);
cnnf_node *cnnfi_builder_find(const cnnfi_builder *b, const char *name);
/* `base`, or `base_1`, `base_2` ... : a name no node has, in the arena. */
const char *cnnfi_builder_unique(cnnfi_builder *b, const char *base);
void cnnfi_builder_remove(cnnfi_builder *b, cnnf_node *node);
bool cnnfi_builder_rename(cnnfi_builder *b, cnnf_node *node, const char *name); /* inputs of others are not touched */
size_t cnnfi_builder_count(const cnnfi_builder *b);                             /* removed ones included */
cnnf_node *cnnfi_builder_node(const cnnfi_builder *b, size_t index);            /* may be removed */

void cnnfi_node_set_op(cnnfi_builder *b, cnnf_node *node, const char *op);
void cnnfi_node_set_device(cnnfi_builder *b, cnnf_node *node, const char *device);
void cnnfi_node_add_input(cnnfi_builder *b, cnnf_node *node, const char *input);  /* as written */
void cnnfi_node_add_control(cnnfi_builder *b, cnnf_node *node, const char *name); /* "^name" */
void cnnfi_node_set_input(cnnfi_builder *b, cnnf_node *node, size_t index, const char *input);
void cnnfi_node_remove_input(cnnf_node *node, size_t index);
void cnnfi_node_clear_inputs(cnnf_node *node);
void cnnfi_node_set_value(cnnfi_builder *b, cnnf_node *node, const cnnf_tensor *value); /* one more reference */
/* Every input of every node that names `from` ("a", "a:1", with "^a" when `from` has no port) names `to` instead. */
void cnnfi_builder_redirect(cnnfi_builder *b, const char *from, const char *to);

/* ---- attributes: add or replace, kept sorted ---- */
cnnfi_attr *cnnfi_node_attr_slot(cnnfi_builder *b, cnnf_node *node, const char *key); /* kind NONE, to fill */
void cnnfi_node_attr_remove(cnnf_node *node, const char *key);
void cnnfi_node_set_int(cnnfi_builder *b, cnnf_node *node, const char *key, int64_t value);
void cnnfi_node_set_float(cnnfi_builder *b, cnnf_node *node, const char *key, float value);
void cnnfi_node_set_bool(cnnfi_builder *b, cnnf_node *node, const char *key, bool value);
void cnnfi_node_set_type(cnnfi_builder *b, cnnf_node *node, const char *key, cnnf_dtype value);
void cnnfi_node_set_string(cnnfi_builder *b, cnnf_node *node, const char *key, const char *value);
void cnnfi_node_set_bytes(cnnfi_builder *b, cnnf_node *node, const char *key, const void *data, size_t size);
void cnnfi_node_set_shape(cnnfi_builder *b, cnnf_node *node, const char *key, int32_t rank, const int64_t *dims);
void cnnfi_node_set_tensor(cnnfi_builder *b, cnnf_node *node, const char *key,
                           const cnnf_tensor *value); /* one more reference */
void cnnfi_node_set_func(cnnfi_builder *b, cnnf_node *node, const char *key, const char *function);
void cnnfi_node_set_ints(cnnfi_builder *b, cnnf_node *node, const char *key, const int64_t *values, size_t count);
void cnnfi_node_set_floats(cnnfi_builder *b, cnnf_node *node, const char *key, const float *values, size_t count);
void cnnfi_node_set_types(cnnfi_builder *b, cnnf_node *node, const char *key, const int32_t *values, size_t count);
void cnnfi_node_set_strings(cnnfi_builder *b, cnnf_node *node, const char *key, const char *const *values,
                            size_t count);
void cnnfi_node_set_shapes(cnnfi_builder *b, cnnf_node *node, const char *key, const cnnfi_shape *values, size_t count);
/* Deep copy of an attribute (any graph) into a node of this builder. */
void cnnfi_node_copy_attr(cnnfi_builder *b, cnnf_node *node, const char *key, const cnnfi_attr *attr);
/* Deep copy of a whole node (any graph or function) under a new name; NULL name = its own. */
cnnf_node *cnnfi_builder_copy_node(cnnfi_builder *b, const cnnf_node *node, const char *name);

/* A Const node holding a tensor: attributes dtype and value. */
cnnf_node *cnnfi_builder_const(cnnfi_builder *b, const char *name, const cnnf_tensor *value);
/* The same from numbers. rank -1: no dims needed, a vector of count; rank 0: a scalar. */
cnnf_node *cnnfi_builder_const_i32(cnnfi_builder *b, const char *name, int32_t rank, const int32_t *values,
                                   size_t count);
cnnf_node *cnnfi_builder_const_f32(cnnfi_builder *b, const char *name, int32_t rank, const float *values, size_t count);

/* ---- functions ---- */
cnnfi_function *cnnfi_builder_add_function(cnnfi_builder *b, const char *name);
cnnf_node *cnnfi_function_add(cnnfi_builder *b, cnnfi_function *function, const char *op, const char *name);
cnnfi_function *cnnfi_builder_copy_function(cnnfi_builder *b, const cnnfi_function *function, const char *name);
const cnnfi_function *cnnfi_graph_function(const cnnf_graph *graph, const char *name); /* NULL */

/* ---- declared inputs, outputs, variables ---- */
void cnnfi_builder_set_io(cnnfi_builder *b, const char *const *inputs, size_t n_inputs, const char *const *outputs,
                          size_t n_outputs);
void cnnfi_builder_add_variable(cnnfi_builder *b, const cnnfi_variable_def *variable); /* copied */
void cnnfi_builder_set_versions(cnnfi_builder *b, int32_t producer, int32_t min_consumer);

/* ---- reading ---- */
const cnnfi_attr *cnnfi_node_attr(const cnnf_node *node, const char *key); /* NULL when absent */
cnnf_dtype cnnfi_node_type(const cnnf_node *node, const char *key);        /* 0 when absent */
bool cnnfi_node_string_is(const cnnf_node *node, const char *key, const char *value);
bool cnnfi_op_is_variable(const char *op);            /* VariableV2, Variable, VarHandleOp, TemporaryVariable is none */
size_t cnnfi_node_data_inputs(const cnnf_node *node); /* inputs before the first control input */
/* Splits an input as written: returns the port (CNNFI_PORT_CONTROL for "^a"), the name's extent in *name, *length. */
int32_t cnnfi_input_parse(const char *input, const char **name, size_t *length);
/* Strips "^" and ":k" into out (cut at size). */
char *cnnfi_input_node(const char *input, char *out, size_t size);

/* ---- consumers and order (over a published graph) ---- */
typedef struct cnnfi_consumers {
    cnnf_context *context;
    size_t *start;  /* n_nodes + 1 */
    int32_t *node;  /* consumer */
    int32_t *input; /* which of its inputs */
} cnnfi_consumers;  /* consumers of node i: [start[i], start[i + 1]) */
cnnf_status cnnfi_consumers_init(cnnfi_consumers *out, const cnnf_graph *graph, cnnf_error *error);
void cnnfi_consumers_free(cnnfi_consumers *consumers);
/* Topological order (indices), stable in file order; back edges out of NextIteration are ignored. A cycle is
   CNNF_E_CORRUPT "cycle: a -> b -> a". *order is a new block of the context's. */
cnnf_status cnnfi_toposort(int32_t **order, const cnnf_graph *graph, cnnf_error *error);
/* Marks what the roots need (data and control inputs); keep[] has n_nodes entries. with_class: follow `_class` loc:@
   too, as TensorFlow 2.x's extract_sub_graph does. */
cnnf_status cnnfi_reach(bool *keep, const cnnf_graph *graph, const int32_t *roots, size_t n_roots, bool with_class,
                        cnnf_error *error);

/* ---- names a user gives ---- */
/* Finds a node by what a user writes: "x", "x:0", a Keras layer's name (its last node). CNNF_E_NOT_FOUND offers the
 * nearest. */
cnnf_status cnnfi_resolve_node(const cnnf_node **out, const cnnf_graph *graph, const char *text, cnnf_error *error);

#endif
