/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/context.h"
#include "graph/builder.h"
#include "graph/order.h"
#include "graph/resolve.h"
#include "support.h"

/* x -> relu -> y, with a constant and a control edge. */
static cnnf_graph *small_graph(cnnf_context *context)
{
    cnnfi_builder *b = NULL;
    cnnf_graph *graph = NULL;
    const float bias[] = {1, 2};
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    cnnf_node *x = cnnfi_builder_add(b, "Placeholder", "x");
    cnnfi_node_set_type(b, x, "dtype", CNNF_FLOAT);
    cnnfi_node_set_string(b, x, "note", "hello");
    cnnfi_builder_const_f32(b, "bias", 1, bias, 2);
    cnnf_node *sum = cnnfi_builder_add(b, "BiasAdd", "layer/BiasAdd");
    cnnfi_node_add_input(b, sum, "x");
    cnnfi_node_add_input(b, sum, "bias:0");
    cnnf_node *relu = cnnfi_builder_add(b, "Relu", "layer/Relu");
    cnnfi_node_add_input(b, relu, "layer/BiasAdd");
    cnnfi_node_add_control(b, relu, "x");
    cnnfi_builder_set_versions(b, 134, 0);
    ck_assert_int_eq(cnnfi_builder_publish(&graph, b, NULL), CNNF_OK);
    return graph;
}

START_TEST(publishing_resolves)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = small_graph(context);
    ck_assert_int_eq(cnnf_graph_node_count(graph), 4);
    const cnnf_node *relu = cnnf_graph_find(graph, "layer/Relu");
    ck_assert_ptr_nonnull(relu);
    ck_assert_int_eq(relu->edges[0].node, 2);
    ck_assert_int_eq(relu->edges[1].port, CNNFI_PORT_CONTROL);
    ck_assert_str_eq(cnnf_node_attr_string(NULL, cnnf_graph_find(graph, "x"), "note"), "hello");
    ck_assert_str_eq(cnnf_node_attr_name(cnnf_graph_find(graph, "bias"), 0), "dtype");
    ck_assert_int_eq(cnnf_graph_input_count(graph), 1);
    ck_assert_str_eq(cnnf_graph_input_name(graph, 0), "x");
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* A text graph with an attribute of every kind of list, a function, and inputs of known and unknown shape. */
static const char attributes_text[] =
    "node { name: \"x\" op: \"Placeholder\" attr { key: \"dtype\" value { type: DT_FLOAT } } attr { key: \"shape\" "
    "value { "
    "shape { dim { size: -1 } dim { size: 28 } dim { size: 1 } } } } }\n"
    "node { name: \"u\" op: \"Placeholder\" attr { key: \"dtype\" value { type: DT_INT32 } } attr { key: \"shape\" "
    "value { "
    "shape { unknown_rank: true } } } }\n"
    "node { name: \"n\" op: \"NoOp\""
    " attr { key: \"i\" value { list { i: 3 i: -4 } } } attr { key: \"f\" value { list { f: 0.5 } } }"
    " attr { key: \"b\" value { list { b: true b: false } } } attr { key: \"t\" value { list { type: DT_HALF } } }"
    " attr { key: \"s\" value { list { s: \"a\\000b\" s: \"\" } } }"
    " attr { key: \"sh\" value { list { shape { dim { size: 2 } dim { size: -1 } } shape { unknown_rank: true } } } }"
    " attr { key: \"te\" value { list { tensor { dtype: DT_INT32 tensor_shape { } int_val: 7 } } } }"
    " attr { key: \"fs\" value { list { func { name: \"g\" } } } } attr { key: \"fn\" value { func { name: \"f\" } } }"
    " attr { key: \"e\" value { list { } } } }\n"
    "library { function { signature { name: \"f\" } } function { signature { name: \"g\" } } }\n";

START_TEST(every_attribute_can_be_read)
{
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    cnnf_graph *g = NULL;
    ck_assert_msg(cnnf_load_memory(&g, context, attributes_text, strlen(attributes_text), "t", NULL, error) == CNNF_OK,
                  "%s", cnnf_error_message(error));
    const cnnf_node *n = cnnf_graph_find(g, "n");
    static const struct {
        const char *name;
        int32_t kind;
        int64_t count;
    } lists[] = {{"i", CNNF_ATTR_INT, 2},     {"f", CNNF_ATTR_FLOAT, 1},   {"b", CNNF_ATTR_BOOL, 2},
                 {"t", CNNF_ATTR_TYPE, 1},    {"s", CNNF_ATTR_STRING, 2},  {"sh", CNNF_ATTR_SHAPE, 2},
                 {"te", CNNF_ATTR_TENSOR, 1}, {"fs", CNNF_ATTR_FUNC, 1},   {"e", CNNF_ATTR_NONE, 0},
                 {"fn", CNNF_ATTR_NONE, -1},  {"none", CNNF_ATTR_NONE, -1}};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        ck_assert_int_eq(cnnf_node_attr_list_kind(n, lists[i].name), lists[i].kind);
        ck_assert_int_eq(cnnf_node_attr_list_count(n, lists[i].name), lists[i].count);
        /* of another kind, or outside: the fallback */
        if (lists[i].kind != CNNF_ATTR_INT) ck_assert_int_eq(cnnf_node_attr_list_int(n, lists[i].name, 0, 77), 77);
        if (lists[i].kind != CNNF_ATTR_STRING)
            ck_assert_ptr_null(cnnf_node_attr_list_string(NULL, n, lists[i].name, 0));
        ck_assert_ptr_null(cnnf_node_attr_list_tensor(n, lists[i].name, 1));
        ck_assert_ptr_null(cnnf_node_attr_list_func(n, lists[i].name, -1));
    }
    size_t size = 9;
    ck_assert_int_eq(cnnf_node_attr_list_int(n, "i", 1, 0), -4);
    ck_assert(cnnf_node_attr_list_float(n, "f", 0, 0) == 0.5 && cnnf_node_attr_list_float(n, "f", 1, 2) == 2.0);
    ck_assert_int_eq(cnnf_node_attr_list_bool(n, "b", 0, 0), 1);
    ck_assert_int_eq(cnnf_node_attr_list_bool(n, "b", 1, 1), 0);
    ck_assert_int_eq(cnnf_node_attr_list_type(n, "t", 0, 0), CNNF_HALF);
    ck_assert_int_eq(memcmp(cnnf_node_attr_list_string(&size, n, "s", 0), "a\0b", 4), 0);
    ck_assert_uint_eq(size, 3);
    ck_assert_str_eq(cnnf_node_attr_list_string(&size, n, "s", 1), "");
    ck_assert_uint_eq(size, 0);
    ck_assert_int_eq(cnnf_node_attr_list_shape_rank(n, "sh", 0), 2);
    ck_assert_int_eq(cnnf_node_attr_list_shape_dim(n, "sh", 0, 0), 2);
    ck_assert_int_eq(cnnf_node_attr_list_shape_dim(n, "sh", 0, 1), -1);
    ck_assert_int_eq(cnnf_node_attr_list_shape_dim(n, "sh", 0, 2), -1);
    ck_assert_int_eq(cnnf_node_attr_list_shape_rank(n, "sh", 1), -1);
    ck_assert_int_eq(cnnf_node_attr_list_shape_rank(n, "sh", 2), -2);
    ck_assert_int_eq(cnnf_tensor_dtype(cnnf_node_attr_list_tensor(n, "te", 0)), CNNF_INT32);
    ck_assert_str_eq(cnnf_node_attr_list_func(n, "fs", 0), "g");
    ck_assert_str_eq(cnnf_node_attr_func(n, "fn"), "f");
    ck_assert_ptr_null(cnnf_node_attr_func(n, "fs"));
    ck_assert_str_eq(cnnf_graph_function_name(g, 1), "g");
    ck_assert_ptr_null(cnnf_graph_function_name(g, 2));
    cnnf_graph_unref(g);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

