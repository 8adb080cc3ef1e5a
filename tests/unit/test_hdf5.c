/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HDF5 reader: every form of the format (tests/golden/hdf5, written by generate.py there), files made to break
 * libhdf5 (bad/), and forms that h5py does not write, made here with libhdf5.
 */
#include <hdf5.h>
#include <zlib.h>

#include "fixture.h"
#include "base/source.h"
#include "graph/tensor.h"
#include "loader/hdf5/hdf5_file.h"
#include "loader/hdf5/hdf5_store.h"

static const char *const forms[] = {
    "contiguous",
    "compact",
    "big_double",
    "half",
    "big_half",
    "tree1",
    "tree1_filters",
    "links",
    "user_block",
    "superblock2",
    "latest",
    "latest_user_block",
    "latest_compact",
    "single",
    "single_filters",
    "implicit",
    "fixed_array",
    "fixed_array_filters",
    "fixed_array_grows",
    "extensible_array",
    "extensible_array_last",
    "tree2",
    "tree2_deep",
    "tree2_filters",
    "dense",
    "dense_tracked",
    "paged",
    "huge_attribute",
    "tables",
};
#define N_FORMS (int)(sizeof forms / sizeof forms[0])
#define ROWS    20
#define COLUMNS 12

static const char *form_path(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, SOURCE_ROOT "/tests/golden/hdf5/%s.h5", name);
    return path;
}

/* ---- reading one file ---- */

typedef struct opened {
    cnnfi_source *source;
    cnnfi_h5 *h5;
} opened;

static cnnf_status open_h5(opened *o, cnnf_context *in, const char *path)
{
    *o = (opened){.h5 = NULL};
    cnnf_status status = cnnfi_source_open(&o->source, in, path, error);
    if (status == CNNF_OK)
        status = cnnfi_h5_open(&o->h5, in, o->source, 0, cnnfi_source_size(o->source), "f.h5", NULL, error);
    if (status == CNNF_OK) status = cnnfi_h5_ask_library(o->h5, error); /* what is taken here, libhdf5 takes */
    return status;
}

static void close_h5(opened *o)
{
    cnnfi_h5_close(o->h5);
    cnnfi_source_unref(o->source);
}

/* Attributes and numbers of a file in any form; the first failure is given back. */
static cnnf_status read_all(cnnf_context *in, const char *path, cnnf_dtype floats, cnnf_tensor **out)
{
    opened o;
    cnnfi_arena arena;
    const char *text = NULL, **list = NULL;
    size_t count = 0;
    bool found = false;
    *out = NULL;
    cnnfi_arena_init(&arena, in);
    cnnf_status status = open_h5(&o, in, path);
    if (status == CNNF_OK) status = cnnfi_h5_attr_string(&text, o.h5, &arena, "/g", "fixed", error);
    if (status == CNNF_OK) status = cnnfi_h5_attr_strings(&list, &count, &found, o.h5, &arena, "/", "words", error);
    if (status == CNNF_OK) status = cnnfi_h5_tensor(out, o.h5, "/g/d", floats, error);
    close_h5(&o);
    cnnfi_arena_free(&arena);
    return status;
}

static void read_numbers(const cnnf_tensor *tensor, float *out)
{
    ck_assert_int_eq(cnnf_tensor_rank(tensor), 2);
    ck_assert_int_eq(cnnf_tensor_dim(tensor, 0), ROWS);
    ck_assert_int_eq(cnnf_tensor_dim(tensor, 1), COLUMNS);
    ck_assert_int_eq(cnnf_tensor_dtype(tensor), CNNF_FLOAT);
    ck_assert_int_eq(cnnf_tensor_read(out, tensor, 0, ROWS * COLUMNS * sizeof *out, error), CNNF_OK);
}

static float expected(int i)
{
    return (float)i / 4 - 3;
}

/* ---- every form ---- */

START_TEST(numbers_of_every_form)
{
    cnnf_tensor *tensor = NULL;
    float got[ROWS * COLUMNS];
    ck_assert_msg(read_all(context, form_path(forms[_i]), CNNF_FLOAT, &tensor) == CNNF_OK, "%s: %s", forms[_i],
                  cnnf_error_message(error));
    read_numbers(tensor, got);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        ck_assert_msg(got[i] == expected(i), "%s: [%d] is %f", forms[_i], i, (double)got[i]);
    cnnf_tensor_unref(tensor);
}
END_TEST

