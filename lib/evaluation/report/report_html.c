/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A report for people: one HTML file without script, whose policy forbids any request. What comes from files (names of
 * classes, graphs, data sets) goes through cnnfi_html_text() and nothing else.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include <cnnfreeze/version.h>

#include "base/num.h"
#include "evaluation/report/report_parts.h"
#include "evaluation/report/report_style.h"

/* ---- words and numbers ---- */

void cnnfi_html_text(cnnfi_strbuf *out, const char *text)
{
    static const struct {
        char c;
        const char *entity;
    } special[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    for (; *text; text++) {
        const char *entity = NULL;
        for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
            if (*text == special[i].c) entity = special[i].entity;
        }
        if (entity)
            cnnfi_strbuf_puts(out, entity);
        else
            cnnfi_strbuf_putc(out, *text);
    }
}

void cnnfi_html_fixed(cnnfi_strbuf *out, double value, int digits)
{
    char text[352];
    if (!isfinite(value)) {
        cnnfi_strbuf_puts(out, "–");
        return;
    }
    cnnfi_format_fixed(text, value, digits);
    cnnfi_strbuf_puts(out, text);
}

void cnnfi_html_percent(cnnfi_strbuf *out, double share, int digits)
{
    cnnfi_html_fixed(out, 100 * share, digits);
    cnnfi_strbuf_puts(out, "\xc2\xa0%"); /* no-break space */
}

void cnnfi_html_count(cnnfi_strbuf *out, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, value);
    for (size_t left = strlen(text), i = 0; left > 0; left--, i++) {
        if (i && left % 3 == 0 && text[i - 1] != '-') cnnfi_strbuf_putc(out, ',');
        cnnfi_strbuf_putc(out, text[i]);
    }
}

void cnnfi_html_class(cnnfi_strbuf *out, const cnnf_report *report, int64_t label)
{
    char room[24];
    cnnfi_html_text(out, cnnfi_report_class_name(report, label, room));
}

void cnnfi_html_run(cnnfi_strbuf *out, const cnnf_report *report, int32_t run)
{
    if (cnnfi_report_run_count(report) > 1)
        cnnfi_strbuf_puts(out, run ? "<span class=\"dot two\"></span>" : "<span class=\"dot\"></span>");
    cnnfi_html_text(out, report->runs[run].name);
}

static void put_heading(cnnfi_strbuf *out, const char *title, const char *note)
{
    cnnfi_strbuf_printf(out, "<section><h2>%s</h2>\n<p class=\"note\">%s</p>\n", title, note);
}

/* The run's name above its part of a section, when there are two. */
static void put_run_heading(cnnfi_strbuf *out, const cnnf_report *report, int32_t run)
{
    if (cnnfi_report_run_count(report) < 2) return;
    cnnfi_strbuf_puts(out, "<h3>");
    cnnfi_html_run(out, report, run);
    cnnfi_strbuf_puts(out, "</h3>\n");
}

/* ---- heading ---- */

static void put_head(cnnfi_strbuf *out, const cnnf_report *report)
{
    const char *title = report->title ? report->title : report->runs[0].name;
    cnnfi_strbuf_puts(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                           "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
                           "style-src 'unsafe-inline'\">\n"
                           "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                           "<link rel=\"icon\" href=\"data:,\">\n<title>");
    cnnfi_html_text(out, title);
    cnnfi_strbuf_puts(out, "</title>\n<style>\n");
    for (const char *const *piece = cnnfi_report_style; *piece; piece++)
        cnnfi_strbuf_puts(out, *piece);
    cnnfi_strbuf_puts(out, "</style></head>\n<body><header><h1>");
    cnnfi_html_text(out, title);
    cnnfi_strbuf_puts(out, "</h1>\n<dl>");
    for (size_t i = 0; i < report->n_facts; i++) {
        cnnfi_strbuf_puts(out, "<div><dt>");
        cnnfi_html_text(out, report->facts[i][0]);
        cnnfi_strbuf_puts(out, "</dt><dd>");
        cnnfi_html_text(out, report->facts[i][1]);
        cnnfi_strbuf_puts(out, "</dd></div>\n");
    }
    cnnfi_strbuf_puts(out, "</dl></header>\n<main>\n");
}

/* ---- accuracy, side by side ---- */

static void put_percent_line(cnnfi_strbuf *out, const char *name, double share)
{
    cnnfi_strbuf_printf(out, "<div><dt>%s</dt><dd>", name);
    cnnfi_html_percent(out, share, 2);
    cnnfi_strbuf_puts(out, "</dd></div>");
}

