/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "evaluator/fused/simd/tile.h"

/* Output pixels whose rows stay in the first-level caches while all panels pass by. */
#define BLOCK_ROWS 96

/* One panel's place. */
typedef struct panel {
    const float *b;
    int64_t first, columns; /* output channels */
} panel;

typedef void (*tile_fn)(const cnnfi_gemm *g, const float *const *a, const panel *p, float *y, const float *residual);

/* Only a clamp follows, as nearly always: no branch per vector. */
ALWAYS bool is_simple(const cnnfi_post *post)
{
    return !post->scale && !post->residual && !post->clamp_last;
}

ALWAYS void store_simple(const int rows, const int width, const cnnfi_gemm *g, vec sums[MOST_ROWS][2], const panel *p,
                         float *y)
{
    const float low = g->post.clamp_first ? g->post.low_first : -INFINITY;
    const float high = g->post.clamp_first ? g->post.high_first : INFINITY;
    const int64_t step = g->channels, columns = p->columns;
    UNROLL(16)
    for (int m = 0; m < rows; m++) {
        UNROLL(2)
        for (int v = 0; v < width; v++)
            store_n(y + m * step + v * LANES, clamp(sums[m][v], low, high), columns - v * LANES);
    }
}

ALWAYS void store_plain(const int rows, const int width, const cnnfi_gemm *g, vec sums[MOST_ROWS][2], const panel *p,
                        float *y, const float *residual)
{
    const cnnfi_post post = g->post;
    const int64_t step = g->channels, columns = p->columns, first = p->first;
    UNROLL(16)
    for (int m = 0; m < rows; m++) {
        UNROLL(2)
        for (int v = 0; v < width; v++) {
            const int64_t at = m * step + v * LANES, n = columns - v * LANES;
            store_n(y + at, finish(&post, sums[m][v], first + v * LANES, residual ? residual + at : NULL, n), n);
        }
    }
}

ALWAYS void store_pooled(const int rows, const int width, const cnnfi_gemm *g, vec sums[MOST_ROWS][2], const panel *p,
                         float *y)
{
    const cnnfi_post post = g->post;
    const int64_t step = g->channels, columns = p->columns, first = p->first;
    UNROLL(4)
    for (int m = 0; m < rows / 4; m++) {
        UNROLL(2)
        for (int v = 0; v < width; v++) {
            vec best = finish(&post, sums[4 * m][v], first + v * LANES, NULL, 0);
            UNROLL(4)
            for (int i = 1; i < 4; i++)
                best = larger(best, finish(&post, sums[4 * m + i][v], first + v * LANES, NULL, 0));
            store_n(y + m * step + v * LANES, best, columns - v * LANES);
        }
    }
}

#define DEFINE_TILE(rows, width)                                                                                       \
    static void tile_##rows##_##width(const cnnfi_gemm *g, const float *const *a, const panel *p, float *y,            \
                                      const float *residual)                                                           \
    {                                                                                                                  \
        vec sums[MOST_ROWS][2];                                                                                        \
        tile_sums(rows, width, sums, a, g->runs, g->n_runs, g->run_length, p->b, g->post.bias + p->first);             \
        if (is_simple(&g->post))                                                                                       \
            store_simple(rows, width, g, sums, p, y);                                                                  \
        else                                                                                                           \
            store_plain(rows, width, g, sums, p, y, residual);                                                         \
    }
#define DEFINE_POOLED(rows, width)                                                                                     \
    static void pooled_##rows##_##width(const cnnfi_gemm *g, const float *const *a, const panel *p, float *y,          \
                                        const float *residual)                                                         \
    {                                                                                                                  \
        vec sums[MOST_ROWS][2];                                                                                        \
        (void)residual;                                                                                                \
        tile_sums(rows, width, sums, a, g->runs, g->n_runs, g->run_length, p->b, g->post.bias + p->first);             \
        store_pooled(rows, width, g, sums, p, y);                                                                      \
    }
#define BOTH(define, rows) define(rows, 1) define(rows, 2)

BOTH(DEFINE_TILE, 1)
BOTH(DEFINE_TILE, 2)
BOTH(DEFINE_TILE, 3)
BOTH(DEFINE_TILE, 4)
BOTH(DEFINE_POOLED, 4)
#if MOST_ROWS >= 8
BOTH(DEFINE_TILE, 5)
BOTH(DEFINE_TILE, 6)
BOTH(DEFINE_TILE, 7)
BOTH(DEFINE_TILE, 8)
BOTH(DEFINE_POOLED, 8)
#endif
#if MOST_ROWS == 12
BOTH(DEFINE_TILE, 9)
BOTH(DEFINE_TILE, 10)
BOTH(DEFINE_TILE, 11)
BOTH(DEFINE_TILE, 12)
BOTH(DEFINE_POOLED, 12)
#endif

