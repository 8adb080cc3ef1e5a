/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifndef _WIN32
#include <sys/wait.h>
#endif

#include "base/crc32c.h"
#include "support.h"

#define CLASSES 5
#define ROWS    400
#define PARTS   4

static cnnf_context *context;

static void setup(void)
{
    context = test_context();
}

static void teardown(void)
{
    test_context_done(context);
}

static cnnf_tensor *wrap(cnnf_dtype dtype, int32_t rank, const int64_t *dims, const void *data, size_t size)
{
    cnnf_tensor *tensor = NULL;
    ck_assert_int_eq(cnnf_tensor_wrap(&tensor, context, dtype, rank, dims, data, size, NULL, NULL, NULL), CNNF_OK);
    return tensor;
}

static cnnf_status add(cnnf_metrics *m, const float *p, const int64_t *labels, int64_t n, int64_t columns,
                       int64_t first)
{
    cnnf_tensor *predictions = wrap(CNNF_FLOAT, 2, (int64_t[]){n, columns}, p, (size_t)(n * columns) * sizeof(*p));
    cnnf_tensor *l = wrap(CNNF_INT64, 1, &n, labels, (size_t)n * sizeof(*labels));
    cnnf_status status = cnnf_metrics_add(m, predictions, l, first, NULL);
    cnnf_tensor_unref(predictions);
    cnnf_tensor_unref(l);
    return status;
}

static cnnf_metrics *new_metrics(int64_t classes, int64_t worst)
{
    cnnf_metrics *m = NULL;
    ck_assert_int_eq(cnnf_metrics_new(&m, context, classes, worst, NULL), CNNF_OK);
    return m;
}

/* Reproducible rows that sum to 1. */
static void make_rows(float *p, int64_t *labels)
{
    uint32_t state = 7;
    for (int i = 0; i < ROWS; i++) {
        float sum = 0;
        for (int c = 0; c < CLASSES; c++) {
            state = state * 1664525u + 1013904223u;
            p[i * CLASSES + c] = (float)(state >> 16) + 1;
            sum += p[i * CLASSES + c];
        }
        for (int c = 0; c < CLASSES; c++)
            p[i * CLASSES + c] /= sum;
        labels[i] = (state >> 8) % CLASSES;
    }
}

START_TEST(counts_by_hand)
{
    const float p[] = {0.7f, 0.2f, 0.1f, 0.1f, 0.2f, 0.7f, 0.4f, 0.4f, 0.2f, 0.3f, 0.5f, 0.2f};
    const int64_t labels[] = {0, 1, 1, 1};
    cnnf_metrics *m = new_metrics(3, 2);
    int64_t row, label, guess;
    double confidence;
    ck_assert_int_eq(add(m, p, labels, 4, 3, 10), CNNF_OK);
    ck_assert_int_eq(cnnf_metrics_count(m), 4);
    ck_assert_int_eq(cnnf_metrics_correct(m), 2); /* the tie of row 12 goes to the first class */
    ck_assert_double_eq(cnnf_metrics_accuracy(m), 0.5);
    ck_assert_double_eq(cnnf_metrics_topk(m, 1), 0.5);
    ck_assert_double_eq(cnnf_metrics_topk(m, 2), 1);
    ck_assert_double_eq(cnnf_metrics_topk(m, 3), 1);
    ck_assert_int_eq(cnnf_metrics_confusion(m, 1, 2), 1);
    ck_assert_int_eq(cnnf_metrics_confusion(m, 1, 0), 1);
    ck_assert_int_eq(cnnf_metrics_confusion(m, 3, 0), 0);
    ck_assert_double_eq(cnnf_metrics_precision(m, 0), 0.5);
    ck_assert_double_eq(cnnf_metrics_precision(m, 2), 0);
    ck_assert_double_eq_tol(cnnf_metrics_recall(m, 1), 1.0 / 3, 1e-15);
    ck_assert_double_eq_tol(cnnf_metrics_f1(m, 1), 0.5, 1e-15);
    double loss = -(log((double)0.7f) + log((double)0.2f) + log((double)0.4f) + log(0.5)) / 4;
    ck_assert_double_eq_tol(cnnf_metrics_loss(m), loss, 1e-11);
    ck_assert_int_eq(cnnf_metrics_worst_count(m), 2);
    ck_assert_int_eq(cnnf_metrics_worst(&row, &label, &guess, &confidence, m, 0, NULL), CNNF_OK);
    ck_assert_int_eq(row, 11);
    ck_assert_int_eq(label, 1);
    ck_assert_int_eq(guess, 2);
    ck_assert_double_eq(confidence, (double)0.7f);
    ck_assert_int_eq(cnnf_metrics_worst(&row, &label, &guess, &confidence, m, 2, NULL), CNNF_E_INVALID);
    cnnf_metrics_free(m);
}
END_TEST

