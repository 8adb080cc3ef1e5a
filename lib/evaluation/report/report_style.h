/* SPDX-License-Identifier: Apache-2.0 */
/* How HTML reports look: light, dark and on paper. */
#ifndef CNNFI_EVALUATION_REPORT_REPORT_STYLE_H
#define CNNFI_EVALUATION_REPORT_REPORT_STYLE_H

/* The content of a <style> element, in pieces; NULL ends it. */
extern const char *const cnnfi_report_style[];

#endif
