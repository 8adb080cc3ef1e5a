/* SPDX-License-Identifier: Apache-2.0 */
/* What two graphs have to be fed with so that their outputs can be compared. */
#ifndef CNNFI_EVALUATION_COMPARISON_INPUTS_H
#define CNNFI_EVALUATION_COMPARISON_INPUTS_H

#include "graph/graph.h"
#include "ops/call.h"

/* One input. Names are the graphs'; NULL where that graph's outputs do not need it. */
typedef struct cnnfi_comparison_input {
    const char *names[2];
    cnnf_dtype dtype;
    int32_t rank;                    /* CNNFI_UNKNOWN: neither graph says */
    int64_t dims[CNNFI_OP_MAX_RANK]; /* CNNFI_UNKNOWN: neither graph says */
} cnnfi_comparison_input;

typedef struct cnnfi_comparison_inputs {
    cnnf_context *context;
    cnnfi_comparison_input *items;
    size_t count, capacity;
} cnnfi_comparison_inputs;

/*
 * The inputs that the outputs need: outputs[which][i] is a name of graphs[which]. Inputs of one name are one; the rest
 * are paired in their order. Shapes are what both graphs declare, and what the first layer behind an input demands of
 * its rank and channels. CNNF_OK; CNNF_E_NOT_FOUND (an output, or an input that the first graph does not have);
 * CNNF_E_CORRUPT (a cycle), CNNF_E_NOMEM. Nothing needs freeing after a failure.
 */
cnnf_status cnnfi_comparison_inputs_find(cnnfi_comparison_inputs *out, const cnnf_graph *const graphs[2],
                                         const char *const *const outputs[2], size_t n_outputs, cnnf_error *error);
void cnnfi_comparison_inputs_free(cnnfi_comparison_inputs *inputs);

#endif
