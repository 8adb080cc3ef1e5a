/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fused convolutions and products by oneDNN. Each worker takes images with a stream of its own, and oneDNN sees one
 * OpenMP thread: it then works in the caller's thread and never starts any, so forks are as safe as without it.
 * The thread's OpenMP setting is put back after every call. What oneDNN declines is left to the portable backend.
 */
#include <math.h>
#include <string.h>

#include <dnnl.h>

#include "evaluator/plan/fuse.h"
#include "evaluator/plan/slots.h"

/* libgomp's, which oneDNN brings along; its header wants a compiler flag. */
extern int omp_get_max_threads(void);
extern void omp_set_num_threads(int count);

/* Post-op arguments: scale, shift, residual. */
#define MOST_POST 3

/* One primitive for blocks of `images`: all but the last block, or the last. */
typedef struct block {
    int64_t images;
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t primitive;
    dnnl_memory_desc_t src, dst, residual, pooled;
    dnnl_primitive_desc_t pool_desc;
    dnnl_primitive_t pool;
    size_t scratch, pool_scratch, middle; /* bytes; middle: what is pooled */
} block;

typedef struct fused_dnnl {
    cnnfi_fused base;
    dnnl_engine_t engine;
    block blocks[2]; /* full, last (images 0: none) */
    int64_t images, full;
    bool pool, product;
    cnnfi_window w;
    dnnl_memory_t weights, bias, post[2]; /* post: scale, shift */
    int post_index[MOST_POST];            /* positions among the post-ops, -1 */
    int32_t slots;
    size_t slot_bytes;
} fused_dnnl;

static size_t aligned(size_t size)
{
    return (size + 63) & ~(size_t)63;
}

/* ---- OpenMP's number of threads, of the calling thread alone ---- */

static int enter(void)
{
    int before = omp_get_max_threads();
    omp_set_num_threads(1);
    return before;
}

static void leave(int before)
{
    omp_set_num_threads(before);
}

/* ---- memory descriptors ---- */

/* NHWC data as oneDNN's (N, C, H, W); a product's rows as (N, C). */
static bool data_desc(dnnl_memory_desc_t *out, const fused_dnnl *f, int64_t n, const int64_t *size, int64_t channels)
{
    const dnnl_dims_t dims = {n, channels, size[1], size[2]};
    const dnnl_dims_t strides = {f->product ? channels : size[1] * size[2] * channels, 1, size[2] * channels, channels};
    return dnnl_memory_desc_init_by_strides(out, f->product ? 2 : 4, dims, dnnl_f32, strides) == dnnl_success;
}

/* [taps][in][out] as (O, I, H, W), depthwise (G, 1, 1, H, W), product (O, I). */
static bool filter_desc(dnnl_memory_desc_t *out, const fused_dnnl *f, const cnnfi_fusion *n, bool any)
{
    const cnnfi_window *w = &f->w;
    int64_t in = w->in_channels, columns = w->out_channels, h = w->filter[1], k = w->filter[2];
    const dnnl_dims_t dense = {columns, in, h, k}, strides = {1, columns, k * in * columns, in * columns};
    const dnnl_dims_t grouped = {in, 1, 1, h, k}, steps = {1, 1, 1, k * in, in};
    int rank = n->depthwise ? 5 : f->product ? 2 : 4;
    const dnnl_dim_t *dims = n->depthwise ? grouped : dense;
    if (any) return dnnl_memory_desc_init_by_tag(out, rank, dims, dnnl_f32, dnnl_format_tag_any) == dnnl_success;
    return dnnl_memory_desc_init_by_strides(out, rank, dims, dnnl_f32, n->depthwise ? steps : strides) == dnnl_success;
}

static bool channel_desc(dnnl_memory_desc_t *out, int64_t channels, int rank)
{
    const dnnl_dims_t vector = {channels}, spread = {1, channels, 1, 1};
    const dnnl_dims_t one = {1}, strides = {channels, 1, 1, 1};
    return dnnl_memory_desc_init_by_strides(out, rank, rank == 1 ? vector : spread, dnnl_f32,
                                            rank == 1 ? one : strides) == dnnl_success;
}

/* ---- post-ops ---- */

static bool append_clamp(dnnl_post_ops_t ops, float low, float high)
{
    bool relu = low == 0.0f && isinf(high);
    return dnnl_post_ops_append_eltwise(ops, 1.0f, relu ? dnnl_eltwise_relu : dnnl_eltwise_clip, relu ? 0.0f : low,
                                        relu ? 0.0f : high) == dnnl_success;
}

