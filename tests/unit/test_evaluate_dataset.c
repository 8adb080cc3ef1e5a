/* SPDX-License-Identifier: Apache-2.0 */
/* Whole data sets through a graph: the metrics do not depend on threads, batches or the file's kind. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "graph/builder.h"
#include "support.h"

#define EXAMPLES 23 /* of pairs.csv, pairs.csv.gz, pairs.npz */

static cnnf_context *context;
static cnnf_graph *graph;
static cnnf_error *error;

static void setup(void)
{
    cnnfi_builder *b = NULL;
    context = test_context();
    error = cnnf_error_new();
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    cnnfi_node_set_type(b, cnnfi_builder_add(b, "Placeholder", "x"), "dtype", CNNF_FLOAT);
    cnnf_node *y = cnnfi_builder_add(b, "Softmax", "y");
    cnnfi_node_add_input(b, y, "x");
    cnnfi_node_set_type(b, y, "T", CNNF_FLOAT);
    cnnf_node *flat = cnnfi_builder_add(b, "Squeeze", "flat"); /* (n, 1, 2, 1) to (n, 2) */
    cnnfi_node_add_input(b, flat, "x");
    cnnfi_node_set_type(b, flat, "T", CNNF_FLOAT);
    cnnfi_node_set_ints(b, flat, "squeeze_dims", (const int64_t[]){1, 3}, 2);
    ck_assert_int_eq(cnnfi_builder_publish(&graph, b, error), CNNF_OK);
}

/* The same, and the placeholder takes eight examples at a time. */
static void setup_fixed(void)
{
    static const int64_t dims[] = {8, 2};
    cnnfi_builder *b = NULL;
    context = test_context();
    error = cnnf_error_new();
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    cnnf_node *x = cnnfi_builder_add(b, "Placeholder", "x"), *y = cnnfi_builder_add(b, "Softmax", "y");
    cnnfi_node_set_type(b, x, "dtype", CNNF_FLOAT);
    cnnfi_node_set_shape(b, x, "shape", 2, dims);
    cnnfi_node_add_input(b, y, "x");
    cnnfi_node_set_type(b, y, "T", CNNF_FLOAT);
    ck_assert_int_eq(cnnfi_builder_publish(&graph, b, error), CNNF_OK);
}

static void teardown(void)
{
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
    test_context_done(context);
}

typedef struct seen {
    uint64_t last, stop_at; /* 0: never */
    int calls;
    bool back;
} seen;

static int32_t note(uint64_t done, uint64_t total, void *user)
{
    seen *s = user;
    (void)total;
    s->back = s->back || done < s->last;
    s->last = done;
    s->calls++;
    return s->stop_at && done >= s->stop_at;
}

