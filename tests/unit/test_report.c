/* SPDX-License-Identifier: Apache-2.0 */
/* Reports: what they count, keep and refuse, and that nothing of a file becomes markup. */
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "support.h"

#define CLASSES 4
#define ROWS    60
#define SIDE    5

static cnnf_context *context;
static cnnf_error *error;
static float scores[2][ROWS][CLASSES], images[ROWS][SIDE][SIDE][1];
static int64_t labels[ROWS];

/* Two graphs over the same rows: the second takes every seventh example for another class. */
static void setup(void)
{
    uint32_t state = 11;
    context = test_context();
    error = cnnf_error_new();
    for (int i = 0; i < ROWS; i++) {
        labels[i] = i % CLASSES;
        for (int p = 0; p < SIDE * SIDE; p++)
            images[i][p / SIDE][p % SIDE][0] = (float)(i * p % 256);
        for (int g = 0; g < 2; g++) {
            const int guess = (i + (i % 10 == 3) + (g && i % 7 == 0)) % CLASSES;
            state = state * 1664525u + 1013904223u;
            const float sure = 0.4f + (float)(state >> 20) / 8192.0f;
            for (int c = 0; c < CLASSES; c++)
                scores[g][i][c] = c == guess ? sure : (1 - sure) / (CLASSES - 1);
        }
    }
}

static void teardown(void)
{
    cnnf_error_free(error);
    test_context_done(context);
}

static cnnf_tensor *wrap(cnnf_dtype dtype, int32_t rank, const int64_t *dims, const void *data, size_t size)
{
    cnnf_tensor *tensor = NULL;
    ck_assert_int_eq(cnnf_tensor_wrap(&tensor, context, dtype, rank, dims, data, size, NULL, NULL, NULL), CNNF_OK);
    return tensor;
}

static cnnf_status add(cnnf_report *report, const cnnf_tensor *pictures, const float *p, int64_t columns,
                       const int64_t *label, int64_t n, int64_t row)
{
    cnnf_tensor *predictions = wrap(CNNF_FLOAT, 2, (int64_t[]){n, columns}, p, (size_t)(n * columns) * sizeof(float));
    cnnf_tensor *l = wrap(CNNF_INT64, 1, &n, label, (size_t)n * sizeof(int64_t));
    const cnnf_status status = cnnf_report_add(report, pictures, predictions, l, row, error);
    cnnf_tensor_unref(predictions);
    cnnf_tensor_unref(l);
    return status;
}

static void add_rows(cnnf_report *report, int graph, int64_t first, int64_t n)
{
    const int64_t dims[] = {n, SIDE, SIDE, 1};
    cnnf_tensor *pictures = wrap(CNNF_FLOAT, 4, dims, images[first], (size_t)n * sizeof *images);
    ck_assert_int_eq(add(report, pictures, scores[graph][first], CLASSES, &labels[first], n, first), CNNF_OK);
    cnnf_tensor_unref(pictures);
}

static cnnf_report *new_report(int64_t classes, int64_t pictures)
{
    cnnf_report *report = NULL;
    ck_assert_int_eq(cnnf_report_new(&report, context, classes, pictures, error), CNNF_OK);
    return report;
}

/* The rows in batches of `batch`, the last one first when `backwards`. */
static cnnf_report *both_graphs(int64_t pictures, int64_t batch, bool backwards)
{
    cnnf_report *report = new_report(CLASSES, pictures);
    for (int g = 0; g < 2; g++) {
        ck_assert_int_eq(cnnf_report_begin(report, g ? "second" : "first", error), CNNF_OK);
        for (int64_t i = 0; i < ROWS; i += batch)
            add_rows(report, g, backwards ? ROWS - batch - i : i, batch);
        ck_assert_int_eq(cnnf_report_end(report, 0, error), CNNF_OK);
    }
    return report;
}

static char *written(const cnnf_report *report, int32_t format)
{
    cnnf_buffer *text = NULL;
    ck_assert_msg(cnnf_report_write(&text, report, format, error) == CNNF_OK, "%s", cnnf_error_message(error));
    char *copy = strdup(cnnf_buffer_data(text));
    ck_assert_uint_eq(strlen(copy), cnnf_buffer_size(text));
    cnnf_buffer_free(text);
    return copy;
}

static void expect(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "'%s' is not in: %s", part, text);
}

static size_t times(const char *text, const char *part)
{
    size_t n = 0;
    for (; (text = strstr(text, part)); text++)
        n++;
    return n;
}

