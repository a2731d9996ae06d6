// SPDX-License-Identifier: Apache-2.0
//
// The specification of every kernel: clear first, fast second. Whatever another table does, it must give the
// bits this one gives. Fused operations are spelled fmaf; everything else is one IEEE operation per operator.

#include "tk_internal.h"

#include <math.h>

// Striped reduction: 16 lanes, then the fixed tree.
static float tk_scalar_tree(float lanes[16]) {
    for (size_t width = 8; width > 0; width /= 2) {
        for (size_t i = 0; i < width; i++) lanes[i] += lanes[i + width];
    }
    return lanes[0];
}

float tk_expf_ref(float x) {
    if (x != x) return x;
    if (x < TK_EXP_MIN) return 0.0f;
    if (x > TK_EXP_MAX) return INFINITY;
    const float shifted = fmaf(x, TK_EXP_LOG2E, TK_ROUND_MAGIC);
    const float n = shifted - TK_ROUND_MAGIC;
    const float r = fmaf(n, -TK_EXP_LN2_LO, fmaf(n, -TK_EXP_LN2_HI, x));
    float p = TK_EXP_C6;
    p = fmaf(p, r, TK_EXP_C5);
    p = fmaf(p, r, TK_EXP_C4);
    p = fmaf(p, r, TK_EXP_C3);
    p = fmaf(p, r, TK_EXP_C2);
    p = fmaf(p, r, 1.0f);
    p = fmaf(p, r, 1.0f);
    // The low bits of `shifted` hold n; the product p * 2^n is exact because both ends of the range stay
    // normal.
    return tk_float(tk_bits(p) + (tk_bits(shifted) << 23));
}

float tk_tanhf_ref(float x) {
    const float magnitude = fabsf(x);
    if (magnitude < TK_TANH_LIMIT) {
        const float z = x * x;
        float p = TK_TANH_C4;
        p = fmaf(p, z, TK_TANH_C3);
        p = fmaf(p, z, TK_TANH_C2);
        p = fmaf(p, z, TK_TANH_C1);
        p = fmaf(p, z, TK_TANH_C0);
        return fmaf(x * z, p, x);
    }
    const float y = 1.0f - 2.0f / (1.0f + tk_expf_ref(magnitude + magnitude));
    return x < 0 ? -y : y;
}

// ---- Matrix products --------------------------------------------------------------------------------------

static void tk_scalar_dot_i8(const int8_t *w, const int8_t *q, size_t count, int32_t dots[16]) {
    for (size_t n = 0; n < 16; n++) dots[n] = 0;
    for (size_t k = 0; k < count; k += 4, w += 64, q += 4) {
        for (size_t n = 0; n < 16; n++) {
            dots[n] += w[n * 4] * q[0] + w[n * 4 + 1] * q[1] + w[n * 4 + 2] * q[2] + w[n * 4 + 3] * q[3];
        }
    }
}

static void tk_scalar_dot_i4(const uint8_t *w, const int8_t *q, size_t count, int32_t dots[16]) {
    for (size_t n = 0; n < 16; n++) dots[n] = 0;
    for (size_t k = 0; k < count; k += 8, w += 64, q += 8) {
        for (size_t n = 0; n < 16; n++) {
            for (size_t j = 0; j < 4; j++) {
                const int byte = w[n * 4 + j];
                dots[n] += ((byte & 15) - 8) * q[j] + ((byte >> 4) - 8) * q[j + 4];
            }
        }
    }
}

static void tk_scalar_gemm_q(const tk_qgemm *a, size_t panel0, size_t panel1, int four_bit) {
    const size_t panel_bytes = four_bit ? a->kp * 8 : a->kp * 16;
    const size_t group_bytes = four_bit ? a->ga * 8 : a->ga * 16;
    const size_t groups = a->kp / a->ga;
    for (size_t panel = panel0; panel < panel1; panel++) {
        const uint8_t *weights = (const uint8_t *)a->w + panel * panel_bytes;
        const uint16_t *wscales = (const uint16_t *)a->wscales + panel * (a->kp / a->gw) * 16;
        for (size_t row = 0; row < a->rows; row++) {
            float acc[16] = {0};
            for (size_t g = 0; g < groups; g++) {
                const int8_t *q = a->q + row * a->ldq + g * a->ga;
                const uint8_t *w = weights + g * group_bytes;
                int32_t dots[16];
                if (four_bit) {
                    tk_scalar_dot_i4(w, q, a->ga, dots);
                } else {
                    tk_scalar_dot_i8((const int8_t *)w, q, a->ga, dots);
                }
                const uint16_t *ws = wscales + g * a->ga / a->gw * 16;
                const float as = a->scales[row * a->lds + g];
                for (size_t n = 0; n < 16; n++) {
                    acc[n] = fmaf((float)dots[n], tk_f32_from_f16(ws[n]) * as, acc[n]);
                }
            }
            memcpy(a->y + row * a->ldy + panel * 16, acc, sizeof acc);
        }
    }
}

