/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a fused step is asked to do: a float convolution, channels last (a matrix product is one of 1x1
 * over `m` pixels), with everything that follows it up to the next tensor that others read.
 */
#ifndef CNNFI_EVALUATOR_PLAN_FUSE_H
#define CNNFI_EVALUATOR_PLAN_FUSE_H

#include "evaluator/plan/plan.h"
#include "ops/window.h"

typedef struct cnnfi_fusion {
    bool depthwise;
    cnnfi_window w; /* in, out, filter, stride, dilation, before: padding of the graph's Pad ops included */
    float *filter;  /* [taps][in_channels][out_channels], depthwise [taps][channels]; scaled, owned by the caller */
    float *bias;    /* out_channels, or NULL */
    float *scale, *shift; /* after the first clamp; NULL */
    bool has_bias, has_scale, clamp_first, clamp_last, residual, pool;
    float low_first, high_first, low_last, high_last;
    int32_t threads;
    bool strict;         /* one image at a time, so that blocks do not depend on the threads */
    bool exact;          /* sums of products in any order, but no other algorithm: on a grid they are exact */
    const char *isa;     /* the portable backend's instruction set; NULL: the best */
    size_t scratch_size; /* set by the backend */
} cnnfi_fusion;

/* Who computes the fused steps, and how. */
typedef struct cnnfi_fuse_options {
    const char *backend;
    int32_t threads;
    bool strict; /* cnnfi_fusion.strict */
    const char *isa;
} cnnfi_fuse_options;

/* Replaces steps by fused ones. */
cnnf_status cnnfi_plan_fuse(cnnfi_plan *plan, const cnnfi_fuse_options *options, cnnf_error *error);

/* ---- back ends ---- */

/* The literal of the portable backend's instruction set called `name`. CNNF_OK, CNNF_E_NOT_FOUND (not in this build),
   CNNF_E_UNSUPPORTED (not in this processor). */
cnnf_status cnnfi_isa_find(const char **out, const char *name, cnnf_error *error);

/* A backend's answer: *out stays NULL when it does not take the work. `fusion` is borrowed for the call.
   While running, inputs are the data and, if any, the residual tensor; the output is declared. */
typedef cnnf_status (*cnnfi_fusion_backend)(cnnfi_fused **out, cnnf_context *context, cnnfi_fusion *fusion,
                                            cnnf_error *error);

#if CNNFI_ONEDNN
cnnf_status cnnfi_fusion_onednn(cnnfi_fused **out, cnnf_context *context, cnnfi_fusion *fusion, cnnf_error *error);
#endif
/* Two portable steps of which the second alone reads the first, done at once; *out stays NULL when they do not fit.
   Both must outlive *out. */
cnnf_status cnnfi_pair_portable(cnnfi_fused **out, cnnf_context *context, const cnnfi_fused *first,
                                const cnnfi_fused *second, int32_t threads, size_t *scratch_size, cnnf_error *error);
cnnf_status cnnfi_fusion_portable(cnnfi_fused **out, cnnf_context *context, cnnfi_fusion *fusion, cnnf_error *error);

#endif
