/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads of one evaluator. They start at the first piece of work and end with the pool. One
 * parallel_for at a time has them; another that comes meanwhile (nested, or of another run) does
 * its work alone, so nobody ever waits for the pool.
 */
#ifndef CNNFI_EVALUATOR_RUN_THREAD_POOL_H
#define CNNFI_EVALUATOR_RUN_THREAD_POOL_H

#include <cnnfreeze/evaluator.h>

#include "evaluator/kernels/kernel.h"

/* A pool of `threads` in all, the caller's included. */
cnnf_status cnnfi_pool_new(cnnfi_pool **out, cnnf_context *context, int32_t threads, cnnf_error *error);
void cnnfi_pool_free(cnnfi_pool *pool); /* NULL is allowed; joins the threads */
/* In a forked child, where the threads are gone: frees memory only. */
void cnnfi_pool_abandon(cnnfi_pool *pool);

#endif
