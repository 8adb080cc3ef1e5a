/* SPDX-License-Identifier: Apache-2.0 */
#include "graph/tensor.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "base/checked.h"
#include "base/context.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "base/num.h"
#include "graph/element.h"
#include "graph/tensor_proto.h"

struct cnnf_tensor {
    atomic_int_fast64_t refs;
    cnnf_context *context;
    cnnf_dtype dtype;
    int32_t rank;
    int64_t count;
    size_t byte_size;
    cnnfi_storage storage;
    cnnfi_encoding encoding;
    cnnf_tensor *base;       /* reshaped: the tensor whose storage this is; NULL */
    uint8_t *data;           /* MEMORY */
    bool writable;           /* MEMORY: allocated by cnnf_tensor_new() */
    void *owned;             /* block released with the tensor: MEMORY's bytes, PROTO's fields */
    cnnf_release_fn release; /* wrapped memory */
    void *release_user;
    cnnfi_source *source; /* RANGE */
    uint64_t offset;
    bool has_crc;
    uint32_t crc;         /* masked */
    cnnfi_bytes fields;   /* PROTO */
    cnnfi_bytes *strings; /* PROTO of CNNF_STRING: the values there are; the last repeats */
    size_t n_strings;
    int64_t dims[];
};

/* ---- making ---- */

static cnnf_status require_known_dtype(cnnf_dtype dtype, cnnf_error *error)
{
    if (strcmp(cnnf_dtype_name(dtype), "unknown")) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "tensor: dtype %d not supported", dtype);
}

static cnnf_status require_bytes_dtype(cnnf_dtype dtype, cnnf_error *error)
{
    CNNFI_TRY(require_known_dtype(dtype, error));
    if (cnnf_dtype_size(dtype)) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_INVALID, "tensor: dtype %s has no bytes", cnnf_dtype_name(dtype));
}

/* Checks dtype, dims and limits and makes a tensor without storage. */
static cnnf_status tensor_alloc(cnnf_tensor **out, cnnf_context *context, cnnf_dtype dtype, int32_t rank,
                                const int64_t *dims, cnnf_error *error)
{
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "tensor: out is NULL");
    *out = NULL;
    if (!context || rank < 0 || (rank && !dims)) return cnnfi_fail(error, CNNF_E_INVALID, "tensor: bad argument");
    CNNFI_TRY(require_known_dtype(dtype, error));
    size_t bytes;
    CNNFI_TRY(cnnfi_shape_bytes(&bytes, context, dtype, rank, dims, "tensor", error));
    cnnf_tensor *tensor = cnnfi_calloc(context, 1, sizeof *tensor + (size_t)rank * sizeof *dims);
    if (!tensor) return cnnfi_fail_nomem(error);
    atomic_init(&tensor->refs, 1);
    tensor->context = cnnf_context_ref(context);
    tensor->dtype = dtype;
    tensor->rank = rank;
    tensor->byte_size = bytes;
    if (rank) memcpy(tensor->dims, dims, (size_t)rank * sizeof *dims);
    cnnfi_shape_elements(&tensor->count, rank, dims);
    *out = tensor;
    return CNNF_OK;
}

/* MEMORY of its own, not zeroed. */
static cnnf_status tensor_memory(cnnf_tensor **out, cnnf_context *context, cnnf_dtype dtype, int32_t rank,
                                 const int64_t *dims, cnnf_error *error)
{
    CNNFI_TRY(require_bytes_dtype(dtype, error));
    CNNFI_TRY(tensor_alloc(out, context, dtype, rank, dims, error));
    cnnf_tensor *tensor = *out;
    tensor->storage = CNNFI_STORAGE_MEMORY;
    tensor->owned = cnnfi_malloc(context, tensor->byte_size + 64);
    if (!tensor->owned) {
        cnnf_tensor_unref(tensor);
        *out = NULL;
        return cnnfi_fail_nomem(error);
    }
    /* Vector kernels like whole cache lines. */
    tensor->data = (uint8_t *)(((uintptr_t)tensor->owned + 63) & ~(uintptr_t)63);
    tensor->writable = true;
    return CNNF_OK;
}

cnnf_status cnnf_tensor_new(cnnf_tensor **out, cnnf_context *context, cnnf_dtype dtype, int32_t rank,
                            const int64_t *dims, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "tensor: out is NULL");
    *out = NULL;
    CNNFI_TRY(tensor_memory(out, context, dtype, rank, dims, error));
    memset((*out)->data, 0, (*out)->byte_size);
    return CNNF_OK;
}

cnnf_status cnnfi_tensor_copy(cnnf_tensor **out, cnnf_context *context, cnnf_dtype dtype, int32_t rank,
                              const int64_t *dims, const void *data, cnnf_error *error)
{
    CNNFI_TRY(tensor_memory(out, context, dtype, rank, dims, error));
    if ((*out)->byte_size) memcpy((*out)->data, data, (*out)->byte_size);
    return CNNF_OK;
}

cnnf_status cnnf_tensor_wrap(cnnf_tensor **out, cnnf_context *context, cnnf_dtype dtype, int32_t rank,
                             const int64_t *dims, const void *data, size_t size, cnnf_release_fn release, void *user,
                             cnnf_error *error)
{
    cnnf_error_clear(error);
    if (out) *out = NULL;
    CNNFI_TRY(require_bytes_dtype(dtype, error));
    CNNFI_TRY(tensor_alloc(out, context, dtype, rank, dims, error));
    const size_t wanted = (*out)->byte_size;
    if (wanted != size || (size && !data)) {
        cnnf_tensor_unref(*out);
        *out = NULL;
        return cnnfi_fail(error, CNNF_E_INVALID, "tensor: %zu bytes given, %zu needed", size, wanted);
    }
    if (!release) {
        cnnf_tensor_unref(*out);
        *out = NULL;
        return cnnfi_tensor_copy(out, context, dtype, rank, dims, data, error);
    }
    (*out)->storage = CNNFI_STORAGE_MEMORY;
    (*out)->data = (uint8_t *)(uintptr_t)data;
    (*out)->release = release;
    (*out)->release_user = user;
    return CNNF_OK;
}

cnnf_status cnnfi_tensor_range(cnnf_tensor **out, cnnf_context *context, cnnf_dtype dtype, int32_t rank,
                               const int64_t *dims, cnnfi_source *source, uint64_t offset, size_t size, bool has_crc,
                               uint32_t crc, cnnf_error *error)
{
    if (out) *out = NULL;
    CNNFI_TRY(require_bytes_dtype(dtype, error));
    CNNFI_TRY(tensor_alloc(out, context, dtype, rank, dims, error));
    cnnf_tensor *tensor = *out;
    if (tensor->byte_size != size || !cnnfi_range_fits(offset, size, cnnfi_source_size(source))) {
        const size_t wanted = tensor->byte_size;
        cnnf_tensor_unref(tensor);
        *out = NULL;
        return cnnfi_fail(error, CNNF_E_CORRUPT,
                          "%s: %zu bytes at %" PRIu64 " where %zu are needed, in a file of %" PRIu64 " bytes",
                          cnnfi_source_name(source), size, offset, wanted, cnnfi_source_size(source));
    }
    tensor->storage = CNNFI_STORAGE_RANGE;
    tensor->source = cnnfi_source_ref(source);
    tensor->offset = offset;
    tensor->has_crc = has_crc;
    tensor->crc = crc;
    return CNNF_OK;
}

cnnf_status cnnfi_tensor_proto(cnnf_tensor **out, cnnf_context *context, cnnf_dtype dtype, int32_t rank,
                               const int64_t *dims, const void *fields, size_t size, cnnf_error *error)
{
    CNNFI_TRY(tensor_alloc(out, context, dtype, rank, dims, error));
    cnnf_tensor *tensor = *out;
    tensor->storage = CNNFI_STORAGE_PROTO;
    tensor->owned = cnnfi_malloc(context, size);
    cnnf_status status = tensor->owned ? CNNF_OK : cnnfi_fail_nomem(error);
    if (!status) {
        if (size) memcpy(tensor->owned, fields, size);
        tensor->fields = (cnnfi_bytes){.data = tensor->owned, .size = size};
        if (dtype == CNNF_STRING) {
            status = cnnfi_tensor_proto_strings(tensor->fields, context, &tensor->strings, &tensor->n_strings, error);
        }
    }
    if (!status) return CNNF_OK;
    cnnf_tensor_unref(tensor);
    *out = NULL;
    return status;
}

/* A PROTO tensor of the fields gathered in `fields`, which is freed. */
static cnnf_status tensor_of_fields(cnnf_tensor **out, cnnfi_strbuf *fields, cnnf_dtype dtype, int32_t rank,
                                    const int64_t *dims, cnnf_error *error)
{
    *out = NULL;
    cnnf_status status =
        fields->failed ? cnnfi_fail_nomem(error)
                       : cnnfi_tensor_proto(out, fields->context, dtype, rank, dims, fields->data, fields->size, error);
    cnnfi_strbuf_free(fields);
    return status;
}

cnnf_status cnnfi_tensor_strings(cnnf_tensor **out, cnnf_context *context, int32_t rank, const int64_t *dims,
                                 const cnnfi_bytes *strings, size_t count, cnnf_error *error)
{
    cnnfi_strbuf fields;
    cnnfi_strbuf_init(&fields, context);
    cnnfi_tensor_proto_put_strings(&fields, strings, count);
    return tensor_of_fields(out, &fields, CNNF_STRING, rank, dims, error);
}

cnnf_status cnnfi_tensor_splat(cnnf_tensor **out, cnnf_context *context, cnnf_dtype dtype, int32_t rank,
                               const int64_t *dims, double value, cnnf_error *error)
{
    cnnfi_strbuf fields;
    cnnfi_strbuf_init(&fields, context);
    cnnfi_tensor_proto_put_value(&fields, dtype, value);
    return tensor_of_fields(out, &fields, dtype, rank, dims, error);
}

cnnf_status cnnfi_tensor_reshape(cnnf_tensor **out, const cnnf_tensor *tensor, int32_t rank, const int64_t *dims,
                                 cnnf_error *error)
{
    CNNFI_TRY(tensor_alloc(out, tensor->context, tensor->dtype, rank, dims, error));
    cnnf_tensor *view = *out;
    const int64_t count = view->count;
    if (count != tensor->count) {
        cnnf_tensor_unref(view);
        *out = NULL;
        return cnnfi_fail(error, CNNF_E_MISMATCH, "tensor: %" PRId64 " elements cannot take a shape of %" PRId64,
                          tensor->count, count);
    }
    view->base = cnnf_tensor_ref(tensor);
    view->storage = tensor->storage;
    view->encoding = tensor->encoding;
    view->data = tensor->data;
    view->source = tensor->source;
    view->offset = tensor->offset;
    view->has_crc = tensor->has_crc;
    view->crc = tensor->crc;
    view->fields = tensor->fields;
    view->strings = tensor->strings;
    view->n_strings = tensor->n_strings;
    return CNNF_OK;
}

cnnf_tensor *cnnf_tensor_ref(const cnnf_tensor *tensor)
{
    cnnf_tensor *counted = (cnnf_tensor *)(uintptr_t)tensor; /* nothing but the count changes */
    if (counted) atomic_fetch_add_explicit(&counted->refs, 1, memory_order_relaxed);
    return counted;
}

void cnnf_tensor_unref(cnnf_tensor *tensor)
{
    if (!tensor || atomic_fetch_sub_explicit(&tensor->refs, 1, memory_order_acq_rel) != 1) return;
    cnnf_context *context = tensor->context;
    if (tensor->base) {
        cnnf_tensor_unref(tensor->base);
    } else {
        if (tensor->release) tensor->release(tensor->release_user);
        cnnfi_source_unref(tensor->source);
        cnnfi_free(context, tensor->strings);
        cnnfi_free(context, tensor->owned);
    }
    cnnfi_free(context, tensor);
    cnnf_context_unref(context);
}

/* ---- looking ---- */

cnnf_dtype cnnf_tensor_dtype(const cnnf_tensor *tensor)
{
    return tensor ? tensor->dtype : CNNF_DTYPE_INVALID;
}

int32_t cnnf_tensor_rank(const cnnf_tensor *tensor)
{
    return tensor ? tensor->rank : 0;
}

int64_t cnnf_tensor_dim(const cnnf_tensor *tensor, int32_t axis)
{
    return tensor && axis >= 0 && axis < tensor->rank ? tensor->dims[axis] : -1;
}

int64_t cnnf_tensor_element_count(const cnnf_tensor *tensor)
{
    return tensor ? tensor->count : 0;
}

size_t cnnf_tensor_byte_size(const cnnf_tensor *tensor)
{
    return tensor ? tensor->byte_size : 0;
}

const void *cnnf_tensor_data(const cnnf_tensor *tensor)
{
    return tensor && tensor->storage == CNNFI_STORAGE_MEMORY ? tensor->data : NULL;
}

void *cnnf_tensor_data_mut(cnnf_tensor *tensor)
{
    if (!tensor || !tensor->writable) return NULL;
    return atomic_load_explicit(&tensor->refs, memory_order_acquire) == 1 ? tensor->data : NULL;
}

cnnf_context *cnnfi_tensor_context(const cnnf_tensor *tensor)
{
    return tensor->context;
}

const int64_t *cnnfi_tensor_dims(const cnnf_tensor *tensor)
{
    return tensor->dims;
}

cnnfi_storage cnnfi_tensor_storage(const cnnf_tensor *tensor)
{
    return tensor->storage;
}

