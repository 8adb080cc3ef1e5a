/* SPDX-License-Identifier: Apache-2.0 */
/* Heat map, bars and curves: tables that are drawn by their style, and SVG. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "evaluation/report/report_parts.h"

static const char *const second[CNNFI_REPORT_RUNS] = {"", " two"};

/* ---- confusion matrix ---- */

#define NARROW 20 /* classes whose counts are written into the cells */

/* "3 taken for 5: 12 of 980 (1.2 %)" */
static void put_cell_title(cnnfi_strbuf *out, const cnnf_report *report, const cnnfi_class_facts *label, int64_t guess,
                           int64_t count)
{
    cnnfi_html_class(out, report, label->label);
    cnnfi_strbuf_puts(out, label->label == guess ? " recognised: " : " taken for ");
    if (label->label != guess) {
        cnnfi_html_class(out, report, guess);
        cnnfi_strbuf_puts(out, ": ");
    }
    cnnfi_html_count(out, count);
    cnnfi_strbuf_puts(out, " of ");
    cnnfi_html_count(out, label->images);
    cnnfi_strbuf_puts(out, " (");
    cnnfi_html_percent(out, (double)count / (double)label->images, 1);
    cnnfi_strbuf_putc(out, ')');
}

/* The deeper, the larger the share of the label's images; a single mistake is seen too. */
static void put_cell(cnnfi_strbuf *out, const cnnf_report *report, const cnnfi_class_facts *label, int64_t guess,
                     int64_t count)
{
    if (!count) {
        cnnfi_strbuf_puts(out, "<td>0</td>");
        return;
    }
    const double part = (double)count / (double)label->images;
    const bool hit = label->label == guess;
    const double depth = hit ? 0.15 + 0.85 * part : 0.18 + 0.82 * sqrt(part);
    cnnfi_strbuf_printf(out, "<td class=\"%c%s\" style=\"--a:", hit ? 'h' : 'm', depth > 0.6 ? " x" : "");
    cnnfi_html_fixed(out, depth, 2);
    cnnfi_strbuf_puts(out, "\" title=\"");
    put_cell_title(out, report, label, guess, count);
    cnnfi_strbuf_printf(out, "\">%" PRId64 "</td>", count);
}

static bool has_long_names(const cnnf_report *report, const cnnfi_facts *facts)
{
    char room[24];
    for (int64_t i = 0; i < facts->n_classes; i++) {
        if (strlen(cnnfi_report_class_name(report, facts->classes[i].label, room)) > 3) return true;
    }
    return facts->n_classes > NARROW;
}

void cnnfi_html_matrix(cnnfi_strbuf *out, const cnnf_report *report, int32_t run, const cnnfi_facts *facts)
{
    const bool turn = has_long_names(report, facts);
    cnnfi_strbuf_printf(out,
                        "<div class=\"scroll\"><table class=\"heat%s\"><caption>Rows: what an image is. Columns: what "
                        "it was taken for.</caption><thead><tr><td style=\"background:none\"></td>",
                        facts->n_classes > NARROW ? " dense" : "");
    for (int64_t k = 0; k < facts->n_classes; k++) {
        cnnfi_strbuf_puts(out, turn ? "<th scope=\"col\"><span class=\"turn\">" : "<th scope=\"col\">");
        cnnfi_html_class(out, report, facts->classes[k].label);
        cnnfi_strbuf_puts(out, turn ? "</span></th>" : "</th>");
    }
    cnnfi_strbuf_puts(out, "</tr></thead><tbody>\n");
    for (int64_t i = 0; i < facts->n_classes; i++) {
        const cnnfi_class_facts *label = &facts->classes[i];
        cnnfi_strbuf_puts(out, "<tr><th scope=\"row\">");
        cnnfi_html_class(out, report, label->label);
        cnnfi_strbuf_puts(out, "</th>");
        for (int64_t k = 0; k < facts->n_classes; k++) {
            const int64_t guess = facts->classes[k].label;
            put_cell(out, report, label, guess, cnnf_metrics_confusion(report->runs[run].metrics, label->label, guess));
        }
        cnnfi_strbuf_puts(out, "</tr>\n");
    }
    cnnfi_strbuf_puts(out, "</tbody></table></div>\n");
}