static void tk_scalar_gemm_i8(const tk_qgemm *a, size_t panel0, size_t panel1) {
    tk_scalar_gemm_q(a, panel0, panel1, 0);
}

static void tk_scalar_gemm_i4(const tk_qgemm *a, size_t panel0, size_t panel1) {
    tk_scalar_gemm_q(a, panel0, panel1, 1);
}

static void tk_scalar_gemm_i4z(const tk_qgemm *a, size_t panel0, size_t panel1) {
    for (size_t panel = panel0; panel < panel1; panel++) {
        const uint8_t *weights = (const uint8_t *)a->w + panel * a->kp * 8;
        const uint8_t *block = (const uint8_t *)a->wscales + panel * (TK_I4Z_FACTORS + a->kp / a->gw * 32);
        const float *factors = (const float *)block;
        for (size_t row = 0; row < a->rows; row++) {
            float scaled[16] = {0}, shifted[16] = {0};
            for (size_t g = 0; g < a->kp / a->ga; g++) {
                const uint8_t *codes = block + TK_I4Z_FACTORS + g * a->ga / a->gw * 32;
                const float as = a->scales[row * a->lds + g];
                const float shift = (float)a->sums[row * a->lds + g] * as;
                int32_t dots[16];
                tk_scalar_dot_i4(weights + g * a->ga * 8, a->q + row * a->ldq + g * a->ga, a->ga, dots);
                for (size_t n = 0; n < 16; n++) {
                    scaled[n] = fmaf((float)dots[n], (float)codes[n] * as, scaled[n]);
                    shifted[n] = fmaf((float)(int8_t)codes[16 + n], shift, shifted[n]);
                }
            }
            float *y = a->y + row * a->ldy + panel * 16;
            for (size_t n = 0; n < 16; n++) y[n] = fmaf(scaled[n], factors[n], shifted[n] * factors[16 + n]);
        }
    }
}

static void tk_scalar_gemm_f32(const tk_fgemm *a, size_t panel0, size_t panel1) {
    for (size_t panel = panel0; panel < panel1; panel++) {
        const float *w = a->w + panel * a->k * 16;
        for (size_t row = 0; row < a->rows; row++) {
            const float *x = a->x + row * a->ldx;
            float acc[16] = {0};
            for (size_t k = 0; k < a->k; k++) {
                for (size_t n = 0; n < 16; n++) acc[n] = fmaf(x[k], w[k * 16 + n], acc[n]);
            }
            memcpy(a->y + row * a->ldy + panel * 16, acc, sizeof acc);
        }
    }
}

// Rounded half to even, NaN to 0, within -127...127.
static int8_t tk_scalar_code(float value) {
    if (value != value) value = 0;
    if (value > 127.0f) value = 127.0f;
    if (value < -127.0f) value = -127.0f;
    // Exact for |value| < 2^22.
    return (int8_t)((value + TK_ROUND_MAGIC) - TK_ROUND_MAGIC);
}

static void tk_scalar_quantize(const float *x, size_t ldx, size_t rows, size_t k, size_t kp, size_t ga,
                               int8_t *q, size_t ldq, float *scales, int32_t *sums, size_t lds) {
    for (size_t row = 0; row < rows; row++) {
        for (size_t g = 0; g < kp / ga; g++) {
            const size_t first = g * ga;
            const size_t valid = first < k ? tk_min(ga, k - first) : 0;
            const float *in = x + row * ldx + first;
            int8_t *out = q + row * ldq + first;
            float amax = 0;
            for (size_t i = 0; i < valid; i++) {
                const float magnitude = fabsf(in[i]);
                if (magnitude > amax) amax = magnitude;
            }
            const float inverse = amax > 0 ? 127.0f / amax : 0.0f;
            int32_t sum = 0;
            for (size_t i = 0; i < valid; i++) {
                out[i] = tk_scalar_code(in[i] * inverse);
                sum += out[i];
            }
            for (size_t i = valid; i < ga; i++) out[i] = 0;
            scales[row * lds + g] = amax / 127.0f;
            sums[row * lds + g] = sum;
        }
    }
}

// ---- Element-wise and row-wise ----------------------------------------------------------------------------

static void tk_scalar_rmsnorm(const float *x, const float *w, float eps, size_t n, float *y) {
    float lanes[16] = {0};
    for (size_t i = 0; i < n; i++) lanes[i % 16] = fmaf(x[i], x[i], lanes[i % 16]);
    const float mean = tk_scalar_tree(lanes) / (float)n;
    const float r = 1.0f / sqrtf(mean + eps);
    for (size_t i = 0; i < n; i++) y[i] = (x[i] * r) * w[i];
}

static void tk_scalar_rope(float *x, size_t heads, size_t ld, size_t half, const float *cos_sin) {
    for (size_t head = 0; head < heads; head++) {
        float *a = x + head * ld;
        float *b = a + half;
        for (size_t i = 0; i < half; i++) {
            const float c = cos_sin[i], s = cos_sin[half + i];
            const float a0 = a[i], b0 = b[i];
            a[i] = fmaf(a0, c, -(b0 * s));
            b[i] = fmaf(b0, c, a0 * s);
        }
    }
}

static void tk_scalar_swiglu(const float *gate, const float *up, size_t n, float *y) {
    for (size_t i = 0; i < n; i++) y[i] = (gate[i] / (1.0f + tk_expf_ref(-gate[i]))) * up[i];
}

static void tk_scalar_geglu(const float *gate, const float *up, size_t n, float *y) {
    for (size_t i = 0; i < n; i++) {
        const float e = tk_expf_ref(gate[i] * fmaf(gate[i] * gate[i], TK_GELU_C3, TK_GELU_C1));
        y[i] = (gate[i] / (1.0f + e)) * up[i];
    }
}

static void tk_scalar_add(float *x, const float *y, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] += y[i];
}

static void tk_scalar_add_scaled(float *x, float factor, const float *y, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] = fmaf(factor, y[i], x[i]);
}

static void tk_scalar_scale(float *x, float factor, size_t n) {
    for (size_t i = 0; i < n; i++) x[i] *= factor;
}

static void tk_scalar_softcap(float *x, float cap, size_t n) {
    const float inverse = 1.0f / cap;
    for (size_t i = 0; i < n; i++) x[i] = cap * tk_tanhf_ref(x[i] * inverse);
}

static float tk_scalar_max(const float *x, size_t n) {
    float max = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        if (x[i] > max) max = x[i];
    }
    return max;
}

static void tk_scalar_softmax(float *x, size_t n, float inv_temperature) {
    const float max = tk_scalar_max(x, n);
    float lanes[16] = {0};
    for (size_t i = 0; i < n; i++) {
        x[i] = tk_expf_ref((x[i] - max) * inv_temperature);
        lanes[i % 16] += x[i];
    }
    const float inverse = 1.0f / tk_scalar_tree(lanes);
    for (size_t i = 0; i < n; i++) x[i] *= inverse;
}

static size_t tk_scalar_argmax(const float *x, size_t n) {
    const float max = tk_scalar_max(x, n);
    for (size_t i = 0; i < n; i++) {
        if (x[i] == max) return i;
    }
    return 0;
}

// ---- Attention --------------------------------------------------------------------------------------------

static float tk_scalar_kv(const void *base, int type, size_t index) {
    if (type == TK_KV_F16) return tk_f32_from_f16(((const uint16_t *)base)[index]);
    return ((const float *)base)[index];
}

static float tk_scalar_dot(const tk_attention *a, const float *q, size_t t) {
    float lanes[16] = {0};
    for (size_t i = 0; i < a->stride; i++) {
        const float qi = i < a->hd ? q[i] : 0.0f;
        lanes[i % 16] = fmaf(qi, tk_scalar_kv(a->k, a->type, t * a->stride + i), lanes[i % 16]);
    }
    return tk_scalar_tree(lanes);
}

// The same of a query that is quantised, with a key of an i8 cache.
static float tk_scalar_dot_codes(const tk_attention *a, const int8_t *q, const float *scales, size_t t) {
    const size_t blocks = a->stride / TK_KV_BLOCK;
    const int8_t *keys = a->k;
    float sum = 0;
    for (size_t b = 0; b < blocks; b++) {
        int32_t dot = 0;
        for (size_t i = b * TK_KV_BLOCK; i < (b + 1) * TK_KV_BLOCK; i++) {
            dot += q[i] * keys[tk_kv_key_at(t, i, blocks)];
        }
        const float key_scale = tk_f32_from_f16(a->kscales[tk_kv_scale_at(t, b, blocks)]);
        sum = fmaf((float)dot, key_scale * scales[b], sum);
    }
    return sum;
}

