/* SPDX-License-Identifier: Apache-2.0 */
/* What is written has TensorFlow's bytes; a failure leaves nothing behind. */
#include "fixture.h"

#include "base/context.h"
#include "base/error.h"
#include "graph/builder.h"
#include "graph/tensor.h"
#include "serializer/checkpoint/checkpoint_index.h"

/* A graph of one bound variable per tensor of the checkpoint. */
static cnnf_graph *graph_of(const char *path, const char *op)
{
    cnnf_checkpoint *c = NULL;
    cnnfi_builder *b = NULL;
    cnnf_graph *graph = NULL;
    ck_assert_int_eq(cnnf_checkpoint_open(&c, context, path, error), CNNF_OK);
    ck_assert_int_eq(cnnfi_builder_new(&b, context, error), CNNF_OK);
    for (int64_t i = cnnf_checkpoint_count(c); i-- > 0;) { /* not in the order of the names */
        const cnnf_tensor *tensor = cnnf_checkpoint_tensor(c, i);
        cnnf_node *node = cnnfi_builder_add(b, op, cnnf_checkpoint_name(c, i));
        cnnfi_node_set_type(b, node, "dtype", cnnf_tensor_dtype(tensor));
        cnnfi_node_set_shape(b, node, "shape", cnnf_tensor_rank(tensor), cnnfi_tensor_dims(tensor));
        cnnfi_node_set_value(b, node, tensor);
    }
    cnnf_checkpoint_unref(c);
    ck_assert_int_eq(cnnfi_builder_publish(&graph, b, error), CNNF_OK);
    return graph;
}

static void check_same(const char *a, const char *b)
{
    size_t n, m;
    uint8_t *x = file_read(a, &n), *y = file_read(b, &m);
    ck_assert_msg(n == m && memcmp(x, y, n) == 0, "%s and %s differ", a, b);
    free(x);
    free(y);
}

