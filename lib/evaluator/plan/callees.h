/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of a graph as graphs of their own, made when they are first called; shared by all plans. */
#ifndef CNNFI_EVALUATOR_PLAN_CALLEES_H
#define CNNFI_EVALUATOR_PLAN_CALLEES_H

#include "evaluator/plan/loaded_constants.h"

/* One output of one node. */
typedef struct cnnfi_endpoint {
    int32_t node, port;
} cnnfi_endpoint;

typedef struct cnnfi_callee {
    const cnnfi_function *function;
    const cnnfi_attr *given; /* what a generic function was made for; NULL */
    cnnf_graph *graph;       /* arguments are Placeholders */
    cnnfi_loaded_constants *constants;
    cnnfi_endpoint *args, *returns; /* function->n_inputs, n_outputs */
} cnnfi_callee;

typedef struct cnnfi_callees cnnfi_callees;

cnnf_status cnnfi_callees_new(cnnfi_callees **out, const cnnf_graph *graph, cnnf_error *error);
void cnnfi_callees_free(cnnfi_callees *callees); /* NULL is allowed */
bool cnnfi_callees_has(const cnnfi_callees *callees, const char *name);
/* *out is borrowed from the table; attrs: those of the call, for "$T" in generic functions; they outlive the table. */
cnnf_status cnnfi_callees_get(cnnfi_callees *callees, const char *name, const cnnfi_attr *attrs, size_t n_attrs,
                              const cnnfi_callee **out, cnnf_error *error);

#endif
