/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Graphs built from Keras files. tests/golden/keras/<world>_<case>.h5 were written by Keras 2.2.5 and tf.keras 2.15;
 * the .txt beside each is what that Keras built of it: variables, inputs, outputs, and the nodes the outputs need.
 */
#include <stdio.h>
#include <string.h>

#include "support.h"

static const char *const cases[] = {
    "k225_activations",
    "k225_adv2",
    "k225_bn_variants",
    "k225_cf13",
    "k225_conv1d",
    "k225_conv2d_transpose",
    "k225_dense_nd",
    "k225_nested",
    "k225_separable",
    "k225_sequential",
    "k225_shared",
    "k225_text_cnn",
    "tfk_acts2",
    "tfk_adv2",
    "tfk_bn_variants",
    "tfk_cf13",
    "tfk_conv2d_transpose",
    "tfk_dense_nd",
    "tfk_dilun",
    "tfk_nested",
    "tfk_norms",
    "tfk_shared",
    "tfk_text_cnn",
};

static cnnf_context *context;
static cnnf_load_options *options;

static void setup(void)
{
    context = test_context();
    ck_assert_int_eq(cnnf_load_options_new(&options, context, NULL), CNNF_OK);
}

static void teardown(void)
{
    cnnf_load_options_free(options);
    test_context_done(context);
}

static cnnf_graph *load(const char *name)
{
    char path[512];
    cnnf_error *error = cnnf_error_new();
    cnnf_graph *graph = NULL;
    snprintf(path, sizeof path, "%s/tests/golden/keras/%s.h5", SOURCE_ROOT, name);
    cnnf_status status = cnnf_load_file(&graph, context, path, options, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
    cnnf_error_free(error);
    return graph;
}

static void check_node(const cnnf_graph *graph, const char *name, char *op)
{
    char *inputs = strchr(op, '|');
    char *save = NULL;
    int64_t i = 0;
    *inputs++ = '\0';
    const cnnf_node *node = cnnf_graph_find(graph, name);
    ck_assert_msg(node != NULL, "%s is missing", name);
    ck_assert_msg(strcmp(cnnf_node_op(node), op) == 0, "%s is a %s, not a %s", name, cnnf_node_op(node), op);
    for (char *input = strtok_r(inputs, " ", &save); input; input = strtok_r(NULL, " ", &save), i++) {
        const char *have = cnnf_node_input(node, i);
        ck_assert_msg(have && strcmp(have, input) == 0, "input %d of %s is %s, not %s", (int)i, name,
                      have ? have : "none", input);
    }
    ck_assert_int_eq(cnnf_node_input_count(node), i);
}

static void check_line(const cnnf_graph *graph, char *line, int64_t *counts)
{
    static const char *const words[] = {"variable ", "input ", "output "};
    for (int i = 0; i < 3; i++) {
        size_t length = strlen(words[i]);
        if (strncmp(line, words[i], length) != 0) continue;
        const char *name = line + length;
        if (i == 0) ck_assert_msg(cnnf_node_is_variable(cnnf_graph_find(graph, name)), "no variable %s", name);
        if (i == 1) ck_assert_str_eq(cnnf_graph_input_name(graph, counts[i]), name);
        if (i == 2) ck_assert_str_eq(cnnf_graph_output_name(graph, counts[i]), name);
        counts[i]++;
        return;
    }
    char *op = strchr(line, '|');
    *op++ = '\0';
    check_node(graph, line, op);
}

START_TEST(nodes_are_keras_own)
{
    const char *name = cases[_i];
    char path[512], line[8192];
    int64_t counts[3] = {0};
    snprintf(path, sizeof path, "%s/tests/golden/keras/%s.txt", SOURCE_ROOT, name);
    FILE *file = fopen(path, "r");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(cnnf_load_options_set_training_state(options, 0, NULL), CNNF_OK);
    cnnf_graph *graph = load(name);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        check_line(graph, line, counts);
    }
    fclose(file);
    ck_assert_int_eq(cnnf_graph_variable_count(graph), counts[0]);
    ck_assert_int_eq(cnnf_graph_input_count(graph), counts[1]);
    ck_assert_int_eq(cnnf_graph_output_count(graph), counts[2]);
    cnnf_graph_unref(graph);
}
END_TEST

