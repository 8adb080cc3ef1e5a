/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes to layers: what shares the first part of its name, constants and variables inside the box of who reads them. */
#include "inspect/shown_layers.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <cnnfreeze/inspect.h>

#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"
#include "base/strmap.h"
#include "edit/shapes.h"
#include "graph/order.h"
#include "graph/resolve.h"

/* ---- nodes that say nothing ---- */

/* Constants, variables and what hands them on say nothing in a picture. */
static bool is_plumbing(const char *op)
{
    static const char *const ops[] = {"Const",
                                      "Identity",
                                      "NoOp",
                                      "VariableV2",
                                      "Variable",
                                      "VarHandleOp",
                                      "ReadVariableOp",
                                      "Assign",
                                      "AssignVariableOp",
                                      "VarIsInitializedOp",
                                      "IsVariableInitialized"};
    return cnnfi_text_in(op, ops, sizeof ops / sizeof *ops);
}

/* An Identity of another layer's result is a layer (dropout at inference); one of a variable is not. */
bool cnnfi_says_nothing(const cnnf_graph *graph, const cnnf_node *node, size_t length)
{
    if (!is_plumbing(node->op)) return false;
    if (strcmp(node->op, "Identity") || !node->n_inputs) return true;
    const cnnf_node *from = graph->nodes[node->edges[0].node];
    const bool inside = strncmp(from->name, node->name, length) == 0 && strchr("/", from->name[length]);
    return inside || (is_plumbing(from->op) && strcmp(from->op, "Identity"));
}

/* ---- scopes ---- */

typedef struct finder {
    const cnnf_graph *graph;
    cnnfi_layers *out;
    cnnfi_strmap names, links;
    cnnfi_edit edit;
    cnnfi_shapes shapes;
    bool *keep;        /* nodes that an output needs */
    int32_t *order;    /* [n_nodes] of execution */
    int32_t *of_node;  /* scope of each node, -1: none */
    bool *shown;       /* [n_scopes] it computes something */
    int32_t *place;    /* [n_scopes] place among the layers, -1 */
    cnnfi_strbuf *ops; /* [count] of the layers */
    size_t n_scopes, depth, prefix;
    const char **scope_names;
} finder;

/* The first `depth` parts of a name. */
static size_t scope_length(const char *name, size_t depth)
{
    size_t length = strcspn(name, "/");
    for (; depth > 1 && name[length]; depth--)
        length += 1 + strcspn(name + length + 1, "/");
    return length;
}

static bool stands_alone(const cnnf_node *node)
{
    return cnnfi_starts_with(node->op, "Placeholder") || strcmp(node->op, "Identity") == 0 || is_plumbing(node->op);
}

/* Graphs of a SavedModel begin every name with the model's: "model/conv2d/Conv2D". Layers are one part further on. */
static void find_depth(finder *f)
{
    for (f->depth = 1; f->depth < 8; f->depth++) {
        const char *first = NULL;
        size_t length = 0, scopes = 0;
        bool common = true;
        for (size_t i = 0; common && i < f->graph->n_nodes; i++) {
            const cnnf_node *node = f->graph->nodes[i];
            if (!f->keep[i] || stands_alone(node)) continue;
            const size_t here = scope_length(node->name, f->depth);
            if (!first) {
                first = node->name;
                length = here;
            }
            common = here == length && strncmp(first, node->name, length) == 0 && node->name[length];
            scopes++;
        }
        if (!common || scopes < 2) return;
        f->prefix = length + 1;
    }
}

static bool take_scope(finder *f, const cnnf_node *node)
{
    const size_t length = scope_length(node->name, f->depth);
    int64_t at = cnnfi_strmap_get_n(&f->names, node->name, length);
    if (at < 0) {
        const char *name = cnnfi_arena_strndup(&f->out->arena, node->name, length);
        at = (int64_t)f->n_scopes;
        if (!name || !cnnfi_strmap_set(&f->names, name, at)) return false;
        f->scope_names[f->n_scopes++] = name;
    }
    f->of_node[node->index] = (int32_t)at;
    f->shown[at] = f->shown[at] || !cnnfi_says_nothing(f->graph, node, length);
    return true;
}