static cnnf_evaluator *evaluator_of(int32_t threads)
{
    cnnf_evaluator *e = NULL;
    cnnf_evaluator_options *options = NULL;
    ck_assert_int_eq(cnnf_evaluator_options_new(&options, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluator_options_set_threads(options, threads, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluator_options_set_backend(options, "portable", NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluator_new(&e, graph, options, error), CNNF_OK);
    cnnf_evaluator_options_free(options);
    return e;
}

static cnnf_metrics *metrics_of(const char *path, int32_t threads, int64_t batch, bool full, seen *s,
                                cnnf_status wanted)
{
    cnnf_metrics *metrics = NULL;
    cnnf_dataset *data = NULL;
    cnnf_dataset_options *options = NULL;
    cnnf_evaluator *e = evaluator_of(threads);
    ck_assert_int_eq(cnnf_dataset_options_new(&options, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_dataset_options_set_scale(options, 1, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_metrics_new(&metrics, context, 2, 5, error), CNNF_OK);
    ck_assert_msg(cnnf_dataset_open(&data, context, path, options, error) == CNNF_OK, "%s", cnnf_error_message(error));
    cnnf_evaluate_options *how = NULL;
    ck_assert_int_eq(cnnf_evaluate_options_new(&how, context, error), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluate_options_set_input(how, "x", error), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluate_options_set_output(how, "y", error), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluate_options_set_batch(how, batch, error), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluate_options_set_full_batches_only(how, full, error), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluate_options_set_progress(how, s ? note : NULL, s, error), CNNF_OK);
    cnnf_status status = cnnf_evaluate_dataset(metrics, e, data, how, error);
    cnnf_evaluate_options_free(how);
    ck_assert_msg(status == wanted, "%d: %s", status, cnnf_error_message(error));
    cnnf_dataset_free(data);
    cnnf_dataset_options_free(options);
    cnnf_evaluator_free(e);
    return metrics;
}

/* The saved forms are the same, bit for bit. */
static void expect_same(cnnf_metrics *want, cnnf_metrics *got)
{
    cnnf_buffer *a = NULL, *b = NULL;
    ck_assert_int_eq(cnnf_metrics_save(&a, want, error), CNNF_OK);
    ck_assert_int_eq(cnnf_metrics_save(&b, got, error), CNNF_OK);
    ck_assert_uint_eq(cnnf_buffer_size(a), cnnf_buffer_size(b));
    ck_assert_mem_eq(cnnf_buffer_data(a), cnnf_buffer_data(b), cnnf_buffer_size(a));
    cnnf_buffer_free(a);
    cnnf_buffer_free(b);
    cnnf_metrics_free(got);
}

/* What pairs.csv asks for, computed here: example k has label k % 2 and the two numbers below. */
static int64_t correct_of(int64_t n)
{
    int64_t correct = 0;
    for (int64_t k = 0; k < n; k++) {
        float first = (float)(k % 7) * 0.5f - 1, second = (float)(k % 5) * 0.25f;
        correct += (second > first) == k % 2;
    }
    return correct;
}

START_TEST(threads_and_batches_do_not_matter)
{
    cnnf_metrics *want = metrics_of(GOLDEN("dataset/pairs.csv"), 1, 4, false, NULL, CNNF_OK);
    ck_assert_int_eq(cnnf_metrics_count(want), EXAMPLES);
    ck_assert_int_eq(cnnf_metrics_correct(want), correct_of(EXAMPLES));
    for (int32_t threads = 1; threads <= 4; threads++) {
        expect_same(want, metrics_of(GOLDEN("dataset/pairs.csv"), threads, 4, false, NULL, CNNF_OK));
        expect_same(want, metrics_of(GOLDEN("dataset/pairs.csv"), threads, 7, false, NULL, CNNF_OK));
    }
    cnnf_metrics_free(want);
}
END_TEST

/* Shards, merged, are the whole, bit for bit, whatever their number. */
START_TEST(merged_shards_are_the_whole)
{
    cnnf_metrics *want = metrics_of(GOLDEN("dataset/pairs.csv"), 2, 4, false, NULL, CNNF_OK);
    for (int64_t shards = 2; shards <= 5; shards++) {
        cnnf_metrics *sum = NULL;
        ck_assert_int_eq(cnnf_metrics_new(&sum, context, 2, 5, error), CNNF_OK);
        for (int64_t shard = 1; shard <= shards; shard++) {
            cnnf_metrics *part = NULL;
            cnnf_dataset *data = NULL;
            cnnf_dataset_options *options = NULL;
            cnnf_evaluator *e = evaluator_of(2);
            ck_assert_int_eq(cnnf_metrics_new(&part, context, 2, 5, error), CNNF_OK);
            ck_assert_int_eq(cnnf_dataset_options_new(&options, context, NULL), CNNF_OK);
            ck_assert_int_eq(cnnf_dataset_options_set_scale(options, 1, NULL), CNNF_OK);
            ck_assert_int_eq(cnnf_dataset_options_set_shard(options, shard, shards, NULL), CNNF_OK);
            ck_assert_int_eq(cnnf_dataset_open(&data, context, GOLDEN("dataset/pairs.csv"), options, error), CNNF_OK);
            ck_assert_int_eq(cnnf_evaluate_dataset(part, e, data, NULL, error),
                             CNNF_E_INVALID); /* no output declared */
            cnnf_evaluate_options *how = NULL;
            ck_assert_int_eq(cnnf_evaluate_options_new(&how, context, error), CNNF_OK);
            ck_assert_int_eq(cnnf_evaluate_options_set_input(how, "x", error), CNNF_OK);
            ck_assert_int_eq(cnnf_evaluate_options_set_output(how, "y", error), CNNF_OK);
            ck_assert_int_eq(cnnf_evaluate_dataset(part, e, data, how, error), CNNF_OK);
            ck_assert_int_eq(cnnf_metrics_merge(sum, part, error), CNNF_OK);
            cnnf_evaluate_options_free(how);
            cnnf_metrics_free(part);
            cnnf_dataset_free(data);
            cnnf_dataset_options_free(options);
            cnnf_evaluator_free(e);
        }
        expect_same(want, sum);
    }
    cnnf_metrics_free(want);
}
END_TEST

/* Pictures are decoded by the threads that evaluate them. */
START_TEST(images_in_parallel)
{
    if (!cnnf_has_feature("images")) return;
    cnnf_metrics *want = NULL;
    for (int32_t threads = 1; threads <= 4; threads++) {
        cnnf_metrics *m = NULL;
        cnnf_dataset *data = NULL;
        cnnf_dataset_options *options = NULL;
        cnnf_evaluate_options *how = NULL;
        cnnf_evaluator *e = evaluator_of(threads);
        ck_assert_int_eq(cnnf_dataset_options_new(&options, context, NULL), CNNF_OK);
        ck_assert_int_eq(cnnf_dataset_options_set_shape(options, 3, (int64_t[]){1, 2, 1}, NULL), CNNF_OK);
        ck_assert_int_eq(cnnf_dataset_open(&data, context, GOLDEN("dataset/images"), options, error), CNNF_OK);
        ck_assert_int_eq(cnnf_metrics_new(&m, context, 2, 5, error), CNNF_OK);
        ck_assert_int_eq(cnnf_evaluate_options_new(&how, context, error), CNNF_OK);
        ck_assert_int_eq(cnnf_evaluate_options_set_input(how, "x", error), CNNF_OK);
        ck_assert_int_eq(cnnf_evaluate_options_set_output(how, "flat", error), CNNF_OK);
        ck_assert_int_eq(cnnf_evaluate_options_set_batch(how, 1, error), CNNF_OK);
        ck_assert_msg(cnnf_evaluate_dataset(m, e, data, how, error) == CNNF_OK, "%s", cnnf_error_message(error));
        ck_assert_int_eq(cnnf_metrics_count(m), 6);
        cnnf_evaluate_options_free(how);
        cnnf_dataset_free(data);
        cnnf_dataset_options_free(options);
        cnnf_evaluator_free(e);
        if (want)
            expect_same(want, m);
        else
            want = m;
    }
    cnnf_metrics_free(want);
}
END_TEST

/* A label that is no class of the graph: the line, or the file, and what there is. */
START_TEST(labels_out_of_range_say_where)
{
    char path[] = "/tmp/cnnf_labels_XXXXXX";
    static const char rows[] = "0,1,2\n\n1,3,4\n2,5,6\n";
    const int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq((int)write(fd, rows, sizeof rows - 1), (int)sizeof rows - 1);
    close(fd);
    cnnf_metrics_free(metrics_of(path, 1, 1, false, NULL, CNNF_E_CORRUPT));
    ck_assert_msg(strstr(cnnf_error_message(error), ":4:1: label 2 is outside 0 .. 1, the classes of the graph") !=
                      NULL,
                  "%s", cnnf_error_message(error));
    unlink(path);
    if (!cnnf_has_feature("images")) return;
    cnnf_metrics_free(metrics_of(GOLDEN("dataset/images/a/1.png"), 1, 1, false, NULL, CNNF_E_CORRUPT));
    ck_assert_msg(strstr(cnnf_error_message(error), "a/1.png: there is no label") != NULL, "%s",
                  cnnf_error_message(error));
}
END_TEST

START_TEST(a_fixed_batch_counts_every_example)
{
    for (int64_t batch = 4; batch <= 32; batch += 7) {
        cnnf_metrics *m = metrics_of(GOLDEN("dataset/pairs.csv"), 2, batch, false, NULL, CNNF_OK);
        ck_assert_int_eq(cnnf_metrics_count(m), EXAMPLES);
        ck_assert_int_eq(cnnf_metrics_correct(m), correct_of(EXAMPLES));
        cnnf_metrics_free(m);
    }
    cnnf_metrics *full = metrics_of(GOLDEN("dataset/pairs.csv"), 2, 32, true, NULL, CNNF_OK);
    ck_assert_int_eq(cnnf_metrics_count(full), EXAMPLES / 8 * 8);
    cnnf_metrics_free(full);
}
END_TEST

START_TEST(every_kind_of_file)
{
    cnnf_metrics *want = metrics_of(GOLDEN("dataset/pairs.csv"), 2, 4, false, NULL, CNNF_OK);
    expect_same(want, metrics_of(GOLDEN("dataset/pairs.csv.gz"), 2, 4, false, NULL, CNNF_OK));
    expect_same(want, metrics_of(GOLDEN("dataset/pairs.npz"), 2, 4, false, NULL, CNNF_OK));
    cnnf_metrics_free(want);
}
END_TEST

START_TEST(last_batch)
{
    static const int64_t batches[][2] = {{4, 20}, {23, 23}, {24, 0}, {1, 23}}; /* size, examples in full ones */
    for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
        for (int32_t threads = 1; threads <= 3; threads += 2) {
            cnnf_metrics *m = metrics_of(GOLDEN("dataset/pairs.csv"), threads, batches[i][0], true, NULL, CNNF_OK);
            ck_assert_int_eq(cnnf_metrics_count(m), batches[i][1]);
            ck_assert_int_eq(cnnf_metrics_correct(m), correct_of(batches[i][1]));
            cnnf_metrics_free(m);
        }
    }
}
END_TEST

START_TEST(progress_grows_to_the_end)
{
    for (int32_t threads = 1; threads <= 4; threads++) {
        seen s = {0};
        cnnf_metrics_free(metrics_of(GOLDEN("dataset/pairs.npz"), threads, 4, false, &s, CNNF_OK));
        ck_assert_int_gt(s.calls, 0);
        ck_assert(!s.back);
        ck_assert_uint_eq(s.last, EXAMPLES);
    }
}
END_TEST

START_TEST(cancelled_with_what_was_done)
{
    for (int32_t threads = 1; threads <= 4; threads++) {
        seen s = {.stop_at = threads == 1 ? 8 : 1};
        cnnf_metrics *m = metrics_of(GOLDEN("dataset/pairs.csv"), threads, 2, false, &s, CNNF_E_CANCELLED);
        ck_assert_int_gt(cnnf_metrics_count(m), 0);
        if (threads == 1) ck_assert_int_eq(cnnf_metrics_count(m), 8);
        if (threads == 1) ck_assert_int_eq(cnnf_metrics_correct(m), correct_of(8));
        cnnf_metrics_free(m);
    }
}
END_TEST

/* Names the graph does not declare must be given, those it declares need not; wrong settings are refused in words. */
START_TEST(options_have_defaults)
{
    cnnf_dataset *data = NULL;
    cnnf_metrics *metrics = NULL, *want = metrics_of(GOLDEN("dataset/pairs.npz"), 1, 32, false, NULL, CNNF_OK);
    cnnf_evaluate_options *options = NULL;
    cnnf_evaluator *e = evaluator_of(1);
    ck_assert_int_eq(cnnf_dataset_open(&data, context, GOLDEN("dataset/pairs.npz"), NULL, error), CNNF_OK);
    ck_assert_int_eq(cnnf_metrics_new(&metrics, context, 2, 5, error), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluate_dataset(metrics, e, data, NULL, error), CNNF_E_INVALID);
    ck_assert_str_eq(cnnf_error_message(error), "evaluate: the graph declares 0 outputs; name the output");
    ck_assert_int_eq(cnnf_metrics_count(metrics), 0);
    ck_assert_int_eq(cnnf_evaluate_options_new(&options, context, error), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluate_options_set_batch(options, 0, error), CNNF_E_INVALID);
    ck_assert_str_eq(cnnf_error_message(error), "evaluate: batches of 0; at least 1");
    ck_assert_int_eq(cnnf_evaluate_options_set_output(options, NULL, error), CNNF_E_INVALID);
    ck_assert_str_eq(cnnf_error_message(error), "cnnf_evaluate_options_set_output: an argument is NULL");
    ck_assert_int_eq(cnnf_evaluate_options_set_output(options, "y", error), CNNF_OK);
    ck_assert_str_eq(cnnf_error_message(error), "");
    ck_assert_int_eq(cnnf_evaluate_dataset(metrics, e, data, options, error), CNNF_OK);
    expect_same(want, metrics);
    cnnf_metrics_free(want);
    cnnf_evaluate_options_free(options);
    cnnf_dataset_free(data);
    cnnf_evaluator_free(e);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("evaluate_dataset");
    TCase *t = tcase_create("evaluate_dataset");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, threads_and_batches_do_not_matter);
    tcase_add_test(t, merged_shards_are_the_whole);
    tcase_add_test(t, images_in_parallel);
    tcase_add_test(t, labels_out_of_range_say_where);
    tcase_add_test(t, every_kind_of_file);
    tcase_add_test(t, last_batch);
    tcase_add_test(t, options_have_defaults);
    tcase_add_test(t, progress_grows_to_the_end);
    tcase_add_test(t, cancelled_with_what_was_done);
    suite_add_tcase(s, t);
    t = tcase_create("fixed_batch");
    tcase_add_checked_fixture(t, setup_fixed, teardown);
    tcase_add_test(t, a_fixed_batch_counts_every_example);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
