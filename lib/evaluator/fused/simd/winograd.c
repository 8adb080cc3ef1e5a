/* SPDX-License-Identifier: Apache-2.0 */
/*
 * F(4x4, 3x3) of Lavin and Gray: 36 products instead of 144 for 16 outputs. Transforms are vectorised
 * over channels; between them stand 36 matrix products (tiles x in_channels) . (in_channels x out_channels).
 */
#include "evaluator/fused/simd/tile.h"

/* B^T of six values. */
ALWAYS void input_line(vec out[6], vec a, vec b, vec c, vec d, vec e, vec f)
{
    out[0] = 4.0f * a - 5.0f * c + e;
    out[1] = (d + e) - 4.0f * (b + c);
    out[2] = (e - d) + 4.0f * (b - c);
    out[3] = (e - c) + 2.0f * (d - b);
    out[4] = (e - c) - 2.0f * (d - b);
    out[5] = 4.0f * b - 5.0f * d + f;
}

/* A^T of six values. */
ALWAYS void output_line(vec out[4], vec a, vec b, vec c, vec d, vec e, vec f)
{
    const vec s = b + c, t = b - c, u = d + e, v = d - e;
    out[0] = a + s + u;
    out[1] = t + 2.0f * v;
    out[2] = s + 4.0f * u;
    out[3] = t + 8.0f * v + f;
}

/* Where a tile lies. */
typedef struct place {
    int64_t image, row, column; /* of its first output */
} place;

static place place_of(const cnnfi_winograd *w, int64_t tile)
{
    int64_t column = tile % w->tiles_x, rest = tile / w->tiles_x;
    return (place){rest / w->tiles_y, rest % w->tiles_y * 4, column * 4};
}

/* The 36 input pixels of a tile; those outside the image are zeros. */
static void find_inputs(const cnnfi_winograd *w, const float *x, const place *at, const float **pixels)
{
    const float *image = x + at->image * w->height * w->width * w->in_channels;
    for (int64_t i = 0; i < 6; i++) {
        int64_t row = at->row - w->before_y + i;
        for (int64_t j = 0; j < 6; j++) {
            int64_t column = at->column - w->before_x + j;
            bool inside = row >= 0 && row < w->height && column >= 0 && column < w->width;
            pixels[6 * i + j] = inside ? image + (row * w->width + column) * w->in_channels : w->zeros;
        }
    }
}

/* v: [36][block][channels] */
static void transform_input(const cnnfi_winograd *w, const float *const *pixels, float *v, int64_t stride)
{
    for (int64_t c = 0; c < w->in_channels; c += LANES) {
        const int64_t n = w->in_channels - c;
        vec line[6][6], out[6];
        UNROLL(6)
        for (int j = 0; j < 6; j++) {
            input_line(out, load_n(pixels[j] + c, n), load_n(pixels[6 + j] + c, n), load_n(pixels[12 + j] + c, n),
                       load_n(pixels[18 + j] + c, n), load_n(pixels[24 + j] + c, n), load_n(pixels[30 + j] + c, n));
            UNROLL(6)
            for (int i = 0; i < 6; i++)
                line[i][j] = out[i];
        }
        UNROLL(6)
        for (int i = 0; i < 6; i++) {
            input_line(out, line[i][0], line[i][1], line[i][2], line[i][3], line[i][4], line[i][5]);
            UNROLL(6)
            for (int j = 0; j < 6; j++)
                store(v + (6 * i + j) * stride + c, out[j]);
        }
    }
}

#define DEFINE_PRODUCT(rows, width)                                                                                    \
    static void product_##rows##_##width(const float *const *a, int64_t depth, const float *b, float *m,               \
                                         int64_t stride)                                                               \
    {                                                                                                                  \
        vec sums[MOST_ROWS][2];                                                                                        \
        const int64_t run = 0;                                                                                         \
        tile_sums(rows, width, sums, a, &run, 1, depth, b, NULL);                                                      \
        for (int r = 0; r < rows; r++) {                                                                               \
            for (int v = 0; v < width; v++)                                                                            \
                store(m + r * stride + v * LANES, sums[r][v]);                                                         \
        }                                                                                                              \
    }
#define BOTH(rows) DEFINE_PRODUCT(rows, 1) DEFINE_PRODUCT(rows, 2)
BOTH(1)
BOTH(2)
BOTH(3)
BOTH(4)
#if MOST_ROWS >= 8
BOTH(5)
BOTH(6)
BOTH(7)
BOTH(8)
#endif
#if MOST_ROWS == 12
BOTH(9)
BOTH(10)
BOTH(11)
BOTH(12)
#endif

typedef void (*product_fn)(const float *const *a, int64_t depth, const float *b, float *m, int64_t stride);
#define PAIR(rows)                                                                                                     \
    {                                                                                                                  \
        product_##rows##_1, product_##rows##_2                                                                         \
    }
static const product_fn products[MOST_ROWS][2] = {
    PAIR(1), PAIR(2),  PAIR(3),  PAIR(4),
#if MOST_ROWS >= 8
    PAIR(5), PAIR(6),  PAIR(7),  PAIR(8),
#endif
#if MOST_ROWS == 12
    PAIR(9), PAIR(10), PAIR(11), PAIR(12),
#endif
};