/* What the counts above must be, worked out again here. */
START_TEST(counts_of_two_graphs)
{
    char part[256];
    cnnf_report *report = both_graphs(5, 20, false);
    int64_t correct[2] = {0}, broken = 0, other = 0;
    for (int i = 0; i < ROWS; i++) {
        const bool right = i % 10 != 3, moved = i % 7 == 0; /* the wrong ones move on to another wrong class */
        correct[0] += right;
        correct[1] += right && !moved;
        broken += right && moved;
        other += !right && moved;
    }
    ck_assert_int_eq(cnnf_report_differing(report), broken + other);
    char *json = written(report, CNNF_REPORT_JSON);
    for (int g = 0; g < 2; g++) {
        snprintf(part, sizeof part, "\"images\": %d, \"correct\": %lld, ", ROWS, (long long)correct[g]);
        expect(json, part);
    }
    snprintf(part, sizeof part,
             "\"compared\": %d, \"same\": %lld, \"now_wrong\": %lld, \"now_right\": 0, \"both_wrong\": %lld", ROWS,
             (long long)(ROWS - broken - other), (long long)broken, (long long)other);
    expect(json, part);
    expect(json, "\"kind\": \"report\", \"schema\": 1");
    free(json);
    char *html = written(report, CNNF_REPORT_HTML);
    ck_assert_uint_eq(times(html, "data:image/png;base64,"), cnnf_has_feature("images") ? 15 : 0);
    expect(html, "default-src 'none'");
    expect(html, "prefers-color-scheme:dark");
    expect(html, "@media print");
    ck_assert_uint_eq(times(html, "<script"), 0);
    ck_assert_uint_eq(times(html, "http:") + times(html, "https:") + times(html, "url("), 0);
    free(html);
    cnnf_report_free(report);
}
END_TEST

START_TEST(order_and_batches_do_not_matter)
{
    cnnf_report *report = both_graphs(7, ROWS, false);
    char *json = written(report, CNNF_REPORT_JSON), *html = written(report, CNNF_REPORT_HTML);
    cnnf_report_free(report);
    static const struct {
        int64_t batch;
        bool backwards;
    } ways[] = {{1, false}, {1, true}, {12, true}, {30, false}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        report = both_graphs(7, ways[i].batch, ways[i].backwards);
        char *text = written(report, CNNF_REPORT_JSON), *page = written(report, CNNF_REPORT_HTML);
        ck_assert_str_eq(json, text);
        ck_assert_str_eq(html, page);
        free(text);
        free(page);
        cnnf_report_free(report);
    }
    free(json);
    free(html);
}
END_TEST

/* Titles, names and facts come from files: nothing of them is markup, and what is no UTF-8 becomes it. */
START_TEST(words_of_files_are_no_markup)
{
    static const char evil[] = "<script>alert(1)</script>\"'&<img src=x onerror=y>\xff\xc0\x80\x01\n";
    cnnf_report *report = new_report(CLASSES, 3);
    ck_assert_int_eq(cnnf_report_set_title(report, evil, error), CNNF_OK);
    ck_assert_int_eq(cnnf_report_add_fact(report, evil, evil, error), CNNF_OK);
    for (int64_t c = 0; c < CLASSES; c++)
        ck_assert_int_eq(cnnf_report_set_class_name(report, c, evil, error), CNNF_OK);
    ck_assert_int_eq(cnnf_report_begin(report, evil, error), CNNF_OK);
    add_rows(report, 0, 0, ROWS);
    ck_assert_int_eq(cnnf_report_end(report, 1.5, error), CNNF_OK);
    char *html = written(report, CNNF_REPORT_HTML), *json = written(report, CNNF_REPORT_JSON);
    ck_assert_uint_eq(times(html, "<script") + times(html, "<img src=x") + times(html, "onerror=y>"), 0);
    ck_assert_uint_eq(times(html, "\xff") + times(html, "\x01") + times(json, "\xff") + times(json, "\\u0001"), 0);
    expect(html, "&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;&lt;img");
    expect(json, "<script>alert(1)</script>\\\"'&<img src=x onerror=y>\xef\xbf\xbd");
    free(html);
    free(json);
    cnnf_report_free(report);
}
END_TEST

