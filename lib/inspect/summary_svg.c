/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A picture without Graphviz: layers as boxes, one row below all that it reads; what skips rows runs in lanes at the
 * right. Where there are more layers than a reader can take in, neighbours in the order of execution whose names begin
 * alike become one box: that never makes a cycle.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "inspect/shown_layers.h"
#include "inspect/summary.h"

#define MOST_BOXES 120 /* readable; the names are then cut to a part, and at last any neighbours are joined */
#define BOX_WIDTH  226
#define BOX_HEIGHT 58
#define GAP_X      24
#define GAP_Y      26
#define LANE       12
#define MARGIN     16

typedef struct box {
    const cnnfi_layer *first, *last;
    int64_t layers, parameters, macs;
    int32_t row;
    double place; /* wanted, by what it reads */
    int64_t x, y;
} box;

typedef struct picture {
    cnnfi_layers layers;
    box *boxes; /* [count] in the order of execution */
    int32_t count, rows;
    int32_t *of_layer; /* [layers.count] */
    int32_t **in_row;  /* [rows] boxes of a row, in_row_count of them */
    int32_t *in_row_count;
    int32_t *lane_end; /* [lanes] the row that a lane is taken to */
    int32_t lanes;
    int64_t width, height, right;
} picture;

/* ---- boxes ---- */

/* Bytes of the first `parts` parts of a name. */
static size_t head(const char *name, int parts)
{
    size_t length = strcspn(name, "_/.");
    for (; parts > 1 && name[length]; parts--)
        length += 1 + strcspn(name + length + 1, "_/.");
    return length;
}

/* Layers to boxes: alike in so many parts of their names (0: all of them), or every `chunk` of them. */
static int32_t join(picture *p, int parts, size_t chunk)
{
    const cnnfi_layers *l = &p->layers;
    int32_t count = 0;
    for (size_t i = 0; i < l->count; i++) {
        const char *name = l->layers[i].name;
        bool same = i > 0 && (chunk > 1 ? i % chunk != 0 : parts > 0);
        if (same && chunk <= 1) {
            const char *before = l->layers[i - 1].name;
            const size_t length = head(name, parts);
            same = head(before, parts) == length && strncmp(name, before, length) == 0;
        }
        if (!same) p->boxes[count++] = (box){.first = &l->layers[i]};
        box *b = &p->boxes[count - 1];
        b->last = &l->layers[i];
        b->layers++;
        b->parameters += l->layers[i].parameters;
        b->macs = b->macs < 0 || l->layers[i].macs < 0 ? CNNFI_MACS_UNKNOWN : b->macs + l->layers[i].macs;
        p->of_layer[i] = count - 1;
    }
    return count;
}

static void choose_boxes(picture *p)
{
    p->count = join(p, 0, 1);
    for (int parts = 2; p->count > MOST_BOXES && parts > 0; parts--)
        p->count = join(p, parts, 1);
    if (p->count > MOST_BOXES) p->count = join(p, 0, (p->layers.count + MOST_BOXES - 1) / MOST_BOXES);
}

/* The boxes of a link; false: none is drawn. */
static bool ends(const picture *p, size_t link, int32_t *from, int32_t *to)
{
    *from = p->of_layer[p->layers.links[link].from];
    *to = p->of_layer[p->layers.links[link].to];
    return *from < *to;
}

/* ---- places ---- */

static int by_reader(const void *a, const void *b)
{
    const cnnfi_link *left = a, *right = b;
    if (left->to != right->to) return left->to < right->to ? -1 : 1;
    return left->from < right->from ? -1 : left->from > right->from;
}

/* Links are in the order of their readers, so a box's row is final before anybody asks for it. */
static void find_rows(picture *p)
{
    int32_t from, to;
    qsort(p->layers.links, p->layers.n_links, sizeof *p->layers.links, by_reader);
    for (size_t i = 0; i < p->layers.n_links; i++) {
        if (!ends(p, i, &from, &to)) continue;
        if (p->boxes[to].row <= p->boxes[from].row) p->boxes[to].row = p->boxes[from].row + 1;
    }
    for (int32_t i = 0; i < p->count; i++) {
        if (p->boxes[i].row >= p->rows) p->rows = p->boxes[i].row + 1;
    }
}

