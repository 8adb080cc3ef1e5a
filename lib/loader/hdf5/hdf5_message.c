/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/hdf5/hdf5_message.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/context.h"
#include "base/error.h"

#define DAMAGED(store, m, what) CNNFI_H5_CORRUPT((store), (m)->at, "%s that is damaged", (what))

/* ---- datatypes ---- */

const char *cnnfi_h5_class_name(unsigned class)
{
    static const char *const names[] = {"integer",  "float",     "time", "string",        "bitfield", "opaque",
                                        "compound", "reference", "enum", "vlen sequence", "array"};
    return class < sizeof names / sizeof names[0] ? names[class] : "unknown";
}

static bool ieee(const uint8_t *p, uint32_t size)
{
    static const struct {
        uint32_t size;
        uint8_t sign, exponent, exponent_size, mantissa_size;
        uint32_t bias;
    } known[] = {{2, 15, 10, 5, 10, 15}, {4, 31, 23, 8, 23, 127}, {8, 63, 52, 11, 52, 1023}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].size == size)
            return p[2] == known[i].sign && cnnfi_le16(p + 8) == 0 && cnnfi_le16(p + 10) == 8 * size &&
                   p[12] == known[i].exponent && p[13] == known[i].exponent_size && p[14] == 0 &&
                   p[15] == known[i].mantissa_size && cnnfi_le32(p + 16) == known[i].bias && (p[1] & ~1) == 0x20;
    return false;
}

/* A number: padding bits or another byte order than the two make it one that is not read. */
static cnnf_status decode_number(cnnfi_h5_store *store, const cnnfi_h5_message *m, cnnfi_h5_type *out)
{
    const uint8_t *p = m->p;
    const bool integer = out->class == CNNFI_H5_INTEGER;
    if (m->size < (integer ? 12u : 20u)) return DAMAGED(store, m, "a number's type");
    out->big_endian = p[1] & 1;
    out->is_signed = p[1] & 8;
    if (integer) {
        bool width = out->size == 1 || out->size == 2 || out->size == 4 || out->size == 8;
        if (!width || cnnfi_le16(p + 8) != 0 || cnnfi_le16(p + 10) != 8 * out->size || (p[1] & ~0x09) != 0)
            out->refuse = "integers of this layout are not supported";
    } else if (!ieee(p, out->size)) {
        out->refuse = "float type that is not IEEE half, single or double";
    }
    return CNNF_OK;
}

static cnnf_status decode_vlen(cnnfi_h5_store *store, const cnnfi_h5_message *m, cnnfi_h5_type *out)
{
    const uint8_t *p = m->p;
    if ((p[1] & 15) != 1) return CNNF_OK; /* a sequence: of a class that nobody reads */
    if (out->size != 16 || m->size < 16 || cnnfi_le32(p + 12) != 1 || ((p[8] & 15) != 3 && (p[8] & 15) != 0))
        return DAMAGED(store, m, "a variable-length string's type");
    out->class = CNNFI_H5_STRING;
    out->variable = true;
    return CNNF_OK;
}

cnnf_status cnnfi_h5_decode_type(cnnfi_h5_store *store, const cnnfi_h5_message *m, cnnfi_h5_type *out)
{
    const uint8_t *p = m->p;
    if (m->size < 8 || p[0] >> 4 < 1 || p[0] >> 4 > 5) return DAMAGED(store, m, "a type");
    *out = (cnnfi_h5_type){.class = p[0] & 15, .size = cnnfi_le32(p + 4)};
    if (out->size == 0) return CNNFI_H5_CORRUPT(store, m->at, "a type without size");
    switch (out->class) {
    case CNNFI_H5_INTEGER:
    case CNNFI_H5_FLOAT:
        return decode_number(store, m, out);
    case CNNFI_H5_STRING:
        out->space_padded = (p[1] & 15) == 2;
        return (p[1] & 15) > 2 ? DAMAGED(store, m, "a string's type") : CNNF_OK;
    case CNNFI_H5_VLEN:
        return decode_vlen(store, m, out);
    default:
        return CNNF_OK; /* by its class's name it is refused where it matters */
    }
}

/* ---- dataspaces ---- */

