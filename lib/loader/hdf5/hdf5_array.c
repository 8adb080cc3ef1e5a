/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/hdf5/hdf5_array.h"

#include <inttypes.h>
#include <string.h>

#include "base/bytes.h"
#include "base/error.h"

/* What the parts of one array share. */
typedef struct walk {
    cnnfi_h5_store *store;
    const cnnfi_h5_array *array;
    size_t element_size;
    size_t page; /* elements of a page; blocks of more are stored in pages */
    /* extensible */
    unsigned max_bits, in_index, block_min, pointer_min;
    size_t offset_width;
} walk;

/* Version 0, the kind of element, and (all but the header) whose block it is. */
static cnnf_status check_head(const walk *w, uint64_t at, const uint8_t *p, bool header)
{
    if (p[4] != 0 || p[5] != w->array->filtered || (!header && cnnfi_le64(p + 6) != w->array->at))
        return CNNFI_H5_CORRUPT(w->store, at, "no part of this array");
    return CNNF_OK;
}

/* The size of an element says how wide a stored size is. */
static cnnf_status check_element_size(const walk *w)
{
    const bool fits = w->array->filtered ? w->element_size >= 13 && w->element_size <= 20 : w->element_size == 8;
    return fits ? CNNF_OK
                : CNNFI_H5_CORRUPT(w->store, w->array->at, "an array of elements of %zu bytes", w->element_size);
}

static cnnf_status give(const walk *w, const uint8_t *p, uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count && first + i < w->array->numbers; i++)
        CNNFI_TRY(w->array->element(w->store, first + i, p + i * w->element_size, w->element_size, w->array->user));
    return CNNF_OK;
}

/* HDF5 numbers the bits of a bitmap from the highest. */
static bool bit(const uint8_t *bitmap, uint64_t index)
{
    return bitmap[index / 8] & 0x80 >> index % 8;
}

/* Pages lie one after the other, each with a checksum; those whose bit is not set were never written. */
static cnnf_status read_pages(const walk *w, uint64_t at, const uint8_t *bitmap, uint64_t first_bit, uint64_t first,
                              uint64_t count)
{
    cnnfi_h5_store *store = w->store;
    for (uint64_t i = 0; i * w->page < count; i++) {
        const uint64_t here = count - i * w->page < w->page ? count - i * w->page : w->page;
        const uint8_t *p = NULL;
        if (!bit(bitmap, first_bit + i)) continue;
        const uint64_t page_at = at + i * (w->page * w->element_size + 4), size = here * w->element_size;
        CNNFI_TRY(cnnfi_h5_fetch(store, &store->scratch, page_at, size + 4, &p, "an array's page"));
        if (cnnfi_h5_lookup3(p, (size_t)size) != cnnfi_le32(p + size))
            return CNNFI_H5_CORRUPT(store, page_at, "the checksum of an array's page does not match");
        CNNFI_TRY(give(w, p, first + i * w->page, here));
    }
    return CNNF_OK;
}

/* ---- fixed ---- */

/* "FADB", version, kind, header's address 8, then elements, or a bit for each page; checksum; pages. */
static cnnf_status read_fixed_block(const walk *w, uint64_t at, uint64_t count)
{
    cnnfi_h5_store *store = w->store;
    const uint8_t *p = NULL;
    const bool paged = count > w->page;
    uint64_t size = 0;
    if (__builtin_mul_overflow(count, w->element_size, &size) || size > store->size)
        return CNNFI_H5_CORRUPT(store, at, "an array of %" PRIu64 " elements is larger than the file", count);
    if (paged) size = ((count + w->page - 1) / w->page + 7) / 8;
    CNNFI_TRY(cnnfi_h5_fetch_checked(store, &store->scratch, at, 14 + size + 4, "FADB", &p, "an array's block"));
    CNNFI_TRY(check_head(w, at, p, false));
    return paged ? read_pages(w, at + 18 + size, p + 14, 0, 0, count) : give(w, p + 14, 0, count);
}