START_TEST(inputs_say_what_they_take)
{
    cnnf_context *context = test_context();
    cnnf_graph *g = NULL;
    ck_assert_int_eq(cnnf_load_memory(&g, context, attributes_text, strlen(attributes_text), "t", NULL, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_graph_input_count(g), 2);
    ck_assert_int_eq(cnnf_graph_input_dtype(g, 0), CNNF_FLOAT);
    ck_assert_int_eq(cnnf_graph_input_dtype(g, 1), CNNF_INT32);
    ck_assert_int_eq(cnnf_graph_input_shape_rank(g, 0), 3);
    ck_assert_int_eq(cnnf_graph_input_shape_dim(g, 0, 0), -1);
    ck_assert_int_eq(cnnf_graph_input_shape_dim(g, 0, 1), 28);
    ck_assert_int_eq(cnnf_graph_input_shape_dim(g, 0, 3), -1);
    ck_assert_int_eq(cnnf_graph_input_shape_rank(g, 1), -1);
    ck_assert_int_eq(cnnf_graph_input_dtype(g, 2), CNNF_DTYPE_INVALID);
    ck_assert_int_eq(cnnf_graph_input_shape_rank(g, -1), -1);
    ck_assert_int_eq(cnnf_graph_input_shape_dim(NULL, 0, 0), -1);
    cnnf_graph_unref(g);
    test_context_done(context);
}
END_TEST

START_TEST(copies_are_independent)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = small_graph(context), *changed = NULL;
    cnnfi_builder *b = NULL;
    ck_assert_int_eq(cnnfi_builder_from(&b, graph, NULL), CNNF_OK);
    cnnfi_node_set_input(b, cnnfi_builder_find(b, "layer/Relu"), 0, "x");
    cnnfi_builder_remove(b, cnnfi_builder_find(b, "layer/BiasAdd"));
    cnnfi_builder_rename(b, cnnfi_builder_find(b, "bias"), "other");
    cnnf_graph_unref(graph);
    ck_assert_int_eq(cnnfi_builder_publish(&changed, b, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_graph_node_count(changed), 3);
    ck_assert_str_eq(cnnf_node_input(cnnf_graph_find(changed, "layer/Relu"), 0), "x");
    ck_assert_ptr_null(cnnf_graph_find(changed, "bias"));
    ck_assert_ptr_nonnull(cnnf_node_attr_tensor(cnnf_graph_find(changed, "other"), "value"));
    cnnf_graph_unref(changed);
    test_context_done(context);
}
END_TEST

START_TEST(bad_graphs_are_named)
{
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    cnnfi_builder *b = NULL;
    cnnf_graph *graph = NULL;
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    cnnfi_builder_add(b, "NoOp", "x");
    cnnfi_builder_add(b, "NoOp", "x");
    ck_assert_ptr_null(cnnfi_builder_add(b, "NoOp", "later"));
    ck_assert_int_eq(cnnfi_builder_publish(&graph, b, error), CNNF_E_CORRUPT);
    ck_assert_str_eq(cnnf_error_message(error), "node 'x' occurs twice (nodes 0 and 1)");
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    cnnfi_node_add_input(b, cnnfi_builder_add(b, "Identity", "y"), "zz:0");
    ck_assert_int_eq(cnnfi_builder_publish(&graph, b, error), CNNF_E_CORRUPT);
    ck_assert_str_eq(cnnf_error_message(error), "node 'y': input 0 'zz:0' names no node");
    ck_assert_str_eq(cnnf_error_node(error), "y");
    ck_assert_ptr_null(graph);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

START_TEST(order_and_cycles)
{
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    cnnf_graph *graph = small_graph(context);
    int32_t *order = NULL;
    ck_assert_int_eq(cnnfi_toposort(&order, graph, error), CNNF_OK);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(order[i], i);
    cnnfi_free(context, order);
    cnnf_graph_unref(graph);
    cnnfi_builder *b = NULL;
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    cnnfi_node_add_input(b, cnnfi_builder_add(b, "Identity", "a"), "b");
    cnnfi_node_add_input(b, cnnfi_builder_add(b, "Identity", "b"), "a");
    ck_assert_int_eq(cnnfi_builder_publish(&graph, b, error), CNNF_OK);
    ck_assert_int_eq(cnnfi_toposort(&order, graph, error), CNNF_E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "cycle: "));
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

START_TEST(consumers_and_reach)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = small_graph(context);
    cnnfi_consumers consumers;
    ck_assert_int_eq(cnnfi_consumers_init(&consumers, graph, NULL), CNNF_OK);
    ck_assert_uint_eq(consumers.start[1] - consumers.start[0], 2); /* x: BiasAdd and Relu's control input */
    ck_assert_int_eq(consumers.node[consumers.start[0]], 2);
    ck_assert_int_eq(consumers.node[consumers.start[0] + 1], 3);
    ck_assert_uint_eq(consumers.start[4] - consumers.start[3], 0);
    cnnfi_consumers_free(&consumers);
    bool keep[4];
    const int32_t root = 2;
    ck_assert_int_eq(cnnfi_reach(keep, graph, &root, 1, true, NULL), CNNF_OK);
    ck_assert(keep[0] && keep[1] && keep[2] && !keep[3]);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(names_users_write)
{
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    cnnf_graph *graph = small_graph(context);
    const cnnf_node *node = NULL;
    ck_assert_int_eq(cnnfi_resolve_node(&node, graph, "layer/Relu:0", error), CNNF_OK);
    ck_assert_str_eq(node->name, "layer/Relu");
    ck_assert_int_eq(cnnfi_resolve_node(&node, graph, "layer", error), CNNF_OK);
    ck_assert_str_eq(node->name, "layer/Relu");
    ck_assert_int_eq(cnnfi_resolve_node(&node, graph, "layer/Rela", error), CNNF_E_NOT_FOUND);
    ck_assert_str_eq(cnnf_error_message(error), "'layer/Rela' is not in graph; did you mean 'layer/Relu'?");
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

static Suite *graph_suite(void)
{
    Suite *suite = suite_create("graph");
    TCase *tests = tcase_create("graph");
    tcase_add_test(tests, publishing_resolves);
    tcase_add_test(tests, every_attribute_can_be_read);
    tcase_add_test(tests, inputs_say_what_they_take);
    tcase_add_test(tests, copies_are_independent);
    tcase_add_test(tests, bad_graphs_are_named);
    tcase_add_test(tests, order_and_cycles);
    tcase_add_test(tests, consumers_and_reach);
    tcase_add_test(tests, names_users_write);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(graph_suite)
