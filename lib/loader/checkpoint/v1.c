/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoint V1 (tensorflow/core/util/tensor_slice_reader.cc): one table per shard. Key "" holds
 * SavedTensorSlices.meta (names, shapes, slices), each other key a slice's values as a TensorProto.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"
#include "base/num.h"
#include "base/wire.h"
#include "graph/tensor_proto.h"
#include "loader/checkpoint/checkpoint_impl.h"
#include "loader/checkpoint/table_read.h"

#define MAX_EXPANSION 256 /* of values over the file's bytes: snappy and one-byte varints of eight-byte numbers */
#define SPILL_BYTES   ((size_t)4 * 1024 * 1024)

/* SavedSliceMeta. */
typedef struct v1_tensor {
    const char *name;
    cnnf_dtype dtype;
    cnnfi_shape shape;
    size_t n_slices, n_seen;
    cnnfi_extent *extents; /* n_slices x rank */
    cnnf_tensor *tensor;
} v1_tensor;

typedef struct v1_reader {
    cnnf_checkpoint *checkpoint;
    cnnf_context *context;
    const char *file;    /* the shard being read */
    uint64_t file_bytes; /* of it */
    bool have_meta;
    size_t count, capacity;
    v1_tensor *tensors;
    cnnfi_strmap names;
    cnnfi_source *spill; /* big tensors after decoding; NULL until one comes */
} v1_reader;

static cnnf_status corrupt(const v1_reader *r, const char *name, const char *what, cnnf_error *error)
{
    return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s': %s", r->file, name, what);
}

/* ---- meta ---- */

/* SavedSliceMeta {name = 1, shape = 2, type = 3, slice = 4}. */
typedef struct slice_meta {
    cnnfi_bytes name, shape;
    int64_t type;
    size_t n_slices;
} slice_meta;

static bool read_slice_meta(slice_meta *meta, cnnfi_bytes message)
{
    cnnfi_cursor c = cnnfi_cursor_of(message.data, message.size);
    cnnfi_wire_field field;
    int more;
    *meta = (slice_meta){.type = 0};
    while ((more = cnnfi_wire_next(&c, &field)) > 0) {
        if (cnnfi_wire_is(&field, 1, CNNFI_WIRE_BYTES)) meta->name = field.bytes;
        if (cnnfi_wire_is(&field, 2, CNNFI_WIRE_BYTES)) meta->shape = field.bytes;
        if (cnnfi_wire_is(&field, 3, CNNFI_WIRE_VARINT)) meta->type = (int64_t)field.value;
        if (cnnfi_wire_is(&field, 4, CNNFI_WIRE_BYTES)) meta->n_slices++;
    }
    return more == 0 && meta->name.size > 0 && !memchr(meta->name.data, 0, meta->name.size);
}

/* Adds a shard's slices of a tensor to those of the shards before. */
static cnnf_status add_extents(v1_reader *r, v1_tensor *t, cnnfi_bytes message, size_t more, cnnf_error *error)
{
    const size_t rank = (size_t)t->shape.rank, total = t->n_slices + more;
    CNNFI_TRY(cnnfi_check_limit(r->context, CNNF_LIMIT_SHARDS, total, "slices of one tensor", error));
    cnnfi_extent *extents = cnnfi_arena_array(&r->checkpoint->arena, total * rank + 1, sizeof *extents);
    if (!extents) return cnnfi_fail_nomem(error);
    if (t->n_slices) memcpy(extents, t->extents, t->n_slices * rank * sizeof *extents);
    t->extents = extents;
    cnnfi_cursor c = cnnfi_cursor_of(message.data, message.size);
    cnnfi_wire_field field;
    while (cnnfi_wire_next(&c, &field) > 0) {
        if (!cnnfi_wire_is(&field, 4, CNNFI_WIRE_BYTES)) continue;
        CNNFI_TRY(cnnfi_slice_parse(extents + t->n_slices * rank, t->shape.rank, t->shape.dims, field.bytes, r->file,
                                    t->name, t->n_slices, error));
        t->n_slices++;
    }
    return CNNF_OK;
}

