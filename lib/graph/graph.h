/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The graph all rooms share, for reading: immutable and reference-counted once published, inputs resolved to edges.
 * Everything in it lives in its arena. builder.h makes one, order.h walks one, resolve.h finds nodes by what users
 * write.
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
    const cnnfi_edge *edges;  /* n_inputs of them, after publishing and in an edit; NULL in functions and builders */
    int32_t index;            /* position in the graph, after publishing and in an edit */
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
    cnnfi_strmap function_names; /* name -> index, the first one of its name */
    cnnfi_versions versions;
    cnnfi_bytes library_extra; /* gradient, registered_gradients, unknown of FunctionDefLibrary: canonical */
    bool has_library;          /* a library message was there, maybe empty */
    cnnfi_bytes extra;         /* debug_info, unknown fields of GraphDef: canonical */
    cnnfi_meta meta;
    cnnf_tensor **tensors; /* references held, for release */
    size_t n_tensors, tensor_capacity;
};

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
const cnnfi_function *cnnfi_graph_function(const cnnf_graph *graph, const char *name); /* NULL */

#endif
