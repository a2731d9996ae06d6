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
#include "tk_gemm512_wide.h"

// How far ahead of the weights in use to prefetch: single panels come from memory, pairs from the
// second-level cache. Measured on Zen 5 with one thread.
#define TK_AHEAD(rows, panels) ((panels) == 2 ? 512 : (rows) <= 2 ? 4096 : 8192)

// Fetches the line that a block of R rows and N panels needs next. Fewer than eight rows are alone with the panel or the last
// to read it: what is fetched for them past the second-level cache comes 7-12 % faster from memory.
TK_INLINE void tk512_fetch(const uint8_t *line, const int R, const int N) {
    if (R < 8) {
        _mm_prefetch((const char *)line + TK_AHEAD(R, N), _MM_HINT_NTA);
    } else {
        _mm_prefetch((const char *)line + TK_AHEAD(R, N), _MM_HINT_T0);
    }
}

// dpbusd wants an unsigned first operand: an int8 weight enters as w + 128 (its top bit flipped), a nibble as
// stored, w + 8; the sums start at -128 or -8 times the activations' sum to undo it.
//
// Sums of R rows and N panels, dot[(row * N + panel) * S + s]: S sums for each output hide the latency of
// dpbusd where there are few outputs.

// 32 k, int8. The panels are `next` bytes apart.
TK_INLINE void tk512_part_i8(const uint8_t *w, size_t next, const int8_t *q, size_t ldq, const int R,
                             const int N, const int S, __m512i dot[]) {
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    TK_UNROLL
    for (int j = 0; j < 8; j++) {
        __m512i wv[2];
        TK_UNROLL
        for (int n = 0; n < N; n++) {
            const uint8_t *line = w + (size_t)n * next + j * 64;
            tk512_fetch(line, R, N);
            wv[n] = _mm512_xor_si512(_mm512_loadu_si512(line), flip);
        }
        TK_UNROLL
        for (int r = 0; r < R; r++) {
            const __m512i qv = _mm512_set1_epi32(tk_load32(q + (size_t)r * ldq + j * 4));
            TK_UNROLL
            for (int n = 0; n < N; n++) {
                const int at = (r * N + n) * S + j % S;
                dot[at] = _mm512_dpbusd_epi32(dot[at], wv[n], qv);
            }
        }
    }
}

// 32 k, int4.
TK_INLINE void tk512_part_i4(const uint8_t *w, size_t next, const int8_t *q, size_t ldq, const int R,
                             const int N, const int S, __m512i dot[]) {
    const __m512i nibble = _mm512_set1_epi8(15);
    TK_UNROLL
    for (int j = 0; j < 4; j++) {
        __m512i low[2], high[2];
        TK_UNROLL
        for (int n = 0; n < N; n++) {
            const uint8_t *line = w + (size_t)n * next + j * 64;
            tk512_fetch(line, R, N);
            const __m512i both = _mm512_loadu_si512(line);
            low[n] = _mm512_and_si512(both, nibble);
            high[n] = _mm512_and_si512(_mm512_srli_epi16(both, 4), nibble);
        }
        TK_UNROLL
        for (int r = 0; r < R; r++) {
            const int8_t *qr = q + (size_t)r * ldq + j * 8;
            const __m512i q0 = _mm512_set1_epi32(tk_load32(qr)), q1 = _mm512_set1_epi32(tk_load32(qr + 4));
            TK_UNROLL
            for (int n = 0; n < N; n++) {
                const int at = (r * N + n) * S + j % S, at2 = (r * N + n) * S + (j + S / 2) % S;
                dot[at] = _mm512_dpbusd_epi32(dot[at], low[n], q0);
                dot[at2] = _mm512_dpbusd_epi32(dot[at2], high[n], q1);
            }
        }
    }
}

