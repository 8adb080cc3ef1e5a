/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Collects what a report shows. Nothing depends on the order in which batches come in: sums are integers, and what is
 * kept of the examples is the head of one fixed order.
 */
#include "evaluation/report/evaluation_report.h"

#include <math.h>
#include <string.h>

#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"
#include "base/utf8.h"
#include "graph/tensor.h"

#define MOST_PICTURES 500

/* ---- life ---- */

static cnnf_status make_arrays(cnnf_report *r, cnnf_error *error)
{
    r->class_names = cnnfi_calloc(r->context, (size_t)r->classes, sizeof *r->class_names);
    r->differences.examples = cnnfi_calloc(r->context, (size_t)r->pictures + 1, sizeof *r->differences.examples);
    bool ok = r->class_names && r->differences.examples;
    for (int32_t i = 0; i < CNNFI_REPORT_RUNS; i++) {
        cnnfi_gallery *gallery = &r->runs[i].mistakes;
        gallery->examples = cnnfi_calloc(r->context, (size_t)r->pictures + 1, sizeof *gallery->examples);
        ok = ok && gallery->examples;
    }
    return ok ? CNNF_OK : cnnfi_fail_nomem(error);
}

cnnf_status cnnf_report_new(cnnf_report **out, cnnf_context *context, int64_t classes, int64_t pictures,
                            cnnf_error *error)
{
    cnnf_error_clear(error);
    if (out) *out = NULL;
    if (!out || !context) return cnnfi_fail_null(error, __func__);
    if (classes < 1 || pictures < 0 || pictures > MOST_PICTURES)
        return cnnfi_fail(error, CNNF_E_INVALID, "report: %lld classes (at least 1), %lld pictures (0 .. %d)",
                          (long long)classes, (long long)pictures, MOST_PICTURES);
    CNNFI_TRY(cnnfi_check_limit(context, CNNF_LIMIT_TENSOR_BYTES,
                                (uint64_t)classes > UINT64_MAX / 8 ? UINT64_MAX : (uint64_t)classes * 8,
                                "report: the names of the classes", error));
    cnnf_report *r = cnnfi_calloc(context, 1, sizeof *r);
    if (!r) return cnnfi_fail_nomem(error);
    r->context = cnnf_context_ref(context);
    r->classes = classes;
    r->pictures = pictures;
    const cnnf_status status = make_arrays(r, error);
    if (status)
        cnnf_report_free(r);
    else
        *out = r;
    return status;
}

static void free_gallery(cnnf_context *context, cnnfi_gallery *gallery)
{
    for (int64_t i = 0; i < gallery->count; i++)
        cnnfi_free(context, gallery->examples[i].picture.pixels);
    cnnfi_free(context, gallery->examples);
}

void cnnf_report_free(cnnf_report *report)
{
    if (!report) return;
    cnnf_context *context = report->context;
    for (int32_t i = 0; i < CNNFI_REPORT_RUNS; i++) {
        cnnfi_free(context, report->runs[i].name);
        cnnf_metrics_free(report->runs[i].metrics);
        free_gallery(context, &report->runs[i].mistakes);
    }
    free_gallery(context, &report->differences);
    for (int64_t i = 0; report->class_names && i < report->classes; i++)
        cnnfi_free(context, report->class_names[i]);
    for (size_t i = 0; i < report->n_facts; i++) {
        cnnfi_free(context, report->facts[i][0]);
        cnnfi_free(context, report->facts[i][1]);
    }
    cnnfi_free(context, report->class_names);
    cnnfi_free(context, report->answers);
    cnnfi_free(context, report->title);
    cnnfi_free(context, report);
    cnnf_context_unref(context);
}

/* ---- words ---- */

/* A copy in well-formed UTF-8 without control characters: what is none becomes U+FFFD. */
static char *clean_copy(cnnf_context *context, const char *text)
{
    cnnfi_strbuf out;
    cnnfi_strbuf_init(&out, context);
    cnnfi_strbuf_puts(&out, "");
    for (size_t left = strlen(text); left > 0;) {
        const size_t n = cnnfi_utf8_sequence((const uint8_t *)text, left);
        const unsigned char c = (unsigned char)*text;
        if (!n || c < 0x20 || c == 0x7f)
            cnnfi_strbuf_puts(&out, "\xef\xbf\xbd");
        else
            cnnfi_strbuf_add(&out, text, n);
        text += n ? n : 1;
        left -= n ? n : 1;
    }
    char *copy = out.failed ? NULL : cnnfi_strdup(context, out.data);
    cnnfi_strbuf_free(&out);
    return copy;
}

