// SPDX-License-Identifier: Apache-2.0
//
// AVX-512 with VNNI (F, BW, VL, DQ, VNNI): one 64-byte weight load covers 16 outputs x 4 k, the 16 striped lanes of
// a reduction are one register.

#include "tk_internal.h"

#if TK_X86

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")
#endif

#define TK_PREFETCH_BYTES 2048
#define TK_NEAREST (_MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)

// The first n of 16 lanes.
TK_INLINE __mmask16 tk512_mask(size_t n) { return (__mmask16)(n >= 16 ? 0xffffu : (1u << n) - 1); }

TK_INLINE float tk512_tree(__m512 v) {
    const __m256 s8 = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
    const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_shuffle_ps(s2, s2, 1)));
}

// Lane i of the result is tk512_tree(v[i]).
TK_INLINE __m512 tk512_tree16(const __m512 v[16]) {
    __m512 a[8], b[4], c[2];
    TK_UNROLL for (int i = 0; i < 8; i++) {
        // Slot s holds vector (s % 4) * 4 + s / 4, so that the last shuffle leaves natural order.
        const __m512 x = v[(2 * i) % 4 * 4 + (2 * i) / 4], y = v[(2 * i + 1) % 4 * 4 + (2 * i + 1) / 4];
        a[i] = _mm512_add_ps(_mm512_shuffle_f32x4(x, y, 0x44), _mm512_shuffle_f32x4(x, y, 0xee));
    }
    TK_UNROLL for (int i = 0; i < 4; i++) {
        const __m512 x = a[2 * i], y = a[2 * i + 1];
        b[i] = _mm512_add_ps(_mm512_shuffle_f32x4(x, y, 0x88), _mm512_shuffle_f32x4(x, y, 0xdd));
    }
    TK_UNROLL for (int i = 0; i < 2; i++) {
        const __m512 x = b[2 * i], y = b[2 * i + 1];
        c[i] = _mm512_add_ps(_mm512_shuffle_ps(x, y, 0x44), _mm512_shuffle_ps(x, y, 0xee));
    }
    return _mm512_add_ps(_mm512_shuffle_ps(c[0], c[1], 0x88), _mm512_shuffle_ps(c[0], c[1], 0xdd));
}

// tk_expf_ref on 16 lanes.
TK_INLINE __m512 tk512_exp(__m512 x) {
    const __m512 magic = _mm512_set1_ps(TK_ROUND_MAGIC);
    const __m512 shifted = _mm512_fmadd_ps(x, _mm512_set1_ps(TK_EXP_LOG2E), magic);
    const __m512 n = _mm512_sub_ps(shifted, magic);
    const __m512 r = _mm512_fmadd_ps(n, _mm512_set1_ps(-TK_EXP_LN2_LO),
                                     _mm512_fmadd_ps(n, _mm512_set1_ps(-TK_EXP_LN2_HI), x));
    const __m512 one = _mm512_set1_ps(1.0f);
    __m512 p = _mm512_set1_ps(TK_EXP_C6);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(TK_EXP_C5));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(TK_EXP_C4));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(TK_EXP_C3));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(TK_EXP_C2));
    p = _mm512_fmadd_ps(p, r, one);
    p = _mm512_fmadd_ps(p, r, one);
    const __m512i exponent = _mm512_slli_epi32(_mm512_castps_si512(shifted), 23);
    __m512 y = _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(p), exponent));
    const __mmask16 low = _mm512_cmp_ps_mask(x, _mm512_set1_ps(TK_EXP_MIN), _CMP_LT_OQ);
    const __mmask16 high = _mm512_cmp_ps_mask(x, _mm512_set1_ps(TK_EXP_MAX), _CMP_GT_OQ);
    const __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);
    y = _mm512_mask_mov_ps(y, low, _mm512_setzero_ps());
    y = _mm512_mask_mov_ps(y, high, _mm512_set1_ps(__builtin_inff()));
    return _mm512_mask_mov_ps(y, nan, x);
}

// ---- Quantised matrix products ---------------------------------------------------------------------------------

