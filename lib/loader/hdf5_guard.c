/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/hdf5_guard.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/checked.h"
#include "base/context.h"
#include "base/error.h"
#include "base/strmap.h"

/* "HDF5 File Format Specification Version 3.0"; the names below are its names. */
#define UNDEFINED      UINT64_MAX
#define MAX_CHUNKS     64u /* continuation blocks of one object header */
#define MAX_TREE_DEPTH 8u
#define MAX_RANK       32u

enum {
    MSG_NIL = 0x00,
    MSG_DATASPACE = 0x01,
    MSG_LINK_INFO = 0x02,
    MSG_DATATYPE = 0x03,
    MSG_OLD_FILL = 0x04,
    MSG_FILL = 0x05,
    MSG_LINK = 0x06,
    MSG_EXTERNAL = 0x07,
    MSG_LAYOUT = 0x08,
    MSG_GROUP_INFO = 0x0a,
    MSG_FILTERS = 0x0b,
    MSG_ATTRIBUTE = 0x0c,
    MSG_CONTINUATION = 0x10,
    MSG_SYMBOL_TABLE = 0x11,
    MSG_TIME = 0x12,
    MSG_REFCOUNT = 0x16,
};

/* An object whose header was found good; a group's links by name: the address of a hard link, or LINK_OTHER. */
typedef struct object {
    uint64_t address, tree, heap; /* of a symbol table; UNDEFINED */
    bool links_read;
    cnnfi_strmap links;
} object;
#define LINK_OTHER INT64_C(-2)

struct cnnfi_h5_guard {
    cnnf_context *context;
    cnnfi_arena arena;
    cnnfi_source *source;
    uint64_t base, size, root, fetched;
    unsigned leaf_k, internal_k, chunk_k;
    const char *name;
    object **objects;
    size_t n_objects, object_capacity;
    cnnfi_strmap seen;           /* structures read: "kind:address"; of "object:address" the value is its index */
    uint64_t heap_at, heap_size; /* the global heap met last, found good */
    const uint8_t *heap;
    const char *path; /* what is being looked at, for messages */
    cnnf_error *error;
};

#define FAIL(g, at, ...) fail((g), CNNF_E_CORRUPT, (at), __VA_ARGS__)

