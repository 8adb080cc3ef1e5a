/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON report of a pipeline: one object per pass, in the order they ran. */
#ifndef CNNFI_TRANSFORM_FRAMEWORK_REPORT_H
#define CNNFI_TRANSFORM_FRAMEWORK_REPORT_H

#include "transform/framework/passes.h"

#define CNNFI_REPORT_COUNTS 16

struct cnnfi_report {
    cnnf_context *context;
    cnnfi_strbuf passes;       /* finished entries */
    cnnfi_strbuf notes, items; /* of the current pass */
    struct {
        const char *what;
        int64_t count;
    } counts[CNNFI_REPORT_COUNTS];
    size_t n_counts;
};

/* How one pass ended. */
typedef struct cnnfi_report_entry {
    const char *pass;
    bool changed;
    const char *ignored; /* the message of an ignored failure, or NULL */
    int64_t nodes_before, nodes_after;
} cnnfi_report_entry;

void cnnfi_report_init(cnnfi_report *report, cnnf_context *context);
void cnnfi_report_free(cnnfi_report *report);
/* Closes the current pass's entry. */
void cnnfi_report_close(cnnfi_report *report, const cnnfi_report_entry *entry);
cnnf_status cnnfi_report_finish(cnnfi_report *report, cnnf_buffer **out, cnnf_error *error);

#endif