// One panel times R <= 8 rows. dpbusd wants an unsigned first operand: an int8 weight enters as w + 128 (its top bit
// flipped), a nibble as stored, w + 8; the accumulators start at -128 or -8 times the activations' sum to undo it.
TK_INLINE void tk512_gemm_q_block(const tk_qgemm *a, size_t panel, size_t row, const int R, const int four_bit) {
    const int S = R == 1 ? 4 : R <= 3 ? 2 : 1;  // accumulators per row, to hide the latency of dpbusd
    const size_t groups = a->kp / a->ga, per_scale = a->gw / a->ga, parts = a->ga / 32;
    const uint8_t *w = (const uint8_t *)a->w + panel * a->kp * (four_bit ? 8 : 16);
    const uint16_t *ws = a->wscales + panel * (a->kp / a->gw) * 16;
    const int8_t *q = a->q + row * a->ldq;
    const float *as = a->scales + row * a->lds;
    const int32_t *sums = a->sums + row * a->lds;
    const __m512i flip = _mm512_set1_epi8((char)0x80), nibble = _mm512_set1_epi8(15);

    __m512 acc[8], wscale = _mm512_setzero_ps();
    TK_UNROLL for (int r = 0; r < R; r++) acc[r] = _mm512_setzero_ps();
    size_t until_scale = 0;
    for (size_t g = 0; g < groups; g++) {
        __m512i dot[8];
        TK_UNROLL for (int i = 0; i < R * S; i++) {
            dot[i] = i % S != 0 ? _mm512_setzero_si512()
                                : _mm512_set1_epi32(sums[(size_t)(i / S) * a->lds + g] * (four_bit ? -8 : -128));
        }
        for (size_t part = 0; part < parts; part++) {
            if (four_bit) {
                TK_UNROLL for (int j = 0; j < 4; j++) {
                    const __m512i both = _mm512_loadu_si512(w + j * 64);
                    if (R <= 2) _mm_prefetch((const char *)w + j * 64 + TK_PREFETCH_BYTES, _MM_HINT_T0);
                    const __m512i low = _mm512_and_si512(both, nibble);
                    const __m512i high = _mm512_and_si512(_mm512_srli_epi16(both, 4), nibble);
                    TK_UNROLL for (int r = 0; r < R; r++) {
                        const int8_t *qr = q + (size_t)r * a->ldq + j * 8;
                        const int at = r * S + j % S, at2 = r * S + (j + S / 2) % S;
                        dot[at] = _mm512_dpbusd_epi32(dot[at], low, _mm512_set1_epi32(tk_load32(qr)));
                        dot[at2] = _mm512_dpbusd_epi32(dot[at2], high, _mm512_set1_epi32(tk_load32(qr + 4)));
                    }
                }
                w += 256;
            } else {
                TK_UNROLL for (int j = 0; j < 8; j++) {
                    const __m512i wv = _mm512_xor_si512(_mm512_loadu_si512(w + j * 64), flip);
                    if (R <= 2) _mm_prefetch((const char *)w + j * 64 + TK_PREFETCH_BYTES, _MM_HINT_T0);
                    TK_UNROLL for (int r = 0; r < R; r++) {
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
            wscale = _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)ws));
            ws += 16;
            until_scale = per_scale;
        }
        until_scale--;
        TK_UNROLL for (int r = 0; r < R; r++) {
            __m512i total = dot[r * S];
            TK_UNROLL for (int i = 1; i < S; i++) total = _mm512_add_epi32(total, dot[r * S + i]);
            const __m512 scale = _mm512_mul_ps(wscale, _mm512_set1_ps(as[(size_t)r * a->lds + g]));
            acc[r] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(total), scale, acc[r]);
        }
    }
    TK_UNROLL for (int r = 0; r < R; r++) _mm512_storeu_ps(a->y + (row + (size_t)r) * a->ldy + panel * 16, acc[r]);
}

