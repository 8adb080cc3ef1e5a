/* SPDX-License-Identifier: Apache-2.0 */
/* What the Graph Transform Tool's summarize_graph finds, and the sizes it does not say. */
#include "inspect/summary.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cnnfreeze/inspect.h>

#include "base/context.h"
#include "base/error.h"
#include "base/num.h"
#include "base/str.h"

/* ---- collecting ---- */

/* summarize_graph_main.cc: what nobody reads is an output, unless it is one of these. */
static bool is_no_output(const char *op)
{
    static const char *const ops[] = {"Const",
                                      "Assign",
                                      "NoOp",
                                      "Placeholder",
                                      "AssignVariableOp",
                                      "VarIsInitializedOp",
                                      "IsVariableInitialized",
                                      "VariableV2",
                                      "Variable",
                                      "VarHandleOp",
                                      "SaveV2",
                                      "Assert"};
    return cnnfi_text_in(op, ops, sizeof ops / sizeof *ops);
}

static const cnnf_tensor *held(const cnnf_node *node)
{
    if (strcmp(node->op, "Const") == 0) return cnnf_node_attr_tensor(node, "value");
    return cnnfi_op_is_variable(node->op) ? node->value : NULL;
}

/* Elements of a variable that carries no value, by its shape. */
static int64_t declared_elements(const cnnf_node *node)
{
    const cnnfi_attr *attr = cnnfi_node_attr(node, "shape");
    int64_t count = 0;
    if (!attr || attr->kind != CNNF_ATTR_SHAPE) return 0;
    return cnnfi_shape_elements(&count, attr->u.shape.rank, attr->u.shape.dims) ? count : 0;
}

static void count_parameters(cnnfi_summary *s, const cnnf_node *node)
{
    const cnnf_tensor *tensor = held(node);
    if (strcmp(node->op, "Const") == 0) {
        s->const_parameters += tensor ? cnnf_tensor_element_count(tensor) : 0;
        s->const_bytes += tensor ? cnnf_tensor_byte_size(tensor) : 0;
    } else if (cnnfi_op_is_variable(node->op)) {
        const int64_t count = tensor ? cnnf_tensor_element_count(tensor) : declared_elements(node);
        s->variable_parameters += count;
        s->variable_bytes += (uint64_t)count * cnnf_dtype_size(cnnfi_node_type(node, "dtype"));
    }
}

static int by_count(const void *a, const void *b)
{
    const cnnfi_op_count *left = a, *right = b;
    if (left->count != right->count) return left->count < right->count ? 1 : -1;
    return strcmp(left->op, right->op);
}

static bool count_ops(cnnfi_summary *s)
{
    const cnnf_graph *g = s->graph;
    cnnfi_strmap seen;
    bool ok = true;
    cnnfi_strmap_init(&seen, g->context);
    for (size_t i = 0; ok && i < g->n_nodes; i++) {
        const int64_t at = cnnfi_strmap_get(&seen, g->nodes[i]->op);
        if (at >= 0) {
            s->ops[at].count++;
            continue;
        }
        ok = cnnfi_strmap_set(&seen, g->nodes[i]->op, (int64_t)s->n_ops);
        s->ops[s->n_ops++] = (cnnfi_op_count){.op = g->nodes[i]->op, .count = 1};
    }
    cnnfi_strmap_free(&seen);
    qsort(s->ops, s->n_ops, sizeof *s->ops, by_count);
    return ok;
}

static void sort_nodes(cnnfi_summary *s, const bool *read)
{
    for (size_t i = 0; i < s->graph->n_nodes; i++) {
        const cnnf_node *node = s->graph->nodes[i];
        for (size_t k = 0; k < node->n_inputs; k++)
            s->control_edges += node->inputs[k][0] == '^';
        if (strcmp(node->op, "Placeholder") == 0)
            s->inputs[s->n_inputs++] = node;
        else if (cnnfi_op_is_variable(node->op))
            s->variables[s->n_variables++] = node;
        if (!read[i] && !is_no_output(node->op)) s->outputs[s->n_outputs++] = node;
        count_parameters(s, node);
    }
}