/* Of a thousand classes the page shows the commonest confusions and the worst classes, not a million cells. */
START_TEST(many_classes_stay_small)
{
    enum { MANY = 1000 };
    static float wide[MANY][MANY];
    static int64_t all[MANY];
    cnnf_report *report = new_report(MANY, 10);
    for (int i = 0; i < MANY; i++) {
        all[i] = i;
        wide[i][i % 3 ? i : (i + 1) % MANY] = 0.9f;
    }
    ck_assert_int_eq(cnnf_report_begin(report, "wide", error), CNNF_OK);
    ck_assert_int_eq(add(report, NULL, wide[0], MANY, all, MANY, 0), CNNF_OK);
    ck_assert_int_eq(cnnf_report_end(report, 1, error), CNNF_OK);
    char *html = written(report, CNNF_REPORT_HTML), *json = written(report, CNNF_REPORT_JSON);
    ck_assert_uint_eq(times(html, "class=\"heat"), 0);
    ck_assert_uint_lt(strlen(html), 400000);
    expect(html, "the 60 classes of least F1, of 1,000");
    expect(html, "no picture");
    expect(json, "\"confusion\": null");
    expect(json, "\"kinds_of_confusion\": 334");
    ck_assert_uint_eq(times(json, "\"guesses\": "), MANY);
    free(html);
    free(json);
    cnnf_report_free(report);
}
END_TEST

/* Shapes that are pictures, and those that are none. */
START_TEST(pictures_of_shapes)
{
    static const struct {
        int32_t rank;
        int64_t dims[5];
        bool drawn;
    } cases[] = {{4, {1, 7, 9, 1}, true},  {4, {1, 7, 9, 3}, true},     {4, {1, 3, 7, 9}, true},
                 {3, {1, 7, 9}, true},     {2, {1, 49}, true},          {2, {1, 50}, false},
                 {4, {1, 7, 9, 5}, false}, {4, {1, 300, 200, 3}, true}, {5, {1, 2, 2, 2, 1}, false},
                 {4, {1, 1, 1, 4}, true},  {2, {1, 1}, false}};
    static float pixels[300 * 200 * 3];
    const float p[] = {0.1f, 0.9f};
    const int64_t label = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t count = 1;
        for (int32_t k = 0; k < cases[i].rank; k++)
            count *= cases[i].dims[k];
        for (int64_t k = 0; k < count; k++)
            pixels[k] = k % 5 ? (float)k : k % 3 ? (float)NAN : -(float)INFINITY;
        cnnf_tensor *pictures = wrap(CNNF_FLOAT, cases[i].rank, cases[i].dims, pixels, (size_t)count * sizeof *pixels);
        cnnf_report *report = new_report(2, 1);
        ck_assert_int_eq(cnnf_report_begin(report, "x", error), CNNF_OK);
        ck_assert_int_eq(add(report, pictures, p, 2, &label, 1, 0), CNNF_OK);
        ck_assert_int_eq(cnnf_report_end(report, 0, error), CNNF_OK);
        char *html = written(report, CNNF_REPORT_HTML);
        ck_assert_msg((times(html, "data:image/png") == 1) == (cases[i].drawn && cnnf_has_feature("images")),
                      "case %zu", i);
        free(html);
        cnnf_tensor_unref(pictures);
        cnnf_report_free(report);
    }
}
END_TEST

/* Scores that are no probabilities, NaN, one sigmoid output. */
START_TEST(outputs_of_other_kinds)
{
    const float logits[] = {3.0f, -2.0f, -1.0f, 2.5f}, nan[] = {(float)NAN, 0.2f}, sigmoid[] = {0.8f, 0.3f, 0.5f};
    const int64_t two[] = {0, 0}, three[] = {1, 1, 0};
    static const char *const parts[] = {"\"calibration\": null", "\"correct\": 0", "\"correct\": 2"};
    for (int i = 0; i < 3; i++) {
        cnnf_report *report = new_report(2, 4);
        ck_assert_int_eq(cnnf_report_begin(report, "x", error), CNNF_OK);
        const cnnf_status status = i == 0   ? add(report, NULL, logits, 2, two, 2, 0)
                                   : i == 1 ? add(report, NULL, nan, 2, (int64_t[]){1}, 1, 0)
                                            : add(report, NULL, sigmoid, 1, three, 3, 0);
        ck_assert_int_eq(status, CNNF_OK);
        ck_assert_int_eq(cnnf_report_end(report, -1, error), CNNF_OK);
        char *json = written(report, CNNF_REPORT_JSON), *html = written(report, CNNF_REPORT_HTML);
        expect(json, parts[i]);
        ck_assert_uint_eq(times(json, "nan") + times(json, "inf") + times(html, ">nan") + times(html, ">inf"), 0);
        free(json);
        free(html);
        cnnf_report_free(report);
    }
}
END_TEST

