/* SPDX-License-Identifier: Apache-2.0 */
/**
 * metrics.h - accuracy and what stands behind it.
 *
 * A metrics object collects (predictions, labels) batch by batch; objects can be merged, so that a
 * run spread over threads, processes or machines gives the numbers of one run.
 *
 * Thread-safety: unsafe; one object per thread, then merge.
 */
#ifndef CNNFREEZE_METRICS_H
#define CNNFREEZE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/buffer.h>
#include <cnnfreeze/context.h>
#include <cnnfreeze/export.h>
#include <cnnfreeze/tensor.h>

typedef struct cnnf_metrics cnnf_metrics;

CNNF_BEGIN_DECLS

/** *New* metrics for `classes` classes (>= 1); worst mistakes kept: `worst` (0 = none). @since 0.1 */
CNNF_API cnnf_status cnnf_metrics_new(cnnf_metrics **out, cnnf_context *context, int64_t classes, int64_t worst,
                                      cnnf_error *error);
CNNF_API void cnnf_metrics_free(cnnf_metrics *metrics); /**< NULL is allowed. @since 0.1 */
/**
 * Adds a batch: predictions (n, classes) float, labels (n) int64 in 0 .. classes-1; `first_row` is
 * the index of the first example in the data set. CNNF_OK, CNNF_E_MISMATCH, CNNF_E_INVALID,
 * CNNF_E_NOMEM; on failure nothing was added. @since 0.1
 */
CNNF_API cnnf_status cnnf_metrics_add(cnnf_metrics *metrics, const cnnf_tensor *predictions, const cnnf_tensor *labels,
                                      int64_t first_row, cnnf_error *error);
/** Adds what `other` holds; both must have the same number of classes. @since 0.1 */
CNNF_API cnnf_status cnnf_metrics_merge(cnnf_metrics *metrics, const cnnf_metrics *other, cnnf_error *error);
/** The state as a *new* buffer, and back: to carry it between processes. @since 0.1 */
CNNF_API cnnf_status cnnf_metrics_save(cnnf_buffer **out, const cnnf_metrics *metrics, cnnf_error *error);
CNNF_API cnnf_status cnnf_metrics_restore(cnnf_metrics **out, cnnf_context *context, const void *data, size_t size,
                                          cnnf_error *error); /**< @since 0.1 */

CNNF_API int64_t cnnf_metrics_classes(const cnnf_metrics *metrics); /**< @since 0.1 */
CNNF_API int64_t cnnf_metrics_count(const cnnf_metrics *metrics);   /**< examples seen. @since 0.1 */
CNNF_API int64_t
cnnf_metrics_correct(const cnnf_metrics *metrics); /**< argmax (first of equals) is the label. @since 0.1 */
CNNF_API double cnnf_metrics_accuracy(const cnnf_metrics *metrics); /**< correct / count; 0 when empty. @since 0.1 */
/** Share of examples whose label is among the k largest; k in 1 .. classes. @since 0.1 */
CNNF_API double cnnf_metrics_topk(const cnnf_metrics *metrics, int64_t k);
/** Mean cross entropy -log(p[label]), p clipped to [1e-7, 1 - 1e-7] as Keras does. @since 0.1 */
CNNF_API double cnnf_metrics_loss(const cnnf_metrics *metrics);
/** Examples of class `label` taken for `guess`. @since 0.1 */
CNNF_API int64_t cnnf_metrics_confusion(const cnnf_metrics *metrics, int64_t label, int64_t guess);
CNNF_API double cnnf_metrics_precision(const cnnf_metrics *metrics, int64_t label); /**< @since 0.1 */
CNNF_API double cnnf_metrics_recall(const cnnf_metrics *metrics, int64_t label);    /**< @since 0.1 */
CNNF_API double cnnf_metrics_f1(const cnnf_metrics *metrics, int64_t label);        /**< @since 0.1 */
/** Worst mistakes kept, most confident first. @since 0.1 */
CNNF_API int64_t cnnf_metrics_worst_count(const cnnf_metrics *metrics);
CNNF_API cnnf_status cnnf_metrics_worst(int64_t *row, int64_t *label, int64_t *guess, double *confidence,
                                        const cnnf_metrics *metrics, int64_t index,
                                        cnnf_error *error); /**< @since 0.1 */

CNNF_END_DECLS

#endif
