/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From variables to constants: the rewrites of tensorflow/python/framework/convert_to_constants.py,
 * spread along data edges and into functions, without recursion.
 */
#ifndef CNNFI_TRANSFORM_FREEZE_FREEZE_CONVERT_H
#define CNNFI_TRANSFORM_FREEZE_FREEZE_CONVERT_H

#include "edit/edit.h"
#include "transform/freeze/scope.h"

#define CNNFI_MAIN_SCOPE (-1)

/* One input that a constant now arrives at. */
typedef struct cnnfi_arrival {
    int32_t scope; /* function index, or CNNFI_MAIN_SCOPE */
    int32_t node, input;
    const cnnf_node *variable; /* of the original graph */
} cnnfi_arrival;

/* A function that is converted: TensorFlow renames it, so that the old name stays free for a function cache. */
typedef struct cnnfi_converted_function {
    bool converted;
    cnnfi_scope scope; /* built when the first constant arrives */
    bool *seen;        /* inputs of its nodes, then its arguments */
} cnnfi_converted_function;

typedef struct cnnfi_conversion {
    cnnf_context *context;
    const cnnf_graph *graph; /* the original */
    cnnfi_edit *edit;        /* a copy of it: same nodes and functions at the same places */
    const bool *keep;        /* nodes of the main graph that stay */
    cnnfi_scope main;
    bool *seen;
    cnnfi_converted_function *functions; /* one per function of the graph */
    cnnfi_arrival *work;
    size_t n_work, work_capacity;
    cnnfi_arrival *callers; /* calls whose function references are renamed in the end */
    size_t n_callers, callers_capacity;
    cnnfi_arrival refused; /* the first node that cannot take a constant; node -1: none */
} cnnfi_conversion;

cnnf_status cnnfi_conversion_init(cnnfi_conversion *c, const cnnf_graph *graph, cnnfi_edit *edit, const bool *keep,
                                  cnnf_error *error);
void cnnfi_conversion_free(cnnfi_conversion *c);
/* Makes the variable a Const and rewrites what it reaches. */
cnnf_status cnnfi_convert_variable(cnnfi_conversion *c, int32_t variable, cnnf_error *error);
/* Renames converted functions and the calls to them. */
cnnf_status cnnfi_conversion_finish(cnnfi_conversion *c, cnnf_error *error);

/* ---- for the rewrites ---- */
/* Where the node's function is in the library, by its name; -1. */
int64_t cnnfi_conversion_function(const cnnfi_conversion *c, const char *name);
struct cnnf_node *cnnfi_conversion_copy(const cnnfi_conversion *c, const cnnfi_arrival *at);
const struct cnnf_node *cnnfi_conversion_original(const cnnfi_conversion *c, const cnnfi_arrival *at);
cnnf_dtype cnnfi_arrival_dtype(const cnnfi_arrival *at);
/* A constant arrives at all readers of the node; port < 0: of any output. */
cnnf_status cnnfi_conversion_spread(cnnfi_conversion *c, const cnnfi_arrival *at, int32_t port, cnnf_error *error);
/* A constant arrives at a function's argument. */
cnnf_status cnnfi_conversion_enter(cnnfi_conversion *c, const cnnfi_arrival *at, const char *function, int32_t argument,
                                   cnnf_error *error);

/* What an op becomes when a constant arrives; an op without a row stays as it is. */
typedef cnnf_status (*cnnfi_rewrite_fn)(cnnfi_conversion *c, const cnnfi_arrival *at, cnnf_error *error);
cnnfi_rewrite_fn cnnfi_rewrite_for(const char *op);
/* Whether an op writes to a variable or asks about it: it cannot take a constant. */
bool cnnfi_op_needs_variable(const char *op);
/* The function references of a call: attributes, and the first input that is an argument. */
typedef struct cnnfi_caller {
    const char *op, *type_attr;
    int32_t first_input;
    const char *functions[2]; /* attributes; the second may be NULL */
} cnnfi_caller;
const cnnfi_caller *cnnfi_caller_for(const char *op);
/* Makes the copy another op: its name and first `n_inputs` inputs stay, nothing else. */
cnnf_node *cnnfi_conversion_reset(const cnnfi_conversion *c, const cnnfi_arrival *at, const char *op, size_t n_inputs);

#endif