cnnf_status cnnfi_h5_decode_space(cnnfi_h5_store *store, const cnnfi_h5_message *m, cnnfi_h5_space *out)
{
    const uint8_t *p = m->p;
    if (m->size < 4 || (p[0] != 1 && p[0] != 2)) return DAMAGED(store, m, "a shape");
    unsigned rank = p[1], flags = p[2], kind = p[0] == 2 ? p[3] : rank > 0;
    size_t head = p[0] == 1 ? 8 : 4, dims = (size_t)rank * 8;
    if (rank > CNNFI_H5_MAX_RANK || flags > 1 || kind > 2 || (kind == 1) != (rank > 0) ||
        m->size < head + dims * (flags ? 2 : 1))
        return CNNFI_H5_CORRUPT(store, m->at, "a shape of %u dimensions in %zu bytes", rank, m->size);
    *out = (cnnfi_h5_space){.rank = rank, .scalar = kind == 0, .null = kind == 2, .points = kind == 2 ? 0 : 1};
    for (unsigned i = 0; i < rank; i++) {
        out->dims[i] = cnnfi_le64(p + head + 8 * i);
        out->max[i] = flags ? cnnfi_le64(p + head + dims + 8 * i) : out->dims[i];
        if (out->dims[i] > out->max[i] || out->dims[i] > INT64_MAX)
            return CNNFI_H5_CORRUPT(store, m->at, "a dimension larger than its maximum");
        if (__builtin_mul_overflow(out->points, out->dims[i], &out->points)) out->points = UINT64_MAX;
    }
    return CNNF_OK;
}

/* ---- fill values ---- */

cnnf_status cnnfi_h5_decode_fill(cnnfi_h5_store *store, const cnnfi_h5_message *m, cnnfi_h5_fill *out)
{
    const uint8_t *p = m->p;
    size_t pos = 0;
    bool defined = true;
    *out = (cnnfi_h5_fill){.value = NULL};
    if (m->kind == CNNFI_H5_MSG_FILL) {
        if (m->size < 2 || p[0] < 1 || p[0] > 3) return DAMAGED(store, m, "a fill value");
        if (p[0] < 3 && m->size < 4) return DAMAGED(store, m, "a fill value");
        if (p[0] == 3 && ((p[1] & 0xc0) || (p[1] & 0x30) == 0x30)) return DAMAGED(store, m, "a fill value");
        defined = p[0] == 3 ? p[1] & 0x20 : p[0] == 1 || p[3];
        pos = p[0] == 3 ? 2 : 4;
    }
    if (!defined) return CNNF_OK;
    if (m->size - pos < 4) return DAMAGED(store, m, "a fill value");
    uint32_t size = cnnfi_le32(p + pos);
    if (size == UINT32_MAX) size = 0; /* "undefined" of version 1 */
    if (size > m->size - pos - 4)
        return CNNFI_H5_CORRUPT(store, m->at, "a fill value of %" PRIu32 " bytes runs past its end", size);
    if (size > 0) *out = (cnnfi_h5_fill){.value = p + pos + 4, .size = size};
    return CNNF_OK;
}

/* ---- filters ---- */

/* One filter at *pos. */
static cnnf_status decode_filter(cnnfi_h5_store *store, const cnnfi_h5_message *m, size_t *pos, uint16_t *id,
                                 uint32_t *first_value)
{
    const uint8_t *p = m->p + *pos;
    const size_t left = m->size - *pos;
    const bool old = m->p[0] == 1, named = old || (left >= 2 && cnnfi_le16(p) >= 256);
    const size_t head = named ? 8 : 6;
    if (left < head) return DAMAGED(store, m, "a filter");
    size_t name = named ? cnnfi_le16(p + 2) : 0, values = cnnfi_le16(p + head - 2);
    if (old) name = (name + 7) / 8 * 8;
    size_t size = head + name + 4 * values + (old && values % 2 ? 4 : 0);
    if (size > left) return DAMAGED(store, m, "a filter");
    *id = cnnfi_le16(p);
    *first_value = values > 0 ? cnnfi_le32(p + head + name) : 0;
    *pos += size;
    return CNNF_OK;
}

cnnf_status cnnfi_h5_decode_filters(cnnfi_h5_store *store, const cnnfi_h5_message *m, cnnfi_h5_filters *out)
{
    *out = (cnnfi_h5_filters){.count = 0};
    if (m->size < 2 || m->p[0] < 1 || m->p[0] > 2) return DAMAGED(store, m, "a list of filters");
    size_t pos = m->p[0] == 1 ? 8 : 2;
    if (pos > m->size) return DAMAGED(store, m, "a list of filters");
    if (m->p[1] > CNNFI_H5_MAX_FILTERS)
        return cnnfi_h5_fail(store, CNNF_E_UNSUPPORTED, m->at, "%u filters, at most %u are supported", m->p[1],
                             CNNFI_H5_MAX_FILTERS);
    for (; out->count < m->p[1]; out->count++)
        CNNFI_TRY(decode_filter(store, m, &pos, &out->id[out->count], &out->first_value[out->count]));
    return CNNF_OK;
}

/* ---- layouts ---- */

