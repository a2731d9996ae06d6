// SPDX-License-Identifier: Apache-2.0
//
// Helpers outside the dispatch tables. Transcendental functions are built from IEEE operations alone, so that
// every machine gets the same bits whatever its C library.

#include "tk_internal.h"

#include <math.h>

// ---- Logarithm and RoPE tables ----------------------------------------------------------------------------

double tk_log_ref(double x) {
    if (x != x || x < 0) return (double)NAN;
    if (x == 0) return -(double)INFINITY;
    if (x == (double)INFINITY) return x;
    int64_t exponent = 0;
    if (x < 0x1p-1022) {
        x *= 0x1p54;
        exponent = -54;
    }
    // x = m * 2^exponent with m in [sqrt(1/2), sqrt(2)).
    const uint64_t bits = tk_bits64(x);
    exponent += (int64_t)(bits >> 52) - 1023;
    double m = tk_double((bits & 0xfffffffffffffull) | 0x3ff0000000000000ull);
    if (m >= 0x1.6a09e667f3bcdp+0) {
        m *= 0.5;
        exponent += 1;
    }
    // log m = 2 atanh(s), s = (m - 1) / (m + 1), |s| < 0.1716; the series is cut at s^21.
    const double s = (m - 1) / (m + 1);
    const double z = s * s;
    double tail = 1.0 / 21;
    for (int i = 19; i >= 3; i -= 2) tail = tail * z + 1.0 / i;
    const double mantissa = 2 * s + 2 * s * (z * tail);
    const double e = (double)exponent;
    return e * 0x1.62e42feep-1 + (mantissa + e * 0x1.a39ef35793c76p-33);
}

