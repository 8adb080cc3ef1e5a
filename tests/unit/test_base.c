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
#include "base/utf8.h"
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

START_TEST(error_message_is_printable)
{
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"a\nb\x01\x7f", "a\\x0ab\\x01\\x7f"},
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80", "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xff\xc0\x80 \xed\xa0\x80", "\\xff\\xc0\\x80 \\xed\\xa0\\x80"}, /* no UTF-8: stray, overlong, surrogate */
        {"cut \xe2\x82", "cut \\xe2\\x82"},
        {"\xc2\x9b", "\\xc2\\x9b"}, /* C1: a terminal's escape */
        {"\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa6", "\\xe2\\x80\\xa8\\xe2\\x80\\xae\\xe2\\x81\\xa6"}, /* line, direction */
        {"\xe2\x80\x93", "\xe2\x80\x93"},
    };
    cnnf_error *error = cnnf_error_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(cnnfi_fail(error, CNNF_E_CORRUPT, "%s", cases[i].text), CNNF_E_CORRUPT);
        ck_assert_str_eq(cnnf_error_message(error), cases[i].message);
    }
    cnnfi_fail(error, CNNF_E_CORRUPT, "a\nb");
    cnnfi_error_prefix(error, CNNF_E_CORRUPT, "file.pb");
    ck_assert_str_eq(cnnf_error_message(error), "file.pb: a\\x0ab");
    cnnf_error_free(error);
    ck_assert_int_eq(cnnfi_fail(NULL, CNNF_E_IO, "nobody listens"), CNNF_E_IO);
    ck_assert_int_eq(cnnfi_fail_at_node(NULL, CNNF_E_IO, "n", "nobody listens"), CNNF_E_IO);
    ck_assert_int_eq(cnnfi_fail_in_file(NULL, CNNF_E_IO, "f", 1, "nobody listens"), CNNF_E_IO);
}
END_TEST

/* At every length around the bound, of one, two, three and four byte characters and of escapes. */
START_TEST(error_message_is_cut_between_characters)
{
    static const char *const letters[] = {"x", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\n"};
    cnnf_error *error = cnnf_error_new();
    for (size_t k = 0; k < sizeof letters / sizeof *letters; k++) {
        for (size_t lead = 0; lead < 8; lead++) {
            char big[3000] = "aaaaaaaa";
            size_t at = lead;
            while (at + 5 < sizeof big) {
                memcpy(big + at, letters[k], strlen(letters[k]));
                at += strlen(letters[k]);
            }
            big[at] = '\0';
            cnnfi_fail_in_file(error, CNNF_E_CORRUPT, big, 7, "%s", big);
            const char *message = cnnf_error_message(error);
            const size_t length = strlen(message);
            ck_assert_uint_le(length, 1000);
            ck_assert_uint_ge(length, 990);
            ck_assert_str_eq(message + length - 3, "...");
            ck_assert(cnnfi_utf8_valid(message, length));
            ck_assert_str_eq(cnnf_error_where(error), message);
            const size_t tail = k == 4 ? 4 : strlen(letters[k]);
            ck_assert_int_eq(memcmp(message + length - 3 - tail, k == 4 ? "\\x0a" : letters[k], tail), 0);
        }
    }
    char exact[1001];
    memset(exact, 'x', 1000);
    exact[1000] = '\0';
    cnnfi_fail(error, CNNF_E_CORRUPT, "%s", exact);
    ck_assert_str_eq(cnnf_error_message(error), exact);
    cnnfi_error_prefix(error, CNNF_E_CORRUPT, "%s%s", exact, exact);
    ck_assert_uint_le(strlen(cnnf_error_message(error)), 1000);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "...: xxx")); /* a long path leaves room for the cause */
    cnnf_error_free(error);
}
END_TEST

START_TEST(error_keeps_its_place)
{
    cnnf_error *error = cnnf_error_new();
    cnnfi_fail_in_file(error, CNNF_E_CORRUPT, "a.pb", 12, "a.pb: bad");
    ck_assert_str_eq(cnnf_error_where(error), "a.pb");
    ck_assert_int_eq(cnnf_error_offset(error), 12);
    ck_assert_str_eq(cnnf_error_node(error), "");
    ck_assert_int_eq(cnnfi_error_at_node(error, CNNF_E_CORRUPT, "conv"), CNNF_E_CORRUPT);
    cnnfi_error_prefix(error, CNNF_E_CORRUPT, "model");
    ck_assert_str_eq(cnnf_error_message(error), "model: a.pb: bad");
    ck_assert_str_eq(cnnf_error_where(error), "a.pb");
    ck_assert_str_eq(cnnf_error_node(error), "conv");
    cnnfi_fail_at_node(error, CNNF_E_MISMATCH, "dense", "shapes");
    ck_assert_str_eq(cnnf_error_node(error), "dense");
    ck_assert_str_eq(cnnf_error_where(error), "");
    ck_assert_int_eq(cnnf_error_offset(error), -1);
    cnnfi_fail(error, CNNF_E_IO, "no place");
    ck_assert_str_eq(cnnf_error_node(error), "");
    cnnf_error_clear(error);
    ck_assert_int_eq(cnnfi_error_in_file(error, CNNF_OK, "a.pb"), CNNF_OK); /* nothing is recorded */
    ck_assert_str_eq(cnnf_error_where(error), "");
    cnnf_error_free(error);
}
END_TEST

