/* SPDX-License-Identifier: Apache-2.0 */
/**
 * version.h - which library this is, at compile time and at run time.
 *
 * The project version and the ABI version are separate numbers: the first counts releases, the
 * second changes only when a program built against an older header could break (docs/abi.md).
 * A binding compares cnnf_abi_version() with the number it was written for before anything else.
 *
 * Thread-safety: safe.
 */
#ifndef CNNFREEZE_VERSION_H
#define CNNFREEZE_VERSION_H

#include <stdint.h>

#include <cnnfreeze/export.h>

#define CNNF_VERSION_MAJOR 0
#define CNNF_VERSION_MINOR 1
#define CNNF_VERSION_PATCH 0

/** The ABI number: the SONAME's number too. */
#define CNNF_ABI_VERSION 0

CNNF_BEGIN_DECLS

/** "MAJOR.MINOR.PATCH" of the library that is running; static storage. @since 0.1 */
CNNF_API const char *cnnf_version_string(void);

/** MAJOR * 1000000 + MINOR * 1000 + PATCH of the library that is running. @since 0.1 */
CNNF_API uint32_t cnnf_version_number(void);

/** CNNF_ABI_VERSION of the library that is running. @since 0.1 */
CNNF_API uint32_t cnnf_abi_version(void);

/**
 * Whether an optional part was built in: "keras_h5", "keras_v3", "snappy", "onednn", "gzip",
 * "images". Returns 1 or 0; an unknown name is 0. @since 0.1
 */
CNNF_API int32_t cnnf_has_feature(const char *feature);

CNNF_END_DECLS

#endif
