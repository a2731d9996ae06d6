// SPDX-License-Identifier: Apache-2.0
//
// AVX-512 with VNNI (F, BW, VL, DQ, VNNI): one 64-byte weight load covers 16 outputs x 4 k, the 16 striped
// lanes of a reduction are one register.

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

// How far ahead of the weights in use to prefetch; measured on Zen 5 with one thread.
#define TK_PREFETCH_BYTES(rows) ((rows) <= 2 ? 4096 : 8192)

// ---- The primitives of tk_rows.h --------------------------------------------------------------------------

typedef __m512 tk_v;
#define TK_V_SCORES 16
#define TK_V_HEADS 4
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

// ---- Quantised matrix products ----------------------------------------------------------------------------

// tk_i4z_shifts with masked loads.
TK_INLINE void tk512_shifts(const tk_qgemm *a, size_t row, size_t group, const int R, float shifts[8][16]) {
    const size_t count = tk_min(16, a->kp / a->ga - group);
    const __mmask16 valid = (__mmask16)(0xffffu >> (16 - count));
    TK_UNROLL
    for (int r = 0; r < R; r++) {
        const size_t at = (row + (size_t)r) * a->lds + group;
        const __m512 sums = _mm512_cvtepi32_ps(_mm512_maskz_loadu_epi32(valid, a->sums + at));
        _mm512_storeu_ps(shifts[r], _mm512_mul_ps(sums, _mm512_maskz_loadu_ps(valid, a->scales + at)));
    }
}

// One panel times R <= 8 rows. dpbusd wants an unsigned first operand: an int8 weight enters as w + 128 (its
// top bit flipped), a nibble as stored, w + 8; the accumulators start at -128 or -8 times the activations'
// sum to undo it. i4z keeps a second accumulator per row for the offsets.
TK_INLINE void tk512_gemm_q_block(const tk_qgemm *a, size_t panel, size_t row, const int R,
                                  const int kind) {
    const int S = R == 1 ? 4 : R <= 3 ? 2 : 1; // accumulators per row, to hide the latency of dpbusd
    const size_t groups = a->kp / a->ga, per_scale = a->gw / a->ga, parts = a->ga / 32;
    const uint8_t *w = (const uint8_t *)a->w + panel * tk_panel_bytes(a, kind);
    const uint8_t *scales = tk_panel_scales(a, panel, kind);
    const uint8_t *ws = scales + (kind == TK_I4Z ? TK_I4Z_FACTORS : 0);
    const int8_t *q = a->q + row * a->ldq;
    const float *as = a->scales + row * a->lds;
    const int32_t *sums = a->sums + row * a->lds;
    const __m512i flip = _mm512_set1_epi8((char)0x80), nibble = _mm512_set1_epi8(15);

    __m512 acc[8], offsets[8], wscale = _mm512_setzero_ps(), offset = _mm512_setzero_ps();
    float shifts[8][16];
    TK_UNROLL
    for (int r = 0; r < R; r++) acc[r] = offsets[r] = _mm512_setzero_ps();
    size_t until_scale = 0;
    for (size_t g = 0; g < groups; g++) {
        if (kind == TK_I4Z && g % 16 == 0) tk512_shifts(a, row, g, R, shifts);
        __m512i dot[8];
        TK_UNROLL
        for (int i = 0; i < R * S; i++) {
            const int bias = kind == TK_I8 ? -128 : -8;
            dot[i] = i % S != 0 ? _mm512_setzero_si512()
                                : _mm512_set1_epi32(sums[(size_t)(i / S) * a->lds + g] * bias);
        }
        for (size_t part = 0; part < parts; part++) {
            if (kind != TK_I8) {
                TK_UNROLL
                for (int j = 0; j < 4; j++) {
                    const __m512i both = _mm512_loadu_si512(w + j * 64);
                    _mm_prefetch((const char *)w + j * 64 + TK_PREFETCH_BYTES(R), _MM_HINT_T0);
                    const __m512i low = _mm512_and_si512(both, nibble);
                    const __m512i high = _mm512_and_si512(_mm512_srli_epi16(both, 4), nibble);
                    TK_UNROLL
                    for (int r = 0; r < R; r++) {
                        const int8_t *qr = q + (size_t)r * a->ldq + j * 8;
                        const int at = r * S + j % S, at2 = r * S + (j + S / 2) % S;
                        dot[at] = _mm512_dpbusd_epi32(dot[at], low, _mm512_set1_epi32(tk_load32(qr)));
                        dot[at2] = _mm512_dpbusd_epi32(dot[at2], high, _mm512_set1_epi32(tk_load32(qr + 4)));
                    }
                }
                w += 256;
            } else {
                TK_UNROLL
                for (int j = 0; j < 8; j++) {
                    const __m512i wv = _mm512_xor_si512(_mm512_loadu_si512(w + j * 64), flip);
                    _mm_prefetch((const char *)w + j * 64 + TK_PREFETCH_BYTES(R), _MM_HINT_T0);
                    TK_UNROLL
                    for (int r = 0; r < R; r++) {
                        const int8_t *qr = q + (size_t)r * a->ldq + j * 4;
                        const int at = r * S + j % S;
                        dot[at] = _mm512_dpbusd_epi32(dot[at], wv, _mm512_set1_epi32(tk_load32(qr)));
                    }
                }
                w += 512;
            }
            q += 32;
        }
        if (until_scale == 0) {
            if (kind == TK_I4Z) {
                const __m512i s = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)ws));
                const __m512i o = _mm512_cvtepi8_epi32(_mm_loadu_si128((const __m128i *)(ws + 16)));
                wscale = _mm512_cvtepi32_ps(s);
                offset = _mm512_cvtepi32_ps(o);
            } else {
                wscale = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)ws));
            }
            ws += 32;
            until_scale = per_scale;
        }
        until_scale--;
        TK_UNROLL
        for (int r = 0; r < R; r++) {
            __m512i total = dot[r * S];
            TK_UNROLL
            for (int i = 1; i < S; i++) total = _mm512_add_epi32(total, dot[r * S + i]);
            const __m512 scale = _mm512_mul_ps(wscale, _mm512_set1_ps(as[(size_t)r * a->lds + g]));
            acc[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(total), scale, acc[r]);
            if (kind == TK_I4Z) {
                offsets[r] = _mm512_fmadd_ps(offset, _mm512_set1_ps(shifts[r][g % 16]), offsets[r]);
            }
        }
    }
    if (kind == TK_I4Z) {
        const __m512 d = _mm512_loadu_ps(scales), m = _mm512_loadu_ps(scales + 64);
        TK_UNROLL
        for (int r = 0; r < R; r++) acc[r] = _mm512_fmadd_ps(acc[r], d, _mm512_mul_ps(offsets[r], m));
    }
    TK_UNROLL
    for (int r = 0; r < R; r++) _mm512_storeu_ps(a->y + (row + (size_t)r) * a->ldy + panel * 16, acc[r]);
}

TK_INLINE void tk512_gemm_q(const tk_qgemm *a, size_t panel0, size_t panel1, const int kind) {
    // Enough panels to stay in the second-level cache while all row blocks pass over them.
    const size_t chunk = tk_chunk_panels(tk_panel_bytes(a, kind));
    for (size_t first = panel0; first < panel1; first += chunk) {
        const size_t last = tk_min(first + chunk, panel1);
        for (size_t row = 0, step; row < a->rows; row += step) {
            step = tk_row_block(a->rows - row, 8);
            for (size_t p = first; p < last; p++) {
                switch (step) {
                case 1: tk512_gemm_q_block(a, p, row, 1, kind); break;
                case 2: tk512_gemm_q_block(a, p, row, 2, kind); break;
                case 3: tk512_gemm_q_block(a, p, row, 3, kind); break;
                case 4: tk512_gemm_q_block(a, p, row, 4, kind); break;
                case 5: tk512_gemm_q_block(a, p, row, 5, kind); break;
                case 6: tk512_gemm_q_block(a, p, row, 6, kind); break;
                case 7: tk512_gemm_q_block(a, p, row, 7, kind); break;
                default: tk512_gemm_q_block(a, p, row, 8, kind); break;
                }
            }
        }
    }
}

static void tk512_gemm_i8(const tk_qgemm *a, size_t panel0, size_t panel1) {
    tk512_gemm_q(a, panel0, panel1, TK_I8);
}

static void tk512_gemm_i4(const tk_qgemm *a, size_t panel0, size_t panel1) {
    tk512_gemm_q(a, panel0, panel1, TK_I4);
}

static void tk512_gemm_i4z(const tk_qgemm *a, size_t panel0, size_t panel1) {
    tk512_gemm_q(a, panel0, panel1, TK_I4Z);
}

const tk_kernels tk_kernels_avx512vnni = {
    .name = "avx512vnni",
    .gemm_i8 = tk512_gemm_i8,
    .gemm_i4 = tk512_gemm_i4,
    .gemm_i4z = tk512_gemm_i4z,
    TK_ROWS_MEMBERS,
};

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif
