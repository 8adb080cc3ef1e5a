/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A graph under construction. A loader fills a builder and publishes it; lib/edit/ changes one node by node.
 *
 * The builder is sticky: the first failure (no memory, a duplicate name) is remembered, later calls do nothing, nodes
 * may be NULL, and cnnfi_builder_publish() reports it. Code that builds graphs therefore needs no checks between the
 * lines.
 *
 * One object, one header, three sources: builder.c (nodes, functions, publishing), set_attr.c (attributes) and copy.c
 * (deep copies between graphs).
 */
#ifndef CNNFI_GRAPH_BUILDER_H
#define CNNFI_GRAPH_BUILDER_H

#include "graph/graph.h"

typedef struct cnnfi_builder {
    cnnf_graph *graph; /* under construction */
    size_t node_capacity, function_capacity;
    cnnf_status status;          /* sticky */
    struct cnnf_error *error;    /* of the first failure; owned */
    bool copying;                /* names are not entered: the map is copied as a whole */
    struct cnnfi_budget *budget; /* pays for every piece of a node, set after the beginning; NULL: nobody counts */
    bool moved;                  /* nodes are not where their names say: the map is made anew at publishing */
    const char *words[256];      /* cnnfi_builder_word()'s, where their hash says; NULL */
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
/* The same with the node it is about beside the message. */
void cnnfi_builder_fail_at(cnnfi_builder *b, cnnf_status code, const char *node, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
cnnf_status cnnfi_builder_status(const cnnfi_builder *b);
/* Work beside making nodes. Sticky, too. */
void cnnfi_builder_spend(cnnfi_builder *b, uint64_t steps);

/* One more reference to a tensor, released with the graph: for attributes filled by hand. */
bool cnnfi_hold_tensor(cnnfi_builder *b, const cnnf_tensor *tensor);

/* Strings in the graph's arena; NULL after a failure. */
const char *cnnfi_builder_strdup(cnnfi_builder *b, const char *text);
/* The same for what many nodes have in common, an op, an attribute's key, a device: one copy for most of them. */
const char *cnnfi_builder_word(cnnfi_builder *b, const char *text);
const char *cnnfi_builder_printf(cnnfi_builder *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void *cnnfi_builder_array(cnnfi_builder *b, size_t count, size_t size); /* zeroed */

/* Adds a node (strings copied); NULL after a failure. A name that exists is a failure. */
cnnf_node *cnnfi_builder_add(cnnfi_builder *b, const char *op, const char *name);
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
void cnnfi_node_clear_inputs(cnnf_node *node);
void cnnfi_node_set_value(cnnfi_builder *b, cnnf_node *node, const cnnf_tensor *value); /* one more reference */

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
/* Drops the functions without a flag (one per function); how many. Pointers stay, indices do not. */
size_t cnnfi_builder_keep_functions(cnnfi_builder *b, const bool *keep);
cnnfi_function *cnnfi_builder_copy_function(cnnfi_builder *b, const cnnfi_function *function, const char *name);

/* ---- declared inputs, outputs, variables ---- */
void cnnfi_builder_set_io(cnnfi_builder *b, const char *const *inputs, size_t n_inputs, const char *const *outputs,
                          size_t n_outputs);
void cnnfi_builder_add_variable(cnnfi_builder *b, const cnnfi_variable_def *variable); /* copied */
void cnnfi_builder_set_versions(cnnfi_builder *b, int32_t producer, int32_t min_consumer);

/* Versions, library and graph extras, meta: what a graph has beside nodes and functions. */
void cnnfi_copy_graph_fields(cnnfi_builder *b, const cnnf_graph *graph);

#endif