TK_INLINE void tk512_gemm_q(const tk_qgemm *a, size_t panel0, size_t panel1, const int four_bit) {
    // Enough panels to stay in the second-level cache while all row blocks pass over them.
    const size_t chunk = tk_chunk_panels(a->kp * (four_bit ? 8 : 16));
    for (size_t first = panel0; first < panel1; first += chunk) {
        const size_t last = tk_min(first + chunk, panel1);
        for (size_t row = 0, step; row < a->rows; row += step) {
            step = tk_row_block(a->rows - row, 8);
            for (size_t p = first; p < last; p++) {
                switch (step) {
                case 1: tk512_gemm_q_block(a, p, row, 1, four_bit); break;
                case 2: tk512_gemm_q_block(a, p, row, 2, four_bit); break;
                case 3: tk512_gemm_q_block(a, p, row, 3, four_bit); break;
                case 4: tk512_gemm_q_block(a, p, row, 4, four_bit); break;
                case 5: tk512_gemm_q_block(a, p, row, 5, four_bit); break;
                case 6: tk512_gemm_q_block(a, p, row, 6, four_bit); break;
                case 7: tk512_gemm_q_block(a, p, row, 7, four_bit); break;
                default: tk512_gemm_q_block(a, p, row, 8, four_bit); break;
                }
            }
        }
    }
}

static void tk512_gemm_i8(const tk_qgemm *a, size_t panel0, size_t panel1) { tk512_gemm_q(a, panel0, panel1, 0); }

static void tk512_gemm_i4(const tk_qgemm *a, size_t panel0, size_t panel1) { tk512_gemm_q(a, panel0, panel1, 1); }

// ---- Float matrix product --------------------------------------------------------------------------------------

TK_INLINE void tk512_gemm_f32_block(const tk_fgemm *a, size_t panel, size_t row, const int R, const int P) {
    const float *w = a->w + panel * a->k * 16;
    const float *x = a->x + row * a->ldx;
    __m512 acc[16];
    TK_UNROLL for (int i = 0; i < R * P; i++) acc[i] = _mm512_setzero_ps();
    for (size_t k = 0; k < a->k; k++) {
        TK_UNROLL for (int p = 0; p < P; p++) {
            const __m512 wv = _mm512_loadu_ps(w + (size_t)p * a->k * 16 + k * 16);
            TK_UNROLL for (int r = 0; r < R; r++) {
                acc[r * P + p] = _mm512_fmadd_ps(_mm512_set1_ps(x[(size_t)r * a->ldx + k]), wv, acc[r * P + p]);
            }
        }
    }
    TK_UNROLL for (int i = 0; i < R * P; i++) {
        _mm512_storeu_ps(a->y + (row + (size_t)(i / P)) * a->ldy + (panel + (size_t)(i % P)) * 16, acc[i]);
    }
}

static void tk512_gemm_f32(const tk_fgemm *a, size_t panel0, size_t panel1) {
    for (size_t panel = panel0, width; panel < panel1; panel += width) {
        width = panel1 - panel >= 4 ? 4 : 1;
        for (size_t row = 0, step; row < a->rows; row += step) {
            step = a->rows - row >= 4 ? 4 : 1;
            if (width == 4) {
                if (step == 4) {
                    tk512_gemm_f32_block(a, panel, row, 4, 4);
                } else {
                    tk512_gemm_f32_block(a, panel, row, 1, 4);
                }
            } else if (step == 4) {
                tk512_gemm_f32_block(a, panel, row, 4, 1);
            } else {
                tk512_gemm_f32_block(a, panel, row, 1, 1);
            }
        }
    }
}

// ---- Element-wise and row-wise ---------------------------------------------------------------------------------

static void tk512_quantize(const float *x, size_t ldx, size_t rows, size_t k, size_t kp, size_t ga, int8_t *q,
                           size_t ldq, float *scales, int32_t *sums, size_t lds) {
    const __m512 limit = _mm512_set1_ps(127.0f), floor = _mm512_set1_ps(-127.0f);
    for (size_t row = 0; row < rows; row++) {
        for (size_t g = 0; g < kp / ga; g++) {
            const size_t first = g * ga, valid = first < k ? tk_min(ga, k - first) : 0;
            const float *in = x + row * ldx + first;
            int8_t *out = q + row * ldq + first;
            __m512 peak = _mm512_setzero_ps();
            for (size_t i = 0; i < valid; i += 16) {
                // The second operand wins when one is NaN.
                peak = _mm512_max_ps(_mm512_abs_ps(_mm512_maskz_loadu_ps(tk512_mask(valid - i), in + i)), peak);
            }
            const float amax = _mm512_reduce_max_ps(peak);
            const __m512 inverse = _mm512_set1_ps(amax > 0 ? 127.0f / amax : 0.0f);
            __m512i sum = _mm512_setzero_si512();
            for (size_t i = 0; i < ga; i += 16) {
                const __mmask16 mask = i < valid ? tk512_mask(valid - i) : 0;
                __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, in + i), inverse);
                v = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(v, v, _CMP_ORD_Q), v);
                v = _mm512_max_ps(_mm512_min_ps(v, limit), floor);
                const __m512i rounded = _mm512_maskz_cvt_roundps_epi32(mask, v, TK_NEAREST);
                sum = _mm512_add_epi32(sum, rounded);
                _mm_storeu_si128((__m128i *)(out + i), _mm512_cvtepi32_epi8(rounded));
            }
            scales[row * lds + g] = amax / 127.0f;
            sums[row * lds + g] = _mm512_reduce_add_epi32(sum);
        }
    }
}

