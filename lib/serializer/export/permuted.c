/* SPDX-License-Identifier: Apache-2.0 */
#include "serializer/export/permuted.h"

#include <string.h>

#include "base/context.h"
#include "base/error.h"

/* A matrix from this size on is turned in strips of at most so much. */
#define STRIP_BYTES ((size_t)16 << 20)
/* Tiles of a transpose: both sides stay in the nearest cache. */
#define TILE ((size_t)16)

/* ---- any order of axes ---- */

/* By one walk over the result. size: bytes of an element. */
static void permute(uint8_t *out, const uint8_t *from, int32_t rank, const int64_t *dims, const int32_t *perm,
                    size_t size)
{
    int64_t strides[CNNFI_PERMUTED_MAX_RANK], step[CNNFI_PERMUTED_MAX_RANK], at[CNNFI_PERMUTED_MAX_RANK] = {0};
    int64_t count = 1, place = 0;
    for (int32_t i = rank; i-- > 0; count *= dims[i])
        strides[i] = count;
    for (int32_t k = 0; k < rank; k++)
        step[k] = strides[perm[k]];
    for (int64_t i = 0; i < count; i++) {
        memcpy(out + (size_t)i * size, from + (size_t)place * size, size);
        for (int32_t k = rank; k-- > 0;) {
            place += step[k];
            if (++at[k] < dims[perm[k]]) break;
            place -= step[k] * dims[perm[k]];
            at[k] = 0;
        }
    }
}

/* ---- matrices ---- */

typedef struct matrix {
    size_t rows, columns, size; /* size: bytes of an element */
} matrix;

/* Whether the axes are two runs that change places: [rows, columns] to [columns, rows]. */
static bool is_transpose(const cnnf_tensor *tensor, const int32_t *perm, matrix *m)
{
    const int32_t rank = cnnf_tensor_rank(tensor);
    const int64_t *dims = cnnfi_tensor_dims(tensor);
    *m = (matrix){.rows = 1, .columns = 1, .size = cnnf_dtype_size(cnnf_tensor_dtype(tensor))};
    for (int32_t k = 0; k < rank; k++) {
        if (perm[k] != (perm[0] + k) % rank) return false;
        *(k < perm[0] ? &m->rows : &m->columns) *= (size_t)dims[k];
    }
    return true;
}

/* out [columns, rows] from from [rows, columns], whose rows lie `stride` elements apart. */
static void transpose_words(uint32_t *out, const uint32_t *from, const matrix *m, size_t stride)
{
    for (size_t row = 0; row < m->rows; row += TILE)
        for (size_t column = 0; column < m->columns; column += TILE)
            for (size_t c = column; c < m->columns && c < column + TILE; c++)
                for (size_t r = row; r < m->rows && r < row + TILE; r++)
                    out[c * m->rows + r] = from[r * stride + c];
}

static void transpose_bytes(uint8_t *out, const uint8_t *from, const matrix *m, size_t stride)
{
    for (size_t row = 0; row < m->rows; row += TILE)
        for (size_t column = 0; column < m->columns; column += TILE)
            for (size_t c = column; c < m->columns && c < column + TILE; c++)
                for (size_t r = row; r < m->rows && r < row + TILE; r++)
                    memcpy(out + (c * m->rows + r) * m->size, from + (r * stride + c) * m->size, m->size);
}

static void transpose(void *out, const void *from, const matrix *m, size_t stride)
{
    if (m->size == sizeof(uint32_t))
        transpose_words(out, from, m, stride);
    else
        transpose_bytes(out, from, m, stride);
}

/* Columns `first` .. first + strip.columns - 1 of the tensor, row by row. */
static cnnf_status read_strip(uint8_t *out, const cnnf_tensor *tensor, const matrix *whole, const matrix *strip,
                              size_t first, cnnf_error *error)
{
    const size_t width = strip->columns * strip->size;
    for (size_t row = 0; row < whole->rows; row++)
        CNNFI_TRY(
            cnnf_tensor_read(out + row * width, tensor, (row * whole->columns + first) * whole->size, width, error));
    return CNNF_OK;
}

static cnnf_status look_only(const void *data, size_t size, void *user, cnnf_error *error)
{
    (void)data, (void)size, (void)user, (void)error;
    return CNNF_OK;
}

/* A checksum is one of the whole, which no strip is: that is looked at before. */
static cnnf_status stream_strips(const cnnf_tensor *tensor, const matrix *whole, cnnfi_piece_fn piece, void *user,
                                 cnnf_error *error)
{
    cnnf_context *context = cnnfi_tensor_context(tensor);
    const size_t column = whole->rows * whole->size;
    matrix strip = *whole;
    strip.columns = column < STRIP_BYTES ? STRIP_BYTES / column : 1;
    if (cnnfi_tensor_has_crc(tensor)) CNNFI_TRY(cnnfi_tensor_stream(tensor, look_only, NULL, error));
    uint8_t *in = cnnfi_array(context, strip.columns, column), *out = cnnfi_array(context, strip.columns, column);
    cnnf_status status = in != NULL && out != NULL ? CNNF_OK : cnnfi_fail_nomem(error);
    for (size_t first = 0; status == CNNF_OK && first < whole->columns; first += strip.columns) {
        if (strip.columns > whole->columns - first) strip.columns = whole->columns - first;
        status = read_strip(in, tensor, whole, &strip, first, error);
        if (status != CNNF_OK) break;
        transpose(out, in, &strip, strip.columns);
        status = piece(out, strip.columns * column, user, error);
    }
    cnnfi_free(context, in);
    cnnfi_free(context, out);
    return status;
}

/* m NULL: no matrix. */
static cnnf_status stream_whole(const cnnf_tensor *tensor, const int32_t *perm, const matrix *m, cnnfi_piece_fn piece,
                                void *user, cnnf_error *error)
{
    cnnf_context *context = cnnfi_tensor_context(tensor);
    const size_t size = cnnf_tensor_byte_size(tensor);
    cnnf_tensor *loaded = NULL;
    CNNFI_TRY(cnnf_tensor_load(&loaded, tensor, error));
    void *out = cnnfi_malloc(context, size);
    if (out != NULL && m != NULL)
        transpose(out, cnnf_tensor_data(loaded), m, m->columns);
    else if (out != NULL)
        permute(out, cnnf_tensor_data(loaded), cnnf_tensor_rank(loaded), cnnfi_tensor_dims(loaded), perm,
                cnnf_dtype_size(cnnf_tensor_dtype(loaded)));
    const cnnf_status status = out != NULL ? piece(out, size, user, error) : cnnfi_fail_nomem(error);
    cnnfi_free(context, out);
    cnnf_tensor_unref(loaded);
    return status;
}

cnnf_status cnnfi_permuted_stream(const cnnf_tensor *tensor, const int32_t *perm, cnnfi_piece_fn piece, void *user,
                                  cnnf_error *error)
{
    matrix m;
    const size_t size = cnnf_tensor_byte_size(tensor);
    if (size == 0) return CNNF_OK;
    const bool is_matrix = is_transpose(tensor, perm, &m);
    const bool reads = cnnfi_tensor_storage(tensor) != CNNFI_STORAGE_PROTO;
    if (is_matrix && reads && size > STRIP_BYTES) return stream_strips(tensor, &m, piece, user, error);
    return stream_whole(tensor, perm, is_matrix ? &m : NULL, piece, user, error);
}
