/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/freeze/freeze_convert.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "base/num.h"

cnnf_status cnnfi_conversion_init(cnnfi_conversion *c, const cnnf_graph *graph, cnnfi_edit *edit, const bool *keep,
                                  cnnf_error *error)
{
    *c = (cnnfi_conversion){
        .context = graph->context, .graph = graph, .edit = edit, .keep = keep, .refused = {.node = -1}};
    CNNFI_TRY(cnnfi_scope_main(&c->main, graph, error));
    c->seen = cnnfi_calloc(c->context, c->main.input_base[c->main.n_nodes] + 1, sizeof *c->seen);
    c->functions = cnnfi_calloc(c->context, graph->n_functions + 1, sizeof *c->functions);
    return c->seen && c->functions ? CNNF_OK : cnnfi_fail_nomem(error);
}

void cnnfi_conversion_free(cnnfi_conversion *c)
{
    for (size_t i = 0; c->functions && i < c->graph->n_functions; i++) {
        cnnfi_scope_free(&c->functions[i].scope);
        cnnfi_free(c->context, c->functions[i].seen);
    }
    cnnfi_scope_free(&c->main);
    cnnfi_free(c->context, c->seen);
    cnnfi_free(c->context, c->functions);
    cnnfi_free(c->context, c->work);
    cnnfi_free(c->context, c->callers);
}

const struct cnnf_node *cnnfi_conversion_original(const cnnfi_conversion *c, const cnnfi_arrival *at)
{
    return at->scope == CNNFI_MAIN_SCOPE ? c->graph->nodes[at->node] : c->graph->functions[at->scope]->nodes[at->node];
}

struct cnnf_node *cnnfi_conversion_copy(const cnnfi_conversion *c, const cnnfi_arrival *at)
{
    if (at->scope == CNNFI_MAIN_SCOPE) return c->edit->b->graph->nodes[at->node];
    return c->edit->b->graph->functions[at->scope]->nodes[at->node];
}

cnnf_dtype cnnfi_arrival_dtype(const cnnfi_arrival *at)
{
    const cnnf_dtype dtype = cnnfi_node_type(at->variable, "dtype");
    return dtype ? dtype : cnnf_tensor_dtype(at->variable->value);
}

cnnf_node *cnnfi_conversion_reset(const cnnfi_conversion *c, const cnnfi_arrival *at, const char *op, size_t n_inputs)
{
    cnnf_node *node = cnnfi_conversion_copy(c, at);
    if (at->scope == CNNFI_MAIN_SCOPE)
        cnnfi_edit_truncate_inputs(c->edit, node, n_inputs);
    else
        node->n_inputs = n_inputs;
    cnnfi_node_set_op(c->edit->b, node, op);
    node->device = "";
    node->n_attrs = 0;
    node->extra = (cnnfi_bytes){.data = (const uint8_t *)"", .size = 0};
    node->value = NULL;
    node->unbound = NULL;
    return node;
}

/* ---- spreading ---- */

static cnnf_status arrive(cnnfi_conversion *c, const cnnfi_scope *scope, bool *seen, cnnfi_arrival next,
                          cnnf_error *error)
{
    bool *once = &seen[scope->input_base[next.node] + (size_t)next.input];
    if (*once) return CNNF_OK;
    *once = true;
    if (!cnnfi_grow(c->context, (void **)&c->work, &c->work_capacity, c->n_work, sizeof *c->work))
        return cnnfi_fail_nomem(error);
    c->work[c->n_work++] = next;
    return CNNF_OK;
}

/* To the readers of producer `p`; in the main graph only to those that stay. */
static cnnf_status spread(cnnfi_conversion *c, int32_t scope_index, size_t p, int32_t port, const cnnf_node *variable,
                          cnnf_error *error)
{
    const bool is_main = scope_index == CNNFI_MAIN_SCOPE;
    const cnnfi_scope *scope = is_main ? &c->main : &c->functions[scope_index].scope;
    bool *seen = is_main ? c->seen : c->functions[scope_index].seen;
    for (size_t i = scope->first[p]; i < scope->first[p + 1]; i++) {
        const cnnfi_reading use = scope->uses[i];
        if ((is_main && !c->keep[use.node]) || (port >= 0 && use.port != port)) continue;
        const cnnfi_arrival next = {scope_index, use.node, use.input, variable};
        CNNFI_TRY(arrive(c, scope, seen, next, error));
    }
    return CNNF_OK;
}

cnnf_status cnnfi_conversion_spread(cnnfi_conversion *c, const cnnfi_arrival *at, int32_t port, cnnf_error *error)
{
    return spread(c, at->scope, (size_t)at->node, port, at->variable, error);
}

/* ---- functions ---- */

