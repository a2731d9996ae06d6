// SPDX-License-Identifier: Apache-2.0
//
// The primitives of tk_rows.h on baseline AArch64: the 16 striped lanes are four registers.

#ifndef TK_NEON_LANES_H
#define TK_NEON_LANES_H

#include <arm_neon.h>

typedef struct {
    float32x4_t a, b, c, d;
} tk_v;
#define TK_V_SCORES 4
#define TK_V_MASKS 0
#define TK_V_UNROLLS 0
#define TK_V_HEADS 2
#define TK_V_VALUES 4
#define TK_V_PANELS 1

#define TK_V_MAP1(f, x) ((tk_v){f((x).a), f((x).b), f((x).c), f((x).d)})
#define TK_V_MAP2(f, x, y) ((tk_v){f((x).a, (y).a), f((x).b, (y).b), f((x).c, (y).c), f((x).d, (y).d)})
#define TK_V_MAP3(f, x, y, z) \
    ((tk_v){f((x).a, (y).a, (z).a), f((x).b, (y).b, (z).b), f((x).c, (y).c, (z).c), f((x).d, (y).d, (z).d)})

TK_INLINE tk_v tk_v_set1(float x) {
    const float32x4_t v = vdupq_n_f32(x);
    return (tk_v){v, v, v, v};
}
TK_INLINE tk_v tk_v_load(const float *p) {
    return (tk_v){vld1q_f32(p), vld1q_f32(p + 4), vld1q_f32(p + 8), vld1q_f32(p + 12)};
}
TK_INLINE void tk_v_store(float *p, tk_v v) {
    vst1q_f32(p, v.a);
    vst1q_f32(p + 4, v.b);
    vst1q_f32(p + 8, v.c);
    vst1q_f32(p + 12, v.d);
}
TK_INLINE tk_v tk_v_load_n(const float *p, size_t n) {
    float whole[16] = {0};
    memcpy(whole, p, tk_min(n, 16) * sizeof(float));
    return tk_v_load(whole);
}
TK_INLINE void tk_v_store_n(float *p, size_t n, tk_v v) {
    float whole[16];
    tk_v_store(whole, v);
    memcpy(p, whole, tk_min(n, 16) * sizeof(float));
}
TK_INLINE float32x4_t tk_neon_half(const uint16_t *p) {
    return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)));
}
TK_INLINE tk_v tk_v_load_half(const uint16_t *p) {
    return (tk_v){tk_neon_half(p), tk_neon_half(p + 4), tk_neon_half(p + 8), tk_neon_half(p + 12)};
}
TK_INLINE void tk_v_store_half(uint16_t *p, tk_v v) {
    vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(v.a)));
    vst1_u16(p + 4, vreinterpret_u16_f16(vcvt_f16_f32(v.b)));
    vst1_u16(p + 8, vreinterpret_u16_f16(vcvt_f16_f32(v.c)));
    vst1_u16(p + 12, vreinterpret_u16_f16(vcvt_f16_f32(v.d)));
}
TK_INLINE float32x4_t tk_neon_bfloat(const uint16_t *p) {
    return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16));
}
TK_INLINE tk_v tk_v_load_bfloat(const uint16_t *p) {
    return (tk_v){tk_neon_bfloat(p), tk_neon_bfloat(p + 4), tk_neon_bfloat(p + 8), tk_neon_bfloat(p + 12)};
}
TK_INLINE tk_v tk_v_add(tk_v x, tk_v y) { return TK_V_MAP2(vaddq_f32, x, y); }
TK_INLINE tk_v tk_v_sub(tk_v x, tk_v y) { return TK_V_MAP2(vsubq_f32, x, y); }
TK_INLINE tk_v tk_v_mul(tk_v x, tk_v y) { return TK_V_MAP2(vmulq_f32, x, y); }
TK_INLINE tk_v tk_v_div(tk_v x, tk_v y) { return TK_V_MAP2(vdivq_f32, x, y); }
TK_INLINE tk_v tk_v_neg(tk_v x) { return TK_V_MAP1(vnegq_f32, x); }
TK_INLINE tk_v tk_v_abs(tk_v x) { return TK_V_MAP1(vabsq_f32, x); }
TK_INLINE tk_v tk_v_fma(tk_v x, tk_v y, tk_v z) { return TK_V_MAP3(vfmaq_f32, z, x, y); }
TK_INLINE float32x4_t tk_neon_max(float32x4_t x, float32x4_t y) { return vbslq_f32(vcgtq_f32(x, y), x, y); }
TK_INLINE tk_v tk_v_max(tk_v x, tk_v y) { return TK_V_MAP2(tk_neon_max, x, y); }
TK_INLINE tk_v tk_v_keep(tk_v v, size_t n) {
    float whole[16] = {0};
    tk_v_store_n(whole, n, v);
    return tk_v_load(whole);
}
TK_INLINE float tk_v_peak(tk_v v) { return vmaxvq_f32(vmaxq_f32(vmaxq_f32(v.a, v.b), vmaxq_f32(v.c, v.d))); }
TK_INLINE float tk_v_sqrt(float x) { return vgetq_lane_f32(vsqrtq_f32(vdupq_n_f32(x)), 0); }
TK_INLINE unsigned tk_neon_equal(float32x4_t x, float32x4_t y) {
    const uint32_t places[4] = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(vceqq_f32(x, y), vld1q_u32(places)));
}
TK_INLINE unsigned tk_v_equal(tk_v x, tk_v y) {
    return tk_neon_equal(x.a, y.a) | tk_neon_equal(x.b, y.b) << 4 | tk_neon_equal(x.c, y.c) << 8 |
           tk_neon_equal(x.d, y.d) << 12;
}
TK_INLINE tk_v tk_v_where_below(tk_v x, tk_v limit, tk_v then, tk_v otherwise) {
    return (tk_v){vbslq_f32(vcltq_f32(x.a, limit.a), then.a, otherwise.a),
                  vbslq_f32(vcltq_f32(x.b, limit.b), then.b, otherwise.b),
                  vbslq_f32(vcltq_f32(x.c, limit.c), then.c, otherwise.c),
                  vbslq_f32(vcltq_f32(x.d, limit.d), then.d, otherwise.d)};
}
TK_INLINE tk_v tk_v_where_nan(tk_v x, tk_v then, tk_v otherwise) {
    return (tk_v){vbslq_f32(vceqq_f32(x.a, x.a), otherwise.a, then.a),
                  vbslq_f32(vceqq_f32(x.b, x.b), otherwise.b, then.b),
                  vbslq_f32(vceqq_f32(x.c, x.c), otherwise.c, then.c),
                  vbslq_f32(vceqq_f32(x.d, x.d), otherwise.d, then.d)};
}
TK_INLINE float32x4_t tk_neon_shift_exponent(float32x4_t p, float32x4_t s) {
    const uint32x4_t exponent = vshlq_n_u32(vreinterpretq_u32_f32(s), 23);
    return vreinterpretq_f32_u32(vaddq_u32(vreinterpretq_u32_f32(p), exponent));
}
TK_INLINE tk_v tk_v_shift_exponent(tk_v p, tk_v s) { return TK_V_MAP2(tk_neon_shift_exponent, p, s); }

