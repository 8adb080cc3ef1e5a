/* SPDX-License-Identifier: Apache-2.0 */
/* Functions of the library that nothing calls any more. */
#include "edit/unused_functions.h"

#include "graph/builder.h"

typedef struct function_walk {
    const cnnf_graph *graph;
    bool *used;
    size_t *stack, depth;
} function_walk;

static void use(function_walk *walk, const char *name)
{
    const int64_t at = cnnfi_strmap_get(&walk->graph->function_names, name);
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

int64_t cnnfi_drop_unused_functions(cnnfi_builder *b)
{
    cnnf_graph *g = b->graph;
    if (b->status || !g->n_functions || g->library_extra.size) return 0;
    function_walk walk = {.graph = g};
    walk.used = cnnfi_builder_array(b, g->n_functions, sizeof *walk.used);
    walk.stack = cnnfi_builder_array(b, g->n_functions, sizeof *walk.stack);
    if (!walk.used || !walk.stack) return 0;
    walk_functions(&walk);
    return (int64_t)cnnfi_builder_keep_functions(b, walk.used);
}
