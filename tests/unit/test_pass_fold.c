/* SPDX-License-Identifier: Apache-2.0 */
/* Passes that compute: constants, convolutions' padding and rate, weights. */
#include <math.h>
#include <string.h>

#include "graph/tensor.h"
#include "graph/builder.h"
#include "passes_support.h"

static void set_value(cnnfi_builder *b, const char *name, cnnf_dtype dtype, int32_t rank, const int64_t *dims,
                      const void *data)
{
    cnnf_tensor *tensor = NULL;
    cnnf_node *node = cnnfi_builder_find(b, name);
    ck_assert_int_eq(cnnfi_tensor_copy(&tensor, b->graph->context, dtype, rank, dims, data, NULL), CNNF_OK);
    cnnfi_node_set_type(b, node, "dtype", dtype);
    cnnfi_node_set_tensor(b, node, "value", tensor);
    cnnf_tensor_unref(tensor);
}

static double element(const cnnf_graph *graph, const char *name, int64_t index)
{
    double value = NAN;
    const cnnf_tensor *tensor = cnnf_node_attr_tensor(cnnf_graph_find(graph, name), "value");
    ck_assert_msg(tensor != NULL, "'%s' is no Const", name);
    ck_assert(cnnfi_tensor_get_f64(tensor, index, &value));
    return value;
}

/* ---- fold_constants ---- */

/* A constant that waits for what is folded is there as soon; one that waits for a branch is not. */
START_TEST(constants_may_wait_for_constants)
{
    static const graph_row rows[] = {
        {"Placeholder", "x", {NULL}},   {"Const", "a", {NULL}},         {"Relu", "r", {"a", NULL}},
        {"Const", "b", {"^r", NULL}},   {"Mul", "y", {"a", "b", NULL}}, {"Const", "c", {"^x", NULL}},
        {"Mul", "z", {"a", "c", NULL}},
    };
    cnnf_context *context = test_context();
    cnnf_graph *graph = make_graph(context, rows, sizeof rows / sizeof *rows);
    cnnf_graph *after = run_twice(graph, "fold_constants", "x", "y,z");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "y")), "Const");
    ck_assert_double_eq(element(after, "y", 1), 4);
    ck_assert_inputs(after, "z", "a c");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(constants_are_computed)
{
    static const graph_row rows[] = {
        {"Placeholder", "x", {NULL}},
        {"Const", "a", {NULL}},
        {"Const", "b", {NULL}},
        {"Identity", "a/read", {"a", NULL}},
        {"Add", "sum", {"a/read", "b", NULL}},
        {"Mul", "square", {"sum", "sum", NULL}},
        {"Mul", "y", {"x", "square", "^sum", NULL}},
        {"Relu", "other", {"b", NULL}},
        {"Sub", "rest", {"x", "b", NULL}},
    };
    cnnf_context *context = test_context();
    cnnf_graph *graph = make_graph(context, rows, sizeof rows / sizeof *rows);
    cnnf_graph *after = run_twice(graph, "fold_constants", "x", "y,other,rest");
    ck_assert_inputs(after, "y", "x square");
    ck_assert_double_eq(element(after, "square", 0), 4);
    ck_assert_double_eq(element(after, "square", 1), 16);
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "other")), "Const");
    ck_assert_inputs(after, "rest", "x b");
    ck_assert_int_eq(cnnf_graph_node_count(after), 6);
    cnnf_graph_unref(after);
    after = run_twice(graph, "fold_constants(exclude_op=Mul)", "x", "y,other,rest");
    ck_assert_inputs(after, "square", "sum sum");
    ck_assert_inputs(after, "y", "x square ^sum");
    cnnf_graph_unref(after);
    after = run_twice(graph, "fold_constants(max_constant_size_in_bytes=4)", "x", "y,other,rest");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "sum")), "Add");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* A constant of a branch is dead when the branch is; a random number is never one. */
