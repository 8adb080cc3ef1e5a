/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The quantizer: graphs that vai_q_tensorflow 3.5 has written, made again; where we differ from it on purpose; the most
 * frequent position; bad input, limits, memory.
 */
#include <cnnfreeze/quantize.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/builder.h"
#include "ops/fixed_grid.h"
#include "support.h"

typedef struct bench {
    cnnf_context *context;
    cnnf_error *error;
    cnnf_graph *graph;
    cnnf_quantizer *quantizer;
} bench;

static void bench_begin(bench *t)
{
    *t = (bench){.context = test_context()};
    ck_assert_ptr_nonnull(t->error = cnnf_error_new());
}

static void bench_end(bench *t)
{
    cnnf_quantizer_free(t->quantizer);
    cnnf_graph_unref(t->graph);
    cnnf_error_free(t->error);
    test_context_done(t->context);
}

static cnnf_status open_quantizer(bench *t, const char *const *outputs, size_t n_outputs, const char *option,
                                  int64_t value)
{
    cnnf_quantizer_options *options = NULL;
    ck_assert_int_eq(cnnf_quantizer_options_new(&options, t->context, t->error), CNNF_OK);
    for (size_t i = 0; i < n_outputs; i++)
        ck_assert_int_eq(cnnf_quantizer_options_add_output(options, outputs[i], t->error), CNNF_OK);
    if (option) ck_assert_int_eq(cnnf_quantizer_options_set(options, option, value, t->error), CNNF_OK);
    const cnnf_status status = cnnf_quantizer_new(&t->quantizer, t->graph, options, t->error);
    cnnf_quantizer_options_free(options);
    return status;
}

static void feed(bench *t, const cnnf_tensor *x)
{
    const char *const names[] = {cnnf_quantizer_input_name(t->quantizer, 0)};
    const cnnf_status status = cnnf_quantizer_feed(t->quantizer, names, &x, 1, t->error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(t->error));
}

/* ---- what the tool has written ---- */

typedef struct golden {
    const char *folder, *outputs[8];
} golden;

static const golden goldens[] = {
    {"k225_merges",
     {"add_1/add_1", "subtract_1/sub", "multiply_1/mul_1", "average_1/truediv", "maximum_1/Maximum_1",
      "minimum_1/Minimum", "concatenate_1/concat", "concatenate_2/concat"}},
    {"k225_pools", {"global_average_pooling2d_1/Mean", "global_max_pooling2d_1/Max"}},
    {"k225_conv2d_transpose", {"conv2d_transpose_2/Relu"}},
    {"x_dense_bn", {"out"}},
    {"x_relumax", {"c2/BiasAdd"}},
    {"x_bnshared", {"out"}},
};

static cnnf_status load(cnnf_graph **out, bench *t, const char *folder, const char *file)
{
    char path[1024];
    snprintf(path, sizeof path, GOLDEN("vitis/%s/%s"), folder, file);
    return cnnf_load_file(out, t->context, path, NULL, t->error);
}

static cnnf_tensor *load_x(bench *t, const char *folder)
{
    char path[1024];
    cnnf_tensor *x = NULL;
    snprintf(path, sizeof path, GOLDEN("vitis/%s/x0.npy"), folder);
    ck_assert_int_eq(cnnf_npy_load(&x, t->context, path, t->error), CNNF_OK);
    return x;
}

static void quantize_golden(bench *t, const golden *g, bool as_vai_q)
{
    size_t n = 0;
    while (n < 8 && g->outputs[n])
        n++;
    ck_assert_int_eq(load(&t->graph, t, g->folder, "input.pb"), CNNF_OK);
    const cnnf_status status = open_quantizer(t, g->outputs, n, "as_vai_q", as_vai_q);
    ck_assert_msg(status == CNNF_OK, "%s: %s", g->folder, cnnf_error_message(t->error));
    cnnf_tensor *x = load_x(t, g->folder);
    feed(t, x);
    cnnf_tensor_unref(x);
}

