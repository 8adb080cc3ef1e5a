/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/hdf5/hdf5_object.h"

#include <string.h>

#include "base/bytes.h"
#include "base/context.h"
#include "base/error.h"
#include "loader/hdf5/hdf5_heap.h"
#include "loader/hdf5/hdf5_tree.h"

cnnf_status cnnfi_h5_object_read(cnnfi_h5_store *store, uint64_t at, cnnfi_h5_object **out)
{
    cnnfi_h5_object *object = cnnfi_arena_alloc(&store->arena, sizeof *object);
    *out = NULL;
    if (!object) return cnnfi_fail_nomem(store->error);
    cnnfi_strmap_init(&object->link_names, store->context);
    cnnfi_strmap_init(&object->attribute_names, store->context);
    CNNFI_TRY(cnnfi_h5_read_header(store, at, &object->header));
    *out = object;
    return CNNF_OK;
}

void cnnfi_h5_object_clear(cnnfi_h5_object *object)
{
    cnnfi_strmap_free(&object->link_names);
    cnnfi_strmap_free(&object->attribute_names);
    for (size_t i = 0; i < CNNFI_H5_FORMS; i++)
        cnnf_tensor_unref(object->values[i]);
}

/* ---- links ---- */

static cnnf_status add_link(cnnfi_h5_store *store, cnnfi_h5_object *o, const cnnfi_h5_link *link, uint64_t at)
{
    void *array = o->links;
    CNNFI_TRY(cnnfi_check_limit(store->context, CNNF_LIMIT_ENTRIES, o->n_links + 1, store->path, store->error));
    CNNFI_TRY(cnnfi_check_limit(store->context, CNNF_LIMIT_NAME_BYTES, strlen(link->name), store->path, store->error));
    if (cnnfi_strmap_get(&o->link_names, link->name) >= 0)
        return CNNFI_H5_CORRUPT(store, at, "a name occurs twice in a group");
    cnnfi_h5_link *slot = cnnfi_h5_append(&store->arena, &array, &o->link_capacity, &o->n_links, sizeof *slot);
    if (!slot) return cnnfi_fail_nomem(store->error);
    o->links = array;
    *slot = *link;
    return cnnfi_strmap_set(&o->link_names, link->name, (int64_t)o->n_links - 1) ? CNNF_OK
                                                                                 : cnnfi_fail_nomem(store->error);
}

typedef struct symbols {
    cnnfi_h5_object *group;
    cnnfi_h5_local_heap heap;
} symbols;

/* Keys are names: a child's are above its left key, up to its right one. */
static bool names_ordered(const uint8_t *a, const uint8_t *b, void *user)
{
    const symbols *s = user;
    const char *left = cnnfi_h5_heap_string(&s->heap, cnnfi_le64(a)),
               *right = cnnfi_h5_heap_string(&s->heap, cnnfi_le64(b));
    return left && right && strcmp(left, right) <= 0;
}

/* Name 8 (in the heap), header 8, what is cached 4 (2: a soft link, whose path in the heap comes at 24). */
static cnnf_status read_symbol(cnnfi_h5_store *store, const symbols *s, const uint8_t *entry, uint64_t at,
                               cnnfi_h5_link *out)
{
    const char *name = cnnfi_h5_heap_string(&s->heap, cnnfi_le64(entry));
    const uint32_t cache = cnnfi_le32(entry + 16);
    *out = (cnnfi_h5_link){.kind = cache == 2, .address = cnnfi_le64(entry + 8)};
    if (!name || cache > 2) return CNNFI_H5_CORRUPT(store, at, "an entry of a symbol table is damaged");
    if (out->kind == 1) {
        const char *target = cnnfi_h5_heap_string(&s->heap, cnnfi_le32(entry + 24));
        if (!target) return CNNFI_H5_CORRUPT(store, at, "a soft link's path lies outside its heap");
        out->target = cnnfi_arena_strdup(&store->arena, target);
        if (!out->target) return cnnfi_fail_nomem(store->error);
    }
    out->name = cnnfi_arena_strdup(&store->arena, name);
    return out->name ? CNNF_OK : cnnfi_fail_nomem(store->error);
}