// The offsets of i4z panels in a pass of their own, for blocks whose other sums leave no registers free.
TK_INLINE void tk512_offsets(const tk_qgemm *a, size_t panel, size_t row, const int R, const int N,
                             __m512 acc[]) {
    const size_t groups = a->kp / a->ga, per_code = a->gw / a->ga;
    const uint8_t *scales = tk_panel_scales(a, panel, TK_I4Z);
    const size_t next = (size_t)(tk_panel_scales(a, panel + 1, TK_I4Z) - scales);
    const uint8_t *codes = scales + TK_I4Z_FACTORS + 16;
    __m512 b[16], offset[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    float shifts[8][16];
    TK_UNROLL
    for (int i = 0; i < R * N; i++) b[i] = _mm512_setzero_ps();
    size_t until_code = 0;
    for (size_t g = 0; g < groups; g++) {
        if (g % 16 == 0) tk512_shifts(a, row, g, R, shifts);
        if (until_code == 0) {
            TK_UNROLL
            for (int n = 0; n < N; n++) {
                offset[n] = tk512_signed_codes(codes + (size_t)n * next);
            }
            codes += 32;
            until_code = per_code;
        }
        until_code--;
        TK_UNROLL
        for (int i = 0; i < R * N; i++) {
            b[i] = _mm512_fmadd_ps(offset[i % N], _mm512_set1_ps(shifts[i / N][g % 16]), b[i]);
        }
    }
    TK_UNROLL
    for (int i = 0; i < R * N; i++) acc[i] = tk512_add_offset(acc[i], b[i], scales + (size_t)(i % N) * next);
}

// N panels times R rows, R * N <= 16.
TK_INLINE void tk512_gemm_q_block(const tk_qgemm *a, size_t panel, size_t row, const int R, const int N,
                                  const int kind) {
    const int S = R * N == 1 ? 4 : R * N <= 3 ? 2 : 1;
    const size_t groups = a->kp / a->ga, per_scale = a->gw / a->ga, parts = a->ga / 32;
    const size_t next = tk_panel_bytes(a, kind);
    const uint8_t *w = (const uint8_t *)a->w + panel * next;
    const uint8_t *scales = tk_panel_scales(a, panel, kind);
    const size_t next_scales = (size_t)(tk_panel_scales(a, panel + 1, kind) - scales);
    const uint8_t *ws = scales + (kind == TK_I4Z ? TK_I4Z_FACTORS : 0);
    const int8_t *q = a->q + row * a->ldq;
    const float *as = a->scales + row * a->lds;
    const int32_t *sums = a->sums + row * a->lds;

    __m512 acc[16], wscale[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    TK_UNROLL
    for (int i = 0; i < R * N; i++) acc[i] = _mm512_setzero_ps();
    // Offsets on the way, where the registers suffice for their sums too.
    const int with_offsets = kind == TK_I4Z && R * N <= 8;
    __m512 b[8], offset[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    float shifts[8][16];
    TK_UNROLL
    for (int i = 0; i < 8; i++) b[i] = _mm512_setzero_ps();
    size_t until_scale = 0;
    for (size_t g = 0; g < groups; g++) {
        if (with_offsets && g % 16 == 0) tk512_shifts(a, row, g, R, shifts);
        __m512i dot[16];
        TK_UNROLL
        for (int r = 0; r < R; r++) {
            const int32_t sum = sums[(size_t)r * a->lds + g];
            const __m512i bias = _mm512_set1_epi32(sum * (kind == TK_I8 ? -128 : -8));
            TK_UNROLL
            for (int i = 0; i < N * S; i++) dot[r * N * S + i] = i % S == 0 ? bias : _mm512_setzero_si512();
        }
        for (size_t part = 0; part < parts; part++) {
            if (kind == TK_I8) {
                tk512_part_i8(w, next, q, a->ldq, R, N, S, dot);
                w += 512;
            } else {
                tk512_part_i4(w, next, q, a->ldq, R, N, S, dot);
                w += 256;
            }
            q += 32;
        }
        if (until_scale == 0) {
            TK_UNROLL
            for (int n = 0; n < N; n++) {
                const uint8_t *codes = ws + (size_t)n * next_scales;
                wscale[n] = tk512_scales(codes, kind);
                if (with_offsets) offset[n] = tk512_signed_codes(codes + 16);
            }
            ws += 32;
            until_scale = per_scale;
        }
        until_scale--;
        TK_UNROLL
        for (int r = 0; r < R; r++) {
            const __m512 scale = _mm512_set1_ps(as[(size_t)r * a->lds + g]);
            TK_UNROLL
            for (int n = 0; n < N; n++) {
                const int i = r * N + n;
                __m512i total = dot[i * S];
                TK_UNROLL
                for (int s = 1; s < S; s++) total = _mm512_add_epi32(total, dot[i * S + s]);
                acc[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(total), _mm512_mul_ps(wscale[n], scale), acc[i]);
                if (with_offsets) b[i] = _mm512_fmadd_ps(offset[n], _mm512_set1_ps(shifts[r][g % 16]), b[i]);
            }
        }
    }
    if (kind == TK_I4Z && !with_offsets) tk512_offsets(a, panel, row, R, N, acc);
    TK_UNROLL
    for (int i = 0; i < R * N; i++) {
        if (with_offsets) acc[i] = tk512_add_offset(acc[i], b[i], scales + (size_t)(i % N) * next_scales);
        _mm512_storeu_ps(a->y + (row + (size_t)(i / N)) * a->ldy + (panel + (size_t)(i % N)) * 16, acc[i]);
    }
}

// One panel times 1 ... 8 rows.
TK_INLINE void tk512_gemm_q_rows(const tk_qgemm *a, size_t panel, size_t row, size_t rows, const int kind) {
    switch (rows) {
    case 1: tk512_gemm_q_block(a, panel, row, 1, 1, kind); break;
    case 2: tk512_gemm_q_block(a, panel, row, 2, 1, kind); break;
    case 3: tk512_gemm_q_block(a, panel, row, 3, 1, kind); break;
    case 4: tk512_gemm_q_block(a, panel, row, 4, 1, kind); break;
    case 5: tk512_gemm_q_block(a, panel, row, 5, 1, kind); break;
    case 6: tk512_gemm_q_block(a, panel, row, 6, 1, kind); break;
    case 7: tk512_gemm_q_block(a, panel, row, 7, 1, kind); break;
    default: tk512_gemm_q_block(a, panel, row, 8, 1, kind); break;
    }
}

TK_INLINE void tk512_gemm_q(const tk_qgemm *a, size_t panel0, size_t panel1, const int kind) {
    // Enough panels, in pairs, to stay in the second-level cache while all row blocks pass over them. The
    // first block reads them from memory, in one stream; full ones after it two at a time, which share their
    // loads of activations. Not int4 without offsets: for its pairs the C library has no room left.
    const size_t chunk = (tk_chunk_panels(tk_panel_bytes(a, kind)) + 1) / 2 * 2;
    for (size_t first = panel0; first < panel1; first += chunk) {
        const size_t last = tk_min(first + chunk, panel1);
        for (size_t row = 0, step; row < a->rows; row += step) {
            size_t p = first;
            step = tk_min(a->rows - row, 8);
            if (row > 0 && step == 8 && kind != TK_I4) {
                for (; p + 2 <= last; p += 2) tk512_gemm_q_block(a, p, row, 8, 2, kind);
            }
            for (; p < last; p++) tk512_gemm_q_rows(a, p, row, step, kind);
        }
    }
}

void tk_avx512vnni_interleave(const tk_qgemm *a, void *out) {
    if (tk_interleaved_bytes(a->rows, a->kp, a->ga) > 0) tk512_interleave(a, out);
}

void tk_avx512vnni_gemm_i8(const tk_qgemm *a, size_t panel0, size_t panel1) {
    // The blocks of verification. Reading int8 takes as long as 16 rows of products; int4 is bound by these.
    if (a->interleaved && tk_interleaved_bytes(a->rows, a->kp, a->ga) > 0) {
        tk512_wide(a, panel0, panel1);
    } else {
        tk512_gemm_q(a, panel0, panel1, TK_I8);
    }
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
