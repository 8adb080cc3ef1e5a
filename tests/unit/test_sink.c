/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "base/error.h"
#include "base/sink.h"
#include "folder.h"

/* More than any buffer inside. */
#define LARGE ((size_t)1 << 20)

static cnnf_context *context;

static void setup(void)
{
    folder_make();
    context = test_context();
}

static void teardown(void)
{
    test_context_done(context);
    folder_remove();
}

static size_t files_in_folder(void)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    for (const struct dirent *entry; (entry = readdir(dir));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return count;
}

static void write_pattern(cnnfi_sink *sink, size_t size)
{
    uint8_t *bytes = malloc(size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 7);
    for (size_t at = 0, piece = 1; at < size; at += piece, piece = piece * 3 + 1) {
        if (piece > size - at) piece = size - at;
        ck_assert_int_eq(cnnfi_sink_write(sink, bytes + at, piece, NULL), CNNF_OK);
    }
    ck_assert_uint_eq(cnnfi_sink_written(sink), size);
    free(bytes);
}

static bool is_pattern(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (bytes[i] != (uint8_t)(i * 7)) return false;
    return true;
}

START_TEST(file_appears_at_commit)
{
    cnnfi_sink *sink = NULL;
    const char *path = folder_path("out");
    ck_assert_int_eq(cnnfi_sink_file(&sink, context, path, true, NULL), CNNF_OK);
    write_pattern(sink, LARGE);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_eq(cnnfi_sink_commit(sink, NULL), CNNF_OK);
    cnnfi_sink_free(sink);
    size_t size;
    uint8_t *bytes = file_read(path, &size);
    ck_assert_uint_eq(size, LARGE);
    ck_assert(is_pattern(bytes, size));
    free(bytes);
    ck_assert_uint_eq(files_in_folder(), 1);
}
END_TEST

START_TEST(abandoned_file_leaves_nothing)
{
    cnnfi_sink *sink = NULL;
    const char *path = folder_path("out");
    file_write(path, "old", 3);
    ck_assert_int_eq(cnnfi_sink_file(&sink, context, path, false, NULL), CNNF_OK);
    write_pattern(sink, LARGE);
    cnnfi_sink_free(sink);
    size_t size;
    uint8_t *bytes = file_read(path, &size);
    ck_assert_uint_eq(size, 3);
    free(bytes);
    ck_assert_uint_eq(files_in_folder(), 1);
}
END_TEST

START_TEST(replaced_file_keeps_its_mode)
{
    cnnfi_sink *sink = NULL;
    struct stat found;
    const char *path = folder_path("out");
    file_write(path, "old", 3);
    chmod(path, 0640);
    ck_assert_int_eq(cnnfi_sink_file(&sink, context, path, false, NULL), CNNF_OK);
    ck_assert_int_eq(cnnfi_sink_commit(sink, NULL), CNNF_OK);
    cnnfi_sink_free(sink);
    ck_assert_int_eq(stat(path, &found), 0);
    ck_assert_uint_eq(found.st_mode & 0777, 0640);
    ck_assert_int_eq(found.st_size, 0);
}
END_TEST

START_TEST(bad_paths_are_named)
{
    cnnfi_sink *sink = NULL;
    char wanted[600];
    struct cnnf_error error = {.code = CNNF_OK};
    const char *path = folder_path("no/out");
    ck_assert_int_eq(cnnfi_sink_file(&sink, context, path, false, &error), CNNF_E_IO);
    ck_assert_ptr_null(sink);
    snprintf(wanted, sizeof wanted, "%s: cannot create: No such file or directory", path);
    ck_assert_str_eq(error.message, wanted);
    ck_assert_str_eq(error.where, path);
    ck_assert_int_eq(cnnfi_sink_file(&sink, context, folder, false, &error), CNNF_E_IO);
    snprintf(wanted, sizeof wanted, "%s: cannot create: it is a folder", folder);
    ck_assert_str_eq(error.message, wanted);
}
END_TEST

START_TEST(buffer_is_taken_after_commit)
{
    cnnfi_sink *sink = NULL;
    cnnf_buffer *buffer = NULL;
    ck_assert_int_eq(cnnfi_sink_buffer(&sink, context, NULL), CNNF_OK);
    write_pattern(sink, 100000);
    ck_assert_int_eq(cnnfi_sink_take_buffer(sink, &buffer, NULL), CNNF_E_INTERNAL);
    ck_assert_int_eq(cnnfi_sink_commit(sink, NULL), CNNF_OK);
    ck_assert_int_eq(cnnfi_sink_take_buffer(sink, &buffer, NULL), CNNF_OK);
    cnnfi_sink_free(sink);
    ck_assert_uint_eq(cnnf_buffer_size(buffer), 100000);
    ck_assert(is_pattern(cnnf_buffer_data(buffer), 100000));
    cnnf_buffer_free(buffer);
}
END_TEST

/* Takes a number of bytes, then refuses. */
static int32_t take_some(const void *data, size_t size, void *user)
{
    size_t *left = user;
    if (size > *left) return 1;
    *left -= size;
    return 0;
}

START_TEST(callback_can_stop)
{
    cnnfi_sink *sink = NULL;
    uint8_t bytes[4096] = {0};
    size_t left = 3 * LARGE;
    struct cnnf_error error = {.code = CNNF_OK};
    cnnf_status status = CNNF_OK;
    ck_assert_int_eq(cnnfi_sink_callback(&sink, context, take_some, &left, NULL), CNNF_OK);
    for (int i = 0; i < 2000 && status == CNNF_OK; i++)
        status = cnnfi_sink_write(sink, bytes, sizeof bytes, &error);
    ck_assert_int_eq(status, CNNF_E_IO);
    ck_assert_msg(strstr(error.message, "the output callback stopped after ") == error.message, "%s", error.message);
    cnnfi_sink_free(sink);
}
END_TEST

static int32_t cancel_at_half(uint64_t done, uint64_t total, void *user)
{
    return done * 2 > total;
}

START_TEST(progress_can_cancel)
{
    cnnfi_sink *sink = NULL;
    uint8_t bytes[4096] = {0};
    cnnf_status status = CNNF_OK;
    const char *path = folder_path("out");
    ck_assert_int_eq(cnnfi_sink_file(&sink, context, path, false, NULL), CNNF_OK);
    cnnfi_sink_set_progress(sink, cancel_at_half, NULL, LARGE);
    for (int i = 0; i < 256 && status == CNNF_OK; i++)
        status = cnnfi_sink_write(sink, bytes, sizeof bytes, NULL);
    ck_assert_int_eq(status, CNNF_E_CANCELLED);
    cnnfi_sink_free(sink);
    ck_assert_uint_eq(files_in_folder(), 0);
}
END_TEST

static Suite *sink_suite(void)
{
    Suite *suite = suite_create("sink");
    TCase *tests = tcase_create("sink");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, file_appears_at_commit);
    tcase_add_test(tests, abandoned_file_leaves_nothing);
    tcase_add_test(tests, replaced_file_keeps_its_mode);
    tcase_add_test(tests, bad_paths_are_named);
    tcase_add_test(tests, buffer_is_taken_after_commit);
    tcase_add_test(tests, callback_can_stop);
    tcase_add_test(tests, progress_can_cancel);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(sink_suite)
