/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#ifndef _WIN32
#include <sys/wait.h>
#endif

#include "base/context.h"
#include "base/os.h"
#include "evaluator/fused/simd.h"
#include "evaluator/kernels/kernel.h"
#include "evaluator/plan/fuse.h"
#include "graph/builder.h"
#include "support.h"

typedef struct fixture {
    cnnf_context *context;
    cnnfi_builder *b;
    cnnf_graph *graph;
    cnnf_error *error;
} fixture;

static fixture begin(void)
{
    fixture f = {.context = test_context(), .error = cnnf_error_new()};
    ck_assert_int_eq(cnnfi_builder_new(&f.b, f.context, NULL), CNNF_OK);
    return f;
}

static void publish(fixture *f)
{
    ck_assert_int_eq(cnnfi_builder_publish(&f->graph, f->b, f->error), CNNF_OK);
    f->b = NULL;
}

static void end(fixture *f)
{
    cnnf_graph_unref(f->graph);
    cnnf_error_free(f->error);
    test_context_done(f->context);
}

static cnnf_node *node(fixture *f, const char *op, const char *name, const char *a, const char *b)
{
    cnnf_node *n = cnnfi_builder_add(f->b, op, name);
    if (a) cnnfi_node_add_input(f->b, n, a);
    if (b) cnnfi_node_add_input(f->b, n, b);
    cnnfi_node_set_type(f->b, n, strcmp(op, "Placeholder") == 0 ? "dtype" : "T", CNNF_FLOAT);
    return n;
}

static cnnf_tensor *tensor(fixture *f, cnnf_dtype dtype, int32_t rank, const int64_t *dims, const void *data)
{
    cnnf_tensor *t = NULL;
    size_t size = cnnf_dtype_size(dtype);
    for (int32_t i = 0; i < rank; i++)
        size *= (size_t)dims[i];
    ck_assert_int_eq(cnnf_tensor_wrap(&t, f->context, dtype, rank, dims, data, size, NULL, NULL, NULL), CNNF_OK);
    return t;
}

static cnnf_tensor *vector(fixture *f, int64_t n, const float *data)
{
    return tensor(f, CNNF_FLOAT, 1, &n, data);
}

