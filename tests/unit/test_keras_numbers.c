/* SPDX-License-Identifier: Apache-2.0 */
/* Models loaded, frozen and evaluated give what their Keras gives: tests/golden/numbers/README.md. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "support.h"

#define MAX_ENDS 4

typedef struct model_case {
    const char *folder, *file;
    int inputs, outputs;
} model_case;

static const model_case cases[] = {
    {"i2_act_leaky", "model.h5", 1, 1},
    {"i2_act_prelu", "model.h5", 1, 1},
    {"i2_bn_i32", "model.h5", 1, 1},
    {"i2_dense_i64", "model.h5", 1, 1},
    {"i3_act_relulayer", "model.h5", 1, 1},
    {"i3_flat_dense_u8", "model.h5", 1, 1},
    {"k2.13.1", "model.keras", 1, 1},
    {"k2.15win", "model.keras", 1, 1},
    {"m3_F_feat", "model.h5", 1, 2},
    {"m3_F_feat", "model.keras", 1, 2},
    {"m3_F_first_out", "model.h5", 2, 2},
    {"m3_F_first_out", "model.keras", 2, 2},
    {"n7_one", "model.h5", 1, 1},
    {"n7_one", "model.keras", 1, 1},
    {"n7_wrong2", "model.h5", 1, 2},
    {"n7_wrong2", "model.keras", 1, 2},
    {"o2_ops", "model.h5", 1, 1},
    {"w2_seq", "old.h5", 1, 1},
    {"w2_seq", "w.weights.h5", 1, 1},
    {"w3_func", "w.weights.h5", 1, 1},
    {"r1_gru_back", "model.h5", 1, 1},
    {"r1_keras1_both", "model.h5", 1, 1},
    {"r1_words", "model.h5", 1, 1},
    {"r2_both", "model.h5", 1, 1},
    {"r2_conv", "model.h5", 1, 1},
    {"r2_cudnn", "model.h5", 1, 1},
    {"r1_open", "model.h5", 1, 1},
    {"r2_open", "model.h5", 1, 1},
    {"r3_open", "model.keras", 1, 1},
    {"r3_stack", "model.keras", 1, 1},
    {"r3_states", "model.keras", 2, 1},
    {"f2_caffe", "model.h5", 1, 1},
    {"k2.two_levels", "model.keras", 1, 2},
    {"addon_in1", "model.h5", 1, 1},
    {"addon_in2", "model.h5", 1, 1},
    {"addon_in3", "model.h5", 1, 1},
    {"addon_in4", "model.h5", 1, 1},
    {"addon_l2", "model.h5", 1, 1},
    {"addon_gn", "model.h5", 1, 1},
    {"addon_ain", "model.h5", 1, 1},
    {"gpus", "model.h5", 1, 1},
    {"w_tfw", "weights", 1, 1},
    {"w_tfq", "weights", 1, 1},
    {"s_no_shape", "model.h5", 1, 1},
    {"l2_att5", "model.h5", 4, 2},
    {"l2_di2", "model.h5", 1, 1},
    {"l3_gqa3", "model.keras", 1, 1},
    {"l3_mha2", "model.keras", 2, 1},
    {"l3_sn2", "model.keras", 1, 1},
    {"q2_seq", "model.h5", 1, 1},
    {"q2_seq", "model.keras", 1, 1},
    {"q2_many", "model.keras", 1, 1},
    {"q2_clusters", "model.h5", 1, 1},
    {"q2_clusters", "model.keras", 1, 1},
    {"q2_pruned", "model.keras", 1, 1},
};

static const char *path_in(char *room, size_t size, const model_case *c, const char *file)
{
    snprintf(room, size, GOLDEN("numbers/%s/%s"), c->folder, file);
    return room;
}

static cnnf_graph *load_frozen(cnnf_context *context, const model_case *c, cnnf_error *error)
{
    char path[512], architecture[512];
    cnnf_load_options *options = NULL;
    cnnf_graph *model = NULL, *frozen = NULL;
    ck_assert_int_eq(cnnf_load_options_new(&options, context, NULL), CNNF_OK);
    if (c->folder[0] == 'w') {
        path_in(architecture, sizeof architecture, c, "arch.json");
        ck_assert_int_eq(cnnf_load_options_set_architecture_file(options, architecture, NULL), CNNF_OK);
    }
    if (c->folder[0] == 's') {
        static const int64_t dims[] = {8, 8, 1};
        ck_assert_int_eq(cnnf_load_options_set_input_shape(options, 3, dims, NULL), CNNF_OK);
    }
    const cnnf_status status = cnnf_load_file(&model, context, path_in(path, sizeof path, c, c->file), options, error);
    ck_assert_msg(status == CNNF_OK, "%s/%s: %s", c->folder, c->file, cnnf_error_message(error));
    ck_assert_int_eq(cnnf_freeze(&frozen, NULL, model, NULL, error), CNNF_OK);
    cnnf_graph_unref(model);
    cnnf_load_options_free(options);
    return frozen;
}

static cnnf_tensor *numbers(cnnf_context *context, const model_case *c, char kind, int index)
{
    char path[512], file[32];
    cnnf_tensor *tensor = NULL;
    snprintf(file, sizeof file, "%c%d.npy", kind, index);
    ck_assert_int_eq(cnnf_npy_load(&tensor, context, path_in(path, sizeof path, c, file), NULL), CNNF_OK);
    return tensor;
}

static void assert_close(const cnnf_tensor *got, const cnnf_tensor *want, const model_case *c)
{
    const float *a = cnnf_tensor_data(got), *b = cnnf_tensor_data(want);
    float largest = 1;
    ck_assert_int_eq(cnnf_tensor_dtype(want), CNNF_FLOAT);
    ck_assert_int_eq(cnnf_tensor_dtype(got), CNNF_FLOAT);
    ck_assert_int_eq(cnnf_tensor_element_count(got), cnnf_tensor_element_count(want));
    for (int64_t i = 0; i < cnnf_tensor_element_count(want); i++)
        largest = fmaxf(largest, fabsf(b[i]));
    for (int64_t i = 0; i < cnnf_tensor_element_count(want); i++) {
        ck_assert_msg(fabsf(a[i] - b[i]) <= 1e-4f * largest, "%s/%s: element %d is %g, Keras gives %g", c->folder,
                      c->file, (int)i, (double)a[i], (double)b[i]);
    }
}

/* What is wrong is said, all of it at once. */
START_TEST(refused)
{
    static const struct {
        const char *path, *text;
    } refusals[] = {
        {GOLDEN("numbers/unsupported/model.h5"),
         "2 classes are not supported: 'Foo' (layer 'f1' and 1 more), 'Bar' (layer 'b1'); --map_layer"},
        {GOLDEN("numbers/s_no_shape/model.h5"), "no input shape is known: give it with --input_shape"},
    };
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    cnnf_graph *graph = NULL;
    ck_assert_int_eq(cnnf_load_file(&graph, context, refusals[_i].path, NULL, error), CNNF_E_UNSUPPORTED);
    ck_assert_ptr_null(graph);
    ck_assert_msg(strstr(cnnf_error_message(error), refusals[_i].text) != NULL, "%s", cnnf_error_message(error));
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

START_TEST(a_checkpoint_of_something_else_has_no_weights)
{
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    cnnf_load_options *options = NULL;
    cnnf_graph *graph = NULL;
    ck_assert_int_eq(cnnf_load_options_new(&options, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_load_options_set_architecture_file(options, GOLDEN("numbers/w_tfw/arch.json"), NULL),
                     CNNF_OK);
    ck_assert_int_eq(cnnf_load_file(&graph, context, GOLDEN("frozen/after_fit/fit.ckpt"), options, error),
                     CNNF_E_FORMAT);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "no weights of a Keras model in this checkpoint"));
    ck_assert_int_ne(cnnf_load_file(&graph, context, GOLDEN("numbers/w_tfq/weights"), options, error), CNNF_OK);
    ck_assert_ptr_null(graph);
    cnnf_load_options_free(options);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

START_TEST(input_shapes_have_sizes)
{
    static const int64_t dims[] = {-1, 8, 8, -2};
    cnnf_context *context = test_context();
    cnnf_load_options *options = NULL;
    ck_assert_int_eq(cnnf_load_options_new(&options, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_load_options_set_input_shape(options, 3, dims, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_load_options_set_input_shape(options, 4, dims, NULL), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_load_options_set_input_shape(options, 0, dims, NULL), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_load_options_set_input_shape(options, 9, dims, NULL), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_load_options_set_input_shape(options, 1, NULL, NULL), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_load_options_set_input_shape(NULL, 1, dims, NULL), CNNF_E_INVALID);
    cnnf_load_options_free(options);
    test_context_done(context);
}
END_TEST

START_TEST(numbers_are_those_of_keras)
{
    const model_case *c = &cases[_i];
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    cnnf_graph *graph = load_frozen(context, c, error);
    cnnf_evaluator *evaluator = NULL;
    const char *inputs[MAX_ENDS], *outputs[MAX_ENDS];
    cnnf_tensor *x[MAX_ENDS] = {NULL}, *got[MAX_ENDS] = {NULL}, *want[MAX_ENDS] = {NULL};
    ck_assert_int_eq(cnnf_graph_input_count(graph), c->inputs);
    ck_assert_int_eq(cnnf_graph_output_count(graph), c->outputs);
    for (int i = 0; i < c->inputs; i++) {
        inputs[i] = cnnf_graph_input_name(graph, i);
        x[i] = numbers(context, c, 'x', i);
    }
    for (int i = 0; i < c->outputs; i++)
        outputs[i] = cnnf_graph_output_name(graph, i);
    ck_assert_int_eq(cnnf_evaluator_new(&evaluator, graph, NULL, error), CNNF_OK);
    const cnnf_status status = cnnf_evaluator_run(got, evaluator, inputs, (const cnnf_tensor *const *)x,
                                                  (size_t)c->inputs, outputs, (size_t)c->outputs, error);
    ck_assert_msg(status == CNNF_OK, "%s/%s: %s", c->folder, c->file, cnnf_error_message(error));
    for (int i = 0; i < c->outputs; i++) {
        want[i] = numbers(context, c, 'y', i);
        assert_close(got[i], want[i], c);
        cnnf_tensor_unref(got[i]);
        cnnf_tensor_unref(want[i]);
    }
    for (int i = 0; i < c->inputs; i++)
        cnnf_tensor_unref(x[i]);
    cnnf_evaluator_free(evaluator);
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

static Suite *keras_numbers_suite(void)
{
    Suite *suite = suite_create("keras_numbers");
    TCase *tcase = tcase_create("golden");
    tcase_add_loop_test(tcase, numbers_are_those_of_keras, 0, (int)(sizeof cases / sizeof *cases));
    tcase_add_loop_test(tcase, refused, 0, 2);
    tcase_add_test(tcase, a_checkpoint_of_something_else_has_no_weights);
    tcase_add_test(tcase, input_shapes_have_sizes);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(keras_numbers_suite)
