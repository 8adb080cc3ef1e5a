/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints that TensorFlow wrote (tests/golden/checkpoint/make.py), and what damage does to them. */
#include <fcntl.h>

#include "fixture.h"

#include "base/num.h"
#include "graph/tensor.h"
#include "loader/checkpoint/checkpoint_impl.h"

static cnnf_checkpoint *open_ok(const char *path)
{
    cnnf_checkpoint *checkpoint = NULL;
    const cnnf_status status = cnnf_checkpoint_open(&checkpoint, context, path, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
    return checkpoint;
}

static const cnnf_tensor *tensor_of(const cnnf_checkpoint *checkpoint, const char *name)
{
    const int64_t index = cnnf_checkpoint_find(checkpoint, name);
    ck_assert_msg(index >= 0, "%s", name);
    ck_assert_int_eq(cnnf_checkpoint_verify(checkpoint, index, error), CNNF_OK);
    return cnnf_checkpoint_tensor(checkpoint, index);
}

/* Elements 0, 1, 2 ... */
static void check_arange(const cnnf_checkpoint *checkpoint, const char *name, cnnf_dtype dtype, int32_t rank,
                         const int64_t *dims)
{
    const cnnf_tensor *tensor = tensor_of(checkpoint, name);
    ck_assert_int_eq(cnnf_tensor_dtype(tensor), dtype);
    ck_assert_int_eq(cnnf_tensor_rank(tensor), rank);
    for (int32_t i = 0; i < rank; i++)
        ck_assert_int_eq(cnnf_tensor_dim(tensor, i), dims[i]);
    for (int64_t i = 0; i < cnnf_tensor_element_count(tensor); i++) {
        double value;
        ck_assert(cnnfi_tensor_get_f64(tensor, i, &value));
        ck_assert_double_eq(value, dtype == CNNF_BOOL ? i != 0 : (double)i);
    }
}

static void check_string(const cnnf_tensor *tensor, int64_t index, const char *wanted, size_t size)
{
    const char *bytes;
    size_t n;
    ck_assert_int_eq(cnnf_tensor_string(&bytes, &n, tensor, index, error), CNNF_OK);
    ck_assert_uint_eq(n, size);
    ck_assert_int_eq(memcmp(bytes, wanted, n), 0);
}

START_TEST(every_dtype)
{
    static const struct {
        const char *name;
        cnnf_dtype dtype;
    } rows[] = {{"float32", CNNF_FLOAT},     {"float64", CNNF_DOUBLE}, {"int32", CNNF_INT32},  {"uint8", CNNF_UINT8},
                {"int16", CNNF_INT16},       {"int8", CNNF_INT8},      {"int64", CNNF_INT64},  {"bool", CNNF_BOOL},
                {"bfloat16", CNNF_BFLOAT16}, {"uint16", CNNF_UINT16},  {"float16", CNNF_HALF}, {"uint32", CNNF_UINT32},
                {"uint64", CNNF_UINT64}};
    const int64_t dims[] = {2, 3};
    cnnf_checkpoint *c = open_ok(GOLDEN("checkpoint/dtypes/model.ckpt"));
    ck_assert_int_eq(cnnf_checkpoint_count(c), 18);
    ck_assert_int_eq(cnnf_checkpoint_version(c), 2);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        check_arange(c, rows[i].name, rows[i].dtype, 2, dims);
    float complex_parts[12];
    ck_assert_int_eq(cnnf_tensor_read(complex_parts, tensor_of(c, "complex64"), 0, sizeof complex_parts, error),
                     CNNF_OK);
    ck_assert(complex_parts[10] == 5.0f && complex_parts[11] == 0.0f);
    ck_assert_int_eq(cnnf_tensor_element_count(tensor_of(c, "empty")), 0);
    char twice[200];
    for (int i = 0; i < 200; i++)
        twice[i] = (char)(i % 2 ? 0xff : 0);
    check_string(tensor_of(c, "string"), 0, "a", 1);
    check_string(tensor_of(c, "string"), 1, "", 0);
    check_string(tensor_of(c, "string"), 2, twice, 200);
    for (int64_t i = 1; i < cnnf_checkpoint_count(c); i++)
        ck_assert_int_lt(strcmp(cnnf_checkpoint_name(c, i - 1), cnnf_checkpoint_name(c, i)), 0);
    ck_assert_ptr_null(cnnf_checkpoint_name(c, 18));
    ck_assert_int_eq(cnnf_checkpoint_find(c, "nothing"), -1);
    cnnf_checkpoint_unref(c);
}
END_TEST

START_TEST(partitioned)
{
    const int64_t whole[] = {5, 4}, across[] = {3, 7};
    cnnf_checkpoint *c = open_ok(GOLDEN("checkpoint/parts/model.ckpt"));
    ck_assert_int_eq(cnnf_checkpoint_count(c), 2);
    check_arange(c, "whole", CNNF_FLOAT, 2, whole);
    check_arange(c, "across", CNNF_INT64, 2, across);
    cnnf_checkpoint_unref(c);
}
END_TEST

static void check_plain(const char *path, int32_t version)
{
    const int64_t kernel[] = {4, 5};
    cnnf_checkpoint *c = open_ok(path);
    ck_assert_int_eq(cnnf_checkpoint_version(c), version);
    ck_assert_int_eq(cnnf_checkpoint_count(c), 4);
    check_arange(c, "scope/kernel", CNNF_FLOAT, 2, kernel);
    check_string(tensor_of(c, "words"), 1, "two", 3);
    ck_assert_int_eq(cnnf_tensor_dtype(tensor_of(c, "flag")), CNNF_BOOL);
    cnnf_checkpoint_unref(c);
}

START_TEST(every_way_to_name_it)
{
    check_plain(GOLDEN("checkpoint/sharded/model.ckpt"), 2);
    check_plain(GOLDEN("checkpoint/sharded"), 2);
    check_plain(GOLDEN("checkpoint/sharded/"), 2);
    check_plain(GOLDEN("checkpoint/sharded/checkpoint"), 2);
    check_plain(GOLDEN("checkpoint/sharded/model.ckpt.index"), 2);
    check_plain(GOLDEN("checkpoint/sharded/model.ckpt.data-00000-of-00001"), 2);
    check_plain(GOLDEN("checkpoint/sharded/model.ckpt.meta"), 2);
    check_plain(GOLDEN("checkpoint/v1"), 1);
    check_plain(GOLDEN("checkpoint/v1/model.ckpt"), 1);
}
END_TEST

START_TEST(v1_shards)
{
    const int64_t dims[] = {2, 2};
    static const char *const paths[] = {GOLDEN("checkpoint/v1_shards"), GOLDEN("checkpoint/v1_shards/model.ckpt"),
                                        GOLDEN("checkpoint/v1_shards/model.ckpt-\?\?\?\?\?-of-00001"),
                                        GOLDEN("checkpoint/v1_shards/model.c*"),
                                        GOLDEN("checkpoint/v1_shards/model.ckpt-00000-of-00001")};
    for (size_t i = 0; i < 3; i++) {
        cnnf_checkpoint *c = open_ok(paths[i]);
        check_arange(c, "a", CNNF_FLOAT, 2, dims);
        cnnf_checkpoint_unref(c);
    }
}
END_TEST

START_TEST(object_graph)
{
    const int64_t dims[] = {2, 2};
    cnnf_checkpoint *c = open_ok(GOLDEN("checkpoint/objects/model.ckpt"));
    ck_assert_int_eq(cnnf_checkpoint_version(c), 3);
    check_arange(c, "model/kernel/.ATTRIBUTES/VARIABLE_VALUE", CNNF_FLOAT, 2, dims);
    ck_assert_int_eq(cnnfi_checkpoint_find_variable(c, "dense/kernel"),
                     cnnf_checkpoint_find(c, "model/kernel/.ATTRIBUTES/VARIABLE_VALUE"));
    ck_assert_int_eq(cnnfi_checkpoint_find_variable(c, "dense/gamma"), -1);
    cnnf_checkpoint_unref(c);
}
END_TEST

START_TEST(tensor_outlives_checkpoint)
{
    file_copy(GOLDEN("checkpoint/sharded/model.ckpt.index"), folder_path("m.index"));
    file_copy(GOLDEN("checkpoint/sharded/model.ckpt.data-00000-of-00001"), folder_path("m.data-00000-of-00001"));
    cnnf_checkpoint *c = open_ok(folder_path("m"));
    cnnf_tensor *tensor = cnnf_tensor_ref((cnnf_tensor *)(uintptr_t)tensor_of(c, "scope/kernel"));
    cnnf_checkpoint_unref(c);
    unlink(folder_path("m.data-00000-of-00001"));
    double value;
    ck_assert(cnnfi_tensor_get_f64(tensor, 19, &value));
    ck_assert_double_eq(value, 19);
    cnnf_tensor_unref(tensor);
}
END_TEST

/* ---- damage ---- */

/* Whether the whole checkpoint reads and every checksum holds. */
static bool reads_whole(const char *path)
{
    cnnf_checkpoint *c = NULL;
    bool good = cnnf_checkpoint_open(&c, context, path, error) == CNNF_OK;
    if (!good) {
        ck_assert_ptr_null(c);
        ck_assert_msg(strlen(cnnf_error_message(error)) > 0, "a failure without a message");
    }
    for (int64_t i = 0; good && i < cnnf_checkpoint_count(c); i++)
        good = cnnf_checkpoint_verify(c, i, error) == CNNF_OK;
    cnnf_checkpoint_unref(c);
    return good;
}

static void write_byte(int fd, size_t at, uint8_t byte)
{
    ck_assert_int_eq(pwrite(fd, &byte, 1, (off_t)at), 1);
}

static void check_damage(const char *file, const char *prefix)
{
    size_t size;
    uint8_t *bytes = file_read(file, &size);
    ck_assert(reads_whole(prefix));
    const int fd = open(file, O_RDWR);
    ck_assert_int_ge(fd, 0);
    for (size_t bit = 0; bit < size * 8; bit++) {
        write_byte(fd, bit / 8, (uint8_t)(bytes[bit / 8] ^ 1u << bit % 8));
        ck_assert_msg(!reads_whole(prefix), "%s with bit %zu flipped is read", file, bit);
        write_byte(fd, bit / 8, bytes[bit / 8]);
    }
    ck_assert(reads_whole(prefix));
    for (size_t cut = size; cut-- > 0;) {
        ck_assert_int_eq(ftruncate(fd, (off_t)cut), 0);
        ck_assert_msg(!reads_whole(prefix), "%s cut at %zu is read", file, cut);
    }
    ck_assert_int_eq(pwrite(fd, bytes, size, 0), (int)size);
    close(fd);
    free(bytes);
}

START_TEST(every_cut_and_flip_is_seen)
{
    file_copy(GOLDEN("checkpoint/sharded/model.ckpt.index"), folder_path("m.index"));
    file_copy(GOLDEN("checkpoint/sharded/model.ckpt.data-00000-of-00001"), folder_path("m.data-00000-of-00001"));
    check_damage(folder_path("m.index"), folder_path("m"));
    check_damage(folder_path("m.data-00000-of-00001"), folder_path("m"));
    file_copy(GOLDEN("checkpoint/v1/model.ckpt"), folder_path("v1"));
    check_damage(folder_path("v1"), folder_path("v1"));
}
END_TEST

/* Reading a whole tensor, by any call, compares its checksum; a part has none. */
START_TEST(whole_reads_verify)
{
    const char *data = folder_path("m.data-00000-of-00001"), *name = "scope/kernel";
    file_copy(GOLDEN("checkpoint/sharded/model.ckpt.index"), folder_path("m.index"));
    file_copy(GOLDEN("checkpoint/sharded/model.ckpt.data-00000-of-00001"), data);
    uint64_t offset = 0;
    cnnf_checkpoint *c = open_ok(folder_path("m"));
    cnnfi_tensor_source(tensor_of(c, name), &offset);
    cnnf_checkpoint_unref(c);
    const int fd = open(data, O_RDWR);
    uint8_t byte = 0;
    ck_assert_int_eq(pread(fd, &byte, 1, (off_t)offset), 1);
    write_byte(fd, offset, byte ^ 1);
    close(fd);
    c = open_ok(folder_path("m"));
    const cnnf_tensor *tensor = cnnf_checkpoint_tensor(c, cnnf_checkpoint_find(c, name));
    const size_t size = cnnf_tensor_byte_size(tensor);
    cnnf_tensor *loaded = NULL;
    char *bytes = malloc(size);
    ck_assert_int_eq(cnnf_tensor_read(bytes, tensor, 0, size, error), CNNF_E_CORRUPT);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "(data corrupt)"));
    ck_assert_int_eq(cnnf_tensor_read(bytes, tensor, 0, size - 1, error), CNNF_OK);
    ck_assert_int_eq(cnnf_tensor_read(bytes, tensor, 1, size - 1, error), CNNF_OK);
    ck_assert_int_eq(cnnf_tensor_load(&loaded, tensor, error), CNNF_E_CORRUPT);
    ck_assert_ptr_null(loaded);
    free(bytes);
    cnnf_checkpoint_unref(c);
}
END_TEST

