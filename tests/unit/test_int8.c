/* SPDX-License-Identifier: Apache-2.0 */
/* int8 for everybody: histograms that are added exactly, ranges from them, FakeQuant nodes where integer kernels are.
 */
#include <cnnfreeze/onnx.h>
#include <cnnfreeze/quantize.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "ops/fake_quant.h"
#include "ops/histogram.h"
#include "support.h"
#include "transform/quantize/int8.h"

/* ---- histograms ---- */

static double histogram[CNNFI_HISTOGRAM_SIZE], other[CNNFI_HISTOGRAM_SIZE], both[CNNFI_HISTOGRAM_SIZE];

static float drawn(int i, float scale)
{
    return scale * (float)((i * 7919) % 2003 - 700) / 1000.0f;
}

START_TEST(histograms_are_added_in_any_order)
{
    static const float scales[] = {1.0f, 0.001f, 300.0f, 1e-20f, 0.0f};
    static float x[4000];
    for (size_t a = 0; a < 5; a++) {
        for (size_t b = 0; b < 5; b++) {
            for (int i = 0; i < 4000; i++)
                x[i] = drawn(i, i < 1700 ? scales[a] : scales[b]);
            cnnfi_histogram_of(both, x, 4000);
            cnnfi_histogram_of(histogram, x, 1700);
            cnnfi_histogram_of(other, x + 1700, 2300);
            cnnfi_histogram_add(histogram, other);
            for (int i = 0; i < CNNFI_HISTOGRAM_SIZE; i++)
                ck_assert_double_eq(histogram[i], both[i]);
        }
    }
}
END_TEST

START_TEST(what_is_not_finite_is_not_counted)
{
    const float x[] = {NAN, INFINITY, -INFINITY, 3.0f, -1.0f};
    cnnfi_histogram_of(histogram, x, 5);
    ck_assert_double_eq(histogram[CNNFI_HISTOGRAM_COUNT], 2);
    ck_assert_double_eq(histogram[CNNFI_HISTOGRAM_LEAST], -1);
    ck_assert_double_eq(histogram[CNNFI_HISTOGRAM_MOST], 3);
    cnnfi_histogram_of(other, x, 3);
    ck_assert_double_eq(other[CNNFI_HISTOGRAM_COUNT], 0);
    cnnfi_histogram_add(histogram, other);
    ck_assert_double_eq(histogram[CNNFI_HISTOGRAM_COUNT], 2);
    cnnfi_histogram_add(other, histogram);
    ck_assert_double_eq(other[CNNFI_HISTOGRAM_MOST], 3);
}
END_TEST

START_TEST(ranges_hold_zero)
{
    const float above[] = {2, 3, 4}, below[] = {-2, -3}, zero[] = {0, 0};
    const struct {
        const float *x;
        int64_t n;
        float low, high;
    } cases[] = {{above, 3, 0, 4}, {below, 2, -3, 0}, {zero, 2, 0, 1}, {above, 0, 0, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cnnfi_histogram_of(histogram, cases[i].x, cases[i].n);
        for (int method = 0; method < CNNFI_AFFINE_METHODS; method++) {
            const cnnfi_affine_range r = cnnfi_affine_choose(histogram, (cnnfi_affine_method)method, 0.999);
            ck_assert_msg(r.low <= 0 && r.high >= 0 && r.low < r.high, "%zu, %d: %g %g", i, method, (double)r.low,
                          (double)r.high);
            if (method != CNNFI_AFFINE_MIN_MAX) continue;
            ck_assert_double_eq((double)r.low, (double)cases[i].low);
            ck_assert_double_eq((double)r.high, (double)cases[i].high);
        }
    }
}
END_TEST

/* One number far out: a share and the entropy leave it out; squares do not, it weighs more than all the others. */
START_TEST(a_far_number_is_cut_off)
{
    static float x[100001];
    for (int i = 0; i < 100000; i++)
        x[i] = drawn(i, 1);
    x[100000] = 40;
    cnnfi_histogram_of(histogram, x, 100001);
    ck_assert_double_eq((double)cnnfi_affine_choose(histogram, CNNFI_AFFINE_MIN_MAX, 1).high, 40);
    for (int method = CNNFI_AFFINE_PERCENTILE; method < CNNFI_AFFINE_METHODS; method++) {
        const cnnfi_affine_range r = cnnfi_affine_choose(histogram, (cnnfi_affine_method)method, 0.999);
        if (method == CNNFI_AFFINE_MSE) continue;
        ck_assert_msg(r.high > 1.2f && r.high < 30, "%d: %g", method, (double)r.high);
        ck_assert_msg(r.low < -0.6f && r.low > -1, "%d: %g", method, (double)r.low);
    }
}
END_TEST

START_TEST(integers_are_the_grids)
{
    const cnnfi_fake_grid wide = cnnfi_fake_quant_grid(-1, 3, 8, false), narrow = cnnfi_fake_quant_grid(-2, 2, 8, true);
    ck_assert_int_eq(wide.zero, 64);
    ck_assert_int_eq(cnnfi_fake_quant_integer(&wide, 0), 64);
    ck_assert_int_eq(cnnfi_fake_quant_integer(&wide, 99), 255);
    ck_assert_int_eq(cnnfi_fake_quant_integer(&wide, -99), 0);
    ck_assert_int_eq(cnnfi_fake_quant_integer(&wide, NAN), 64);
    ck_assert_int_eq(narrow.zero, 128);
    ck_assert_int_eq(cnnfi_fake_quant_integer(&narrow, -2), 1);
    ck_assert_int_eq(cnnfi_fake_quant_integer(&narrow, 2), 255);
    const cnnfi_fake_grid none = cnnfi_fake_quant_grid(0, 0, 8, false);
    ck_assert_int_eq(cnnfi_fake_quant_integer(&none, 5), none.zero);
}
END_TEST

/* ---- graphs ---- */

typedef struct bench {
    cnnf_context *context;
    cnnf_error *error;
    cnnf_graph *graph;
    cnnf_quantizer *quantizer;
    cnnf_tensor *x;
} bench;

static void ok(const bench *t, cnnf_status status)
{
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(t->error));
}

