/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/context.h"
#include "base/error.h"
#include "base/os.h"
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

/* ---- what is no plain file ---- */

static void write_file(const char *path, const char *text)
{
    cnnfi_sink *sink = NULL;
    ck_assert_int_eq(cnnfi_sink_file(&sink, context, path, false, NULL), CNNF_OK);
    ck_assert_int_eq(cnnfi_sink_write(sink, text, strlen(text), NULL), CNNF_OK);
    ck_assert_int_eq(cnnfi_sink_commit(sink, NULL), CNNF_OK);
    cnnfi_sink_free(sink);
}

static void check_content(const char *path, const char *text)
{
    size_t size;
    uint8_t *bytes = file_read(path, &size);
    ck_assert_uint_eq(size, strlen(text));
    ck_assert_int_eq(memcmp(bytes, text, size), 0);
    free(bytes);
}

START_TEST(links_are_followed)
{
    struct stat found;
    const char *link = folder_path("link"), *target = folder_path("target");
    ck_assert_int_eq(symlink("hop", link), 0);
    ck_assert_int_eq(symlink(target, folder_path("hop")), 0);
    write_file(link, "first");
    check_content(target, "first");
    write_file(link, "second");
    check_content(target, "second");
    ck_assert_int_eq(lstat(link, &found), 0);
    ck_assert(S_ISLNK(found.st_mode));
    ck_assert_uint_eq(files_in_folder(), 3);
}
END_TEST

START_TEST(circles_of_links_end)
{
    cnnfi_sink *sink = NULL;
    struct cnnf_error error = {.code = CNNF_OK};
    ck_assert_int_eq(symlink("b", folder_path("a")), 0);
    ck_assert_int_eq(symlink("a", folder_path("b")), 0);
    ck_assert_int_eq(cnnfi_sink_file(&sink, context, folder_path("a"), false, &error), CNNF_E_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "Too many levels of symbolic links"));
}
END_TEST

START_TEST(pipes_are_written_through)
{
    char got[8] = "";
    struct stat found;
    struct cnnf_error error = {.code = CNNF_OK};
    cnnfi_sink *sink = NULL;
    const char *path = folder_path("pipe");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(cnnfi_sink_file(&sink, context, path, false, &error), CNNF_E_IO);
    ck_assert_ptr_nonnull(strstr(error.message, "nobody reads the pipe"));
    const int reader = open(path, O_RDONLY | O_NONBLOCK);
    write_file(path, "bytes");
    ck_assert_int_eq(read(reader, got, sizeof got), 5);
    ck_assert_str_eq(got, "bytes");
    close(reader);
    ck_assert_int_eq(stat(path, &found), 0);
    ck_assert(S_ISFIFO(found.st_mode));
}
END_TEST

START_TEST(open_descriptors_are_written_through)
{
    char name[32];
    const char *path = folder_path("out");
    const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_eq(write(fd, "head ", 5), 5);
    snprintf(name, sizeof name, "/dev/fd/%d", fd);
    write_file(name, "tail");
    check_content(path, "head tail");
    close(fd);
    cnnfi_sink *sink = NULL;
    ck_assert_int_eq(cnnfi_sink_file(&sink, context, "/dev/fd/99999", false, NULL), CNNF_E_IO);
}
END_TEST

/* ---- temporary files ---- */

static const char *hidden_file(void)
{
    const char *name = NULL;
    DIR *dir = opendir(folder);
    for (const struct dirent *entry; (entry = readdir(dir));)
        if (strncmp(entry->d_name, ".cnnfreeze-", 11) == 0) name = folder_path(entry->d_name);
    closedir(dir);
    return name;
}

START_TEST(private_until_finished)
{
    cnnfi_sink *sink = NULL;
    struct stat found;
    const char *path = folder_path("out");
    const mode_t before = umask(027);
    ck_assert_int_eq(cnnfi_sink_file(&sink, context, path, false, NULL), CNNF_OK);
    ck_assert_int_eq(stat(hidden_file(), &found), 0);
    ck_assert_uint_eq(found.st_mode & 0777, 0600);
    ck_assert_int_eq(cnnfi_sink_commit(sink, NULL), CNNF_OK);
    cnnfi_sink_free(sink);
    umask(before);
    ck_assert_int_eq(stat(path, &found), 0);
    ck_assert_uint_eq(found.st_mode & 0777, 0640);
}
END_TEST

