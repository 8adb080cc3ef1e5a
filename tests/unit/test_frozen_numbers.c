/* SPDX-License-Identifier: Apache-2.0 */
/* Training graphs and SavedModels, frozen as the command freezes them, compute what TensorFlow does:
 * tests/golden/frozen. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "support.h"

#define MAX_OUTPUTS 2

typedef struct graph_case {
    const char *folder, *graph, *checkpoint, *saver; /* checkpoint, saver: NULL none */
    const char *input, *x;
    const char *outputs[MAX_OUTPUTS]; /* the ones to be found, in file order */
    const char *y[MAX_OUTPUTS];
} graph_case;

static const graph_case cases[] = {
    {"moving_averages", "eval.meta", "train.ckpt", NULL, "x", "x", {"prob"}, {"y"}},
    {"moving_averages", "eval.pb", "train.ckpt", "eval_saver.pb", "x", "x", {"prob"}, {"y"}},
    {"moving_averages", "eval.pb", "evalonly.ckpt", NULL, "x", "x", {"prob"}, {"y"}},
    {"phase_of_any_name", "g.pbtxt", "m.ckpt", NULL, "input", "x", {"out"}, {"y"}},
    {"two_heads", "g.pbtxt", "m.ckpt", NULL, "image", "x0", {"cls/Softmax", "box/BiasAdd"}, {"y0", "y1"}},
    {"two_heads", "m.ckpt.meta", "m.ckpt", NULL, "image", "x0", {"cls/Softmax", "box/BiasAdd"}, {"y0", "y1"}},
    {"same_names", "sm", NULL, NULL, "serving_default_args_0", "x0", {"StatefulPartitionedCall_1"}, {"y0"}},
    {"function_constant", "sm", NULL, NULL, "serving_default_x", "x0", {"StatefulPartitionedCall"}, {"y0"}},
    {"after_fit", "fit.ckpt.meta", "fit.ckpt", NULL, "conv2d_input", "x", {"probs/Softmax"}, {"y"}},
    {"gather", "sm", NULL, NULL, "serving_default_ids", "x", {"StatefulPartitionedCall"}, {"y"}},
    {"open_sizes", "sm", NULL, NULL, "serving_default_img", "x", {"StatefulPartitionedCall"}, {"y"}},
};

static const char *in_folder(char *room, size_t size, const graph_case *c, const char *file, const char *ending)
{
    snprintf(room, size, GOLDEN("frozen/%s/%s%s"), c->folder, file, ending);
    return room;
}

static cnnf_graph *load(cnnf_context *context, const graph_case *c, cnnf_error *error)
{
    char path[512];
    cnnf_load_options *options = NULL;
    cnnf_graph *graph = NULL, *bound = NULL;
    ck_assert_int_eq(cnnf_load_options_new(&options, context, error), CNNF_OK);
    if (c->saver) {
        in_folder(path, sizeof path, c, c->saver, "");
        ck_assert_int_eq(cnnf_load_options_set_saver_file(options, path, error), CNNF_OK);
    }
    in_folder(path, sizeof path, c, c->graph, "");
    ck_assert_msg(cnnf_load_file(&graph, context, path, options, error) == CNNF_OK, "%s", cnnf_error_message(error));
    if (c->checkpoint) {
        in_folder(path, sizeof path, c, c->checkpoint, "");
        const cnnf_status status = cnnf_bind_checkpoint(&bound, graph, path, options, error);
        ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
    } else {
        bound = cnnf_graph_ref(graph);
    }
    cnnf_graph_unref(graph);
    cnnf_load_options_free(options);
    return bound;
}

