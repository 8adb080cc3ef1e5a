/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mutator that knows HDF5 (LLVMFuzzerCustomMutator): it damages fields of structures, not only bytes, keeps filters
 * and chunks where they are, and repairs the checksums afterwards, so that damage gets behind them.
 *
 * What has a checksum is found once per seed, by trying: a place whose checksum matches is one. The list is kept in a
 * trailer behind the file (HDF5 ignores what is behind its "end of file address"), so that it survives mutation.
 * Seed 0 makes the trailer and damages nothing.
 */
#include <string.h>

#include <zlib.h>

#include "fuzz.h"

FUZZ_PLAIN_BEGIN

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

#define MAX_SUMS 512u
#define MAGIC    0x35484d46u /* of the trailer */

enum { LOOKUP3, LOOKUP3_INSIDE, FLETCHER32, DEFLATE };

/* [start, start + size): the checksum is its last four bytes, or (INSIDE, fractal heaps' blocks) at `at`, as zero. */
typedef struct checksum {
    uint32_t kind, start, size, at;
} checksum;

/* As it lies behind a file: its sums, then how many they are and MAGIC. */
typedef struct trailer {
    checksum sums[MAX_SUMS];
    uint32_t count;
} trailer;

/* ---- numbers ---- */

static uint32_t next(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static uint32_t get32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static int is(const uint8_t *at, const char *signature)
{
    return get32(at) == get32((const uint8_t *)signature);
}

/* Checksums as the format defines them; apart from the library's, so that they check each other. */

static inline uint32_t rotated(uint32_t x, unsigned by)
{
    return x << by | x >> (32 - by);
}

/* lookup3.c, Bob Jenkins, May 2006, public domain. */
static uint32_t lookup3(const uint8_t *p, size_t size)
{
    uint32_t a = 0xdeadbeefu + (uint32_t)size, b = a, c = a, word[3];
    for (; size > 12; size -= 12, p += 12) {
        __builtin_memcpy(word, p, sizeof word);
        a += word[0], b += word[1], c += word[2];
        a = (a - c) ^ (c << 4 | c >> 28), c += b;
        b = (b - a) ^ (a << 6 | a >> 26), a += c;
        c = (c - b) ^ (b << 8 | b >> 24), b += a;
        a = (a - c) ^ (c << 16 | c >> 16), c += b;
        b = (b - a) ^ (a << 19 | a >> 13), a += c;
        c = (c - b) ^ (b << 4 | b >> 28), b += a;
    }
    if (size == 0) return c;
    word[0] = word[1] = word[2] = 0;
    for (size_t i = 0; i < size; i++)
        word[i / 4] |= (uint32_t)p[i] << (8 * (i % 4));
    a += word[0], b += word[1], c += word[2];
    c = (c ^ b) - rotated(b, 14);
    a = (a ^ c) - rotated(c, 11);
    b = (b ^ a) - rotated(a, 25);
    c = (c ^ b) - rotated(b, 16);
    a = (a ^ c) - rotated(c, 4);
    b = (b ^ a) - rotated(a, 14);
    return (c ^ b) - rotated(b, 24);
}

static uint32_t fletcher32(const uint8_t *p, size_t size)
{
    uint64_t sum1 = 0, sum2 = 0;
    for (size_t i = 0; i < size; i += 2) {
        sum1 = (sum1 + ((uint32_t)p[i] << 8 | (i + 1 < size ? p[i + 1] : 0u))) % 65535;
        sum2 = (sum2 + sum1) % 65535;
    }
    return (uint32_t)(sum2 << 16 | sum1);
}

/* Zero and 65535 are the same to it. */
static int same_fletcher(uint32_t a, uint32_t b)
{
    return (a & 0xffff) % 65535 == (b & 0xffff) % 65535 && (a >> 16) % 65535 == (b >> 16) % 65535;
}

/* ---- finding checksums ---- */

static void add(trailer *t, uint32_t kind, size_t start, size_t size, size_t at)
{
    for (uint32_t i = 0; i < t->count; i++)
        if (t->sums[i].start == start && t->sums[i].kind == kind) return;
    if (t->count < MAX_SUMS) t->sums[t->count++] = (checksum){kind, (uint32_t)start, (uint32_t)size, (uint32_t)at};
}

/* Structures that end with a checksum, and the largest that is looked for: trying takes the square of it. */
static const struct {
    char signature[5];
    uint16_t most;
} signed_structures[] = {{"OHDR", 8192}, {"OCHK", 8192}, {"FRHP", 400},  {"FHIB", 2100}, {"BTHD", 64},
                         {"BTIN", 2100}, {"BTLF", 2100}, {"FAHD", 64},   {"FADB", 2100}, {"EAHD", 128},
                         {"EAIB", 2100}, {"EASB", 2100}, {"EADB", 2100}, {"\x89HDF", 64}};

static size_t signature_at(const uint8_t *at)
{
    size_t k = 0;
    while (k < COUNT(signed_structures) && !is(at, signed_structures[k].signature))
        k++;
    return k;
}

static void find_signed(trailer *t, const uint8_t *data, size_t size, size_t at)
{
    const size_t k = signature_at(data + at);
    const size_t most = k < COUNT(signed_structures) ? signed_structures[k].most : 0;
    for (size_t n = 8; n <= size - at && n <= most; n++)
        if (lookup3(data + at, n - 4) == get32(data + at + n - 4)) {
            add(t, LOOKUP3, at, n, n - 4);
            return;
        }
}

/* A page of an array: no signature, but it begins where a data block or the page before it ends. */
static void find_pages(trailer *t, const uint8_t *data, size_t size)
{
    for (uint32_t i = 0; i < t->count; i++) {
        const uint8_t *before = data + t->sums[i].start;
        const size_t at = t->sums[i].start + t->sums[i].size;
        const int paged = is(before, "FADB") || is(before, "EADB") || signature_at(before) == COUNT(signed_structures);
        for (size_t n = 12; paged && t->sums[i].kind == LOOKUP3 && at + n <= size && n <= 16384; n += 4)
            if (lookup3(data + at, n - 4) == get32(data + at + n - 4)) {
                add(t, LOOKUP3, at, n, n - 4);
                break;
            }
    }
}

static void find_direct_block(trailer *t, const uint8_t *data, size_t size, size_t at)
{
    uint8_t block[65536];
    if (!is(data + at, "FHDB")) return;
    for (size_t n = 256; n <= sizeof block && n <= size - at; n *= 2)
        for (size_t sum = 14; sum <= 21; sum++) {
            memcpy(block, data + at, n);
            memset(block + sum, 0, 4);
            if (lookup3(block, n) != get32(data + at + sum)) continue;
            add(t, LOOKUP3_INSIDE, at, n, sum);
            return;
        }
}

static int inflates(const uint8_t *data, size_t size)
{
    uint8_t out[8192];
    uLongf n = sizeof out;
    return uncompress(out, &n, data, size) == Z_OK;
}

/* An address, then or before it a size: a chunk with a checksum or a deflate stream, if they fit. */
static void find_chunk(trailer *t, const uint8_t *data, size_t size, uint64_t at, uint64_t n)
{
    if (at < 96 || at >= size || n < 12 || n > size - at) return; /* no chunk lies in a superblock */
    if (get32(data + at + n - 4) != 0 &&
        same_fletcher(get32(data + at + n - 4), fletcher32(data + at, (size_t)n - 4))) {
        add(t, FLETCHER32, (size_t)at, (size_t)n, (size_t)n - 4);
        n -= 4;
    }
    if (data[at] == 0x78 && inflates(data + at, (size_t)n)) add(t, DEFLATE, (size_t)at, (size_t)n, 0);
}

/* B-trees of version 1 have the size 8 + 8 * rank bytes before the address, all others after it in 1 to 8 bytes. */
static void find_chunks(trailer *t, const uint8_t *data, size_t size)
{
    for (size_t at = 0; at + 16 <= size; at++) {
        const uint64_t address = get64(data + at);
        if (address == 0 || address >= size) continue;
        for (unsigned width = 1; width <= 4; width++)
            find_chunk(t, data, size, address, get32(data + at + 8) & (UINT32_MAX >> (32 - 8 * width)));
        if (at >= 32) find_chunk(t, data, size, address, get32(data + at - 32));
    }
}

static uint64_t hash_of(const uint8_t *data, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ data[i]) * 0x100000001b3u;
    return hash;
}