static int64_t differences(bench *t, const cnnf_graph *a, const cnnf_graph *b)
{
    int64_t count = -1;
    cnnf_buffer *report = NULL;
    ck_assert_int_eq(cnnf_compare_graphs(&report, &count, a, b, CNNF_REPORT_TEXT, t->error), CNNF_OK);
    if (count) fprintf(stderr, "%.*s\n", (int)cnnf_buffer_size(report), (const char *)cnnf_buffer_data(report));
    cnnf_buffer_free(report);
    return count;
}

static void compare_with_golden(bench *t, const golden *g, const char *file, const cnnf_graph *made)
{
    cnnf_graph *want = NULL;
    ck_assert_int_eq(load(&want, t, g->folder, file), CNNF_OK);
    ck_assert_msg(differences(t, want, made) == 0, "%s/%s", g->folder, file);
    cnnf_graph_unref(want);
}

START_TEST(graphs_are_the_tools)
{
    const golden *g = &goldens[_i];
    bench t;
    cnnf_graph *made = NULL;
    bench_begin(&t);
    quantize_golden(&t, g, true);
    ck_assert_int_eq(cnnf_quantizer_finish(&made, t.quantizer, t.error), CNNF_OK);
    compare_with_golden(&t, g, "quantize_eval_model.pb", made);
    cnnf_graph_unref(made);
    const cnnf_status status = cnnf_quantizer_deploy(&made, t.quantizer, t.error);
    if (strcmp(g->folder, "x_bnshared") == 0) {
        ck_assert_int_eq(status, CNNF_E_UNSUPPORTED); /* the tool aborts */
    } else {
        ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(t.error));
        compare_with_golden(&t, g, "deploy_model.pb", made);
    }
    cnnf_graph_unref(made);
    bench_end(&t);
}
END_TEST

/* ---- what we do differently ---- */

static const cnnf_node *fix_of(const cnnf_graph *graph, const char *name)
{
    const cnnf_node *node = cnnf_graph_find(graph, name);
    ck_assert_msg(node != NULL, "no node '%s'", name);
    ck_assert_str_eq(cnnf_node_op(node), "FixNeuron");
    return node;
}

START_TEST(an_output_behind_a_pool_is_calibrated)
{
    bench t;
    cnnf_graph *made = NULL;
    bench_begin(&t);
    quantize_golden(&t, &goldens[1], false);
    ck_assert_str_eq(cnnf_quantizer_output_name(t.quantizer, 0), "global_average_pooling2d_1/Mean/squeeze/aquant");
    ck_assert_int_eq(cnnf_quantizer_finish(&made, t.quantizer, t.error), CNNF_OK);
    const cnnf_node *fix = fix_of(made, "global_average_pooling2d_1/Mean/squeeze/aquant");
    ck_assert_int_eq(cnnf_node_attr_int(fix, "quantize_pos", -1), 7);
    cnnf_graph_unref(made);
    bench_end(&t);
}
END_TEST

START_TEST(a_bound_other_than_six_stays)
{
    bench t;
    cnnf_graph *made = NULL;
    bench_begin(&t);
    quantize_golden(&t, &goldens[4], false);
    ck_assert_int_eq(cnnf_quantizer_finish(&made, t.quantizer, t.error), CNNF_OK);
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(made, "m")), "Maximum");
    ck_assert_int_eq(cnnf_node_attr_int(fix_of(made, "m/aquant"), "quantize_pos", -1), 7);
    cnnf_graph_unref(made);
    bench_end(&t);
}
END_TEST

/* ---- small graphs of our own ---- */

static cnnf_node *add(cnnfi_builder *b, const char *op, const char *name, const char *x, const char *y)
{
    cnnf_node *node = cnnfi_builder_add(b, op, name);
    if (x) cnnfi_node_add_input(b, node, x);
    if (y) cnnfi_node_add_input(b, node, y);
    cnnfi_node_set_type(b, node, strcmp(op, "Placeholder") ? "T" : "dtype", CNNF_FLOAT);
    return node;
}

