/* SPDX-License-Identifier: Apache-2.0 */
/* Indexes that lie: each is refused with the message a user can act on. */
#include "fixture.h"

#include "base/context.h"
#include "base/crc32c.h"
#include "base/wire.h"
#include "loader/checkpoint/checkpoint_impl.h"
#include "serializer/checkpoint/checkpoint_index.h"

/* Opens folder/v and compares the message, where "%s" stands for the folder. */
static void check(cnnf_status status, const char *format)
{
    char wanted[1024] = "";
    cnnf_checkpoint *c = NULL;
    for (const char *p = format; *p; p++) {
        const size_t n = strlen(wanted);
        if (*p == '@')
            snprintf(wanted + n, sizeof wanted - n, "%s/v", folder);
        else
            snprintf(wanted + n, sizeof wanted - n, "%c", *p);
    }
    cnnf_status found = cnnf_checkpoint_open(&c, context, folder_path("v"), error);
    for (int64_t i = 0; !found && i < cnnf_checkpoint_count(c); i++)
        found = cnnf_checkpoint_verify(c, i, error);
    cnnf_checkpoint_unref(c);
    ck_assert_str_eq(cnnf_error_message(error), wanted);
    ck_assert_int_eq(found, status);
    /* What is said of a table is said of its file; the file is a field of its own too. */
    const char *what = strstr(wanted, ": table: ");
    if (what) ck_assert_uint_eq(strlen(cnnf_error_where(error)), (size_t)(what - wanted));
    if (what) ck_assert_int_eq(memcmp(cnnf_error_where(error), wanted, (size_t)(what - wanted)), 0);
}

/* ---- writing an index ---- */

static cnnfi_sink *sink;
static cnnfi_table_writer writer;

static void begin(void)
{
    ck_assert_int_eq(cnnfi_sink_file(&sink, context, folder_path("v.index"), false, error), CNNF_OK);
    cnnfi_table_writer_init(&writer, context, sink);
}

static void add(const char *key, const cnnfi_strbuf *value)
{
    const cnnfi_bytes k = {(const uint8_t *)key, strlen(key)}, v = {(const uint8_t *)value->data, value->size};
    ck_assert_int_eq(cnnfi_table_writer_add(&writer, k, v, error), CNNF_OK);
}

static void end(void)
{
    ck_assert_int_eq(cnnfi_table_writer_finish(&writer, error), CNNF_OK);
    ck_assert_int_eq(cnnfi_sink_commit(sink, error), CNNF_OK);
    cnnfi_table_writer_free(&writer);
    cnnfi_sink_free(sink);
}

/* {num_shards, endianness, version {producer, min_consumer}} */
static void add_header(int64_t shards, int64_t endianness, int64_t min_consumer)
{
    cnnfi_strbuf value, version;
    cnnfi_strbuf_init(&value, context);
    cnnfi_strbuf_init(&version, context);
    cnnfi_put_int(&version, 1, 1);
    cnnfi_put_int_nonzero(&version, 2, min_consumer);
    cnnfi_put_int_nonzero(&value, 1, shards);
    cnnfi_put_int_nonzero(&value, 2, endianness);
    cnnfi_put_bytes(&value, 3, version.data, version.size);
    add("", &value);
    cnnfi_strbuf_free(&value);
    cnnfi_strbuf_free(&version);
}

typedef struct entry {
    int64_t dtype, rank, dims[4], shard, offset, size;
    uint32_t crc;
    size_t n_slices;
    cnnfi_extent slices[4]; /* of rank 1 */
} entry;

static void put_slice(cnnfi_strbuf *value, const cnnfi_extent *extent)
{
    cnnfi_strbuf inner, slice;
    cnnfi_strbuf_init(&inner, context);
    cnnfi_strbuf_init(&slice, context);
    cnnfi_put_int_nonzero(&inner, 1, extent->start);
    if (extent->length >= 0) cnnfi_put_int(&inner, 2, extent->length);
    cnnfi_put_bytes(&slice, 1, inner.data, inner.size);
    cnnfi_put_bytes(value, 7, slice.data, slice.size);
    cnnfi_strbuf_free(&inner);
    cnnfi_strbuf_free(&slice);
}

