/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
/* Any bytes as a checkpoint's index (its data shard is empty) and as a data set. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static void write_file(const char *path, const uint8_t *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file)) abort();
}

static void read_checkpoint(cnnf_context *context, const char *prefix)
{
    cnnf_checkpoint *checkpoint = NULL;
    if (cnnf_checkpoint_open(&checkpoint, context, prefix, NULL)) return;
    for (int64_t i = 0; i < cnnf_checkpoint_count(checkpoint) && i < 64; i++)
        cnnf_checkpoint_verify(checkpoint, i, NULL);
    cnnf_checkpoint_unref(checkpoint);
}

static void read_dataset(cnnf_context *context, const char *path)
{
    cnnf_dataset *data = NULL;
    cnnf_tensor *images = NULL, *labels = NULL;
    if (cnnf_dataset_open(&data, context, path, NULL, NULL)) return;
    for (int i = 0; i < 4 && cnnf_dataset_next(&images, &labels, data, 3, NULL) == CNNF_OK && images; i++) {
        cnnf_tensor_unref(images);
        cnnf_tensor_unref(labels);
        images = labels = NULL;
    }
    cnnf_tensor_unref(images);
    cnnf_tensor_unref(labels);
    cnnf_dataset_free(data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char folder[] = "fuzz-XXXXXX", path[64], shard[80];
    if (!mkdtemp(folder)) abort();
    cnnf_context *context = fuzz_context();
    snprintf(path, sizeof path, "%s/f.index", folder);
    snprintf(shard, sizeof shard, "%s/f.data-00000-of-00001", folder);
    write_file(path, data, size);
    write_file(shard, data, size < 16 ? size : 16);
    read_checkpoint(context, path);
    read_dataset(context, path);
    remove(path);
    remove(shard);
    remove(folder);
    fuzz_context_done(context);
    return 0;
}
