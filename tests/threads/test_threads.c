/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Eight threads on what may be shared: one context, one graph, one frozen graph, one checkpoint, one pipeline, one
 * evaluator; and each loading Keras files for itself. Every thread must see the same. Under ThreadSanitizer
 * (tests/run.sh) a race is a failure.
 */
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "support.h"

#define THREADS 8
#define ROUNDS  6

/* What all threads share; read only, or safe. */
typedef struct shared {
    cnnf_context *context;
    cnnf_graph *graph, *frozen;
    cnnf_checkpoint *checkpoint;
    cnnf_pipeline *pipeline;
    cnnf_evaluator *evaluator;
    cnnf_tensor *input, *expected;
    cnnf_buffer *bytes; /* the frozen graph, written */
} shared;

typedef struct worker {
    const shared *s;
    int number;
    const char *failed; /* NULL: all went well */
} worker;

#define MUST(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) return #condition;                                                                           \
    } while (0)

static const char *load_alone(const shared *s, bool ask)
{
    cnnf_graph *graph = NULL;
    cnnf_load_options *options = NULL;
    MUST(cnnf_load_options_new(&options, s->context, NULL) == CNNF_OK);
    cnnf_load_options_set_ask_libhdf5(options, ask, NULL);
    MUST(cnnf_load_file(&graph, s->context, GOLDEN("oom/model.h5"), options, NULL) == CNNF_OK);
    MUST(cnnf_graph_node_count(graph) == cnnf_graph_node_count(s->graph));
    cnnf_graph_unref(graph);
    cnnf_load_options_free(options);
    return NULL;
}

static const char *freeze_and_write(const shared *s)
{
    cnnf_graph *frozen = NULL, *folded = NULL;
    cnnf_buffer *bytes = NULL;
    MUST(cnnf_freeze(&frozen, NULL, s->graph, NULL, NULL) == CNNF_OK);
    MUST(cnnf_write_graphdef_buffer(&bytes, frozen, NULL, NULL) == CNNF_OK);
    MUST(cnnf_buffer_size(bytes) == cnnf_buffer_size(s->bytes));
    MUST(memcmp(cnnf_buffer_data(bytes), cnnf_buffer_data(s->bytes), cnnf_buffer_size(bytes)) == 0);
    MUST(cnnf_pipeline_run(&folded, s->pipeline, s->frozen, NULL) == CNNF_OK);
    cnnf_buffer_free(bytes);
    cnnf_graph_unref(folded);
    cnnf_graph_unref(frozen);
    return NULL;
}

static const char *run_shared(const shared *s)
{
    const char *const feed = "input_1", *const fetch = "dense_1/BiasAdd";
    const cnnf_tensor *input = s->input;
    cnnf_tensor *out = NULL;
    MUST(cnnf_evaluator_run(&out, s->evaluator, &feed, &input, 1, &fetch, 1, NULL) == CNNF_OK);
    MUST(cnnf_tensor_byte_size(out) == cnnf_tensor_byte_size(s->expected));
    MUST(memcmp(cnnf_tensor_data(out), cnnf_tensor_data(s->expected), cnnf_tensor_byte_size(out)) == 0);
    cnnf_tensor_unref(out);
    return NULL;
}

static const char *read_shared(const shared *s)
{
    cnnf_buffer *report = NULL;
    for (int64_t i = 0; i < cnnf_checkpoint_count(s->checkpoint); i++)
        MUST(cnnf_checkpoint_verify(s->checkpoint, i, NULL) == CNNF_OK);
    MUST(cnnf_graph_summary(&report, s->graph, CNNF_REPORT_TEXT, NULL) == CNNF_OK);
    cnnf_buffer_free(report);
    MUST(cnnf_graph_guess_outputs(&report, s->graph, NULL) == CNNF_OK);
    cnnf_buffer_free(report);
    cnnf_graph *another = cnnf_graph_ref(s->frozen);
    MUST(cnnf_graph_find(another, "dense_1/BiasAdd") != NULL);
    cnnf_graph_unref(another);
    return NULL;
}

static void *work(void *user)
{
    worker *w = user;
    for (int round = 0; round < ROUNDS && !w->failed; round++) {
        const int turn = round + w->number; /* so that different things happen at once */
        if (turn % 2) w->failed = load_alone(w->s, turn % 4 == 1);
        if (!w->failed) w->failed = freeze_and_write(w->s);
        if (!w->failed) w->failed = run_shared(w->s);
        if (!w->failed) w->failed = read_shared(w->s);
    }
    return NULL;
}

static void set_up(shared *s)
{
    const int64_t dims[] = {2, 8, 8, 3};
    const char *const feed = "input_1", *const fetch = "dense_1/BiasAdd";
    cnnf_evaluator_options *options = NULL;
    memset(s, 0, sizeof *s);
    s->context = test_context();
    ck_assert_int_eq(cnnf_load_file(&s->graph, s->context, GOLDEN("oom/model.h5"), NULL, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_freeze(&s->frozen, NULL, s->graph, NULL, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_write_graphdef_buffer(&s->bytes, s->frozen, NULL, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_checkpoint_open(&s->checkpoint, s->context, GOLDEN("checkpoint/dtypes"), NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_new(&s->pipeline, s->context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_add(s->pipeline, "fold_constants fold_batch_norms prune", NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluator_options_new(&options, s->context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluator_options_set_threads(options, 3, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluator_new(&s->evaluator, s->frozen, options, NULL), CNNF_OK);
    cnnf_evaluator_options_free(options);
    ck_assert_int_eq(cnnf_tensor_new(&s->input, s->context, CNNF_FLOAT, 4, dims, NULL), CNNF_OK);
    for (int i = 0; i < 2 * 8 * 8 * 3; i++)
        ((float *)cnnf_tensor_data_mut(s->input))[i] = (float)(i % 7) / 7.0f;
    const cnnf_tensor *input = s->input;
    ck_assert_int_eq(cnnf_evaluator_run(&s->expected, s->evaluator, &feed, &input, 1, &fetch, 1, NULL), CNNF_OK);
}

static void tear_down(shared *s)
{
    cnnf_tensor_unref(s->expected);
    cnnf_tensor_unref(s->input);
    cnnf_evaluator_free(s->evaluator);
    cnnf_pipeline_free(s->pipeline);
    cnnf_checkpoint_unref(s->checkpoint);
    cnnf_buffer_free(s->bytes);
    cnnf_graph_unref(s->frozen);
    cnnf_graph_unref(s->graph);
    test_context_done(s->context);
}

START_TEST(eight_threads)
{
    shared s;
    worker workers[THREADS];
    pthread_t threads[THREADS];
    set_up(&s);
    for (int i = 0; i < THREADS; i++) {
        workers[i] = (worker){.s = &s, .number = i};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++)
        ck_assert_msg(!workers[i].failed, "thread %d: %s", i, workers[i].failed);
    tear_down(&s);
}
END_TEST

static Suite *threads_suite(void)
{
    Suite *suite = suite_create("threads");
    TCase *tests = tcase_create("threads");
    tcase_add_test(tests, eight_threads);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(threads_suite)