static void add_entry(const char *key, const entry *e)
{
    cnnfi_strbuf value, shape, dim;
    cnnfi_strbuf_init(&value, context);
    cnnfi_strbuf_init(&shape, context);
    cnnfi_strbuf_init(&dim, context);
    for (int64_t i = 0; i < e->rank; i++) {
        dim.size = 0;
        cnnfi_put_int(&dim, 1, e->dims[i]);
        cnnfi_put_bytes(&shape, 2, dim.data, dim.size);
    }
    cnnfi_put_int(&value, 1, e->dtype);
    cnnfi_put_bytes(&value, 2, shape.data, shape.size);
    cnnfi_put_int_nonzero(&value, 3, e->shard);
    cnnfi_put_int_nonzero(&value, 4, e->offset);
    cnnfi_put_int_nonzero(&value, 5, e->size);
    cnnfi_put_fixed32(&value, 6, e->crc);
    for (size_t i = 0; i < e->n_slices; i++)
        put_slice(&value, &e->slices[i]);
    add(key, &value);
    cnnfi_strbuf_free(&value);
    cnnfi_strbuf_free(&shape);
    cnnfi_strbuf_free(&dim);
}

/* An index of one entry 'w' beside a shard of 100 zero bytes. */
static void write_one(const entry *e)
{
    static const uint8_t zeros[100];
    begin();
    add_header(1, 0, 0);
    add_entry("w", e);
    end();
    file_write(folder_path("v.data-00000-of-00001"), zeros, sizeof zeros);
}

#define FLOAT3X3 .dtype = CNNF_FLOAT, .rank = 2, .dims = {3, 3}

/* ---- the table ---- */

START_TEST(table_footer)
{
    uint8_t bytes[48] = {0};
    file_write(folder_path("v.index"), bytes, 47);
    check(CNNF_E_CORRUPT, "@.index: table: 47 bytes, footer needs 48");
    file_write(folder_path("v.index"), bytes, 48);
    check(CNNF_E_CORRUPT, "@.index: table: bad magic 0x0000000000000000 at offset 40 (want 0xdb4775248b80fb57)");
}
END_TEST

/* A table by hand: blocks with good checksums around any content. */
static void write_table(const char *data, size_t size, uint8_t type)
{
    cnnfi_strbuf file, handle;
    static const char empty[8] = {0, 0, 0, 0, 1, 0, 0, 0};
    const uint64_t magic = UINT64_C(0xdb4775248b80fb57);
    cnnfi_strbuf_init(&file, context);
    cnnfi_strbuf_init(&handle, context);
    char index[32] = {0, 1, 2, 'z', 0, (char)size};
    memcpy(index + 6, empty, 8);
    const struct {
        const char *data;
        size_t size;
        uint8_t type;
    } blocks[] = {{data, size, type}, {empty, 8, 0}, {index, 14, 0}};
    for (int i = 0; i < 3; i++) {
        if (i) {
            cnnfi_put_varint(&handle, file.size);
            cnnfi_put_varint(&handle, blocks[i].size);
        }
        uint32_t crc = cnnfi_crc32c(0, blocks[i].data, blocks[i].size);
        crc = cnnfi_crc32c_mask(cnnfi_crc32c(crc, &blocks[i].type, 1));
        cnnfi_strbuf_add(&file, blocks[i].data, blocks[i].size);
        cnnfi_strbuf_add(&file, &blocks[i].type, 1);
        cnnfi_strbuf_add(&file, &crc, 4);
    }
    while (handle.size < 40)
        cnnfi_strbuf_putc(&handle, 0);
    cnnfi_strbuf_add(&file, handle.data, 40);
    cnnfi_strbuf_add(&file, &magic, 8);
    file_write(folder_path("v.index"), file.data, file.size);
    cnnfi_strbuf_free(&file);
    cnnfi_strbuf_free(&handle);
}

START_TEST(table_blocks)
{
    write_table("\xff\xff\xff\xff", 4, 0);
    check(CNNF_E_CORRUPT, "@.index: table: block at 0: 4294967295 restarts do not fit in 4 bytes");
    write_table("\0\1\0aX\0\0\0\0\1\0\0\0", 4, 0);
    check(CNNF_E_CORRUPT, "@.index: table: block at 0: 1627390208 restarts do not fit in 4 bytes");
    write_table("\3\1\0a\0\0\0\0\1\0\0\0", 12, 0);
    check(CNNF_E_CORRUPT, "@.index: table: block at 0: entry at 0: shared 3 > previous key 0");
    write_table("\0\xff\xff\xff\xff\x0f\xff\xff\xff\xff\x0f"
                "a\0\0\0\0\1\0\0\0",
                20, 0);
    check(CNNF_E_CORRUPT,
          "@.index: table: block at 0: entry at 0: key 4294967295 and value 4294967295 but 1 bytes left");
    write_table("\0\1\0c\0\1\0b\0\0\0\0\1\0\0\0", 16, 0);
    check(CNNF_E_CORRUPT, "@.index: bundle header entry missing");
    write_table("anything at all", 15, 7);
    check(CNNF_E_UNSUPPORTED, "@.index: table: block at 0: compression type 7 not supported");
}
END_TEST

