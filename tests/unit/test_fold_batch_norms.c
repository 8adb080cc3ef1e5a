/* SPDX-License-Identifier: Apache-2.0 */
/* fold_batch_norms on small graphs whose numbers are exact; tests/conformance holds it against TensorFlow. */
#include <string.h>

#include "passes_support.h"
#include "graph/builder.h"

#define CHANNELS 2

static void add_const(cnnfi_builder *b, const char *name, int32_t rank, const int64_t *dims, const float *values,
                      size_t count)
{
    cnnf_tensor *tensor = NULL;
    ck_assert_int_eq(cnnf_tensor_wrap(&tensor, b->graph->context, CNNF_FLOAT, rank, dims, values,
                                      count * sizeof *values, NULL, NULL, NULL),
                     CNNF_OK);
    cnnfi_builder_const(b, name, tensor);
    cnnf_tensor_unref(tensor);
}

static cnnf_node *add(cnnfi_builder *b, const char *op, const char *name, const char *first, const char *second)
{
    cnnf_node *node = cnnfi_builder_add(b, op, name);
    if (first) cnnfi_node_add_input(b, node, first);
    if (second) cnnfi_node_add_input(b, node, second);
    cnnfi_node_set_type(b, node, "T", CNNF_FLOAT);
    return node;
}

/* Filter [1, 1, 1, 2] = {1, 2}, padding SAME. */
static void add_conv(cnnfi_builder *b, const char *name, const char *data, const char *filter)
{
    const int64_t strides[4] = {1, 1, 1, 1};
    cnnf_node *conv = add(b, "Conv2D", name, data, filter);
    cnnfi_node_set_ints(b, conv, "strides", strides, 4);
    cnnfi_node_set_string(b, conv, "padding", "SAME");
}

/* scale {2, -4}, shift {1, 3}: gamma / sqrt(0.25 + 0), beta - mean * scale with mean 1. */
static cnnf_node *add_norm(cnnfi_builder *b, const char *name, const char *data)
{
    cnnf_node *norm = add(b, "FusedBatchNormV3", name, data, NULL);
    static const char *const parameters[] = {"gamma", "beta", "mean", "variance"};
    for (size_t i = 0; i < 4; i++)
        cnnfi_node_add_input(b, norm, parameters[i]);
    cnnfi_node_set_type(b, norm, "U", CNNF_FLOAT);
    cnnfi_node_set_float(b, norm, "epsilon", 0.0f);
    cnnfi_node_set_bool(b, norm, "is_training", false);
    return norm;
}

static cnnfi_builder *begin(cnnf_context *context)
{
    static const float filter[CHANNELS] = {1, 2}, gamma[CHANNELS] = {1, -2}, beta[CHANNELS] = {3, -1};
    static const float mean[CHANNELS] = {1, 1}, variance[CHANNELS] = {0.25f, 0.25f};
    const int64_t filter_dims[4] = {1, 1, 1, CHANNELS}, vector[1] = {CHANNELS};
    cnnfi_builder *b = NULL;
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    cnnfi_node_set_type(b, cnnfi_builder_add(b, "Placeholder", "x"), "dtype", CNNF_FLOAT);
    add_const(b, "w", 4, filter_dims, filter, CHANNELS);
    add_const(b, "gamma", 1, vector, gamma, CHANNELS);
    add_const(b, "beta", 1, vector, beta, CHANNELS);
    add_const(b, "mean", 1, vector, mean, CHANNELS);
    add_const(b, "variance", 1, vector, variance, CHANNELS);
    add_conv(b, "conv", "x", "w");
    return b;
}

static void expect_values(const cnnf_graph *graph, const char *name, float first, float second)
{
    float values[CHANNELS] = {0};
    const cnnf_node *node = cnnf_graph_find(graph, name);
    ck_assert_msg(node != NULL, "no node '%s'", name);
    ck_assert_int_eq(cnnf_tensor_read(values, cnnf_node_attr_tensor(node, "value"), 0, sizeof values, NULL), CNNF_OK);
    ck_assert_msg(values[0] == first && values[1] == second, "%s", name);
}

static const char *op_of(const cnnf_graph *graph, const char *name)
{
    const cnnf_node *node = cnnf_graph_find(graph, name);
    ck_assert_msg(node != NULL, "no node '%s'", name);
    return cnnf_node_op(node);
}

