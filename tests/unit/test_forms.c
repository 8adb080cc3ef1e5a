/* SPDX-License-Identifier: Apache-2.0 */
/* fit_opencv, fit_tflite, fit_vitis_ai: the forms of the next tools, and what check says before and after. */
#include <string.h>

#include "passes_support.h"

/* x [?,4,4,2] -> rows... -> y. */
static cnnf_graph *image_graph(cnnf_context *context, const graph_row *rows, size_t count, const char *output)
{
    const int64_t dims[] = {-1, 4, 4, 2};
    cnnfi_builder *b = make_builder(context, rows, count);
    cnnfi_node_set_shape(b, cnnfi_builder_find(b, "x"), "shape", 4, dims);
    cnnf_node *scalar = cnnfi_builder_find(b, "three");
    if (scalar) {
        const float three = 3;
        cnnf_tensor *value = NULL;
        ck_assert_int_eq(cnnf_tensor_wrap(&value, context, CNNF_FLOAT, 0, NULL, &three, sizeof three, NULL, NULL, NULL),
                         CNNF_OK);
        cnnfi_node_set_tensor(b, scalar, "value", value);
        cnnf_tensor_unref(value);
    }
    cnnfi_builder_set_io(b, (const char *[]){"x"}, 1, (const char *[]){output}, 1);
    return publish(b);
}

static int64_t unmet(const cnnf_graph *graph, const char *target, const char *part)
{
    cnnf_buffer *text = NULL;
    int64_t count = -1;
    ck_assert_int_eq(cnnf_check_graph(&text, &count, graph, target, CNNF_REPORT_TEXT, NULL), CNNF_OK);
    const char *report = cnnf_buffer_data(text);
    if (part) ck_assert_msg(strstr(report, part) != NULL, "no '%s' in:\n%s", part, report);
    cnnf_buffer_free(text);
    return count;
}

static void expect_ops(const cnnf_graph *graph, const char *expected)
{
    char text[512] = "";
    for (int64_t i = 0; i < cnnf_graph_node_count(graph); i++) {
        const cnnf_node *node = cnnf_graph_node(graph, i);
        if (strcmp(cnnf_node_op(node), "Const") == 0) continue;
        strcat(strcat(text, *text ? " " : ""), cnnf_node_op(node));
    }
    ck_assert_str_eq(text, expected);
}

typedef struct form {
    const char *pass, *target, *wrong; /* wrong: what check says before */
    const char *ops;                   /* after */
    graph_row rows[5];
} form;

static const form table[] = {
    {"fit_opencv",
     "opencv",
     "only Maximum(Minimum(x, high), low)",
     "Placeholder ClipByValue",
     {{"Placeholder", "x", {NULL}}, {"Const", "three", {NULL}}, {"Minimum", "y", {"x", "three", NULL}}}},
    {"fit_opencv",
     "opencv",
     "a shift per channel",
     "Placeholder Mul Add Mul",
     {{"Placeholder", "x", {NULL}}, {"Const", "c", {NULL}}, {"BiasAdd", "y", {"x", "c", NULL}}}},
    {"fit_opencv",
     "opencv",
     "there is no layer for it",
     "Placeholder Mul",
     {{"Placeholder", "x", {NULL}}, {"Neg", "y", {"x", NULL}}}},
    {"fit_opencv",
     "opencv",
     "Const - x",
     "Placeholder Mul Add",
     {{"Placeholder", "x", {NULL}}, {"Const", "three", {NULL}}, {"Sub", "y", {"three", "x", NULL}}}},
    {"fit_tflite",
     "tflite",
     "it needs SELECT_TF_OPS",
     "Placeholder Abs Add RealDiv",
     {{"Placeholder", "x", {NULL}}, {"Softsign", "y", {"x", NULL}}}},
    {"fit_vitis_ai",
     "vitis-ai",
     "becomes Relu6",
     "Placeholder Minimum Maximum",
     {{"Placeholder", "x", {NULL}},
      {"Const", "three", {NULL}},
      {"Relu", "r", {"x", NULL}},
      {"Minimum", "y", {"r", "three", NULL}}}},
    {"fit_vitis_ai",
     "vitis-ai",
     "a BiasAdd is quantised behind",
     "Placeholder Relu DepthwiseConv2dNative BiasAdd",
     {{"Placeholder", "x", {NULL}},
      {"Const", "c", {NULL}},
      {"Relu", "r", {"x", NULL}},
      {"Mul", "m", {"r", "c", NULL}},
      {"BiasAdd", "y", {"m", "c", NULL}}}},
};

START_TEST(each_form_is_taken_and_settled)
{
    cnnf_context *context = test_context();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        const form *f = &table[i];
        size_t count = 0;
        while (count < 5 && f->rows[count].op)
            count++;
        cnnf_graph *graph = image_graph(context, f->rows, count, "y");
        ck_assert_int_gt(unmet(graph, f->target, f->wrong), 0);
        cnnf_graph *after = run_twice(graph, f->pass, "x", "y");
        ck_assert_int_eq(unmet(after, f->target, "Ready:"), 0);
        cnnf_pipeline *pipeline = NULL;
        cnnf_graph *sorted = NULL;
        ck_assert_int_eq(cnnf_pipeline_new(&pipeline, context, NULL), CNNF_OK);
        ck_assert_int_eq(cnnf_pipeline_add(pipeline, "sort_by_execution_order", NULL), CNNF_OK);
        ck_assert_int_eq(cnnf_pipeline_run(&sorted, pipeline, after, NULL), CNNF_OK);
        expect_ops(sorted, f->ops);
        cnnf_pipeline_free(pipeline);
        cnnf_graph_unref(sorted);
        cnnf_graph_unref(after);
        cnnf_graph_unref(graph);
    }
    test_context_done(context);
}
END_TEST

