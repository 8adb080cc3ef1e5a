/* SPDX-License-Identifier: Apache-2.0 */
#include "const_reference.c"
