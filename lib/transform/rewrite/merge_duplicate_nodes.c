/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Common subexpressions, constants included. In execution order one walk is enough: when a node's turn comes, its
 * inputs are already those that stay. Only a node that was placed beside one that goes (`_class`) is left to another
 * walk: without that it may be like others.
 */
#include <string.h>

#include "base/context.h"
#include "base/crc32c.h"
#include "graph/equal.h"
#include "ops/op_table.h"
#include "graph/tensor.h"
#include "graph/order.h"
#include "transform/framework/pass_edit.h"

typedef struct merger {
    cnnfi_pass_run *run;
    const cnnf_graph *in;
    bool *protection;
    int32_t *order;
    int32_t *same_as;  /* by node: the node that stays, itself when it does */
    int32_t *buckets;  /* [mask + 1] last node of a hash, -1 */
    int32_t *previous; /* by node: next of its bucket, -1 */
    uint32_t *hashes;
    uint32_t mask;
} merger;

/* ---- hashing: what is equal hashes equal; the rest is the comparison's ---- */

static uint32_t hash_text(uint32_t hash, const char *text)
{
    return cnnfi_crc32c(hash, text, strlen(text) + 1);
}

static uint32_t hash_tensor(uint32_t hash, const cnnf_tensor *tensor)
{
    uint8_t head[64];
    const size_t size = cnnf_tensor_byte_size(tensor), part = size < sizeof head ? size : sizeof head;
    const int64_t shape[] = {cnnf_tensor_dtype(tensor), cnnf_tensor_rank(tensor), cnnf_tensor_element_count(tensor)};
    hash = cnnfi_crc32c(hash, shape, sizeof shape);
    if (!part || cnnf_tensor_read(head, tensor, 0, part, NULL)) return hash;
    return cnnfi_crc32c(hash, head, part);
}

static uint32_t hash_node(const merger *m, const cnnf_node *node)
{
    uint32_t hash = hash_text(0, node->op);
    for (size_t k = 0; k < node->n_inputs; k++) {
        const int32_t source[] = {m->same_as[node->edges[k].node], node->edges[k].port};
        hash = cnnfi_crc32c(hash, source, sizeof source);
    }
    for (size_t i = 0; i < node->n_attrs; i++) {
        const cnnfi_attr *attr = &node->attrs[i];
        hash = hash_text(hash, attr->key);
        if (attr->kind == CNNF_ATTR_TENSOR) hash = hash_tensor(hash, attr->u.tensor);
        if (attr->kind == CNNF_ATTR_STRING) hash = cnnfi_crc32c(hash, attr->u.s.data, attr->u.s.size);
        if (attr->kind == CNNF_ATTR_TYPE) hash = cnnfi_crc32c(hash, &attr->u.type, sizeof attr->u.type);
        if (attr->kind == CNNF_ATTR_INT) hash = cnnfi_crc32c(hash, &attr->u.i, sizeof attr->u.i);
    }
    return hash;
}

static cnnf_status same_meaning(const merger *m, const cnnf_node *a, const cnnf_node *b, bool *out)
{
    *out = strcmp(a->op, b->op) == 0 && strcmp(a->device, b->device) == 0 && a->n_inputs == b->n_inputs;
    for (size_t k = 0; *out && k < a->n_inputs; k++) {
        *out = m->same_as[a->edges[k].node] == m->same_as[b->edges[k].node] && a->edges[k].port == b->edges[k].port;
    }
    return *out ? cnnfi_attrs_equal(out, a->attrs, a->n_attrs, b->attrs, b->n_attrs, m->run->error) : CNNF_OK;
}

static cnnf_status place(merger *m, const cnnf_node *node)
{
    m->same_as[node->index] = node->index;
    if (!cnnfi_node_is_pure(node)) return CNNF_OK;
    const uint32_t hash = hash_node(m, node);
    int32_t *bucket = &m->buckets[hash & m->mask];
    for (int32_t at = *bucket; at >= 0 && !m->protection[node->index]; at = m->previous[at]) {
        bool same = false;
        if (m->hashes[at] == hash) CNNFI_TRY(same_meaning(m, m->in->nodes[at], node, &same));
        if (!same) continue;
        m->same_as[node->index] = at;
        return CNNF_OK;
    }
    m->hashes[node->index] = hash;
    m->previous[node->index] = *bucket;
    *bucket = node->index;
    return CNNF_OK;
}

/* ---- the graph ---- */

