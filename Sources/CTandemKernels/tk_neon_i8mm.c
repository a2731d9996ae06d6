// SPDX-License-Identifier: Apache-2.0
//
// The quantised matrix products with the 8-bit matrix instructions of ARMv8.6 (Neoverse V1, N2 and later,
// Cortex-A710 and later, Apple M2 and later): one smmla multiplies two rows of 8 k by two outputs of 8 k. The
// rest of the table is the baseline's, see tk_neon.c; single rows take tk_neon_dotprod.c, which wastes no
// half of a result.
//
// Two K4 groups of a panel, zipped by words, are pairs of outputs with 8 k each: 128 bytes for 16 outputs.
// Where more than one block of rows passes over a panel, its weights are zipped once, TK_I8MM_DEPTH k at a
// time, and nibbles unpacked with them; partial results then wait in y.

#include "tk_internal.h"

#if TK_ARM64

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod,i8mm"))), apply_to = function)
#else
#pragma GCC target("arch=armv8.2-a+dotprod+i8mm")
#endif

#include "tk_neon_scales.h"

#define TK_I8MM_ROWS 4    // rows of a block: two pairs by eight pairs of outputs are 16 registers
#define TK_I8MM_DEPTH 512 // k that are zipped at a time, 8 KiB; a multiple of every activation group

// 8 k of four outputs, from the panel: two registers of two outputs.
TK_INLINE void tk_i8mm_zip(const uint8_t *w, const int kind, int8x16_t out[2]) {
    int8x16_t first, second;
    if (kind == TK_I8) {
        first = vreinterpretq_s8_u8(vld1q_u8(w));
        second = vreinterpretq_s8_u8(vld1q_u8(w + 64));
    } else {
        const uint8x16_t both = vld1q_u8(w);
        first = vsubq_s8(vreinterpretq_s8_u8(vandq_u8(both, vdupq_n_u8(15))), vdupq_n_s8(8));
        second = vsubq_s8(vreinterpretq_s8_u8(vshrq_n_u8(both, 4)), vdupq_n_s8(8));
    }
    const int32x4_t a = vreinterpretq_s32_s8(first), b = vreinterpretq_s32_s8(second);
    out[0] = vreinterpretq_s8_s32(vzip1q_s32(a, b));
    out[1] = vreinterpretq_s8_s32(vzip2q_s32(a, b));
}

// k0 ..< k0 + depth of one panel by R rows. `zipped` holds these weights, or is NULL: then they are zipped
// here. dot[8 * pair of rows + i] is that pair by the outputs 2 * i and 2 * i + 1; the last of an odd number
// of rows is its own partner.
TK_INLINE void tk_i8mm_block(const tk_qgemm *a, size_t panel, size_t row, const int R, size_t k0,
                             size_t depth, const int8_t *zipped, const int kind) {
    const int P = (R + 1) / 2;
    const size_t groups = a->kp / a->ga, first = k0 / a->ga, last = (k0 + depth) / a->ga;
    const size_t bytes = kind == TK_I8 ? 128 : 64; // of 8 k
    const uint8_t *w = (const uint8_t *)a->w + panel * tk_panel_bytes(a, kind) + k0 / 8 * bytes;
    const uint8_t *scales = tk_panel_scales(a, panel, kind);
    const uint8_t *ws = scales + (kind == TK_I4Z ? TK_I4Z_FACTORS : 0);
    const int8_t *q = a->q + row * a->ldq + k0;
    const float *as = a->scales + row * a->lds;
    float *y = a->y + row * a->ldy + panel * 16;

    float32x4_t acc[4 * TK_I8MM_ROWS];
    TK_UNROLL
    for (int i = 0; i < 4 * R; i++) {
        acc[i] = k0 == 0 ? vdupq_n_f32(0) : vld1q_f32(y + (size_t)(i / 4) * a->ldy + i % 4 * 4);
    }
    for (size_t g = first; g < last; g++) {
        int32x4_t dot[8 * TK_I8MM_ROWS / 2];
        TK_UNROLL
        for (int i = 0; i < 8 * P; i++) dot[i] = vdupq_n_s32(0);
        for (size_t k = 0; k < a->ga; k += 8, q += 8, w += bytes) {
            int8x16_t rows[TK_I8MM_ROWS / 2];
            TK_UNROLL
            for (int p = 0; p < P; p++) {
                const int8_t *even = q + (size_t)(2 * p) * a->ldq;
                const int8_t *odd = 2 * p + 1 < R ? even + a->ldq : even;
                rows[p] = vcombine_s8(vld1_s8(even), vld1_s8(odd));
            }
            if (zipped == NULL) {
                __builtin_prefetch(w + 2048);
                if (kind == TK_I8) __builtin_prefetch(w + 2112);
            }
            TK_UNROLL
            for (int i = 0; i < 4; i++) {
                int8x16_t pairs[2];
                if (zipped == NULL) {
                    tk_i8mm_zip(w + i * 16, kind, pairs);
                } else {
                    pairs[0] = vld1q_s8(zipped + i * 32);
                    pairs[1] = vld1q_s8(zipped + i * 32 + 16);
                }
                TK_UNROLL
                for (int p = 0; p < P; p++) {
                    dot[8 * p + 2 * i] = vmmlaq_s32(dot[8 * p + 2 * i], rows[p], pairs[0]);
                    dot[8 * p + 2 * i + 1] = vmmlaq_s32(dot[8 * p + 2 * i + 1], rows[p], pairs[1]);
                }
            }
            if (zipped != NULL) zipped += 128;
        }
        float32x4_t wscale[4];
        tk_neon_scales(ws + g * a->ga / a->gw * 32, kind, wscale);
        TK_UNROLL
        for (int r = 0; r < R; r++) {
            const float32x4_t scale = vdupq_n_f32(as[(size_t)r * a->lds + g]);
            TK_UNROLL
            for (int i = 0; i < 4; i++) {
                // Outputs 4 * i ... 4 * i + 3 of an even row are the lower halves, of an odd one the upper.
                const int64x2_t x = vreinterpretq_s64_s32(dot[8 * (r / 2) + 2 * i]);
                const int64x2_t z = vreinterpretq_s64_s32(dot[8 * (r / 2) + 2 * i + 1]);
                const int64x2_t both = r % 2 == 0 ? vzip1q_s64(x, z) : vzip2q_s64(x, z);
                const float32x4_t total = vcvtq_f32_s32(vreinterpretq_s32_s64(both));
                acc[4 * r + i] = vfmaq_f32(acc[4 * r + i], total, vmulq_f32(wscale[i], scale));
            }
        }
    }
    if (kind == TK_I4Z && last == groups) tk_neon_offsets(a, scales, row, R, acc);
    TK_UNROLL
    for (int i = 0; i < 4 * R; i++) vst1q_f32(y + (size_t)(i / 4) * a->ldy + i % 4 * 4, acc[i]);
}

TK_INLINE void tk_i8mm_rows(const tk_qgemm *a, size_t panel, size_t row, size_t rows, size_t k0, size_t depth,
                            const int8_t *zipped, const int kind) {
    switch (rows) {
    case 1: tk_i8mm_block(a, panel, row, 1, k0, depth, zipped, kind); break;
    case 2: tk_i8mm_block(a, panel, row, 2, k0, depth, zipped, kind); break;
    case 3: tk_i8mm_block(a, panel, row, 3, k0, depth, zipped, kind); break;
    default: tk_i8mm_block(a, panel, row, 4, k0, depth, zipped, kind); break;
    }
}

TK_INLINE void tk_i8mm_gemm(const tk_qgemm *a, size_t panel0, size_t panel1, const int kind) {
    const size_t bytes = kind == TK_I8 ? 128 : 64;
    int8_t zipped[TK_I8MM_DEPTH * 16];
    for (size_t panel = panel0; panel < panel1; panel++) {
        if (a->rows <= TK_I8MM_ROWS) {
            tk_i8mm_rows(a, panel, 0, a->rows, 0, a->kp, NULL, kind);
            continue;
        }
        for (size_t k0 = 0; k0 < a->kp; k0 += TK_I8MM_DEPTH) {
            const size_t depth = tk_min(TK_I8MM_DEPTH, a->kp - k0);
            const uint8_t *w = (const uint8_t *)a->w + panel * tk_panel_bytes(a, kind) + k0 / 8 * bytes;
            for (size_t i = 0; i < depth / 8; i++, w += bytes) {
                __builtin_prefetch(w + 4096);
                if (kind == TK_I8) __builtin_prefetch(w + 4160);
                TK_UNROLL
                for (int j = 0; j < 4; j++) {
                    int8x16_t pairs[2];
                    tk_i8mm_zip(w + j * 16, kind, pairs);
                    vst1q_s8(zipped + i * 128 + j * 32, pairs[0]);
                    vst1q_s8(zipped + i * 128 + j * 32 + 16, pairs[1]);
                }
            }
            for (size_t row = 0; row < a->rows; row += TK_I8MM_ROWS) {
                tk_i8mm_rows(a, panel, row, tk_min(TK_I8MM_ROWS, a->rows - row), k0, depth, zipped, kind);
            }
        }
    }
}

void tk_neon_i8mm_gemm_i8(const tk_qgemm *a, size_t panel0, size_t panel1) {
    if (a->rows == 1) {
        tk_neon_dotprod_gemm_i8(a, panel0, panel1);
    } else {
        tk_i8mm_gemm(a, panel0, panel1, TK_I8);
    }
}

void tk_neon_i8mm_gemm_i4(const tk_qgemm *a, size_t panel0, size_t panel1) {
    if (a->rows == 1) {
        tk_neon_dotprod_gemm_i4(a, panel0, panel1);
    } else {
        tk_i8mm_gemm(a, panel0, panel1, TK_I4);
    }
}

void tk_neon_i8mm_gemm_i4z(const tk_qgemm *a, size_t panel0, size_t panel1) {
    if (a->rows == 1) {
        tk_neon_dotprod_gemm_i4z(a, panel0, panel1);
    } else {
        tk_i8mm_gemm(a, panel0, panel1, TK_I4Z);
    }
}

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif
