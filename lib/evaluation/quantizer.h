/* SPDX-License-Identifier: Apache-2.0 */
/* A quantizer between its first batch and its report. */
#ifndef CNNFI_EVALUATION_QUANTIZER_H
#define CNNFI_EVALUATION_QUANTIZER_H

#include "evaluation/quantizer_options.h"
#include "base/str.h"
#include "ops/fixed_grid.h"
#include "ops/histogram.h"
#include "transform/quantize/int8.h"
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
    int64_t *calibrated, *adjusted; /* [n_fixes]; NULL before cnnfi_quantizer_decide() */
    const struct cnnfi_quantizer_scheme *scheme;
    cnnfi_affine_plan affine;   /* of int8; its names are plan.fixes */
    double *histograms;         /* [n_fixes x CNNFI_HISTOGRAM_SIZE]; NULL: no int8 */
    cnnfi_affine_range *ranges; /* [n_fixes] */
};

/* What differs between numbers on the DPU's grid and int8. */
typedef struct cnnfi_quantizer_scheme {
    /* Fills prepared, fixed and plan. */
    cnnf_status (*build)(cnnf_quantizer *q, const cnnf_graph *graph, cnnf_error *error);
    /* The graph whose FixNeurons give facts as output 1. */
    cnnf_status (*calibrating)(cnnf_graph **out, const cnnf_quantizer *q, cnnf_error *error);
    /* The facts of number `fix` in one batch. */
    void (*count)(cnnf_quantizer *q, size_t fix, const double *found);
    /* What the batches have told, decided. */
    cnnf_status (*decide)(cnnf_quantizer *q, cnnf_error *error);
    /* The graph, decided. */
    cnnf_status (*write)(cnnf_graph **out, const cnnf_quantizer *q, cnnf_error *error);
    const char *suffix; /* of a node behind an activation: "/aquant" */
    /* The report, with the signal-to-noise ratio of each. */
    void (*text)(cnnfi_strbuf *out, const cnnf_quantizer *q, const double *snr);
    void (*json)(cnnfi_strbuf *out, const cnnf_quantizer *q, const double *snr);
} cnnfi_quantizer_scheme;

extern const cnnfi_quantizer_scheme cnnfi_quantizer_dpu;  /* quantizer_dpu.c */
extern const cnnfi_quantizer_scheme cnnfi_quantizer_int8; /* quantizer_int8.c */

/* For reports: with `digits` places behind the point; "inf" and "-" in text, null in JSON. */
void cnnfi_quantizer_put_number(cnnfi_strbuf *out, double x, int digits, bool json);
/* The ends of both reports. */
void cnnfi_quantizer_end_text(cnnfi_strbuf *out, const cnnf_quantizer *q);
void cnnfi_quantizer_end_json(cnnfi_strbuf *out, const cnnf_quantizer *q);

/* Decides. */
cnnf_status cnnfi_quantizer_decide(cnnf_quantizer *q, cnnf_error *error);
cnnf_status cnnfi_quantizer_evaluator(cnnf_evaluator **out, const cnnf_quantizer *q, const cnnf_graph *graph,
                                      cnnf_error *error);
/* Lets the evaluator go; the next batch makes another. */
void cnnfi_quantizer_rest(cnnf_quantizer *q);
/* Rows [first, first + rows) of a tensor, as many as there are: a copy. */
cnnf_status cnnfi_quantizer_rows(cnnf_tensor **out, const cnnf_tensor *from, int64_t first, int64_t rows,
                                 cnnf_error *error);

#endif
