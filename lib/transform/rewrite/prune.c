/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps what the outputs need: nodes, and functions of the library. */
#include "transform/rewrite/prune.h"

#include <string.h>

#include "base/context.h"
#include "graph/order.h"
#include "graph/builder.h"

/* ---- functions ---- */

typedef struct function_walk {
    const cnnf_graph *graph;
    cnnfi_strmap names; /* function -> index */
    bool *used;
    size_t *stack, depth;
} function_walk;

static void use(function_walk *walk, const char *name)
{
    const int64_t at = cnnfi_strmap_get(&walk->names, name);
    if (at < 0 || walk->used[at]) return;
    walk->used[at] = true;
    walk->stack[walk->depth++] = (size_t)at;
}

static void use_attrs(function_walk *walk, const cnnfi_attr *attrs, size_t count);

static void use_ref(function_walk *walk, const cnnfi_func_ref *ref)
{
    use(walk, ref->name);
    use_attrs(walk, ref->attrs, ref->n_attrs);
}

/* References nest through their attributes; loaders cap the depth. */
static void use_attrs(function_walk *walk, const cnnfi_attr *attrs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (attrs[i].kind == CNNF_ATTR_FUNC) use_ref(walk, attrs[i].u.func);
        if (attrs[i].kind != CNNF_ATTR_LIST || attrs[i].u.list.item_kind != CNNF_ATTR_FUNC) continue;
        for (size_t k = 0; k < attrs[i].u.list.count; k++)
            use_ref(walk, &attrs[i].u.list.u.funcs[k]);
    }
}

/* A node calls a function through an attribute, or by having its name as op. */
static void use_node(function_walk *walk, const cnnf_node *node)
{
    use(walk, node->op);
    use_attrs(walk, node->attrs, node->n_attrs);
}

static void walk_functions(function_walk *walk)
{
    const cnnf_graph *g = walk->graph;
    for (size_t i = 0; i < g->n_nodes; i++) {
        if (!g->nodes[i]->removed) use_node(walk, g->nodes[i]);
    }
    while (walk->depth) {
        const cnnfi_function *function = g->functions[walk->stack[--walk->depth]];
        for (size_t i = 0; i < function->n_nodes; i++)
            use_node(walk, function->nodes[i]);
        use_attrs(walk, function->attrs, function->n_attrs);
    }
}

int64_t cnnfi_prune_functions(cnnfi_builder *b)
{
    cnnf_graph *g = b->graph;
    /* Gradients name functions, too: with them the library stays whole. */
    if (b->status || !g->n_functions || g->library_extra.size) return 0;
    function_walk walk = {.graph = g};
    cnnfi_strmap_init(&walk.names, g->context);
    walk.used = cnnfi_builder_array(b, g->n_functions, sizeof *walk.used);
    walk.stack = cnnfi_builder_array(b, g->n_functions, sizeof *walk.stack);
    bool ok = walk.used && walk.stack;
    for (size_t i = 0; ok && i < g->n_functions; i++) {
        ok = cnnfi_strmap_set(&walk.names, g->functions[i]->name, (int64_t)i);
        if (!ok) cnnfi_builder_fail(b, CNNF_E_NOMEM, "out of memory");
    }
    size_t kept = 0;
    const size_t before = g->n_functions;
    if (ok) walk_functions(&walk);
    for (size_t i = 0; ok && i < before; i++) {
        if (walk.used[i]) g->functions[kept++] = g->functions[i];
    }
    if (ok) g->n_functions = kept;
    cnnfi_strmap_free(&walk.names);
    return ok ? (int64_t)(before - kept) : 0;
}

/* ---- nodes ---- */

cnnf_status cnnfi_need_outputs(const cnnfi_pass_run *run)
{
    if (run->outputs.count) return CNNF_OK;
    return cnnfi_fail(run->error, CNNF_E_INVALID, "the graph declares no outputs: name them");
}

static int64_t remove_unneeded(cnnfi_pass_run *run, const cnnf_graph *in, cnnfi_builder *b, void *user)
{
    const bool *keep = user;
    int64_t nodes = 0;
    for (size_t i = 0; i < in->n_nodes; i++) {
        if (keep[i]) continue;
        cnnfi_builder_remove(b, cnnfi_builder_node(b, i));
        nodes++;
    }
    const int64_t functions = cnnfi_prune_functions(b);
    cnnfi_run_count(run, "removed", nodes);
    cnnfi_run_count(run, "removed_functions", functions);
    return nodes + functions;
}

static cnnf_status mark_needed(const cnnfi_pass_run *run, const cnnf_graph *in, bool *keep)
{
    int32_t *roots = cnnfi_array(in->context, run->outputs.count, sizeof *roots);
    if (!roots) return cnnfi_fail_nomem(run->error);
    size_t n_roots = 0;
    for (size_t i = 0; i < run->outputs.count; i++) {
        const int64_t at = cnnfi_strmap_get(&in->names, run->outputs.names[i]);
        if (at >= 0) roots[n_roots++] = (int32_t)at;
    }
    const cnnf_status status = cnnfi_reach(keep, in, roots, n_roots, false, run->error);
    cnnfi_free(in->context, roots);
    return status;
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    CNNFI_TRY(cnnfi_need_outputs(run));
    bool *keep = cnnfi_calloc(in->context, in->n_nodes, sizeof *keep);
    if (!keep) return cnnfi_fail_nomem(run->error);
    cnnf_status status = mark_needed(run, in, keep);
    if (!status) status = cnnfi_pass_edit(run, in, out, remove_unneeded, keep);
    cnnfi_free(in->context, keep);
    return status;
}

const cnnfi_pass cnnfi_pass_prune = {
    .name = "prune",
    .description = "Keeps the nodes and functions that the outputs need.",
    .run = run_pass,
};
