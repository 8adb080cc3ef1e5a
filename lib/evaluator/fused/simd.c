/* SPDX-License-Identifier: Apache-2.0 */
#include "evaluator/fused/simd.h"

#if CNNFI_X86_SIMD
extern const cnnfi_simd cnnfi_simd_avx512, cnnfi_simd_avx2;
#endif
extern const cnnfi_simd cnnfi_simd_baseline;

const cnnfi_simd *cnnfi_simd_best(void)
{
#if CNNFI_X86_SIMD
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")) return &cnnfi_simd_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return &cnnfi_simd_avx2;
#endif
    return &cnnfi_simd_baseline;
}