static bool append_all(fused_dnnl *f, const cnnfi_fusion *n, const dnnl_memory_desc_t *residual, dnnl_post_ops_t ops)
{
    dnnl_memory_desc_t channels;
    bool done = channel_desc(&channels, f->w.out_channels, f->product ? 2 : 4);
    if (done && n->clamp_first) done = append_clamp(ops, n->low_first, n->high_first);
    if (done && n->has_scale) {
        f->post_index[0] = dnnl_post_ops_len(ops);
        f->post_index[1] = f->post_index[0] + 1;
        done = dnnl_post_ops_append_binary(ops, dnnl_binary_mul, &channels) == dnnl_success &&
               dnnl_post_ops_append_binary(ops, dnnl_binary_add, &channels) == dnnl_success;
    }
    if (done && n->residual) {
        f->post_index[2] = dnnl_post_ops_len(ops);
        done = dnnl_post_ops_append_binary(ops, dnnl_binary_add, residual) == dnnl_success;
    }
    if (done && n->clamp_last) done = append_clamp(ops, n->low_last, n->high_last);
    return done;
}

/* ---- primitives ---- */

static bool create_desc(fused_dnnl *f, const cnnfi_fusion *n, block *b, const_dnnl_primitive_attr_t attr)
{
    dnnl_memory_desc_t weights, bias;
    const cnnfi_window *w = &f->w;
    if (!filter_desc(&weights, f, n, true) || !channel_desc(&bias, w->out_channels, 1)) return false;
    if (f->product) {
        dnnl_inner_product_desc_t op;
        return dnnl_inner_product_forward_desc_init(&op, dnnl_forward_inference, &b->src, &weights, &bias, &b->dst) ==
                   dnnl_success &&
               dnnl_primitive_desc_create(&b->desc, &op, attr, f->engine, NULL) == dnnl_success;
    }
    dnnl_convolution_desc_t op;
    dnnl_dims_t strides, dilations, before, after;
    for (int i = 0; i < 2; i++) {
        int64_t reach = (w->filter[i + 1] - 1) * w->dilation[i + 1] + 1;
        strides[i] = w->stride[i + 1];
        dilations[i] = w->dilation[i + 1] - 1;
        before[i] = w->before[i + 1];
        after[i] = (w->out[i + 1] - 1) * w->stride[i + 1] + reach - w->in[i + 1] - w->before[i + 1];
    }
    return dnnl_dilated_convolution_forward_desc_init(&op, dnnl_forward_inference, dnnl_convolution_direct, &b->src,
                                                      &weights, &bias, &b->dst, strides, dilations, before,
                                                      after) == dnnl_success &&
           dnnl_primitive_desc_create(&b->desc, &op, attr, f->engine, NULL) == dnnl_success;
}

static size_t scratch_of(const_dnnl_primitive_desc_t desc)
{
    return aligned(dnnl_memory_desc_get_size(dnnl_primitive_desc_query_md(desc, dnnl_query_scratchpad_md, 0)));
}

static bool create_pool(fused_dnnl *f, block *b, const_dnnl_primitive_attr_t attr)
{
    static const dnnl_dims_t pair = {2, 2}, none = {0, 0};
    const int64_t size[3] = {1, f->w.out[1] / 2, f->w.out[2] / 2};
    dnnl_pooling_desc_t op;
    if (!data_desc(&b->pooled, f, b->images, size, f->w.out_channels)) return false;
    if (dnnl_pooling_forward_desc_init(&op, dnnl_forward_inference, dnnl_pooling_max, &b->dst, &b->pooled, pair, pair,
                                       none, none) != dnnl_success ||
        dnnl_primitive_desc_create(&b->pool_desc, &op, attr, f->engine, NULL) != dnnl_success ||
        dnnl_primitive_create(&b->pool, b->pool_desc) != dnnl_success) {
        return false;
    }
    b->middle = aligned(dnnl_memory_desc_get_size(&b->dst));
    b->pool_scratch = scratch_of(b->pool_desc);
    return true;
}

