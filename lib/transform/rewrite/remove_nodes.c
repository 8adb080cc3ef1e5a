/* SPDX-License-Identifier: Apache-2.0 */
/* remove_nodes, as the Graph Transform Tool has it, and remove_identity, which knows what may go. */
#include <string.h>

#include "edit/splice.h"
#include "transform/framework/pass_edit.h"

typedef struct removal {
    cnnfi_pass_run *run;
    cnnfi_edit edit;
    cnnfi_splice splice;
} removal;

static cnnf_status begin(removal *r, cnnfi_pass_run *run, const cnnf_graph *in)
{
    r->run = run;
    CNNFI_TRY(cnnfi_pass_begin_edit(&r->edit, run, in));
    cnnfi_splice_init(&r->splice, &r->edit);
    return CNNF_OK;
}

static void plan(removal *r, const cnnf_node *node, cnnfi_splice_action action)
{
    const char *why = cnnfi_splice_plan(&r->splice, node, action);
    if (why) cnnfi_run_note(r->run, node->name, "%s kept: %s", node->op, why);
}

static cnnf_status finish(removal *r, const cnnf_graph *in, cnnf_graph **out)
{
    const int64_t removed = cnnfi_splice_run(&r->splice);
    cnnfi_run_count(r->run, "removed", removed);
    r->edit.changes += (size_t)removed;
    return cnnfi_pass_end_edit(&r->edit, r->run, in, out);
}

static cnnf_status run_remove_nodes(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    const int64_t max_inputs = cnnfi_run_int(run, "max_inputs", 1);
    removal r;
    CNNFI_TRY(begin(&r, run, in));
    for (size_t i = 0; i < in->n_nodes; i++) {
        const cnnf_node *node = r.edit.b->graph->nodes[i];
        const int64_t inputs = (int64_t)cnnfi_node_data_inputs(node);
        if (!cnnfi_run_matches(run, "op", node->op) || inputs < 1 || inputs > max_inputs) continue;
        plan(&r, node, CNNFI_SPLICE_THROUGH);
    }
    return finish(&r, in, out);
}

static const cnnfi_pass_param remove_nodes_params[] = {
    {"op", CNNFI_ARG_STRING, true, true, "an op whose nodes are taken out (repeatable)"},
    {"max_inputs", CNNFI_ARG_INT, false, false, "nodes with more data inputs stay; default 1"},
};

const cnnfi_pass cnnfi_pass_remove_nodes = {
    .name = "remove_nodes",
    .description = "Takes out the nodes of the given ops; who read them reads their first input.",
    .params = remove_nodes_params,
    .n_params = sizeof remove_nodes_params / sizeof *remove_nodes_params,
    .run = run_remove_nodes,
};

/* What computes nothing at inference. */
static const struct {
    const char *op;
    cnnfi_splice_action action;
} idle[] = {
    {"Assert", CNNFI_SPLICE_DROP},
    {"CheckNumerics", CNNFI_SPLICE_THROUGH},
    {"CheckNumericsV2", CNNFI_SPLICE_THROUGH},
    {"Identity", CNNFI_SPLICE_THROUGH},
    {"IdentityN", CNNFI_SPLICE_THROUGH},
    {"NoOp", CNNFI_SPLICE_THROUGH},
    {"PlaceholderWithDefault", CNNFI_SPLICE_THROUGH},
    {"PreventGradient", CNNFI_SPLICE_THROUGH},
    {"Print", CNNFI_SPLICE_THROUGH},
    {"PrintV2", CNNFI_SPLICE_DROP},
    {"Snapshot", CNNFI_SPLICE_THROUGH},
    {"StopGradient", CNNFI_SPLICE_THROUGH},
};

static cnnfi_splice_action idle_action(const char *op)
{
    for (size_t i = 0; i < sizeof idle / sizeof *idle; i++) {
        if (strcmp(op, idle[i].op) == 0) return idle[i].action;
    }
    return CNNFI_SPLICE_KEEP;
}

static cnnf_status run_remove_identity(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    const bool all = cnnfi_run_arg_count(run, "op") == 0;
    removal r;
    CNNFI_TRY(begin(&r, run, in));
    for (size_t i = 0; i < in->n_nodes; i++) {
        const cnnf_node *node = r.edit.b->graph->nodes[i];
        const cnnfi_splice_action action = idle_action(node->op);
        if (action == CNNFI_SPLICE_KEEP || (!all && !cnnfi_run_matches(run, "op", node->op))) continue;
        plan(&r, node, action);
    }
    return finish(&r, in, out);
}

static const cnnfi_pass_param remove_identity_params[] = {
    {"op", CNNFI_ARG_STRING, false, true, "only these ops (repeatable); default all of them"},
};

const cnnfi_pass cnnfi_pass_remove_identity = {
    .name = "remove_identity",
    .description =
        "Takes out what computes nothing at inference: Identity, StopGradient, CheckNumerics, Assert, Print, "
        "NoOp, defaults of placeholders.",
    .params = remove_identity_params,
    .n_params = sizeof remove_identity_params / sizeof *remove_identity_params,
    .run = run_remove_identity,
};
