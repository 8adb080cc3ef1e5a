/* SPDX-License-Identifier: Apache-2.0 */
/* What each test of a file format starts with: a context, an error, an empty folder. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "folder.h"

static cnnf_context *context;
static cnnf_error *error;

static void setup(void)
{
    context = test_context();
    error = cnnf_error_new();
    folder_make();
}

static void teardown(void)
{
    folder_remove();
    cnnf_error_free(error);
    test_context_done(context);
}

#endif
