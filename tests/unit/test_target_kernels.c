/* SPDX-License-Identifier: Apache-2.0 */
/* target_tf's second half: what TensorFlow 1.15's CPU has no kernel for, written with what it has. */
#include "passes_support.h"

#include "graph/tensor.h"

static void set_value(cnnfi_builder *b, const char *name, int32_t rank, const int64_t *dims)
{
    cnnf_tensor *tensor = NULL;
    cnnf_error error = {.offset = -1};
    ck_assert_int_eq(cnnfi_tensor_splat(&tensor, b->graph->context, CNNF_FLOAT, rank, dims, 1, &error), CNNF_OK);
    cnnfi_node_set_tensor(b, cnnfi_builder_find(b, name), "value", tensor);
    cnnf_tensor_unref(tensor);
}

static cnnf_status lower(cnnf_graph **out, const cnnf_graph *graph, const char *passes, cnnf_error *error)
{
    cnnf_pipeline *pipeline = NULL;
    cnnf_status status = cnnf_pipeline_new(&pipeline, graph->context, error);
    if (!status) status = cnnf_pipeline_add(pipeline, passes, error);
    if (!status) status = cnnf_pipeline_add_output(pipeline, "y", error);
    if (!status) status = cnnf_pipeline_run(out, pipeline, graph, error);
    cnnf_pipeline_free(pipeline);
    return status;
}

/* x [2,5,5,channels], w [3,3,depth,filters] */
static cnnf_graph *conv_graph(cnnf_context *context, int64_t channels, int64_t depth, int64_t filters)
{
    static const graph_row rows[] = {
        {"Placeholder", "x", {NULL}}, {"Const", "w", {NULL}}, {"Conv2D", "y", {"x", "w", "^x", NULL}}};
    cnnfi_builder *b = make_builder(context, rows, 3);
    cnnf_node *y = cnnfi_builder_find(b, "y");
    cnnfi_node_set_shape(b, cnnfi_builder_find(b, "x"), "shape", 4, (const int64_t[]){2, 5, 5, channels});
    set_value(b, "w", 4, (const int64_t[]){3, 3, depth, filters});
    cnnfi_node_set_string(b, y, "padding", "VALID");
    cnnfi_node_set_string(b, y, "data_format", "NHWC");
    cnnfi_node_set_ints(b, y, "strides", (const int64_t[]){1, 1, 1, 1}, 4);
    return publish(b);
}

START_TEST(groups_become_convolutions)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = conv_graph(context, 6, 2, 9), *after = NULL;
    ck_assert_int_eq(lower(&after, graph, "target_tf(version=1.15)", NULL), CNNF_OK);
    ck_assert_inputs(after, "y", "y/group y/group_1 y/group_2 y/axis");
    ck_assert_inputs(after, "y/group_2", "y/split:2 y/filter:2 ^x");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "y")), "ConcatV2");
    ck_assert_int_eq(cnnf_node_attr_int(cnnf_graph_find(after, "y/split"), "num_split", 0), 3);
    cnnf_graph_unref(after);
    ck_assert_int_eq(lower(&after, graph, "target_tf(version=1.15, kernels=false)", NULL), CNNF_OK);
    ck_assert_inputs(after, "y", "x w ^x");
    cnnf_graph_unref(after);
    ck_assert_int_eq(lower(&after, graph, "target_tf(version=2.15)", NULL), CNNF_OK);
    ck_assert_inputs(after, "y", "x w ^x");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(other_convolutions_stay)
{
    static const int64_t sizes[][3] = {{6, 6, 4}, {6, 4, 4}, {6, 3, 3}, {5000, 1, 5000}, {0, 1, 1}};
    cnnf_context *context = test_context();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        cnnf_graph *graph = conv_graph(context, sizes[i][0], sizes[i][1], sizes[i][2]), *after = NULL;
        ck_assert_int_eq(lower(&after, graph, "target_tf(version=1.15)", NULL), CNNF_OK);
        ck_assert_inputs(after, "y", "x w ^x");
        cnnf_graph_unref(after);
        cnnf_graph_unref(graph);
    }
    test_context_done(context);
}
END_TEST

