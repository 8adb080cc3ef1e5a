/* SPDX-License-Identifier: Apache-2.0 */
/* Small graphs written as tables, and passes run on them. */
#ifndef PASSES_SUPPORT_H
#define PASSES_SUPPORT_H

#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/equal.h"
#include "graph/builder.h"
#include "support.h"

/* Inputs as written, NULL ends them. A Const holds {1, 2}; a Placeholder is a float. */
typedef struct graph_row {
    const char *op, *name;
    const char *inputs[6];
} graph_row;

/* x -> Identity -> Relu, and a constant nobody reads. */
#define N_CHAIN 4
static const graph_row chain[N_CHAIN] __attribute__((unused)) = {
    {"Placeholder", "x", {NULL}},
    {"Identity", "middle", {"x", NULL}},
    {"Relu", "y", {"middle", NULL}},
    {"Const", "unused", {NULL}},
};

static inline cnnfi_builder *make_builder(cnnf_context *context, const graph_row *rows, size_t count)
{
    cnnfi_builder *b = NULL;
    const float values[] = {1, 2};
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    for (size_t i = 0; i < count; i++) {
        const bool is_const = strcmp(rows[i].op, "Const") == 0;
        cnnf_node *node = is_const ? cnnfi_builder_const_f32(b, rows[i].name, 1, values, 2)
                                   : cnnfi_builder_add(b, rows[i].op, rows[i].name);
        for (size_t k = 0; rows[i].inputs[k]; k++)
            cnnfi_node_add_input(b, node, rows[i].inputs[k]);
        if (strcmp(rows[i].op, "Placeholder") == 0)
            cnnfi_node_set_type(b, node, "dtype", CNNF_FLOAT);
        else if (!is_const)
            cnnfi_node_set_type(b, node, "T", CNNF_FLOAT);
    }
    cnnfi_builder_set_versions(b, 134, 0);
    return b;
}

static inline cnnf_graph *publish(cnnfi_builder *b)
{
    cnnf_graph *graph = NULL;
    cnnf_error error = {.offset = -1};
    ck_assert_msg(cnnfi_builder_publish(&graph, b, &error) == CNNF_OK, "%s", error.message);
    return graph;
}

static inline cnnf_graph *make_graph(cnnf_context *context, const graph_row *rows, size_t count)
{
    return publish(make_builder(context, rows, count));
}

/* Comma-separated names; NULL = none. */
static inline void add_names(cnnf_pipeline *pipeline, const char *names,
                             cnnf_status (*add)(cnnf_pipeline *, const char *, cnnf_error *))
{
    char name[256];
    while (names && *names) {
        const size_t length = strcspn(names, ",");
        memcpy(name, names, length);
        name[length] = '\0';
        ck_assert_int_eq(add(pipeline, name, NULL), CNNF_OK);
        names += length + (names[length] == ',');
    }
}

static inline cnnf_status run_passes(cnnf_graph **out, const cnnf_graph *graph, const char *passes, const char *inputs,
                                     const char *outputs, cnnf_error *error)
{
    cnnf_pipeline *pipeline = NULL;
    ck_assert_int_eq(cnnf_pipeline_new(&pipeline, graph->context, NULL), CNNF_OK);
    cnnf_error bad = {.offset = -1};
    ck_assert_msg(cnnf_pipeline_add(pipeline, passes, &bad) == CNNF_OK, "%s", bad.message);
    add_names(pipeline, inputs, cnnf_pipeline_add_input);
    add_names(pipeline, outputs, cnnf_pipeline_add_output);
    const cnnf_status status = cnnf_pipeline_run(out, pipeline, graph, error);
    cnnf_pipeline_free(pipeline);
    return status;
}

/* Runs a pass, and once more on its own result, which may not change again. */
static inline cnnf_graph *run_twice(const cnnf_graph *graph, const char *passes, const char *inputs,
                                    const char *outputs)
{
    cnnf_graph *once = NULL, *twice = NULL;
    cnnf_error error = {.offset = -1};
    ck_assert_msg(run_passes(&once, graph, passes, inputs, outputs, &error) == CNNF_OK, "%s", error.message);
    ck_assert_msg(run_passes(&twice, once, passes, inputs, outputs, &error) == CNNF_OK, "%s", error.message);
    bool same = false;
    ck_assert_int_eq(cnnfi_graph_equal(&same, once, twice, NULL), CNNF_OK);
    ck_assert_msg(same, "%s: the second run changed something", passes);
    cnnf_graph_unref(twice);
    return once;
}

/* "name: input input ..." of a node, in `text`. */
static inline const char *inputs_of(const cnnf_graph *graph, const char *name, char *text, size_t size)
{
    const cnnf_node *node = cnnf_graph_find(graph, name);
    ck_assert_msg(node != NULL, "no node '%s'", name);
    text[0] = '\0';
    for (size_t i = 0; i < node->n_inputs; i++) {
        const size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%s", i ? " " : "", node->inputs[i]);
    }
    return text;
}

#define ck_assert_inputs(graph, name, expected)                                                                        \
    do {                                                                                                               \
        char inputs_text[512];                                                                                         \
        ck_assert_str_eq(inputs_of(graph, name, inputs_text, sizeof inputs_text), expected);                           \
    } while (0)

#endif