START_TEST(what_is_not_constant_stays)
{
    static const graph_row rows[] = {
        {"Placeholder", "x", {NULL}},
        {"Const", "a", {"^x", NULL}},
        {"Relu", "y", {"a", NULL}},
        {"Const", "shape", {NULL}},
        {"RandomUniform", "r", {"shape", NULL}},
    };
    const int32_t two[] = {2};
    cnnf_context *context = test_context();
    cnnfi_builder *b = make_builder(context, rows, sizeof rows / sizeof *rows);
    set_value(b, "shape", CNNF_INT32, 1, (const int64_t[]){1}, two);
    cnnfi_node_set_type(b, cnnfi_builder_find(b, "r"), "T", CNNF_INT32);
    cnnfi_node_set_type(b, cnnfi_builder_find(b, "r"), "dtype", CNNF_FLOAT);
    cnnf_graph *graph = publish(b);
    cnnf_graph *after = run_twice(graph, "fold_constants", "x", "y,r");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "y")), "Relu");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "r")), "RandomUniform");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(shapes_are_shared_and_defaults_opened)
{
    static const graph_row rows[] = {
        {"Const", "default", {NULL}},
        {"PlaceholderWithDefault", "x", {"default", NULL}},
        {"Const", "w", {NULL}},
        {"Const", "to", {NULL}},
        {"Reshape", "w2", {"w", "to", NULL}},
        {"Mul", "y", {"x", "w2", NULL}},
    };
    const int32_t to[] = {1, 2};
    cnnf_context *context = test_context();
    cnnfi_builder *b = make_builder(context, rows, sizeof rows / sizeof *rows);
    set_value(b, "to", CNNF_INT32, 1, (const int64_t[]){2}, to);
    cnnfi_node_set_type(b, cnnfi_builder_find(b, "x"), "dtype", CNNF_FLOAT);
    cnnfi_node_set_shape(b, cnnfi_builder_find(b, "x"), "shape", -1, NULL);
    cnnf_graph *graph = publish(b);
    cnnf_graph *after = run_twice(graph, "fold_constants", "x", "y");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "x")), "Placeholder");
    ck_assert_int_eq(cnnf_node_input_count(cnnf_graph_find(after, "x")), 0);
    const cnnf_tensor *value = cnnf_node_attr_tensor(cnnf_graph_find(after, "w2"), "value");
    ck_assert_int_eq(cnnf_tensor_rank(value), 2);
    ck_assert_double_eq(element(after, "w2", 1), 2);
    ck_assert_ptr_null(cnnf_graph_find(after, "w"));
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* Bitcast hands on bytes, not elements: as wide they are as many, else not. */
START_TEST(bits_are_another_type)
{
    static const graph_row rows[] = {
        {"Const", "a", {NULL}},
        {"Bitcast", "same", {"a", NULL}},
        {"Const", "b", {NULL}},
        {"Bitcast", "narrow", {"b", NULL}},
    };
    const float a[] = {1, 2};
    const double b_value = 1;
    cnnf_context *context = test_context();
    cnnfi_builder *b = make_builder(context, rows, sizeof rows / sizeof *rows);
    set_value(b, "a", CNNF_FLOAT, 1, (const int64_t[]){2}, a);
    set_value(b, "b", CNNF_DOUBLE, 0, NULL, &b_value);
    cnnfi_node_set_type(b, cnnfi_builder_find(b, "same"), "T", CNNF_FLOAT);
    cnnfi_node_set_type(b, cnnfi_builder_find(b, "same"), "type", CNNF_INT32);
    cnnfi_node_set_type(b, cnnfi_builder_find(b, "narrow"), "T", CNNF_DOUBLE);
    cnnfi_node_set_type(b, cnnfi_builder_find(b, "narrow"), "type", CNNF_FLOAT);
    cnnf_graph *graph = publish(b);
    cnnf_graph *after = run_twice(graph, "fold_constants", "", "same,narrow");
    const cnnf_tensor *same = cnnf_node_attr_tensor(cnnf_graph_find(after, "same"), "value");
    ck_assert_int_eq(cnnf_tensor_dtype(same), CNNF_INT32);
    ck_assert_double_eq(element(after, "same", 0), 1065353216);
    ck_assert_double_eq(element(after, "same", 1), 1073741824);
    const cnnf_tensor *narrow = cnnf_node_attr_tensor(cnnf_graph_find(after, "narrow"), "value");
    ck_assert_int_eq(cnnf_tensor_dtype(narrow), CNNF_FLOAT);
    ck_assert_int_eq(cnnf_tensor_element_count(narrow), 2);
    ck_assert_double_eq(element(after, "narrow", 1), 1.875); /* the upper half of 1.0 */
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

START_TEST(outputs_of_many_get_constants)
{
    static const graph_row rows[] = {
        {"Placeholder", "x", {NULL}},        {"Const", "axis", {NULL}},        {"Const", "a", {NULL}},
        {"Split", "s", {"axis", "a", NULL}}, {"Mul", "y", {"x", "s:1", NULL}},
    };
    const int32_t zero = 0;
    cnnf_context *context = test_context();
    cnnfi_builder *b = make_builder(context, rows, sizeof rows / sizeof *rows);
    set_value(b, "axis", CNNF_INT32, 0, NULL, &zero);
    cnnfi_node_set_int(b, cnnfi_builder_find(b, "s"), "num_split", 2);
    cnnf_graph *graph = publish(b);
    cnnf_graph *after = run_twice(graph, "fold_constants", "x", "y");
    ck_assert_inputs(after, "y", "x s/output_1");
    ck_assert_double_eq(element(after, "s/output_1", 0), 2);
    ck_assert_int_eq(cnnf_graph_node_count(after), 3);
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* ---- convolutions ---- */

static void set_conv(cnnfi_builder *b, const char *name, int64_t stride)
{
    const int64_t strides[] = {1, stride, stride, 1};
    cnnf_node *node = cnnfi_builder_find(b, name);
    cnnfi_node_set_ints(b, node, "strides", strides, 4);
    cnnfi_node_set_string(b, node, "padding", "VALID");
    cnnfi_node_set_string(b, node, "data_format", "NHWC");
}

static cnnf_graph *atrous_graph(cnnf_context *context, const int32_t *paddings, const int32_t *crops)
{
    static const graph_row rows[] = {
        {"Placeholder", "x", {NULL}},
        {"Const", "block", {NULL}},
        {"Const", "pads", {NULL}},
        {"Const", "crops", {NULL}},
        {"Const", "w", {NULL}},
        {"SpaceToBatchND", "split", {"x", "block", "pads", NULL}},
        {"Conv2D", "conv", {"split", "w", NULL}},
        {"BatchToSpaceND", "join", {"conv", "block", "crops", NULL}},
        {"Relu", "y", {"join", NULL}},
    };
    const int32_t block[] = {2, 2};
    const float w[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    cnnfi_builder *b = make_builder(context, rows, sizeof rows / sizeof *rows);
    set_value(b, "block", CNNF_INT32, 1, (const int64_t[]){2}, block);
    set_value(b, "pads", CNNF_INT32, 2, (const int64_t[]){2, 2}, paddings);
    set_value(b, "crops", CNNF_INT32, 2, (const int64_t[]){2, 2}, crops);
    set_value(b, "w", CNNF_FLOAT, 4, (const int64_t[]){3, 3, 1, 1}, w);
    set_conv(b, "conv", 1);
    return publish(b);
}

START_TEST(atrous_convolutions_are_flattened)
{
    static const int32_t same[] = {2, 3, 2, 2}, crop[] = {0, 1, 0, 0}, odd[] = {1, 3, 2, 2};
    cnnf_context *context = test_context();
    cnnf_graph *graph = atrous_graph(context, same, crop);
    cnnf_graph *after = run_twice(graph, "flatten_atrous_conv", "x", "y");
    ck_assert_inputs(after, "join", "x join/filter");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "join")), "Conv2D");
    ck_assert_str_eq(cnnf_node_attr_string(NULL, cnnf_graph_find(after, "join"), "padding"), "SAME");
    ck_assert_double_eq(element(after, "join/filter", 0), 1);
    ck_assert_double_eq(element(after, "join/filter", 1), 0);
    ck_assert_double_eq(element(after, "join/filter", 2), 2);
    ck_assert_double_eq(element(after, "join/filter", 24), 9);
    ck_assert_ptr_null(cnnf_graph_find(after, "split"));
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    graph = atrous_graph(context, odd, crop);
    after = run_twice(graph, "flatten_atrous_conv", "x", "y");
    ck_assert_ptr_nonnull(cnnf_graph_find(after, "split"));
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

static cnnf_graph *padded_graph(cnnf_context *context, int64_t stride)
{
    static const graph_row rows[] = {
        {"Placeholder", "x", {NULL}},        {"Const", "pads", {NULL}},           {"Const", "w", {NULL}},
        {"Pad", "pad", {"x", "pads", NULL}}, {"Conv2D", "y", {"pad", "w", NULL}},
    };
    const int32_t pads[] = {0, 0, 1, 1, 1, 1, 0, 0};
    const float w[9] = {1};
    cnnfi_builder *b = make_builder(context, rows, sizeof rows / sizeof *rows);
    set_value(b, "pads", CNNF_INT32, 2, (const int64_t[]){4, 2}, pads);
    set_value(b, "w", CNNF_FLOAT, 4, (const int64_t[]){3, 3, 1, 1}, w);
    set_conv(b, "y", stride);
    return publish(b);
}

START_TEST(padding_goes_into_the_convolution)
{
    cnnf_context *context = test_context();
    cnnf_graph *graph = padded_graph(context, 1);
    cnnf_graph *after = run_twice(graph, "fuse_pad_and_conv(version=1.4)", "x", "y");
    ck_assert_inputs(after, "y", "x w");
    ck_assert_str_eq(cnnf_node_attr_string(NULL, cnnf_graph_find(after, "y"), "padding"), "SAME");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    graph = padded_graph(context, 2);
    after = run_twice(graph, "fuse_pad_and_conv(version=1.4)", "x", "y");
    ck_assert_inputs(after, "y", "pad w");
    cnnf_graph_unref(after);
    after = run_twice(graph, "fuse_pad_and_conv", "x", "y");
    ck_assert_inputs(after, "y", "x w");
    ck_assert_str_eq(cnnf_node_attr_string(NULL, cnnf_graph_find(after, "y"), "padding"), "EXPLICIT");
    ck_assert_int_eq(cnnf_node_attr_list_int(cnnf_graph_find(after, "y"), "explicit_paddings", 3, 0), 1);
    cnnf_graph_unref(graph);
    /* And back, for a release that has no explicit padding. */
    graph = run_twice(after, "target_tf(version=1.12)", "x", "y");
    ck_assert_inputs(graph, "y", "y/Pad w");
    ck_assert_inputs(graph, "y/Pad", "x y/paddings");
    ck_assert_double_eq(element(graph, "y/paddings", 2), 1);
    cnnf_graph_unref(graph);
    cnnf_graph_unref(after);
    test_context_done(context);
}
END_TEST

START_TEST(concat_goes_back)
{
    static const graph_row rows[] = {
        {"Placeholder", "x", {NULL}}, {"Const", "axis", {NULL}}, {"ConcatV2", "y", {"x", "x", "axis", "^axis", NULL}}};
    const int32_t one = 1;
    cnnf_context *context = test_context();
    cnnfi_builder *b = make_builder(context, rows, 3);
    set_value(b, "axis", CNNF_INT32, 0, NULL, &one);
    cnnfi_node_set_int(b, cnnfi_builder_find(b, "y"), "N", 2);
    cnnfi_node_set_type(b, cnnfi_builder_find(b, "y"), "Tidx", CNNF_INT32);
    cnnf_graph *graph = publish(b);
    cnnf_graph *after = run_twice(graph, "backport_concatv2", "x", "y");
    ck_assert_inputs(after, "y", "axis x x ^axis");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "y")), "Concat");
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