static cnnf_evaluator *evaluator(fixture *f, int32_t threads)
{
    cnnf_evaluator_options *options = NULL;
    cnnf_evaluator *e = NULL;
    ck_assert_int_eq(cnnf_evaluator_options_new(&options, f->context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluator_options_set_threads(options, threads, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluator_new(&e, f->graph, options, NULL), CNNF_OK);
    cnnf_evaluator_options_free(options);
    return e;
}

static cnnf_status run(fixture *f, cnnf_evaluator *e, const char *feed, cnnf_tensor *x, const char *fetch,
                       cnnf_tensor **y)
{
    const cnnf_tensor *feeds[1] = {x};
    return cnnf_evaluator_run(y, e, &feed, feeds, feed ? 1 : 0, &fetch, 1, f->error);
}

/* x -> Relu -> r; with a constant that can be folded away: Relu(c). */
static fixture small(void)
{
    static const float c[3] = {-1, 2, -3};
    fixture f = begin();
    node(&f, "Placeholder", "x", NULL, NULL);
    cnnfi_builder_const_f32(f.b, "c", 1, c, 3);
    node(&f, "Relu", "r", "x", NULL);
    node(&f, "Relu", "folded", "c", NULL);
    node(&f, "Identity", "same", "r", NULL);
    publish(&f);
    return f;
}

START_TEST(computes_views_and_constants)
{
    const float data[3] = {-5, NAN, 7};
    fixture f = small();
    cnnf_evaluator *e = evaluator(&f, 1);
    cnnf_tensor *x = vector(&f, 3, data), *y = NULL, *c = NULL;
    ck_assert_int_eq(run(&f, e, "x:0", x, "same", &y), CNNF_OK);
    const float *values = cnnf_tensor_data(y);
    ck_assert(values[0] == 0 && isnan(values[1]) && values[2] == 7);
    ck_assert_int_eq(run(&f, e, NULL, NULL, "folded", &c), CNNF_OK);
    values = cnnf_tensor_data(c);
    ck_assert(values[0] == 0 && values[1] == 2 && values[2] == 0);
    cnnf_tensor_unref(x);
    cnnf_tensor_unref(y);
    cnnf_tensor_unref(c);
    cnnf_evaluator_free(e);
    end(&f);
}
END_TEST

START_TEST(any_tensor_can_be_fed)
{
    const float data[2] = {-4, 4};
    fixture f = small();
    cnnf_evaluator *e = evaluator(&f, 1);
    cnnf_tensor *r = vector(&f, 2, data), *y = NULL;
    ck_assert_int_eq(run(&f, e, "r", r, "same", &y), CNNF_OK);
    ck_assert(((const float *)cnnf_tensor_data(y))[0] == -4);
    cnnf_tensor_unref(r);
    cnnf_tensor_unref(y);
    cnnf_evaluator_free(e);
    end(&f);
}
END_TEST

START_TEST(refusals_name_the_node)
{
    const float data[2] = {1, 2};
    fixture f = begin();
    node(&f, "Placeholder", "x", NULL, NULL);
    node(&f, "Frobnicate", "strange", "x", NULL);
    node(&f, "Relu", "r", "x", NULL);
    publish(&f);
    cnnf_evaluator *e = evaluator(&f, 1);
    cnnf_tensor *x = vector(&f, 2, data), *y = x;
    const int64_t none[1] = {0};
    cnnf_tensor *ints = tensor(&f, CNNF_INT32, 1, none, data);
    ck_assert_int_eq(run(&f, e, "x", x, "strange", &y), CNNF_E_UNSUPPORTED);
    ck_assert_ptr_null(y);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(f.error), "Frobnicate"));
    ck_assert_str_eq(cnnf_error_node(f.error), "strange");
    ck_assert_int_eq(run(&f, e, NULL, NULL, "r", &y), CNNF_E_INVALID);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(f.error), "'x'"));
    ck_assert_int_eq(run(&f, e, "x", ints, "r", &y), CNNF_E_MISMATCH);
    ck_assert_int_eq(run(&f, e, "x", x, "nowhere", &y), CNNF_E_NOT_FOUND);
    ck_assert_int_eq(run(&f, e, "x", x, "r:3", &y), CNNF_E_NOT_FOUND);
    cnnf_tensor_unref(x);
    cnnf_tensor_unref(ints);
    cnnf_evaluator_free(e);
    end(&f);
}
END_TEST

/* p ? relu(x) : elu(x), each side guarded by its own end of a Switch. */
static fixture branches(void)
{
    fixture f = begin();
    node(&f, "Placeholder", "x", NULL, NULL);
    cnnfi_node_set_type(f.b, cnnfi_builder_add(f.b, "Placeholder", "p"), "dtype", CNNF_BOOL);
    node(&f, "Switch", "s", "x", "p");
    node(&f, "Relu", "yes", "s:1", NULL);
    node(&f, "Elu", "no", "s", NULL);
    node(&f, "Merge", "m", "no", "yes");
    node(&f, "Identity", "out", "m", NULL);
    publish(&f);
    return f;
}

static float branch_value(fixture *f, cnnf_evaluator *e, uint8_t p, float value, const char *fetch, cnnf_status want)
{
    const char *names[2] = {"x", "p"};
    cnnf_tensor *x = vector(f, 1, &value), *flag = tensor(f, CNNF_BOOL, 0, NULL, &p), *y = NULL;
    const cnnf_tensor *feeds[2] = {x, flag};
    ck_assert_int_eq(cnnf_evaluator_run(&y, e, names, feeds, 2, &fetch, 1, f->error), want);
    float result = y ? *(const float *)cnnf_tensor_data(y) : 0;
    cnnf_tensor_unref(x);
    cnnf_tensor_unref(flag);
    cnnf_tensor_unref(y);
    return result;
}

START_TEST(dead_branches_are_not_run)
{
    fixture f = branches();
    cnnf_evaluator *e = evaluator(&f, 2);
    ck_assert(branch_value(&f, e, 1, -2, "out", CNNF_OK) == 0);
    ck_assert(branch_value(&f, e, 0, -2, "out", CNNF_OK) < -0.8f);
    ck_assert(branch_value(&f, e, 1, 3, "out", CNNF_OK) == 3);
    branch_value(&f, e, 1, 3, "no", CNNF_E_INVALID);
    cnnf_evaluator_free(e);
    end(&f);
}
END_TEST

