// SPDX-License-Identifier: Apache-2.0
//
// Everything but the quantised matrix products, written once over `tk_v`: the 16 striped lanes of the
// contract, in however many registers an instruction set needs. An instruction set defines these, then
// includes this file once:
//
//   tk_v                    sixteen floats
//   TK_V_SCORES             dot products to keep in registers at once (a multiple of TK_V_HEADS, at most 16)
//   TK_V_HEADS              heads that share one load of a key or value: 1, 2 or 4
//   TK_V_VALUES             output vectors to keep in registers at once
//   TK_V_PANELS             panels of a float product to keep in registers for four rows at once: 1 or 4
//   TK_V_MASKS              1 where loads of some lanes are as fast as whole ones
//   TK_V_UNROLLS            1 where scores of f16 keys of 64 and 128 elements have code of their own
//   tk_v_set1, tk_v_load, tk_v_store, tk_v_load_half, tk_v_store_half (16 f16), tk_v_load_bfloat
//   tk_v_load_n, tk_v_store_n   the first min(n, 16) lanes, n >= 1; lanes beyond load as 0
//   tk_v_add, tk_v_sub, tk_v_mul, tk_v_div, tk_v_neg, tk_v_fma(a, b, c) = a * b + c
//   tk_v_max(a, b)          a > b ? a : b, so b where either is NaN;  tk_v_abs
//   tk_v_keep(v, n)         v with lanes >= n replaced by +0
//   tk_v_tree               the contract's reduction tree;  tk_v_peak  the greatest lane (no NaN among them)
//   tk_v_trees(v, scale, out)   out[i] = scale * tk_v_tree(v[i]) for i < TK_V_SCORES
//   tk_v_equal(a, b)        bit i of the result is set where lane i of a equals lane i of b
//   tk_v_where_below(x, limit, then, else), tk_v_where_nan(x, then, else)
//   tk_v_shift_exponent(p, s)   integer sum of p's bits and s's bits shifted left by 23
//   tk_v_store_q8(out, v)   NaN to 0, clamped to -127...127, rounded half to even, as 16 int8
//   tk_v_sum_q8(q, n)       sum of n int8, n a multiple of 32
//   tk_v_sqrt(x)            IEEE square root of one float
//   tk_v_load_i8(p)         16 int8 as floats
//   tk_v_dots_i8(keys, q, ldq, sums, lds, H, dots)   dots[h] = the exact products of 16 keys, 32 codes each in
//                           eight steps of N16K4, with the codes at q + h * ldq, whose sum is sums[h * lds]

TK_INLINE tk_v tk_v_load_some(const float *p, size_t n) { return n >= 16 ? tk_v_load(p) : tk_v_load_n(p, n); }

TK_INLINE void tk_v_store_some(float *p, size_t n, tk_v v) {
    if (n >= 16) {
        tk_v_store(p, v);
    } else {
        tk_v_store_n(p, n, v);
    }
}

// tk_expf_ref on 16 lanes.
TK_INLINE tk_v tk_v_exp(tk_v x) {
    const tk_v magic = tk_v_set1(TK_ROUND_MAGIC), one = tk_v_set1(1.0f);
    const tk_v shifted = tk_v_fma(x, tk_v_set1(TK_EXP_LOG2E), magic);
    const tk_v n = tk_v_sub(shifted, magic);
    const tk_v r = tk_v_fma(n, tk_v_set1(-TK_EXP_LN2_LO), tk_v_fma(n, tk_v_set1(-TK_EXP_LN2_HI), x));
    tk_v p = tk_v_set1(TK_EXP_C6);
    p = tk_v_fma(p, r, tk_v_set1(TK_EXP_C5));
    p = tk_v_fma(p, r, tk_v_set1(TK_EXP_C4));
    p = tk_v_fma(p, r, tk_v_set1(TK_EXP_C3));
    p = tk_v_fma(p, r, tk_v_set1(TK_EXP_C2));
    p = tk_v_fma(p, r, one);
    p = tk_v_fma(p, r, one);
    tk_v y = tk_v_shift_exponent(p, shifted);
    y = tk_v_where_below(x, tk_v_set1(TK_EXP_MIN), tk_v_set1(0.0f), y);
    y = tk_v_where_below(tk_v_set1(TK_EXP_MAX), x, tk_v_set1(__builtin_inff()), y);
    return tk_v_where_nan(x, x, y);
}

