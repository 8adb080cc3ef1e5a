/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/hdf5/hdf5_file.h"

#include <inttypes.h>
#include <string.h>

#include "base/context.h"
#include "base/error.h"
#include "loader/hdf5/hdf5_attribute.h"
#include "loader/hdf5/hdf5_dataset.h"
#include "loader/hdf5/hdf5_library.h"
#include "loader/hdf5/hdf5_superblock.h"

struct cnnfi_h5 {
    cnnfi_h5_store store;
    cnnfi_h5_decoded decoded;
    cnnfi_h5_object *root;
    cnnfi_h5_object **objects;
    size_t n_objects, capacity;
    cnnfi_strmap addresses; /* in hexadecimal -> index of the object */
};

/* ---- open and close ---- */

static cnnf_status keep_object(cnnfi_h5 *h5, cnnfi_h5_object *object)
{
    void *grown = h5->objects;
    if (!cnnfi_grow(h5->store.context, &grown, &h5->capacity, h5->n_objects, sizeof(cnnfi_h5_object *))) {
        cnnfi_h5_object_clear(object);
        return cnnfi_fail_nomem(h5->store.error);
    }
    h5->objects = grown;
    h5->objects[h5->n_objects++] = object;
    return CNNF_OK;
}

static cnnf_status open_root(cnnfi_h5 *h5)
{
    h5->store.showing = true;
    const cnnf_status status = cnnfi_h5_read_superblock(&h5->store, &h5->root);
    h5->store.showing = false;
    if (h5->root) CNNFI_TRY(keep_object(h5, h5->root));
    cnnfi_h5_scratch_reset(&h5->store);
    return status;
}

cnnf_status cnnfi_h5_ask_library(cnnfi_h5 *h5, cnnf_error *error)
{
    h5->store.error = error;
    return cnnfi_h5_library_opens(&h5->store);
}

cnnf_status cnnfi_h5_open(cnnfi_h5 **out, cnnf_context *context, cnnfi_source *source, uint64_t base, uint64_t size,
                          const char *name, cnnfi_budget *budget, cnnf_error *error)
{
    uint64_t at = 0;
    *out = NULL;
    CNNFI_TRY(cnnfi_h5_find_signature(&at, source, base, size, name, error));
    cnnfi_h5 *h5 = cnnfi_calloc(context, 1, sizeof *h5);
    if (!h5) return cnnfi_fail_nomem(error);
    cnnfi_h5_store_init(&h5->store, context, source, base + at, size - at, name, error);
    h5->store.user_block = at;
    h5->store.budget = budget;
    cnnfi_strmap_init(&h5->addresses, context);
    cnnf_status status = open_root(h5);
    if (status == CNNF_OK)
        *out = h5;
    else
        cnnfi_h5_close(h5);
    return status;
}

void cnnfi_h5_close(cnnfi_h5 *h5)
{
    if (!h5) return;
    cnnf_context *context = h5->store.context;
    for (size_t i = 0; i < h5->n_objects; i++)
        cnnfi_h5_object_clear(h5->objects[i]);
    cnnfi_free(context, h5->objects);
    cnnfi_strmap_free(&h5->addresses);
    cnnfi_source_unref(h5->decoded.file);
    cnnfi_h5_store_free(&h5->store);
    cnnfi_free(context, h5);
}

/* ---- walking a path ---- */

/* The path while it is walked, and the objects from the root to here: a hard link may lead back up. */
typedef struct walk {
    cnnfi_h5 *h5;
    const char *path;
    size_t length; /* of the part that is done */
    const cnnfi_h5_object **trail;
    size_t depth, capacity;
} walk;

static cnnf_status note(walk *w, const cnnfi_h5_object *object)
{
    cnnfi_h5_store *store = &w->h5->store;
    for (size_t i = 0; i < w->depth; i++)
        if (w->trail[i] == object)
            return cnnfi_fail(store->error, CNNF_E_CORRUPT, "%s: group '%.*s' links back to itself", store->name,
                              (int)w->length, w->path);
    if (w->depth == w->capacity)
        return cnnfi_fail_limit(store->error, w->path, CNNF_LIMIT_DEPTH, w->capacity + 1, w->capacity);
    w->trail[w->depth++] = object;
    return CNNF_OK;
}

