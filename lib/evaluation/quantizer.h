/* SPDX-License-Identifier: Apache-2.0 */
/* A quantizer between its first batch and its report. */
#ifndef CNNFI_EVALUATION_QUANTIZER_H
#define CNNFI_EVALUATION_QUANTIZER_H

#include "evaluation/quantizer_options.h"
#include "ops/fixed_grid.h"
#include "transform/quantize/quantize.h"

#define CNNFI_FIX_POSITIONS (CNNFI_FIX_MAX_POSITION - CNNFI_FIX_MIN_POSITION + 1)

/* Rows of the first batch that the report compares. */
#define CNNFI_QUANTIZER_SAMPLE 8

/* What the batches have told of one FixNeuron. */
typedef struct cnnfi_fix_facts {
    int32_t seen[CNNFI_FIX_POSITIONS]; /* batches that found this position */
    int64_t batches;
    double least, most, elements, saturated;
} cnnfi_fix_facts;

struct cnnf_quantizer {
    cnnf_context *context;
    cnnfi_arena arena;
    cnnfi_quantize_options options;
    int64_t threads;
    cnnfi_name_set inputs, outputs;
    cnnfi_quantize_notes notes;
    cnnf_graph *prepared, *fixed; /* without and with FixNeurons */
    cnnfi_quantize_plan plan;
    cnnf_evaluator *evaluator; /* of the graph that finds positions; NULL while none is fed */
    cnnfi_fix_facts *facts;    /* [n_fixes] */
    const char **fetches;      /* [n_fetches] */
    size_t *fetched;           /* [n_fetches] numbers of FixNeurons */
    cnnf_tensor **found;       /* [n_fetches] of the run under way */
    size_t n_fetches;
    int64_t batches, examples;
    cnnf_tensor **sample;           /* [inputs.count]; NULL before the first batch */
    int64_t *calibrated, *adjusted; /* [n_fixes]; NULL before cnnfi_quantizer_positions() */
};

/* Fills calibrated and adjusted. */
cnnf_status cnnfi_quantizer_positions(cnnf_quantizer *q, cnnf_error *error);
cnnf_status cnnfi_quantizer_evaluator(cnnf_evaluator **out, const cnnf_quantizer *q, const cnnf_graph *graph,
                                      cnnf_error *error);
/* Lets the evaluator go; the next batch makes another. */
void cnnfi_quantizer_rest(cnnf_quantizer *q);
/* Rows [first, first + rows) of a tensor, as many as there are: a copy. */
cnnf_status cnnfi_quantizer_rows(cnnf_tensor **out, const cnnf_tensor *from, int64_t first, int64_t rows,
                                 cnnf_error *error);

#endif