static cnnf_status set_text(cnnf_report *report, char **slot, const char *text, cnnf_error *error)
{
    char *copy = clean_copy(report->context, text);
    if (!copy) return cnnfi_fail_nomem(error);
    cnnfi_free(report->context, *slot);
    *slot = copy;
    return CNNF_OK;
}

cnnf_status cnnf_report_set_title(cnnf_report *report, const char *title, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!report || !title) return cnnfi_fail_null(error, __func__);
    return set_text(report, &report->title, title, error);
}

cnnf_status cnnf_report_set_class_name(cnnf_report *report, int64_t label, const char *name, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!report || !name) return cnnfi_fail_null(error, __func__);
    if (label < 0 || label >= report->classes)
        return cnnfi_fail(error, CNNF_E_INVALID, "report: class %lld of 0 .. %lld", (long long)label,
                          (long long)report->classes - 1);
    return set_text(report, &report->class_names[label], name, error);
}

cnnf_status cnnf_report_add_fact(cnnf_report *report, const char *name, const char *value, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!report || !name || !value) return cnnfi_fail_null(error, __func__);
    if (report->n_facts == CNNFI_REPORT_FACTS)
        return cnnfi_fail(error, CNNF_E_LIMIT, "report: more than %d facts", CNNFI_REPORT_FACTS);
    char **fact = report->facts[report->n_facts];
    CNNFI_TRY(set_text(report, &fact[0], name, error));
    const cnnf_status status = set_text(report, &fact[1], value, error);
    if (!status) {
        report->n_facts++;
        return CNNF_OK;
    }
    cnnfi_free(report->context, fact[0]);
    fact[0] = NULL;
    return status;
}

/* ---- runs ---- */

/* The run that is under way; -1. */
static int32_t open_run(const cnnf_report *report)
{
    for (int32_t i = 0; i < CNNFI_REPORT_RUNS; i++) {
        if (report->runs[i].name && !report->runs[i].ended) return i;
    }
    return -1;
}

int32_t cnnfi_report_run_count(const cnnf_report *report)
{
    int32_t count = 0;
    while (count < CNNFI_REPORT_RUNS && report->runs[count].ended)
        count++;
    return count;
}

cnnf_status cnnf_report_begin(cnnf_report *report, const char *name, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!report || !name) return cnnfi_fail_null(error, __func__);
    const int32_t at = cnnfi_report_run_count(report);
    if (open_run(report) >= 0) return cnnfi_fail(error, CNNF_E_INVALID, "report: a run has begun and not ended");
    if (at == CNNFI_REPORT_RUNS)
        return cnnfi_fail(error, CNNF_E_INVALID, "report: %d runs are all it takes", CNNFI_REPORT_RUNS);
    cnnfi_run *run = &report->runs[at];
    CNNFI_TRY(cnnf_metrics_new(&run->metrics, report->context, report->classes, 0, error));
    const cnnf_status status = set_text(report, &run->name, name, error);
    if (!status) return CNNF_OK;
    cnnf_metrics_free(run->metrics);
    run->metrics = NULL;
    return status;
}

cnnf_status cnnf_report_end(cnnf_report *report, double seconds, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!report) return cnnfi_fail_null(error, __func__);
    const int32_t at = open_run(report);
    if (at < 0) return cnnfi_fail(error, CNNF_E_INVALID, "report: no run has begun");
    report->runs[at].ended = true;
    report->runs[at].seconds = isfinite(seconds) && seconds > 0 ? seconds : 0;
    return CNNF_OK;
}

int64_t cnnf_report_differing(const cnnf_report *report)
{
    int64_t sum = 0;
    for (int32_t i = 0; report && i < CNNFI_DIFFERENCES; i++)
        sum += report->differing[i];
    return sum;
}

void cnnfi_report_set_pixels(cnnf_report *report, const cnnfi_pixels *pixels)
{
    report->pixels = pixels ? *pixels : (cnnfi_pixels){0};
}

/* ---- galleries ---- */

static float surest(const cnnfi_example *e)
{
    const float a = e->answers[0].confidence, b = e->answers[1].confidence;
    return a > b ? a : b;
}

/* Differences of one kind together, the surest first; then by row. */
static bool is_before(const cnnfi_example *a, const cnnfi_example *b)
{
    if (a->kind != b->kind) return a->kind < b->kind;
    if (surest(a) > surest(b) || surest(a) < surest(b)) return surest(a) > surest(b);
    return a->row < b->row;
}