/* "SNOD", version 1, reserved 1, entries 2, then 40 bytes each, in the order of their names. */
static cnnf_status read_symbol_node(cnnfi_h5_store *store, uint64_t at, const uint8_t *left, const uint8_t *right,
                                    void *user)
{
    symbols *s = user;
    const uint8_t *p = NULL;
    cnnfi_h5_link link;
    CNNFI_TRY(cnnfi_h5_fetch(store, &store->scratch, at, 8, &p, "a symbol table node"));
    const unsigned used = cnnfi_le16(p + 6);
    if (memcmp(p, "SNOD", 4) != 0 || p[4] != 1 || used > 2 * store->leaf_k)
        return CNNFI_H5_CORRUPT(store, at, "no symbol table node");
    CNNFI_TRY(cnnfi_h5_fetch(store, &store->scratch, at, 8 + 40u * used, &p, "a symbol table node"));
    const char *before = cnnfi_h5_heap_string(&s->heap, cnnfi_le64(left));
    for (unsigned i = 0; i < used; i++) {
        CNNFI_TRY(read_symbol(store, s, p + 8 + 40u * i, at, &link));
        if (strcmp(before, link.name) >= 0)
            return CNNFI_H5_CORRUPT(store, at, "the names of a symbol table node are not in order");
        CNNFI_TRY(add_link(store, s->group, &link, at));
        before = link.name;
    }
    if (strcmp(before, cnnfi_h5_heap_string(&s->heap, cnnfi_le64(right))) > 0)
        return CNNFI_H5_CORRUPT(store, at, "a symbol table node's names are above its key");
    return CNNF_OK;
}

static cnnf_status read_symbols(cnnfi_h5_store *store, cnnfi_h5_object *o, const cnnfi_h5_message *m)
{
    symbols s = {.group = o};
    if (m->size < 16) return CNNFI_H5_CORRUPT(store, m->at, "a symbol table message of %zu bytes", m->size);
    CNNFI_TRY(cnnfi_h5_read_local_heap(store, cnnfi_le64(m->p + 8), &s.heap));
    const cnnfi_h5_tree1 tree = {0, store->internal_k, 8, names_ordered, read_symbol_node, &s};
    return cnnfi_h5_walk_tree1(store, &tree, cnnfi_le64(m->p));
}

/* A heap's objects are messages, which an index of hashed names lists. */
typedef struct dense {
    cnnfi_h5_object *object;
    cnnfi_h5_fractal_heap heap;
} dense;

/* B-tree type 5: hash of the name 4, id 7. */
static cnnf_status read_dense_link(cnnfi_h5_store *store, const uint8_t *record, size_t size, void *user)
{
    dense *d = user;
    cnnfi_h5_message m = {.kind = CNNFI_H5_MSG_LINK};
    cnnfi_h5_link link;
    if (size != 4 + d->heap.id_size) return CNNFI_H5_CORRUPT(store, d->heap.at, "a link's record of %zu bytes", size);
    CNNFI_TRY(cnnfi_h5_fractal_object(&d->heap, record + 4, &m.p, &m.size, &m.at));
    CNNFI_TRY(cnnfi_h5_decode_link(store, &m, &link));
    if (cnnfi_h5_lookup3(link.name, strlen(link.name)) != cnnfi_le32(record))
        return CNNFI_H5_CORRUPT(store, m.at, "a link's name does not have the hash of its record");
    return add_link(store, d->object, &link, m.at);
}

static cnnf_status read_dense(cnnfi_h5_store *store, cnnfi_h5_object *o, const cnnfi_h5_message *m, uint8_t type,
                              cnnfi_h5_record_fn record)
{
    cnnfi_h5_dense where;
    dense *d = cnnfi_arena_alloc(&store->scratch, sizeof *d);
    if (!d) return cnnfi_fail_nomem(store->error);
    d->object = o;
    CNNFI_TRY(cnnfi_h5_decode_dense(store, m, &where));
    if (where.heap == CNNFI_H5_UNDEFINED) return CNNF_OK;
    CNNFI_TRY(cnnfi_h5_open_fractal_heap(store, where.heap, &d->heap));
    return cnnfi_h5_walk_tree2(store, where.names, type, record, d);
}

static cnnf_status read_links(cnnfi_h5_store *store, cnnfi_h5_object *o)
{
    const cnnfi_h5_message *table = cnnfi_h5_find(&o->header, CNNFI_H5_MSG_SYMBOL_TABLE),
                           *info = cnnfi_h5_find(&o->header, CNNFI_H5_MSG_LINK_INFO);
    if ((table && info) || ((table || info) && cnnfi_h5_find(&o->header, CNNFI_H5_MSG_LAYOUT)))
        return CNNFI_H5_CORRUPT(store, o->header.at, "an object that is two things at once");
    if (table) CNNFI_TRY(read_symbols(store, o, table));
    for (size_t i = 0; i < o->header.count; i++) {
        const cnnfi_h5_message *m = &o->header.messages[i];
        cnnfi_h5_link link;
        if (m->kind != CNNFI_H5_MSG_LINK) continue;
        CNNFI_TRY(cnnfi_h5_decode_link(store, m, &link));
        CNNFI_TRY(add_link(store, o, &link, m->at));
    }
    return info ? read_dense(store, o, info, 5, read_dense_link) : CNNF_OK;
}