// exp(x) in double for |x| < 700; relative error below 1e-15 * (1 + |x|).
static double tk_exp_double(double x) {
    const double magic = 0x1.8p+52;
    const double shifted = x * 0x1.71547652b82fep+0 + magic;
    const double n = shifted - magic;
    const double r = (x - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33;
    double p = 1;
    for (int i = 14; i >= 1; i--) p = p * r / i + 1;
    return tk_double(tk_bits64(p) + (tk_bits64(shifted) << 52));
}

void tk_rope_frequencies(float base, size_t half, float *out) {
    const double log_base = tk_log_ref((double)base);
    const float rotary = (float)(2 * half);
    for (size_t i = 0; i < half; i++) {
        const float exponent = (float)(2 * i) / rotary;
        const double argument = (double)exponent * log_base;
        // Outside this range (no real base comes near it) the float power overflows or vanishes anyway.
        float power;
        if (argument > 600) {
            power = INFINITY;
        } else if (argument < -600) {
            power = 0;
        } else {
            power = (float)tk_exp_double(argument);
        }
        out[i] = 1.0f / power;
    }
}

// Cosine and sine of a float angle. The reduction by pi/2 is exact up to the second constant: the angle is a
// multiple of 2^-52 unless it is already reduced, so the first fused step leaves no rounding error.
static void tk_cos_sin(float angle, float *cosine, float *sine) {
    const double a = (double)angle;
    if (!(a > -0x1p+50 && a < 0x1p+50)) {
        *cosine = *sine = NAN;
        return;
    }
    const double magic = 0x1.8p+52;
    const double shifted = a * 0x1.45f306dc9c883p-1 + magic;
    const double n = shifted - magic;
    const double r = fma(-n, 0x1.1a62633145c07p-54, fma(-n, 0x1.921fb54442d18p+0, a));
    const double z = r * r;
    // Taylor series, cut where the next term is below 5e-17 for |r| <= pi/4.
    double s = 1, c = 1;
    for (int i = 14; i >= 2; i -= 2) s = 1 - z * s / (i * (i + 1));
    for (int i = 16; i >= 2; i -= 2) c = 1 - z * c / (i * (i - 1));
    s *= r;
    switch (tk_bits64(shifted) & 3) {
    case 0: *cosine = (float)c, *sine = (float)s; break;
    case 1: *cosine = (float)-s, *sine = (float)c; break;
    case 2: *cosine = (float)-c, *sine = (float)-s; break;
    default: *cosine = (float)s, *sine = (float)-c; break;
    }
}

void tk_rope_row(size_t position, const float *freq, size_t half, float factor, float *out) {
    for (size_t i = 0; i < half; i++) {
        tk_cos_sin((float)position * freq[i], out + i, out + half + i);
        out[i] *= factor;
        out[half + i] *= factor;
    }
}

// ---- Panels -----------------------------------------------------------------------------------------------

void tk_gather_f32(const float *w, size_t kp, size_t n, size_t k, float *out) {
    const float *panel = w + n / 16 * kp * 16 + n % 16;
    for (size_t i = 0; i < k; i++) out[i] = panel[i * 16];
}

void tk_gather_i8(const void *w, const uint16_t *wscales, size_t kp, size_t gw, size_t n, size_t k,
                  float *out) {
    const int8_t *panel = (const int8_t *)w + n / 16 * kp * 16 + n % 16 * 4;
    const uint16_t *scales = wscales + n / 16 * (kp / gw) * 16 + n % 16;
    for (size_t first = 0; first < k; first += gw) {
        const float scale = tk_f32_from_f16(scales[first / gw * 16]);
        const size_t last = tk_min(first + gw, k);
        for (size_t i = first; i < last; i++) out[i] = (float)panel[i / 4 * 64 + i % 4] * scale;
    }
}

void tk_gather_i4(const void *w, const uint16_t *wscales, size_t kp, size_t gw, size_t n, size_t k,
                  float *out) {
    const uint8_t *panel = (const uint8_t *)w + n / 16 * kp * 8 + n % 16 * 4;
    const uint16_t *scales = wscales + n / 16 * (kp / gw) * 16 + n % 16;
    for (size_t first = 0; first < k; first += gw) {
        const float scale = tk_f32_from_f16(scales[first / gw * 16]);
        const size_t last = tk_min(first + gw, k);
        for (size_t i = first; i < last; i++) {
            const int byte = panel[i / 8 * 64 + i % 4];
            const int nibble = i % 8 < 4 ? byte & 15 : byte >> 4;
            out[i] = (float)(nibble - 8) * scale;
        }
    }
}

void tk_gather_i4z(const void *w, const void *wscales, size_t kp, size_t gw, size_t n, size_t k, float *out) {
    const uint8_t *panel = (const uint8_t *)w + n / 16 * kp * 8 + n % 16 * 4;
    const uint8_t *block = (const uint8_t *)wscales + n / 16 * (TK_I4Z_FACTORS + kp / gw * 32);
    const uint8_t *codes = block + TK_I4Z_FACTORS + n % 16;
    const float d = ((const float *)block)[n % 16], m = ((const float *)block)[16 + n % 16];
    for (size_t first = 0; first < k; first += gw, codes += 32) {
        const int s = codes[0];
        const float shift = (float)(int8_t)codes[16] * m;
        const size_t last = tk_min(first + gw, k);
        for (size_t i = first; i < last; i++) {
            const int byte = panel[i / 8 * 64 + i % 4];
            const int nibble = i % 8 < 4 ? byte & 15 : byte >> 4;
            out[i] = (float)((nibble - 8) * s) * d + shift;
        }
    }
}

// Four bytes at `k` of a row of `count`; those beyond it are 0.
static uint32_t tk_word(const int8_t *row, size_t k, size_t count) {
    uint32_t word = 0;
    if (k < count) memcpy(&word, row + k, tk_min(4, count - k));
    return word;
}

// Four values -8...7 as they are stored: value + 8 in the low half of a byte.
static uint32_t tk_nibbles(uint32_t word) { return (word & 0x0f0f0f0f) ^ 0x08080808; }

void tk_pack_panel_i8(const int8_t *values, size_t ldv, size_t rows, size_t k, size_t kp, uint8_t *panel) {
    memset(panel, 0, kp * 16);
    for (size_t n = 0; n < rows; n++) {
        const int8_t *row = values + n * ldv;
        uint8_t *out = panel + n * 4;
        size_t i = 0;
        for (; i + 4 <= k; i += 4) memcpy(out + i * 16, row + i, 4);
        if (i < k) memcpy(out + i * 16, row + i, k - i);
    }
}

void tk_pack_panel_i4(const int8_t *values, size_t ldv, size_t rows, size_t k, size_t kp, uint8_t *panel) {
    memset(panel, 0x88, kp * 8);
    for (size_t n = 0; n < rows; n++) {
        const int8_t *row = values + n * ldv;
        uint8_t *out = panel + n * 4;
        size_t i = 0;
        for (; i + 8 <= k; i += 8) {
            uint32_t low, high;
            memcpy(&low, row + i, 4);
            memcpy(&high, row + i + 4, 4);
            const uint32_t word = tk_nibbles(low) | tk_nibbles(high) << 4;
            memcpy(out + i * 8, &word, 4);
        }
        if (i < k) {
            const uint32_t word = tk_nibbles(tk_word(row, i, k)) | tk_nibbles(tk_word(row, i + 4, k)) << 4;
            memcpy(out + i * 8, &word, 4);
        }
    }
}

void tk_pack_panel_f32(const float *values, size_t ldv, size_t rows, size_t k, float *panel) {
    memset(panel, 0, k * 16 * sizeof(float));
    for (size_t n = 0; n < rows; n++) {
        for (size_t i = 0; i < k; i++) panel[i * 16 + n] = values[n * ldv + i];
    }
}