/* Takes an example with its picture if it is among the first `room`. */
static bool keep(cnnf_report *r, cnnfi_gallery *gallery, const cnnfi_example *example, const cnnf_tensor *images,
                 int64_t row)
{
    cnnfi_example new = *example;
    int64_t at = gallery->count;
    const bool full = at == r->pictures;
    if (full && (at == 0 || !is_before(&new, &gallery->examples[at - 1]))) return true;
    if (!cnnfi_thumbnail_make(&new.picture, r->context, images, row, &r->pixels)) return false;
    if (full)
        cnnfi_free(r->context, gallery->examples[--at].picture.pixels);
    else
        gallery->count++;
    for (; at > 0 && is_before(&new, &gallery->examples[at - 1]); at--)
        gallery->examples[at] = gallery->examples[at - 1];
    gallery->examples[at] = new;
    return true;
}

/* ---- batches ---- */

/* The first of the largest; the first NaN when there is one: as cnnf_metrics. */
static cnnfi_answer answer_of(const float *p, int64_t columns, int64_t classes)
{
    int64_t best = 0;
    if (columns < classes) { /* one sigmoid output: the second class's probability */
        const float first = 1.0f - p[0];
        return !(p[0] <= first) ? (cnnfi_answer){isnan(p[0]) ? 0 : 1, p[0]} : (cnnfi_answer){0, first};
    }
    for (int64_t i = 0; i < columns; i++) {
        if (isnan(p[i])) return (cnnfi_answer){(int32_t)i, p[i]};
        if (p[i] > p[best]) best = i;
    }
    return (cnnfi_answer){(int32_t)best, p[best]};
}

static void count_confidence(cnnfi_run *run, cnnfi_answer answer, bool right)
{
    const float p = answer.confidence;
    if (!(p >= 0 && p <= 1.00001f)) {
        run->no_probability++;
        return;
    }
    const int at = (int)(p * CNNFI_REPORT_BINS);
    cnnfi_bin *bin = &run->bins[at < CNNFI_REPORT_BINS ? at : CNNFI_REPORT_BINS - 1];
    bin->count++;
    bin->correct += right;
    bin->confidence += (uint64_t)llrint((double)(p < 1 ? p : 1) * CNNFI_CONFIDENCE_UNIT);
}

/* Room for the answers of rows up to `rows`; new ones are not seen. */
static cnnf_status make_rows(cnnf_report *r, int64_t rows, cnnf_error *error)
{
    if (rows <= r->answer_room) return CNNF_OK;
    const uint64_t item = sizeof *r->answers, allowed = cnnfi_limit(r->context, CNNF_LIMIT_TENSOR_BYTES);
    if ((uint64_t)rows > allowed / item)
        return cnnfi_check_limit(r->context, CNNF_LIMIT_TENSOR_BYTES,
                                 (uint64_t)rows > UINT64_MAX / item ? UINT64_MAX : (uint64_t)rows * item,
                                 "report: what was said of each example", error);
    int64_t room = cnnfi_max_i64(rows, cnnfi_min_i64(r->answer_room * 2, (int64_t)(allowed / item)));
    cnnfi_answer *grown = cnnfi_realloc(r->context, r->answers, (size_t)room * item);
    if (!grown) return cnnfi_fail_nomem(error);
    for (int64_t i = r->answer_room; i < room; i++)
        grown[i] = (cnnfi_answer){.guess = -1};
    r->answers = grown;
    r->answer_room = room;
    return CNNF_OK;
}

static bool compare_answers(cnnf_report *r, cnnfi_example *example, const cnnf_tensor *images, int64_t at)
{
    const cnnfi_answer before = example->row < r->answer_room ? r->answers[example->row] : (cnnfi_answer){.guess = -1};
    const cnnfi_answer after = example->answers[1];
    if (before.guess < 0) return true;
    r->compared++;
    if (before.guess == after.guess) return true;
    example->answers[0] = before;
    example->kind = before.guess == example->label  ? CNNFI_BROKEN
                    : after.guess == example->label ? CNNFI_MENDED
                                                    : CNNFI_OTHER;
    r->differing[example->kind]++;
    return keep(r, &r->differences, example, images, at);
}

static bool add_example(cnnf_report *r, int32_t at, const cnnfi_example *example, const cnnf_tensor *images,
                        int64_t batch_row)
{
    cnnfi_run *run = &r->runs[at];
    cnnfi_example mistake = *example, both = *example;
    const cnnfi_answer answer = example->answers[at];
    const bool right = answer.guess == example->label;
    count_confidence(run, answer, right);
    if (at == 0) r->answers[example->row] = answer;
    if (at == 1 && !compare_answers(r, &both, images, batch_row)) return false;
    return right || keep(r, &run->mistakes, &mistake, images, batch_row);
}