/* A network of the usual kind, big enough for every fused path: 12x12x3, Winograd, pool, depthwise, product. */
static void add_weights(fixture *f, const char *name, int32_t rank, const int64_t *dims)
{
    int64_t count = 1;
    for (int32_t i = 0; i < rank; i++)
        count *= dims[i];
    float *values = malloc((size_t)count * sizeof(float));
    for (int64_t i = 0; i < count; i++)
        values[i] = (float)((i * 7919 + rank) % 101 - 50) / 200.0f;
    cnnf_tensor *t = tensor(f, CNNF_FLOAT, rank, dims, values);
    cnnfi_builder_const(f->b, name, t);
    cnnf_tensor_unref(t);
    free(values);
}

static void add_conv(fixture *f, const char *op, const char *name, const char *x, const char *w, const char *padding)
{
    const int64_t ones[4] = {1, 1, 1, 1};
    cnnf_node *n = node(f, op, name, x, w);
    cnnfi_node_set_ints(f->b, n, "strides", ones, 4);
    cnnfi_node_set_string(f->b, n, "padding", padding);
}

static fixture network(void)
{
    fixture f = begin();
    const int64_t pair[4] = {1, 2, 2, 1};
    node(&f, "Placeholder", "x", NULL, NULL);
    add_weights(&f, "w1", 4, (const int64_t[4]){3, 3, 3, 20});
    add_weights(&f, "b1", 1, (const int64_t[1]){20});
    add_weights(&f, "w2", 4, (const int64_t[4]){3, 3, 20, 24});
    add_weights(&f, "w3", 4, (const int64_t[4]){3, 3, 24, 1});
    add_weights(&f, "w4", 4, (const int64_t[4]){6, 6, 24, 10});
    add_conv(&f, "Conv2D", "c1", "x", "w1", "SAME");
    node(&f, "BiasAdd", "a1", "c1", "b1");
    node(&f, "Relu", "r1", "a1", NULL);
    add_conv(&f, "Conv2D", "c2", "r1", "w2", "SAME");
    node(&f, "Relu6", "r2", "c2", NULL);
    cnnf_node *pool = node(&f, "MaxPool", "p2", "r2", NULL);
    cnnfi_node_set_ints(f.b, pool, "ksize", pair, 4);
    cnnfi_node_set_ints(f.b, pool, "strides", pair, 4);
    cnnfi_node_set_string(f.b, pool, "padding", "VALID");
    add_conv(&f, "DepthwiseConv2dNative", "c3", "p2", "w3", "SAME");
    add_conv(&f, "Conv2D", "c4", "c3", "w4", "VALID");
    node(&f, "Softmax", "y", "c4", NULL);
    publish(&f);
    return f;
}

static cnnf_tensor *images(fixture *f, int64_t n)
{
    const int64_t dims[4] = {n, 12, 12, 3};
    cnnf_tensor *x = NULL;
    ck_assert_int_eq(cnnf_tensor_new(&x, f->context, CNNF_FLOAT, 4, dims, NULL), CNNF_OK);
    float *to = cnnf_tensor_data_mut(x);
    for (int64_t i = 0; i < n * 12 * 12 * 3; i++)
        to[i] = (float)(i * 31 % 97) / 97.0f;
    return x;
}

START_TEST(fused_steps_equal_their_parts)
{
    fixture f = network();
    cnnf_evaluator *e = evaluator(&f, 1);
    cnnf_tensor *x = images(&f, 3), *fused = NULL, *parts[7] = {0};
    static const char *const names[7] = {"c1", "a1", "r1", "c2", "r2", "p2", "p2"};
    const cnnf_tensor *feeds[1] = {x};
    const char *feed = "x";
    ck_assert_int_eq(run(&f, e, "x", x, "p2", &fused), CNNF_OK);
    /* Every intermediate is fetched, so nothing can be fused; the convolutions are still the packed ones. */
    ck_assert_int_eq(cnnf_evaluator_run(parts, e, &feed, feeds, 1, names, 7, f.error), CNNF_OK);
    const float *a = cnnf_tensor_data(fused), *b = cnnf_tensor_data(parts[5]);
    for (int64_t i = 0; i < cnnf_tensor_element_count(fused); i++)
        ck_assert(fabsf(a[i] - b[i]) < 1e-5f);
    for (int i = 0; i < 7; i++)
        cnnf_tensor_unref(parts[i]);
    cnnf_tensor_unref(fused);
    cnnf_tensor_unref(x);
    cnnf_evaluator_free(e);
    end(&f);
}
END_TEST

static cnnf_tensor *run_with(fixture *f, cnnf_evaluator_options *options, int32_t threads, cnnf_tensor *x)
{
    cnnf_evaluator *e = NULL;
    cnnf_tensor *y = NULL;
    ck_assert_int_eq(cnnf_evaluator_options_set_threads(options, threads, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluator_new(&e, f->graph, options, NULL), CNNF_OK);
    ck_assert_int_eq(run(f, e, "x", x, "y", &y), CNNF_OK);
    cnnf_evaluator_free(e);
    return y;
}

static void same_bits_for_any_threads(fixture *f, cnnf_evaluator_options *options, cnnf_tensor *x)
{
    cnnf_tensor *a = run_with(f, options, 1, x), *b = run_with(f, options, 3, x);
    ck_assert_int_eq(memcmp(cnnf_tensor_data(a), cnnf_tensor_data(b), cnnf_tensor_byte_size(a)), 0);
    cnnf_tensor_unref(a);
    cnnf_tensor_unref(b);
}

START_TEST(backends_agree)
{
    fixture f = network();
    cnnf_evaluator *e = evaluator(&f, 2), *other = NULL;
    cnnf_evaluator_options *options = NULL;
    ck_assert_int_eq(cnnf_evaluator_options_new(&options, f.context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluator_options_set_backend(options, "abacus", NULL), CNNF_E_NOT_FOUND);
    ck_assert_int_eq(cnnf_evaluator_options_set_threads(options, 2, NULL), CNNF_OK);
    if (cnnf_evaluator_options_set_backend(options, "onednn", NULL) == CNNF_OK) {
        cnnf_tensor *x = images(&f, 5), *a = NULL, *b = NULL;
        ck_assert_int_eq(cnnf_evaluator_new(&other, f.graph, options, NULL), CNNF_OK);
        ck_assert_str_eq(cnnf_evaluator_backend(other), "onednn");
        ck_assert_int_eq(run(&f, e, "x", x, "y", &a), CNNF_OK);
        ck_assert_int_eq(run(&f, other, "x", x, "y", &b), CNNF_OK);
        ck_assert_int_eq(cnnf_evaluator_options_set_deterministic(options, 1, NULL), CNNF_OK);
        same_bits_for_any_threads(&f, options, x);
        const float *p = cnnf_tensor_data(a), *q = cnnf_tensor_data(b);
        for (int64_t i = 0; i < cnnf_tensor_element_count(a); i++)
            ck_assert(fabsf(p[i] - q[i]) < 1e-5f);
        cnnf_tensor_unref(x);
        cnnf_tensor_unref(a);
        cnnf_tensor_unref(b);
    }
    ck_assert_str_eq(cnnf_evaluator_backend(e), "portable");
    cnnf_evaluator_options_free(options);
    cnnf_evaluator_free(other);
    cnnf_evaluator_free(e);
    end(&f);
}
END_TEST

/* Every instruction set that this processor has: the same bits for any threads, all within rounding of each other. */
static const char *const sets[] = {"sse2", "avx2", "avx512", "neon", "baseline"};
#define N_SETS (sizeof(sets) / sizeof(sets[0]))

/* Every fused step is of this set. */
static void assert_isa(fixture *f, cnnf_evaluator_options *options, cnnf_tensor *x, const char *isa)
{
    char wanted[32];
    const char *feed = "x", *fetch = "y";
    const cnnf_tensor *feeds[1] = {x};
    int steps = 0;
    cnnf_evaluator *e = NULL;
    cnnf_buffer *text = NULL;
    snprintf(wanted, sizeof wanted, "\"isa\": \"%s\"", isa);
    ck_assert_int_eq(cnnf_evaluator_new(&e, f->graph, options, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluator_describe(&text, e, &feed, feeds, 1, &fetch, 1, f->error), CNNF_OK);
    for (const char *at = cnnf_buffer_data(text); (at = strstr(at, "\"isa\": ")) != NULL; at++, steps++)
        ck_assert_int_eq(strncmp(at, wanted, strlen(wanted)), 0);
    ck_assert_int_ge(steps, 3);
    cnnf_buffer_free(text);
    cnnf_evaluator_free(e);
}

START_TEST(instruction_sets_agree)
{
    fixture f = network();
    cnnf_evaluator_options *options = NULL;
    cnnf_tensor *x = images(&f, 5), *first = NULL;
    ck_assert_int_eq(cnnf_evaluator_options_new(&options, f.context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluator_options_set_isa(options, "abacus", f.error), CNNF_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(f.error), "this build has auto, "));
    ck_assert_int_eq(cnnf_evaluator_options_set_isa(options, NULL, NULL), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_evaluator_options_set_isa(NULL, "auto", NULL), CNNF_E_INVALID);
    for (size_t s = 0; s < N_SETS; s++) {
        const cnnf_status status = cnnf_evaluator_options_set_isa(options, sets[s], NULL);
        ck_assert(status == CNNF_OK || status == CNNF_E_NOT_FOUND || status == CNNF_E_UNSUPPORTED);
        if (status != CNNF_OK) continue;
        same_bits_for_any_threads(&f, options, x);
        assert_isa(&f, options, x, sets[s]);
        cnnf_tensor *y = run_with(&f, options, 2, x);
        if (!first) first = cnnf_tensor_ref(y);
        const float *a = cnnf_tensor_data(first), *b = cnnf_tensor_data(y);
        for (int64_t i = 0; i < cnnf_tensor_element_count(y); i++)
            ck_assert_msg(fabsf(a[i] - b[i]) < 1e-5f, "%s: %g, not %g", sets[s], (double)b[i], (double)a[i]);
        cnnf_tensor_unref(y);
    }
    ck_assert_ptr_nonnull(first);
    ck_assert_int_eq(cnnf_evaluator_options_set_isa(options, "auto", NULL), CNNF_OK);
    cnnf_tensor_unref(first);
    cnnf_tensor_unref(x);
    cnnf_evaluator_options_free(options);
    end(&f);
}
END_TEST

static void pool_with(const cnnfi_simd *simd, bool average, const float *x, float *y)
{
    const cnnfi_pooling p = {.height = 7,
                             .width = 9,
                             .channels = 21,
                             .out_height = 4,
                             .out_width = 5,
                             .filter_y = 3,
                             .filter_x = 3,
                             .stride_y = 2,
                             .stride_x = 2,
                             .before_y = 1,
                             .before_x = 1,
                             .average = average};
    simd->pooling(&p, x, y, 0, 4);
}

/* Pooling takes the best set by itself: its bits are the same in all of them. */
START_TEST(instruction_sets_pool_the_same)
{
    float x[7 * 9 * 21], wanted[4 * 5 * 21], y[4 * 5 * 21];
    for (int i = 0; i < 7 * 9 * 21; i++)
        x[i] = (float)(i * 31 % 97) / 97.0f - 0.5f;
    for (int average = 0; average < 2; average++) {
        pool_with(cnnfi_simd_best(), average, x, wanted);
        for (size_t s = 0; s < N_SETS; s++) {
            const char *found = NULL;
            if (cnnfi_isa_find(&found, sets[s], NULL) != CNNF_OK) continue;
            pool_with(cnnfi_simd_find(found), average, x, y);
            ck_assert_int_eq(memcmp(y, wanted, sizeof y), 0);
        }
    }
}
END_TEST

/* Activations big enough for a segment; the middle one is read twice. */
static fixture big_network(void)
{
    fixture f = begin();
    node(&f, "Placeholder", "x", NULL, NULL);
    add_weights(&f, "w1", 4, (const int64_t[4]){3, 3, 3, 32});
    add_weights(&f, "w2", 4, (const int64_t[4]){3, 3, 32, 1});
    add_weights(&f, "w3", 4, (const int64_t[4]){1, 1, 32, 32});
    add_conv(&f, "Conv2D", "c1", "x", "w1", "SAME");
    add_conv(&f, "DepthwiseConv2dNative", "c2", "c1", "w2", "SAME");
    add_conv(&f, "Conv2D", "c3", "c2", "w3", "SAME");
    node(&f, "AddV2", "sum", "c3", "c1");
    node(&f, "Relu", "y", "sum", NULL);
    publish(&f);
    return f;
}

START_TEST(batches_equal_their_images)
{
    fixture f = big_network();
    const int64_t dims[4] = {6, 80, 80, 3}, single[4] = {1, 80, 80, 3};
    cnnf_evaluator *e = evaluator(&f, 3);
    cnnf_tensor *x = NULL, *y = NULL;
    cnnf_buffer *text = NULL;
    ck_assert_int_eq(cnnf_tensor_new(&x, f.context, CNNF_FLOAT, 4, dims, NULL), CNNF_OK);
    float *to = cnnf_tensor_data_mut(x);
    for (int64_t i = 0; i < cnnf_tensor_element_count(x); i++)
        to[i] = (float)(i * 37 % 89) / 89.0f;
    const char *feed = "x", *fetch = "y";
    const cnnf_tensor *feeds[1] = {x};
    ck_assert_int_eq(cnnf_evaluator_describe(&text, e, &feed, feeds, 1, &fetch, 1, f.error), CNNF_OK);
    ck_assert_ptr_nonnull(strstr((const char *)cnnf_buffer_data(text), "image by image"));
    ck_assert_int_eq(run(&f, e, "x", x, "y", &y), CNNF_OK);
    size_t size = cnnf_tensor_byte_size(y) / 6;
    for (int64_t i = 0; i < 6; i++) {
        cnnf_tensor *one = tensor(&f, CNNF_FLOAT, 4, single, to + i * 80 * 80 * 3), *z = NULL;
        ck_assert_int_eq(run(&f, e, "x", one, "y", &z), CNNF_OK);
        ck_assert_int_eq(memcmp((const char *)cnnf_tensor_data(y) + (size_t)i * size, cnnf_tensor_data(z), size), 0);
        cnnf_tensor_unref(one);
        cnnf_tensor_unref(z);
    }
    cnnf_buffer_free(text);
    cnnf_tensor_unref(x);
    cnnf_tensor_unref(y);
    cnnf_evaluator_free(e);
    end(&f);
}
END_TEST

START_TEST(bands_equal_whole_layers)
{
    const int64_t dims[4] = {1, 80, 77, 8}, ones[4] = {1, 2, 2, 1};
    fixture f = begin();
    node(&f, "Placeholder", "x", NULL, NULL);
    add_weights(&f, "w1", 4, (const int64_t[4]){1, 1, 8, 52});
    add_weights(&f, "w2", 4, (const int64_t[4]){3, 3, 52, 1});
    add_conv(&f, "Conv2D", "wide", "x", "w1", "SAME");
    node(&f, "Relu", "r", "wide", NULL);
    add_conv(&f, "DepthwiseConv2dNative", "deep", "r", "w2", "SAME");
    cnnfi_node_set_ints(f.b, cnnfi_builder_find(f.b, "deep"), "strides", ones, 4);
    publish(&f);
    cnnf_evaluator *e = evaluator(&f, 2);
    cnnf_tensor *x = NULL, *y = NULL, *whole[2] = {0};
    ck_assert_int_eq(cnnf_tensor_new(&x, f.context, CNNF_FLOAT, 4, dims, NULL), CNNF_OK);
    float *to = cnnf_tensor_data_mut(x);
    for (int64_t i = 0; i < cnnf_tensor_element_count(x); i++)
        to[i] = (float)(i * 37 % 89) / 89.0f;
    const char *feed = "x", *names[2] = {"deep", "r"};
    const cnnf_tensor *feeds[1] = {x};
    cnnf_buffer *text = NULL;
    ck_assert_int_eq(cnnf_evaluator_describe(&text, e, &feed, feeds, 1, names, 1, f.error), CNNF_OK);
    ck_assert_ptr_nonnull(strstr((const char *)cnnf_buffer_data(text), "in bands"));
    ck_assert_int_eq(run(&f, e, "x", x, "deep", &y), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluator_run(whole, e, &feed, feeds, 1, names, 2, f.error), CNNF_OK);
    ck_assert_int_eq(memcmp(cnnf_tensor_data(y), cnnf_tensor_data(whole[0]), cnnf_tensor_byte_size(y)), 0);
    cnnf_buffer_free(text);
    cnnf_tensor_unref(x);
    cnnf_tensor_unref(y);
    cnnf_tensor_unref(whole[0]);
    cnnf_tensor_unref(whole[1]);
    cnnf_evaluator_free(e);
    end(&f);
}
END_TEST

typedef struct visitor {
    fixture *f;
    cnnf_evaluator *e;
    cnnf_tensor *x;
    const cnnf_tensor *want;
    int wrong;
} visitor;

static void visit(void *user)
{
    visitor *v = user;
    const char *feed = "x", *fetch = "y";
    const cnnf_tensor *feeds[1] = {v->x};
    for (int i = 0; i < 20; i++) {
        cnnf_tensor *y = NULL;
        if (cnnf_evaluator_run(&y, v->e, &feed, feeds, 1, &fetch, 1, NULL) != CNNF_OK) {
            v->wrong++;
            continue;
        }
        v->wrong += memcmp(cnnf_tensor_data(y), cnnf_tensor_data(v->want), cnnf_tensor_byte_size(y)) != 0;
        cnnf_tensor_unref(y);
    }
}

START_TEST(many_threads_get_the_same_bits)
{
    fixture f = network();
    cnnf_evaluator *e = evaluator(&f, 3), *alone = evaluator(&f, 1);
    cnnf_tensor *x = images(&f, 5), *want = NULL;
    ck_assert_int_eq(run(&f, alone, "x", x, "y", &want), CNNF_OK);
    visitor v[16];
    cnnfi_thread *threads[16];
    for (int i = 0; i < 16; i++) {
        v[i] = (visitor){&f, e, x, want, 0};
        threads[i] = cnnfi_thread_start(f.context, visit, &v[i]);
        ck_assert_ptr_nonnull(threads[i]);
    }
    for (int i = 0; i < 16; i++) {
        cnnfi_thread_join(f.context, threads[i]);
        ck_assert_int_eq(v[i].wrong, 0);
    }
    cnnf_tensor_unref(x);
    cnnf_tensor_unref(want);
    cnnf_evaluator_free(e);
    cnnf_evaluator_free(alone);
    end(&f);
}
END_TEST

START_TEST(more_plans_than_are_kept)
{
    fixture f = network();
    cnnf_evaluator *e = evaluator(&f, 2);
    for (int64_t round = 0; round < 2; round++) {
        for (int64_t n = 0; n < 11; n++) {
            cnnf_tensor *x = images(&f, n), *y = NULL;
            ck_assert_int_eq(run(&f, e, "x", x, "y", &y), CNNF_OK);
            ck_assert_int_eq(cnnf_tensor_dim(y, 0), n);
            cnnf_tensor_unref(x);
            cnnf_tensor_unref(y);
        }
    }
    cnnf_evaluator_free(e);
    end(&f);
}
END_TEST

/* ThreadSanitizer cannot follow threads started after a fork. */
#if defined(__SANITIZE_THREAD__)
#define CHILD_THREADS 1
#else
#define CHILD_THREADS 2
#endif

/*
 * Names that say what a separator, a dtype and a rank look like: nine fetches and one feed that read, byte for byte,
 * like one fetch and two feeds. The plan of the one must not be taken for the other's.
 */
START_TEST(crafted_names_get_their_own_plan)
{
    fixture f = begin();
    node(&f, "Placeholder", "x", NULL, NULL);
    node(&f, "Placeholder", ">z", NULL, NULL);
    node(&f, "Add", "y", "x", ">z");
    publish(&f);
    cnnf_evaluator *e = evaluator(&f, 1);
    const float one = 1, two = 2;
    cnnf_tensor *a = tensor(&f, CNNF_FLOAT, 0, NULL, &one), *b = tensor(&f, CNNF_FLOAT, 0, NULL, &two), *y[9];
    const char *const feed_names[] = {"x", ">z"}, *const fetch = "y";
    const cnnf_tensor *const feeds[] = {a, b};
    ck_assert_int_eq(cnnf_evaluator_run(y, e, feed_names, feeds, 2, &fetch, 1, f.error), CNNF_OK);
    ck_assert(*(const float *)cnnf_tensor_data(y[0]) == 3.0f);
    cnnf_tensor_unref(y[0]);
    const char *const crafted[] = {"z", "\x01", "", "", "", "", "", "", ">y"};
    ck_assert_int_eq(cnnf_evaluator_run(y, e, feed_names, feeds, 1, crafted, 9, f.error), CNNF_E_NOT_FOUND);
    cnnf_tensor_unref(a);
    cnnf_tensor_unref(b);
    cnnf_evaluator_free(e);
    end(&f);
}
END_TEST

#ifndef _WIN32 /* which has no fork() */
START_TEST(children_need_their_own)
{
    fixture f = network();
    cnnf_evaluator *e = evaluator(&f, 2);
    cnnf_tensor *x = images(&f, 4), *y = NULL;
    ck_assert_int_eq(run(&f, e, "x", x, "y", &y), CNNF_OK);
    pid_t child = fork();
    if (child == 0) {
        cnnf_tensor *z = NULL;
        if (run(&f, e, "x", x, "y", &z) != CNNF_E_INVALID) _exit(1);
        cnnf_evaluator_free(e);
        e = evaluator(&f, CHILD_THREADS);
        if (run(&f, e, "x", x, "y", &z) != CNNF_OK) _exit(2);
        _exit(memcmp(cnnf_tensor_data(y), cnnf_tensor_data(z), cnnf_tensor_byte_size(y)) ? 3 : 0);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    cnnf_tensor_unref(x);
    cnnf_tensor_unref(y);
    cnnf_evaluator_free(e);
    end(&f);
}
END_TEST
#endif

START_TEST(plans_can_be_described)
{
    fixture f = network();
    cnnf_evaluator *e = evaluator(&f, 1);
    cnnf_tensor *x = images(&f, 1);
    const cnnf_tensor *feeds[1] = {x};
    const char *feed = "x", *fetch = "y";
    cnnf_buffer *text = NULL;
    ck_assert_int_eq(cnnf_evaluator_describe(&text, e, &feed, feeds, 1, &fetch, 1, f.error), CNNF_OK);
    ck_assert_ptr_nonnull(
        strstr((const char *)cnnf_buffer_data(text), "\"node\": \"c2\", \"op\": \"Conv2D\", \"nodes\": 3"));
    ck_assert_ptr_nonnull(strstr((const char *)cnnf_buffer_data(text), "winograd"));
    cnnf_buffer_free(text);
    cnnf_tensor_unref(x);
    cnnf_evaluator_free(e);
    end(&f);
}
END_TEST

START_TEST(ops_are_listed_once_in_order)
{
    for (int32_t i = 0; i < cnnf_op_count(); i++) {
        const char *name = cnnf_op_name(i);
        ck_assert_msg(name != NULL, "op %d has no name: some op is in two tables", i);
        if (i > 0) ck_assert_int_lt(strcmp(cnnf_op_name(i - 1), name), 0);
        ck_assert_ptr_nonnull(cnnfi_kernel_find(name));
    }
    ck_assert_ptr_null(cnnf_op_name(-1));
    ck_assert_ptr_null(cnnf_op_name(cnnf_op_count()));
    ck_assert_ptr_null(cnnfi_kernel_find("Frobnicate"));
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("evaluator");
    TCase *t = tcase_create("evaluator");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, computes_views_and_constants);
    tcase_add_test(t, any_tensor_can_be_fed);
    tcase_add_test(t, refusals_name_the_node);
    tcase_add_test(t, dead_branches_are_not_run);
    tcase_add_test(t, fused_steps_equal_their_parts);
    tcase_add_test(t, backends_agree);
    tcase_add_test(t, instruction_sets_agree);
    tcase_add_test(t, instruction_sets_pool_the_same);
    tcase_add_test(t, batches_equal_their_images);
    tcase_add_test(t, bands_equal_whole_layers);
    tcase_add_test(t, many_threads_get_the_same_bits);
    tcase_add_test(t, more_plans_than_are_kept);
    tcase_add_test(t, crafted_names_get_their_own_plan);
#ifndef _WIN32
    tcase_add_test(t, children_need_their_own);
#endif
    tcase_add_test(t, plans_can_be_described);
    tcase_add_test(t, ops_are_listed_once_in_order);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
