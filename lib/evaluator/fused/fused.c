/* SPDX-License-Identifier: Apache-2.0 */
/* Fused convolutions by the vector code: the algorithm is chosen, the filter packed, once per plan. */
#include <string.h>

#include "base/checked.h"
#include "evaluator/fused/fused.h"
#include "evaluator/plan/slots.h"

/* Rows of one unit of work of a matrix product; pooled: a quarter. */
#define UNIT_ROWS 96

void cnnfi_fused_conv_free(cnnf_context *context, cnnfi_fused *base)
{
    cnnfi_fused_conv *f = (cnnfi_fused_conv *)base;
    cnnfi_free(context, f->panels);
    cnnfi_free(context, f->extra);
    cnnfi_free(context, f->runs);
    cnnfi_free(context, f);
}

/* ---- running ---- */

typedef struct job {
    const cnnfi_fused_conv *f;
    cnnfi_gemm gemm;
    cnnfi_winograd winograd;
    cnnfi_depthwise depthwise;
    const float *x;
    float *y, *scratch;
    cnnfi_slots slots;
} job;

static void copy_rows(int64_t begin, int64_t end, void *user);

/* One image, alone. */
static void gemm_one(const cnnfi_fused *base, const float *x, const float *residual, float *y, void *scratch)
{
    const cnnfi_fused_conv *f = (const cnnfi_fused_conv *)base;
    job j = {.f = f, .gemm = f->gemm, .x = x, .scratch = scratch};
    j.gemm.post.residual = residual;
    if (f->copy) copy_rows(0, f->frame[0], &j);
    f->simd->gemm(&j.gemm, f->copy ? scratch : x, y, 0, f->rows / f->w.batch, 0, f->panel_count);
}

static void winograd_one(const cnnfi_fused *base, const float *x, const float *residual, float *y, void *scratch)
{
    const cnnfi_fused_conv *f = (const cnnfi_fused_conv *)base;
    cnnfi_winograd w = f->winograd;
    w.post.residual = residual;
    const int64_t tiles = w.tiles_y * w.tiles_x;
    for (int64_t i = 0; i < tiles; i += CNNFI_WINOGRAD_BLOCK) {
        f->simd->winograd(&w, x, y, i, cnnfi_min_i64(i + CNNFI_WINOGRAD_BLOCK, tiles), scratch);
    }
}

static void depthwise_one(const cnnfi_fused *base, const float *x, const float *residual, float *y, void *scratch)
{
    const cnnfi_fused_conv *f = (const cnnfi_fused_conv *)base;
    cnnfi_depthwise d = f->depthwise;
    (void)scratch;
    d.post.residual = residual;
    f->simd->depthwise(&d, x, y, 0, f->w.out[1]);
}

static void copy_rows(int64_t begin, int64_t end, void *user)
{
    const job *j = user;
    const cnnfi_window *w = &j->f->w;
    const int64_t height = j->f->frame[0], width = j->f->frame[1], c = w->in_channels;
    for (int64_t i = begin; i < end; i++) {
        int64_t row = i % height - w->before[1];
        float *to = j->scratch + i * width * c;
        if (row < 0 || row >= w->in[1]) {
            memset(to, 0, (size_t)(width * c) * sizeof(float));
            continue;
        }
        int64_t left = w->before[2] * c, size = cnnfi_min_i64(w->in[2], width - w->before[2]) * c;
        memset(to, 0, (size_t)left * sizeof(float));
        memcpy(to + left, j->x + ((i / height) * w->in[1] + row) * w->in[2] * c, (size_t)size * sizeof(float));
        memset(to + left + size, 0, (size_t)(width * c - left - size) * sizeof(float));
    }
}

static void gemm_units(int64_t begin, int64_t end, void *user)
{
    const job *j = user;
    const cnnfi_fused_conv *f = j->f;
    const int64_t groups = (f->panel_count + f->panels_per_unit - 1) / f->panels_per_unit;
    for (int64_t i = begin; i < end; i++) {
        int64_t row = i / groups * f->rows_per_unit, panel = i % groups * f->panels_per_unit;
        f->simd->gemm(&j->gemm, j->x, j->y + row * j->gemm.channels, row,
                      cnnfi_min_i64(row + f->rows_per_unit, f->rows), panel,
                      cnnfi_min_i64(panel + f->panels_per_unit, f->panel_count));
    }
}

