// SPDX-License-Identifier: Apache-2.0
//
// Quantised matrix products of 9 ... 16 rows with AVX-512 VNNI: the block lengths of verification. All rows
// take part in one pass over the weights, which come from memory, so that reading and multiplying overlap.
// Include it after tk_gemm512.h.
//
// One panel and 16 rows need 16 activations for every weight line. These are copied next to one another first,
// [k / 4][row] of four int8 each: one pointer and one cache line instead of 16 of both.

// Columns copied at a time: 32 KiB of activations.
#define TK_WIDE_K 2048

// The transpose of 16 x 16 int32.
TK_INLINE void tk512_transpose(const __m512i in[16], __m512i out[16]) {
    __m512i a[16], b[16];
    TK_UNROLL
    for (int i = 0; i < 16; i += 2) {
        a[i] = _mm512_unpacklo_epi32(in[i], in[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi32(in[i], in[i + 1]);
    }
    TK_UNROLL
    for (int i = 0; i < 16; i += 4) {
        b[i] = _mm512_unpacklo_epi64(a[i], a[i + 2]);
        b[i + 1] = _mm512_unpackhi_epi64(a[i], a[i + 2]);
        b[i + 2] = _mm512_unpacklo_epi64(a[i + 1], a[i + 3]);
        b[i + 3] = _mm512_unpackhi_epi64(a[i + 1], a[i + 3]);
    }
    // Quarter l of b[4 * i + c] holds rows 4 * i ... 4 * i + 3 of column 4 * l + c.
    TK_UNROLL
    for (int c = 0; c < 4; c++) {
        const __m512i even0 = _mm512_shuffle_i32x4(b[c], b[4 + c], 0x88);
        const __m512i even1 = _mm512_shuffle_i32x4(b[8 + c], b[12 + c], 0x88);
        const __m512i odd0 = _mm512_shuffle_i32x4(b[c], b[4 + c], 0xdd);
        const __m512i odd1 = _mm512_shuffle_i32x4(b[8 + c], b[12 + c], 0xdd);
        out[c] = _mm512_shuffle_i32x4(even0, even1, 0x88);
        out[4 + c] = _mm512_shuffle_i32x4(odd0, odd1, 0x88);
        out[8 + c] = _mm512_shuffle_i32x4(even0, even1, 0xdd);
        out[12 + c] = _mm512_shuffle_i32x4(odd0, odd1, 0xdd);
    }
}

// Copies columns k0 ..< k1 of R rows to q16[(k - k0) / 4][row].
TK_INLINE void tk512_gather(const tk_qgemm *a, size_t row, const int R, size_t k0, size_t k1,
                            int32_t *q16) {
    for (size_t k = k0; k < k1; k += 64) {
        const __mmask16 valid = (__mmask16)(k + 64 <= k1 ? 0xffff : 0xff);
        __m512i in[16], out[16];
        TK_UNROLL
        for (int r = 0; r < 16; r++) {
            const int8_t *from = a->q + (row + (size_t)(r < R ? r : 0)) * a->ldq + k;
            in[r] = _mm512_maskz_loadu_epi32(valid, from);
        }
        tk512_transpose(in, out);
        TK_UNROLL
        for (int i = 0; i < 16; i++) {
            if (i < 8 || valid == 0xffff) _mm512_store_si512(q16 + (k - k0) / 4 * 16 + (size_t)i * 16, out[i]);
        }
    }
}

// One panel, columns k0 ..< k1, R rows; sums continue in `acc` [R][16]. Towards its end the weights at `ahead`
// are fetched, where the next call begins.
TK_INLINE void tk512_wide_panel(const tk_qgemm *a, size_t panel, size_t row, const int R, size_t k0, size_t k1,
                                const int kind, const int32_t *q16, const uint8_t *ahead, float *acc) {
    enum { distance = 8192 };
    const int lines = kind == TK_I8 ? 8 : 4;
    const size_t k_bytes = kind == TK_I8 ? 16 : 8;
    const uint8_t *w = (const uint8_t *)a->w + panel * tk_panel_bytes(a, kind) + k0 * k_bytes;
    const uint8_t *const end = w + (k1 - k0) * k_bytes;
    const uint8_t *ws = tk_panel_scales(a, panel, kind) + k0 / a->gw * 32;
    if (kind == TK_I4Z) ws += TK_I4Z_FACTORS;
    const __m512i flip = _mm512_set1_epi8((char)0x80), nibble = _mm512_set1_epi8(15);
    const size_t first = k0 / a->ga, last = k1 / a->ga, per_scale = a->gw / a->ga, parts = a->ga / 32;
    const float *as = a->scales + row * a->lds;
    const int32_t *sums = a->sums + row * a->lds;
    __m512 wscale = tk512_scales(ws, kind);
    size_t until_scale = per_scale - first % per_scale;
    for (size_t g = first; g < last; g++) {
        __m512i dot[16];
        TK_UNROLL
        for (int r = 0; r < R; r++) {
            dot[r] = _mm512_set1_epi32(sums[(size_t)r * a->lds + g] * (kind == TK_I8 ? -128 : -8));
        }
        for (size_t part = 0; part < parts; part++) {
            const size_t left = (size_t)(end - w);
            const uint8_t *fetch = left > distance ? w + distance : ahead + (distance - left);
            TK_UNROLL
            for (int j = 0; j < lines; j++) {
                _mm_prefetch((const char *)fetch + j * 64, _MM_HINT_T0);
                const __m512i line = _mm512_loadu_si512(w + j * 64);
                if (kind == TK_I8) {
                    const __m512i wv = _mm512_xor_si512(line, flip);
                    TK_UNROLL
                    for (int r = 0; r < R; r++) {
                        dot[r] = _mm512_dpbusd_epi32(dot[r], wv, _mm512_set1_epi32(q16[j * 16 + r]));
                    }
                } else {
                    const __m512i low = _mm512_and_si512(line, nibble);
                    const __m512i high = _mm512_and_si512(_mm512_srli_epi16(line, 4), nibble);
                    TK_UNROLL
                    for (int r = 0; r < R; r++) {
                        dot[r] = _mm512_dpbusd_epi32(dot[r], low, _mm512_set1_epi32(q16[j * 32 + r]));
                    }
                    TK_UNROLL
                    for (int r = 0; r < R; r++) {
                        dot[r] = _mm512_dpbusd_epi32(dot[r], high, _mm512_set1_epi32(q16[j * 32 + 16 + r]));
                    }
                }
            }
            w += 32 * k_bytes;
            q16 += 8 * 16;
        }
        if (until_scale == 0) {
            ws += 32;
            wscale = tk512_scales(ws, kind);
            until_scale = per_scale;
        }
        until_scale--;
        TK_UNROLL
        for (int r = 0; r < R; r++) {
            const __m512 scale = _mm512_mul_ps(wscale, _mm512_set1_ps(as[(size_t)r * a->lds + g]));
            const __m512 sum = _mm512_load_ps(acc + r * 16);
            _mm512_store_ps(acc + r * 16, _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[r]), scale, sum));
        }
    }
}