void cnnfi_html_pairs(cnnfi_strbuf *out, const cnnf_report *report, const cnnfi_facts *facts)
{
    if (!facts->n_pairs) {
        cnnfi_strbuf_puts(out, "<p>No image was taken for another class.</p>\n");
        return;
    }
    cnnfi_strbuf_puts(out, "<div class=\"scroll\"><table class=\"plain\"><caption>The commonest confusions, ");
    cnnfi_html_count(out, facts->n_pairs);
    cnnfi_strbuf_puts(out, " of ");
    cnnfi_html_count(out, facts->n_confused);
    cnnfi_strbuf_puts(out, " kinds.</caption><thead><tr><th scope=\"col\">Class</th><th scope=\"col\">Taken for</th>"
                           "<th scope=\"col\">Images</th></tr></thead><tbody>\n");
    for (int64_t i = 0; i < facts->n_pairs; i++) {
        cnnfi_strbuf_puts(out, "<tr><th scope=\"row\">");
        cnnfi_html_class(out, report, facts->pairs[i].label);
        cnnfi_strbuf_puts(out, "</th><td>");
        cnnfi_html_class(out, report, facts->pairs[i].guess);
        cnnfi_strbuf_puts(out, "</td><td>");
        cnnfi_html_count(out, facts->pairs[i].count);
        cnnfi_strbuf_puts(out, "</td></tr>\n");
    }
    cnnfi_strbuf_puts(out, "</tbody></table></div>\n");
}

/* ---- bars per class ---- */

static int by_f1(const void *a, const void *b)
{
    const cnnfi_class_facts *left = *(const cnnfi_class_facts *const *)a;
    const cnnfi_class_facts *right = *(const cnnfi_class_facts *const *)b;
    if (left->f1 < right->f1 || left->f1 > right->f1) return left->f1 < right->f1 ? -1 : 1;
    return left->label < right->label ? -1 : 1;
}

/* The classes of a table: all in order, or those of least F1. In the arena; NULL = no memory. */
static const cnnfi_class_facts **choose_rows(int64_t *shown, const cnnfi_facts *facts, cnnfi_arena *arena)
{
    const cnnfi_class_facts **rows = cnnfi_arena_array(arena, (size_t)facts->n_classes + 1, sizeof *rows);
    *shown = rows ? facts->n_classes : 0;
    for (int64_t i = 0; i < *shown; i++)
        rows[i] = &facts->classes[i];
    if (*shown > CNNFI_REPORT_ROWS) {
        qsort(rows, (size_t)*shown, sizeof *rows, by_f1);
        *shown = CNNFI_REPORT_ROWS;
    }
    return rows;
}

static void put_bar(cnnfi_strbuf *out, const double *shares, int32_t runs)
{
    cnnfi_strbuf_puts(out, "<td class=\"bar\">");
    for (int32_t i = 0; i < runs; i++) {
        cnnfi_strbuf_puts(out, i ? "<span class=\"two\"><i style=\"width:" : "<span><i style=\"width:");
        cnnfi_html_fixed(out, 100 * shares[i], 1);
        cnnfi_strbuf_puts(out, "%\"></i></span>");
    }
    cnnfi_strbuf_puts(out, "<b>");
    for (int32_t i = 0; i < runs; i++) {
        if (i) cnnfi_strbuf_puts(out, "<br>");
        cnnfi_html_fixed(out, 100 * shares[i], 1);
    }
    cnnfi_strbuf_puts(out, "</b></td>");
}

