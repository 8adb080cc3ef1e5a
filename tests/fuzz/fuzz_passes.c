/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A GraphDef (binary or text) and what passes make of it. Its mutator changes graphs as graphs: nodes of other ops,
 * other inputs, attributes and constants, so that what comes out loads and gets as far as a real one. The last four
 * bytes, a trailer that protobuf would not know, say which passes are run.
 */
#include <string.h>

#include "graph_generate.h"
#include "graph_oracles.h"
#include "ops/op_table.h"

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

#define PICK sizeof(uint32_t)

static cnnf_graph *load(cnnf_context *context, const uint8_t *data, size_t size, uint32_t *pick)
{
    cnnf_graph *graph = NULL;
    if (size <= PICK) return NULL;
    memcpy(pick, data + size - PICK, PICK);
    if (cnnf_load_memory(&graph, context, data, size - PICK, "fuzz", NULL, NULL)) return NULL;
    return graph;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t pick = 0;
    cnnf_context *context = fuzz_context();
    cnnf_graph *graph = load(context, data, size, &pick);
    if (graph) check_graph(graph, pick, false);
    cnnf_graph_unref(graph);
    fuzz_context_done(context);
    return 0;
}

/* ---- mutation ---- */

/* What the graph's nodes give, as far as the op table tells; shapes are not known. */
static void fill_pool(value_pool *pool, cnnfi_builder *b, choices *c)
{
    const size_t count = cnnfi_builder_count(b), start = choose(c, (uint32_t)count + 1);
    pool->count = 0;
    for (size_t i = 0; i < count && pool->count < MOST_VALUES / 2; i++) {
        const cnnf_node *node = cnnfi_builder_node(b, (start + i) % count);
        const cnnf_dtype dtype = node->removed ? 0 : cnnfi_node_output_type(node, 0);
        if (!dtype) continue;
        pool->names[pool->count] = node->name;
        pool->values[pool->count++] = cnnfi_value_unknown(dtype);
    }
}

static cnnf_node *some_node(cnnfi_builder *b, choices *c)
{
    const size_t count = cnnfi_builder_count(b);
    cnnf_node *node = count ? cnnfi_builder_node(b, choose(c, (uint32_t)count)) : NULL;
    return node && !node->removed ? node : NULL;
}

/* Whatever reads `from` reads `to`. */
static void replace_value(cnnfi_builder *b, const char *from, const char *to)
{
    for (size_t i = 0; i < cnnfi_builder_count(b); i++) {
        cnnf_node *node = cnnfi_builder_node(b, i);
        for (size_t k = 0; !node->removed && k < node->n_inputs; k++)
            if (strcmp(node->inputs[k], from) == 0 && strcmp(node->name, to) != 0) cnnfi_node_set_input(b, node, k, to);
    }
}

static void change_attribute(cnnfi_builder *b, cnnf_node *node, choices *c)
{
    static const int64_t numbers[] = {0, 1, 2, 3, -1, 4, 8, INT32_MAX, INT64_MAX, INT64_MIN};
    static const cnnf_dtype types[] = {CNNF_FLOAT, CNNF_INT32, CNNF_INT64, CNNF_BOOL, CNNF_HALF, CNNF_STRING};
    if (!node->n_attrs) return;
    const cnnfi_attr *attr = &node->attrs[choose(c, (uint32_t)node->n_attrs)];
    const int64_t number = numbers[choose(c, sizeof numbers / sizeof *numbers)];
    if (choose(c, 12) == 0)
        cnnfi_node_attr_remove(node, attr->key);
    else if (attr->kind == CNNF_ATTR_INT)
        cnnfi_node_set_int(b, node, attr->key, number);
    else if (attr->kind == CNNF_ATTR_BOOL)
        cnnfi_node_set_bool(b, node, attr->key, !attr->u.b);
    else if (attr->kind == CNNF_ATTR_FLOAT)
        cnnfi_node_set_float(b, node, attr->key, (float)number * 0.5f);
    else if (attr->kind == CNNF_ATTR_TYPE)
        cnnfi_node_set_type(b, node, attr->key, types[choose(c, sizeof types / sizeof *types)]);
    else if (attr->kind == CNNF_ATTR_SHAPE)
        cnnfi_node_set_shape(b, node, attr->key, (int32_t)choose(c, 5), numbers + choose(c, 4));
    else if (attr->kind == CNNF_ATTR_STRING)
        cnnfi_node_set_string(b, node, attr->key, choose(c, 2) ? "NCHW" : "VALID");
    else if (attr->kind == CNNF_ATTR_LIST)
        cnnfi_node_set_ints(b, node, attr->key, numbers + choose(c, 5), choose(c, 6));
}