static void put_count_line(cnnfi_strbuf *out, const char *name, int64_t count)
{
    cnnfi_strbuf_printf(out, "<div><dt>%s</dt><dd>", name);
    cnnfi_html_count(out, count);
    cnnfi_strbuf_puts(out, "</dd></div>");
}

static void put_run_card(cnnfi_strbuf *out, const cnnf_report *report, int32_t run, const cnnfi_facts *facts)
{
    const cnnf_metrics *m = report->runs[run].metrics;
    cnnfi_strbuf_puts(out, "<article class=\"card\"><h2>");
    cnnfi_html_run(out, report, run);
    cnnfi_strbuf_puts(out, "</h2><p class=\"big\">");
    cnnfi_html_percent(out, cnnf_metrics_accuracy(m), 2);
    cnnfi_strbuf_puts(out, "</p><dl>");
    put_count_line(out, "Images", cnnf_metrics_count(m));
    put_count_line(out, "Mistakes", cnnf_metrics_count(m) - cnnf_metrics_correct(m));
    if (report->classes > 5) put_percent_line(out, "Top-5 accuracy", cnnf_metrics_topk(m, 5));
    put_percent_line(out, "F1, mean of the classes", facts->f1);
    cnnfi_strbuf_puts(out, "<div><dt>Loss (cross entropy)</dt><dd>");
    cnnfi_html_fixed(out, cnnf_metrics_loss(m), 4);
    cnnfi_strbuf_puts(out, "</dd></div></dl></article>\n");
}

static void put_difference_card(cnnfi_strbuf *out, const cnnf_report *report)
{
    const double points =
        100 * (cnnf_metrics_accuracy(report->runs[1].metrics) - cnnf_metrics_accuracy(report->runs[0].metrics));
    cnnfi_strbuf_printf(out, "<article class=\"card\"><h2>Second against first</h2><p class=\"big %s\">%s",
                        points < 0   ? "down"
                        : points > 0 ? "up"
                                     : "",
                        points < 0   ? "−"
                        : points > 0 ? "+"
                                     : "");
    cnnfi_html_fixed(out, fabs(points), 2);
    cnnfi_strbuf_puts(out, "</p><dl><div><dt>percentage points of accuracy</dt></div>");
    put_count_line(out, "Same class", report->compared - cnnf_report_differing(report));
    put_count_line(out, "Right, now wrong", report->differing[CNNFI_BROKEN]);
    put_count_line(out, "Wrong, now right", report->differing[CNNFI_MENDED]);
    put_count_line(out, "Wrong in another way", report->differing[CNNFI_OTHER]);
    cnnfi_strbuf_puts(out, "</dl></article>\n");
}

static void put_cards(cnnfi_strbuf *out, const cnnf_report *report, const cnnfi_facts *facts)
{
    const int32_t runs = cnnfi_report_run_count(report);
    cnnfi_strbuf_puts(out, "<section class=\"cards\" aria-label=\"Accuracy\">\n");
    for (int32_t i = 0; i < runs; i++)
        put_run_card(out, report, i, &facts[i]);
    if (runs > 1) put_difference_card(out, report);
    cnnfi_strbuf_puts(out, "</section>\n");
}

/* ---- sections ---- */

static void put_confusion(cnnfi_strbuf *out, const cnnf_report *report, const cnnfi_facts *facts)
{
    const bool matrix = facts->n_classes <= CNNFI_REPORT_MATRIX;
    put_heading(out, "Confusion",
                "What was taken for what. Blue is right, red is wrong; the deeper, the larger the share "
                "of the row. Point at a cell for its count.");
    cnnfi_strbuf_puts(out, "<div class=\"pair\">\n");
    for (int32_t i = 0; i < cnnfi_report_run_count(report); i++) {
        cnnfi_strbuf_puts(out, "<div>");
        put_run_heading(out, report, i);
        if (matrix)
            cnnfi_html_matrix(out, report, i, &facts[i]);
        else
            cnnfi_html_pairs(out, report, &facts[i]);
        cnnfi_strbuf_puts(out, "</div>\n");
    }
    cnnfi_strbuf_puts(out, "</div>\n");
    if (facts->absent) {
        cnnfi_strbuf_puts(out, "<p class=\"note\">Left out: ");
        cnnfi_html_count(out, facts->absent);
        cnnfi_strbuf_puts(out, " classes of which there is no image, and for which none was taken.</p>\n");
    }
    cnnfi_strbuf_puts(out, "</section>\n");
}