static void expect_strings(cnnfi_h5 *h5, const char *path, const char *name, const char *const *want, size_t n)
{
    cnnfi_arena arena;
    const char **list = NULL;
    size_t count = 0;
    bool found = false;
    cnnfi_arena_init(&arena, context);
    ck_assert_msg(cnnfi_h5_attr_strings(&list, &count, &found, h5, &arena, path, name, error) == CNNF_OK, "%s",
                  cnnf_error_message(error));
    ck_assert(found);
    ck_assert_uint_eq(count, n);
    for (size_t i = 0; i < n; i++)
        ck_assert_str_eq(list[i], want[i]);
    cnnfi_arena_free(&arena);
}

START_TEST(strings_and_links_of_every_form)
{
    opened o;
    bool there = false;
    ck_assert_msg(open_h5(&o, context, form_path(forms[_i])) == CNNF_OK, "%s: %s", forms[_i],
                  cnnf_error_message(error));
    for (int i = 0; i < 2; i++) {
        expect_strings(o.h5, i ? "/g" : "/", "fixed", (const char *const[]){"one string"}, 1);
        expect_strings(o.h5, i ? "/g" : "/", "list", (const char *const[]){"alpha", "beta", "gamma"}, 3);
        expect_strings(o.h5, i ? "/g" : "/", "words", (const char *const[]){"a", "longer", "", "words"}, 4);
    }
    ck_assert_int_eq(cnnfi_h5_has(&there, o.h5, "/g/./d", error), CNNF_OK);
    ck_assert(there);
    ck_assert_int_eq(cnnfi_h5_has(&there, o.h5, "/g/e", error), CNNF_OK);
    ck_assert(!there);
    ck_assert_int_eq(cnnfi_h5_has(&there, o.h5, "/g/d/e", error), CNNF_OK);
    ck_assert(!there);
    close_h5(&o);
}
END_TEST

/* Bytes that can stay where they are stay there: a model's weights must not be copied into memory. */
START_TEST(plain_data_stay_in_the_file)
{
    static const char *const plain[] = {"contiguous", "latest", "latest_user_block", "paged"};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        cnnf_tensor *tensor = NULL;
        ck_assert_int_eq(read_all(context, form_path(plain[i]), CNNF_FLOAT, &tensor), CNNF_OK);
        ck_assert_int_eq(cnnfi_tensor_storage(tensor), CNNFI_STORAGE_RANGE);
        cnnf_tensor_unref(tensor);
    }
}
END_TEST

START_TEST(floats_become_what_is_asked_for)
{
    static const char *const stored[] = {"half", "big_half", "contiguous", "big_double"};
    for (size_t i = 0; i < sizeof stored / sizeof stored[0]; i++) {
        cnnf_tensor *tensor = NULL;
        double got[ROWS * COLUMNS];
        uint16_t half[ROWS * COLUMNS];
        ck_assert_int_eq(read_all(context, form_path(stored[i]), CNNF_DOUBLE, &tensor), CNNF_OK);
        ck_assert_int_eq(cnnf_tensor_read(got, tensor, 0, sizeof got, error), CNNF_OK);
        ck_assert_double_eq(got[239], 239 / 4.0 - 3);
        cnnf_tensor_unref(tensor);
        ck_assert_int_eq(read_all(context, form_path(stored[i]), CNNF_HALF, &tensor), CNNF_OK);
        ck_assert_int_eq(cnnf_tensor_dtype(tensor), CNNF_HALF);
        ck_assert_int_eq(cnnf_tensor_read(half, tensor, 0, sizeof half, error), CNNF_OK);
        ck_assert_uint_eq(half[0], 0xc200); /* -3 */
        cnnf_tensor_unref(tensor);
    }
}
END_TEST

START_TEST(chunks_that_were_never_written_are_the_fill_value)
{
    static const char *const sparse[] = {"tree1_rows", "rows"};
    for (int f = 0; f < 2; f++) {
        cnnf_tensor *tensor = NULL;
        float got[ROWS * COLUMNS];
        ck_assert_int_eq(read_all(context, form_path(sparse[f]), CNNF_FLOAT, &tensor), CNNF_OK);
        read_numbers(tensor, got);
        for (int i = 0; i < ROWS * COLUMNS; i++)
            ck_assert(got[i] == (i / COLUMNS % 2 ? 2.5f : expected(i)));
        cnnf_tensor_unref(tensor);
    }
}
END_TEST

/* ---- forms made here ---- */

/* Integers of every size, sign and byte order keep their type. */
START_TEST(integers)
{
    const struct {
        hid_t stored, memory;
        cnnf_dtype dtype;
    } types[] = {
        {H5T_STD_I8LE, H5T_NATIVE_INT8, CNNF_INT8},    {H5T_STD_U8BE, H5T_NATIVE_UINT8, CNNF_UINT8},
        {H5T_STD_I16BE, H5T_NATIVE_INT16, CNNF_INT16}, {H5T_STD_U16LE, H5T_NATIVE_UINT16, CNNF_UINT16},
        {H5T_STD_I32BE, H5T_NATIVE_INT32, CNNF_INT32}, {H5T_STD_U32BE, H5T_NATIVE_UINT32, CNNF_UINT32},
        {H5T_STD_I64BE, H5T_NATIVE_INT64, CNNF_INT64}, {H5T_STD_U64LE, H5T_NATIVE_UINT64, CNNF_UINT64},
    };
    const int64_t values[3] = {1, -2, 100};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const hsize_t three = 3;
        const char *path = folder_path("i.h5");
        hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT),
              space = H5Screate_simple(1, &three, NULL);
        hid_t set = H5Dcreate2(file, "d", types[i].stored, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
        uint8_t memory[24], got[24];
        const size_t size = H5Tget_size(types[i].memory);
        for (size_t v = 0; v < 3; v++)
            memcpy(memory + v * size, &values[v], size);
        ck_assert_int_ge(H5Dwrite(set, types[i].memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, memory), 0);
        H5Dclose(set);
        H5Sclose(space);
        H5Fclose(file);
        opened o;
        cnnf_tensor *tensor = NULL;
        ck_assert_int_eq(open_h5(&o, context, path), CNNF_OK);
        ck_assert_int_eq(cnnfi_h5_tensor(&tensor, o.h5, "/d", CNNF_FLOAT, error), CNNF_OK);
        ck_assert_int_eq(cnnf_tensor_dtype(tensor), types[i].dtype);
        ck_assert_int_eq(cnnf_tensor_read(got, tensor, 0, 3 * size, error), CNNF_OK);
        ck_assert_mem_eq(got, memory, 3 * size);
        cnnf_tensor_unref(tensor);
        close_h5(&o);
    }
}
END_TEST

/* A dataset in chunks of `chunk` with a filter pipeline in an unusual order, and with filters skipped by mask. */
static const char *chunked(const hsize_t chunk[2], const int *order, size_t n, unsigned mask)
{
    static float data[ROWS * COLUMNS];
    const hsize_t dims[2] = {ROWS, COLUMNS}, origin[2] = {0, 0};
    const char *path = folder_path("c.h5");
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), space = H5Screate_simple(2, dims, NULL);
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE),
          group = H5Gcreate2(file, "g", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Pset_chunk(properties, 2, chunk);
    for (size_t i = 0; i < n; i++)
        order[i] == 1   ? H5Pset_deflate(properties, 6)
        : order[i] == 2 ? H5Pset_shuffle(properties)
                        : H5Pset_fletcher32(properties);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        data[i] = expected(i);
    hid_t set = H5Dcreate2(group, "d", H5T_IEEE_F32LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    if (mask)
        ck_assert_int_ge(H5Dwrite_chunk(set, H5P_DEFAULT, mask, origin, sizeof data, data), 0);
    else
        ck_assert_int_ge(H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, data), 0);
    H5Dclose(set);
    H5Pclose(properties);
    H5Sclose(space);
    H5Gclose(group);
    H5Fclose(file);
    return path;
}

static void expect_chunked(const char *path)
{
    opened o;
    cnnf_tensor *tensor = NULL;
    float got[ROWS * COLUMNS];
    ck_assert_int_eq(open_h5(&o, context, path), CNNF_OK);
    ck_assert_msg(cnnfi_h5_tensor(&tensor, o.h5, "/g/d", CNNF_FLOAT, error) == CNNF_OK, "%s",
                  cnnf_error_message(error));
    read_numbers(tensor, got);
    for (int i = 0; i < ROWS * COLUMNS; i++)
        ck_assert(got[i] == expected(i));
    cnnf_tensor_unref(tensor);
    close_h5(&o);
}

START_TEST(filters_in_any_order)
{
    static const int orders[][4] = {{3, 1, 2}, {1, 2, 3}, {3, 2, 1}, {2, 3, 1}, {3, 3, 1, 3}, {1, 3, 3}};
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++)
        for (int n = 1; n <= 4 && orders[i][n - 1]; n++)
            expect_chunked(chunked((const hsize_t[]){7, 5}, orders[i], (size_t)n, 0));
    expect_chunked(chunked((const hsize_t[]){ROWS, COLUMNS}, (const int[]){2, 1}, 2, 3)); /* both skipped */
}
END_TEST

