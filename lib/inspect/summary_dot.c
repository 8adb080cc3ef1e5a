/* SPDX-License-Identifier: Apache-2.0 */
/* A picture for Graphviz: a layer is what shares the first part of its name; what only feeds it is inside the box. */
#include "inspect/summary.h"

#include <inttypes.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "inspect/shown_layers.h"

typedef struct layer {
    const char *name;
    size_t length;
    bool shown; /* it computes something */
    int64_t parameters;
    cnnfi_strbuf ops; /* "Conv2D, BiasAdd" */
} layer;

typedef struct picture {
    const cnnf_graph *graph;
    cnnfi_arena arena;
    cnnfi_strmap by_name, edges;
    layer *layers;
    size_t n_layers;
    int32_t *of_node; /* layer of each node */
    cnnfi_strbuf *out;
} picture;

static int64_t elements(const cnnf_node *node)
{
    const cnnf_tensor *tensor = strcmp(node->op, "Const") == 0 ? cnnf_node_attr_tensor(node, "value") : node->value;
    return tensor ? cnnf_tensor_element_count(tensor) : 0;
}

static bool add_node(picture *p, const cnnf_node *node)
{
    const size_t length = strcspn(node->name, "/");
    int64_t at = cnnfi_strmap_get_n(&p->by_name, node->name, length);
    if (at < 0) {
        layer *fresh = &p->layers[p->n_layers];
        *fresh = (layer){.name = cnnfi_arena_strndup(&p->arena, node->name, length), .length = length};
        cnnfi_strbuf_init(&fresh->ops, p->graph->context);
        at = (int64_t)p->n_layers++;
        if (!fresh->name || !cnnfi_strmap_set(&p->by_name, fresh->name, at)) return false;
    }
    layer *l = &p->layers[at];
    p->of_node[node->index] = (int32_t)at;
    l->parameters += elements(node);
    if (cnnfi_says_nothing(p->graph, node, length)) return true;
    l->shown = true;
    if (l->ops.size < 200)
        cnnfi_strbuf_printf(&l->ops, "%s%s", l->ops.size ? ", " : "", node->op);
    else if (!cnnfi_ends_with(l->ops.data, "..."))
        cnnfi_strbuf_puts(&l->ops, " ...");
    return !l->ops.failed;
}

/* Quotes and backslashes are DOT's own. */
static void put_quoted(cnnfi_strbuf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '"' || *text == '\\') cnnfi_strbuf_putc(out, '\\');
        cnnfi_strbuf_putc(out, *text);
    }
}

static void put_layer(picture *p, size_t index)
{
    const layer *l = &p->layers[index];
    if (!l->shown) return;
    cnnfi_strbuf_printf(p->out, "  n%zu [label=\"", index);
    put_quoted(p->out, l->name);
    cnnfi_strbuf_printf(p->out, "\\n%s", l->ops.data ? l->ops.data : "");
    if (l->parameters > 1) cnnfi_strbuf_printf(p->out, "\\n%" PRId64 " parameters", l->parameters);
    cnnfi_strbuf_puts(p->out, "\"];\n");
}

static bool put_edge(picture *p, int32_t from, int32_t to, bool control)
{
    if (from == to || !p->layers[from].shown || !p->layers[to].shown) return true;
    const char *key = cnnfi_arena_printf(&p->arena, "%d %d %d", (int)from, (int)to, control);
    if (!key) return false;
    if (cnnfi_strmap_get(&p->edges, key) >= 0) return true;
    cnnfi_strbuf_printf(p->out, "  n%d -> n%d%s;\n", (int)from, (int)to, control ? " [style=dashed]" : "");
    return cnnfi_strmap_set(&p->edges, key, 1);
}

static bool draw(picture *p)
{
    const cnnf_graph *g = p->graph;
    for (size_t i = 0; i < g->n_nodes; i++) {
        if (!add_node(p, g->nodes[i])) return false;
    }
    cnnfi_strbuf_puts(p->out, "digraph network {\n  node [shape=box, style=rounded, fontname=\"sans-serif\"];\n");
    for (size_t i = 0; i < p->n_layers; i++)
        put_layer(p, i);
    for (size_t i = 0; i < g->n_nodes; i++) {
        for (size_t k = 0; k < g->nodes[i]->n_inputs; k++) {
            const cnnfi_edge edge = g->nodes[i]->edges[k];
            if (!put_edge(p, p->of_node[edge.node], p->of_node[i], edge.port == CNNFI_PORT_CONTROL)) return false;
        }
    }
    cnnfi_strbuf_puts(p->out, "}\n");
    return true;
}

cnnf_status cnnfi_summary_dot(cnnfi_strbuf *out, const cnnf_graph *graph, cnnf_error *error)
{
    picture p = {.graph = graph, .out = out};
    cnnfi_arena_init(&p.arena, graph->context);
    cnnfi_strmap_init(&p.by_name, graph->context);
    cnnfi_strmap_init(&p.edges, graph->context);
    p.layers = cnnfi_arena_array(&p.arena, graph->n_nodes, sizeof *p.layers);
    p.of_node = cnnfi_arena_array(&p.arena, graph->n_nodes, sizeof *p.of_node);
    const bool ok = p.layers && p.of_node && draw(&p);
    for (size_t i = 0; i < p.n_layers; i++)
        cnnfi_strbuf_free(&p.layers[i].ops);
    cnnfi_strmap_free(&p.by_name);
    cnnfi_strmap_free(&p.edges);
    cnnfi_arena_free(&p.arena);
    return ok ? CNNF_OK : cnnfi_fail_nomem(error);
}
