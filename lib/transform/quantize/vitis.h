/* SPDX-License-Identifier: Apache-2.0 */
/* What the stages of the quantizer share: ops by their part in a pattern, constants of float32 that are changed. */
#ifndef CNNFI_TRANSFORM_QUANTIZE_VITIS_H
#define CNNFI_TRANSFORM_QUANTIZE_VITIS_H

#include "edit/edit.h"
#include "edit/shapes.h"
#include "transform/quantize/quantize.h"

typedef struct cnnfi_vitis {
    const cnnfi_quantize_options *options;
    cnnfi_quantize_notes *notes;
    cnnfi_edit *edit;
} cnnfi_vitis;

/* Starts an edit in which inputs and outputs are protected. */
cnnf_status cnnfi_vitis_begin(cnnfi_vitis *v, cnnfi_edit *edit, const cnnf_graph *graph,
                              const cnnfi_quantize_options *options, cnnfi_quantize_notes *notes, cnnf_error *error);
/* Ends it, also after a failure of the builder's. */
cnnf_status cnnfi_vitis_end(cnnfi_vitis *v, cnnf_graph **out, cnnf_error *error);

/* "Add|AddV2": whether the node's op is one of them; NULL is none. */
bool cnnfi_vitis_is(const cnnf_node *node, const char *ops);
/* Conv2D, DepthwiseConv2dNative, MatMul ... with constant weights at input 1: the DPU's products. */
#define CNNFI_VITIS_CONVFC "Conv2D|DepthwiseConv2d|DepthwiseConv2dNative|MatMul|Conv3D"
#define CNNFI_VITIS_BIAS   "BiasAdd|Add|AddV2"
/* The node behind data input `input`, whatever its port; NULL. */
cnnf_node *cnnfi_vitis_input(const cnnfi_vitis *v, const cnnf_node *node, size_t input);
/* The same when it is a Const of float32; NULL. */
cnnf_node *cnnfi_vitis_const(const cnnfi_vitis *v, const cnnf_node *node, size_t input);
/* One reader and no name that somebody asked for. */
bool cnnfi_vitis_is_private(const cnnfi_vitis *v, const cnnf_node *node);
/* Whether T (or, of a Placeholder, dtype) is float. */
bool cnnfi_vitis_is_float(const cnnf_node *node);
/* The data input of a product. */
size_t cnnfi_vitis_data_input(const cnnf_node *product);

/* A copy of a float32 constant, to be changed and handed back. data NULL: a failure is recorded. */
typedef struct cnnfi_vitis_floats {
    cnnf_tensor *tensor;
    float *data;
    int64_t count;
    int32_t rank;
    const int64_t *dims;
} cnnfi_vitis_floats;

cnnfi_vitis_floats cnnfi_vitis_load(cnnfi_vitis *v, const cnnf_node *node, size_t input);
/* Makes the numbers those of the input, for this node alone; releases them. */
void cnnfi_vitis_store(cnnfi_vitis *v, cnnf_node *node, size_t input, cnnfi_vitis_floats *floats);
void cnnfi_vitis_drop(cnnfi_vitis_floats *floats);
/* A new Const of `count` numbers (a vector), named by printf's arguments. */
cnnf_node *cnnfi_vitis_vector(cnnfi_vitis *v, const float *numbers, int64_t count, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Where the output channel of weight number `index` is found: (index / divisor) % count. */
typedef struct cnnfi_vitis_channels {
    int64_t count, divisor;
} cnnfi_vitis_channels;
/* count 0: the weights are none that we know. */
cnnfi_vitis_channels cnnfi_vitis_output_channels(const cnnf_node *product, int32_t rank, const int64_t *dims);
cnnfi_vitis_channels cnnfi_vitis_input_channels(const cnnf_node *product, int32_t rank, const int64_t *dims);

/* ---- steps of `prepare`, one file each ---- */

void cnnfi_vitis_fold_norms(cnnfi_vitis *v);
void cnnfi_vitis_equalize(cnnfi_vitis *v);
void cnnfi_vitis_simulate(cnnfi_vitis *v);

/* ---- the patterns ---- */

#define CNNFI_VITIS_MAX_NODES  8
#define CNNFI_VITIS_MAX_CONSTS 3

/* An input that gets a FixNeuron behind its constant. */
typedef struct cnnfi_vitis_constant {
    cnnf_node *node;
    size_t input;
    int32_t mode; /* cnnfi_fix_mode; an activation's name ends in aquant */
} cnnfi_vitis_constant;

typedef enum cnnfi_vitis_kind { CNNFI_VITIS_INPUT, CNNFI_VITIS_PRODUCT, CNNFI_VITIS_OTHER } cnnfi_vitis_kind;

typedef struct cnnfi_vitis_match {
    cnnfi_vitis_kind kind;
    cnnf_node *nodes[CNNFI_VITIS_MAX_NODES]; /* nodes[0]: the last one, which is rounded */
    size_t n_nodes;
    cnnf_node *product, *reader; /* reader: who takes the data; it may be the product */
    size_t first_data, n_data;   /* its inputs that must be on a grid: [first_data, first_data + n_data) */
    cnnf_node *bias;             /* of a product; NULL */
    cnnfi_vitis_constant constants[CNNFI_VITIS_MAX_CONSTS];
    size_t n_constants;
    struct cnnfi_vitis_match *next;
} cnnfi_vitis_match;

/* Every match, in the order of the patterns; the first one owns its nodes. In the edit's arena; NULL: none. */
cnnfi_vitis_match *cnnfi_vitis_find(cnnfi_vitis *v);

#endif
