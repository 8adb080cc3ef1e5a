/* SPDX-License-Identifier: Apache-2.0 */
/* FixNeuron: rounding in every mode against the same told in doubles, positions of every method. */
#include "ops/fixed_grid.h"

#include <float.h>
#include <math.h>

#include "evaluator/kernels/kernel.h"
#include "graph/builder.h"
#include "support.h"

/* The op in words: the nearest multiple of the step, halves by the mode, within the range. */
static double expected(double x, int bits, int position, bool up)
{
    const double v = ldexp(x, position), below = floor(v), rest = v - below, half = ldexp(1.0, bits - 1);
    double whole = rest > 0.5 ? below + 1 : rest < 0.5 ? below : v > 0 || up ? below + 1 : below;
    whole = whole < -half ? -half : whole > half - 1 ? half - 1 : whole;
    return ldexp(whole, -position);
}

static const float numbers[] = {0.0f,   0.5f,   -0.5f,  1.5f,    -1.5f,    2.5f,    -2.5f,   0.49999997f, -0.49999997f,
                                3.3f,   -7.9f,  126.5f, 127.5f,  1e9f,     -127.5f, -128.5f, -129.0f,     -1e9f,
                                1e-20f, -1e-3f, 0.007f, 8388607, 16777215, 0.25f,   -0.75f,  1e38f,       -1e38f};
#define N_NUMBERS ((int64_t)(sizeof numbers / sizeof *numbers))

START_TEST(rounds_to_the_grid)
{
    static const int bits[] = {2, 4, 8, 16, 24};
    for (size_t b = 0; b < sizeof bits / sizeof *bits; b++) {
        for (int position = -20; position <= 20; position++) {
            for (int mode = 0; mode < 3; mode++) {
                float y[sizeof numbers / sizeof *numbers];
                cnnfi_fix_neuron_round(y, numbers, N_NUMBERS, bits[b], position, (cnnfi_fix_mode)mode);
                for (int64_t i = 0; i < N_NUMBERS; i++) {
                    const double want = expected((double)numbers[i], bits[b], position, mode == CNNFI_FIX_ACTIVATION);
                    ck_assert_msg((double)y[i] == want, "%g, %d bits, position %d, mode %d: %g, not %g",
                                  (double)numbers[i], bits[b], position, mode, (double)y[i], want);
                }
            }
        }
    }
}
END_TEST

START_TEST(tiny_numbers_are_zero)
{
    const float x[] = {FLT_MIN / 2, -FLT_MIN / 2, FLT_MIN, 0.0f};
    float y[4];
    for (int position = 120; position <= CNNFI_FIX_MAX_POSITION; position++) {
        cnnfi_fix_neuron_round(y, x, 4, 8, position, CNNFI_FIX_WEIGHT);
        ck_assert(y[0] == 0.0f && y[1] == 0.0f && y[3] == 0.0f);
        for (int i = 0; i < 4; i++)
            ck_assert(y[i] == 0.0f || fabsf(y[i]) >= FLT_MIN);
    }
    const cnnfi_fix_range range = cnnfi_fix_neuron_range(x, 2);
    ck_assert(range.least == 0.0f && range.most == 0.0f);
    ck_assert_int_eq(cnnfi_fix_neuron_position(range, 8), CNNFI_FIX_ZERO_POSITION);
}
END_TEST

START_TEST(the_finest_grid_that_holds_a_range)
{
    static const struct {
        float least, most;
        int64_t bits, position;
    } rows[] = {
        {0, 1, 8, 6},       {-1, 1, 8, 6},    {0, 127.5f, 8, 0}, {0, 127.49f, 8, 0}, {0, 127.51f, 8, -1},
        {-128.5f, 0, 8, 0}, {-129, 0, 8, -1}, {0, 0, 8, 127},    {0.1f, 0.9f, 8, 7}, {0, 255.0f / 256, 8, 7},
        {-2, 3, 4, 1},      {0, 1, 16, 14},   {5, 6, 8, 4},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const cnnfi_fix_range range = {rows[i].least, rows[i].most};
        ck_assert_int_eq(cnnfi_fix_neuron_position(range, rows[i].bits), rows[i].position);
    }
}
END_TEST

START_TEST(errors_add_up_in_order)
{
    /* With step 1: errors 0.25^2 + 0.5^2, and of the last 100 - 7. */
    const float x[] = {1.25f, -2.5f, 100.0f};
    ck_assert(cnnfi_fix_neuron_error(x, 2, 8, 0, CNNFI_FIX_WEIGHT, CNNFI_FIX_MIN_DIFFS) == 0.0625 + 0.25);
    ck_assert(cnnfi_fix_neuron_error(x, 3, 4, 0, CNNFI_FIX_WEIGHT, CNNFI_FIX_MIN_DIFFS) == 0.0625 + 0.25 + 8649.0);
    /* Relative, depthwise only: sqrt(0.25 / 1.25) + sqrt(0.5 / 2.5). */
    const double relative = cnnfi_fix_neuron_error(x, 2, 8, 0, CNNFI_FIX_DEPTHWISE_WEIGHT, CNNFI_FIX_MIN_DEPTHWISE);
    ck_assert_double_eq_tol(relative, sqrt(0.2) + sqrt(0.2), 1e-6);
    ck_assert(cnnfi_fix_neuron_error(x, 2, 8, 0, CNNFI_FIX_WEIGHT, CNNFI_FIX_MIN_DEPTHWISE) == 0.3125);
}
END_TEST

/* ---- the ops ---- */