// Scores of `count` positions from `begin`.
static void tk_scalar_scores(const tk_attention *a, const float *q, size_t begin, size_t count, float *p) {
    if (a->type != TK_KV_I8) {
        for (size_t t = 0; t < count; t++) p[t] = a->scale * tk_scalar_dot(a, q, begin + t);
        return;
    }
    const size_t blocks = a->stride / TK_KV_BLOCK;
    float *scales = a->scores + a->rows * a->heads * tk_attention_padded(a);
    int32_t *sums = (int32_t *)(scales + blocks);
    int8_t *codes = (int8_t *)(sums + blocks);
    tk_scalar_quantize(q, a->hd, 1, a->hd, a->stride, TK_KV_BLOCK, codes, a->stride, scales, sums, blocks);
    for (size_t t = 0; t < count; t++) p[t] = a->scale * tk_scalar_dot_codes(a, codes, scales, begin + t);
}

// out = fma(p, the values of position t, out).
static void tk_scalar_add_value(const tk_attention *a, float p, size_t t, float *out) {
    if (a->type != TK_KV_I8) {
        for (size_t i = 0; i < a->hd; i++) {
            out[i] = fmaf(p, tk_scalar_kv(a->v, a->type, t * a->stride + i), out[i]);
        }
        return;
    }
    const size_t blocks = a->stride / TK_KV_BLOCK;
    for (size_t i = 0; i < a->hd; i++) {
        const float scale = tk_f32_from_f16(a->vscales[tk_kv_scale_at(t, i / TK_KV_BLOCK, blocks)]);
        out[i] = fmaf(p * scale, (float)((const int8_t *)a->v)[t * a->stride + i], out[i]);
    }
}

// One query head of one row that sees `count` positions from `begin`.
static void tk_scalar_attend(const tk_attention *a, const float *q, size_t begin, size_t count, float *p,
                             float *out) {
    tk_scalar_scores(a, q, begin, count, p);
    if (a->softcap != 0) tk_scalar_softcap(p, a->softcap, count);

    const float max = tk_scalar_max(p, count);
    float lanes[16] = {0};
    for (size_t t = 0; t < count; t++) {
        p[t] = tk_expf_ref(p[t] - max);
        lanes[t % 16] += p[t];
    }
    const float inverse = 1.0f / tk_scalar_tree(lanes);

    for (size_t i = 0; i < a->hd; i++) out[i] = 0;
    for (size_t t = 0; t < count; t++) tk_scalar_add_value(a, p[t], begin + t, out);
    for (size_t i = 0; i < a->hd; i++) out[i] *= inverse;
}

static void tk_scalar_attention(const tk_attention *a) {
    for (size_t row = 0; row < a->rows; row++) {
        const size_t hidden = tk_attention_hidden(a, row), count = a->end + row - a->begin - hidden;
        for (size_t head = 0; head < a->heads; head++) {
            tk_scalar_attend(a, a->q + row * a->qrow + head * a->ldq, a->begin + hidden, count, a->scores,
                             a->out + row * a->orow + head * a->ldo);
        }
    }
}

// Quantises block b of x; returns the scale.
static uint16_t tk_scalar_quantize_block(const float *x, size_t hd, size_t b, int8_t codes[TK_KV_BLOCK]) {
    const size_t first = b * TK_KV_BLOCK, valid = tk_min(TK_KV_BLOCK, hd - first);
    float amax = 0;
    for (size_t i = 0; i < valid; i++) {
        const float magnitude = fabsf(x[first + i]);
        if (magnitude > amax) amax = magnitude;
    }
    const uint16_t scale = tk_f16_from_f32(amax / 127.0f);
    const float stored = tk_f32_from_f16(scale), inverse = stored > 0 ? 1.0f / stored : 0.0f;
    for (size_t i = 0; i < TK_KV_BLOCK; i++) codes[i] = i < valid ? tk_scalar_code(x[first + i] * inverse) : 0;
    return scale;
}

