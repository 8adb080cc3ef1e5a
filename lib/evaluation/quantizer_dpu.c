/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers on the DPU's grid: FixNeuron nodes, positions, and their report. */
#include <inttypes.h>
#include <math.h>

#include "base/error.h"
#include "base/num.h"
#include "evaluation/quantizer.h"

static cnnf_status build(cnnf_quantizer *q, const cnnf_graph *graph, cnnf_error *error)
{
    CNNFI_TRY(cnnfi_quantize_prepare(&q->prepared, graph, &q->options, &q->notes, error));
    return cnnfi_quantize_insert(&q->fixed, &q->plan, &q->arena, q->prepared, &q->options, &q->notes, error);
}

static cnnf_status calibrating(cnnf_graph **out, const cnnf_quantizer *q, cnnf_error *error)
{
    return cnnfi_quantize_calibrate(out, q->fixed, error);
}

static void count(cnnf_quantizer *q, size_t fix, const double *found)
{
    cnnfi_fix_facts *facts = &q->facts[fix];
    const int64_t position = (int64_t)found[CNNFI_FIX_FACT_POSITION];
    facts->seen[position - CNNFI_FIX_MIN_POSITION]++;
    if (!facts->batches || found[CNNFI_FIX_FACT_LEAST] < facts->least) facts->least = found[CNNFI_FIX_FACT_LEAST];
    if (!facts->batches || found[CNNFI_FIX_FACT_MOST] > facts->most) facts->most = found[CNNFI_FIX_FACT_MOST];
    facts->elements += found[CNNFI_FIX_FACT_COUNT];
    facts->saturated += found[CNNFI_FIX_FACT_SATURATED];
    facts->batches++;
}

/* The most frequent one, the least of equals; 0 of a node that never ran. */
static int64_t most_frequent(const cnnfi_fix_facts *facts)
{
    size_t best = 0;
    if (!facts->batches) return 0;
    for (size_t i = 1; i < CNNFI_FIX_POSITIONS; i++) {
        if (facts->seen[i] > facts->seen[best]) best = i;
    }
    return (int64_t)best + CNNFI_FIX_MIN_POSITION;
}

static cnnf_status decide(cnnf_quantizer *q, cnnf_error *error)
{
    const size_t n = q->plan.n_fixes;
    if (!q->calibrated) q->calibrated = cnnfi_arena_array(&q->arena, n + 1, sizeof *q->calibrated);
    if (!q->adjusted) q->adjusted = cnnfi_arena_array(&q->arena, n + 1, sizeof *q->adjusted);
    if (!q->calibrated || !q->adjusted) return cnnfi_fail_nomem(error);
    for (size_t i = 0; i < n; i++)
        q->calibrated[i] = q->adjusted[i] = most_frequent(&q->facts[i]);
    return cnnfi_quantize_adjust(q->adjusted, q->fixed, &q->plan, &q->options, error);
}

static cnnf_status write(cnnf_graph **out, const cnnf_quantizer *q, cnnf_error *error)
{
    return cnnfi_quantize_position(out, q->fixed, &q->plan, q->adjusted, error);
}

/* ---- the report ---- */

static double share(const cnnfi_fix_facts *f)
{
    return f->elements > 0 ? f->saturated / f->elements : 0;
}

static void write_text(cnnfi_strbuf *out, const cnnf_quantizer *q, const double *snr)
{
    cnnfi_strbuf_printf(out, "%zu FixNeurons, %" PRId64 " batches\n", q->plan.n_fixes, q->batches);
    cnnfi_strbuf_puts(out, "position  calibrated  bits       least        most  saturated  SNR dB  node\n");
    for (size_t i = 0; i < q->plan.n_fixes; i++) {
        const cnnf_node *node = cnnf_graph_find(q->fixed, q->plan.fixes[i]);
        char least[352], most[352], cut[352];
        cnnfi_format_fixed(least, q->facts[i].least, 5);
        cnnfi_format_fixed(most, q->facts[i].most, 5);
        cnnfi_format_fixed(cut, 100 * share(&q->facts[i]), 3);
        cnnfi_strbuf_printf(out, "%8" PRId64 "  %10" PRId64 "  %4" PRId64 "  %10s  %10s  %8s%%  ", q->adjusted[i],
                            q->calibrated[i], cnnf_node_attr_int(node, "bit_width", 0), least, most, cut);
        cnnfi_quantizer_put_number(out, snr[i], 2, false);
        cnnfi_strbuf_printf(out, "  %s\n", q->plan.fixes[i]);
    }
    cnnfi_quantizer_end_text(out, q);
}

static void write_fix(cnnfi_strbuf *out, const cnnf_quantizer *q, const double *snr, size_t i)
{
    const cnnf_node *node = cnnf_graph_find(q->fixed, q->plan.fixes[i]);
    cnnfi_strbuf_puts(out, i ? ",\n  {\"node\": " : "\n  {\"node\": ");
    cnnfi_strbuf_json_string(out, q->plan.fixes[i]);
    cnnfi_strbuf_printf(out, ", \"position\": %" PRId64 ", \"calibrated_position\": %" PRId64, q->adjusted[i],
                        q->calibrated[i]);
    static const char *const keys[] = {"bit_width", "method", "mode"};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        cnnfi_strbuf_printf(out, ", \"%s\": %" PRId64, keys[k], cnnf_node_attr_int(node, keys[k], 0));
    cnnfi_strbuf_puts(out, ", \"least\": ");
    cnnfi_quantizer_put_number(out, q->facts[i].least, 8, true);
    cnnfi_strbuf_puts(out, ", \"most\": ");
    cnnfi_quantizer_put_number(out, q->facts[i].most, 8, true);
    cnnfi_strbuf_puts(out, ", \"saturated\": ");
    cnnfi_quantizer_put_number(out, share(&q->facts[i]), 8, true);
    cnnfi_strbuf_puts(out, ", \"snr_db\": ");
    cnnfi_quantizer_put_number(out, snr[i], 4, true);
    cnnfi_strbuf_putc(out, '}');
}

static void write_json(cnnfi_strbuf *out, const cnnf_quantizer *q, const double *snr)
{
    cnnfi_strbuf_printf(out, "{\"batches\": %" PRId64 ",\n \"fix_neurons\": [", q->batches);
    for (size_t i = 0; i < q->plan.n_fixes; i++)
        write_fix(out, q, snr, i);
    cnnfi_quantizer_end_json(out, q);
}

const cnnfi_quantizer_scheme cnnfi_quantizer_dpu = {.build = build,
                                                    .calibrating = calibrating,
                                                    .count = count,
                                                    .decide = decide,
                                                    .write = write,
                                                    .suffix = "/aquant",
                                                    .text = write_text,
                                                    .json = write_json};