/* Another op in its place, with as many inputs. */
static void change_op(cnnfi_builder *b, cnnf_node *node, choices *c)
{
    const cnnfi_op *old = cnnfi_op_find(node->op);
    for (int tries = 0; tries < 32; tries++) {
        const cnnfi_op *op = some_ruled_op(c);
        if (old && op->n_inputs != old->n_inputs) continue;
        cnnfi_node_set_op(b, node, op->name);
        return;
    }
}

static void mutate_once(cnnfi_builder *b, value_pool *pool, choices *c, cnnf_context *context)
{
    cnnf_node *node = some_node(b, c);
    if (!node) return;
    const uint32_t value = choose(c, (uint32_t)pool->count + 1);
    const char *name = value < (uint32_t)pool->count ? pool->names[value] : node->name;
    const int32_t before = pool->count;
    switch (choose(c, 9)) {
    case 0: /* a new reader in the place of what it reads */
    case 1:
        if (!add_some_op(b, pool, c, context) || pool->count == before) break;
        replace_value(b, name, pool->names[pool->count - 1]);
        break;
    case 2:
        if (node->n_inputs && strcmp(name, node->name) != 0)
            cnnfi_node_set_input(b, node, choose(c, (uint32_t)node->n_inputs), name);
        break;
    case 3:
    case 4:
        change_attribute(b, node, c);
        break;
    case 5:
        if (node->n_inputs && node->inputs[0][0] != '^') replace_value(b, node->name, node->inputs[0]);
        break;
    case 6:
        change_op(b, node, c);
        break;
    case 7:
        cnnfi_builder_copy_node(b, node, cnnfi_builder_unique(b, "copy"));
        break;
    default:
        if (strcmp(name, node->name) != 0 && strchr(name, ':') == NULL) cnnfi_node_add_control(b, node, name);
    }
}

/* The graph with one to four changes, written; size 0: it cannot be. */
static size_t mutate_graph(const cnnf_graph *graph, uint8_t *data, size_t room, choices *c)
{
    static value_pool pool;
    cnnfi_builder *b = NULL;
    cnnf_graph *changed = NULL;
    cnnf_buffer *bytes = NULL;
    size_t size = 0;
    if (cnnfi_builder_from(&b, graph, NULL)) return 0;
    fill_pool(&pool, b, c);
    for (uint32_t n = 1 + choose(c, 4); n > 0; n--)
        mutate_once(b, &pool, c, graph->context);
    if (cnnfi_builder_publish(&changed, b, NULL) == CNNF_OK &&
        cnnf_write_graphdef_buffer(&bytes, changed, NULL, NULL) == CNNF_OK && cnnf_buffer_size(bytes) <= room) {
        size = cnnf_buffer_size(bytes);
        if (size) memcpy(data, cnnf_buffer_data(bytes), size);
    }
    cnnf_buffer_free(bytes);
    cnnf_graph_unref(changed);
    return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    uint8_t random[512];
    uint32_t state = seed * 2654435761u + 1, pick = 0;
    for (size_t i = 0; i < sizeof random; i++) {
        state = state * 1664525u + 1013904223u;
        random[i] = (uint8_t)(state >> 24);
    }
    choices c = {random, sizeof random};
    cnnf_context *context = fuzz_context();
    cnnf_graph *graph = load(context, data, size, &pick);
    if (!graph && cnnf_load_memory(&graph, context, data, size, "seed", NULL, NULL) == CNNF_OK &&
        size + PICK <= max_size)
        size += PICK; /* a plain file */
    size_t now =
        graph && seed && max_size > PICK && choose(&c, 12) ? mutate_graph(graph, data, max_size - PICK, &c) : 0;
    cnnf_graph_unref(graph);
    fuzz_context_done(context);
    if (!now && graph) now = size - PICK;
    if (!now) return LLVMFuzzerMutate(data, size, max_size);
    pick = (uint32_t)choose(&c, 65536) << 16 | choose(&c, 65536);
    memcpy(data + now, &pick, PICK);
    return now + PICK;
}