// tk_tanhf_ref on 16 lanes.
TK_INLINE tk_v tk_v_tanh(tk_v x) {
    const tk_v one = tk_v_set1(1.0f), magnitude = tk_v_abs(x), z = tk_v_mul(x, x);
    tk_v p = tk_v_set1(TK_TANH_C4);
    p = tk_v_fma(p, z, tk_v_set1(TK_TANH_C3));
    p = tk_v_fma(p, z, tk_v_set1(TK_TANH_C2));
    p = tk_v_fma(p, z, tk_v_set1(TK_TANH_C1));
    p = tk_v_fma(p, z, tk_v_set1(TK_TANH_C0));
    const tk_v small = tk_v_fma(tk_v_mul(x, z), p, x);
    const tk_v e = tk_v_exp(tk_v_add(magnitude, magnitude));
    const tk_v y = tk_v_sub(one, tk_v_div(tk_v_set1(2.0f), tk_v_add(one, e)));
    const tk_v large = tk_v_where_below(x, tk_v_set1(0.0f), tk_v_neg(y), y);
    return tk_v_where_below(magnitude, tk_v_set1(TK_TANH_LIMIT), small, large);
}

// ---- Float matrix product ---------------------------------------------------------------------------------

TK_INLINE void tk_rows_gemm_block(const tk_fgemm *a, size_t panel, size_t row, const int R, const int P) {
    const float *w = a->w + panel * a->k * 16;
    const float *x = a->x + row * a->ldx;
    tk_v acc[16];
    TK_UNROLL
    for (int i = 0; i < R * P; i++) acc[i] = tk_v_set1(0.0f);
    for (size_t k = 0; k < a->k; k++) {
        TK_UNROLL
        for (int p = 0; p < P; p++) {
            const tk_v wv = tk_v_load(w + (size_t)p * a->k * 16 + k * 16);
            TK_UNROLL
            for (int r = 0; r < R; r++) {
                acc[r * P + p] = tk_v_fma(tk_v_set1(x[(size_t)r * a->ldx + k]), wv, acc[r * P + p]);
            }
        }
    }
    TK_UNROLL
    for (int i = 0; i < R * P; i++) {
        tk_v_store(a->y + (row + (size_t)(i / P)) * a->ldy + (panel + (size_t)(i % P)) * 16, acc[i]);
    }
}

static void tk_rows_gemm_f32(const tk_fgemm *a, size_t panel0, size_t panel1) {
    for (size_t panel = panel0, width; panel < panel1; panel += width) {
        width = panel1 - panel >= 4 ? 4 : 1;
        size_t row = 0;
        for (; row + 4 <= a->rows; row += 4) {
            if (width == 4 && TK_V_PANELS == 4) {
                tk_rows_gemm_block(a, panel, row, 4, TK_V_PANELS);
            } else {
                for (size_t p = panel; p < panel + width; p++) tk_rows_gemm_block(a, p, row, 4, 1);
            }
        }
        for (; row < a->rows; row++) {
            if (width == 4) {
                tk_rows_gemm_block(a, panel, row, 1, 4);
            } else {
                tk_rows_gemm_block(a, panel, row, 1, 1);
            }
        }
    }
}

// ---- Element-wise and row-wise ----------------------------------------------------------------------------

static void tk_rows_quantize(const float *x, size_t ldx, size_t rows, size_t k, size_t kp, size_t ga,
                             int8_t *q, size_t ldq, float *scales, int32_t *sums, size_t lds) {
    for (size_t row = 0; row < rows; row++) {
        for (size_t g = 0; g < kp / ga; g++) {
            const size_t first = g * ga, valid = first < k ? tk_min(ga, k - first) : 0;
            const float *in = x + row * ldx + first;
            int8_t *out = q + row * ldq + first;
            tk_v peak = tk_v_set1(0.0f);
            for (size_t i = 0; i < valid; i += 16) {
                peak = tk_v_max(tk_v_abs(tk_v_load_some(in + i, valid - i)), peak);
            }
            const float amax = tk_v_peak(peak);
            const tk_v inverse = tk_v_set1(amax > 0 ? 127.0f / amax : 0.0f);
            size_t i = 0;
            for (; i < valid; i += 16)
                tk_v_store_q8(out + i, tk_v_mul(tk_v_load_some(in + i, valid - i), inverse));
            if (i < ga) memset(out + i, 0, ga - i);
            scales[row * lds + g] = amax / 127.0f;
            sums[row * lds + g] = tk_v_sum_q8(out, ga);
        }
    }
}