START_TEST(names_that_meet_are_parted)
{
    static const graph_row rows[] = {
        {"Placeholder", "x", {NULL}}, {"Relu", "a/b", {"x", NULL}}, {"Relu", "a_b", {"a/b", NULL}}};
    cnnf_context *context = test_context();
    cnnf_graph *graph = image_graph(context, rows, 3, "a_b");
    ck_assert_int_eq(unmet(graph, "vitis-ai", "'a/b' and 'a_b'"), 1);
    cnnf_graph *after = run_twice(graph, "fit_vitis_ai", "x", "a_b");
    ck_assert_int_eq(unmet(after, "vitis-ai", "Ready:"), 0);
    ck_assert_ptr_nonnull(cnnf_graph_find(after, "a_b"));
    ck_assert_ptr_null(cnnf_graph_find(after, "a/b"));
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* A pool as output has its scale never measured; the command asks for --align_pool 2. */
START_TEST(an_output_pool_gets_an_identity)
{
    static const graph_row rows[] = {{"Placeholder", "x", {NULL}}, {"AvgPool", "y", {"x", NULL}}};
    const int64_t ones[] = {1, 2, 2, 1};
    cnnf_context *context = test_context();
    const int64_t dims[] = {-1, 4, 4, 2};
    cnnfi_builder *b = make_builder(context, rows, 2);
    cnnfi_node_set_shape(b, cnnfi_builder_find(b, "x"), "shape", 4, dims);
    cnnfi_node_set_ints(b, cnnfi_builder_find(b, "y"), "ksize", ones, 4);
    cnnfi_node_set_ints(b, cnnfi_builder_find(b, "y"), "strides", ones, 4);
    cnnfi_node_set_string(b, cnnfi_builder_find(b, "y"), "padding", "VALID");
    cnnfi_builder_set_io(b, (const char *[]){"x"}, 1, (const char *[]){"y"}, 1);
    cnnf_graph *graph = publish(b);
    ck_assert_int_eq(unmet(graph, "vitis-ai", "an output wants an Identity behind it"), 1);
    cnnf_graph *after = run_twice(graph, "fit_vitis_ai", "x", "y");
    ck_assert_int_eq(unmet(after, "vitis-ai", "--align_pool 2"), 0);
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "y")), "Identity");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(the_command_names_the_file)
{
    static const graph_row rows[] = {{"Placeholder", "x", {NULL}}, {"Relu", "y", {"x", NULL}}};
    static const char *const expected[][2] = {
        {"vitis-ai", "--input_frozen_graph my.pb --input_nodes x --input_shapes ?,4,4,2 --output_nodes y"},
        {"opencv", "getUnconnectedOutLayersNames())' my.pb"},
        {"tflite", "tflite_convert --enable_v1_converter --graph_def_file=my.pb"},
        {"openvino", "ovc my.pb"},
    };
    cnnf_context *context = test_context();
    cnnf_graph *graph = image_graph(context, rows, 2, "y");
    for (size_t i = 0; i < 4; i++) {
        cnnf_buffer *text = NULL;
        ck_assert_int_eq(cnnf_check_graph_file(&text, NULL, graph, "my.pb", expected[i][0], CNNF_REPORT_TEXT, NULL),
                         CNNF_OK);
        ck_assert_msg(strstr(cnnf_buffer_data(text), expected[i][1]) != NULL, "%s",
                      (const char *)cnnf_buffer_data(text));
        cnnf_buffer_free(text);
    }
    ck_assert_int_eq(cnnf_check_graph_file(NULL, NULL, graph, "my.pb", "opencv", CNNF_REPORT_TEXT, NULL),
                     CNNF_E_INVALID);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* What a shell would act on is quoted, what a terminal would is no longer there. */
START_TEST(the_command_is_safe_to_paste)
{
    static const graph_row rows[] = {{"Placeholder", "x", {NULL}}, {"Relu", "y;$(id)`'\033[2J", {"x", NULL}}};
    static const char *const targets[] = {"vitis-ai", "opencv", "tflite", "openvino", "opencv4", "opencv5"};
    cnnf_context *context = test_context();
    cnnf_graph *graph = image_graph(context, rows, 2, rows[1].name);
    for (size_t i = 0; i < 6; i++) {
        cnnf_buffer *text = NULL;
        ck_assert_int_eq(cnnf_check_graph_file(&text, NULL, graph, "it's $HOME.pb", targets[i], CNNF_REPORT_TEXT, NULL),
                         CNNF_OK);
        const char *ready = strstr(cnnf_buffer_data(text), "Ready:");
        ck_assert_ptr_nonnull(ready);
        ck_assert_ptr_nonnull(strstr(ready, "'it'\\''s $HOME.pb'"));
        ck_assert_ptr_null(strchr(ready, '\033'));
        if (i % 2 == 0 && i < 4) ck_assert_ptr_nonnull(strstr(ready, "'y;$(id)`'\\''?[2J'"));
        cnnf_buffer_free(text);
    }
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("forms");
    TCase *t = tcase_create("forms");
    tcase_add_test(t, each_form_is_taken_and_settled);
    tcase_add_test(t, names_that_meet_are_parted);
    tcase_add_test(t, an_output_pool_gets_an_identity);
    tcase_add_test(t, the_command_names_the_file);
    tcase_add_test(t, the_command_is_safe_to_paste);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