static cnnf_status prepare_function(cnnfi_conversion *c, size_t index, cnnf_error *error)
{
    cnnfi_converted_function *f = &c->functions[index];
    const cnnfi_function *function = c->graph->functions[index];
    if (f->converted) return CNNF_OK;
    CNNFI_TRY(cnnfi_scope_function(&f->scope, c->graph, function, error));
    f->seen =
        cnnfi_calloc(c->context, f->scope.input_base[function->n_nodes] + function->n_inputs + 1, sizeof *f->seen);
    if (!f->seen) return cnnfi_fail_nomem(error);
    f->converted = true;
    return CNNF_OK;
}

int64_t cnnfi_conversion_function(const cnnfi_conversion *c, const char *name)
{
    return cnnfi_strmap_get(&c->graph->function_names, name);
}

static cnnfi_attr *find_attr(cnnfi_attr *attrs, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(attrs[i].key, key) == 0) return &attrs[i];
    }
    return NULL;
}

/* Element `index` of a list of shapes becomes a shape of unknown rank. */
static void forget_shape(cnnfi_attr *attr, size_t index)
{
    if (!attr || attr->kind != CNNF_ATTR_LIST || attr->u.list.item_kind != CNNF_ATTR_SHAPE) return;
    if (index < attr->u.list.count) attr->u.list.u.shapes[index] = (cnnfi_shape){.rank = -1};
}

/* The argument's entry in arg_attr; it is made where there is none, as reading the map does in TensorFlow. */
static struct cnnfi_arg_attr *argument_attrs(cnnfi_builder *b, cnnfi_function *f, uint32_t index)
{
    size_t at = 0;
    while (at < f->n_arg_attrs && f->arg_attrs[at].index < index)
        at++;
    if (at < f->n_arg_attrs && f->arg_attrs[at].index == index) return &f->arg_attrs[at];
    struct cnnfi_arg_attr *grown = cnnfi_builder_array(b, f->n_arg_attrs + 1, sizeof *grown);
    if (!grown) return NULL;
    if (at) memcpy(grown, f->arg_attrs, at * sizeof *grown);
    if (at < f->n_arg_attrs) memcpy(grown + at + 1, f->arg_attrs + at, (f->n_arg_attrs - at) * sizeof *grown);
    grown[at] = (struct cnnfi_arg_attr){.index = index, .extra = {.data = (const uint8_t *)"", .size = 0}};
    f->arg_attrs = grown;
    f->n_arg_attrs++;
    return &grown[at];
}

static void retype_argument(cnnfi_builder *b, cnnfi_function *f, size_t index, cnnf_dtype dtype)
{
    f->inputs[index].type = dtype;
    forget_shape(find_attr(f->attrs, f->n_attrs, "_input_shapes"), index);
    const struct cnnfi_arg_attr *own = argument_attrs(b, f, (uint32_t)index);
    if (own) forget_shape(find_attr(own->attrs, own->n_attrs, "_output_shapes"), 0);
}

cnnf_status cnnfi_conversion_enter(cnnfi_conversion *c, const cnnfi_arrival *at, const char *function, int32_t argument,
                                   cnnf_error *error)
{
    const int64_t index = cnnfi_conversion_function(c, function);
    if (index < 0)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "node '%s': function '%s' is not in the library",
                          cnnfi_conversion_original(c, at)->name, function);
    const cnnfi_function *original = c->graph->functions[index];
    if ((size_t)argument >= original->n_inputs)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "node '%s': function '%s' has %zu arguments, not %d",
                          cnnfi_conversion_original(c, at)->name, function, original->n_inputs, argument + 1);
    CNNFI_TRY(prepare_function(c, (size_t)index, error));
    bool *seen = &c->functions[index].seen[c->functions[index].scope.input_base[original->n_nodes] + (size_t)argument];
    if (*seen) return CNNF_OK;
    *seen = true;
    retype_argument(c->edit->b, c->edit->b->graph->functions[index], (size_t)argument, cnnfi_arrival_dtype(at));
    return spread(c, (int32_t)index, original->n_nodes + (size_t)argument, -1, at->variable, error);
}

/* ---- the walk ---- */

static cnnf_status rewrite(cnnfi_conversion *c, const cnnfi_arrival *at, cnnf_error *error)
{
    const cnnf_node *node = cnnfi_conversion_original(c, at);
    const cnnfi_rewrite_fn fn = cnnfi_rewrite_for(node->op);
    if (fn) return fn(c, at, error);
    const bool resource = strcmp(at->variable->op, "VarHandleOp") == 0;
    if (c->refused.node < 0 && (resource || cnnfi_op_needs_variable(node->op))) c->refused = *at;
    return CNNF_OK;
}