/* m[block][padded out_channels] = v[block][in_channels] . u */
static void multiply(const cnnfi_winograd *w, const float *v, int64_t v_stride, const float *u, float *m,
                     int64_t m_stride, int64_t count)
{
    const float *rows[CNNFI_WINOGRAD_BLOCK];
    for (int64_t i = 0; i < count; i++)
        rows[i] = v + i * v_stride;
    const int64_t n_tiles = (count + MOST_ROWS - 1) / MOST_ROWS;
    for (int64_t c = 0; c < w->out_channels; c += 2 * LANES) {
        const int width = w->out_channels - c > LANES;
        for (int64_t t = 0, at = 0; t < n_tiles; t++) {
            int64_t size = (count - at + (n_tiles - t) - 1) / (n_tiles - t);
            products[size - 1][width](rows + at, w->in_channels, u + c * w->in_channels, m + at * m_stride + c,
                                      m_stride);
            at += size;
        }
    }
}

/* The sixteen outputs of one tile for one vector of channels, with the bias. */
ALWAYS void output_tile(const float *m, int64_t stride, vec bias, vec out[4][4])
{
    vec line[4][6], column[4];
    UNROLL(6)
    for (int j = 0; j < 6; j++) {
        output_line(column, load(m + j * stride), load(m + (6 + j) * stride), load(m + (12 + j) * stride),
                    load(m + (18 + j) * stride), load(m + (24 + j) * stride), load(m + (30 + j) * stride));
        UNROLL(4)
        for (int i = 0; i < 4; i++)
            line[i][j] = column[i];
    }
    UNROLL(4)
    for (int i = 0; i < 4; i++) {
        output_line(out[i], line[i][0], line[i][1], line[i][2], line[i][3], line[i][4], line[i][5]);
        UNROLL(4)
        for (int j = 0; j < 4; j++)
            out[i][j] += bias;
    }
}

static void store_plain(const cnnfi_winograd *w, const place *at, vec out[4][4], float *y, int64_t c)
{
    const cnnfi_post post = w->post;
    const int64_t n = w->out_channels - c;
    for (int64_t i = 0; i < 4 && at->row + i < w->out_height; i++) {
        for (int64_t j = 0; j < 4 && at->column + j < w->out_width; j++) {
            int64_t offset =
                ((at->image * w->out_height + at->row + i) * w->out_width + at->column + j) * w->out_channels + c;
            const float *residual = post.residual ? post.residual + offset : NULL;
            store_n(y + offset, finish(&post, out[i][j], c, residual, n), n);
        }
    }
}

static void store_pooled(const cnnfi_winograd *w, const place *at, vec out[4][4], float *y, int64_t c)
{
    const cnnfi_post post = w->post;
    const int64_t height = w->out_height / 2, width = w->out_width / 2, n = w->out_channels - c;
    for (int64_t i = 0; i < 2 && at->row / 2 + i < height; i++) {
        for (int64_t j = 0; j < 2 && at->column / 2 + j < width; j++) {
            vec best = finish(&post, out[2 * i][2 * j], c, NULL, 0);
            best = larger(best, finish(&post, out[2 * i][2 * j + 1], c, NULL, 0));
            best = larger(best, finish(&post, out[2 * i + 1][2 * j], c, NULL, 0));
            best = larger(best, finish(&post, out[2 * i + 1][2 * j + 1], c, NULL, 0));
            int64_t pixel = (at->image * height + at->row / 2 + i) * width + at->column / 2 + j;
            store_n(y + pixel * w->out_channels + c, best, n);
        }
    }
}

static void transform_output(const cnnfi_winograd *w, const place *at, const float *m, int64_t stride, float *y)
{
    for (int64_t c = 0; c < w->out_channels; c += LANES) {
        vec out[4][4];
        output_tile(m + c, stride, load(w->post.bias + c), out);
        if (w->pool)
            store_pooled(w, at, out, y, c);
        else
            store_plain(w, at, out, y, c);
    }
}

static int64_t padded(int64_t channels)
{
    return (channels + LANES - 1) / LANES * LANES;
}

void ISA(cnnfi_winograd)(const cnnfi_winograd *w, const float *x, float *y, int64_t begin, int64_t end, float *scratch);

void ISA(cnnfi_winograd)(const cnnfi_winograd *w, const float *x, float *y, int64_t begin, int64_t end, float *scratch)
{
    const int64_t in = padded(w->in_channels), out = padded(w->out_channels), count = end - begin;
    float *v = scratch, *m = scratch + 36 * CNNFI_WINOGRAD_BLOCK * in; /* [36][count][in], [36][count][out] */
    const float *pixels[36];
    for (int64_t i = 0; i < count; i++) {
        place at = place_of(w, begin + i);
        find_inputs(w, x, &at, pixels);
        transform_input(w, pixels, v + i * in, count * in);
    }
    for (int64_t k = 0; k < 36; k++) {
        multiply(w, v + k * count * in, in, w->panels + k * w->panel_stride, m + k * count * out, out, count);
    }
    for (int64_t i = 0; i < count; i++) {
        place at = place_of(w, begin + i);
        transform_output(w, &at, m + i * out, count * out, y);
    }
}
