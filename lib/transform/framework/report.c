/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/framework/report.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void cnnfi_report_init(cnnfi_report *report, cnnf_context *context)
{
    *report = (cnnfi_report){.context = context};
    cnnfi_strbuf_init(&report->passes, context);
    cnnfi_strbuf_init(&report->notes, context);
    cnnfi_strbuf_init(&report->items, context);
}

void cnnfi_report_free(cnnfi_report *report)
{
    cnnfi_strbuf_free(&report->passes);
    cnnfi_strbuf_free(&report->notes);
    cnnfi_strbuf_free(&report->items);
}

static void separate(cnnfi_strbuf *buf, const char *separator)
{
    if (buf->size) cnnfi_strbuf_puts(buf, separator);
}

void cnnfi_run_count(cnnfi_pass_run *run, const char *what, int64_t count)
{
    cnnfi_report *report = run->report;
    if (!report) return;
    for (size_t i = 0; i < report->n_counts; i++) {
        if (strcmp(report->counts[i].what, what)) continue;
        report->counts[i].count += count;
        return;
    }
    if (report->n_counts == CNNFI_REPORT_COUNTS) return;
    report->counts[report->n_counts].what = what;
    report->counts[report->n_counts++].count = count;
}

void cnnfi_run_note(cnnfi_pass_run *run, const char *node, const char *format, ...)
{
    if (!run->report) return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    cnnfi_strbuf *buf = &run->report->notes;
    separate(buf, ", ");
    cnnfi_strbuf_putc(buf, '{');
    if (node) {
        cnnfi_strbuf_puts(buf, "\"node\": ");
        cnnfi_strbuf_json_string(buf, node);
        cnnfi_strbuf_puts(buf, ", ");
    }
    cnnfi_strbuf_puts(buf, "\"text\": ");
    cnnfi_strbuf_json_string(buf, text);
    cnnfi_strbuf_putc(buf, '}');
}

cnnfi_strbuf *cnnfi_run_item(cnnfi_pass_run *run)
{
    if (!run->report) return NULL;
    separate(&run->report->items, ", ");
    return &run->report->items;
}

static void add_counts(cnnfi_report *report)
{
    cnnfi_strbuf *buf = &report->passes;
    cnnfi_strbuf_puts(buf, ", \"counts\": {");
    for (size_t i = 0; i < report->n_counts; i++) {
        if (i) cnnfi_strbuf_puts(buf, ", ");
        cnnfi_strbuf_json_string(buf, report->counts[i].what);
        cnnfi_strbuf_printf(buf, ": %" PRId64, report->counts[i].count);
    }
    cnnfi_strbuf_putc(buf, '}');
}

/* Moves `part` into the current entry as an array. */
static void add_array(cnnfi_report *report, const char *key, cnnfi_strbuf *part)
{
    cnnfi_strbuf *buf = &report->passes;
    cnnfi_strbuf_printf(buf, ", \"%s\": [", key);
    if (part->size) cnnfi_strbuf_add(buf, part->data, part->size);
    cnnfi_strbuf_putc(buf, ']');
    buf->failed |= part->failed;
    cnnfi_strbuf_free(part);
    cnnfi_strbuf_init(part, report->context);
}

void cnnfi_report_close(cnnfi_report *report, const cnnfi_report_entry *entry)
{
    cnnfi_strbuf *buf = &report->passes;
    separate(buf, ",\n");
    cnnfi_strbuf_puts(buf, "  {\"pass\": ");
    cnnfi_strbuf_json_string(buf, entry->pass);
    cnnfi_strbuf_printf(buf, ", \"changed\": %s, \"nodes_before\": %" PRId64 ", \"nodes_after\": %" PRId64,
                        entry->changed ? "true" : "false", entry->nodes_before, entry->nodes_after);
    if (entry->ignored) {
        cnnfi_strbuf_puts(buf, ", \"ignored_error\": ");
        cnnfi_strbuf_json_string(buf, entry->ignored);
    }
    add_counts(report);
    add_array(report, "notes", &report->notes);
    add_array(report, "items", &report->items);
    cnnfi_strbuf_putc(buf, '}');
    report->n_counts = 0;
}

cnnf_status cnnfi_report_finish(cnnfi_report *report, cnnf_buffer **out, cnnf_error *error)
{
    cnnfi_strbuf text;
    cnnfi_strbuf_init(&text, report->context);
    cnnfi_strbuf_puts(&text, "{\"passes\": [\n");
    if (report->passes.size) cnnfi_strbuf_add(&text, report->passes.data, report->passes.size);
    cnnfi_strbuf_puts(&text, "\n]}\n");
    text.failed |= report->passes.failed;
    const cnnf_status status = cnnfi_strbuf_finish(&text, out, error);
    cnnfi_strbuf_free(&text);
    return status;
}
