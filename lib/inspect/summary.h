/* SPDX-License-Identifier: Apache-2.0 */
/* What a summary is made of; the formats are written from it. */
#ifndef CNNFI_INSPECT_SUMMARY_H
#define CNNFI_INSPECT_SUMMARY_H

#include "base/arena.h"
#include "base/str.h"
#include "graph/graph.h"

typedef struct cnnfi_op_count {
    const char *op;
    int64_t count;
} cnnfi_op_count;

typedef struct cnnfi_summary {
    const cnnf_graph *graph;
    cnnfi_arena arena;
    const cnnf_node **inputs, **variables, **outputs;
    size_t n_inputs, n_variables, n_outputs;
    cnnfi_op_count *ops; /* most frequent first */
    size_t n_ops;
    int64_t const_parameters, variable_parameters, control_edges;
    uint64_t const_bytes, variable_bytes;
} cnnfi_summary;

/* The shape an input or variable declares: attribute `shape`, else the bound value's. */
void cnnfi_summary_shape(char *out, size_t size, const cnnf_node *node);

void cnnfi_summary_text(cnnfi_strbuf *out, const cnnfi_summary *summary);
void cnnfi_summary_json(cnnfi_strbuf *out, const cnnfi_summary *summary);
/* Layers as rows, for people. */
cnnf_status cnnfi_summary_table(cnnfi_strbuf *out, const cnnf_graph *graph, cnnf_error *error);
/* Layers as boxes, placed by us; neighbours are joined where there are many. */
cnnf_status cnnfi_summary_svg(cnnfi_strbuf *out, const cnnf_graph *graph, cnnf_error *error);
/* Layers as boxes: one per first part of the nodes' names. */
cnnf_status cnnfi_summary_dot(cnnfi_strbuf *out, const cnnf_graph *graph, cnnf_error *error);

#endif