static void tk512_rmsnorm(const float *x, const float *w, float eps, size_t n, float *y) {
    __m512 squares = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i += 16) {
        const __m512 v = _mm512_maskz_loadu_ps(tk512_mask(n - i), x + i);
        squares = _mm512_fmadd_ps(v, v, squares);
    }
    const float mean = tk512_tree(squares) / (float)n;
    const __m512 r = _mm512_set1_ps(1.0f / _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(mean + eps))));
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 mask = tk512_mask(n - i);
        const __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), r);
        _mm512_mask_storeu_ps(y + i, mask, _mm512_mul_ps(v, _mm512_maskz_loadu_ps(mask, w + i)));
    }
}

static void tk512_rope(float *x, size_t heads, size_t ld, size_t half, const float *cos_sin) {
    for (size_t i = 0; i < half; i += 16) {
        const __mmask16 mask = tk512_mask(half - i);
        const __m512 c = _mm512_maskz_loadu_ps(mask, cos_sin + i);
        const __m512 s = _mm512_maskz_loadu_ps(mask, cos_sin + half + i);
        for (size_t head = 0; head < heads; head++) {
            float *at = x + head * ld + i;
            const __m512 a = _mm512_maskz_loadu_ps(mask, at), b = _mm512_maskz_loadu_ps(mask, at + half);
            _mm512_mask_storeu_ps(at, mask, _mm512_fmsub_ps(a, c, _mm512_mul_ps(b, s)));
            _mm512_mask_storeu_ps(at + half, mask, _mm512_fmadd_ps(b, c, _mm512_mul_ps(a, s)));
        }
    }
}

static void tk512_swiglu(const float *gate, const float *up, size_t n, float *y) {
    const __m512 one = _mm512_set1_ps(1.0f), sign = _mm512_set1_ps(-0.0f);
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 mask = tk512_mask(n - i);
        const __m512 g = _mm512_maskz_loadu_ps(mask, gate + i);
        const __m512 e = tk512_exp(_mm512_xor_ps(g, sign));
        const __m512 silu = _mm512_div_ps(g, _mm512_add_ps(one, e));
        _mm512_mask_storeu_ps(y + i, mask, _mm512_mul_ps(silu, _mm512_maskz_loadu_ps(mask, up + i)));
    }
}

static void tk512_add(float *x, const float *y, size_t n) {
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 mask = tk512_mask(n - i);
        const __m512 sum = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, x + i), _mm512_maskz_loadu_ps(mask, y + i));
        _mm512_mask_storeu_ps(x + i, mask, sum);
    }
}

TK_INLINE float tk512_max(const float *x, size_t n) {
    const __m512 low = _mm512_set1_ps(-__builtin_inff());
    __m512 m0 = low, m1 = low;
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        m0 = _mm512_max_ps(_mm512_loadu_ps(x + i), m0);
        m1 = _mm512_max_ps(_mm512_loadu_ps(x + i + 16), m1);
    }
    for (; i < n; i += 16) m0 = _mm512_max_ps(_mm512_mask_loadu_ps(low, tk512_mask(n - i), x + i), m0);
    return _mm512_reduce_max_ps(_mm512_max_ps(m0, m1));
}

// x = exp((x - max) * factor), returns the striped sum.
TK_INLINE float tk512_exp_sum(float *x, size_t n, float max, float factor) {
    const __m512 m = _mm512_set1_ps(max), f = _mm512_set1_ps(factor);
    __m512 sum = _mm512_setzero_ps();
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 mask = tk512_mask(n - i);
        const __m512 v = _mm512_mul_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, x + i), m), f);
        const __m512 e = tk512_exp(v);
        sum = _mm512_mask_add_ps(sum, mask, sum, e);
        _mm512_mask_storeu_ps(x + i, mask, e);
    }
    return tk512_tree(sum);
}