START_TEST(lost_shard)
{
    char wanted[600];
    cnnf_checkpoint *c;
    file_copy(GOLDEN("checkpoint/sharded/model.ckpt.index"), folder_path("m.index"));
    ck_assert_int_eq(cnnf_checkpoint_open(&c, context, folder_path("m"), error),
                     CNNF_E_IO); /* strings are read at once */
    snprintf(wanted, sizeof wanted, "%s: cannot open: No such file or directory", folder_path("m.data-00000-of-00001"));
    ck_assert_str_eq(cnnf_error_message(error), wanted);
    file_copy(GOLDEN("checkpoint/parts/model.ckpt.index"), folder_path("m.index"));
    ck_assert_int_eq(cnnf_checkpoint_open(&c, context, folder_path("m"), error), CNNF_E_IO);
    ck_assert_str_eq(cnnf_error_message(error), wanted);
    ck_assert_str_eq(cnnf_error_where(error), folder_path("m.data-00000-of-00001"));
}
END_TEST

/* ---- the state file ---- */

static void check_state(const char *text, const char *wanted)
{
    char message[700];
    cnnf_checkpoint *c;
    file_write(folder_path("checkpoint"), text, strlen(text));
    const cnnf_status status = cnnf_checkpoint_open(&c, context, folder, error);
    if (!wanted) {
        ck_assert_msg(status == CNNF_OK, "%s: %s", text, cnnf_error_message(error));
        cnnf_checkpoint_unref(c);
        return;
    }
    ck_assert_int_ne(status, CNNF_OK);
    snprintf(message, sizeof message, "%s: %s", folder_path("checkpoint"), wanted);
    ck_assert_str_eq(cnnf_error_message(error), message);
}

