/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A frozen graph to 8-bit integers as TFLite and ONNX Runtime compute with them, said with FakeQuant nodes (QDQ):
 *
 *   prepare  batch norms folded, what is left of them products, rectifiers plain
 *   insert   a FakeQuantWithMinMaxVars behind each tensor that an integer kernel reads or gives; range not known yet
 *   observe  the same graph with nodes that count where the numbers fall (the evaluator runs it)
 *   finish   ranges written; weights behind FakeQuantWithMinMaxVars(PerChannel), symmetric; biases on the grid of int32
 *
 * Ranges hold 0. What only moves numbers has the range of what it reads.
 */
#ifndef CNNFI_TRANSFORM_QUANTIZE_INT8_H
#define CNNFI_TRANSFORM_QUANTIZE_INT8_H

#include "transform/quantize/quantize.h"

/* How a range is chosen from what was seen. */
typedef enum cnnfi_affine_method {
    CNNFI_AFFINE_MIN_MAX,    /* all of it */
    CNNFI_AFFINE_PERCENTILE, /* all but a share at either end */
    CNNFI_AFFINE_MSE,        /* least squared error */
    CNNFI_AFFINE_ENTROPY,    /* least Kullback-Leibler divergence, for a bound of magnitudes */
    CNNFI_AFFINE_METHODS
} cnnfi_affine_method;

typedef struct cnnfi_affine_range {
    float low, high; /* low <= 0 <= high, low < high */
} cnnfi_affine_range;

/* From a histogram (ops/histogram.h); kept: the share within, of PERCENTILE. */
cnnfi_affine_range cnnfi_affine_choose(const double *histogram, cnnfi_affine_method method, double kept);

/* A product whose weights and bias are rounded; names. */
typedef struct cnnfi_affine_product {
    const char *name, *bias; /* bias NULL: it has none */
    size_t data;             /* the observer of what it multiplies */
} cnnfi_affine_product;

typedef struct cnnfi_affine_plan {
    const char **names; /* [n] of the FakeQuant nodes behind activations */
    int32_t *like;      /* [n] whose range it has; -1: its own */
    size_t n, n_products;
    cnnfi_affine_product *products; /* [n_products] */
} cnnfi_affine_plan;

cnnf_status cnnfi_affine_prepare(cnnf_graph **out, const cnnf_graph *graph, const cnnfi_quantize_options *options,
                                 cnnf_error *error);
/* `plan` lives in `arena`. */
cnnf_status cnnfi_affine_insert(cnnf_graph **out, cnnfi_affine_plan *plan, cnnfi_arena *arena, const cnnf_graph *graph,
                                const cnnfi_quantize_options *options, cnnfi_quantize_notes *notes, cnnf_error *error);
/* FakeQuant nodes become _ObserveRange. */
cnnf_status cnnfi_affine_observe(cnnf_graph **out, const cnnf_graph *graph, const cnnfi_affine_plan *plan,
                                 cnnf_error *error);
/* ranges: [plan->n], those of `like` included. */
cnnf_status cnnfi_affine_finish(cnnf_graph **out, const cnnf_graph *graph, const cnnfi_affine_plan *plan,
                                const cnnfi_quantize_options *options, const cnnfi_affine_range *ranges,
                                cnnf_error *error);

#endif
