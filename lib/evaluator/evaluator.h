/* SPDX-License-Identifier: Apache-2.0 */
/* What the rooms above may ask of an evaluator beside its public functions; both are borrowed. */
#ifndef CNNFI_EVALUATOR_EVALUATOR_H
#define CNNFI_EVALUATOR_EVALUATOR_H

#include <cnnfreeze/evaluator.h>

typedef struct cnnfi_pool cnnfi_pool;

/* Its threads, for work around its runs (a data set's batches). */
cnnfi_pool *cnnfi_evaluator_pool(cnnf_evaluator *evaluator);
const cnnf_graph *cnnfi_evaluator_graph(const cnnf_evaluator *evaluator);

#endif