static cnnf_status new_tensor(v1_reader *r, const slice_meta *meta, const char *name, cnnf_error *error)
{
    v1_tensor t = {.name = name, .dtype = (cnnf_dtype)meta->type};
    size_t bytes;
    if (meta->type < 0 || meta->type > INT32_MAX || (t.dtype != CNNF_STRING && cnnf_dtype_size(t.dtype) == 0))
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: '%s': dtype %" PRId64 " not supported", r->file, name,
                          meta->type);
    CNNFI_TRY(cnnfi_checkpoint_shape(&t.shape, &r->checkpoint->arena, meta->shape, r->file, name, error));
    CNNFI_TRY(cnnfi_shape_bytes(&bytes, r->context, t.dtype, t.shape.rank, t.shape.dims, name, error));
    if (bytes / MAX_EXPANSION > r->file_bytes) return corrupt(r, name, "more elements than the file can hold", error);
    if (!cnnfi_grow(r->context, (void **)&r->tensors, &r->capacity, r->count, sizeof t) ||
        !cnnfi_strmap_set(&r->names, name, (int64_t)r->count))
        return cnnfi_fail_nomem(error);
    r->tensors[r->count++] = t;
    return CNNF_OK;
}

static cnnf_status add_slice_meta(v1_reader *r, cnnfi_bytes message, cnnf_error *error)
{
    slice_meta meta;
    if (!read_slice_meta(&meta, message)) return corrupt(r, "", "bad slice meta message", error);
    CNNFI_TRY(cnnfi_check_limit(r->context, CNNF_LIMIT_NAME_BYTES, meta.name.size, "tensor name", error));
    CNNFI_TRY(cnnfi_check_limit(r->context, CNNF_LIMIT_ENTRIES, r->count + 1, r->file, error));
    int64_t index = cnnfi_strmap_get_n(&r->names, (const char *)meta.name.data, meta.name.size);
    if (index < 0) {
        const char *name = cnnfi_arena_strndup(&r->checkpoint->arena, meta.name.data, meta.name.size);
        if (!name) return cnnfi_fail_nomem(error);
        index = (int64_t)r->count;
        CNNFI_TRY(new_tensor(r, &meta, name, error));
    }
    v1_tensor *t = &r->tensors[index];
    if (t->tensor) return corrupt(r, t->name, "listed again after its values", error);
    return add_extents(r, t, message, meta.n_slices, error);
}

/* SavedTensorSliceMeta {tensor = 1}. */
static cnnf_status read_meta(v1_reader *r, cnnfi_bytes message, cnnf_error *error)
{
    cnnfi_cursor c = cnnfi_cursor_of(message.data, message.size);
    cnnfi_wire_field field;
    int more;
    r->have_meta = true;
    while ((more = cnnfi_wire_next(&c, &field)) > 0) {
        if (cnnfi_wire_is(&field, 1, CNNFI_WIRE_BYTES)) CNNFI_TRY(add_slice_meta(r, field.bytes, error));
    }
    return more == 0 ? CNNF_OK : corrupt(r, "", "bad meta message", error);
}

/* ---- values ---- */

static bool extents_equal(const cnnfi_extent *a, const cnnfi_extent *b, const cnnfi_shape *shape)
{
    for (int32_t i = 0; i < shape->rank; i++) {
        const int64_t x = a[i].length < 0 ? shape->dims[i] : a[i].length;
        const int64_t y = b[i].length < 0 ? shape->dims[i] : b[i].length;
        if (a[i].start != b[i].start || x != y) return false;
    }
    return true;
}

static const cnnfi_extent *find_extents(const v1_tensor *t, const cnnfi_extent *wanted)
{
    for (size_t i = 0; i < t->n_slices; i++) {
        const cnnfi_extent *e = t->extents + i * (size_t)t->shape.rank;
        if (extents_equal(e, wanted, &t->shape)) return e;
    }
    return NULL;
}

static cnnf_status string_tensor(v1_reader *r, v1_tensor *t, cnnfi_bytes values, cnnf_error *error)
{
    cnnfi_bytes *strings = NULL;
    size_t count = 0;
    int64_t elements = 0;
    cnnfi_shape_elements(&elements, t->shape.rank, t->shape.dims);
    if (t->n_slices > 1) return corrupt(r, t->name, "a partitioned string tensor", error);
    cnnf_status status = cnnfi_tensor_proto_strings(values, r->context, &strings, &count, error);
    if (status == CNNF_OK && count != (size_t)elements)
        status = corrupt(r, t->name, "another number of values than elements", error);
    if (status == CNNF_OK)
        status = cnnfi_tensor_strings(&t->tensor, r->context, t->shape.rank, t->shape.dims, strings, count, error);
    cnnfi_free(r->context, strings);
    return status;
}