cnnf_status cnnfi_convert_variable(cnnfi_conversion *c, int32_t variable, cnnf_error *error)
{
    const cnnf_node *node = c->graph->nodes[variable];
    const cnnfi_arrival start = {CNNFI_MAIN_SCOPE, variable, 0, node};
    const cnnfi_attr *dtype = cnnfi_node_attr(node, "dtype");
    cnnf_node *copy = cnnfi_conversion_reset(c, &start, "Const", 0);
    if (dtype)
        cnnfi_node_copy_attr(c->edit->b, copy, "dtype", dtype);
    else
        cnnfi_node_set_type(c->edit->b, copy, "dtype", cnnf_tensor_dtype(node->value));
    cnnfi_node_set_tensor(c->edit->b, copy, "value", node->value);
    CNNFI_TRY(cnnfi_conversion_spread(c, &start, -1, error));
    while (c->n_work > 0) {
        const cnnfi_arrival at = c->work[--c->n_work];
        CNNFI_TRY(rewrite(c, &at, error));
    }
    return CNNF_OK;
}

/* ---- names of converted functions ---- */

/* "f_12" is base "f" and number 12; a name without a number sorts before those with one. */
typedef struct function_name {
    int64_t number;
    const char *name;
    size_t base_length, index;
} function_name;

static function_name parse_name(const char *name, size_t index)
{
    const char *underscore = strrchr(name, '_');
    function_name parsed = {-1, name, strlen(name), index};
    const size_t digits = underscore ? strlen(underscore + 1) : 0;
    if (digits == 0 || strspn(underscore + 1, "0123456789") != digits) return parsed;
    if (!cnnfi_parse_i64(underscore + 1, digits, &parsed.number)) parsed.number = INT64_MAX;
    parsed.base_length = (size_t)(underscore - name);
    return parsed;
}

static int compare_parsed(const void *a, const void *b)
{
    const function_name *x = a, *y = b;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    const size_t n = x->base_length < y->base_length ? x->base_length : y->base_length;
    const int order = memcmp(x->name, y->name, n);
    if (order) return order;
    if (x->base_length != y->base_length) return x->base_length < y->base_length ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* `<base>_frozen_<n>`, n counted over the converted functions in TensorFlow's order. */
static void rename_functions(cnnfi_conversion *c, function_name *names, size_t count)
{
    int64_t number = 0;
    qsort(names, count, sizeof *names, compare_parsed);
    for (size_t i = 0; i < count; i++) {
        const char *name;
        do {
            name = cnnfi_builder_printf(c->edit->b, "%.*s_frozen_%" PRId64, (int)names[i].base_length, names[i].name,
                                        ++number);
        } while (name && cnnfi_conversion_function(c, name) >= 0);
        if (name) c->edit->b->graph->functions[names[i].index]->name = name;
    }
}

static void rename_reference(cnnfi_conversion *c, cnnfi_func_ref *reference)
{
    const int64_t index = cnnfi_conversion_function(c, reference->name);
    if (index >= 0 && c->functions[index].converted) reference->name = c->edit->b->graph->functions[index]->name;
}

static void rename_in_attr(cnnfi_conversion *c, cnnfi_attr *attr)
{
    if (attr && attr->kind == CNNF_ATTR_FUNC) rename_reference(c, attr->u.func);
    if (!attr || attr->kind != CNNF_ATTR_LIST || attr->u.list.item_kind != CNNF_ATTR_FUNC) return;
    for (size_t i = 0; i < attr->u.list.count; i++)
        rename_reference(c, &attr->u.list.u.funcs[i]);
}

static void rename_calls(cnnfi_conversion *c)
{
    for (size_t i = 0; i < c->n_callers; i++) {
        cnnf_node *copy = cnnfi_conversion_copy(c, &c->callers[i]);
        const cnnfi_caller *caller = cnnfi_caller_for(copy->op);
        for (int k = 0; k < 2 && caller->functions[k]; k++)
            rename_in_attr(c, find_attr(copy->attrs, copy->n_attrs, caller->functions[k]));
    }
}

cnnf_status cnnfi_conversion_finish(cnnfi_conversion *c, cnnf_error *error)
{
    size_t count = 0;
    function_name *names = cnnfi_array(c->context, c->graph->n_functions + 1, sizeof *names);
    if (!names) return cnnfi_fail_nomem(error);
    for (size_t i = 0; i < c->graph->n_functions; i++) {
        if (c->functions[i].converted) names[count++] = parse_name(c->graph->functions[i]->name, i);
    }
    if (count) rename_functions(c, names, count);
    cnnfi_free(c->context, names);
    rename_calls(c);
    return CNNF_OK;
}
