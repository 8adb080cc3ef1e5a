/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/hdf5/hdf5_dataset.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"
#include "graph/tensor.h"
#include "loader/hdf5/hdf5_convert.h"
#include "loader/hdf5/hdf5_filter.h"
#include "loader/hdf5/hdf5_heap.h"

/* Decoded data beyond this much per file goes to a temporary file, in pieces of about PIECE_BYTES. */
#define DECODED_IN_MEMORY ((size_t)16 * 1024 * 1024)
#define PIECE_BYTES       ((size_t)4 * 1024 * 1024)
/* All datasets together decode to no more than this many times the file: deflate's best, and room for fill values. */
#define MAX_EXPANSION 1100u

typedef struct dataset {
    cnnfi_h5_store *store;
    cnnfi_h5_decoded *decoded;
    const char *where;
    cnnfi_h5_type type;
    cnnfi_h5_space space;
    cnnfi_h5_layout layout;
    cnnfi_h5_filters filters;
    cnnfi_h5_fill fill;
    cnnfi_h5_chunks chunks;
    cnnf_dtype floats, dtype;
    int64_t dims[CNNFI_H5_MAX_RANK];
    uint64_t declared;   /* bytes of the elements as stored, before filters */
    size_t size;         /* bytes of the tensor */
    size_t element_size; /* of the tensor */
} dataset;

/* ---- what the header says ---- */

/* "External storage": raw files named in a local heap. */
static cnnf_status refuse_external(const dataset *d, const cnnfi_h5_message *m)
{
    cnnfi_h5_local_heap heap;
    const char *file = NULL;
    if (m->size < 24) return CNNFI_H5_CORRUPT(d->store, m->at, "an external files message that is damaged");
    CNNFI_TRY(cnnfi_h5_read_local_heap(d->store, cnnfi_le64(m->p + 8), &heap));
    file = cnnfi_h5_heap_string(&heap, cnnfi_le64(m->p + 16));
    return cnnfi_fail(d->store->error, CNNF_E_UNSUPPORTED, "%s stores its data in another file ('%.200s'); refused",
                      d->where, file ? file : "?");
}

static cnnf_status decode_messages(dataset *d, const cnnfi_h5_header *h)
{
    cnnfi_h5_store *store = d->store;
    const cnnfi_h5_message *type = cnnfi_h5_find(h, CNNFI_H5_MSG_DATATYPE),
                           *space = cnnfi_h5_find(h, CNNFI_H5_MSG_DATASPACE),
                           *layout = cnnfi_h5_find(h, CNNFI_H5_MSG_LAYOUT),
                           *external = cnnfi_h5_find(h, CNNFI_H5_MSG_EXTERNAL),
                           *filters = cnnfi_h5_find(h, CNNFI_H5_MSG_FILTERS),
                           *fill = cnnfi_h5_find(h, CNNFI_H5_MSG_FILL);
    if (!layout) return cnnfi_fail(store->error, CNNF_E_CORRUPT, "%s: is no dataset", d->where);
    if (!type || !space) return CNNFI_H5_CORRUPT(store, h->at, "a dataset without type or shape");
    if (!fill) fill = cnnfi_h5_find(h, CNNFI_H5_MSG_OLD_FILL);
    CNNFI_TRY(cnnfi_h5_decode_layout(store, layout, &d->layout));
    if (d->layout.class == CNNFI_H5_VIRTUAL)
        return cnnfi_fail(store->error, CNNF_E_UNSUPPORTED, "%s is a virtual dataset over other files; refused",
                          d->where);
    if (external) return refuse_external(d, external);
    CNNFI_TRY(cnnfi_h5_decode_type(store, type, &d->type));
    CNNFI_TRY(cnnfi_h5_decode_space(store, space, &d->space));
    if (filters) CNNFI_TRY(cnnfi_h5_decode_filters(store, filters, &d->filters));
    return fill ? cnnfi_h5_decode_fill(store, fill, &d->fill) : CNNF_OK;
}

static cnnf_status check_type(dataset *d)
{
    cnnf_error *error = d->store->error;
    if (d->type.class != CNNFI_H5_INTEGER && d->type.class != CNNFI_H5_FLOAT)
        return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: type %s, want float", d->where,
                          d->type.variable ? "vlen string" : cnnfi_h5_class_name(d->type.class));
    if (d->type.refuse) return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "%s: %s", d->where, d->type.refuse);
    if (d->fill.value && d->fill.size != d->type.size)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: its fill value has %" PRIu32 " bytes, its elements have %" PRIu32,
                          d->where, d->fill.size, d->type.size);
    d->dtype = cnnfi_h5_dtype(&d->type, d->floats);
    return cnnfi_h5_check_filters(d->store, &d->filters, d->type.size, d->where);
}

