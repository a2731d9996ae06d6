// SPDX-License-Identifier: Apache-2.0
//
// Baseline AArch64 (no dot-product instructions): Cortex-A53 and A72, so the Raspberry Pi 3 and 4.

#include "tk_internal.h"

#if TK_ARM64

#include "tk_neon_lanes.h"
#include "tk_rows.h"

// Two K4 steps of four outputs. The lower half of a weight register gives the pairs (k0 k1, k2 k3) of two
// outputs, the upper half those of the other two. Two products of at most 128 * 127 fit in 16 bits: the steps
// are added, then widened.
TK_INLINE void tk_neon_accumulate(int8x16_t w0, int8x16_t w1, int8x8_t q0, int8x8_t q1, int32x4_t dot[2]) {
    const int16x8_t low = vmlal_s8(vmull_s8(vget_low_s8(w0), q0), vget_low_s8(w1), q1);
    const int16x8_t high = vmlal_s8(vmull_s8(vget_high_s8(w0), q0), vget_high_s8(w1), q1);
    dot[0] = vpadalq_s16(dot[0], low);
    dot[1] = vpadalq_s16(dot[1], high);
}

TK_INLINE void tk_neon_part_i8(const uint8_t *w, const int8_t *q, size_t ldq, const int R, int32x4_t dot[]) {
    for (int j = 0; j < 8; j += 2) {
        __builtin_prefetch(w + j * 64 + 1024);
        __builtin_prefetch(w + j * 64 + 1088);
        TK_UNROLL
        for (int i = 0; i < 4; i++) {
            const int8x16_t w0 = vreinterpretq_s8_u8(vld1q_u8(w + j * 64 + i * 16));
            const int8x16_t w1 = vreinterpretq_s8_u8(vld1q_u8(w + j * 64 + 64 + i * 16));
            TK_UNROLL
            for (int r = 0; r < R; r++) {
                const int8_t *qr = q + (size_t)r * ldq + j * 4;
                tk_neon_accumulate(w0, w1, tk_neon_broadcast(qr), tk_neon_broadcast(qr + 4),
                                   dot + 8 * r + 2 * i);
            }
        }
    }
}

TK_INLINE void tk_neon_part_i4(const uint8_t *w, const int8_t *q, size_t ldq, const int R, int32x4_t dot[]) {
    for (int j = 0; j < 4; j++) {
        __builtin_prefetch(w + j * 64 + 1024);
        TK_UNROLL
        for (int i = 0; i < 4; i++) {
            const uint8x16_t both = vld1q_u8(w + j * 64 + i * 16);
            const int8x16_t low = vreinterpretq_s8_u8(vandq_u8(both, vdupq_n_u8(15)));
            const int8x16_t high = vreinterpretq_s8_u8(vshrq_n_u8(both, 4));
            TK_UNROLL
            for (int r = 0; r < R; r++) {
                const int8_t *qr = q + (size_t)r * ldq + j * 8;
                tk_neon_accumulate(low, high, tk_neon_broadcast(qr), tk_neon_broadcast(qr + 4),
                                   dot + 8 * r + 2 * i);
            }
        }
    }
}

#define TK_GEMM_NEON_ROWS 2
#define TK_GEMM_NEON_PAIRS 1
#define TK_GEMM_NEON_PART_I8 tk_neon_part_i8
#define TK_GEMM_NEON_PART_I4 tk_neon_part_i4
#include "tk_gemm_neon.h"

static void tk_neon_gemm_i8(const tk_qgemm *a, size_t panel0, size_t panel1) {
    tk_gemm_neon(a, panel0, panel1, TK_I8);
}

static void tk_neon_gemm_i4(const tk_qgemm *a, size_t panel0, size_t panel1) {
    tk_gemm_neon(a, panel0, panel1, TK_I4);
}

static void tk_neon_gemm_i4z(const tk_qgemm *a, size_t panel0, size_t panel1) {
    tk_gemm_neon(a, panel0, panel1, TK_I4Z);
}

const tk_kernels tk_kernels_neon = {
    .name = "neon",
    .gemm_i8 = tk_neon_gemm_i8,
    .gemm_i4 = tk_neon_gemm_i4,
    .gemm_i4z = tk_neon_gemm_i4z,
    TK_ROWS_MEMBERS,
};

// The products come from tk_neon_dotprod.c, everything else is this file's.
const tk_kernels tk_kernels_neon_dotprod = {
    .name = "neon-dotprod",
    .gemm_i8 = tk_neon_dotprod_gemm_i8,
    .gemm_i4 = tk_neon_dotprod_gemm_i4,
    .gemm_i4z = tk_neon_dotprod_gemm_i4z,
    TK_ROWS_MEMBERS,
};

// Likewise from tk_neon_i8mm.c.
const tk_kernels tk_kernels_neon_i8mm = {
    .name = "neon-i8mm",
    .gemm_i8 = tk_neon_i8mm_gemm_i8,
    .gemm_i4 = tk_neon_i8mm_gemm_i4,
    .gemm_i4z = tk_neon_i8mm_gemm_i4z,
    TK_ROWS_MEMBERS,
};

#endif
