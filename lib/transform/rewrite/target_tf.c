/* SPDX-License-Identifier: Apache-2.0 */
/* Writes a graph for an older TensorFlow: newer attributes go when they say what the old release does anyway. */
#include "transform/rewrite/target_tf.h"

#include <string.h>

#include "base/error.h"
#include "graph/tensor.h"
#include "ops/op_table.h"
#include "transform/framework/pass_edit.h"
#include "transform/rewrite/target_kernels.h"

typedef struct target {
    int32_t release;
    bool clear_internal, kernels;
    cnnfi_shapes shapes;
    int64_t dropped, rewritten;
} target;

static void refuse_attr(const cnnfi_lowering *l, const char *attr, const char *why)
{
    cnnfi_builder *b = l->edit->b;
    cnnfi_builder_fail_at(b, CNNF_E_UNSUPPORTED, l->node->name, "node '%s': attribute '%s' of %s %s TensorFlow %d.%d",
                          l->node->name, attr, l->node->op, why, (int)(l->release / 100), (int)(l->release % 100));
}

/* ---- explicit padding, where the release has only SAME and VALID ---- */

/* Ops whose input 0 is the image that they pad with zeros. A gradient with respect to the image has none (its input 0
   is a shape), a pool pads with the smallest value, a quantized convolution with what stands for zero. */
static bool pads_input_0(const char *op)
{
    static const char *const ops[] = {"Conv2D", "Conv2DBackpropFilter", "Conv2DBackpropFilterV2",
                                      "DepthwiseConv2dNative", "DepthwiseConv2dNativeBackpropFilter"};
    return cnnfi_text_in(op, ops, sizeof ops / sizeof *ops);
}

/* [4, 2]: before and after, per axis; NULL when the attribute does not say so. */
static cnnf_tensor *explicit_paddings(const cnnfi_lowering *l)
{
    static const int64_t dims[] = {4, 2};
    cnnfi_builder *b = l->edit->b;
    int32_t paddings[8];
    cnnf_tensor *out = NULL;
    if (cnnf_node_attr_list_count(l->node, "explicit_paddings") != 8) return NULL;
    for (int32_t i = 0; i < 8; i++) {
        const int64_t n = cnnf_node_attr_list_int(l->node, "explicit_paddings", i, 0);
        if (n < 0 || n > INT32_MAX) return NULL;
        paddings[i] = (int32_t)n;
    }
    b->status = cnnfi_tensor_copy(&out, b->graph->context, CNNF_INT32, 2, dims, paddings, b->error);
    return out;
}

/* A Pad before the convolution pads with the same zeros. */
static bool split_padding(const cnnfi_lowering *l)
{
    cnnfi_edit *edit = l->edit;
    if (edit->b->status || !cnnfi_node_string_is(l->node, "padding", "EXPLICIT")) return false;
    const bool possible = pads_input_0(l->node->op) && !l->in_function;
    cnnf_tensor *paddings = possible ? explicit_paddings(l) : NULL;
    if (!paddings) {
        if (!edit->b->status) refuse_attr(l, "padding", "is EXPLICIT, which cannot be written for");
        return false;
    }
    cnnf_node *constant = cnnfi_edit_const(edit, paddings, "%s/paddings", l->node->name);
    cnnf_tensor_unref(paddings);
    const char *name = cnnfi_edit_unique(edit, "%s/Pad", l->node->name);
    cnnf_node *pad = name ? cnnfi_edit_add(edit, "Pad", name) : NULL;
    cnnfi_edit_place_before(edit, constant, NULL);
    cnnfi_edit_place_before(edit, pad, NULL);
    cnnfi_edit_add_input(edit, pad, cnnfi_edit_input(l->node, 0));
    cnnfi_edit_add_input(edit, pad, cnnfi_end(constant, 0));
    cnnfi_node_set_type(edit->b, pad, "T", cnnfi_node_type(l->node, "T"));
    cnnfi_node_set_type(edit->b, pad, "Tpaddings", CNNF_INT32);
    cnnfi_edit_set_input(edit, l->node, 0, cnnfi_end(pad, 0));
    cnnfi_node_set_string(edit->b, l->node, "padding", "VALID");
    cnnfi_node_attr_remove(l->node, "explicit_paddings");
    return true;
}

/* ---- attributes ---- */

static bool is_internal(const char *attr)
{
    return attr[0] == '_';
}

/* Whether an attribute is dropped because the release does not know it; refused when it says something. */
static bool is_newer(const cnnfi_lowering *l, const cnnfi_op *op, const cnnfi_attr *attr)
{
    const cnnfi_op_attr *rule = cnnfi_op_attr_find(op, attr->key);
    if (!rule) {
        refuse_attr(l, attr->key, "is not known to");
        return false;
    }
    if (cnnfi_op_attr_in_release(op, rule, l->release)) return false;
    /* The default it was born with is what releases before it do. */
    const int32_t birth = rule->since > op->since ? rule->since : op->since;
    if (cnnfi_wire_equals(cnnfi_op_default(op, rule, birth), attr)) return true;
    refuse_attr(l, attr->key, "is not at its default, and it is newer than");
    return false;
}

