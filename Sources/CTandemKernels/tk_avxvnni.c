// SPDX-License-Identifier: Apache-2.0
//
// The quantised matrix products with AVX-VNNI (256-bit dpbusd), for processors without AVX-512. The rest of
// the table is AVX2's, see tk_avx2.c.

#include "tk_internal.h"

#if TK_X86

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c,avxvnni"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c,avxvnni")
#endif

#define TK_PREFETCH_BYTES 4096

// 16 k of one panel, int8. dpbusd wants an unsigned first operand: a weight enters as w + 128 (its top bit
// flipped).
TK_INLINE void tk_avxvnni_part_i8(const uint8_t *w, const int8_t *q, size_t ldq, const int R, __m256i dot[]) {
    const __m256i flip = _mm256_set1_epi8((char)0x80);
    TK_UNROLL
    for (int j = 0; j < 4; j++) {
        const __m256i w0 = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(w + j * 64)), flip);
        const __m256i w1 = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(w + j * 64 + 32)), flip);
        _mm_prefetch((const char *)w + j * 64 + TK_PREFETCH_BYTES, _MM_HINT_T0);
        TK_UNROLL
        for (int r = 0; r < R; r++) {
            const __m256i qv = _mm256_set1_epi32(tk_load32(q + (size_t)r * ldq + j * 4));
            dot[2 * r] = _mm256_dpbusd_avx_epi32(dot[2 * r], w0, qv);
            dot[2 * r + 1] = _mm256_dpbusd_avx_epi32(dot[2 * r + 1], w1, qv);
        }
    }
}

// 32 k of one panel, int4: a nibble enters as stored, w + 8.
TK_INLINE void tk_avxvnni_part_i4(const uint8_t *w, const int8_t *q, size_t ldq, const int R, __m256i dot[]) {
    const __m256i nibble = _mm256_set1_epi8(15);
    TK_UNROLL
    for (int j = 0; j < 8; j++) {
        __m256i w0 = _mm256_loadu_si256((const __m256i *)(w + j / 2 * 64));
        __m256i w1 = _mm256_loadu_si256((const __m256i *)(w + j / 2 * 64 + 32));
        if (j % 2 == 0) _mm_prefetch((const char *)w + j * 32 + TK_PREFETCH_BYTES, _MM_HINT_T0);
        w0 = _mm256_and_si256(j % 2 == 0 ? w0 : _mm256_srli_epi16(w0, 4), nibble);
        w1 = _mm256_and_si256(j % 2 == 0 ? w1 : _mm256_srli_epi16(w1, 4), nibble);
        TK_UNROLL
        for (int r = 0; r < R; r++) {
            const __m256i qv = _mm256_set1_epi32(tk_load32(q + (size_t)r * ldq + j * 4));
            dot[2 * r] = _mm256_dpbusd_avx_epi32(dot[2 * r], w0, qv);
            dot[2 * r + 1] = _mm256_dpbusd_avx_epi32(dot[2 * r + 1], w1, qv);
        }
    }
}

#define TK_GEMM256_PART_I8 tk_avxvnni_part_i8
#define TK_GEMM256_PART_I4 tk_avxvnni_part_i4
#define TK_GEMM256_BIAS_I8 128
#include "tk_gemm256.h"

void tk_avxvnni_gemm_i8(const tk_qgemm *a, size_t panel0, size_t panel1) {
    tk_gemm256(a, panel0, panel1, TK_I8);
}

void tk_avxvnni_gemm_i4(const tk_qgemm *a, size_t panel0, size_t panel1) {
    tk_gemm256(a, panel0, panel1, TK_I4);
}

void tk_avxvnni_gemm_i4z(const tk_qgemm *a, size_t panel0, size_t panel1) {
    tk_gemm256(a, panel0, panel1, TK_I4Z);
}

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif
