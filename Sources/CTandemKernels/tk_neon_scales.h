// SPDX-License-Identifier: Apache-2.0
//
// Weight scales and offsets of the quantised matrix products on AArch64: a panel is four registers wide.

#ifndef TK_NEON_SCALES_H
#define TK_NEON_SCALES_H

#include "tk_neon_lanes.h"

// 16 bytes as floats, without and with sign.
TK_INLINE void tk_neon_codes(const uint8_t *codes, float32x4_t out[4]) {
    const uint8x16_t bytes = vld1q_u8(codes);
    const uint16x8_t low = vmovl_u8(vget_low_u8(bytes)), high = vmovl_u8(vget_high_u8(bytes));
    out[0] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(low)));
    out[1] = vcvtq_f32_u32(vmovl_u16(vget_high_u16(low)));
    out[2] = vcvtq_f32_u32(vmovl_u16(vget_low_u16(high)));
    out[3] = vcvtq_f32_u32(vmovl_u16(vget_high_u16(high)));
}

TK_INLINE void tk_neon_signed_codes(const uint8_t *codes, float32x4_t out[4]) {
    const int8x16_t bytes = vreinterpretq_s8_u8(vld1q_u8(codes));
    const int16x8_t low = vmovl_s8(vget_low_s8(bytes)), high = vmovl_s8(vget_high_s8(bytes));
    out[0] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(low)));
    out[1] = vcvtq_f32_s32(vmovl_s16(vget_high_s16(low)));
    out[2] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(high)));
    out[3] = vcvtq_f32_s32(vmovl_s16(vget_high_s16(high)));
}

// The weight scales of one group: halves, or the scale codes of i4z.
TK_INLINE void tk_neon_scales(const uint8_t *ws, const int kind, float32x4_t out[4]) {
    if (kind == TK_I4Z) {
        tk_neon_codes(ws, out);
    } else {
        TK_UNROLL
        for (int i = 0; i < 4; i++) out[i] = tk_neon_half((const uint16_t *)ws + 4 * i);
    }
}

// The end of an i4z panel for R <= 4 rows: acc = fma(acc, D, b * M), b being what the offset codes give. A
// pass of its own, because with its accumulators the block's would not fit the registers.
TK_INLINE void tk_neon_offsets(const tk_qgemm *a, const uint8_t *scales, size_t row, const int R,
                               float32x4_t acc[]) {
    const size_t groups = a->kp / a->ga, per_code = a->gw / a->ga;
    const uint8_t *codes = scales + TK_I4Z_FACTORS + 16;
    float32x4_t b[16], offset[4];
    float shifts[4][16];
    TK_UNROLL
    for (int i = 0; i < 4 * R; i++) b[i] = vdupq_n_f32(0);
    TK_UNROLL
    for (int i = 0; i < 4; i++) offset[i] = vdupq_n_f32(0);
    size_t until_code = 0;
    for (size_t g = 0; g < groups; g++) {
        if (g % 16 == 0) tk_i4z_shifts(a, row, g, R, shifts);
        if (until_code == 0) {
            tk_neon_signed_codes(codes, offset);
            codes += 32;
            until_code = per_code;
        }
        until_code--;
        TK_UNROLL
        for (int i = 0; i < 4 * R; i++) b[i] = vfmaq_n_f32(b[i], offset[i % 4], shifts[i / 4][g % 16]);
    }
    TK_UNROLL
    for (int i = 0; i < 4 * R; i++) {
        const float *factors = (const float *)scales + i % 4 * 4;
        acc[i] = vfmaq_f32(vmulq_f32(b[i], vld1q_f32(factors + 16)), acc[i], vld1q_f32(factors));
    }
}

#endif
