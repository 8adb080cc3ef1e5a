/* SPDX-License-Identifier: Apache-2.0 */
#include <locale.h>
#include <math.h>
#include <string.h>

#include "base/num.h"
#include "support.h"

static const struct {
    double value;
    const char *text; /* Python's repr() */
} shortest[] = {
    {0.0, "0.0"},
    {-0.0, "-0.0"},
    {1.0, "1.0"},
    {-2.5, "-2.5"},
    {0.1, "0.1"},
    {1e-4, "0.0001"},
    {1e-5, "1e-05"},
    {123456789.125, "123456789.125"},
    {1e15, "1000000000000000.0"},
    {9999999999999998.0, "9999999999999998.0"},
    {1e16, "1e+16"},
    {1e22, "1e+22"},
    {1e23, "1e+23"},
    {0.0010000000474974513, "0.0010000000474974513"},
    {9.999999747378752e-06, "9.999999747378752e-06"},
    {16777216.0, "16777216.0"},
    {5e-324, "5e-324"},
    {2.2250738585072014e-308, "2.2250738585072014e-308"},
    {1.7976931348623157e308, "1.7976931348623157e+308"},
    {3.4028234663852886e+38, "3.4028234663852886e+38"},
    {INFINITY, "inf"},
    {-INFINITY, "-inf"},
    {NAN, "nan"},
};

START_TEST(doubles_print_as_python)
{
    char out[32];
    ck_assert_uint_eq(cnnfi_format_double(out, shortest[_i].value), strlen(shortest[_i].text));
    ck_assert_str_eq(out, shortest[_i].text);
}
END_TEST

START_TEST(doubles_survive)
{
    uint64_t bits = 0x9e3779b97f4a7c15u;
    for (int i = 0; i < 200000; i++) {
        double value, back;
        char out[32];
        size_t used;
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) continue;
        size_t length = cnnfi_format_double(out, value);
        back = cnnfi_parse_double(out, length, &used);
        ck_assert_uint_eq(used, length);
        ck_assert_msg(memcmp(&value, &back, sizeof value) == 0, "%s", out);
    }
}
END_TEST

START_TEST(locale_does_not_matter)
{
    char out[32], fixed[352];
    size_t used;
    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL && setlocale(LC_ALL, "fr_FR.UTF-8") == NULL) return;
    cnnfi_format_double(out, 0.5);
    cnnfi_format_fixed(fixed, 1234567.25, 1);
    double parsed = cnnfi_parse_double("0.75", 4, &used);
    setlocale(LC_ALL, "C");
    ck_assert_str_eq(out, "0.5");
    ck_assert_str_eq(fixed, "1234567.2");
    ck_assert(parsed == 0.75 && used == 4);
}
END_TEST

START_TEST(fixed_decimals)
{
    char out[352];
    cnnfi_format_fixed(out, 0.99249, 4);
    ck_assert_str_eq(out, "0.9925");
    cnnfi_format_fixed(out, -3.0, 0);
    ck_assert_str_eq(out, "-3");
    cnnfi_format_fixed(out, 0.125, 2); /* a tie goes to even */
    ck_assert_str_eq(out, "0.12");
    cnnfi_format_fixed(out, -INFINITY, 2);
    ck_assert_str_eq(out, "-inf");
    ck_assert_uint_lt(cnnfi_format_fixed(out, -1.7976931348623157e308, 30), sizeof out);
}
END_TEST

static const struct {
    const char *text;
    size_t used;
    double value;
} readings[] = {
    {"1", 1, 1},
    {"-12.5e1x", 7, -125},
    {".5", 2, 0.5},
    {"5.", 2, 5},
    {"+7", 2, 7},
    {"1e", 1, 1},
    {"1e+", 1, 1},
    {"0.000", 5, 0},
    {"-0", 2, 0},
    {"x", 0, 0},
    {"", 0, 0},
    {".", 0, 0},
    {"-", 0, 0},
    {"1e400", 5, INFINITY},
    {"1e-400", 6, 0},
    {"1e999999999999999999", 20, INFINITY},
    {"0.30000000000000004", 19, 0.30000000000000004},
    {"9007199254740993", 16, 9007199254740992.0},
    {"9007199254740993.00000000000000000000000000000000000001", 55, 9007199254740994.0},
};

START_TEST(numbers_are_read)
{
    size_t used = 99;
    double value = cnnfi_parse_double(readings[_i].text, strlen(readings[_i].text), &used);
    ck_assert_uint_eq(used, readings[_i].used);
    ck_assert(value == readings[_i].value);
}
END_TEST

