// SPDX-License-Identifier: Apache-2.0
//
// The quantised matrix products with AVX-512 VNNI: one 64-byte weight load covers 16 outputs x 4 k. The rest
// of the table is in tk_avx512vnni.c.

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

#include "tk_gemm512.h"

// How far ahead of the weights in use to prefetch; measured on Zen 5 with one thread.
#define TK_PREFETCH_BYTES(rows) ((rows) <= 2 ? 4096 : 8192)

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
            wscale = tk512_scales(ws, kind);
            if (kind == TK_I4Z) {
                const __m128i codes = _mm_loadu_si128((const __m128i *)(ws + 16));
                offset = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(codes));
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

void tk_avx512vnni_gemm_i8(const tk_qgemm *a, size_t panel0, size_t panel1) {
    tk512_gemm_q(a, panel0, panel1, TK_I8);
}

void tk_avx512vnni_gemm_i4(const tk_qgemm *a, size_t panel0, size_t panel1) {
    tk512_gemm_q(a, panel0, panel1, TK_I4);
}

void tk_avx512vnni_gemm_i4z(const tk_qgemm *a, size_t panel0, size_t panel1) {
    tk512_gemm_q(a, panel0, panel1, TK_I4Z);
}

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif
