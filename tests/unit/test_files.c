/* SPDX-License-Identifier: Apache-2.0 */
/* What a file system of any kind must do for us: names in any script, long ones, replacing what is being read, no
 * leftovers. */
#include <string.h>

#include "base/context.h"
#include "base/os.h"
#include "base/path.h"
#include "base/replace.h"
#include "base/sink.h"
#include "base/source.h"
#include "fixture.h"

#define SCRIPTS                                                                                                        \
    "gr\xc3\xbc\xc3\x9f-\xd0\xbc\xd0\xbe\xd0\xb4\xd0\xb5\xd0\xbb\xd1\x8c-\xe6\xa8\xa1\xe5\x9e\x8b-\xf0\x9f\xa7\xb1.pb"

static void put(const char *path, const char *text)
{
    const cnnf_status status = cnnf_write_file(context, path, text, strlen(text), NULL, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
}

static cnnfi_source *opened(const char *path)
{
    cnnfi_source *source = NULL;
    const cnnf_status status = cnnfi_source_open(&source, context, path, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
    return source;
}

static void check_text(cnnfi_source *source, const char *wanted)
{
    char text[64] = "";
    ck_assert_uint_eq(cnnfi_source_size(source), strlen(wanted));
    ck_assert_int_eq(cnnfi_source_read(source, 0, text, strlen(wanted), error), CNNF_OK);
    ck_assert_str_eq(text, wanted);
    cnnfi_source_unref(source);
}

/* The only names in the folder, sorted, with spaces between. */
static void check_names(const char *wanted)
{
    char found[2048] = "", **names = NULL;
    size_t count = 0;
    ck_assert_int_eq(cnnfi_os_list(context, folder, &names, &count), 0);
    for (size_t i = 0; i < count; i++) {
        if (i) strcat(found, " ");
        strcat(found, names[i]);
    }
    ck_assert_str_eq(found, wanted);
    cnnfi_free(context, names);
}

START_TEST(names_in_any_script)
{
    const char *path = folder_path(SCRIPTS);
    put(path, "weights");
    check_text(opened(path), "weights");
    check_names(SCRIPTS);
    ck_assert(cnnfi_os_exists(path));
    ck_assert_int_eq(cnnfi_os_unlink(path), 0);
    ck_assert(!cnnfi_os_exists(path));
}
END_TEST

START_TEST(long_paths)
{
    static const char part[] = "a-folder-with-a-name-of-sixty-bytes-as-experiments-have-them";
    char path[1024];
    strcpy(path, folder);
    for (int i = 0; i < 8; i++) {
        strcat(strcat(path, "/"), part);
        ck_assert_int_eq(cnnfi_os_make_folder(path), 0);
    }
    strcat(path, "/" SCRIPTS);
    put(path, "deep");
    check_text(opened(path), "deep");
    ck_assert_int_eq(cnnfi_os_unlink(path), 0);
    for (int i = 0; i < 8; i++) {
        path[strlen(path) - strlen(cnnfi_path_name(path)) - 1] = '\0';
        ck_assert_int_eq(cnnfi_os_remove_folder(path), 0);
    }
}
END_TEST

/* Who reads a file keeps what he opened, however often its name moves on. */
START_TEST(replaced_while_it_is_read)
{
    const char *path = folder_path("graph.pb");
    put(path, "old");
    cnnfi_source *old = opened(path);
    put(path, "newer");
    cnnfi_source *newer = opened(path);
    put(path, "newest");
    check_text(newer, "newer");
    check_text(old, "old");
    check_text(opened(path), "newest");
    check_names("graph.pb");
}
END_TEST

START_TEST(nothing_is_left_of_a_failure)
{
    cnnfi_sink *sink = NULL;
    const char *path = folder_path("graph.pb");
    put(path, "old");
    ck_assert_int_eq(cnnfi_sink_file(&sink, context, path, false, error), CNNF_OK);
    ck_assert_int_eq(cnnfi_sink_write(sink, "half", 4, error), CNNF_OK);
    cnnfi_sink_free(sink); /* not committed */
    check_text(opened(path), "old");
    check_names("graph.pb");
    ck_assert_int_eq(cnnf_write_file(context, folder, "x", 1, NULL, error), CNNF_E_IO);
    ck_assert_int_eq(cnnf_write_file(context, folder_path("none/graph.pb"), "x", 1, NULL, error), CNNF_E_IO);
    check_names("graph.pb");
}
END_TEST

/* A set of files is in its place, whole, and its temporary names are gone; so are those of processes that died. */
START_TEST(sets_and_leftovers)
{
    cnnfi_replacement set[3] = {{NULL, NULL}};
    static const char *const names[] = {"m.data", "m.index", "m.meta"};
    file_write(folder_path(".cnnfreeze-1-1.tmp"), "x", 1);
    put(folder_path("m.index"), "old");
    for (int i = 0; i < 3; i++) {
        int fd = -1;
        set[i].final = strdup(folder_path(names[i]));
        ck_assert_int_eq(cnnfi_temporary_open(context, set[i].final, &set[i].temporary, &fd), 0);
        ck_assert_int_eq(cnnfi_os_write(fd, "new", 3), 0);
        ck_assert_int_eq(cnnfi_os_settle(fd), 0);
        cnnfi_os_close(fd);
    }
    ck_assert_int_eq(cnnfi_replace_set(context, set, 3, true), 0);
    for (int i = 0; i < 3; i++) {
        ck_assert_ptr_null(set[i].temporary);
        check_text(opened(set[i].final), "new");
    }
    check_names(".cnnfreeze-1-1.tmp m.data m.index m.meta");
    for (int i = 0; i < 3; i++)
        free((char *)(uintptr_t)set[i].final);
}
END_TEST

START_TEST(what_is_no_file)
{
    cnnfi_source *source = NULL;
    ck_assert_int_eq(cnnfi_source_open(&source, context, folder, error), CNNF_E_IO);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "directory"));
    ck_assert_int_ne(cnnfi_source_open(&source, context, folder_path("absent"), error), CNNF_OK);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "No such file"));
    ck_assert_int_ne(cnnfi_source_open(&source, context, folder_path("\xff\xfe"), error), CNNF_OK);
    ck_assert_ptr_null(source);
}
END_TEST

