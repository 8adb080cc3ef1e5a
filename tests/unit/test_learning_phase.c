/* SPDX-License-Identifier: Apache-2.0 */
/* set_learning_phase: conditionals of both kinds, dead sides, updates, training-mode batch norms. */
#include <string.h>

#include "passes_support.h"
#include "graph/builder.h"

static cnnf_graph *load(cnnf_context *context, const char *path)
{
    cnnf_graph *graph = NULL;
    cnnf_error error = {.offset = -1};
    ck_assert_msg(cnnf_load_file(&graph, context, path, NULL, &error) == CNNF_OK, "%s", error.message);
    return graph;
}

static size_t count_op(const cnnf_graph *graph, const char *op)
{
    size_t count = 0;
    for (int64_t i = 0; i < cnnf_graph_node_count(graph); i++) {
        count += strcmp(cnnf_node_op(cnnf_graph_node(graph, i)), op) == 0;
    }
    return count;
}

static void set_bool_placeholder(cnnfi_builder *b, const char *name)
{
    cnnfi_node_set_type(b, cnnfi_builder_add(b, "Placeholder", name), "dtype", CNNF_BOOL);
}

static cnnf_node *add(cnnfi_builder *b, const char *op, const char *name, const char *first, const char *second)
{
    cnnf_node *node = cnnfi_builder_add(b, op, name);
    if (first) cnnfi_node_add_input(b, node, first);
    if (second) cnnfi_node_add_input(b, node, second);
    cnnfi_node_set_type(b, node, "T", CNNF_FLOAT);
    return node;
}

/* x goes to `yes` when training, to `no` else; their Merge has the training side first. */
static cnnfi_builder *conditional(cnnf_context *context)
{
    cnnfi_builder *b = NULL;
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    cnnfi_node_set_type(b, cnnfi_builder_add(b, "Placeholder", "x"), "dtype", CNNF_FLOAT);
    set_bool_placeholder(b, "net/is_training");
    add(b, "Switch", "switch", "x", "net/is_training");
    add(b, "Relu", "yes", "switch:1", NULL);
    add(b, "Relu6", "no", "switch", NULL);
    cnnfi_node_set_int(b, add(b, "Merge", "merge", "yes", "no"), "N", 2);
    return b;
}

START_TEST(dead_sides_go_whatever_the_order_of_a_merge)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = conditional(context);
    add(b, "Tanh", "y", "merge", NULL);
    cnnf_graph *graph = publish(b), *out = run_twice(graph, "set_learning_phase", NULL, "y");
    ck_assert_int_eq(cnnf_graph_node_count(out), 3);
    ck_assert_inputs(out, "y", "no");
    ck_assert_inputs(out, "no", "x");
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* A truth of any name, behind a contrary, that nothing else reads. With `also`, something computes with it. */
static cnnf_graph *decided_by(cnnf_context *context, const char *op, bool also)
{
    cnnfi_builder *b = NULL;
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    cnnfi_node_set_type(b, cnnfi_builder_add(b, "Placeholder", "x"), "dtype", CNNF_FLOAT);
    cnnf_node *flag = cnnfi_builder_add(b, op, "mode/flag");
    cnnfi_node_set_type(b, flag, "dtype", CNNF_BOOL);
    cnnfi_node_set_shape(b, flag, "shape", 0, NULL);
    cnnfi_node_add_input(b, cnnfi_builder_add(b, "LogicalNot", "serving"), "mode/flag");
    add(b, "Switch", "switch", "x", "serving");
    add(b, "Relu", "no", "switch:1", NULL);
    add(b, "Relu6", "yes", "switch", NULL);
    cnnfi_node_set_int(b, add(b, "Merge", "merge", "yes", "no"), "N", 2);
    add(b, "Tanh", "y", "merge", NULL);
    if (also) {
        cnnf_node *cast = cnnfi_builder_add(b, "Cast", "number");
        cnnfi_node_add_input(b, cast, "mode/flag");
        cnnfi_node_set_type(b, cast, "SrcT", CNNF_BOOL);
        cnnfi_node_set_type(b, cast, "DstT", CNNF_FLOAT);
    }
    return publish(b);
}

