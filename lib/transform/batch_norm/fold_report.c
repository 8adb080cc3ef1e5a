/* SPDX-License-Identifier: Apache-2.0 */
/* The fold report: see fold_report.h. */
#include "transform/batch_norm/fold_report.h"

#include <math.h>
#include <string.h>

#include "base/num.h"

static const struct {
    const char *key, *count, *text;
} outcomes[] = {
    [CNNFI_FOLD_BACKWARD] = {"backward", "absorbed", "absorbed into"},
    [CNNFI_FOLD_FORWARD] = {"forward", "absorbed", "absorbed forwards into"},
    [CNNFI_FOLD_BOTH] = {"both", "absorbed", "absorbed before and after it, into"},
    [CNNFI_FOLD_LOWERED] = {"lowered", "lowered", "became Mul and Add"},
    [CNNFI_FOLD_KEPT] = {"kept", "kept", "stayed"},
};

static double largest_scale(const cnnfi_affine *a)
{
    double largest = 0.0;
    for (size_t i = 0; i < a->n; i++)
        largest = fmax(largest, fabs(a->scale[i]));
    return largest;
}

/* ---- for programs ---- */

static void put_number(cnnfi_strbuf *buf, const char *key, double value)
{
    char text[32];
    cnnfi_format_double(text, value);
    cnnfi_strbuf_printf(buf, ", \"%s\": %s", key, isfinite(value) ? text : "null");
}

static void put_range(cnnfi_strbuf *buf, const char *key, const double range[2])
{
    char low[32], high[32];
    cnnfi_format_double(low, range[0]);
    cnnfi_format_double(high, range[1]);
    const bool known = isfinite(range[0]) && isfinite(range[1]);
    cnnfi_strbuf_printf(buf, ", \"%s\": [%s, %s]", key, known ? low : "null", known ? high : "null");
}

static void put_string(cnnfi_strbuf *buf, const char *key, const char *text)
{
    if (!text) return;
    cnnfi_strbuf_printf(buf, ", \"%s\": ", key);
    cnnfi_strbuf_json_string(buf, text);
}

static void put_changes(cnnfi_strbuf *buf, const cnnfi_weight_change *changes)
{
    cnnfi_strbuf_puts(buf, ", \"into\": [");
    for (const cnnfi_weight_change *c = changes; c; c = c->next) {
        if (c != changes) cnnfi_strbuf_puts(buf, ", ");
        cnnfi_strbuf_puts(buf, "{\"node\": ");
        cnnfi_strbuf_json_string(buf, c->node ? c->node : "");
        put_range(buf, "weights_before", c->before);
        put_range(buf, "weights_after", c->after);
        cnnfi_strbuf_putc(buf, '}');
    }
    cnnfi_strbuf_putc(buf, ']');
}

static void put_item(cnnfi_strbuf *buf, const cnnfi_fold_entry *e)
{
    cnnfi_strbuf_puts(buf, "{\"batch_norm\": ");
    cnnfi_strbuf_json_string(buf, e->name);
    put_string(buf, "outcome", outcomes[e->outcome].key);
    cnnfi_strbuf_printf(buf, ", \"bounds_moved\": %s", e->bounds ? "true" : "false");
    cnnfi_strbuf_printf(buf, ", \"channels\": %zu, \"dead_channels\": %zu, \"negative_channels\": %zu", e->affine->n,
                        cnnfi_affine_zeros(e->affine), cnnfi_affine_negatives(e->affine));
    put_number(buf, "max_scale", largest_scale(e->affine));
    put_changes(buf, e->changes);
    put_string(buf, "reason", e->reason);
    put_string(buf, "reason_node", e->reason_node);
    cnnfi_strbuf_putc(buf, '}');
}

/* ---- for people ---- */

static void put_text(cnnfi_pass_run *run, const cnnfi_fold_entry *e)
{
    char scale[352];
    cnnfi_format_fixed(scale, largest_scale(e->affine), 4);
    const char *into = e->changes && e->changes->node ? e->changes->node : "";
    const char *at = e->reason_node ? e->reason_node : "", *why = e->reason ? e->reason : "";
    const char *sep = e->reason ? ": " : "", *colon = e->reason && e->reason_node ? ": " : "";
    cnnfi_run_note(run, e->name, "%s %s%s%s%s%s; %zu channels, %zu dead, largest scale %s%s", outcomes[e->outcome].text,
                   into, sep, at, colon, why, e->affine->n, cnnfi_affine_zeros(e->affine), scale,
                   e->bounds ? "; the activation took the shift as its bounds" : "");
}

void cnnfi_fold_report(cnnfi_pass_run *run, const cnnfi_fold_entry *entry)
{
    cnnfi_run_count(run, outcomes[entry->outcome].count, 1);
    put_text(run, entry);
    cnnfi_strbuf *buf = cnnfi_run_item(run);
    if (buf) put_item(buf, entry);
}
