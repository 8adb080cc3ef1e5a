/* SPDX-License-Identifier: Apache-2.0 */
/* cnnf_write_options from inside. */
#ifndef CNNFI_SERIALIZER_GRAPHDEF_WRITE_OPTIONS_H
#define CNNFI_SERIALIZER_GRAPHDEF_WRITE_OPTIONS_H

#include <stdbool.h>

#include <cnnfreeze/serializer.h>

struct cnnf_write_options {
    cnnf_context *context; /* a reference */
    bool text, fsync;
    cnnf_progress_fn progress;
    void *progress_user;
};

/* `options`, or what NULL means; never NULL. */
const cnnf_write_options *cnnfi_write_options_or_default(const cnnf_write_options *options);

#endif