static void finish_graph(bench *t, cnnfi_builder *b)
{
    const cnnf_status status = cnnfi_builder_publish(&t->graph, b, t->error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(t->error));
}

static cnnfi_builder *start_graph(bench *t)
{
    cnnfi_builder *b = NULL;
    const int64_t shape[] = {-1, 4};
    ck_assert_int_eq(cnnfi_builder_new(&b, t->context, t->error), CNNF_OK);
    cnnfi_node_set_shape(b, add(b, "Placeholder", "x", NULL, NULL), "shape", 2, shape);
    return b;
}

static cnnf_tensor *numbers(bench *t, float scale)
{
    const int64_t dims[] = {3, 4};
    cnnf_tensor *x = NULL;
    ck_assert_int_eq(cnnf_tensor_new(&x, t->context, CNNF_FLOAT, 2, dims, t->error), CNNF_OK);
    for (int i = 0; i < 12; i++)
        ((float *)cnnf_tensor_data_mut(x))[i] = scale * (float)(i - 5) / 6.0f;
    return x;
}

/* x * w [* scale] [+ shift], w of (4, 2). */
static void make_dense(bench *t, const char *const *row, size_t n)
{
    static const float w[8] = {0.5f, -0.25f, 1.0f, 0.125f, -0.75f, 0.5f, 0.25f, -1.0f}, k[2] = {0.5f, 2.0f};
    cnnfi_builder *b = start_graph(t);
    cnnf_tensor *weights = NULL;
    const int64_t dims[] = {4, 2};
    ck_assert_int_eq(cnnf_tensor_new(&weights, t->context, CNNF_FLOAT, 2, dims, t->error), CNNF_OK);
    memcpy(cnnf_tensor_data_mut(weights), w, sizeof w);
    cnnfi_builder_const(b, "w", weights);
    cnnf_tensor_unref(weights);
    cnnfi_builder_const_f32(b, "k", 1, k, 2);
    cnnfi_builder_const_f32(b, "s", 0, k, 1);
    add(b, "MatMul", "n0", "x", "w");
    for (size_t i = 0; i < n; i++) {
        char name[16], before[16], op[16], constant[2] = {0};
        sscanf(row[i], "%15s %1s", op, constant);
        snprintf(name, sizeof name, i + 1 == n ? "out" : "n%zu", i + 1);
        snprintf(before, sizeof before, "n%zu", i);
        add(b, op, name, before, *constant ? constant : NULL);
    }
    finish_graph(t, b);
}

/* The float graph and the quantized one agree within the noise of 8 bits. */
static void check_close(bench *t)
{
    static const char *const out[] = {"out"};
    cnnf_graph *made = NULL;
    cnnf_evaluator *plain = NULL, *rounded = NULL;
    cnnf_tensor *x = numbers(t, 1.0f), *want = NULL, *got = NULL;
    const cnnf_status opened = open_quantizer(t, out, 1, NULL, 0);
    ck_assert_msg(opened == CNNF_OK, "%s", cnnf_error_message(t->error));
    feed(t, x);
    ck_assert_int_eq(cnnf_quantizer_finish(&made, t->quantizer, t->error), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluator_new(&plain, t->graph, NULL, t->error), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluator_new(&rounded, made, NULL, t->error), CNNF_OK);
    const char *const feeds[] = {"x"}, *const fetch[] = {cnnf_quantizer_output_name(t->quantizer, 0)};
    const cnnf_tensor *const values[] = {x};
    ck_assert_int_eq(cnnf_evaluator_run(&want, plain, feeds, values, 1, out, 1, t->error), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluator_run(&got, rounded, feeds, values, 1, fetch, 1, t->error), CNNF_OK);
    for (int64_t i = 0; i < cnnf_tensor_element_count(want); i++) {
        const double a = (double)((const float *)cnnf_tensor_data(want))[i],
                     b = (double)((const float *)cnnf_tensor_data(got))[i];
        ck_assert_msg(fabs(a - b) < 0.05, "%g, not %g", b, a);
    }
    /* Whatever was folded: one product, its bias, nothing else. */
    for (int64_t i = 0; i < cnnf_graph_node_count(made); i++) {
        const char *op = cnnf_node_op(cnnf_graph_node(made, i));
        ck_assert_msg(strcmp(op, "Mul") && strcmp(op, "Add") && strcmp(op, "AddV2"), "a %s is left", op);
    }
    cnnf_tensor_unref(x);
    cnnf_tensor_unref(want);
    cnnf_tensor_unref(got);
    cnnf_evaluator_free(plain);
    cnnf_evaluator_free(rounded);
    cnnf_graph_unref(made);
}

