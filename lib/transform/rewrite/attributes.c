/* SPDX-License-Identifier: Apache-2.0 */
/* remove_attribute, rename_attribute, add_default_attributes. */
#include <string.h>

#include "ops/op_table.h"
#include "transform/framework/pass_edit.h"

/* op_name: none or "*" is every op, as in the tool. */
static bool op_is_meant(const cnnfi_pass_run *run, const cnnf_node *node)
{
    const char *op = cnnfi_run_string(run, "op_name", "*");
    return !*op || cnnfi_glob_match(op, node->op);
}

/* ---- remove_attribute ---- */

static int64_t remove_one(cnnfi_pass_run *run, cnnfi_edit *edit, cnnf_node *node)
{
    if (!op_is_meant(run, node)) return 0;
    int64_t removed = 0;
    for (size_t i = node->n_attrs; i-- > 0;) {
        if (!cnnfi_run_matches(run, "attribute_name", node->attrs[i].key)) continue;
        cnnfi_node_attr_remove(node, node->attrs[i].key);
        removed++;
    }
    return removed;
}

static cnnf_status run_remove(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    return cnnfi_pass_change_nodes(run, in, out, "removed", remove_one);
}

static const cnnfi_pass_param remove_params[] = {
    {"attribute_name", CNNFI_ARG_STRING, true, true, "the attribute (repeatable, `*` and `?` match)"},
    {"op_name", CNNFI_ARG_STRING, false, false, "only of this op; default all"},
};

const cnnfi_pass cnnfi_pass_remove_attribute = {
    .name = "remove_attribute",
    .description = "Removes an attribute from every node, or from those of one op.",
    .params = remove_params,
    .n_params = sizeof remove_params / sizeof *remove_params,
    .may_break = true,
    .run = run_remove,
};

/* ---- rename_attribute ---- */

static int64_t rename_one(cnnfi_pass_run *run, cnnfi_edit *edit, cnnf_node *node)
{
    const char *from = cnnfi_run_string(run, "old_attribute_name", ""),
               *to = cnnfi_run_string(run, "new_attribute_name", "");
    const cnnfi_attr *attr = cnnfi_node_attr(node, from);
    if (!attr || !op_is_meant(run, node) || strcmp(from, to) == 0) return 0;
    const cnnfi_attr copy = *attr;
    cnnfi_node_attr_remove(node, from);
    cnnfi_attr *slot = cnnfi_node_attr_slot(edit->b, node, to);
    if (!slot) return 0;
    slot->kind = copy.kind;
    slot->u = copy.u;
    slot->extra = copy.extra;
    return 1;
}

static cnnf_status run_rename(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    return cnnfi_pass_change_nodes(run, in, out, "renamed", rename_one);
}

static const cnnfi_pass_param rename_params[] = {
    {"old_attribute_name", CNNFI_ARG_STRING, true, false, "the attribute"},
    {"new_attribute_name", CNNFI_ARG_STRING, true, false, "its new name"},
    {"op_name", CNNFI_ARG_STRING, false, false, "only of this op; default all"},
};

const cnnfi_pass cnnfi_pass_rename_attribute = {
    .name = "rename_attribute",
    .description = "Gives an attribute another name.",
    .params = rename_params,
    .n_params = sizeof rename_params / sizeof *rename_params,
    .may_break = true,
    .run = run_rename,
};

/* ---- add_default_attributes ---- */

static int64_t add_defaults(cnnfi_pass_run *run, cnnfi_edit *edit, cnnf_node *node)
{
    const cnnfi_op *op = cnnfi_op_find(node->op);
    int64_t added = 0;
    for (size_t i = 0; op && i < op->n_attrs; i++) {
        const cnnfi_op_attr *attr = cnnfi_op_attr_at(op, i);
        if (!attr->default_value.data || cnnfi_node_attr(node, attr->name)) continue;
        cnnfi_wire_set(edit->b, node, attr->name, attr->default_value);
        added += cnnfi_node_attr(node, attr->name) != NULL;
    }
    return added;
}

static cnnf_status run_add(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    return cnnfi_pass_change_nodes(run, in, out, "added", add_defaults);
}

const cnnfi_pass cnnfi_pass_add_default_attributes = {
    .name = "add_default_attributes",
    .description = "Writes out attributes that were left at their default.",
    .run = run_add,
};
