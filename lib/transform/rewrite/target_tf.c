/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a graph for an older TensorFlow: newer attributes go when they say what the old release does anyway. */
#include "transform/rewrite/target_tf.h"

#include <string.h>

#include "ops/op_table.h"
#include "graph/builder.h"

typedef struct target {
    int32_t release;
    bool clear_internal;
    cnnf_status status;  /* of the first refusal ... */
    const char *refused; /* ... and its node, of the graph read */
    int64_t dropped, rewritten;
} target;

static cnnf_status refuse_attr(const cnnfi_lowering *l, const char *attr, const char *why)
{
    return cnnfi_fail_at_node(l->run->error, CNNF_E_UNSUPPORTED, l->from->name,
                              "node '%s': attribute '%s' of %s %s TensorFlow %d.%d", l->from->name, attr, l->node->op,
                              why, (int)(l->release / 100), (int)(l->release % 100));
}

/* ---- explicit padding, where the release has only SAME and VALID ---- */

/* A Pad before the convolution pads with the same zeros. */
static cnnf_status split_padding(const cnnfi_lowering *l, bool *done)
{
    const bool pool = strncmp(l->node->op, "MaxPool", 7) == 0;
    const int64_t n = cnnf_node_attr_list_count(l->node, "explicit_paddings");
    if (!cnnfi_node_string_is(l->node, "padding", "EXPLICIT")) return CNNF_OK;
    if (pool || n != 8 || !l->in) return refuse_attr(l, "padding", "is EXPLICIT, which cannot be written for");
    int32_t paddings[8];
    for (int32_t i = 0; i < 8; i++)
        paddings[i] = (int32_t)cnnf_node_attr_list_int(l->node, "explicit_paddings", i, 0);
    const int64_t dims[] = {4, 2};
    cnnf_tensor *flat = NULL;
    CNNFI_TRY(cnnf_tensor_wrap(&flat, l->b->graph->context, CNNF_INT32, 2, dims, paddings, sizeof paddings, NULL, NULL,
                               l->run->error));
    const char *constant = cnnfi_builder_unique(l->b, cnnfi_builder_printf(l->b, "%s/paddings", l->from->name));
    const char *name = cnnfi_builder_unique(l->b, cnnfi_builder_printf(l->b, "%s/Pad", l->from->name));
    cnnfi_builder_const(l->b, constant, flat);
    cnnf_tensor_unref(flat);
    cnnf_node *pad = cnnfi_builder_add(l->b, "Pad", name);
    if (!pad) return CNNF_OK;
    cnnfi_node_add_input(l->b, pad, l->node->inputs[0]);
    cnnfi_node_add_input(l->b, pad, constant);
    cnnfi_node_set_type(l->b, pad, "T", cnnfi_node_type(l->node, "T"));
    cnnfi_node_set_type(l->b, pad, "Tpaddings", CNNF_INT32);
    cnnfi_node_set_input(l->b, l->node, 0, name);
    cnnfi_node_set_string(l->b, l->node, "padding", "VALID");
    cnnfi_node_attr_remove(l->node, "explicit_paddings");
    *done = true;
    return CNNF_OK;
}

/* ---- attributes ---- */

static bool is_internal(const char *attr)
{
    return attr[0] == '_';
}

/* Drops an attribute the release does not know; refused when it says something. */
static cnnf_status drop_newer(const cnnfi_lowering *l, const cnnfi_op *op, const cnnfi_attr *attr, bool *dropped)
{
    const cnnfi_op_attr *rule = cnnfi_op_attr_find(op, attr->key);
    if (!rule) return refuse_attr(l, attr->key, "is not known to");
    if (cnnfi_op_attr_in_release(op, rule, l->release)) return CNNF_OK;
    /* The default it was born with is what releases before it do. */
    const int32_t birth = rule->since > op->since ? rule->since : op->since;
    if (!cnnfi_wire_equals(cnnfi_op_default(op, rule, birth), attr)) {
        return refuse_attr(l, attr->key, "is not at its default, and it is newer than");
    }
    *dropped = true;
    return CNNF_OK;
}

static cnnf_status check_value(const cnnfi_lowering *l, const cnnfi_op *op, const cnnfi_attr *attr)
{
    const cnnfi_op_attr *rule = cnnfi_op_attr_find(op, attr->key);
    if (!rule || attr->kind == CNNF_ATTR_PLACEHOLDER || !cnnfi_op_attr_in_release(op, rule, l->release)) return CNNF_OK;
    if (cnnfi_wire_allows(cnnfi_op_allowed(op, rule, l->release), attr)) return CNNF_OK;
    return refuse_attr(l, attr->key, "has a value that is not known to");
}