START_TEST(deflated_twice_is_refused)
{
    opened o;
    cnnf_tensor *tensor = NULL;
    const char *path = chunked((const hsize_t[]){7, 5}, (const int[]){1, 1}, 2, 0);
    ck_assert_int_eq(open_h5(&o, context, path), CNNF_OK);
    ck_assert_int_eq(cnnfi_h5_tensor(&tensor, o.h5, "/g/d", CNNF_FLOAT, error), CNNF_E_UNSUPPORTED);
    ck_assert_ptr_null(tensor);
    ck_assert_str_eq(cnnf_error_message(error), "f.h5: dataset '/g/d': deflated twice; not supported");
    close_h5(&o);
}
END_TEST

/* A chunk of 64 declared bytes whose stream is of `size` bytes; bombs end with the first byte too many. */
static const char *chunk_of(const void *stream, size_t size)
{
    const hsize_t dims[2] = {4, 4}, origin[2] = {0, 0};
    const char *path = folder_path("b.h5");
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), space = H5Screate_simple(2, dims, NULL);
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(properties, 2, dims);
    H5Pset_deflate(properties, 6);
    hid_t set = H5Dcreate2(file, "d", H5T_IEEE_F32LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    ck_assert_int_ge(H5Dwrite_chunk(set, H5P_DEFAULT, 0, origin, size, stream), 0);
    H5Dclose(set);
    H5Pclose(properties);
    H5Sclose(space);
    H5Fclose(file);
    return path;
}

static void expect_refused(const char *path, const char *dataset, cnnf_status status, const char *text)
{
    opened o;
    cnnf_tensor *tensor = NULL;
    cnnf_status got = open_h5(&o, context, path);
    if (got == CNNF_OK) got = cnnfi_h5_tensor(&tensor, o.h5, dataset, CNNF_FLOAT, error);
    ck_assert_ptr_null(tensor);
    ck_assert_msg(strstr(cnnf_error_message(error), text), "'%s' is not in '%s'", text, cnnf_error_message(error));
    ck_assert_int_eq(got, status);
    close_h5(&o);
}

START_TEST(a_chunk_must_inflate_to_its_size)
{
    static const size_t sizes[] = {0, 1, 63, 65, 4096, (size_t)64 << 20};
    uint8_t *zeros = calloc(1, (size_t)64 << 20), *stream = malloc((size_t)1 << 20);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uLongf n = 1u << 20;
        ck_assert_int_eq(compress2(stream, &n, zeros, sizes[i], 9), Z_OK);
        const uint64_t before = cnnf_context_memory(context, 1);
        expect_refused(chunk_of(stream, n), "/d", CNNF_E_CORRUPT,
                       sizes[i] < 64 ? "of its 64 bytes" : "a chunk inflates to more than its 64 bytes");
        ck_assert_uint_lt(cnnf_context_memory(context, 1) - before, (uint64_t)1 << 20);
    }
    uLongf n = 1u << 20;
    compress2(stream, &n, zeros, 64, 9);
    expect_refused(chunk_of(stream, n - 6), "/d", CNNF_E_CORRUPT, "a chunk's deflate stream is damaged");
    stream[n - 1] ^= 1; /* adler32 */
    expect_refused(chunk_of(stream, n), "/d", CNNF_E_CORRUPT, "a chunk's deflate stream is damaged");
    free(zeros);
    free(stream);
}
END_TEST

/* ---- files that broke libhdf5 ---- */

static const struct {
    const char *file, *text;
} bad[] = {
    {"fill_value", "its fill value has 1000 bytes, its elements have 4"},
    {"inflates_short", "a chunk inflates to 4 of its 64 bytes"},
    {"short_chunk", "a chunk of 64 bytes is stored in 4"},
    {"short_checksum", "a chunk of 64 bytes is stored in 2"},
    {"huge_chunk", "a chunk of 1073741824 bytes is stored in 12"},
    {"endless_name", "a B-tree's keys are damaged or not in order"},
    {"end_of_file", "an object header's block lies outside the file"},
};

START_TEST(files_that_broke_libhdf5)
{
    char name[64];
    snprintf(name, sizeof name, "bad/%s", bad[_i].file);
    expect_refused(form_path(name), "/model_weights/d/d/kernel:0", CNNF_E_CORRUPT, bad[_i].text);
}
END_TEST

/* ---- damage ---- */

static cnnf_status read_bytes(const uint8_t *bytes, size_t size, const char *dataset)
{
    cnnfi_source *source = NULL;
    cnnfi_h5 *h5 = NULL;
    cnnf_tensor *tensor = NULL;
    ck_assert_int_eq(cnnfi_source_copy(&source, context, bytes, size, "f.h5", error), CNNF_OK);
    cnnf_status status = cnnfi_h5_open(&h5, context, source, 0, size, "f.h5", NULL, error);
    if (status == CNNF_OK) status = cnnfi_h5_ask_library(h5, error);
    if (status == CNNF_OK) status = cnnfi_h5_tensor(&tensor, h5, dataset, CNNF_FLOAT, error);
    cnnf_tensor_unref(tensor);
    cnnfi_h5_close(h5);
    cnnfi_source_unref(source);
    return status;
}

/* In files with checksums no bit of a structure on the way may change unseen; and nothing may be read outside. */
START_TEST(flipped_bytes_and_cuts)
{
    size_t size;
    uint8_t *bytes = file_read(form_path(forms[_i]), &size);
    const size_t step = size > 12000 ? 7 : 3;
    for (size_t at = 0; at < size; at += step) {
        bytes[at] ^= (uint8_t)(1u << at % 8);
        const cnnf_status status = read_bytes(bytes, size, "/g/d");
        ck_assert_msg(status != CNNF_E_INTERNAL, "%s: byte %zu", forms[_i], at);
        bytes[at] ^= (uint8_t)(1u << at % 8);
        ck_assert_int_ne(read_bytes(bytes, at, "/g/d"), CNNF_OK);
    }
    free(bytes);
}
END_TEST

START_TEST(checksums_are_verified)
{
    static const struct {
        const char *form, *signature;
        size_t at;
    } places[] = {
        {"latest", "\x89HDF", 20},
        {"latest", "OHDR", 12},
        {"dense", "FRHP", 30},
        {"dense", "FHDB", 40},
        {"dense", "BTHD", 20},
        {"dense", "BTLF", 10},
        {"fixed_array", "FAHD", 8},
        {"fixed_array", "FADB", 20},
        {"extensible_array", "EAHD", 30},
        {"extensible_array", "EAIB", 20},
        {"extensible_array", "EADB", 20},
        {"tree2_deep", "BTIN", 10},
    };
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        size_t size, seen = 0;
        uint8_t *bytes = file_read(form_path(places[i].form), &size);
        for (size_t at = 0; at + 4 < size; at++) {
            if (memcmp(bytes + at, places[i].signature, 4) != 0) continue;
            bytes[at + places[i].at] ^= 0x10;
            const bool refused = read_bytes(bytes, size, "/g/d") != CNNF_OK;
            seen += refused && strstr(cnnf_error_message(error), "checksum");
            bytes[at + places[i].at] ^= 0x10;
        }
        ck_assert_msg(seen > 0, "%s of %s", places[i].signature, places[i].form);
        free(bytes);
    }
}
END_TEST

START_TEST(fletcher32_is_verified)
{
    static const char *const files[] = {"tree1_filters", "single_filters", "fixed_array_filters", "tree2_filters"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        size_t size, seen = 0;
        uint8_t *bytes = file_read(form_path(files[i]), &size);
        for (size_t at = 0; at < size; at++) {
            bytes[at] ^= 1;
            const bool refused = read_bytes(bytes, size, "/g/d") != CNNF_OK;
            seen += refused && strstr(cnnf_error_message(error), "fletcher32");
            bytes[at] ^= 1;
        }
        ck_assert_msg(seen > 100, "%s: %zu", files[i], seen);
        free(bytes);
    }
}
END_TEST

START_TEST(lookup3_is_jenkins)
{
    /* driver5() of lookup3.c */
    ck_assert_uint_eq(cnnfi_h5_lookup3("", 0), 0xdeadbeef);
    ck_assert_uint_eq(cnnfi_h5_lookup3("Four score and seven years ago", 30), 0x17770551);
}
END_TEST

/* ---- limits and memory ---- */

static cnnf_status read_with_limit(const char *form, int32_t limit, uint64_t value)
{
    cnnf_context_options *options = NULL;
    cnnf_context *small = NULL;
    cnnf_tensor *tensor = NULL;
    cnnf_context_options_new(&options, NULL);
    cnnf_context_options_set_limit(options, limit, value, NULL);
    ck_assert_int_eq(cnnf_context_new(&small, options, NULL), CNNF_OK);
    cnnf_context_options_free(options);
    const cnnf_status status = read_all(small, form_path(form), CNNF_FLOAT, &tensor);
    cnnf_tensor_unref(tensor);
    test_context_done(small);
    return status;
}

