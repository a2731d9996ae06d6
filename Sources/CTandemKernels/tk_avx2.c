// SPDX-License-Identifier: Apache-2.0
//
// AVX2 with FMA and F16C: the 16 striped lanes are two registers, a 64-byte step of a weight panel two
// operands.

#include "tk_internal.h"

#if TK_X86

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c")
#endif

#define TK_PREFETCH_BYTES 4096

// ---- The primitives of tk_rows.h --------------------------------------------------------------------------

typedef struct {
    __m256 lo, hi;
} tk_v;
#define TK_V_SCORES 4
#define TK_V_HEADS 2
#define TK_V_MASKS 0
#define TK_V_UNROLLS 1
#define TK_V_VALUES 4
#define TK_V_PANELS 1

#define TK_V_MAP1(f, a) ((tk_v){f((a).lo), f((a).hi)})
#define TK_V_MAP2(f, a, b) ((tk_v){f((a).lo, (b).lo), f((a).hi, (b).hi)})

// All bits set in the first min(n, 16) of 16 lanes.
TK_INLINE tk_v tk_v_mask(size_t n) {
    static const int32_t ones_then_zeros[32] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                                -1, -1, -1, -1, -1, -1, -1, -1};
    const float *from = (const float *)ones_then_zeros + 16 - tk_min(n, 16);
    return (tk_v){_mm256_loadu_ps(from), _mm256_loadu_ps(from + 8)};
}

