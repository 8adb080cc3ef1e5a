/* SPDX-License-Identifier: Apache-2.0 */
/* Partitioned variables: shapes and slices of a tensor, and moving a slice into or out of the whole. */
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"
#include "base/wire.h"
#include "loader/checkpoint/checkpoint_impl.h"

/* TensorShapeProto.Dim {size = 1}. */
static bool parse_dim(cnnfi_bytes message, int64_t *size)
{
    cnnfi_cursor c = cnnfi_cursor_of(message.data, message.size);
    cnnfi_wire_field field;
    int more;
    *size = 0;
    while ((more = cnnfi_wire_next(&c, &field)) > 0) {
        if (cnnfi_wire_is(&field, 1, CNNFI_WIRE_VARINT)) *size = (int64_t)field.value;
    }
    return more == 0;
}

static cnnf_status count_dims(size_t *rank, const cnnfi_arena *arena, cnnfi_bytes message, const char *file,
                              const char *tensor, cnnf_error *error)
{
    cnnfi_cursor c = cnnfi_cursor_of(message.data, message.size);
    cnnfi_wire_field field;
    int more;
    *rank = 0;
    while ((more = cnnfi_wire_next(&c, &field)) > 0) {
        if (cnnfi_wire_is(&field, 2, CNNFI_WIRE_BYTES)) ++*rank;
        if (cnnfi_wire_is(&field, 3, CNNFI_WIRE_VARINT) && field.value)
            return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s': unknown rank", file, tensor);
    }
    if (more < 0) return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s': bad shape message", file, tensor);
    if (*rank > CNNFI_MAX_RANK) return cnnfi_fail(error, CNNF_E_LIMIT, "%s: '%s': rank %zu", file, tensor, *rank);
    return cnnfi_check_limit(arena->context, CNNF_LIMIT_RANK, *rank, tensor, error);
}

cnnf_status cnnfi_checkpoint_shape(cnnfi_shape *out, cnnfi_arena *arena, cnnfi_bytes message, const char *file,
                                   const char *tensor, cnnf_error *error)
{
    size_t rank, i = 0;
    CNNFI_TRY(count_dims(&rank, arena, message, file, tensor, error));
    int64_t *dims = cnnfi_arena_array(arena, rank ? rank : 1, sizeof *dims);
    if (!dims) return cnnfi_fail_nomem(error);
    cnnfi_cursor c = cnnfi_cursor_of(message.data, message.size);
    cnnfi_wire_field field;
    while (cnnfi_wire_next(&c, &field) > 0) {
        if (!cnnfi_wire_is(&field, 2, CNNFI_WIRE_BYTES)) continue;
        if (!parse_dim(field.bytes, &dims[i]))
            return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s': bad dimension %zu", file, tensor, i);
        if (dims[i] < 0)
            return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s': dimension %zu is %" PRId64, file, tensor, i, dims[i]);
        i++;
    }
    *out = (cnnfi_shape){.rank = (int32_t)rank, .dims = dims};
    return CNNF_OK;
}

/* TensorSliceProto.Extent {start = 1, oneof {length = 2}}: without a length it is the whole dimension. */
static bool parse_extent(cnnfi_bytes message, cnnfi_extent *extent)
{
    cnnfi_cursor c = cnnfi_cursor_of(message.data, message.size);
    cnnfi_wire_field field;
    int more;
    *extent = (cnnfi_extent){.start = 0, .length = -1};
    while ((more = cnnfi_wire_next(&c, &field)) > 0) {
        if (cnnfi_wire_is(&field, 1, CNNFI_WIRE_VARINT)) extent->start = (int64_t)field.value;
        if (cnnfi_wire_is(&field, 2, CNNFI_WIRE_VARINT)) {
            extent->length = (int64_t)field.value;
            if (extent->length < 0) return false;
        }
    }
    return more == 0;
}

typedef struct slice_place {
    const char *file, *tensor;
    size_t slice;
} slice_place;

static cnnf_status check_extent(const cnnfi_extent *e, int64_t dim, size_t axis, const slice_place *at,
                                cnnf_error *error)
{
    int64_t end;
    if (e->start < 0)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s': slice %zu extent %zu: start %" PRId64, at->file, at->tensor,
                          at->slice, axis, e->start);
    if (e->length < 0 && e->start != 0)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s': slice %zu extent %zu: start %" PRId64 " without a length",
                          at->file, at->tensor, at->slice, axis, e->start);
    if (e->length >= 0 && (!cnnfi_add_i64(&end, e->start, e->length) || end > dim))
        return cnnfi_fail(error, CNNF_E_CORRUPT,
                          "%s: '%s': slice %zu extent %zu: [%" PRId64 ",+%" PRId64 ") beyond dimension %" PRId64,
                          at->file, at->tensor, at->slice, axis, e->start, e->length, dim);
    return CNNF_OK;
}

