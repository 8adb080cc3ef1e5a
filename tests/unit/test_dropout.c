/* SPDX-License-Identifier: Apache-2.0 */
/* remove_dropout and scale_dropout_weights. */
#include <string.h>

#include "passes_support.h"
#include "graph/builder.h"

static cnnf_node *add(cnnfi_builder *b, const char *op, const char *name, const char *first, const char *second)
{
    cnnf_node *node = cnnfi_builder_add(b, op, name);
    if (first) cnnfi_node_add_input(b, node, first);
    if (second) cnnfi_node_add_input(b, node, second);
    cnnfi_node_set_type(b, node, "T", CNNF_FLOAT);
    return node;
}

/* x, a mask that keeps with probability `keep`, and w[2, 1]. */
static cnnfi_builder *masked(cnnf_context *context, float keep)
{
    cnnfi_builder *b = NULL;
    const float weights[2] = {1, 2};
    const int64_t dims[2] = {2, 1};
    cnnf_tensor *w = NULL;
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_tensor_wrap(&w, context, CNNF_FLOAT, 2, dims, weights, sizeof weights, NULL, NULL, NULL),
                     CNNF_OK);
    cnnfi_builder_const(b, "w", w);
    cnnf_tensor_unref(w);
    cnnfi_node_set_type(b, cnnfi_builder_add(b, "Placeholder", "x"), "dtype", CNNF_FLOAT);
    cnnf_node *shape = add(b, "Shape", "shape", "x", NULL);
    cnnfi_node_set_type(b, shape, "out_type", CNNF_INT32);
    cnnf_node *random = cnnfi_builder_add(b, "RandomUniform", "random");
    cnnfi_node_add_input(b, random, "shape");
    cnnfi_node_set_type(b, random, "dtype", CNNF_FLOAT);
    cnnfi_node_set_type(b, random, "T", CNNF_INT32);
    cnnfi_builder_const_f32(b, "keep", 0, &keep, 1);
    add(b, "Add", "sum", "keep", "random");
    add(b, "Floor", "mask", "sum", NULL);
    return b;
}

static cnnfi_builder *inverted(cnnf_context *context)
{
    cnnfi_builder *b = masked(context, 0.25f);
    add(b, "RealDiv", "scaled", "x", "keep");
    add(b, "Mul", "dropout", "scaled", "mask");
    add(b, "MatMul", "y", "dropout", "w");
    return b;
}

static cnnfi_builder *classic(cnnf_context *context)
{
    cnnfi_builder *b = masked(context, 0.25f);
    add(b, "Mul", "dropout", "mask", "x");
    add(b, "Relu", "relu", "dropout", NULL);
    add(b, "MatMul", "y", "relu", "w");
    return b;
}

static float weight(const cnnf_graph *graph, const char *name, size_t index)
{
    float value = 0;
    const cnnf_tensor *tensor = cnnf_node_attr_tensor(cnnf_graph_find(graph, name), "value");
    ck_assert_int_eq(cnnf_tensor_read(&value, tensor, index * sizeof value, sizeof value, NULL), CNNF_OK);
    return value;
}

START_TEST(dropout_is_its_input)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = publish(inverted(context)), *out = run_twice(graph, "remove_dropout", NULL, "y");
    ck_assert_int_eq(cnnf_graph_node_count(out), 3);
    ck_assert_inputs(out, "y", "x w");
    ck_assert(weight(out, "w", 1) == 2.0f);
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* A training graph's gradient goes back through the mask it went forward through. */
START_TEST(dropout_goes_from_the_gradient_too)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = inverted(context);
    cnnfi_node_set_type(b, cnnfi_builder_add(b, "Placeholder", "dy"), "dtype", CNNF_FLOAT);
    add(b, "Mul", "dropout_grad", "dy", "mask");
    add(b, "RealDiv", "scaled_grad", "dropout_grad", "keep");
    add(b, "Relu", "dx", "scaled_grad", NULL);
    cnnf_graph *graph = publish(b), *out = run_twice(graph, "remove_dropout", NULL, "y,dx");
    ck_assert_inputs(out, "y", "x w");
    ck_assert_inputs(out, "dx", "dy");
    ck_assert_ptr_null(cnnf_graph_find(out, "random"));
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(dropout_that_is_an_output_keeps_its_name)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = publish(inverted(context)), *out = run_twice(graph, "remove_dropout", NULL, "dropout,y");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(out, "dropout")), "Identity");
    ck_assert_inputs(out, "dropout", "x");
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(classic_dropout_scales_the_weights_behind_it)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = publish(classic(context)), *out = run_twice(graph, "scale_dropout_weights", NULL, "y");
    ck_assert_inputs(out, "relu", "x");
    ck_assert(weight(out, "w", 0) == 0.25f && weight(out, "w", 1) == 0.5f);
    cnnf_graph_unref(out);
    out = run_twice(graph, "scale_dropout_weights(rate=0.5)", NULL, "y");
    ck_assert(weight(out, "w", 0) == 0.5f && weight(out, "w", 1) == 1.0f);
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(scaling_is_refused_where_it_is_not_exact)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = masked(context, 0.5f);
    add(b, "Mul", "dropout", "mask", "x");
    add(b, "Tanh", "y", "dropout", NULL);
    cnnf_graph *graph = publish(b), *out = NULL;
    cnnf_error error = {.offset = -1};
    ck_assert_int_eq(run_passes(&out, graph, "scale_dropout_weights", NULL, "y", &error), CNNF_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(error.message, "cannot be scaled exactly"));
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(other_randomness_stays)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = masked(context, 0.5f);
    add(b, "Mul", "y", "x", "random");
    cnnf_graph *graph = publish(b), *out = run_twice(graph, "remove_dropout", NULL, "y");
    ck_assert_ptr_eq(out, graph);
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("dropout");
    TCase *tc = tcase_create("dropout");
    tcase_add_test(tc, dropout_is_its_input);
    tcase_add_test(tc, dropout_goes_from_the_gradient_too);
    tcase_add_test(tc, dropout_that_is_an_output_keeps_its_name);
    tcase_add_test(tc, classic_dropout_scales_the_weights_behind_it);
    tcase_add_test(tc, scaling_is_refused_where_it_is_not_exact);
    tcase_add_test(tc, other_randomness_stays);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(suite)