START_TEST(state_file)
{
    file_copy(GOLDEN("checkpoint/sharded/model.ckpt.index"), folder_path("m x.index"));
    file_copy(GOLDEN("checkpoint/sharded/model.ckpt.data-00000-of-00001"), folder_path("m x.data-00000-of-00001"));
    check_state("model_checkpoint_path: \"m x\"\nall_model_checkpoint_paths: \"m x\"\n", NULL);
    check_state("# a comment\nall_model_checkpoint_paths:'old'\n model_checkpoint_path:\t'm\\040x'", NULL);
    check_state("model_checkpoint_path: \"/somewhere/else/m x\"\n", NULL);
    check_state("model_checkpoint_path: \"../../x\"\n",
                "model_checkpoint_path '../../x' leaves the directory; refused");
    check_state("model_checkpoint_path: \"a/..\"\n", "model_checkpoint_path 'a/..' leaves the directory; refused");
    check_state("all_model_checkpoint_paths: \"m x\"\n", "no model_checkpoint_path in it");
    check_state("model_checkpoint_path: \"m x\n", "no model_checkpoint_path in it");
    check_state("", "no model_checkpoint_path in it");
}
END_TEST

START_TEST(not_a_checkpoint)
{
    cnnf_checkpoint *c;
    ck_assert_int_eq(cnnf_checkpoint_open(&c, context, folder_path("nothing"), error), CNNF_E_NOT_FOUND);
    ck_assert_ptr_null(c);
    ck_assert_int_eq(cnnf_checkpoint_open(&c, context, GOLDEN("checkpoint/make.py"), error), CNNF_E_FORMAT);
    ck_assert_int_eq(cnnf_checkpoint_open(&c, context, folder, error), CNNF_E_NOT_FOUND);
    ck_assert_int_eq(cnnf_checkpoint_open(&c, context, NULL, error), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_checkpoint_open(NULL, context, folder, error), CNNF_E_INVALID);
}
END_TEST

static Suite *checkpoint_read_suite(void)
{
    Suite *suite = suite_create("checkpoint_read");
    TCase *tests = tcase_create("golden");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, every_dtype);
    tcase_add_test(tests, partitioned);
    tcase_add_test(tests, every_way_to_name_it);
    tcase_add_test(tests, v1_shards);
    tcase_add_test(tests, object_graph);
    tcase_add_test(tests, tensor_outlives_checkpoint);
    tcase_add_test(tests, every_cut_and_flip_is_seen);
    tcase_add_test(tests, whole_reads_verify);
    tcase_add_test(tests, lost_shard);
    tcase_add_test(tests, state_file);
    tcase_add_test(tests, not_a_checkpoint);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(checkpoint_read_suite)