// 9 ... 16 rows from `row`, panels panel0 ..< panel1.
TK_INLINE void tk512_wide(const tk_qgemm *a, size_t row, const int R, size_t panel0, size_t panel1,
                          const int kind) {
    int32_t q16[TK_WIDE_K / 4 * 16] __attribute__((aligned(64)));
    float acc[16 * 16] __attribute__((aligned(64)));
    const size_t bytes = tk_panel_bytes(a, kind), k_bytes = kind == TK_I8 ? 16 : 8;
    for (size_t k0 = 0, k1; k0 < a->kp; k0 = k1) {
        k1 = tk_min(k0 + TK_WIDE_K, a->kp);
        tk512_gather(a, row, R, k0, k1, q16);
        for (size_t panel = panel0; panel < panel1; panel++) {
            float *y = a->y + row * a->ldy + panel * 16;
            TK_UNROLL
            for (int r = 0; r < R; r++) {
                const __m512 before = k0 == 0 ? _mm512_setzero_ps() : _mm512_loadu_ps(y + (size_t)r * a->ldy);
                _mm512_store_ps(acc + r * 16, before);
            }
            const size_t next = panel + 1 < panel1 ? panel + 1 : panel;
            const uint8_t *ahead = (const uint8_t *)a->w + next * bytes + k0 * k_bytes;
            tk512_wide_panel(a, panel, row, R, k0, k1, kind, q16, ahead, acc);
            __m512 sum[16];
            TK_UNROLL
            for (int r = 0; r < R; r++) sum[r] = _mm512_load_ps(acc + r * 16);
            if (kind == TK_I4Z && k1 == a->kp) tk512_offsets(a, panel, row, R, 1, sum);
            TK_UNROLL
            for (int r = 0; r < R; r++) _mm512_storeu_ps(y + (size_t)r * a->ldy, sum[r]);
        }
    }
}
