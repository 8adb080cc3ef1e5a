/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"
#include "base/os.h"
#include "base/replace.h"
#include "base/source.h"
#include "base/str.h"
#include "base/strmap.h"
#include "support.h"

START_TEST(status_names)
{
    ck_assert_str_eq(cnnf_status_name(CNNF_OK), "OK");
    ck_assert_str_eq(cnnf_status_name(CNNF_E_CORRUPT), "CORRUPT");
    ck_assert_str_eq(cnnf_status_name(CNNF_E_INTERNAL), "INTERNAL");
    ck_assert_str_eq(cnnf_status_name(1), "UNKNOWN");
    ck_assert_str_eq(cnnf_status_name(INT32_MIN), "UNKNOWN");
}
END_TEST

START_TEST(error_message_is_printable_and_bounded)
{
    cnnf_error *error = cnnf_error_new();
    ck_assert_int_eq(cnnfi_fail(error, CNNF_E_CORRUPT, "a\nb%s", "\x01"), CNNF_E_CORRUPT);
    ck_assert_str_eq(cnnf_error_message(error), "a\\x0ab\\x01");
    cnnfi_error_prefix(error, CNNF_E_CORRUPT, "file.pb");
    ck_assert_str_eq(cnnf_error_message(error), "file.pb: a\\x0ab\\x01");
    char big[3000];
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    cnnfi_fail(error, CNNF_E_CORRUPT, "%s", big);
    ck_assert_uint_lt(strlen(cnnf_error_message(error)), 1024);
    ck_assert_int_eq(cnnf_error_offset(error), -1);
    cnnf_error_free(error);
    ck_assert_int_eq(cnnfi_fail(NULL, CNNF_E_IO, "nobody listens"), CNNF_E_IO);
}
END_TEST

START_TEST(context_limits)
{
    cnnf_context_options *options = NULL;
    ck_assert_int_eq(cnnf_context_options_new(&options), CNNF_OK);
    ck_assert_int_eq(cnnf_context_options_set_limit(options, CNNF_LIMIT_MEMORY, 4096), CNNF_OK);
    ck_assert_int_eq(cnnf_context_options_set_limit(options, CNNF_LIMIT_COUNT, 1), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_context_options_set_limit(options, CNNF_LIMIT_RANK, 255), CNNF_E_INVALID);
    cnnf_context *context = NULL;
    ck_assert_int_eq(cnnf_context_new(&context, options, NULL), CNNF_OK);
    cnnf_context_options_free(options);
    ck_assert_uint_eq(cnnf_context_limit(context, CNNF_LIMIT_MEMORY), 4096);
    void *fits = cnnfi_malloc(context, 4096 - 16);
    ck_assert_ptr_nonnull(fits);
    ck_assert_ptr_null(cnnfi_malloc(context, 1));
    cnnfi_free(context, fits);
    ck_assert_uint_eq(cnnf_context_memory(context, 1), 4096);
    test_context_done(context);
}
END_TEST

START_TEST(realloc_accounts)
{
    cnnf_context *context = test_context();
    char *block = cnnfi_malloc(context, 10);
    memcpy(block, "123456789", 10);
    block = cnnfi_realloc(context, block, 1000);
    ck_assert_str_eq(block, "123456789");
    ck_assert_uint_eq(cnnf_context_memory(context, 0), 1016);
    block = cnnfi_realloc(context, block, 10);
    ck_assert_uint_eq(cnnf_context_memory(context, 0), 26);
    cnnfi_free(context, block);
    ck_assert_ptr_null(cnnfi_array(context, SIZE_MAX, 2));
    test_context_done(context);
}
END_TEST

START_TEST(arena_holds_small_and_big)
{
    cnnf_context *context = test_context();
    cnnfi_arena arena;
    cnnfi_arena_init(&arena, context);
    char *text = cnnfi_arena_printf(&arena, "%s-%d", "a", 7);
    char *big = cnnfi_arena_alloc(&arena, 100000);
    char *more = cnnfi_arena_strndup(&arena, "abcdef", 3);
    ck_assert_str_eq(text, "a-7");
    ck_assert_int_eq(big[99999], 0);
    ck_assert_str_eq(more, "abc");
    cnnfi_arena_free(&arena);
    test_context_done(context);
}
END_TEST

START_TEST(strmap_keeps_many)
{
    cnnf_context *context = test_context();
    cnnfi_strmap map;
    cnnfi_strmap_init(&map, context);
    static char names[2000][12];
    for (int i = 0; i < 2000; i++) {
        snprintf(names[i], sizeof names[i], "name_%d", i);
        ck_assert(cnnfi_strmap_set(&map, names[i], i));
    }
    for (int i = 0; i < 2000; i += 2)
        cnnfi_strmap_remove(&map, names[i]);
    for (int i = 0; i < 2000; i++)
        ck_assert_int_eq(cnnfi_strmap_get(&map, names[i]), i % 2 ? i : -1);
    ck_assert_int_eq(cnnfi_strmap_get_n(&map, "name_17 and more", 7), 17);
    ck_assert_int_eq(cnnfi_strmap_get(&map, "nobody"), -1);
    cnnfi_strmap_free(&map);
    test_context_done(context);
}
END_TEST