typedef struct told {
    char path[512];
    int made, gone;
} told;

static void on_temporary(const char *path, int32_t exists, void *user)
{
    told *t = user;
    if (exists) {
        ck_assert_int_ne(access(path, F_OK), 0); /* before it is made */
        snprintf(t->path, sizeof t->path, "%s", path);
        t->made++;
    } else {
        ck_assert_str_eq(path, t->path);
        ck_assert_int_ne(access(path, F_OK), 0);
        t->gone++;
    }
}

START_TEST(owner_is_told_of_temporary_files)
{
    told t = {.made = 0};
    cnnf_context *own = NULL;
    cnnf_context_options *options = NULL;
    cnnfi_sink *sink = NULL;
    ck_assert_int_eq(cnnf_context_options_new(&options, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_options_set_temporary_files(options, on_temporary, &t, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_options_set_temporary_files(NULL, on_temporary, &t, NULL), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_context_options_set_temporary_folder(options, "", NULL), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_context_options_set_temporary_folder(options, folder, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_new(&own, options, NULL), CNNF_OK);
    cnnf_context_options_free(options);
    ck_assert_str_eq(cnnfi_temporary_folder(own), folder);
    for (int commit = 0; commit < 2; commit++) {
        ck_assert_int_eq(cnnfi_sink_file(&sink, own, folder_path("out"), false, NULL), CNNF_OK);
        ck_assert_int_eq(t.made, commit + 1);
        if (commit) ck_assert_int_eq(cnnfi_sink_commit(sink, NULL), CNNF_OK);
        cnnfi_sink_free(sink);
        ck_assert_int_eq(t.gone, commit + 1);
    }
    test_context_done(own);
}
END_TEST

/* A child that dies leaves its file; while it lives, the file is its own. */
START_TEST(files_of_the_dead_are_removed)
{
    int ready[2];
    char byte;
    ck_assert_int_eq(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
        cnnfi_sink *sink = NULL;
        if (cnnfi_sink_file(&sink, context, folder_path("child"), false, NULL) == CNNF_OK)
            (void)!write(ready[1], "r", 1);
        pause();
        _exit(1);
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    write_file(folder_path("a"), "a");
    ck_assert_uint_eq(files_in_folder(), 2); /* and the child's */
    ck_assert_ptr_nonnull(hidden_file());
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    write_file(folder_path("b"), "b");
    ck_assert_ptr_null(hidden_file());
    ck_assert_uint_eq(files_in_folder(), 2);
    close(ready[0]);
    close(ready[1]);
}
END_TEST

START_TEST(names_of_others_stay)
{
    static const char *const names[] = {".cnnfreeze-",   ".cnnfreeze-x",
                                        ".cnnfreeze-12", ".cnnfreeze-12-3.bak",
                                        ".cnnfreeze-1-", ".cnnfreeze-99999999999999999999-1.tmpx"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        file_write(folder_path(names[i]), "mine", 4);
    ck_assert_int_eq(symlink("nowhere", folder_path(".cnnfreeze-1-1.tmp")), 0);
    write_file(folder_path("out"), "x");
    ck_assert_uint_eq(files_in_folder(), sizeof names / sizeof *names + 2);
}
END_TEST

/* ---- sets ---- */

static const char *const set_names[] = {"data", "index", "meta"};

static void write_set(const char *text, cnnf_status wanted)
{
    cnnfi_sink *sinks[3];
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(cnnfi_sink_file(&sinks[i], context, folder_path(set_names[i]), true, NULL), CNNF_OK);
        ck_assert_int_eq(cnnfi_sink_write(sinks[i], text, strlen(text), NULL), CNNF_OK);
    }
    ck_assert_int_eq(cnnfi_sink_commit_set(sinks, 3, NULL), wanted);
    for (size_t i = 0; i < 3; i++)
        cnnfi_sink_free(sinks[i]);
}

START_TEST(sets_replace_sets)
{
    struct stat found;
    write_set("old", CNNF_OK);
    write_set("newer", CNNF_OK);
    for (size_t i = 0; i < 3; i++) {
        check_content(folder_path(set_names[i]), "newer");
        ck_assert_int_eq(lstat(folder_path(set_names[i]), &found), 0);
        ck_assert(S_ISREG(found.st_mode));
        ck_assert_uint_eq(found.st_nlink, 1);
    }
    ck_assert_uint_eq(files_in_folder(), 3);
}
END_TEST

/* A name that became a folder meanwhile: nothing of the set is placed. */
START_TEST(a_set_that_cannot_be_placed_changes_nothing)
{
    cnnfi_sink *sinks[3];
    struct cnnf_error error = {.code = CNNF_OK};
    write_set("old", CNNF_OK);
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(cnnfi_sink_file(&sinks[i], context, folder_path(set_names[i]), false, NULL), CNNF_OK);
    ck_assert_int_eq(unlink(folder_path("index")), 0);
    ck_assert_int_eq(mkdir(folder_path("index"), 0700), 0);
    ck_assert_int_eq(cnnfi_sink_commit_set(sinks, 3, &error), CNNF_E_IO);
    for (size_t i = 0; i < 3; i++)
        cnnfi_sink_free(sinks[i]);
    check_content(folder_path("data"), "old");
    check_content(folder_path("meta"), "old");
    ck_assert_uint_eq(files_in_folder(), 3);
    ck_assert_int_eq(rmdir(folder_path("index")), 0);
}
END_TEST

START_TEST(sets_in_two_folders_are_placed_in_order)
{
    cnnfi_sink *sinks[2];
    ck_assert_int_eq(mkdir(folder_path("sub"), 0700), 0);
    ck_assert_int_eq(cnnfi_sink_file(&sinks[0], context, folder_path("sub/a"), false, NULL), CNNF_OK);
    ck_assert_int_eq(cnnfi_sink_file(&sinks[1], context, folder_path("b"), false, NULL), CNNF_OK);
    ck_assert_int_eq(cnnfi_sink_commit_set(sinks, 2, NULL), CNNF_OK);
    for (size_t i = 0; i < 2; i++)
        cnnfi_sink_free(sinks[i]);
    check_content(folder_path("sub/a"), "");
    check_content(folder_path("b"), "");
    ck_assert_int_eq(unlink(folder_path("sub/a")), 0);
    ck_assert_int_eq(rmdir(folder_path("sub")), 0);
    ck_assert_uint_eq(files_in_folder(), 1);
}
END_TEST

START_TEST(nameless_files_are_private)
{
    int fd;
    struct stat found;
    ck_assert_int_eq(cnnfi_os_open_unlinked(folder, &fd), 0);
    ck_assert_int_eq(fstat(fd, &found), 0);
    ck_assert_uint_eq(found.st_mode & 0777, 0600);
    ck_assert_uint_eq(found.st_nlink, 0);
    ck_assert_uint_eq(files_in_folder(), 0);
    close(fd);
    ck_assert_int_ne(cnnfi_os_open_unlinked(folder_path("none"), &fd), 0);
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
    tcase_add_test(tests, links_are_followed);
    tcase_add_test(tests, circles_of_links_end);
    tcase_add_test(tests, pipes_are_written_through);
    tcase_add_test(tests, open_descriptors_are_written_through);
    tcase_add_test(tests, private_until_finished);
    tcase_add_test(tests, owner_is_told_of_temporary_files);
    tcase_add_test(tests, files_of_the_dead_are_removed);
    tcase_add_test(tests, names_of_others_stay);
    tcase_add_test(tests, sets_replace_sets);
    tcase_add_test(tests, a_set_that_cannot_be_placed_changes_nothing);
    tcase_add_test(tests, sets_in_two_folders_are_placed_in_order);
    tcase_add_test(tests, nameless_files_are_private);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(sink_suite)
