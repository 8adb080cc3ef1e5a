/* SPDX-License-Identifier: Apache-2.0 */
/* fuse_softmax, fuse_relu6, set_versions, convert_to_float16: what they take, what they leave, that the numbers stay.
 */
#include <string.h>

#include "passes_support.h"
#include "graph/builder.h"
#include "graph/tensor.h"

static cnnf_node *add(cnnfi_builder *b, const char *op, const char *name, const char *first, const char *second)
{
    cnnf_node *node = cnnfi_builder_add(b, op, name);
    cnnfi_node_add_input(b, node, first);
    if (second) cnnfi_node_add_input(b, node, second);
    cnnfi_node_set_type(b, node, "T", CNNF_FLOAT);
    return node;
}

static cnnfi_builder *begin(cnnf_context *context, int32_t rank)
{
    static const int64_t dims[] = {2, 3, 4, 5};
    cnnfi_builder *b = NULL;
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    cnnf_node *x = cnnfi_builder_add(b, "Placeholder", "x");
    cnnfi_node_set_type(b, x, "dtype", CNNF_FLOAT);
    cnnfi_node_set_shape(b, x, "shape", rank, dims);
    return b;
}

static void reduce(cnnfi_builder *b, const char *op, const char *name, const char *from, int32_t axis, bool keep)
{
    cnnf_tensor *value = NULL;
    char axes[64];
    snprintf(axes, sizeof axes, "%s/axis", name);
    cnnf_node *constant = cnnfi_builder_add(b, "Const", axes);
    cnnfi_node_set_type(b, constant, "dtype", CNNF_INT32);
    ck_assert_int_eq(cnnfi_tensor_copy(&value, b->graph->context, CNNF_INT32, 0, NULL, &axis, NULL), CNNF_OK);
    cnnfi_node_set_tensor(b, constant, "value", value);
    cnnf_tensor_unref(value);
    cnnf_node *node = add(b, op, name, from, axes);
    cnnfi_node_set_type(b, node, "Tidx", CNNF_INT32);
    cnnfi_node_set_bool(b, node, "keep_dims", keep);
}

typedef struct softmax_case {
    int32_t max_axis, sum_axis;
    const char *max_of, *sum_of;
    bool keep, exponential_is_read, fuses;
} softmax_case;

static const softmax_case softmaxes[] = {
    {-1, -1, "x", "e", true, false, true},  {3, 3, "x", "e", true, false, true},
    {-1, 3, "x", "e", true, false, true},   {1, 1, "x", "e", true, false, false},
    {-1, 1, "x", "e", true, false, false},  {-1, -1, "x", "x", true, false, false},
    {-1, -1, "z", "e", true, false, false}, {-1, -1, "x", "e", true, true, false},
};

static cnnf_graph *make_softmax(cnnf_context *context, const softmax_case *c)
{
    cnnfi_builder *b = begin(context, 4);
    add(b, "Relu", "z", "x", NULL);
    reduce(b, "Max", "m", c->max_of, c->max_axis, c->keep);
    add(b, "Sub", "d", "x", "m");
    add(b, "Exp", "e", "d", NULL);
    reduce(b, "Sum", "s", c->sum_of, c->sum_axis, c->keep);
    add(b, "RealDiv", "y", "e", "s");
    if (c->exponential_is_read) add(b, "Neg", "other", "e", NULL);
    return publish(b);
}

static void expect_same_numbers(const cnnf_graph *a, const cnnf_graph *b)
{
    cnnf_comparison *comparison = NULL;
    cnnf_comparison_options *options = NULL;
    cnnf_error error = {.offset = -1};
    ck_assert_int_eq(cnnf_comparison_options_new(&options, a->context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_comparison_options_add_output(options, "y", NULL, NULL), CNNF_OK);
    const cnnf_status status = cnnf_compare_numbers(&comparison, a, b, options, &error);
    ck_assert_msg(status == CNNF_OK, "%s", error.message);
    ck_assert(cnnf_comparison_within(comparison));
    cnnf_comparison_free(comparison);
    cnnf_comparison_options_free(options);
}

START_TEST(softmax_in_pieces_is_softmax)
{
    const softmax_case *c = &softmaxes[_i];
    cnnf_context *context = test_context();
    cnnf_graph *graph = make_softmax(context, c);
    cnnf_graph *out = run_twice(graph, "fuse_softmax", NULL, c->exponential_is_read ? "y,other" : "y");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(out, "y")), c->fuses ? "Softmax" : "RealDiv");
    if (c->fuses) ck_assert_inputs(out, "y", "x");
    if (c->fuses) ck_assert_ptr_null(cnnf_graph_find(out, "e"));
    expect_same_numbers(graph, out);
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

