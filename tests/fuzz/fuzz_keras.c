/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two parts: the JSON of an architecture, and an H5 with its weights. Once as Keras users give them, and once as a
 * .keras archive made of them. What loads is frozen and guessed at.
 */
#include <string.h>

#include <zlib.h>

#include "fuzz_parts.h"

static void use_graph(const cnnf_graph *graph)
{
    cnnf_graph *frozen = NULL;
    cnnf_buffer *buffer = NULL;
    if (cnnf_freeze(&frozen, NULL, graph, NULL, NULL) == CNNF_OK) cnnf_graph_unref(frozen);
    if (cnnf_graph_guess_outputs(&buffer, graph, NULL) == CNNF_OK) cnnf_buffer_free(buffer);
}

static void load(cnnf_context *context, const void *data, size_t size, const cnnf_load_options *options)
{
    cnnf_graph *graph = NULL;
    const cnnf_status status = cnnf_load_memory(&graph, context, data, size, "fuzz", options, NULL);
    if (status == CNNF_OK)
        use_graph(graph);
    else if (graph || status == CNNF_E_INTERNAL)
        abort();
    cnnf_graph_unref(graph);
}

/* ---- a stored archive ---- */

typedef struct archive {
    uint8_t *data;
    size_t size;
    struct member {
        const char *name;
        uint32_t crc, size, at;
    } members[3];
    size_t count;
} archive;

static void put(archive *a, uint32_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        a->data[a->size++] = (uint8_t)(value >> (8 * i));
}

static void put_bytes(archive *a, const void *data, size_t size)
{
    if (size) memcpy(a->data + a->size, data, size);
    a->size += size;
}

/* What local header and directory have in common. */
static void put_member(archive *a, const struct member *m)
{
    put(a, 20, 2); /* version, flags, method, time, date */
    put(a, 0, 2);
    put(a, 0, 2);
    put(a, 0, 4);
    put(a, m->crc, 4);
    put(a, m->size, 4);
    put(a, m->size, 4);
    put(a, (uint32_t)strlen(m->name), 2);
    put(a, 0, 2);
}

static void add_member(archive *a, const char *name, const void *data, size_t size)
{
    struct member *m = &a->members[a->count++];
    *m = (struct member){name, (uint32_t)crc32(crc32(0, NULL, 0), data, (uInt)size), (uint32_t)size, (uint32_t)a->size};
    put(a, 0x04034b50, 4);
    put_member(a, m);
    put_bytes(a, name, strlen(name));
    put_bytes(a, data, size);
}

static void finish(archive *a)
{
    const size_t begin = a->size;
    for (size_t i = 0; i < a->count; i++) {
        const struct member *m = &a->members[i];
        put(a, 0x02014b50, 4);
        put(a, 20, 2);
        put_member(a, m);
        put(a, 0, 4); /* comment, disk */
        put(a, 0, 2); /* attributes */
        put(a, 0, 4);
        put(a, m->at, 4);
        put_bytes(a, m->name, strlen(m->name));
    }
    const size_t size = a->size - begin;
    put(a, 0x06054b50, 4);
    put(a, 0, 4);
    put(a, (uint32_t)a->count, 2);
    put(a, (uint32_t)a->count, 2);
    put(a, (uint32_t)size, 4);
    put(a, (uint32_t)begin, 4);
    put(a, 0, 2);
}

static void load_archive(cnnf_context *context, part json, part weights)
{
    static const char metadata[] = "{\"keras_version\": \"3.3.3\", \"date_saved\": \"2024-01-01@00:00:00\"}";
    archive a = {.data = malloc(json.size + weights.size + 2048)};
    if (!a.data) abort();
    add_member(&a, "metadata.json", metadata, sizeof metadata - 1);
    add_member(&a, "config.json", json.data, json.size);
    add_member(&a, "model.weights.h5", weights.data, weights.size);
    finish(&a);
    load(context, a.data, a.size, NULL);
    free(a.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    uint8_t *data = (uint8_t *)(uintptr_t)bytes;
    const part json = next_part(&data, &size), weights = next_part(&data, &size);
    cnnf_context *context = fuzz_context();
    cnnf_load_options *options = NULL;
    if (cnnf_load_options_new(&options, context, NULL)) abort();
    fuzz_write("a.json", json);
    cnnf_load_options_set_architecture_file(options, fuzz_path("a.json"), NULL);
    load(context, weights.data, weights.size, options);
    cnnf_load_options_free(options);
    load_archive(context, json, weights);
    fuzz_remove("a.json");
    fuzz_context_done(context);
    return 0;
}