TK_INLINE tk_v tk_v_set1(float x) { return (tk_v){_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
TK_INLINE tk_v tk_v_load(const float *p) { return (tk_v){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
TK_INLINE void tk_v_store(float *p, tk_v v) {
    _mm256_storeu_ps(p, v.lo);
    _mm256_storeu_ps(p + 8, v.hi);
}
TK_INLINE tk_v tk_v_load_n(const float *p, size_t n) {
    const tk_v mask = tk_v_mask(n);
    return (tk_v){_mm256_maskload_ps(p, _mm256_castps_si256(mask.lo)),
                  n > 8 ? _mm256_maskload_ps(p + 8, _mm256_castps_si256(mask.hi)) : _mm256_setzero_ps()};
}
TK_INLINE void tk_v_store_n(float *p, size_t n, tk_v v) {
    const tk_v mask = tk_v_mask(n);
    _mm256_maskstore_ps(p, _mm256_castps_si256(mask.lo), v.lo);
    if (n > 8) _mm256_maskstore_ps(p + 8, _mm256_castps_si256(mask.hi), v.hi);
}
TK_INLINE tk_v tk_v_load_half(const uint16_t *p) {
    return (tk_v){_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)),
                  _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(p + 8)))};
}
TK_INLINE void tk_v_store_half(uint16_t *p, tk_v v) {
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(v.lo, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128((__m128i *)(p + 8), _mm256_cvtps_ph(v.hi, _MM_FROUND_TO_NEAREST_INT));
}
TK_INLINE __m256 tk_avx2_bfloat(const uint16_t *p) {
    const __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
}
TK_INLINE tk_v tk_v_load_bfloat(const uint16_t *p) {
    return (tk_v){tk_avx2_bfloat(p), tk_avx2_bfloat(p + 8)};
}
TK_INLINE tk_v tk_v_add(tk_v a, tk_v b) { return TK_V_MAP2(_mm256_add_ps, a, b); }
TK_INLINE tk_v tk_v_sub(tk_v a, tk_v b) { return TK_V_MAP2(_mm256_sub_ps, a, b); }
TK_INLINE tk_v tk_v_mul(tk_v a, tk_v b) { return TK_V_MAP2(_mm256_mul_ps, a, b); }
TK_INLINE tk_v tk_v_div(tk_v a, tk_v b) { return TK_V_MAP2(_mm256_div_ps, a, b); }
TK_INLINE tk_v tk_v_neg(tk_v a) { return TK_V_MAP2(_mm256_xor_ps, a, tk_v_set1(-0.0f)); }
TK_INLINE tk_v tk_v_abs(tk_v a) { return TK_V_MAP2(_mm256_andnot_ps, tk_v_set1(-0.0f), a); }
TK_INLINE tk_v tk_v_fma(tk_v a, tk_v b, tk_v c) {
    return (tk_v){_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
TK_INLINE tk_v tk_v_max(tk_v a, tk_v b) { return TK_V_MAP2(_mm256_max_ps, a, b); }
TK_INLINE tk_v tk_v_keep(tk_v v, size_t n) { return TK_V_MAP2(_mm256_and_ps, v, tk_v_mask(n)); }
TK_INLINE float tk_v_peak(tk_v v) {
    const __m256 m8 = _mm256_max_ps(v.lo, v.hi);
    const __m128 m4 = _mm_max_ps(_mm256_castps256_ps128(m8), _mm256_extractf128_ps(m8, 1));
    const __m128 m2 = _mm_max_ps(m4, _mm_movehl_ps(m4, m4));
    return _mm_cvtss_f32(_mm_max_ss(m2, _mm_shuffle_ps(m2, m2, 1)));
}
TK_INLINE float tk_v_sqrt(float x) { return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x))); }
TK_INLINE unsigned tk_v_equal(tk_v a, tk_v b) {
    const int lo = _mm256_movemask_ps(_mm256_cmp_ps(a.lo, b.lo, _CMP_EQ_OQ));
    const int hi = _mm256_movemask_ps(_mm256_cmp_ps(a.hi, b.hi, _CMP_EQ_OQ));
    return (unsigned)lo | (unsigned)hi << 8;
}
TK_INLINE tk_v tk_v_where_below(tk_v x, tk_v limit, tk_v then, tk_v otherwise) {
    return (tk_v){_mm256_blendv_ps(otherwise.lo, then.lo, _mm256_cmp_ps(x.lo, limit.lo, _CMP_LT_OQ)),
                  _mm256_blendv_ps(otherwise.hi, then.hi, _mm256_cmp_ps(x.hi, limit.hi, _CMP_LT_OQ))};
}
TK_INLINE tk_v tk_v_where_nan(tk_v x, tk_v then, tk_v otherwise) {
    return (tk_v){_mm256_blendv_ps(otherwise.lo, then.lo, _mm256_cmp_ps(x.lo, x.lo, _CMP_UNORD_Q)),
                  _mm256_blendv_ps(otherwise.hi, then.hi, _mm256_cmp_ps(x.hi, x.hi, _CMP_UNORD_Q))};
}
TK_INLINE __m256 tk_avx2_shift_exponent(__m256 p, __m256 s) {
    const __m256i exponent = _mm256_slli_epi32(_mm256_castps_si256(s), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), exponent));
}
TK_INLINE tk_v tk_v_shift_exponent(tk_v p, tk_v s) { return TK_V_MAP2(tk_avx2_shift_exponent, p, s); }
TK_INLINE __m256i tk_avx2_round_q8(__m256 v) {
    v = _mm256_and_ps(v, _mm256_cmp_ps(v, v, _CMP_ORD_Q));
    v = _mm256_max_ps(_mm256_min_ps(v, _mm256_set1_ps(127.0f)), _mm256_set1_ps(-127.0f));
    return _mm256_cvtps_epi32(_mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
TK_INLINE void tk_v_store_q8(int8_t *out, tk_v v) {
    const __m256i words = _mm256_packs_epi32(tk_avx2_round_q8(v.lo), tk_avx2_round_q8(v.hi));
    const __m256i ordered = _mm256_permute4x64_epi64(words, 0xd8);
    const __m128i bytes =
        _mm_packs_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1));
    _mm_storeu_si128((__m128i *)out, bytes);
}
TK_INLINE int32_t tk_v_sum_q8(const int8_t *q, size_t n) {
    __m256i sum = _mm256_setzero_si256();
    for (size_t i = 0; i < n; i += 32) {
        const __m256i v = _mm256_loadu_si256((const __m256i *)(q + i));
        const __m256i pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), v);
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    }
    __m128i s = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
    s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1)));
}

TK_INLINE __m256 tk_avx2_load_i8(const int8_t *p) {
    return _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)p)));
}
TK_INLINE tk_v tk_v_load_i8(const int8_t *p) { return (tk_v){tk_avx2_load_i8(p), tk_avx2_load_i8(p + 8)}; }
// Bytes are multiplied by maddubs (unsigned by signed, pairs added in 16 bits): w enters as |w| against the
// other operand carrying its sign, so that 2 * 128 * 127 fits.
TK_INLINE __m256i tk_avx2_dot_i8(__m256i sum, __m256i w, __m256i magnitude, __m256i q) {
    const __m256i pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(q, w));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
