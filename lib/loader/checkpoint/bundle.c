/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoint V2, the tensor bundle (tensorflow/core/util/tensor_bundle): an index table and shards of raw bytes. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/context.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/os.h"
#include "base/wire.h"
#include "loader/checkpoint/checkpoint_impl.h"
#include "loader/checkpoint/ordered_code.h"
#include "loader/checkpoint/string_tensor.h"
#include "loader/checkpoint/table_read.h"

#define READER_VERSION 1 /* kTensorBundleVersion */

/* BundleEntryProto. */
typedef struct bundle_entry {
    cnnfi_bytes key; /* in the arena; a zero byte follows */
    cnnf_dtype dtype;
    cnnfi_shape shape;
    int64_t shard, offset, size;
    uint32_t crc;
    size_t n_slices;
    cnnfi_bytes *slices; /* TensorSliceProto messages */
} bundle_entry;

typedef struct shard {
    cnnfi_source *source; /* NULL: not opened yet */
    const char *path;
    bool lost; /* there is no such file: its tensors have names, dtypes and shapes, and no bytes */
} shard;

typedef struct bundle {
    cnnf_checkpoint *checkpoint;
    cnnf_context *context;
    cnnfi_arena arena; /* of the entries */
    const char *file;  /* the index */
    const char *prefix;
    bool have_header;
    int64_t n_shards;
    shard *shards;
    size_t count, capacity;
    bundle_entry *entries; /* in key order */
} bundle;

/* ---- the index ---- */

/* VersionDef {producer = 1, min_consumer = 2}. */
static cnnf_status check_version(const bundle *b, cnnfi_bytes message, cnnf_error *error)
{
    cnnfi_cursor c = cnnfi_cursor_of(message.data, message.size);
    cnnfi_wire_field field;
    int more;
    while ((more = cnnfi_wire_next(&c, &field)) > 0) {
        if (cnnfi_wire_is(&field, 2, CNNFI_WIRE_VARINT) && (int64_t)field.value > READER_VERSION)
            return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: bundle needs reader version %" PRId64 ", this is %d",
                              b->file, (int64_t)field.value, READER_VERSION);
    }
    return more == 0 ? CNNF_OK : cnnfi_fail(error, CNNF_E_CORRUPT, "%s: bundle: bad version message", b->file);
}

/* BundleHeaderProto {num_shards = 1, endianness = 2, version = 3}. */
static cnnf_status read_header(bundle *b, cnnfi_bytes message, cnnf_error *error)
{
    cnnfi_cursor c = cnnfi_cursor_of(message.data, message.size);
    cnnfi_wire_field field;
    int more;
    while ((more = cnnfi_wire_next(&c, &field)) > 0) {
        if (cnnfi_wire_is(&field, 1, CNNFI_WIRE_VARINT)) b->n_shards = (int64_t)field.value;
        if (cnnfi_wire_is(&field, 2, CNNFI_WIRE_VARINT) && field.value != 0)
            return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: bundle: written big-endian; not supported", b->file);
        if (cnnfi_wire_is(&field, 3, CNNFI_WIRE_BYTES)) CNNFI_TRY(check_version(b, field.bytes, error));
    }
    if (more < 0) return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: bundle: bad header message", b->file);
    const uint64_t allowed = cnnfi_limit(b->context, CNNF_LIMIT_SHARDS);
    if (b->n_shards < 1)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: bundle: num_shards %" PRId64, b->file, b->n_shards);
    if ((uint64_t)b->n_shards > allowed)
        return cnnfi_fail(error, CNNF_E_LIMIT, "%s: bundle: num_shards %" PRId64 " exceeds max_shards %" PRIu64,
                          b->file, b->n_shards, allowed);
    b->have_header = true;
    b->shards = cnnfi_arena_array(&b->arena, (size_t)b->n_shards, sizeof *b->shards);
    return b->shards ? CNNF_OK : cnnfi_fail_nomem(error);
}