static void tk_rows_rmsnorm(const float *x, const float *w, float eps, size_t n, float *y) {
    tk_v squares = tk_v_set1(0.0f);
    for (size_t i = 0; i < n; i += 16) {
        const tk_v v = tk_v_load_some(x + i, n - i);
        squares = tk_v_fma(v, v, squares);
    }
    const float mean = tk_v_tree(squares) / (float)n;
    const tk_v r = tk_v_set1(1.0f / tk_v_sqrt(mean + eps));
    for (size_t i = 0; i < n; i += 16) {
        const tk_v v = tk_v_mul(tk_v_load_some(x + i, n - i), r);
        tk_v_store_some(y + i, n - i, tk_v_mul(v, tk_v_load_some(w + i, n - i)));
    }
}

static void tk_rows_rope(float *x, size_t heads, size_t ld, size_t half, const float *cos_sin) {
    for (size_t i = 0; i < half; i += 16) {
        const size_t left = half - i;
        const tk_v c = tk_v_load_some(cos_sin + i, left), s = tk_v_load_some(cos_sin + half + i, left);
        for (size_t head = 0; head < heads; head++) {
            float *at = x + head * ld + i;
            const tk_v a = tk_v_load_some(at, left), b = tk_v_load_some(at + half, left);
            tk_v_store_some(at, left, tk_v_fma(a, c, tk_v_neg(tk_v_mul(b, s))));
            tk_v_store_some(at + half, left, tk_v_fma(b, c, tk_v_mul(a, s)));
        }
    }
}

static void tk_rows_swiglu(const float *gate, const float *up, size_t n, float *y) {
    for (size_t i = 0; i < n; i += 16) {
        const tk_v g = tk_v_load_some(gate + i, n - i);
        const tk_v silu = tk_v_div(g, tk_v_add(tk_v_set1(1.0f), tk_v_exp(tk_v_neg(g))));
        tk_v_store_some(y + i, n - i, tk_v_mul(silu, tk_v_load_some(up + i, n - i)));
    }
}

static void tk_rows_geglu(const float *gate, const float *up, size_t n, float *y) {
    const tk_v c1 = tk_v_set1(TK_GELU_C1), c3 = tk_v_set1(TK_GELU_C3);
    for (size_t i = 0; i < n; i += 16) {
        const tk_v g = tk_v_load_some(gate + i, n - i);
        const tk_v e = tk_v_exp(tk_v_mul(g, tk_v_fma(tk_v_mul(g, g), c3, c1)));
        const tk_v gelu = tk_v_div(g, tk_v_add(tk_v_set1(1.0f), e));
        tk_v_store_some(y + i, n - i, tk_v_mul(gelu, tk_v_load_some(up + i, n - i)));
    }
}

static void tk_rows_add_scaled(float *x, float factor, const float *y, size_t n) {
    const tk_v f = tk_v_set1(factor);
    for (size_t i = 0; i < n; i += 16) {
        const tk_v sum = tk_v_fma(f, tk_v_load_some(y + i, n - i), tk_v_load_some(x + i, n - i));
        tk_v_store_some(x + i, n - i, sum);
    }
}

static void tk_rows_scale(float *x, float factor, size_t n) {
    const tk_v f = tk_v_set1(factor);
    for (size_t i = 0; i < n; i += 16) {
        tk_v_store_some(x + i, n - i, tk_v_mul(tk_v_load_some(x + i, n - i), f));
    }
}

static void tk_rows_softcap(float *x, float cap, size_t n) {
    const tk_v c = tk_v_set1(cap), inverse = tk_v_set1(1.0f / cap);
    for (size_t i = 0; i < n; i += 16) {
        const tk_v y = tk_v_tanh(tk_v_mul(tk_v_load_some(x + i, n - i), inverse));
        tk_v_store_some(x + i, n - i, tk_v_mul(c, y));
    }
}

static void tk_rows_add(float *x, const float *y, size_t n) {
    for (size_t i = 0; i < n; i += 16) {
        tk_v_store_some(x + i, n - i, tk_v_add(tk_v_load_some(x + i, n - i), tk_v_load_some(y + i, n - i)));
    }
}