static cnnf_status collect(cnnfi_summary *s, cnnf_error *error)
{
    const cnnf_graph *g = s->graph;
    bool *read = cnnfi_arena_array(&s->arena, g->n_nodes, sizeof *read);
    s->inputs = cnnfi_arena_array(&s->arena, g->n_nodes, sizeof *s->inputs);
    s->variables = cnnfi_arena_array(&s->arena, g->n_nodes, sizeof *s->variables);
    s->outputs = cnnfi_arena_array(&s->arena, g->n_nodes, sizeof *s->outputs);
    s->ops = cnnfi_arena_array(&s->arena, g->n_nodes, sizeof *s->ops);
    if (!read || !s->inputs || !s->variables || !s->outputs || !s->ops) return cnnfi_fail_nomem(error);
    for (size_t i = 0; i < g->n_nodes; i++) {
        for (size_t k = 0; k < g->nodes[i]->n_inputs; k++)
            read[g->nodes[i]->edges[k].node] = true;
    }
    sort_nodes(s, read);
    return count_ops(s) ? CNNF_OK : cnnfi_fail_nomem(error);
}

void cnnfi_summary_shape(char *out, size_t size, const cnnf_node *node)
{
    const cnnfi_attr *attr = cnnfi_node_attr(node, "shape");
    const cnnf_tensor *value = node->value;
    int64_t dims[CNNFI_MAX_RANK];
    if (attr && attr->kind == CNNF_ATTR_SHAPE) {
        cnnfi_shape_print(out, size, attr->u.shape.rank, attr->u.shape.dims);
        return;
    }
    const int32_t rank = value ? cnnf_tensor_rank(value) : -1;
    for (int32_t i = 0; i < rank; i++)
        dims[i] = cnnf_tensor_dim(value, i);
    if (rank < 0)
        snprintf(out, size, "None");
    else
        cnnfi_shape_print(out, size, rank, dims);
}

/* ---- text: the tool's lines ---- */

/* strings::HumanReadableNum: 21840774 is 21.84M. */
static void put_human(cnnfi_strbuf *out, int64_t value)
{
    static const char units[] = "kMBTQ";
    size_t unit = 0;
    char text[352];
    if (value < 1000) {
        cnnfi_strbuf_printf(out, "%" PRId64, value);
        return;
    }
    for (; value >= 1000000 && unit < 4; value /= 1000)
        unit++;
    cnnfi_format_fixed(text, (double)value / 1000.0, 2);
    cnnfi_strbuf_printf(out, "%s%c", text, units[unit]);
}

static void put_typed(cnnfi_strbuf *out, const char *what, const cnnf_node *const *nodes, size_t count)
{
    char shape[512];
    if (!count) {
        cnnfi_strbuf_printf(out, "No %s spotted.\n", what);
        return;
    }
    cnnfi_strbuf_printf(out, "Found %zu %s%s: ", count, strcmp(what, "inputs") ? "" : "possible ", what);
    for (size_t i = 0; i < count; i++) {
        const cnnf_dtype dtype = cnnfi_node_type(nodes[i], "dtype");
        cnnfi_summary_shape(shape, sizeof shape, nodes[i]);
        cnnfi_strbuf_printf(out, "(name=%s, type=%s(%d), shape=%s) ", nodes[i]->name, cnnf_dtype_name(dtype),
                            (int)dtype, shape);
    }
    cnnfi_strbuf_putc(out, '\n');
}

static void put_outputs(cnnfi_strbuf *out, const cnnfi_summary *s)
{
    if (s->n_outputs)
        cnnfi_strbuf_printf(out, "Found %zu possible outputs: ", s->n_outputs);
    else
        cnnfi_strbuf_puts(out, "No outputs spotted.");
    for (size_t i = 0; i < s->n_outputs; i++) {
        cnnfi_strbuf_printf(out, "(name=%s, op=%s) ", s->outputs[i]->name, s->outputs[i]->op);
    }
    cnnfi_strbuf_putc(out, '\n');
}

void cnnfi_summary_text(cnnfi_strbuf *out, const cnnfi_summary *s)
{
    put_typed(out, "inputs", s->inputs, s->n_inputs);
    put_typed(out, "variables", s->variables, s->n_variables);
    put_outputs(out, s);
    cnnfi_strbuf_printf(out, "Found %" PRId64 " (", s->const_parameters);
    put_human(out, s->const_parameters);
    cnnfi_strbuf_printf(out, ") const parameters, %" PRId64 " (", s->variable_parameters);
    put_human(out, s->variable_parameters);
    cnnfi_strbuf_printf(out, ") variable parameters, and %" PRId64 " control_edges\n", s->control_edges);
    cnnfi_strbuf_puts(out, "Op types used: ");
    for (size_t i = 0; i < s->n_ops; i++) {
        cnnfi_strbuf_printf(out, "%s%" PRId64 " %s", i ? ", " : "", s->ops[i].count, s->ops[i].op);
    }
    cnnfi_strbuf_printf(out,
                        "\n%zu nodes, %zu functions, %" PRIu64 " bytes of constants, %" PRIu64 " bytes of variables\n",
                        s->graph->n_nodes, s->graph->n_functions, s->const_bytes, s->variable_bytes);
}