/* Version 3: chunks behind a B-tree of version 1; p[2] is the rank with the elements' own dimension. */
static cnnf_status decode_chunked3(cnnfi_h5_store *store, const cnnfi_h5_message *m, cnnfi_h5_layout *out)
{
    const uint8_t *p = m->p;
    if (m->size < 3 || p[2] < 2 || p[2] > CNNFI_H5_MAX_RANK + 1 || m->size < 11u + 4u * p[2])
        return DAMAGED(store, m, "a chunked layout");
    out->rank = p[2] - 1u;
    out->address = cnnfi_le64(p + 3);
    for (unsigned i = 0; i < out->rank; i++)
        out->chunk[i] = cnnfi_le32(p + 11 + 4 * i);
    out->element_size = cnnfi_le32(p + 11 + 4 * out->rank);
    return CNNF_OK;
}

/* What follows the kind of index: creation parameters, then the address. */
static cnnf_status decode_index(cnnfi_h5_store *store, const cnnfi_h5_message *m, size_t pos, cnnfi_h5_layout *out)
{
    static const uint8_t sizes[] = {0, 0, 0, 1, 5, 6};
    const uint8_t *p = m->p + pos;
    if (out->index < CNNFI_H5_INDEX_SINGLE || out->index > CNNFI_H5_INDEX_TREE2)
        return cnnfi_h5_fail(store, CNNF_E_UNSUPPORTED, m->at, "chunk index %d is not supported", (int)out->index);
    size_t size = out->single_filtered ? 12 : sizes[out->index];
    if (m->size - pos < size + 8 || (out->single_filtered && out->index != CNNFI_H5_INDEX_SINGLE))
        return DAMAGED(store, m, "a chunked layout");
    if (out->single_filtered) {
        out->single_size = cnnfi_le64(p);
        out->single_mask = cnnfi_le32(p + 8);
    }
    out->creation = p;
    out->creation_size = size;
    out->address = cnnfi_le64(p + size);
    return CNNF_OK;
}

/* Versions 4 (HDF5 1.10) and 5 (2.0, which differs in the index alone). */
static cnnf_status decode_chunked4(cnnfi_h5_store *store, const cnnfi_h5_message *m, cnnfi_h5_layout *out)
{
    const uint8_t *p = m->p;
    if (m->size < 5 || p[2] > 3 || p[3] < 2 || p[3] > CNNFI_H5_MAX_RANK + 1 || p[4] < 1 || p[4] > 8 ||
        m->size < 6u + (size_t)p[3] * p[4])
        return DAMAGED(store, m, "a chunked layout");
    out->edges_unfiltered = p[2] & 1;
    out->single_filtered = p[2] & 2;
    out->rank = p[3] - 1u;
    for (unsigned i = 0; i < out->rank; i++)
        out->chunk[i] = cnnfi_h5_uint(p + 5 + (size_t)i * p[4], p[4]);
    out->element_size = cnnfi_h5_uint(p + 5 + (size_t)out->rank * p[4], p[4]);
    size_t pos = 5 + (size_t)p[3] * p[4];
    out->index = (cnnfi_h5_index)p[pos];
    return decode_index(store, m, pos + 1, out);
}

cnnf_status cnnfi_h5_decode_layout(cnnfi_h5_store *store, const cnnfi_h5_message *m, cnnfi_h5_layout *out)
{
    const uint8_t *p = m->p;
    if (m->size < 4) return DAMAGED(store, m, "a data layout");
    if (p[0] < 3 || p[0] > 5)
        return cnnfi_h5_fail(store, CNNF_E_UNSUPPORTED, m->at,
                             "data layout version %u is not supported (h5repack rewrites it)", p[0]);
    *out = (cnnfi_h5_layout){.class = p[1], .at = m->at, .address = CNNFI_H5_UNDEFINED};
    switch (p[1]) {
    case CNNFI_H5_COMPACT:
        out->size = cnnfi_le16(p + 2);
        out->compact = p + 4;
        return out->size <= m->size - 4 ? CNNF_OK : CNNFI_H5_CORRUPT(store, m->at, "compact data run past their end");
    case CNNFI_H5_CONTIGUOUS:
        if (m->size < 18) return DAMAGED(store, m, "a data layout");
        out->address = cnnfi_le64(p + 2);
        out->size = cnnfi_le64(p + 10);
        return CNNF_OK;
    case CNNFI_H5_CHUNKED:
        return p[0] == 3 ? decode_chunked3(store, m, out) : decode_chunked4(store, m, out);
    case CNNFI_H5_VIRTUAL:
        return CNNF_OK;
    default:
        return DAMAGED(store, m, "a data layout");
    }
}

/* ---- links ---- */

