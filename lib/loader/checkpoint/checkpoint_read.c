/* SPDX-License-Identifier: Apache-2.0 */
#include <cnnfreeze/checkpoint.h>

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/context.h"
#include "base/crc32c.h"
#include "base/error.h"
#include "loader/checkpoint/checkpoint_impl.h"

static cnnf_status checkpoint_new(cnnf_checkpoint **out, cnnf_context *context, cnnf_error *error)
{
    cnnf_checkpoint *c = cnnfi_calloc(context, 1, sizeof *c);
    if (!c) return cnnfi_fail_nomem(error);
    atomic_init(&c->refs, 1);
    c->context = cnnf_context_ref(context);
    cnnfi_arena_init(&c->arena, context);
    cnnfi_strmap_init(&c->names, context);
    cnnfi_strmap_init(&c->aliases, context);
    *out = c;
    return CNNF_OK;
}

cnnf_checkpoint *cnnf_checkpoint_ref(const cnnf_checkpoint *checkpoint)
{
    cnnf_checkpoint *counted = (cnnf_checkpoint *)(uintptr_t)checkpoint; /* nothing but the count changes */
    if (counted) atomic_fetch_add_explicit(&counted->refs, 1, memory_order_relaxed);
    return counted;
}

void cnnf_checkpoint_unref(cnnf_checkpoint *checkpoint)
{
    if (!checkpoint || atomic_fetch_sub_explicit(&checkpoint->refs, 1, memory_order_acq_rel) != 1) return;
    cnnf_context *context = checkpoint->context;
    for (size_t i = 0; i < checkpoint->count; i++)
        cnnf_tensor_unref(checkpoint->items[i].tensor);
    cnnfi_free(context, checkpoint->items);
    cnnfi_strmap_free(&checkpoint->names);
    cnnfi_strmap_free(&checkpoint->aliases);
    cnnfi_arena_free(&checkpoint->arena);
    cnnfi_free(context, checkpoint);
    cnnf_context_unref(context);
}

cnnf_status cnnfi_checkpoint_add(cnnf_checkpoint *checkpoint, const cnnfi_checkpoint_item *item, cnnf_error *error)
{
    if (!cnnfi_grow(checkpoint->context, (void **)&checkpoint->items, &checkpoint->capacity, checkpoint->count,
                    sizeof *item) ||
        !cnnfi_strmap_set(&checkpoint->names, item->name, (int64_t)checkpoint->count)) {
        cnnf_tensor_unref(item->tensor);
        return cnnfi_fail_nomem(error);
    }
    checkpoint->items[checkpoint->count++] = *item;
    return CNNF_OK;
}

static cnnf_status read_place(cnnf_checkpoint *c, const cnnfi_checkpoint_place *place, cnnf_error *error)
{
    c->version = place->version;
    if (place->version == CNNFI_CHECKPOINT_V1) return cnnfi_checkpoint_read_v1(c, place->prefix, error);
    CNNFI_TRY(cnnfi_checkpoint_read_bundle(c, place->prefix, error));
    return cnnfi_checkpoint_read_objects(c, error);
}

cnnf_status cnnfi_checkpoint_open(cnnf_checkpoint **out, cnnf_context *context, const char *path, cnnfi_budget *budget,
                                  cnnf_error *error)
{
    cnnfi_checkpoint_place place = {.prefix = NULL};
    cnnf_checkpoint *checkpoint = NULL;
    *out = NULL;
    cnnf_status status = cnnfi_checkpoint_locate(&place, context, path, error);
    if (status == CNNF_OK) status = checkpoint_new(&checkpoint, context, error);
    if (status == CNNF_OK) {
        checkpoint->budget = budget;
        status = read_place(checkpoint, &place, error);
        checkpoint->budget = NULL;
    }
    cnnfi_free(context, place.prefix);
    if (status == CNNF_OK)
        *out = checkpoint;
    else
        cnnf_checkpoint_unref(checkpoint);
    return status;
}

cnnf_status cnnf_checkpoint_open(cnnf_checkpoint **out, cnnf_context *context, const char *path, cnnf_error *error)
{
    cnnf_error_clear(error);
    cnnfi_budget budget;
    if (!out) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_checkpoint_open: out is NULL");
    *out = NULL;
    if (!context || !path) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_checkpoint_open: NULL argument");
    cnnfi_budget_init_file(&budget, context);
    return cnnfi_checkpoint_open(out, context, path, &budget, error);
}

int64_t cnnf_checkpoint_count(const cnnf_checkpoint *checkpoint)
{
    return checkpoint ? (int64_t)checkpoint->count : 0;
}

static const cnnfi_checkpoint_item *item_at(const cnnf_checkpoint *checkpoint, int64_t index)
{
    return checkpoint && index >= 0 && (uint64_t)index < checkpoint->count ? &checkpoint->items[index] : NULL;
}

const char *cnnf_checkpoint_name(const cnnf_checkpoint *checkpoint, int64_t index)
{
    const cnnfi_checkpoint_item *item = item_at(checkpoint, index);
    return item ? item->name : NULL;
}