START_TEST(rows_of_constants_are_folded)
{
    static const char *const rows[][4] = {
        {"BiasAdd k", "Mul k"},          {"BiasAdd k", "Mul s", "AddV2 s"},   {"Mul k", "Add k"},
        {"Mul s", "Add k", "Mul k"},     {"BiasAdd k", "Mul k", "BiasAdd k"}, {"Add k", "Relu"},
        {"BiasAdd k", "Mul s", "Relu6"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bench t;
        size_t n = 0;
        while (n < 4 && rows[i][n])
            n++;
        bench_begin(&t);
        make_dense(&t, rows[i], n);
        check_close(&t);
        bench_end(&t);
    }
}
END_TEST

START_TEST(what_the_tool_cannot_do_is_said)
{
    static const char *const row[] = {"BiasAdd k", "Mul k"}, *const out[] = {"out"};
    bench t;
    bench_begin(&t);
    make_dense(&t, row, 2);
    ck_assert_int_eq(open_quantizer(&t, out, 1, "as_vai_q", 1), CNNF_E_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(t.error), "Identity"));
    bench_end(&t);
}
END_TEST

START_TEST(the_most_frequent_position_wins)
{
    /* Least of equals: 4 and 5 twice each, 6 once. */
    static const float scales[] = {2.0f, 2.1f, 4.0f, 4.1f, 1.0f};
    static const char *const row[] = {"Relu"}, *const out[] = {"out"};
    bench t;
    cnnf_graph *made = NULL;
    bench_begin(&t);
    make_dense(&t, row, 1);
    ck_assert_int_eq(open_quantizer(&t, out, 1, "method", 0), CNNF_OK);
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        cnnf_tensor *x = numbers(&t, scales[i]);
        feed(&t, x);
        cnnf_tensor_unref(x);
    }
    ck_assert_int_eq(cnnf_quantizer_finish(&made, t.quantizer, t.error), CNNF_OK);
    ck_assert_int_eq(cnnf_node_attr_int(fix_of(made, "x/aquant"), "quantize_pos", 0), 4);
    cnnf_graph_unref(made);
    bench_end(&t);
}
END_TEST

START_TEST(reports_tell_what_was_found)
{
    bench t;
    bench_begin(&t);
    quantize_golden(&t, &goldens[4], false);
    for (int32_t json = 0; json < 2; json++) {
        cnnf_buffer *report = NULL;
        ck_assert_int_eq(cnnf_quantizer_report(&report, t.quantizer, json, t.error), CNNF_OK);
        char *text = calloc(1, cnnf_buffer_size(report) + 1);
        memcpy(text, cnnf_buffer_data(report), cnnf_buffer_size(report));
        ck_assert_ptr_nonnull(strstr(text, "c2/BiasAdd/aquant"));
        ck_assert_ptr_nonnull(strstr(text, "Maximum(Minimum(x, c), 0)"));
        free(text);
        cnnf_buffer_free(report);
    }
    bench_end(&t);
}
END_TEST

/* ---- bad input ---- */

