/* SPDX-License-Identifier: Apache-2.0 */
/* The nodes that tf.compat.v1.train.Saver adds to a graph (tensorflow/python/training/saver.py, BaseSaverBuilder). */
#include "serializer/graphdef/saver.h"

#include <cnnfreeze/serializer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "graph/tensor.h"
#include "graph/builder.h"

#define RESTORE_DEVICE "/device:CPU:0"

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(const cnnf_node *const *)a)->name, (*(const cnnf_node *const *)b)->name);
}

cnnf_status cnnfi_saved_variables_init(cnnfi_saved_variables *out, const cnnf_graph *graph, cnnf_error *error)
{
    bool bound = false;
    *out = (cnnfi_saved_variables){.context = graph->context};
    for (size_t i = 0; i < graph->n_nodes; i++)
        bound |= graph->nodes[i]->value != NULL;
    out->nodes = cnnfi_array(graph->context, graph->n_nodes, sizeof *out->nodes);
    if (!out->nodes) return cnnfi_fail_nomem(error);
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const cnnf_node *node = graph->nodes[i];
        if (cnnfi_op_is_variable(node->op) && (node->value || !bound)) out->nodes[out->count++] = node;
    }
    if (out->count) qsort(out->nodes, out->count, sizeof *out->nodes, compare_names);
    return CNNF_OK;
}

void cnnfi_saved_variables_free(cnnfi_saved_variables *variables)
{
    if (variables->context) cnnfi_free(variables->context, variables->nodes);
}

typedef struct saver {
    cnnfi_builder *b;
    const cnnfi_saved_variables *variables;
    const char *scope;    /* "save", or "save_1" ... when that is taken */
    const char **strings; /* names, then as many empty ones */
    int32_t *types;
    const char **assigns; /* control inputs of restore_all */
} saver;

static cnnf_node *add(saver *s, const char *op, const char *name)
{
    return cnnfi_builder_add(s->b, op, cnnfi_builder_printf(s->b, "%s/%s", s->scope, name));
}

static void add_input(saver *s, cnnf_node *node, const char *name)
{
    cnnfi_node_add_input(s->b, node, cnnfi_builder_printf(s->b, "%s/%s", s->scope, name));
}

/* _class: a list of one "loc:@name". */
static void colocate(saver *s, cnnf_node *node, const char *with)
{
    const char *location = cnnfi_builder_printf(s->b, "loc:@%s", with);
    if (location) cnnfi_node_set_strings(s->b, node, "_class", &location, 1);
}

/* A constant of strings; count < 0: a scalar. */
static void add_strings(saver *s, const char *name, const char *const *strings, int64_t count, const char *device)
{
    cnnf_tensor *tensor = NULL;
    cnnf_error error = {0};
    const size_t n = count < 0 ? 1 : (size_t)count;
    cnnfi_bytes *pieces = cnnfi_builder_array(s->b, n, sizeof *pieces);
    if (!pieces) return;
    for (size_t i = 0; i < n; i++)
        pieces[i] = (cnnfi_bytes){(const uint8_t *)strings[i], strlen(strings[i])};
    const cnnf_status status =
        cnnfi_tensor_strings(&tensor, s->b->graph->context, count < 0 ? 0 : 1, &count, pieces, n, &error);
    if (status != CNNF_OK) {
        cnnfi_builder_fail(s->b, status, "%s", error.message);
        return;
    }
    cnnf_node *node = cnnfi_builder_const(s->b, cnnfi_builder_printf(s->b, "%s/%s", s->scope, name), tensor);
    cnnfi_node_set_device(s->b, node, device);
    cnnf_tensor_unref(tensor);
}

static void add_filename(saver *s)
{
    static const char *const names[] = {"filename", "Const"}, *const inputs[] = {"filename/input", "filename"};
    const char *model = "model";
    add_strings(s, "filename/input", &model, -1, "");
    for (int i = 0; i < 2; i++) {
        cnnf_node *node = add(s, "PlaceholderWithDefault", names[i]);
        add_input(s, node, inputs[i]);
        cnnfi_node_set_type(s->b, node, "dtype", CNNF_STRING);
        cnnfi_node_set_shape(s->b, node, "shape", 0, NULL);
    }
}

static bool is_resource(const cnnf_node *variable)
{
    return strcmp(variable->op, "VarHandleOp") == 0;
}

/* What SaveV2 takes: the variable itself, or the reading of a resource. */
static const char *value_input(saver *s, const cnnf_node *variable)
{
    if (!is_resource(variable)) return variable->name;
    const char *read = cnnfi_builder_printf(s->b, "%s/Read/ReadVariableOp", variable->name);
    if (!read || cnnfi_builder_find(s->b, read)) return read;
    read = cnnfi_builder_unique(s->b, cnnfi_builder_printf(s->b, "%s/ReadVariableOp", s->scope));
    cnnf_node *node = cnnfi_builder_add(s->b, "ReadVariableOp", read);
    cnnfi_node_add_input(s->b, node, variable->name);
    cnnfi_node_set_type(s->b, node, "dtype", cnnfi_node_type(variable, "dtype"));
    return read;
}

static void add_save(saver *s)
{
    const int64_t n = (int64_t)s->variables->count;
    const char **values = cnnfi_builder_array(s->b, s->variables->count, sizeof *values);
    for (int64_t i = 0; values && i < n; i++)
        values[i] = value_input(s, s->variables->nodes[i]);
    add_strings(s, "SaveV2/tensor_names", s->strings, n, "");
    add_strings(s, "SaveV2/shape_and_slices", s->strings + n, n, "");
    cnnf_node *save = add(s, "SaveV2", "SaveV2");
    add_input(s, save, "Const");
    add_input(s, save, "SaveV2/tensor_names");
    add_input(s, save, "SaveV2/shape_and_slices");
    for (int64_t i = 0; values && i < n; i++)
        cnnfi_node_add_input(s->b, save, values[i]);
    cnnfi_node_set_types(s->b, save, "dtypes", s->types, s->variables->count);
    cnnf_node *done = add(s, "Identity", "control_dependency");
    add_input(s, done, "Const");
    cnnfi_node_add_control(s->b, done, cnnfi_builder_printf(s->b, "%s/SaveV2", s->scope));
    cnnfi_node_set_type(s->b, done, "T", CNNF_STRING);
    colocate(s, done, cnnfi_builder_printf(s->b, "%s/Const", s->scope));
}

/* "Assign", "Assign_1", ...: TensorFlow numbers per scope and base name. */
static const char *numbered(saver *s, const char *base, size_t index)
{
    return index ? cnnfi_builder_printf(s->b, "%s_%zu", base, index) : base;
}

static cnnf_node *add_assign(saver *s, size_t index, size_t *n_ref, size_t *n_resource)
{
    const cnnf_node *variable = s->variables->nodes[index];
    const char *restored = cnnfi_builder_printf(s->b, index ? "%s/RestoreV2:%zu" : "%s/RestoreV2", s->scope, index);
    cnnf_node *assign;
    if (is_resource(variable)) {
        const char *name = numbered(s, "Identity", *n_resource);
        cnnf_node *identity = add(s, "Identity", name);
        cnnfi_node_add_input(s->b, identity, restored);
        cnnfi_node_set_type(s->b, identity, "T", s->types[index]);
        assign = add(s, "AssignVariableOp", numbered(s, "AssignVariableOp", (*n_resource)++));
        cnnfi_node_add_input(s->b, assign, variable->name);
        add_input(s, assign, name);
        cnnfi_node_set_type(s->b, assign, "dtype", s->types[index]);
        return assign;
    }
    assign = add(s, "Assign", numbered(s, "Assign", (*n_ref)++));
    cnnfi_node_add_input(s->b, assign, variable->name);
    cnnfi_node_add_input(s->b, assign, restored);
    cnnfi_node_set_type(s->b, assign, "T", s->types[index]);
    cnnfi_node_set_bool(s->b, assign, "use_locking", true);
    cnnfi_node_set_bool(s->b, assign, "validate_shape", true);
    colocate(s, assign, variable->name);
    return assign;
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_restore(saver *s)
{
    const size_t n = s->variables->count;
    size_t n_ref = 0, n_resource = 0;
    add_strings(s, "RestoreV2/tensor_names", s->strings, (int64_t)n, RESTORE_DEVICE);
    add_strings(s, "RestoreV2/shape_and_slices", s->strings + n, (int64_t)n, RESTORE_DEVICE);
    cnnf_node *restore = add(s, "RestoreV2", "RestoreV2");
    add_input(s, restore, "Const");
    add_input(s, restore, "RestoreV2/tensor_names");
    add_input(s, restore, "RestoreV2/shape_and_slices");
    cnnfi_node_set_device(s->b, restore, RESTORE_DEVICE);
    cnnfi_node_set_types(s->b, restore, "dtypes", s->types, n);
    for (size_t i = 0; i < n; i++) {
        const cnnf_node *assign = add_assign(s, i, &n_ref, &n_resource);
        if (!assign) return;
        s->assigns[i] = assign->name;
    }
    qsort(s->assigns, n, sizeof *s->assigns, compare_strings);
    cnnf_node *all = add(s, "NoOp", "restore_all");
    for (size_t i = 0; i < n; i++)
        cnnfi_node_add_control(s->b, all, s->assigns[i]);
}

static cnnf_dtype variable_dtype(const cnnf_node *node)
{
    const cnnf_dtype dtype = cnnfi_node_type(node, "dtype");
    return dtype || !node->value ? dtype : cnnf_tensor_dtype(node->value);
}

static bool scope_is_taken(const cnnfi_builder *b, const char *scope)
{
    const size_t n = strlen(scope);
    for (size_t i = 0; i < cnnfi_builder_count(b); i++) {
        const char *name = cnnfi_builder_node(b, i)->name;
        if (strncmp(name, scope, n) == 0 && (name[n] == '/' || name[n] == '\0')) return true;
    }
    return false;
}

static const char *free_scope(cnnfi_builder *b)
{
    const char *scope = cnnfi_builder_strdup(b, "save");
    for (int i = 1; scope && scope_is_taken(b, scope); i++)
        scope = cnnfi_builder_printf(b, "save_%d", i);
    return scope;
}

static void add_saver(cnnfi_builder *b, const cnnfi_saved_variables *variables)
{
    const size_t n = variables->count;
    saver s = {.b = b, .variables = variables, .scope = free_scope(b)};
    s.strings = cnnfi_builder_array(b, 2 * n, sizeof *s.strings);
    s.types = cnnfi_builder_array(b, n, sizeof *s.types);
    s.assigns = cnnfi_builder_array(b, n, sizeof *s.assigns);
    if (cnnfi_builder_status(b) != CNNF_OK) return;
    for (size_t i = 0; i < n; i++) {
        s.strings[i] = variables->nodes[i]->name;
        s.strings[n + i] = "";
        s.types[i] = variable_dtype(variables->nodes[i]);
    }
    add_filename(&s);
    add_save(&s);
    add_restore(&s);
    cnnfi_meta *meta = &b->graph->meta;
    meta->saver_filename_tensor = cnnfi_builder_printf(b, "%s/Const:0", s.scope);
    meta->saver_save_tensor = cnnfi_builder_printf(b, "%s/control_dependency:0", s.scope);
    meta->saver_restore_op = cnnfi_builder_printf(b, "%s/restore_all", s.scope);
}

static cnnf_status unchanged(cnnf_graph **out, const cnnf_graph *graph)
{
    *out = cnnf_graph_ref(graph);
    return CNNF_OK;
}

cnnf_status cnnf_graph_with_saver(cnnf_graph **out, const cnnf_graph *graph, cnnf_error *error)
{
    cnnf_error_clear(error);
    cnnfi_saved_variables variables;
    cnnfi_builder *b = NULL;
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_graph_with_saver: out is NULL");
    *out = NULL;
    if (!graph) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_graph_with_saver: graph is NULL");
    if (graph->meta.saver_restore_op) return unchanged(out, graph);
    CNNFI_TRY(cnnfi_saved_variables_init(&variables, graph, error));
    cnnf_status status = CNNF_OK;
    if (variables.count == 0)
        status = unchanged(out, graph);
    else
        status = cnnfi_builder_from(&b, graph, error);
    if (b) {
        add_saver(b, &variables);
        status = cnnfi_builder_publish(out, b, error);
    }
    cnnfi_saved_variables_free(&variables);
    return status;
}