START_TEST(suffix_renames_the_first_component)
{
    ck_assert_int_eq(cnnf_load_options_set_name_suffix(options, "_1", NULL), CNNF_OK);
    cnnf_graph *graph = load("k225_nested");
    ck_assert_str_eq(cnnf_graph_input_name(graph, 0), "input_1_1");
    ck_assert_str_eq(cnnf_graph_output_name(graph, 0), "dense_1_1/BiasAdd");
    ck_assert_ptr_nonnull(cnnf_graph_find(graph, "sequential_1_1/conv2d_1/convolution"));
    ck_assert_ptr_nonnull(cnnf_graph_find(graph, "batch_normalization_1_1/moving_mean/biased_1"));
    cnnf_graph_unref(graph);
}
END_TEST

static int64_t count_op(const cnnf_graph *graph, const char *op)
{
    int64_t count = 0;
    for (int64_t i = 0; i < cnnf_graph_node_count(graph); i++) {
        count += strcmp(cnnf_node_op(cnnf_graph_node(graph, i)), op) == 0;
    }
    return count;
}

START_TEST(kind_of_variable_can_be_chosen)
{
    ck_assert_int_eq(cnnf_load_options_set_variables(options, CNNF_VARIABLES_RESOURCE, NULL), CNNF_OK);
    cnnf_graph *graph = load("k225_nested");
    ck_assert_int_eq(count_op(graph, "VarHandleOp"), 16);
    ck_assert_int_eq(count_op(graph, "VariableV2"), 0);
    ck_assert_ptr_nonnull(cnnf_graph_find(graph, "dense_1/MatMul/ReadVariableOp"));
    cnnf_graph_unref(graph);

    ck_assert_int_eq(cnnf_load_options_set_variables(options, CNNF_VARIABLES_REFERENCE, NULL), CNNF_OK);
    graph = load("tfk_nested");
    ck_assert_int_eq(count_op(graph, "VariableV2"), 8);
    ck_assert_int_eq(count_op(graph, "VarHandleOp"), 0);
    ck_assert_str_eq(cnnf_node_input(cnnf_graph_find(graph, "dense/MatMul"), 1), "dense/kernel/read");
    cnnf_graph_unref(graph);
}
END_TEST

START_TEST(optimizer_comes_with_the_training_state)
{
    static const char *const names[] = {"Adam/lr",    "Adam/beta_1",     "Adam/beta_2",
                                        "Adam/decay", "Adam/iterations", "training/Adam/Variable"};
    cnnf_graph *graph = load("k225_sequential");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const cnnf_node *node = cnnf_graph_find(graph, names[i]);
        ck_assert_msg(node && cnnf_node_value(node), "%s", names[i]);
    }
    ck_assert_int_eq(cnnf_node_attr_type(cnnf_graph_find(graph, "Adam/iterations"), "dtype", 0), CNNF_INT64);
    cnnf_graph_unref(graph);
    ck_assert_int_eq(cnnf_load_options_set_training_state(options, 0, NULL), CNNF_OK);
    graph = load("k225_sequential");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        ck_assert_ptr_null(cnnf_graph_find(graph, names[i]));
    cnnf_graph_unref(graph);
}
END_TEST

/* Loading fails with `code` and a message that holds each of the words. */
static void refused(const char *name, cnnf_status code, const char *const *words)
{
    cnnf_error *error = cnnf_error_new();
    cnnf_graph *graph = NULL;
    char path[512];
    snprintf(path, sizeof path, "%s/tests/golden/keras/%s.h5", SOURCE_ROOT, name);
    ck_assert_int_eq(cnnf_load_file(&graph, context, path, options, error), code);
    ck_assert_ptr_null(graph);
    for (; *words; words++) {
        ck_assert_msg(strstr(cnnf_error_message(error), *words), "'%s' is not in: %s", *words,
                      cnnf_error_message(error));
    }
    cnnf_error_free(error);
}

START_TEST(unknown_class_is_refused_by_name)
{
    static const char *const words[] = {"layer 'conv2d_1': class 'Convolver' is not supported", "--map_layer",
                                        "--drop_layer conv2d_1", NULL};
    ck_assert_int_eq(cnnf_load_options_map_layer(options, "Conv2D", "Convolver", NULL), CNNF_OK);
    refused("k225_nested", CNNF_E_UNSUPPORTED, words);
}
END_TEST

