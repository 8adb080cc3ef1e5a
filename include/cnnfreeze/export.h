/* SPDX-License-Identifier: Apache-2.0 */
/* export.h - visibility and C++ guards; nothing else. */
#ifndef CNNFREEZE_EXPORT_H
#define CNNFREEZE_EXPORT_H

#if defined(__GNUC__) && !defined(_WIN32) /* there a list of names says what is exported */
#define CNNF_API __attribute__((visibility("default")))
#else
#define CNNF_API
#endif

#if defined(__GNUC__)
#define CNNF_DEPRECATED(message) __attribute__((deprecated(message)))
#else
#define CNNF_DEPRECATED(message)
#endif

#ifdef __cplusplus
#define CNNF_BEGIN_DECLS extern "C" {
#define CNNF_END_DECLS   }
#else
#define CNNF_BEGIN_DECLS
#define CNNF_END_DECLS
#endif

#endif
