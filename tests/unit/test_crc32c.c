/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <string.h>

#include "base/crc32c.h"

/* RFC 3720, B.4. */
START_TEST(known_values)
{
    uint8_t bytes[32];
    ck_assert_uint_eq(cnnfi_crc32c(0, "123456789", 9), 0xe3069283);
    memset(bytes, 0, sizeof bytes);
    ck_assert_uint_eq(cnnfi_crc32c(0, bytes, 32), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    ck_assert_uint_eq(cnnfi_crc32c(0, bytes, 32), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (uint8_t)i;
    ck_assert_uint_eq(cnnfi_crc32c(0, bytes, 32), 0x46dd794e);
    ck_assert_uint_eq(cnnfi_crc32c(0, NULL, 0), 0);
}
END_TEST

/* Lengths around the lanes of the fast path, at every alignment; whole and in two parts. */
START_TEST(hardware_is_portable)
{
    static uint8_t bytes[16384];
    static const size_t lengths[] = {1, 7, 8, 9, 63, 1023, 1024, 3071, 3072, 3073, 6143, 6144, 9300, 16000};
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 2654435761u >> 11);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (size_t shift = 0; shift < 9; shift++) {
            const size_t n = lengths[i];
            const uint32_t wanted = cnnfi_crc32c_portable(0, bytes + shift, n);
            ck_assert_uint_eq(cnnfi_crc32c(0, bytes + shift, n), wanted);
            const uint32_t first = cnnfi_crc32c(0, bytes + shift, n / 3);
            ck_assert_uint_eq(cnnfi_crc32c(first, bytes + shift + n / 3, n - n / 3), wanted);
        }
    }
}
END_TEST

START_TEST(mask_round_trip)
{
    ck_assert_uint_eq(cnnfi_crc32c_mask(0), 0xa282ead8);
    ck_assert_uint_eq(cnnfi_crc32c_unmask(cnnfi_crc32c_mask(0xdeadbeef)), 0xdeadbeef);
}
END_TEST

static Suite *crc32c_suite(void)
{
    Suite *suite = suite_create("crc32c");
    TCase *tests = tcase_create("crc32c");
    tcase_add_test(tests, known_values);
    tcase_add_test(tests, hardware_is_portable);
    tcase_add_test(tests, mask_round_trip);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(crc32c_suite)
