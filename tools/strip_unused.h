/* SPDX-License-Identifier: Apache-2.0 */
/* Cutting a graph at its inputs, as TensorFlow's two tools for that share it. */
#ifndef STRIP_UNUSED_H
#define STRIP_UNUSED_H

#include "cli.h"

/*
 * strip_unused_nodes(...) with the types of --placeholder_type_enum: one number or name for all inputs, or one each, in
 * their order; NULL: what the nodes give. false: they do not fit the inputs, said.
 */
bool strip_pass(char *out, size_t size, const char *inputs, const char *types);

#endif
