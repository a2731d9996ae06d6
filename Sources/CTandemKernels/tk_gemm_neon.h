// SPDX-License-Identifier: Apache-2.0
//
// The frame of the quantised matrix products on AArch64: a panel is four registers wide. The including file
// defines, for R <= TK_GEMM_NEON_ROWS rows and dot[4 * row + quarter of the panel],
//
//   TK_GEMM_NEON_ROWS                        rows of a block that the 32 registers can hold
//   TK_GEMM_NEON_PART_I8(w, q, ldq, R, dot)  adds the products of 32 k
//   TK_GEMM_NEON_PART_I4(w, q, ldq, R, dot)  likewise, with nibbles taken as stored: value + 8
//   TK_GEMM_NEON_PAIRS                       1 where dot holds pairs of partial sums, eight registers a row:
//                                            register 2 * quarter + j holds outputs 4 * quarter + 2 * j (+ 1)

#if TK_GEMM_NEON_PAIRS
#define TK_GEMM_NEON_DOTS 8
#else
#define TK_GEMM_NEON_DOTS 4
#endif

#include "tk_neon_scales.h"

TK_INLINE void tk_gemm_neon_block(const tk_qgemm *a, size_t panel, size_t row, const int R,
                                  const int kind) {
    const size_t groups = a->kp / a->ga, per_scale = a->gw / a->ga, parts = a->ga / 32;
    const uint8_t *w = (const uint8_t *)a->w + panel * tk_panel_bytes(a, kind);
    const uint8_t *scales = tk_panel_scales(a, panel, kind);
    const uint8_t *ws = scales + (kind == TK_I4Z ? TK_I4Z_FACTORS : 0);
    const int8_t *q = a->q + row * a->ldq;
    const float *as = a->scales + row * a->lds;
    const int32_t *sums = a->sums + row * a->lds;

    float32x4_t acc[4 * TK_GEMM_NEON_ROWS], wscale[4];
    TK_UNROLL
    for (int i = 0; i < 4 * R; i++) acc[i] = vdupq_n_f32(0);
    TK_UNROLL
    for (int i = 0; i < 4; i++) wscale[i] = vdupq_n_f32(0);
    size_t until_scale = 0;
    for (size_t g = 0; g < groups; g++) {
        int32x4_t dot[TK_GEMM_NEON_DOTS * TK_GEMM_NEON_ROWS];
        TK_UNROLL
        for (int i = 0; i < TK_GEMM_NEON_DOTS * R; i++) dot[i] = vdupq_n_s32(0);
        for (size_t part = 0; part < parts; part++) {
            if (kind != TK_I8) {
                TK_GEMM_NEON_PART_I4(w, q, a->ldq, R, dot);
                w += 256;
            } else {
                TK_GEMM_NEON_PART_I8(w, q, a->ldq, R, dot);
                w += 512;
            }
            q += 32;
        }
        if (until_scale == 0) {
            tk_neon_scales(ws, kind, wscale);
            ws += 32;
            until_scale = per_scale;
        }
        until_scale--;
        TK_UNROLL
        for (int r = 0; r < R; r++) {
            const float32x4_t scale = vdupq_n_f32(as[(size_t)r * a->lds + g]);
            const int32x4_t bias = vdupq_n_s32(kind == TK_I8 ? 0 : 8 * sums[(size_t)r * a->lds + g]);
            TK_UNROLL
            for (int i = 0; i < 4; i++) {
#if TK_GEMM_NEON_PAIRS
                int32x4_t total = vpaddq_s32(dot[8 * r + 2 * i], dot[8 * r + 2 * i + 1]);
#else
                int32x4_t total = dot[4 * r + i];
#endif
                if (kind != TK_I8) total = vsubq_s32(total, bias);
                acc[4 * r + i] = vfmaq_f32(acc[4 * r + i], vcvtq_f32_s32(total), vmulq_f32(wscale[i], scale));
            }
        }
    }
    if (kind == TK_I4Z) tk_neon_offsets(a, scales, row, R, acc);
    TK_UNROLL
    for (int i = 0; i < 4 * R; i++) {
        vst1q_f32(a->y + (row + (size_t)(i / 4)) * a->ldy + panel * 16 + i % 4 * 4, acc[i]);
    }
}

TK_INLINE void tk_gemm_neon(const tk_qgemm *a, size_t panel0, size_t panel1, const int kind) {
    // Enough panels to stay in the second-level cache while all row blocks pass over them.
    const size_t chunk = tk_chunk_panels(tk_panel_bytes(a, kind));
    for (size_t first = panel0; first < panel1; first += chunk) {
        const size_t last = tk_min(first + chunk, panel1);
        for (size_t row = 0, step; row < a->rows; row += step) {
            step = tk_row_block(a->rows - row, TK_GEMM_NEON_ROWS);
            for (size_t p = first; p < last; p++) {
                switch (step) {
                case 1: tk_gemm_neon_block(a, p, row, 1, kind); break;
#if TK_GEMM_NEON_ROWS >= 4
                case 3: tk_gemm_neon_block(a, p, row, 3, kind); break;
                case 4: tk_gemm_neon_block(a, p, row, 4, kind); break;
#endif
                default: tk_gemm_neon_block(a, p, row, 2, kind); break;
                }
            }
        }
    }
}
