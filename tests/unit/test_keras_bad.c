/* SPDX-License-Identifier: Apache-2.0 */
/* Hostile and broken Keras files, most of them written by libhdf5 here: one clear line each, and nothing followed or
 * run. */
#include <hdf5.h>
#include <zlib.h>

#include "fixture.h"

/* ---- writing models ---- */

#define INPUT                                                                                                          \
    "{\"class_name\":\"InputLayer\",\"name\":\"i\",\"config\":{\"batch_input_shape\":[null,4],\"dtype\":\"float32\","  \
    "\"name\":\"i\"},\"inbound_nodes\":[]}"
#define LAYER(class, fields, inbound)                                                                                  \
    "{\"class_name\":\"" class "\",\"name\":\"d\",\"config\":{\"name\":\"d\"" fields "},\"inbound_nodes\":" inbound "}"
#define MODEL(layers)                                                                                                  \
    "{\"class_name\":\"Model\",\"config\":{\"name\":\"m\",\"layers\":[" layers                                         \
    "],\"input_layers\":[[\"i\",0,0]],\"output_layers\":[[\"d\",0,0]]}}"
#define FROM_I "[[[\"i\",0,0,{}]]]"
#define DENSE  LAYER("Dense", ",\"units\":3,\"use_bias\":false", FROM_I)
#define GOOD   MODEL(INPUT "," DENSE)

static void put_string(hid_t object, const char *name, const char *text)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    H5Tset_size(type, strlen(text) + 1);
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    ck_assert_int_ge(attribute, 0);
    H5Awrite(attribute, type, text);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
}

/* One name, as numpy's array of one string. */
static void put_names(hid_t object, const char *name, const char *text)
{
    hsize_t one = 1;
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &one, NULL);
    H5Tset_size(type, strlen(text));
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    H5Awrite(attribute, type, text);
    H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
}