static cnnf_status copy_bytes(cnnfi_bytes *out, bundle *b, cnnfi_bytes bytes, cnnf_error *error)
{
    char *copy = cnnfi_arena_strndup(&b->arena, bytes.data, bytes.size);
    *out = (cnnfi_bytes){(const uint8_t *)copy, bytes.size};
    return copy ? CNNF_OK : cnnfi_fail_nomem(error);
}

static cnnf_status read_scalars(bundle_entry *e, const bundle *b, const char *name, cnnfi_bytes message,
                                cnnfi_bytes *shape, cnnf_error *error)
{
    cnnfi_cursor c = cnnfi_cursor_of(message.data, message.size);
    cnnfi_wire_field field;
    int64_t dtype = 0;
    int more;
    while ((more = cnnfi_wire_next(&c, &field)) > 0) {
        if (cnnfi_wire_is(&field, 1, CNNFI_WIRE_VARINT)) dtype = (int64_t)field.value;
        if (cnnfi_wire_is(&field, 2, CNNFI_WIRE_BYTES)) *shape = field.bytes;
        if (cnnfi_wire_is(&field, 3, CNNFI_WIRE_VARINT)) e->shard = (int64_t)field.value;
        if (cnnfi_wire_is(&field, 4, CNNFI_WIRE_VARINT)) e->offset = (int64_t)field.value;
        if (cnnfi_wire_is(&field, 5, CNNFI_WIRE_VARINT)) e->size = (int64_t)field.value;
        if (cnnfi_wire_is(&field, 6, CNNFI_WIRE_FIXED32)) e->crc = (uint32_t)field.value;
        if (cnnfi_wire_is(&field, 7, CNNFI_WIRE_BYTES)) e->n_slices++;
    }
    if (more < 0) return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s': bad entry message", b->file, name);
    if (dtype < 0 || dtype > INT32_MAX || (dtype != CNNF_STRING && cnnf_dtype_size((cnnf_dtype)dtype) == 0))
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: '%s': dtype %" PRId64 " not supported", b->file, name, dtype);
    if (e->shard < 0 || e->shard >= b->n_shards)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s': shard %" PRId64 " of %" PRId64, b->file, name, e->shard,
                          b->n_shards);
    e->dtype = (cnnf_dtype)dtype;
    return CNNF_OK;
}

static cnnf_status read_slices(bundle_entry *e, bundle *b, cnnfi_bytes message, cnnf_error *error)
{
    cnnfi_cursor c = cnnfi_cursor_of(message.data, message.size);
    cnnfi_wire_field field;
    size_t i = 0;
    if (e->n_slices == 0) return CNNF_OK;
    CNNFI_TRY(cnnfi_check_limit(b->context, CNNF_LIMIT_SHARDS, e->n_slices, "slices of one tensor", error));
    e->slices = cnnfi_arena_array(&b->arena, e->n_slices, sizeof *e->slices);
    if (!e->slices) return cnnfi_fail_nomem(error);
    while (cnnfi_wire_next(&c, &field) > 0) {
        if (cnnfi_wire_is(&field, 7, CNNFI_WIRE_BYTES)) CNNFI_TRY(copy_bytes(&e->slices[i++], b, field.bytes, error));
    }
    return CNNF_OK;
}

/* A slice's key starts with a zero byte; a tensor's name has none. */
static bool is_slice_key(cnnfi_bytes key)
{
    return key.size > 0 && key.data[0] == 0;
}

static cnnf_status read_entry(bundle *b, cnnfi_bytes key, cnnfi_bytes message, cnnf_error *error)
{
    char name[256];
    cnnfi_bytes shape = {0};
    bundle_entry e = {.dtype = 0};
    cnnfi_table_print_key(name, sizeof name, key);
    CNNFI_TRY(cnnfi_check_limit(b->context, CNNF_LIMIT_NAME_BYTES, key.size, "tensor name", error));
    CNNFI_TRY(cnnfi_check_limit(b->context, CNNF_LIMIT_ENTRIES, b->count + 1, b->file, error));
    if (!is_slice_key(key) && memchr(key.data, 0, key.size))
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s': a zero byte in the name", b->file, name);
    CNNFI_TRY(read_scalars(&e, b, name, message, &shape, error));
    CNNFI_TRY(cnnfi_checkpoint_shape(&e.shape, &b->arena, shape, b->file, name, error));
    CNNFI_TRY(read_slices(&e, b, message, error));
    CNNFI_TRY(copy_bytes(&e.key, b, key, error));
    if (!cnnfi_grow(b->context, (void **)&b->entries, &b->capacity, b->count, sizeof e)) return cnnfi_fail_nomem(error);
    b->entries[b->count++] = e;
    return CNNF_OK;
}

static cnnf_status index_entry(cnnfi_bytes key, cnnfi_bytes value, void *user, cnnf_error *error)
{
    bundle *b = user;
    if (key.size == 0) return read_header(b, value, error);
    if (!b->have_header) return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: bundle header entry missing", b->file);
    return read_entry(b, key, value, error);
}

static int compare_entries(const void *a, const void *b)
{
    const cnnfi_bytes *x = &((const bundle_entry *)a)->key, *y = &((const bundle_entry *)b)->key;
    const int order = memcmp(x->data, y->data, x->size < y->size ? x->size : y->size);
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

/* ---- the shards ---- */

/* A shard is opened when the first entry needs it. */
static cnnf_status open_shard(shard **out, bundle *b, int64_t index, cnnf_error *error)
{
    shard *s = *out = &b->shards[index];
    if (s->path) return CNNF_OK;
    s->path =
        cnnfi_arena_printf(&b->checkpoint->arena, "%s.data-%05" PRId64 "-of-%05" PRId64, b->prefix, index, b->n_shards);
    if (!s->path) return cnnfi_fail_nomem(error);
    s->lost = !cnnfi_os_exists(s->path);
    return s->lost ? cnnfi_source_absent(&s->source, b->context, s->path, error)
                   : cnnfi_source_open(&s->source, b->context, s->path, error);
}

static cnnf_status check_place(const bundle_entry *e, const shard *s, const char *name, cnnf_error *error)
{
    const uint64_t file = cnnfi_source_size(s->source);
    if (e->offset >= 0 && e->size >= 0 && cnnfi_range_fits((uint64_t)e->offset, (uint64_t)e->size, file))
        return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s' at [%" PRId64 ",+%" PRId64 ") beyond file of %" PRIu64 " bytes",
                      s->path, name, e->offset, e->size, file);
}

static cnnf_status check_size(const bundle_entry *e, const bundle *b, const char *name, cnnf_error *error)
{
    char shape[256];
    size_t bytes;
    int64_t elements;
    cnnfi_shape_print(shape, sizeof shape, e->shape.rank, e->shape.dims);
    if (!cnnfi_shape_elements(&elements, e->shape.rank, e->shape.dims))
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s': shape %s overflows", b->file, name, shape);
    if (e->dtype == CNNF_STRING) return CNNF_OK;
    CNNFI_TRY(cnnfi_shape_bytes(&bytes, b->context, e->dtype, e->shape.rank, e->shape.dims, name, error));
    if (e->size >= 0 && (uint64_t)e->size == bytes) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s': size %" PRId64 " but %s%s needs %zu", b->file, name, e->size,
                      cnnf_dtype_name(e->dtype), shape, bytes);
}

static cnnf_status read_string_entry(cnnf_tensor **out, const bundle_entry *e, const bundle *b, const shard *s,
                                     const char *name, cnnf_error *error)
{
    CNNFI_TRY(cnnfi_check_limit(b->context, CNNF_LIMIT_TENSOR_BYTES, (uint64_t)e->size, name, error));
    const cnnfi_string_entry where = {s->path, name, e->crc};
    uint8_t *bytes = cnnfi_malloc(b->context, (size_t)e->size);
    if (!bytes) return cnnfi_fail_nomem(error);
    cnnf_status status = cnnfi_source_read(s->source, (uint64_t)e->offset, bytes, (size_t)e->size, error);
    if (status == CNNF_OK)
        status = cnnfi_strings_decode(out, b->context, &e->shape, (cnnfi_bytes){bytes, (size_t)e->size}, &where, error);
    cnnfi_free(b->context, bytes);
    return status;
}