TK_INLINE void tk_v_dots_i8(const int8_t *keys, const int8_t *q, size_t ldq, const int32_t *sums, size_t lds,
                            const int H, tk_v *dots) {
    (void)sums, (void)lds;
    __m256i dot[2 * TK_V_HEADS];
    TK_UNROLL
    for (int i = 0; i < 2 * H; i++) dot[i] = _mm256_setzero_si256();
    TK_UNROLL
    for (int j = 0; j < 8; j++) {
        const __m256i k0 = _mm256_loadu_si256((const __m256i *)(keys + j * 64));
        const __m256i k1 = _mm256_loadu_si256((const __m256i *)(keys + j * 64 + 32));
        const __m256i m0 = _mm256_abs_epi8(k0), m1 = _mm256_abs_epi8(k1);
        TK_UNROLL
        for (int h = 0; h < H; h++) {
            const __m256i code = _mm256_set1_epi32(tk_load32(q + (size_t)h * ldq + j * 4));
            dot[2 * h] = tk_avx2_dot_i8(dot[2 * h], k0, m0, code);
            dot[2 * h + 1] = tk_avx2_dot_i8(dot[2 * h + 1], k1, m1, code);
        }
    }
    TK_UNROLL
    for (int h = 0; h < H; h++) {
        dots[h] = (tk_v){_mm256_cvtepi32_ps(dot[2 * h]), _mm256_cvtepi32_ps(dot[2 * h + 1])};
    }
}

TK_INLINE float tk_v_tree(tk_v v) {
    const __m256 s8 = _mm256_add_ps(v.lo, v.hi);
    const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_shuffle_ps(s2, s2, 1)));
}