int64_t cnnf_checkpoint_find(const cnnf_checkpoint *checkpoint, const char *name)
{
    return checkpoint && name ? cnnfi_strmap_get(&checkpoint->names, name) : -1;
}

int64_t cnnfi_checkpoint_find_variable(const cnnf_checkpoint *checkpoint, const char *name)
{
    const int64_t index = cnnfi_strmap_get(&checkpoint->names, name);
    return index >= 0 ? index : cnnfi_strmap_get(&checkpoint->aliases, name);
}

const cnnf_tensor *cnnf_checkpoint_tensor(const cnnf_checkpoint *checkpoint, int64_t index)
{
    const cnnfi_checkpoint_item *item = item_at(checkpoint, index);
    return item ? item->tensor : NULL;
}

int32_t cnnf_checkpoint_version(const cnnf_checkpoint *checkpoint)
{
    return checkpoint ? checkpoint->version : 0;
}

cnnf_status cnnfi_checkpoint_use(const cnnf_tensor **out, const cnnf_checkpoint *checkpoint, int64_t index,
                                 cnnf_error *error)
{
    const cnnfi_checkpoint_item *item = &checkpoint->items[index];
    if (item->lost) {
        return cnnfi_fail_in_file(error, CNNF_E_IO, item->lost, -1, "%s: cannot open: No such file or directory",
                                  item->lost);
    }
    *out = item->tensor;
    return CNNF_OK;
}

static cnnf_status add_crc(const void *data, size_t size, void *user, cnnf_error *error)
{
    (void)error;
    uint32_t *crc = user;
    *crc = cnnfi_crc32c(*crc, data, size);
    return CNNF_OK;
}

/* The tensor's own check does not know its name; the name makes the message. */
static cnnf_status name_failure(const cnnfi_checkpoint_item *item, cnnf_status status, uint32_t crc, cnnf_error *error)
{
    const cnnfi_source *source = cnnfi_tensor_source(item->tensor, NULL);
    if (status != CNNF_E_CORRUPT || !source) return status;
    return cnnfi_fail(error, status, "%s: '%s': crc32c 0x%08" PRIx32 " stored, 0x%08" PRIx32 " computed (data corrupt)",
                      cnnfi_source_name(source), item->name, item->crc, cnnfi_crc32c_mask(crc));
}

cnnf_status cnnf_checkpoint_verify(const cnnf_checkpoint *checkpoint, int64_t index, cnnf_error *error)
{
    cnnf_error_clear(error);
    const cnnfi_checkpoint_item *item = item_at(checkpoint, index);
    const cnnf_tensor *tensor = NULL;
    uint32_t crc = 0;
    if (!item) return cnnfi_fail(error, CNNF_E_INVALID, "cnnf_checkpoint_verify: no tensor %" PRId64, index);
    CNNFI_TRY(cnnfi_checkpoint_use(&tensor, checkpoint, index, error));
    if (cnnfi_tensor_storage(tensor) != CNNFI_STORAGE_RANGE) return CNNF_OK; /* verified when it was decoded */
    const cnnf_status status = cnnfi_tensor_stream(tensor, add_crc, &crc, error);
    return name_failure(item, status, crc, error);
}

/* ---- names near a name ---- */

#define NEAREST  3
#define NEAR_CAP 64

typedef struct near_names {
    size_t count, distance[NEAREST];
    const char *name[NEAREST];
} near_names;

static void offer(near_names *near, const char *name, size_t distance)
{
    size_t at = near->count;
    while (at > 0 && distance < near->distance[at - 1])
        at--;
    if (at == NEAREST) return;
    if (near->count < NEAREST) near->count++;
    for (size_t i = near->count - 1; i > at; i--) {
        near->name[i] = near->name[i - 1];
        near->distance[i] = near->distance[i - 1];
    }
    near->name[at] = name;
    near->distance[at] = distance;
}

/* A name whose last component agrees is near however different its scope is. */
static size_t name_distance(const char *wanted, const char *name)
{
    const char *a = strrchr(wanted, '/'), *b = strrchr(name, '/');
    const size_t edits = cnnfi_edit_distance(wanted, name, NEAR_CAP);
    if (edits <= strlen(wanted) / 4 + 1) return edits;
    return a && b && strcmp(a, b) == 0 ? NEAR_CAP + edits : SIZE_MAX;
}

char *cnnfi_checkpoint_nearest(char *out, size_t size, const cnnf_checkpoint *checkpoint, const char *name)
{
    near_names near = {.count = 0};
    int n = 0;
    out[0] = '\0';
    for (size_t i = 0; i < checkpoint->count; i++) {
        const size_t distance = name_distance(name, checkpoint->items[i].name);
        if (distance != SIZE_MAX) offer(&near, checkpoint->items[i].name, distance);
    }
    for (size_t i = 0; i < near.count && n >= 0 && (size_t)n < size; i++)
        n += snprintf(out + n, size - (size_t)n, "%s'%s'", i ? ", " : "", near.name[i]);
    return out;
}