/* Decodes one slice's values and puts them in their place. */
static cnnf_status numeric_slice(v1_reader *r, v1_tensor *t, const cnnfi_extent *e, cnnfi_bytes values,
                                 cnnf_error *error)
{
    int64_t count = 1;
    size_t bytes;
    for (int32_t i = 0; i < t->shape.rank; i++)
        count *= e[i].length < 0 ? t->shape.dims[i] : e[i].length;
    /* A value takes a byte at least. */
    if ((uint64_t)count > values.size) return corrupt(r, t->name, "fewer values than elements", error);
    if (!cnnfi_mul_size(&bytes, (size_t)count, cnnf_dtype_size(t->dtype))) return cnnfi_fail_nomem(error);
    if (!t->tensor) CNNFI_TRY(cnnf_tensor_new(&t->tensor, r->context, t->dtype, t->shape.rank, t->shape.dims, error));
    uint8_t *part = cnnfi_malloc(r->context, bytes);
    if (!part) return cnnfi_fail_nomem(error);
    const cnnf_status status = cnnfi_tensor_proto_decode(values, t->dtype, (size_t)count, part, error);
    if (status == CNNF_OK)
        cnnfi_slice_scatter(cnnf_tensor_data_mut(t->tensor), part, e, t->shape.rank, t->shape.dims,
                            cnnf_dtype_size(t->dtype));
    cnnfi_free(r->context, part);
    return status;
}

/* A big decoded tensor goes to an unlinked file; what stays is its place there. */
static cnnf_status spill(v1_reader *r, v1_tensor *t, cnnf_error *error)
{
    const size_t size = cnnf_tensor_byte_size(t->tensor);
    cnnf_tensor *range = NULL;
    if (size < SPILL_BYTES) return CNNF_OK;
    if (!r->spill) CNNFI_TRY(cnnfi_source_temp(&r->spill, r->context, r->file, error));
    const uint64_t at = cnnfi_source_size(r->spill);
    CNNFI_TRY(cnnfi_source_append(r->spill, cnnf_tensor_data(t->tensor), size, error));
    CNNFI_TRY(cnnfi_tensor_range(&range, r->context, t->dtype, t->shape.rank, t->shape.dims, r->spill, at, size, false,
                                 0, error));
    cnnf_tensor_unref(t->tensor);
    t->tensor = range;
    return CNNF_OK;
}

static cnnf_status add_values(v1_reader *r, v1_tensor *t, const cnnfi_extent *e, cnnfi_bytes values, cnnf_error *error)
{
    if (t->n_seen == t->n_slices) return corrupt(r, t->name, "more values than slices", error);
    if (t->dtype == CNNF_STRING)
        CNNFI_TRY(string_tensor(r, t, values, error));
    else
        CNNFI_TRY(numeric_slice(r, t, e, values, error));
    return ++t->n_seen == t->n_slices && t->dtype != CNNF_STRING ? spill(r, t, error) : CNNF_OK;
}

/* SavedSlice {name = 1, slice = 2, data = 3}. */
static cnnf_status read_data(v1_reader *r, cnnfi_bytes message, cnnf_error *error)
{
    cnnfi_cursor c = cnnfi_cursor_of(message.data, message.size);
    cnnfi_wire_field field;
    cnnfi_bytes name = {0}, slice = {0}, values = {0};
    cnnfi_extent wanted[CNNFI_MAX_RANK];
    int more;
    while ((more = cnnfi_wire_next(&c, &field)) > 0) {
        if (cnnfi_wire_is(&field, 1, CNNFI_WIRE_BYTES)) name = field.bytes;
        if (cnnfi_wire_is(&field, 2, CNNFI_WIRE_BYTES)) slice = field.bytes;
        if (cnnfi_wire_is(&field, 3, CNNFI_WIRE_BYTES)) values = field.bytes;
    }
    const int64_t index = cnnfi_strmap_get_n(&r->names, (const char *)name.data, name.size);
    if (more < 0 || index < 0) return corrupt(r, "", "values of a tensor that is not listed", error);
    v1_tensor *t = &r->tensors[index];
    CNNFI_TRY(cnnfi_slice_parse(wanted, t->shape.rank, t->shape.dims, slice, r->file, t->name, 0, error));
    const cnnfi_extent *e = find_extents(t, wanted);
    if (!e) return corrupt(r, t->name, "values of a slice that is not listed", error);
    return add_values(r, t, e, values, error);
}

/* SavedTensorSlices {meta = 1, data = 2}. */
static cnnf_status table_entry(cnnfi_bytes key, cnnfi_bytes value, void *user, cnnf_error *error)
{
    v1_reader *r = user;
    cnnfi_cursor c = cnnfi_cursor_of(value.data, value.size);
    cnnfi_wire_field field;
    int more;
    while ((more = cnnfi_wire_next(&c, &field)) > 0) {
        if (key.size == 0 && cnnfi_wire_is(&field, 1, CNNFI_WIRE_BYTES)) CNNFI_TRY(read_meta(r, field.bytes, error));
        if (key.size > 0 && cnnfi_wire_is(&field, 2, CNNFI_WIRE_BYTES)) CNNFI_TRY(read_data(r, field.bytes, error));
    }
    if (more < 0) return corrupt(r, "", "bad message", error);
    return CNNF_OK;
}