/* The images of a batch when they can be drawn, else NULL. A batch of a fixed size may have more rows than labels. */
static cnnf_status take_images(cnnf_tensor **out, const cnnf_tensor *images, int64_t n, cnnf_error *error)
{
    *out = NULL;
    if (!images || cnnf_tensor_dtype(images) != CNNF_FLOAT || cnnf_tensor_rank(images) < 2 ||
        cnnf_tensor_dim(images, 0) < n || cnnf_tensor_element_count(images) < 1)
        return CNNF_OK;
    return cnnf_tensor_load(out, images, error);
}

static cnnf_status add_rows(cnnf_report *r, int32_t at, const cnnf_tensor *predictions, const cnnf_tensor *labels,
                            const cnnf_tensor *images, int64_t first_row, cnnf_error *error)
{
    const int64_t n = cnnf_tensor_element_count(labels);
    const int64_t columns = n ? cnnf_tensor_element_count(predictions) / n : 0;
    const float *p = cnnf_tensor_data(predictions);
    const int64_t *label = cnnf_tensor_data(labels);
    for (int64_t i = 0; i < n; i++, p += columns) {
        cnnfi_example example = {.row = first_row + i, .label = label[i]};
        example.answers[at] = answer_of(p, columns, r->classes);
        if (isnan(example.answers[at].confidence)) example.answers[at].confidence = INFINITY; /* the worst, first */
        if (!add_example(r, at, &example, images, i)) return cnnfi_fail_nomem(error);
    }
    return CNNF_OK;
}

cnnf_status cnnf_report_add(cnnf_report *report, const cnnf_tensor *images, const cnnf_tensor *predictions,
                            const cnnf_tensor *labels, int64_t first_row, cnnf_error *error)
{
    cnnf_error_clear(error);
    cnnf_tensor *shown = NULL, *p = NULL, *l = NULL;
    int64_t end = 0;
    if (!report || !predictions || !labels) return cnnfi_fail_null(error, __func__);
    const int32_t at = open_run(report);
    const int64_t n = cnnf_tensor_element_count(labels);
    if (at < 0) return cnnfi_fail(error, CNNF_E_INVALID, "report: no run has begun");
    if (first_row < 0 || !cnnfi_add_i64(&end, first_row, n))
        return cnnfi_fail(error, CNNF_E_INVALID, "report: %lld examples from row %lld", (long long)n,
                          (long long)first_row);
    cnnf_status status = cnnf_tensor_load(&p, predictions, error);
    if (!status) status = cnnf_tensor_load(&l, labels, error);
    if (!status) status = take_images(&shown, images, n, error);
    if (!status && at == 0) status = make_rows(report, end, error);
    if (!status) status = cnnf_metrics_add(report->runs[at].metrics, p, l, first_row, error);
    if (!status) status = add_rows(report, at, p, l, shown, first_row, error);
    cnnf_tensor_unref(shown);
    cnnf_tensor_unref(p);
    cnnf_tensor_unref(l);
    return status;
}

/* ---- writing ---- */

static cnnf_status write_report(cnnfi_strbuf *text, cnnfi_arena *arena, const cnnf_report *report, int32_t format,
                                cnnf_error *error)
{
    cnnfi_facts facts[CNNFI_REPORT_RUNS];
    const int32_t runs = cnnfi_report_run_count(report);
    if (!runs || open_run(report) >= 0) return cnnfi_fail(error, CNNF_E_INVALID, "report: no run has ended");
    for (int32_t i = 0; i < runs; i++) {
        if (!cnnfi_report_facts(&facts[i], arena, report, i)) return cnnfi_fail_nomem(error);
    }
    if (format == CNNF_REPORT_JSON)
        cnnfi_report_json(text, report, facts);
    else
        cnnfi_report_html(text, report, facts);
    return CNNF_OK;
}

cnnf_status cnnf_report_write(cnnf_buffer **out, const cnnf_report *report, int32_t format, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (out) *out = NULL;
    if (!out || !report) return cnnfi_fail_null(error, __func__);
    CNNFI_TRY(cnnfi_check_formats(format, CNNFI_FORMAT(CNNF_REPORT_JSON) | CNNFI_FORMAT(CNNF_REPORT_HTML), error));
    cnnfi_arena arena;
    cnnfi_strbuf text;
    cnnfi_arena_init(&arena, report->context);
    cnnfi_strbuf_init(&text, report->context);
    cnnf_status status = write_report(&text, &arena, report, format, error);
    if (!status) status = cnnfi_strbuf_finish(&text, out, error);
    cnnfi_strbuf_free(&text);
    cnnfi_arena_free(&arena);
    return status;
}
