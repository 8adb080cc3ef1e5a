/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/checkpoint/restore_map.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "base/num.h"
#include "graph/order.h"

#define MAX_IDENTITIES 8 /* between a restore node and the assignment; Savers put at most two */

/* The main graph, or a function's body: where node names are looked up. */
typedef struct scope {
    size_t n_nodes;
    struct cnnf_node *const *nodes;
    const cnnfi_strmap *names;
} scope;

/* "a", "a:1", "a:out:1", "^a": the node, and the last number as its port. */
static const cnnf_node *find_input(const scope *s, const char *input, int64_t *port)
{
    const char *first = strchr(input, ':'), *last = strrchr(input, ':');
    const size_t length = first ? (size_t)(first - input) : strlen(input);
    *port = 0;
    if (last) cnnfi_parse_i64(last + 1, strlen(last + 1), port);
    const int64_t index = cnnfi_strmap_get_n(s->names, input, length);
    return index < 0 ? NULL : s->nodes[index];
}

/* Element of a constant string input, in the map's arena; "" when there is none. */
static cnnf_status string_input(const char **out, cnnfi_restore_map *map, const scope *s, const cnnf_node *node,
                                size_t input, int64_t element, cnnf_error *error)
{
    int64_t port;
    const char *bytes = NULL;
    size_t size = 0;
    const cnnf_node *names = input < node->n_inputs ? find_input(s, node->inputs[input], &port) : NULL;
    const cnnfi_attr *value = names ? cnnfi_node_attr(names, "value") : NULL;
    if (value && value->kind == CNNF_ATTR_TENSOR) cnnf_tensor_string(&bytes, &size, value->u.tensor, element, NULL);
    *out = cnnfi_arena_strndup(&map->arena, bytes ? bytes : "", size);
    return *out ? CNNF_OK : cnnfi_fail_nomem(error);
}

static bool op_is(const cnnf_node *node, const char *op)
{
    return strcmp(node->op, op) == 0;
}

/* Follows an assignment's value back to its restore node. */
static const cnnf_node *find_restore(const scope *s, const char *input, int64_t *port)
{
    const cnnf_node *node = find_input(s, input, port);
    for (int i = 0; node && i < MAX_IDENTITIES && op_is(node, "Identity") && node->n_inputs; i++)
        node = find_input(s, node->inputs[0], port);
    return node && (op_is(node, "RestoreV2") || op_is(node, "RestoreSlice") || op_is(node, "Restore")) ? node : NULL;
}

static bool is_assignment(const cnnf_node *node)
{
    return node->n_inputs >= 2 && (op_is(node, "Assign") || op_is(node, "AssignVariableOp"));
}

static cnnf_status fill_item(cnnfi_restore_item *item, cnnfi_restore_map *map, const scope *s, const cnnf_node *assign,
                             cnnf_error *error)
{
    int64_t port;
    const cnnf_node *restore = find_restore(s, assign->inputs[1], &port);
    if (!restore || item->key) return CNNF_OK;
    cnnfi_restore_item found;
    CNNFI_TRY(string_input(&found.key, map, s, restore, 1, port, error));
    CNNFI_TRY(string_input(&found.slice, map, s, restore, 2, port, error));
    if (*found.key) *item = found;
    return CNNF_OK;
}

/* What the restore op waits for, one flag per node; *keep NULL: a graph without Saver, everything counts. */
static cnnf_status find_restored(bool **keep, cnnfi_restore_map *map, const cnnf_graph *graph, const char *restore_op,
                                 cnnf_error *error)
{
    const char *name = restore_op ? restore_op : graph->meta.saver_restore_op;
    *keep = NULL;
    if (!name || !*name) return CNNF_OK;
    const int64_t at = cnnfi_strmap_get_n(&graph->names, name, strcspn(name, ":"));
    if (at < 0 && !restore_op) return CNNF_OK;
    if (at < 0) return cnnfi_fail(error, CNNF_E_NOT_FOUND, "the Saver's restore op '%s' is not in the graph", name);
    const int32_t root = (int32_t)at;
    *keep = cnnfi_arena_array(&map->arena, graph->n_nodes + 1, sizeof **keep);
    return *keep ? cnnfi_reach(*keep, graph, &root, 1, false, error) : cnnfi_fail_nomem(error);
}