// The conversion itself rounds half to even, takes NaN to 0 and saturates.
TK_INLINE int32x4_t tk_neon_round_q8(float32x4_t v) {
    return vmaxq_s32(vminq_s32(vcvtnq_s32_f32(v), vdupq_n_s32(127)), vdupq_n_s32(-127));
}
TK_INLINE void tk_v_store_q8(int8_t *out, tk_v v) {
    const int16x8_t lo = vcombine_s16(vmovn_s32(tk_neon_round_q8(v.a)), vmovn_s32(tk_neon_round_q8(v.b)));
    const int16x8_t hi = vcombine_s16(vmovn_s32(tk_neon_round_q8(v.c)), vmovn_s32(tk_neon_round_q8(v.d)));
    vst1q_s8(out, vcombine_s8(vmovn_s16(lo), vmovn_s16(hi)));
}
TK_INLINE int32_t tk_v_sum_q8(const int8_t *q, size_t n) {
    int32x4_t sum = vdupq_n_s32(0);
    for (size_t i = 0; i < n; i += 16) sum = vpadalq_s16(sum, vpaddlq_s8(vld1q_s8(q + i)));
    return vaddvq_s32(sum);
}

TK_INLINE tk_v tk_v_load_i8(const int8_t *p) {
    const int8x16_t bytes = vld1q_s8(p);
    const int16x8_t lo = vmovl_s8(vget_low_s8(bytes)), hi = vmovl_s8(vget_high_s8(bytes));
    return (tk_v){vcvtq_f32_s32(vmovl_s16(vget_low_s16(lo))), vcvtq_f32_s32(vmovl_s16(vget_high_s16(lo))),
                  vcvtq_f32_s32(vmovl_s16(vget_low_s16(hi))), vcvtq_f32_s32(vmovl_s16(vget_high_s16(hi)))};
}