cnnf_status cnnfi_h5_object_link(cnnfi_h5_store *store, cnnfi_h5_object *o, const char *name, size_t length,
                                 const cnnfi_h5_link **out)
{
    *out = NULL;
    if (!o->links_read) CNNFI_TRY(read_links(store, o));
    o->links_read = true;
    const int64_t index = cnnfi_strmap_get_n(&o->link_names, name, length);
    if (index >= 0) *out = &o->links[index];
    return CNNF_OK;
}

/* ---- attributes ---- */

static cnnf_status add_attribute(cnnfi_h5_store *store, cnnfi_h5_object *o, const cnnfi_h5_message *m,
                                 const char **name)
{
    void *array = o->attributes;
    cnnfi_h5_attribute attribute;
    CNNFI_TRY(cnnfi_h5_decode_attribute(store, m, &attribute));
    CNNFI_TRY(cnnfi_check_limit(store->context, CNNF_LIMIT_ENTRIES, o->n_attributes + 1, store->path, store->error));
    CNNFI_TRY(
        cnnfi_check_limit(store->context, CNNF_LIMIT_NAME_BYTES, strlen(attribute.name), store->path, store->error));
    if (cnnfi_strmap_get(&o->attribute_names, attribute.name) >= 0)
        return CNNFI_H5_CORRUPT(store, m->at, "attribute '%.100s' occurs twice", attribute.name);
    cnnfi_h5_attribute *slot =
        cnnfi_h5_append(&store->arena, &array, &o->attribute_capacity, &o->n_attributes, sizeof *slot);
    if (!slot) return cnnfi_fail_nomem(store->error);
    o->attributes = array;
    *slot = attribute;
    if (name) *name = attribute.name;
    return cnnfi_strmap_set(&o->attribute_names, attribute.name, (int64_t)o->n_attributes - 1)
               ? CNNF_OK
               : cnnfi_fail_nomem(store->error);
}

/* B-tree type 8: id 8, message flags 1, order of creation 4, hash of the name 4. */
static cnnf_status read_dense_attribute(cnnfi_h5_store *store, const uint8_t *record, size_t size, void *user)
{
    dense *d = user;
    const size_t id = d->heap.id_size;
    cnnfi_h5_message m = {.kind = CNNFI_H5_MSG_ATTRIBUTE};
    const char *name = NULL;
    if (size != id + 9) return CNNFI_H5_CORRUPT(store, d->heap.at, "an attribute's record of %zu bytes", size);
    if (record[id] & 2)
        return cnnfi_h5_fail(store, CNNF_E_UNSUPPORTED, d->heap.at, "an attribute shared with another object");
    CNNFI_TRY(cnnfi_h5_fractal_object(&d->heap, record, &m.p, &m.size, &m.at));
    CNNFI_TRY(add_attribute(store, d->object, &m, &name));
    if (cnnfi_h5_lookup3(name, strlen(name)) != cnnfi_le32(record + id + 5))
        return CNNFI_H5_CORRUPT(store, m.at, "an attribute's name does not have the hash of its record");
    return CNNF_OK;
}

static cnnf_status read_attributes(cnnfi_h5_store *store, cnnfi_h5_object *o)
{
    const cnnfi_h5_message *info = cnnfi_h5_find(&o->header, CNNFI_H5_MSG_ATTRIBUTE_INFO);
    for (size_t i = 0; i < o->header.count; i++)
        if (o->header.messages[i].kind == CNNFI_H5_MSG_ATTRIBUTE)
            CNNFI_TRY(add_attribute(store, o, &o->header.messages[i], NULL));
    return info ? read_dense(store, o, info, 8, read_dense_attribute) : CNNF_OK;
}

cnnf_status cnnfi_h5_object_attribute(cnnfi_h5_store *store, cnnfi_h5_object *o, const char *name,
                                      const cnnfi_h5_attribute **out)
{
    *out = NULL;
    if (!o->attributes_read) CNNFI_TRY(read_attributes(store, o));
    o->attributes_read = true;
    const int64_t index = cnnfi_strmap_get(&o->attribute_names, name);
    if (index >= 0) *out = &o->attributes[index];
    return CNNF_OK;
}
