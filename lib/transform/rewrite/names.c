/* SPDX-License-Identifier: Apache-2.0 */
/* rename_node, rename_op, obfuscate_names. */
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "graph/builder.h"
#include "transform/rewrite/names.h"

/* ---- renaming, with everything that says the name ---- */

static const char *renamed_input(cnnfi_builder *b, const cnnf_graph *in, cnnfi_edge edge, const char *const *names)
{
    const char *name = names[edge.node];
    if (edge.port == CNNFI_PORT_CONTROL) return cnnfi_builder_printf(b, "^%s", name);
    return edge.port ? cnnfi_builder_printf(b, "%s:%d", name, (int)edge.port) : name;
}

static void rename_inputs(cnnfi_builder *b, const cnnf_graph *in, const cnnf_node *node, const char *const *names)
{
    cnnf_node *copy = cnnfi_builder_node(b, (size_t)node->index);
    for (size_t k = 0; k < node->n_inputs; k++) {
        const cnnfi_edge edge = node->edges[k];
        if (names[edge.node] == in->nodes[edge.node]->name) continue;
        const char *input = renamed_input(b, in, edge, names);
        if (input) cnnfi_node_set_input(b, copy, k, input);
    }
}

/* "loc:@old" */
static void rename_class(cnnfi_builder *b, const cnnf_graph *in, cnnf_node *node, const char *const *names)
{
    const cnnfi_attr *found = cnnfi_node_attr(node, "_class");
    if (!found || found->kind != CNNF_ATTR_LIST || found->u.list.item_kind != CNNF_ATTR_STRING) return;
    cnnfi_bytes *items = found->u.list.u.strings;
    for (size_t i = 0; i < found->u.list.count; i++) {
        if (items[i].size <= 5 || memcmp(items[i].data, "loc:@", 5)) continue;
        const int64_t at = cnnfi_strmap_get_n(&in->names, (const char *)items[i].data + 5, items[i].size - 5);
        if (at < 0 || names[at] == in->nodes[at]->name) continue;
        const char *text = cnnfi_builder_printf(b, "loc:@%s", names[at]);
        if (text) items[i] = (cnnfi_bytes){.data = (const uint8_t *)text, .size = strlen(text)};
    }
}

/* A declared input or output, "x" or "x:1". */
static void rename_declared(cnnfi_builder *b, const cnnf_graph *in, const char **list, size_t count,
                            const char *const *names)
{
    for (size_t i = 0; i < count; i++) {
        const char *start;
        size_t length;
        const int32_t port = cnnfi_input_parse(list[i], &start, &length);
        const int64_t at = cnnfi_strmap_get_n(&in->names, start, length);
        if (at < 0 || names[at] == in->nodes[at]->name) continue;
        const char *name = renamed_input(b, in, (cnnfi_edge){.node = (int32_t)at, .port = port}, names);
        name = cnnfi_builder_strdup(b, name); /* it may be the pipeline's */
        if (name) list[i] = name;
    }
}

int64_t cnnfi_rename_nodes(cnnfi_pass_run *run, const cnnf_graph *in, cnnfi_builder *b, const char *const *names)
{
    int64_t renamed = 0;
    for (size_t i = 0; i < in->n_nodes; i++) {
        cnnf_node *node = cnnfi_builder_node(b, i);
        rename_inputs(b, in, in->nodes[i], names);
        rename_class(b, in, node, names);
        if (names[i] == in->nodes[i]->name) continue;
        if (cnnfi_builder_rename(b, node, names[i]) && !cnnfi_run_renamed(run, in->nodes[i]->name, names[i])) {
            cnnfi_builder_fail(b, CNNF_E_NOMEM, "out of memory");
        }
        renamed++;
    }
    cnnfi_meta *meta = &b->graph->meta;
    rename_declared(b, in, meta->inputs, meta->n_inputs, names);
    rename_declared(b, in, meta->outputs, meta->n_outputs, names);
    cnnfi_run_count(run, "renamed", renamed);
    return renamed;
}

/* ---- rename_node ---- */

static int64_t edit_rename(cnnfi_pass_run *run, const cnnf_graph *in, cnnfi_builder *b, void *user)
{
    return cnnfi_rename_nodes(run, in, b, user);
}

static cnnf_status run_rename_node(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    const char *from = cnnfi_run_string(run, "old_node_name", ""), *to = cnnfi_run_string(run, "new_node_name", "");
    const cnnf_node *node = cnnf_graph_find(in, from);
    const bool taken = cnnf_graph_find(in, to) != NULL;
    if ((!node && taken) || strcmp(from, to) == 0) return cnnfi_pass_unchanged(in, out);
    if (!node) return cnnfi_fail(run->error, CNNF_E_NOT_FOUND, "'%s' is not in graph", from);
    if (taken) return cnnfi_fail(run->error, CNNF_E_INVALID, "A node is already using %s as name.", to);
    const char **names = cnnfi_array(in->context, in->n_nodes, sizeof *names);
    if (!names) return cnnfi_fail_nomem(run->error);
    for (size_t i = 0; i < in->n_nodes; i++)
        names[i] = in->nodes[i]->name;
    names[node->index] = to;
    const cnnf_status status = cnnfi_pass_edit(run, in, out, edit_rename, names);
    cnnfi_free(in->context, names);
    return status;
}