static void find_all(trailer *t, const uint8_t *data, size_t size)
{
    memset(t, 0, sizeof *t);
    for (size_t at = 0; at + 16 <= size; at++) {
        find_signed(t, data, size, at);
        find_direct_block(t, data, size, at);
    }
    find_pages(t, data, size);
    find_chunks(t, data, size);
}

/* Trying is slow, and a fuzzer comes back to its seeds: what was found is remembered. */
static int find_checksums(trailer *t, const uint8_t *data, size_t size)
{
    static struct {
        uint64_t hash;
        trailer found;
    } known[256];
    static size_t count;
    const uint64_t hash = hash_of(data, size);
    const size_t room = sizeof known / sizeof known[0];
    if (size < 16) return 0;
    for (size_t i = 0; i < (count < room ? count : room); i++)
        if (known[i].hash == hash) {
            *t = known[i].found;
            return 1;
        }
    find_all(t, data, size);
    known[count % room].hash = hash;
    known[count++ % room].found = *t;
    return 1;
}

/* ---- repairing ---- */

static void repair(uint8_t *data, const checksum *s)
{
    uint8_t *p = data + s->start;
    uint32_t sum;
    if (s->kind == DEFLATE) return;
    if (s->kind == LOOKUP3_INSIDE) memset(p + s->at, 0, 4);
    sum = s->kind == FLETCHER32 ? fletcher32(p, s->size - 4) : lookup3(p, s->kind == LOOKUP3 ? s->size - 4 : s->size);
    memcpy(p + s->at, &sum, 4);
}

/* ---- damage ---- */