START_TEST(weights_that_do_not_fit_are_refused)
{
    static const char *const count[] = {"layer 'dense_1' (Dense)", "2 weights", "makes 0", NULL};
    ck_assert_int_eq(cnnf_load_options_map_layer(options, "Dense", "Activation", NULL), CNNF_OK);
    refused("k225_nested", CNNF_E_MISMATCH, count);
}
END_TEST

START_TEST(weight_shapes_are_checked)
{
    static const char *const words[] = {"layer 'p_re_lu_1': gamma is [1,1,3], config needs [3]", "[1,1,3]", "[3]",
                                        NULL};
    ck_assert_int_eq(cnnf_load_options_map_layer(options, "PReLU", "LayerNormalization", NULL), CNNF_OK);
    refused("k225_adv2", CNNF_E_MISMATCH, words);
}
END_TEST

START_TEST(dropped_layer_is_an_identity)
{
    ck_assert_int_eq(cnnf_load_options_drop_layer(options, "p_re_lu_2", NULL), CNNF_OK);
    cnnf_graph *graph = load("k225_adv2");
    const cnnf_node *node = cnnf_graph_find(graph, "p_re_lu_2/Identity");
    ck_assert_ptr_nonnull(node);
    ck_assert_str_eq(cnnf_node_op(node), "Identity");
    cnnf_graph_unref(graph);
}
END_TEST

/* A loop by itself, as many steps as are asked for otherwise. */
START_TEST(open_recurrent_layers_loop_or_are_written_out)
{
    static const struct {
        const char *file;
        int64_t exits; /* time, outputs, the output before and two states of each loop */
    } expected[] = {{GOLDEN("numbers/r1_open/model.h5"), 5}, {GOLDEN("numbers/r2_open/model.h5"), 10}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        cnnf_graph *graph = NULL;
        ck_assert_int_eq(cnnf_load_options_set_rnn_steps(options, 0, NULL), CNNF_OK);
        ck_assert_int_eq(cnnf_load_file(&graph, context, expected[i].file, options, NULL), CNNF_OK);
        ck_assert_int_eq(count_op(graph, "Exit"), expected[i].exits);
        ck_assert_int_eq(count_op(graph, "Unpack"), 0);
        cnnf_graph_unref(graph);
        ck_assert_int_eq(cnnf_load_options_set_rnn_steps(options, 6, NULL), CNNF_OK);
        ck_assert_int_eq(cnnf_load_file(&graph, context, expected[i].file, options, NULL), CNNF_OK);
        ck_assert_int_eq(count_op(graph, "Exit"), 0);
        ck_assert_int_ge(count_op(graph, "Unpack"), 2); /* steps and their masks */
        cnnf_graph_unref(graph);
    }
}
END_TEST

START_TEST(steps_to_write_out_are_checked)
{
    cnnf_error *error = cnnf_error_new();
    ck_assert_int_eq(cnnf_load_options_set_rnn_steps(options, -1, error), CNNF_E_INVALID);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "rnn_steps must be between 0 and 65536"));
    ck_assert_int_eq(cnnf_load_options_set_rnn_steps(options, 65537, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_load_options_set_rnn_steps(NULL, 1, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_load_options_set_rnn_steps(options, 65536, error), CNNF_OK);
    cnnf_error_free(error);
}
END_TEST

static Suite *keras_build_suite(void)
{
    Suite *suite = suite_create("keras_build");
    TCase *tcase = tcase_create("build");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, nodes_are_keras_own, 0, (int)(sizeof cases / sizeof cases[0]));
    tcase_add_test(tcase, suffix_renames_the_first_component);
    tcase_add_test(tcase, kind_of_variable_can_be_chosen);
    tcase_add_test(tcase, optimizer_comes_with_the_training_state);
    tcase_add_test(tcase, unknown_class_is_refused_by_name);
    tcase_add_test(tcase, weights_that_do_not_fit_are_refused);
    tcase_add_test(tcase, weight_shapes_are_checked);
    tcase_add_test(tcase, dropped_layer_is_an_identity);
    tcase_add_test(tcase, open_recurrent_layers_loop_or_are_written_out);
    tcase_add_test(tcase, steps_to_write_out_are_checked);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(keras_build_suite)
