/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a value may be beside a tensor in the plan's memory: tensors on their own, lists (TensorList*, DT_VARIANT) and
 * arrays (TensorArray*, DT_RESOURCE) of them. The value of a list is a scalar whose data point to the object.
 *
 * Objects are counted and belong to one run, which has one thread that touches them. A list is a value: who changes
 * one that others hold changes a copy; only the last reader of the only reference changes it as it lies there, and so a
 * loop fills a list of n in n steps. An array is a thing: all its handles see every change.
 */
#ifndef CNNFI_EVALUATOR_OBJECT_H
#define CNNFI_EVALUATOR_OBJECT_H

#include "base/budget.h"
#include "evaluator/kernels/kernel.h"

typedef enum cnnfi_object_kind {
    CNNFI_OBJECT_NONE, /* 0: bytes that are zero are no object */
    CNNFI_OBJECT_TENSOR,
    CNNFI_OBJECT_LIST,
    CNNFI_OBJECT_ARRAY
} cnnfi_object_kind;

typedef struct cnnfi_object {
    int32_t kind;
    int32_t refs;
    cnnf_context *context;     /* borrowed: the run's */
    struct cnnfi_object *next; /* while it is being freed */
    cnnfi_value value;         /* TENSOR: itself; else the scalar that stands for it */
} cnnfi_object;

/* One place of a list or an array. */
typedef struct cnnfi_item {
    cnnfi_object *object; /* a reference; NULL: nothing was put there */
    bool written, read;   /* of an array: ever */
} cnnfi_item;

typedef struct cnnfi_list {
    cnnfi_object object;
    cnnf_dtype dtype;  /* of the elements */
    cnnfi_value shape; /* of the elements, as far as it is known */
    int64_t most;      /* elements that fit; -1: any number */
    int64_t count;
    size_t capacity;
    cnnfi_item *items;
    /* arrays alone */
    bool dynamic, clears, identical;
} cnnfi_list;

cnnfi_object *cnnfi_object_ref(cnnfi_object *object); /* NULL gives NULL */
void cnnfi_object_unref(cnnfi_object *object);        /* NULL is allowed */
/* dtype, rank and dims of `like`, its bytes not filled; NULL = no memory. */
cnnfi_object *cnnfi_object_tensor(cnnf_context *context, const cnnfi_value *like);
/* A copy of a value's bytes, or one more reference where it stands for an object. */
cnnfi_object *cnnfi_object_of_value(cnnf_context *context, const cnnfi_value *value);
/* The object a value stands for; NULL: it is a tensor, or nothing. */
cnnfi_object *cnnfi_value_object(const cnnfi_value *value);

cnnfi_list *cnnfi_list_new(cnnf_context *context, cnnfi_object_kind kind, cnnf_dtype dtype, const cnnfi_value *shape);
cnnfi_list *cnnfi_list_clone(const cnnfi_list *list); /* NULL = no memory */
bool cnnfi_list_resize(cnnfi_list *list, int64_t count);
/* Takes the reference. */
void cnnfi_list_put(cnnfi_list *list, int64_t index, cnnfi_object *item);

/* What a step that deals in objects has beside values. */
typedef struct cnnfi_object_step {
    cnnfi_object **keepers; /* by input: who keeps its bytes; NULL: nobody has to */
    const bool *last;       /* by input: this step is the only one to read it, and may take the keeper */
    cnnfi_object **outputs; /* by output: a reference the step gives */
    cnnfi_budget *budget;
} cnnfi_object_step;

/* ---- for kernels ---- */

/* The list or array that an input is. */
cnnf_status cnnfi_call_list(cnnfi_call *call, int32_t input, cnnfi_object_kind kind, cnnfi_list **out);
/* The list of an input, to be changed: a reference of the caller's, a copy where others read it. */
cnnf_status cnnfi_call_own_list(cnnfi_call *call, int32_t input, cnnfi_list **out);
/* The tensor of an input as an object: a reference of the caller's, a copy where nothing keeps its bytes. */
cnnf_status cnnfi_call_own_tensor(cnnfi_call *call, int32_t input, cnnfi_object **out);
/* Gives an object as an output; takes the reference. */
void cnnfi_call_give(cnnfi_call *call, int32_t output, cnnfi_object *object);
/* A new tensor as an output, whose bytes the kernel fills; held against the limits. */
cnnf_status cnnfi_call_give_tensor(cnnfi_call *call, int32_t output, cnnf_dtype dtype, int32_t rank,
                                   const int64_t *dims, void **data);
/* Work that does not follow from the sizes of inputs and outputs. */
cnnf_status cnnfi_call_spend(cnnfi_call *call, int64_t items);

#endif