static void put_class_row(cnnfi_strbuf *out, const cnnf_report *report, const cnnfi_facts *facts,
                          const cnnfi_class_facts *first)
{
    const int32_t runs = cnnfi_report_run_count(report);
    const int64_t at = first - facts[0].classes;
    double shares[3][CNNFI_REPORT_RUNS] = {{0}};
    for (int32_t i = 0; i < runs; i++) {
        const cnnfi_class_facts *c = &facts[i].classes[at];
        shares[0][i] = c->precision;
        shares[1][i] = c->recall;
        shares[2][i] = c->f1;
    }
    cnnfi_strbuf_puts(out, "<tr><th scope=\"row\">");
    cnnfi_html_class(out, report, first->label);
    cnnfi_strbuf_puts(out, "</th><td>");
    cnnfi_html_count(out, first->images);
    cnnfi_strbuf_puts(out, "</td>");
    for (int i = 0; i < 3; i++)
        put_bar(out, shares[i], runs);
    cnnfi_strbuf_puts(out, "</tr>\n");
}

void cnnfi_html_classes(cnnfi_strbuf *out, const cnnf_report *report, const cnnfi_facts *facts)
{
    int64_t shown = 0;
    cnnfi_arena arena;
    cnnfi_arena_init(&arena, report->context);
    const cnnfi_class_facts **rows = choose_rows(&shown, facts, &arena);
    out->failed = out->failed || !rows;
    cnnfi_strbuf_puts(out, "<div class=\"scroll\"><table class=\"bars\"><caption>In percent");
    if (facts->n_classes > shown) {
        cnnfi_strbuf_puts(out, "; the ");
        cnnfi_html_count(out, shown);
        cnnfi_strbuf_puts(out, " classes of least F1, of ");
        cnnfi_html_count(out, facts->n_classes);
    }
    cnnfi_strbuf_puts(out, ".</caption><thead><tr><th scope=\"col\">Class</th><th scope=\"col\">Images</th>"
                           "<th scope=\"col\">Precision</th><th scope=\"col\">Recall</th><th scope=\"col\">F1</th></tr>"
                           "</thead><tbody>\n");
    for (int64_t i = 0; i < shown; i++)
        put_class_row(out, report, facts, rows[i]);
    cnnfi_arena_free(&arena);
    cnnfi_strbuf_puts(out, "</tbody></table></div>\n");
}

/* ---- class balance ---- */

#define BALANCE_HEIGHT 150.0
#define BALANCE_MOST   1000 /* columns */

static void put_attribute(cnnfi_strbuf *out, const char *name, double value)
{
    cnnfi_strbuf_printf(out, " %s=\"", name);
    cnnfi_html_fixed(out, value, 1);
    cnnfi_strbuf_putc(out, '"');
}

static int64_t most_in_a_class(const cnnfi_facts *facts, int32_t runs)
{
    int64_t most = 1;
    for (int32_t r = 0; r < runs; r++) {
        for (int64_t i = 0; i < facts[r].n_classes; i++) {
            const cnnfi_class_facts *c = &facts[r].classes[i];
            most = c->images > most ? c->images : most;
            most = c->guesses > most ? c->guesses : most;
        }
    }
    return most;
}

static void put_column(cnnfi_strbuf *out, const cnnf_report *report, const cnnfi_facts *facts, int64_t at, double x,
                       double width, double scale)
{
    const cnnfi_class_facts *c = &facts[0].classes[at];
    const double top = BALANCE_HEIGHT - (double)c->images * scale;
    cnnfi_strbuf_puts(out, "<g><title>");
    cnnfi_html_class(out, report, c->label);
    cnnfi_strbuf_printf(out, ": %" PRId64 " images", c->images);
    for (int32_t r = 0; r < cnnfi_report_run_count(report); r++)
        cnnfi_strbuf_printf(out, ", guessed %" PRId64 " times", facts[r].classes[at].guesses);
    cnnfi_strbuf_puts(out, "</title><rect class=\"labels\"");
    put_attribute(out, "x", x + width * 0.1);
    put_attribute(out, "y", 10 + top);
    put_attribute(out, "width", width * 0.8);
    put_attribute(out, "height", BALANCE_HEIGHT - top);
    cnnfi_strbuf_puts(out, "/>");
    for (int32_t r = 0; r < cnnfi_report_run_count(report); r++) {
        const double y = 10 + BALANCE_HEIGHT - (double)facts[r].classes[at].guesses * scale;
        cnnfi_strbuf_printf(out, "<path class=\"guess%s\" d=\"M", second[r]);
        cnnfi_html_fixed(out, x + width * (r ? 0.5 : 0.1), 1);
        cnnfi_strbuf_putc(out, ' ');
        cnnfi_html_fixed(out, y, 1);
        cnnfi_strbuf_putc(out, 'h');
        cnnfi_html_fixed(out, width * (cnnfi_report_run_count(report) == 1 ? 0.8 : 0.4), 1);
        cnnfi_strbuf_puts(out, "\"/>");
    }
    cnnfi_strbuf_puts(out, "</g>\n");
}

