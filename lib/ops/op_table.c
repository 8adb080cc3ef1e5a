/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups in the op table: releases, and what a node has by its op and attributes. */
#include "ops/op_table.h"

#include <string.h>

#include "base/num.h"
#include "ops/generated/op_table_rows.h"

const cnnfi_op *cnnfi_op_find(const char *name)
{
    size_t low = 0, high = cnnfi_n_ops;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(cnnfi_ops[middle].name, name);
        if (order == 0) return &cnnfi_ops[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

const cnnfi_op_arg *cnnfi_op_input(const cnnfi_op *op, size_t index)
{
    return index < op->n_inputs ? &cnnfi_op_args[op->arg + index] : NULL;
}

const cnnfi_op_arg *cnnfi_op_output(const cnnfi_op *op, size_t index)
{
    return index < op->n_outputs ? &cnnfi_op_args[op->arg + op->n_inputs + index] : NULL;
}

const cnnfi_op_attr *cnnfi_op_attr_at(const cnnfi_op *op, size_t index)
{
    return index < op->n_attrs ? &cnnfi_op_attrs[op->attr + index] : NULL;
}

const cnnfi_op_attr *cnnfi_op_attr_find(const cnnfi_op *op, const char *name)
{
    for (size_t i = 0; i < op->n_attrs; i++) {
        const cnnfi_op_attr *attr = cnnfi_op_attr_at(op, i);
        if (strcmp(attr->name, name) == 0) return attr;
    }
    return NULL;
}

/* ---- releases ---- */

bool cnnfi_op_in_release(const cnnfi_op *op, int32_t release)
{
    return release >= op->since && (!op->until || release <= op->until);
}

bool cnnfi_op_attr_in_release(const cnnfi_op *op, const cnnfi_op_attr *attr, int32_t release)
{
    return cnnfi_op_in_release(op, release) && release >= attr->since;
}

/* What the attribute said before the first change after `release`; NULL when it says the same today. */
static const cnnfi_op_past *past_of(const cnnfi_op *op, const cnnfi_op_attr *attr, int32_t release)
{
    for (size_t i = 0; i < op->n_past; i++) {
        const cnnfi_op_past *past = &cnnfi_op_pasts[op->past + i];
        if (strcmp(past->attr, attr->name) == 0 && release < past->changed_in) return past;
    }
    return NULL;
}

cnnfi_bytes cnnfi_op_default(const cnnfi_op *op, const cnnfi_op_attr *attr, int32_t release)
{
    const cnnfi_op_past *past = past_of(op, attr, release);
    return past ? past->default_value : attr->default_value;
}

cnnfi_bytes cnnfi_op_allowed(const cnnfi_op *op, const cnnfi_op_attr *attr, int32_t release)
{
    const cnnfi_op_past *past = past_of(op, attr, release);
    return past ? past->allowed : attr->allowed;
}

bool cnnfi_release_parse(const char *text, int32_t *release)
{
    const char *dot = strchr(text, '.');
    int64_t major, minor;
    if (!dot || !cnnfi_parse_i64(text, (size_t)(dot - text), &major)) return false;
    const size_t digits = strspn(dot + 1, "0123456789");
    if (!cnnfi_parse_i64(dot + 1, digits, &minor) || minor > 99) return false;
    if (strspn(dot + 1, "0123456789.") != strlen(dot + 1) || major < 0 || major > 2) return false;
    *release = (int32_t)(major * 100 + minor);
    const bool known = *release <= 115 || *release >= 200;
    return known && *release >= CNNFI_RELEASE_OLDEST && *release <= CNNFI_RELEASE_NEWEST;
}

/* TF_GRAPH_DEF_VERSION of each release's tensorflow/core/public/version.h. */
int32_t cnnfi_release_producer(int32_t release)
{
    static const struct {
        int32_t release, producer;
    } producers[] = {{104, 24},   {105, 24},   {106, 26},   {107, 26},   {108, 26},   {109, 26},   {110, 26},
                     {111, 27},   {112, 27},   {113, 27},   {114, 38},   {115, 134},  {200, 119},  {201, 175},
                     {202, 175},  {203, 440},  {204, 561},  {205, 716},  {206, 808},  {207, 898},  {208, 987},
                     {209, 1087}, {210, 1205}, {211, 1286}, {212, 1395}, {213, 1482}, {214, 1575}, {215, 1645}};
    for (size_t i = 0; i < sizeof producers / sizeof *producers; i++) {
        if (producers[i].release == release) return producers[i].producer;
    }
    return 0;
}

/* ---- nodes ---- */

/* The type an attribute gives: of the node, else the op's default (a node may leave it out). */
static cnnf_dtype type_of_attr(const cnnfi_op *op, const cnnf_node *node, const char *key)
{
    const cnnf_dtype dtype = cnnfi_node_type(node, key);
    if (dtype) return dtype;
    const cnnfi_op_attr *attr = cnnfi_op_attr_find(op, key);
    /* AttrValue.type is field 6, a varint below 128 for every data type there is. */
    if (!attr || attr->default_value.size != 2 || attr->default_value.data[0] != 0x30) return CNNF_DTYPE_INVALID;
    return attr->default_value.data[1];
}

/* How many inputs or outputs an argument stands for; -1 when its attribute is missing. */
static int64_t arg_width(const cnnfi_op_arg *arg, const cnnf_node *node)
{
    if (arg->number_attr) return cnnf_node_attr_int(node, arg->number_attr, -1);
    if (arg->type_list_attr) return cnnf_node_attr_list_count(node, arg->type_list_attr);
    return 1;
}

static int64_t count_args(const cnnfi_op *op, const cnnf_node *node, size_t count,
                          const cnnfi_op_arg *(*at)(const cnnfi_op *, size_t))
{
    int64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        const int64_t width = arg_width(at(op, i), node);
        if (width < 0 || width > INT32_MAX) return -1;
        total += width;
    }
    return total;
}

int64_t cnnfi_op_node_inputs(const cnnfi_op *op, const cnnf_node *node)
{
    return op ? count_args(op, node, op->n_inputs, cnnfi_op_input) : -1;
}

int64_t cnnfi_op_node_outputs(const cnnfi_op *op, const cnnf_node *node)
{
    return op ? count_args(op, node, op->n_outputs, cnnfi_op_output) : -1;
}

static cnnf_dtype list_type(const cnnf_node *node, const char *key, int64_t index)
{
    const cnnfi_attr *attr = cnnfi_node_attr(node, key);
    if (!attr || attr->kind != CNNF_ATTR_LIST || attr->u.list.item_kind != CNNF_ATTR_TYPE) return CNNF_DTYPE_INVALID;
    return (uint64_t)index < attr->u.list.count ? attr->u.list.u.types[index] : CNNF_DTYPE_INVALID;
}

static cnnf_dtype port_type(const cnnfi_op *op, const cnnf_node *node, int64_t port, bool *is_ref, size_t count,
                            const cnnfi_op_arg *(*at)(const cnnfi_op *, size_t))
{
    if (is_ref) *is_ref = false;
    for (size_t i = 0; port >= 0 && i < count; i++) {
        const cnnfi_op_arg *arg = at(op, i);
        const int64_t width = arg_width(arg, node);
        if (width < 0) break;
        if (port >= width) {
            port -= width;
            continue;
        }
        if (is_ref) *is_ref = arg->is_ref;
        if (arg->type) return arg->type;
        return arg->type_attr ? type_of_attr(op, node, arg->type_attr) : list_type(node, arg->type_list_attr, port);
    }
    return CNNF_DTYPE_INVALID;
}

cnnf_dtype cnnfi_op_input_type(const cnnfi_op *op, const cnnf_node *node, int64_t port, bool *is_ref)
{
    return op ? port_type(op, node, port, is_ref, op->n_inputs, cnnfi_op_input) : CNNF_DTYPE_INVALID;
}

cnnf_dtype cnnfi_op_output_type(const cnnfi_op *op, const cnnf_node *node, int64_t port, bool *is_ref)
{
    return op ? port_type(op, node, port, is_ref, op->n_outputs, cnnfi_op_output) : CNNF_DTYPE_INVALID;
}

int64_t cnnfi_node_output_count(const cnnf_node *node)
{
    return cnnfi_op_node_outputs(cnnfi_op_find(node->op), node);
}

cnnf_dtype cnnfi_node_output_type(const cnnf_node *node, int64_t port)
{
    return cnnfi_op_output_type(cnnfi_op_find(node->op), node, port, NULL);
}

/* Ops that are not marked stateful, but stand for something outside the graph or for a place in it. */
static const char *const impure[] = {"Placeholder",
                                     "PlaceholderV2",
                                     "PlaceholderWithDefault",
                                     "NoOp",
                                     "ControlTrigger",
                                     "Enter",
                                     "Exit",
                                     "NextIteration",
                                     "Merge",
                                     "Switch",
                                     "LoopCond",
                                     "RefEnter",
                                     "RefExit",
                                     "RefMerge",
                                     "RefSwitch",
                                     "RefNextIteration",
                                     "RefIdentity",
                                     "Assign",
                                     "AssignAdd",
                                     "AssignSub",
                                     "Print",
                                     "Abort",
                                     "FakeParam"};

bool cnnfi_node_is_pure(const cnnf_node *node)
{
    const cnnfi_op *op = cnnfi_op_find(node->op);
    if (!op || op->flags & CNNFI_OP_IS_STATEFUL) return false;
    for (size_t i = 0; i < sizeof impure / sizeof *impure; i++) {
        if (strcmp(node->op, impure[i]) == 0) return false;
    }
    for (size_t i = 0; i < op->n_outputs; i++) {
        if (cnnfi_op_output(op, i)->is_ref) return false;
    }
    return true;
}