START_TEST(table_order_and_place)
{
    cnnfi_strbuf block;
    cnnfi_strbuf_init(&block, context);
    cnnfi_strbuf_add(&block, "\0\0\6\10\1\32\2\10\1", 9); /* the header's entry */
    cnnfi_strbuf_add(&block, "\0\1\4c\10\1\22\0\0\1\4b\10\1\22\0\0\0\0\0\1\0\0\0", 24);
    write_table(block.data, block.size, 0);
    cnnfi_strbuf_free(&block);
    check(CNNF_E_CORRUPT, "@.index: table: key 'b' after 'c'");
    size_t size;
    write_table("\0\0\0\0\1\0\0\0", 8, 0);
    uint8_t *bytes = file_read(folder_path("v.index"), &size);
    bytes[size - 48] = 100; /* the metaindex' place */
    file_write(folder_path("v.index"), bytes, size);
    check(CNNF_E_CORRUPT, "@.index: table: metaindex block [100,+8) lies outside file of 93 bytes");
    bytes[size - 48] = 13;
    bytes[14] ^= 1; /* the first byte but one of the metaindex */
    file_write(folder_path("v.index"), bytes, size);
    check(CNNF_E_CORRUPT, "@.index: table: block at 13: crc32c 0xb0a1f2c0 stored, 0x96d48068 computed");
    free(bytes);
}
END_TEST

/* ---- the bundle ---- */

/* max_shards at L-1, L and L+1: shards that no tensor needs may be missing. */
START_TEST(shard_limit)
{
    for (int64_t shards = 4; shards <= 6; shards++) {
        cnnf_context_options *options = NULL;
        cnnf_context *limited = NULL;
        cnnf_checkpoint *checkpoint = NULL;
        begin(), add_header(shards, 0, 0), end();
        ck_assert_int_eq(cnnf_context_options_new(&options, NULL), CNNF_OK);
        ck_assert_int_eq(cnnf_context_options_set_limit(options, CNNF_LIMIT_SHARDS, 5, NULL), CNNF_OK);
        ck_assert_int_eq(cnnf_context_new(&limited, options, NULL), CNNF_OK);
        ck_assert_int_eq(cnnf_checkpoint_open(&checkpoint, limited, folder_path("v"), error),
                         shards <= 5 ? CNNF_OK : CNNF_E_LIMIT);
        cnnf_checkpoint_unref(checkpoint);
        cnnf_context_options_free(options);
        test_context_done(limited);
    }
}
END_TEST

START_TEST(bundle_header)
{
    begin(), add_header(1, 1, 0), end();
    check(CNNF_E_UNSUPPORTED, "@.index: bundle: written big-endian; not supported");
    begin(), add_header(0, 0, 0), end();
    check(CNNF_E_CORRUPT, "@.index: bundle: num_shards 0");
    begin(), add_header(1000000000, 0, 0), end();
    check(CNNF_E_LIMIT, "@.index: bundle: num_shards 1000000000 exceeds max_shards 4096");
    begin(), add_header(1, 0, 99), end();
    check(CNNF_E_UNSUPPORTED, "@.index: bundle needs reader version 99, this is 1");
    begin(), add_entry("w", &(entry){FLOAT3X3}), end();
    check(CNNF_E_CORRUPT, "@.index: bundle header entry missing");
}
END_TEST

START_TEST(entry_shape)
{
    write_one(&(entry){.dtype = CNNF_FLOAT, .rank = 2, .dims = {INT64_C(1) << 32, INT64_C(1) << 32}});
    check(CNNF_E_CORRUPT, "@.index: 'w': shape [4294967296,4294967296] overflows");
    write_one(&(entry){.dtype = CNNF_FLOAT, .rank = 2, .dims = {-5, 2}});
    check(CNNF_E_CORRUPT, "@.index: 'w': dimension 0 is -5");
    write_one(&(entry){FLOAT3X3, .size = 100});
    check(CNNF_E_CORRUPT, "@.index: 'w': size 100 but float[3,3] needs 36");
    write_one(&(entry){.dtype = 9999});
    check(CNNF_E_UNSUPPORTED, "@.index: 'w': dtype 9999 not supported");
    write_one(&(entry){.dtype = CNNF_RESOURCE});
    check(CNNF_E_UNSUPPORTED, "@.index: 'w': dtype 20 not supported");
}
END_TEST