static bool fill_rows(picture *p)
{
    cnnfi_arena *arena = &p->layers.arena;
    p->in_row = cnnfi_arena_array(arena, (size_t)p->rows + 1, sizeof *p->in_row);
    p->in_row_count = cnnfi_arena_array(arena, (size_t)p->rows + 1, sizeof *p->in_row_count);
    if (!p->in_row || !p->in_row_count) return false;
    for (int32_t i = 0; i < p->count; i++)
        p->in_row_count[p->boxes[i].row]++;
    for (int32_t r = 0; r < p->rows; r++) {
        p->in_row[r] = cnnfi_arena_array(arena, (size_t)p->in_row_count[r] + 1, sizeof **p->in_row);
        if (!p->in_row[r]) return false;
        p->in_row_count[r] = 0;
    }
    for (int32_t i = 0; i < p->count; i++)
        p->in_row[p->boxes[i].row][p->in_row_count[p->boxes[i].row]++] = i;
    return true;
}

/* Boxes of a row in the order of the middles of what they read. */
static void order_row(picture *p, int32_t *row, int32_t n)
{
    for (int32_t i = 1; i < n; i++) {
        const int32_t moved = row[i];
        int32_t at = i;
        for (; at > 0 && p->boxes[row[at - 1]].place > p->boxes[moved].place; at--)
            row[at] = row[at - 1];
        row[at] = moved;
    }
}

static void place_rows(picture *p)
{
    int64_t widest = 1;
    int32_t from, to;
    for (int32_t r = 0; r < p->rows; r++)
        widest = p->in_row_count[r] > widest ? p->in_row_count[r] : widest;
    p->right = MARGIN + widest * (BOX_WIDTH + GAP_X) - GAP_X;
    double *sums = cnnfi_arena_array(&p->layers.arena, 2 * (size_t)p->count + 1, sizeof *sums);
    for (int32_t r = 0; r < p->rows; r++) {
        const int32_t n = p->in_row_count[r];
        for (size_t i = 0; sums && r > 0 && i < p->layers.n_links; i++) {
            if (!ends(p, i, &from, &to) || p->boxes[to].row != r || n < 2) continue;
            sums[2 * to] += (double)p->boxes[from].x;
            sums[2 * to + 1]++;
        }
        for (int32_t i = 0; sums && i < n; i++) {
            const int32_t b = p->in_row[r][i];
            p->boxes[b].place = sums[2 * b + 1] > 0 ? sums[2 * b] / sums[2 * b + 1] : 0;
        }
        order_row(p, p->in_row[r], n);
        int64_t x = (MARGIN + p->right - (n * (BOX_WIDTH + GAP_X) - GAP_X)) / 2;
        for (int32_t i = 0; i < n; i++, x += BOX_WIDTH + GAP_X) {
            p->boxes[p->in_row[r][i]].x = x;
            p->boxes[p->in_row[r][i]].y = MARGIN + (int64_t)r * (BOX_HEIGHT + GAP_Y);
        }
    }
    p->height = 2 * MARGIN + (int64_t)p->rows * (BOX_HEIGHT + GAP_Y) - GAP_Y;
}

/* The first lane that is free from row `from` to row `to`. */
static int32_t take_lane(picture *p, int32_t from, int32_t to)
{
    int32_t lane = 0;
    while (lane < p->lanes && p->lane_end[lane] > from)
        lane++;
    if (lane == p->lanes) p->lanes++;
    p->lane_end[lane] = to;
    return lane;
}

/* ---- drawing ---- */

/* At most `most` bytes of a text, whole characters, nothing of it markup. */
static void put_part(cnnfi_strbuf *out, const char *text, size_t length, size_t most)
{
    size_t shown = length <= most ? length : most - 3;
    while (shown < length && shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80)
        shown--;
    for (size_t i = 0; i < shown; i++) {
        const char c = text[i];
        if (c == '<' || c == '>' || c == '&' || c == '"')
            cnnfi_strbuf_printf(out, "&#%d;", c);
        else
            cnnfi_strbuf_putc(out, (unsigned char)c < 0x20 || c == 0x7f ? '?' : c);
    }
    if (shown < length) cnnfi_strbuf_puts(out, "...");
}