typedef struct clip_case {
    const char *inner, *outer;
    float inside, outside;
    bool constant_first, fuses;
} clip_case;

static const clip_case clips[] = {
    {"Relu", "Minimum", 0, 6, false, true},     {"Relu", "Minimum", 0, 6, true, true},
    {"Maximum", "Minimum", 0, 6, false, true},  {"Minimum", "Maximum", 6, 0, true, true},
    {"Relu", "Minimum", 0, 5, false, false},    {"Maximum", "Minimum", 1, 6, false, false},
    {"Minimum", "Maximum", 5, 0, false, false}, {"Relu6", "Minimum", 0, 6, false, false},
};

START_TEST(clipping_to_six_is_relu6)
{
    const clip_case *c = &clips[_i];
    cnnf_context *context = test_context();
    cnnfi_builder *b = begin(context, 2);
    cnnfi_builder_const_f32(b, "inside", 0, &c->inside, 1);
    cnnfi_builder_const_f32(b, "outside", 0, &c->outside, 1);
    add(b, c->inner, "r", "x", strncmp(c->inner, "Relu", 4) == 0 ? NULL : "inside");
    add(b, c->outer, "y", c->constant_first ? "outside" : "r", c->constant_first ? "r" : "outside");
    cnnf_graph *graph = publish(b), *out = run_twice(graph, "fuse_relu6", NULL, "y");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(out, "y")), c->fuses ? "Relu6" : c->outer);
    if (c->fuses) ck_assert_inputs(out, "y", "x");
    expect_same_numbers(graph, out);
    cnnf_graph *kept = run_twice(graph, "fuse_relu6", NULL, "y,r"); /* somebody asks for the inner node */
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(kept, "y")), c->outer);
    cnnf_graph_unref(kept);
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(a_constant_that_widens_is_no_clip)
{
    static const int64_t dims[] = {1, 1, 1};
    static const float six = 6;
    cnnf_context *context = test_context();
    cnnfi_builder *b = begin(context, 2);
    cnnf_tensor *value = NULL;
    cnnf_node *constant = cnnfi_builder_add(b, "Const", "six");
    ck_assert_int_eq(cnnfi_tensor_copy(&value, context, CNNF_FLOAT, 3, dims, &six, NULL), CNNF_OK);
    cnnfi_node_set_type(b, constant, "dtype", CNNF_FLOAT);
    cnnfi_node_set_tensor(b, constant, "value", value);
    cnnf_tensor_unref(value);
    add(b, "Relu", "r", "x", NULL);
    add(b, "Minimum", "y", "r", "six");
    cnnf_graph *graph = publish(b), *out = run_twice(graph, "fuse_relu6", NULL, "y");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(out, "y")), "Minimum");
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