/* Attributes that got their default later must be written out. */
static int64_t add_missing(const cnnfi_lowering *l, const cnnfi_op *op)
{
    int64_t added = 0;
    for (size_t i = 0; i < op->n_attrs; i++) {
        const cnnfi_op_attr *rule = cnnfi_op_attr_at(op, i);
        if (!cnnfi_op_attr_in_release(op, rule, l->release) || cnnfi_node_attr(l->node, rule->name)) continue;
        if (!rule->default_value.data || cnnfi_op_default(op, rule, l->release).data) continue;
        cnnfi_wire_set(l->b, l->node, rule->name, rule->default_value);
        added++;
    }
    return added;
}

static cnnf_status lower_attrs(target *t, const cnnfi_lowering *l, const cnnfi_op *op)
{
    for (size_t i = l->node->n_attrs; i-- > 0;) {
        const cnnfi_attr *attr = &l->node->attrs[i];
        bool drop = is_internal(attr->key) && t->clear_internal;
        if (op && !is_internal(attr->key)) CNNFI_TRY(drop_newer(l, op, attr, &drop));
        if (op && !drop) CNNFI_TRY(check_value(l, op, attr));
        if (!drop) continue;
        cnnfi_node_attr_remove(l->node, attr->key);
        t->dropped++;
    }
    if (op) t->rewritten += add_missing(l, op);
    return CNNF_OK;
}

static cnnf_status lower_node(target *t, const cnnfi_lowering *l)
{
    bool done = false;
    CNNFI_TRY(cnnfi_lower_op(l, &done));
    t->rewritten += done;
    const cnnfi_op *op = cnnfi_op_find(l->node->op);
    const cnnfi_op_attr *paddings = op ? cnnfi_op_attr_find(op, "explicit_paddings") : NULL;
    done = false;
    if (paddings && !cnnfi_op_attr_in_release(op, paddings, l->release)) CNNFI_TRY(split_padding(l, &done));
    t->rewritten += done;
    return lower_attrs(t, l, op);
}

/* ---- the graph ---- */

static void lower_functions(cnnfi_pass_run *run, cnnfi_builder *b, target *t)
{
    for (size_t f = 0; !t->status && !b->status && f < b->graph->n_functions; f++) {
        const cnnfi_function *function = b->graph->functions[f];
        for (size_t i = 0; !t->status && i < function->n_nodes; i++) {
            const cnnfi_lowering l = {
                .run = run, .from = function->nodes[i], .b = b, .node = function->nodes[i], .release = t->release};
            t->status = lower_node(t, &l);
        }
    }
}

/* Consumers older than min_consumer refuse the file. */
static int64_t lower_versions(cnnfi_builder *b, int32_t release)
{
    cnnfi_versions *versions = &b->graph->versions;
    const int32_t producer = cnnfi_release_producer(release);
    const int64_t changed = versions->producer > producer || versions->min_consumer > producer;
    if (versions->producer > producer) versions->producer = producer;
    if (versions->min_consumer > producer) versions->min_consumer = 0;
    return changed;
}

static int64_t edit(cnnfi_pass_run *run, const cnnf_graph *in, cnnfi_builder *b, void *user)
{
    target *t = user;
    for (size_t i = 0; !t->status && !b->status && i < in->n_nodes; i++) {
        const cnnfi_lowering l = {.run = run,
                                  .in = in,
                                  .from = in->nodes[i],
                                  .b = b,
                                  .node = cnnfi_builder_node(b, i),
                                  .release = t->release};
        t->status = lower_node(t, &l);
        if (t->status) t->refused = in->nodes[i]->name;
    }
    lower_functions(run, b, t);
    /* The message is in run->error already; the builder only has to fail. */
    if (t->status) cnnfi_builder_fail(b, t->status, "%s", run->error ? run->error->message : "");
    cnnfi_run_count(run, "attributes_dropped", t->dropped);
    cnnfi_run_count(run, "rewritten", t->rewritten);
    return t->dropped + t->rewritten + lower_versions(b, t->release);
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    target t = {.clear_internal = cnnfi_run_bool(run, "clear_internal", false)};
    const char *version = cnnfi_run_string(run, "version", "");
    if (!cnnfi_release_parse(version, &t.release)) {
        return cnnfi_fail(run->error, CNNF_E_INVALID, "version=%s: TensorFlow 1.4 to 2.15 are known", version);
    }
    const cnnf_status status = cnnfi_pass_edit(run, in, out, edit, &t);
    return t.refused ? cnnfi_error_at_node(run->error, status, t.refused) : status;
}

static const cnnfi_pass_param params[] = {
    {"version", CNNFI_ARG_STRING, true, false, "the oldest TensorFlow that shall read the graph, 1.4 to 2.15"},
    {"clear_internal", CNNFI_ARG_BOOL, false, false, "drops `_class`, `_output_shapes` and the like; default false"},
};

const cnnfi_pass cnnfi_pass_target_tf = {
    .name = "target_tf",
    .description = "Writes ops and attributes so that an older TensorFlow reads them, where that is exact.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .run = run_pass,
};
