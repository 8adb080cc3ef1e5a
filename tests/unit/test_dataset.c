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

/* What Keras' load_img and image_dataset_from_directory make of the same images: tests/golden/dataset/fits.py. */
static void expect_fit(const char *file, const char *resize, const char *crop, int64_t height, int64_t width,
                       int64_t channels)
{
    char path[256];
    cnnf_dataset_options *options = unscaled();
    cnnf_tensor *x = NULL, *y = NULL, *want = NULL;
    snprintf(path, sizeof path, GOLDEN("dataset/fit_%s.npy"), file);
    ck_assert_int_eq(cnnf_dataset_options_set_shape(options, 3, (int64_t[]){height, width, channels}, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_dataset_options_set_resize(options, resize, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_dataset_options_set_crop(options, crop, NULL), CNNF_OK);
    cnnf_dataset *dataset = open_or_fail(GOLDEN("dataset/images"), options);
    ck_assert_int_eq(cnnf_dataset_next(&x, &y, dataset, 100, error), CNNF_OK);
    ck_assert_int_eq(cnnf_npy_load(&want, context, path, error), CNNF_OK);
    ck_assert_int_eq(cnnf_tensor_element_count(x), cnnf_tensor_element_count(want));
    const float *a = cnnf_tensor_data(x), *f = cnnf_tensor_data(want);
    const uint8_t *u = cnnf_tensor_data(want);
    const bool bytes = cnnf_tensor_dtype(want) == CNNF_UINT8;
    for (int64_t i = 0; i < cnnf_tensor_element_count(x); i++)
        ck_assert_msg(bytes ? a[i] == u[i] : a[i] == f[i], "%s: value %lld is %g", file, (long long)i, (double)a[i]);
    cnnf_tensor_unref(x);
    cnnf_tensor_unref(y);
    cnnf_tensor_unref(want);
    cnnf_dataset_free(dataset);
    cnnf_dataset_options_free(options);
}

START_TEST(images_as_keras_resizes_them)
{
    static const char *const modes[] = {"nearest", "box",     "bilinear",   "hamming",
                                        "bicubic", "lanczos", "tf_nearest", "tf_bilinear"};
    char file[64];
    if (!cnnf_has_feature("images")) return;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        snprintf(file, sizeof file, "%s_none", modes[i]);
        expect_fit(file, modes[i], "none", 13, 20, 3);
        snprintf(file, sizeof file, "%s_aspect", modes[i]);
        expect_fit(file, modes[i], "aspect", 13, 20, 3);
    }
    expect_fit("bicubic_gray", "bicubic", "none", 13, 20, 1);
    expect_fit("bicubic_center", "bicubic", "center", 14, 14, 3);
}
END_TEST

/* Red, green, blue of one pixel as three columns, through keras.applications' preprocess_input (run once, Keras 3.15).
 */
START_TEST(preprocess_as_keras_applications)
{
    static const struct {
        const char *mode;
        float want[3];
    } cases[] = {
        {"caffe", {30 - 103.939f, 20 - 116.779f, 10 - 123.68f}},
        {"tf", {10 / 127.5f - 1.0f, 20 / 127.5f - 1.0f, 30 / 127.5f - 1.0f}},
        {"torch", {(10 / 255.0f - 0.485f) / 0.229f, (20 / 255.0f - 0.456f) / 0.224f, (30 / 255.0f - 0.406f) / 0.225f}}};
    put_text("rgb.csv", "0,10,20,30\n");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cnnf_dataset_options *options = NULL;
        cnnf_tensor *x = NULL, *y = NULL;
        ck_assert_int_eq(cnnf_dataset_options_new(&options, context, NULL), CNNF_OK);
        ck_assert_int_eq(cnnf_dataset_options_set_shape(options, 3, (int64_t[]){1, 1, 3}, NULL), CNNF_OK);
        ck_assert_int_eq(cnnf_dataset_options_set_preprocess(options, cases[i].mode, NULL), CNNF_OK);
        cnnf_dataset *dataset = open_or_fail(name("rgb.csv"), options);
        ck_assert_int_eq(cnnf_dataset_next(&x, &y, dataset, 1, NULL), CNNF_OK);
        ck_assert_msg(memcmp(cnnf_tensor_data(x), cases[i].want, sizeof cases[i].want) == 0, "%s", cases[i].mode);
        cnnf_tensor_unref(x);
        cnnf_tensor_unref(y);
        cnnf_dataset_free(dataset);
        /* one channel has no order, nor three means */
        ck_assert_int_eq(cnnf_dataset_options_set_shape(options, 3, (int64_t[]){1, 3, 1}, NULL), CNNF_OK);
        const cnnf_status status = cnnf_dataset_open(&dataset, context, name("rgb.csv"), options, error);
        if (strcmp(cases[i].mode, "tf") == 0)
            cnnf_dataset_free(dataset);
        else
            expect_message(status, CNNF_E_MISMATCH, "of 3 channels do not fit examples of 1");
        cnnf_dataset_options_free(options);
    }
}
END_TEST