static const cnnfi_pass_param rename_node_params[] = {
    {"old_node_name", CNNFI_ARG_STRING, true, false, "the node"},
    {"new_node_name", CNNFI_ARG_STRING, true, false, "its new name"},
};

const cnnfi_pass cnnfi_pass_rename_node = {
    .name = "rename_node",
    .description = "Gives a node another name, and everything that says the old one.",
    .params = rename_node_params,
    .n_params = sizeof rename_node_params / sizeof *rename_node_params,
    .run = run_rename_node,
};

/* ---- rename_op ---- */

static int64_t edit_op(cnnfi_pass_run *run, const cnnf_graph *in, cnnfi_builder *b, void *user)
{
    const char *from = cnnfi_run_string(run, "old_op_name", ""), *to = cnnfi_run_string(run, "new_op_name", "");
    int64_t renamed = 0;
    for (size_t i = 0; i < in->n_nodes; i++) {
        if (strcmp(in->nodes[i]->op, from) || strcmp(from, to) == 0) continue;
        cnnfi_node_set_op(b, cnnfi_builder_node(b, i), to);
        renamed++;
    }
    cnnfi_run_count(run, "renamed", renamed);
    return renamed;
}

static cnnf_status run_rename_op(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    return cnnfi_pass_edit(run, in, out, edit_op, NULL);
}

static const cnnfi_pass_param rename_op_params[] = {
    {"old_op_name", CNNFI_ARG_STRING, true, false, "the op"},
    {"new_op_name", CNNFI_ARG_STRING, true, false, "its new name"},
};

const cnnfi_pass cnnfi_pass_rename_op = {
    .name = "rename_op",
    .description = "Gives the nodes of an op another op, and nothing else.",
    .params = rename_op_params,
    .n_params = sizeof rename_op_params / sizeof *rename_op_params,
    .may_break = true,
    .run = run_rename_op,
};

/* ---- obfuscate_names ---- */

/* A, B, ... Z, a ... z, AA ...: never a name that a protected node has. */
static const char *next_name(cnnfi_pass_run *run, size_t *counter)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const size_t base = sizeof letters - 1;
    for (;;) {
        char text[16];
        size_t n = (*counter)++, length = 0;
        do {
            text[length++] = letters[n % base];
            n = n / base;
        } while (n-- > 0 && length + 1 < sizeof text);
        text[length] = '\0';
        if (!cnnfi_run_is_protected(run, text)) return cnnfi_arena_strdup(run->arena, text);
    }
}

static int64_t edit_obfuscate(cnnfi_pass_run *run, const cnnf_graph *in, cnnfi_builder *b, void *user)
{
    const char **names = user;
    /* First to names that cannot clash: a short one may be another node's old one. */
    int64_t changed = 0;
    for (size_t i = 0; i < in->n_nodes; i++) {
        if (names[i] == in->nodes[i]->name || strcmp(names[i], in->nodes[i]->name) == 0) continue;
        const char *odd = cnnfi_builder_printf(b, "%s!%zu", names[i], i);
        if (odd) cnnfi_builder_rename(b, cnnfi_builder_node(b, i), odd);
        changed++;
    }
    if (changed) cnnfi_rename_nodes(run, in, b, names);
    return changed;
}

static cnnf_status run_obfuscate(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    bool *protection = cnnfi_run_protection(run, in);
    const char **names = cnnfi_array(in->context, in->n_nodes, sizeof *names);
    cnnf_status status = protection && names ? CNNF_OK : cnnfi_fail_nomem(run->error);
    size_t counter = 0;
    for (size_t i = 0; !status && i < in->n_nodes; i++) {
        names[i] = protection[i] ? in->nodes[i]->name : next_name(run, &counter);
        if (names[i] && !protection[i] && strcmp(names[i], in->nodes[i]->name) == 0) names[i] = in->nodes[i]->name;
        if (!names[i]) status = cnnfi_fail_nomem(run->error);
    }
    if (!status) status = cnnfi_pass_edit(run, in, out, edit_obfuscate, names);
    cnnfi_free(in->context, protection);
    cnnfi_free(in->context, names);
    return status;
}

const cnnfi_pass cnnfi_pass_obfuscate_names = {
    .name = "obfuscate_names",
    .description = "Gives every node but inputs and outputs a short name without meaning.",
    .run = run_obfuscate,
};