static int64_t merge(const merger *m, cnnfi_edit *edit)
{
    int64_t merged = 0;
    for (size_t i = 0; i < edit->originals; i++) {
        cnnf_node *node = edit->b->graph->nodes[i];
        for (size_t k = 0; k < node->n_inputs; k++) {
            const cnnfi_edge edge = node->edges[k];
            const int32_t stays = m->same_as[edge.node];
            if (stays != edge.node) cnnfi_edit_set_input(edit, node, k, (cnnfi_edge){stays, edge.port});
        }
        if (m->same_as[i] == (int32_t)i) continue;
        cnnfi_edit_remove(edit, node);
        merged++;
    }
    return merged;
}

static cnnf_status merger_init(merger *m, cnnfi_pass_run *run, const cnnf_graph *in)
{
    *m = (merger){.run = run, .in = in, .mask = 1};
    while (m->mask < in->n_nodes)
        m->mask = m->mask * 2 + 1;
    m->protection = cnnfi_run_protection(run, in);
    m->same_as = cnnfi_array(in->context, in->n_nodes, sizeof *m->same_as);
    m->previous = cnnfi_array(in->context, in->n_nodes, sizeof *m->previous);
    m->hashes = cnnfi_array(in->context, in->n_nodes, sizeof *m->hashes);
    m->buckets = cnnfi_array(in->context, (size_t)m->mask + 1, sizeof *m->buckets);
    if (!m->protection || !m->same_as || !m->previous || !m->hashes || !m->buckets) return cnnfi_fail_nomem(run->error);
    memset(m->buckets, 0xff, ((size_t)m->mask + 1) * sizeof *m->buckets);
    /* Back edges of loops reach nodes whose turn has not come. */
    for (size_t i = 0; i < in->n_nodes; i++)
        m->same_as[i] = (int32_t)i;
    return cnnfi_toposort(&m->order, in, run->error);
}

static cnnf_status publish_merged(const merger *m, cnnf_graph **out)
{
    cnnfi_edit edit;
    CNNFI_TRY(cnnfi_pass_begin_edit(&edit, m->run, m->in));
    const int64_t merged = merge(m, &edit);
    cnnfi_run_count(m->run, "merged", merged);
    edit.changes += (size_t)merged;
    return cnnfi_pass_end_edit(&edit, m->run, m->in, out);
}

/* Whether the node is placed beside one that goes, or was never there: what is published says no such thing. */
static bool loses_its_place(const merger *m, const cnnf_node *node)
{
    const cnnfi_attr *attr = cnnfi_node_attr(node, "_class");
    if (!attr || attr->kind != CNNF_ATTR_LIST || attr->u.list.item_kind != CNNF_ATTR_STRING) return false;
    for (size_t i = 0; i < attr->u.list.count; i++) {
        const cnnfi_bytes text = attr->u.list.u.strings[i];
        if (text.size <= 5 || memcmp(text.data, "loc:@", 5) != 0) continue;
        const int64_t beside = cnnfi_strmap_get_n(&m->in->names, (const char *)text.data + 5, text.size - 5);
        if (beside < 0 || m->same_as[beside] != beside) return true;
    }
    return false;
}

static cnnf_status walk(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out, bool *again)
{
    merger m;
    *out = NULL;
    cnnf_status status = merger_init(&m, run, in);
    for (size_t i = 0; !status && i < in->n_nodes; i++)
        status = place(&m, in->nodes[m.order[i]]);
    if (!status) status = publish_merged(&m, out);
    *again = false;
    for (size_t i = 0; !status && *out != in && !*again && i < in->n_nodes; i++)
        *again = m.same_as[i] == (int32_t)i && loses_its_place(&m, in->nodes[i]);
    cnnfi_free(in->context, m.protection);
    cnnfi_free(in->context, m.order);
    cnnfi_free(in->context, m.same_as);
    cnnfi_free(in->context, m.previous);
    cnnfi_free(in->context, m.hashes);
    cnnfi_free(in->context, m.buckets);
    return status;
}

static cnnf_status run_pass(cnnfi_pass_run *run, const cnnf_graph *in, cnnf_graph **out)
{
    bool again;
    cnnf_status status = walk(run, in, out, &again);
    while (!status && again) {
        cnnf_graph *before = *out;
        status = walk(run, before, out, &again);
        cnnf_graph_unref(before);
    }
    return status;
}

const cnnfi_pass cnnfi_pass_merge_duplicate_nodes = {
    .name = "merge_duplicate_nodes",
    .description = "Merges nodes that compute the same from the same inputs; inputs and outputs stay.",
    .run = run_pass,
};
