/* SPDX-License-Identifier: Apache-2.0 */
/* What a file is, by its content. */
#ifndef CNNFI_LOADER_SNIFF_H
#define CNNFI_LOADER_SNIFF_H

#include "base/source.h"

/* One of CNNF_FORMAT_*; CNNF_FORMAT_UNKNOWN when it is none of them. CNNF_E_IO, CNNF_E_NOMEM. */
cnnf_status cnnfi_sniff(int32_t *out, cnnfi_source *source, cnnf_error *error);
/* What the user may do with a file of a format that is no model or graph; "" when there is nothing to say. */
const char *cnnfi_format_hint(int32_t format);

#endif
