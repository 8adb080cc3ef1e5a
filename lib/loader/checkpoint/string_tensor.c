/* SPDX-License-Identifier: Apache-2.0 */
/* String tensors in a shard (tensor_bundle.cc, WriteStringTensor). */
#include "loader/checkpoint/string_tensor.h"

#include <inttypes.h>

#include "base/bytes.h"
#include "base/context.h"
#include "base/crc32c.h"
#include "base/error.h"

/* The crc takes a length as uint32 where it fits, else as uint64, not as the varint that is written. */
static uint32_t extend_length(uint32_t crc, uint64_t length)
{
    const uint32_t small = (uint32_t)length;
    return length <= UINT32_MAX ? cnnfi_crc32c(crc, &small, 4) : cnnfi_crc32c(crc, &length, 8);
}

static cnnf_status fail(const cnnfi_string_entry *entry, const char *what, cnnf_error *error)
{
    return cnnfi_fail(error, CNNF_E_CORRUPT, "%s: '%s': %s", entry->file, entry->tensor, what);
}

static cnnf_status check_crc(const cnnfi_string_entry *entry, const char *of, uint32_t stored, uint32_t computed,
                             cnnf_error *error)
{
    if (stored == computed) return CNNF_OK;
    return cnnfi_fail(error, CNNF_E_CORRUPT,
                      "%s: '%s':%s crc32c 0x%08" PRIx32 " stored, 0x%08" PRIx32 " computed (data corrupt)", entry->file,
                      entry->tensor, of, stored, computed);
}

/* Fills strings[].size and steps over the lengths and their checksum. */
static cnnf_status read_lengths(cnnfi_bytes *strings, size_t count, cnnfi_cursor *c, uint32_t *crc,
                                const cnnfi_string_entry *entry, cnnf_error *error)
{
    uint32_t stored;
    for (size_t i = 0; i < count; i++) {
        uint64_t length;
        if (!cnnfi_read_varint(c, &length) || length > c->size) return fail(entry, "string lengths do not fit", error);
        strings[i].size = (size_t)length;
        *crc = extend_length(*crc, length);
    }
    if (!cnnfi_read_u32(c, &stored)) return fail(entry, "string lengths do not fit", error);
    CNNFI_TRY(check_crc(entry, " string lengths:", stored, cnnfi_crc32c_mask(*crc), error));
    *crc = cnnfi_crc32c(*crc, &stored, 4);
    return CNNF_OK;
}

static cnnf_status split(cnnfi_bytes *strings, size_t count, cnnfi_bytes bytes, const cnnfi_string_entry *entry,
                         cnnf_error *error)
{
    cnnfi_cursor c = cnnfi_cursor_of(bytes.data, bytes.size);
    uint32_t crc = 0;
    CNNFI_TRY(read_lengths(strings, count, &c, &crc, entry, error));
    crc = cnnfi_crc32c(crc, c.data + c.at, cnnfi_cursor_left(&c));
    CNNFI_TRY(check_crc(entry, "", entry->crc, cnnfi_crc32c_mask(crc), error));
    for (size_t i = 0; i < count; i++) {
        if (!cnnfi_read_bytes(&c, strings[i].size, &strings[i])) return fail(entry, "string lengths do not fit", error);
    }
    return cnnfi_cursor_left(&c) == 0 ? CNNF_OK : fail(entry, "bytes after the last string", error);
}

cnnf_status cnnfi_strings_decode(cnnf_tensor **out, cnnf_context *context, const cnnfi_shape *shape, cnnfi_bytes bytes,
                                 const cnnfi_string_entry *entry, cnnf_error *error)
{
    int64_t count;
    /* A length takes a byte at least: the count is bounded by the bytes before anything is allocated. */
    if (!cnnfi_shape_elements(&count, shape->rank, shape->dims) || (uint64_t)count > bytes.size)
        return fail(entry, "more strings than bytes", error);
    cnnfi_bytes *strings = cnnfi_array(context, (size_t)count + 1, sizeof *strings);
    if (!strings) return cnnfi_fail_nomem(error);
    cnnf_status status = split(strings, (size_t)count, bytes, entry, error);
    if (status == CNNF_OK)
        status = cnnfi_tensor_strings(out, context, shape->rank, shape->dims, strings, (size_t)count, error);
    cnnfi_free(context, strings);
    return status;
}
