/* SPDX-License-Identifier: Apache-2.0 */
/**
 * report.h - one file that shows what an evaluation found.
 *
 * A report takes one graph's run over a data set, or two over the same one: begin, add each batch
 * (cnnf_evaluate_options_set_report() does it), end. It is then written as one HTML file that needs nothing else (no
 * script, no font, no request; the pictures inside), or as JSON with the same numbers (docs/report.schema.json).
 * Memory is bounded: by the classes as cnnf_metrics is, 8 bytes per example, and the pictures asked for.
 *
 * Thread-safety: unsafe; cnnf_evaluate_dataset() takes care of its own threads.
 */
#ifndef CNNFREEZE_REPORT_H
#define CNNFREEZE_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/buffer.h>
#include <cnnfreeze/context.h>
#include <cnnfreeze/dataset.h>
#include <cnnfreeze/export.h>
#include <cnnfreeze/tensor.h>

typedef struct cnnf_report cnnf_report;

CNNF_BEGIN_DECLS

/**
 * A *new* report of examples of `classes` classes (>= 1); `pictures` (0 .. 500) of the most confident mistakes of each
 * graph are kept, and of the examples that the graphs take for different classes. CNNF_OK, CNNF_E_INVALID,
 * CNNF_E_LIMIT, CNNF_E_NOMEM. @since 0.1
 */
CNNF_API cnnf_status cnnf_report_new(cnnf_report **out, cnnf_context *context, int64_t classes, int64_t pictures,
                                     cnnf_error *error);
CNNF_API void cnnf_report_free(cnnf_report *report); /**< NULL is allowed. @since 0.1 */
/** The heading; copied, as all text here; UTF-8, what is none is replaced. CNNF_OK, CNNF_E_INVALID, CNNF_E_NOMEM.
 * @since 0.1 */
CNNF_API cnnf_status cnnf_report_set_title(cnnf_report *report, const char *title, cnnf_error *error);
/** What a class is called; default its number. CNNF_OK, CNNF_E_INVALID (no such class), CNNF_E_NOMEM. @since 0.1 */
CNNF_API cnnf_status cnnf_report_set_class_name(cnnf_report *report, int64_t label, const char *name,
                                                cnnf_error *error);
/** A line below the heading ("Data set", "digits_test.csv"); 32 at most. CNNF_OK, CNNF_E_INVALID, CNNF_E_LIMIT,
 * CNNF_E_NOMEM. @since 0.1 */
CNNF_API cnnf_status cnnf_report_add_fact(cnnf_report *report, const char *name, const char *value, cnnf_error *error);

/** Begins the run of a graph, the first or the second, under a name. CNNF_OK; CNNF_E_INVALID (a third one, or one that
 * has begun and not ended), CNNF_E_NOMEM. @since 0.1 */
CNNF_API cnnf_status cnnf_report_begin(cnnf_report *report, const char *name, cnnf_error *error);
/**
 * Adds a batch to the run: predictions (n, classes) float (or (n, 1) of two classes), labels (n) int64, the
 * examples themselves float (n, H, W, C), (n, C, H, W), (n, H, W) or (n, H * H) of 1 or 3 channels, others and NULL
 * are left without a picture. `first_row` is the row of the first one in the data set, from 0. Values of 0 .. 255,
 * 0 .. 1 and -1 .. 1 are shown as they are, others from their least to their largest. CNNF_OK; CNNF_E_INVALID (no run
 * has begun, a label out of range), CNNF_E_MISMATCH: nothing was added; CNNF_E_LIMIT (rows), CNNF_E_NOMEM: a part of
 * the batch may have been. @since 0.1
 */
CNNF_API cnnf_status cnnf_report_add(cnnf_report *report, const cnnf_tensor *images, const cnnf_tensor *predictions,
                                     const cnnf_tensor *labels, int64_t first_row, cnnf_error *error);
/** Ends the run, which took so many seconds (0: unknown). CNNF_OK, CNNF_E_INVALID (none has begun). @since 0.1 */
CNNF_API cnnf_status cnnf_report_end(cnnf_report *report, double seconds, cnnf_error *error);

/** Examples that both graphs have seen and take for different classes; 0 before the second run. @since 0.1 */
CNNF_API int64_t cnnf_report_differing(const cnnf_report *report);
/**
 * Writes the report into a *new* buffer: CNNF_REPORT_HTML or CNNF_REPORT_JSON. The same runs give the same bytes, but
 * for the seconds. CNNF_OK; CNNF_E_INVALID (no run has ended, another format), CNNF_E_NOMEM. @since 0.1
 */
CNNF_API cnnf_status cnnf_report_write(cnnf_buffer **out, const cnnf_report *report, int32_t format, cnnf_error *error);

/** Every batch of cnnf_evaluate_dataset() is added to the report's run, which must have begun; *borrowed*, it must
 * outlive the options. NULL: none. CNNF_OK, CNNF_E_INVALID (options NULL). @since 0.1 */
CNNF_API cnnf_status cnnf_evaluate_options_set_report(cnnf_evaluate_options *options, cnnf_report *report,
                                                      cnnf_error *error);

CNNF_END_DECLS

#endif
