/* SPDX-License-Identifier: Apache-2.0 */
/* Graphs that tests of the exports start from, over fixture.h's context and error. */
#ifndef TESTS_SUPPORT_EXPORT_SUPPORT_H
#define TESTS_SUPPORT_EXPORT_SUPPORT_H

#include "fixture.h"
#include "graph/builder.h"

static inline void test_ok(cnnf_status status)
{
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
}

/* The model in the file, frozen, after these passes. */
static inline cnnf_graph *frozen(const char *path, const char *passes)
{
    cnnf_graph *model = NULL, *inference = NULL, *out = NULL;
    cnnf_pipeline *pipeline = NULL;
    test_ok(cnnf_load_file(&model, context, path, NULL, error));
    test_ok(cnnf_freeze(&inference, NULL, model, NULL, error));
    test_ok(cnnf_pipeline_new(&pipeline, context, error));
    test_ok(cnnf_pipeline_add(pipeline, passes, error));
    test_ok(cnnf_pipeline_run(&out, pipeline, inference, error));
    cnnf_pipeline_free(pipeline);
    cnnf_graph_unref(inference);
    cnnf_graph_unref(model);
    return out;
}

/* x [-1, 4] -> `op` -> y; the graph declares no output. */
static inline cnnf_graph *one_op(const char *op, cnnf_dtype dtype)
{
    cnnfi_builder *b = NULL;
    cnnf_graph *graph = NULL;
    const int64_t dims[] = {-1, 4};
    test_ok(cnnfi_builder_new(&b, context, error));
    cnnf_node *x = cnnfi_builder_add(b, "Placeholder", "x"), *y = cnnfi_builder_add(b, op, "y");
    cnnfi_node_set_type(b, x, "dtype", dtype);
    cnnfi_node_set_shape(b, x, "shape", 2, dims);
    cnnfi_node_set_type(b, y, "T", dtype);
    cnnfi_node_add_input(b, y, "x");
    test_ok(cnnfi_builder_publish(&graph, b, error));
    return graph;
}

#endif