/* "FAHD", version, kind, element size 1, page bits 1, elements 8, block 8, checksum. */
cnnf_status cnnfi_h5_walk_fixed_array(cnnfi_h5_store *store, const cnnfi_h5_array *array)
{
    const uint8_t *p = NULL;
    walk w = {.store = store, .array = array};
    CNNFI_TRY(cnnfi_h5_fetch_checked(store, &store->scratch, array->at, 28, "FAHD", &p, "a fixed array"));
    CNNFI_TRY(check_head(&w, array->at, p, true));
    w.element_size = p[6];
    const uint64_t count = cnnfi_le64(p + 8), block = cnnfi_le64(p + 16);
    CNNFI_TRY(check_element_size(&w));
    if (p[7] == 0 || p[7] > 32 || count != array->numbers)
        return CNNFI_H5_CORRUPT(store, array->at, "a fixed array that does not fit its dataset");
    w.page = (size_t)1 << p[7];
    return block == CNNFI_H5_UNDEFINED ? CNNF_OK : read_fixed_block(&w, block, count);
}

/* ---- extensible ---- */

/*
 * Super block u stands for 2^(u/2) data blocks of block_min * 2^((u+1)/2) elements. The index block holds the first
 * elements itself, then the addresses of the data blocks of the first super blocks, then those of the others.
 */
static uint64_t blocks_of(unsigned u)
{
    return (uint64_t)1 << u / 2;
}

static uint64_t elements_of(const walk *w, unsigned u)
{
    return (uint64_t)w->block_min << (u + 1) / 2;
}

/* "EADB", version, kind, header's address 8, offset, elements, checksum; in pages: checksum, pages. */
static cnnf_status read_data_block(const walk *w, uint64_t at, uint64_t offset, uint64_t first, uint64_t count,
                                   const uint8_t *bitmap, uint64_t first_bit)
{
    cnnfi_h5_store *store = w->store;
    const uint8_t *p = NULL;
    const bool paged = count > w->page;
    const size_t head = 14 + w->offset_width;
    uint64_t size = 0;
    if (at == CNNFI_H5_UNDEFINED) return CNNF_OK;
    if (__builtin_mul_overflow(count, w->element_size, &size) || size > store->size)
        return CNNFI_H5_CORRUPT(store, at, "an array's block is larger than the file");
    CNNFI_TRY(cnnfi_h5_fetch_checked(store, &store->scratch, at, head + (paged ? 0 : size) + 4, "EADB", &p,
                                     "an array's block"));
    CNNFI_TRY(check_head(w, at, p, false));
    if (cnnfi_h5_uint(p + 14, w->offset_width) != offset)
        return CNNFI_H5_CORRUPT(store, at, "an array's block of another place");
    if (!paged) return give(w, p + head, first, count);
    if (!bitmap) return CNNFI_H5_CORRUPT(store, at, "an array's block in pages that nobody lists");
    return read_pages(w, at + head + 4, bitmap, first_bit, first, count);
}

/* "EASB", version, kind, header's address 8, offset, a bit for each page of each block, addresses, checksum. */
static cnnf_status read_super_block(const walk *w, uint64_t at, unsigned u, uint64_t first)
{
    cnnfi_h5_store *store = w->store;
    const uint8_t *p = NULL;
    const uint64_t blocks = blocks_of(u), elements = elements_of(w, u);
    const uint64_t pages = elements > w->page ? elements / w->page : 0, bitmap = blocks * ((pages + 7) / 8);
    const size_t head = 14 + w->offset_width;
    if (at == CNNFI_H5_UNDEFINED) return CNNF_OK;
    if (blocks > store->size || bitmap > store->size)
        return CNNFI_H5_CORRUPT(store, at, "an array's super block is larger than the file");
    CNNFI_TRY(cnnfi_h5_fetch_checked(store, &store->scratch, at, head + bitmap + 8 * blocks + 4, "EASB", &p,
                                     "an array's super block"));
    CNNFI_TRY(check_head(w, at, p, false));
    if (cnnfi_h5_uint(p + 14, w->offset_width) != first - w->in_index)
        return CNNFI_H5_CORRUPT(store, at, "an array's super block of another place");
    for (uint64_t i = 0; i < blocks; i++)
        CNNFI_TRY(read_data_block(w, cnnfi_le64(p + head + bitmap + 8 * i), first - w->in_index + i * elements,
                                  first + i * elements, elements, pages > 0 ? p + head : NULL, i * pages));
    return CNNF_OK;
}