START_TEST(one_sigmoid_output_is_two_classes)
{
    const float p[] = {0.9f, 0.2f, 0.6f};
    const int64_t labels[] = {1, 0, 0};
    cnnf_metrics *m = new_metrics(2, 0);
    ck_assert_int_eq(add(m, p, labels, 3, 1, 0), CNNF_OK);
    ck_assert_int_eq(cnnf_metrics_correct(m), 2);
    ck_assert_int_eq(cnnf_metrics_confusion(m, 0, 1), 1);
    cnnf_metrics_free(m);
}
END_TEST

START_TEST(nan_is_no_crash)
{
    const float p[] = {NAN, 0.5f, 0.5f, NAN};
    const int64_t labels[] = {1, 1};
    cnnf_metrics *m = new_metrics(2, 4);
    ck_assert_int_eq(add(m, p, labels, 2, 2, 0), CNNF_OK);
    ck_assert_int_eq(cnnf_metrics_correct(m), 1); /* numpy.argmax takes the first NaN */
    ck_assert(isnan(cnnf_metrics_loss(m)));
    cnnf_metrics_free(m);
}
END_TEST

START_TEST(bad_batches_add_nothing)
{
    const float p[] = {0.9f, 0.1f, 0.2f, 0.8f};
    cnnf_metrics *m = new_metrics(2, 1);
    ck_assert_int_eq(add(m, p, (int64_t[]){0, 2}, 2, 2, 0), CNNF_E_INVALID);
    ck_assert_int_eq(add(m, p, (int64_t[]){0, -1}, 2, 2, 0), CNNF_E_INVALID);
    ck_assert_int_eq(add(m, p, (int64_t[]){0}, 1, 4, 0), CNNF_E_MISMATCH);
    ck_assert_int_eq(cnnf_metrics_count(m), 0);
    ck_assert_double_eq(cnnf_metrics_accuracy(m), 0);
    cnnf_metrics_free(m);
    ck_assert_int_eq(cnnf_metrics_new(&m, context, 0, 1, NULL), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_metrics_new(&m, context, INT64_MAX / 2, 1, NULL), CNNF_E_LIMIT);
    ck_assert_ptr_null(m);
}
END_TEST

#ifndef _WIN32 /* which has no fork() */
/* Every part in a process of its own, the states through pipes; any order of merging gives the bytes of one run. */
START_TEST(four_processes_are_one_run)
{
    static float p[ROWS * CLASSES];
    static int64_t labels[ROWS];
    cnnf_metrics *one = new_metrics(CLASSES, 7), *merged = new_metrics(CLASSES, 7);
    cnnf_buffer *whole = NULL, *together = NULL;
    int pipes[PARTS][2];
    make_rows(p, labels);
    ck_assert_int_eq(add(one, p, labels, ROWS, CLASSES, 0), CNNF_OK);
    for (int i = 0; i < PARTS; i++) {
        ck_assert_int_eq(pipe(pipes[i]), 0);
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child > 0) {
            close(pipes[i][1]);
            continue;
        }
        int first = i * ROWS / PARTS, n = (i + 1) * ROWS / PARTS - first;
        cnnf_metrics *part = new_metrics(CLASSES, 7);
        cnnf_buffer *state = NULL;
        bool good = add(part, p + first * CLASSES, labels + first, n, CLASSES, first) == CNNF_OK &&
                    cnnf_metrics_save(&state, part, NULL) == CNNF_OK &&
                    write(pipes[i][1], cnnf_buffer_data(state), cnnf_buffer_size(state)) > 0;
        _exit(good ? 0 : 1);
    }
    for (int i = PARTS - 1; i >= 0; i--) {
        char bytes[4096];
        int result;
        ssize_t n = read(pipes[i][0], bytes, sizeof(bytes));
        cnnf_metrics *part = NULL;
        ck_assert_int_gt(n, 0);
        ck_assert_int_eq(cnnf_metrics_restore(&part, context, bytes, (size_t)n, NULL), CNNF_OK);
        ck_assert_int_eq(cnnf_metrics_merge(merged, part, NULL), CNNF_OK);
        cnnf_metrics_free(part);
        close(pipes[i][0]);
        ck_assert_int_gt(wait(&result), 0);
        ck_assert_int_eq(result, 0);
    }
    ck_assert_int_eq(cnnf_metrics_save(&whole, one, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_metrics_save(&together, merged, NULL), CNNF_OK);
    ck_assert_uint_eq(cnnf_buffer_size(whole), cnnf_buffer_size(together));
    ck_assert_int_eq(memcmp(cnnf_buffer_data(whole), cnnf_buffer_data(together), cnnf_buffer_size(whole)), 0);
    cnnf_buffer_free(whole);
    cnnf_buffer_free(together);
    cnnf_metrics_free(one);
    cnnf_metrics_free(merged);
}
END_TEST
#endif