static cnnf_status object_at(cnnfi_h5 *h5, uint64_t at, cnnfi_h5_object **out)
{
    cnnfi_h5_store *store = &h5->store;
    if (at == store->root) {
        *out = h5->root;
        return CNNF_OK;
    }
    char *key = cnnfi_arena_printf(&store->arena, "%" PRIx64, at);
    if (!key) return cnnfi_fail_nomem(store->error);
    const int64_t index = cnnfi_strmap_get(&h5->addresses, key);
    if (index >= 0) {
        *out = h5->objects[index];
        return CNNF_OK;
    }
    CNNFI_TRY(cnnfi_h5_object_read(store, at, out));
    if (!cnnfi_strmap_set(&h5->addresses, key, (int64_t)h5->n_objects)) return cnnfi_fail_nomem(store->error);
    return keep_object(h5, *out);
}

static cnnf_status refuse_link(const walk *w, const cnnfi_h5_link *link)
{
    const char *kind = link->kind == 1 ? "a soft" : "an external";
    return cnnfi_fail(w->h5->store.error, CNNF_E_UNSUPPORTED, "%s: '%.*s' is %s link (to '%.200s'); refused",
                      w->h5->store.name, (int)w->length, w->path, kind, link->target);
}

/* The child called [name, name + length) of *object takes its place; NULL when there is none. */
static cnnf_status step(walk *w, cnnfi_h5_object **object, const char *name, size_t length)
{
    cnnfi_h5_store *store = &w->h5->store;
    const cnnfi_h5_link *link = NULL;
    CNNFI_TRY(cnnfi_check_limit(store->context, CNNF_LIMIT_NAME_BYTES, length, store->name, store->error));
    CNNFI_TRY(cnnfi_h5_object_link(store, *object, name, length, &link));
    *object = NULL;
    if (!link) return CNNF_OK;
    w->length = (size_t)(name - w->path) + length;
    if (link->kind != 0) return refuse_link(w, link);
    CNNFI_TRY(object_at(w->h5, link->address, object));
    return note(w, *object);
}

static cnnf_status walk_path(walk *w, cnnfi_h5_object **object)
{
    *object = w->h5->root;
    CNNFI_TRY(note(w, *object));
    for (const char *at = w->path; *object && *at;) {
        const size_t length = strcspn(at, "/");
        /* HDF5 takes "." for the group itself. */
        if (length > 0 && !(length == 1 && at[0] == '.')) CNNFI_TRY(step(w, object, at, length));
        at += length + (at[length] == '/');
    }
    return CNNF_OK;
}

/* *object is NULL when nothing is there. */
static cnnf_status open_object(cnnfi_h5 *h5, cnnfi_h5_object **object, const char *path, cnnf_error *error)
{
    cnnfi_h5_store *store = &h5->store;
    *object = NULL;
    store->error = error;
    store->path = path;
    cnnfi_h5_scratch_reset(store);
    walk w = {.h5 = h5, .path = path, .capacity = (size_t)cnnfi_limit(store->context, CNNF_LIMIT_DEPTH) + 1};
    w.trail = cnnfi_arena_array(&store->scratch, w.capacity, sizeof *w.trail);
    return w.trail ? walk_path(&w, object) : cnnfi_fail_nomem(error);
}

cnnf_status cnnfi_h5_has(bool *out, cnnfi_h5 *h5, const char *path, cnnf_error *error)
{
    cnnfi_h5_object *object;
    const cnnf_status status = open_object(h5, &object, path, error);
    *out = status == CNNF_OK && object;
    return status;
}

/* ---- attributes ---- */

cnnf_status cnnfi_h5_attr_string(const char **out, cnnfi_h5 *h5, cnnfi_arena *arena, const char *path, const char *name,
                                 cnnf_error *error)
{
    cnnfi_h5_object *object;
    const cnnfi_h5_attribute *attribute = NULL;
    const char **list = NULL;
    size_t count = 0;
    *out = NULL;
    CNNFI_TRY(open_object(h5, &object, path, error));
    if (object) CNNFI_TRY(cnnfi_h5_object_attribute(&h5->store, object, name, &attribute));
    if (attribute) CNNFI_TRY(cnnfi_h5_append_strings(&h5->store, arena, attribute, &list, &count));
    if (count == 1) *out = list[0];
    return CNNF_OK;
}

/* Keras splits an attribute over HDF5's 64 KiB into name0, name1, ... */
static cnnf_status read_parts(cnnfi_h5 *h5, cnnfi_arena *arena, cnnfi_h5_object *object, const char *name,
                              const char ***out, size_t *count, bool *found)
{
    cnnfi_h5_store *store = &h5->store;
    for (unsigned part = 0;; part++) {
        const cnnfi_h5_attribute *attribute = NULL;
        char *numbered = cnnfi_arena_printf(&store->scratch, "%s%u", name, part);
        if (!numbered) return cnnfi_fail_nomem(store->error);
        CNNFI_TRY(cnnfi_h5_object_attribute(store, object, numbered, &attribute));
        if (!attribute) return CNNF_OK;
        *found = true;
        CNNFI_TRY(cnnfi_h5_append_strings(store, arena, attribute, out, count));
        CNNFI_TRY(cnnfi_check_limit(store->context, CNNF_LIMIT_ENTRIES, *count, name, store->error));
    }
}

cnnf_status cnnfi_h5_attr_strings(const char ***out, size_t *count, bool *found, cnnfi_h5 *h5, cnnfi_arena *arena,
                                  const char *path, const char *name, cnnf_error *error)
{
    cnnfi_h5_object *object;
    const cnnfi_h5_attribute *attribute = NULL;
    *out = NULL;
    *count = 0;
    *found = false;
    CNNFI_TRY(open_object(h5, &object, path, error));
    if (!object) return CNNF_OK;
    CNNFI_TRY(cnnfi_h5_object_attribute(&h5->store, object, name, &attribute));
    if (!attribute) return read_parts(h5, arena, object, name, out, count, found);
    *found = true;
    return cnnfi_h5_append_strings(&h5->store, arena, attribute, out, count);
}

cnnf_status cnnfi_h5_attr_is_fixed(bool *out, cnnfi_h5 *h5, const char *path, const char *name, cnnf_error *error)
{
    cnnfi_h5_object *object;
    const cnnfi_h5_attribute *attribute = NULL;
    *out = false;
    CNNFI_TRY(open_object(h5, &object, path, error));
    if (object) CNNFI_TRY(cnnfi_h5_object_attribute(&h5->store, object, name, &attribute));
    if (!attribute || attribute->shared) return CNNF_OK;
    cnnfi_h5_type type;
    const cnnfi_h5_message message = {CNNFI_H5_MSG_DATATYPE, attribute->at, attribute->type, attribute->type_size};
    CNNFI_TRY(cnnfi_h5_decode_type(&h5->store, &message, &type));
    *out = type.class == CNNFI_H5_STRING && !type.variable;
    return CNNF_OK;
}

/* ---- datasets ---- */

cnnf_status cnnfi_h5_tensor(cnnf_tensor **out, cnnfi_h5 *h5, const char *path, cnnf_dtype floats, cnnf_error *error)
{
    cnnfi_h5_object *object;
    cnnfi_h5_store *store = &h5->store;
    const int form = floats == CNNF_DOUBLE ? CNNFI_H5_AS_DOUBLE
                     : floats == CNNF_HALF ? CNNFI_H5_AS_HALF
                                           : CNNFI_H5_AS_FLOAT;
    *out = NULL;
    CNNFI_TRY(open_object(h5, &object, path, error));
    if (!object) return cnnfi_fail(error, CNNF_E_NOT_FOUND, "%s: dataset '%s' is not there", store->name, path);
    if (!object->values[form]) {
        char *where = cnnfi_arena_printf(&store->scratch, "%s: dataset '%s'", store->name, path);
        if (!where) return cnnfi_fail_nomem(error);
        if (form == CNNFI_H5_AS_FLOAT) floats = CNNF_FLOAT;
        CNNFI_TRY(cnnfi_h5_read_dataset(&object->values[form], store, object, &h5->decoded, floats, where));
    }
    *out = cnnf_tensor_ref(object->values[form]);
    return CNNF_OK;
}
