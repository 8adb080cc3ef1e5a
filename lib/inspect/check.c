/* SPDX-License-Identifier: Apache-2.0 */
/* Checks a graph against a target's demands and says how to go on. */
#include "inspect/check.h"

#include <inttypes.h>
#include <string.h>

#include "base/context.h"
#include "ops/op_table.h"

/* ---- ready command lines ---- */

void cnnfi_put_word(cnnfi_strbuf *out, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./,:=+@%-";
    if (*text != '\0' && strspn(text, plain) == strlen(text)) {
        cnnfi_strbuf_puts(out, text);
        return;
    }
    cnnfi_strbuf_putc(out, '\'');
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\'')
            cnnfi_strbuf_puts(out, "'\\''");
        else
            cnnfi_strbuf_putc(out, (unsigned char)*c < ' ' || *c == 127 ? '?' : *c);
    }
    cnnfi_strbuf_putc(out, '\'');
}

/* "a,b" of the declared inputs or outputs, without ports: one word. */
static void put_names(cnnfi_strbuf *out, const cnnf_graph *graph, int64_t count,
                      const char *(*name)(const cnnf_graph *, int64_t))
{
    char node[4096];
    cnnfi_strbuf list;
    cnnfi_strbuf_init(&list, graph->context);
    for (int64_t i = 0; i < count; i++)
        cnnfi_strbuf_printf(&list, "%s%s", i ? "," : "", cnnfi_input_node(name(graph, i), node, sizeof node));
    out->failed |= list.failed;
    cnnfi_put_word(out, list.data != NULL ? list.data : "");
    cnnfi_strbuf_free(&list);
}

void cnnfi_put_inputs(cnnfi_strbuf *out, const cnnf_graph *graph)
{
    put_names(out, graph, cnnf_graph_input_count(graph), cnnf_graph_input_name);
}

void cnnfi_put_outputs(cnnfi_strbuf *out, const cnnf_graph *graph)
{
    put_names(out, graph, cnnf_graph_output_count(graph), cnnf_graph_output_name);
}

/* "?,28,28,1:?,10", the unknown written as the tool wants it. */
void cnnfi_put_shapes(cnnfi_strbuf *out, const cnnf_graph *graph, const char *unknown, const char *separator)
{
    for (int64_t i = 0; i < cnnf_graph_input_count(graph); i++) {
        const cnnf_node *node = cnnf_graph_find(graph, cnnf_graph_input_name(graph, i));
        const int32_t rank = node ? cnnf_node_attr_shape_rank(node, "shape") : -1;
        if (i) cnnfi_strbuf_puts(out, separator);
        for (int32_t d = 0; d < rank; d++) {
            const int64_t dim = cnnf_node_attr_shape_dim(node, "shape", d);
            if (d) cnnfi_strbuf_putc(out, ',');
            if (dim < 0)
                cnnfi_strbuf_puts(out, unknown);
            else
                cnnfi_strbuf_printf(out, "%" PRId64, dim);
        }
    }
}

/* ---- targets ---- */

static const cnnfi_target *const targets[] = {&cnnfi_target_vitis_ai, &cnnfi_target_opencv, &cnnfi_target_opencv4,
                                              &cnnfi_target_opencv5,  &cnnfi_target_tflite, &cnnfi_target_openvino};

#define N_TARGETS (sizeof targets / sizeof *targets)

static const cnnfi_target *find_target(const char *name)
{
    for (size_t i = 0; name && i < N_TARGETS; i++) {
        if (strcmp(targets[i]->name, name) == 0) return targets[i];
    }
    return NULL;
}

int32_t cnnf_check_target_count(void)
{
    return (int32_t)N_TARGETS;
}

const char *cnnf_check_target_name(int32_t index)
{
    return index >= 0 && (size_t)index < N_TARGETS ? targets[index]->name : NULL;
}

const char *cnnf_check_target_passes(const char *target)
{
    const cnnfi_target *found = find_target(target);
    return found ? found->passes : NULL;
}

/* ---- reports ---- */