typedef struct bench {
    cnnf_context *context;
    cnnf_graph *graph;
    cnnf_evaluator *evaluator;
    cnnf_tensor *x, *outputs[2];
    cnnf_error *error;
} bench;

/* Feeds 64 numbers k / 7 - 3 to the op with the given attributes. */
static cnnf_status run_op(bench *t, const char *op, int64_t bits, int64_t position, int64_t phase, size_t outputs)
{
    static const char *const feeds[] = {"x"}, *const fetches[] = {"y", "y:1"};
    cnnfi_builder *b = NULL;
    const int64_t dims[] = {4, 16};
    t->context = test_context();
    ck_assert_ptr_nonnull(t->error = cnnf_error_new());
    ck_assert_int_eq(cnnfi_builder_new(&b, t->context, NULL), CNNF_OK);
    cnnfi_node_set_type(b, cnnfi_builder_add(b, "Placeholder", "x"), "dtype", CNNF_FLOAT);
    cnnf_node *y = cnnfi_builder_add(b, op, "y");
    cnnfi_node_add_input(b, y, "x");
    cnnfi_node_set_type(b, y, "T", CNNF_FLOAT);
    cnnfi_node_set_int(b, y, "bit_width", bits);
    cnnfi_node_set_int(b, y, "method", 1);
    cnnfi_node_set_int(b, y, "mode", 1);
    cnnfi_node_set_int(b, y, "phase", phase);
    cnnfi_node_set_int(b, y, "quantize_pos", position);
    ck_assert_int_eq(cnnfi_builder_publish(&t->graph, b, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_tensor_new(&t->x, t->context, CNNF_FLOAT, 2, dims, NULL), CNNF_OK);
    for (int i = 0; i < 64; i++)
        ((float *)cnnf_tensor_data_mut(t->x))[i] = (float)i / 7.0f - 3.0f;
    ck_assert_int_eq(cnnf_evaluator_new(&t->evaluator, t->graph, NULL, NULL), CNNF_OK);
    const cnnf_tensor *const values[] = {t->x};
    return cnnf_evaluator_run(t->outputs, t->evaluator, feeds, values, 1, fetches, outputs, t->error);
}

static void bench_done(bench *t)
{
    cnnf_tensor_unref(t->x);
    cnnf_tensor_unref(t->outputs[0]);
    cnnf_tensor_unref(t->outputs[1]);
    cnnf_evaluator_free(t->evaluator);
    cnnf_graph_unref(t->graph);
    cnnf_error_free(t->error);
    test_context_done(t->context);
}

static void check_grid(const bench *t, int position)
{
    const float *x = cnnf_tensor_data(t->x), *y = cnnf_tensor_data(t->outputs[0]);
    for (int i = 0; i < 64; i++)
        ck_assert((double)y[i] == expected((double)x[i], 8, position, true));
}

START_TEST(the_op_rounds_at_its_position)
{
    bench t = {0};
    ck_assert_int_eq(run_op(&t, "FixNeuron", 8, 5, CNNFI_FIX_EVALUATE, 1), CNNF_OK);
    check_grid(&t, 5);
    bench_done(&t);
}
END_TEST

START_TEST(calibrating_finds_the_position)
{
    bench t = {0}, u = {0};
    ck_assert_int_eq(run_op(&t, "_CalibrateFixNeuron", 8, 0, CNNFI_FIX_CALIBRATE, 2), CNNF_OK);
    const double *facts = cnnf_tensor_data(t.outputs[1]);
    ck_assert_int_eq(cnnf_tensor_element_count(t.outputs[1]), CNNFI_FIX_FACTS);
    ck_assert(facts[CNNFI_FIX_FACT_LEAST] == -3.0 && facts[CNNFI_FIX_FACT_MOST] == (double)(9.0f - 3.0f));
    ck_assert(facts[CNNFI_FIX_FACT_COUNT] == 64.0 && facts[CNNFI_FIX_FACT_SATURATED] == 0.0);
    ck_assert(facts[CNNFI_FIX_FACT_POSITION] == 4.0);
    check_grid(&t, 4);
    bench_done(&t);
    ck_assert_int_eq(run_op(&u, "FixNeuron", 8, 0, CNNFI_FIX_CALIBRATE, 1), CNNF_OK);
    check_grid(&u, 4);
    bench_done(&u);
}
END_TEST

START_TEST(attributes_out_of_range_are_refused)
{
    static const struct {
        int64_t bits, position, phase;
    } rows[] = {{0, 0, 1}, {25, 0, 1}, {8, 500, 1}, {8, INT64_MIN, 1}, {8, 0, 3}, {INT64_MAX, 0, 1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bench t = {0};
        ck_assert_int_eq(run_op(&t, "FixNeuron", rows[i].bits, rows[i].position, rows[i].phase, 1), CNNF_E_CORRUPT);
        bench_done(&t);
    }
}
END_TEST

static Suite *fix_neuron_suite(void)
{
    Suite *suite = suite_create("fix_neuron");
    TCase *tests = tcase_create("fix_neuron");
    tcase_add_test(tests, rounds_to_the_grid);
    tcase_add_test(tests, tiny_numbers_are_zero);
    tcase_add_test(tests, the_finest_grid_that_holds_a_range);
    tcase_add_test(tests, errors_add_up_in_order);
    tcase_add_test(tests, the_op_rounds_at_its_position);
    tcase_add_test(tests, calibrating_finds_the_position);
    tcase_add_test(tests, attributes_out_of_range_are_refused);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(fix_neuron_suite)
