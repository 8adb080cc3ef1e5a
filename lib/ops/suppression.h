/* SPDX-License-Identifier: Apache-2.0 */
/*
 * NonMaxSuppression*: which boxes stay. How many there are is the shape of the output, so that the rule has to choose
 * them as the kernel does.
 */
#ifndef CNNFI_OPS_SUPPRESSION_H
#define CNNFI_OPS_SUPPRESSION_H

#include "ops/call.h"

typedef struct cnnfi_candidate {
    float score;
    int64_t box, checked; /* how many of the chosen it was held against */
} cnnfi_candidate;

typedef struct cnnfi_suppression {
    int32_t version;     /* 1 .. 5; 0: WithOverlaps */
    int64_t n, most;     /* boxes; outputs at most */
    const float *boxes;  /* [n, 4]: two corners; WithOverlaps: the overlaps [n, n] */
    const float *scores; /* [n] */
    float overlap, least, sigma;
    cnnfi_candidate *heap;   /* [2 * n]: memory of both */
    cnnfi_candidate *chosen; /* [count], the best first */
    int64_t heap_size, count;
} cnnfi_suppression;

int32_t cnnfi_suppression_version(const cnnf_node *node);
/* V4, V5: outputs have max_output_size elements, however many boxes there are. */
bool cnnfi_suppression_pads(const cnnf_node *node);
/* Ranks and sizes of boxes, scores and limits. */
cnnf_status cnnfi_suppression_check(cnnfi_call *call);
/* Chooses; cnnfi_suppression_done() after CNNF_OK. CNNFI_INFER_DYNAMIC: an input's value is not known, or is no float.
 */
cnnf_status cnnfi_suppress(cnnfi_call *call, cnnfi_suppression *s);
void cnnfi_suppression_done(cnnfi_call *call, cnnfi_suppression *s);

#endif
