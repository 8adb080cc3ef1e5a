/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluator/fused/simd.h"

#include <string.h>

#include "base/error.h"
#include "evaluator/plan/fuse.h"

#if CNNFI_X86_SIMD
extern const cnnfi_simd cnnfi_simd_avx512, cnnfi_simd_avx2;

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl");
}

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

/* What every processor of the family has. */
static bool has_all(void)
{
    return true;
}

#if defined(__x86_64__)
#define PLAIN cnnfi_simd_sse2
#elif defined(__aarch64__)
#define PLAIN cnnfi_simd_neon
#else
#define PLAIN cnnfi_simd_baseline
#endif
extern const cnnfi_simd PLAIN;

/* The best first. */
static const struct {
    const cnnfi_simd *simd;
    bool (*runs)(void);
} sets[] = {
#if CNNFI_X86_SIMD
    {&cnnfi_simd_avx512, has_avx512},
    {&cnnfi_simd_avx2, has_avx2},
#endif
    {&PLAIN, has_all},
};
#define N_SETS (sizeof(sets) / sizeof(sets[0]))

const cnnfi_simd *cnnfi_simd_find(const char *isa)
{
    for (size_t i = 0; i < N_SETS; i++) {
        if (isa ? strcmp(sets[i].simd->name, isa) == 0 : sets[i].runs()) return sets[i].simd;
    }
    return NULL;
}

const cnnfi_simd *cnnfi_simd_best(void)
{
    return cnnfi_simd_find(NULL);
}

cnnf_status cnnfi_isa_find(const char **out, const char *name, cnnf_error *error)
{
    for (size_t i = 0; i < N_SETS; i++) {
        if (strcmp(sets[i].simd->name, name) != 0) continue;
        if (!sets[i].runs())
            return cnnfi_fail(error, CNNF_E_UNSUPPORTED, "this processor has no %s; its best set is %s", name,
                              cnnfi_simd_best()->name);
        *out = sets[i].simd->name;
        return CNNF_OK;
    }
    return cnnfi_fail(error, CNNF_E_NOT_FOUND, "there is no instruction set '%s'; this build has auto%s%s%s%s", name,
                      N_SETS > 2 ? ", avx512" : "", N_SETS > 2 ? ", avx2" : "", ", ", sets[N_SETS - 1].simd->name);
}