static cnnf_status check_shape(dataset *d)
{
    cnnfi_h5_store *store = d->store;
    if (d->space.null) return cnnfi_fail(store->error, CNNF_E_CORRUPT, "%s: has no shape", d->where);
    CNNFI_TRY(cnnfi_check_limit(store->context, CNNF_LIMIT_RANK, d->space.rank, d->where, store->error));
    for (unsigned i = 0; i < d->space.rank; i++)
        d->dims[i] = (int64_t)d->space.dims[i];
    if (__builtin_mul_overflow(d->space.points, (uint64_t)d->type.size, &d->declared))
        return cnnfi_fail(store->error, CNNF_E_CORRUPT, "%s: its shape overflows", d->where);
    if (d->layout.class != CNNFI_H5_CHUNKED) return CNNF_OK;
    if (d->layout.rank != d->space.rank || d->layout.element_size != d->type.size)
        return CNNFI_H5_CORRUPT(store, d->layout.at, "chunks that do not fit their dataset");
    for (unsigned i = 0; i < d->layout.rank; i++)
        if (d->layout.chunk[i] == 0) return CNNFI_H5_CORRUPT(store, d->layout.at, "chunks without elements");
    return CNNF_OK;
}

/* ---- what is stored ---- */

static cnnf_status fail_stored(const dataset *d, uint64_t stored)
{
    return cnnfi_fail(d->store->error, CNNF_E_CORRUPT, "%s: declares %" PRIu64 " bytes but stores %" PRIu64, d->where,
                      d->declared, stored);
}

static bool in_place(const dataset *d)
{
    return d->layout.class == CNNFI_H5_CONTIGUOUS && d->layout.address != CNNFI_H5_UNDEFINED && d->size > 0 &&
           cnnfi_h5_as_stored(&d->type, d->floats);
}

static uint64_t largest_expansion(const dataset *d)
{
    return d->store->size > UINT64_MAX / MAX_EXPANSION ? UINT64_MAX : d->store->size * MAX_EXPANSION;
}

/* Elements that were never written, and chunks that many datasets share, must not make much of a small file. */
static cnnf_status count_decoded(dataset *d, cnnfi_h5_object *object)
{
    cnnfi_h5_decoded *all = d->decoded;
    if (object->counted) return CNNF_OK;
    object->counted = true;
    all->stored += d->chunks.stored;
    if (all->stored > d->store->size) return CNNFI_H5_CORRUPT(d->store, d->layout.at, "datasets share their chunks");
    if (__builtin_add_overflow(all->declared, d->declared, &all->declared) || all->declared > largest_expansion(d))
        return fail_stored(d, d->chunks.stored);
    return cnnfi_check_limit(d->store->context, CNNF_LIMIT_FILE_BYTES, all->declared, d->where, d->store->error);
}

/* What is declared must be there; only then do limits have a say. */
static cnnf_status check_storage(dataset *d)
{
    cnnfi_h5_store *store = d->store;
    const cnnfi_h5_layout *layout = &d->layout;
    const bool nowhere = layout->class == CNNFI_H5_CONTIGUOUS && layout->address == CNNFI_H5_UNDEFINED;
    if (d->filters.count > 0 && layout->class != CNNFI_H5_CHUNKED)
        return CNNFI_H5_CORRUPT(store, layout->at, "filters of data that have no chunks");
    if (layout->class != CNNFI_H5_CHUNKED && !nowhere && layout->size != d->declared)
        return fail_stored(d, layout->size);
    if (layout->class == CNNFI_H5_CONTIGUOUS && !nowhere &&
        !cnnfi_range_fits(layout->address, d->declared, store->size))
        return CNNFI_H5_CORRUPT(store, layout->at, "%" PRIu64 " bytes of data at %" PRIu64 " lie outside the file",
                                d->declared, layout->address);
    if (d->declared > largest_expansion(d)) return fail_stored(d, 0);
    return CNNF_OK;
}

/* ---- decoding ---- */

/* Rows of the first dimension that are decoded together: [from, from + rows) in `bytes`, as the tensor has them. */
typedef struct band {
    uint64_t from, rows;
    uint8_t *bytes;
} band;

static size_t row_bytes(const dataset *d)
{
    return d->space.rank > 0 && d->space.dims[0] > 0 ? d->size / (size_t)d->space.dims[0] : d->size;
}

static void fill_band(const dataset *d, const band *b)
{
    uint8_t one[8] = {0};
    const size_t size = (size_t)b->rows * row_bytes(d);
    if (d->fill.value) cnnfi_h5_convert(&d->type, d->floats, d->fill.value, one, 1);
    for (size_t i = 0; i < size; i += d->element_size)
        memcpy(b->bytes + i, one, d->element_size);
}

/* Where a chunk lies in its dataset, and how much of it is inside. */
typedef struct box {
    uint64_t start[CNNFI_H5_MAX_RANK], size[CNNFI_H5_MAX_RANK];
    bool partial;
} box;