START_TEST(a_convolution_takes_it)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = begin(context);
    add_norm(b, "bn", "conv");
    add(b, "Relu", "y", "bn", NULL);
    cnnf_graph *graph = publish(b), *out = run_twice(graph, "fold_batch_norms", NULL, "y");
    ck_assert_int_eq(cnnf_graph_node_count(out), 6);
    expect_values(out, "w", 2, -8);
    ck_assert_str_eq(op_of(out, "bn"), "BiasAdd");
    ck_assert_inputs(out, "bn", "conv conv_bn_offset");
    expect_values(out, "conv_bn_offset", 1, 3);
    ck_assert_inputs(out, "y", "bn");
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(a_relu_takes_the_shift_as_its_bounds)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = begin(context);
    add(b, "Relu", "relu", "conv", NULL);
    add_norm(b, "bn", "relu");
    add(b, "Tanh", "y", "bn", NULL);
    cnnf_graph *graph = publish(b), *out = run_twice(graph, "fold_batch_norms", NULL, "y");
    expect_values(out, "w", 2, -8);
    /* Channel 0 has a lower bound, channel 1, whose scale is negative, an upper one. */
    ck_assert_str_eq(op_of(out, "relu"), "Minimum");
    ck_assert_inputs(out, "relu", "relu/lower relu/high");
    expect_values(out, "relu/lower/low", 1, -3.402823466e+38f);
    expect_values(out, "relu/high", 3.402823466e+38f, 3);
    ck_assert_inputs(out, "y", "relu");
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(plain_relus_stay_on_request)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = begin(context);
    add(b, "Relu", "relu", "conv", NULL);
    add_norm(b, "bn", "relu");
    add(b, "Tanh", "y", "bn", NULL);
    cnnf_graph *graph = publish(b), *out = run_twice(graph, "fold_batch_norms(plain_relu=true)", NULL, "y");
    expect_values(out, "w", 1, 2);
    ck_assert_str_eq(op_of(out, "relu"), "Relu");
    ck_assert_str_eq(op_of(out, "bn"), "Add");
    ck_assert_inputs(out, "bn", "bn/mul bn/shift");
    expect_values(out, "bn/scale", 2, -4);
    expect_values(out, "bn/shift", 1, 3);
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(a_convolution_that_others_read_stays)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = begin(context);
    add_norm(b, "bn", "conv");
    add(b, "AddV2", "y", "bn", "conv");
    cnnf_graph *graph = publish(b), *out = run_twice(graph, "fold_batch_norms", NULL, "y");
    expect_values(out, "w", 1, 2);
    ck_assert_str_eq(op_of(out, "bn"), "Add");
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(a_shared_filter_is_copied)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = begin(context);
    add_conv(b, "other", "x", "w");
    add_norm(b, "bn", "conv");
    add(b, "AddV2", "y", "bn", "other");
    cnnf_graph *graph = publish(b), *out = run_twice(graph, "fold_batch_norms", NULL, "y");
    expect_values(out, "w", 1, 2);
    ck_assert_inputs(out, "other", "x w");
    ck_assert_inputs(out, "conv", "x conv/folded");
    expect_values(out, "conv/folded", 2, -8);
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(training_mode_stays_and_says_so)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = begin(context);
    cnnfi_node_set_bool(b, add_norm(b, "bn", "conv"), "is_training", true);
    cnnf_graph *graph = publish(b), *out = NULL;
    cnnf_pipeline *pipeline = NULL;
    cnnf_buffer *report = NULL;
    ck_assert_int_eq(cnnf_pipeline_new(&pipeline, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_add(pipeline, "fold_batch_norms", NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_run_report(&out, &report, pipeline, graph, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_graph_node_count(out), cnnf_graph_node_count(graph));
    ck_assert_ptr_nonnull(strstr(cnnf_buffer_data(report), "\"outcome\": \"kept\""));
    ck_assert_ptr_nonnull(strstr(cnnf_buffer_data(report), "training mode"));
    cnnf_buffer_free(report);
    cnnf_pipeline_free(pipeline);
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(the_report_says_where_it_went)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = begin(context);
    add_norm(b, "bn", "conv");
    cnnf_graph *graph = publish(b), *out = NULL;
    cnnf_pipeline *pipeline = NULL;
    cnnf_buffer *report = NULL;
    ck_assert_int_eq(cnnf_pipeline_new(&pipeline, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_add(pipeline, "fold_old_batch_norms", NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_run_report(&out, &report, pipeline, graph, NULL), CNNF_OK);
    const char *text = cnnf_buffer_data(report);
    ck_assert_ptr_nonnull(strstr(
        text, "{\"batch_norm\": \"bn\", \"outcome\": \"backward\", \"bounds_moved\": false, \"channels\": 2, "
              "\"dead_channels\": 0, \"negative_channels\": 1, \"max_scale\": 4.0, \"into\": [{\"node\": \"conv\", "
              "\"weights_before\": [1.0, 2.0], \"weights_after\": [-8.0, 2.0]}]}"));
    cnnf_buffer_free(report);
    cnnf_pipeline_free(pipeline);
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("fold_batch_norms");
    TCase *tc = tcase_create("fold_batch_norms");
    tcase_add_test(tc, a_convolution_takes_it);
    tcase_add_test(tc, a_relu_takes_the_shift_as_its_bounds);
    tcase_add_test(tc, plain_relus_stay_on_request);
    tcase_add_test(tc, a_convolution_that_others_read_stays);
    tcase_add_test(tc, a_shared_filter_is_copied);
    tcase_add_test(tc, training_mode_stays_and_says_so);
    tcase_add_test(tc, the_report_says_where_it_went);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(suite)
