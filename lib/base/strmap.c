/* SPDX-License-Identifier: Apache-2.0 */
#include "base/strmap.h"

#include <string.h>

#include "base/checked.h"
#include "base/context.h"

/* Small, so that many of them share a cache line: a look-up goes to the entry only when the hashes are equal. */
struct cnnfi_strmap_slot {
    uint32_t hash, entry; /* entry + 1; 0: never used */
};

struct cnnfi_strmap_entry {
    const char *key;
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
    cnnfi_free(map->context, map->entries);
    *map = (cnnfi_strmap){.context = map->context};
}

/* ---- the hash ---- */

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[2] += v[3];
    v[1] = rotate(v[1], 13) ^ v[0];
    v[3] = rotate(v[3], 16) ^ v[2];
    v[0] = rotate(v[0], 32);
    v[2] += v[1];
    v[0] += v[3];
    v[1] = rotate(v[1], 17) ^ v[2];
    v[3] = rotate(v[3], 21) ^ v[0];
    v[2] = rotate(v[2], 32);
}

/*
 * SipHash-1-3 (Aumasson and Bernstein), what Rust and Python hash names with: without the key nobody can write names
 * that meet in one place of the table, whatever number of them. A multiplying hash is no match for a file's author: a
 * difference in bit 63 passes every multiplication, and names that differ there alone collide under any seed.
 */
static uint32_t hash_bytes(const cnnfi_strmap *map, const char *bytes, size_t length)
{
    const uint64_t *key = cnnfi_hash_key(map->context);
    uint64_t v[4] = {key[0] ^ 0x736f6d6570736575u, key[1] ^ 0x646f72616e646f6du, key[0] ^ 0x6c7967656e657261u,
                     key[1] ^ 0x7465646279746573u};
    uint64_t word = 0, last = (uint64_t)length << 56;
    for (; length >= 8; bytes += 8, length -= 8) {
        memcpy(&word, bytes, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    word = 0;
    if (length) memcpy(&word, bytes, length);
    last |= word;
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    const uint64_t hash = v[0] ^ v[1] ^ v[2] ^ v[3];
    return (uint32_t)(hash ^ hash >> 32);
}

/* ---- the table ---- */

static bool is_key(const struct cnnfi_strmap_entry *entry, const char *key, size_t length)
{
    return entry->value != REMOVED && strncmp(entry->key, key, length) == 0 && entry->key[length] == '\0';
}

/* The key's slot, or the empty one where it would go. */
static struct cnnfi_strmap_slot *find(const cnnfi_strmap *map, const char *key, size_t length, uint32_t hash)
{
    for (size_t i = hash & (map->capacity - 1);; i = (i + 1) & (map->capacity - 1)) {
        struct cnnfi_strmap_slot *slot = &map->slots[i];
        if (!slot->entry) return slot;
        if (slot->hash == hash && is_key(&map->entries[slot->entry - 1], key, length)) return slot;
    }
}

/* Enters what is there, in its order, into a table of at least so many slots; at most half of them are ever used. */
static bool rehash(cnnfi_strmap *map, size_t slots_wanted)
{
    size_t capacity = 16;
    while (capacity < slots_wanted)
        capacity *= 2;
    if (capacity > UINT32_MAX) return false;
    cnnfi_strmap fresh = {.context = map->context, .capacity = capacity};
    fresh.slots = cnnfi_calloc(map->context, capacity, sizeof *fresh.slots);
    fresh.entries = cnnfi_array(map->context, capacity / 2, sizeof *fresh.entries);
    if (!fresh.slots || !fresh.entries) {
        cnnfi_strmap_free(&fresh);
        return false;
    }
    for (size_t i = 0; i < map->used; i++) {
        const struct cnnfi_strmap_entry *entry = &map->entries[i];
        if (entry->value != REMOVED) cnnfi_strmap_set(&fresh, entry->key, entry->value);
    }
    cnnfi_strmap_free(map);
    *map = fresh;
    return true;
}

bool cnnfi_strmap_reserve(cnnfi_strmap *map, size_t count)
{
    size_t slots;
    if (count < map->capacity / 2) return true;
    return cnnfi_mul_size(&slots, count + 1, 2) && rehash(map, slots);
}

bool cnnfi_strmap_copy(cnnfi_strmap *map, const cnnfi_strmap *from, const char *(*key)(const void *user, int64_t value),
                       const void *user)
{
    cnnfi_strmap_free(map);
    if (!from->used) return true;
    map->slots = cnnfi_array(map->context, from->capacity, sizeof *map->slots);
    map->entries = cnnfi_array(map->context, from->capacity / 2, sizeof *map->entries);
    if (!map->slots || !map->entries) {
        cnnfi_strmap_free(map);
        return false;
    }
    map->capacity = from->capacity;
    map->count = from->count;
    map->used = from->used;
    memcpy(map->slots, from->slots, from->capacity * sizeof *map->slots);
    for (size_t i = 0; i < from->used; i++) {
        const int64_t value = from->entries[i].value;
        map->entries[i] = (struct cnnfi_strmap_entry){value == REMOVED ? "" : key(user, value), value};
    }
    return true;
}

void cnnfi_strmap_renumber(cnnfi_strmap *map, const int32_t *to)
{
    for (size_t i = 0; i < map->used; i++) {
        if (map->entries[i].value != REMOVED) map->entries[i].value = to[map->entries[i].value];
    }
}

bool cnnfi_strmap_set(cnnfi_strmap *map, const char *key, int64_t value)
{
    if ((map->used + 1) * 2 > map->capacity && !rehash(map, map->count * 4)) return false;
    const size_t length = strlen(key);
    const uint32_t hash = hash_bytes(map, key, length);
    struct cnnfi_strmap_slot *slot = find(map, key, length, hash);
    if (!slot->entry) {
        map->used++;
        map->count++;
        *slot = (struct cnnfi_strmap_slot){.hash = hash, .entry = (uint32_t)map->used};
    }
    map->entries[slot->entry - 1] = (struct cnnfi_strmap_entry){.key = key, .value = value};
    return true;
}

static struct cnnfi_strmap_entry *get(const cnnfi_strmap *map, const char *key, size_t length)
{
    if (!map->capacity) return NULL;
    const struct cnnfi_strmap_slot *slot = find(map, key, length, hash_bytes(map, key, length));
    return slot->entry ? &map->entries[slot->entry - 1] : NULL;
}

int64_t cnnfi_strmap_get_n(const cnnfi_strmap *map, const char *key, size_t length)
{
    const struct cnnfi_strmap_entry *entry = get(map, key, length);
    return entry ? entry->value : -1;
}

int64_t cnnfi_strmap_get(const cnnfi_strmap *map, const char *key)
{
    return cnnfi_strmap_get_n(map, key, strlen(key));
}

int64_t cnnfi_strmap_remove(cnnfi_strmap *map, const char *key)
{
    struct cnnfi_strmap_entry *entry = get(map, key, strlen(key));
    if (!entry) return -1;
    const int64_t value = entry->value;
    entry->value = REMOVED;
    map->count--;
    return value;
}