static void put_calibration(cnnfi_strbuf *out, const cnnf_report *report, const cnnfi_facts *facts)
{
    bool any = false;
    put_heading(out, "Calibration",
                "How often the network is right when it is that sure. On the dashed line, confidence is "
                "what it says it is.");
    for (int32_t i = 0; i < cnnfi_report_run_count(report); i++) {
        const bool calibrated = cnnfi_report_is_calibrated(&report->runs[i]);
        any = any || calibrated;
        cnnfi_strbuf_puts(out, "<p>");
        if (cnnfi_report_run_count(report) > 1) {
            cnnfi_html_run(out, report, i);
            cnnfi_strbuf_puts(out, ": ");
        }
        if (calibrated) {
            cnnfi_strbuf_puts(out, "expected calibration error ");
            cnnfi_html_percent(out, facts[i].ece, 2);
        } else {
            cnnfi_strbuf_puts(out, "the output gives scores, no probabilities between 0 and 1");
        }
        cnnfi_strbuf_puts(out, "</p>\n");
    }
    if (any) cnnfi_html_calibration(out, report);
    cnnfi_strbuf_puts(out, "</section>\n");
}

/* ---- galleries ---- */

static void put_picture(cnnfi_strbuf *out, const cnnf_report *report, const cnnfi_example *e)
{
    const cnnfi_thumbnail *t = &e->picture;
    const size_t before = out->size;
    cnnfi_strbuf_printf(out, "<img%s width=\"%d\" height=\"%d\" alt=\"row %" PRId64 ", ",
                        t->width < 49 && t->height < 49 ? " class=\"dots\"" : "", (int)t->width, (int)t->height,
                        e->row);
    cnnfi_html_class(out, report, e->label);
    cnnfi_strbuf_puts(out, "\" src=\"");
    if (cnnfi_thumbnail_put(out, t)) {
        cnnfi_strbuf_puts(out, "\">");
        return;
    }
    if (!out->failed) out->size = before;
    cnnfi_strbuf_puts(out, "<div class=\"none\">no picture</div>");
}

static void put_answer(cnnfi_strbuf *out, const cnnf_report *report, const cnnfi_example *e, int32_t run)
{
    const cnnfi_answer answer = e->answers[run];
    cnnfi_strbuf_printf(out, "<span class=\"%s\">", answer.guess == e->label ? "right" : "wrong");
    cnnfi_html_class(out, report, answer.guess);
    cnnfi_strbuf_puts(out, "</span> ");
    if (cnnfi_report_is_calibrated(&report->runs[run]))
        cnnfi_html_percent(out, (double)answer.confidence, 1);
    else
        cnnfi_html_fixed(out, (double)answer.confidence, 3);
}

static void put_mistakes(cnnfi_strbuf *out, const cnnf_report *report, int32_t run)
{
    const cnnfi_run *r = &report->runs[run];
    const cnnfi_gallery *gallery = &r->mistakes;
    put_run_heading(out, report, run);
    if (!gallery->count) {
        cnnfi_strbuf_puts(out, "<p>None.</p>\n");
        return;
    }
    cnnfi_strbuf_puts(out, "<p class=\"soft\">");
    cnnfi_html_count(out, gallery->count);
    cnnfi_strbuf_puts(out, " of ");
    cnnfi_html_count(out, cnnf_metrics_count(r->metrics) - cnnf_metrics_correct(r->metrics));
    cnnfi_strbuf_puts(out, "</p>\n<ul class=\"gallery\">\n");
    for (int64_t i = 0; i < gallery->count; i++) {
        const cnnfi_example *e = &gallery->examples[i];
        cnnfi_strbuf_puts(out, "<li>");
        put_picture(out, report, e);
        cnnfi_strbuf_puts(out, "<p>is ");
        cnnfi_html_class(out, report, e->label);
        cnnfi_strbuf_puts(out, "<br>seen as ");
        put_answer(out, report, e, run);
        cnnfi_strbuf_printf(out, "</p><p class=\"soft\">row %" PRId64 "</p></li>\n", e->row);
    }
    cnnfi_strbuf_puts(out, "</ul>\n");
}

static void put_all_mistakes(cnnfi_strbuf *out, const cnnf_report *report)
{
    put_heading(out, "Most confident mistakes",
                "Wrong, and sure of it: mislabelled images are found here too. Rows count "
                "from 0.");
    for (int32_t i = 0; i < cnnfi_report_run_count(report); i++)
        put_mistakes(out, report, i);
    cnnfi_strbuf_puts(out, "</section>\n");
}

