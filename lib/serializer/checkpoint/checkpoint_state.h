/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CNNFI_SERIALIZER_CHECKPOINT_CHECKPOINT_STATE_H
#define CNNFI_SERIALIZER_CHECKPOINT_CHECKPOINT_STATE_H

#include "base/sink.h"
#include "base/str.h"

/* Appends the path of the state file `checkpoint` that belongs to a prefix. */
void cnnfi_checkpoint_state_path(cnnfi_strbuf *path, const char *prefix);
/* Writes a state file that knows this checkpoint alone, by its name in the folder. */
cnnf_status cnnfi_checkpoint_state_write(cnnfi_sink *sink, cnnf_context *context, const char *prefix,
                                         cnnf_error *error);

#endif