static cnnf_status run_gemm(const cnnfi_fused *base, cnnfi_call *call)
{
    const cnnfi_fused_conv *f = (const cnnfi_fused_conv *)base;
    job j = {.f = f, .gemm = f->gemm, .x = call->inputs[0].data, .y = call->outputs[0].data, .scratch = call->scratch};
    if (call->n_inputs > 1) j.gemm.post.residual = call->inputs[1].data;
    if (f->copy) {
        cnnfi_parallel_for(call->pool, f->w.batch * f->frame[0], 1 + 16384 / (f->frame[1] * f->w.in_channels),
                           copy_rows, &j);
        j.x = j.scratch;
    }
    int64_t groups = (f->panel_count + f->panels_per_unit - 1) / f->panels_per_unit;
    cnnfi_parallel_for(call->pool, (f->rows + f->rows_per_unit - 1) / f->rows_per_unit * groups, 1, gemm_units, &j);
    return CNNF_OK;
}

static void winograd_units(int64_t begin, int64_t end, void *user)
{
    job *j = user;
    const cnnfi_fused_conv *f = j->f;
    int slot = cnnfi_slot_take(&j->slots);
    for (int64_t i = begin; i < end; i++) {
        int64_t tile = i * f->tiles_per_unit;
        f->simd->winograd(&j->winograd, j->x, j->y, tile, cnnfi_min_i64(tile + f->tiles_per_unit, f->tiles),
                          j->scratch + (size_t)slot * f->slot_floats);
    }
    cnnfi_slot_give(&j->slots, slot);
}

static cnnf_status run_winograd(const cnnfi_fused *base, cnnfi_call *call)
{
    const cnnfi_fused_conv *f = (const cnnfi_fused_conv *)base;
    job j = {.f = f,
             .winograd = f->winograd,
             .x = call->inputs[0].data,
             .y = call->outputs[0].data,
             .scratch = call->scratch};
    if (call->n_inputs > 1) j.winograd.post.residual = call->inputs[1].data;
    cnnfi_slots_init(&j.slots, f->slots);
    cnnfi_parallel_for(call->pool, (f->tiles + f->tiles_per_unit - 1) / f->tiles_per_unit, 1, winograd_units, &j);
    return CNNF_OK;
}

static void depthwise_rows(int64_t begin, int64_t end, void *user)
{
    const job *j = user;
    j->f->simd->depthwise(&j->depthwise, j->x, j->y + begin * j->depthwise.out_width * j->depthwise.channels, begin,
                          end);
}

static cnnf_status run_depthwise(const cnnfi_fused *base, cnnfi_call *call)
{
    const cnnfi_fused_conv *f = (const cnnfi_fused_conv *)base;
    job j = {.f = f, .depthwise = f->depthwise, .x = call->inputs[0].data, .y = call->outputs[0].data};
    if (call->n_inputs > 1) j.depthwise.post.residual = call->inputs[1].data;
    cnnfi_parallel_for(call->pool, f->w.batch * f->w.out[1], 1 + 8192 / (f->w.out[2] * f->w.in_channels),
                       depthwise_rows, &j);
    return CNNF_OK;
}

/* ---- packing ---- */

/* [depth][columns] into panels of two vectors, the last perhaps of one. */
static void pack_panels(const cnnfi_simd *simd, const float *matrix, int64_t depth, int64_t columns, float *out)
{
    const int64_t lanes = simd->lanes;
    for (int64_t c = 0; c < columns; c += 2 * lanes) {
        int64_t left = columns - c, width = left > lanes ? 2 * lanes : lanes, n = cnnfi_min_i64(left, width);
        for (int64_t k = 0; k < depth; k++, out += width) {
            memcpy(out, matrix + k * columns + c, (size_t)n * sizeof(float));
            memset(out + n, 0, (size_t)(width - n) * sizeof(float));
        }
    }
}

/* Room for a whole number of panels of two vectors, so that the last may be read past its width. */
static bool alloc_floats(cnnf_context *context, float **out, int64_t a, int64_t b)
{
    size_t count;
    if (!cnnfi_mul_size(&count, (size_t)a, (size_t)b) || !cnnfi_add_size(&count, count, 64)) return false;
    *out = cnnfi_calloc(context, count, sizeof(float));
    return *out != NULL;
}

/* bias, scale and shift behind one another, each padded with zeros to whole panels; then in_channels zeros. */
static bool pack_post(cnnf_context *context, cnnfi_fused_conv *f, const cnnfi_fusion *n, cnnfi_post *post)
{
    const int64_t columns = f->w.out_channels, stride = columns + 4 * f->simd->lanes;
    const float *const from[3] = {n->has_bias ? n->bias : NULL, n->has_scale ? n->scale : NULL,
                                  n->has_scale ? n->shift : NULL};
    const float **const to[3] = {&post->bias, &post->scale, &post->shift};
    if (!alloc_floats(context, &f->extra, 1, 3 * stride + f->w.in_channels)) return false;
    post->bias = f->extra;
    for (int i = 0; i < 3; i++) {
        if (!from[i]) continue;
        memcpy(f->extra + i * stride, from[i], (size_t)columns * sizeof(float));
        *to[i] = f->extra + i * stride;
    }
    post->clamp_first = n->clamp_first;
    post->low_first = n->low_first;
    post->high_first = n->high_first;
    post->clamp_last = n->clamp_last;
    post->low_last = n->low_last;
    post->high_last = n->high_last;
    f->winograd.zeros = f->extra + 3 * stride;
    return true;
}

/* ---- the matrix product ---- */

/* The pieces of contiguous input that make a row: whole filter lines where columns touch. */
static bool find_runs(cnnf_context *context, cnnfi_fused_conv *f)
{
    const cnnfi_window *w = &f->w;
    const int64_t c = w->in_channels, line = f->frame[1] * c;
    bool whole = w->dilation[2] == 1;
    int64_t per_line = whole ? 1 : w->filter[2];
    f->gemm.n_runs = w->filter[1] * per_line;
    f->gemm.run_length = whole ? w->filter[2] * c : c;
    f->runs = cnnfi_array(context, (size_t)f->gemm.n_runs + 1, sizeof(int64_t));
    if (!f->runs) return false;
    for (int64_t i = 0; i < f->gemm.n_runs; i++) {
        f->runs[i] = i / per_line * w->dilation[1] * line + i % per_line * w->dilation[2] * c;
    }
    f->gemm.runs = f->runs;
    return true;
}

/* Enough units for every thread, rows first: a unit's rows stay in cache while the panels pass. */
static void cut_units(cnnfi_fused_conv *f, int32_t threads)
{
    f->rows_per_unit = f->gemm.pool ? UNIT_ROWS / 4 : UNIT_ROWS;
    f->panels_per_unit = f->panel_count;
    int64_t even = (f->rows + (f->rows + f->rows_per_unit - 1) / f->rows_per_unit - 1) /
                   ((f->rows + f->rows_per_unit - 1) / f->rows_per_unit);
    f->rows_per_unit = cnnfi_min_i64(f->rows_per_unit, (even + 11) / 12 * 12);
    int64_t wanted = threads > 1 ? 4 * (int64_t)threads : 1,
            row_units = (f->rows + f->rows_per_unit - 1) / f->rows_per_unit;
    if (row_units >= wanted) return;
    int64_t groups = cnnfi_min_i64(f->panel_count, (wanted + row_units - 1) / row_units);
    f->panels_per_unit = (f->panel_count + groups - 1) / groups;
}

static bool setup_gemm(cnnf_context *context, cnnfi_fused_conv *f, cnnfi_fusion *n)
{
    const cnnfi_window *w = &f->w;
    cnnfi_gemm *g = &f->gemm;
    const int64_t reach[2] = {(w->filter[1] - 1) * w->dilation[1] + 1, (w->filter[2] - 1) * w->dilation[2] + 1};
    for (int i = 0; i < 2; i++) {
        f->frame[i] = w->in[i + 1];
        int64_t needed = (w->out[i + 1] - 1) * w->stride[i + 1] + reach[i];
        if (w->before[i + 1] > 0 || needed > w->in[i + 1]) f->copy = true;
    }
    for (int i = 0; f->copy && i < 2; i++)
        f->frame[i] = (w->out[i + 1] - 1) * w->stride[i + 1] + reach[i];
    if (!find_runs(context, f)) return false;
    const int64_t depth = g->n_runs * g->run_length;
    if (!alloc_floats(context, &f->panels, depth, w->out_channels + 2 * f->simd->lanes)) return false;
    pack_panels(f->simd, n->filter, depth, w->out_channels, f->panels);
    g->panels = f->panels;
    g->out_height = w->out[1];
    g->out_width = w->out[2];
    g->channels = w->out_channels;
    g->image_stride = f->frame[0] * f->frame[1] * w->in_channels;
    g->row_stride = f->frame[1] * w->in_channels * w->stride[1];
    g->step = w->in_channels * w->stride[2];
    g->pool = n->pool;
    f->rows = w->batch * (n->pool ? (w->out[1] / 2) * (w->out[2] / 2) : w->out[1] * w->out[2]);
    f->panel_count = cnnfi_panel_count(f->simd, w->out_channels);
    cut_units(f, n->threads);
    size_t frame = 0;
    if (f->copy && (!cnnfi_mul_size(&frame, (size_t)g->image_stride, (size_t)w->batch) ||
                    !cnnfi_mul_size(&frame, frame, sizeof(float))))
        return false;
    n->scratch_size = frame;
    f->base.run = run_gemm;
    f->base.run_one = gemm_one;
    f->base.one_scratch = frame / (size_t)w->batch;
    f->base.weight_bytes = (size_t)(depth * w->out_channels) * sizeof(float);
    f->base.algorithm = w->filter[1] * w->filter[2] == 1 ? "matrix product"
                        : f->copy                        ? "direct, padded copy"
                                                         : "direct";
    return true;
}

/* ---- winograd ---- */

/* Filters transformed at once. */
#define FILTERS 16

/* out = a . g^T along one axis for FILTERS filters side by side: six from three. */
static void transform_line(const double in[3][FILTERS], double out[6][FILTERS])
{
    static const double g[6][3] = {{1.0 / 4, 0, 0},
                                   {-1.0 / 6, -1.0 / 6, -1.0 / 6},
                                   {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                   {1.0 / 24, 1.0 / 12, 1.0 / 6},
                                   {1.0 / 24, -1.0 / 12, 1.0 / 6},
                                   {0, 0, 1}};
    for (int i = 0; i < 6; i++) {
        for (int c = 0; c < FILTERS; c++)
            out[i][c] = g[i][0] * in[0][c] + g[i][1] * in[1][c] + g[i][2] * in[2][c];
    }
}

/* G g G^T for `n` output channels of one input channel, in double. */
static void transform_filters(const float *filter, int64_t step, int64_t n, double out[36][FILTERS])
{
    double in[3][FILTERS] = {{0}}, half[3][6][FILTERS], line[6][FILTERS];
    for (int j = 0; j < 3; j++) {
        for (int k = 0; k < 3; k++) {
            for (int64_t c = 0; c < n; c++)
                in[k][c] = (double)filter[(3 * k + j) * step + c];
        }
        transform_line((const double(*)[FILTERS])in, half[j]);
    }
    for (int i = 0; i < 6; i++) {
        for (int j = 0; j < 3; j++)
            memcpy(in[j], half[j][i], sizeof(in[j]));
        transform_line((const double(*)[FILTERS])in, line);
        memcpy(out[6 * i], line, sizeof(line));
    }
}

/* Element (k, c) of a packed matrix. */
static int64_t packed_index(const cnnfi_simd *simd, int64_t depth, int64_t columns, int64_t k, int64_t c)
{
    const int64_t pair = 2 * simd->lanes, panel = c / pair, left = columns - panel * pair;
    const int64_t width = left > simd->lanes ? pair : simd->lanes;
    return panel * pair * depth + k * width + c % pair;
}

static void pack_winograd(const cnnfi_fused_conv *f, const float *filter)
{
    const int64_t in = f->w.in_channels, out = f->w.out_channels;
    for (int64_t k = 0; k < in; k++) {
        for (int64_t c = 0; c < out; c += FILTERS) {
            double u[36][FILTERS];
            const int64_t n = cnnfi_min_i64(FILTERS, out - c);
            transform_filters(filter + k * out + c, in * out, n, u);
            for (int i = 0; i < 36; i++) {
                float *matrix = f->panels + i * f->winograd.panel_stride;
                for (int64_t m = 0; m < n; m++)
                    matrix[packed_index(f->simd, in, out, k, c + m)] = (float)u[i][m];
            }
        }
    }
}

static bool setup_winograd(cnnf_context *context, cnnfi_fused_conv *f, cnnfi_fusion *n)
{
    const cnnfi_window *w = &f->w;
    cnnfi_winograd *g = &f->winograd;
    g->batch = w->batch;
    g->height = w->in[1];
    g->width = w->in[2];
    g->in_channels = w->in_channels;
    g->out_height = w->out[1];
    g->out_width = w->out[2];
    g->out_channels = w->out_channels;
    g->tiles_y = (w->out[1] + 3) / 4;
    g->tiles_x = (w->out[2] + 3) / 4;
    g->before_y = w->before[1];
    g->before_x = w->before[2];
    g->pool = n->pool;
    g->panel_stride = w->in_channels * cnnfi_padded_columns(f->simd, w->out_channels);
    if (!alloc_floats(context, &f->panels, 36, g->panel_stride)) return false;
    g->panels = f->panels;
    pack_winograd(f, n->filter);
    f->tiles = w->batch * g->tiles_y * g->tiles_x;
    f->tiles_per_unit = cnnfi_max_i64(1, cnnfi_min_i64(CNNFI_WINOGRAD_BLOCK, (f->tiles + n->threads - 1) / n->threads));
    f->slots = cnnfi_slot_count(n->threads);
    f->slot_floats = (size_t)cnnfi_winograd_scratch(f->simd, w->in_channels, w->out_channels);
    n->scratch_size = f->slot_floats * sizeof(float) * (size_t)f->slots;
    f->base.run = run_winograd;
    f->base.run_one = winograd_one;
    f->method = CNNFI_METHOD_WINOGRAD;
    f->base.one_scratch = f->slot_floats * sizeof(float);
    f->base.weight_bytes = (size_t)(36 * g->panel_stride) * sizeof(float);
    f->base.algorithm = "winograd F(4x4, 3x3)";
    return true;
}

/* Vector operations and memory traffic, in cycles of one core, of both ways. */
static bool winograd_pays(const cnnfi_simd *simd, const cnnfi_window *w)
{
    if (w->filter[1] != 3 || w->filter[2] != 3) return false;
    for (int i = 1; i < 3; i++) {
        if (w->stride[i] != 1 || w->dilation[i] != 1) return false;
    }
    double lanes = simd->lanes, in = (double)w->in_channels,
           columns = (double)cnnfi_padded_columns(simd, w->out_channels) / lanes;
    double in_vectors = (double)cnnfi_padded_columns(simd, w->in_channels) / lanes;
    double pixels = (double)w->batch * (double)w->out[1] * (double)w->out[2];
    double tiles = (double)w->batch * (double)((w->out[1] + 3) / 4) * (double)((w->out[2] + 3) / 4);
    double bytes = 36 * in * columns * lanes * 4, rate = bytes > 4e6 ? 6 : 16;
    double direct = pixels * columns * 9 * in, traffic = bytes / 4 / rate;
    double product = 36 * tiles * columns * in * 1.15, fast_traffic = bytes / rate;
    double transforms = tiles * (in_vectors + columns) * 220;
    return (product > fast_traffic ? product : fast_traffic) + transforms < (direct > traffic ? direct : traffic);
}

/* ---- depthwise ---- */

static bool setup_depthwise(cnnf_context *context, cnnfi_fused_conv *f, cnnfi_fusion *n)
{
    const cnnfi_window *w = &f->w;
    const int64_t taps = w->filter[1] * w->filter[2];
    if (!alloc_floats(context, &f->panels, taps, w->in_channels)) return false; /* 64 floats more than that */
    memcpy(f->panels, n->filter, (size_t)(taps * w->in_channels) * sizeof(float));
    f->depthwise = (cnnfi_depthwise){.height = w->in[1],
                                     .width = w->in[2],
                                     .channels = w->in_channels,
                                     .out_height = w->out[1],
                                     .out_width = w->out[2],
                                     .filter_y = w->filter[1],
                                     .filter_x = w->filter[2],
                                     .stride_y = w->stride[1],
                                     .stride_x = w->stride[2],
                                     .dilation_y = w->dilation[1],
                                     .dilation_x = w->dilation[2],
                                     .before_y = w->before[1],
                                     .before_x = w->before[2],
                                     .filter = f->panels};
    f->base.run = run_depthwise;
    f->base.run_one = depthwise_one;
    f->method = CNNFI_METHOD_DEPTHWISE;
    f->base.algorithm = taps == 1 ? "scale and shift" : "depthwise";
    return true;
}

cnnf_status cnnfi_fusion_portable(cnnfi_fused **out, cnnf_context *context, cnnfi_fusion *fusion, cnnf_error *error)
{
    cnnfi_post post = {0};
    *out = NULL;
    if (fusion->depthwise && fusion->pool) return CNNF_OK;
    cnnfi_fused_conv *f = cnnfi_calloc(context, 1, sizeof(*f));
    if (!f) return cnnfi_fail_nomem(error);
    f->base.free = cnnfi_fused_conv_free;
    f->base.backend = "portable";
    f->base.batch = fusion->w.batch;
    f->simd = cnnfi_simd_find(fusion->isa);
    f->base.isa = f->simd->name;
    f->w = fusion->w;
    bool done = pack_post(context, f, fusion, &post);
    if (done && fusion->depthwise)
        done = setup_depthwise(context, f, fusion);
    else if (done && !fusion->exact && winograd_pays(f->simd, &f->w))
        done = setup_winograd(context, f, fusion);
    else if (done)
        done = setup_gemm(context, f, fusion);
    if (!done) {
        cnnfi_fused_conv_free(context, &f->base);
        return cnnfi_fail_nomem(error);
    }
    f->gemm.post = f->winograd.post = f->depthwise.post = post;
    *out = &f->base;
    return CNNF_OK;
}