static cnnf_graph *with_passes(cnnf_context *context, const cnnf_graph *graph, const char *passes, const graph_case *c,
                               cnnf_error *error)
{
    cnnf_pipeline *pipeline = NULL;
    cnnf_graph *out = NULL;
    ck_assert_int_eq(cnnf_pipeline_new(&pipeline, context, error), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_add(pipeline, passes, error), CNNF_OK);
    for (int i = 0; i < MAX_OUTPUTS && c->outputs[i]; i++)
        ck_assert_int_eq(cnnf_pipeline_add_output(pipeline, c->outputs[i], error), CNNF_OK);
    const cnnf_status status = cnnf_pipeline_run(&out, pipeline, graph, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
    cnnf_pipeline_free(pipeline);
    return out;
}

/* What nobody names is found. */
static void assert_outputs_are_found(const cnnf_graph *graph, const graph_case *c, cnnf_error *error)
{
    cnnf_buffer *names = NULL;
    char wanted[256] = "";
    if (cnnf_graph_output_count(graph)) return; /* the file says it */
    for (int i = 0; i < MAX_OUTPUTS && c->outputs[i]; i++)
        snprintf(wanted + strlen(wanted), sizeof wanted - strlen(wanted), "%s\n", c->outputs[i]);
    ck_assert_int_eq(cnnf_graph_guess_outputs(&names, graph, error), CNNF_OK);
    ck_assert_str_eq(cnnf_buffer_data(names), wanted);
    cnnf_buffer_free(names);
}

static cnnf_graph *freeze(cnnf_context *context, const graph_case *c, cnnf_error *error)
{
    cnnf_graph *graph = load(context, c, error), *frozen = NULL;
    cnnf_freeze_options *options = NULL;
    assert_outputs_are_found(graph, c, error);
    cnnf_graph *inference = with_passes(context, graph, "inline_functions set_learning_phase remove_dropout", c, error);
    ck_assert_int_eq(cnnf_freeze_options_new(&options, context, error), CNNF_OK);
    for (int i = 0; i < MAX_OUTPUTS && c->outputs[i]; i++)
        ck_assert_int_eq(cnnf_freeze_options_add_output(options, c->outputs[i], error), CNNF_OK);
    const cnnf_status status = cnnf_freeze(&frozen, NULL, inference, options, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
    cnnf_freeze_options_free(options);
    cnnf_graph_unref(inference);
    cnnf_graph_unref(graph);
    return frozen;
}

static void assert_equals(const cnnf_tensor *got, cnnf_context *context, const graph_case *c, const char *file)
{
    char path[512];
    cnnf_tensor *want = NULL;
    in_folder(path, sizeof path, c, file, ".npy");
    ck_assert_int_eq(cnnf_npy_load(&want, context, path, NULL), CNNF_OK);
    const float *a = cnnf_tensor_data(got), *b = cnnf_tensor_data(want);
    ck_assert_int_eq(cnnf_tensor_element_count(got), cnnf_tensor_element_count(want));
    for (int64_t i = 0; i < cnnf_tensor_element_count(want); i++) {
        const float most = 1e-4f * fmaxf(1, fabsf(b[i]));
        ck_assert_msg(fabsf(a[i] - b[i]) <= most, "%s: element %d is %g, not %g", path, (int)i, (double)a[i],
                      (double)b[i]);
    }
    cnnf_tensor_unref(want);
}

/* As it came (functions, variables, what training needs) against what was frozen: only what outputs need is fed. */
START_TEST(compared_with_what_it_was)
{
    const graph_case *c = &cases[_i];
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    cnnf_graph *graph = load(context, c, error), *frozen = freeze(context, c, error);
    cnnf_graph *inference = with_passes(context, graph, "set_learning_phase remove_dropout", c, error);
    cnnf_comparison_options *options = NULL;
    cnnf_comparison *comparison = NULL;
    ck_assert_int_eq(cnnf_comparison_options_new(&options, context, error), CNNF_OK);
    for (int i = 0; i < MAX_OUTPUTS && c->outputs[i]; i++)
        ck_assert_int_eq(cnnf_comparison_options_add_output(options, c->outputs[i], NULL, error), CNNF_OK);
    const cnnf_status status = cnnf_compare_numbers(&comparison, inference, frozen, options, error);
    ck_assert_msg(status == CNNF_OK, "%s: %s", c->folder, cnnf_error_message(error));
    ck_assert(cnnf_comparison_within(comparison));
    ck_assert_int_gt(cnnf_comparison_count(comparison), 0);
    cnnf_comparison_free(comparison);
    cnnf_comparison_options_free(options);
    cnnf_graph_unref(inference);
    cnnf_graph_unref(frozen);
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

START_TEST(numbers_are_those_of_tensorflow)
{
    const graph_case *c = &cases[_i];
    char path[512];
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    cnnf_graph *frozen = freeze(context, c, error);
    cnnf_evaluator *evaluator = NULL;
    cnnf_tensor *x = NULL, *got[MAX_OUTPUTS] = {NULL};
    const size_t outputs = c->outputs[1] ? 2 : 1;
    ck_assert_int_eq(cnnf_npy_load(&x, context, in_folder(path, sizeof path, c, c->x, ".npy"), error), CNNF_OK);
    ck_assert_int_eq(cnnf_evaluator_new(&evaluator, frozen, NULL, error), CNNF_OK);
    const cnnf_tensor *const feeds[] = {x};
    const cnnf_status status = cnnf_evaluator_run(got, evaluator, &c->input, feeds, 1, c->outputs, outputs, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
    for (size_t i = 0; i < outputs; i++) {
        assert_equals(got[i], context, c, c->y[i]);
        cnnf_tensor_unref(got[i]);
    }
    cnnf_tensor_unref(x);
    cnnf_evaluator_free(evaluator);
    cnnf_graph_unref(frozen);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

static Suite *frozen_numbers_suite(void)
{
    Suite *suite = suite_create("frozen_numbers");
    TCase *tcase = tcase_create("golden");
    tcase_add_loop_test(tcase, numbers_are_those_of_tensorflow, 0, (int)(sizeof cases / sizeof *cases));
    tcase_add_loop_test(tcase, compared_with_what_it_was, 0, (int)(sizeof cases / sizeof *cases));
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(frozen_numbers_suite)