cnnf_status cnnfi_slice_parse(cnnfi_extent *extents, int32_t rank, const int64_t *dims, cnnfi_bytes message,
                              const char *file, const char *tensor, size_t index, cnnf_error *error)
{
    const slice_place at = {file, tensor, index};
    cnnfi_cursor c = cnnfi_cursor_of(message.data, message.size);
    cnnfi_wire_field field;
    size_t n = 0;
    int more;
    while ((more = cnnfi_wire_next(&c, &field)) > 0) {
        if (!cnnfi_wire_is(&field, 1, CNNFI_WIRE_BYTES)) continue;
        if (n == (size_t)rank || !parse_extent(field.bytes, &extents[n])) break;
        CNNFI_TRY(check_extent(&extents[n], dims[n], n, &at, error));
        n++;
    }
    if (more != 0 || n != (size_t)rank)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s': slice %zu: bad extents (tensor has %d dimensions)", file,
                          tensor, index, rank);
    return CNNF_OK;
}

static int64_t extent_length(const cnnfi_extent *e, int64_t dim)
{
    return e->length < 0 ? dim : e->length;
}

static bool overlap(const cnnfi_extent *a, const cnnfi_extent *b, int32_t rank, const int64_t *dims)
{
    for (int32_t i = 0; i < rank; i++) {
        if (a[i].start >= b[i].start + extent_length(&b[i], dims[i]) ||
            b[i].start >= a[i].start + extent_length(&a[i], dims[i]))
            return false;
    }
    return true;
}

/* The extents were checked against dims, whose product fits: no overflow here. */
static int64_t slice_elements(const cnnfi_extent *extents, int32_t rank, const int64_t *dims)
{
    int64_t n = 1;
    for (int32_t i = 0; i < rank; i++)
        n *= extent_length(&extents[i], dims[i]);
    return n;
}

/* Compared with one. */
#define SLICES_OF_A_STEP 16

cnnf_status cnnfi_slices_cover(const cnnfi_extent *extents, size_t count, int32_t rank, const int64_t *dims,
                               const char *file, const char *tensor, cnnfi_budget *budget, cnnf_error *error)
{
    int64_t total = 0, covered = 0;
    if (!cnnfi_shape_elements(&total, rank, dims))
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s': shape overflows", file, tensor);
    const size_t stride = (size_t)rank;
    for (size_t i = 0; i < count; i++) {
        CNNFI_TRY(cnnfi_budget_spend(budget, 1 + i / SLICES_OF_A_STEP, error));
        for (size_t j = 0; j < i; j++) {
            if (overlap(extents + i * stride, extents + j * stride, rank, dims) && total > 0)
                return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s': slices %zu and %zu overlap", file, tensor, j, i);
        }
        covered += slice_elements(extents + i * stride, rank, dims);
    }
    if (covered != total)
        return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s': slices cover %" PRId64 " of %" PRId64 " elements", file,
                          tensor, covered, total);
    return CNNF_OK;
}

/* The next run along the last axis: odometer over the others. false at the end. */
static bool next_run(int64_t *position, const cnnfi_extent *extents, int32_t rank, const int64_t *dims)
{
    for (int32_t i = rank - 2; i >= 0; i--) {
        if (++position[i] < extent_length(&extents[i], dims[i])) return true;
        position[i] = 0;
    }
    return false;
}

static int64_t run_offset(const int64_t *position, const cnnfi_extent *extents, int32_t rank, const int64_t *dims)
{
    int64_t at = 0;
    for (int32_t i = 0; i < rank; i++)
        at = at * dims[i] + extents[i].start + (i < rank - 1 ? position[i] : 0);
    return at;
}

void cnnfi_slice_scatter(uint8_t *whole, const uint8_t *part, const cnnfi_extent *extents, int32_t rank,
                         const int64_t *dims, size_t item_size)
{
    int64_t position[CNNFI_MAX_RANK] = {0};
    if (slice_elements(extents, rank, dims) == 0) return;
    const size_t run = item_size * (rank ? (size_t)extent_length(&extents[rank - 1], dims[rank - 1]) : 1);
    do {
        memcpy(whole + (size_t)run_offset(position, extents, rank, dims) * item_size, part, run);
        part += run;
    } while (next_run(position, extents, rank, dims));
}

void cnnfi_slice_gather(uint8_t *part, const uint8_t *whole, const cnnfi_extent *extents, int32_t rank,
                        const int64_t *dims, size_t item_size)
{
    int64_t position[CNNFI_MAX_RANK] = {0};
    if (slice_elements(extents, rank, dims) == 0) return;
    const size_t run = item_size * (rank ? (size_t)extent_length(&extents[rank - 1], dims[rank - 1]) : 1);
    do {
        memcpy(part, whole + (size_t)run_offset(position, extents, rank, dims) * item_size, run);
        part += run;
    } while (next_run(position, extents, rank, dims));
}