static void put_finding_text(cnnfi_strbuf *out, const cnnfi_demand *demand, const cnnfi_finding *finding)
{
    const char *verdict = !finding->count ? "ok  " : demand->must ? "FAIL" : "note";
    cnnfi_strbuf_printf(out, "%s  %s: %s\n", verdict, demand->name, demand->text);
    if (!finding->count) return;
    cnnfi_strbuf_printf(out, "      %s", finding->text.data ? finding->text.data : "");
    if (finding->count > CNNFI_SHOWN) cnnfi_strbuf_printf(out, "; and %" PRId64 " more", finding->count - CNNFI_SHOWN);
    cnnfi_strbuf_putc(out, '\n');
}

static void put_finding_json(cnnfi_strbuf *out, const cnnfi_demand *demand, const cnnfi_finding *finding, bool first)
{
    cnnfi_strbuf_puts(out, first ? "    {\"demand\": " : ",\n    {\"demand\": ");
    cnnfi_strbuf_json_string(out, demand->name);
    cnnfi_strbuf_puts(out, ", \"text\": ");
    cnnfi_strbuf_json_string(out, demand->text);
    cnnfi_strbuf_printf(out, ", \"required\": %s, \"met\": %s, \"count\": %" PRId64 ", \"found\": ",
                        demand->must ? "true" : "false", finding->count ? "false" : "true", finding->count);
    cnnfi_strbuf_json_string(out, finding->text.data ? finding->text.data : "");
    cnnfi_strbuf_putc(out, '}');
}

static int64_t put_findings(cnnfi_strbuf *out, const cnnfi_finding *known, bool json)
{
    const cnnf_graph *graph = known->graph;
    const cnnfi_target *target = known->target;
    int64_t unmet = 0;
    bool first = true;
    for (size_t i = 0; i < cnnfi_n_demands; i++) {
        const cnnfi_demand *demand = &cnnfi_demands[i];
        if (!(demand->targets & target->bit)) continue;
        cnnfi_finding finding = *known;
        cnnfi_strbuf_init(&finding.text, graph->context);
        demand->check(&finding);
        unmet += demand->must && finding.count;
        if (json)
            put_finding_json(out, demand, &finding, first);
        else
            put_finding_text(out, demand, &finding);
        first = false;
        out->failed |= finding.text.failed;
        cnnfi_strbuf_free(&finding.text);
    }
    return unmet;
}

static void put_next_step(cnnfi_strbuf *out, const cnnfi_finding *known, const char *file, int64_t unmet)
{
    if (unmet) {
        cnnfi_strbuf_printf(out, "\n%" PRId64 " demands are not met; these passes may help:\n  %s\n", unmet,
                            known->target->passes);
        return;
    }
    cnnfi_strbuf_puts(out, "\nReady:\n  ");
    known->target->command(out, known->graph, file);
    cnnfi_strbuf_putc(out, '\n');
}

static int64_t write_text(cnnfi_strbuf *out, const cnnfi_finding *known, const char *file)
{
    const int64_t unmet = put_findings(out, known, false);
    put_next_step(out, known, file, unmet);
    return unmet;
}

static int64_t write_json(cnnfi_strbuf *out, const cnnfi_finding *known, const char *file)
{
    const cnnfi_target *target = known->target;
    cnnfi_strbuf command;
    cnnfi_strbuf_init(&command, known->graph->context);
    cnnfi_strbuf_printf(out, "{\n  \"target\": \"%s\",\n  \"version\": \"%s\",\n  \"demands\": [\n", target->name,
                        target->version);
    const int64_t unmet = put_findings(out, known, true);
    target->command(&command, known->graph, file);
    cnnfi_strbuf_printf(out, "\n  ],\n  \"unmet\": %" PRId64 ",\n  \"passes\": \"", unmet);
    cnnfi_strbuf_printf(out, "%s\",\n  \"command\": ", target->passes);
    cnnfi_strbuf_json_string(out, command.data ? command.data : "");
    cnnfi_strbuf_puts(out, "\n}\n");
    out->failed |= command.failed;
    cnnfi_strbuf_free(&command);
    return unmet;
}

/* ---- what is known of the graph ---- */

/* What an input does not reach: constants and what is computed from them. */
static void mark_constants(bool *constant, const cnnf_graph *graph, const int32_t *order)
{
    for (size_t i = 0; i < graph->n_nodes; i++) {
        const cnnf_node *node = graph->nodes[order[i]];
        bool all = node->n_inputs ? cnnfi_node_is_pure(node) : strcmp(node->op, "Const") == 0;
        for (size_t k = 0; all && k < node->n_inputs; k++)
            all = constant[node->edges[k].node];
        constant[node->index] = all;
    }
}