/* Anywhere, but most often in the first bytes of a structure: there the fields are. */
static size_t some_place(const trailer *t, const uint8_t *data, size_t size, uint32_t *state)
{
    static const char *const plain[] = {"TREE", "SNOD", "HEAP", "GCOL"};
    const uint32_t kind = next(state) % 8;
    size_t at = next(state) % size, reach = 64;
    if (kind < 4 && t->count > 0) {
        const checksum *s = &t->sums[next(state) % t->count];
        at = s->start;
        reach = kind < 2 && s->size < 64 ? s->size : s->size < 1024 ? s->size : 1024;
    } else if (kind < 7) {
        const char *wanted = plain[next(state) % 4];
        for (size_t n = 0; n < size && (at + 4 > size || !is(data + at, wanted)); n++)
            at = at + 1 < size ? at + 1 : 0;
    }
    at += next(state) % (uint32_t)reach;
    return at < size ? at : size - 1;
}

static uint64_t some_value(const trailer *t, const uint8_t *data, size_t size, size_t at, uint32_t *state)
{
    static const uint64_t known[] = {0,
                                     1,
                                     2,
                                     3,
                                     7,
                                     8,
                                     16,
                                     0x20,
                                     0x7f,
                                     0x80,
                                     0xff,
                                     0x100,
                                     0x7fff,
                                     0x8000,
                                     0xffff,
                                     0x10000,
                                     0x7fffffff,
                                     0x80000000u,
                                     0xffffffff,
                                     0x100000000u,
                                     INT64_MAX,
                                     UINT64_MAX,
                                     UINT64_MAX - 1,
                                     (uint64_t)1 << 62};
    const uint64_t before = at + 8 <= size ? get64(data + at) : data[at];
    switch (next(state) % 6) {
    case 0:
        return before + 1;
    case 1:
        return before - 1;
    case 2:
        return size + next(state) % 17 - 8;
    case 3:
        return t->count > 0 ? t->sums[next(state) % t->count].start : size;
    case 4:
        return before << next(state) % 16;
    default:
        return known[next(state) % (sizeof known / sizeof known[0])];
    }
}

/* Another stream in the place of one: of another length, so that it inflates to more or less. */
static void replace_stream(const trailer *t, uint8_t *data, uint32_t *state)
{
    uint8_t plain[4096], packed[8192];
    const checksum *s = &t->sums[next(state) % t->count];
    uLongf n = sizeof packed;
    const size_t size = next(state) % 3 == 0 ? next(state) % sizeof plain : 960;
    if (s->kind != DEFLATE) return;
    memset(plain, (int)(next(state) % 3), sizeof plain);
    if (compress2(packed, &n, plain, size, (int)(next(state) % 10)) == Z_OK && n <= s->size)
        memcpy(data + s->start, packed, n);
}

static void damage(const trailer *t, uint8_t *data, size_t size, uint32_t *state)
{
    const size_t at = some_place(t, data, size, state);
    const uint64_t value = some_value(t, data, size, at, state);
    size_t width = (size_t)1 << next(state) % 4, from;
    switch (next(state) % 8) {
    case 0:
        data[at] ^= (uint8_t)(1u << next(state) % 8);
        break;
    case 1:
        data[at] = (uint8_t)next(state);
        break;
    case 2: /* a field of another structure, or a piece of it */
        from = some_place(t, data, size, state);
        width = 1 + next(state) % 40;
        if (from + width <= size && at + width <= size) memmove(data + at, data + from, width);
        break;
    case 3:
        if (t->count > 0) replace_stream(t, data, state);
        break;
    default:
        if (at + width <= size) memcpy(data + at, &value, width);
    }
}

static int take_trailer(trailer *t, const uint8_t *data, size_t *size)
{
    if (*size < 8 || get32(data + *size - 4) != MAGIC) return 0;
    const uint32_t count = get32(data + *size - 8);
    if (count > MAX_SUMS || *size < 8 + count * sizeof *t->sums) return 0;
    *size -= 8 + count * sizeof *t->sums;
    t->count = count;
    memcpy(t->sums, data + *size, count * sizeof *t->sums);
    return 1;
}

static size_t put_trailer(const trailer *t, uint8_t *data, size_t size, size_t max_size)
{
    const uint32_t end[2] = {t->count, MAGIC};
    const size_t bytes = t->count * sizeof *t->sums;
    if (size + bytes + sizeof end > max_size) return size;
    memcpy(data + size, t->sums, bytes);
    memcpy(data + size + bytes, end, sizeof end);
    return size + bytes + sizeof end;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    static trailer t;
    uint32_t state = seed * 2654435761u + 1;
    if (!take_trailer(&t, data, &size) && !find_checksums(&t, data, size)) return size;
    for (uint32_t n = seed ? 1 + next(&state) % 4 : 0; n > 0; n--)
        damage(&t, data, size, &state);
    if (seed && next(&state) % 16)
        for (uint32_t i = t.count; i-- > 0;)
            if ((uint64_t)t.sums[i].start + t.sums[i].size <= size && t.sums[i].size >= 4 &&
                t.sums[i].at <= t.sums[i].size - 4)
                repair(data, &t.sums[i]);
    return put_trailer(&t, data, size, max_size);
}

FUZZ_PLAIN_END