/* Calls in another order, and arguments that do not fit: a status, a line, nothing added. */
START_TEST(refuses)
{
    cnnf_report *report = NULL;
    cnnf_buffer *text = NULL;
    ck_assert_int_eq(cnnf_report_new(NULL, context, 2, 1, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_report_new(&report, NULL, 2, 1, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_report_new(&report, context, 0, 1, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_report_new(&report, context, 2, -1, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_report_new(&report, context, 2, 501, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_report_new(&report, context, INT64_MAX, 1, error), CNNF_E_LIMIT);
    ck_assert_ptr_null(report);
    report = new_report(CLASSES, 2);
    ck_assert_int_eq(cnnf_report_write(&text, report, CNNF_REPORT_HTML, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_report_end(report, 1, error), CNNF_E_INVALID);
    ck_assert_int_eq(add(report, NULL, scores[0][0], CLASSES, labels, 4, 0), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_report_set_class_name(report, CLASSES, "x", error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_report_set_class_name(report, -1, "x", error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_report_begin(report, "one", error), CNNF_OK);
    ck_assert_int_eq(cnnf_report_begin(report, "two", error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_report_write(&text, report, CNNF_REPORT_HTML, error), CNNF_E_INVALID);
    ck_assert_int_eq(add(report, NULL, scores[0][0], CLASSES, (int64_t[]){CLASSES}, 1, 0), CNNF_E_INVALID);
    ck_assert_int_eq(add(report, NULL, scores[0][0], 2, labels, 4, 0), CNNF_E_MISMATCH);
    ck_assert_int_eq(add(report, NULL, scores[0][0], CLASSES, labels, 4, -1), CNNF_E_INVALID);
    ck_assert_int_eq(add(report, NULL, scores[0][0], CLASSES, labels, 4, INT64_MAX - 2), CNNF_E_INVALID);
    ck_assert_int_eq(add(report, NULL, scores[0][0], CLASSES, labels, 4, (int64_t)1 << 40), CNNF_E_LIMIT);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), cnnf_limit_name(CNNF_LIMIT_TENSOR_BYTES)));
    ck_assert_int_eq(cnnf_report_end(report, 1, error), CNNF_OK);
    for (int32_t format = -1; format < 8; format++) {
        const bool known = format == CNNF_REPORT_JSON || format == CNNF_REPORT_HTML;
        ck_assert_int_eq(cnnf_report_write(&text, report, format, error), known ? CNNF_OK : CNNF_E_INVALID);
        cnnf_buffer_free(text);
    }
    for (int i = 0; i < 32; i++)
        ck_assert_int_eq(cnnf_report_add_fact(report, "a", "b", error), CNNF_OK);
    ck_assert_int_eq(cnnf_report_add_fact(report, "a", "b", error), CNNF_E_LIMIT);
    ck_assert_int_eq(cnnf_report_begin(report, "two", error), CNNF_OK);
    ck_assert_int_eq(cnnf_report_end(report, 1, error), CNNF_OK);
    ck_assert_int_eq(cnnf_report_begin(report, "three", error), CNNF_E_INVALID);
    cnnf_report_free(report);
    ck_assert_int_eq(cnnf_report_differing(NULL), 0);
    cnnf_report_free(NULL);
}
END_TEST

/* Rows that only one of the graphs has seen are not compared. */
START_TEST(rows_of_one_graph)
{
    cnnf_report *report = new_report(CLASSES, 2);
    ck_assert_int_eq(cnnf_report_begin(report, "one", error), CNNF_OK);
    add_rows(report, 0, 10, 10);
    ck_assert_int_eq(cnnf_report_end(report, 0, error), CNNF_OK);
    ck_assert_int_eq(cnnf_report_begin(report, "two", error), CNNF_OK);
    add_rows(report, 1, 0, 15);
    add_rows(report, 1, 40, 20);
    ck_assert_int_eq(cnnf_report_end(report, 0, error), CNNF_OK);
    char *json = written(report, CNNF_REPORT_JSON);
    expect(json, "\"compared\": 5, ");
    free(json);
    cnnf_report_free(report);
}
END_TEST

static Suite *report_suite(void)
{
    Suite *suite = suite_create("report");
    TCase *tcase = tcase_create("report");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, counts_of_two_graphs);
    tcase_add_test(tcase, order_and_batches_do_not_matter);
    tcase_add_test(tcase, words_of_files_are_no_markup);
    tcase_add_test(tcase, many_classes_stay_small);
    tcase_add_test(tcase, pictures_of_shapes);
    tcase_add_test(tcase, outputs_of_other_kinds);
    tcase_add_test(tcase, refuses);
    tcase_add_test(tcase, rows_of_one_graph);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(report_suite)
