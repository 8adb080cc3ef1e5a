/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "graph/tensor.h"
#include "support.h"

START_TEST(memory_tensors)
{
    cnnf_context *context = test_context();
    cnnf_tensor *tensor = NULL;
    const int64_t dims[] = {2, 3};
    ck_assert_int_eq(cnnf_tensor_new(&tensor, context, CNNF_FLOAT, 2, dims, NULL), CNNF_OK);
    float *data = cnnf_tensor_data_mut(tensor);
    ck_assert_ptr_nonnull(data);
    data[5] = 2.5f;
    ck_assert_uint_eq(cnnf_tensor_byte_size(tensor), 24);
    ck_assert_int_eq(cnnf_tensor_dim(tensor, 1), 3);
    ck_assert_int_eq(cnnf_tensor_dim(tensor, 2), -1);
    double value;
    ck_assert(cnnfi_tensor_get_f64(tensor, 5, &value));
    ck_assert_double_eq(value, 2.5);
    cnnf_tensor *flat = NULL;
    const int64_t six[] = {6};
    ck_assert_int_eq(cnnfi_tensor_reshape(&flat, tensor, 1, six, NULL), CNNF_OK);
    ck_assert_ptr_null(cnnf_tensor_data_mut(tensor)); /* shared now */
    ck_assert(cnnfi_tensor_get_f64(flat, 5, &value));
    cnnf_tensor_unref(tensor);
    ck_assert_double_eq(((const float *)cnnf_tensor_data(flat))[5], 2.5);
    cnnf_tensor_unref(flat);
    test_context_done(context);
}
END_TEST

START_TEST(reshapes_keep_the_elements)
{
    cnnf_context *context = test_context();
    cnnf_error *error = cnnf_error_new();
    cnnf_tensor *tensor = NULL, *view = NULL;
    const int64_t six[] = {6}, four[] = {2, 2};
    ck_assert_int_eq(cnnf_tensor_new(&tensor, context, CNNF_FLOAT, 1, six, error), CNNF_OK);
    ck_assert_int_eq(cnnfi_tensor_reshape(&view, tensor, 2, four, error), CNNF_E_MISMATCH);
    ck_assert_ptr_null(view);
    ck_assert_ptr_nonnull(strstr(cnnf_error_message(error), "6 elements cannot take a shape of 4"));
    cnnf_tensor_unref(tensor);
    cnnf_error_free(error);
    test_context_done(context);
}
END_TEST

START_TEST(impossible_shapes)
{
    cnnf_context *context = test_context();
    cnnf_tensor *tensor = NULL;
    const int64_t huge[] = {(int64_t)1 << 40, (int64_t)1 << 40}, negative[] = {-1}, many[] = {(int64_t)1 << 31};
    ck_assert_int_eq(cnnf_tensor_new(&tensor, context, CNNF_FLOAT, 2, huge, NULL), CNNF_E_CORRUPT);
    ck_assert_int_eq(cnnf_tensor_new(&tensor, context, CNNF_FLOAT, 1, negative, NULL), CNNF_E_CORRUPT);
    ck_assert_int_eq(cnnf_tensor_new(&tensor, context, CNNF_FLOAT, 1, many, NULL), CNNF_E_LIMIT);
    ck_assert_int_eq(cnnf_tensor_new(&tensor, context, 99, 0, NULL, NULL), CNNF_E_UNSUPPORTED);
    ck_assert_int_eq(cnnf_tensor_new(&tensor, context, CNNF_STRING, 0, NULL, NULL), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_tensor_new(&tensor, context, CNNF_FLOAT, 1, NULL, NULL), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_tensor_new(NULL, context, CNNF_FLOAT, 0, NULL, NULL), CNNF_E_INVALID);
    ck_assert_ptr_null(tensor);
    test_context_done(context);
}
END_TEST

START_TEST(proto_values_repeat)
{
    cnnf_context *context = test_context();
    /* int_val (field 7, packed): 5, -1; four elements */
    const unsigned char fields[] = {0x3a, 0x0b, 0x05, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
    const int64_t four[] = {4};
    cnnf_tensor *tensor = NULL, *loaded = NULL;
    ck_assert_int_eq(cnnfi_tensor_proto(&tensor, context, CNNF_INT32, 1, four, fields, sizeof fields, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_tensor_load(&loaded, tensor, NULL), CNNF_OK);
    const int32_t *values = cnnf_tensor_data(loaded);
    ck_assert_int_eq(values[0], 5);
    ck_assert_int_eq(values[1], -1);
    ck_assert_int_eq(values[3], -1);
    cnnf_tensor_unref(loaded);
    cnnf_tensor_unref(tensor);
    ck_assert_int_eq(cnnfi_tensor_proto(&tensor, context, CNNF_INT32, 1, four, fields, 5, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_tensor_load(&loaded, tensor, NULL), CNNF_E_CORRUPT);
    ck_assert_ptr_null(loaded);
    cnnf_tensor_unref(tensor);
    test_context_done(context);
}
END_TEST

START_TEST(splats_and_strings)
{
    cnnf_context *context = test_context();
    const int64_t dims[] = {1000, 1000}, two[] = {2};
    cnnf_tensor *tensor = NULL;
    double value;
    ck_assert_int_eq(cnnfi_tensor_splat(&tensor, context, CNNF_FLOAT, 2, dims, 0.5, NULL), CNNF_OK);
    ck_assert_uint_lt(cnnf_context_memory(context, 0), 4096);
    ck_assert(cnnfi_tensor_get_f64(tensor, 999999, &value));
    ck_assert_double_eq(value, 0.5);
    cnnf_tensor_unref(tensor);
    const cnnfi_bytes strings[] = {{(const uint8_t *)"ab", 2}, {(const uint8_t *)"", 0}};
    const char *text;
    size_t size;
    ck_assert_int_eq(cnnfi_tensor_strings(&tensor, context, 1, two, strings, 2, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_tensor_string(&text, &size, tensor, 0, NULL), CNNF_OK);
    ck_assert_uint_eq(size, 2);
    ck_assert_mem_eq(text, "ab", 2);
    ck_assert_int_eq(cnnf_tensor_string(&text, &size, tensor, 2, NULL), CNNF_E_INVALID);
    cnnf_tensor_unref(tensor);
    test_context_done(context);
}
END_TEST

static void count_release(void *user)
{
    ++*(int *)user;
}

START_TEST(wrapped_memory_is_released_once)
{
    cnnf_context *context = test_context();
    static const float values[] = {1, 2};
    const int64_t two[] = {2};
    int released = 0;
    cnnf_tensor *tensor = NULL;
    ck_assert_int_eq(cnnf_tensor_wrap(&tensor, context, CNNF_FLOAT, 1, two, values, 7, count_release, &released, NULL),
                     CNNF_E_INVALID);
    ck_assert_int_eq(released, 0);
    ck_assert_int_eq(cnnf_tensor_wrap(&tensor, context, CNNF_FLOAT, 1, two, values, 8, count_release, &released, NULL),
                     CNNF_OK);
    ck_assert_ptr_eq(cnnf_tensor_data(tensor), values);
    ck_assert_ptr_null(cnnf_tensor_data_mut(tensor));
    cnnf_tensor_unref(tensor);
    ck_assert_int_eq(released, 1);
    test_context_done(context);
}
END_TEST

static Suite *tensor_suite(void)
{
    Suite *suite = suite_create("tensor");
    TCase *tests = tcase_create("tensor");
    tcase_add_test(tests, memory_tensors);
    tcase_add_test(tests, reshapes_keep_the_elements);
    tcase_add_test(tests, impossible_shapes);
    tcase_add_test(tests, proto_values_repeat);
    tcase_add_test(tests, splats_and_strings);
    tcase_add_test(tests, wrapped_memory_is_released_once);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(tensor_suite)
