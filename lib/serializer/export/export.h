/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A frozen graph on its way into another format: what every export needs. The state that is shared, what is asked of
 * lib/ops/ about the node at hand, and (export_walk.h) the walk in the order of data over what the outputs need.
 *
 * Sticky: the first failure is remembered, later calls give NULL or nothing, so that an op is written as it reads.
 */
#ifndef CNNFI_SERIALIZER_EXPORT_EXPORT_H
#define CNNFI_SERIALIZER_EXPORT_EXPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/budget.h"
#include "base/error.h"
#include "base/strmap.h"
#include "edit/values.h"

typedef struct cnnfi_export {
    const char *format;    /* "TFLite": for messages */
    cnnf_context *context; /* borrowed */
    cnnfi_budget budget;   /* pays for every piece of what is written */
    cnnfi_arena arena;
    cnnfi_strmap names;      /* of what is written: how often each was asked for */
    const char *scope;       /* the TensorFlow node at hand */
    const cnnf_graph *graph; /* borrowed: names and tensors of what is written are its */
    cnnfi_edit edit;         /* of it, for shapes and users: nothing is edited */
    cnnfi_values values;
    int32_t *n_read; /* [n_nodes] outputs of each node up to the last that somebody reads */
    bool *wanted;    /* [n_nodes] whether an output of the node is one of the graph's */
    cnnf_status status;
    struct cnnf_error error;
} cnnfi_export;

/* One TensorFlow op on its way. */
typedef struct cnnfi_export_call {
    cnnfi_export *x;
    const cnnf_node *node;
    int32_t n_inputs; /* data inputs */
} cnnfi_export_call;

void cnnfi_export_init(cnnfi_export *x, cnnf_context *context, const char *format);
void cnnfi_export_free(cnnfi_export *x);
cnnf_status cnnfi_export_status(const cnnfi_export *x, cnnf_error *error);
/* Records a failure at the node in x->scope. */
void cnnfi_export_fail(cnnfi_export *x, cnnf_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Records another room's failure. */
void cnnfi_export_pass_on(cnnfi_export *x, cnnf_status code, const cnnf_error *error);
void cnnfi_export_no_memory(cnnfi_export *x);
/* Zeroed, in the arena; NULL records the failure. */
void *cnnfi_export_array(cnnfi_export *x, size_t count, size_t size);
/* "<format> export: node 'a' (Op): ..." */
void cnnfi_export_refuse(const cnnfi_export_call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* `base`, or `base_1`, `base_2` ...: a name that nothing written has; NULL records the failure. */
const char *cnnfi_export_unique(cnnfi_export *x, const char *base);
/* "node", "node:1", as TensorFlow's tensors are called; NULL: no memory. */
const char *cnnfi_export_tensor_name(cnnfi_export *x, const cnnf_node *node, int32_t port);

/* ---- what is known of inputs and outputs; dims -1 where they are open ---- */

cnnfi_value cnnfi_export_in_shape(const cnnfi_export_call *call, int32_t input);
cnnfi_value cnnfi_export_out_shape(const cnnfi_export_call *call, int32_t port);
/* A Const behind the input, of any size; NULL. */
const cnnf_tensor *cnnfi_export_const_of(const cnnfi_export_call *call, int32_t input);
/* Integers that are constant, whether by a Const or by arithmetic: false when not, or more than `capacity`. */
bool cnnfi_export_ints_of(const cnnfi_export_call *call, int32_t input, int64_t *out, size_t capacity, size_t *count);
/* The same where there is nothing else to be said: fails by name. */
bool cnnfi_export_want_ints(const cnnfi_export_call *call, int32_t input, const char *what, int64_t *out,
                            size_t capacity, size_t *count);
/* Element `index` of an input that may be known in part; CNNFI_UNKNOWN: it is not known, or negative. */
int64_t cnnfi_export_int_known(const cnnfi_export_call *call, int32_t input, int64_t index);
/* The one axis that an input holds, from 0; false: refused. rank: of what it counts in. */
bool cnnfi_export_want_axis(const cnnfi_export_call *call, int32_t input, int32_t rank, int32_t *axis);
/* One constant number. */
bool cnnfi_export_number_of(const cnnfi_export_call *call, int32_t input, double *out);
/* "NHWC", "NDHWC" or nothing said: the channels are last. */
bool cnnfi_export_channels_last(const cnnfi_export_call *call);
/* Shape arithmetic whose result is known, small, and the node's only output: integers; NULL. */
const cnnfi_constant *cnnfi_export_known_ints(const cnnfi_export_call *call);

/* ---- asking lib/ops/ ---- */

/* A question about the node at hand: its inputs' shapes, the values of small integer ones where they are constant. */
typedef struct cnnfi_export_question {
    cnnfi_call call;
    cnnfi_value *inputs; /* call.inputs, to be mended */
    struct cnnf_error error;
} cnnfi_export_question;

/* false: the failure is recorded. The question stays where it is. */
bool cnnfi_export_ask(const cnnfi_export_call *call, cnnfi_export_question *question);
/* Records what the answer's status says when it is a failure. CNNFI_INFER_DYNAMIC is none. */
bool cnnfi_export_answered(const cnnfi_export_call *call, const cnnfi_export_question *question, cnnf_status status);

#endif
