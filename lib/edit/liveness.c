/* SPDX-License-Identifier: Apache-2.0 */
#include "edit/liveness.h"

#include <string.h>

enum { ALIVE, DEAD, SENDS_TO_0, SENDS_TO_1 }; /* the last two: a Switch whose predicate is known */

void cnnfi_liveness_init(cnnfi_liveness *liveness, cnnfi_edit *edit, cnnfi_values *values)
{
    *liveness = (cnnfi_liveness){.edit = edit, .values = values};
}

bool cnnfi_op_is_merge(const char *op)
{
    return strcmp(op, "Merge") == 0 || strcmp(op, "RefMerge") == 0;
}

static bool make_room(cnnfi_liveness *liveness)
{
    const size_t count = liveness->edit->count;
    if (count <= liveness->size) return true;
    const size_t size = count > 2 * liveness->size ? count : 2 * liveness->size;
    uint8_t *state = cnnfi_edit_array(liveness->edit, size, sizeof *state);
    if (!state) return false;
    if (liveness->size) memcpy(state, liveness->state, liveness->size);
    liveness->state = state;
    liveness->size = size;
    return true;
}

static int state_of(const cnnfi_liveness *liveness, const cnnf_node *node)
{
    return (size_t)node->index < liveness->size ? liveness->state[node->index] : ALIVE;
}

bool cnnfi_liveness_is_dead(const cnnfi_liveness *liveness, const cnnf_node *node)
{
    return state_of(liveness, node) == DEAD;
}

int32_t cnnfi_liveness_dead_port(const cnnfi_liveness *liveness, const cnnf_node *node)
{
    const int state = state_of(liveness, node);
    return state == SENDS_TO_1 ? 0 : state == SENDS_TO_0 ? 1 : -1;
}

bool cnnfi_liveness_is_dead_input(const cnnfi_liveness *liveness, const cnnf_node *node, size_t input)
{
    int32_t port;
    const cnnf_node *from = cnnfi_edit_producer(liveness->edit, node, input, &port);
    if (!from) return false;
    return cnnfi_liveness_is_dead(liveness, from) ||
           (port != CNNFI_PORT_CONTROL && cnnfi_liveness_dead_port(liveness, from) == port);
}

static bool is_dead(const cnnfi_liveness *liveness, const cnnf_node *node)
{
    const bool merge = cnnfi_op_is_merge(node->op);
    const size_t inputs = merge ? cnnfi_node_data_inputs(node) : node->n_inputs;
    size_t dead = 0;
    for (size_t k = 0; k < inputs; k++)
        dead += cnnfi_liveness_is_dead_input(liveness, node, k);
    return merge ? inputs > 0 && dead == inputs : dead > 0;
}

void cnnfi_liveness_visit(cnnfi_liveness *liveness, const cnnf_node *node)
{
    double predicate;
    if (!make_room(liveness)) return;
    uint8_t *state = &liveness->state[node->index];
    if (is_dead(liveness, node))
        *state = DEAD;
    else if (cnnfi_op_is_switch(node->op) && cnnfi_value_scalar(liveness->values, node, 1, &predicate))
        *state = predicate != 0 ? SENDS_TO_1 : SENDS_TO_0;
}