/* Constants of a scope of their own go to who reads them. */
static void move_plumbing(finder *f)
{
    for (size_t i = f->graph->n_nodes; i-- > 0;) {
        const cnnf_node *node = f->graph->nodes[f->order[i]];
        const int32_t scope = f->of_node[node->index];
        for (size_t k = 0; scope >= 0 && f->shown[scope] && k < node->n_inputs; k++) {
            const int32_t from = node->edges[k].node;
            if (f->of_node[from] >= 0 && !f->shown[f->of_node[from]]) f->of_node[from] = scope;
        }
    }
}

/* ---- shapes and numbers ---- */

static void print_shape(char *out, size_t size, const cnnfi_value *value)
{
    size_t at = (size_t)snprintf(out, size, value->rank < 0 ? "?" : "(");
    for (int32_t i = 0; i < value->rank && at + 24 < size; i++) {
        if (value->dims[i] < 0)
            at += (size_t)snprintf(out + at, size - at, "%sNone", i ? ", " : "");
        else
            at += (size_t)snprintf(out + at, size - at, "%s%" PRId64, i ? ", " : "", value->dims[i]);
    }
    if (value->rank >= 0) snprintf(out + at, size - at, value->rank == 1 ? ",)" : ")");
}

/* Elements of one example; negative: not known. */
static int64_t per_example(const cnnfi_value *value)
{
    int64_t count = 1;
    if (value->rank < 0) return -1;
    for (int32_t i = 1; i < value->rank; i++) {
        if (value->dims[i] < 0 || !cnnfi_mul_i64(&count, count, value->dims[i])) return -1;
    }
    return count;
}

static cnnfi_value value_of(finder *f, const cnnf_node *node, size_t input)
{
    return cnnfi_shape_of_input(&f->shapes, cnnfi_edit_node(&f->edit, node->index), input);
}

/* count * filters / axis: what an element of `count` costs when the filters' axis is one of its own. */
static int64_t multiply(int64_t count, const cnnfi_value *filters, int32_t axis)
{
    int64_t product = count;
    if (count < 0 || filters->rank < 1 || filters->count < 0) return CNNFI_MACS_UNKNOWN;
    for (int32_t i = 0; i < filters->rank; i++) {
        if (i != axis && !cnnfi_mul_i64(&product, product, filters->dims[i])) return CNNFI_MACS_UNKNOWN;
    }
    return product;
}

/* Multiplications of one example: of the ops that have nearly all of them. */
static int64_t node_macs(finder *f, const cnnf_node *node)
{
    static const char *const convolutions[] = {"Conv2D", "Conv3D"}, *const products[] = {"MatMul", "BatchMatMul",
                                                                                         "BatchMatMulV2"};
    const cnnfi_value out = cnnfi_shape_of_output(&f->shapes, cnnfi_edit_node(&f->edit, node->index), 0);
    if (cnnfi_text_in(node->op, convolutions, sizeof convolutions / sizeof *convolutions)) {
        const cnnfi_value filters = value_of(f, node, 1);
        return multiply(per_example(&out), &filters, filters.rank - 1);
    }
    if (strcmp(node->op, "DepthwiseConv2dNative") == 0) {
        const cnnfi_value filters = value_of(f, node, 1);
        cnnfi_value window = filters;
        window.rank = filters.rank == 4 ? 2 : -1;
        return multiply(per_example(&out), &window, -1);
    }
    if (strcmp(node->op, "Conv2DBackpropInput") == 0) {
        const cnnfi_value filters = value_of(f, node, 1), in = value_of(f, node, 2);
        return multiply(per_example(&in), &filters, filters.rank - 1);
    }
    if (cnnfi_text_in(node->op, products, sizeof products / sizeof *products)) {
        cnnfi_value a = value_of(f, node, 0);
        const cnnfi_attr *turned = cnnfi_node_attr(node, strcmp(node->op, "MatMul") ? "adj_x" : "transpose_a");
        const int32_t axis = a.rank - (turned && turned->kind == CNNF_ATTR_BOOL && turned->u.b ? 2 : 1);
        const int64_t inner = a.rank >= 2 ? a.dims[axis] : -1;
        int64_t product = per_example(&out);
        return product >= 0 && inner >= 0 && cnnfi_mul_i64(&product, product, inner) ? product : CNNFI_MACS_UNKNOWN;
    }
    return 0;
}

