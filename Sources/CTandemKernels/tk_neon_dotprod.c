// SPDX-License-Identifier: Apache-2.0
//
// The quantised matrix products with the dot-product instructions of ARMv8.2 (Cortex-A76 and later, so the
// Raspberry Pi 5; Neoverse; Apple). The rest of the table is the baseline's, see tk_neon.c.

#include "tk_internal.h"

#if TK_ARM64

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif

#include "tk_neon_lanes.h"

// One weight register holds four outputs times four k; a quarter of a query register is the four activations.
#define TK_NEON_SDOT(dot, w, q, lane) (dot) = vdotq_laneq_s32(dot, w, q, lane)

TK_INLINE void tk_neon_dotprod_step(const uint8_t *w, const int8x16_t q[], const int lane, const int R,
                                    int32x4_t dot[]) {
    TK_UNROLL
    for (int i = 0; i < 4; i++) {
        const int8x16_t wv = vreinterpretq_s8_u8(vld1q_u8(w + i * 16));
        TK_UNROLL
        for (int r = 0; r < R; r++) {
            switch (lane) {
            case 0: TK_NEON_SDOT(dot[4 * r + i], wv, q[r], 0); break;
            case 1: TK_NEON_SDOT(dot[4 * r + i], wv, q[r], 1); break;
            case 2: TK_NEON_SDOT(dot[4 * r + i], wv, q[r], 2); break;
            default: TK_NEON_SDOT(dot[4 * r + i], wv, q[r], 3); break;
            }
        }
    }
}

// Two K4 steps, packed as nibbles.
TK_INLINE void tk_neon_dotprod_step2(const uint8_t *w, const int8x16_t q[], const int lanes, const int R,
                                     int32x4_t dot[]) {
    TK_UNROLL
    for (int i = 0; i < 4; i++) {
        const uint8x16_t both = vld1q_u8(w + i * 16);
        const int8x16_t low = vreinterpretq_s8_u8(vandq_u8(both, vdupq_n_u8(15)));
        const int8x16_t high = vreinterpretq_s8_u8(vshrq_n_u8(both, 4));
        TK_UNROLL
        for (int r = 0; r < R; r++) {
            if (lanes == 0) {
                TK_NEON_SDOT(dot[4 * r + i], low, q[r], 0);
                TK_NEON_SDOT(dot[4 * r + i], high, q[r], 1);
            } else {
                TK_NEON_SDOT(dot[4 * r + i], low, q[r], 2);
                TK_NEON_SDOT(dot[4 * r + i], high, q[r], 3);
            }
        }
    }
}

TK_INLINE void tk_neon_dotprod_part_i8(const uint8_t *w, const int8_t *q, size_t ldq, const int R,
                                       int32x4_t dot[]) {
    TK_UNROLL
    for (int half = 0; half < 2; half++) {
        int8x16_t qv[4];
        TK_UNROLL
        for (int r = 0; r < R; r++) qv[r] = vld1q_s8(q + (size_t)r * ldq + half * 16);
        TK_UNROLL
        for (int j = 0; j < 4; j++) {
            __builtin_prefetch(w + half * 256 + j * 64 + 2048);
            tk_neon_dotprod_step(w + half * 256 + j * 64, qv, j, R, dot);
        }
    }
}

TK_INLINE void tk_neon_dotprod_part_i4(const uint8_t *w, const int8_t *q, size_t ldq, const int R,
                                       int32x4_t dot[]) {
    TK_UNROLL
    for (int half = 0; half < 2; half++) {
        int8x16_t qv[4];
        TK_UNROLL
        for (int r = 0; r < R; r++) qv[r] = vld1q_s8(q + (size_t)r * ldq + half * 16);
        TK_UNROLL
        for (int j = 0; j < 2; j++) {
            __builtin_prefetch(w + half * 128 + j * 64 + 2048);
            tk_neon_dotprod_step2(w + half * 128 + j * 64, qv, 2 * j, R, dot);
        }
    }
}

#define TK_GEMM_NEON_ROWS 4
#define TK_GEMM_NEON_PAIRS 0
#define TK_GEMM_NEON_PART_I8 tk_neon_dotprod_part_i8
#define TK_GEMM_NEON_PART_I4 tk_neon_dotprod_part_i4
#include "tk_gemm_neon.h"

void tk_neon_dotprod_gemm_i8(const tk_qgemm *a, size_t panel0, size_t panel1) {
    tk_gemm_neon(a, panel0, panel1, TK_I8);
}

void tk_neon_dotprod_gemm_i4(const tk_qgemm *a, size_t panel0, size_t panel1) {
    tk_gemm_neon(a, panel0, panel1, TK_I4);
}

void tk_neon_dotprod_gemm_i4z(const tk_qgemm *a, size_t panel0, size_t panel1) {
    tk_gemm_neon(a, panel0, panel1, TK_I4Z);
}

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif
