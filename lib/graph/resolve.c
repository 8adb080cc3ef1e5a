/* SPDX-License-Identifier: Apache-2.0 */
/* Names as users write them: node, tensor ("x:0"), Keras layer; and what they may have meant. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"
#include "graph/graph.h"
#include "graph/resolve.h"

/* Nodes around a layer that are no output of it. */
static bool is_plumbing(const cnnf_node *node)
{
    static const char *const ops[] = {"Const",
                                      "NoOp",
                                      "VariableV2",
                                      "VarHandleOp",
                                      "Assign",
                                      "AssignVariableOp",
                                      "ReadVariableOp",
                                      "VarIsInitializedOp",
                                      "IsVariableInitialized"};
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (strcmp(node->op, ops[i]) == 0) return true;
    }
    return strcmp(node->op, "Identity") == 0 && cnnfi_ends_with(node->name, "/read");
}

/* The last node under "layer/": Keras builds a layer's nodes in order, activation last. */
static const cnnf_node *find_layer(const cnnf_graph *graph, const char *layer)
{
    const size_t length = strlen(layer);
    for (size_t i = graph->n_nodes; i-- > 0;) {
        const cnnf_node *node = graph->nodes[i];
        if (strncmp(node->name, layer, length) == 0 && node->name[length] == '/' && !is_plumbing(node)) return node;
    }
    return NULL;
}

#define SUGGESTIONS 3

/* The nearest names by edit distance; parts of the wanted name count as near. */
static void suggest(const cnnf_graph *graph, const char *wanted, char *out, size_t size)
{
    const char *best[SUGGESTIONS] = {NULL};
    size_t score[SUGGESTIONS];
    const size_t cap = strlen(wanted) / 2 + 2;
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const cnnf_node *node = graph->nodes[i];
        size_t distance = cnnfi_edit_distance(wanted, node->name, cap);
        if (distance >= cap && (is_plumbing(node) || !strstr(node->name, wanted))) continue;
        for (size_t k = 0; k < SUGGESTIONS; k++) {
            if (best[k] && score[k] <= distance) continue;
            memmove(best + k + 1, best + k, (SUGGESTIONS - 1 - k) * sizeof *best);
            memmove(score + k + 1, score + k, (SUGGESTIONS - 1 - k) * sizeof *score);
            best[k] = node->name;
            score[k] = distance;
            break;
        }
    }
    size_t at = 0;
    out[0] = '\0';
    for (size_t k = 0; k < SUGGESTIONS && best[k] && at < size; k++) {
        at += (size_t)snprintf(out + at, size - at, "%s'%s'", k ? ", " : "; did you mean ", best[k]);
    }
    if (at && at + 1 < size) snprintf(out + at, size - at, "?");
}

cnnf_status cnnfi_resolve_node(const cnnf_node **out, const cnnf_graph *graph, const char *text, cnnf_error *error)
{
    char name[4096];
    *out = cnnf_graph_find(graph, text);
    if (*out) return CNNF_OK;
    cnnfi_input_node(text, name, sizeof name);
    *out = cnnf_graph_find(graph, name);
    if (!*out) *out = find_layer(graph, name);
    if (*out) return CNNF_OK;
    char near[600];
    suggest(graph, name, near, sizeof near);
    return cnnfi_fail_at_node(error, CNNF_E_NOT_FOUND, name, "'%s' is not in graph%s", text, near);
}