/* By rows - 1 and width - 1. */
#define PAIR(name, rows)                                                                                               \
    {                                                                                                                  \
        name##_##rows##_1, name##_##rows##_2                                                                           \
    }
static const tile_fn tiles[MOST_ROWS][2] = {
    PAIR(tile, 1), PAIR(tile, 2),  PAIR(tile, 3),  PAIR(tile, 4),
#if MOST_ROWS >= 8
    PAIR(tile, 5), PAIR(tile, 6),  PAIR(tile, 7),  PAIR(tile, 8),
#endif
#if MOST_ROWS == 12
    PAIR(tile, 9), PAIR(tile, 10), PAIR(tile, 11), PAIR(tile, 12),
#endif
};
/* By rows / 4 - 1. */
static const tile_fn pooled[MOST_ROWS / 4][2] = {
    PAIR(pooled, 4),
#if MOST_ROWS >= 8
    PAIR(pooled, 8),
#endif
#if MOST_ROWS == 12
    PAIR(pooled, 12),
#endif
};

/* The row of A of one output pixel; `pixel` counts over all images. */
static const float *row_of(const cnnfi_gemm *g, const float *x, int64_t pixel)
{
    int64_t column = pixel % g->out_width, rest = pixel / g->out_width;
    return x + rest / g->out_height * g->image_stride + rest % g->out_height * g->row_stride + column * g->step;
}

static void fill_rows(const cnnfi_gemm *g, const float *x, int64_t begin, int64_t count, const float **rows)
{
    for (int64_t i = 0; i < count; i++)
        rows[i] = row_of(g, x, begin + i);
}

/* Four rows for each pooled pixel. */
static void fill_pooled(const cnnfi_gemm *g, const float *x, int64_t begin, int64_t count, const float **rows)
{
    int64_t width = g->out_width / 2, height = g->out_height / 2;
    for (int64_t i = 0; i < count; i++) {
        int64_t at = begin + i, column = at % width, row = at / width % height, image = at / width / height;
        const float *first = x + image * g->image_stride + 2 * row * g->row_stride + 2 * column * g->step;
        rows[4 * i] = first;
        rows[4 * i + 1] = first + g->step;
        rows[4 * i + 2] = first + g->row_stride;
        rows[4 * i + 3] = first + g->row_stride + g->step;
    }
}

static panel panel_at(const cnnfi_gemm *g, int64_t index)
{
    panel p = {g->panels + index * 2 * LANES * g->n_runs * g->run_length, index * 2 * LANES, 0};
    p.columns = g->channels - p.first < 2 * LANES ? g->channels - p.first : 2 * LANES;
    return p;
}

/* `count` rows through one panel, in tiles as even as can be. */
static void rows_through(const cnnfi_gemm *g, const float *const *rows, int64_t count, const panel *p, float *y,
                         const float *residual)
{
    int64_t n_tiles = (count + MOST_ROWS - 1) / MOST_ROWS, width = p->columns > LANES;
    for (int64_t t = 0, at = 0; t < n_tiles; t++) {
        int64_t size = (count - at + (n_tiles - t) - 1) / (n_tiles - t);
        tiles[size - 1][width](g, rows + at, p, y + at * g->channels, residual ? residual + at * g->channels : NULL);
        at += size;
    }
}

static void pooled_through(const cnnfi_gemm *g, const float *const *rows, int64_t count, const panel *p, float *y)
{
    const int64_t most = MOST_ROWS / 4, width = p->columns > LANES;
    for (int64_t at = 0; at < count; at += most) {
        int64_t size = count - at < most ? count - at : most;
        pooled[size - 1][width](g, rows + 4 * at, p, y + at * g->channels, NULL);
    }
}

void ISA(cnnfi_gemm)(const cnnfi_gemm *g, const float *x, float *y, int64_t begin, int64_t end, int64_t first,
                     int64_t last);

void ISA(cnnfi_gemm)(const cnnfi_gemm *g, const float *x, float *y, int64_t begin, int64_t end, int64_t first,
                     int64_t last)
{
    const float *rows[BLOCK_ROWS];
    const int64_t most = g->pool ? BLOCK_ROWS / 4 : BLOCK_ROWS;
    for (int64_t at = begin; at < end; at += most) {
        int64_t count = end - at < most ? end - at : most;
        (g->pool ? fill_pooled : fill_rows)(g, x, at, count, rows);
        for (int64_t i = first; i < last; i++) {
            panel p = panel_at(g, i);
            float *out = y + (at - begin) * g->channels + p.first;
            const float *residual = g->post.residual ? g->post.residual + at * g->channels + p.first : NULL;
            if (g->pool)
                pooled_through(g, rows, count, &p, out);
            else
                rows_through(g, rows, count, &p, out, residual);
        }
    }
}
