/* SPDX-License-Identifier: Apache-2.0 */
/* What Where counts, for its rule and its kernel. */
#ifndef CNNFI_OPS_RULES_WHERE_RULES_H
#define CNNFI_OPS_RULES_WHERE_RULES_H

#include "ops/call.h"

/* Whether element i is not zero; of a complex number the imaginary part counts too. */
bool cnnfi_element_is_set(const cnnfi_value *value, int64_t i);

#endif