// First and second halves of x and y added: the lower four sums are x's, the upper four y's.
TK_INLINE __m256 tk_avx2_fold(tk_v x, tk_v y) {
    const __m256 a = _mm256_add_ps(x.lo, x.hi), b = _mm256_add_ps(y.lo, y.hi);
    return _mm256_add_ps(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
}

TK_INLINE void tk_v_trees(const tk_v v[4], float scale, float *out) {
    const __m256 x = tk_avx2_fold(v[0], v[2]), y = tk_avx2_fold(v[1], v[3]);
    const __m256 pairs = _mm256_add_ps(_mm256_shuffle_ps(x, y, 0x44), _mm256_shuffle_ps(x, y, 0xee));
    // Lanes are now v0 v0 v1 v1 | v2 v2 v3 v3.
    const __m128 a = _mm256_castps256_ps128(pairs), b = _mm256_extractf128_ps(pairs, 1);
    const __m128 sums = _mm_add_ps(_mm_shuffle_ps(a, b, 0x88), _mm_shuffle_ps(a, b, 0xdd));
    _mm_storeu_ps(out, _mm_mul_ps(_mm_set1_ps(scale), sums));
}

#include "tk_rows.h"

// ---- Quantised matrix products ----------------------------------------------------------------------------

// A sum that the compiler may not reorder: it would keep more values than there are registers.
#define TK_IN_ORDER(sum) __asm__("" : "+x"(sum))

// q with the signs of 32 weights in memory. As an operand of the instruction these cost no load of their own, and
// loads take turns with sums here; the compiler would load them once for all rows.
TK_INLINE __m256i tk_avx2_signed(__m256i q, const uint8_t *w) {
    __m256i out;
    __asm__("vpsignb %2, %1, %0" : "=x"(out) : "x"(q), "m"(*(const __m256i_u *)w));
    TK_IN_ORDER(out);
    return out;
}

// 16 k of one panel, int8. The two registers of a row take every step one after the other, so that none waits for
// the step before. Both together 1.03-1.06 times as fast on Zen 3, for 1 to 5 rows.
TK_INLINE void tk_avx2_part_i8(const uint8_t *w, const int8_t *q, size_t ldq, const int R, __m256i dot[]) {
    const __m256i ones = _mm256_set1_epi16(1);
    TK_UNROLL
    for (int j = 0; j < 4; j++) {
        const uint8_t *line = w + j * 64;
        const __m256i m0 = _mm256_abs_epi8(_mm256_loadu_si256((const __m256i *)line));
        const __m256i m1 = _mm256_abs_epi8(_mm256_loadu_si256((const __m256i *)(line + 32)));
        _mm_prefetch((const char *)line + TK_PREFETCH_BYTES, _MM_HINT_T0);
        TK_UNROLL
        for (int r = 0; r < R; r++) {
            const __m256i qv = _mm256_set1_epi32(tk_load32(q + (size_t)r * ldq + j * 4));
            __m256i x = tk_avx2_signed(qv, line), y = tk_avx2_signed(qv, line + 32);
            x = _mm256_maddubs_epi16(m0, x), y = _mm256_maddubs_epi16(m1, y);
            TK_IN_ORDER(x);
            TK_IN_ORDER(y);
            x = _mm256_madd_epi16(x, ones), y = _mm256_madd_epi16(y, ones);
            TK_IN_ORDER(x);
            TK_IN_ORDER(y);
            dot[2 * r] = _mm256_add_epi32(dot[2 * r], x);
            dot[2 * r + 1] = _mm256_add_epi32(dot[2 * r + 1], y);
            TK_IN_ORDER(dot[2 * r]);
            TK_IN_ORDER(dot[2 * r + 1]);
        }
    }
}

// 32 k of one panel, int4; `packed` unless nibbles lie in bytes of their own. A nibble enters as stored,
// w + 8: eight products of at most 2 * 15 * 127 add up in 16 bits before they are widened.
TK_INLINE void tk_avx2_part_nibbles(const uint8_t *w, const int8_t *q, size_t ldq, const int R,
                                    const int packed, __m256i dot[]) {
    const __m256i nibble = _mm256_set1_epi8(15);
    __m256i words[8];
    TK_UNROLL
    for (int j = 0; j < 8; j++) {
        const uint8_t *line = packed ? w + j / 2 * 64 : w + j * 64;
        __m256i w0 = _mm256_loadu_si256((const __m256i *)line);
        __m256i w1 = _mm256_loadu_si256((const __m256i *)(line + 32));
        if (packed) {
            if (j % 2 == 0) _mm_prefetch((const char *)line + TK_PREFETCH_BYTES, _MM_HINT_T0);
            w0 = _mm256_and_si256(j % 2 == 0 ? w0 : _mm256_srli_epi16(w0, 4), nibble);
            w1 = _mm256_and_si256(j % 2 == 0 ? w1 : _mm256_srli_epi16(w1, 4), nibble);
        }
        TK_UNROLL
        for (int r = 0; r < R; r++) {
            const __m256i qv = _mm256_set1_epi32(tk_load32(q + (size_t)r * ldq + j * 4));
            const __m256i x = _mm256_maddubs_epi16(w0, qv), y = _mm256_maddubs_epi16(w1, qv);
            words[2 * r] = j == 0 ? x : _mm256_add_epi16(words[2 * r], x);
            words[2 * r + 1] = j == 0 ? y : _mm256_add_epi16(words[2 * r + 1], y);
            TK_IN_ORDER(words[2 * r]);
            TK_IN_ORDER(words[2 * r + 1]);
        }
    }
    TK_UNROLL
    for (int i = 0; i < 2 * R; i++) {
        dot[i] = _mm256_add_epi32(dot[i], _mm256_madd_epi16(words[i], _mm256_set1_epi16(1)));
    }
}

#define TK_GEMM256_PART_I8 tk_avx2_part_i8
#define TK_GEMM256_PART_I4(w, q, ldq, R, dot) tk_avx2_part_nibbles(w, q, ldq, R, 1, dot)
#define TK_GEMM256_BIAS_I8 0
#include "tk_gemm256.h"

#include "tk_avx2_wide.h"

// Products of int4 weights: eight rows and more in blocks of four that share what they unpack.
TK_INLINE void tk_avx2_gemm_nibbles(const tk_qgemm *a, size_t panel0, size_t panel1, const int kind) {
    const size_t chunk = tk_chunk_panels(tk_panel_bytes(a, kind));
    for (size_t first = panel0; first < panel1; first += chunk) {
        const size_t last = tk_min(first + chunk, panel1);
        size_t row = 0;
        for (size_t step; a->rows - row >= 8; row += step) {
            step = tk_min((a->rows - row) / 4 * 4, TK_WIDE_ROWS);
            for (size_t p = first; p < last; p++) tk_avx2_wide(a, p, row, step, kind);
        }
        tk_gemm256_rows(a, row, first, last, kind);
    }
}

static void tk_avx2_gemm_i8(const tk_qgemm *a, size_t panel0, size_t panel1) {
    tk_gemm256(a, panel0, panel1, TK_I8);
}

static void tk_avx2_gemm_i4(const tk_qgemm *a, size_t panel0, size_t panel1) {
    tk_avx2_gemm_nibbles(a, panel0, panel1, TK_I4);
}

static void tk_avx2_gemm_i4z(const tk_qgemm *a, size_t panel0, size_t panel1) {
    tk_avx2_gemm_nibbles(a, panel0, panel1, TK_I4Z);
}

const tk_kernels tk_kernels_avx2 = {
    .name = "avx2",
    .gemm_i8 = tk_avx2_gemm_i8,
    .gemm_i4 = tk_avx2_gemm_i4,
    .gemm_i4z = tk_avx2_gemm_i4z,
    TK_ROWS_MEMBERS,
};

// The products come from tk_avxvnni.c, everything else is this file's.
const tk_kernels tk_kernels_avxvnni = {
    .name = "avxvnni",
    .gemm_i8 = tk_avxvnni_gemm_i8,
    .gemm_i4 = tk_avxvnni_gemm_i4,
    .gemm_i4z = tk_avxvnni_gemm_i4z,
    TK_ROWS_MEMBERS,
};

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif
