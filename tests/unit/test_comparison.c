/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "graph/builder.h"
#include "support.h"

/* out = relu(x * factor) + bias. */
static cnnf_graph *make_graph(cnnf_context *context, float factor, float bias, bool known_shape)
{
    static const int64_t dims[] = {-1, 3};
    cnnfi_builder *b = NULL;
    cnnf_graph *graph = NULL;
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    cnnf_node *x = cnnfi_builder_add(b, "Placeholder", "x");
    cnnfi_node_set_type(b, x, "dtype", CNNF_FLOAT);
    if (known_shape) cnnfi_node_set_shape(b, x, "shape", 2, dims);
    cnnfi_builder_const_f32(b, "factor", 0, &factor, 1);
    cnnfi_builder_const_f32(b, "bias", 0, &bias, 1);
    cnnf_node *mul = cnnfi_builder_add(b, "Mul", "mul");
    cnnfi_node_set_type(b, mul, "T", CNNF_FLOAT);
    cnnfi_node_add_input(b, mul, "x");
    cnnfi_node_add_input(b, mul, "factor");
    cnnf_node *relu = cnnfi_builder_add(b, "Relu", "relu");
    cnnfi_node_set_type(b, relu, "T", CNNF_FLOAT);
    cnnfi_node_add_input(b, relu, "mul");
    cnnf_node *add = cnnfi_builder_add(b, "AddV2", "out");
    cnnfi_node_set_type(b, add, "T", CNNF_FLOAT);
    cnnfi_node_add_input(b, add, "relu");
    cnnfi_node_add_input(b, add, "bias");
    ck_assert_int_eq(cnnfi_builder_publish(&graph, b, NULL), CNNF_OK);
    return graph;
}

static cnnf_comparison *compare(cnnf_graph *a, cnnf_graph *b, const cnnf_comparison_options *options)
{
    cnnf_comparison *comparison = NULL;
    cnnf_error *error = cnnf_error_new();
    cnnf_status status = cnnf_compare_numbers(&comparison, a, b, options, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
    cnnf_error_free(error);
    return comparison;
}

static void expect_report(const cnnf_comparison *comparison, int32_t json, const char *part)
{
    cnnf_buffer *text = NULL;
    ck_assert_int_eq(cnnf_comparison_report(&text, comparison, json, NULL), CNNF_OK);
    ck_assert_msg(strstr(cnnf_buffer_data(text), part) != NULL, "'%s' lacks '%s'", (const char *)cnnf_buffer_data(text),
                  part);
    cnnf_buffer_free(text);
}

START_TEST(equal_graphs)
{
    cnnf_context *context = test_context();
    cnnf_graph *a = make_graph(context, 2, 1, true), *b = make_graph(context, 2, 1, true);
    cnnf_comparison *comparison = compare(a, b, NULL);
    ck_assert(cnnf_comparison_within(comparison));
    ck_assert_double_eq(cnnf_comparison_max_abs(comparison), 0);
    ck_assert_ptr_null(cnnf_comparison_first(comparison));
    ck_assert_int_eq(cnnf_comparison_count(comparison), 3);
    expect_report(comparison, 0, "all within the tolerance");
    expect_report(comparison, 1, "\"first\": null");
    cnnf_comparison_free(comparison);
    cnnf_graph_unref(a);
    cnnf_graph_unref(b);
    test_context_done(context);
}
END_TEST

START_TEST(the_first_difference_is_named)
{
    cnnf_context *context = test_context();
    cnnf_graph *a = make_graph(context, 2, 1, true), *b = make_graph(context, 2, 1.5f, true),
               *c = make_graph(context, 3, 1, true);
    cnnf_comparison *comparison = compare(a, b, NULL);
    ck_assert(!cnnf_comparison_within(comparison));
    ck_assert_double_eq_tol(cnnf_comparison_max_abs(comparison), 0.5, 1e-6);
    ck_assert_str_eq(cnnf_comparison_first(comparison), "out");
    cnnf_comparison_free(comparison);
    comparison = compare(a, c, NULL);
    ck_assert_str_eq(cnnf_comparison_first(comparison), "mul");
    expect_report(comparison, 0, "the first that differs: mul");
    cnnf_comparison_free(comparison);
    cnnf_graph_unref(a);
    cnnf_graph_unref(b);
    cnnf_graph_unref(c);
    test_context_done(context);
}
END_TEST

START_TEST(options_count)
{
    static const float data[] = {-1, -2, -3};
    static const int64_t dims[] = {1, 3};
    cnnf_context *context = test_context();
    cnnf_graph *a = make_graph(context, 2, 1, false), *b = make_graph(context, 3, 1, false);
    cnnf_comparison_options *options = NULL;
    cnnf_comparison *comparison = NULL;
    cnnf_tensor *value = NULL;
    comparison = compare(a, b, NULL); /* nothing is known of x: an image */
    ck_assert(!cnnf_comparison_within(comparison));
    cnnf_comparison_free(comparison);
    ck_assert_int_eq(cnnf_comparison_options_new(&options, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_tensor_wrap(&value, context, CNNF_FLOAT, 2, dims, data, sizeof(data), NULL, NULL, NULL),
                     CNNF_OK);
    ck_assert_int_eq(cnnf_comparison_options_add_feed(options, "x", value, NULL), CNNF_OK);
    cnnf_tensor_unref(value);
    comparison = compare(a, b, options); /* what is negative does not get through the rectifier */
    ck_assert(cnnf_comparison_within(comparison));
    ck_assert_str_eq(cnnf_comparison_first(comparison), "mul");
    cnnf_comparison_free(comparison);
    ck_assert_int_eq(cnnf_comparison_options_set_inside(options, 0, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_comparison_options_add_output(options, "mul", NULL, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_comparison_options_set_tolerance(options, 0.6, NULL), CNNF_OK);
    comparison = compare(a, b, options);
    ck_assert_int_eq(cnnf_comparison_count(comparison), 1);
    ck_assert(cnnf_comparison_within(comparison));
    ck_assert_double_eq_tol(cnnf_comparison_max_rel(comparison), 0.5, 1e-6);
    cnnf_comparison_free(comparison);
    ck_assert_int_eq(cnnf_comparison_options_add_output(options, "nowhere", NULL, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_compare_numbers(&comparison, a, b, options, NULL), CNNF_E_NOT_FOUND);
    ck_assert_int_eq(cnnf_comparison_options_set_random(options, 0, 1, NULL), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_comparison_options_set_tolerance(options, -1, NULL), CNNF_E_INVALID);
    cnnf_comparison_options_free(options);
    cnnf_graph_unref(a);
    cnnf_graph_unref(b);
    test_context_done(context);
}
END_TEST

static cnnf_node *placeholder(cnnfi_builder *b, const char *name, int32_t rank, const int64_t *dims)
{
    cnnf_node *node = cnnfi_builder_add(b, "Placeholder", name);
    cnnfi_node_set_type(b, node, "dtype", CNNF_FLOAT);
    cnnfi_node_set_shape(b, node, "shape", rank, dims);
    return node;
}

/* out = conv(image), kernel `size` x `size` over 3 channels, stride 1, no padding; `target` is read by a loss alone. */
static cnnf_graph *make_convolution(cnnf_context *context, const char *input, int32_t rank, int64_t size)
{
    static const int64_t open[] = {-1, -1, -1, -1}, known[] = {-1, 3}, strides[] = {1, 1, 1, 1};
    const int64_t kernel[] = {size, size, 3, 1};
    cnnfi_builder *b = NULL;
    cnnf_graph *graph = NULL;
    cnnf_tensor *weights = NULL;
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_tensor_new(&weights, context, CNNF_FLOAT, 4, kernel, NULL), CNNF_OK);
    memset(cnnf_tensor_data_mut(weights), 0, cnnf_tensor_byte_size(weights));
    placeholder(b, "target", 2, known);
    placeholder(b, input, rank, open);
    cnnf_node *w = cnnfi_builder_add(b, "Const", "w");
    cnnfi_node_set_type(b, w, "dtype", CNNF_FLOAT);
    cnnfi_node_set_tensor(b, w, "value", weights);
    cnnf_tensor_unref(weights);
    cnnf_node *out = cnnfi_builder_add(b, "Conv2D", "out"), *loss = cnnfi_builder_add(b, "Mul", "loss");
    cnnfi_node_add_input(b, out, input);
    cnnfi_node_add_input(b, out, "w");
    cnnfi_node_set_type(b, out, "T", CNNF_FLOAT);
    cnnfi_node_set_string(b, out, "padding", "VALID");
    cnnfi_node_set_ints(b, out, "strides", strides, 4);
    cnnfi_node_add_input(b, loss, "out");
    cnnfi_node_add_input(b, loss, "target");
    cnnfi_node_set_type(b, loss, "T", CNNF_FLOAT);
    ck_assert_int_eq(cnnfi_builder_publish(&graph, b, NULL), CNNF_OK);
    return graph;
}

/* Rank unknown or only the sizes; 150 is more than the sizes tried first. The second graph calls its input otherwise
   and has no target. */
START_TEST(sizes_that_nobody_knows_are_tried)
{
    cnnf_context *context = test_context();
    cnnf_graph *a = make_convolution(context, "image", _i ? 4 : -1, 150), *b = make_convolution(context, "x", 4, 150);
    cnnf_comparison_options *options = NULL;
    ck_assert_int_eq(cnnf_comparison_options_new(&options, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_comparison_options_add_output(options, "out", NULL, NULL), CNNF_OK);
    cnnf_comparison *comparison = compare(a, b, options);
    ck_assert(cnnf_comparison_within(comparison));
    cnnf_comparison_free(comparison);
    cnnf_comparison_options_free(options);
    cnnf_graph_unref(a);
    cnnf_graph_unref(b);
    test_context_done(context);
}
END_TEST

START_TEST(a_size_that_nothing_fits_is_refused)
{
    cnnf_context *context = test_context();
    cnnf_graph *a = make_convolution(context, "image", 4, 1500);
    cnnf_comparison_options *options = NULL;
    cnnf_comparison *comparison = NULL;
    cnnf_error *error = cnnf_error_new();
    ck_assert_int_eq(cnnf_comparison_options_new(&options, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_comparison_options_add_output(options, "out", NULL, NULL), CNNF_OK);
    ck_assert_int_ne(cnnf_compare_numbers(&comparison, a, a, options, error), CNNF_OK);
    ck_assert_ptr_null(comparison);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "no height and width that was tried fits"));
    cnnf_error_free(error);
    cnnf_comparison_options_free(options);
    cnnf_graph_unref(a);
    test_context_done(context);
}
END_TEST

/* The first graph's only input against one that the second needs in addition. */
START_TEST(an_input_that_only_one_has_is_named)
{
    cnnf_context *context = test_context();
    cnnf_graph *a = make_graph(context, 2, 1, true), *b = make_convolution(context, "x", 4, 3);
    cnnf_comparison_options *options = NULL;
    cnnf_comparison *comparison = NULL;
    cnnf_error *error = cnnf_error_new();
    ck_assert_int_eq(cnnf_comparison_options_new(&options, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_comparison_options_add_output(options, "out", "loss", NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_compare_numbers(&comparison, a, b, options, error), CNNF_E_NOT_FOUND);
    ck_assert_str_eq(cnnf_error_message(error), "the first graph has no input for 'target'");
    cnnf_error_free(error);
    cnnf_comparison_options_free(options);
    cnnf_graph_unref(a);
    cnnf_graph_unref(b);
    test_context_done(context);
}
END_TEST

static Suite *comparison_suite(void)
{
    Suite *suite = suite_create("comparison");
    TCase *tests = tcase_create("comparison");
    tcase_add_test(tests, equal_graphs);
    tcase_add_test(tests, the_first_difference_is_named);
    tcase_add_test(tests, options_count);
    tcase_add_loop_test(tests, sizes_that_nobody_knows_are_tried, 0, 2);
    tcase_add_test(tests, a_size_that_nothing_fits_is_refused);
    tcase_add_test(tests, an_input_that_only_one_has_is_named);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(comparison_suite)