static void tk_scalar_store_keys_i8(const float *x, size_t hd, size_t position, int8_t *codes,
                                    uint16_t *scales) {
    const size_t blocks = (hd + TK_KV_BLOCK - 1) / TK_KV_BLOCK;
    for (size_t b = 0; b < blocks; b++) {
        int8_t block[TK_KV_BLOCK];
        scales[tk_kv_scale_at(position, b, blocks)] = tk_scalar_quantize_block(x, hd, b, block);
        for (size_t i = 0; i < TK_KV_BLOCK; i++) {
            codes[tk_kv_key_at(position, b * TK_KV_BLOCK + i, blocks)] = block[i];
        }
    }
}

static void tk_scalar_store_values_i8(const float *x, size_t hd, size_t position, int8_t *codes,
                                      uint16_t *scales) {
    const size_t blocks = (hd + TK_KV_BLOCK - 1) / TK_KV_BLOCK;
    for (size_t b = 0; b < blocks; b++) {
        int8_t *block = codes + (position * blocks + b) * TK_KV_BLOCK;
        scales[tk_kv_scale_at(position, b, blocks)] = tk_scalar_quantize_block(x, hd, b, block);
    }
}

// ---- Conversions ------------------------------------------------------------------------------------------

float tk_f32_from_f16(uint16_t x) {
    const uint32_t sign = (uint32_t)(x & 0x8000) << 16;
    const uint32_t exponent = (x >> 10) & 31;
    const uint32_t mantissa = x & 0x3ff;
    if (exponent == 31) {
        const uint32_t quiet = mantissa != 0 ? 0x400000 : 0;
        return tk_float(sign | 0x7f800000 | quiet | (mantissa << 13));
    }
    if (exponent != 0) return tk_float(sign | ((exponent + 112) << 23) | (mantissa << 13));
    // Zero and denormals: mantissa * 2^-24, exact.
    return tk_float(sign | tk_bits((float)mantissa * 0x1p-24f));
}

uint16_t tk_f16_from_f32(float x) {
    const uint32_t u = tk_bits(x);
    const uint32_t sign = (u >> 16) & 0x8000;
    const uint32_t magnitude = u & 0x7fffffff;
    if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00 | ((magnitude >> 13) & 0x3ff));
    if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00); // 65520 and above round to infinity
    if (magnitude >= 0x38800000) { // normal: rebias, round half to even on the 13 dropped bits
        const uint32_t rebased = magnitude - (112u << 23);
        return (uint16_t)(sign | ((rebased + 0xfff + ((rebased >> 13) & 1)) >> 13));
    }
    // Denormal: adding 0.5 leaves the value in units of 2^-24, rounded half to even by the addition itself.
    return (uint16_t)(sign | (tk_bits(tk_float(magnitude) + 0.5f) - 0x3f000000));
}

static void tk_scalar_f32_from_f16(const uint16_t *x, size_t n, float *y) {
    for (size_t i = 0; i < n; i++) y[i] = tk_f32_from_f16(x[i]);
}

static void tk_scalar_f16_from_f32(const float *x, size_t n, uint16_t *y) {
    for (size_t i = 0; i < n; i++) y[i] = tk_f16_from_f32(x[i]);
}

static void tk_scalar_f32_from_bf16(const uint16_t *x, size_t n, float *y) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t bits = (uint32_t)x[i] << 16;
        memcpy(y + i, &bits, sizeof bits);
    }
}

const tk_kernels tk_kernels_scalar = {
    .name = "scalar",
    .gemm_i8 = tk_scalar_gemm_i8,
    .gemm_i4 = tk_scalar_gemm_i4,
    .gemm_i4z = tk_scalar_gemm_i4z,
    .gemm_f32 = tk_scalar_gemm_f32,
    .quantize = tk_scalar_quantize,
    .rmsnorm = tk_scalar_rmsnorm,
    .rope = tk_scalar_rope,
    .swiglu = tk_scalar_swiglu,
    .geglu = tk_scalar_geglu,
    .add = tk_scalar_add,
    .add_scaled = tk_scalar_add_scaled,
    .scale = tk_scalar_scale,
    .softcap = tk_scalar_softcap,
    .attention = tk_scalar_attention,
    .store_keys_i8 = tk_scalar_store_keys_i8,
    .store_values_i8 = tk_scalar_store_values_i8,
    .softmax = tk_scalar_softmax,
    .argmax = tk_scalar_argmax,
    .f32_from_f16 = tk_scalar_f32_from_f16,
    .f16_from_f32 = tk_scalar_f16_from_f32,
    .f32_from_bf16 = tk_scalar_f32_from_bf16,
};
