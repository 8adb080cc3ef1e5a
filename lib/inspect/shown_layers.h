/* SPDX-License-Identifier: Apache-2.0 */
/* A graph as people see it: layers instead of nodes. Tables and pictures are made from it. */
#ifndef CNNFI_INSPECT_SHOWN_LAYERS_H
#define CNNFI_INSPECT_SHOWN_LAYERS_H

#include "base/arena.h"
#include "base/str.h"
#include "graph/graph.h"

#define CNNFI_MACS_UNKNOWN (-1)

typedef struct cnnfi_layer {
    const char *name;  /* what its nodes' names begin with: Keras' name of the layer */
    const char *ops;   /* "Conv2D, BiasAdd" */
    const char *shape; /* of its last output: "(None, 28, 28, 1)", "?" */
    int64_t parameters;
    int64_t macs;  /* multiplications of one example; CNNFI_MACS_UNKNOWN */
    int64_t nodes; /* that compute something */
} cnnfi_layer;

/* A layer reads another. */
typedef struct cnnfi_link {
    int32_t from, to;
} cnnfi_link;

typedef struct cnnfi_layers {
    cnnf_context *context; /* borrowed */
    cnnfi_arena arena;
    cnnfi_layer *layers; /* [count] in the order of execution */
    size_t count;
    cnnfi_link *links; /* [n_links] each once */
    size_t n_links;
    size_t left_out;                /* nodes that no output needs: training, saving */
    int64_t parameters, macs;       /* of all layers; CNNFI_MACS_UNKNOWN */
    const char **inputs, **outputs; /* "input_1 float (None, 28, 28, 1)" */
    size_t n_inputs, n_outputs;
} cnnfi_layers;

/* What the outputs of the graph need: the declared ones, else those that cnnf_graph_guess_outputs() finds. */
cnnf_status cnnfi_layers_find(cnnfi_layers *out, const cnnf_graph *graph, cnnf_error *error);
void cnnfi_layers_free(cnnfi_layers *layers); /* may be called twice */

/* Whether a node whose name's first `length` bytes are its layer's only hands on what others compute. */
bool cnnfi_says_nothing(const cnnf_graph *graph, const cnnf_node *node, size_t length);

#endif