/* 1,000 digits: the last one decides on which side of a tie the number lies. */
START_TEST(long_numbers_round_once)
{
    char text[1100] = "9007199254740993.";
    size_t used, n = strlen(text);
    memset(text + n, '0', 1000);
    ck_assert(cnnfi_parse_double(text, n + 1000, &used) == 9007199254740992.0);
    text[n + 999] = '1';
    ck_assert(cnnfi_parse_double(text, n + 1000, &used) == 9007199254740994.0);
    ck_assert_uint_eq(used, n + 1000);
}
END_TEST

START_TEST(floats_round_once)
{
    size_t used;
    const char text[] = "1.00000017881393432617187499"; /* below the tie; by way of double it would be on it */
    ck_assert(cnnfi_parse_float(text, sizeof text - 1, &used) == 1.00000011920928955078125f);
}
END_TEST

START_TEST(integers_are_read)
{
    int64_t value = 0;
    ck_assert(cnnfi_parse_i64("-9223372036854775808", 20, &value) && value == INT64_MIN);
    ck_assert(cnnfi_parse_i64("+9223372036854775807", 20, &value) && value == INT64_MAX);
    ck_assert(!cnnfi_parse_i64("9223372036854775808", 19, &value));
    ck_assert(!cnnfi_parse_i64("", 0, &value));
    ck_assert(!cnnfi_parse_i64("-", 1, &value));
    ck_assert(!cnnfi_parse_i64("1 ", 2, &value));
}
END_TEST

START_TEST(halves_survive)
{
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        float value = cnnfi_half_to_float((uint16_t)bits);
        if (isnan(value))
            ck_assert(isnan(cnnfi_half_to_float(cnnfi_float_to_half(value))));
        else
            ck_assert_uint_eq(cnnfi_float_to_half(value), bits);
        value = cnnfi_bfloat16_to_float((uint16_t)bits);
        if (!isnan(value)) ck_assert_uint_eq(cnnfi_float_to_bfloat16(value), bits);
    }
}
END_TEST

START_TEST(halves_round_to_even)
{
    ck_assert_uint_eq(cnnfi_float_to_half(2049.0f), 0x6800);    /* tie: 2048 */
    ck_assert_uint_eq(cnnfi_float_to_half(2051.0f), 0x6802);    /* tie: 2052 */
    ck_assert_uint_eq(cnnfi_float_to_half(65519.996f), 0x7bff); /* the largest half */
    ck_assert_uint_eq(cnnfi_float_to_half(65520.0f), 0x7c00);   /* infinity */
    ck_assert_uint_eq(cnnfi_float_to_half(0x1p-25f), 0x0000);   /* tie: zero */
    ck_assert_uint_eq(cnnfi_float_to_half(0x1.8p-25f), 0x0001);
    ck_assert_uint_eq(cnnfi_float_to_half(-0x1.ff8p-15f), 0x83ff);   /* largest subnormal */
    ck_assert_uint_eq(cnnfi_float_to_half(-0x1.ffcp-15f), 0x8400);   /* tie: smallest normal */
    ck_assert_uint_eq(cnnfi_float_to_bfloat16(1.00390625f), 0x3f80); /* tie: 1 */
    ck_assert_uint_eq(cnnfi_float_to_bfloat16(1.01171875f), 0x3f82);
}
END_TEST

static Suite *num_suite(void)
{
    Suite *suite = suite_create("num");
    TCase *texts = tcase_create("text");
    tcase_add_loop_test(texts, doubles_print_as_python, 0, (int)(sizeof shortest / sizeof shortest[0]));
    tcase_add_loop_test(texts, numbers_are_read, 0, (int)(sizeof readings / sizeof readings[0]));
    tcase_add_test(texts, doubles_survive);
    tcase_add_test(texts, locale_does_not_matter);
    tcase_add_test(texts, fixed_decimals);
    tcase_add_test(texts, long_numbers_round_once);
    tcase_add_test(texts, floats_round_once);
    tcase_add_test(texts, integers_are_read);
    suite_add_tcase(suite, texts);
    TCase *small = tcase_create("small floats");
    tcase_add_test(small, halves_survive);
    tcase_add_test(small, halves_round_to_even);
    suite_add_tcase(suite, small);
    return suite;
}

TEST_MAIN(num_suite)
