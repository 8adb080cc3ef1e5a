/* SPDX-License-Identifier: Apache-2.0 */
/* GraphDefs in and out, against what TensorFlow made of the same messages (tests/golden/graphdef/make.py). */
#include "base/context.h"
#include "folder.h"
#include "graph/builder.h"
#include "graph/tensor.h"

#define UNTIDY    GOLDEN("graphdef/all.pb")
#define CANONICAL GOLDEN("graphdef/canonical.pb")
#define TEXT      GOLDEN("graphdef/all.pbtxt")

static cnnf_context *context;

static void setup(void)
{
    context = test_context();
}

static void teardown(void)
{
    test_context_done(context);
}

static cnnf_buffer *written(const cnnf_graph *graph, int text)
{
    cnnf_write_options *options = NULL;
    cnnf_buffer *buffer = NULL;
    ck_assert_int_eq(cnnf_write_options_new(&options, context, NULL), CNNF_OK);
    cnnf_write_options_set_text(options, text, NULL);
    ck_assert_int_eq(cnnf_write_graphdef_buffer(&buffer, graph, options, NULL), CNNF_OK);
    cnnf_write_options_free(options);
    return buffer;
}

static void check_written(const char *from, const char *wanted, int text)
{
    size_t size;
    cnnf_graph *graph = NULL;
    cnnf_error *error = cnnf_error_new();
    uint8_t *bytes = file_read(wanted, &size);
    cnnf_status status = cnnf_load_file(&graph, context, from, NULL, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
    cnnf_buffer *buffer = written(graph, text);
    ck_assert_uint_eq(cnnf_buffer_size(buffer), size);
    ck_assert_int_eq(memcmp(cnnf_buffer_data(buffer), bytes, size), 0);
    uint64_t predicted = 0;
    ck_assert_int_eq(cnnf_graphdef_size(&predicted, graph, error), CNNF_OK);
    if (!text) ck_assert_uint_eq(predicted, size);
    cnnf_buffer_free(buffer);
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
    free(bytes);
}

START_TEST(untidy_becomes_canonical)
{
    check_written(UNTIDY, CANONICAL, 0);
    check_written(CANONICAL, CANONICAL, 0);
}
END_TEST

START_TEST(text_is_tensorflows)
{
    check_written(UNTIDY, TEXT, 1);
    check_written(TEXT, TEXT, 1);
}
END_TEST

/* A graph edited by a pass is a copy: it must lose nothing either. */
START_TEST(copies_lose_nothing)
{
    size_t size;
    cnnf_graph *graph = NULL, *copy = NULL;
    cnnfi_builder *builder = NULL;
    uint8_t *bytes = file_read(CANONICAL, &size);
    ck_assert_int_eq(cnnf_load_file(&graph, context, CANONICAL, NULL, NULL), CNNF_OK);
    ck_assert_int_eq(cnnfi_builder_from(&builder, graph, NULL), CNNF_OK);
    cnnf_graph_unref(graph);
    ck_assert_int_eq(cnnfi_builder_publish(&copy, builder, NULL), CNNF_OK);
    cnnf_buffer *buffer = written(copy, 0);
    ck_assert_uint_eq(cnnf_buffer_size(buffer), size);
    ck_assert_int_eq(memcmp(cnnf_buffer_data(buffer), bytes, size), 0);
    cnnf_buffer_free(buffer);
    cnnf_graph_unref(copy);
    free(bytes);
}
END_TEST

START_TEST(large_contents_stay_in_the_file)
{
    cnnf_graph *graph = NULL;
    float value = 0;
    ck_assert_int_eq(cnnf_load_file(&graph, context, UNTIDY, NULL, NULL), CNNF_OK);
    const cnnf_tensor *tensor = cnnf_node_attr_tensor(cnnf_graph_find(graph, "t/large"), "value");
    ck_assert_ptr_nonnull(tensor);
    ck_assert_int_eq(cnnfi_tensor_storage(tensor), CNNFI_STORAGE_RANGE);
    ck_assert_ptr_null(cnnf_tensor_data(tensor));
    ck_assert_int_eq(cnnf_tensor_read(&value, tensor, 2047 * sizeof value, sizeof value, NULL), CNNF_OK);
    ck_assert(value == 2047.0f);
    cnnf_graph_unref(graph);
}
END_TEST

/* What make_tensor_proto writes for values that no file had. */
START_TEST(fresh_tensors_are_encoded_as_tensorflow_does)
{
    cnnfi_builder *b = NULL;
    cnnf_graph *graph = NULL;
    const float two[] = {1, 2};
    const int64_t dims[] = {2};
    const uint8_t flags[] = {1, 0};
    cnnf_tensor *bools = NULL;
    static const char wanted[] =
        "node {\n  name: \"b\"\n  op: \"Const\"\n  attr {\n    key: \"dtype\"\n    value {\n      type: DT_BOOL\n    "
        "}\n  }\n"
        "  attr {\n    key: \"value\"\n    value {\n      tensor {\n        dtype: DT_BOOL\n        tensor_shape {\n"
        "          dim {\n            size: 2\n          }\n        }\n        bool_val: true\n        bool_val: "
        "false\n"
        "      }\n    }\n  }\n}\n"
        "node {\n  name: \"one\"\n  op: \"Const\"\n  attr {\n    key: \"dtype\"\n    value {\n      type: DT_FLOAT\n   "
        " }\n  }\n"
        "  attr {\n    key: \"value\"\n    value {\n      tensor {\n        dtype: DT_FLOAT\n        tensor_shape {\n"
        "        }\n        float_val: 1.0\n      }\n    }\n  }\n}\n"
        "node {\n  name: \"two\"\n  op: \"Const\"\n  attr {\n    key: \"dtype\"\n    value {\n      type: DT_FLOAT\n   "
        " }\n  }\n"
        "  attr {\n    key: \"value\"\n    value {\n      tensor {\n        dtype: DT_FLOAT\n        tensor_shape {\n"
        "          dim {\n            size: 2\n          }\n        }\n"
        "        tensor_content: \"\\000\\000\\200?\\000\\000\\000@\"\n      }\n    }\n  }\n}\n";
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnfi_tensor_copy(&bools, context, CNNF_BOOL, 1, dims, flags, NULL), CNNF_OK);
    cnnfi_builder_const(b, "b", bools);
    cnnf_tensor_unref(bools);
    cnnfi_builder_const_f32(b, "one", 0, two, 1);
    cnnfi_builder_const_f32(b, "two", 1, two, 2);
    ck_assert_int_eq(cnnfi_builder_publish(&graph, b, NULL), CNNF_OK);
    cnnf_buffer *buffer = written(graph, 1);
    ck_assert_str_eq((const char *)cnnf_buffer_data(buffer), wanted);
    cnnf_buffer_free(buffer);
    cnnf_graph_unref(graph);
}
END_TEST

/* Sparse files: 3 GiB of constants that take no room. */
START_TEST(two_gib_is_known_before_any_work)
{
    cnnfi_builder *b = NULL;
    cnnf_graph *graph = NULL;
    cnnfi_source *source = NULL;
    cnnf_error *error = cnnf_error_new();
    uint64_t size = 1;
    folder_make();
    const char *path = folder_path("sparse"), *out = folder_path("out.pb");
    file_write(path, "", 0);
    ck_assert_int_eq(truncate(path, (off_t)1 << 30), 0);
    ck_assert_int_eq(cnnfi_source_open(&source, context, path, NULL), CNNF_OK);
    ck_assert_int_eq(cnnfi_builder_new(&b, context, NULL), CNNF_OK);
    const char *const names[] = {"small", "large", "half", "big"};
    const int64_t dims[] = {1 << 10, 1 << 28, 1 << 27, 1 << 28};
    for (size_t i = 0; i < 4; i++) {
        cnnf_tensor *tensor = NULL;
        ck_assert_int_eq(cnnfi_tensor_range(&tensor, context, CNNF_FLOAT, 1, &dims[i], source, 0, (size_t)dims[i] * 4,
                                            false, 0, NULL),
                         CNNF_OK);
        cnnfi_builder_const(b, names[i], tensor);
        cnnf_tensor_unref(tensor);
    }
    ck_assert_int_eq(cnnfi_builder_publish(&graph, b, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_graphdef_size(&size, graph, error), CNNF_E_LIMIT);
    ck_assert_uint_eq(size, 0);
    ck_assert_str_eq(cnnf_error_message(error),
                     "GraphDef: 2684358938 bytes, but protobuf messages end at 2147483647; the largest tensors: "
                     "'large' (1073741824 bytes), 'big' (1073741824 bytes), 'half' (536870912 bytes)");
    ck_assert_int_eq(cnnf_write_graphdef_file(graph, out, NULL, error), CNNF_E_LIMIT);
    ck_assert_int_ne(access(out, F_OK), 0);
    cnnf_graph_unref(graph);
    cnnfi_source_unref(source);
    cnnf_error_free(error);
    folder_remove();
}
END_TEST

/* ---- files that were damaged: any status, no fault, nothing left behind ---- */

static void load_damaged(const uint8_t *bytes, size_t size)
{
    cnnf_graph *graph = NULL;
    cnnf_error *error = cnnf_error_new();
    cnnf_status status = cnnf_load_memory(&graph, context, bytes, size, "g", NULL, error);
    if (status == CNNF_OK) {
        cnnf_buffer *buffer = NULL;
        ck_assert_int_le(cnnf_write_graphdef_buffer(&buffer, graph, NULL, error), CNNF_OK);
        cnnf_buffer_free(buffer);
    } else {
        ck_assert_ptr_null(graph);
        ck_assert_msg(strncmp(cnnf_error_message(error), "g:", 2) == 0, "%s", cnnf_error_message(error));
    }
    cnnf_graph_unref(graph);
    cnnf_error_free(error);
    ck_assert_uint_eq(cnnf_context_memory(context, 0), 0);
}

static const char *const damaged_files[] = {UNTIDY, TEXT, GOLDEN("graphdef/graph.meta"),
                                            GOLDEN("graphdef/graph.meta.pbtxt"),
                                            GOLDEN("graphdef/saved_model/saved_model.pb")};

START_TEST(cut_anywhere)
{
    size_t size;
    uint8_t *bytes = file_read(damaged_files[_i], &size);
    size_t step = size > 16384 ? 7 : 1;
    for (size_t cut = 0; cut < size; cut += step)
        load_damaged(bytes, cut);
    free(bytes);
}
END_TEST

START_TEST(bits_flipped_anywhere)
{
    size_t size;
    uint8_t *bytes = file_read(damaged_files[_i], &size);
    size_t step = size > 16384 ? 11 : 1;
    for (size_t at = 0; at < size; at += step) {
        uint8_t bit = (uint8_t)(1u << (at % 8));
        bytes[at] ^= bit;
        load_damaged(bytes, size);
        bytes[at] ^= bit;
        uint8_t before = bytes[at];
        bytes[at] = 0xff;
        load_damaged(bytes, size);
        bytes[at] = before;
    }
    free(bytes);
}
END_TEST

/* ---- MetaGraphDef and SavedModel ---- */

START_TEST(meta_graph_says_more)
{
    static const char *const files[] = {GOLDEN("graphdef/graph.meta"), GOLDEN("graphdef/graph.meta.pbtxt")};
    cnnf_graph *graph = NULL;
    ck_assert_int_eq(cnnf_load_file(&graph, context, files[_i], NULL, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_graph_node_count(graph), 3);
    ck_assert_int_eq(cnnf_graph_input_count(graph), 1);
    ck_assert_str_eq(cnnf_graph_input_name(graph, 0), "x");
    ck_assert_int_eq(cnnf_graph_output_count(graph), 2);
    ck_assert_str_eq(cnnf_graph_output_name(graph, 0), "y");
    ck_assert_str_eq(cnnf_graph_output_name(graph, 1), "y:1");
    ck_assert_str_eq(graph->meta.saver_restore_op, "save/restore_all");
    ck_assert_str_eq(graph->meta.saver_filename_tensor, "save/Const:0");
    ck_assert_uint_eq(graph->meta.n_variables, 1);
    ck_assert_str_eq(graph->meta.variables[0].variable_name, "v:0");
    ck_assert_str_eq(graph->meta.variables[0].snapshot_name, "v/read:0");
    ck_assert(graph->meta.variables[0].trainable && !graph->meta.variables[0].is_resource);
    cnnf_graph_unref(graph);
}
END_TEST

START_TEST(signatures_are_chosen)
{
    cnnf_graph *graph = NULL;
    cnnf_load_options *options = NULL;
    cnnf_error *error = cnnf_error_new();
    const char *path = GOLDEN("graphdef/graph.meta");
    ck_assert_int_eq(cnnf_load_options_new(&options, context, NULL), CNNF_OK);
    cnnf_load_options_set_signature(options, "other", NULL);
    ck_assert_int_eq(cnnf_load_file(&graph, context, path, options, error), CNNF_OK);
    ck_assert_str_eq(cnnf_graph_output_name(graph, 0), "v");
    cnnf_graph_unref(graph);
    cnnf_load_options_set_signature(options, "none", NULL);
    ck_assert_int_eq(cnnf_load_file(&graph, context, path, options, error), CNNF_E_NOT_FOUND);
    ck_assert_str_eq(cnnf_error_message(error),
                     GOLDEN("graphdef/graph.meta") ": no signature 'none'; found {other, serving_default}");
    cnnf_load_options_free(options);
    cnnf_error_free(error);
}
END_TEST

START_TEST(tags_are_chosen)
{
    cnnf_graph *graph = NULL;
    cnnf_load_options *options = NULL;
    cnnf_error *error = cnnf_error_new();
    const char *path = GOLDEN("graphdef/saved_model");
    ck_assert_int_eq(cnnf_load_file(&graph, context, path, NULL, error), CNNF_E_NOT_FOUND);
    ck_assert_str_eq(
        cnnf_error_message(error),
        GOLDEN("graphdef/saved_model/saved_model.pb") ": no meta graph has tags {serve}; found {train} {serve,gpu}");
    ck_assert_int_eq(cnnf_load_options_new(&options, context, NULL), CNNF_OK);
    cnnf_load_options_add_tag(options, "gpu", NULL);
    cnnf_load_options_add_tag(options, "serve", NULL);
    ck_assert_int_eq(cnnf_load_file(&graph, context, path, options, error), CNNF_OK);
    ck_assert_str_eq(cnnf_node_op(cnnf_graph_node(graph, 0)), "Serving");
    cnnf_graph_unref(graph);
    cnnf_load_options_free(options);
    cnnf_error_free(error);
}
END_TEST

static Suite *graphdef_suite(void)
{
    Suite *suite = suite_create("graphdef");
    TCase *whole = tcase_create("whole");
    tcase_add_checked_fixture(whole, setup, teardown);
    tcase_add_test(whole, untidy_becomes_canonical);
    tcase_add_test(whole, text_is_tensorflows);
    tcase_add_test(whole, copies_lose_nothing);
    tcase_add_test(whole, large_contents_stay_in_the_file);
    tcase_add_test(whole, fresh_tensors_are_encoded_as_tensorflow_does);
    tcase_add_test(whole, two_gib_is_known_before_any_work);
    tcase_add_loop_test(whole, meta_graph_says_more, 0, 2);
    tcase_add_test(whole, signatures_are_chosen);
    tcase_add_test(whole, tags_are_chosen);
    suite_add_tcase(suite, whole);
    TCase *damaged = tcase_create("damaged");
    tcase_add_checked_fixture(damaged, setup, teardown);
    tcase_set_timeout(damaged, 0); /* 10^5 files: as long as the program may take */
    tcase_add_loop_test(damaged, cut_anywhere, 0, (int)(sizeof damaged_files / sizeof damaged_files[0]));
    tcase_add_loop_test(damaged, bits_flipped_anywhere, 0, (int)(sizeof damaged_files / sizeof damaged_files[0]));
    suite_add_tcase(suite, damaged);
    return suite;
}

TEST_MAIN(graphdef_suite)
