/* SPDX-License-Identifier: Apache-2.0 */
/* A report for programs: docs/report.schema.json. */
#include <inttypes.h>
#include <math.h>

#include <cnnfreeze/version.h>

#include "base/num.h"
#include "evaluation/report/evaluation_report.h"

/* "name": 0.5, with what comes before it; what is no number is null. */
static void put_number(cnnfi_strbuf *out, const char *before, double value)
{
    char text[32] = "null";
    if (isfinite(value)) cnnfi_format_double(text, value);
    cnnfi_strbuf_puts(out, before);
    cnnfi_strbuf_puts(out, text);
}

static void put_count(cnnfi_strbuf *out, const char *before, int64_t value)
{
    cnnfi_strbuf_printf(out, "%s%" PRId64, before, value);
}

static void put_text(cnnfi_strbuf *out, const char *before, const char *text)
{
    cnnfi_strbuf_puts(out, before);
    cnnfi_strbuf_json_string(out, text);
}

/* Rows of an array, one a line. */
static void put_row_start(cnnfi_strbuf *out, int64_t index, const char *indent)
{
    cnnfi_strbuf_puts(out, index ? ",\n" : "\n");
    cnnfi_strbuf_puts(out, indent);
}

static void put_calibration(cnnfi_strbuf *out, const cnnfi_run *run, const cnnfi_facts *facts)
{
    cnnfi_strbuf_puts(out, ",\n      \"calibration\": ");
    if (!cnnfi_report_is_calibrated(run)) {
        cnnfi_strbuf_puts(out, "null");
        return;
    }
    put_number(out, "{\"error\": ", facts->ece);
    cnnfi_strbuf_puts(out, ", \"bins\": [");
    for (int i = 0; i < CNNFI_REPORT_BINS; i++) {
        const cnnfi_bin *bin = &run->bins[i];
        const double count = (double)bin->count;
        put_row_start(out, i, "        ");
        put_number(out, "{\"from\": ", (double)i / CNNFI_REPORT_BINS);
        put_number(out, ", \"to\": ", (double)(i + 1) / CNNFI_REPORT_BINS);
        put_count(out, ", \"images\": ", bin->count);
        put_number(out, ", \"confidence\": ", (double)bin->confidence / CNNFI_CONFIDENCE_UNIT / count);
        put_number(out, ", \"accuracy\": ", (double)bin->correct / count);
        cnnfi_strbuf_putc(out, '}');
    }
    cnnfi_strbuf_puts(out, "]}");
}

static void put_classes(cnnfi_strbuf *out, const cnnf_report *report, const cnnfi_facts *facts)
{
    char room[24];
    cnnfi_strbuf_puts(out, ",\n      \"classes\": [");
    for (int64_t i = 0; i < facts->n_classes; i++) {
        const cnnfi_class_facts *c = &facts->classes[i];
        put_row_start(out, i, "        ");
        put_count(out, "{\"class\": ", c->label);
        put_text(out, ", \"name\": ", cnnfi_report_class_name(report, c->label, room));
        put_count(out, ", \"images\": ", c->images);
        put_count(out, ", \"guesses\": ", c->guesses);
        put_count(out, ", \"correct\": ", c->correct);
        put_number(out, ", \"precision\": ", c->precision);
        put_number(out, ", \"recall\": ", c->recall);
        put_number(out, ", \"f1\": ", c->f1);
        cnnfi_strbuf_putc(out, '}');
    }
    cnnfi_strbuf_putc(out, ']');
}

/* Rows and columns are the classes above, in their order. */
static void put_matrix(cnnfi_strbuf *out, const cnnf_metrics *metrics, const cnnfi_facts *facts)
{
    cnnfi_strbuf_puts(out, ",\n      \"confusion\": ");
    if (facts->n_classes > CNNFI_REPORT_MATRIX) {
        cnnfi_strbuf_puts(out, "null");
        return;
    }
    cnnfi_strbuf_putc(out, '[');
    for (int64_t i = 0; i < facts->n_classes; i++) {
        put_row_start(out, i, "        ");
        for (int64_t k = 0; k < facts->n_classes; k++)
            put_count(out, k ? ", " : "[",
                      cnnf_metrics_confusion(metrics, facts->classes[i].label, facts->classes[k].label));
        cnnfi_strbuf_putc(out, ']');
    }
    cnnfi_strbuf_putc(out, ']');
}

static void put_pairs(cnnfi_strbuf *out, const cnnfi_facts *facts)
{
    put_count(out, ",\n      \"kinds_of_confusion\": ", facts->n_confused);
    cnnfi_strbuf_puts(out, ",\n      \"confusions\": [");
    for (int64_t i = 0; i < facts->n_pairs; i++) {
        put_row_start(out, i, "        ");
        put_count(out, "{\"label\": ", facts->pairs[i].label);
        put_count(out, ", \"guess\": ", facts->pairs[i].guess);
        put_count(out, ", \"images\": ", facts->pairs[i].count);
        cnnfi_strbuf_putc(out, '}');
    }
    cnnfi_strbuf_putc(out, ']');
}

static void put_answer(cnnfi_strbuf *out, const char *before, cnnfi_answer answer)
{
    put_count(out, before, answer.guess);
    put_number(out, ", \"confidence\": ", (double)answer.confidence);
}

static void put_mistakes(cnnfi_strbuf *out, const cnnfi_gallery *gallery, int32_t at)
{
    cnnfi_strbuf_puts(out, ",\n      \"mistakes\": [");
    for (int64_t i = 0; i < gallery->count; i++) {
        const cnnfi_example *e = &gallery->examples[i];
        put_row_start(out, i, "        ");
        put_count(out, "{\"row\": ", e->row);
        put_count(out, ", \"label\": ", e->label);
        put_answer(out, ", \"guess\": ", e->answers[at]);
        cnnfi_strbuf_putc(out, '}');
    }
    cnnfi_strbuf_putc(out, ']');
}

static void put_run(cnnfi_strbuf *out, const cnnf_report *report, int32_t at, const cnnfi_facts *facts)
{
    const cnnfi_run *run = &report->runs[at];
    const cnnf_metrics *m = run->metrics;
    put_text(out, at ? ",\n    {\"name\": " : "\n    {\"name\": ", run->name);
    put_count(out, ",\n      \"images\": ", cnnf_metrics_count(m));
    put_count(out, ", \"correct\": ", cnnf_metrics_correct(m));
    put_number(out, ", \"accuracy\": ", cnnf_metrics_accuracy(m));
    put_number(out, ", \"top5\": ", report->classes > 5 ? cnnf_metrics_topk(m, 5) : (double)NAN);
    put_number(out, ", \"loss\": ", cnnf_metrics_loss(m));
    put_number(out, ",\n      \"precision\": ", facts->precision);
    put_number(out, ", \"recall\": ", facts->recall);
    put_number(out, ", \"f1\": ", facts->f1);
    put_number(out, ",\n      \"seconds\": ", run->seconds > 0 ? run->seconds : (double)NAN);
    put_number(out, ", \"images_per_second\": ",
               run->seconds > 0 ? (double)cnnf_metrics_count(m) / run->seconds : (double)NAN);
    put_calibration(out, run, facts);
    put_classes(out, report, facts);
    put_matrix(out, m, facts);
    put_pairs(out, facts);
    put_mistakes(out, &run->mistakes, at);
    cnnfi_strbuf_putc(out, '}');
}

static void put_comparison(cnnfi_strbuf *out, const cnnf_report *report)
{
    const cnnfi_gallery *gallery = &report->differences;
    put_count(out, "{\n    \"compared\": ", report->compared);
    put_count(out, ", \"same\": ", report->compared - cnnf_report_differing(report));
    put_count(out, ", \"now_wrong\": ", report->differing[CNNFI_BROKEN]);
    put_count(out, ", \"now_right\": ", report->differing[CNNFI_MENDED]);
    put_count(out, ", \"both_wrong\": ", report->differing[CNNFI_OTHER]);
    cnnfi_strbuf_puts(out, ",\n    \"examples\": [");
    for (int64_t i = 0; i < gallery->count; i++) {
        const cnnfi_example *e = &gallery->examples[i];
        put_row_start(out, i, "      ");
        put_count(out, "{\"row\": ", e->row);
        put_count(out, ", \"label\": ", e->label);
        put_answer(out, ", \"first\": {\"guess\": ", e->answers[0]);
        put_answer(out, "}, \"second\": {\"guess\": ", e->answers[1]);
        cnnfi_strbuf_puts(out, "}}");
    }
    cnnfi_strbuf_puts(out, "]\n  }");
}

void cnnfi_report_json(cnnfi_strbuf *out, const cnnf_report *report, const cnnfi_facts *facts)
{
    const int32_t runs = cnnfi_report_run_count(report);
    cnnfi_strbuf_puts(out, "{\n  \"kind\": \"report\", \"schema\": 1");
    put_text(out, ", \"version\": ", cnnf_version_string());
    put_text(out, ",\n  \"title\": ", report->title ? report->title : report->runs[0].name);
    cnnfi_strbuf_puts(out, ",\n  \"facts\": [");
    for (size_t i = 0; i < report->n_facts; i++) {
        put_row_start(out, (int64_t)i, "    ");
        put_text(out, "{\"name\": ", report->facts[i][0]);
        put_text(out, ", \"value\": ", report->facts[i][1]);
        cnnfi_strbuf_putc(out, '}');
    }
    put_count(out, "],\n  \"classes\": ", report->classes);
    put_count(out, ", \"absent_classes\": ", facts[0].absent);
    cnnfi_strbuf_puts(out, ",\n  \"runs\": [");
    for (int32_t i = 0; i < runs; i++)
        put_run(out, report, i, &facts[i]);
    cnnfi_strbuf_puts(out, "],\n  \"comparison\": ");
    if (runs == CNNFI_REPORT_RUNS)
        put_comparison(out, report);
    else
        cnnfi_strbuf_puts(out, "null");
    cnnfi_strbuf_puts(out, "\n}\n");
}