bool cnnfi_tensor_has_crc(const cnnf_tensor *tensor)
{
    return tensor->has_crc;
}

cnnfi_encoding cnnfi_tensor_encoding(const cnnf_tensor *tensor)
{
    return tensor->encoding;
}

void cnnfi_tensor_set_encoding(cnnf_tensor *tensor, cnnfi_encoding encoding)
{
    tensor->encoding = encoding;
}

cnnfi_bytes cnnfi_tensor_fields(const cnnf_tensor *tensor)
{
    return tensor->fields;
}

const cnnfi_source *cnnfi_tensor_source(const cnnf_tensor *tensor, uint64_t *offset)
{
    if (offset) *offset = tensor->offset;
    return tensor->source;
}

/* ---- reading ---- */

typedef cnnf_status (*piece_fn)(const void *data, size_t size, void *user, cnnf_error *error);

static cnnf_status stream_memory(const cnnf_tensor *tensor, piece_fn piece, void *user, cnnf_error *error)
{
    for (size_t at = 0; at < tensor->byte_size; at += CNNFI_PIECE_BYTES) {
        const size_t left = tensor->byte_size - at;
        CNNFI_TRY(piece(tensor->data + at, left < CNNFI_PIECE_BYTES ? left : CNNFI_PIECE_BYTES, user, error));
    }
    return CNNF_OK;
}

static cnnf_status check_crc(const cnnf_tensor *tensor, uint32_t crc, cnnf_error *error)
{
    const uint32_t masked = cnnfi_crc32c_mask(crc);
    if (!tensor->has_crc || masked == tensor->crc) return CNNF_OK;
    const char *file = cnnfi_source_name(tensor->source);
    return cnnfi_fail_in_file(error, CNNF_E_CORRUPT, file, (int64_t)tensor->offset,
                              "%s: crc32c 0x%08" PRIx32 " stored, 0x%08" PRIx32 " computed (data corrupt)", file,
                              tensor->crc, masked);
}

static cnnf_status stream_range(const cnnf_tensor *tensor, piece_fn piece, void *user, cnnf_error *error)
{
    const size_t buffer_size = tensor->byte_size < CNNFI_PIECE_BYTES ? tensor->byte_size : CNNFI_PIECE_BYTES;
    uint8_t *buffer = cnnfi_malloc(tensor->context, buffer_size);
    if (!buffer) return cnnfi_fail_nomem(error);
    cnnf_status status = CNNF_OK;
    uint32_t crc = 0;
    for (size_t at = 0; !status && at < tensor->byte_size; at += buffer_size) {
        const size_t left = tensor->byte_size - at, size = left < buffer_size ? left : buffer_size;
        status = cnnfi_source_read(tensor->source, tensor->offset + at, buffer, size, error);
        if (!status && tensor->has_crc) crc = cnnfi_crc32c(crc, buffer, size);
        if (!status) status = piece(buffer, size, user, error);
    }
    cnnfi_free(tensor->context, buffer);
    return status ? status : check_crc(tensor, crc, error);
}

cnnf_status cnnfi_tensor_stream(const cnnf_tensor *tensor, piece_fn piece, void *user, cnnf_error *error)
{
    if (tensor->storage == CNNFI_STORAGE_MEMORY) return stream_memory(tensor, piece, user, error);
    if (tensor->storage == CNNFI_STORAGE_RANGE) return stream_range(tensor, piece, user, error);
    cnnf_tensor *loaded = NULL;
    CNNFI_TRY(cnnf_tensor_load(&loaded, tensor, error));
    const cnnf_status status = stream_memory(loaded, piece, user, error);
    cnnf_tensor_unref(loaded);
    return status;
}

/* Fills a MEMORY tensor of the same dtype and dims. */
static cnnf_status load_into(cnnf_tensor *to, const cnnf_tensor *from, cnnf_error *error)
{
    if (from->storage == CNNFI_STORAGE_PROTO) {
        return cnnfi_tensor_proto_decode(from->fields, from->dtype, (size_t)from->count, to->data, error);
    }
    CNNFI_TRY(cnnfi_source_read(from->source, from->offset, to->data, from->byte_size, error));
    return from->has_crc ? check_crc(from, cnnfi_crc32c(0, to->data, from->byte_size), error) : CNNF_OK;
}

