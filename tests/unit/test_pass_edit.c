/* SPDX-License-Identifier: Apache-2.0 */
/* Passes that take nodes out, put names and attributes right, or reorder. */
#include <string.h>

#include "passes_support.h"
#include "graph/builder.h"

#define GRAPH(rows) make_graph(context, rows, sizeof(rows) / sizeof *(rows))

START_TEST(remove_nodes_rewires)
{
    static const graph_row rows[] = {
        {"Placeholder", "x", {NULL}},
        {"Unheard", "two", {"x", NULL}},
        {"CheckNumerics", "check", {"two:1", "^x", NULL}},
        {"Identity", "chain", {"check", NULL}},
        {"Relu", "a", {"chain", "^check", NULL}},
        {"Relu", "y", {"check:0", NULL}},
        {"Identity", "out", {"a", NULL}},
    };
    cnnf_context *context = test_context();
    cnnf_graph *graph = GRAPH(rows);
    cnnf_graph *after = run_twice(graph, "remove_nodes(op=Identity, op=CheckNumerics)", "x", "y,out");
    ck_assert_int_eq(cnnf_graph_node_count(after), 5);
    ck_assert_inputs(after, "a", "two:1 ^two ^x");
    ck_assert_inputs(after, "y", "two:1 ^x");
    ck_assert_inputs(after, "out", "a");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* TensorFlow's remove_training_nodes deletes the input of who read a CheckNumerics. */
START_TEST(remove_identity_knows_what_may_go)
{
    static const graph_row rows[] = {
        {"Placeholder", "x", {NULL}},
        {"Const", "w", {NULL}},
        {"Identity", "w/read", {"w", NULL}},
        {"Const", "data", {NULL}},
        {"Assert", "assert", {"w/read", "data", NULL}},
        {"StopGradient", "stop", {"x", "^assert", NULL}},
        {"NoOp", "group", {"^assert", "^stop", NULL}},
        {"Mul", "y", {"stop", "w/read", "^group", NULL}},
    };
    cnnf_context *context = test_context();
    cnnfi_builder *b = make_builder(context, rows, sizeof rows / sizeof *rows);
    cnnfi_node_set_type(b, cnnfi_builder_find(b, "assert"), "T", CNNF_FLOAT);
    cnnf_graph *graph = publish(b);
    cnnf_graph *after = run_twice(graph, "remove_identity", "x", "y");
    ck_assert_inputs(after, "y", "x w ^x");
    ck_assert_ptr_null(cnnf_graph_find(after, "assert"));
    ck_assert_ptr_null(cnnf_graph_find(after, "group"));
    cnnf_graph_unref(after);
    after = run_twice(graph, "remove_identity(op=NoOp)", "x", "y");
    ck_assert_inputs(after, "y", "stop w/read ^stop ^assert");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* Waiting for the Identity of a Switch means waiting for one branch; waiting for the Switch does not. */
START_TEST(branches_keep_their_gate)
{
    static const graph_row rows[] = {
        {"Placeholder", "x", {NULL}},          {"Placeholder", "p", {NULL}},        {"Switch", "s", {"x", "p", NULL}},
        {"Identity", "s_true", {"s:1", NULL}}, {"Const", "one", {"^s_true", NULL}}, {"Relu", "y", {"s_true", NULL}},
        {"Add", "z", {"y", "one", NULL}},
    };
    cnnf_context *context = test_context();
    cnnfi_builder *b = make_builder(context, rows, sizeof rows / sizeof *rows);
    cnnfi_node_set_type(b, cnnfi_builder_find(b, "p"), "dtype", CNNF_BOOL);
    cnnf_graph *graph = publish(b);
    cnnf_graph *after = run_twice(graph, "remove_identity remove_control_dependencies", "x", "z");
    ck_assert_inputs(after, "one", "^s_true");
    ck_assert_inputs(after, "y", "s_true");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(colocations_of_removed_nodes_go)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = make_builder(context, chain, N_CHAIN);
    const char *const two[] = {"loc:@middle", "loc:@x"}, *const one[] = {"loc:@middle"};
    cnnfi_node_set_strings(b, cnnfi_builder_find(b, "y"), "_class", two, 2);
    cnnfi_node_set_strings(b, cnnfi_builder_find(b, "unused"), "_class", one, 1);
    cnnf_graph *graph = publish(b);
    cnnf_graph *after = run_twice(graph, "remove_nodes(op=Identity)", "x", "y");
    ck_assert_int_eq(cnnf_node_attr_list_count(cnnf_graph_find(after, "y"), "_class"), 1);
    ck_assert_int_eq(cnnf_node_attr_kind(cnnf_graph_find(after, "unused"), "_class"), CNNF_ATTR_NONE);
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(prune_keeps_what_is_needed)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = make_builder(context, chain, N_CHAIN);
    cnnfi_function *used = cnnfi_builder_add_function(b, "used"), *inner = cnnfi_builder_add_function(b, "inner");
    cnnfi_builder_add_function(b, "dead");
    cnnfi_function_add(b, used, "inner", "call");
    cnnfi_function_add(b, inner, "NoOp", "nothing");
    cnnfi_node_set_func(b, cnnfi_builder_find(b, "y"), "f", "used");
    cnnfi_builder_set_io(b, (const char *[]){"x"}, 1, (const char *[]){"y"}, 1);
    cnnf_graph *graph = publish(b);
    cnnf_graph *after = run_twice(graph, "prune", NULL, NULL);
    ck_assert_int_eq(cnnf_graph_node_count(after), 3);
    ck_assert_int_eq(cnnf_graph_function_count(after), 2);
    ck_assert_ptr_nonnull(cnnfi_graph_function(after, "inner"));
    cnnf_graph_unref(after);
    after = run_twice(graph, "prune", NULL, "unused");
    ck_assert_int_eq(cnnf_graph_node_count(after), 1);
    ck_assert_int_eq(cnnf_graph_output_count(after), 0);
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(strip_makes_placeholders)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = make_graph(context, chain, N_CHAIN);
    cnnf_graph *after = run_twice(graph, "strip_unused_nodes(shape=\"1,?,3\")", "middle", "y");
    ck_assert_int_eq(cnnf_graph_node_count(after), 2);
    const cnnf_node *input = cnnf_graph_find(after, "middle");
    ck_assert_str_eq(cnnf_node_op(input), "Placeholder");
    ck_assert_int_eq(cnnf_node_attr_type(input, "dtype", 0), CNNF_FLOAT);
    ck_assert_int_eq(cnnf_node_attr_shape_rank(input, "shape"), 3);
    ck_assert_int_eq(cnnf_node_attr_shape_dim(input, "shape", 1), -1);
    ck_assert_int_eq(cnnf_node_input_count(input), 0);
    cnnf_graph_unref(after);
    after = run_twice(graph, "strip_unused_nodes(type=half, name=middle, type_for_name=int32, shape_for_name=\"\")",
                      "middle", "middle");
    input = cnnf_graph_find(after, "middle");
    ck_assert_int_eq(cnnf_node_attr_type(input, "dtype", 0), CNNF_INT32);
    ck_assert_int_eq(cnnf_node_attr_shape_rank(input, "shape"), 0);
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(other_outputs_of_an_input_are_refused)
{
    static const graph_row rows[] = {
        {"Placeholder", "x", {NULL}}, {"Unheard", "two", {"x", NULL}}, {"Relu", "y", {"two:1", NULL}}};
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    cnnf_graph *graph = GRAPH(rows), *after = NULL;
    ck_assert_int_eq(run_passes(&after, graph, "strip_unused_nodes", "two", "y", error), CNNF_E_UNSUPPORTED);
    ck_assert_str_eq(cnnf_error_message(error),
                     "strip_unused_nodes: input 'two' cannot be a Placeholder: 'y' reads its output 1");
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

START_TEST(duplicates_are_merged)
{
    static const graph_row rows[] = {
        {"Placeholder", "x", {NULL}},
        {"Const", "a", {NULL}},
        {"Const", "b", {NULL}},
        {"Mul", "m1", {"x", "a", NULL}},
        {"Mul", "m2", {"x:0", "b", NULL}},
        {"Relu", "r1", {"m1", NULL}},
        {"Relu", "r2", {"m2", NULL}},
        {"Add", "y", {"r1", "r2", "^r2", NULL}},
        {"Relu", "out", {"m2", NULL}},
    };
    cnnf_context *context = test_context();
    cnnfi_builder *b = make_builder(context, rows, sizeof rows / sizeof *rows);
    cnnf_node *random = cnnfi_builder_add(b, "RandomUniform", "random1");
    cnnfi_node_add_input(b, random, "a");
    cnnfi_node_add_input(b, cnnfi_builder_add(b, "RandomUniform", "random2"), "a");
    cnnf_graph *graph = publish(b);
    cnnf_graph *after = run_twice(graph, "merge_duplicate_nodes", "x", "y,out");
    ck_assert_inputs(after, "y", "r1 r1 ^r1");
    ck_assert_inputs(after, "out", "m1");
    ck_assert_ptr_null(cnnf_graph_find(after, "b"));
    ck_assert_ptr_null(cnnf_graph_find(after, "m2"));
    ck_assert_ptr_nonnull(cnnf_graph_find(after, "random2"));
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* `c` is placed beside `b`, which goes, `d` beside nobody: without that they are like `a`. `e` is placed for good. */
START_TEST(duplicates_lose_their_place)
{
    static const graph_row rows[] = {
        {"Placeholder", "x", {NULL}},     {"Const", "a", {NULL}},         {"Const", "b", {NULL}},
        {"Const", "c", {NULL}},           {"Const", "d", {NULL}},         {"Const", "e", {NULL}},
        {"Mul", "m", {"a", "b", NULL}},   {"Mul", "n", {"c", "d", NULL}}, {"Mul", "y", {"m", "n", NULL}},
        {"Mul", "out", {"x", "e", NULL}},
    };
    static const char *const places[][2] = {{"c", "loc:@b"}, {"d", "loc:@nobody"}, {"e", "loc:@x"}};
    cnnf_context *context = test_context();
    cnnfi_builder *b = make_builder(context, rows, sizeof rows / sizeof *rows);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        cnnfi_node_set_strings(b, cnnfi_builder_find(b, places[i][0]), "_class", &places[i][1], 1);
    cnnf_graph *graph = publish(b);
    cnnf_graph *after = run_twice(graph, "merge_duplicate_nodes", "x", "y,out");
    ck_assert_inputs(after, "m", "a a");
    ck_assert_inputs(after, "y", "m m");
    ck_assert_inputs(after, "out", "x e");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(sorting_is_stable)
{
    static const graph_row rows[] = {
        {"Relu", "y", {"b", "^c", NULL}},
        {"Const", "c", {NULL}},
        {"Relu", "b", {"a", NULL}},
        {"Placeholder", "a", {NULL}},
    };
    cnnf_context *context = test_context();
    cnnf_graph *graph = GRAPH(rows);
    cnnf_graph *after = run_twice(graph, "sort_by_execution_order", "a", "y");
    static const char *const order[] = {"c", "a", "b", "y"};
    for (int64_t i = 0; i < 4; i++)
        ck_assert_str_eq(cnnf_node_name(cnnf_graph_node(after, i)), order[i]);
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(devices_and_attributes)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = make_builder(context, chain, N_CHAIN);
    cnnfi_node_set_device(b, cnnfi_builder_find(b, "y"), "/gpu:0");
    cnnfi_function *function = cnnfi_builder_add_function(b, "f");
    cnnfi_node_set_device(b, cnnfi_function_add(b, function, "NoOp", "n"), "/gpu:0");
    cnnf_graph *graph = publish(b);
    cnnf_graph *after = run_twice(graph, "set_device(device=\"/cpu:0\", if_default=true)", "x", "y");
    ck_assert_str_eq(cnnf_node_device(cnnf_graph_find(after, "x")), "/cpu:0");
    ck_assert_str_eq(cnnf_node_device(cnnf_graph_find(after, "y")), "/gpu:0");
    cnnf_graph_unref(after);
    after = run_twice(graph, "remove_device", "x", "y");
    ck_assert_str_eq(cnnf_node_device(cnnf_graph_find(after, "y")), "");
    ck_assert_str_eq(after->functions[0]->nodes[0]->device, "");
    cnnf_graph_unref(after);
    after = run_twice(graph, "remove_attribute(attribute_name=T, op_name=Relu)", "x", "y");
    ck_assert_int_eq(cnnf_node_attr_kind(cnnf_graph_find(after, "y"), "T"), CNNF_ATTR_NONE);
    ck_assert_int_eq(cnnf_node_attr_kind(cnnf_graph_find(after, "middle"), "T"), CNNF_ATTR_TYPE);
    cnnf_graph_unref(after);
    after = run_twice(graph, "rename_attribute(old_attribute_name=value, new_attribute_name=other)", "x", "y");
    ck_assert_ptr_nonnull(cnnf_node_attr_tensor(cnnf_graph_find(after, "unused"), "other"));
    cnnf_graph_unref(after);
    after = run_twice(graph, "add_default_attributes", "x", "y");
    ck_assert_int_eq(cnnf_node_attr_shape_rank(cnnf_graph_find(after, "x"), "shape"), -1);
    cnnf_graph_unref(after);
    after = run_twice(graph, "set_input_shape(shape=\"-1,4\")", NULL, "y");
    ck_assert_int_eq(cnnf_node_attr_shape_dim(cnnf_graph_find(after, "x"), "shape", 1), 4);
    cnnf_graph *batched = run_twice(after, "set_input_shape(batch=8)", NULL, "y");
    ck_assert_int_eq(cnnf_node_attr_shape_dim(cnnf_graph_find(batched, "x"), "shape", 0), 8);
    cnnf_graph_unref(batched);
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(names_change_everywhere)
{
    static const graph_row rows[] = {
        {"Placeholder", "x", {NULL}},
        {"Unheard", "B", {"x", NULL}},
        {"Relu", "A", {"B:1", "^B", NULL}},
        {"Relu", "y", {"A", NULL}},
    };
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    cnnfi_builder *b = make_builder(context, rows, 4);
    const char *const where[] = {"loc:@B"};
    cnnfi_node_set_strings(b, cnnfi_builder_find(b, "y"), "_class", where, 1);
    cnnfi_builder_set_io(b, (const char *[]){"x"}, 1, (const char *[]){"y"}, 1);
    cnnf_graph *graph = publish(b), *refused = NULL;
    cnnf_graph *after = run_twice(graph, "rename_node(old_node_name=B, new_node_name=inner/b)", NULL, NULL);
    ck_assert_inputs(after, "A", "inner/b:1 ^inner/b");
    const cnnfi_attr *class = cnnfi_node_attr(cnnf_graph_find(after, "y"), "_class");
    ck_assert_str_eq((const char *)class->u.list.u.strings[0].data, "loc:@inner/b");
    cnnf_graph_unref(after);
    after = run_twice(graph, "rename_node(old_node_name=y, new_node_name=result)", NULL, NULL);
    ck_assert_str_eq(cnnf_graph_output_name(after, 0), "result");
    cnnf_graph_unref(after);
    ck_assert_int_eq(run_passes(&refused, graph, "rename_node(old_node_name=A, new_node_name=B)", NULL, NULL, error),
                     CNNF_E_INVALID);
    ck_assert_str_eq(cnnf_error_message(error), "rename_node: A node is already using B as name.");
    after = run_twice(graph, "obfuscate_names", NULL, NULL);
    ck_assert_str_eq(cnnf_node_name(cnnf_graph_node(after, 1)), "A");
    ck_assert_inputs(after, "B", "A:1 ^A");
    ck_assert_inputs(after, "y", "B");
    cnnf_graph_unref(after);
    after = run_twice(graph, "rename_op(old_op_name=Relu, new_op_name=Relu6)", NULL, NULL);
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "y")), "Relu6");
    cnnf_graph_unref(after);
    after = run_twice(graph, "insert_logging(op=Relu, show_name=true)", NULL, NULL);
    ck_assert_inputs(after, "y", "A__print");
    ck_assert_inputs(after, "A__print", "A A");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

/* An output keeps its name, and what is printed already is not printed again, whoever waits for it. */
START_TEST(logging_knows_what_is_logged)
{
    static const graph_row rows[] = {
        {"Placeholder", "x", {NULL}},        {"Relu", "a", {"x", NULL}},    {"Relu", "b", {"a:0", "^a", NULL}},
        {"Print", "look", {"b", "b", NULL}}, {"Relu", "c", {"look", NULL}}, {"Relu", "y", {"c", "c", "^c", NULL}},
    };
    cnnf_context *context = test_context();
    cnnfi_builder *b = make_builder(context, rows, 6);
    cnnfi_node_set_types(b, cnnfi_builder_find(b, "look"), "U", (const int32_t[]){CNNF_FLOAT}, 1);
    cnnfi_node_set_op(b, cnnfi_builder_find(b, "y"), "Add");
    cnnf_graph *graph = publish(b);
    cnnf_graph *after = run_twice(graph, "insert_logging(op=Relu, op=Add)", "x", "y");
    ck_assert_int_eq(cnnf_graph_node_count(after), 8);
    ck_assert_inputs(after, "b", "a__print ^a__print");
    ck_assert_inputs(after, "y", "c__print c__print ^c__print");
    ck_assert_inputs(after, "look", "b b");
    ck_assert_str_eq(cnnf_node_name(cnnf_graph_node(after, 6)), "a__print");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* Without known outputs a node that nobody reads is one; a short name of its own is not given away. */
START_TEST(short_names_are_not_taken_from_outputs)
{
    static const graph_row rows[] = {
        {"Placeholder", "x", {NULL}}, {"Relu", "long/name", {"x", NULL}}, {"Relu", "A", {"long/name", NULL}}};
    cnnf_context *context = test_context();
    cnnf_graph *graph = GRAPH(rows);
    cnnf_graph *after = run_twice(graph, "obfuscate_names", "x", NULL);
    ck_assert_inputs(after, "A", "B");
    ck_assert_inputs(after, "B", "x");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* A library with gradients stays whole; else functions go that only dropped ones call. */
START_TEST(unused_functions_go)
{
    cnnf_context *context = test_context();
    for (int32_t gradients = 0; gradients < 2; gradients++) {
        cnnfi_builder *b = make_builder(context, chain, N_CHAIN);
        cnnfi_function *dead = cnnfi_builder_add_function(b, "dead");
        cnnfi_builder_add_function(b, "called_by_dead");
        cnnfi_builder_add_function(b, "alive");
        cnnfi_function_add(b, dead, "called_by_dead", "call");
        cnnfi_node_set_func(b, cnnfi_builder_find(b, "middle"), "f", "alive");
        if (gradients) b->graph->library_extra = (cnnfi_bytes){(const uint8_t *)"x", 1};
        cnnf_graph *graph = publish(b);
        cnnf_graph *after = run_twice(graph, "prune", "x", "y");
        ck_assert_int_eq(cnnf_graph_function_count(after), gradients ? 3 : 1);
        ck_assert_str_eq(cnnfi_graph_function(after, "alive")->name, "alive");
        cnnf_graph_unref(after);
        cnnf_graph_unref(graph);
    }
    test_context_done(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("pass_edit");
    TCase *t = tcase_create("pass_edit");
    tcase_add_test(t, remove_nodes_rewires);
    tcase_add_test(t, remove_identity_knows_what_may_go);
    tcase_add_test(t, branches_keep_their_gate);
    tcase_add_test(t, colocations_of_removed_nodes_go);
    tcase_add_test(t, duplicates_lose_their_place);
    tcase_add_test(t, prune_keeps_what_is_needed);
    tcase_add_test(t, strip_makes_placeholders);
    tcase_add_test(t, other_outputs_of_an_input_are_refused);
    tcase_add_test(t, duplicates_are_merged);
    tcase_add_test(t, sorting_is_stable);
    tcase_add_test(t, devices_and_attributes);
    tcase_add_test(t, names_change_everywhere);
    tcase_add_test(t, logging_knows_what_is_logged);
    tcase_add_test(t, short_names_are_not_taken_from_outputs);
    tcase_add_test(t, unused_functions_go);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
