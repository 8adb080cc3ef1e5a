/* SPDX-License-Identifier: Apache-2.0 */
/**
 * npy.h - tensors in numpy's NPY files.
 *
 * Thread-safety: safe.
 */
#ifndef CNNFREEZE_NPY_H
#define CNNFREEZE_NPY_H

#include <cnnfreeze/context.h>
#include <cnnfreeze/export.h>
#include <cnnfreeze/tensor.h>

CNNF_BEGIN_DECLS

/**
 * Reads a file of numpy.save(), plain or .gz: integers, floats, bool and complex of either byte and
 * axis order, up to 8 axes. *out is a *new* tensor in memory. CNNF_OK, CNNF_E_IO, CNNF_E_FORMAT,
 * CNNF_E_CORRUPT, CNNF_E_UNSUPPORTED (objects, records, strings), CNNF_E_LIMIT, CNNF_E_INVALID,
 * CNNF_E_NOMEM. @since 0.1
 */
CNNF_API cnnf_status cnnf_npy_load(cnnf_tensor **out, cnnf_context *context, const char *path, cnnf_error *error);
/**
 * Writes a tensor as numpy.save() does; the file appears whole or not at all. CNNF_OK, CNNF_E_IO,
 * CNNF_E_UNSUPPORTED (a dtype numpy has not), CNNF_E_INVALID, CNNF_E_NOMEM. @since 0.1
 */
CNNF_API cnnf_status cnnf_npy_save(const cnnf_tensor *tensor, const char *path, cnnf_error *error);

CNNF_END_DECLS

#endif
