/* SPDX-License-Identifier: Apache-2.0 */
/**
 * status.h - what every function that can fail returns.
 *
 * 0 is success, every failure is negative. Values are never reused; new ones may appear in any
 * release, so treat an unknown negative value as a failure.
 *
 * Thread-safety: safe.
 */
#ifndef CNNFREEZE_STATUS_H
#define CNNFREEZE_STATUS_H

#include <stdint.h>

#include <cnnfreeze/export.h>

typedef int32_t cnnf_status;

/** Done. */
#define CNNF_OK 0
/** The allocator refused. The inputs are untouched; the same call may succeed later. */
#define CNNF_E_NOMEM (-1)
/** An argument is wrong (NULL, unknown name, out of range): the program needs mending, not the file. */
#define CNNF_E_INVALID (-2)
/** The operating system refused: open, read, write, rename; or the file changed while in use. */
#define CNNF_E_IO (-3)
/** The file is not of the kind asked for; the message says what it is. */
#define CNNF_E_FORMAT (-4)
/** The file is of the right kind and damaged: truncated, a checksum or a length does not fit. */
#define CNNF_E_CORRUPT (-5)
/** Valid, but outside what the library supports; the message names the layer, op or feature. */
#define CNNF_E_UNSUPPORTED (-6)
/** A limit of the context was reached before allocating; the message names it (context.h). */
#define CNNF_E_LIMIT (-7)
/** A name that was asked for does not exist; the message offers the nearest ones. */
#define CNNF_E_NOT_FOUND (-8)
/** Two things that must fit do not: shapes, dtypes, a checkpoint and its graph. */
#define CNNF_E_MISMATCH (-9)
/** The progress callback or cnnf_evaluator_cancel() asked to stop. */
#define CNNF_E_CANCELLED (-10)
/** A defect of this library. Please report it with the message. */
#define CNNF_E_INTERNAL (-11)

CNNF_BEGIN_DECLS

/** The constant's name without prefix ("CORRUPT"); "UNKNOWN" for values this library does not know. @since 0.1 */
CNNF_API const char *cnnf_status_name(cnnf_status status);

CNNF_END_DECLS

#endif
