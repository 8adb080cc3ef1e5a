/* SPDX-License-Identifier: Apache-2.0 */
/* What evaluate prints of a metrics object. */
#ifndef REPORT_H
#define REPORT_H

#include "cli.h"
#include "label_names.h"

typedef struct report_request {
    int64_t topk, worst;   /* 0: not asked for */
    const char *confusion; /* NULL not asked for, "" to stdout, else a CSV file */
    const label_names *labels;
    bool json, details;
    double seconds;
} report_request;

cnnf_status report_metrics(const session *s, const cnnf_metrics *metrics, const report_request *request);
/* "before" and "after" of --against. */
void report_against(const cnnf_metrics *metrics, const cnnf_metrics *other);

#endif