static box chunk_box(const dataset *d, size_t index)
{
    box b = {.partial = false};
    for (unsigned i = d->layout.rank; i-- > 0;) {
        const uint64_t chunk = d->layout.chunk[i], dim = d->space.dims[i];
        b.start[i] = index % d->chunks.grid[i] * chunk;
        index /= (size_t)d->chunks.grid[i];
        b.size[i] = dim - b.start[i] < chunk ? dim - b.start[i] : chunk;
        b.partial = b.partial || b.size[i] < chunk;
    }
    return b;
}

/* The part of a decoded chunk that is inside the dataset, one run of the last dimension at a time. */
static void place_chunk(const dataset *d, const box *x, const uint8_t *chunk, const band *b)
{
    const unsigned rank = d->layout.rank, last = rank - 1;
    uint64_t at[CNNFI_H5_MAX_RANK] = {0};
    for (unsigned moved = 0; moved != UINT32_MAX;) {
        uint64_t from = 0, to = 0;
        for (unsigned i = 0; i < rank; i++) {
            from = from * d->layout.chunk[i] + at[i];
            to = to * d->space.dims[i] + x->start[i] + at[i] - (i == 0 ? b->from : 0);
        }
        cnnfi_h5_convert(&d->type, d->floats, chunk + from * d->type.size, b->bytes + to * d->element_size,
                         (size_t)x->size[last]);
        for (moved = last; moved-- > 0;) {
            if (++at[moved] < x->size[moved]) break;
            at[moved] = 0;
        }
    }
}

static cnnf_status decode_chunk(const dataset *d, size_t index, const band *b)
{
    cnnfi_h5_store *store = d->store;
    cnnfi_h5_chunk chunk = d->chunks.items[index];
    uint8_t *bytes = NULL;
    const box x = chunk_box(d, index);
    if (chunk.at == CNNFI_H5_UNDEFINED) return CNNF_OK; /* the band is filled already */
    if (x.partial && d->layout.edges_unfiltered)
        chunk.mask = UINT32_MAX;
    else if (chunk.mask >> d->filters.count)
        return CNNFI_H5_CORRUPT(store, chunk.at, "a chunk skips filters that there are not");
    CNNFI_TRY(cnnfi_h5_decode_chunk(store, &d->filters, &chunk, (size_t)d->chunks.bytes, &bytes));
    place_chunk(d, &x, bytes, b);
    cnnfi_free(store->context, bytes);
    return CNNF_OK;
}

/* `from` is a multiple of the chunks' rows. */
static cnnf_status decode_chunks(const dataset *d, const band *b)
{
    const size_t per_row = d->chunks.count / (size_t)d->chunks.grid[0];
    const uint64_t first = b->from / d->layout.chunk[0],
                   end = first + (b->rows + d->layout.chunk[0] - 1) / d->layout.chunk[0];
    fill_band(d, b);
    for (size_t i = (size_t)first * per_row; i < (size_t)end * per_row; i++)
        CNNFI_TRY(decode_chunk(d, i, b));
    return CNNF_OK;
}

static cnnf_status convert_range(const dataset *d, const band *b)
{
    cnnfi_h5_store *store = d->store;
    const size_t size = (size_t)b->rows * row_bytes(d), step = CNNFI_PIECE_BYTES / 8;
    const uint64_t first = b->from * row_bytes(d) / d->element_size;
    uint8_t *piece = cnnfi_malloc(store->context, CNNFI_PIECE_BYTES);
    cnnf_status status = piece ? CNNF_OK : cnnfi_fail_nomem(store->error);
    for (size_t i = 0, count = size / d->element_size; status == CNNF_OK && i < count; i += step) {
        const size_t now = count - i < step ? count - i : step;
        status = cnnfi_source_read(store->source, store->base + d->layout.address + (first + i) * d->type.size, piece,
                                   now * d->type.size, store->error);
        if (status == CNNF_OK) cnnfi_h5_convert(&d->type, d->floats, piece, b->bytes + i * d->element_size, now);
    }
    cnnfi_free(store->context, piece);
    return status;
}

static cnnf_status decode_band(const dataset *d, const band *b)
{
    if (d->size == 0) return CNNF_OK;
    if (d->layout.class == CNNFI_H5_CHUNKED) return decode_chunks(d, b);
    if (d->layout.class == CNNFI_H5_CONTIGUOUS && d->layout.address != CNNFI_H5_UNDEFINED) return convert_range(d, b);
    if (d->layout.class == CNNFI_H5_CONTIGUOUS)
        fill_band(d, b);
    else
        cnnfi_h5_convert(&d->type, d->floats,
                         d->layout.compact + b->from * row_bytes(d) / d->element_size * d->type.size, b->bytes,
                         (size_t)b->rows * row_bytes(d) / d->element_size);
    return CNNF_OK;
}