/* "EAIB", version, kind, header's address 8, elements, addresses of data blocks and of super blocks, checksum. */
static cnnf_status read_index_block(const walk *w, uint64_t at)
{
    cnnfi_h5_store *store = w->store;
    const uint8_t *p = NULL;
    const unsigned supers = 1 + w->max_bits - cnnfi_h5_log2(w->block_min), direct = 2 * cnnfi_h5_log2(w->pointer_min);
    const uint64_t blocks = 2 * ((uint64_t)w->pointer_min - 1), elements = (uint64_t)w->in_index * w->element_size;
    if (direct > supers) return CNNFI_H5_CORRUPT(store, at, "an array's index block is damaged");
    CNNFI_TRY(cnnfi_h5_fetch_checked(store, &store->scratch, at, 14 + elements + 8 * (blocks + supers - direct) + 4,
                                     "EAIB", &p, "an array's index block"));
    CNNFI_TRY(check_head(w, at, p, false));
    CNNFI_TRY(give(w, p + 14, 0, w->in_index));
    const uint8_t *address = p + 14 + elements;
    uint64_t first = w->in_index;
    for (unsigned u = 0, block = 0; u < supers; u++) {
        const uint64_t count = elements_of(w, u), offset = first - w->in_index;
        if (u >= direct) CNNFI_TRY(read_super_block(w, cnnfi_le64(address), u, first));
        /* The offset that libhdf5 writes here counts blocks from the array's first (H5EA__lookup_elmt()). */
        for (uint64_t i = 0; u < direct && i < blocks_of(u); i++, block++)
            CNNFI_TRY(read_data_block(w, cnnfi_le64(address + 8 * i), offset + block * count, first + i * count, count,
                                      NULL, 0));
        address += u < direct ? 8 * blocks_of(u) : 8;
        first += blocks_of(u) * count;
    }
    return CNNF_OK;
}

static bool power_of_two(unsigned value)
{
    return value > 0 && (value & (value - 1)) == 0;
}

/*
 * "EAHD", version, kind, element size 1, bits of the largest number 1, elements in the index block 1, elements of the
 * smallest data block 1, pointers of the smallest super block 1, page bits 1, six counts, index block 8, checksum.
 */
cnnf_status cnnfi_h5_walk_extensible_array(cnnfi_h5_store *store, const cnnfi_h5_array *array)
{
    const uint8_t *p = NULL;
    CNNFI_TRY(cnnfi_h5_fetch_checked(store, &store->scratch, array->at, 72, "EAHD", &p, "an extensible array"));
    const walk w = {.store = store,
                    .array = array,
                    .element_size = p[6],
                    .max_bits = p[7],
                    .in_index = p[8],
                    .block_min = p[9],
                    .pointer_min = p[10],
                    .page = (size_t)1 << p[11] % 64,
                    .offset_width = (p[7] + 7u) / 8};
    CNNFI_TRY(check_head(&w, array->at, p, true));
    CNNFI_TRY(check_element_size(&w));
    if (w.max_bits == 0 || w.max_bits > 48 || !power_of_two(w.block_min) || !power_of_two(w.pointer_min) ||
        w.max_bits < cnnfi_h5_log2(w.block_min) || p[11] == 0 || p[11] > 32)
        return CNNFI_H5_CORRUPT(store, array->at, "an extensible array's header is damaged");
    const uint64_t index = cnnfi_le64(p + 60);
    return index == CNNFI_H5_UNDEFINED ? CNNF_OK : read_index_block(&w, index);
}
