/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as an HDF5 file: all that the Keras readers ask of one. Besides crashes it finds files that our reader
 * takes and libhdf5 does not: what libhdf5 is shown must never surprise it (it leaks when it fails).
 */
#include <string.h>

#include <zlib.h>

#include "fuzz.h"
#include "base/arena.h"
#include "base/source.h"
#include "loader/hdf5/hdf5_file.h"

static const char *const objects[] = {"/", "/g", "/g/d", "/g/link 3", "/model_weights", "/model_weights/d"};
static const char *const attributes[] = {"fixed", "list", "words", "more_5", "big", "layer_names", "weight_names"};
static const char *const datasets[] = {"/g/d", "/model_weights/d/kernel:0", "/model_weights/d/d/kernel:0"};

static void read_attributes(cnnfi_h5 *h5, cnnfi_arena *arena, const char *path)
{
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        const char *text = NULL, **list = NULL;
        size_t count = 0, length = 0;
        bool found = false;
        if (cnnfi_h5_attr_string(&text, h5, arena, path, attributes[i], NULL) == CNNF_OK && text)
            length += strlen(text);
        if (cnnfi_h5_attr_strings(&list, &count, &found, h5, arena, path, attributes[i], NULL) == CNNF_OK)
            for (size_t s = 0; s < count; s++)
                length += strlen(list[s]);
        if (length > (size_t)1 << 30) abort(); /* reads every byte that was given out */
    }
}

/* All bytes of a tensor are read, so that a sanitizer sees those that nobody wrote. */
static void read_numbers(cnnfi_h5 *h5, cnnf_context *context, const char *path, cnnf_dtype floats)
{
    cnnf_tensor *tensor = NULL;
    if (cnnfi_h5_tensor(&tensor, h5, path, floats, NULL) != CNNF_OK) return;
    const size_t size = cnnf_tensor_byte_size(tensor);
    uint8_t *bytes = malloc(size + 1);
    unsigned sum = 0;
    if (!bytes) abort();
    if (size < (size_t)1 << 20 && cnnf_tensor_read(bytes, tensor, 0, size, NULL) == CNNF_OK)
        for (size_t i = 0; i < size; i++)
            sum += bytes[i];
    if (sum == UINT32_MAX) abort();
    free(bytes);
    cnnf_tensor_unref(tensor);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cnnf_context *context = fuzz_context();
    cnnf_error *error = cnnf_error_new();
    cnnfi_source *source = NULL;
    cnnfi_h5 *h5 = NULL;
    cnnfi_arena arena;
    cnnfi_arena_init(&arena, context);
    if (cnnfi_source_copy(&source, context, data, size, "fuzz", error)) abort();
    cnnf_status status = cnnfi_h5_open(&h5, context, source, 0, size, "fuzz", NULL, error);
    /* libhdf5 is slow: one in 64 is enough to find what it does not take. */
    const uLong sum = crc32(crc32(0, NULL, 0), data, (uInt)size);
    if (status == CNNF_OK && sum % 64 == 0 && cnnfi_h5_ask_library(h5, error) == CNNF_E_CORRUPT) abort();
    for (size_t i = 0; status == CNNF_OK && i < sizeof objects / sizeof objects[0]; i++)
        read_attributes(h5, &arena, objects[i]);
    for (size_t i = 0; status == CNNF_OK && i < sizeof datasets / sizeof datasets[0]; i++) {
        read_numbers(h5, context, datasets[i], CNNF_FLOAT);
        read_numbers(h5, context, datasets[i], CNNF_HALF);
    }
    cnnfi_h5_close(h5);
    cnnfi_arena_free(&arena);
    cnnfi_source_unref(source);
    cnnf_error_free(error);
    fuzz_context_done(context);
    return 0;
}
