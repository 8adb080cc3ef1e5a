/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is constant: the values of small tensors, computed from those of a node's inputs. Passes ask it for predicates,
 * for shape arithmetic and for what batch norms are made of; a table over the graph's nodes keeps the answers
 * (lib/edit/). Folding a graph is another thing: fold_constants computes with the evaluator's kernels, bit for bit.
 *
 * Values are doubles. That is enough: an integer of 2^53 and above, and one that its dtype would wrap, is not known,
 * so that no integer is ever rounded. Floats are carried with more bits than float32 has, as a folded batch norm
 * wants it; where the runtime rounds otherwise they are marked `rounded`, and no op that jumps (a comparison, a floor,
 * a cast to an integer) is told from them.
 */
#ifndef CNNFI_OPS_CONSTANT_VALUE_H
#define CNNFI_OPS_CONSTANT_VALUE_H

#include "base/arena.h"
#include "ops/call.h"

/* Larger tensors are weights, no parameters. */
#define CNNFI_CONSTANT_MAX_COUNT ((int64_t)1 << 20)

typedef struct cnnfi_constant {
    cnnfi_value shape; /* dtype, rank, dims, count as far as they are known; data NULL */
    const double *v;   /* [shape.dims] in C order; NULL: not known */
    bool partial;      /* of integers and bools: NaN stands for an element that is not known (Shape of [-1, 28]) */
    bool uniform;      /* the shape is open, but each element is v[0] (false and anything is false) */
    bool root;         /* a square root took part: the mark of a batch norm */
    bool rounded;      /* floats that the runtime may have in other last bits */
} cnnfi_constant;

/* Shape and all elements are known. */
static inline bool cnnfi_constant_is_whole(const cnnfi_constant *constant)
{
    return constant && constant->v && !constant->partial && !constant->uniform;
}

/* The one element there is, where there can only be one (a predicate). */
static inline bool cnnfi_constant_scalar(const cnnfi_constant *constant, double *value)
{
    const bool known = constant && constant->v && !constant->partial;
    if (!known || (!constant->uniform && constant->shape.count != 1)) return false;
    *value = constant->v[0];
    return true;
}

/* One node. */
typedef struct cnnfi_constant_call {
    const cnnf_node *node;
    int32_t n_inputs;                    /* data inputs */
    const cnnfi_constant *const *inputs; /* [n_inputs]; NULL: nothing is known of it */
    int32_t n_outputs;                   /* cnnfi_constant_evaluate() sets it */
    int32_t max_outputs;                 /* room in outputs: cnnfi_call_max_outputs() */
    cnnfi_constant *outputs;
    cnnfi_arena *arena; /* for values; those that an op hands on are its input's */
    cnnf_error *error;
} cnnfi_constant_call;

/*
 * Asks the op's rule for the shapes and, where the op is one of constant_value.c's table, computes the values. CNNF_OK
 * when nothing is known, too; a failure is memory, reading a constant, or cnnfi_op_infer()'s: the inputs cannot be
 * this op's.
 */
cnnf_status cnnfi_constant_evaluate(cnnfi_constant_call *call);

/* Whether the op is one of constant_value.c's table: with values of its inputs it may have one. */
bool cnnfi_constant_is_computed(const char *op);

/* A tensor's shape and, when it is small and holds real numbers, its values. */
cnnf_status cnnfi_constant_of_tensor(cnnfi_constant *out, const cnnf_tensor *tensor, cnnfi_arena *arena,
                                     cnnf_error *error);

#endif
