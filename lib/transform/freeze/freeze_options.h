/* SPDX-License-Identifier: Apache-2.0 */
/* cnnf_freeze_options from inside. */
#ifndef CNNFI_TRANSFORM_FREEZE_FREEZE_OPTIONS_H
#define CNNFI_TRANSFORM_FREEZE_FREEZE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include <cnnfreeze/transform.h>

typedef struct cnnfi_text_list {
    char **items; /* owned */
    size_t count, capacity;
} cnnfi_text_list;

/* Whose freeze_graph: TensorFlow 2.15's, 1.15's, or that of the release that made the graph. */
typedef enum cnnfi_freeze_tool { CNNFI_FREEZE_215, CNNFI_FREEZE_115, CNNFI_FREEZE_AUTO } cnnfi_freeze_tool;

struct cnnf_freeze_options {
    cnnf_context *context; /* a reference */
    cnnfi_text_list outputs, allow, deny, initializers;
    bool keep_devices, default_attrs;
    cnnfi_freeze_tool tool;
};

/* What NULL options mean; static. */
const cnnf_freeze_options *cnnfi_freeze_defaults(void);

#endif
