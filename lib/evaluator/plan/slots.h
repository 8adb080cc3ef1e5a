/* SPDX-License-Identifier: Apache-2.0 */
/* Pieces of a step's scratch memory, one for each thread that may work on it; at most 64. */
#ifndef CNNFI_EVALUATOR_PLAN_SLOTS_H
#define CNNFI_EVALUATOR_PLAN_SLOTS_H

#include <stdatomic.h>
#include <stdint.h>

#define CNNFI_MOST_SLOTS 64

typedef struct cnnfi_slots {
    _Atomic uint64_t free; /* a bit for each */
} cnnfi_slots;

static inline int32_t cnnfi_slot_count(int32_t threads)
{
    return threads > CNNFI_MOST_SLOTS ? CNNFI_MOST_SLOTS : threads;
}

static inline void cnnfi_slots_init(cnnfi_slots *slots, int32_t count)
{
    atomic_init(&slots->free, count == 64 ? UINT64_MAX : (UINT64_C(1) << count) - 1);
}

/* A piece nobody else uses now. With more than 64 threads some wait here. */
static inline int cnnfi_slot_take(cnnfi_slots *slots)
{
    for (;;) {
        uint64_t mask = atomic_load(&slots->free);
        if (mask && atomic_compare_exchange_weak(&slots->free, &mask, mask & (mask - 1))) return __builtin_ctzll(mask);
    }
}

static inline void cnnfi_slot_give(cnnfi_slots *slots, int slot)
{
    atomic_fetch_or(&slots->free, UINT64_C(1) << slot);
}

#endif
