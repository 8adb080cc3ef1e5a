/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

static const char *path = "/tmp/cnnf_test.npy";

static void put(const void *data, size_t size)
{
    FILE *to = fopen(path, "wb");
    ck_assert_ptr_nonnull(to);
    ck_assert_uint_eq(fwrite(data, 1, size, to), size);
    fclose(to);
}

/* A version 1 file of this dict and these elements. */
static size_t make(unsigned char *out, const char *dict, const void *data, size_t size)
{
    size_t n = strlen(dict);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (unsigned char)(n & 0xff);
    out[9] = (unsigned char)(n >> 8);
    memcpy(out + 10, dict, n);
    if (size) memcpy(out + 10 + n, data, size);
    return 10 + n + size;
}

START_TEST(every_dtype_comes_back)
{
    static const cnnf_dtype dtypes[] = {CNNF_FLOAT,  CNNF_DOUBLE, CNNF_HALF,      CNNF_INT8,      CNNF_INT16,
                                        CNNF_INT32,  CNNF_INT64,  CNNF_UINT8,     CNNF_UINT16,    CNNF_UINT32,
                                        CNNF_UINT64, CNNF_BOOL,   CNNF_COMPLEX64, CNNF_COMPLEX128};
    static const int64_t dims[] = {2, 3, 1, 2};
    cnnf_context *context = test_context();
    for (size_t i = 0; i < sizeof(dtypes) / sizeof(dtypes[0]); i++) {
        for (int32_t rank = 0; rank <= 4; rank++) {
            cnnf_tensor *tensor = NULL, *back = NULL;
            ck_assert_int_eq(cnnf_tensor_new(&tensor, context, dtypes[i], rank, dims, NULL), CNNF_OK);
            unsigned char *bytes = cnnf_tensor_data_mut(tensor);
            for (size_t b = 0; b < cnnf_tensor_byte_size(tensor); b++)
                bytes[b] = (unsigned char)(b * 7 + 1);
            ck_assert_int_eq(cnnf_npy_save(tensor, path, NULL), CNNF_OK);
            ck_assert_int_eq(cnnf_npy_load(&back, context, path, NULL), CNNF_OK);
            ck_assert_int_eq(cnnf_tensor_dtype(back), dtypes[i]);
            ck_assert_int_eq(cnnf_tensor_rank(back), rank);
            for (int32_t d = 0; d < rank; d++)
                ck_assert_int_eq(cnnf_tensor_dim(back, d), dims[d]);
            ck_assert_int_eq(memcmp(cnnf_tensor_data(back), cnnf_tensor_data(tensor), cnnf_tensor_byte_size(tensor)),
                             0);
            cnnf_tensor_unref(tensor);
            cnnf_tensor_unref(back);
        }
    }
    unlink(path);
    test_context_done(context);
}
END_TEST

START_TEST(other_orders)
{
    static const unsigned char big[] = {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6};
    unsigned char file[256];
    cnnf_context *context = test_context();
    cnnf_tensor *tensor = NULL;
    put(file, make(file, "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }\n", big, sizeof(big)));
    ck_assert_int_eq(cnnf_npy_load(&tensor, context, path, NULL), CNNF_OK);
    const int16_t *value = cnnf_tensor_data(tensor);
    static const int16_t want[] = {1, 3, 5, 2, 4, 6}; /* column by column in the file */
    ck_assert_int_eq(memcmp(value, want, sizeof(want)), 0);
    cnnf_tensor_unref(tensor);
    put(file, make(file, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 4), }", NULL, 0));
    ck_assert_int_eq(cnnf_npy_load(&tensor, context, path, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_tensor_element_count(tensor), 0);
    cnnf_tensor_unref(tensor);
    unlink(path);
    test_context_done(context);
}
END_TEST

START_TEST(bad_files)
{
    static const struct {
        const char *dict;
        size_t size;
        cnnf_status status;
    } cases[] = {
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", 8, CNNF_E_CORRUPT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", 8, CNNF_E_CORRUPT},
        {"{'descr': '<U4', 'fortran_order': False, 'shape': (2,), }", 8, CNNF_E_UNSUPPORTED},
        {"{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", 8, CNNF_E_UNSUPPORTED},
        {"{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }", 8, CNNF_E_UNSUPPORTED},
        {"{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,), }", 8, CNNF_E_CORRUPT},
        {"{'descr': '<f4', 'shape': (2,), }", 8, CNNF_E_CORRUPT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2", 8, CNNF_E_CORRUPT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }", 8, CNNF_E_CORRUPT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }", 8, CNNF_E_CORRUPT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,2), }", 8, CNNF_E_CORRUPT},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (2000000000,), }", 8, CNNF_E_CORRUPT},
        {"", 0, CNNF_E_CORRUPT},
    };
    unsigned char file[256];
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cnnf_tensor *tensor = NULL;
        put(file, make(file, cases[i].dict, "abcdefgh", cases[i].size));
        cnnf_status status = cnnf_npy_load(&tensor, context, path, error);
        ck_assert_msg(status == cases[i].status, "%s: %d %s", cases[i].dict, status, cnnf_error_message(error));
        ck_assert_ptr_null(tensor);
        ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), path));
    }
    size_t size = make(file, "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", "abcdefgh", 8);
    for (size_t cut = 0; cut < size; cut++) {
        cnnf_tensor *tensor = NULL;
        put(file, cut);
        ck_assert_int_lt(cnnf_npy_load(&tensor, context, path, error), 0);
        ck_assert_ptr_null(tensor);
    }
    unlink(path);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

static Suite *npy_suite(void)
{
    Suite *suite = suite_create("npy");
    TCase *tests = tcase_create("npy");
    tcase_add_test(tests, every_dtype_comes_back);
    tcase_add_test(tests, other_orders);
    tcase_add_test(tests, bad_files);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(npy_suite)