cnnf_status cnnf_tensor_load(cnnf_tensor **out, const cnnf_tensor *tensor, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!out || !tensor) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_tensor_load: NULL argument");
    *out = NULL;
    if (tensor->storage == CNNFI_STORAGE_MEMORY || !cnnf_dtype_size(tensor->dtype)) {
        *out = cnnf_tensor_ref(tensor);
        return CNNF_OK;
    }
    cnnf_tensor *loaded = NULL;
    CNNFI_TRY(tensor_memory(&loaded, tensor->context, tensor->dtype, tensor->rank, tensor->dims, error));
    const cnnf_status status = load_into(loaded, tensor, error);
    if (status) {
        cnnf_tensor_unref(loaded);
        return status;
    }
    loaded->writable = false;
    *out = loaded;
    return CNNF_OK;
}

cnnf_status cnnf_tensor_read(void *data, const cnnf_tensor *tensor, size_t offset, size_t size, cnnf_error *error)
{
    cnnf_error_clear(error);
    if (!tensor || (size && !data) || !cnnfi_range_fits(offset, size, tensor->byte_size)) {
        return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_tensor_read: outside the tensor");
    }
    if (tensor->storage == CNNFI_STORAGE_RANGE) {
        CNNFI_TRY(cnnfi_source_read(tensor->source, tensor->offset + offset, data, size, error));
        const bool whole = tensor->has_crc && size == tensor->byte_size;
        return whole ? check_crc(tensor, cnnfi_crc32c(0, data, size), error) : CNNF_OK;
    }
    cnnf_tensor *loaded = NULL;
    CNNFI_TRY(cnnf_tensor_load(&loaded, tensor, error));
    if (size) memcpy(data, loaded->data + offset, size);
    cnnf_tensor_unref(loaded);
    return CNNF_OK;
}

cnnf_status cnnf_tensor_string(const char **data, size_t *size, const cnnf_tensor *tensor, int64_t index,
                               cnnf_error *error)
{
    cnnf_error_clear(error);
    if (data) *data = NULL;
    if (size) *size = 0;
    if (!tensor || !data || !size || tensor->dtype != CNNF_STRING || index < 0 || index >= tensor->count) {
        return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_tensor_string: not a string element");
    }
    *data = "";
    if (!tensor->n_strings) return CNNF_OK;
    const size_t at = (size_t)index < tensor->n_strings ? (size_t)index : tensor->n_strings - 1;
    *data = (const char *)tensor->strings[at].data;
    *size = tensor->strings[at].size;
    return CNNF_OK;
}

/* ---- single numbers ---- */

/* The bytes of one element; false when there is none. Numbers have at most 16. */
static bool read_element(const cnnf_tensor *tensor, int64_t index, uint8_t bytes[16])
{
    const size_t size = cnnf_dtype_size(tensor->dtype);
    if (index < 0 || index >= tensor->count || !size) return false;
    return cnnf_tensor_read(bytes, tensor, (size_t)index * size, size, NULL) == CNNF_OK;
}

bool cnnfi_tensor_get_i64(const cnnf_tensor *tensor, int64_t index, int64_t *out)
{
    uint8_t bytes[16];
    return read_element(tensor, index, bytes) && cnnfi_element_i64(out, tensor->dtype, bytes, 0);
}

bool cnnfi_tensor_get_f64(const cnnf_tensor *tensor, int64_t index, double *out)
{
    uint8_t bytes[16];
    return read_element(tensor, index, bytes) && cnnfi_element_f64(out, tensor->dtype, bytes, 0);
}

static cnnf_status equal_strings(bool *out, const cnnf_tensor *a, const cnnf_tensor *b, cnnf_error *error)
{
    for (int64_t i = 0; i < a->count; i++) {
        const char *x, *y;
        size_t n, m;
        CNNFI_TRY(cnnf_tensor_string(&x, &n, a, i, error));
        CNNFI_TRY(cnnf_tensor_string(&y, &m, b, i, error));
        if (n != m || memcmp(x, y, n)) return CNNF_OK;
    }
    *out = true;
    return CNNF_OK;
}

cnnf_status cnnfi_tensor_equal(bool *out, const cnnf_tensor *a, const cnnf_tensor *b, cnnf_error *error)
{
    *out = false;
    if (a->dtype != b->dtype || a->rank != b->rank || a->count != b->count) return CNNF_OK;
    if (a->rank && memcmp(a->dims, b->dims, (size_t)a->rank * sizeof *a->dims)) return CNNF_OK;
    if (a->dtype == CNNF_STRING) return equal_strings(out, a, b, error);
    cnnf_tensor *x = NULL, *y = NULL;
    cnnf_status status = cnnf_tensor_load(&x, a, error);
    if (!status) status = cnnf_tensor_load(&y, b, error);
    if (!status) *out = !a->byte_size || memcmp(x->data, y->data, a->byte_size) == 0;
    cnnf_tensor_unref(x);
    cnnf_tensor_unref(y);
    return status;
}
