/* SPDX-License-Identifier: Apache-2.0 */
/* int8 as FakeQuant nodes: histograms, ranges, and their report. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/num.h"
#include "evaluation/quantizer.h"
#include "graph/tensor.h"
#include "ops/fake_quant.h"

static cnnf_status build(cnnf_quantizer *q, const cnnf_graph *graph, cnnf_error *error)
{
    CNNFI_TRY(cnnfi_affine_prepare(&q->prepared, graph, &q->options, error));
    CNNFI_TRY(cnnfi_affine_insert(&q->fixed, &q->affine, &q->arena, q->prepared, &q->options, &q->notes, error));
    q->plan.fixes = q->affine.names;
    q->plan.n_fixes = q->affine.n;
    q->plan.outputs = q->outputs.names;
    q->histograms = cnnfi_arena_array(&q->arena, (q->affine.n + 1) * CNNFI_HISTOGRAM_SIZE, sizeof *q->histograms);
    return q->histograms ? CNNF_OK : cnnfi_fail_nomem(error);
}

static cnnf_status calibrating(cnnf_graph **out, const cnnf_quantizer *q, cnnf_error *error)
{
    return cnnfi_affine_observe(out, q->fixed, &q->affine, error);
}

static double *histogram_of(const cnnf_quantizer *q, size_t fix)
{
    return q->histograms + fix * CNNFI_HISTOGRAM_SIZE;
}

static void count(cnnf_quantizer *q, size_t fix, const double *found)
{
    cnnfi_fix_facts *facts = &q->facts[fix];
    double *sum = histogram_of(q, fix);
    cnnfi_histogram_add(sum, found);
    facts->batches++;
    facts->least = sum[CNNFI_HISTOGRAM_LEAST];
    facts->most = sum[CNNFI_HISTOGRAM_MOST];
    facts->elements = sum[CNNFI_HISTOGRAM_COUNT];
}

/* Numbers in bins beyond the range. */
static double beyond(const double *histogram, cnnfi_affine_range range)
{
    const double width = cnnfi_histogram_width(histogram);
    double sum = 0;
    for (int i = 0; i < CNNFI_HISTOGRAM_BINS; i++) {
        const double x = (i - CNNFI_HISTOGRAM_BINS / 2 + 0.5) * width;
        if (x < (double)range.low - width || x > (double)range.high + width)
            sum += histogram[CNNFI_HISTOGRAM_FIRST + i];
    }
    return sum;
}

static cnnf_status decide(cnnf_quantizer *q, cnnf_error *error)
{
    const size_t n = q->affine.n;
    if (!q->ranges) q->ranges = cnnfi_arena_array(&q->arena, n + 1, sizeof *q->ranges);
    if (!q->ranges) return cnnfi_fail_nomem(error);
    for (size_t i = 0; i < n; i++) {
        const int32_t like = q->affine.like[i];
        q->ranges[i] = like >= 0 ? q->ranges[like]
                                 : cnnfi_affine_choose(histogram_of(q, i), (cnnfi_affine_method)q->options.ranges,
                                                       q->options.kept);
        q->facts[i].saturated = beyond(histogram_of(q, i), q->ranges[i]);
    }
    return CNNF_OK;
}

static cnnf_status write(cnnf_graph **out, const cnnf_quantizer *q, cnnf_error *error)
{
    return cnnfi_affine_finish(out, q->fixed, &q->affine, &q->options, q->ranges, error);
}

/* ---- the report ---- */

static double share(const cnnfi_fix_facts *f)
{
    return f->elements > 0 ? f->saturated / f->elements : 0;
}

static cnnfi_fake_grid grid_of(const cnnf_quantizer *q, size_t i)
{
    return cnnfi_fake_quant_grid(q->ranges[i].low, q->ranges[i].high, 8, false);
}

static void put_columns(cnnfi_strbuf *out, const cnnf_quantizer *q, size_t i)
{
    const cnnfi_fake_grid grid = grid_of(q, i);
    const double columns[] = {(double)grid.low, (double)grid.high, q->facts[i].least, q->facts[i].most};
    char text[352];
    cnnfi_format_fixed(text, (double)grid.scale, 8);
    cnnfi_strbuf_printf(out, "%12s  %5d", text, (int)grid.zero - 128);
    for (size_t k = 0; k < sizeof columns / sizeof *columns; k++) {
        cnnfi_format_fixed(text, columns[k], 4);
        cnnfi_strbuf_printf(out, "  %10s", text);
    }
    cnnfi_format_fixed(text, 100 * share(&q->facts[i]), 3);
    cnnfi_strbuf_printf(out, "  %6s%%  ", text);
}

static void write_text(cnnfi_strbuf *out, const cnnf_quantizer *q, const double *snr)
{
    cnnfi_strbuf_printf(out, "%zu tensors and the weights of %zu products are int8, %" PRId64 " batches\n", q->affine.n,
                        q->affine.n_products, q->batches);
    cnnfi_strbuf_puts(out,
                      "       scale   zero         low        high       least        most      cut  SNR dB  node\n");
    for (size_t i = 0; i < q->affine.n; i++) {
        put_columns(out, q, i);
        cnnfi_quantizer_put_number(out, snr[i], 2, false);
        cnnfi_strbuf_printf(out, "  %s\n", q->affine.names[i]);
    }
    cnnfi_quantizer_end_text(out, q);
}

static void write_tensor(cnnfi_strbuf *out, const cnnf_quantizer *q, const double *snr, size_t i)
{
    const cnnfi_fake_grid grid = grid_of(q, i);
    const struct {
        const char *key;
        double value;
    } numbers[] = {{"scale", (double)grid.scale},
                   {"low", (double)grid.low},
                   {"high", (double)grid.high},
                   {"least", q->facts[i].least},
                   {"most", q->facts[i].most},
                   {"saturated", share(&q->facts[i])},
                   {"snr_db", snr[i]}};
    cnnfi_strbuf_puts(out, i ? ",\n  {\"node\": " : "\n  {\"node\": ");
    cnnfi_strbuf_json_string(out, q->affine.names[i]);
    cnnfi_strbuf_printf(out, ", \"zero_point\": %d", (int)grid.zero - 128);
    for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
        cnnfi_strbuf_printf(out, ", \"%s\": ", numbers[k].key);
        cnnfi_quantizer_put_number(out, numbers[k].value, 8, true);
    }
    cnnfi_strbuf_putc(out, '}');
}

static void write_json(cnnfi_strbuf *out, const cnnf_quantizer *q, const double *snr)
{
    cnnfi_strbuf_printf(out, "{\"batches\": %" PRId64 ",\n \"products\": %zu,\n \"tensors\": [", q->batches,
                        q->affine.n_products);
    for (size_t i = 0; i < q->affine.n; i++)
        write_tensor(out, q, snr, i);
    cnnfi_quantizer_end_json(out, q);
}

const cnnfi_quantizer_scheme cnnfi_quantizer_int8 = {.build = build,
                                                     .calibrating = calibrating,
                                                     .count = count,
                                                     .decide = decide,
                                                     .write = write,
                                                     .suffix = "/fake_quant",
                                                     .text = write_text,
                                                     .json = write_json};
