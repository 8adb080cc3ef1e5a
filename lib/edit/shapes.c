/* SPDX-License-Identifier: Apache-2.0 */
#include "edit/shapes.h"

#include <string.h>

#include "base/error.h"
#include "graph/tensor.h"

/* A longer Const is no shape, axis or padding: its elements are not read here. */
#define SMALL 64

/* ---- what is known of one node ---- */

const cnnfi_constant *cnnfi_facts_output(const cnnfi_facts *facts, int32_t port)
{
    return facts && port >= 0 && port < facts->n_outputs ? &facts->outputs[port] : NULL;
}

static bool same_constant(const cnnfi_constant *a, const cnnfi_constant *b)
{
    const cnnfi_value *s = &a->shape, *t = &b->shape;
    if (s->dtype != t->dtype || s->rank != t->rank || s->count != t->count || !a->v != !b->v) return false;
    if (s->rank > 0 && memcmp(s->dims, t->dims, (size_t)s->rank * sizeof *s->dims) != 0) return false;
    if (a->partial != b->partial || a->uniform != b->uniform || a->root != b->root || a->rounded != b->rounded)
        return false;
    const size_t count = a->uniform ? 1 : (size_t)s->count;
    return !a->v || a->v == b->v || memcmp(a->v, b->v, count * sizeof *a->v) == 0;
}

bool cnnfi_facts_same(const void *a, const void *b)
{
    const cnnfi_facts *x = a, *y = b;
    if (x->n_outputs != y->n_outputs) return false;
    for (int32_t i = 0; i < x->n_outputs; i++) {
        if (!same_constant(&x->outputs[i], &y->outputs[i])) return false;
    }
    return true;
}

/* ---- working out ---- */

static bool make_room(cnnfi_shapes *shapes, size_t inputs, size_t outputs)
{
    struct cnnfi_facts_room *room = &shapes->room;
    if (inputs > room->n_inputs || !room->inputs) {
        room->n_inputs = 2 * inputs + 16;
        room->inputs = cnnfi_edit_array(shapes->edit, room->n_inputs, sizeof *room->inputs);
    }
    if (outputs > room->n_outputs) {
        room->n_outputs = outputs;
        room->outputs = cnnfi_edit_array(shapes->edit, room->n_outputs, sizeof *room->outputs);
    }
    return room->inputs && room->outputs;
}

/* Outputs that are looked at: up to the last one used. */
static int32_t wanted_outputs(const cnnfi_edit *edit, const cnnf_node *node)
{
    int32_t wanted = 1;
    const size_t others = cnnfi_edit_user_count(edit, node, CNNFI_PORT_DATA) - cnnfi_edit_user_count(edit, node, 0);
    for (const cnnfi_use *use = others ? cnnfi_edit_uses(edit, node) : NULL; use; use = use->next) {
        if (use->port >= wanted) wanted = use->port + 1;
    }
    return wanted < CNNFI_CALL_OUTPUTS ? wanted : CNNFI_CALL_OUTPUTS;
}

static const cnnfi_facts *keep(cnnfi_shapes *shapes, const cnnf_node *node, int32_t n_outputs)
{
    const int32_t wanted = wanted_outputs(shapes->edit, node), n = n_outputs < wanted ? n_outputs : wanted;
    cnnfi_facts *facts = cnnfi_edit_array(shapes->edit, 1, sizeof *facts + (size_t)n * sizeof *facts->outputs);
    if (!facts) return NULL;
    facts->n_outputs = n;
    if (n) memcpy(facts->outputs, shapes->room.outputs, (size_t)n * sizeof *facts->outputs);
    return facts;
}

/* Memory and files fail the pass; inputs that cannot be the op's are only not understood. */
static void fail(cnnfi_edit *edit, cnnf_status status, const cnnf_error *error)
{
    if ((status != CNNF_E_NOMEM && status != CNNF_E_IO) || edit->b->status) return;
    edit->b->status = status;
    cnnfi_error_copy(edit->b->error, error);
}

const cnnfi_facts *cnnfi_facts_compute(cnnfi_shapes *shapes, const cnnf_node *node,
                                       const cnnfi_constant *(*input_of)(void *self, cnnfi_edge edge), void *self,
                                       bool through_switch)
{
    const size_t n = cnnfi_node_data_inputs(node), outputs = (size_t)cnnfi_call_max_outputs(node);
    if (!make_room(shapes, n, outputs)) return NULL;
    for (size_t k = 0; k < n; k++)
        shapes->room.inputs[k] = input_of(self, node->edges[k]);
    cnnf_error error = {.offset = -1};
    cnnfi_constant_call call = {.node = node,
                                .n_inputs = (int32_t)n,
                                .inputs = shapes->room.inputs,
                                .max_outputs = (int32_t)outputs,
                                .outputs = shapes->room.outputs,
                                .arena = &shapes->edit->arena,
                                .error = &error};
    const cnnf_status status = cnnfi_constant_evaluate(&call);
    if (status < 0) {
        fail(shapes->edit, status, &error);
        return NULL;
    }
    for (int32_t i = 0; i < call.n_outputs && !through_switch && cnnfi_op_is_switch(node->op); i++)
        call.outputs[i] = (cnnfi_constant){.shape = call.outputs[i].shape};
    return keep(shapes, node, call.n_outputs);
}

/* A Const's elements are only read where there are few. */
static const cnnfi_facts *facts_of_large(cnnfi_shapes *shapes, const cnnf_node *node)
{
    const cnnf_tensor *tensor = strcmp(node->op, "Const") == 0 ? cnnf_node_attr_tensor(node, "value") : NULL;
    if (!tensor || cnnf_tensor_element_count(tensor) <= SMALL || !make_room(shapes, 0, 1)) return NULL;
    cnnfi_constant *out = shapes->room.outputs;
    *out = (cnnfi_constant){.shape = cnnfi_value_unknown(cnnf_tensor_dtype(tensor))};
    if (!cnnfi_value_of_tensor(&out->shape, tensor)) out->shape = cnnfi_value_unknown(cnnf_tensor_dtype(tensor));
    return keep(shapes, node, 1);
}

static const cnnfi_constant *known_input(void *self, cnnfi_edge edge)
{
    const cnnfi_shapes *shapes = self;
    const cnnf_node *from = cnnfi_edit_node(shapes->edit, edge.node);
    return from ? cnnfi_facts_output(cnnfi_memo_peek(&shapes->memo, from), edge.port) : NULL;
}

static bool needs(void *self, const cnnf_node *node, size_t input)
{
    (void)self;
    return node->edges[input].port != CNNFI_PORT_CONTROL;
}

static const void *compute(void *self, const cnnf_node *node)
{
    cnnfi_shapes *shapes = self;
    const cnnfi_facts *large = facts_of_large(shapes, node);
    return large ? large : cnnfi_facts_compute(shapes, node, known_input, shapes, false);
}

/* ---- asking ---- */

void cnnfi_shapes_init(cnnfi_shapes *shapes, cnnfi_edit *edit)
{
    static const cnnfi_analysis analysis = {needs, compute, cnnfi_facts_same};
    *shapes = (cnnfi_shapes){.edit = edit};
    cnnfi_memo_init(&shapes->memo, edit, &analysis, shapes);
}

const cnnfi_facts *cnnfi_shapes_facts(cnnfi_shapes *shapes, const cnnf_node *node)
{
    return cnnfi_memo_get(&shapes->memo, node);
}

cnnfi_value cnnfi_shape_of_output(cnnfi_shapes *shapes, const cnnf_node *node, int32_t port)
{
    const cnnfi_constant *known = cnnfi_facts_output(cnnfi_shapes_facts(shapes, node), port);
    return known ? known->shape : cnnfi_value_unknown(CNNF_DTYPE_INVALID);
}

cnnfi_value cnnfi_shape_of_input(cnnfi_shapes *shapes, const cnnf_node *node, size_t input)
{
    int32_t port;
    const cnnf_node *from = cnnfi_edit_producer(shapes->edit, node, input, &port);
    return from ? cnnfi_shape_of_output(shapes, from, port) : cnnfi_value_unknown(CNNF_DTYPE_INVALID);
}

int64_t cnnfi_shape_from_end(const cnnfi_value *shape, int32_t axis)
{
    return axis >= 0 && axis < shape->rank ? shape->dims[shape->rank - 1 - axis] : CNNFI_UNKNOWN;
}
