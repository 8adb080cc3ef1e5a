/* SPDX-License-Identifier: Apache-2.0 */
/* What a quantizer has found, as text and as JSON; and how far the result is from the float graph, layer by layer. */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "base/num.h"
#include "evaluation/quantizer.h"
#include "graph/tensor.h"

/* ---- signal and noise ---- */

typedef struct comparison {
    double signal, noise;
} comparison;

/* The rounded tensor's name is FLOAT/aquant, or another suffix: the float graph has it without the end. */
static bool float_name(char *out, size_t size, const char *fix, const char *suffix)
{
    const size_t length = strlen(fix), end = strlen(suffix);
    if (length <= end || strcmp(fix + length - end, suffix) || length - end >= size) return false;
    memcpy(out, fix, length - end);
    out[length - end] = 0;
    return true;
}

static void compare(comparison *c, const cnnf_tensor *want, const cnnf_tensor *got)
{
    const float *x = cnnf_tensor_data(want), *y = cnnf_tensor_data(got);
    const int64_t n = cnnf_tensor_element_count(want);
    if (n != cnnf_tensor_element_count(got) || cnnf_tensor_dtype(want) != CNNF_FLOAT) return;
    for (int64_t i = 0; i < n; i++) {
        const double signal = (double)x[i], noise = (double)y[i] - signal;
        c->signal += signal * signal;
        c->noise += noise * noise;
    }
}

/* What is compared: names in both graphs, one entry for each activation. */
typedef struct subjects {
    const char **floats, **fixes; /* [count] */
    size_t *numbers;              /* [count] of FixNeurons */
    size_t count;
    cnnf_tensor **want, **got; /* [count] of the row at hand */
} subjects;

static bool subjects_find(subjects *s, cnnf_quantizer *q, cnnfi_arena *arena)
{
    const size_t n = q->plan.n_fixes + 1;
    *s = (subjects){.floats = cnnfi_arena_array(arena, n, sizeof *s->floats),
                    .fixes = cnnfi_arena_array(arena, n, sizeof *s->fixes),
                    .numbers = cnnfi_arena_array(arena, n, sizeof *s->numbers),
                    .want = cnnfi_arena_array(arena, n, sizeof *s->want),
                    .got = cnnfi_arena_array(arena, n, sizeof *s->got)};
    if (!s->floats || !s->fixes || !s->numbers || !s->want || !s->got) return false;
    for (size_t i = 0; i < q->plan.n_fixes; i++) {
        char name[1024];
        const cnnf_node *node = float_name(name, sizeof name, q->plan.fixes[i], q->scheme->suffix)
                                    ? cnnf_graph_find(q->prepared, name)
                                    : NULL;
        if (!node || strcmp(node->op, "Const") == 0) continue;
        s->floats[s->count] = cnnfi_arena_strdup(arena, name);
        if (!s->floats[s->count]) return false;
        s->fixes[s->count] = q->plan.fixes[i];
        s->numbers[s->count++] = i;
    }
    return true;
}

/* Runs one graph on the sample and lets its evaluator go before the next one comes: the weights of both would be twice
   as much. */
static cnnf_status run_sample(cnnf_tensor **out, const char **fetches, const subjects *s, const cnnf_quantizer *q,
                              const cnnf_graph *graph, cnnf_tensor *const *feeds, cnnf_error *error)
{
    cnnf_evaluator *evaluator = NULL;
    cnnf_status status = cnnfi_quantizer_evaluator(&evaluator, q, graph, error);
    if (!status)
        status = cnnf_evaluator_run(out, evaluator, q->inputs.names, (const cnnf_tensor *const *)feeds, q->inputs.count,
                                    fetches, s->count, error);
    cnnf_evaluator_free(evaluator);
    return status;
}

static cnnf_status compare_rows(comparison *c, const subjects *s, cnnf_quantizer *q, const cnnf_graph *rounded,
                                int64_t rows, cnnf_error *error)
{
    const size_t n = q->inputs.count;
    cnnf_tensor **feeds = cnnfi_calloc(q->context, n + 1, sizeof *feeds);
    if (!feeds) return cnnfi_fail_nomem(error);
    cnnf_status status = CNNF_OK;
    for (size_t i = 0; !status && i < n; i++)
        status = cnnfi_quantizer_rows(&feeds[i], q->sample[i], 0, rows, error);
    if (!status) status = run_sample(s->want, s->floats, s, q, q->prepared, feeds, error);
    if (!status) status = run_sample(s->got, s->fixes, s, q, rounded, feeds, error);
    for (size_t i = 0; i < s->count; i++) {
        if (!status) compare(&c[i], s->want[i], s->got[i]);
        cnnf_tensor_unref(s->want[i]);
        cnnf_tensor_unref(s->got[i]);
    }
    for (size_t i = 0; i < n; i++)
        cnnf_tensor_unref(feeds[i]);
    cnnfi_free(q->context, feeds);
    return status;
}

