/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/hdf5/hdf5_attribute.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/context.h"
#include "base/error.h"
#include "loader/hdf5/hdf5_heap.h"

typedef struct strings {
    cnnfi_h5_store *store;
    cnnfi_arena *arena;
    const cnnfi_h5_attribute *attribute;
    cnnfi_h5_type type;
    size_t count;
} strings;

static cnnf_status decode(strings *s)
{
    cnnfi_h5_store *store = s->store;
    const cnnfi_h5_attribute *a = s->attribute;
    const cnnfi_h5_message type = {CNNFI_H5_MSG_DATATYPE, a->at, a->type, a->type_size},
                           space = {CNNFI_H5_MSG_DATASPACE, a->at, a->space, a->space_size};
    cnnfi_h5_space extent;
    if (a->shared)
        return cnnfi_fail(store->error, CNNF_E_UNSUPPORTED,
                          "%s: attribute '%.100s' has a committed type; not supported (h5repack rewrites it)",
                          store->name, a->name);
    CNNFI_TRY(cnnfi_h5_decode_type(store, &type, &s->type));
    CNNFI_TRY(cnnfi_h5_decode_space(store, &space, &extent));
    if (extent.rank > 1)
        return cnnfi_fail(store->error, CNNF_E_CORRUPT,
                          "%s: Keras: attribute '%.100s' has %u dimensions, want at most 1", store->name, a->name,
                          extent.rank);
    s->count = (size_t)extent.points;
    CNNFI_TRY(cnnfi_check_limit(store->context, CNNF_LIMIT_ENTRIES, extent.points, a->name, store->error));
    /* numpy makes an empty list an array of floats. */
    if (s->count > 0 && s->type.class != CNNFI_H5_STRING)
        return cnnfi_fail(store->error, CNNF_E_CORRUPT, "%s: Keras: attribute '%.100s' has type %s, want string",
                          store->name, a->name, cnnfi_h5_class_name(s->type.class));
    const uint64_t bytes = extent.points * s->type.size; /* below 2^20 * 2^32 */
    if (bytes > a->data_size)
        return CNNFI_H5_CORRUPT(store, a->at, "attribute '%.100s' needs %" PRIu64 " bytes and has %zu", a->name, bytes,
                                a->data_size);
    return cnnfi_check_limit(store->context, CNNF_LIMIT_ATTR_BYTES, bytes, a->name, store->error);
}

/* Ends at a zero byte or with the element; padding spaces do not count. */
static size_t fixed_length(const char *text, size_t size, bool space_padded)
{
    size_t length = strnlen(text, size);
    while (space_padded && length > 0 && text[length - 1] == ' ')
        length--;
    return length;
}

/* An element of a variable-length string: length 4, collection 8, index 4. */
static cnnf_status find_variable(const strings *s, size_t i, const char **text, size_t *length)
{
    cnnfi_h5_store *store = s->store;
    const cnnfi_h5_attribute *a = s->attribute;
    const uint8_t *p = a->data + 16 * i, *data = NULL;
    const uint32_t size = cnnfi_le32(p);
    const uint64_t heap = cnnfi_le64(p + 4);
    *text = "";
    *length = 0;
    if (heap == 0 || heap == CNNFI_H5_UNDEFINED)
        return size == 0 ? CNNF_OK
                         : CNNFI_H5_CORRUPT(store, a->at, "a string of %" PRIu32 " bytes without a heap", size);
    CNNFI_TRY(cnnfi_check_limit(store->context, CNNF_LIMIT_ATTR_BYTES, size, a->name, store->error));
    CNNFI_TRY(cnnfi_h5_global_object(store, heap, cnnfi_le32(p + 12), size, &data));
    *text = (const char *)data;
    *length = strnlen(*text, size);
    return CNNF_OK;
}

cnnf_status cnnfi_h5_append_strings(cnnfi_h5_store *store, cnnfi_arena *arena, const cnnfi_h5_attribute *attribute,
                                    const char ***list, size_t *count)
{
    strings s = {.store = store, .arena = arena, .attribute = attribute};
    uint64_t total = 0;
    CNNFI_TRY(decode(&s));
    const char **grown = cnnfi_arena_array(arena, *count + s.count, sizeof *grown);
    if (!grown) return cnnfi_fail_nomem(store->error);
    if (*count > 0) memcpy(grown, *list, *count * sizeof *grown);
    for (size_t i = 0; i < s.count; i++) {
        const char *text = (const char *)attribute->data + i * s.type.size;
        size_t length = s.type.variable ? 0 : fixed_length(text, s.type.size, s.type.space_padded);
        if (s.type.variable) CNNFI_TRY(find_variable(&s, i, &text, &length));
        total += length;
        CNNFI_TRY(cnnfi_check_limit(store->context, CNNF_LIMIT_ATTR_BYTES, total, attribute->name, store->error));
        grown[*count + i] = cnnfi_arena_strndup(arena, text, length);
        if (!grown[*count + i]) return cnnfi_fail_nomem(store->error);
    }
    *list = grown;
    *count += s.count;
    return CNNF_OK;
}
