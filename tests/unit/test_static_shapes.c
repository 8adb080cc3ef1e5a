/* SPDX-License-Identifier: Apache-2.0 */
/* static_shapes: what follows from declared shapes is constant, and nothing else. */
#include <string.h>

#include "passes_support.h"

/* Keras 2's Flatten: Reshape(x, Pack(-1, Prod(Shape(x)[1:]))); `dims` of x. */
static cnnf_graph *flatten_graph(cnnf_context *context, const int64_t *dims, bool behind_switch)
{
    static const graph_row rows[] = {
        {"Placeholder", "x", {NULL}},
        {"Relu", "r", {"x", NULL}},
        {"Shape", "shape", {"r", NULL}},
        {"StridedSlice", "rest", {"shape", "one", "zero", "one", NULL}},
        {"Prod", "prod", {"rest", "zero", NULL}},
        {"Pack", "pack", {"minus", "prod", NULL}},
        {"Reshape", "y", {"r", "pack", NULL}},
    };
    const int32_t one[] = {1}, zero[] = {0}, minus[] = {-1};
    cnnfi_builder *b = make_builder(context, rows, 7);
    cnnfi_builder_const_i32(b, "one", 1, one, 1);
    cnnfi_builder_const_i32(b, "zero", 1, zero, 1);
    cnnfi_builder_const_i32(b, "minus", 0, minus, 1);
    cnnfi_node_set_shape(b, cnnfi_builder_find(b, "x"), "shape", 4, dims);
    cnnf_node *slice = cnnfi_builder_find(b, "rest");
    cnnfi_node_set_type(b, cnnfi_builder_find(b, "shape"), "out_type", CNNF_INT32);
    cnnfi_node_set_type(b, slice, "T", CNNF_INT32);
    cnnfi_node_set_type(b, slice, "Index", CNNF_INT32);
    cnnfi_node_set_int(b, slice, "end_mask", 1);
    cnnfi_node_set_type(b, cnnfi_builder_find(b, "prod"), "T", CNNF_INT32);
    cnnfi_node_set_type(b, cnnfi_builder_find(b, "prod"), "Tidx", CNNF_INT32);
    cnnfi_node_set_int(b, cnnfi_builder_find(b, "pack"), "N", 2);
    cnnfi_node_set_type(b, cnnfi_builder_find(b, "pack"), "T", CNNF_INT32);
    cnnfi_node_set_type(b, cnnfi_builder_find(b, "y"), "Tshape", CNNF_INT32);
    if (behind_switch) {
        cnnf_node *phase = cnnfi_builder_add(b, "Placeholder", "phase");
        cnnfi_node_set_type(b, phase, "dtype", CNNF_BOOL);
        cnnfi_node_set_shape(b, phase, "shape", 0, NULL);
        cnnf_node *branch = cnnfi_builder_add(b, "Switch", "branch");
        cnnfi_node_add_input(b, branch, "x");
        cnnfi_node_add_input(b, branch, "phase");
        cnnfi_node_set_type(b, branch, "T", CNNF_FLOAT);
        cnnfi_node_set_input(b, cnnfi_builder_find(b, "r"), 0, "branch:1");
    }
    return publish(b);
}

static void expect_target(const cnnf_graph *graph, const char *name, int32_t first, int32_t second)
{
    const cnnf_tensor *value = cnnf_node_attr_tensor(cnnf_graph_find(graph, name), "value");
    ck_assert_ptr_nonnull(value);
    ck_assert_int_eq(cnnf_tensor_element_count(value), 2);
    const int32_t *data = cnnf_tensor_data(value);
    ck_assert_int_eq(data[0], first);
    ck_assert_int_eq(data[1], second);
}

START_TEST(a_flatten_becomes_a_constant_reshape)
{
    const int64_t dims[] = {-1, 4, 4, 3};
    cnnf_context *context = test_context();
    cnnf_graph *graph = flatten_graph(context, dims, false);
    cnnf_graph *after = run_twice(graph, "static_shapes", "x", "y");
    ck_assert_inputs(after, "y", "r pack");
    expect_target(after, "pack", -1, 48);
    ck_assert_int_eq(cnnf_graph_node_count(after), 4);
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(what_is_open_stays)
{
    const int64_t dims[] = {-1, -1, 4, 3};
    cnnf_context *context = test_context();
    cnnf_graph *graph = flatten_graph(context, dims, false);
    cnnf_graph *after = run_twice(graph, "static_shapes", "x", "y");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "pack")), "Pack");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "prod")), "Prod");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(a_batch_size_makes_the_rest_known)
{
    const int64_t dims[] = {-1, 4, 4, 3};
    cnnf_context *context = test_context();
    cnnf_graph *graph = flatten_graph(context, dims, false), *after = NULL;
    ck_assert_int_eq(run_passes(&after, graph, "set_input_shape(batch=2) static_shapes", "x", "y", NULL), CNNF_OK);
    expect_target(after, "pack", -1, 48);
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* A constant would live where the branch does not. */
START_TEST(a_branch_keeps_its_own)
{
    const int64_t dims[] = {-1, 4, 4, 3};
    cnnf_context *context = test_context();
    cnnf_graph *graph = flatten_graph(context, dims, true);
    cnnf_graph *after = run_twice(graph, "static_shapes", "x", "y");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "pack")), "Pack");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "shape")), "Shape");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("static_shapes");
    TCase *t = tcase_create("static_shapes");
    tcase_add_test(t, a_flatten_becomes_a_constant_reshape);
    tcase_add_test(t, what_is_open_stays);
    tcase_add_test(t, a_batch_size_makes_the_rest_known);
    tcase_add_test(t, a_branch_keeps_its_own);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