static bool create_with(fused_dnnl *f, const cnnfi_fusion *n, block *b, dnnl_primitive_attr_t attr, dnnl_post_ops_t ops)
{
    const bool has_attr = dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user) == dnnl_success;
    /* An odd last row or column is not pooled; oneDNN wants the exact size. */
    if (f->pool && (f->w.out[1] % 2 || f->w.out[2] % 2)) return false;
    if (!has_attr || (f->pool && !create_pool(f, b, attr))) return false;
    if (!append_all(f, n, &b->residual, ops) || dnnl_primitive_attr_set_post_ops(attr, ops) != dnnl_success)
        return false;
    if (!create_desc(f, n, b, attr) || dnnl_primitive_create(&b->primitive, b->desc) != dnnl_success) return false;
    b->scratch = scratch_of(b->desc);
    return true;
}

static bool create_block(fused_dnnl *f, const cnnfi_fusion *n, block *b, int64_t images)
{
    dnnl_primitive_attr_t attr = NULL;
    dnnl_post_ops_t ops = NULL;
    b->images = images;
    bool done = data_desc(&b->src, f, images, f->w.in, f->w.in_channels) &&
                data_desc(&b->dst, f, images, f->w.out, f->w.out_channels);
    b->residual = b->dst;
    done = done && dnnl_primitive_attr_create(&attr) == dnnl_success && dnnl_post_ops_create(&ops) == dnnl_success;
    done = done && create_with(f, n, b, attr, ops);
    if (ops) dnnl_post_ops_destroy(ops);
    if (attr) dnnl_primitive_attr_destroy(attr);
    return done;
}

/* Memory of oneDNN's own, filled from `from`. */
static bool own_memory(fused_dnnl *f, dnnl_memory_t *out, const dnnl_memory_desc_t *desc, const float *from,
                       size_t floats)
{
    void *handle = NULL;
    if (dnnl_memory_create(out, desc, f->engine, DNNL_MEMORY_ALLOCATE) != dnnl_success) return false;
    if (dnnl_memory_get_data_handle(*out, &handle) != dnnl_success) return false;
    memcpy(handle, from, floats * sizeof(float));
    return true;
}

static bool reorder(fused_dnnl *f, dnnl_memory_t from, dnnl_memory_t to, const dnnl_memory_desc_t *from_desc,
                    const dnnl_memory_desc_t *to_desc)
{
    dnnl_primitive_desc_t desc = NULL;
    dnnl_primitive_t primitive = NULL;
    dnnl_stream_t stream = NULL;
    const dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
    bool done =
        dnnl_reorder_primitive_desc_create(&desc, from_desc, f->engine, to_desc, f->engine, NULL) == dnnl_success &&
        dnnl_primitive_create(&primitive, desc) == dnnl_success &&
        dnnl_stream_create(&stream, f->engine, dnnl_stream_in_order) == dnnl_success &&
        dnnl_primitive_execute(primitive, stream, 2, args) == dnnl_success && dnnl_stream_wait(stream) == dnnl_success;
    if (stream) dnnl_stream_destroy(stream);
    if (primitive) dnnl_primitive_destroy(primitive);
    if (desc) dnnl_primitive_desc_destroy(desc);
    return done;
}

/* Both blocks must want the filter alike; the full one's layout is packed. */
static bool pack_filter(fused_dnnl *f, const cnnfi_fusion *n)
{
    dnnl_memory_desc_t plain;
    dnnl_memory_t given = NULL;
    const dnnl_memory_desc_t *wanted = dnnl_primitive_desc_query_md(f->blocks[0].desc, dnnl_query_weights_md, 0);
    if (f->blocks[1].images > 0 &&
        !dnnl_memory_desc_equal(wanted, dnnl_primitive_desc_query_md(f->blocks[1].desc, dnnl_query_weights_md, 0))) {
        return false;
    }
    bool done = filter_desc(&plain, f, n, false) &&
                dnnl_memory_create(&given, &plain, f->engine, n->filter) == dnnl_success &&
                dnnl_memory_create(&f->weights, wanted, f->engine, DNNL_MEMORY_ALLOCATE) == dnnl_success &&
                reorder(f, given, f->weights, &plain, wanted);
    if (given) dnnl_memory_destroy(given);
    return done;
}

static bool pack_vectors(fused_dnnl *f, const cnnfi_fusion *n)
{
    dnnl_memory_desc_t vector, spread;
    const size_t count = (size_t)f->w.out_channels;
    if (!channel_desc(&vector, f->w.out_channels, 1) || !channel_desc(&spread, f->w.out_channels, f->product ? 2 : 4))
        return false;
    if (!own_memory(f, &f->bias, &vector, n->bias, count)) return false;
    if (!n->has_scale) return true;
    return own_memory(f, &f->post[0], &spread, n->scale, count) && own_memory(f, &f->post[1], &spread, n->shift, count);
}

/* ---- running ---- */

typedef struct job {
    const fused_dnnl *f;
    const float *x, *residual;
    float *y;
    uint8_t *scratch;
    cnnfi_slots slots;
    atomic_int failed;
} job;

/* Memory objects of one execution, gone at its end. */
typedef struct execution {
    const fused_dnnl *f;
    dnnl_exec_arg_t args[8];
    dnnl_memory_t made[8];
    int n_args, n_made;
    bool good;
} execution;

static void add_arg(execution *e, int name, dnnl_memory_t memory)
{
    e->args[e->n_args++] = (dnnl_exec_arg_t){name, memory};
}

static void add_data(execution *e, int name, const dnnl_memory_desc_t *desc, const void *data)
{
    dnnl_memory_t memory = NULL;
    e->good = e->good && dnnl_memory_create(&memory, desc, e->f->engine, (void *)(uintptr_t)data) == dnnl_success;
    if (memory) e->made[e->n_made++] = memory;
    add_arg(e, name, memory);
}

static void execute(execution *e, const_dnnl_primitive_t primitive, dnnl_stream_t stream)
{
    e->good = e->good && dnnl_primitive_execute(primitive, stream, e->n_args, e->args) == dnnl_success &&
              dnnl_stream_wait(stream) == dnnl_success;
    for (int i = 0; i < e->n_made; i++)
        dnnl_memory_destroy(e->made[i]);
}

static bool run_main(const job *j, const block *b, int64_t image, dnnl_stream_t stream, float *to, uint8_t *scratch)
{
    const fused_dnnl *f = j->f;
    const cnnfi_window *w = &f->w;
    const int64_t in = f->product ? w->in_channels : w->in[1] * w->in[2] * w->in_channels;
    const int64_t out = f->product ? w->out_channels : w->out[1] * w->out[2] * w->out_channels;
    execution e = {.f = f, .good = true};
    add_data(&e, DNNL_ARG_SRC, &b->src, j->x + image * in);
    add_data(&e, DNNL_ARG_DST, &b->dst, to);
    add_arg(&e, DNNL_ARG_WEIGHTS, f->weights);
    add_arg(&e, DNNL_ARG_BIAS, f->bias);
    for (int i = 0; i < 2; i++) {
        if (f->post_index[i] >= 0)
            add_arg(&e, DNNL_ARG_ATTR_MULTIPLE_POST_OP(f->post_index[i]) | DNNL_ARG_SRC_1, f->post[i]);
    }
    if (j->residual)
        add_data(&e, DNNL_ARG_ATTR_MULTIPLE_POST_OP(f->post_index[2]) | DNNL_ARG_SRC_1, &b->residual,
                 j->residual + image * out);
    if (b->scratch)
        add_data(&e, DNNL_ARG_SCRATCHPAD, dnnl_primitive_desc_query_md(b->desc, dnnl_query_scratchpad_md, 0), scratch);
    execute(&e, b->primitive, stream);
    return e.good;
}

static bool run_pool(const job *j, const block *b, int64_t image, dnnl_stream_t stream, const float *from,
                     uint8_t *scratch)
{
    const cnnfi_window *w = &j->f->w;
    execution e = {.f = j->f, .good = true};
    add_data(&e, DNNL_ARG_SRC, &b->dst, from);
    add_data(&e, DNNL_ARG_DST, &b->pooled, j->y + image * (w->out[1] / 2) * (w->out[2] / 2) * w->out_channels);
    if (b->pool_scratch)
        add_data(&e, DNNL_ARG_SCRATCHPAD, dnnl_primitive_desc_query_md(b->pool_desc, dnnl_query_scratchpad_md, 0),
                 scratch);
    execute(&e, b->pool, stream);
    return e.good;
}

static bool run_block(const job *j, int64_t index, dnnl_stream_t stream, uint8_t *scratch)
{
    const fused_dnnl *f = j->f;
    const int64_t image = index * f->full;
    const block *b = &f->blocks[image + f->full > f->images];
    const int64_t out = f->product ? f->w.out_channels : f->w.out[1] * f->w.out[2] * f->w.out_channels;
    float *middle = (float *)(void *)scratch;
    if (!f->pool) return run_main(j, b, image, stream, j->y + image * out, scratch);
    return run_main(j, b, image, stream, middle, scratch + b->middle) &&
           run_pool(j, b, image, stream, middle, scratch + b->middle);
}

static void run_blocks(int64_t begin, int64_t end, void *user)
{
    job *j = user;
    dnnl_stream_t stream = NULL;
    int slot = cnnfi_slot_take(&j->slots), before = enter();
    bool good = dnnl_stream_create(&stream, j->f->engine, dnnl_stream_in_order) == dnnl_success;
    for (int64_t i = begin; i < end && good; i++)
        good = run_block(j, i, stream, j->scratch + (size_t)slot * j->f->slot_bytes);
    if (stream) dnnl_stream_destroy(stream);
    leave(before);
    cnnfi_slot_give(&j->slots, slot);
    if (!good) atomic_store(&j->failed, 1);
}

static cnnf_status run_dnnl(const cnnfi_fused *base, cnnfi_call *call)
{
    const fused_dnnl *f = (const fused_dnnl *)base;
    job j = {.f = f, .x = call->inputs[0].data, .y = call->outputs[0].data, .scratch = call->scratch};
    if (call->n_inputs > 1) j.residual = call->inputs[1].data;
    cnnfi_slots_init(&j.slots, f->slots);
    atomic_init(&j.failed, 0);
    cnnfi_parallel_for(call->pool, (f->images + f->full - 1) / f->full, 1, run_blocks, &j);
    return atomic_load(&j.failed) ? cnnfi_call_fail(call, CNNF_E_INTERNAL, "oneDNN failed") : CNNF_OK;
}

/* ---- life ---- */

static void free_block(block *b)
{
    if (b->primitive) dnnl_primitive_destroy(b->primitive);
    if (b->desc) dnnl_primitive_desc_destroy(b->desc);
    if (b->pool) dnnl_primitive_destroy(b->pool);
    if (b->pool_desc) dnnl_primitive_desc_destroy(b->pool_desc);
}

static void free_dnnl(cnnf_context *context, cnnfi_fused *base)
{
    fused_dnnl *f = (fused_dnnl *)base;
    const dnnl_memory_t memories[4] = {f->weights, f->bias, f->post[0], f->post[1]};
    for (int i = 0; i < 4; i++) {
        if (memories[i]) dnnl_memory_destroy(memories[i]);
    }
    free_block(&f->blocks[0]);
    free_block(&f->blocks[1]);
    if (f->engine) dnnl_engine_destroy(f->engine);
    cnnfi_free(context, f);
}

static bool set_up(fused_dnnl *f, cnnfi_fusion *n)
{
    const int64_t last = f->images % f->full;
    if (dnnl_engine_create(&f->engine, dnnl_cpu, 0) != dnnl_success) return false;
    if (!create_block(f, n, &f->blocks[0], f->full)) return false;
    if (last > 0 && !create_block(f, n, &f->blocks[1], last)) return false;
    if (!pack_filter(f, n) || !pack_vectors(f, n)) return false;
    for (int i = 0; i < 2; i++) {
        const block *b = &f->blocks[i];
        size_t bytes = b->middle + (b->scratch > b->pool_scratch ? b->scratch : b->pool_scratch);
        if (bytes > f->slot_bytes) f->slot_bytes = bytes;
    }
    n->scratch_size = f->slot_bytes * (size_t)f->slots;
    return true;
}

cnnf_status cnnfi_fusion_onednn(cnnfi_fused **out, cnnf_context *context, cnnfi_fusion *fusion, cnnf_error *error)
{
    const cnnfi_window *w = &fusion->w;
    *out = NULL;
    fused_dnnl *f = cnnfi_calloc(context, 1, sizeof(*f));
    if (!f) return cnnfi_fail_nomem(error);
    f->base = (cnnfi_fused){.backend = "onednn", .algorithm = "direct", .run = run_dnnl, .free = free_dnnl};
    f->w = *w;
    f->pool = fusion->pool;
    f->product = !fusion->depthwise && w->batch == 1 && w->in[1] == 1 && w->filter[1] * w->filter[2] == 1 &&
                 w->in[2] == w->out[2];
    f->images = f->product ? w->in[2] : w->batch;
    f->full = fusion->strict ? 1 : (f->images + fusion->threads - 1) / fusion->threads;
    f->slots = cnnfi_slot_count(fusion->threads);
    for (int i = 0; i < MOST_POST; i++)
        f->post_index[i] = -1;
    int before = enter();
    bool done = set_up(f, fusion);
    leave(before);
    if (done)
        *out = &f->base;
    else
        free_dnnl(context, &f->base);
    return CNNF_OK;
}
