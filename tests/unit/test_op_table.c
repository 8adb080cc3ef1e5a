/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "ops/op_table.h"
#include "passes_support.h"
#include "graph/builder.h"

START_TEST(ops_are_found)
{
    const cnnfi_op *conv = cnnfi_op_find("Conv2D");
    ck_assert_ptr_nonnull(conv);
    ck_assert_uint_eq(conv->n_inputs, 2);
    ck_assert_str_eq(cnnfi_op_input(conv, 1)->name, "filter");
    ck_assert_ptr_null(cnnfi_op_input(conv, 2));
    ck_assert_str_eq(cnnfi_op_output(conv, 0)->type_attr, "T");
    ck_assert_ptr_null(cnnfi_op_find("conv2d"));
    ck_assert_ptr_null(cnnfi_op_find(""));
    ck_assert_uint_ne(cnnfi_op_find("VarHandleOp")->flags & CNNFI_OP_IS_STATEFUL, 0);
}
END_TEST

/* Dates from the releases' own registries. */
START_TEST(history_is_known)
{
    const cnnfi_op *conv = cnnfi_op_find("Conv2D"), *norm = cnnfi_op_find("FusedBatchNormV3");
    ck_assert(!cnnfi_op_in_release(norm, 113));
    ck_assert(cnnfi_op_in_release(norm, 114));
    ck_assert(!cnnfi_op_attr_in_release(norm, cnnfi_op_attr_find(norm, "exponential_avg_factor"), 201));
    ck_assert(cnnfi_op_attr_in_release(norm, cnnfi_op_attr_find(norm, "exponential_avg_factor"), 202));
    ck_assert(!cnnfi_op_attr_in_release(conv, cnnfi_op_attr_find(conv, "explicit_paddings"), 113));
    const cnnfi_op_attr *padding = cnnfi_op_attr_find(conv, "padding");
    ck_assert_uint_lt(cnnfi_op_allowed(conv, padding, 113).size, cnnfi_op_allowed(conv, padding, 114).size);
    int32_t release;
    ck_assert(cnnfi_release_parse("1.15", &release) && release == 115);
    ck_assert(cnnfi_release_parse("1.15.5", &release) && release == 115);
    ck_assert(cnnfi_release_parse("2.4", &release) && release == 204);
    static const char *const bad[] = {"", "1", "1.", "1.3", "1.16", "2.16", "3.0", "x.4", "1.4x", "-1.4"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!cnnfi_release_parse(bad[i], &release), "%s", bad[i]);
    ck_assert_int_eq(cnnfi_release_producer(115), 134);
}
END_TEST

START_TEST(nodes_have_ports)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = NULL;
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    cnnf_node *split = cnnfi_builder_add(b, "Split", "split");
    ck_assert_int_eq(cnnfi_node_output_count(split), -1);
    cnnfi_node_set_int(b, split, "num_split", 3);
    cnnfi_node_set_type(b, split, "T", CNNF_HALF);
    ck_assert_int_eq(cnnfi_node_output_count(split), 3);
    ck_assert_int_eq(cnnfi_node_output_type(split, 2), CNNF_HALF);
    ck_assert_int_eq(cnnfi_node_output_type(split, 3), 0);
    const cnnfi_op *op = cnnfi_op_find("Split");
    ck_assert_int_eq(cnnfi_op_node_inputs(op, split), 2);
    ck_assert_int_eq(cnnfi_op_input_type(op, split, 0, NULL), CNNF_INT32);
    cnnf_node *identity = cnnfi_builder_add(b, "IdentityN", "n");
    const int32_t types[] = {CNNF_FLOAT, CNNF_INT64};
    cnnfi_node_set_types(b, identity, "T", types, 2);
    ck_assert_int_eq(cnnfi_node_output_count(identity), 2);
    ck_assert_int_eq(cnnfi_node_output_type(identity, 1), CNNF_INT64);
    cnnf_node *variable = cnnfi_builder_add(b, "VariableV2", "v");
    cnnfi_node_set_type(b, variable, "dtype", CNNF_FLOAT);
    bool is_ref = false;
    ck_assert_int_eq(cnnfi_op_output_type(cnnfi_op_find("VariableV2"), variable, 0, &is_ref), CNNF_FLOAT);
    ck_assert(is_ref);
    cnnf_node *mean = cnnfi_builder_add(b, "Mean", "m");
    ck_assert_int_eq(cnnfi_op_input_type(cnnfi_op_find("Mean"), mean, 1, NULL), CNNF_INT32);
    ck_assert(cnnfi_node_is_pure(mean));
    ck_assert(!cnnfi_node_is_pure(variable));
    ck_assert(!cnnfi_node_is_pure(cnnfi_builder_add(b, "Unheard", "u")));
    ck_assert(!cnnfi_node_is_pure(cnnfi_builder_add(b, "RandomUniform", "r")));
    cnnfi_builder_free(b);
    test_context_done(context);
}
END_TEST