START_TEST(globs_and_distances)
{
    ck_assert(cnnfi_glob_match("conv*/kernel", "conv2d_1/kernel"));
    ck_assert(cnnfi_glob_match("*", ""));
    ck_assert(cnnfi_glob_match("a?c", "abc"));
    ck_assert(!cnnfi_glob_match("a?c", "ac"));
    ck_assert(!cnnfi_glob_match("conv*/kernel", "conv2d_1/bias"));
    ck_assert_uint_eq(cnnfi_edit_distance("kernel", "kernal", 5), 1);
    ck_assert_uint_eq(cnnfi_edit_distance("a", "abcdefgh", 5), 5);
    ck_assert(cnnfi_utf8_valid("gr\xc3\xbc\xc3\x9f", 6));
    ck_assert(!cnnfi_utf8_valid("\xc0\x80", 2));
    ck_assert(!cnnfi_utf8_valid("\xed\xa0\x80", 3));
    ck_assert(!cnnfi_utf8_valid("\xe2\x82", 2));
}
END_TEST

START_TEST(strbuf_escapes_json)
{
    cnnf_context *context = test_context();
    cnnfi_strbuf buf;
    cnnfi_strbuf_init(&buf, context);
    cnnfi_strbuf_json_string(&buf, "a\"b\\\n");
    cnnf_buffer *out = NULL;
    ck_assert_int_eq(cnnfi_strbuf_finish(&buf, &out, NULL), CNNF_OK);
    ck_assert_str_eq(cnnf_buffer_data(out), "\"a\\\"b\\\\\\u000a\"");
    cnnf_buffer_free(out);
    test_context_done(context);
}
END_TEST

START_TEST(source_notices_change)
{
    cnnf_context *context = test_context();
    char *name = NULL;
    int fd;
    ck_assert_int_eq(cnnfi_temporary_open(context, "./test-source", &name, &fd), 0);
    ck_assert_int_eq(cnnfi_os_write(fd, "0123456789", 10), 0);
    cnnfi_source *source = NULL;
    ck_assert_int_eq(cnnfi_source_open(&source, context, name, NULL), CNNF_OK);
    char text[11] = "";
    ck_assert_int_eq(cnnfi_source_read(source, 2, text, 3, NULL), CNNF_OK);
    ck_assert_str_eq(text, "234");
    ck_assert_int_eq(cnnfi_source_read(source, 8, text, 3, NULL), CNNF_E_IO);
    ck_assert_int_eq(cnnfi_source_read(source, UINT64_MAX, text, 2, NULL), CNNF_E_IO);
    ck_assert_int_eq(cnnfi_os_write(fd, "more", 4), 0);
    cnnf_error *error = cnnf_error_new();
    ck_assert_int_eq(cnnfi_source_read(source, 0, text, 3, error), CNNF_E_IO);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "changed while in use"));
    cnnf_error_free(error);
    cnnfi_source_unref(source);
    cnnfi_os_close(fd);
    cnnfi_temporary_discard(context, name);
    test_context_done(context);
}
END_TEST

START_TEST(source_refuses_what_is_no_file)
{
    cnnf_context *context = test_context();
    cnnfi_source *source = NULL;
    cnnf_error *error = cnnf_error_new();
    ck_assert_int_eq(cnnfi_source_open(&source, context, "/", error), CNNF_E_IO);
    ck_assert_str_eq(cnnf_error_message(error), "/: cannot open: Is a directory");
    ck_assert_int_eq(cnnfi_source_open(&source, context, "/dev/null", error), CNNF_E_IO);
    ck_assert_int_eq(cnnfi_source_open(&source, context, "no-such-file", error), CNNF_E_IO);
    ck_assert_str_eq(cnnf_error_where(error), "no-such-file");
    ck_assert_ptr_null(source);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

static Suite *base_suite(void)
{
    Suite *suite = suite_create("base");
    TCase *tests = tcase_create("base");
    tcase_add_test(tests, status_names);
    tcase_add_test(tests, error_message_is_printable_and_bounded);
    tcase_add_test(tests, context_limits);
    tcase_add_test(tests, realloc_accounts);
    tcase_add_test(tests, arena_holds_small_and_big);
    tcase_add_test(tests, strmap_keeps_many);
    tcase_add_test(tests, globs_and_distances);
    tcase_add_test(tests, strbuf_escapes_json);
    tcase_add_test(tests, source_notices_change);
    tcase_add_test(tests, source_refuses_what_is_no_file);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(base_suite)