/* ---- where the tensor goes ---- */

static cnnf_status decode_in_memory(cnnf_tensor **out, const dataset *d)
{
    cnnf_error *error = d->store->error;
    CNNFI_TRY(cnnf_tensor_new(out, d->store->context, d->dtype, (int32_t)d->space.rank, d->dims, error));
    const band all = {0, d->space.rank > 0 ? d->space.dims[0] : 1, cnnf_tensor_data_mut(*out)};
    const cnnf_status status = decode_band(d, &all);
    if (status == CNNF_OK) {
        d->decoded->in_memory += d->size;
    } else {
        cnnf_tensor_unref(*out);
        *out = NULL;
    }
    return status;
}

/* Pieces are whole rows of chunks, so that no chunk is decoded twice. */
static uint64_t piece_rows(const dataset *d)
{
    const uint64_t dim = d->space.dims[0], chunk = d->layout.class == CNNFI_H5_CHUNKED ? d->layout.chunk[0] : 1;
    const size_t row = row_bytes(d);
    uint64_t rows = row < PIECE_BYTES ? PIECE_BYTES / row : 1;
    if (chunk >= dim) return dim;
    rows = (rows + chunk - 1) / chunk * chunk;
    return rows < dim ? rows : dim;
}

static cnnf_status append_bands(const dataset *d)
{
    cnnfi_h5_store *store = d->store;
    const uint64_t rows = piece_rows(d), dim = d->space.dims[0];
    band b = {.bytes = cnnfi_array(store->context, (size_t)rows, row_bytes(d))};
    cnnf_status status = b.bytes ? CNNF_OK : cnnfi_fail_nomem(store->error);
    for (; status == CNNF_OK && b.from < dim; b.from += rows) {
        b.rows = dim - b.from < rows ? dim - b.from : rows;
        status = decode_band(d, &b);
        if (status == CNNF_OK)
            status = cnnfi_source_append(d->decoded->file, b.bytes, (size_t)b.rows * row_bytes(d), store->error);
    }
    cnnfi_free(store->context, b.bytes);
    return status;
}

static cnnf_status decode_to_file(cnnf_tensor **out, const dataset *d)
{
    cnnfi_h5_store *store = d->store;
    cnnfi_source **file = &d->decoded->file;
    if (!*file) CNNFI_TRY(cnnfi_source_temp(file, store->context, store->name, store->error));
    const uint64_t offset = cnnfi_source_size(*file);
    CNNFI_TRY(append_bands(d));
    return cnnfi_tensor_range(out, store->context, d->dtype, (int32_t)d->space.rank, d->dims, *file, offset, d->size,
                              false, 0, store->error);
}

static cnnf_status make_tensor(cnnf_tensor **out, dataset *d, cnnfi_h5_object *object)
{
    cnnfi_h5_store *store = d->store;
    CNNFI_TRY(
        cnnfi_shape_bytes(&d->size, store->context, d->dtype, (int32_t)d->space.rank, d->dims, d->where, store->error));
    d->element_size = d->space.points > 0 ? d->size / (size_t)d->space.points : 1;
    if (in_place(d))
        return cnnfi_tensor_range(out, store->context, d->dtype, (int32_t)d->space.rank, d->dims, store->source,
                                  store->base + d->layout.address, d->size, false, 0, store->error);
    CNNFI_TRY(cnnfi_budget_spend(store->budget, cnnfi_steps_of_bytes(d->size), store->error));
    if (d->layout.class == CNNFI_H5_CHUNKED)
        CNNFI_TRY(cnnfi_h5_read_chunks(store, &d->layout, &d->space, d->filters.count > 0, &d->chunks));
    CNNFI_TRY(count_decoded(d, object));
    const size_t in_memory = d->decoded->in_memory;
    if (d->space.rank == 0 || (d->size <= DECODED_IN_MEMORY && in_memory <= DECODED_IN_MEMORY - d->size))
        return decode_in_memory(out, d);
    return decode_to_file(out, d);
}

cnnf_status cnnfi_h5_read_dataset(cnnf_tensor **out, cnnfi_h5_store *store, cnnfi_h5_object *object,
                                  cnnfi_h5_decoded *decoded, cnnf_dtype floats, const char *where)
{
    dataset *d = cnnfi_arena_alloc(&store->scratch, sizeof *d);
    *out = NULL;
    if (!d) return cnnfi_fail_nomem(store->error);
    *d = (dataset){.store = store, .decoded = decoded, .where = where, .floats = floats};
    CNNFI_TRY(decode_messages(d, &object->header));
    CNNFI_TRY(check_type(d));
    CNNFI_TRY(check_shape(d));
    CNNFI_TRY(check_storage(d));
    return make_tensor(out, d, object);
}