static void put_difference(cnnfi_strbuf *out, const cnnf_report *report, const cnnfi_example *e)
{
    cnnfi_strbuf_puts(out, "<li>");
    put_picture(out, report, e);
    cnnfi_strbuf_puts(out, "<p>is ");
    cnnfi_html_class(out, report, e->label);
    for (int32_t r = 0; r < CNNFI_REPORT_RUNS; r++) {
        cnnfi_strbuf_printf(out, "<br><span class=\"dot%s\"></span>", r ? " two" : "");
        put_answer(out, report, e, r);
    }
    cnnfi_strbuf_printf(out, "</p><p class=\"soft\">row %" PRId64 "</p></li>\n", e->row);
}

static void put_differences(cnnfi_strbuf *out, const cnnf_report *report)
{
    const cnnfi_gallery *gallery = &report->differences;
    if (cnnfi_report_run_count(report) < 2) return;
    put_heading(out, "Where the graphs differ",
                "Images that the two take for different classes: first those that were "
                "right and are wrong now.");
    if (!gallery->count)
        cnnfi_strbuf_puts(out, cnnf_report_differing(report) ? "<p>No pictures were asked for.</p>\n"
                                                             : "<p>Nowhere: every image gets the same class.</p>\n");
    else
        cnnfi_strbuf_puts(out, "<ul class=\"gallery\">\n");
    for (int64_t i = 0; i < gallery->count; i++)
        put_difference(out, report, &gallery->examples[i]);
    cnnfi_strbuf_puts(out, gallery->count ? "</ul></section>\n" : "</section>\n");
}

/* ---- timing ---- */

static void put_timing(cnnfi_strbuf *out, const cnnf_report *report)
{
    bool any = false;
    for (int32_t i = 0; i < cnnfi_report_run_count(report); i++)
        any = any || report->runs[i].seconds > 0;
    if (!any) return;
    put_heading(out, "Timing", "Reading the data set and computing, together.");
    cnnfi_strbuf_puts(out, "<div class=\"scroll\"><table class=\"plain\"><thead><tr><th scope=\"col\">Graph</th><th "
                           "scope=\"col\">Images</th><th scope=\"col\">Seconds</th><th scope=\"col\">Images/s</th><th "
                           "scope=\"col\">ms per image</th></tr></thead><tbody>\n");
    for (int32_t i = 0; i < cnnfi_report_run_count(report); i++) {
        const double seconds = report->runs[i].seconds;
        const int64_t count = cnnf_metrics_count(report->runs[i].metrics);
        cnnfi_strbuf_puts(out, "<tr><th scope=\"row\">");
        cnnfi_html_run(out, report, i);
        cnnfi_strbuf_puts(out, "</th><td>");
        cnnfi_html_count(out, count);
        cnnfi_strbuf_puts(out, "</td><td>");
        cnnfi_html_fixed(out, seconds > 0 ? seconds : (double)NAN, 2);
        cnnfi_strbuf_puts(out, "</td><td>");
        cnnfi_html_fixed(out, seconds > 0 ? (double)count / seconds : (double)NAN, 0);
        cnnfi_strbuf_puts(out, "</td><td>");
        cnnfi_html_fixed(out, seconds > 0 && count ? 1000 * seconds / (double)count : (double)NAN, 3);
        cnnfi_strbuf_puts(out, "</td></tr>\n");
    }
    cnnfi_strbuf_puts(out, "</tbody></table></div></section>\n");
}

void cnnfi_report_html(cnnfi_strbuf *out, const cnnf_report *report, const cnnfi_facts *facts)
{
    put_head(out, report);
    put_cards(out, report, facts);
    put_differences(out, report);
    put_confusion(out, report, facts);
    put_heading(out, "Classes",
                "Precision: of what was taken for the class, how much is of it. Recall: of its images, how "
                "many were recognised. F1: their harmonic mean.");
    cnnfi_html_classes(out, report, facts);
    cnnfi_strbuf_puts(out, "</section>\n");
    put_all_mistakes(out, report);
    put_calibration(out, report, facts);
    put_heading(out, "Class balance", "Columns: images of each class. Lines: how often the class was guessed.");
    cnnfi_html_balance(out, report, facts);
    cnnfi_strbuf_puts(out, "</section>\n");
    put_timing(out, report);
    cnnfi_strbuf_puts(out, "</main>\n<footer class=\"note\">Written by cnnfreeze ");
    cnnfi_html_text(out, cnnf_version_string());
    cnnfi_strbuf_puts(out, ". The same numbers for programs: <code>--report=FILE.json</code>.</footer>\n"
                           "</body></html>\n");
}