START_TEST(a_truth_that_decides_branches_is_the_phase)
{
    static const char *const ops[] = {"Placeholder", "VariableV2"};
    cnnf_context *context = test_context();
    cnnf_graph *graph = decided_by(context, ops[_i], false);
    cnnf_graph *out = run_twice(graph, "set_learning_phase", NULL, "y");
    ck_assert_inputs(out, "y", "no");
    ck_assert_uint_eq(count_op(out, "Switch"), 0);
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(a_named_truth_is_what_it_is_said_to_be)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = decided_by(context, _i ? "VariableV2" : "Placeholder", true);
    cnnf_graph *no = run_twice(graph, "set_learning_phase(name=\"mode/flag\")", NULL, "y");
    cnnf_graph *yes = run_twice(graph, "set_learning_phase(is_true=\"mode/*\")", NULL, "y");
    ck_assert_inputs(no, "y", "no");
    ck_assert_inputs(yes, "y", "yes");
    cnnf_graph_unref(yes);
    cnnf_graph_unref(no);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(a_number_cannot_be_set_to_true)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = publish(conditional(context));
    cnnf_pipeline *pipeline = NULL;
    cnnf_graph *out = NULL;
    ck_assert_int_eq(cnnf_pipeline_new(&pipeline, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_add(pipeline, "set_learning_phase(is_true=x)", NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_pipeline_run(&out, pipeline, graph, NULL), CNNF_E_UNSUPPORTED);
    ck_assert_ptr_null(out);
    cnnf_pipeline_free(pipeline);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(a_truth_that_is_computed_with_is_an_input)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = decided_by(context, "Placeholder", true);
    cnnf_graph *out = run_twice(graph, "set_learning_phase", NULL, "y,number");
    ck_assert_inputs(out, "y", "merge");
    ck_assert_uint_eq(count_op(out, "Switch"), 1);
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(the_index_of_a_merge_is_its_living_input)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = conditional(context);
    cnnf_node *y = add(b, "Identity", "y", "merge:1", NULL);
    cnnfi_node_set_type(b, y, "T", CNNF_INT32);
    cnnf_graph *graph = publish(b), *out = run_twice(graph, "set_learning_phase", NULL, "y");
    ck_assert_inputs(out, "y", "merge/value_index");
    const cnnf_tensor *value = cnnf_node_attr_tensor(cnnf_graph_find(out, "merge/value_index"), "value");
    int32_t found = -1;
    ck_assert_int_eq(cnnf_tensor_read(&found, value, 0, sizeof found, NULL), CNNF_OK);
    ck_assert_int_eq(found, 1);
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(an_output_that_only_training_computes_is_refused)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = publish(conditional(context)), *out = NULL;
    cnnf_error error = {.offset = -1};
    ck_assert_int_eq(run_passes(&out, graph, "set_learning_phase", NULL, "yes", &error), CNNF_E_UNSUPPORTED);
    ck_assert_ptr_null(out);
    ck_assert_ptr_nonnull(strstr(error.message, "node 'yes' is an output, but only training computes it"));
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(nothing_waits_for_updates)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = NULL;
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    cnnfi_node_set_type(b, cnnfi_builder_add(b, "Placeholder", "x"), "dtype", CNNF_FLOAT);
    cnnfi_node_set_type(b, cnnfi_builder_add(b, "VariableV2", "moving_mean"), "dtype", CNNF_FLOAT);
    add(b, "AssignSub", "update", "moving_mean", "x");
    cnnfi_node_add_control(b, cnnfi_builder_add(b, "NoOp", "group_deps"), "update");
    cnnfi_node_add_control(b, add(b, "Relu", "y", "x", NULL), "group_deps");
    cnnfi_node_add_control(b, cnnfi_builder_add(b, "NoOp", "init"), "update");
    cnnf_graph *graph = publish(b), *out = run_twice(graph, "set_learning_phase", NULL, "y");
    ck_assert_inputs(out, "y", "x");
    ck_assert_inputs(out, "init", "^update");
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

static void expect_inference(const char *path)
{
    static const char *const training[] = {"Switch",      "Merge",         "If",
                                           "StatelessIf", "RandomUniform", "PlaceholderWithDefault"};
    cnnf_context *context = test_context();
    cnnf_graph *graph = load(context, path);
    cnnf_graph *out = run_twice(graph, "set_learning_phase remove_dropout prune", NULL, "out");
    for (size_t i = 0; i < sizeof training / sizeof *training; i++)
        ck_assert_uint_eq(count_op(out, training[i]), 0);
    ck_assert_uint_eq(count_op(out, "FusedBatchNormV3"), 1);
    ck_assert_int_eq(cnnf_graph_function_count(out), 0);
    for (int64_t i = 0; i < cnnf_graph_node_count(out); i++) {
        const cnnf_node *node = cnnf_graph_node(out, i);
        if (strcmp(cnnf_node_op(node), "FusedBatchNormV3") == 0)
            ck_assert_int_eq(cnnf_node_attr_bool(node, "is_training", 1), 0);
    }
    cnnf_graph_unref(out);
    cnnf_graph_unref(graph);
    test_context_done(context);
}

START_TEST(training_graphs_become_inference_graphs)
{
    expect_inference(GOLDEN("passes/training_cond_v1.pb"));
    expect_inference(GOLDEN("passes/training_cond_v2.pb"));
}
END_TEST

START_TEST(the_tutorials_training_graphs_become_inference_graphs)
{
    static const char *const paths[] = {SHARED("real/tutorial-repo/8052576/tf_complete_model.pb"),
                                        SHARED("real/tutorial-repo/aa73c88/tf_complete_model.pb")};
    static const char *const training[] = {"Switch", "Merge", "RandomUniform", "PlaceholderWithDefault", "Assign"};
    for (size_t i = 0; i < 2; i++) {
        cnnf_context *context = test_context();
        cnnf_graph *graph = NULL;
        if (cnnf_load_file(&graph, context, paths[i], NULL, NULL) == CNNF_OK) {
            cnnf_graph *out = run_twice(graph, "set_learning_phase remove_dropout prune", NULL, "activation_4/Softmax");
            for (size_t k = 0; k < sizeof training / sizeof *training; k++)
                ck_assert_uint_eq(count_op(out, training[k]), 0);
            ck_assert_uint_eq(count_op(out, "Conv2D"), 2);
            ck_assert_uint_eq(count_op(out, "FusedBatchNormV3"), 2);
            ck_assert_uint_eq(count_op(out, "Placeholder"), 1);
            cnnf_graph_unref(out);
        }
        cnnf_graph_unref(graph);
        test_context_done(context);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("learning_phase");
    TCase *tc = tcase_create("learning_phase");
    tcase_add_test(tc, dead_sides_go_whatever_the_order_of_a_merge);
    tcase_add_loop_test(tc, a_truth_that_decides_branches_is_the_phase, 0, 2);
    tcase_add_loop_test(tc, a_named_truth_is_what_it_is_said_to_be, 0, 2);
    tcase_add_test(tc, a_number_cannot_be_set_to_true);
    tcase_add_test(tc, a_truth_that_is_computed_with_is_an_input);
    tcase_add_test(tc, the_index_of_a_merge_is_its_living_input);
    tcase_add_test(tc, an_output_that_only_training_computes_is_refused);
    tcase_add_test(tc, nothing_waits_for_updates);
    tcase_add_test(tc, training_graphs_become_inference_graphs);
    tcase_add_test(tc, the_tutorials_training_graphs_become_inference_graphs);
    suite_add_tcase(s, tc);
    return s;
}

TEST_MAIN(suite)
