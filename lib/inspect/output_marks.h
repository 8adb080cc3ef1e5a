/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each node of a graph is to the question which ones are its outputs: fed, learned, a loss, a bystander. One walk
 * each way over the whole graph; guess_outputs.c then chooses among the ends. docs/outputs.md has the rule for users.
 */
#ifndef CNNFI_INSPECT_OUTPUT_MARKS_H
#define CNNFI_INSPECT_OUTPUT_MARKS_H

#include "graph/graph.h"
#include "graph/order.h"
#include "ops/graph_shapes.h"

/* What is known of a node, as bits. */
enum {
    CNNFI_IS_INPUT = 1 << 0,    /* the caller, a queue or an iterator feeds it */
    CNNFI_IS_FED = 1 << 1,      /* computed from an input */
    CNNFI_IS_LEARNED = 1 << 2,  /* a variable, or computed from one; in a frozen graph: from a constant of numbers */
    CNNFI_IS_UPDATE = 1 << 3,   /* assigns, or is read by assignments alone */
    CNNFI_IS_WATCHER = 1 << 4,  /* its reading of a node does not count: savers, summaries, gradients, assertions */
    CNNFI_IS_RESULT = 1 << 5,   /* no tensor of numbers: an integer, a truth, a string, a single number, a hit */
    CNNFI_DIES = 1 << 6,        /* every way on from it ends in a result, a watcher or an update */
    CNNFI_IS_LOSS = 1 << 7,     /* on the way from where labels come in, or from a class, to where it dies */
    CNNFI_GROWS = 1 << 8,       /* more is learned on the way on from it: it is no loss */
    CNNFI_IS_SHAPE = 1 << 9,    /* follows from shapes alone */
    CNNFI_IS_STOPPED = 1 << 10, /* behind a StopGradient, nothing learned since: a target */
    CNNFI_IS_SCALAR = 1 << 11,  /* a single number, whatever is known of the shapes */
    CNNFI_IS_ERROR = 1 << 12,   /* a difference to a label, nothing learned since */
    CNNFI_IS_SAMPLED = 1 << 13, /* computed from sampled classes: word2vec's losses */
    CNNFI_IS_TOP = 1 << 14,     /* gradients start here */
    CNNFI_IS_TRAINED = 1 << 15, /* a variable that an optimiser changes */
    CNNFI_IS_BEHIND_GRADIENT = 1 << 16,
    CNNFI_IS_BEHIND_LABEL = 1 << 17, /* a label came in, nothing learned since */
    CNNFI_MEETS_LABEL = 1 << 18,     /* a label comes in later on */
    CNNFI_TAKES_WEIGHTS = 1 << 19,   /* an operand is learned and comes from no input */
    CNNFI_JOINS_LABEL = 1 << 20,     /* a prediction meets what comes from an input as it is */
    CNNFI_JOINS_ALONE = 1 << 21,     /* the same, and that serves nothing else: a label for sure */
};

typedef struct cnnfi_output_marks {
    const cnnf_graph *graph;
    cnnfi_consumers consumers;
    cnnfi_graph_shapes shapes;
    int32_t *order; /* [n_nodes] topological */
    uint32_t *bits; /* [n_nodes] */
    bool has_variables, has_loops, has_trained;
    bool is_training; /* gradients, updates: more than what a user runs */
} cnnfi_output_marks;

/* CNNF_OK, CNNF_E_CORRUPT (a cycle), CNNF_E_NOMEM. cnnfi_output_marks_free() in any case. */
cnnf_status cnnfi_output_marks_init(cnnfi_output_marks *marks, const cnnf_graph *graph, cnnf_error *error);
void cnnfi_output_marks_free(cnnfi_output_marks *marks);

static inline bool cnnfi_marked(const cnnfi_output_marks *marks, int32_t node, unsigned bits)
{
    return (marks->bits[node] & bits) != 0;
}

/* Whether everyone who reads the node has one of the bits; true when nobody does. */
bool cnnfi_every_reader(const cnnfi_output_marks *marks, int32_t node, unsigned bits);
static inline bool cnnfi_is_read(const cnnfi_output_marks *marks, int32_t node)
{
    return marks->consumers.start[node + 1] > marks->consumers.start[node];
}
/* Whether an operand is learned and comes from no input: weights. */
bool cnnfi_takes_weights(const cnnfi_output_marks *marks, const cnnf_node *node);
/* Variables; in a graph without any (a frozen one), constants of more than one number. */
bool cnnfi_is_learned_source(const cnnfi_output_marks *marks, const cnnf_node *node);
bool cnnfi_is_random_op(const char *op);
/* What turns a prediction into a class or a hit. */
bool cnnfi_is_decision_op(const char *op);

#endif
