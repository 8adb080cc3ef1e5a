/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the user says of layers: --lambda and --map_layer with fields. Models of tests/golden/keras have layers whose
 * work can be said otherwise; tests/conformance/test_lambda.py holds Lambda layers to the code that Keras runs.
 */
#include <stdio.h>
#include <string.h>

#include "support.h"

static cnnf_context *context;
static cnnf_load_options *options;
static cnnf_error *error;

static void setup(void)
{
    context = test_context();
    error = cnnf_error_new();
    ck_assert_int_eq(cnnf_load_options_new(&options, context, NULL), CNNF_OK);
}

static void teardown(void)
{
    cnnf_load_options_free(options);
    cnnf_error_free(error);
    test_context_done(context);
}

static cnnf_graph *frozen(const char *file, const cnnf_load_options *with)
{
    cnnf_graph *model = NULL, *graph = NULL;
    const cnnf_status status = cnnf_load_file(&model, context, file, with, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
    ck_assert_int_eq(cnnf_freeze(&graph, NULL, model, NULL, error), CNNF_OK);
    cnnf_graph_unref(model);
    return graph;
}

/* The model computes with the options what it computes without. */
static void assert_same_numbers(const char *file)
{
    cnnf_comparison *comparison = NULL;
    cnnf_comparison_options *settings = NULL;
    cnnf_graph *plain = frozen(file, NULL), *said = frozen(file, options);
    ck_assert_int_eq(cnnf_comparison_options_new(&settings, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_comparison_options_set_inside(settings, 0, NULL), CNNF_OK);
    for (int64_t i = 0; i < cnnf_graph_output_count(plain); i++)
        ck_assert_int_eq(cnnf_comparison_options_add_output(settings, cnnf_graph_output_name(plain, i),
                                                            cnnf_graph_output_name(said, i), NULL),
                         CNNF_OK);
    const cnnf_status status = cnnf_compare_numbers(&comparison, plain, said, settings, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
    ck_assert_int_eq(cnnf_comparison_within(comparison), 1);
    cnnf_comparison_free(comparison);
    cnnf_comparison_options_free(settings);
    cnnf_graph_unref(plain);
    cnnf_graph_unref(said);
}

#define ADVANCED GOLDEN("keras/k225_adv2.h5")

static void say(const char *name, const char *expression)
{
    const cnnf_status status = cnnf_load_options_add_lambda(options, name, expression, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
}

START_TEST(layers_can_be_said_by_name)
{
    say("p_re_lu_1", "relu(x) - w0 * relu(-x)"); /* with its weight */
    say("p_re_lu_2", "where(x > 0, x, w0 * x)");
    say("leaky_re_lu_1", "maximum(x, config.alpha * x)");
    say("re_lu_2", "minimum(relu(x), 6)");
    say("re_lu_4", "tf.where(x > 0.3, K.clip(x, 0.0, 1.), 0 * x)");
    say("softmax_2", "exp(x) / sum(exp(x), axis=-1, keepdims=True)");
    say("elu_1", "tf.nn.elu(x) + (2 ** 3 - 8)");
    assert_same_numbers(ADVANCED);
}
END_TEST

START_TEST(layers_can_be_said_by_class)
{
    say("PReLU", "relu(x) - w0 * relu(-x)");
    assert_same_numbers(ADVANCED);
}
END_TEST

START_TEST(classes_are_mapped_with_fields)
{
    ck_assert_int_eq(
        cnnf_load_options_map_layer(options, "LeakyReLU", "ReLU(negative_slope: alpha, max_value: None)", error),
        CNNF_OK);
    ck_assert_int_eq(cnnf_load_options_map_layer(options, "ELU", "Activation(activation='elu')", error), CNNF_OK);
    assert_same_numbers(ADVANCED);
}
END_TEST

/* Every wrong expression is said with its place. */
START_TEST(expressions_are_checked)
{
    static const struct {
        const char *text, *said;
    } wrong[] = {
        {"", "at character 1 ('') a number, a name or '(' is wanted"},
        {"x /", "at character 4"},
        {"x 127", "at character 3 ('127') the end is wanted"},
        {"(x", "',' or the end of the list is wanted"},
        {"f(x, )) ", "at character 7"},
        {"x[0", "']' is wanted"},
        {"x[1 2]", "']' is wanted"},
        {"'a\\'", "a plain string is wanted"},
        {"1e999", "a number is wanted"},
        {"x; y", "the end is wanted"},
        {"__import__('os')(x)", "the end is wanted"},
        {"x if x else y", "the end is wanted"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(cnnf_load_options_add_lambda(options, "a", wrong[i].text, error), CNNF_E_INVALID);
        ck_assert_msg(strstr(cnnf_error_message(error), wrong[i].said) != NULL, "'%s': %s", wrong[i].text,
                      cnnf_error_message(error));
    }
    ck_assert_int_eq(cnnf_load_options_add_lambda(NULL, "a", "x", error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_load_options_add_lambda(options, NULL, "x", error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_load_options_add_lambda(options, "a", NULL, error), CNNF_E_INVALID);
}
END_TEST

START_TEST(expressions_have_limits)
{
    char text[6000];
    memset(text, '(', 100);
    text[100] = '\0';
    ck_assert_int_eq(cnnf_load_options_add_lambda(options, "a", text, error), CNNF_E_INVALID);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "nested too deeply"));
    memset(text, '-', 3000);
    text[3000] = '\0';
    ck_assert_int_eq(cnnf_load_options_add_lambda(options, "a", text, error), CNNF_E_INVALID);
    text[0] = '\0';
    for (int i = 0; i < 500; i++)
        strcat(text, i ? "+x" : "x");
    ck_assert_int_eq(cnnf_load_options_add_lambda(options, "a", text, error), CNNF_E_INVALID);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "nested too deeply"));
    memset(text, 'x', 4097);
    text[4097] = '\0';
    ck_assert_int_eq(cnnf_load_options_add_lambda(options, "a", text, error), CNNF_E_LIMIT);
    text[4096] = '\0';
    ck_assert_int_eq(cnnf_load_options_add_lambda(options, "a", text, error), CNNF_OK);
}
END_TEST

/* What parses and still means nothing for this layer is said when it is loaded. */
START_TEST(meaning_is_checked_when_loading)
{
    static const struct {
        const char *text, *said;
    } wrong[] = {
        {"y + 1", "'y' is neither an input"},
        {"x1", "there is no input x1: the layer has 1"},
        {"w0 * x", "there is no weight 'w0': the layer has 0"},
        {"config.beta * x", "no field 'beta'"},
        {"frobnicate(x)", "there is no function 'frobnicate'"},
        {"relu(x, 6)", "function 'relu': argument 2 is not supported"},
        {"relu(x, max_value=6)", "argument 'max_value' is not supported"},
        {"mean(x, axis=9)", "axis 9 is outside"},
        {"x[0, 0, 0, 0, 0]", "the indices do not fit"},
        {"x['a']", "an index is no number"},
        {"3 + 4", "the expression is a constant"},
        {"'a' + x", "a text, True, False or None stands where a tensor is wanted"},
        {"[x, 'a']", "where a tensor is wanted"},
        {"x + [x, x]", "stands between things"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cnnf_load_options *one = NULL;
        cnnf_graph *graph = NULL;
        ck_assert_int_eq(cnnf_load_options_new(&one, context, NULL), CNNF_OK);
        ck_assert_int_eq(cnnf_load_options_add_lambda(one, "leaky_re_lu_1", wrong[i].text, error), CNNF_OK);
        ck_assert_int_ne(cnnf_load_file(&graph, context, ADVANCED, one, error), CNNF_OK);
        ck_assert_ptr_null(graph);
        ck_assert_msg(strstr(cnnf_error_message(error), "layer 'leaky_re_lu_1'") != NULL, "%s",
                      cnnf_error_message(error));
        ck_assert_msg(strstr(cnnf_error_message(error), wrong[i].said) != NULL, "'%s': %s", wrong[i].text,
                      cnnf_error_message(error));
        cnnf_load_options_free(one);
    }
}
END_TEST

START_TEST(maps_are_checked)
{
    static const struct {
        const char *text, *said;
    } wrong[] = {
        {"ReLU(", "is wanted"},
        {"ReLU(6)", "a value stands alone"},
        {"ReLU(max_value: f(1))", "neither a field's name nor a constant"},
        {"ReLU(max_value: 1) + 2", "is not CLASS(FIELD:VALUE, ...)"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(cnnf_load_options_map_layer(options, "A", wrong[i].text, error), CNNF_E_INVALID);
        ck_assert_msg(strstr(cnnf_error_message(error), wrong[i].said) != NULL, "'%s': %s", wrong[i].text,
                      cnnf_error_message(error));
    }
    cnnf_graph *graph = NULL;
    ck_assert_int_eq(cnnf_load_options_map_layer(options, "ELU", "ReLU(max_value: cap)", error), CNNF_OK);
    ck_assert_int_eq(cnnf_load_file(&graph, context, ADVANCED, options, error), CNNF_E_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error),
                                 "layer 'elu_1': class 'ELU' has no field 'cap' that 'max_value' could be made from"));
}
END_TEST

static Suite *lambda_suite(void)
{
    Suite *suite = suite_create("lambda");
    TCase *tcase = tcase_create("lambda");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, layers_can_be_said_by_name);
    tcase_add_test(tcase, layers_can_be_said_by_class);
    tcase_add_test(tcase, classes_are_mapped_with_fields);
    tcase_add_test(tcase, expressions_are_checked);
    tcase_add_test(tcase, expressions_have_limits);
    tcase_add_test(tcase, meaning_is_checked_when_loading);
    tcase_add_test(tcase, maps_are_checked);
    suite_add_tcase(suite, tcase);
    return suite;
}

TEST_MAIN(lambda_suite)