START_TEST(defaults_are_set_and_recognised)
{
    cnnf_context *context = test_context();
    cnnfi_builder *b = NULL;
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    cnnf_node *node = cnnfi_builder_add(b, "FusedBatchNormV3", "n");
    const cnnfi_op *op = cnnfi_op_find("FusedBatchNormV3");
    for (size_t i = 0; i < op->n_attrs; i++) {
        const cnnfi_op_attr *attr = cnnfi_op_attr_at(op, i);
        cnnfi_wire_set(b, node, attr->name, attr->default_value);
        const cnnfi_attr *set = cnnfi_node_attr(node, attr->name);
        ck_assert_msg(!set == !attr->default_value.data, "%s", attr->name);
        if (set) ck_assert(cnnfi_wire_equals(attr->default_value, set));
    }
    ck_assert(cnnfi_node_string_is(node, "data_format", "NHWC"));
    ck_assert_int_eq(cnnf_node_attr_bool(node, "is_training", 0), 1);
    ck_assert_int_eq((int)(1e7 * cnnf_node_attr_float(node, "epsilon", 0)), 999);
    cnnfi_node_set_float(b, node, "epsilon", 0.5f);
    ck_assert(!cnnfi_wire_equals(cnnfi_op_attr_find(op, "epsilon")->default_value, cnnfi_node_attr(node, "epsilon")));
    const cnnfi_op *conv = cnnfi_op_find("Conv2D");
    const int64_t ones[] = {1, 1, 1, 1}, other[] = {1, 2, 1, 1};
    cnnfi_node_set_ints(b, node, "dilations", ones, 4);
    const cnnfi_op_attr *dilations = cnnfi_op_attr_find(conv, "dilations");
    ck_assert(cnnfi_wire_equals(dilations->default_value, cnnfi_node_attr(node, "dilations")));
    cnnfi_node_set_ints(b, node, "dilations", other, 4);
    ck_assert(!cnnfi_wire_equals(dilations->default_value, cnnfi_node_attr(node, "dilations")));
    cnnfi_wire_set(b, node, "dilations", dilations->default_value);
    ck_assert_int_eq(cnnf_node_attr_list_int(node, "dilations", 3, 0), 1);
    cnnfi_node_set_string(b, node, "padding", "SAME");
    ck_assert(cnnfi_wire_allows(cnnfi_op_attr_find(conv, "padding")->allowed, cnnfi_node_attr(node, "padding")));
    cnnfi_node_set_string(b, node, "padding", "FULL");
    ck_assert(!cnnfi_wire_allows(cnnfi_op_attr_find(conv, "padding")->allowed, cnnfi_node_attr(node, "padding")));
    cnnfi_builder_free(b);
    test_context_done(context);
}
END_TEST

/* Bytes that TensorFlow 2.15 and 1.15 write into stripped_op_list. */
START_TEST(op_defs_are_tensorflows)
{
    static const char relu[] =
        "\n\004Relu\022\r\n\010features\"\001T\032\020\n\013activations\"\001T\"\034\n\001T\022\004type"
        ":\021\n\0172\r\001\002\003\004\005\006\t\016\021\023\026\027\013";
    cnnf_context *context = test_context();
    cnnfi_strbuf text;
    cnnfi_strbuf_init(&text, context);
    ck_assert(cnnfi_op_def_bytes(&text, "NoOp", 215));
    ck_assert_mem_eq(text.data, "\n\004NoOp", text.size);
    cnnfi_strbuf_free(&text);
    cnnfi_strbuf_init(&text, context);
    ck_assert(cnnfi_op_def_bytes(&text, "Relu", 115));
    ck_assert_uint_eq(text.size, sizeof relu - 1);
    ck_assert_mem_eq(text.data, relu, text.size);
    cnnfi_strbuf_free(&text);
    cnnfi_strbuf_init(&text, context);
    ck_assert(!cnnfi_op_def_bytes(&text, "FusedBatchNormV3", 113));
    ck_assert(!cnnfi_op_def_bytes(&text, "Unheard", 215));
    cnnfi_strbuf_free(&text);
    test_context_done(context);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("op_table");
    TCase *t = tcase_create("op_table");
    tcase_add_test(t, ops_are_found);
    tcase_add_test(t, history_is_known);
    tcase_add_test(t, nodes_have_ports);
    tcase_add_test(t, defaults_are_set_and_recognised);
    tcase_add_test(t, op_defs_are_tensorflows);
    suite_add_tcase(s, t);
    return s;
}

TEST_MAIN(suite)
