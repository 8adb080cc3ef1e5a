/* SPDX-License-Identifier: Apache-2.0 */
/* Names to numbers: hash map with borrowed keys, O(1) also for hostile names (keyed hash). */
#ifndef CNNFI_BASE_STRMAP_H
#define CNNFI_BASE_STRMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cnnfreeze/context.h>

typedef struct cnnfi_strmap {
    cnnf_context *context;              /* borrowed */
    struct cnnfi_strmap_slot *slots;    /* [capacity] */
    struct cnnfi_strmap_entry *entries; /* [capacity / 2] keys and values, in the order they came */
    size_t capacity, count, used;       /* count: keys; used: entries, removed ones too */
} cnnfi_strmap;

void cnnfi_strmap_init(cnnfi_strmap *map, cnnf_context *context);
void cnnfi_strmap_free(cnnfi_strmap *map); /* may be called twice */
/* Room for `count` keys without growing on the way. false = no memory. */
bool cnnfi_strmap_reserve(cnnfi_strmap *map, size_t count);
/* The same keys in an empty map; key() gives the copy's own string for the key with that value. false = no memory. */
bool cnnfi_strmap_copy(cnnfi_strmap *map, const cnnfi_strmap *from, const char *(*key)(const void *user, int64_t value),
                       const void *user);
/* Value v becomes to[v], for every key. */
void cnnfi_strmap_renumber(cnnfi_strmap *map, const int32_t *to);
/* Adds or replaces; `key` is borrowed and must outlive the map. false = no memory. */
bool cnnfi_strmap_set(cnnfi_strmap *map, const char *key, int64_t value);
/* The value, or -1. The second form takes a key that is not zero-terminated. */
int64_t cnnfi_strmap_get(const cnnfi_strmap *map, const char *key);
int64_t cnnfi_strmap_get_n(const cnnfi_strmap *map, const char *key, size_t length);
int64_t cnnfi_strmap_remove(cnnfi_strmap *map, const char *key); /* what it was, or -1 */

#endif