START_TEST(channels_turned_and_normalised)
{
    cnnf_dataset_options *options = unscaled();
    const double mean[] = {1, 2, 3}, std[] = {1, 2, 4};
    ck_assert_int_eq(cnnf_dataset_options_set_shape(options, 3, (int64_t[]){3, 1, 2}, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_dataset_options_set_channels_first(options, 1, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_dataset_options_set_channel_order(options, "bgr", NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_dataset_options_set_channel_normalization(options, 3, mean, std, NULL), CNNF_OK);
    cnnf_dataset *dataset = open_or_fail(put_text("a.csv", "1,11,12,13,21,22,23\n"), options);
    expect(dataset, 1, 1, 6, (float[]){12, 22, 5, 10, 2, 4.5f}, (int64_t[]){1});
    cnnf_dataset_free(dataset);
    dataset = NULL;
    ck_assert_int_eq(cnnf_dataset_options_set_channel_normalization(options, 1, mean, std, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_dataset_options_set_shape(options, 2, (int64_t[]){3, 2}, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_dataset_options_set_channels_first(options, 0, NULL), CNNF_OK);
    expect_message(cnnf_dataset_open(&dataset, context, name("a.csv"), options, error), CNNF_E_MISMATCH,
                   "BGR needs examples of 3 channels, these have 2");
    cnnf_dataset_options_free(options);
}
END_TEST

START_TEST(transposed_examples)
{
    cnnf_dataset_options *options = unscaled();
    cnnf_dataset *dataset = NULL;
    ck_assert_int_eq(cnnf_dataset_options_set_transpose(options, 1, NULL), CNNF_OK);
    put_text("a.csv", "7,1,2,3,4,5,6\n");
    expect_message(cnnf_dataset_open(&dataset, context, name("a.csv"), options, error), CNNF_E_MISMATCH,
                   "give the shape");
    ck_assert_int_eq(cnnf_dataset_options_set_shape(options, 3, (int64_t[]){2, 3, 1}, NULL), CNNF_OK);
    dataset = open_or_fail(name("a.csv"), options); /* lies as 3 columns of 2 */
    expect(dataset, 1, 1, 6, (float[]){1, 3, 5, 2, 4, 6}, (int64_t[]){7});
    cnnf_dataset_free(dataset);
    ck_assert_int_eq(cnnf_dataset_options_set_shape(options, 3, (int64_t[]){3, 1, 2}, NULL), CNNF_OK);
    dataset = open_or_fail(name("a.csv"), options); /* two channels stay together */
    expect(dataset, 1, 1, 6, (float[]){1, 2, 3, 4, 5, 6}, (int64_t[]){7});
    cnnf_dataset_free(dataset);
    cnnf_dataset_options_free(options);
}
END_TEST

/* Labels anywhere, by number and name, in files with other separators. */
START_TEST(csv_label_columns)
{
    static const struct {
        const char *text, *column;
    } cases[] = {{"1,2,7\n3,4,8\n", "-1"},
                 {"1,2,7\n3,4,8\n", "2"},
                 {"1,7,2\n3,8,4\n", "1"},
                 {"1,7,2\n3,8,4\n", "-2"},
                 {"7,1,2\n8,3,4\n", "0"},
                 {"a,b,class\n1,2,7\n3,4,8\n", "class"},
                 {"a;class;b\n1;7;2\n3;8;4\n", "class"},
                 {"1\t2\t7\n3\t4\t8", "-1"},
                 {"a,b,\"y\"\r\n1,2,7\r\n\r\n3,4,8\r\n", "y"},
                 {"7;1;2\r\n8;3;4\r\n", NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cnnf_dataset_options *options = unscaled();
        ck_assert_int_eq(cnnf_dataset_options_set_label_column(options, cases[i].column, NULL), CNNF_OK);
        cnnf_dataset *dataset = open_or_fail(put_text("a.csv", cases[i].text), options);
        expect(dataset, 9, 2, 2, (float[]){1, 2, 3, 4}, (int64_t[]){7, 8});
        expect(dataset, 9, 0, 2, NULL, NULL);
        cnnf_dataset_free(dataset);
        cnnf_dataset_options_free(options);
    }
}
END_TEST

START_TEST(csv_label_columns_that_are_not_there)
{
    static const struct {
        const char *text, *column, *part;
    } cases[] = {{"x,y,label\n1,2,3\n", "labl", "there is no column 'labl'; did you mean 'label'?"},
                 {"x,y,label\n1,2,3\n", "qqq", "there is no column 'qqq' in the header"},
                 {"1,2,3\n", "label", "no header names a column 'label'"},
                 {"1,2,3\n", "3", "there is no label column 3, the columns are 0 .. 2"},
                 {"1,2,3\n", "-4", "there is no label column -4"}};
    cnnf_dataset *dataset = NULL;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cnnf_dataset_options *options = unscaled();
        ck_assert_int_eq(cnnf_dataset_options_set_label_column(options, cases[i].column, NULL), CNNF_OK);
        expect_message(cnnf_dataset_open(&dataset, context, put_text("a.csv", cases[i].text), options, error),
                       CNNF_E_NOT_FOUND, cases[i].part);
        cnnf_dataset_options_free(options);
    }
    ck_assert_ptr_null(dataset);
}
END_TEST

/* One-hot labels at the end, and rows too short to reach them. */
START_TEST(csv_one_hot_at_the_end)
{
    cnnf_dataset_options *options = unscaled();
    cnnf_tensor *x = NULL, *y = NULL;
    ck_assert_int_eq(cnnf_dataset_options_set_one_hot(options, 3, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_dataset_options_set_label_column(options, "-1", NULL), CNNF_OK);
    cnnf_dataset *dataset = open_or_fail(put_text("a.csv", "5,6,0,1,0\n7,8,0,0,1\n9\n"), options);
    expect(dataset, 2, 2, 2, (float[]){5, 6, 7, 8}, (int64_t[]){1, 2});
    expect_message(cnnf_dataset_next(&x, &y, dataset, 1, error), CNNF_E_CORRUPT, "a.csv:3:");
    cnnf_dataset_free(dataset);
    cnnf_dataset_options_free(options);
}
END_TEST

static char logged[512];

static void keep_warning(int32_t level, const char *message, void *user)
{
    if (level >= CNNF_LOG_WARNING) snprintf(logged, sizeof logged, "%s", message);
}

static const char *warning_of(const char *file)
{
    cnnf_context_options *options = NULL;
    cnnf_context *telling = NULL;
    cnnf_dataset *dataset = NULL;
    logged[0] = 0;
    ck_assert_int_eq(cnnf_context_options_new(&options, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_options_set_log(options, keep_warning, CNNF_LOG_INFO, NULL, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_context_new(&telling, options, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_dataset_open(&dataset, telling, name(file), NULL, error), CNNF_OK);
    cnnf_dataset_free(dataset);
    cnnf_context_options_free(options);
    cnnf_context_unref(telling);
    return logged;
}

/* Rows of a picture of `kind` and a label, which is first or last. */
static void put_rows(const char *file, bool label_last, bool varied_corner)
{
    static char text[40000];
    size_t at = 0;
    for (int row = 0; row < 100; row++) {
        const int label = row * 7 % 10, corner = varied_corner ? row * 37 % 256 : 0, other = row * 91 % 256;
        at += (size_t)(label_last ? snprintf(text + at, sizeof text - at, "%d,%d,%d\n", corner, other, label)
                                  : snprintf(text + at, sizeof text - at, "%d,%d,%d\n", label, other, corner));
    }
    put_text(file, text);
}

START_TEST(csv_labels_that_look_like_pixels)
{
    put_rows("a.csv", true, false);
    ck_assert_msg(strstr(warning_of("a.csv"), "say label_column=-1") != NULL, "%s", logged);
    put_rows("a.csv", true, true);
    ck_assert_msg(strstr(warning_of("a.csv"), "look like pixels") != NULL, "%s", logged);
    put_rows("a.csv", false, false);
    ck_assert_str_eq(warning_of("a.csv"), "");
    put_rows("a.csv", false, true);
    ck_assert_str_eq(warning_of("a.csv"), "");
    put_text("a.csv", "p0,p1,label\n1,2,3\n");
    ck_assert_msg(strstr(warning_of("a.csv"), "column 2 'label'; say label_column=label") != NULL, "%s", logged);
    put_text("a.csv", "label,p0,p1\n1,2,3\n");
    ck_assert_str_eq(warning_of("a.csv"), "");
}
END_TEST

/* The mappings beside the EMNIST files: balanced from 0, letters from 1, upper and lower case. */
START_TEST(emnist_mappings)
{
    cnnf_dataset_options *options = unscaled();
    ck_assert_int_eq(cnnf_dataset_options_set_label_map(options, put_text("map", "1 65 97\n2 66 98\n3 67 99\n"), NULL),
                     CNNF_OK);
    cnnf_dataset *dataset = open_or_fail(put_text("a.csv", "1,5\n3,6\n"), options);
    expect(dataset, 9, 2, 1, (float[]){5, 6}, (int64_t[]){0, 2});
    ck_assert_str_eq(cnnf_dataset_class_name(dataset, 2), "C");
    ck_assert_ptr_null(cnnf_dataset_class_name(dataset, 3));
    ck_assert_ptr_null(cnnf_dataset_class_name(dataset, -1));
    cnnf_dataset_free(dataset);
    ck_assert_int_eq(cnnf_dataset_options_set_label_map(options, put_text("map", "0 48\n1 49\n2 65\n"), NULL), CNNF_OK);
    dataset = open_or_fail(put_text("a.csv", "2,5\n0,6\n"), options);
    expect(dataset, 9, 2, 1, (float[]){5, 6}, (int64_t[]){2, 0});
    ck_assert_str_eq(cnnf_dataset_class_name(dataset, 2), "A");
    cnnf_dataset_free(dataset);
    cnnf_dataset_options_free(options);
}
END_TEST

/* Every example is in one shard, whatever the format; rows keep their numbers. */
static void expect_shards(const char *path, int64_t count, int64_t shards)
{
    int64_t seen = 0;
    for (int64_t shard = 1; shard <= shards; shard++) {
        cnnf_dataset_options *options = unscaled();
        ck_assert_int_eq(cnnf_dataset_options_set_shard(options, shard, shards, NULL), CNNF_OK);
        cnnf_dataset *dataset = open_or_fail(path, options);
        ck_assert_int_eq(cnnf_dataset_count(dataset), count * shard / shards - count * (shard - 1) / shards);
        for (int turn = 0; turn < 2; turn++) {
            int64_t row = cnnf_dataset_position(dataset), got = 0;
            cnnf_tensor *x = NULL, *y = NULL;
            ck_assert_int_eq(row, count * (shard - 1) / shards);
            while (cnnf_dataset_next(&x, &y, dataset, 2, error) == CNNF_OK && x) {
                for (int64_t i = 0; i < cnnf_tensor_dim(x, 0); i++, got++, row++)
                    ck_assert_int_eq((int64_t)((const float *)cnnf_tensor_data(x))[i], 10 + row);
                cnnf_tensor_unref(x);
                cnnf_tensor_unref(y);
            }
            ck_assert_int_eq(got, cnnf_dataset_count(dataset));
            ck_assert_int_eq(cnnf_dataset_position(dataset), row);
            if (turn) seen += got;
            ck_assert_int_eq(cnnf_dataset_rewind(dataset, NULL), CNNF_OK);
        }
        cnnf_dataset_free(dataset);
        cnnf_dataset_options_free(options);
    }
    ck_assert_int_eq(seen, count);
}

START_TEST(shards)
{
    static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 1, 0, 0, 0, 1, 10, 11, 12, 13, 14};
    static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 5, 0, 1, 2, 3, 4};
    char pattern[256], csv[256], idx[256];
    snprintf(csv, sizeof csv, "%s", put_text("a.csv", "l,p\n0,10\n1,11\n\n2,12\n3,13\n4,14"));
    put("t-labels-idx1-ubyte", labels, sizeof labels);
    snprintf(idx, sizeof idx, "%s", put("t-images-idx3-ubyte", images, sizeof images));
    put_text("part-1.csv", "0,10\n1,11\n");
    put_text("part-2.csv", "l,p\n2,12\n");
    put_text("part-3.csv", "3,13\n4,14\n");
    snprintf(pattern, sizeof pattern, "%s/part-?.csv", folder);
    for (int64_t n = 1; n <= 7; n++) {
        if (n > 1) expect_shards(csv, 5, n);
        expect_shards(idx, 5, n);
        if (n > 1) expect_shards(pattern, 5, n);
    }
}
END_TEST

START_TEST(files_of_a_pattern)
{
    char pattern[256];
    cnnf_dataset *dataset = NULL;
    cnnf_dataset_options *options = unscaled();
    put_text("p1.csv", "7,1,2\n");
    put_text("p2.csv", "h,h,h\n8,3,4\n9,5,6\n");
    snprintf(pattern, sizeof pattern, "%s/p*.csv", folder);
    dataset = open_or_fail(pattern, options);
    for (int turn = 0; turn < 2; turn++) {
        expect(dataset, 2, 2, 2, (float[]){1, 2, 3, 4}, (int64_t[]){7, 8});
        expect(dataset, 2, 1, 2, (float[]){5, 6}, (int64_t[]){9});
        expect(dataset, 2, 0, 2, NULL, NULL);
        ck_assert_int_eq(cnnf_dataset_rewind(dataset, NULL), CNNF_OK);
    }
    cnnf_dataset_free(dataset);
    dataset = NULL;
    put_text("p3.csv", "1,2\n");
    expect_message(cnnf_dataset_open(&dataset, context, pattern, options, error), CNNF_E_MISMATCH,
                   "p3.csv: CSV of 1 values per example");
    snprintf(pattern, sizeof pattern, "%s/none*.csv", folder);
    expect_message(cnnf_dataset_open(&dataset, context, pattern, options, error), CNNF_E_NOT_FOUND,
                   "no file is called so");
    ck_assert_ptr_null(dataset);
    cnnf_dataset_options_free(options);
}
END_TEST

START_TEST(one_image_and_names)
{
    if (!cnnf_has_feature("images")) return;
    cnnf_tensor *x = NULL, *y = NULL;
    cnnf_dataset *dataset = open_or_fail(GOLDEN("dataset/images/a/1.png"), NULL);
    ck_assert_int_eq(cnnf_dataset_count(dataset), 1);
    ck_assert_str_eq(cnnf_dataset_example_file(dataset, 0), GOLDEN("dataset/images/a/1.png"));
    ck_assert_int_eq(cnnf_dataset_next(&x, &y, dataset, 1, error), CNNF_OK);
    ck_assert_int_eq(((const int64_t *)cnnf_tensor_data(y))[0], -1);
    cnnf_tensor_unref(x);
    cnnf_tensor_unref(y);
    cnnf_dataset_free(dataset);
    dataset = open_or_fail(GOLDEN("dataset/images"), NULL);
    ck_assert_str_eq(cnnf_dataset_class_name(dataset, 1), "b");
    ck_assert_str_eq(cnnf_dataset_example_file(dataset, 5), GOLDEN("dataset/images/b/3.png"));
    ck_assert_ptr_null(cnnf_dataset_example_file(dataset, 6));
    ck_assert_ptr_null(cnnf_dataset_example_file(dataset, -1));
    cnnf_dataset_free(dataset);
}
END_TEST

START_TEST(options_refuse_nonsense)
{
    cnnf_dataset_options *o = unscaled();
    const double one[] = {1}, none[] = {0};
    expect_message(cnnf_dataset_options_set_resize(o, "cubic", error), CNNF_E_INVALID,
                   "lanczos, tf_nearest or tf_bilinear");
    expect_message(cnnf_dataset_options_set_crop(o, "middle", error), CNNF_E_INVALID, "crop is none, aspect or center");
    expect_message(cnnf_dataset_options_set_preprocess(o, "Caffe", error), CNNF_E_INVALID, "caffe, tf or torch");
    expect_message(cnnf_dataset_options_set_channel_order(o, "brg", error), CNNF_E_INVALID, "rgb or bgr");
    expect_message(cnnf_dataset_options_set_channel_normalization(o, 17, one, one, error), CNNF_E_INVALID, "17");
    expect_message(cnnf_dataset_options_set_channel_normalization(o, 1, one, none, error), CNNF_E_INVALID, "std not 0");
    expect_message(cnnf_dataset_options_set_shard(o, 4, 3, error), CNNF_E_INVALID, "shard 4 of 3");
    expect_message(cnnf_dataset_options_set_shard(o, 0, 3, error), CNNF_E_INVALID, "shard 0 of 3");
    ck_assert_int_eq(cnnf_dataset_options_set_resize(NULL, "area", NULL), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_dataset_options_set_crop(o, NULL, NULL), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_dataset_options_set_transpose(NULL, 1, NULL), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_dataset_options_set_label_column(NULL, "1", NULL), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_dataset_options_set_channel_normalization(o, 1, NULL, one, NULL), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_dataset_position(NULL), -1);
    ck_assert_ptr_null(cnnf_dataset_example_file(NULL, 0));
    ck_assert_ptr_null(cnnf_dataset_class_name(NULL, 0));
    cnnf_dataset_options_free(o);
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
    tcase_add_test(tests, images_as_keras_resizes_them);
    tcase_add_test(tests, preprocess_as_keras_applications);
    tcase_add_test(tests, channels_turned_and_normalised);
    tcase_add_test(tests, transposed_examples);
    tcase_add_test(tests, csv_label_columns);
    tcase_add_test(tests, csv_label_columns_that_are_not_there);
    tcase_add_test(tests, csv_one_hot_at_the_end);
    tcase_add_test(tests, csv_labels_that_look_like_pixels);
    tcase_add_test(tests, emnist_mappings);
    tcase_add_test(tests, shards);
    tcase_add_test(tests, files_of_a_pattern);
    tcase_add_test(tests, one_image_and_names);
    tcase_add_test(tests, options_refuse_nonsense);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(dataset_suite)