static void keep_line(int32_t level, const char *message, void *user)
{
    ck_assert_int_eq(level, CNNF_LOG_WARNING);
    snprintf(user, 1100, "%s", message);
}

START_TEST(log_is_printable_and_bounded)
{
    char line[1100] = "", big[3000];
    cnnf_context_options *options = NULL;
    cnnf_context *context = NULL;
    ck_assert_int_eq(cnnf_context_options_new(&options, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_options_set_log(options, keep_line, CNNF_LOG_WARNING, line, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_new(&context, options, NULL), CNNF_OK);
    cnnf_context_options_free(options);
    cnnfi_log(context, CNNF_LOG_WARNING, "layer '%s'", "a\nb\xff");
    ck_assert_str_eq(line, "layer 'a\\x0ab\\xff'");
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    cnnfi_log(context, CNNF_LOG_WARNING, "%s", big);
    ck_assert_uint_eq(strlen(line), 1000);
    cnnfi_log(context, CNNF_LOG_INFO, "not heard");
    ck_assert_uint_eq(strlen(line), 1000);
    test_context_done(context);
}
END_TEST

START_TEST(context_limits)
{
    cnnf_context_options *options = NULL;
    ck_assert_int_eq(cnnf_context_options_new(&options, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_options_set_limit(options, CNNF_LIMIT_MEMORY, 4096, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_options_set_limit(options, CNNF_LIMIT_COUNT, 1, NULL), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_context_options_set_limit(options, CNNF_LIMIT_RANK, 255, NULL), CNNF_E_INVALID);
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

/*
 * 2^14 names of 14 words of 8 bytes, each word one of two that differ in bit 63 alone: what a multiplying hash cannot
 * tell apart, under whatever seed. One long chain of them took 20 s; spread over the table it is milliseconds.
 */
START_TEST(strmap_bears_crafted_names)
{
    enum { WORDS = 14, COUNT = 1 << WORDS };
    cnnf_context *context = test_context();
    cnnfi_strmap map;
    char(*names)[WORDS * 8 + 1] = calloc(COUNT, sizeof *names);
    cnnfi_strmap_init(&map, context);
    const uint64_t before = cnnfi_os_now_ns();
    for (int i = 0; i < COUNT; i++) {
        memset(names[i], 'a', WORDS * 8);
        for (int k = 0; k < WORDS; k++)
            if (i >> k & 1) names[i][8 * k + 7] = (char)('a' ^ 0x80);
        ck_assert(cnnfi_strmap_set(&map, names[i], i));
    }
    for (int i = 0; i < COUNT; i++)
        ck_assert_int_eq(cnnfi_strmap_get(&map, names[i]), i);
    ck_assert_uint_lt((cnnfi_os_now_ns() - before) / 1000000, 2000); /* a sanitizer on a busy machine: 0.1 s */
    cnnfi_strmap_free(&map);
    free(names);
    test_context_done(context);
}
END_TEST

START_TEST(contexts_hash_differently)
{
    cnnf_context *a = test_context(), *b = test_context();
    ck_assert_int_ne(memcmp(cnnfi_hash_key(a), cnnfi_hash_key(b), 2 * sizeof(uint64_t)), 0);
    ck_assert_uint_ne(cnnfi_hash_key(a)[0], cnnfi_hash_key(a)[1]);
    test_context_done(a);
    test_context_done(b);
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
    tcase_add_test(tests, error_message_is_printable);
    tcase_add_test(tests, error_message_is_cut_between_characters);
    tcase_add_test(tests, error_keeps_its_place);
    tcase_add_test(tests, log_is_printable_and_bounded);
    tcase_add_test(tests, context_limits);
    tcase_add_test(tests, realloc_accounts);
    tcase_add_test(tests, arena_holds_small_and_big);
    tcase_add_test(tests, strmap_keeps_many);
    tcase_add_test(tests, strmap_bears_crafted_names);
    tcase_add_test(tests, contexts_hash_differently);
    tcase_add_test(tests, globs_and_distances);
    tcase_add_test(tests, strbuf_escapes_json);
    tcase_add_test(tests, source_notices_change);
    tcase_add_test(tests, source_refuses_what_is_no_file);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(base_suite)