/* A file whose /model_weights/d has weight_names ["kernel:0"] and no dataset yet; returns that group. */
static hid_t begin(hid_t *file, const char *path, const char *config)
{
    *file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    if (config) put_string(*file, "model_config", config);
    put_string(*file, "keras_version", "2.2.4");
    hid_t weights = H5Gcreate2(*file, "model_weights", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    put_names(weights, "layer_names", "d");
    hid_t group = H5Gcreate2(weights, "d", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    put_names(group, "weight_names", "kernel:0");
    H5Gclose(weights);
    return group;
}

static void end(hid_t file, hid_t group)
{
    H5Gclose(group);
    H5Fclose(file);
}

static void put_dataset(hid_t group, hid_t type, int rank, const hsize_t *dims, hid_t properties, const void *data)
{
    hid_t space = H5Screate_simple(rank, dims, NULL);
    hid_t set = H5Dcreate2(group, "kernel:0", type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    ck_assert_int_ge(set, 0);
    if (data) H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, data);
    H5Dclose(set);
    H5Sclose(space);
}

static const float kernel[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
static const hsize_t kernel_dims[2] = {4, 3};

/* The good model, with another config. */
static const char *model_with(const char *config)
{
    const char *path = folder_path("m.h5");
    hid_t file, group = begin(&file, path, config);
    put_dataset(group, H5T_IEEE_F32LE, 2, kernel_dims, H5P_DEFAULT, kernel);
    end(file, group);
    return path;
}

/* ---- loading ---- */

static void expect(cnnf_context *in, const char *path, cnnf_status status, const char *text)
{
    cnnf_graph *graph = NULL;
    ck_assert_int_eq(cnnf_load_file(&graph, in, path, NULL, error), status);
    ck_assert_ptr_null(graph);
    const char *message = cnnf_error_message(error);
    ck_assert_msg(strstr(message, path) == message, "no path first: %s", message);
    ck_assert_msg(strstr(message, text) != NULL, "'%s' is not in '%s'", text, message);
    ck_assert_ptr_null(strchr(message, '\n'));
}

START_TEST(a_good_file_loads)
{
    cnnf_graph *graph = NULL;
    ck_assert_msg(cnnf_load_file(&graph, context, model_with(GOOD), NULL, error) == CNNF_OK, "%s",
                  cnnf_error_message(error));
    cnnf_graph_unref(graph);
}
END_TEST

START_TEST(a_cut_file_tells_both_lengths)
{
    size_t size;
    const char *path = model_with(GOOD);
    uint8_t *bytes = file_read(path, &size);
    char text[120];
    snprintf(text, sizeof text, "m.h5: HDF5: file is %zu bytes but superblock says end of file is %zu", size / 2, size);
    file_write(path, bytes, size / 2);
    expect(context, path, CNNF_E_CORRUPT, text);
    free(bytes);
}
END_TEST

/* Each length of a small file: never a success, never a crash. */
START_TEST(every_length_of_a_cut_file_is_refused)
{
    size_t size;
    const char *path = model_with(GOOD);
    uint8_t *bytes = file_read(path, &size);
    for (size_t length = 8; length < size; length += 7) {
        cnnf_graph *graph = NULL;
        ck_assert_int_ne(cnnf_load_memory(&graph, context, bytes, length, "m.h5", NULL, error), CNNF_OK);
    }
    free(bytes);
}
END_TEST

/* A bit in each byte outside the weights: an error or a model, never a crash. */
START_TEST(flipped_bits_do_no_harm)
{
    size_t size, loaded = 0;
    const char *path = model_with(GOOD);
    uint8_t *bytes = file_read(path, &size);
    for (size_t at = 0; at < size; at++) {
        cnnf_graph *graph = NULL;
        bytes[at] ^= (uint8_t)(1u << at % 8);
        loaded += cnnf_load_memory(&graph, context, bytes, size, "m.h5", NULL, error) == CNNF_OK;
        cnnf_graph_unref(graph);
        bytes[at] ^= (uint8_t)(1u << at % 8);
    }
    ck_assert_uint_gt(loaded, 0);
    free(bytes);
}
END_TEST

START_TEST(missing_architecture)
{
    expect(context, model_with(NULL), CNNF_E_UNSUPPORTED,
           "m.h5: Keras: attribute 'model_config' not found at '/' (weights-only file? give the architecture with");
}
END_TEST

START_TEST(model_config_is_a_number)
{
    const char *path = model_with(NULL);
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), space = H5Screate(H5S_SCALAR);
    H5Aclose(H5Acreate2(file, "model_config", H5T_STD_I32LE, space, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
    H5Fclose(file);
    expect(context, path, CNNF_E_CORRUPT, "m.h5: Keras: attribute 'model_config' has type integer, want string");
}
END_TEST

START_TEST(broken_json)
{
    expect(context, model_with("{\"class_name\": \"Model\", "), CNNF_E_CORRUPT,
           "m.h5: Keras config: line 1 col 24: unexpected end of JSON");
}
END_TEST

START_TEST(nested_json)
{
    char *text = malloc(30001);
    memset(text, '[', 30000);
    text[30000] = '\0';
    expect(context, model_with(text), CNNF_E_LIMIT,
           "m.h5: Keras config: col 65: nesting deeper than 64 (limit max_depth)");
    free(text);
}
END_TEST

/* Configurations that no Keras writes, and what is told of them. */
static const struct {
    const char *config;
    cnnf_status status;
    const char *text;
} configs[] = {
    {MODEL(INPUT "," LAYER("Lambda", ",\"function\":[\"\\u00e3\\u0001\\u0000\",null,null]", FROM_I)),
     CNNF_E_UNSUPPORTED,
     "m.h5: Keras config: layer 'd': class 'Lambda' holds Python code and is never run; unsupported"},
    {MODEL(INPUT "," LAYER("Lambda", ",\"function\":[\"4wEAAAA=\",null,null]", FROM_I)), CNNF_E_UNSUPPORTED,
     "m.h5: Keras config: layer 'd': class 'Lambda' holds Python code and is never run; unsupported"},
    {MODEL(INPUT "," LAYER("MyLayer", "", FROM_I)), CNNF_E_UNSUPPORTED,
     "m.h5: Keras config: layer 'd': class 'MyLayer' is not supported; --map_layer MyLayer="},
    {MODEL(INPUT "," LAYER("Dense", ",\"units\":64,\"use_bias\":false", FROM_I)), CNNF_E_MISMATCH,
     "m.h5: layer 'd': kernel is [4,3], config needs [4,64]"},
    {MODEL(INPUT "," LAYER("Dense", ",\"units\":3", FROM_I)), CNNF_E_MISMATCH,
     "layer 'd' (Dense): weight 'bias' is missing"},
    {MODEL(INPUT "," LAYER("Dense", ",\"units\":3", "[[[\"nobody\",0,0,{}]]]")), CNNF_E_CORRUPT,
     "m.h5: Keras config: layer 'd': inbound node names layer 'nobody', which does not exist"},
    {MODEL(INPUT "," LAYER("Dense", ",\"units\":3", "[[[\"i\",7,0,{}]]]")), CNNF_E_CORRUPT,
     "layer 'd': inbound node 7 of layer 'i' does not exist"},
    {MODEL(INPUT "," LAYER("Dense", ",\"units\":3", "[[[\"d\",0,0,{}]]]")), CNNF_E_CORRUPT,
     "m.h5: Keras config: layer 'd': its inbound nodes form a cycle"},
    {MODEL(INPUT "," DENSE "," DENSE), CNNF_E_CORRUPT, "m.h5: Keras config: layer 'd' occurs twice"},
    {"{\"class_name\":\"Model\",\"config\":{\"name\":\"m\",\"layers\":[]}}", CNNF_E_CORRUPT, "model 'm' has no layers"},
    {"{\"class_name\":\"Thing\",\"config\":{}}", CNNF_E_UNSUPPORTED,
     "a model of class 'Thing' is built by Python code"},
    {"[1, 2]", CNNF_E_CORRUPT, "no class_name or no config"},
};

START_TEST(configurations)
{
    expect(context, model_with(configs[_i].config), configs[_i].status, configs[_i].text);
}
END_TEST

/* ---- datasets ---- */

static const char *model_with_dataset(hid_t type, int rank, const hsize_t *dims, hid_t properties, const void *data)
{
    const char *path = folder_path("m.h5");
    hid_t file, group = begin(&file, path, GOOD);
    put_dataset(group, type, rank, dims, properties, data);
    end(file, group);
    return path;
}

START_TEST(external_storage)
{
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_external(properties, "/etc/passwd", 0, 48);
    const char *path = model_with_dataset(H5T_IEEE_F32LE, 2, kernel_dims, properties, NULL);
    H5Pclose(properties);
    expect(context, path, CNNF_E_UNSUPPORTED,
           "m.h5: dataset '/model_weights/d/kernel:0' stores its data in another file ('/etc/passwd'); refused");
}
END_TEST

START_TEST(sparse_dataset)
{
    const hsize_t dims[2] = {1000000, 1000000};
    const char *path = model_with_dataset(H5T_IEEE_F32LE, 2, dims, H5P_DEFAULT, NULL);
    expect(context, path, CNNF_E_CORRUPT,
           "m.h5: dataset '/model_weights/d/kernel:0': declares 4000000000000 bytes but stores 0");
}
END_TEST

START_TEST(compound_dataset)
{
    hid_t type = H5Tcreate(H5T_COMPOUND, 8);
    H5Tinsert(type, "a", 0, H5T_IEEE_F32LE);
    H5Tinsert(type, "b", 4, H5T_IEEE_F32LE);
    const char *path = model_with_dataset(type, 2, kernel_dims, H5P_DEFAULT, NULL);
    H5Tclose(type);
    expect(context, path, CNNF_E_UNSUPPORTED, "m.h5: dataset '/model_weights/d/kernel:0': type compound, want float");
}
END_TEST

/* Filters beyond deflate, shuffle and fletcher32 are code that libhdf5 would load. */
START_TEST(unknown_filter)
{
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(properties, 2, kernel_dims);
    H5Pset_filter(properties, H5Z_FILTER_SCALEOFFSET, H5Z_FLAG_OPTIONAL, 2, (const unsigned[]){2, 0});
    const char *path = model_with_dataset(H5T_IEEE_F32LE, 2, kernel_dims, properties, kernel);
    H5Pclose(properties);
    expect(context, path, CNNF_E_UNSUPPORTED,
           "m.h5: dataset '/model_weights/d/kernel:0': filter 6 is not supported (deflate, shuffle, fletcher32 are)");
}
END_TEST

START_TEST(deflate_bomb)
{
    const hsize_t dims[2] = {16384, 4096};
    cnnf_context_options *options = NULL;
    cnnf_context *small = NULL;
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    H5Pset_chunk(properties, 2, (const hsize_t[]){1024, 4096});
    H5Pset_deflate(properties, 9);
    float *zeros = calloc(16384u * 4096u, sizeof *zeros);
    const char *path = model_with_dataset(H5T_IEEE_F32LE, 2, dims, properties, zeros);
    free(zeros);
    H5Pclose(properties);
    cnnf_context_options_new(&options, NULL);
    cnnf_context_options_set_limit(options, CNNF_LIMIT_TENSOR_BYTES, 67108864, NULL);
    ck_assert_int_eq(cnnf_context_new(&small, options, NULL), CNNF_OK);
    expect(small, path, CNNF_E_LIMIT, "268435456 exceeds max_tensor_bytes 67108864");
    cnnf_context_unref(small);
    cnnf_context_options_free(options);
}
END_TEST

/* Compressed, big-endian, double and half weights become what they would be in a plain file. */
START_TEST(other_storage_gives_the_same_weights)
{
    hid_t half = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(half, 15, 10, 5, 0, 10);
    H5Tset_size(half, 2);
    H5Tset_ebias(half, 15);
    const hid_t types[] = {H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE, half, H5T_IEEE_F32LE};
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
        if (i == 4) {
            H5Pset_chunk(properties, 2, (const hsize_t[]){2, 2});
            H5Pset_shuffle(properties);
            H5Pset_deflate(properties, 6);
            H5Pset_fletcher32(properties);
        }
        const char *path = model_with_dataset(types[i], 2, kernel_dims, properties, kernel);
        H5Pclose(properties);
        cnnf_graph *graph = NULL;
        ck_assert_msg(cnnf_load_file(&graph, context, path, NULL, error) == CNNF_OK, "%zu: %s", i,
                      cnnf_error_message(error));
        const cnnf_node *node = cnnf_graph_find(graph, "d/kernel");
        float got[12] = {0};
        ck_assert_int_eq(cnnf_tensor_read(got, cnnf_node_value(node), 0, sizeof got, error), CNNF_OK);
        ck_assert_mem_eq(got, kernel, sizeof got);
        cnnf_graph_unref(graph);
    }
    H5Tclose(half);
}
END_TEST

/* ---- links ---- */

START_TEST(external_link)
{
    const char *path = folder_path("m.h5");
    hid_t file, group = begin(&file, path, GOOD);
    H5Ldelete(file, "/model_weights/d", H5P_DEFAULT);
    H5Lcreate_external("target.h5", "/x", file, "/model_weights/d", H5P_DEFAULT, H5P_DEFAULT);
    end(file, group);
    expect(context, path, CNNF_E_UNSUPPORTED,
           "m.h5: '/model_weights/d' is an external link (to 'target.h5:/x'); refused");
}
END_TEST

START_TEST(soft_link)
{
    const char *path = folder_path("m.h5");
    hid_t file, group = begin(&file, path, GOOD);
    H5Lcreate_soft("/model_weights/d", file, "/model_weights/d/kernel:0", H5P_DEFAULT, H5P_DEFAULT);
    end(file, group);
    expect(context, path, CNNF_E_UNSUPPORTED,
           "m.h5: '/model_weights/d/kernel:0' is a soft link (to '/model_weights/d'); refused");
}
END_TEST

START_TEST(hard_link_cycle)
{
    const char *path = folder_path("m.h5");
    hid_t file, group = begin(&file, path, GOOD);
    H5Lcreate_hard(file, "/model_weights/d", file, "/model_weights/d/kernel:0", H5P_DEFAULT, H5P_DEFAULT);
    end(file, group);
    expect(context, path, CNNF_E_CORRUPT, "m.h5: group '/model_weights/d/kernel:0' links back to itself");
}
END_TEST

START_TEST(listed_weight_is_missing)
{
    const char *path = folder_path("m.h5");
    hid_t file, group = begin(&file, path, GOOD);
    end(file, group);
    expect(context, path, CNNF_E_CORRUPT, "m.h5: layer 'd': weight 'kernel:0' listed but not in file");
}
END_TEST

/* Nothing of libhdf5's stays open, and its printing is the host's again. */
START_TEST(libhdf5_is_left_as_it_was)
{
    H5E_auto2_t before, after;
    void *data_before, *data_after;
    cnnf_graph *graph = NULL;
    H5Eget_auto2(H5E_DEFAULT, &before, &data_before);
    cnnf_load_options *options = NULL;
    ck_assert_int_eq(cnnf_load_options_new(&options, context, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_load_options_set_ask_libhdf5(options, 1, NULL), CNNF_OK);
    ck_assert_int_eq(cnnf_load_options_set_ask_libhdf5(NULL, 1, NULL), CNNF_E_INVALID);
    ck_assert_int_eq(cnnf_load_file(&graph, context, model_with(GOOD), options, error), CNNF_OK);
    cnnf_load_options_free(options);
    H5Eget_auto2(H5E_DEFAULT, &after, &data_after);
    ck_assert(before == after && data_before == data_after);
    ck_assert_int_eq(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL), 0);
    cnnf_graph_unref(graph);
}
END_TEST

/* ---- .keras ---- */

typedef struct zip {
    uint8_t bytes[8192], directory[1024];
    size_t size, directory_size, entries;
} zip;

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, unsigned long v)
{
    put16(p, (unsigned)(v & 0xffff));
    put16(p + 2, (unsigned)(v >> 16));
}

/* A stored entry. */
static void zip_add(zip *z, const char *name, const char *text)
{
    size_t n = strlen(name), size = strlen(text);
    uint8_t *local = z->bytes + z->size, *record = z->directory + z->directory_size;
    unsigned long crc = crc32(crc32(0, NULL, 0), (const Bytef *)text, (uInt)size);
    memset(local, 0, 30);
    memset(record, 0, 46);
    put32(local, 0x04034b50);
    put32(local + 14, crc);
    put32(local + 18, size);
    put32(local + 22, size);
    put16(local + 26, (unsigned)n);
    put32(record, 0x02014b50);
    put32(record + 16, crc);
    put32(record + 20, size);
    put32(record + 24, size);
    put16(record + 28, (unsigned)n);
    put32(record + 42, z->size);
    memcpy(local + 30, name, n);
    memcpy(local + 30 + n, text, size);
    memcpy(record + 46, name, n);
    z->size += 30 + n + size;
    z->directory_size += 46 + n;
    z->entries++;
}

static void zip_expect(zip *z, cnnf_context *in, cnnf_status status, const char *text)
{
    uint8_t *end_record = z->bytes + z->size + z->directory_size;
    const char *path = folder_path("m.keras");
    memcpy(z->bytes + z->size, z->directory, z->directory_size);
    memset(end_record, 0, 22);
    put32(end_record, 0x06054b50);
    put16(end_record + 8, (unsigned)z->entries);
    put16(end_record + 10, (unsigned)z->entries);
    put32(end_record + 12, z->directory_size);
    put32(end_record + 16, z->size);
    file_write(path, z->bytes, z->size + z->directory_size + 22);
    expect(in, path, status, text);
}

START_TEST(not_a_zip)
{
    const char *path = folder_path("m.keras");
    file_write(path, "PK\3\4 and no more than that, though it begins well", 49);
    expect(context, path, CNNF_E_FORMAT, "m.keras: not a zip archive (no end-of-central-directory record)");
}
END_TEST

START_TEST(no_config)
{
    zip z = {.size = 0};
    zip_add(&z, "../../etc/x", "ignored");
    zip_add(&z, "metadata.json", "{}");
    zip_expect(&z, context, CNNF_E_CORRUPT, "m.keras: zip: no entry 'config.json'");
}
END_TEST

START_TEST(config_twice)
{
    zip z = {.size = 0};
    zip_add(&z, "config.json", "{}");
    zip_add(&z, "config.json", "{}");
    zip_expect(&z, context, CNNF_E_CORRUPT, "m.keras: zip: entry 'config.json' occurs 2 times");
}
END_TEST

START_TEST(wrong_crc)
{
    zip z = {.size = 0};
    zip_add(&z, "config.json", "{}");
    put32(z.directory + 16, 0x99887766);
    zip_expect(&z, context, CNNF_E_CORRUPT,
               "m.keras: zip: entry 'config.json': crc32 is a3a6bf43, directory says 99887766");
}
END_TEST

START_TEST(headers_disagree)
{
    zip z = {.size = 0};
    zip_add(&z, "config.json", "{}");
    put32(z.bytes + 22, 10);
    zip_expect(&z, context, CNNF_E_CORRUPT,
               "m.keras: zip: entry 'config.json': local header disagrees with directory (size 10 / 2)");
}
END_TEST

START_TEST(encrypted_or_bzip2)
{
    zip z = {.size = 0};
    zip_add(&z, "config.json", "{}");
    put16(z.directory + 10, 12);
    zip_expect(&z, context, CNNF_E_UNSUPPORTED, "compression method 12 not supported (0 stored, 8 deflate)");
    put16(z.directory + 10, 0);
    put16(z.directory + 8, 1);
    zip_expect(&z, context, CNNF_E_UNSUPPORTED, "m.keras: zip: entry 'config.json': is encrypted");
}
END_TEST

START_TEST(zip_bomb)
{
    zip z = {.size = 0};
    cnnf_context_options *options = NULL;
    cnnf_context *small = NULL;
    zip_add(&z, "config.json", "{}");
    put16(z.directory + 10, 8);
    put32(z.directory + 20, 1000000);
    put32(z.directory + 24, 1024000000);
    cnnf_context_options_new(&options, NULL);
    cnnf_context_options_set_untrusted(options, NULL);
    ck_assert_int_eq(cnnf_context_new(&small, options, NULL), CNNF_OK);
    zip_expect(&z, small, CNNF_E_LIMIT,
               "m.keras: zip: entry 'config.json' expands 1024x to 1024000000 bytes (limit max_attr_bytes 16777216)");
    cnnf_context_unref(small);
    cnnf_context_options_free(options);
}
END_TEST

static Suite *keras_bad_suite(void)
{
    Suite *suite = suite_create("keras_bad");
    TCase *tests = tcase_create("keras_bad");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_good_file_loads);
    tcase_add_test(tests, a_cut_file_tells_both_lengths);
    tcase_add_test(tests, every_length_of_a_cut_file_is_refused);
    tcase_add_test(tests, flipped_bits_do_no_harm);
    tcase_add_test(tests, missing_architecture);
    tcase_add_test(tests, model_config_is_a_number);
    tcase_add_test(tests, broken_json);
    tcase_add_test(tests, nested_json);
    tcase_add_loop_test(tests, configurations, 0, (int)(sizeof configs / sizeof configs[0]));
    tcase_add_test(tests, external_storage);
    tcase_add_test(tests, sparse_dataset);
    tcase_add_test(tests, compound_dataset);
    tcase_add_test(tests, unknown_filter);
    tcase_add_test(tests, deflate_bomb);
    tcase_add_test(tests, other_storage_gives_the_same_weights);
    tcase_add_test(tests, external_link);
    tcase_add_test(tests, soft_link);
    tcase_add_test(tests, hard_link_cycle);
    tcase_add_test(tests, listed_weight_is_missing);
    tcase_add_test(tests, libhdf5_is_left_as_it_was);
    tcase_add_test(tests, not_a_zip);
    tcase_add_test(tests, no_config);
    tcase_add_test(tests, config_twice);
    tcase_add_test(tests, wrong_crc);
    tcase_add_test(tests, headers_disagree);
    tcase_add_test(tests, encrypted_or_bzip2);
    tcase_add_test(tests, zip_bomb);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(keras_bad_suite)
