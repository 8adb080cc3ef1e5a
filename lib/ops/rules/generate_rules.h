/* SPDX-License-Identifier: Apache-2.0 */
/* The formats of DataFormatDimMap and DataFormatVecPermute, read by their rules and kernels. */
#ifndef CNNFI_OPS_RULES_GENERATE_RULES_H
#define CNNFI_OPS_RULES_GENERATE_RULES_H

#include "ops/call.h"

/* Attributes src_format and dst_format: four or five letters, the same ones, none twice. */
cnnf_status cnnfi_read_formats(cnnfi_call *call, const char **from, const char **to);

#endif