/* ---- the whole ---- */

static cnnf_status read_shard(v1_reader *r, const char *path, cnnf_error *error)
{
    cnnfi_source *source = NULL;
    r->file = path;
    r->have_meta = false;
    CNNFI_TRY(cnnfi_source_open(&source, r->context, path, error));
    r->file_bytes = cnnfi_source_size(source);
    cnnf_status status = cnnfi_table_visit(source, table_entry, r, r->checkpoint->budget, error);
    cnnfi_source_unref(source);
    if (status == CNNF_OK && !r->have_meta)
        status = cnnfi_fail(error, CNNF_E_CORRUPT, "%s: neither a V1 checkpoint nor an index (no meta entry)", path);
    return status;
}

/* `path` may be one of several shards, "export-00001-of-00004": then all are read. */
static cnnf_status read_shards(v1_reader *r, const char *path, cnnf_error *error)
{
    const size_t n = strlen(path), tail = strlen("-00000-of-00000");
    int64_t shards = 0;
    if (n > tail && memcmp(path + n - 9, "-of-", 4) == 0) cnnfi_parse_i64(path + n - 5, 5, &shards);
    if (shards < 1) return read_shard(r, path, error);
    CNNFI_TRY(cnnfi_check_limit(r->context, CNNF_LIMIT_SHARDS, (uint64_t)shards, path, error));
    for (int64_t i = 0; i < shards; i++) {
        const char *name = cnnfi_arena_printf(&r->checkpoint->arena, "%.*s-%05" PRId64 "-of-%05" PRId64,
                                              (int)(n - tail), path, i, shards);
        if (!name) return cnnfi_fail_nomem(error);
        CNNFI_TRY(read_shard(r, name, error));
    }
    return CNNF_OK;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const v1_tensor *)a)->name, ((const v1_tensor *)b)->name);
}

static cnnf_status empty_tensor(v1_reader *r, v1_tensor *t, cnnf_error *error)
{
    int64_t elements = 0;
    cnnfi_shape_elements(&elements, t->shape.rank, t->shape.dims);
    if (t->n_seen != t->n_slices || elements > 0) return corrupt(r, t->name, "values of a slice are missing", error);
    if (t->dtype == CNNF_STRING)
        return cnnfi_tensor_strings(&t->tensor, r->context, t->shape.rank, t->shape.dims, NULL, 0, error);
    return cnnf_tensor_new(&t->tensor, r->context, t->dtype, t->shape.rank, t->shape.dims, error);
}

static cnnf_status finish_tensor(v1_reader *r, v1_tensor *t, cnnf_error *error)
{
    CNNFI_TRY(cnnfi_slices_cover(t->extents, t->n_slices, t->shape.rank, t->shape.dims, r->file, t->name,
                                 r->checkpoint->budget, error));
    if (!t->tensor) CNNFI_TRY(empty_tensor(r, t, error));
    if (t->n_seen != t->n_slices) return corrupt(r, t->name, "values of a slice are missing", error);
    const cnnfi_checkpoint_item item = {.name = t->name, .tensor = t->tensor};
    t->tensor = NULL;
    return cnnfi_checkpoint_add(r->checkpoint, &item, error);
}

static void reader_free(v1_reader *r)
{
    for (size_t i = 0; i < r->count; i++)
        cnnf_tensor_unref(r->tensors[i].tensor);
    cnnfi_free(r->context, r->tensors);
    cnnfi_strmap_free(&r->names);
    cnnfi_source_unref(r->spill);
}

cnnf_status cnnfi_checkpoint_read_v1(cnnf_checkpoint *checkpoint, const char *path, cnnf_error *error)
{
    v1_reader r = {.checkpoint = checkpoint, .context = checkpoint->context};
    cnnfi_strmap_init(&r.names, r.context);
    checkpoint->path = cnnfi_arena_strdup(&checkpoint->arena, path);
    cnnf_status status = checkpoint->path ? read_shards(&r, checkpoint->path, error) : cnnfi_fail_nomem(error);
    if (status == CNNF_OK && r.count) qsort(r.tensors, r.count, sizeof *r.tensors, compare_names);
    for (size_t i = 0; status == CNNF_OK && i < r.count; i++)
        status = finish_tensor(&r, &r.tensors[i], error);
    reader_free(&r);
    return status;
}
