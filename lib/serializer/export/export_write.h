/* SPDX-License-Identifier: Apache-2.0 */
/* What the public side of every export has: names of outputs to collect, and a file or buffer to write. */
#ifndef CNNFI_SERIALIZER_EXPORT_EXPORT_WRITE_H
#define CNNFI_SERIALIZER_EXPORT_EXPORT_WRITE_H

#include "serializer/graphdef/skeleton.h"
#include "serializer/graphdef/write_options.h"

/* The outputs a caller named; none: those that the graph declares. */
typedef struct cnnfi_export_outputs {
    char **names; /* [n], copies */
    size_t n, capacity;
} cnnfi_export_outputs;

cnnf_status cnnfi_export_outputs_add(cnnfi_export_outputs *outputs, cnnf_context *context, const char *name,
                                     cnnf_error *error);
void cnnfi_export_outputs_free(cnnfi_export_outputs *outputs, cnnf_context *context);

cnnf_status cnnfi_export_write_file(const cnnfi_skeleton *s, cnnf_context *context, const char *path,
                                    const cnnf_write_options *options, cnnf_error *error);
cnnf_status cnnfi_export_write_buffer(cnnf_buffer **out, const cnnfi_skeleton *s, cnnf_context *context,
                                      cnnf_error *error);

#endif
