/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Graphs out of bytes: every byte string is a graph, and most are graphs that hold their ops' contracts. The ops are
 * those of the op table; inputs, attributes and dtypes are chosen as the table and the rules ask for them, so that
 * passes and kernels are reached and not only the checks in front of them.
 */
#ifndef GRAPH_GENERATE_H
#define GRAPH_GENERATE_H

#include "fuzz.h"
#include "graph/builder.h"
#include "ops/call.h"
#include "ops/op_table.h"

/* Choices, in the order of the bytes; when they are used up, every choice is the first. */
typedef struct choices {
    const uint8_t *bytes;
    size_t left;
} choices;

/* 0 .. n-1, n at most 65536. */
uint32_t choose(choices *c, uint32_t n);

#define MOST_VALUES 96

/* What nodes may read. Names and data live as long as the builder. */
typedef struct value_pool {
    const char *names[MOST_VALUES]; /* "node" or "node:1" */
    cnnfi_value values[MOST_VALUES];
    int32_t count;
} value_pool;

/* Adds a node of some op that reads values of the pool, and its outputs to the pool; false: none that fits was found.
 */
bool add_some_op(cnnfi_builder *b, value_pool *pool, choices *c, cnnf_context *context);
/* Adds a constant of this dtype (0: any). Its place in the pool, -1 when that is full. */
int32_t add_some_const(cnnfi_builder *b, value_pool *pool, choices *c, cnnf_context *context, cnnf_dtype dtype);

/* An op that has a rule. */
const cnnfi_op *some_ruled_op(choices *c);

/* A whole graph; NULL when it is none (memory). */
cnnf_graph *generate_graph(cnnf_context *context, const uint8_t *data, size_t size);

#endif