START_TEST(limits)
{
    static const struct {
        const char *form;
        int32_t limit;
        uint64_t enough;
    } cases[] = {
        {"tree1", CNNF_LIMIT_ENTRIES, 120},
        {"tree2_deep", CNNF_LIMIT_ENTRIES, 240},
        {"dense", CNNF_LIMIT_ENTRIES, 15},
        {"contiguous", CNNF_LIMIT_TENSOR_BYTES, 960},
        {"tree1_filters", CNNF_LIMIT_TENSOR_BYTES, 960},
        {"compact", CNNF_LIMIT_RANK, 2},
        {"huge_attribute", CNNF_LIMIT_ATTR_BYTES, 5025},
        {"latest", CNNF_LIMIT_NAME_BYTES, 5},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ck_assert_msg(read_with_limit(cases[i].form, cases[i].limit, cases[i].enough) == CNNF_OK, "%s: %s",
                      cases[i].form, cnnf_error_message(error));
        ck_assert_int_eq(read_with_limit(cases[i].form, cases[i].limit, cases[i].enough - 1), CNNF_E_LIMIT);
    }
}
END_TEST

static long allocations, fail_at;

static void *faulty_malloc(size_t size, void *user)
{
    return ++allocations == fail_at ? NULL : malloc(size);
}

static void *faulty_realloc(void *pointer, size_t size, void *user)
{
    return ++allocations == fail_at ? NULL : realloc(pointer, size);
}

static void faulty_free(void *pointer, void *user)
{
    free(pointer);
}

/* Whichever allocation fails, it ends in CNNF_E_NOMEM with nothing left. */
START_TEST(out_of_memory)
{
    cnnf_context_options *options = NULL;
    cnnf_context *faulty = NULL;
    cnnf_status status = CNNF_E_NOMEM;
    cnnf_context_options_new(&options, NULL);
    cnnf_context_options_set_allocator(options, faulty_malloc, faulty_realloc, faulty_free, NULL, NULL);
    fail_at = 0;
    ck_assert_int_eq(cnnf_context_new(&faulty, options, NULL), CNNF_OK);
    cnnf_context_options_free(options);
    for (long n = 1; status == CNNF_E_NOMEM; n++) {
        cnnf_tensor *tensor = NULL;
        allocations = 0;
        fail_at = n;
        status = read_all(faulty, form_path(forms[_i]), CNNF_FLOAT, &tensor);
        ck_assert_msg(status == CNNF_OK || status == CNNF_E_NOMEM, "%s: allocation %ld: %s", forms[_i], n,
                      cnnf_error_message(error));
        ck_assert(!tensor == (status != CNNF_OK));
        cnnf_tensor_unref(tensor);
        ck_assert_uint_eq(cnnf_context_memory(faulty, 0), 0);
    }
    fail_at = 0;
    test_context_done(faulty);
}
END_TEST

static Suite *hdf5_suite(void)
{
    Suite *suite = suite_create("hdf5");
    TCase *tests = tcase_create("hdf5");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, numbers_of_every_form, 0, N_FORMS);
    tcase_add_loop_test(tests, strings_and_links_of_every_form, 0, N_FORMS);
    tcase_add_test(tests, plain_data_stay_in_the_file);
    tcase_add_test(tests, floats_become_what_is_asked_for);
    tcase_add_test(tests, chunks_that_were_never_written_are_the_fill_value);
    tcase_add_test(tests, integers);
    tcase_add_test(tests, filters_in_any_order);
    tcase_add_test(tests, deflated_twice_is_refused);
    tcase_add_test(tests, a_chunk_must_inflate_to_its_size);
    tcase_add_loop_test(tests, files_that_broke_libhdf5, 0, (int)(sizeof bad / sizeof bad[0]));
    tcase_add_loop_test(tests, flipped_bytes_and_cuts, 0, N_FORMS);
    tcase_add_test(tests, checksums_are_verified);
    tcase_add_test(tests, fletcher32_is_verified);
    tcase_add_test(tests, lookup3_is_jenkins);
    tcase_add_test(tests, limits);
    tcase_add_loop_test(tests, out_of_memory, 0, N_FORMS);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(hdf5_suite)