START_TEST(temporary_folder_is_one)
{
    int fd = -1;
    char path[1024];
    size_t got = 0;
    ck_assert_int_eq(cnnfi_os_temporary_folder(path, sizeof path), 0);
    ck_assert_msg(cnnfi_os_is_folder(path), "%s", path);
    ck_assert_int_ne(cnnfi_os_temporary_folder(path, 1), 0);
    ck_assert_int_eq(cnnfi_os_open_unlinked(folder, &fd), 0);
    ck_assert_int_eq(cnnfi_os_pwrite(fd, "0123", 4, 2), 0);
    ck_assert_int_eq(cnnfi_os_pread(fd, path, sizeof path, 3, &got), 0);
    ck_assert_uint_eq(got, 3);
    ck_assert_int_eq(memcmp(path, "123", 3), 0);
    cnnfi_os_close(fd);
    check_names("");
}
END_TEST

START_TEST(folders_in_paths)
{
    ck_assert_str_eq(cnnfi_path_name("a/b.pb"), "b.pb");
    ck_assert_str_eq(cnnfi_path_name("b.pb"), "b.pb");
    ck_assert_str_eq(cnnfi_path_name("a/"), "");
    ck_assert_uint_eq(cnnfi_path_folder("a/b.pb"), 2);
    ck_assert_uint_eq(cnnfi_path_folder(""), 0);
    ck_assert(cnnfi_path_is_absolute("/a"));
    ck_assert(!cnnfi_path_is_absolute("a/b"));
#ifdef _WIN32
    ck_assert_str_eq(cnnfi_path_name("C:\\a\\b.pb"), "b.pb");
    ck_assert_str_eq(cnnfi_path_name("c:b.pb"), "b.pb");
    ck_assert(cnnfi_path_is_absolute("c:/a"));
    ck_assert(cnnfi_path_is_absolute("\\\\server\\share"));
#else
    ck_assert_str_eq(cnnfi_path_name("a\\b.pb"), "a\\b.pb");
    ck_assert(!cnnfi_path_is_absolute("c:/a"));
#endif
}
END_TEST

static Suite *files_suite(void)
{
    Suite *suite = suite_create("files");
    TCase *tests = tcase_create("files");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, names_in_any_script);
    tcase_add_test(tests, long_paths);
    tcase_add_test(tests, replaced_while_it_is_read);
    tcase_add_test(tests, nothing_is_left_of_a_failure);
    tcase_add_test(tests, sets_and_leftovers);
    tcase_add_test(tests, what_is_no_file);
    tcase_add_test(tests, temporary_folder_is_one);
    tcase_add_test(tests, folders_in_paths);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(files_suite)
