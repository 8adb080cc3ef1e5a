/* SPDX-License-Identifier: Apache-2.0 */
/* rename_node, rename_op, obfuscate_names. */
#include <string.h>

#include "transform/framework/pass_edit.h"

/* ---- renaming, with everything that says the name ---- */

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
        const char *name = port > 0 ? cnnfi_builder_printf(b, "%s:%d", names[at], (int)port)
                                    : cnnfi_builder_strdup(b, names[at]); /* it may be the pipeline's */
        if (name) list[i] = name;
    }
}

/*
 * names[i] for node i, the node's own pointer where it keeps its name. Inputs, colocations, declared inputs and outputs
 * and the run's protected names follow.
 */
static void rename_nodes(cnnfi_pass_run *run, const cnnf_graph *in, cnnfi_edit *edit, const char *const *names)
{
    cnnfi_builder *b = edit->b;
    int64_t renamed = 0;
    for (size_t i = 0; i < edit->originals; i++) {
        cnnf_node *node = b->graph->nodes[i];
        rename_class(b, in, node, names);
        if (names[i] == in->nodes[i]->name) continue;
        cnnfi_edit_rename(edit, node, names[i]);
        if (cnnfi_edit_is_protected(edit, node) && !cnnfi_run_renamed(run, in->nodes[i]->name, names[i]))
            cnnfi_builder_fail(b, CNNF_E_NOMEM, "out of memory");
        renamed++;
    }
    cnnfi_meta *meta = &b->graph->meta;
    rename_declared(b, in, meta->inputs, meta->n_inputs, names);
    rename_declared(b, in, meta->outputs, meta->n_outputs, names);
    cnnfi_run_count(run, "renamed", renamed);
    edit->changes += (size_t)renamed;
}

/* ---- rename_node ---- */

static const char **names_of(cnnfi_edit *edit, const cnnf_graph *in)
{
    const char **names = cnnfi_edit_array(edit, in->n_nodes, sizeof *names);
    for (size_t i = 0; names && i < in->n_nodes; i++)
        names[i] = in->nodes[i]->name;
    return names;
}

static cnnf_status run_rename_node(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    const char *from = cnnfi_run_string(run, "old_node_name", ""), *to = cnnfi_run_string(run, "new_node_name", "");
    const cnnf_node *node = cnnf_graph_find(in, from);
    const bool taken = cnnf_graph_find(in, to) != NULL;
    if ((!node && taken) || strcmp(from, to) == 0) return cnnfi_pass_unchanged(in, out);
    if (!node) return cnnfi_fail(run->error, CNNF_E_NOT_FOUND, "'%s' is not in graph", from);
    if (taken) return cnnfi_fail(run->error, CNNF_E_INVALID, "A node is already using %s as name.", to);
    cnnfi_edit edit;
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, run, in));
    const char **names = names_of(&edit, in);
    if (names) {
        names[node->index] = to;
        rename_nodes(run, in, &edit, names);
    }
    return cnnfi_pass_end_edit(&edit, run, in, out);
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

static cnnf_status run_rename_op(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    const char *from = cnnfi_run_string(run, "old_op_name", ""), *to = cnnfi_run_string(run, "new_op_name", "");
    cnnfi_edit edit;
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, run, in));
    for (size_t i = 0; i < edit.originals && strcmp(from, to); i++) {
        cnnf_node *node = edit.b->graph->nodes[i];
        if (strcmp(node->op, from)) continue;
        cnnfi_edit_set_op(&edit, node, to);
        edit.changes++;
    }
    cnnfi_run_count(run, "renamed", (int64_t)edit.changes);
    return cnnfi_pass_end_edit(&edit, run, in, out);
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
static const char *next_name(cnnfi_edit *edit, size_t *counter)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const size_t base = sizeof letters - 1;
    for (;;) {
        char text[16]; /* 52^15 names */
        size_t n = (*counter)++, length = 0;
        do {
            text[length++] = letters[n % base];
            n = n / base;
        } while (n-- > 0 && length + 1 < sizeof text);
        text[length] = '\0';
        const cnnf_node *other = cnnfi_edit_find(edit, text, length);
        if (!other || !cnnfi_edit_is_protected(edit, other)) return cnnfi_builder_strdup(edit->b, text);
    }
}

static void obfuscate(cnnfi_pass_run *run, const cnnf_graph *in, cnnfi_edit *edit, const char **names)
{
    size_t counter = 0, changed = 0;
    for (size_t i = 0; i < edit->originals; i++) {
        if (cnnfi_edit_is_protected(edit, edit->b->graph->nodes[i])) continue;
        const char *name = next_name(edit, &counter);
        if (!name) return;
        if (strcmp(name, names[i]) == 0) continue;
        names[i] = name;
        changed++;
    }
    /* First to names that cannot clash: a short one may be another node's old one. */
    for (size_t i = 0; changed && i < edit->originals; i++) {
        if (names[i] == in->nodes[i]->name) continue;
        const char *odd = cnnfi_builder_printf(edit->b, "%s!%zu", names[i], i);
        if (odd) cnnfi_edit_rename(edit, edit->b->graph->nodes[i], odd);
    }
    if (changed) rename_nodes(run, in, edit, names);
}

static cnnf_status run_obfuscate(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    cnnfi_edit edit;
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, run, in));
    const char **names = names_of(&edit, in);
    if (names) obfuscate(run, in, &edit, names);
    return cnnfi_pass_end_edit(&edit, run, in, out);
}

const cnnfi_pass cnnfi_pass_obfuscate_names = {
    .name = "obfuscate_names",
    .description = "Gives every node but inputs and outputs a short name without meaning.",
    .run = run_obfuscate,
};