static cnnf_status map_main(cnnfi_restore_map *map, const cnnf_graph *graph, const char *restore_op, cnnf_error *error)
{
    const scope s = {graph->n_nodes, graph->nodes, &graph->names};
    bool *keep;
    CNNFI_TRY(find_restored(&keep, map, graph, restore_op, error));
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const cnnf_node *node = graph->nodes[i];
        if (!is_assignment(node) || (keep && !keep[i])) continue;
        const int32_t variable = node->edges[0].node;
        if (variable >= 0) CNNFI_TRY(fill_item(&map->items[variable], map, &s, node, error));
    }
    return CNNF_OK;
}

/* The main graph's node behind a call's argument of that name; -1. */
static int32_t argument_node(const cnnfi_function *f, const cnnf_node *call, const char *name)
{
    for (size_t i = 0; i < f->n_inputs && i < call->n_inputs; i++) {
        if (strcmp(f->inputs[i].name, name) == 0) return call->edges[i].node;
    }
    return -1;
}

static cnnf_status map_body(cnnfi_restore_map *map, const cnnfi_function *f, const cnnf_node *call, const scope *s,
                            cnnf_error *error)
{
    for (size_t i = 0; i < f->n_nodes; i++) {
        if (!is_assignment(f->nodes[i])) continue;
        const int32_t variable = argument_node(f, call, f->nodes[i]->inputs[0]);
        if (variable >= 0) CNNFI_TRY(fill_item(&map->items[variable], map, s, f->nodes[i], error));
    }
    return CNNF_OK;
}

static bool has_restore(const cnnfi_function *f)
{
    for (size_t i = 0; i < f->n_nodes; i++) {
        if (op_is(f->nodes[i], "RestoreV2")) return true;
    }
    return false;
}

static cnnf_status map_call(cnnfi_restore_map *map, const cnnf_graph *graph, const cnnf_node *call, cnnf_error *error)
{
    const cnnfi_attr *attr = cnnfi_node_attr(call, "f");
    const cnnfi_function *f =
        attr && attr->kind == CNNF_ATTR_FUNC ? cnnfi_graph_function(graph, attr->u.func->name) : NULL;
    cnnfi_strmap names;
    if (!f || !has_restore(f)) return CNNF_OK;
    cnnfi_strmap_init(&names, graph->context);
    const scope s = {f->n_nodes, f->nodes, &names};
    cnnf_status status = CNNF_OK;
    for (size_t i = 0; i < f->n_nodes && status == CNNF_OK; i++) {
        if (!cnnfi_strmap_set(&names, f->nodes[i]->name, (int64_t)i)) status = cnnfi_fail_nomem(error);
    }
    if (status == CNNF_OK) status = map_body(map, f, call, &s, error);
    cnnfi_strmap_free(&names);
    return status;
}

static cnnf_status map_calls(cnnfi_restore_map *map, const cnnf_graph *graph, cnnf_error *error)
{
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const cnnf_node *node = graph->nodes[i];
        if (op_is(node, "StatefulPartitionedCall") || op_is(node, "PartitionedCall"))
            CNNFI_TRY(map_call(map, graph, node, error));
    }
    return CNNF_OK;
}

cnnf_status cnnfi_restore_map_init(cnnfi_restore_map *out, const cnnf_graph *graph, const char *restore_op,
                                   cnnf_error *error)
{
    cnnfi_arena_init(&out->arena, graph->context);
    out->items = cnnfi_arena_array(&out->arena, graph->n_nodes + 1, sizeof *out->items);
    if (!out->items) return cnnfi_fail_nomem(error);
    cnnf_status status = map_main(out, graph, restore_op, error);
    if (status == CNNF_OK) status = map_calls(out, graph, error);
    if (status != CNNF_OK) cnnfi_restore_map_free(out);
    return status;
}

void cnnfi_restore_map_free(cnnfi_restore_map *map)
{
    cnnfi_arena_free(&map->arena);
    map->items = NULL;
}