static void bench_begin(bench *t, const char *folder)
{
    char path[1024];
    *t = (bench){.context = test_context(), .error = cnnf_error_new()};
    snprintf(path, sizeof path, GOLDEN("vitis/%s/input.pb"), folder);
    ok(t, cnnf_load_file(&t->graph, t->context, path, NULL, t->error));
    snprintf(path, sizeof path, GOLDEN("vitis/%s/x0.npy"), folder);
    ok(t, cnnf_npy_load(&t->x, t->context, path, t->error));
}

static void bench_end(bench *t)
{
    cnnf_tensor_unref(t->x);
    cnnf_quantizer_free(t->quantizer);
    cnnf_graph_unref(t->graph);
    cnnf_error_free(t->error);
    test_context_done(t->context);
}

static void open_int8(bench *t, const char *output, const char *option, int64_t value)
{
    cnnf_quantizer_options *options = NULL;
    ok(t, cnnf_quantizer_options_new(&options, t->context, t->error));
    ok(t, cnnf_quantizer_options_add_output(options, output, t->error));
    ok(t, cnnf_quantizer_options_set(options, "scheme", 1, t->error));
    ok(t, cnnf_quantizer_options_set(options, option, value, t->error));
    ok(t, cnnf_quantizer_new(&t->quantizer, t->graph, options, t->error));
    cnnf_quantizer_options_free(options);
}

static void feed(bench *t)
{
    const char *const names[] = {cnnf_quantizer_input_name(t->quantizer, 0)};
    const cnnf_tensor *const tensors[] = {t->x};
    ok(t, cnnf_quantizer_feed(t->quantizer, names, tensors, 1, t->error));
}

static bool holds(const cnnf_buffer *buffer, const char *text)
{
    const size_t size = cnnf_buffer_size(buffer), length = strlen(text);
    const char *bytes = cnnf_buffer_data(buffer);
    for (size_t i = 0; i + length <= size; i++) {
        if (memcmp(bytes + i, text, length) == 0) return true;
    }
    return false;
}

static int64_t count_op(const cnnf_graph *graph, const char *op)
{
    int64_t n = 0;
    for (int64_t i = 0; i < cnnf_graph_node_count(graph); i++)
        n += strcmp(cnnf_node_op(cnnf_graph_node(graph, i)), op) == 0;
    return n;
}

static void run_graph(const bench *t, cnnf_tensor **y, const cnnf_graph *graph, const char *output)
{
    cnnf_evaluator *evaluator = NULL;
    const char *const names[] = {cnnf_quantizer_input_name(t->quantizer, 0)};
    const cnnf_tensor *const tensors[] = {t->x};
    ok(t, cnnf_evaluator_new(&evaluator, graph, NULL, t->error));
    ok(t, cnnf_evaluator_run(y, evaluator, names, tensors, 1, &output, 1, t->error));
    cnnf_evaluator_free(evaluator);
}