/* Names below the columns, turned when they are long. */
static void put_column_name(cnnfi_strbuf *out, const cnnf_report *report, int64_t label, double x, bool turn)
{
    cnnfi_strbuf_puts(out, "<text");
    if (turn) {
        cnnfi_strbuf_puts(out, " text-anchor=\"end\" transform=\"translate(");
        cnnfi_html_fixed(out, x + 4, 1);
        cnnfi_strbuf_puts(out, " 170) rotate(-45)\">");
    } else {
        cnnfi_strbuf_puts(out, " text-anchor=\"middle\"");
        put_attribute(out, "x", x);
        cnnfi_strbuf_puts(out, " y=\"176\">");
    }
    cnnfi_html_class(out, report, label);
    cnnfi_strbuf_puts(out, "</text>\n");
}

void cnnfi_html_balance(cnnfi_strbuf *out, const cnnf_report *report, const cnnfi_facts *facts)
{
    const int64_t n = facts->n_classes < BALANCE_MOST ? facts->n_classes : BALANCE_MOST;
    const bool named = n <= CNNFI_REPORT_ROWS, turn = has_long_names(report, facts);
    const double width = 860.0 / (double)(n ? n : 1), column = width < 60 ? width : 60;
    const double scale = BALANCE_HEIGHT / (double)most_in_a_class(facts, cnnfi_report_run_count(report));
    cnnfi_strbuf_printf(
        out,
        "<svg viewBox=\"0 0 920 %d\" width=\"920\" role=\"img\" aria-label=\"Images and guesses of each "
        "class\"><path class=\"axis\" d=\"M50 10v150h865\"/><text x=\"44\" y=\"14\" "
        "text-anchor=\"end\">",
        !named ? 170
        : turn ? 250
               : 184);
    cnnfi_html_count(out, most_in_a_class(facts, cnnfi_report_run_count(report)));
    cnnfi_strbuf_puts(out, "</text><text x=\"44\" y=\"164\" text-anchor=\"end\">0</text>\n");
    for (int64_t i = 0; i < n; i++) {
        const double x = 52 + column * (double)i;
        put_column(out, report, facts, i, x, column, scale);
        if (named) put_column_name(out, report, facts->classes[i].label, x + column / 2, turn);
    }
    cnnfi_strbuf_puts(out, "</svg>\n");
}

/* ---- calibration ---- */

/* The square from (46, 12) to (306, 272). */
static double across(double share)
{
    return 46 + 260 * share;
}

static double up(double share)
{
    return 272 - 260 * share;
}

static double bin_confidence(const cnnfi_bin *bin)
{
    return (double)bin->confidence / CNNFI_CONFIDENCE_UNIT / (double)bin->count;
}

static void put_points(cnnfi_strbuf *out, const cnnfi_run *run, int32_t at)
{
    const double all = (double)cnnf_metrics_count(run->metrics);
    for (int i = 0; i < CNNFI_REPORT_BINS; i++) {
        const cnnfi_bin *bin = &run->bins[i];
        if (!bin->count) continue;
        cnnfi_strbuf_printf(out, "<circle class=\"point%s\"", second[at]);
        put_attribute(out, "cx", across(bin_confidence(bin)));
        put_attribute(out, "cy", up((double)bin->correct / (double)bin->count));
        put_attribute(out, "r", 3 + 9 * sqrt((double)bin->count / all));
        cnnfi_strbuf_puts(out, "><title>");
        cnnfi_html_count(out, bin->count);
        cnnfi_strbuf_puts(out, " images: confidence ");
        cnnfi_html_percent(out, bin_confidence(bin), 1);
        cnnfi_strbuf_puts(out, ", right ");
        cnnfi_html_percent(out, (double)bin->correct / (double)bin->count, 1);
        cnnfi_strbuf_puts(out, "</title></circle>\n");
    }
}

