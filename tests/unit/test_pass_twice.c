/* SPDX-License-Identifier: Apache-2.0 */
/* Every pass, run on its own result, finds nothing to change: on whole training graphs, gradients and all. */
#include <string.h>

#include "passes_support.h"

/* Passes that want arguments, and those that refuse variables without values. */
static const struct setting {
    const char *pass, *arguments;
    cnnf_status without_values;
} settings[] = {
    {"freeze_variables", "", CNNF_E_NOT_FOUND},
    {"remove_attribute", "(attribute_name=_output_shapes)", CNNF_OK},
    {"remove_nodes", "(op=StopGradient)", CNNF_OK},
    {"rename_attribute", "(old_attribute_name=seed2, new_attribute_name=seed3)", CNNF_OK},
    {"rename_op", "(old_op_name=Relu, new_op_name=Relu6)", CNNF_OK},
    {"scale_dropout_weights", "(name=none)", CNNF_OK},
    {"set_device", "(device=\"/cpu:0\")", CNNF_OK},
    {"set_input_shape", "(batch=1)", CNNF_OK},
    {"target_tf", "(version=1.15)", CNNF_OK},
};

static struct setting setting_of(const char *pass)
{
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        if (strcmp(settings[i].pass, pass) == 0) return settings[i];
    }
    return (struct setting){pass, "", CNNF_OK};
}

static bool outputs_are_clear(const cnnf_graph *graph)
{
    cnnf_buffer *names = NULL;
    const cnnf_status status = cnnf_graph_guess_outputs(&names, graph, NULL);
    cnnf_buffer_free(names);
    return status == CNNF_OK;
}

static void expect_settled(const cnnf_graph *graph, const char *pass, const char *output)
{
    char text[256];
    const struct setting setting = setting_of(pass);
    snprintf(text, sizeof text, "%s%s", pass, setting.arguments);
    if (setting.without_values && cnnf_graph_variable_count(graph) > 0) {
        /* Which outputs to freeze comes before their values: a graph that holds its network twice does not say. */
        cnnf_graph *out = NULL;
        const cnnf_status wanted = output || outputs_are_clear(graph) ? setting.without_values : CNNF_E_INVALID;
        ck_assert_int_eq(run_passes(&out, graph, text, NULL, output, NULL), wanted);
        ck_assert_ptr_null(out);
    } else {
        cnnf_graph_unref(run_twice(graph, text, NULL, output));
    }
}

/* `ours`: a file of this project, which must be there; the others may lie beside it. */
static void expect_all_settled(const char *path, const char *output, bool ours)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = NULL;
    const bool present = cnnf_load_file(&graph, context, path, NULL, NULL) == CNNF_OK;
    ck_assert_msg(present || !ours, "%s does not load", path);
    for (int32_t i = 0; present && i < cnnf_pass_count(); i++) {
        const char *pass = cnnf_pass_name(i);
        if (strcmp(pass, "rename_node") == 0) continue; /* refuses a name that is gone, as its second run would find */
        const bool cuts = strcmp(pass, "prune") == 0 || strcmp(pass, "strip_unused_nodes") == 0;
        if (!cuts) expect_settled(graph, pass, NULL);
        expect_settled(graph, pass, output);
    }
    cnnf_graph_unref(graph);
    test_context_done(context);
}

START_TEST(passes_settle_on_training_graphs)
{
    expect_all_settled(GOLDEN("passes/training_cond_v1.pb"), "out", true);
    expect_all_settled(SHARED("tutorial/train/tf_complete_model.pb"), "activation_6/Softmax", false);
    expect_all_settled(SHARED("real/tutorial-repo/8052576/tf_complete_model.pb"), "activation_4/Softmax", false);
    expect_all_settled(SHARED("real/tutorial-repo/aa73c88/tf_complete_model.pb"), "activation_4/Softmax", false);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("pass_twice");
    TCase *tc = tcase_create("pass_twice");
    tcase_add_test(tc, passes_settle_on_training_graphs);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(suite)
