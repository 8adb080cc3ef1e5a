/* SPDX-License-Identifier: Apache-2.0 */
#include "transform/freeze/scope.h"

#include <string.h>

#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"
#include "base/num.h"

#define NOBODY (-1) /* a control input, or a name that nothing has */

/* Where an input comes from. */
typedef struct source {
    int32_t producer, port;
} source;

static source main_source(const cnnf_node *node, size_t input)
{
    const cnnfi_edge edge = node->edges[input];
    return (source){edge.port == CNNFI_PORT_CONTROL ? NOBODY : edge.node, edge.port};
}

/* Inside functions an input is "node:output:index", or an argument's name. */
static source function_source(const cnnfi_scope *s, const cnnfi_strmap *names, const char *input)
{
    const char *first = strchr(input, ':'), *last = strrchr(input, ':');
    const size_t length = first ? (size_t)(first - input) : strlen(input);
    int64_t port = 0;
    if (input[0] == '^') return (source){NOBODY, 0};
    if (last) cnnfi_parse_i64(last + 1, strlen(last + 1), &port);
    const int64_t node = cnnfi_strmap_get_n(names, input, length);
    if (node >= 0) return (source){(int32_t)node, (int32_t)port};
    for (size_t i = 0; i < s->function->n_inputs; i++) {
        const char *argument = s->function->inputs[i].name;
        if (strlen(argument) == length && memcmp(argument, input, length) == 0)
            return (source){(int32_t)(s->n_nodes + i), 0};
    }
    return (source){NOBODY, 0};
}

static source source_of(const cnnfi_scope *s, const cnnfi_strmap *names, const cnnf_node *node, size_t input)
{
    return s->function ? function_source(s, names, node->inputs[input]) : main_source(node, input);
}

static cnnf_status allocate(cnnfi_scope *s, cnnf_error *error)
{
    size_t total = 0;
    s->input_base = cnnfi_array(s->context, s->n_nodes + 1, sizeof *s->input_base);
    s->first = cnnfi_calloc(s->context, s->n_producers + 2, sizeof *s->first);
    if (!s->input_base || !s->first) return cnnfi_fail_nomem(error);
    for (size_t i = 0; i < s->n_nodes; i++) {
        s->input_base[i] = total;
        total += s->nodes[i]->n_inputs;
    }
    s->input_base[s->n_nodes] = total;
    s->uses = cnnfi_array(s->context, total, sizeof *s->uses);
    return s->uses ? CNNF_OK : cnnfi_fail_nomem(error);
}

/* Counting sort, two places ahead so that filling leaves first[] right. */
static void fill(cnnfi_scope *s, const source *sources)
{
    size_t *const ahead = s->first + 1;
    const size_t total = s->input_base[s->n_nodes];
    for (size_t i = 0; i < total; i++) {
        if (sources[i].producer >= 0 && (size_t)sources[i].producer + 1 <= s->n_producers)
            ahead[sources[i].producer + 1]++;
    }
    for (size_t p = 1; p <= s->n_producers; p++)
        ahead[p] += ahead[p - 1];
    for (size_t node = 0; node < s->n_nodes; node++) {
        for (size_t k = 0; k < s->nodes[node]->n_inputs; k++) {
            const source from = sources[s->input_base[node] + k];
            if (from.producer >= 0)
                s->uses[ahead[from.producer]++] = (cnnfi_reading){(int32_t)node, (int32_t)k, from.port};
        }
    }
}

static cnnf_status build(cnnfi_scope *s, const cnnfi_strmap *names, cnnf_error *error)
{
    CNNFI_TRY(allocate(s, error));
    source *sources = cnnfi_array(s->context, s->input_base[s->n_nodes], sizeof *sources);
    if (!sources) return cnnfi_fail_nomem(error);
    for (size_t node = 0; node < s->n_nodes; node++) {
        for (size_t k = 0; k < s->nodes[node]->n_inputs; k++)
            sources[s->input_base[node] + k] = source_of(s, names, s->nodes[node], k);
    }
    fill(s, sources);
    cnnfi_free(s->context, sources);
    return CNNF_OK;
}

cnnf_status cnnfi_scope_main(cnnfi_scope *out, const cnnf_graph *graph, cnnf_error *error)
{
    *out = (cnnfi_scope){
        .context = graph->context, .n_nodes = graph->n_nodes, .n_producers = graph->n_nodes, .nodes = graph->nodes};
    const cnnf_status status = build(out, NULL, error);
    if (status != CNNF_OK) cnnfi_scope_free(out);
    return status;
}

cnnf_status cnnfi_scope_function(cnnfi_scope *out, const cnnf_graph *graph, const cnnfi_function *function,
                                 cnnf_error *error)
{
    cnnfi_strmap names;
    *out = (cnnfi_scope){.context = graph->context,
                         .function = function,
                         .n_nodes = function->n_nodes,
                         .n_producers = function->n_nodes + function->n_inputs,
                         .nodes = function->nodes};
    cnnfi_strmap_init(&names, graph->context);
    cnnf_status status = CNNF_OK;
    for (size_t i = 0; i < function->n_nodes && status == CNNF_OK; i++) {
        if (!cnnfi_strmap_set(&names, function->nodes[i]->name, (int64_t)i)) status = cnnfi_fail_nomem(error);
    }
    if (status == CNNF_OK) status = build(out, &names, error);
    cnnfi_strmap_free(&names);
    if (status != CNNF_OK) cnnfi_scope_free(out);
    return status;
}

void cnnfi_scope_free(cnnfi_scope *scope)
{
    if (!scope->context) return;
    cnnfi_free(scope->context, scope->first);
    cnnfi_free(scope->context, scope->uses);
    cnnfi_free(scope->context, scope->input_base);
    *scope = (cnnfi_scope){0};
}
