/* SPDX-License-Identifier: Apache-2.0 */
/* What the C tests share: a context, a main, paths of fixtures. */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <check.h>
#include <stdlib.h>

#include <cnnfreeze/cnnfreeze.h>

#ifdef _WIN32
#include "windows.h"
#endif

/* A context with defaults; the test fails when there is none. */
static inline cnnf_context *test_context(void)
{
    cnnf_context *context = NULL;
    ck_assert_int_eq(cnnf_context_new(&context, NULL, NULL), CNNF_OK);
    return context;
}

/* Gives the context back and checks that nothing it made is left. */
static inline void test_context_done(cnnf_context *context)
{
    ck_assert_uint_eq(cnnf_context_memory(context, 0), 0);
    cnnf_context_unref(context);
}

/* main() of a test program: runs one suite. */
#define TEST_MAIN(suite_function)                                                                                      \
    int main(void)                                                                                                     \
    {                                                                                                                  \
        SRunner *runner = srunner_create(suite_function());                                                            \
        srunner_run_all(runner, CK_NORMAL);                                                                            \
        const int failed = srunner_ntests_failed(runner);                                                              \
        srunner_free(runner);                                                                                          \
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;                                                                   \
    }

#define GOLDEN(path) SOURCE_ROOT "/tests/golden/" path
/* Files beside the project that are not part of it; tests skip when they are absent. */
#define SHARED(path) SOURCE_ROOT "/../shared/" path

#endif