/* As many rows of the sample as keep what is compared small; at least one. */
static int64_t sample_rows(const cnnf_quantizer *q)
{
    enum { MOST_BYTES = 32 * 1024 * 1024 };
    double elements = 0;
    for (size_t i = 0; i < q->plan.n_fixes; i++)
        elements += q->facts[i].elements;
    const double bytes = q->examples ? elements / (double)q->examples * sizeof(float) : 0;
    const int64_t rows = bytes > 0 && bytes * CNNFI_QUANTIZER_SAMPLE > MOST_BYTES ? (int64_t)(MOST_BYTES / bytes)
                                                                                  : CNNFI_QUANTIZER_SAMPLE;
    return rows < 1 ? 1 : rows;
}

static bool has_sample(const cnnf_quantizer *q)
{
    for (size_t i = 0; i < q->inputs.count; i++) {
        if (!q->sample || !q->sample[i] || cnnf_tensor_dim(q->sample[i], 0) < 1) return false;
    }
    return true;
}

/* snr[i] in dB of FixNeuron i; NaN where it is not known. */
static cnnf_status measure(double *snr, cnnf_quantizer *q, cnnfi_arena *arena, cnnf_error *error)
{
    subjects s;
    cnnf_graph *graph = NULL;
    comparison *c = cnnfi_arena_array(arena, q->plan.n_fixes + 1, sizeof *c);
    for (size_t i = 0; i < q->plan.n_fixes; i++)
        snr[i] = (double)NAN;
    if (!c || !subjects_find(&s, q, arena)) return cnnfi_fail_nomem(error);
    if (!s.count || !has_sample(q)) return CNNF_OK;
    cnnf_status status = q->scheme->write(&graph, q, error);
    cnnfi_quantizer_rest(q);
    if (!status) status = compare_rows(c, &s, q, graph, sample_rows(q), error);
    for (size_t i = 0; !status && i < s.count; i++) {
        if (c[i].signal > 0)
            snr[s.numbers[i]] = c[i].noise > 0 ? 10 * log10(c[i].signal / c[i].noise) : (double)INFINITY;
    }
    cnnf_graph_unref(graph);
    return status;
}

/* ---- words ---- */

void cnnfi_quantizer_put_number(cnnfi_strbuf *out, double x, int digits, bool json)
{
    char text[352];
    if (!isfinite(x)) {
        cnnfi_strbuf_puts(out, json ? "null" : isnan(x) ? "-" : "inf");
        return;
    }
    cnnfi_format_fixed(text, x, digits);
    cnnfi_strbuf_puts(out, text);
}

void cnnfi_quantizer_end_text(cnnfi_strbuf *out, const cnnf_quantizer *q)
{
    for (size_t i = 0; i < q->outputs.count; i++)
        cnnfi_strbuf_printf(out, "output %s: fetch %s\n", q->outputs.names[i], q->plan.outputs[i]);
    for (const cnnfi_quantize_note *n = q->notes.first; n; n = n->next)
        cnnfi_strbuf_printf(out, "%s: %s\n", n->node, n->text);
}

void cnnfi_quantizer_end_json(cnnfi_strbuf *out, const cnnf_quantizer *q)
{
    cnnfi_strbuf_puts(out, "],\n \"outputs\": {");
    for (size_t i = 0; i < q->outputs.count; i++) {
        if (i) cnnfi_strbuf_puts(out, ", ");
        cnnfi_strbuf_json_string(out, q->outputs.names[i]);
        cnnfi_strbuf_puts(out, ": ");
        cnnfi_strbuf_json_string(out, q->plan.outputs[i]);
    }
    cnnfi_strbuf_puts(out, "},\n \"notes\": [");
    for (const cnnfi_quantize_note *n = q->notes.first; n; n = n->next) {
        cnnfi_strbuf_puts(out, n == q->notes.first ? "\n  {\"node\": " : ",\n  {\"node\": ");
        cnnfi_strbuf_json_string(out, n->node);
        cnnfi_strbuf_puts(out, ", \"text\": ");
        cnnfi_strbuf_json_string(out, n->text);
        cnnfi_strbuf_putc(out, '}');
    }
    cnnfi_strbuf_puts(out, "]}\n");
}

cnnf_status cnnf_quantizer_report(cnnf_buffer **out, cnnf_quantizer *q, int32_t json, cnnf_error *error)
{
    cnnf_error_clear(error);
    cnnfi_arena arena;
    cnnfi_strbuf text;
    if (!out) return cnnfi_fail_null(error, __func__);
    *out = NULL;
    if (!q) return cnnfi_fail_null(error, __func__);
    CNNFI_TRY(cnnfi_quantizer_decide(q, error));
    cnnfi_arena_init(&arena, q->context);
    cnnfi_strbuf_init(&text, q->context);
    double *snr = cnnfi_arena_array(&arena, q->plan.n_fixes + 1, sizeof *snr);
    cnnf_status status = snr ? measure(snr, q, &arena, error) : cnnfi_fail_nomem(error);
    if (!status && json)
        q->scheme->json(&text, q, snr);
    else if (!status)
        q->scheme->text(&text, q, snr);
    if (!status) status = cnnfi_strbuf_finish(&text, out, error);
    cnnfi_strbuf_free(&text);
    cnnfi_arena_free(&arena);
    return status;
}