/* Soft: the path; external: a byte, then file and object, both ended by zero. */
static cnnf_status decode_target(cnnfi_h5_store *store, const cnnfi_h5_message *m, size_t pos, cnnfi_h5_link *out)
{
    const size_t left = m->size - pos;
    if ((out->kind != 1 && out->kind != 64) || left < 2 || cnnfi_le16(m->p + pos) > left - 2)
        return CNNFI_H5_CORRUPT(store, m->at, "a link of kind %u that is damaged", out->kind);
    const char *text = (const char *)m->p + pos + 2;
    size_t size = cnnfi_le16(m->p + pos);
    if (out->kind == 1) {
        out->target = cnnfi_arena_strndup(&store->arena, text, size);
    } else {
        const char *end = text + size, *object = size > 1 ? memchr(text + 1, '\0', size - 1) : NULL;
        if (!object || object + 1 == end || end[-1] != '\0') return DAMAGED(store, m, "an external link");
        out->target = cnnfi_arena_printf(&store->arena, "%s:%s", text + 1, object + 1);
    }
    return out->target ? CNNF_OK : cnnfi_fail_nomem(store->error);
}

cnnf_status cnnfi_h5_decode_link(cnnfi_h5_store *store, const cnnfi_h5_message *m, cnnfi_h5_link *out)
{
    const uint8_t *p = m->p;
    const unsigned flags = m->size >= 4 ? p[1] : 0xff;
    *out = (cnnfi_h5_link){.kind = 0};
    if (m->size < 4 || p[0] != 1 || flags > 0x1f) return DAMAGED(store, m, "a link");
    size_t pos = 2;
    if (flags & 8) out->kind = p[pos++];
    pos += (flags & 4 ? 8u : 0u) + (flags & 16 ? 1u : 0u); /* order of creation, character set */
    const size_t width = (size_t)1 << (flags & 3);
    if (pos + width > m->size) return DAMAGED(store, m, "a link");
    const uint64_t length = cnnfi_h5_uint(p + pos, width);
    pos += width;
    if (length == 0 || length > m->size - pos || memchr(p + pos, '\0', (size_t)length))
        return CNNFI_H5_CORRUPT(store, m->at, "a link's name runs past its end");
    out->name = cnnfi_arena_strndup(&store->arena, p + pos, (size_t)length);
    if (!out->name) return cnnfi_fail_nomem(store->error);
    pos += (size_t)length;
    if (out->kind != 0) return decode_target(store, m, pos, out);
    if (m->size - pos < 8) return CNNFI_H5_CORRUPT(store, m->at, "a hard link without address");
    out->address = cnnfi_le64(p + pos);
    return CNNF_OK;
}

cnnf_status cnnfi_h5_decode_dense(cnnfi_h5_store *store, const cnnfi_h5_message *m, cnnfi_h5_dense *out)
{
    const unsigned flags = m->size >= 2 ? m->p[1] : 0xff;
    /* the largest order of creation: 8 bytes of links, 2 of attributes */
    const size_t pos = 2u + (flags & 1 ? (m->kind == CNNFI_H5_MSG_LINK_INFO ? 8u : 2u) : 0u);
    if (m->size < 2 || m->p[0] != 0 || flags > 3 || m->size < pos + 16 + (flags & 2 ? 8 : 0))
        return DAMAGED(store, m, m->kind == CNNFI_H5_MSG_LINK_INFO ? "a link info" : "an attribute info");
    *out = (cnnfi_h5_dense){cnnfi_le64(m->p + pos), cnnfi_le64(m->p + pos + 8)};
    if ((out->heap == CNNFI_H5_UNDEFINED) != (out->names == CNNFI_H5_UNDEFINED))
        return CNNFI_H5_CORRUPT(store, m->at, "dense storage without heap or without index");
    return CNNF_OK;
}

/* ---- attributes ---- */

static size_t padded(size_t size, unsigned version)
{
    return version == 1 ? (size + 7) / 8 * 8 : size;
}

cnnf_status cnnfi_h5_decode_attribute(cnnfi_h5_store *store, const cnnfi_h5_message *m, cnnfi_h5_attribute *out)
{
    const uint8_t *p = m->p;
    if (m->size < 9 || p[0] < 1 || p[0] > 3) return DAMAGED(store, m, "an attribute");
    const size_t head = p[0] == 3 ? 9 : 8, name = cnnfi_le16(p + 2), type = cnnfi_le16(p + 4),
                 space = cnnfi_le16(p + 6);
    const size_t type_at = head + padded(name, p[0]), space_at = type_at + padded(type, p[0]),
                 data_at = space_at + padded(space, p[0]);
    if (name == 0 || data_at > m->size || strnlen((const char *)p + head, name) != name - 1)
        return CNNFI_H5_CORRUPT(store, m->at, "an attribute's name, type or shape runs past its end");
    *out = (cnnfi_h5_attribute){.name = (const char *)p + head,
                                .at = m->at,
                                .type = p + type_at,
                                .type_size = type,
                                .space = p + space_at,
                                .space_size = space,
                                .data = p + data_at,
                                .data_size = m->size - data_at,
                                .shared = p[0] > 1 && p[1] != 0};
    return CNNF_OK;
}