/* ---- JSON ---- */

static void put_json_nodes(cnnfi_strbuf *out, const char *key, const cnnf_node *const *nodes, size_t count, bool typed)
{
    char shape[512];
    cnnfi_strbuf_printf(out, "  \"%s\": [", key);
    for (size_t i = 0; i < count; i++) {
        cnnfi_strbuf_puts(out, i ? ",\n    {\"name\": " : "\n    {\"name\": ");
        cnnfi_strbuf_json_string(out, nodes[i]->name);
        cnnfi_strbuf_puts(out, ", \"op\": ");
        cnnfi_strbuf_json_string(out, nodes[i]->op);
        if (typed) {
            cnnfi_summary_shape(shape, sizeof shape, nodes[i]);
            cnnfi_strbuf_printf(out, ", \"type\": \"%s\", \"shape\": \"%s\"",
                                cnnf_dtype_name(cnnfi_node_type(nodes[i], "dtype")), shape);
        }
        cnnfi_strbuf_putc(out, '}');
    }
    cnnfi_strbuf_puts(out, "],\n");
}

void cnnfi_summary_json(cnnfi_strbuf *out, const cnnfi_summary *s)
{
    const cnnf_graph *g = s->graph;
    cnnfi_strbuf_printf(out, "{\n  \"nodes\": %zu,\n  \"functions\": %zu,\n", g->n_nodes, g->n_functions);
    cnnfi_strbuf_printf(out, "  \"producer\": %d,\n  \"min_consumer\": %d,\n", (int)g->versions.producer,
                        (int)g->versions.min_consumer);
    put_json_nodes(out, "inputs", s->inputs, s->n_inputs, true);
    put_json_nodes(out, "variables", s->variables, s->n_variables, true);
    put_json_nodes(out, "outputs", s->outputs, s->n_outputs, false);
    cnnfi_strbuf_printf(out, "  \"const_parameters\": %" PRId64 ",\n  \"variable_parameters\": %" PRId64 ",\n",
                        s->const_parameters, s->variable_parameters);
    cnnfi_strbuf_printf(out, "  \"const_bytes\": %" PRIu64 ",\n  \"variable_bytes\": %" PRIu64 ",\n", s->const_bytes,
                        s->variable_bytes);
    cnnfi_strbuf_printf(out, "  \"control_edges\": %" PRId64 ",\n  \"ops\": {", s->control_edges);
    for (size_t i = 0; i < s->n_ops; i++) {
        if (i) cnnfi_strbuf_puts(out, ", ");
        cnnfi_strbuf_json_string(out, s->ops[i].op);
        cnnfi_strbuf_printf(out, ": %" PRId64, s->ops[i].count);
    }
    cnnfi_strbuf_puts(out, "}\n}\n");
}

/* ---- public ---- */

static cnnf_status write_summary(cnnfi_strbuf *text, const cnnf_graph *graph, int32_t format, cnnf_error *error)
{
    const uint32_t known = CNNFI_FORMAT(CNNF_REPORT_TEXT) | CNNFI_FORMAT(CNNF_REPORT_JSON) |
                           CNNFI_FORMAT(CNNF_REPORT_DOT) | CNNFI_FORMAT(CNNF_REPORT_SVG) |
                           CNNFI_FORMAT(CNNF_REPORT_GTT);
    CNNFI_TRY(cnnfi_check_formats(format, known, error));
    if (format == CNNF_REPORT_DOT) return cnnfi_summary_dot(text, graph, error);
    if (format == CNNF_REPORT_SVG) return cnnfi_summary_svg(text, graph, error);
    if (format == CNNF_REPORT_TEXT) return cnnfi_summary_table(text, graph, error);
    cnnfi_summary s = {.graph = graph};
    cnnfi_arena_init(&s.arena, graph->context);
    const cnnf_status status = collect(&s, error);
    if (!status && format == CNNF_REPORT_JSON)
        cnnfi_summary_json(text, &s);
    else if (!status)
        cnnfi_summary_text(text, &s);
    cnnfi_arena_free(&s.arena);
    return status;
}

cnnf_status cnnf_graph_summary(cnnf_buffer **out, const cnnf_graph *graph, int32_t format, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (out) *out = NULL;
    if (!out || !graph) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_graph_summary: an argument is NULL");
    cnnfi_strbuf text;
    cnnfi_strbuf_init(&text, graph->context);
    cnnf_status status = write_summary(&text, graph, format, error);
    if (!status) status = cnnfi_strbuf_finish(&text, out, error);
    cnnfi_strbuf_free(&text);
    return status;
}