static void tk512_softmax(float *x, size_t n, float inv_temperature) {
    const float sum = tk512_exp_sum(x, n, tk512_max(x, n), inv_temperature);
    const __m512 inverse = _mm512_set1_ps(1.0f / sum);
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 mask = tk512_mask(n - i);
        _mm512_mask_storeu_ps(x + i, mask, _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), inverse));
    }
}

static size_t tk512_argmax(const float *x, size_t n) {
    const __m512 max = _mm512_set1_ps(tk512_max(x, n));
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 mask = tk512_mask(n - i);
        const __mmask16 hit = _mm512_mask_cmp_ps_mask(mask, _mm512_maskz_loadu_ps(mask, x + i), max, _CMP_EQ_OQ);
        if (hit != 0) return i + (size_t)__builtin_ctz(hit);
    }
    return 0;
}

// ---- Attention -------------------------------------------------------------------------------------------------

TK_INLINE __m512 tk512_kv(const void *base, size_t index, const int half_floats) {
    if (half_floats) {
        return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)((const uint16_t *)base + index)));
    }
    return _mm512_loadu_ps((const float *)base + index);
}

// Scores of H heads, 16 / H positions at a time, so that one load of a key serves all H heads.
TK_INLINE void tk512_scores(const tk_attention *a, size_t head, const int H, const int half_floats) {
    const int T = 16 / H;
    const size_t count = a->end - a->begin, padded = (count + 15) / 16 * 16;
    float *scores = a->scores + head * padded;
    const float *q = a->q + head * a->ldq;
    for (size_t t0 = 0; t0 < count; t0 += (size_t)T) {
        size_t at[16];
        // Past the end the last key is read again; those scores are never used.
        TK_UNROLL for (int t = 0; t < T; t++) {
            at[t] = (a->begin + tk_min(t0 + (size_t)t, count - 1)) * a->stride;
        }
        __m512 acc[16];
        TK_UNROLL for (int i = 0; i < 16; i++) acc[i] = _mm512_setzero_ps();
        for (size_t c = 0; c < a->stride; c += 16) {
            __m512 qv[4];
            const __mmask16 mask = c < a->hd ? tk512_mask(a->hd - c) : 0;
            TK_UNROLL for (int h = 0; h < H; h++) qv[h] = _mm512_maskz_loadu_ps(mask, q + (size_t)h * a->ldq + c);
            TK_UNROLL for (int t = 0; t < T; t++) {
                const __m512 kv = tk512_kv(a->k, at[t] + c, half_floats);
                TK_UNROLL for (int h = 0; h < H; h++) {
                    acc[h * T + t] = _mm512_fmadd_ps(qv[h], kv, acc[h * T + t]);
                }
            }
        }
        const __m512 s = _mm512_mul_ps(_mm512_set1_ps(a->scale), tk512_tree16(acc));
        if (H == 1) {
            _mm512_storeu_ps(scores + t0, s);
        } else if (H == 2) {
            _mm256_storeu_ps(scores + t0, _mm512_castps512_ps256(s));
            _mm256_storeu_ps(scores + padded + t0, _mm512_extractf32x8_ps(s, 1));
        } else {
            _mm_storeu_ps(scores + t0, _mm512_castps512_ps128(s));
            _mm_storeu_ps(scores + padded + t0, _mm512_extractf32x4_ps(s, 1));
            _mm_storeu_ps(scores + 2 * padded + t0, _mm512_extractf32x4_ps(s, 2));
            _mm_storeu_ps(scores + 3 * padded + t0, _mm512_extractf32x4_ps(s, 3));
        }
    }
}