/* dB of the float graph's output over the difference. */
static double signal_to_noise(const bench *t, const cnnf_graph *graph, const char *output)
{
    cnnf_tensor *want = NULL, *got = NULL;
    double signal = 0, noise = 1e-30;
    run_graph(t, &want, t->graph, output);
    run_graph(t, &got, graph, output);
    const float *a = cnnf_tensor_data(want), *b = cnnf_tensor_data(got);
    ck_assert_int_eq(cnnf_tensor_element_count(want), cnnf_tensor_element_count(got));
    for (int64_t i = 0; i < cnnf_tensor_element_count(want); i++) {
        signal += (double)a[i] * (double)a[i];
        noise += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    }
    cnnf_tensor_unref(want);
    cnnf_tensor_unref(got);
    return 10 * log10(signal / noise);
}

static const struct {
    const char *folder, *output;
} graphs[] = {{"k225_merges", "concatenate_2/concat"},
              {"k225_conv2d_transpose", "conv2d_transpose_2/Relu"},
              {"x_dense_bn", "out"},
              {"x_relumax", "c2/BiasAdd"},
              {"x_bnshared", "out"}};

#define N_GRAPHS (int)(sizeof graphs / sizeof *graphs)

START_TEST(graphs_keep_their_signal)
{
    static const char *const options[] = {"ranges", "ranges", "ranges", "per_channel"};
    static const int64_t values[] = {CNNFI_AFFINE_MIN_MAX, CNNFI_AFFINE_PERCENTILE, CNNFI_AFFINE_MSE, 0};
    for (int i = 0; i < 4; i++) {
        bench t;
        cnnf_graph *made = NULL;
        bench_begin(&t, graphs[_i].folder);
        open_int8(&t, graphs[_i].output, options[i], values[i]);
        ck_assert_str_eq(cnnf_quantizer_output_name(t.quantizer, 0), graphs[_i].output);
        feed(&t);
        ok(&t, cnnf_quantizer_finish(&made, t.quantizer, t.error));
        ck_assert_int_gt(count_op(made, "FakeQuantWithMinMaxVars"), 0);
        ck_assert_int_eq(count_op(made, "_ObserveRange"), 0);
        const double db = signal_to_noise(&t, made, graphs[_i].output);
        ck_assert_msg(db > 20, "%s, %s=%d: %.1f dB", graphs[_i].folder, options[i], (int)values[i], db);
        cnnf_graph_unref(made);
        bench_end(&t);
    }
}
END_TEST

START_TEST(exports_are_integers)
{
    bench t;
    cnnf_graph *made = NULL;
    cnnf_buffer *model = NULL, *floats = NULL;
    cnnf_onnx_options *options = NULL;
    bench_begin(&t, graphs[_i].folder);
    open_int8(&t, graphs[_i].output, "ranges", CNNFI_AFFINE_MSE);
    feed(&t);
    ok(&t, cnnf_quantizer_finish(&made, t.quantizer, t.error));
    ok(&t, cnnf_onnx_options_new(&options, t.context, t.error));
    ok(&t, cnnf_onnx_options_add_output(options, graphs[_i].output, t.error));
    ok(&t, cnnf_write_onnx_buffer(&model, made, options, t.error));
    ok(&t, cnnf_write_onnx_buffer(&floats, t.graph, options, t.error));
    ck_assert(holds(model, "DequantizeLinear"));
    ck_assert(!holds(floats, "DequantizeLinear"));
    cnnf_onnx_options_free(options);
    cnnf_buffer_free(model);
    cnnf_buffer_free(floats);
    cnnf_graph_unref(made);
    bench_end(&t);
}
END_TEST

START_TEST(reports_and_refusals)
{
    bench t;
    cnnf_graph *made = NULL;
    bench_begin(&t, "x_dense_bn");
    open_int8(&t, "out", "kept", 999000);
    ck_assert_int_eq(cnnf_quantizer_finish(&made, t.quantizer, t.error), CNNF_E_INVALID);
    feed(&t);
    feed(&t);
    ck_assert_int_eq(cnnf_quantizer_deploy(&made, t.quantizer, t.error), CNNF_E_UNSUPPORTED);
    ck_assert_ptr_null(made);
    for (int32_t json = 0; json < 2; json++) {
        cnnf_buffer *report = NULL;
        ok(&t, cnnf_quantizer_report(&report, t.quantizer, json, t.error));
        ck_assert(holds(report, "fake_quant"));
        cnnf_buffer_free(report);
    }
    bench_end(&t);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("int8");
    TCase *t = tcase_create("int8");
    tcase_add_test(t, histograms_are_added_in_any_order);
    tcase_add_test(t, what_is_not_finite_is_not_counted);
    tcase_add_test(t, ranges_hold_zero);
    tcase_add_test(t, a_far_number_is_cut_off);
    tcase_add_test(t, integers_are_the_grids);
    tcase_add_loop_test(t, graphs_keep_their_signal, 0, N_GRAPHS);
    tcase_add_loop_test(t, exports_are_integers, 0, N_GRAPHS);
    tcase_add_test(t, reports_and_refusals);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