START_TEST(bytes_are_tensorflows)
{
    cnnf_graph *graph = graph_of(GOLDEN("checkpoint/dtypes"), "VariableV2");
    const cnnf_status status = cnnf_write_checkpoint(graph, folder_path("model.ckpt"), NULL, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
    check_same(folder_path("model.ckpt.index"), GOLDEN("checkpoint/dtypes/model.ckpt.index"));
    check_same(folder_path("model.ckpt.data-00000-of-00001"),
               GOLDEN("checkpoint/dtypes/model.ckpt.data-00000-of-00001"));
    check_same(folder_path("checkpoint"), GOLDEN("checkpoint/dtypes/checkpoint"));
    cnnf_graph_unref(graph);
}
END_TEST

static bool has_input(const cnnf_graph *graph, const char *node, const char *input)
{
    const cnnf_node *n = cnnf_graph_find(graph, node);
    ck_assert_msg(n != NULL, "%s", node);
    for (int64_t i = 0; i < (int64_t)n->n_inputs; i++)
        if (strcmp(n->inputs[i], input) == 0) return true;
    return false;
}

static void check_meta(const char *op, const char *saved, const char *assign, const char *restored)
{
    cnnf_graph *graph = graph_of(GOLDEN("checkpoint/objects/model.ckpt"), op), *meta = NULL;
    ck_assert_int_eq(cnnf_write_checkpoint(graph, folder_path("m"), NULL, error), CNNF_OK);
    ck_assert_int_eq(cnnf_load_file(&meta, context, folder_path("m.meta"), NULL, error), CNNF_OK);
    ck_assert(has_input(meta, "save/SaveV2", saved));
    ck_assert(has_input(meta, assign, restored));
    ck_assert(has_input(meta, "save/control_dependency", "^save/SaveV2"));
    ck_assert_uint_eq(cnnf_graph_find(meta, "save/restore_all")->n_inputs, 3);
    ck_assert_str_eq(meta->meta.saver_restore_op, "save/restore_all");
    cnnf_graph_unref(meta);
    cnnf_graph_unref(graph);
}

START_TEST(meta_has_a_saver)
{
    check_meta("VariableV2", "model/bias/.ATTRIBUTES/VARIABLE_VALUE", "save/Assign_1", "save/RestoreV2:1");
    check_meta("VarHandleOp", "save/ReadVariableOp_1", "save/AssignVariableOp_1", "save/Identity_1");
}
END_TEST

START_TEST(saver_is_added_once)
{
    cnnf_graph *graph = graph_of(GOLDEN("checkpoint/dtypes"), "VariableV2"), *once = NULL, *twice = NULL;
    ck_assert_int_eq(cnnf_graph_with_saver(&once, graph, error), CNNF_OK);
    ck_assert_int_eq(cnnf_graph_with_saver(&twice, once, error), CNNF_OK);
    ck_assert_ptr_eq(once, twice);
    cnnf_graph_unref(twice);
    cnnf_graph_unref(once);
    cnnf_graph_unref(graph);
}
END_TEST

/* Many long names: several data blocks, whose separators the index block has. */
START_TEST(many_blocks)
{
    const cnnfi_shape scalar = {.rank = 0};
    cnnfi_sink *sink = NULL;
    cnnfi_table_writer w;
    cnnf_checkpoint *c = NULL;
    char name[300];
    ck_assert_int_eq(cnnfi_sink_file(&sink, context, folder_path("m.index"), false, error), CNNF_OK);
    cnnfi_table_writer_init(&w, context, sink);
    ck_assert_int_eq(cnnfi_bundle_add_header(&w, error), CNNF_OK);
    for (int i = 0; i < 4000; i++) {
        snprintf(name, sizeof name, "%05d/%0200d", i * 7, i);
        const cnnfi_bundle_entry entry = {.dtype = CNNF_FLOAT, .shape = scalar, .offset = (uint64_t)i * 4, .size = 4};
        ck_assert_int_eq(cnnfi_bundle_add_entry(&w, name, &entry, error), CNNF_OK);
    }
    ck_assert_int_eq(cnnfi_table_writer_finish(&w, error), CNNF_OK);
    ck_assert_uint_gt(cnnfi_sink_written(sink), 2 * 262144);
    ck_assert_int_eq(cnnfi_sink_commit(sink, error), CNNF_OK);
    cnnfi_table_writer_free(&w);
    cnnfi_sink_free(sink);
    ck_assert_int_eq(cnnf_checkpoint_open(&c, context, folder_path("m"), error), CNNF_OK);
    ck_assert_int_eq(cnnf_checkpoint_count(c), 4000);
    ck_assert_int_eq(cnnf_checkpoint_find(c, name), 3999);
    cnnf_checkpoint_unref(c);
}
END_TEST

static int count_files(void)
{
    int n = 0;
    DIR *dir = opendir(folder);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2;
}

START_TEST(failure_leaves_nothing)
{
    cnnf_graph *graph = graph_of(GOLDEN("checkpoint/dtypes"), "VariableV2"), *empty = NULL;
    cnnfi_builder *b = NULL;
    ck_assert_int_eq(cnnf_write_checkpoint(graph, folder_path("no/such/folder/m"), NULL, error), CNNF_E_IO);
    ck_assert_int_eq(cnnf_write_checkpoint(graph, folder_path(""), NULL, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_write_checkpoint(NULL, folder_path("m"), NULL, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnfi_builder_new(&b, context, error), CNNF_OK);
    ck_assert_int_eq(cnnfi_builder_publish(&empty, b, error), CNNF_OK);
    ck_assert_int_eq(cnnf_write_checkpoint(empty, folder_path("m"), NULL, error), CNNF_E_NOT_FOUND);
    ck_assert_int_eq(count_files(), 0);
    cnnf_graph_unref(empty);
    cnnf_graph_unref(graph);
}
END_TEST

/* A source whose bytes do not fit their checksum is found while it is copied. */
START_TEST(damaged_source)
{
    file_copy(GOLDEN("checkpoint/dtypes/model.ckpt.index"), folder_path("in.index"));
    file_copy(GOLDEN("checkpoint/dtypes/model.ckpt.data-00000-of-00001"), folder_path("in.data-00000-of-00001"));
    size_t size;
    uint8_t *bytes = file_read(folder_path("in.data-00000-of-00001"), &size);
    bytes[0] ^= 1;
    file_write(folder_path("in.data-00000-of-00001"), bytes, size);
    free(bytes);
    cnnf_graph *graph = graph_of(folder_path("in"), "VariableV2");
    ck_assert_int_eq(cnnf_write_checkpoint(graph, folder_path("out"), NULL, error), CNNF_E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "'bfloat16'"));
    ck_assert_int_eq(count_files(), 2);
    cnnf_graph_unref(graph);
}
END_TEST

/* ---- every allocation fails once ---- */

static long allocations, fail_at;

static void *faulty_malloc(size_t size, void *user)
{
    (void)user;
    return ++allocations == fail_at ? NULL : malloc(size);
}

static void *faulty_realloc(void *pointer, size_t size, void *user)
{
    (void)user;
    return ++allocations == fail_at ? NULL : realloc(pointer, size);
}

static void faulty_free(void *pointer, void *user)
{
    (void)user;
    free(pointer);
}

START_TEST(no_memory)
{
    cnnf_context_options *options = NULL;
    cnnf_context *outer = context;
    ck_assert_int_eq(cnnf_context_options_new(&options, NULL), CNNF_OK);
    cnnf_context_options_set_allocator(options, faulty_malloc, faulty_realloc, faulty_free, NULL, NULL);
    ck_assert_int_eq(cnnf_context_new(&context, options, error), CNNF_OK);
    cnnf_context_options_free(options);
    cnnf_graph *graph = graph_of(GOLDEN("checkpoint/dtypes"), "VarHandleOp");
    cnnf_status status = CNNF_E_NOMEM;
    for (long n = 1; status != CNNF_OK; n++) {
        allocations = 0;
        fail_at = n;
        status = cnnf_write_checkpoint(graph, folder_path("m"), NULL, error);
        ck_assert_msg(status == CNNF_OK || status == CNNF_E_NOMEM, "allocation %ld: %s", n, cnnf_error_message(error));
        if (status != CNNF_OK) ck_assert_int_eq(count_files(), 0);
    }
    ck_assert_int_eq(count_files(), 4);
    fail_at = 0;
    cnnf_graph_unref(graph);
    test_context_done(context);
    context = outer;
}
END_TEST

static Suite *checkpoint_write_suite(void)
{
    Suite *suite = suite_create("checkpoint_write");
    TCase *tests = tcase_create("write");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, bytes_are_tensorflows);
    tcase_add_test(tests, meta_has_a_saver);
    tcase_add_test(tests, saver_is_added_once);
    tcase_add_test(tests, many_blocks);
    tcase_add_test(tests, failure_leaves_nothing);
    tcase_add_test(tests, damaged_source);
    tcase_add_test(tests, no_memory);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(checkpoint_write_suite)