/* What training learns: floats with an axis, in a constant or a variable. */
static int64_t node_parameters(const cnnf_node *node)
{
    static const cnnf_dtype learned[] = {CNNF_FLOAT, CNNF_DOUBLE, CNNF_HALF, CNNF_BFLOAT16, CNNF_QINT8, CNNF_QUINT8};
    const bool is_constant = strcmp(node->op, "Const") == 0;
    if (!is_constant && !cnnfi_op_is_variable(node->op)) return 0;
    const cnnf_tensor *tensor = is_constant ? cnnf_node_attr_tensor(node, "value") : node->value;
    const cnnf_dtype dtype = tensor ? cnnf_tensor_dtype(tensor) : cnnfi_node_type(node, "dtype");
    bool counts = false;
    for (size_t i = 0; i < sizeof learned / sizeof *learned; i++)
        counts = counts || learned[i] == dtype;
    if (!counts) return 0;
    if (tensor) return cnnf_tensor_rank(tensor) > 0 ? cnnf_tensor_element_count(tensor) : 0;
    const cnnfi_attr *shape = cnnfi_node_attr(node, "shape");
    int64_t count = 0;
    if (!shape || shape->kind != CNNF_ATTR_SHAPE || shape->u.shape.rank < 1) return 0;
    return cnnfi_shape_elements(&count, shape->u.shape.rank, shape->u.shape.dims) ? count : 0;
}

/* ---- layers ---- */

static void add_op(finder *f, int32_t at, const char *op)
{
    cnnfi_strbuf *ops = &f->ops[at];
    if (ops->size < 200)
        cnnfi_strbuf_printf(ops, "%s%s", ops->size ? ", " : "", op);
    else if (!cnnfi_ends_with(ops->data, "..."))
        cnnfi_strbuf_puts(ops, " ...");
}

static void add_macs(int64_t *sum, int64_t more)
{
    if (*sum < 0 || more < 0 || !cnnfi_add_i64(sum, *sum, more)) *sum = CNNFI_MACS_UNKNOWN;
}

static bool add_node(finder *f, const cnnf_node *node)
{
    cnnfi_layers *out = f->out;
    char shape[256];
    const int32_t scope = f->of_node[node->index];
    if (scope < 0 || !f->shown[scope]) return true;
    if (f->place[scope] < 0) {
        f->place[scope] = (int32_t)out->count;
        const char *name = f->scope_names[scope];
        out->layers[out->count++].name = strlen(name) > f->prefix ? name + f->prefix : name;
    }
    const int32_t at = f->place[scope];
    cnnfi_layer *layer = &out->layers[at];
    const int64_t parameters = node_parameters(node);
    layer->parameters += parameters;
    out->parameters += parameters;
    if (cnnfi_says_nothing(f->graph, node, scope_length(node->name, f->depth))) return true;
    const int64_t macs = node_macs(f, node);
    add_macs(&layer->macs, macs);
    add_macs(&out->macs, macs);
    add_op(f, at, node->op);
    layer->nodes++;
    const cnnfi_value value = cnnfi_shape_of_output(&f->shapes, cnnfi_edit_node(&f->edit, node->index), 0);
    print_shape(shape, sizeof shape, &value);
    layer->shape = cnnfi_arena_strdup(&out->arena, shape);
    return layer->shape && !f->ops[at].failed;
}

