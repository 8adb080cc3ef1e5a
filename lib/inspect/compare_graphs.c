/* SPDX-License-Identifier: Apache-2.0 */
/* How two graphs differ, node by node; what they compute is the evaluator's to compare. */
#include <inttypes.h>
#include <string.h>

#include "base/context.h"
#include "graph/equal.h"
#include "graph/tensor.h"
#include <cnnfreeze/inspect.h>

#include "base/error.h"
#include "base/str.h"
#include "graph/graph.h"

typedef struct comparison {
    const cnnf_graph *a, *b;
    cnnfi_strbuf items; /* finished differences, in the format asked for */
    bool json;
    int64_t count;
    cnnf_error *error;
} comparison;

/* One difference: "~ conv: attribute strides" or its object. `kind`: only_in_a, only_in_b, op, inputs, attribute ... */
static void differ(comparison *c, const char *kind, const char *node, const char *a, const char *b)
{
    cnnfi_strbuf *out = &c->items;
    const char mark = strcmp(kind, "only_in_a") == 0 ? '-' : strcmp(kind, "only_in_b") == 0 ? '+' : '~';
    c->count++;
    if (!c->json) {
        cnnfi_strbuf_printf(out, "%c %s", mark, node);
        if (mark == '~') cnnfi_strbuf_printf(out, ": %s", kind);
        cnnfi_strbuf_printf(out, "%s%s%s%s\n", *a || *b ? " " : "", a, *a && *b ? " -> " : "", b);
        return;
    }
    cnnfi_strbuf_printf(out, "%s  {\"kind\": \"%s\", \"node\": ", out->size ? ",\n" : "", kind);
    cnnfi_strbuf_json_string(out, node);
    cnnfi_strbuf_puts(out, ", \"a\": ");
    cnnfi_strbuf_json_string(out, a);
    cnnfi_strbuf_puts(out, ", \"b\": ");
    cnnfi_strbuf_json_string(out, b);
    cnnfi_strbuf_putc(out, '}');
}

/* "x" and "x:0" are the same input. */
static bool same_input(const char *a, const char *b)
{
    const char *name_a, *name_b;
    size_t length_a, length_b;
    const int32_t port_a = cnnfi_input_parse(a, &name_a, &length_a), port_b = cnnfi_input_parse(b, &name_b, &length_b);
    return port_a == port_b && length_a == length_b && memcmp(name_a, name_b, length_a) == 0;
}

static void compare_inputs(comparison *c, const cnnf_node *a, const cnnf_node *b)
{
    const size_t n = a->n_inputs > b->n_inputs ? a->n_inputs : b->n_inputs;
    for (size_t i = 0; i < n; i++) {
        const char *left = i < a->n_inputs ? a->inputs[i] : "", *right = i < b->n_inputs ? b->inputs[i] : "";
        if (!*left || !*right || !same_input(left, right)) differ(c, "input", a->name, left, right);
    }
}

static cnnf_status compare_attrs(comparison *c, const cnnf_node *a, const cnnf_node *b)
{
    for (size_t i = 0; i < a->n_attrs; i++) {
        const cnnfi_attr *other = cnnfi_node_attr(b, a->attrs[i].key);
        bool same = false;
        if (other) CNNFI_TRY(cnnfi_attr_equal(&same, &a->attrs[i], other, c->error));
        if (!other)
            differ(c, "attribute_only_in_a", a->name, a->attrs[i].key, "");
        else if (!same)
            differ(c, "attribute", a->name, a->attrs[i].key, "");
    }
    for (size_t i = 0; i < b->n_attrs; i++) {
        if (!cnnfi_node_attr(a, b->attrs[i].key)) differ(c, "attribute_only_in_b", a->name, "", b->attrs[i].key);
    }
    return CNNF_OK;
}

static cnnf_status compare_nodes(comparison *c, const cnnf_node *a, const cnnf_node *b)
{
    if (strcmp(a->op, b->op)) {
        differ(c, "op", a->name, a->op, b->op);
        return CNNF_OK;
    }
    if (strcmp(a->device, b->device)) differ(c, "device", a->name, a->device, b->device);
    compare_inputs(c, a, b);
    CNNFI_TRY(compare_attrs(c, a, b));
    bool same = !a->value == !b->value;
    if (same && a->value) CNNFI_TRY(cnnfi_tensor_equal(&same, a->value, b->value, c->error));
    if (!same) differ(c, "value", a->name, "", "");
    return CNNF_OK;
}

static cnnf_status compare(comparison *c)
{
    for (size_t i = 0; i < c->a->n_nodes; i++) {
        const cnnf_node *a = c->a->nodes[i], *b = cnnf_graph_find(c->b, a->name);
        if (b)
            CNNFI_TRY(compare_nodes(c, a, b));
        else
            differ(c, "only_in_a", a->name, a->op, "");
    }
    for (size_t i = 0; i < c->b->n_nodes; i++) {
        const cnnf_node *b = c->b->nodes[i];
        if (!cnnf_graph_find(c->a, b->name)) differ(c, "only_in_b", b->name, "", b->op);
    }
    return CNNF_OK;
}

static cnnf_status finish(comparison *c, cnnf_buffer **out)
{
    cnnfi_strbuf text;
    cnnfi_strbuf_init(&text, c->a->context);
    if (c->json) cnnfi_strbuf_printf(&text, "{\"differences\": %" PRId64 ", \"items\": [\n", c->count);
    if (c->items.size) cnnfi_strbuf_add(&text, c->items.data, c->items.size);
    if (c->json) cnnfi_strbuf_puts(&text, "\n]}\n");
    text.failed |= c->items.failed;
    const cnnf_status status = cnnfi_strbuf_finish(&text, out, c->error);
    cnnfi_strbuf_free(&text);
    return status;
}

cnnf_status cnnf_compare_graphs(cnnf_buffer **out, int64_t *differences, const cnnf_graph *a, const cnnf_graph *b,
                                int32_t format, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (out) *out = NULL;
    if (differences) *differences = 0;
    if (!out || !a || !b) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_compare_graphs: an argument is NULL");
    CNNFI_TRY(cnnfi_check_report_format(format, CNNF_REPORT_JSON, error));
    comparison c = {.a = a, .b = b, .json = format == CNNF_REPORT_JSON, .error = error};
    cnnfi_strbuf_init(&c.items, a->context);
    cnnf_status status = compare(&c);
    if (!status) status = finish(&c, out);
    if (!status && differences) *differences = c.count;
    cnnfi_strbuf_free(&c.items);
    return status;
}
