/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "folder.h"

static cnnf_context *context;
static cnnf_error *error;
static char name_buffer[256];

static void setup(void)
{
    context = test_context();
    error = cnnf_error_new();
    folder_make();
}

static void teardown(void)
{
    folder_remove();
    cnnf_error_free(error);
    test_context_done(context);
}

static const char *name(const char *file)
{
    snprintf(name_buffer, sizeof(name_buffer), "%s/%s", folder, file);
    return name_buffer;
}

static const char *put(const char *file, const void *data, size_t size)
{
    FILE *to = fopen(name(file), "wb");
    ck_assert_ptr_nonnull(to);
    ck_assert_uint_eq(fwrite(data, 1, size, to), size);
    fclose(to);
    return name(file);
}

static const char *put_text(const char *file, const char *text)
{
    return put(file, text, strlen(text));
}

static cnnf_dataset_options *unscaled(void)
{
    cnnf_dataset_options *options = NULL;
    ck_assert_int_eq(cnnf_dataset_options_new(&options, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_dataset_options_set_scale(options, 1, NULL), CNNF_OK);
    return options;
}

static cnnf_dataset *open_or_fail(const char *path, const cnnf_dataset_options *options)
{
    cnnf_dataset *dataset = NULL;
    cnnf_status status = cnnf_dataset_open(&dataset, context, path, options, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
    return dataset;
}

/* The next batch is these numbers and labels. */
static void expect(cnnf_dataset *dataset, int64_t batch, int64_t n, int64_t width, const float *pixels,
                   const int64_t *labels)
{
    cnnf_tensor *x = NULL, *y = NULL;
    cnnf_status status = cnnf_dataset_next(&x, &y, dataset, batch, error);
    ck_assert_msg(status == CNNF_OK, "%s", cnnf_error_message(error));
    if (n == 0) {
        ck_assert_ptr_null(x);
        ck_assert_ptr_null(y);
        return;
    }
    ck_assert_int_eq(cnnf_tensor_dim(x, 0), n);
    ck_assert_int_eq(cnnf_tensor_element_count(x), n * width);
    ck_assert_int_eq(cnnf_tensor_element_count(y), n);
    const float *p = cnnf_tensor_data(x);
    const int64_t *l = cnnf_tensor_data(y);
    for (int64_t i = 0; i < n * width; i++)
        ck_assert_double_eq_tol((double)p[i], (double)pixels[i], 1e-6);
    for (int64_t i = 0; i < n; i++)
        ck_assert_int_eq(l[i], labels[i]);
    cnnf_tensor_unref(x);
    cnnf_tensor_unref(y);
}

static void expect_message(cnnf_status status, cnnf_status wanted, const char *part)
{
    ck_assert_msg(status == wanted, "%d: %s", status, cnnf_error_message(error));
    ck_assert_msg(strstr(cnnf_error_message(error), part) != NULL, "'%s' lacks '%s'", cnnf_error_message(error), part);
}

static void expect_bad_row(const char *text, const char *part)
{
    cnnf_tensor *x = NULL, *y = NULL;
    cnnf_dataset *dataset = open_or_fail(put_text("bad.csv", text), NULL);
    expect_message(cnnf_dataset_next(&x, &y, dataset, 100, error), CNNF_E_CORRUPT, part);
    ck_assert_ptr_null(x);
    ck_assert_ptr_null(y);
    cnnf_dataset_free(dataset);
}

START_TEST(csv_rows)
{
    static const float pixels[] = {1, 2, 3.5f, -4, 1e3f, 0};
    cnnf_dataset_options *options = unscaled();
    const char *texts[] = {"7,1,2\n8,3.5,-4\n9,1e3,0\n", "label,a,b\r\n7,1,2\r\n8,3.5,-4\r\n\r\n9,1e3,0",
                           "\xef\xbb\xbflabel,a,b\n7, 1 ,\"2\"\n8,3.5,-4.0\n9.0,+1000,0\n\n"};
    for (int i = 0; i < 3; i++) {
        cnnf_dataset *dataset = open_or_fail(put_text("a.csv", texts[i]), options);
        ck_assert_int_eq(cnnf_dataset_count(dataset), -1);
        for (int turn = 0; turn < 2; turn++) {
            expect(dataset, 2, 2, 2, pixels, (int64_t[]){7, 8});
            expect(dataset, 2, 1, 2, pixels + 4, (int64_t[]){9});
            expect(dataset, 2, 0, 2, NULL, NULL);
            ck_assert_int_eq(cnnf_dataset_rewind(dataset, NULL), CNNF_OK);
        }
        cnnf_dataset_free(dataset);
    }
    cnnf_dataset_options_free(options);
}
END_TEST

START_TEST(csv_scales_and_shapes)
{
    cnnf_dataset_options *options = NULL;
    cnnf_tensor *x = NULL, *y = NULL;
    ck_assert_int_eq(cnnf_dataset_options_new(&options, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_dataset_options_set_shape(options, 3, (int64_t[]){1, 2, 3}, NULL), CNNF_OK);
    cnnf_dataset *dataset = open_or_fail(put_text("a.csv", "1,0,51,102,153,204,255\n"), options);
    ck_assert_int_eq(cnnf_dataset_next(&x, &y, dataset, 4, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_tensor_rank(x), 4);
    ck_assert_int_eq(cnnf_tensor_dim(x, 3), 3);
    ck_assert(((const float *)cnnf_tensor_data(x))[1] == 51 / 255.0f);
    cnnf_tensor_unref(x);
    cnnf_tensor_unref(y);
    cnnf_dataset_free(dataset);
    /* the same row with its three channels first */
    ck_assert_int_eq(cnnf_dataset_options_set_shape(options, 3, (int64_t[]){3, 1, 2}, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_dataset_options_set_channels_first(options, 1, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_dataset_options_set_scale(options, 51, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_dataset_options_set_normalization(options, 1, 2, NULL), CNNF_OK);
    dataset = open_or_fail(name("a.csv"), options);
    expect(dataset, 1, 1, 6, (float[]){-0.5f, 1, 0, 1.5f, 0.5f, 2}, (int64_t[]){1});
    cnnf_dataset_free(dataset);
    ck_assert_int_eq(cnnf_dataset_options_set_shape(options, 1, (int64_t[]){7}, NULL), CNNF_OK);
    dataset = NULL;
    expect_message(cnnf_dataset_open(&dataset, context, name("a.csv"), options, error), CNNF_E_MISMATCH,
                   "6 values per example, the shape [7] needs 7");
    ck_assert_ptr_null(dataset);
    cnnf_dataset_options_free(options);
}
END_TEST

START_TEST(csv_labels)
{
    cnnf_dataset_options *options = unscaled();
    ck_assert_int_eq(cnnf_dataset_options_set_one_hot(options, 3, NULL), CNNF_OK);
    cnnf_dataset *dataset = open_or_fail(put_text("a.csv", "0,1,0,5\n0,0,1,6\n"), options);
    expect(dataset, 5, 2, 1, (float[]){5, 6}, (int64_t[]){1, 2});
    cnnf_dataset_free(dataset);
    ck_assert_int_eq(cnnf_dataset_options_set_one_hot(options, 0, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_dataset_options_set_label_map(options, put_text("map", "cat 4\ndog=2\n9,1\n"), NULL),
                     CNNF_OK);
    dataset = open_or_fail(put_text("b.csv", "dog,1\ncat,2\n9,3\n0,4\n"), options);
    expect(dataset, 5, 4, 1, (float[]){1, 2, 3, 4}, (int64_t[]){2, 4, 1, 0});
    cnnf_dataset_free(dataset);
    ck_assert_int_eq(cnnf_dataset_options_set_label_map(options, put_text("map", "cat\ndog\n"), NULL), CNNF_OK);
    dataset = open_or_fail(name("b.csv"), options);
    expect(dataset, 2, 2, 1, (float[]){1, 2}, (int64_t[]){1, 0});
    cnnf_dataset_free(dataset);
    cnnf_dataset_options_free(options);
}
END_TEST

/* A row that ends inside its one-hot label, as the last bytes of the file and before more rows, and one of full label.
 */
START_TEST(csv_short_one_hot_rows)
{
    static const char *const texts[] = {"0,1,0,5,6\n1,0\n", "0,1,0,5,6\n1,0", "0,1,0,5,6\n1,0\n0,0,1,7,8\n",
                                        "0,1,0,5,6\n1,0,0\n"};
    static const char *const messages[] = {"2 columns, the label alone has 3", "2 columns, the label alone has 3",
                                           "2 columns, the label alone has 3", "0 values, must be 2 (+3 label)"};
    cnnf_dataset_options *options = unscaled();
    ck_assert_int_eq(cnnf_dataset_options_set_one_hot(options, 3, NULL), CNNF_OK);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cnnf_tensor *x = NULL, *y = NULL;
        cnnf_dataset *dataset = open_or_fail(put_text("a.csv", texts[i]), options);
        expect_message(cnnf_dataset_next(&x, &y, dataset, 5, error), CNNF_E_CORRUPT, messages[i]);
        ck_assert_ptr_null(x);
        cnnf_dataset_free(dataset);
    }
    cnnf_dataset_options_free(options);
}
END_TEST

START_TEST(csv_damage_says_where)
{
    cnnf_dataset *dataset = NULL;
    expect_bad_row("1,2,3\n4,5\n", "bad.csv:2: 1 values, must be 2 (+1 label)");
    expect_bad_row("1,2,3\n4,5,6,7\n", "bad.csv:2: 3 values, must be 2 (+1 label)");
    expect_bad_row("h,h,h\n1,2,3\n4,abc,6\n", "bad.csv:3:3: 'abc' is not a number");
    expect_bad_row("1,2,3\n4,,6\n", "bad.csv:2:3: '' is not a number");
    expect_bad_row("1,2\n-1,2\n", "bad.csv:2:1: '-1' is no label");
    expect_bad_row("1,2\n1.5,2\n", "bad.csv:2:1: '1.5' is no label");
    expect_bad_row("1,2\n3,0x10\n", "bad.csv:2:3: '0x10' is not a number");
    expect_message(cnnf_dataset_open(&dataset, context, put_text("empty.csv", ""), NULL, error), CNNF_E_FORMAT,
                   "empty");
    expect_message(cnnf_dataset_open(&dataset, context, put_text("one.csv", "1\n2\n"), NULL, error), CNNF_E_CORRUPT,
                   "1 columns");
    expect_message(cnnf_dataset_open(&dataset, context, put("junk", "ab\0cd", 5), NULL, error), CNNF_E_FORMAT,
                   "neither CSV");
    expect_message(cnnf_dataset_open(&dataset, context, name("none"), NULL, error), CNNF_E_IO, "none");
    ck_assert_ptr_null(dataset);
}
END_TEST

START_TEST(csv_long_lines_are_limited)
{
    static char text[3 * 1024 * 1024];
    cnnf_context_options *options = NULL;
    cnnf_context *small = NULL;
    cnnf_dataset *dataset = NULL;
    memset(text, '1', sizeof(text));
    put("long.csv", text, sizeof(text));
    ck_assert_int_eq(cnnf_context_options_new(&options, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_options_set_limit(options, CNNF_LIMIT_LINE_BYTES, 1024 * 1024, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_new(&small, options, NULL), CNNF_OK);
    expect_message(cnnf_dataset_open(&dataset, small, name("long.csv"), NULL, error), CNNF_E_LIMIT, "line");
    cnnf_context_options_free(options);
    test_context_done(small);
}
END_TEST

static const unsigned char idx_images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 10, 20, 30, 40};
static const unsigned char idx_labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 6, 5};

START_TEST(idx_files)
{
    cnnf_dataset_options *options = unscaled();
    cnnf_dataset *dataset = NULL;
    put("t-labels-idx1-ubyte", idx_labels, sizeof(idx_labels));
    dataset = open_or_fail(put("t-images-idx3-ubyte", idx_images, sizeof(idx_images)), options);
    ck_assert_int_eq(cnnf_dataset_count(dataset), 2);
    for (int turn = 0; turn < 2; turn++) {
        expect(dataset, 1, 1, 2, (float[]){10, 20}, (int64_t[]){6});
        expect(dataset, 100, 1, 2, (float[]){30, 40}, (int64_t[]){5});
        expect(dataset, 100, 0, 2, NULL, NULL);
        ck_assert_int_eq(cnnf_dataset_rewind(dataset, NULL), CNNF_OK);
    }
    cnnf_dataset_free(dataset);
    dataset = NULL;
    put("u-labels-idx1-ubyte", idx_labels, sizeof(idx_labels) - 1);
    for (size_t cut = 1; cut < sizeof(idx_images); cut++) { /* every cut is an error, here or at the first batch */
        cnnf_tensor *x = NULL, *y = NULL;
        cnnf_status status =
            cnnf_dataset_open(&dataset, context, put("u-images-idx3-ubyte", idx_images, cut), options, error);
        if (status == CNNF_OK) status = cnnf_dataset_next(&x, &y, dataset, 2, error);
        ck_assert_int_lt(status, 0);
        ck_assert_ptr_null(x);
        cnnf_dataset_free(dataset);
        dataset = NULL;
    }
    expect_message(
        cnnf_dataset_open(&dataset, context, put("v-images", idx_images, sizeof(idx_images)), options, error),
        CNNF_E_NOT_FOUND, "no labels");
    cnnf_dataset_options_free(options);
}
END_TEST

/* A folder of two classes, as its generator made it: tests/golden/dataset/images.py. */
START_TEST(image_folders)
{
    if (!cnnf_has_feature("images")) return;
    cnnf_dataset_options *options = unscaled();
    cnnf_tensor *x = NULL, *y = NULL, *want = NULL;
    ck_assert_int_eq(cnnf_dataset_options_set_shape(options, 3, (int64_t[]){8, 8, 1}, NULL), CNNF_OK);
    cnnf_dataset *dataset = open_or_fail(GOLDEN("dataset/images"), options);
    int64_t n = cnnf_dataset_count(dataset);
    ck_assert_int_eq(n, 6);
    ck_assert_int_eq(cnnf_dataset_next(&x, &y, dataset, n, error), CNNF_OK);
    ck_assert_int_eq(cnnf_npy_load(&want, context, GOLDEN("dataset/images_gray.npy"), error), CNNF_OK);
    ck_assert_uint_eq(cnnf_tensor_byte_size(x), cnnf_tensor_byte_size(want));
    const float *a = cnnf_tensor_data(x), *b = cnnf_tensor_data(want);
    for (int64_t i = 0; i < cnnf_tensor_element_count(x); i++)
        ck_assert_msg(a[i] == b[i], "value %lld: %f, cv2 has %f", (long long)i, (double)a[i], (double)b[i]);
    for (int64_t i = 0; i < n; i++)
        ck_assert_int_eq(((const int64_t *)cnnf_tensor_data(y))[i], i / 3);
    cnnf_tensor_unref(x);
    cnnf_tensor_unref(y);
    cnnf_tensor_unref(want);
    cnnf_dataset_free(dataset);
    cnnf_dataset_options_free(options);
}
END_TEST

START_TEST(image_folders_without_images)
{
    cnnf_dataset *dataset = NULL;
    if (!cnnf_has_feature("images")) return;
    expect_message(cnnf_dataset_open(&dataset, context, folder, NULL, error), CNNF_E_NOT_FOUND, "no images");
    put_text("a.png", "\x89PNG\r\n\x1a\n damaged");
    put_text("labels.csv", "name,label\na.png,0\n");
    expect_message(cnnf_dataset_open(&dataset, context, folder, NULL, error), CNNF_E_CORRUPT, "PNG");
    put_text("labels.csv", "a.png,0\n../../etc/passwd.png,1\n");
    expect_message(cnnf_dataset_open(&dataset, context, folder, NULL, error), CNNF_E_CORRUPT, "leaves the folder");
    ck_assert_ptr_null(dataset);
}
END_TEST

static Suite *dataset_suite(void)
{
    Suite *suite = suite_create("dataset");
    TCase *tests = tcase_create("dataset");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, csv_rows);
    tcase_add_test(tests, csv_scales_and_shapes);
    tcase_add_test(tests, csv_labels);
    tcase_add_test(tests, csv_short_one_hot_rows);
    tcase_add_test(tests, csv_damage_says_where);
    tcase_add_test(tests, csv_long_lines_are_limited);
    tcase_add_test(tests, idx_files);
    tcase_add_test(tests, image_folders);
    tcase_add_test(tests, image_folders_without_images);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(dataset_suite)