static cnnf_status whole_tensor(cnnf_tensor **out, const bundle_entry *e, bundle *b, const shard *s, const char *name,
                                cnnf_error *error)
{
    CNNFI_TRY(check_size(e, b, name, error));
    CNNFI_TRY(cnnfi_budget_spend(b->checkpoint->budget, 1, error));
    CNNFI_TRY(check_place(e, s, name, error));
    if (e->dtype == CNNF_STRING) return read_string_entry(out, e, b, s, name, error);
    return cnnfi_tensor_range(out, b->context, e->dtype, e->shape.rank, e->shape.dims, s->source, (uint64_t)e->offset,
                              (size_t)e->size, true, e->crc, error);
}

/* ---- partitioned variables ---- */

static const bundle_entry *find_slice(const bundle *b, const char *name, const cnnfi_extent *extents, int32_t rank,
                                      cnnf_status *status)
{
    cnnfi_strbuf key;
    const bundle_entry *found = NULL;
    cnnfi_strbuf_init(&key, b->context);
    cnnfi_ordered_slice_key(&key, name, extents, rank);
    *status = key.failed ? CNNF_E_NOMEM : CNNF_OK;
    const bundle_entry wanted = {.key = {(const uint8_t *)key.data, key.size}};
    if (!key.failed) found = bsearch(&wanted, b->entries, b->count, sizeof wanted, compare_entries);
    cnnfi_strbuf_free(&key);
    return found;
}

static bool slice_shape_fits(const bundle_entry *part, const bundle_entry *whole, const cnnfi_extent *extents)
{
    if (part->dtype != whole->dtype || part->shape.rank != whole->shape.rank) return false;
    for (int32_t i = 0; i < whole->shape.rank; i++) {
        if (part->shape.dims[i] != (extents[i].length < 0 ? whole->shape.dims[i] : extents[i].length)) return false;
    }
    return true;
}

/* Reads one slice (its crc verified) and puts it in its place. */
static cnnf_status place_slice(uint8_t *bytes, bundle *b, const bundle_entry *whole, const bundle_entry *part,
                               const cnnfi_extent *extents, cnnf_error *error)
{
    const char *name = (const char *)whole->key.data;
    cnnf_tensor *range = NULL, *loaded = NULL;
    shard *s;
    cnnf_status status = open_shard(&s, b, part->shard, error);
    if (status == CNNF_OK) status = whole_tensor(&range, part, b, s, name, error);
    if (status == CNNF_OK) status = cnnf_tensor_load(&loaded, range, error);
    if (status == CNNF_OK)
        cnnfi_slice_scatter(bytes, cnnf_tensor_data(loaded), extents, whole->shape.rank, whole->shape.dims,
                            cnnf_dtype_size(whole->dtype));
    cnnf_tensor_unref(loaded);
    cnnf_tensor_unref(range);
    return status;
}

static cnnf_status fill_slices(cnnf_tensor *tensor, bundle *b, const bundle_entry *e, cnnfi_extent *extents,
                               cnnf_error *error)
{
    const char *name = (const char *)e->key.data;
    const size_t rank = (size_t)e->shape.rank;
    for (size_t i = 0; i < e->n_slices; i++)
        CNNFI_TRY(
            cnnfi_slice_parse(extents + i * rank, e->shape.rank, e->shape.dims, e->slices[i], b->file, name, i, error));
    CNNFI_TRY(cnnfi_slices_cover(extents, e->n_slices, e->shape.rank, e->shape.dims, b->file, name,
                                 b->checkpoint->budget, error));
    for (size_t i = 0; i < e->n_slices; i++) {
        cnnf_status status;
        const bundle_entry *part = find_slice(b, name, extents + i * rank, e->shape.rank, &status);
        if (status != CNNF_OK) return cnnfi_fail_nomem(error);
        if (!part) return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s': slice %zu has no entry", b->file, name, i);
        if (!slice_shape_fits(part, e, extents + i * rank))
            return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s': slice %zu: its entry has another shape or dtype",
                              b->file, name, i);
        CNNFI_TRY(place_slice(cnnf_tensor_data_mut(tensor), b, e, part, extents + i * rank, error));
    }
    return CNNF_OK;
}

