/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dtype, rank and dims of every output, as far as they follow from the ops' rules (lib/ops/), and the elements of the
 * small tensors that rules read: shape arithmetic, axes, paddings. Larger values are values.h's.
 */
#ifndef CNNFI_EDIT_SHAPES_H
#define CNNFI_EDIT_SHAPES_H

#include "edit/memo.h"
#include "ops/constant_value.h"

/* What is known of one node. */
typedef struct cnnfi_facts {
    int32_t n_outputs; /* that somebody uses */
    cnnfi_constant outputs[];
} cnnfi_facts;

typedef struct cnnfi_shapes {
    cnnfi_edit *edit;
    cnnfi_memo memo;
    struct cnnfi_facts_room {
        cnnfi_constant *outputs; /* [n_outputs] of the node that is worked out */
        const cnnfi_constant **inputs;
        size_t n_outputs, n_inputs;
    } room;
} cnnfi_shapes;

/* `shapes` stays where it is. */
void cnnfi_shapes_init(cnnfi_shapes *shapes, cnnfi_edit *edit);
/* Unknown (dtype 0, rank CNNFI_UNKNOWN) where nothing is known; without data. */
cnnfi_value cnnfi_shape_of_output(cnnfi_shapes *shapes, const cnnf_node *node, int32_t port);
cnnfi_value cnnfi_shape_of_input(cnnfi_shapes *shapes, const cnnf_node *node, size_t input);
/* The size of an axis counted from the last; CNNFI_UNKNOWN. */
int64_t cnnfi_shape_from_end(const cnnfi_value *shape, int32_t axis);

/* ---- for values.c ---- */

const cnnfi_facts *cnnfi_shapes_facts(cnnfi_shapes *shapes, const cnnf_node *node); /* NULL */
const cnnfi_constant *cnnfi_facts_output(const cnnfi_facts *facts, int32_t port);   /* NULL */
/* What follows for the node when `input_of` says what is known of its inputs; NULL: nothing, or the builder failed.
   through_switch: what a Switch hands on is known, too, though only one of its outputs ever has it. */
const cnnfi_facts *cnnfi_facts_compute(cnnfi_shapes *shapes, const cnnf_node *node,
                                       const cnnfi_constant *(*input_of)(void *self, cnnfi_edge edge), void *self,
                                       bool through_switch);
bool cnnfi_facts_same(const void *a, const void *b);

#endif