// The greatest element that is not NaN; -inf where there is none.
TK_INLINE float tk_rows_max(const float *x, size_t n) {
    const tk_v low = tk_v_set1(-__builtin_inff());
    if (n < 16) {
        float max = -__builtin_inff();
        for (size_t i = 0; i < n; i++) max = x[i] > max ? x[i] : max;
        return max;
    }
    tk_v m0 = low, m1 = low;
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        m0 = tk_v_max(tk_v_load(x + i), m0);
        m1 = tk_v_max(tk_v_load(x + i + 16), m1);
    }
    if (i + 16 <= n) m0 = tk_v_max(tk_v_load(x + i), m0);
    m0 = tk_v_max(tk_v_load(x + n - 16), m0);
    return tk_v_peak(tk_v_max(m0, m1));
}

// x = exp((x - max) * factor); returns the striped sum.
TK_INLINE float tk_rows_exp_sum(float *x, size_t n, float max, float factor) {
    const tk_v m = tk_v_set1(max), f = tk_v_set1(factor);
    tk_v sum = tk_v_set1(0.0f);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const tk_v e = tk_v_exp(tk_v_mul(tk_v_sub(tk_v_load(x + i), m), f));
        sum = tk_v_add(sum, e);
        tk_v_store(x + i, e);
    }
    if (i < n) {
        const tk_v e = tk_v_exp(tk_v_mul(tk_v_sub(tk_v_load_n(x + i, n - i), m), f));
        sum = tk_v_add(sum, tk_v_keep(e, n - i));
        tk_v_store_n(x + i, n - i, e);
    }
    return tk_v_tree(sum);
}

static void tk_rows_softmax(float *x, size_t n, float inv_temperature) {
    const float sum = tk_rows_exp_sum(x, n, tk_rows_max(x, n), inv_temperature);
    const tk_v inverse = tk_v_set1(1.0f / sum);
    for (size_t i = 0; i < n; i += 16) {
        tk_v_store_some(x + i, n - i, tk_v_mul(tk_v_load_some(x + i, n - i), inverse));
    }
}

static size_t tk_rows_argmax(const float *x, size_t n) {
    const float max = tk_rows_max(x, n);
    const tk_v wanted = tk_v_set1(max);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const unsigned hits = tk_v_equal(tk_v_load(x + i), wanted);
        if (hits != 0) return i + (size_t)__builtin_ctz(hits);
    }
    for (; i < n; i++) {
        if (x[i] == max) return i;
    }
    return 0;
}

#include "tk_attention.h"

// ---- Conversions ------------------------------------------------------------------------------------------

static void tk_rows_f32_from_f16(const uint16_t *x, size_t n, float *y) {
    size_t i = 0;
    for (; i + 16 <= n; i += 16) tk_v_store(y + i, tk_v_load_half(x + i));
    for (; i < n; i++) y[i] = tk_f32_from_f16(x[i]);
}

static void tk_rows_f16_from_f32(const float *x, size_t n, uint16_t *y) {
    size_t i = 0;
    for (; i + 16 <= n; i += 16) tk_v_store_half(y + i, tk_v_load(x + i));
    for (; i < n; i++) y[i] = tk_f16_from_f32(x[i]);
}

static void tk_rows_f32_from_bf16(const uint16_t *x, size_t n, float *y) {
    size_t i = 0;
    for (; i + 16 <= n; i += 16) tk_v_store(y + i, tk_v_load_bfloat(x + i));
    for (; i < n; i++) {
        const uint32_t bits = (uint32_t)x[i] << 16;
        memcpy(y + i, &bits, sizeof bits);
    }
}

// The members of a table that this file provides.
#define TK_ROWS_MEMBERS \
    .gemm_f32 = tk_rows_gemm_f32, .quantize = tk_rows_quantize, .rmsnorm = tk_rows_rmsnorm, \
    .rope = tk_rows_rope, .swiglu = tk_rows_swiglu, .geglu = tk_rows_geglu, .add = tk_rows_add, \
    .add_scaled = tk_rows_add_scaled, .scale = tk_rows_scale, .softcap = tk_rows_softcap, \
    .attention = tk_rows_attention, .store_keys_i8 = tk_rows_store_keys_i8, \
    .store_values_i8 = tk_rows_store_values_i8, \
    .softmax = tk_rows_softmax, .argmax = tk_rows_argmax, .f32_from_f16 = tk_rows_f32_from_f16, \
    .f16_from_f32 = tk_rows_f16_from_f32, .f32_from_bf16 = tk_rows_f32_from_bf16
