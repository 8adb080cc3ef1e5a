/* SPDX-License-Identifier: Apache-2.0 */
/* Work, bounded as memory is: CNNF_LIMIT_STEPS of one call (a load, a run, a pipeline, a write). One budget, one
 * thread. */
#ifndef CNNFI_BASE_BUDGET_H
#define CNNFI_BASE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/context.h"

/* What one step may do beside looking at a node. */
#define CNNFI_STEP_ELEMENTS        1024 /* read or written */
#define CNNFI_STEP_MULTIPLICATIONS 4096

/* What reading or writing a file may always take: some milliseconds. */
#define CNNFI_STEPS_OF_A_FILE 65536

typedef struct cnnfi_budget {
    const cnnf_context *context; /* borrowed */
    uint64_t used, asked;        /* asked: `used` when `stop` was asked last */
    uint64_t least;              /* what is allowed whatever the limit is */
    bool (*stop)(void *user);    /* asked from time to time whether to go on; nullable */
    void *user;
} cnnfi_budget;

/* Steps of reading, decoding or writing so many bytes: a piece of work, however small. */
static inline uint64_t cnnfi_steps_of_bytes(uint64_t bytes)
{
    return 1 + bytes / CNNFI_STEP_ELEMENTS;
}

void cnnfi_budget_init(cnnfi_budget *budget, const cnnf_context *context);
/* For a load or a write. */
void cnnfi_budget_init_file(cnnfi_budget *budget, const cnnf_context *context);
/* CNNF_E_LIMIT when that was too much, CNNF_E_CANCELLED when `stop` says so. budget NULL: nobody counts. */
cnnf_status cnnfi_budget_spend(cnnfi_budget *budget, uint64_t steps, cnnf_error *error);

#endif