static void put_curve(cnnfi_strbuf *out, const cnnfi_run *run, int32_t at)
{
    bool begun = false;
    cnnfi_strbuf_printf(out, "<path class=\"line%s\" d=\"", second[at]);
    for (int i = 0; i < CNNFI_REPORT_BINS; i++) {
        const cnnfi_bin *bin = &run->bins[i];
        if (!bin->count) continue;
        cnnfi_strbuf_putc(out, begun ? 'L' : 'M');
        cnnfi_html_fixed(out, across(bin_confidence(bin)), 1);
        cnnfi_strbuf_putc(out, ' ');
        cnnfi_html_fixed(out, up((double)bin->correct / (double)bin->count), 1);
        begun = true;
    }
    cnnfi_strbuf_puts(out, "\"/>\n");
    put_points(out, run, at);
}

static void put_calibration_row(cnnfi_strbuf *out, const cnnf_report *report, int bin)
{
    cnnfi_strbuf_printf(out, "<tr><th scope=\"row\">%d – %d %%</th>", 100 * bin / CNNFI_REPORT_BINS,
                        100 * (bin + 1) / CNNFI_REPORT_BINS);
    for (int32_t r = 0; r < cnnfi_report_run_count(report); r++) {
        const cnnfi_bin *b = &report->runs[r].bins[bin];
        cnnfi_strbuf_puts(out, "<td>");
        cnnfi_html_count(out, b->count);
        cnnfi_strbuf_puts(out, "</td><td>");
        if (b->count)
            cnnfi_html_percent(out, (double)b->correct / (double)b->count, 1);
        else
            cnnfi_strbuf_puts(out, "–");
        cnnfi_strbuf_puts(out, "</td>");
    }
    cnnfi_strbuf_puts(out, "</tr>\n");
}

void cnnfi_html_calibration(cnnfi_strbuf *out, const cnnf_report *report)
{
    cnnfi_strbuf_puts(out, "<div class=\"pair\"><svg viewBox=\"0 0 330 310\" width=\"330\" role=\"img\" "
                           "aria-label=\"Accuracy over confidence\"><path class=\"axis\" d=\"M46 12v260h260\"/>"
                           "<path class=\"ideal\" d=\"M46 272L306 12\"/>");
    for (int i = 0; i <= 4; i++) {
        cnnfi_strbuf_printf(out,
                            "<text x=\"%d\" y=\"288\" text-anchor=\"middle\">%d</text><text x=\"40\" y=\"%d\" "
                            "text-anchor=\"end\">%d</text>",
                            46 + 65 * i, 25 * i, 276 - 65 * i, 25 * i);
    }
    cnnfi_strbuf_puts(out, "<text x=\"176\" y=\"305\" text-anchor=\"middle\">confidence, %</text><text "
                           "transform=\"translate(11 142) rotate(-90)\" text-anchor=\"middle\">right, %</text>\n");
    for (int32_t r = 0; r < cnnfi_report_run_count(report); r++) {
        if (cnnfi_report_is_calibrated(&report->runs[r])) put_curve(out, &report->runs[r], r);
    }
    cnnfi_strbuf_puts(out, "</svg><div class=\"scroll\"><table class=\"plain\"><thead><tr><th "
                           "scope=\"col\">Confidence</th>");
    for (int32_t r = 0; r < cnnfi_report_run_count(report); r++) {
        cnnfi_strbuf_printf(
            out, "<th scope=\"col\"><span class=\"dot%s\"></span>Images</th><th scope=\"col\">Right</th>", second[r]);
    }
    cnnfi_strbuf_puts(out, "</tr></thead><tbody>\n");
    for (int i = 0; i < CNNFI_REPORT_BINS; i++)
        put_calibration_row(out, report, i);
    cnnfi_strbuf_puts(out, "</tbody></table></div></div>\n");
}