/* Against the order: from readers to what they read. */
static void mark_layouts(bool *layout, const cnnf_graph *graph, const int32_t *order)
{
    for (size_t i = graph->n_nodes; i-- > 0;) {
        const cnnf_node *node = graph->nodes[order[i]];
        const bool known = layout[node->index] || cnnfi_node_attr(node, "data_format") != NULL;
        for (size_t k = 0; known && k < node->n_inputs; k++)
            layout[node->edges[k].node] = true;
    }
}

static void mark_outputs(bool *output, const cnnf_graph *graph)
{
    char name[4096];
    for (int64_t i = 0; i < cnnf_graph_output_count(graph); i++) {
        const cnnf_node *node =
            cnnf_graph_find(graph, cnnfi_input_node(cnnf_graph_output_name(graph, i), name, sizeof name));
        if (node) output[node->index] = true;
    }
}

static cnnf_status write_report(cnnfi_strbuf *out, int64_t *unmet, cnnfi_finding *known, const char *file, bool json,
                                cnnf_error *error)
{
    const cnnf_graph *graph = known->graph;
    cnnfi_graph_shapes shapes = {0};
    cnnfi_consumers consumers = {0};
    int32_t *order = NULL;
    bool *flags = cnnfi_calloc(graph->context, 3 * graph->n_nodes + 1, sizeof *flags);
    cnnf_status status = flags ? cnnfi_toposort(&order, graph, error) : cnnfi_fail_nomem(error);
    if (!status) status = cnnfi_consumers_init(&consumers, graph, error);
    const bool has_shapes = !status && !(status = cnnfi_graph_shapes_init(&shapes, graph, error));
    if (!status) {
        mark_constants(flags, graph, order);
        mark_outputs(flags + graph->n_nodes, graph);
        mark_layouts(flags + 2 * graph->n_nodes, graph, order);
        known->shapes = &shapes;
        known->consumers = &consumers;
        known->constant = flags;
        known->output = flags + graph->n_nodes;
        known->layout = flags + 2 * graph->n_nodes;
        *unmet = json ? write_json(out, known, file) : write_text(out, known, file);
    }
    if (has_shapes) cnnfi_graph_shapes_free(&shapes);
    cnnfi_consumers_free(&consumers);
    cnnfi_free(graph->context, order);
    cnnfi_free(graph->context, flags);
    return status;
}

static cnnf_status check_arguments(cnnf_buffer **out, const cnnf_graph *graph, const char *target, int32_t format,
                                   cnnf_error *error)
{
    if (!out || !graph || !target) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_check_graph: an argument is NULL");
    CNNFI_TRY(cnnfi_check_report_format(format, CNNF_REPORT_JSON, error));
    if (find_target(target)) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_NOT_FOUND,
                      "target '%s': vitis-ai, opencv, opencv4, opencv5, tflite and openvino are known", target);
}

cnnf_status cnnf_check_graph_file(cnnf_buffer **out, int64_t *unmet, const cnnf_graph *graph, const char *file,
                                  const char *target, int32_t format, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (out) *out = NULL;
    if (unmet) *unmet = 0;
    CNNFI_TRY(check_arguments(out, graph, target, format, error));
    cnnfi_finding known = {.target = find_target(target), .graph = graph};
    cnnfi_strbuf text;
    int64_t count = 0;
    cnnfi_strbuf_init(&text, graph->context);
    cnnf_status status =
        write_report(&text, &count, &known, file ? file : "frozen_graph.pb", format == CNNF_REPORT_JSON, error);
    if (!status) status = cnnfi_strbuf_finish(&text, out, error);
    if (!status && unmet) *unmet = count;
    cnnfi_strbuf_free(&text);
    return status;
}

cnnf_status cnnf_check_graph(cnnf_buffer **out, int64_t *unmet, const cnnf_graph *graph, const char *target,
                             int32_t format, cnnf_error *error)
{
    cnnf_error_clear(error);
    return cnnf_check_graph_file(out, unmet, graph, NULL, target, format, error);
}
