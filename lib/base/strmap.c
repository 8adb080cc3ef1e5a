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
static uint64_t hash_bytes(const cnnfi_strmap *map, const char *bytes, size_t length)
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
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* ---- the table ---- */

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