START_TEST(groups_count_against_the_limit)
{
    cnnf_context *context = NULL;
    cnnf_context_options *options = NULL;
    cnnf_error *error = cnnf_error_new();
    cnnf_graph *after = NULL;
    ck_assert_int_eq(cnnf_context_options_new(&options, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_options_set_limit(options, CNNF_LIMIT_NODES, 100, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_new(&context, options, NULL), CNNF_OK);
    cnnf_context_options_free(options);
    cnnf_graph *graph = conv_graph(context, 512, 1, 512);
    ck_assert_int_eq(lower(&after, graph, "target_tf(version=1.15)", error), CNNF_E_LIMIT);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "node 'y': split in 512 groups"));
    ck_assert_ptr_null(after);
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

static cnnf_graph *norm_graph(cnnf_context *context, const char *format, int32_t rank)
{
    static const graph_row rows[] = {{"Placeholder", "x", {NULL}},
                                     {"Const", "s", {NULL}},
                                     {"FusedBatchNormV3", "y", {"x", "s", "s", "s", "s", NULL}},
                                     {"Relu", "mean", {"y:1", NULL}}};
    cnnfi_builder *b = make_builder(context, rows, 4);
    cnnf_node *y = cnnfi_builder_find(b, "y");
    const bool first = strncmp(format, "NC", 2) == 0;
    cnnfi_node_set_shape(b, cnnfi_builder_find(b, "x"), "shape", rank,
                         first ? (const int64_t[]){-1, 2, 5, 4, 3} : (const int64_t[]){-1, 5, 4, 3, 2});
    cnnfi_node_set_type(b, y, "U", CNNF_FLOAT);
    cnnfi_node_set_string(b, y, "data_format", format);
    cnnfi_node_set_bool(b, y, "is_training", false);
    return publish(b);
}

START_TEST(norms_become_channels_last)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = norm_graph(context, "NCHW", 4), *after = NULL;
    ck_assert_int_eq(lower(&after, graph, "target_tf(version=1.15)", NULL), CNNF_OK);
    ck_assert_inputs(after, "y", "y/NHWC y/perm");
    ck_assert_inputs(after, "y/NHWC", "y/transpose s s s s");
    ck_assert_inputs(after, "mean", "y/NHWC:1");
    ck_assert_str_eq(cnnf_node_attr_string(NULL, cnnf_graph_find(after, "y/NHWC"), "data_format"), "NHWC");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    graph = norm_graph(context, "NDHWC", 5);
    ck_assert_int_eq(lower(&after, graph, "target_tf(version=1.15)", NULL), CNNF_OK);
    ck_assert_inputs(after, "y", "y/NHWC y/Shape");
    ck_assert_inputs(after, "y/NHWC", "y/pixels s s s s");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    graph = norm_graph(context, "NCDHW", 5);
    ck_assert_int_eq(lower(&after, graph, "target_tf(version=1.12)", NULL), CNNF_OK);
    ck_assert_inputs(after, "y", "y/voxels y/perm");
    ck_assert_inputs(after, "y/voxels", "y/NHWC y/Shape");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "y/NHWC")), "FusedBatchNormV2");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    graph = norm_graph(context, "NHWC", 4);
    ck_assert_int_eq(lower(&after, graph, "target_tf(version=1.15)", NULL), CNNF_OK);
    ck_assert_inputs(after, "y", "x s s s s");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

static Suite *target_kernels_suite(void)
{
    Suite *suite = suite_create("target_kernels");
    TCase *tcase = tcase_create("kernels");
    tcase_add_test(tcase, groups_become_convolutions);
    tcase_add_test(tcase, other_convolutions_stay);
    tcase_add_test(tcase, groups_count_against_the_limit);
    tcase_add_test(tcase, norms_become_channels_last);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(target_kernels_suite)
