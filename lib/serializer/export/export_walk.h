/* SPDX-License-Identifier: Apache-2.0 */
/* The walk of an export: every node that the outputs need, after those that it reads. */
#ifndef CNNFI_SERIALIZER_EXPORT_EXPORT_WALK_H
#define CNNFI_SERIALIZER_EXPORT_EXPORT_WALK_H

#include "serializer/export/export.h"

/* What the format does, in the order of calls. x->status says when to stop. */
typedef struct cnnfi_export_side {
    void (*begin)(cnnfi_export *x, size_t n_outputs, const cnnfi_edge *outputs); /* x->n_read, x->wanted are there */
    void (*node)(cnnfi_export_call *call);                                       /* Const, too */
    /* `reader` reads output `edge` of the graph as its input 0 (so that it is got like any input); shape: what it is.
     */
    void (*output)(cnnfi_export_call *reader, cnnfi_edge edge, const cnnfi_value *shape);
} cnnfi_export_side;

/* outputs: names, "node" or "node:1" or a Keras layer's. On failure x has it. */
void cnnfi_export_walk(cnnfi_export *x, const cnnf_graph *graph, size_t n_outputs, const char *const *outputs,
                       const cnnfi_export_side *side);
/* The same over `outputs` [n_outputs], or those that the graph declares when there are none. */
void cnnfi_export_walk_declared(cnnfi_export *x, const cnnf_graph *graph, size_t n_outputs, char *const *outputs,
                                const cnnfi_export_side *side);

#endif