START_TEST(options_are_checked)
{
    bench t;
    cnnf_quantizer_options *o = NULL;
    bench_begin(&t);
    ck_assert_int_eq(cnnf_quantizer_options_new(NULL, t.context, t.error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_quantizer_options_new(&o, NULL, t.error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_quantizer_options_new(&o, t.context, t.error), CNNF_OK);
    ck_assert_int_eq(cnnf_quantizer_options_set(o, "metod", 1, t.error), CNNF_E_NOT_FOUND);
    ck_assert_int_eq(cnnf_quantizer_options_set(o, "method", 3, t.error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_quantizer_options_set(o, "weight_bit", 1, t.error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_quantizer_options_set(o, NULL, 1, t.error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_quantizer_options_add_input(o, "", t.error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_quantizer_options_add_output(o, NULL, t.error), CNNF_E_INVALID);
    for (int32_t i = 0; i < cnnf_quantizer_option_count(); i++) {
        const char *name = cnnf_quantizer_option_name(i);
        ck_assert_int_eq(cnnf_quantizer_options_set(o, name, cnnf_quantizer_option_default(i), t.error), CNNF_OK);
        ck_assert_ptr_nonnull(cnnf_quantizer_option_description(i));
    }
    ck_assert_ptr_null(cnnf_quantizer_option_name(cnnf_quantizer_option_count()));
    ck_assert_ptr_null(cnnf_quantizer_option_description(-1));
    ck_assert_int_eq(cnnf_quantizer_option_default(-1), 0);
    cnnf_quantizer_options_free(o);
    cnnf_quantizer_options_free(NULL);
    bench_end(&t);
}
END_TEST

START_TEST(a_quantizer_is_checked)
{
    static const char *const row[] = {"Relu"}, *const out[] = {"out"}, *const none[] = {"nobody"};
    bench t;
    cnnf_graph *made = NULL;
    cnnf_buffer *report = NULL;
    bench_begin(&t);
    make_dense(&t, row, 1);
    ck_assert_int_eq(cnnf_quantizer_new(NULL, t.graph, NULL, t.error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_quantizer_new(&t.quantizer, NULL, NULL, t.error), CNNF_E_INVALID);
    ck_assert_int_eq(open_quantizer(&t, none, 1, NULL, 0), CNNF_E_NOT_FOUND);
    ck_assert_ptr_null(t.quantizer);
    ck_assert_int_eq(open_quantizer(&t, out, 1, "replace_softmax", 1), CNNF_E_UNSUPPORTED);
    ck_assert_int_eq(open_quantizer(&t, out, 1, NULL, 0), CNNF_OK);
    ck_assert_int_eq(cnnf_quantizer_input_count(t.quantizer), 1);
    ck_assert_ptr_null(cnnf_quantizer_input_name(t.quantizer, 1));
    ck_assert_ptr_null(cnnf_quantizer_output_name(t.quantizer, -1));
    ck_assert_int_eq(cnnf_quantizer_output_count(NULL), 0);
    ck_assert_int_eq(cnnf_quantizer_finish(&made, t.quantizer, t.error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_quantizer_deploy(&made, t.quantizer, t.error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_quantizer_report(&report, t.quantizer, 1, t.error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_quantizer_report(NULL, t.quantizer, 1, t.error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_quantizer_feed_dataset(t.quantizer, NULL, 1, 0, NULL, NULL, t.error), CNNF_E_INVALID);
    ck_assert(!made && !report);
    bench_end(&t);
}
END_TEST

START_TEST(batches_are_checked)
{
    static const char *const row[] = {"Relu"}, *const out[] = {"out"}, *const x_name[] = {"x"}, *const y_name[] = {"y"};
    const int64_t empty[] = {0, 4}, wide[] = {2, 5};
    bench t;
    cnnf_tensor *x = NULL;
    bench_begin(&t);
    make_dense(&t, row, 1);
    ck_assert_int_eq(open_quantizer(&t, out, 1, NULL, 0), CNNF_OK);
    ck_assert_int_eq(cnnf_quantizer_feed(t.quantizer, NULL, NULL, 1, t.error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_tensor_new(&x, t.context, CNNF_FLOAT, 2, empty, t.error), CNNF_OK);
    const cnnf_tensor *tensors[] = {x};
    ck_assert_int_eq(cnnf_quantizer_feed(t.quantizer, x_name, tensors, 1, t.error), CNNF_E_INVALID);
    cnnf_tensor_unref(x);
    ck_assert_int_eq(cnnf_tensor_new(&x, t.context, CNNF_FLOAT, 2, wide, t.error), CNNF_OK);
    tensors[0] = x;
    ck_assert_int_eq(cnnf_quantizer_feed(t.quantizer, x_name, tensors, 1, t.error), CNNF_E_MISMATCH);
    ck_assert_int_eq(cnnf_quantizer_feed(t.quantizer, y_name, tensors, 1, t.error), CNNF_E_NOT_FOUND);
    cnnf_tensor_unref(x);
    bench_end(&t);
}
END_TEST

START_TEST(a_data_set_is_fed_in_batches)
{
    static const char *const out[] = {"out"};
    bench t;
    cnnf_dataset *data = NULL;
    cnnf_dataset_options *options = NULL;
    cnnf_graph *made = NULL;
    const int64_t dims[] = {4};
    char path[] = "/tmp/cnnfreeze_quantizer_XXXXXX";
    const int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    FILE *file = fdopen(fd, "w");
    for (int i = 0; i < 7; i++)
        fprintf(file, "0,%d,255,128,3\n", i);
    fclose(file);
    bench_begin(&t);
    make_dense(&t, (const char *const[]){"Relu"}, 1);
    ck_assert_int_eq(open_quantizer(&t, out, 1, NULL, 0), CNNF_OK);
    ck_assert_int_eq(cnnf_dataset_options_new(&options, t.context, t.error), CNNF_OK);
    ck_assert_int_eq(cnnf_dataset_options_set_shape(options, 1, dims, t.error), CNNF_OK);
    ck_assert_int_eq(cnnf_dataset_open(&data, t.context, path, options, t.error), CNNF_OK);
    ck_assert_int_eq(cnnf_quantizer_feed_dataset(t.quantizer, data, 0, 0, NULL, NULL, t.error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_quantizer_feed_dataset(t.quantizer, data, 3, 0, NULL, NULL, t.error), CNNF_OK);
    ck_assert_int_eq(cnnf_quantizer_finish(&made, t.quantizer, t.error), CNNF_OK);
    ck_assert_int_eq(cnnf_node_attr_int(fix_of(made, "x/aquant"), "quantize_pos", 0), 6);
    cnnf_graph_unref(made);
    cnnf_dataset_free(data);
    cnnf_dataset_options_free(options);
    remove(path);
    bench_end(&t);
}
END_TEST

static Suite *quantizer_suite(void)
{
    Suite *suite = suite_create("quantizer");
    TCase *tests = tcase_create("quantizer");
    tcase_add_loop_test(tests, graphs_are_the_tools, 0, (int)(sizeof goldens / sizeof *goldens));
    tcase_add_test(tests, an_output_behind_a_pool_is_calibrated);
    tcase_add_test(tests, a_bound_other_than_six_stays);
    tcase_add_test(tests, rows_of_constants_are_folded);
    tcase_add_test(tests, what_the_tool_cannot_do_is_said);
    tcase_add_test(tests, the_most_frequent_position_wins);
    tcase_add_test(tests, reports_tell_what_was_found);
    tcase_add_test(tests, options_are_checked);
    tcase_add_test(tests, a_quantizer_is_checked);
    tcase_add_test(tests, batches_are_checked);
    tcase_add_test(tests, a_data_set_is_fed_in_batches);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(quantizer_suite)
