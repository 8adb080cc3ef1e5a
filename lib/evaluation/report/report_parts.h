/* SPDX-License-Identifier: Apache-2.0 */
/* The pieces an HTML report is put together from. */
#ifndef CNNFI_EVALUATION_REPORT_REPORT_PARTS_H
#define CNNFI_EVALUATION_REPORT_REPORT_PARTS_H

#include "evaluation/report/evaluation_report.h"

/* Text of a file inside an element or a quoted attribute: nothing in it is markup. */
void cnnfi_html_text(cnnfi_strbuf *out, const char *text);
void cnnfi_html_fixed(cnnfi_strbuf *out, double value, int digits);   /* 0.25; "–" when it is no number */
void cnnfi_html_percent(cnnfi_strbuf *out, double share, int digits); /* 0.9925 is "99.25 %" */
void cnnfi_html_count(cnnfi_strbuf *out, int64_t value);              /* 7172 is "7,172" */
void cnnfi_html_class(cnnfi_strbuf *out, const cnnf_report *report, int64_t label);
/* The coloured dot and name of a run. */
void cnnfi_html_run(cnnfi_strbuf *out, const cnnf_report *report, int32_t run);

/* ---- report_charts.c ---- */

void cnnfi_html_matrix(cnnfi_strbuf *out, const cnnf_report *report, int32_t run, const cnnfi_facts *facts);
void cnnfi_html_pairs(cnnfi_strbuf *out, const cnnf_report *report, const cnnfi_facts *facts);
/* `facts` [runs], as in the next two. */
void cnnfi_html_classes(cnnfi_strbuf *out, const cnnf_report *report, const cnnfi_facts *facts);
void cnnfi_html_balance(cnnfi_strbuf *out, const cnnf_report *report, const cnnfi_facts *facts);
void cnnfi_html_calibration(cnnfi_strbuf *out, const cnnf_report *report);

#endif
