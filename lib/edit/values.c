/* SPDX-License-Identifier: Apache-2.0 */
#include "edit/values.h"

/* ---- working out ---- */

static const cnnfi_constant *known_output(cnnfi_values *values, const cnnf_node *node, int32_t port)
{
    const cnnfi_constant *known = cnnfi_facts_output(cnnfi_memo_peek(&values->memo, node), port);
    return known ? known : cnnfi_facts_output(cnnfi_shapes_facts(&values->shapes, node), port);
}

static const cnnfi_constant *known_input(void *self, cnnfi_edge edge)
{
    cnnfi_values *values = self;
    const cnnf_node *from = cnnfi_edit_node(values->edit, edge.node);
    return from ? known_output(values, from, edge.port) : NULL;
}

static bool is_computed(const cnnfi_values *values, const char *op)
{
    return cnnfi_constant_is_computed(op) && (values->through_switch || !cnnfi_op_is_switch(op));
}

/* Operands of what can be computed, unless they are small and known already. */
static bool needs(void *self, const cnnf_node *node, size_t input)
{
    cnnfi_values *values = self;
    const cnnfi_edge edge = node->edges[input];
    if (edge.port == CNNFI_PORT_CONTROL || !is_computed(values, node->op)) return false;
    const cnnf_node *from = cnnfi_edit_node(values->edit, edge.node);
    return from && !cnnfi_constant_is_whole(cnnfi_facts_output(cnnfi_shapes_facts(&values->shapes, from), edge.port));
}

static const void *compute(void *self, const cnnf_node *node)
{
    cnnfi_values *values = self;
    const cnnfi_facts *shape = cnnfi_shapes_facts(&values->shapes, node);
    const bool open = is_computed(values, node->op) && !cnnfi_constant_is_whole(cnnfi_facts_output(shape, 0));
    return open ? cnnfi_facts_compute(&values->shapes, node, known_input, values, values->through_switch) : shape;
}

/* ---- asking ---- */

void cnnfi_values_init(cnnfi_values *values, cnnfi_edit *edit, bool through_switch)
{
    static const cnnfi_analysis analysis = {needs, compute, cnnfi_facts_same};
    *values = (cnnfi_values){.edit = edit, .through_switch = through_switch};
    cnnfi_shapes_init(&values->shapes, edit);
    cnnfi_memo_init(&values->memo, edit, &analysis, values);
    values->shapes.memo.listener = &values->memo;
}

const cnnfi_constant *cnnfi_value_known(cnnfi_values *values, const cnnf_node *node, size_t input)
{
    int32_t port;
    const cnnf_node *from = cnnfi_edit_producer(values->edit, node, input, &port);
    cnnfi_memo_sync(&values->shapes.memo);
    return from ? cnnfi_facts_output(cnnfi_memo_get(&values->memo, from), port) : NULL;
}

const cnnfi_constant *cnnfi_value_input(cnnfi_values *values, const cnnf_node *node, size_t input)
{
    const cnnfi_constant *known = cnnfi_value_known(values, node, input);
    return cnnfi_constant_is_whole(known) ? known : NULL;
}

bool cnnfi_value_scalar(cnnfi_values *values, const cnnf_node *node, size_t input, double *value)
{
    return cnnfi_constant_scalar(cnnfi_value_known(values, node, input), value);
}

bool cnnfi_value_ints(cnnfi_values *values, const cnnf_node *node, size_t input, int64_t *out, size_t capacity,
                      size_t *count)
{
    const cnnfi_constant *c = cnnfi_value_input(values, node, input);
    if (!c || c->shape.rank > 1 || (uint64_t)c->shape.count > capacity) return false;
    *count = (size_t)c->shape.count;
    for (size_t i = 0; i < *count; i++)
        out[i] = (int64_t)c->v[i];
    return true;
}