/* Slices lie apart in the shards: the whole is put together in memory, once. */
static cnnf_status sliced_tensor(cnnf_tensor **out, bundle *b, const bundle_entry *e, cnnf_error *error)
{
    cnnf_tensor *tensor = NULL;
    const size_t rank = e->shape.rank ? (size_t)e->shape.rank : 1;
    if (e->dtype == CNNF_STRING)
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: '%s': a partitioned string tensor", b->file,
                          (const char *)e->key.data);
    size_t count;
    if (!cnnfi_mul_size(&count, e->n_slices, rank)) return cnnfi_fail_nomem(error);
    cnnfi_extent *extents = cnnfi_array(b->context, count, sizeof *extents);
    if (!extents) return cnnfi_fail_nomem(error);
    cnnf_status status = cnnf_tensor_new(&tensor, b->context, e->dtype, e->shape.rank, e->shape.dims, error);
    if (status == CNNF_OK) status = fill_slices(tensor, b, e, extents, error);
    cnnfi_free(b->context, extents);
    if (status == CNNF_OK)
        *out = tensor;
    else
        cnnf_tensor_unref(tensor);
    return status;
}

/* ---- the whole ---- */

static cnnf_status add_entry(bundle *b, const bundle_entry *e, cnnf_error *error)
{
    shard *s = NULL;
    cnnfi_checkpoint_item item = {.crc = e->crc, .has_crc = e->n_slices == 0};
    const char *name = (const char *)e->key.data;
    item.name = cnnfi_arena_strndup(&b->checkpoint->arena, name, e->key.size);
    if (!item.name) return cnnfi_fail_nomem(error);
    if (e->n_slices > 0) {
        CNNFI_TRY(sliced_tensor(&item.tensor, b, e, error));
    } else {
        CNNFI_TRY(open_shard(&s, b, e->shard, error));
        CNNFI_TRY(whole_tensor(&item.tensor, e, b, s, name, error));
        if (s->lost) item.lost = s->path;
    }
    return cnnfi_checkpoint_add(b->checkpoint, &item, error);
}

static cnnf_status add_entries(bundle *b, cnnf_error *error)
{
    if (!b->have_header) return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: bundle header entry missing", b->file);
    for (size_t i = 0; i < b->count; i++) {
        if (!is_slice_key(b->entries[i].key)) CNNFI_TRY(add_entry(b, &b->entries[i], error));
    }
    return CNNF_OK;
}

static void bundle_free(bundle *b)
{
    for (int64_t i = 0; b->shards && i < b->n_shards; i++)
        cnnfi_source_unref(b->shards[i].source);
    cnnfi_free(b->context, b->entries);
    cnnfi_arena_free(&b->arena);
}

cnnf_status cnnfi_checkpoint_read_bundle(cnnf_checkpoint *checkpoint, const char *prefix, cnnf_error *error)
{
    bundle b = {.checkpoint = checkpoint, .context = checkpoint->context, .prefix = prefix};
    cnnfi_source *index = NULL;
    cnnfi_arena_init(&b.arena, b.context);
    b.file = checkpoint->path = cnnfi_arena_printf(&checkpoint->arena, "%s.index", prefix);
    cnnf_status status = b.file ? cnnfi_source_open(&index, b.context, b.file, error) : cnnfi_fail_nomem(error);
    if (status == CNNF_OK) status = cnnfi_table_visit(index, index_entry, &b, checkpoint->budget, error);
    if (status == CNNF_OK) status = add_entries(&b, error);
    cnnfi_source_unref(index);
    bundle_free(&b);
    return status;
}