// C vectors of the output, from `column`, of H heads.
TK_INLINE void tk512_values_block(const tk_attention *a, size_t head, size_t column, const float *inverse, const int H,
                                  const int C, const int half_floats) {
    const size_t count = a->end - a->begin, padded = (count + 15) / 16 * 16;
    const float *p = a->scores + head * padded;
    __m512 acc[16];
    TK_UNROLL for (int i = 0; i < H * C; i++) acc[i] = _mm512_setzero_ps();
    for (size_t t = 0; t < count; t++) {
        __m512 v[4];
        const size_t at = (a->begin + t) * a->stride + column;
        TK_UNROLL for (int c = 0; c < C; c++) v[c] = tk512_kv(a->v, at + (size_t)c * 16, half_floats);
        TK_UNROLL for (int h = 0; h < H; h++) {
            const __m512 weight = _mm512_set1_ps(p[(size_t)h * padded + t]);
            TK_UNROLL for (int c = 0; c < C; c++) acc[h * C + c] = _mm512_fmadd_ps(weight, v[c], acc[h * C + c]);
        }
    }
    TK_UNROLL for (int i = 0; i < H * C; i++) {
        const size_t at = column + (size_t)(i % C) * 16;
        const __mmask16 mask = at < a->hd ? tk512_mask(a->hd - at) : 0;
        const __m512 scaled = _mm512_mul_ps(acc[i], _mm512_set1_ps(inverse[i / C]));
        _mm512_mask_storeu_ps(a->out + (head + (size_t)(i / C)) * a->ldo + at, mask, scaled);
    }
}

TK_INLINE void tk512_attend(const tk_attention *a, size_t head, const int H, const int half_floats) {
    const size_t count = a->end - a->begin, padded = (count + 15) / 16 * 16;
    tk512_scores(a, head, H, half_floats);
    float inverse[4];
    for (int h = 0; h < H; h++) {
        float *p = a->scores + (head + (size_t)h) * padded;
        inverse[h] = 1.0f / tk512_exp_sum(p, count, tk512_max(p, count), 1.0f);
    }
    size_t column = 0;
    for (; column + 64 <= a->stride; column += 64) tk512_values_block(a, head, column, inverse, H, 4, half_floats);
    for (; column + 32 <= a->stride; column += 32) tk512_values_block(a, head, column, inverse, H, 2, half_floats);
    for (; column < a->stride; column += 16) tk512_values_block(a, head, column, inverse, H, 1, half_floats);
}

TK_INLINE void tk512_attention_of(const tk_attention *a, const int half_floats) {
    size_t head = 0;
    for (; head + 4 <= a->heads; head += 4) tk512_attend(a, head, 4, half_floats);
    for (; head + 2 <= a->heads; head += 2) tk512_attend(a, head, 2, half_floats);
    for (; head < a->heads; head++) tk512_attend(a, head, 1, half_floats);
}

static void tk512_attention(const tk_attention *a) {
    if (a->type == TK_KV_F16) {
        tk512_attention_of(a, 1);
    } else {
        tk512_attention_of(a, 0);
    }
}

// ---- Conversions -----------------------------------------------------------------------------------------------

static void tk512_f32_from_f16(const uint16_t *x, size_t n, float *y) {
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 mask = tk512_mask(n - i);
        _mm512_mask_storeu_ps(y + i, mask, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, x + i)));
    }
}

static void tk512_f16_from_f32(const float *x, size_t n, uint16_t *y) {
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 mask = tk512_mask(n - i);
        const __m512 v = _mm512_maskz_loadu_ps(mask, x + i);
        _mm256_mask_storeu_epi16(y + i, mask, _mm512_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
    }
}

static void tk512_f32_from_bf16(const uint16_t *x, size_t n, float *y) {
    for (size_t i = 0; i < n; i += 16) {
        const __mmask16 mask = tk512_mask(n - i);
        const __m512i bits = _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(mask, x + i)), 16);
        _mm512_mask_storeu_epi32(y + i, mask, bits);
    }
}

const tk_kernels tk_kernels_avx512vnni = {
    .name = "avx512vnni",
    .gemm_i8 = tk512_gemm_i8,
    .gemm_i4 = tk512_gemm_i4,
    .gemm_f32 = tk512_gemm_f32,
    .quantize = tk512_quantize,
    .rmsnorm = tk512_rmsnorm,
    .rope = tk512_rope,
    .swiglu = tk512_swiglu,
    .add = tk512_add,
    .attention = tk512_attention,
    .softmax = tk512_softmax,
    .argmax = tk512_argmax,
    .f32_from_f16 = tk512_f32_from_f16,
    .f16_from_f32 = tk512_f16_from_f32,
    .f32_from_bf16 = tk512_f32_from_bf16,
};

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif
