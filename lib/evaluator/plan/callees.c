/* SPDX-License-Identifier: Apache-2.0 */
/* See callees.h. */
#include "evaluator/plan/callees.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "base/os.h"
#include "edit/function_body.h"
#include "graph/builder.h"

struct cnnfi_callees {
    cnnf_context *context;
    const cnnf_graph *graph; /* borrowed */
    cnnfi_mutex *mutex;
    cnnfi_body *bodies; /* by function */
    cnnfi_callee **made;
    size_t n_made, capacity;
};

cnnf_status cnnfi_callees_new(cnnfi_callees **out, const cnnf_graph *graph, cnnf_error *error)
{
    cnnfi_callees *self = cnnfi_calloc(graph->context, 1, sizeof *self);
    *out = self;
    if (!self) return cnnfi_fail_nomem(error);
    self->context = graph->context;
    self->graph = graph;
    self->mutex = cnnfi_mutex_new(graph->context);
    self->bodies = cnnfi_calloc(graph->context, graph->n_functions + 1, sizeof *self->bodies);
    if (self->mutex && self->bodies) return CNNF_OK;
    cnnfi_callees_free(self);
    *out = NULL;
    return cnnfi_fail_nomem(error);
}

static void callee_free(cnnf_context *context, cnnfi_callee *callee)
{
    if (!callee) return;
    cnnfi_loaded_constants_free(callee->constants);
    cnnf_graph_unref(callee->graph);
    cnnfi_free(context, callee->args);
    cnnfi_free(context, callee->returns);
    cnnfi_free(context, callee);
}

void cnnfi_callees_free(cnnfi_callees *self)
{
    if (!self) return;
    for (size_t i = 0; i < self->n_made; i++)
        callee_free(self->context, self->made[i]);
    for (size_t i = 0; self->bodies && i < self->graph->n_functions; i++)
        cnnfi_body_free(&self->bodies[i], self->context);
    if (self->mutex) cnnfi_mutex_free(self->context, self->mutex);
    cnnfi_free(self->context, self->made);
    cnnfi_free(self->context, self->bodies);
    cnnfi_free(self->context, self);
}

bool cnnfi_callees_has(const cnnfi_callees *self, const char *name)
{
    return self && cnnfi_graph_function(self->graph, name) != NULL;
}

/* ---- a function as a graph ---- */

typedef struct maker {
    const cnnf_graph *graph;
    const cnnfi_function *function;
    const cnnfi_body *body;
    const cnnfi_attr *attrs; /* of the call */
    size_t n_attrs;
    cnnfi_builder *b;
} maker;

/* "node:1" of the new graph. */
static void add_input(const maker *m, cnnf_node *node, const char *text)
{
    cnnfi_body_tensor t;
    const cnnfi_function *f = m->function;
    if (m->b->status) return;
    m->b->status = cnnfi_body_resolve(&t, m->body, m->graph, text, m->b->error);
    if (m->b->status) return;
    const bool is_argument = (size_t)t.producer >= f->n_nodes;
    const char *name = is_argument ? f->inputs[(size_t)t.producer - f->n_nodes].name : f->nodes[t.producer]->name;
    if (t.port == CNNFI_PORT_CONTROL)
        cnnfi_node_add_control(m->b, node, name);
    else if (t.port == 0)
        cnnfi_node_add_input(m->b, node, name);
    else
        cnnfi_node_add_input(m->b, node, cnnfi_builder_printf(m->b, "%s:%lld", name, (long long)t.port));
}

static void bind_attrs(const maker *m, cnnf_node *node)
{
    for (size_t i = 0; i < node->n_attrs && !m->b->status; i++) {
        if (node->attrs[i].kind != CNNF_ATTR_PLACEHOLDER) continue;
        const char *wanted = node->attrs[i].u.placeholder;
        size_t k = 0;
        while (k < m->n_attrs && strcmp(m->attrs[k].key, wanted) != 0)
            k++;
        if (k == m->n_attrs) {
            cnnfi_builder_fail(m->b, CNNF_E_CORRUPT, "function '%s': the call does not give attribute '%s'",
                               m->function->name, wanted);
            return;
        }
        cnnfi_node_copy_attr(m->b, node, node->attrs[i].key, &m->attrs[k]);
    }
}

static void add_nodes(const maker *m)
{
    const cnnfi_function *f = m->function;
    for (size_t i = 0; i < f->n_inputs; i++) {
        cnnf_node *arg = cnnfi_builder_add(m->b, "Placeholder", f->inputs[i].name);
        if (f->inputs[i].type) cnnfi_node_set_type(m->b, arg, "dtype", f->inputs[i].type);
    }
    for (size_t i = 0; i < f->n_nodes && !m->b->status; i++) {
        cnnf_node *copy = cnnfi_builder_copy_node(m->b, f->nodes[i], NULL);
        if (!copy) return;
        cnnfi_node_clear_inputs(copy);
        bind_attrs(m, copy);
        for (size_t k = 0; k < f->nodes[i]->n_inputs; k++)
            add_input(m, copy, f->nodes[i]->inputs[k]);
    }
}

static cnnf_status find_returns(const maker *m, cnnfi_callee *callee, cnnf_error *error)
{
    const cnnfi_function *f = m->function;
    for (size_t i = 0; i < f->n_outputs; i++) {
        cnnfi_body_tensor t;
        const char *text = cnnfi_function_returns(f, f->outputs[i].name);
        if (!text) {
            return cnnfi_fail(error, CNNF_E_CORRUPT, "function '%s' does not say what it returns as '%s'", f->name,
                              f->outputs[i].name);
        }
        CNNFI_TRY(cnnfi_body_resolve(&t, m->body, m->graph, text, error));
        const bool is_argument = (size_t)t.producer >= f->n_nodes;
        const int64_t node = is_argument ? t.producer - (int64_t)f->n_nodes : (int64_t)f->n_inputs + t.producer;
        if (t.port < 0 || t.port > INT32_MAX) return cnnfi_fail(error, CNNF_E_CORRUPT, "function '%s'", f->name);
        callee->returns[i] = (cnnfi_endpoint){(int32_t)node, (int32_t)t.port};
    }
    return CNNF_OK;
}

static bool has_single_arguments(const cnnfi_arg *args, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (args[i].number_attr && *args[i].number_attr) return false;
        if (args[i].type_list_attr && *args[i].type_list_attr) return false;
    }
    return true;
}

static cnnf_status make(cnnfi_callee *callee, const maker *given, cnnf_context *context, cnnf_error *error)
{
    maker m = *given;
    const cnnfi_function *f = m.function;
    if (!has_single_arguments(f->inputs, f->n_inputs) || !has_single_arguments(f->outputs, f->n_outputs)) {
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "function '%s' has arguments that are lists", f->name);
    }
    callee->args = cnnfi_calloc(context, f->n_inputs + 1, sizeof *callee->args);
    callee->returns = cnnfi_calloc(context, f->n_outputs + 1, sizeof *callee->returns);
    if (!callee->args || !callee->returns) return cnnfi_fail_nomem(error);
    CNNFI_TRY(cnnfi_builder_new(&m.b, context, error));
    add_nodes(&m);
    CNNFI_TRY(cnnfi_builder_publish(&callee->graph, m.b, error));
    for (size_t i = 0; i < f->n_inputs; i++)
        callee->args[i] = (cnnfi_endpoint){(int32_t)i, 0};
    CNNFI_TRY(find_returns(&m, callee, error));
    return cnnfi_loaded_constants_new(&callee->constants, callee->graph, error);
}

/* ---- the table ---- */

static bool is_generic(const cnnfi_function *function)
{
    for (size_t i = 0; i < function->n_nodes; i++) {
        for (size_t k = 0; k < function->nodes[i]->n_attrs; k++) {
            if (function->nodes[i]->attrs[k].kind == CNNF_ATTR_PLACEHOLDER) return true;
        }
    }
    return false;
}

static cnnf_status make_new(cnnfi_callees *self, const maker *m, const cnnfi_attr *given, const cnnfi_callee **out,
                            cnnf_error *error)
{
    if (!cnnfi_grow(self->context, (void **)&self->made, &self->capacity, self->n_made, sizeof *self->made))
        return cnnfi_fail_nomem(error);
    cnnfi_callee *callee = cnnfi_calloc(self->context, 1, sizeof *callee);
    if (!callee) return cnnfi_fail_nomem(error);
    callee->function = m->function;
    callee->given = given;
    const cnnf_status status = make(callee, m, self->context, error);
    if (status) {
        callee_free(self->context, callee);
        return status;
    }
    self->made[self->n_made++] = callee;
    *out = callee;
    return CNNF_OK;
}

static cnnf_status find_or_make(cnnfi_callees *self, maker *m, size_t index, const cnnfi_callee **out,
                                cnnf_error *error)
{
    const cnnfi_attr *given = is_generic(m->function) ? m->attrs : NULL;
    for (size_t i = 0; i < self->n_made && !*out; i++) {
        if (self->made[i]->function == m->function && self->made[i]->given == given) *out = self->made[i];
    }
    if (*out) return CNNF_OK;
    CNNFI_TRY(cnnfi_body_prepare(self->bodies, self->graph, index, error));
    m->body = &self->bodies[index];
    return make_new(self, m, given, out, error);
}

cnnf_status cnnfi_callees_get(cnnfi_callees *self, const char *name, const cnnfi_attr *attrs, size_t n_attrs,
                              const cnnfi_callee **out, cnnf_error *error)
{
    *out = NULL;
    const int64_t index = cnnfi_strmap_get(&self->graph->function_names, name);
    if (index < 0) return cnnfi_fail(error, CNNF_E_CORRUPT, "there is no function '%s'", name);
    maker m = {.graph = self->graph, .function = self->graph->functions[index], .attrs = attrs, .n_attrs = n_attrs};
    cnnfi_mutex_lock(self->mutex);
    const cnnf_status status = find_or_make(self, &m, (size_t)index, out, error);
    cnnfi_mutex_unlock(self->mutex);
    return status;
}