START_TEST(damaged_states_are_refused)
{
    static float p[ROWS * CLASSES];
    static int64_t labels[ROWS];
    cnnf_metrics *m = new_metrics(CLASSES, 3), *back = NULL;
    cnnf_buffer *state = NULL;
    make_rows(p, labels);
    ck_assert_int_eq(add(m, p, labels, ROWS, CLASSES, 0), CNNF_OK);
    ck_assert_int_eq(cnnf_metrics_save(&state, m, NULL), CNNF_OK);
    size_t size = cnnf_buffer_size(state);
    unsigned char *bytes = malloc(size);
    for (size_t i = 0; i < size; i++) {
        memcpy(bytes, cnnf_buffer_data(state), size);
        bytes[i] ^= 0x41;
        ck_assert_int_lt(cnnf_metrics_restore(&back, context, bytes, size, NULL), 0);
        ck_assert_ptr_null(back);
        memcpy(bytes, cnnf_buffer_data(state), size);
        ck_assert_int_lt(cnnf_metrics_restore(&back, context, bytes, i, NULL), 0);
    }
    free(bytes);
    cnnf_buffer_free(state);
    cnnf_metrics_free(m);
}
END_TEST

/* Metrics of one class and `count` examples, as a saved state says it. */
static cnnf_metrics *metrics_of(int64_t count)
{
    struct {
        char magic[8];
        int64_t numbers[7], rank, confusion;
        uint32_t crc;
    } state = {.numbers = {1, 0, 0, count, 0, 0, 0}, .rank = count, .confusion = count};
    const size_t size = offsetof(__typeof__(state), crc);
    memcpy(state.magic, "CNNFMTR\1", 8);
    state.crc = cnnfi_crc32c_mask(cnnfi_crc32c(0, &state, size));
    cnnf_metrics *m = NULL;
    ck_assert_int_eq(cnnf_metrics_restore(&m, context, &state, size + 4, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_metrics_count(m), count);
    return m;
}

START_TEST(counts_do_not_run_over)
{
    cnnf_error *error = cnnf_error_new();
    cnnf_metrics *most = metrics_of(INT64_MAX - 1), *one = metrics_of(1), *two = metrics_of(2);
    ck_assert_int_eq(cnnf_metrics_merge(most, two, error), CNNF_E_LIMIT);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "too many to count"));
    ck_assert_int_eq(cnnf_metrics_count(most), INT64_MAX - 1); /* as it was */
    ck_assert_int_eq(cnnf_metrics_merge(most, one, error), CNNF_OK);
    ck_assert_int_eq(cnnf_metrics_count(most), INT64_MAX);
    ck_assert_int_eq(cnnf_metrics_correct(most), INT64_MAX);
    ck_assert_int_eq(add(most, (float[]){1}, (int64_t[]){0}, 1, 1, 0), CNNF_E_LIMIT);
    ck_assert_int_eq(cnnf_metrics_count(most), INT64_MAX);
    cnnf_metrics_free(most);
    cnnf_metrics_free(one);
    cnnf_metrics_free(two);
    cnnf_error_free(error);
}
END_TEST

START_TEST(other_classes_do_not_merge)
{
    cnnf_metrics *a = new_metrics(2, 0), *b = new_metrics(3, 0);
    ck_assert_int_eq(cnnf_metrics_merge(a, b, NULL), CNNF_E_MISMATCH);
    ck_assert_int_eq(cnnf_metrics_merge(a, a, NULL), CNNF_E_INVALID);
    cnnf_metrics_free(a);
    cnnf_metrics_free(b);
}
END_TEST

static Suite *metrics_suite(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tcase = tcase_create("metrics");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, counts_by_hand);
    tcase_add_test(tcase, one_sigmoid_output_is_two_classes);
    tcase_add_test(tcase, nan_is_no_crash);
    tcase_add_test(tcase, bad_batches_add_nothing);
#ifndef _WIN32
    tcase_add_test(tcase, four_processes_are_one_run);
#endif
    tcase_add_test(tcase, damaged_states_are_refused);
    tcase_add_test(tcase, counts_do_not_run_over);
    tcase_add_test(tcase, other_classes_do_not_merge);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(metrics_suite)
