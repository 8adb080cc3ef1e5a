/* SPDX-License-Identifier: Apache-2.0 */
/* The table that Keras' summary() prints, of any graph. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "inspect/shown_layers.h"
#include "inspect/summary.h"

#define COLUMNS 6

typedef struct column {
    const char *title;
    bool right;
    size_t widest; /* longer cells are cut */
    size_t width;
} column;

/* "66,510"; "?" when it is negative. */
static void put_count(char out[32], int64_t value)
{
    char digits[24];
    size_t at = 0;
    if (value < 0) {
        snprintf(out, 32, "?");
        return;
    }
    snprintf(digits, sizeof digits, "%" PRId64, value);
    for (size_t left = strlen(digits), i = 0; left > 0; left--, i++) {
        if (i && left % 3 == 0) out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
}

/* One row's cells; `from` is the list of layers it reads. */
static void fill(const char *cells[COLUMNS], char rooms[2][32], const cnnfi_layer *layer, const char *from)
{
    put_count(rooms[0], layer->parameters);
    put_count(rooms[1], layer->macs);
    cells[0] = layer->name;
    cells[1] = layer->ops;
    cells[2] = layer->shape;
    cells[3] = rooms[0];
    cells[4] = rooms[1];
    cells[5] = from;
}

static void put_cell(cnnfi_strbuf *out, const column *c, const char *text, bool last)
{
    const size_t length = strlen(text);
    const bool cut = length > c->widest;
    const size_t shown = cut ? c->widest : length, width = c->width;
    if (c->right) cnnfi_strbuf_printf(out, "%*s", (int)(width - shown), "");
    if (cut)
        cnnfi_strbuf_printf(out, "%.*s...", (int)(shown - 3), text);
    else
        cnnfi_strbuf_puts(out, text);
    if (!c->right && !last) cnnfi_strbuf_printf(out, "%*s", (int)(width - shown), "");
    if (!last) cnnfi_strbuf_puts(out, "  ");
}

static void put_rule(cnnfi_strbuf *out, const column *columns, size_t n, char c)
{
    size_t width = 2 * (n - 1);
    for (size_t i = 0; i < n; i++)
        width += columns[i].width;
    for (size_t i = 0; i < width; i++)
        cnnfi_strbuf_putc(out, c);
    cnnfi_strbuf_putc(out, '\n');
}

static bool is_chain(const cnnfi_layers *l)
{
    for (size_t i = 0; i < l->n_links; i++) {
        if (l->links[i].to != l->links[i].from + 1) return false;
    }
    return true;
}

/* "conv2d, pool" for each layer; links come in the order of their readers. */
static const char **read_layers(cnnfi_layers *l)
{
    const char **from = cnnfi_arena_array(&l->arena, l->count + 1, sizeof *from);
    for (size_t i = 0; from && i < l->count; i++)
        from[i] = "";
    for (size_t i = 0; from && i < l->n_links; i++) {
        const cnnfi_link link = l->links[i];
        if (strlen(from[link.to]) > 200) continue;
        from[link.to] = cnnfi_arena_printf(&l->arena, "%s%s%s", from[link.to], *from[link.to] ? ", " : "",
                                           l->layers[link.from].name);
        if (!from[link.to]) return NULL;
    }
    return from;
}

static void put_rows(cnnfi_strbuf *out, const cnnfi_layers *l, const char **from, column *columns, size_t n)
{
    const char *cells[COLUMNS];
    char rooms[2][32];
    for (size_t i = 0; i < l->count; i++) {
        fill(cells, rooms, &l->layers[i], from[i]);
        for (size_t k = 0; k < n; k++) {
            const size_t length = strlen(cells[k]) < columns[k].widest ? strlen(cells[k]) : columns[k].widest;
            if (length > columns[k].width) columns[k].width = length;
        }
    }
    for (size_t k = 0; k < n; k++)
        put_cell(out, &columns[k], columns[k].title, k + 1 == n);
    cnnfi_strbuf_putc(out, '\n');
    put_rule(out, columns, n, '=');
    for (size_t i = 0; i < l->count; i++) {
        fill(cells, rooms, &l->layers[i], from[i]);
        for (size_t k = 0; k < n; k++)
            put_cell(out, &columns[k], cells[k], k + 1 == n);
        while (!out->failed && out->data[out->size - 1] == ' ')
            out->size--;
        cnnfi_strbuf_putc(out, '\n');
    }
    put_rule(out, columns, n, '=');
}

static void put_ends(cnnfi_strbuf *out, const char *title, const char **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        cnnfi_strbuf_printf(out, "%-11s%s\n", i ? "" : title, list[i]);
}

cnnf_status cnnfi_summary_table(cnnfi_strbuf *out, const cnnf_graph *graph, cnnf_error *error)
{
    cnnfi_layers l;
    column columns[COLUMNS] = {{"Layer", false, 40, 5},      {"Ops", false, 40, 3}, {"Output shape", false, 36, 12},
                               {"Parameters", true, 20, 10}, {"MACs", true, 24, 4}, {"Connected to", false, 44, 12}};
    char count[32];
    CNNFI_TRY(cnnfi_layers_find(&l, graph, error));
    const char **from = read_layers(&l);
    if (!from) {
        cnnfi_layers_free(&l);
        return cnnfi_fail_nomem(error);
    }
    put_rows(out, &l, from, columns, is_chain(&l) ? COLUMNS - 1 : COLUMNS);
    put_count(count, l.parameters);
    cnnfi_strbuf_printf(out, "Parameters %s\n", count);
    put_count(count, l.macs);
    cnnfi_strbuf_printf(out, "MACs       %s for one example\n", count);
    put_ends(out, "Inputs", l.inputs, l.n_inputs);
    put_ends(out, "Outputs", l.outputs, l.n_outputs);
    cnnfi_strbuf_printf(out, "Nodes      %zu", graph->n_nodes);
    if (l.left_out) cnnfi_strbuf_printf(out, ", %zu of them of no output: training, saving", l.left_out);
    if (graph->n_functions) cnnfi_strbuf_printf(out, "; %zu functions", graph->n_functions);
    cnnfi_strbuf_putc(out, '\n');
    cnnfi_layers_free(&l);
    return CNNF_OK;
}
