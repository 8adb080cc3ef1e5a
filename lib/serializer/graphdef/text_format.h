/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protobuf's text format, as TensorFlow's Python writes it (google.protobuf.text_format with float_format ''): two
 * spaces of indent, floats as the shortest double, bytes as C escapes in octal. Unknown fields are left out, as there.
 */
#ifndef CNNFI_SERIALIZER_GRAPHDEF_TEXT_FORMAT_H
#define CNNFI_SERIALIZER_GRAPHDEF_TEXT_FORMAT_H

#include "proto/message.h"
#include "serializer/graphdef/skeleton.h"

/* Prints the fields of a message of `type`. The skeleton is one with text_order set: its cuts are tensor contents. */
cnnf_status cnnfi_text_print(const cnnfi_skeleton *s, const cnnfi_message_type *type, cnnfi_sink *sink,
                             cnnf_error *error);

#endif