static void put_text(cnnfi_strbuf *out, const char *text, size_t most)
{
    put_part(out, text, strlen(text), most);
}

/* Bytes of the name that all layers of a box begin with, as far as the first and last say; the whole name of one. */
static size_t common_name(const box *b)
{
    const char *first = b->first->name, *last = b->last->name;
    size_t length = 0;
    if (b->layers == 1) return strlen(first);
    while (first[length] && first[length] == last[length])
        length++;
    while (length > 0 && first[length] && !strchr("_/.", first[length]))
        length--;
    return length ? length : strlen(first);
}

static const char *kind_of(const box *b)
{
    static const char *const kinds[][2] = {{"Conv", "conv"}, {"MatMul", "dense"},     {"Pool", "pool"},
                                           {"Norm", "norm"}, {"Placeholder", "feed"}, {"Concat", "join"},
                                           {"Add", "join"}};
    if (b->layers > 1) return "many";
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (strstr(b->first->ops, kinds[i][0])) return kinds[i][1];
    }
    return "other";
}

static void put_box(cnnfi_strbuf *out, const box *b)
{
    cnnfi_strbuf_printf(out, "<g class=\"%s\" transform=\"translate(%" PRId64 " %" PRId64 ")\"><title>", kind_of(b),
                        b->x, b->y);
    put_text(out, b->first->name, 200);
    if (b->layers > 1) {
        cnnfi_strbuf_puts(out, " to ");
        put_text(out, b->last->name, 200);
    }
    cnnfi_strbuf_printf(out,
                        "</title><rect width=\"%d\" height=\"%d\" rx=\"7\"/><path d=\"M7 1h-1a5 5 0 0 0-5 5v%d"
                        "a5 5 0 0 0 5 5h1z\"/><text x=\"16\" y=\"19\" class=\"name\">",
                        BOX_WIDTH, BOX_HEIGHT, BOX_HEIGHT - 12);
    put_part(out, b->first->name, common_name(b), b->layers > 1 ? 26 : 28);
    cnnfi_strbuf_puts(out, "</text><text x=\"16\" y=\"35\">");
    if (b->layers > 1)
        cnnfi_strbuf_printf(out, "%" PRId64 " layers", b->layers);
    else
        put_text(out, b->first->ops, 36);
    cnnfi_strbuf_puts(out, "</text><text x=\"16\" y=\"50\">");
    put_text(out, b->last->shape, 24);
    if (b->parameters) cnnfi_strbuf_printf(out, "  %" PRId64 " par.", b->parameters);
    cnnfi_strbuf_puts(out, "</text></g>\n");
}

static void put_link(cnnfi_strbuf *out, picture *p, const box *from, const box *to)
{
    const int64_t x = from->x + BOX_WIDTH / 2, y = from->y + BOX_HEIGHT, to_x = to->x + BOX_WIDTH / 2;
    if (to->row == from->row + 1) {
        cnnfi_strbuf_printf(out,
                            "<path d=\"M%" PRId64 " %" PRId64 "C%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
                            " %" PRId64 " %" PRId64 "\"/>\n",
                            x, y, x, y + GAP_Y / 2, to_x, to->y - GAP_Y / 2, to_x, to->y - 1);
        return;
    }
    const int64_t lane = p->right + 18 + LANE * (int64_t)take_lane(p, from->row, to->row);
    const int64_t out_y = from->y + BOX_HEIGHT + 8, in_y = to->y - 9;
    cnnfi_strbuf_printf(
        out, "<path d=\"M%" PRId64 " %" PRId64 "V%" PRId64 "H%" PRId64 "V%" PRId64 "H%" PRId64 "V%" PRId64 "\"/>\n",
        x + 50, y, out_y, lane, in_y, to_x + 50, to->y - 1);
}

