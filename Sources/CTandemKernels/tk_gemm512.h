// SPDX-License-Identifier: Apache-2.0
//
// Shared by the quantised matrix products on 512-bit registers. Include it where AVX-512 may be used.

#include <immintrin.h>

// tk_i4z_shifts with masked loads.
TK_INLINE void tk512_shifts(const tk_qgemm *a, size_t row, size_t group, const int R, float shifts[][16]) {
    const size_t count = tk_min(16, a->kp / a->ga - group);
    const __mmask16 valid = (__mmask16)(0xffffu >> (16 - count));
    TK_UNROLL
    for (int r = 0; r < R; r++) {
        const size_t at = (row + (size_t)r) * a->lds + group;
        const __m512 sums = _mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(valid, a->sums + at));
        _mm512_storeu_ps(shifts[r], _mm512_mul_ps(sums, _mm512_maskz_loadu_ps(valid, a->scales + at)));
    }
}

// The weight scales of one group: halves, or the scale codes of i4z.
TK_INLINE __m512 tk512_scales(const uint8_t *ws, const int kind) {
    if (kind != TK_I4Z) return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)ws));
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)ws)));
}

// 16 signed bytes.
TK_INLINE __m512 tk512_signed_codes(const uint8_t *codes) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)codes)));
}

// The end of an i4z panel: fma(acc, D, b * M), b being what the offset codes give and D and M the row factors.
TK_INLINE __m512 tk512_add_offset(__m512 acc, __m512 b, const uint8_t *factors) {
    return _mm512_fmadd_ps(acc, _mm512_loadu_ps(factors), _mm512_mul_ps(b, _mm512_loadu_ps(factors + 64)));
}