static bool add_link(finder *f, int32_t from, int32_t to)
{
    if (from < 0 || to < 0 || !f->shown[from] || !f->shown[to] || from == to) return true;
    const cnnfi_link link = {f->place[from], f->place[to]};
    const char *key = cnnfi_arena_printf(&f->out->arena, "%d %d", (int)link.from, (int)link.to);
    if (!key) return false;
    if (cnnfi_strmap_get(&f->links, key) >= 0) return true;
    f->out->links[f->out->n_links++] = link;
    return cnnfi_strmap_set(&f->links, key, 1);
}

static bool add_links(finder *f)
{
    size_t edges = 0;
    for (size_t i = 0; i < f->graph->n_nodes; i++)
        edges += f->graph->nodes[i]->n_inputs;
    f->out->links = cnnfi_arena_array(&f->out->arena, edges + 1, sizeof *f->out->links);
    for (size_t i = 0; f->out->links && i < f->graph->n_nodes; i++) {
        const cnnf_node *node = f->graph->nodes[i];
        for (size_t k = 0; k < node->n_inputs; k++) {
            if (node->edges[k].port == CNNFI_PORT_CONTROL) continue;
            if (!add_link(f, f->of_node[node->edges[k].node], f->of_node[i])) return false;
        }
    }
    return f->out->links != NULL;
}

/* ---- inputs and outputs ---- */

static bool add_end(finder *f, const char **list, size_t *count, const cnnf_node *node, int32_t port)
{
    char shape[256];
    const cnnfi_value value = cnnfi_shape_of_output(&f->shapes, cnnfi_edit_node(&f->edit, node->index), port);
    print_shape(shape, sizeof shape, &value);
    list[*count] = cnnfi_arena_printf(&f->out->arena, "%s  %s  %s", node->name,
                                      value.dtype ? cnnf_dtype_name(value.dtype) : "?", shape);
    return list[(*count)++] != NULL;
}

/* The nodes of the outputs: declared, else guessed. */
static cnnf_status find_roots(int32_t *roots, size_t *count, const cnnf_graph *graph, cnnf_error *error)
{
    const cnnf_node *node = NULL;
    cnnf_buffer *guessed = NULL;
    struct cnnf_error ignored = {0};
    char name[4097];
    *count = 0;
    for (int64_t i = 0; i < cnnf_graph_output_count(graph) && (size_t)i < graph->n_nodes; i++) {
        if (cnnfi_resolve_node(&node, graph, cnnf_graph_output_name(graph, i), &ignored) == CNNF_OK)
            roots[(*count)++] = node->index;
    }
    if (*count) return CNNF_OK;
    CNNFI_TRY(cnnf_graph_guess_outputs(&guessed, graph, error));
    for (const char *line = cnnf_buffer_data(guessed); *line && *count < graph->n_nodes;) {
        const size_t length = strcspn(line, "\n");
        snprintf(name, sizeof name, "%.*s", (int)(length < sizeof name ? length : sizeof name - 1), line);
        if (cnnfi_resolve_node(&node, graph, name, &ignored) == CNNF_OK) roots[(*count)++] = node->index;
        line += length + (line[length] == '\n');
    }
    cnnf_buffer_free(guessed);
    return CNNF_OK;
}

static cnnf_status find_kept(finder *f, int32_t *roots, size_t *n_roots, cnnf_error *error)
{
    const cnnf_graph *g = f->graph;
    CNNFI_TRY(find_roots(roots, n_roots, g, error));
    if (*n_roots) CNNFI_TRY(cnnfi_reach(f->keep, g, roots, *n_roots, false, error));
    for (size_t i = 0; i < g->n_nodes; i++) {
        if (!*n_roots) f->keep[i] = true;
        f->out->left_out += !f->keep[i];
        f->of_node[i] = -1;
        f->place[i] = -1;
        cnnfi_strbuf_init(&f->ops[i], g->context);
    }
    return CNNF_OK;
}

static bool describe(finder *f, const int32_t *roots, size_t n_roots)
{
    const cnnf_graph *g = f->graph;
    find_depth(f);
    for (size_t i = 0; i < g->n_nodes; i++) {
        if (f->keep[f->order[i]] && !take_scope(f, g->nodes[f->order[i]])) return false;
    }
    move_plumbing(f);
    for (size_t i = 0; i < g->n_nodes; i++) {
        const cnnf_node *node = g->nodes[f->order[i]];
        if (!add_node(f, node)) return false;
        if (f->keep[node->index] && cnnfi_starts_with(node->op, "Placeholder") &&
            !add_end(f, f->out->inputs, &f->out->n_inputs, node, 0))
            return false;
    }
    for (size_t i = 0; i < n_roots; i++) {
        if (!add_end(f, f->out->outputs, &f->out->n_outputs, g->nodes[roots[i]], 0)) return false;
    }
    for (size_t i = 0; i < f->out->count; i++) {
        f->out->layers[i].ops = cnnfi_arena_strdup(&f->out->arena, f->ops[i].data ? f->ops[i].data : "");
        if (!f->out->layers[i].ops) return false;
        if (!f->out->layers[i].shape) f->out->layers[i].shape = "?";
    }
    return add_links(f);
}

static cnnf_status find_layers(finder *f, cnnf_error *error)
{
    const cnnf_graph *g = f->graph;
    cnnfi_arena *arena = &f->out->arena;
    size_t n_roots = 0;
    f->keep = cnnfi_arena_array(arena, g->n_nodes + 1, sizeof *f->keep);
    f->of_node = cnnfi_arena_array(arena, g->n_nodes + 1, sizeof *f->of_node);
    f->shown = cnnfi_arena_array(arena, g->n_nodes + 1, sizeof *f->shown);
    f->place = cnnfi_arena_array(arena, g->n_nodes + 1, sizeof *f->place);
    f->scope_names = cnnfi_arena_array(arena, g->n_nodes + 1, sizeof *f->scope_names);
    f->out->layers = cnnfi_arena_array(arena, g->n_nodes + 1, sizeof *f->out->layers);
    f->out->inputs = cnnfi_arena_array(arena, g->n_nodes + 1, sizeof *f->out->inputs);
    f->out->outputs = cnnfi_arena_array(arena, g->n_nodes + 1, sizeof *f->out->outputs);
    int32_t *roots = cnnfi_arena_array(arena, g->n_nodes + 1, sizeof *roots);
    cnnfi_strbuf *ops = cnnfi_arena_array(arena, g->n_nodes + 1, sizeof *ops);
    if (!f->keep || !f->of_node || !f->shown || !f->place || !f->scope_names || !f->out->layers || !f->out->inputs ||
        !f->out->outputs || !roots || !ops)
        return cnnfi_fail_nomem(error);
    f->ops = ops;
    CNNFI_TRY(find_kept(f, roots, &n_roots, error));
    CNNFI_TRY(cnnfi_toposort(&f->order, g, error));
    CNNFI_TRY(cnnfi_edit_begin(&f->edit, g, NULL, error));
    cnnfi_shapes_init(&f->shapes, &f->edit);
    const bool ok = describe(f, roots, n_roots);
    cnnfi_edit_free(&f->edit);
    return ok ? CNNF_OK : cnnfi_fail_nomem(error);
}

cnnf_status cnnfi_layers_find(cnnfi_layers *out, const cnnf_graph *graph, cnnf_error *error)
{
    finder f = {.graph = graph, .out = out};
    *out = (cnnfi_layers){.context = graph->context};
    cnnfi_arena_init(&out->arena, graph->context);
    cnnfi_strmap_init(&f.names, graph->context);
    cnnfi_strmap_init(&f.links, graph->context);
    const cnnf_status status = find_layers(&f, error);
    for (size_t i = 0; f.ops && i < graph->n_nodes; i++)
        cnnfi_strbuf_free(&f.ops[i]);
    cnnfi_free(graph->context, f.order);
    cnnfi_strmap_free(&f.names);
    cnnfi_strmap_free(&f.links);
    if (status) cnnfi_layers_free(out);
    return status;
}

void cnnfi_layers_free(cnnfi_layers *layers)
{
    cnnfi_arena_free(&layers->arena);
}