START_TEST(entry_place)
{
    write_one(&(entry){FLOAT3X3, .size = 36, .offset = 96});
    check(CNNF_E_CORRUPT, "@.data-00000-of-00001: 'w' at [96,+36) beyond file of 100 bytes");
    write_one(&(entry){FLOAT3X3, .size = 36, .offset = -1});
    check(CNNF_E_CORRUPT, "@.data-00000-of-00001: 'w' at [-1,+36) beyond file of 100 bytes");
    write_one(&(entry){FLOAT3X3, .size = 36, .offset = INT64_MAX});
    check(CNNF_E_CORRUPT, "@.data-00000-of-00001: 'w' at [9223372036854775807,+36) beyond file of 100 bytes");
    write_one(&(entry){FLOAT3X3, .size = 36, .shard = 7});
    check(CNNF_E_CORRUPT, "@.index: 'w': shard 7 of 1");
    write_one(&(entry){FLOAT3X3, .size = 36, .crc = 5});
    check(CNNF_E_CORRUPT, "@.data-00000-of-00001: 'w': crc32c 0x00000005 stored, 0xf028df24 computed (data corrupt)");
    unlink(folder_path("v.data-00000-of-00001"));
    check(CNNF_E_IO, "@.data-00000-of-00001: cannot open: No such file or directory");
}
END_TEST

START_TEST(entry_strings)
{
    write_one(&(entry){.dtype = CNNF_STRING, .rank = 1, .dims = {200}, .size = 100});
    check(CNNF_E_CORRUPT, "@.data-00000-of-00001: 'w': more strings than bytes");
    write_one(&(entry){.dtype = CNNF_STRING, .rank = 1, .dims = {98}, .size = 100});
    check(CNNF_E_CORRUPT, "@.data-00000-of-00001: 'w': string lengths do not fit");
    write_one(&(entry){.dtype = CNNF_STRING, .rank = 1, .dims = {2}, .size = 100});
    check(CNNF_E_CORRUPT,
          "@.data-00000-of-00001: 'w': string lengths: crc32c 0x00000000 stored, 0x07980329 computed (data corrupt)");
}
END_TEST

START_TEST(entry_slices)
{
    write_one(&(entry){.dtype = CNNF_FLOAT, .rank = 1, .dims = {4}, .n_slices = 1, .slices = {{-1, 2}}});
    check(CNNF_E_CORRUPT, "@.index: 'w': slice 0 extent 0: start -1");
    write_one(&(entry){.dtype = CNNF_FLOAT, .rank = 1, .dims = {4}, .n_slices = 1, .slices = {{INT64_MAX, 2}}});
    check(CNNF_E_CORRUPT, "@.index: 'w': slice 0 extent 0: [9223372036854775807,+2) beyond dimension 4");
    write_one(&(entry){.dtype = CNNF_FLOAT, .rank = 1, .dims = {4}, .n_slices = 2, .slices = {{0, 2}, {1, 2}}});
    check(CNNF_E_CORRUPT, "@.index: 'w': slices 0 and 1 overlap");
    write_one(&(entry){.dtype = CNNF_FLOAT, .rank = 1, .dims = {4}, .n_slices = 2, .slices = {{0, 2}, {3, 1}}});
    check(CNNF_E_CORRUPT, "@.index: 'w': slices cover 3 of 4 elements");
    write_one(&(entry){.dtype = CNNF_FLOAT, .rank = 1, .dims = {4}, .n_slices = 2, .slices = {{0, 2}, {2, 2}}});
    check(CNNF_E_CORRUPT, "@.index: 'w': slice 0 has no entry");
    write_one(&(entry){.dtype = CNNF_FLOAT, .rank = 2, .dims = {4, 2}, .n_slices = 1, .slices = {{0, 2}}});
    check(CNNF_E_CORRUPT, "@.index: 'w': slice 0: bad extents (tensor has 2 dimensions)");
}
END_TEST

static Suite *checkpoint_bad_suite(void)
{
    Suite *suite = suite_create("checkpoint_bad");
    TCase *tests = tcase_create("messages");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, table_footer);
    tcase_add_test(tests, table_blocks);
    tcase_add_test(tests, table_order_and_place);
    tcase_add_test(tests, shard_limit);
    tcase_add_test(tests, bundle_header);
    tcase_add_test(tests, entry_shape);
    tcase_add_test(tests, entry_place);
    tcase_add_test(tests, entry_strings);
    tcase_add_test(tests, entry_slices);
    suite_add_tcase(suite, tests);
    return suite;
}

TEST_MAIN(checkpoint_bad_suite)