/* ---- weights ---- */

START_TEST(weights_lose_bits)
{
    static const graph_row rows[] = {
        {"Placeholder", "x", {NULL}}, {"Const", "w", {NULL}}, {"Mul", "y", {"x", "w", NULL}}};
    float w[32];
    for (int i = 0; i < 32; i++)
        w[i] = (float)sin(i) * 3;
    cnnf_context *context = test_context();
    cnnfi_builder *b = make_builder(context, rows, 3);
    set_value(b, "w", CNNF_FLOAT, 1, (const int64_t[]){32}, w);
    cnnf_graph *graph = publish(b);
    cnnf_graph *after = run_twice(graph, "round_weights(num_steps=16)", "x", "y");
    for (int i = 0; i < 32; i++)
        ck_assert_double_le(fabs(element(after, "w", i) - (double)w[i]), 0.21);
    cnnf_graph_unref(after);
    after = run_twice(graph, "quantize_weights(minimum_size=8)", "x", "y");
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_find(after, "w")), "Dequantize");
    ck_assert_inputs(after, "w", "w_quantized_const w_quantized_min w_quantized_max");
    const double low = element(after, "w_quantized_min", 0), high = element(after, "w_quantized_max", 0);
    const cnnf_tensor *levels = cnnf_node_attr_tensor(cnnf_graph_find(after, "w_quantized_const"), "value");
    const uint8_t *level = cnnf_tensor_data(levels);
    ck_assert_int_eq(cnnf_tensor_dtype(levels), CNNF_QUINT8);
    for (int i = 0; i < 32; i++) {
        const double back = low + level[i] * (high - low) / 255;
        ck_assert_double_le(fabs(back - (double)w[i]), (high - low) / 500);
    }
    cnnf_graph_unref(after);
    cnnf_graph_unref(graph);
    test_context_done(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("pass_fold");
    TCase *t = tcase_create("pass_fold");
    tcase_add_test(t, constants_are_computed);
    tcase_add_test(t, constants_may_wait_for_constants);
    tcase_add_test(t, what_is_not_constant_stays);
    tcase_add_test(t, shapes_are_shared_and_defaults_opened);
    tcase_add_test(t, bits_are_another_type);
    tcase_add_test(t, outputs_of_many_get_constants);
    tcase_add_test(t, atrous_convolutions_are_flattened);
    tcase_add_test(t, padding_goes_into_the_convolution);
    tcase_add_test(t, concat_goes_back);
    tcase_add_test(t, weights_lose_bits);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