static cnnf_status fail(cnnfi_h5_guard *g, cnnf_status code, uint64_t at, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static cnnf_status fail(cnnfi_h5_guard *g, cnnf_status code, uint64_t at, const char *format, ...)
{
    char what[300];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return cnnfi_fail_in_file(g->error, code, g->name, (int64_t)(g->base + at), "%s: HDF5: '%s': at %" PRIu64 ": %s",
                              g->name, g->path, at, what);
}

/* ---- bytes ---- */

/* [at, at + size) of the file, in the guard's arena. Structures that overlap cannot make it read much more than there
 * is. */
static cnnf_status fetch(cnnfi_h5_guard *g, uint64_t at, uint64_t size, const uint8_t **out, const char *what)
{
    if (!cnnfi_range_fits(at, size, g->size))
        return FAIL(g, at, "%s of %" PRIu64 " bytes lies outside the file", what, size);
    g->fetched += size;
    if (g->fetched > 4 * g->size + 65536) return FAIL(g, at, "its structures overlap");
    uint8_t *bytes = cnnfi_arena_alloc(&g->arena, (size_t)size + 1);
    if (!bytes) return cnnfi_fail_nomem(g->error);
    *out = bytes;
    return cnnfi_source_read(g->source, g->base + at, bytes, (size_t)size, g->error);
}

/* Whether a structure is met for the first time; a second time it is good, or (in trees) a loop. */
static cnnf_status first_time(cnnfi_h5_guard *g, const char *kind, uint64_t at, bool *first)
{
    char *key = cnnfi_arena_printf(&g->arena, "%s:%" PRIx64, kind, at);
    if (!key) return cnnfi_fail_nomem(g->error);
    *first = cnnfi_strmap_get(&g->seen, key) < 0;
    return *first && !cnnfi_strmap_set(&g->seen, key, 1) ? cnnfi_fail_nomem(g->error) : CNNF_OK;
}

/* ---- datatypes ---- */

typedef struct type {
    uint8_t class;
    uint32_t size;
    bool variable; /* a string in a global heap */
} type;

static cnnf_status float_type(cnnfi_h5_guard *g, uint64_t at, const uint8_t *p, uint32_t size)
{
    static const struct {
        uint32_t size;
        uint8_t sign, exponent, exponent_size, mantissa_size;
        uint32_t bias;
    } known[] = {{2, 15, 10, 5, 10, 15}, {4, 31, 23, 8, 23, 127}, {8, 63, 52, 11, 52, 1023}};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (known[i].size == size && p[2] == known[i].sign && cnnfi_le16(p + 8) == 0 &&
            cnnfi_le16(p + 10) == 8 * size && p[12] == known[i].exponent && p[13] == known[i].exponent_size &&
            p[14] == 0 && p[15] == known[i].mantissa_size && cnnfi_le32(p + 16) == known[i].bias && (p[1] & ~0x21) == 0)
            return CNNF_OK;
    return fail(g, CNNF_E_UNSUPPORTED, at, "a float type that is not IEEE half, single or double");
}

/* The message at p with `left` bytes; other classes are for the caller to refuse in words. */
static cnnf_status datatype(cnnfi_h5_guard *g, uint64_t at, const uint8_t *p, size_t left, type *out)
{
    *out = (type){.class = 0xff};
    if (left < 8) return FAIL(g, at, "a datatype message of %zu bytes", left);
    unsigned version = p[0] >> 4;
    *out = (type){.class = p[0] & 15, .size = cnnfi_le32(p + 4)};
    if (version < 1 || version > 3) return FAIL(g, at, "datatype version %u", version);
    if (out->class == 0) {
        bool known = out->size == 1 || out->size == 2 || out->size == 4 || out->size == 8;
        if (left < 12 || !known || cnnfi_le16(p + 8) != 0 || cnnfi_le16(p + 10) != 8 * out->size || (p[1] & ~0x09) != 0)
            return fail(g, CNNF_E_UNSUPPORTED, at, "an integer type of unusual layout");
    } else if (out->class == 1) {
        return left < 20 ? FAIL(g, at, "a datatype message of %zu bytes", left) : float_type(g, at, p, out->size);
    } else if (out->class == 3) {
        if (out->size == 0 || (p[1] & 15) > 2 || (p[1] >> 4) > 1) return FAIL(g, at, "a string type that is damaged");
    } else if (out->class == 9) {
        type base;
        out->variable = (p[1] & 15) == 1;
        if (!out->variable || out->size != 16 || (p[1] >> 4) > 2 || (p[2] & 15) > 1)
            return fail(g, CNNF_E_UNSUPPORTED, at, "a variable-length type that is no string");
        if (left < 16 || (p[8] & 15) > 3) return FAIL(g, at, "a variable-length string of no characters");
        CNNFI_TRY(datatype(g, at + 8, p + 8, left - 8, &base));
        if (base.size != 1) return FAIL(g, at, "a variable-length string of wide characters");
    }
    return CNNF_OK;
}

/* Classes that hold others, or bits: nothing that a model file needs. */
static bool plain(const type *t)
{
    return t->class == 0 || t->class == 1 || t->class == 3 || t->class == 9;
}

static const char *class_name(unsigned class)
{
    static const char *const names[] = {"integer",  "float",     "time", "string",        "bitfield", "opaque",
                                        "compound", "reference", "enum", "vlen sequence", "array"};
    return class < sizeof names / sizeof names[0] ? names[class] : "unknown";
}

/* ---- dataspaces ---- */

typedef struct extent {
    unsigned rank;
    uint64_t points; /* saturates */
} extent;

static cnnf_status dataspace(cnnfi_h5_guard *g, uint64_t at, const uint8_t *p, size_t left, extent *out)
{
    if (left < 4 || (p[0] != 1 && p[0] != 2)) return FAIL(g, at, "a dataspace message that is damaged");
    unsigned rank = p[1], flags = p[2], kind = p[0] == 2 ? p[3] : 1;
    size_t head = p[0] == 1 ? 8 : 4, sizes = (size_t)rank * 8;
    if (rank > MAX_RANK || flags > 1 || kind > 2 || left < head + sizes * (flags ? 2 : 1))
        return FAIL(g, at, "a dataspace of %u dimensions in %zu bytes", rank, left);
    *out = (extent){.rank = rank, .points = kind == 2 ? 0 : 1};
    for (unsigned i = 0; i < rank; i++) {
        uint64_t dim = cnnfi_le64(p + head + 8 * i), limit = flags ? cnnfi_le64(p + head + sizes + 8 * i) : dim;
        if (dim > limit) return FAIL(g, at, "a dimension larger than its maximum");
        if (__builtin_mul_overflow(out->points, dim, &out->points)) out->points = UINT64_MAX;
    }
    return CNNF_OK;
}

/* ---- heaps ---- */

/* A local heap's data segment; the free list in it is a list within bounds. */
static cnnf_status local_heap(cnnfi_h5_guard *g, uint64_t at, const uint8_t **data, uint64_t *size)
{
    const uint8_t *head = NULL;
    CNNFI_TRY(fetch(g, at, 32, &head, "a local heap"));
    if (memcmp(head, "HEAP", 4) != 0 || head[4] != 0) return FAIL(g, at, "no local heap");
    *size = cnnfi_le64(head + 8);
    uint64_t free_block = cnnfi_le64(head + 16);
    CNNFI_TRY(fetch(g, cnnfi_le64(head + 24), *size, data, "a local heap's data"));
    for (uint64_t n = 0; free_block != 1; n++) {
        if (free_block % 8 != 0 || !cnnfi_range_fits(free_block, 16, *size) || n > *size / 16)
            return FAIL(g, at, "the free list of a local heap is damaged");
        uint64_t length = cnnfi_le64(*data + free_block + 8);
        if (length < 16 || !cnnfi_range_fits(free_block, length, *size))
            return FAIL(g, at, "a free block of a local heap is damaged");
        free_block = cnnfi_le64(*data + free_block);
    }
    return CNNF_OK;
}

static const char *heap_string(const uint8_t *data, uint64_t size, uint64_t offset)
{
    if (offset >= size || !memchr(data + offset, '\0', (size_t)(size - offset))) return NULL;
    return (const char *)data + offset;
}

/* The object at `pos` of the global heap in hand, and where the next one is. */
static bool heap_object(const cnnfi_h5_guard *g, uint64_t pos, uint16_t *id, uint64_t *bytes, uint64_t *next)
{
    *id = cnnfi_le16(g->heap + pos);
    *bytes = cnnfi_le64(g->heap + pos + 8);
    if (*bytes > g->heap_size - pos) return false;
    uint64_t step = *id == 0 ? *bytes : 16 + (*bytes + 7) / 8 * 8;
    *next = pos + step;
    return step >= 16 && step <= g->heap_size - pos;
}

/* Takes the collection at `at` in hand; all of it is walked, as libhdf5 does. */
static cnnf_status open_global_heap(cnnfi_h5_guard *g, uint64_t at)
{
    const uint8_t *head = NULL;
    uint64_t bytes = 0;
    uint16_t id = 0;
    if (g->heap && g->heap_at == at) return CNNF_OK;
    g->heap = NULL;
    CNNFI_TRY(fetch(g, at, 16, &head, "a global heap"));
    g->heap_at = at;
    g->heap_size = cnnfi_le64(head + 8);
    if (memcmp(head, "GCOL", 4) != 0 || head[4] != 1 || g->heap_size < 4096) return FAIL(g, at, "no global heap");
    CNNFI_TRY(fetch(g, at, g->heap_size, &g->heap, "a global heap"));
    for (uint64_t pos = 16; g->heap_size - pos >= 16;)
        if (!heap_object(g, pos, &id, &bytes, &pos))
            return FAIL(g, at + pos, "an object of a global heap runs past its end");
    return CNNF_OK;
}

/* Object `index` of the collection has `length` bytes. */
static cnnf_status global_heap(cnnfi_h5_guard *g, uint64_t at, uint32_t index, uint32_t length)
{
    uint64_t bytes = 0;
    uint16_t id = 0;
    CNNFI_TRY(open_global_heap(g, at));
    for (uint64_t pos = 16; g->heap_size - pos >= 16 && heap_object(g, pos, &id, &bytes, &pos);)
        if (id != 0 && id == index)
            return bytes >= length ? CNNF_OK : FAIL(g, at, "global heap object %u is too short", index);
    return FAIL(g, at, "global heap object %u is not there", index);
}

/* ---- attributes ---- */

/* Elements of a variable-length string attribute: length, collection, index. */
static cnnf_status variable_strings(cnnfi_h5_guard *g, uint64_t at, const uint8_t *p, uint64_t count)
{
    CNNFI_TRY(cnnfi_check_limit(g->context, CNNF_LIMIT_ENTRIES, count, g->path, g->error));
    for (uint64_t i = 0; i < count; i++) {
        uint32_t length = cnnfi_le32(p + 16 * i), index = cnnfi_le32(p + 16 * i + 12);
        uint64_t heap = cnnfi_le64(p + 16 * i + 4);
        if (heap == 0 || heap == UNDEFINED) {
            if (length != 0) return FAIL(g, at, "a string of %u bytes without a heap", length);
            continue;
        }
        if (length > cnnfi_limit(g->context, CNNF_LIMIT_ATTR_BYTES)) return FAIL(g, at, "a string of %u bytes", length);
        CNNFI_TRY(global_heap(g, heap, index, length));
    }
    return CNNF_OK;
}

static size_t padded(size_t size, unsigned version)
{
    return version == 1 ? (size + 7) / 8 * 8 : size;
}

static cnnf_status attribute(cnnfi_h5_guard *g, uint64_t at, const uint8_t *p, size_t left)
{
    type t;
    extent e;
    uint64_t bytes;
    if (left < 9 || p[0] < 1 || p[0] > 3 || (p[0] > 1 && p[1] != 0))
        return FAIL(g, at, "an attribute message that is damaged");
    size_t head = p[0] == 3 ? 9 : 8, name = cnnfi_le16(p + 2), type_size = cnnfi_le16(p + 4),
           space_size = cnnfi_le16(p + 6);
    size_t type_at = head + padded(name, p[0]), space_at = type_at + padded(type_size, p[0]),
           data_at = space_at + padded(space_size, p[0]);
    if (name == 0 || data_at > left || strnlen((const char *)p + head, name) != name - 1)
        return FAIL(g, at, "an attribute's name, type or shape runs past its end");
    CNNFI_TRY(datatype(g, at + type_at, p + type_at, type_size, &t));
    CNNFI_TRY(dataspace(g, at + space_at, p + space_at, space_size, &e));
    if (!plain(&t))
        return fail(g, CNNF_E_UNSUPPORTED, at, "attribute '%.100s' has type %s, want string", (const char *)p + head,
                    class_name(t.class));
    if (__builtin_mul_overflow(e.points, (uint64_t)t.size, &bytes) || bytes > left - data_at)
        return FAIL(g, at, "attribute '%.100s' needs %" PRIu64 " bytes and has %zu", (const char *)p + head, bytes,
                    left - data_at);
    return t.variable ? variable_strings(g, at, p + data_at, e.points) : CNNF_OK;
}

/* ---- B-trees ---- */

typedef cnnf_status (*leaf_fn)(cnnfi_h5_guard *g, uint64_t child, const uint8_t *key, void *user);

typedef struct tree {
    uint8_t type;
    unsigned k;
    size_t key_size;
    leaf_fn leaf;
    void *user;
} tree;

/* A node and all below it. The stack is as deep as the tree's levels, which fall by one each step. */
static cnnf_status tree_node(cnnfi_h5_guard *g, const tree *t, uint64_t at, int level)
{
    const uint8_t *p = NULL;
    bool first = false;
    size_t step = t->key_size + 8, size = 24 + 2u * t->k * step + t->key_size;
    CNNFI_TRY(first_time(g, "tree", at, &first));
    if (!first) return FAIL(g, at, "a B-tree node is met twice");
    CNNFI_TRY(fetch(g, at, size, &p, "a B-tree node"));
    unsigned used = cnnfi_le16(p + 6);
    if (memcmp(p, "TREE", 4) != 0 || p[4] != t->type || used > 2 * t->k)
        return FAIL(g, at, "no B-tree node of its kind");
    if (p[5] > MAX_TREE_DEPTH || (level >= 0 && p[5] != level)) return FAIL(g, at, "a B-tree node of level %u", p[5]);
    for (unsigned i = 0; i < used; i++) {
        const uint8_t *key = p + 24 + i * step;
        uint64_t child = cnnfi_le64(key + t->key_size);
        CNNFI_TRY(p[5] > 0 ? tree_node(g, t, child, p[5] - 1) : t->leaf(g, child, key, t->user));
    }
    return CNNF_OK;
}

/* ---- groups by symbol table ---- */

typedef struct symbols {
    object *group;
    const uint8_t *heap;
    uint64_t heap_size;
} symbols;

static cnnf_status add_link(cnnfi_h5_guard *g, object *group, const char *name, int64_t target, uint64_t at)
{
    CNNFI_TRY(cnnfi_check_limit(g->context, CNNF_LIMIT_ENTRIES, group->links.count, g->path, g->error));
    if (cnnfi_strmap_get(&group->links, name) != -1) return FAIL(g, at, "a name occurs twice in a group");
    return cnnfi_strmap_set(&group->links, name, target) ? CNNF_OK : cnnfi_fail_nomem(g->error);
}

static cnnf_status check_object(cnnfi_h5_guard *g, uint64_t at, object **out);

/* libhdf5 follows the addresses that an entry caches instead of the object's own. */
static cnnf_status cached_table(cnnfi_h5_guard *g, uint64_t at, const uint8_t *entry, uint64_t header)
{
    object *child;
    const char *path = g->path;
    CNNFI_TRY(check_object(g, header, &child));
    g->path = path;
    if (child->tree != cnnfi_le64(entry + 24) || child->heap != cnnfi_le64(entry + 32))
        return FAIL(g, at, "a symbol table entry caches another table");
    return CNNF_OK;
}

static cnnf_status symbol_node(cnnfi_h5_guard *g, uint64_t at, const uint8_t *key, void *user)
{
    symbols *s = user;
    const uint8_t *p = NULL;
    bool first = false;
    CNNFI_TRY(first_time(g, "snod", at, &first));
    if (!first) return FAIL(g, at, "a symbol table node is met twice");
    CNNFI_TRY(fetch(g, at, 8 + 2u * g->leaf_k * 40, &p, "a symbol table node"));
    unsigned used = cnnfi_le16(p + 6);
    if (memcmp(p, "SNOD", 4) != 0 || p[4] != 1 || used > 2 * g->leaf_k) return FAIL(g, at, "no symbol table node");
    if (!heap_string(s->heap, s->heap_size, cnnfi_le64(key)))
        return FAIL(g, at, "a key of a symbol table lies outside its heap");
    for (unsigned i = 0; i < used; i++) {
        const uint8_t *entry = p + 8 + 40u * i;
        const char *name = heap_string(s->heap, s->heap_size, cnnfi_le64(entry));
        uint32_t cache = cnnfi_le32(entry + 16);
        uint64_t header = cnnfi_le64(entry + 8);
        bool soft = cache == 2;
        if (!name || cache > 2) return FAIL(g, at, "entry %u of a symbol table is damaged", i);
        if (soft && !heap_string(s->heap, s->heap_size, cnnfi_le32(entry + 24)))
            return FAIL(g, at, "a soft link's path lies outside its heap");
        if (!soft && header > INT64_MAX) return FAIL(g, at, "entry %u of a symbol table is damaged", i);
        CNNFI_TRY(add_link(g, s->group, name, soft ? LINK_OTHER : (int64_t)header, at));
    }
    return CNNF_OK;
}

static cnnf_status read_symbols(cnnfi_h5_guard *g, object *group)
{
    symbols s = {.group = group};
    CNNFI_TRY(local_heap(g, group->heap, &s.heap, &s.heap_size));
    const tree t = {.type = 0, .k = g->internal_k, .key_size = 8, .leaf = symbol_node, .user = &s};
    return tree_node(g, &t, group->tree, -1);
}

/* ---- groups by link messages ---- */

static cnnf_status link_info(cnnfi_h5_guard *g, uint64_t at, const uint8_t *p, size_t left)
{
    if (left < 18 || p[0] != 0 || p[1] > 3) return FAIL(g, at, "a link info message that is damaged");
    size_t heap = 2 + (p[1] & 1 ? 8 : 0);
    if (left < heap + 16 + (p[1] & 2 ? 8 : 0)) return FAIL(g, at, "a link info message that is damaged");
    if (cnnfi_le64(p + heap) == UNDEFINED && cnnfi_le64(p + heap + 8) == UNDEFINED) return CNNF_OK;
    return fail(g, CNNF_E_UNSUPPORTED, at,
                "a group in dense storage is not supported (h5repack --low=0 --high=0 rewrites it)");
}

static cnnf_status link_message(cnnfi_h5_guard *g, object *group, uint64_t at, const uint8_t *p, size_t left)
{
    size_t pos = 2;
    unsigned flags = left >= 2 ? p[1] : 0xff, kind = 0;
    if (left < 4 || p[0] != 1 || flags > 0x1f) return FAIL(g, at, "a link message that is damaged");
    if (flags & 8) kind = p[pos++];
    pos += (flags & 4 ? 8u : 0u) + (flags & 16 ? 1u : 0u);
    size_t width = (size_t)1 << (flags & 3);
    if (pos + width > left) return FAIL(g, at, "a link message that is damaged");
    uint64_t length = 0;
    memcpy(&length, p + pos, width);
    pos += width;
    if (length == 0 || length > left - pos || memchr(p + pos, '\0', (size_t)length))
        return FAIL(g, at, "a link's name runs past its end");
    const char *name = cnnfi_arena_strndup(&g->arena, p + pos, (size_t)length);
    pos += (size_t)length;
    if (!name) return cnnfi_fail_nomem(g->error);
    if (kind == 0) {
        if (left - pos < 8 || cnnfi_le64(p + pos) > INT64_MAX) return FAIL(g, at, "a hard link without address");
        return add_link(g, group, name, (int64_t)cnnfi_le64(p + pos), at);
    }
    if ((kind != 1 && kind != 64) || left - pos < 2 || cnnfi_le16(p + pos) == 0 || cnnfi_le16(p + pos) > left - pos - 2)
        return FAIL(g, at, "a link of kind %u that is damaged", kind);
    size_t value = cnnfi_le16(p + pos);
    const uint8_t *text = p + pos + 2;
    /* external: a byte, then file and object, both ended by zero */
    const uint8_t *zero = kind == 64 ? memchr(text + 1, '\0', value - 1) : text;
    if (kind == 64 && (value < 3 || !zero || text[value - 1] != '\0' || zero == text + value - 1))
        return FAIL(g, at, "an external link that is damaged");
    return add_link(g, group, name, LINK_OTHER, at);
}

/* ---- datasets ---- */

static cnnf_status chunk_leaf(cnnfi_h5_guard *g, uint64_t child, const uint8_t *key, void *user)
{
    (void)user;
    if (!cnnfi_range_fits(child, cnnfi_le32(key), g->size))
        return FAIL(g, child, "a chunk of %u bytes lies outside the file", cnnfi_le32(key));
    return CNNF_OK;
}

typedef struct layout_use {
    uint64_t at;
    const uint8_t *p;
    size_t left;
} layout_use;

static cnnf_status chunked(cnnfi_h5_guard *g, const layout_use *use, const type *t, const extent *e)
{
    const uint8_t *p = use->p;
    unsigned rank = p[2];
    if (use->left < 11u + 4u * rank || rank != e->rank + 1 || cnnfi_le32(p + 11 + 4 * (rank - 1)) != t->size)
        return FAIL(g, use->at, "a chunked layout that does not fit its dataset");
    for (unsigned i = 0; i < rank; i++)
        if (cnnfi_le32(p + 11 + 4 * i) == 0) return FAIL(g, use->at, "a chunk without elements");
    if (cnnfi_le64(p + 3) == UNDEFINED) return CNNF_OK;
    const tree tr = {.type = 1, .k = g->chunk_k, .key_size = 8 + 8 * (size_t)rank, .leaf = chunk_leaf};
    return tree_node(g, &tr, cnnfi_le64(p + 3), -1);
}

static cnnf_status layout(cnnfi_h5_guard *g, const layout_use *use, const type *t, const extent *e)
{
    const uint8_t *p = use->p;
    if (use->left >= 2 && p[0] == 4 && p[1] == 3)
        return cnnfi_fail(g->error, CNNF_E_UNSUPPORTED,
                          "%s: dataset '%s' is a virtual dataset over other files; refused", g->name, g->path);
    if (use->left < 4 || p[0] != 3 || p[1] > 2)
        return fail(g, CNNF_E_UNSUPPORTED, use->at, "data layout version %u is not supported (h5repack rewrites it)",
                    use->left ? p[0] : 0);
    if (p[1] == 0)
        return cnnfi_le16(p + 2) <= use->left - 4 ? CNNF_OK : FAIL(g, use->at, "compact data run past their end");
    if (p[1] == 2)
        return use->left >= 11 ? chunked(g, use, t, e) : FAIL(g, use->at, "a layout message that is damaged");
    if (use->left < 18) return FAIL(g, use->at, "a layout message that is damaged");
    if (cnnfi_le64(p + 2) != UNDEFINED && !cnnfi_range_fits(cnnfi_le64(p + 2), cnnfi_le64(p + 10), g->size))
        return FAIL(g, use->at, "%" PRIu64 " bytes of data at %" PRIu64 " lie outside the file", cnnfi_le64(p + 10),
                    cnnfi_le64(p + 2));
    return CNNF_OK;
}

static cnnf_status filters(cnnfi_h5_guard *g, uint64_t at, const uint8_t *p, size_t left)
{
    if (left < 2 || p[0] < 1 || p[0] > 2 || p[1] > 32) return FAIL(g, at, "a filter message that is damaged");
    size_t pos = p[0] == 1 ? 8 : 2;
    for (unsigned i = 0; i < p[1]; i++) {
        bool named = p[0] == 1 || (left - pos >= 2 && cnnfi_le16(p + pos) >= 256);
        size_t head = named ? 8 : 6;
        if (pos > left || left - pos < head) return FAIL(g, at, "a filter message that is damaged");
        size_t name = named ? cnnfi_le16(p + pos + 2) : 0, values = cnnfi_le16(p + pos + head - 2);
        if (p[0] == 1) name = (name + 7) / 8 * 8;
        size_t size = head + name + 4 * values + (p[0] == 1 && values % 2 ? 4 : 0);
        bool ended = name == 0 || (left - pos >= head + name && memchr(p + pos + head, '\0', name));
        if (size > left - pos || !ended || values > 20) return FAIL(g, at, "a filter message that is damaged");
        pos += size;
    }
    return CNNF_OK;
}

static cnnf_status fill(cnnfi_h5_guard *g, uint64_t at, const uint8_t *p, size_t left)
{
    size_t pos = 0;
    if (left < 2 || p[0] < 1 || p[0] > 3) return FAIL(g, at, "a fill value message that is damaged");
    if (p[0] == 3) {
        if (!(p[1] & 0x20)) return (p[1] & 0xc0) == 0 ? CNNF_OK : FAIL(g, at, "a fill value message that is damaged");
        pos = 2;
    } else {
        if (left < 4) return FAIL(g, at, "a fill value message that is damaged");
        if (p[0] == 2 && !p[3]) return CNNF_OK;
        pos = 4;
    }
    if (left - pos < 4 || cnnfi_le32(p + pos) > left - pos - 4) return FAIL(g, at, "a fill value runs past its end");
    return CNNF_OK;
}

static cnnf_status external_files(cnnfi_h5_guard *g, uint64_t at, const uint8_t *p, size_t left)
{
    const uint8_t *heap = NULL;
    uint64_t heap_size = 0;
    if (left < 16 || p[0] != 1 || cnnfi_le16(p + 6) > cnnfi_le16(p + 4) || left < 16 + 24u * cnnfi_le16(p + 4))
        return FAIL(g, at, "an external files message that is damaged");
    CNNFI_TRY(local_heap(g, cnnfi_le64(p + 8), &heap, &heap_size));
    for (unsigned i = 0; i < cnnfi_le16(p + 6); i++)
        if (!heap_string(heap, heap_size, cnnfi_le64(p + 16 + 24u * i)))
            return FAIL(g, at, "an external file's name lies outside its heap");
    return CNNF_OK;
}

/* ---- object headers ---- */

typedef struct header {
    object *object;
    type type;
    extent extent;
    layout_use layout;
    unsigned seen;                 /* bit per message that may occur once */
    uint64_t chunk[MAX_CHUNKS][2]; /* offset, length */
    unsigned n_chunks, messages;
} header;

static cnnf_status once(cnnfi_h5_guard *g, header *h, unsigned kind, uint64_t at)
{
    if (h->seen & (1u << kind)) return FAIL(g, at, "message %u occurs twice", kind);
    h->seen |= 1u << kind;
    return CNNF_OK;
}

static cnnf_status symbol_table(cnnfi_h5_guard *g, header *h, uint64_t at, const uint8_t *p, size_t left)
{
    if (left < 16) return FAIL(g, at, "a symbol table message of %zu bytes", left);
    h->object->tree = cnnfi_le64(p);
    h->object->heap = cnnfi_le64(p + 8);
    (void)g;
    return CNNF_OK;
}

static cnnf_status add_chunk(cnnfi_h5_guard *g, header *h, uint64_t at, uint64_t offset, uint64_t length)
{
    if (h->n_chunks == MAX_CHUNKS || length < 8)
        return FAIL(g, at, "an object header of more than %u blocks", MAX_CHUNKS);
    if (!cnnfi_range_fits(offset, length, g->size))
        return FAIL(g, at, "an object header's block lies outside the file");
    for (unsigned i = 0; i < h->n_chunks; i++)
        if (offset < h->chunk[i][0] + h->chunk[i][1] && h->chunk[i][0] < offset + length)
            return FAIL(g, at, "an object header's blocks overlap");
    h->chunk[h->n_chunks][0] = offset;
    h->chunk[h->n_chunks++][1] = length;
    return CNNF_OK;
}

static cnnf_status message(cnnfi_h5_guard *g, header *h, unsigned kind, uint64_t at, const uint8_t *p, size_t left)
{
    if (kind != MSG_NIL && kind != MSG_ATTRIBUTE && kind != MSG_LINK && kind != MSG_CONTINUATION && kind < 32)
        CNNFI_TRY(once(g, h, kind, at));
    switch (kind) {
    case MSG_NIL:
        return CNNF_OK;
    case MSG_DATASPACE:
        return dataspace(g, at, p, left, &h->extent);
    case MSG_DATATYPE:
        return datatype(g, at, p, left, &h->type);
    case MSG_OLD_FILL:
        return left >= 4 && cnnfi_le32(p) <= left - 4 ? CNNF_OK : FAIL(g, at, "a fill value runs past its end");
    case MSG_FILL:
        return fill(g, at, p, left);
    case MSG_LINK_INFO:
        return link_info(g, at, p, left);
    case MSG_LINK:
        return link_message(g, h->object, at, p, left);
    case MSG_GROUP_INFO:
        return left >= 2 && p[0] == 0 && p[1] <= 3 && left >= 2u + (p[1] & 1 ? 4 : 0) + (p[1] & 2 ? 4 : 0)
                   ? CNNF_OK
                   : FAIL(g, at, "a group info message that is damaged");
    case MSG_EXTERNAL:
        return external_files(g, at, p, left);
    case MSG_LAYOUT:
        h->layout = (layout_use){.at = at, .p = p, .left = left};
        return CNNF_OK;
    case MSG_FILTERS:
        return filters(g, at, p, left);
    case MSG_ATTRIBUTE:
        return attribute(g, at, p, left);
    case MSG_CONTINUATION:
        return left >= 16 ? add_chunk(g, h, at, cnnfi_le64(p), cnnfi_le64(p + 8))
                          : FAIL(g, at, "a continuation message of %zu bytes", left);
    case MSG_SYMBOL_TABLE:
        return symbol_table(g, h, at, p, left);
    case MSG_TIME:
        return left >= 8 && p[0] == 1 ? CNNF_OK : FAIL(g, at, "a modification time that is damaged");
    case MSG_REFCOUNT:
        return left >= 5 && p[0] == 0 ? CNNF_OK : FAIL(g, at, "a reference count that is damaged");
    default:
        return fail(g, CNNF_E_UNSUPPORTED, at, "header message %u is not supported", kind);
    }
}

static cnnf_status messages(cnnfi_h5_guard *g, header *h, uint64_t offset, uint64_t length)
{
    const uint8_t *p = NULL;
    CNNFI_TRY(fetch(g, offset, length, &p, "an object header"));
    for (uint64_t pos = 0; pos < length;) {
        if (length - pos < 8) return FAIL(g, offset + pos, "an object header ends within a message");
        unsigned kind = cnnfi_le16(p + pos), size = cnnfi_le16(p + pos + 2), flags = p[pos + 4];
        if (size > length - pos - 8 || size % 8 != 0)
            return FAIL(g, offset + pos, "message %u runs %" PRIu64 " bytes past its end", kind,
                        size - (length - pos - 8));
        /* 2: the message is elsewhere in the file ("shared"); above 8: for programs that do not know it */
        if (kind != MSG_NIL && (flags & ~0x05u))
            return fail(g, CNNF_E_UNSUPPORTED, offset + pos, "message %u has flags %u", kind, flags);
        CNNFI_TRY(message(g, h, kind, offset + pos + 8, p + pos + 8, size));
        h->messages++;
        pos += 8 + size;
    }
    return CNNF_OK;
}

/* What only the whole header tells. */
static cnnf_status finish(cnnfi_h5_guard *g, header *h, uint64_t at)
{
    bool table = h->seen & (1u << MSG_SYMBOL_TABLE), links = h->seen & (1u << MSG_LINK_INFO),
         data = h->seen & (1u << MSG_LAYOUT);
    if (table + links + data > 1) return FAIL(g, at, "an object that is a group and a dataset");
    if (!data) return CNNF_OK;
    if (!(h->seen & (1u << MSG_DATATYPE)) || !(h->seen & (1u << MSG_DATASPACE)))
        return FAIL(g, at, "a dataset without type or shape");
    if (!plain(&h->type) || h->type.class > 1)
        return cnnfi_fail(g->error, CNNF_E_UNSUPPORTED, "%s: dataset '%s': type %s, want float", g->name, g->path,
                          h->type.class == 9 ? "vlen string" : class_name(h->type.class));
    return layout(g, &h->layout, &h->type, &h->extent);
}

static cnnf_status read_header(cnnfi_h5_guard *g, header *h, uint64_t at)
{
    const uint8_t *p = NULL;
    CNNFI_TRY(fetch(g, at, 16, &p, "an object header"));
    if (memcmp(p, "OHDR", 4) == 0)
        return fail(g, CNNF_E_UNSUPPORTED, at,
                    "object headers of version 2 are not supported (h5repack --low=0 --high=0 rewrites the file)");
    if (p[0] != 1) return FAIL(g, at, "object header version %u", p[0]);
    unsigned count = cnnfi_le16(p + 2);
    if (count == 0 && cnnfi_le32(p + 8) == 0) return FAIL(g, at, "an object header without messages");
    CNNFI_TRY(add_chunk(g, h, at, at + 16, cnnfi_le32(p + 8)));
    for (unsigned i = 0; i < h->n_chunks; i++)
        CNNFI_TRY(messages(g, h, h->chunk[i][0], h->chunk[i][1]));
    if (h->messages != count) return FAIL(g, at, "an object header of %u messages has %u", count, h->messages);
    return finish(g, h, at);
}

static cnnf_status add_object(cnnfi_h5_guard *g, const char *key, uint64_t at, object **out)
{
    void *grown = g->objects;
    object *o = cnnfi_arena_alloc(&g->arena, sizeof *o);
    if (!o || !cnnfi_grow(g->context, &grown, &g->object_capacity, g->n_objects, sizeof(object *)))
        return cnnfi_fail_nomem(g->error);
    g->objects = grown;
    *o = (object){.address = at, .tree = UNDEFINED, .heap = UNDEFINED};
    cnnfi_strmap_init(&o->links, g->context);
    if (!cnnfi_strmap_set(&g->seen, key, (int64_t)g->n_objects)) return cnnfi_fail_nomem(g->error);
    g->objects[g->n_objects++] = o;
    *out = o;
    return CNNF_OK;
}

static cnnf_status check_object(cnnfi_h5_guard *g, uint64_t at, object **out)
{
    char *key = cnnfi_arena_printf(&g->arena, "object:%" PRIx64, at);
    if (!key) return cnnfi_fail_nomem(g->error);
    int64_t index = cnnfi_strmap_get(&g->seen, key);
    if (index >= 0) {
        *out = g->objects[index];
        return CNNF_OK;
    }
    header *h = cnnfi_arena_alloc(&g->arena, sizeof *h);
    if (!h) return cnnfi_fail_nomem(g->error);
    CNNFI_TRY(add_object(g, key, at, out)); /* found bad, it ends the load */
    h->object = *out;
    return read_header(g, h, at);
}

/* ---- the file ---- */

static cnnf_status superblock(cnnfi_h5_guard *g)
{
    const uint8_t *p = NULL;
    CNNFI_TRY(fetch(g, 0, 100 <= g->size ? 100 : g->size, &p, "the superblock"));
    if (g->size < 100 || memcmp(p, "\x89HDF\r\n\x1a\n", 8) != 0)
        return fail(g, CNNF_E_UNSUPPORTED, 0, "a file whose superblock is not at its beginning is not supported");
    if (p[8] > 1)
        return fail(g, CNNF_E_UNSUPPORTED, 8,
                    "superblock version %u is not supported (h5repack --low=0 --high=0 rewrites the file)", p[8]);
    const uint8_t *tail = p + (p[8] == 1 ? 28 : 24), *root = tail + 32;
    g->leaf_k = cnnfi_le16(p + 16);
    g->internal_k = cnnfi_le16(p + 18);
    g->chunk_k = p[8] == 1 ? cnnfi_le16(p + 24) : 32;
    if (p[9] != 0 || p[10] != 0 || p[12] != 0 || cnnfi_le32(p + 20) > 3 || g->leaf_k == 0 || g->internal_k == 0 ||
        g->chunk_k == 0 || g->leaf_k > 4096 || g->internal_k > 4096 || g->chunk_k > 4096)
        return FAIL(g, 9, "the superblock is damaged");
    if (cnnfi_le64(tail) != 0 || cnnfi_le64(tail + 8) != UNDEFINED || cnnfi_le64(tail + 24) != UNDEFINED)
        return fail(g, CNNF_E_UNSUPPORTED, 24, "a base address, free-space or driver information is not supported");
    g->root = cnnfi_le64(root + 8);
    if (cnnfi_le32(root + 16) > 1) return FAIL(g, 24, "the root entry is damaged");
    if (cnnfi_le32(root + 16) == 1) return cached_table(g, 24, root, g->root);
    return CNNF_OK;
}

cnnf_status cnnfi_h5_guard_new(cnnfi_h5_guard **out, cnnf_context *context, cnnfi_source *source, uint64_t base,
                               uint64_t size, const char *name, cnnf_error *error)
{
    *out = NULL;
    cnnfi_h5_guard *g = cnnfi_calloc(context, 1, sizeof *g);
    if (!g) return cnnfi_fail_nomem(error);
    *g = (cnnfi_h5_guard){
        .context = context, .source = source, .base = base, .size = size, .name = name, .path = "/", .error = error};
    cnnfi_arena_init(&g->arena, context);
    cnnfi_strmap_init(&g->seen, context);
    cnnf_status status = superblock(g);
    if (status == CNNF_OK)
        *out = g;
    else
        cnnfi_h5_guard_free(g);
    return status;
}

void cnnfi_h5_guard_free(cnnfi_h5_guard *g)
{
    if (!g) return;
    for (size_t i = 0; i < g->n_objects; i++)
        cnnfi_strmap_free(&g->objects[i]->links);
    cnnfi_free(g->context, g->objects);
    cnnfi_strmap_free(&g->seen);
    cnnfi_arena_free(&g->arena);
    cnnfi_free(g->context, g);
}

/* The links of a group; an object that is none has none. */
static cnnf_status open_links(cnnfi_h5_guard *g, object *o)
{
    if (o->links_read || o->tree == UNDEFINED) return CNNF_OK;
    o->links_read = true;
    return read_symbols(g, o);
}

cnnf_status cnnfi_h5_guard_path(cnnfi_h5_guard *g, const char *path, cnnf_error *error)
{
    object *o;
    g->error = error;
    g->path = path;
    CNNFI_TRY(check_object(g, g->root, &o));
    for (const char *at = path; *at;) {
        size_t length = strcspn(at, "/");
        if (length > 0 && !(length == 1 && at[0] == '.')) {
            CNNFI_TRY(open_links(g, o));
            int64_t target = cnnfi_strmap_get_n(&o->links, at, length);
            if (target < 0) return CNNF_OK;
            CNNFI_TRY(check_object(g, (uint64_t)target, &o));
        }
        at += length + (at[length] == '/');
    }
    return CNNF_OK;
}
