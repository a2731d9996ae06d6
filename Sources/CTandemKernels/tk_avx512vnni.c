// SPDX-License-Identifier: Apache-2.0
//
// AVX-512 with VNNI (F, BW, VL, DQ, VNNI): the 16 striped lanes of a reduction are one register. The quantised
// matrix products are in tk_avx512vnni_gemm.c.

#include "tk_internal.h"

#if TK_X86

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni"))), \
    apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")
#endif

// ---- The primitives of tk_rows.h --------------------------------------------------------------------------

typedef __m512 tk_v;
#define TK_V_SCORES 16
#define TK_V_HEADS 4
#define TK_V_MASKS 1
#define TK_V_UNROLLS 0
#define TK_V_VALUES 16
#define TK_V_PANELS 4

// The first n of 16 lanes, n >= 1.
TK_INLINE __mmask16 tk512_mask(size_t n) { return (__mmask16)(0xffffu >> (n < 16 ? 16 - n : 0)); }

TK_INLINE tk_v tk_v_set1(float x) { return _mm512_set1_ps(x); }
TK_INLINE tk_v tk_v_load(const float *p) { return _mm512_loadu_ps(p); }
TK_INLINE void tk_v_store(float *p, tk_v v) { _mm512_storeu_ps(p, v); }
TK_INLINE tk_v tk_v_load_n(const float *p, size_t n) { return _mm512_maskz_loadu_ps(tk512_mask(n), p); }
TK_INLINE void tk_v_store_n(float *p, size_t n, tk_v v) { _mm512_mask_storeu_ps(p, tk512_mask(n), v); }
TK_INLINE tk_v tk_v_load_half(const uint16_t *p) {
    return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p));
}
TK_INLINE void tk_v_store_half(uint16_t *p, tk_v v) {
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}
TK_INLINE tk_v tk_v_load_bfloat(const uint16_t *p) {
    const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}
TK_INLINE tk_v tk_v_add(tk_v a, tk_v b) { return _mm512_add_ps(a, b); }
TK_INLINE tk_v tk_v_sub(tk_v a, tk_v b) { return _mm512_sub_ps(a, b); }
TK_INLINE tk_v tk_v_mul(tk_v a, tk_v b) { return _mm512_mul_ps(a, b); }
TK_INLINE tk_v tk_v_div(tk_v a, tk_v b) { return _mm512_div_ps(a, b); }
TK_INLINE tk_v tk_v_neg(tk_v a) { return _mm512_xor_ps(a, _mm512_set1_ps(-0.0f)); }
TK_INLINE tk_v tk_v_abs(tk_v a) { return _mm512_abs_ps(a); }
TK_INLINE tk_v tk_v_fma(tk_v a, tk_v b, tk_v c) { return _mm512_fmadd_ps(a, b, c); }
TK_INLINE tk_v tk_v_max(tk_v a, tk_v b) { return _mm512_max_ps(a, b); }
TK_INLINE tk_v tk_v_keep(tk_v v, size_t n) { return _mm512_maskz_mov_ps(tk512_mask(n), v); }
TK_INLINE float tk_v_peak(tk_v v) { return _mm512_reduce_max_ps(v); }
TK_INLINE float tk_v_sqrt(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }
TK_INLINE unsigned tk_v_equal(tk_v a, tk_v b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
TK_INLINE tk_v tk_v_where_below(tk_v x, tk_v limit, tk_v then, tk_v otherwise) {
    return _mm512_mask_mov_ps(otherwise, _mm512_cmp_ps_mask(x, limit, _CMP_LT_OQ), then);
}
TK_INLINE tk_v tk_v_where_nan(tk_v x, tk_v then, tk_v otherwise) {
    return _mm512_mask_mov_ps(otherwise, _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), then);
}
TK_INLINE tk_v tk_v_shift_exponent(tk_v p, tk_v s) {
    const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(s), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), exponent));
}
TK_INLINE void tk_v_store_q8(int8_t *out, tk_v v) {
    v = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(v, v, _CMP_ORD_Q), v);
    v = _mm512_max_ps(_mm512_min_ps(v, _mm512_set1_ps(127.0f)), _mm512_set1_ps(-127.0f));
    const __m512i rounded = _mm512_cvt_roundps_epi32(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    _mm_storeu_si128((__m128i *)out, _mm512_cvtepi32_epi8(rounded));
}
TK_INLINE int32_t tk_v_sum_q8(const int8_t *q, size_t n) {
    __m256i sum = _mm256_setzero_si256();
    for (size_t i = 0; i < n; i += 32) {
        sum = _mm256_dpbusd_epi32(sum, _mm256_set1_epi8(1), _mm256_loadu_si256((const __m256i *)(q + i)));
    }
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

TK_INLINE tk_v tk_v_load_i8(const int8_t *p) {
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)p)));
}
// dpbusd wants an unsigned first operand: keys enter as key + 128, which the start of the sums undoes.
TK_INLINE void tk_v_dots_i8(const int8_t *keys, const int8_t *q, size_t ldq, const int32_t *sums, size_t lds,
                            const int H, tk_v *dots) {
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    __m512i dot[TK_V_HEADS];
    TK_UNROLL
    for (int h = 0; h < H; h++) dot[h] = _mm512_set1_epi32(sums[(size_t)h * lds] * -128);
    TK_UNROLL
    for (int j = 0; j < 8; j++) {
        const __m512i key = _mm512_xor_si512(_mm512_loadu_si512(keys + j * 64), flip);
        TK_UNROLL
        for (int h = 0; h < H; h++) {
            const __m512i code = _mm512_set1_epi32(tk_load32(q + (size_t)h * ldq + j * 4));
            dot[h] = _mm512_dpbusd_epi32(dot[h], key, code);
        }
    }
    TK_UNROLL
    for (int h = 0; h < H; h++) dots[h] = _mm512_cvtepi32_ps(dot[h]);
}

TK_INLINE float tk_v_tree(tk_v v) {
    const __m256 s8 = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_shuffle_ps(s2, s2, 1)));
}

TK_INLINE void tk_v_trees(const tk_v v[16], float scale, float *out) {
    __m512 a[8], b[4], c[2];
    TK_UNROLL
    for (int i = 0; i < 8; i++) {
        // Slot s takes vector s % 4 * 4 + s / 4, so that the last shuffle leaves natural order.
        const __m512 x = v[(2 * i) % 4 * 4 + (2 * i) / 4], y = v[(2 * i + 1) % 4 * 4 + (2 * i + 1) / 4];
        a[i] = _mm512_add_ps(_mm512_shuffle_f32x4(x, y, 0x44), _mm512_shuffle_f32x4(x, y, 0xee));
    }
    TK_UNROLL
    for (int i = 0; i < 4; i++) {
        const __m512 x = a[2 * i], y = a[2 * i + 1];
        b[i] = _mm512_add_ps(_mm512_shuffle_f32x4(x, y, 0x88), _mm512_shuffle_f32x4(x, y, 0xdd));
    }
    TK_UNROLL
    for (int i = 0; i < 2; i++) {
        const __m512 x = b[2 * i], y = b[2 * i + 1];
        c[i] = _mm512_add_ps(_mm512_shuffle_ps(x, y, 0x44), _mm512_shuffle_ps(x, y, 0xee));
    }
    const __m512 sums =
        _mm512_add_ps(_mm512_shuffle_ps(c[0], c[1], 0x88), _mm512_shuffle_ps(c[0], c[1], 0xdd));
    _mm512_storeu_ps(out, _mm512_mul_ps(_mm512_set1_ps(scale), sums));
}

#include "tk_rows.h"

// The products come from tk_avx512vnni_gemm.c.
const tk_kernels tk_kernels_avx512vnni = {
    .name = "avx512vnni",
    .gemm_i8 = tk_avx512vnni_gemm_i8,
    .gemm_i4 = tk_avx512vnni_gemm_i4,
    .gemm_i4z = tk_avx512vnni_gemm_i4z,
    .interleave = tk_avx512vnni_interleave,
    TK_ROWS_MEMBERS,
};

#if TK_AMX
// The products come from tk_amx.c, everything else is this file's.
const tk_kernels tk_kernels_amx = {
    .name = "amx",
    .gemm_i8 = tk_amx_gemm_i8,
    .gemm_i4 = tk_amx_gemm_i4,
    .gemm_i4z = tk_amx_gemm_i4z,
    TK_ROWS_MEMBERS,
};
#endif

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif
