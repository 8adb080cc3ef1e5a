/* SPDX-License-Identifier: Apache-2.0 */
/* One scalar of the text format to wire bytes. */
#ifndef CNNFI_LOADER_GRAPHDEF_TEXT_SCALAR_H
#define CNNFI_LOADER_GRAPHDEF_TEXT_SCALAR_H

#include "base/str.h"
#include "loader/graphdef/text_lexer.h"
#include "proto/message.h"

/* Takes the value at the current token and appends tag and value of a number, bool or enum. */
cnnf_status cnnfi_text_number(cnnfi_lexer *lexer, const cnnfi_message_field *field, cnnfi_strbuf *out,
                              cnnf_error *error);

#endif
