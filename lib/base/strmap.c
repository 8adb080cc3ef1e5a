/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strmap.h"

#include <string.h>

#include "base/context.h"

struct cnnfi_strmap_slot {
    const char *key; /* NULL: never used */
    uint64_t hash;
    int64_t value; /* REMOVED: a key was here */
};

#define REMOVED INT64_MIN

void cnnfi_strmap_init(cnnfi_strmap *map, cnnf_context *context)
{
    *map = (cnnfi_strmap){.context = context};
}

void cnnfi_strmap_free(cnnfi_strmap *map)
{
    cnnfi_free(map->context, map->slots);
    map->slots = NULL;
    map->capacity = map->count = map->used = 0;
}

/* Seeded by the table's address, so that a file cannot be written to collide. */
static uint64_t hash_bytes(const cnnfi_strmap *map, const char *key, size_t length)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ (uint64_t)(uintptr_t)map->context ^ length;
    while (length >= 8) {
        uint64_t word;
        memcpy(&word, key, 8);
        h = (h ^ word) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
        key += 8;
        length -= 8;
    }
    uint64_t tail = 0;
    if (length) memcpy(&tail, key, length);
    h = (h ^ tail) * 0xc4ceb9fe1a85ec53u;
    return h ^ (h >> 29);
}

static struct cnnfi_strmap_slot *find(const cnnfi_strmap *map, const char *key, size_t length, uint64_t hash)
{
    for (size_t i = hash & (map->capacity - 1);; i = (i + 1) & (map->capacity - 1)) {
        struct cnnfi_strmap_slot *slot = &map->slots[i];
        if (!slot->key) return slot;
        if (slot->hash == hash && slot->value != REMOVED && strncmp(slot->key, key, length) == 0 &&
            slot->key[length] == '\0') {
            return slot;
        }
    }
}

static bool rehash(cnnfi_strmap *map)
{
    const cnnfi_strmap old = *map;
    size_t capacity = 16;
    while (capacity < old.count * 4)
        capacity *= 2;
    struct cnnfi_strmap_slot *slots = cnnfi_calloc(map->context, capacity, sizeof *slots);
    if (!slots) return false;
    map->slots = slots;
    map->capacity = capacity;
    map->used = old.count;
    for (size_t i = 0; i < old.capacity; i++) {
        const struct cnnfi_strmap_slot *slot = &old.slots[i];
        if (slot->key && slot->value != REMOVED) *find(map, slot->key, strlen(slot->key), slot->hash) = *slot;
    }
    cnnfi_free(map->context, old.slots);
    return true;
}

bool cnnfi_strmap_set(cnnfi_strmap *map, const char *key, int64_t value)
{
    if ((map->used + 1) * 2 > map->capacity && !rehash(map)) return false;
    const size_t length = strlen(key);
    const uint64_t hash = hash_bytes(map, key, length);
    struct cnnfi_strmap_slot *slot = find(map, key, length, hash);
    if (!slot->key) {
        map->used++;
        map->count++;
    }
    *slot = (struct cnnfi_strmap_slot){.key = key, .hash = hash, .value = value};
    return true;
}

int64_t cnnfi_strmap_get_n(const cnnfi_strmap *map, const char *key, size_t length)
{
    if (!map->capacity) return -1;
    const struct cnnfi_strmap_slot *slot = find(map, key, length, hash_bytes(map, key, length));
    return slot->key ? slot->value : -1;
}

int64_t cnnfi_strmap_get(const cnnfi_strmap *map, const char *key)
{
    return cnnfi_strmap_get_n(map, key, strlen(key));
}

void cnnfi_strmap_remove(cnnfi_strmap *map, const char *key)
{
    if (!map->capacity) return;
    const size_t length = strlen(key);
    struct cnnfi_strmap_slot *slot = find(map, key, length, hash_bytes(map, key, length));
    if (!slot->key) return;
    slot->value = REMOVED;
    map->count--;
}