static void put_links(cnnfi_strbuf *out, picture *p)
{
    int32_t from, to, last_from = -1, last_to = -1;
    cnnfi_strbuf_puts(out, "<g class=\"links\">\n");
    for (int32_t b = 0; b < p->count; b++) { /* lanes are given from the top down */
        for (size_t i = 0; i < p->layers.n_links; i++) {
            if (p->of_layer[p->layers.links[i].from] != b || !ends(p, i, &from, &to)) continue;
            if (from == last_from && to == last_to) continue;
            last_from = from;
            last_to = to;
            put_link(out, p, &p->boxes[from], &p->boxes[to]);
        }
    }
    cnnfi_strbuf_puts(out, "</g>\n");
}

static const char *const style[] = {
    "<style>.net{--ink:#1b1f27;--soft:#5b6472;--card:#f6f7f9;--edge:#c9cfd9;--line:#7b8494}"
    "@media(prefers-color-scheme:dark){.net{--ink:#e7eaf0;--soft:#9aa4b2;--card:#1d2128;--edge:#353b46;--line:#7b8494}"
    "}",
    ".net text{font:11px system-ui,\"Liberation Sans\",Arial,sans-serif;fill:var(--soft)}"
    ".net .name{font-size:12.5px;font-weight:600;fill:var(--ink)}.net rect{fill:var(--card);stroke:var(--edge)}"
    ".net .links path{fill:none;stroke:var(--line);stroke-width:1.3;marker-end:url(#tip)}.net g path{fill:#8a93a3}",
    ".net .conv path{fill:#2563c9}.net .dense path{fill:#8b46c8}.net .pool path{fill:#1a8f4a}"
    ".net .norm path{fill:#c2920a}.net .feed path{fill:#111827}.net .join path{fill:#c2440a}"
    ".net .many path{fill:#0e8a9c}</style>\n",
};

static void draw(cnnfi_strbuf *out, picture *p)
{
    cnnfi_strbuf links;
    cnnfi_strbuf_init(&links, out->context);
    put_links(&links, p);
    p->width = p->right + MARGIN + (p->lanes ? 18 + LANE * (int64_t)p->lanes : 0);
    cnnfi_strbuf_printf(out,
                        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"net\" viewBox=\"0 0 %" PRId64 " %" PRId64
                        "\" width=\"%" PRId64 "\" height=\"%" PRId64 "\" role=\"img\" aria-label=\"%d boxes\">\n",
                        p->width, p->height, p->width, p->height, (int)p->count);
    for (size_t i = 0; i < sizeof style / sizeof *style; i++)
        cnnfi_strbuf_puts(out, style[i]);
    cnnfi_strbuf_puts(
        out, "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"7\" refY=\"4\" markerWidth=\"6\" "
             "markerHeight=\"6\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#7b8494\"/></marker></defs>\n");
    if (links.failed)
        out->failed = true;
    else
        cnnfi_strbuf_add(out, links.data, links.size);
    for (int32_t i = 0; i < p->count; i++)
        put_box(out, &p->boxes[i]);
    cnnfi_strbuf_puts(out, "</svg>\n");
    cnnfi_strbuf_free(&links);
}

cnnf_status cnnfi_summary_svg(cnnfi_strbuf *out, const cnnf_graph *graph, cnnf_error *error)
{
    picture p = {.rows = 0};
    CNNFI_TRY(cnnfi_layers_find(&p.layers, graph, error));
    cnnfi_arena *arena = &p.layers.arena;
    p.boxes = cnnfi_arena_array(arena, p.layers.count + 1, sizeof *p.boxes);
    p.of_layer = cnnfi_arena_array(arena, p.layers.count + 1, sizeof *p.of_layer);
    p.lane_end = cnnfi_arena_array(arena, p.layers.n_links + 1, sizeof *p.lane_end);
    bool ok = p.boxes && p.of_layer && p.lane_end;
    if (ok) {
        choose_boxes(&p);
        find_rows(&p);
        ok = fill_rows(&p);
    }
    if (ok) {
        place_rows(&p);
        draw(out, &p);
    }
    cnnfi_layers_free(&p.layers);
    return ok ? CNNF_OK : cnnfi_fail_nomem(error);
}
