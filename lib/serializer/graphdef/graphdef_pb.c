/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/graphdef/graphdef_pb.h"

#include <inttypes.h>
#include <stdio.h>

#include "serializer/graphdef/graph_wire.h"

/* tensorflow/core/framework/graph.proto, versions.proto, function.proto */
enum { GRAPH_NODE = 1, GRAPH_LIBRARY, GRAPH_VERSION, GRAPH_VERSIONS };
enum { VERSIONS_PRODUCER = 1, VERSIONS_MIN_CONSUMER, VERSIONS_BAD_CONSUMERS };
enum { LIBRARY_FUNCTION = 1 };

/* Protobuf's limit, and with it TensorFlow's. */
#define MAX_MESSAGE_BYTES ((uint64_t)INT32_MAX)
#define LARGEST_NAMED     3

static void put_library(cnnfi_skeleton *s, const cnnf_graph *graph)
{
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    for (size_t i = 0; i < graph->n_functions; i++)
        cnnfi_wire_function(s, LIBRARY_FUNCTION, graph->functions[i]);
    cnnfi_skeleton_raw(s, graph->library_extra);
    cnnfi_skeleton_end(s, GRAPH_LIBRARY, begin);
}

static void put_versions(cnnfi_skeleton *s, const cnnfi_versions *versions)
{
    cnnfi_put_int_nonzero(&s->bytes, GRAPH_VERSION, versions->version);
    if (!versions->present) return;
    const cnnfi_mark begin = cnnfi_skeleton_begin(s);
    cnnfi_put_int_nonzero(&s->bytes, VERSIONS_PRODUCER, versions->producer);
    cnnfi_put_int_nonzero(&s->bytes, VERSIONS_MIN_CONSUMER, versions->min_consumer);
    if (versions->n_bad_consumers > 0) {
        const cnnfi_mark list = cnnfi_skeleton_begin(s);
        for (size_t i = 0; i < versions->n_bad_consumers; i++)
            cnnfi_put_varint(&s->bytes, (uint64_t)(int64_t)versions->bad_consumers[i]);
        cnnfi_skeleton_end(s, VERSIONS_BAD_CONSUMERS, list);
    }
    cnnfi_skeleton_end(s, GRAPH_VERSIONS, begin);
}

typedef cnnf_status (*part_fn)(const cnnfi_skeleton *skeleton, void *user, cnnf_error *error);

static cnnf_status hand_over(cnnfi_skeleton *s, part_fn part, void *user, cnnf_error *error)
{
    CNNFI_TRY(cnnfi_skeleton_status(s, error));
    CNNFI_TRY(part(s, user, error));
    cnnfi_skeleton_reset(s);
    return CNNF_OK;
}

static cnnf_status pay(cnnfi_budget *budget, const cnnf_node *node, cnnf_error *error)
{
    return cnnfi_budget_spend(budget, 1 + node->n_inputs + node->n_attrs, error);
}

static cnnf_status pay_function(cnnfi_budget *budget, const cnnfi_function *function, cnnf_error *error)
{
    for (size_t i = 0; i < function->n_nodes; i++)
        CNNFI_TRY(pay(budget, function->nodes[i], error));
    return CNNF_OK;
}

static cnnf_status graph_parts(const cnnf_graph *graph, cnnfi_skeleton *s, part_fn part, void *user,
                               cnnfi_budget *budget, cnnf_error *error)
{
    for (size_t i = 0; i < graph->n_functions; i++)
        CNNFI_TRY(pay_function(budget, graph->functions[i], error));
    for (size_t i = 0; i < graph->n_nodes; i++) {
        CNNFI_TRY(pay(budget, graph->nodes[i], error));
        cnnfi_wire_node(s, GRAPH_NODE, graph->nodes[i]);
        CNNFI_TRY(hand_over(s, part, user, error));
    }
    if (graph->has_library || graph->n_functions > 0) {
        put_library(s, graph);
        CNNFI_TRY(hand_over(s, part, user, error));
    }
    put_versions(s, &graph->versions);
    cnnfi_skeleton_raw(s, graph->extra);
    return hand_over(s, part, user, error);
}

cnnf_status cnnfi_graphdef_parts(const cnnf_graph *graph, bool text, part_fn part, void *user, cnnfi_budget *budget,
                                 cnnf_error *error)
{
    cnnfi_skeleton skeleton;
    cnnfi_skeleton_init(&skeleton, graph->context);
    skeleton.text_order = text;
    cnnf_status status = graph_parts(graph, &skeleton, part, user, budget, error);
    cnnfi_skeleton_free(&skeleton);
    return status;
}

/* ---- sizes ---- */

typedef struct measure {
    uint64_t size;
    size_t n_largest;
    struct {
        size_t size;
        const char *node;
    } largest[LARGEST_NAMED];
} measure;

static void note_payload(measure *m, const cnnfi_cut *cut)
{
    size_t at = m->n_largest;
    while (at > 0 && m->largest[at - 1].size < cut->size)
        at--;
    if (at == LARGEST_NAMED) return;
    if (m->n_largest < LARGEST_NAMED) m->n_largest++;
    for (size_t i = m->n_largest - 1; i > at; i--)
        m->largest[i] = m->largest[i - 1];
    m->largest[at].size = cut->size;
    m->largest[at].node = cut->node;
}

static cnnf_status measure_part(const cnnfi_skeleton *skeleton, void *user, cnnf_error *error)
{
    measure *m = (measure *)user;
    m->size += cnnfi_skeleton_size(skeleton);
    for (size_t i = 0; i < skeleton->n_cuts; i++)
        note_payload(m, &skeleton->cuts[i]);
    return CNNF_OK;
}

static cnnf_status fail_too_large(const measure *m, cnnf_error *error)
{
    char names[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < m->n_largest && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s'%.100s' (%zu bytes)", i > 0 ? ", " : "",
                                 m->largest[i].node, m->largest[i].size);
    return cnnfi_fail(error, CNNF_E_LIMIT,
                      "GraphDef: %" PRIu64 " bytes, but protobuf messages end at %" PRIu64 "; the largest tensors: %s",
                      m->size, MAX_MESSAGE_BYTES, names);
}

cnnf_status cnnfi_graphdef_measure(uint64_t *out, const cnnf_graph *graph, cnnf_error *error)
{
    measure m = {.size = 0};
    cnnfi_budget budget;
    *out = 0;
    cnnfi_budget_init_file(&budget, graph->context);
    CNNFI_TRY(cnnfi_graphdef_parts(graph, false, measure_part, &m, &budget, error));
    if (m.size > MAX_MESSAGE_BYTES) return fail_too_large(&m, error);
    *out = m.size;
    return CNNF_OK;
}

/* ---- writing ---- */

static cnnf_status write_part(const cnnfi_skeleton *skeleton, void *user, cnnf_error *error)
{
    return cnnfi_skeleton_write(skeleton, (cnnfi_sink *)user, error);
}

cnnf_status cnnfi_graphdef_write(const cnnf_graph *graph, cnnfi_sink *sink, cnnf_error *error)
{
    return cnnfi_graphdef_parts(graph, false, write_part, sink, cnnfi_sink_budget(sink), error);
}