static cnnf_status versions(cnnf_graph **out, const cnnf_graph *graph, const char *passes)
{
    cnnf_pipeline *pipeline = NULL;
    *out = NULL;
    ck_assert_int_eq(cnnf_pipeline_new(&pipeline, graph->context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_add(pipeline, passes, NULL), CNNF_OK);
    const cnnf_status status = cnnf_pipeline_run(out, pipeline, graph, NULL);
    cnnf_pipeline_free(pipeline);
    return status;
}

START_TEST(versions_are_what_is_asked_for)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = begin(context, 2);
    cnnfi_builder_set_versions(b, 134, 12);
    cnnf_graph *graph = publish(b), *none = NULL, *some = NULL, *bad = NULL;
    ck_assert_int_eq(versions(&none, graph, "set_versions"), CNNF_OK);
    ck_assert(!none->versions.present && none->versions.producer == 0);
    ck_assert_int_eq(versions(&some, none, "set_versions(producer=21, min_consumer=3)"), CNNF_OK);
    ck_assert(some->versions.present && some->versions.producer == 21 && some->versions.min_consumer == 3);
    ck_assert_int_eq(versions(&bad, graph, "set_versions(producer=1, min_consumer=3)"), CNNF_E_INVALID);
    ck_assert_ptr_null(bad);
    cnnf_graph_unref(some);
    cnnf_graph_unref(none);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* y = softmax(relu(x * w) + big), w of 20 numbers, big beyond half precision. */
static cnnf_graph *make_product(cnnf_context *context)
{
    static const int64_t dims[] = {1, 20};
    static const float big = 1e6f;
    float weights[20];
    for (int i = 0; i < 20; i++)
        weights[i] = (float)i / 7;
    cnnfi_builder *b = begin(context, 0);
    cnnf_node *x = cnnfi_builder_add(b, "Placeholder", "in");
    cnnfi_node_set_type(b, x, "dtype", CNNF_FLOAT);
    cnnfi_node_set_shape(b, x, "shape", 2, (const int64_t[]){-1, 20});
    cnnfi_builder_const_f32(b, "big", 0, &big, 1);
    cnnf_tensor *value = NULL;
    ck_assert_int_eq(cnnfi_tensor_copy(&value, context, CNNF_FLOAT, 2, dims, weights, NULL), CNNF_OK);
    cnnf_node *constant = cnnfi_builder_add(b, "Const", "w2");
    cnnfi_node_set_type(b, constant, "dtype", CNNF_FLOAT);
    cnnfi_node_set_tensor(b, constant, "value", value);
    cnnf_tensor_unref(value);
    add(b, "Mul", "product", "in", "w2");
    add(b, "Relu", "r", "product", NULL);
    add(b, "Softmax", "y", "r", NULL);
    add(b, "AddV2", "sum", "r", "big");
    return publish(b);
}

static void expect_near(const cnnf_graph *a, const cnnf_graph *b)
{
    cnnf_comparison *comparison = NULL;
    cnnf_comparison_options *options = NULL;
    cnnf_error error = {.offset = -1};
    ck_assert_int_eq(cnnf_comparison_options_new(&options, a->context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_comparison_options_add_output(options, "y", NULL, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_comparison_options_set_tolerance(options, 5e-3, NULL), CNNF_OK);
    const cnnf_status status = cnnf_compare_numbers(&comparison, a, b, options, &error);
    ck_assert_msg(status == CNNF_OK, "%s", error.message);
    ck_assert(cnnf_comparison_within(comparison));
    ck_assert_double_gt(cnnf_comparison_max_abs(comparison), 0); /* it is half precision */
    cnnf_comparison_free(comparison);
    cnnf_comparison_options_free(options);
}

START_TEST(half_precision)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = make_product(context);
    cnnf_graph *weights = run_twice(graph, "convert_to_float16", NULL, "y,sum");
    cnnf_graph *all = run_twice(graph, "convert_to_float16(what=all)", NULL, "y,sum");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(weights, "w2")), "Cast");
    ck_assert_int_eq(cnnf_tensor_dtype(cnnf_node_attr_tensor(cnnf_graph_find(weights, "w2/half"), "value")), CNNF_HALF);
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(weights, "big")), "Const");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(all, "y")), "Cast");
    ck_assert_int_eq(cnnf_node_attr_type(cnnf_graph_find(all, "y"), "DstT", 0), CNNF_FLOAT);
    ck_assert_int_eq(cnnf_node_attr_type(cnnf_graph_find(all, "r"), "T", 0), CNNF_HALF);
    ck_assert_int_eq(cnnf_node_attr_type(cnnf_graph_find(all, "in"), "dtype", 0), CNNF_FLOAT);
    ck_assert_int_eq(cnnf_tensor_dtype(cnnf_node_attr_tensor(cnnf_graph_find(all, "w2"), "value")), CNNF_HALF);
    expect_near(graph, weights);
    expect_near(graph, all);
    cnnf_graph *none = NULL;
    ck_assert_int_eq(versions(&none, graph, "convert_to_float16(what=some)"), CNNF_E_INVALID);
    cnnf_graph_unref(all);
    cnnf_graph_unref(weights);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

static Suite *fuse_suite(void)
{
    Suite *suite = suite_create("fuse");
    TCase *tests = tcase_create("fuse");
    tcase_add_loop_test(tests, softmax_in_pieces_is_softmax, 0, (int)(sizeof softmaxes / sizeof *softmaxes));
    tcase_add_loop_test(tests, clipping_to_six_is_relu6, 0, (int)(sizeof clips / sizeof *clips));
    tcase_add_test(tests, a_constant_that_widens_is_no_clip);
    tcase_add_test(tests, versions_are_what_is_asked_for);
    tcase_add_test(tests, half_precision);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(fuse_suite)