static void check_value(const cnnfi_lowering *l, const cnnfi_op *op, const cnnfi_attr *attr)
{
    const cnnfi_op_attr *rule = cnnfi_op_attr_find(op, attr->key);
    if (!rule || attr->kind == CNNF_ATTR_PLACEHOLDER || !cnnfi_op_attr_in_release(op, rule, l->release)) return;
    if (!cnnfi_wire_allows(cnnfi_op_allowed(op, rule, l->release), attr))
        refuse_attr(l, attr->key, "has a value that is not known to");
}

/* Attributes that got their default later must be written out. */
static int64_t add_missing(const cnnfi_lowering *l, const cnnfi_op *op)
{
    int64_t added = 0;
    for (size_t i = 0; i < op->n_attrs; i++) {
        const cnnfi_op_attr *rule = cnnfi_op_attr_at(op, i);
        if (!cnnfi_op_attr_in_release(op, rule, l->release) || cnnfi_node_attr(l->node, rule->name)) continue;
        if (!rule->default_value.data || cnnfi_op_default(op, rule, l->release).data) continue;
        cnnfi_wire_set(l->edit->b, l->node, rule->name, rule->default_value);
        added++;
    }
    return added;
}

static void lower_attrs(target *t, const cnnfi_lowering *l, const cnnfi_op *op)
{
    for (size_t i = l->node->n_attrs; i-- > 0 && !l->edit->b->status;) {
        const cnnfi_attr *attr = &l->node->attrs[i];
        bool drop = is_internal(attr->key) && t->clear_internal;
        if (op && !is_internal(attr->key)) drop = is_newer(l, op, attr);
        if (op && !drop && !l->edit->b->status) check_value(l, op, attr);
        if (!drop) continue;
        cnnfi_node_attr_remove(l->node, attr->key);
        t->dropped++;
    }
    if (op) t->rewritten += add_missing(l, op);
}

static void lower_node(target *t, const cnnfi_lowering *l)
{
    if (t->kernels) t->rewritten += cnnfi_lower_kernel(l, &t->shapes);
    t->rewritten += cnnfi_lower_op(l);
    const cnnfi_op *op = cnnfi_op_find(l->node->op);
    const cnnfi_op_attr *paddings = op ? cnnfi_op_attr_find(op, "explicit_paddings") : NULL;
    if (paddings && !cnnfi_op_attr_in_release(op, paddings, l->release)) t->rewritten += split_padding(l);
    if (!l->edit->b->status) lower_attrs(t, l, op);
}

/* ---- the graph ---- */

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

static void lower_graph(target *t, cnnfi_edit *edit)
{
    const cnnf_graph *g = edit->b->graph;
    cnnfi_lowering l = {.edit = edit, .release = t->release};
    for (size_t i = 0; i < edit->count && !edit->b->status; i++) { /* those that a rewrite adds, too */
        l.node = g->nodes[i];
        l.op = l.node->op;
        lower_node(t, &l);
    }
    l.in_function = true;
    for (size_t f = 0; f < g->n_functions; f++) {
        for (size_t i = 0; i < g->functions[f]->n_nodes && !edit->b->status; i++) {
            l.node = g->functions[f]->nodes[i];
            l.op = l.node->op;
            lower_node(t, &l);
        }
    }
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    target t = {.clear_internal = cnnfi_run_bool(run, "clear_internal", false),
                .kernels = cnnfi_run_bool(run, "kernels", true)};
    const char *version = cnnfi_run_string(run, "version", "");
    if (!cnnfi_release_parse(version, &t.release)) {
        return cnnfi_fail(run->error, CNNF_E_INVALID, "version=%s: TensorFlow 1.4 to 2.15 are known", version);
    }
    cnnfi_edit edit;
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, run, in));
    cnnfi_shapes_init(&t.shapes, &edit);
    lower_graph(&t, &edit);
    cnnfi_run_count(run, "attributes_dropped", t.dropped);
    cnnfi_run_count(run, "rewritten", t.rewritten);
    edit.changes += (size_t)(t.dropped + t.rewritten + lower_versions(edit.b, t.release));
    return cnnfi_pass_end_edit(&edit, run, in, out);
}

static const cnnfi_pass_param params[] = {
    {"version", CNNFI_ARG_STRING, true, false, "the oldest TensorFlow that shall read the graph, 1.4 to 2.15"},
    {"clear_internal", CNNFI_ARG_BOOL, false, false, "drops `_class`, `_output_shapes` and the like; default false"},
    {"kernels", CNNFI_ARG_BOOL, false, false,
     "also what the release's CPU cannot run, grouped convolutions and NCHW batch norms; default true"},
};

const cnnfi_pass cnnfi_pass_target_tf = {
    .name = "target_tf",
    .description = "Writes ops and attributes so that an older TensorFlow reads them, where that is exact.",
    .params = params,
    .n_params = sizeof params / sizeof *params,
    .run = run_pass,
};