TK_INLINE int8x8_t tk_neon_broadcast(const int8_t *q) {
    return vreinterpret_s8_s32(vdup_n_s32(tk_load32(q)));
}

// Four keys, 32 codes each, with those at q. Two products of at most 128 * 127 fit in 16 bits: steps are taken
// in pairs, then widened.
TK_INLINE float32x4_t tk_neon_dots_i8(const int8_t *keys, const int8_t *q) {
    int32x4_t low = vdupq_n_s32(0), high = vdupq_n_s32(0);
    TK_UNROLL
    for (int j = 0; j < 8; j += 2) {
        const int8x16_t k0 = vld1q_s8(keys + j * 64), k1 = vld1q_s8(keys + j * 64 + 64);
        const int8x8_t q0 = tk_neon_broadcast(q + j * 4), q1 = tk_neon_broadcast(q + j * 4 + 4);
        low = vpadalq_s16(low, vmlal_s8(vmull_s8(vget_low_s8(k0), q0), vget_low_s8(k1), q1));
        high = vpadalq_s16(high, vmlal_s8(vmull_s8(vget_high_s8(k0), q0), vget_high_s8(k1), q1));
    }
    return vcvtq_f32_s32(vpaddq_s32(low, high));
}

TK_INLINE void tk_v_dots_i8(const int8_t *keys, const int8_t *q, size_t ldq, const int32_t *sums, size_t lds,
                            const int H, tk_v *dots) {
    (void)sums, (void)lds;
    TK_UNROLL
    for (int h = 0; h < H; h++) {
        const int8_t *codes = q + (size_t)h * ldq;
        dots[h] = (tk_v){tk_neon_dots_i8(keys, codes), tk_neon_dots_i8(keys + 16, codes),
                         tk_neon_dots_i8(keys + 32, codes), tk_neon_dots_i8(keys + 48, codes)};
    }
}

// l[i] + l[i + 8], then l[i] + l[i + 4]: four lanes are left.
TK_INLINE float32x4_t tk_neon_fold(tk_v v) { return vaddq_f32(vaddq_f32(v.a, v.c), vaddq_f32(v.b, v.d)); }

TK_INLINE float tk_v_tree(tk_v v) {
    const float32x4_t s4 = tk_neon_fold(v);
    const float32x2_t s2 = vadd_f32(vget_low_f32(s4), vget_high_f32(s4));
    return vget_lane_f32(vpadd_f32(s2, s2), 0);
}

TK_INLINE float32x4_t tk_neon_fold2(float32x4_t x, float32x4_t y) {
    return vaddq_f32(vcombine_f32(vget_low_f32(x), vget_low_f32(y)),
                     vcombine_f32(vget_high_f32(x), vget_high_f32(y)));
}

TK_INLINE void tk_v_trees(const tk_v v[4], float scale, float *out) {
    const float32x4_t x = tk_neon_fold2(tk_neon_fold(v[0]), tk_neon_fold(v[1]));
    const float32x4_t y = tk_neon_fold2(tk_neon_fold(v[2]), tk_neon_fold(v[3]));
    vst1q_f32(out, vmulq_f32(vdupq_n_f32(scale), vpaddq_f32(x, y)));
}

#endif
