// SPDX-License-Identifier: Apache-2.0
//
// Products of 9 ... 16 rows and int8 weights with AVX-512 VNNI: the block lengths of verification. All rows
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

// Copies columns k0 ..< k1 of R rows to q16[(k - k0) / 4][row]; rows beyond the last repeat it.
TK_INLINE void tk512_gather(const tk_qgemm *a, size_t k0, size_t k1, int32_t *q16) {
    for (size_t k = k0; k < k1; k += 64) {
        const __mmask16 valid = (__mmask16)(k + 64 <= k1 ? 0xffff : 0xff);
        __m512i in[16], out[16];
        TK_UNROLL
        for (int r = 0; r < 16; r++) {
            in[r] = _mm512_maskz_loadu_epi32(valid, a->q + tk_min((size_t)r, a->rows - 1) * a->ldq + k);
        }
        tk512_transpose(in, out);
        TK_UNROLL
        for (int i = 0; i < 16; i++) {
            if (i < 8 || valid == 0xffff) _mm512_store_si512(q16 + (k - k0) / 4 * 16 + (size_t)i * 16, out[i]);
        }
    }
}

// One panel, columns k0 ..< k1, R rows; sums continue in `acc` [R][16]. Scales and sums of row r begin at at[r].
// Towards its end the weights at `ahead` are fetched, where the next call begins.
TK_INLINE void tk512_wide_panel(const tk_qgemm *a, size_t panel, const int R, size_t k0, size_t k1,
                                const size_t at[16], const int32_t *q16, const uint8_t *ahead, float *acc) {
    enum { distance = 8192 };
    const uint8_t *w = (const uint8_t *)a->w + panel * tk_panel_bytes(a, TK_I8) + k0 * 16;
    const uint8_t *const end = w + (k1 - k0) * 16;
    const uint8_t *ws = tk_panel_scales(a, panel, TK_I8) + k0 / a->gw * 32;
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    const size_t first = k0 / a->ga, last = k1 / a->ga, per_scale = a->gw / a->ga, steps = a->ga / 16;
    __m512 wscale = tk512_scales(ws, TK_I8);
    size_t until_scale = per_scale - first % per_scale;
    for (size_t g = first; g < last; g++) {
        __m512i dot[16];
        TK_UNROLL
        for (int r = 0; r < R; r++) dot[r] = _mm512_set1_epi32(a->sums[at[r] + g] * -128);
        for (size_t step = 0; step < steps; step++) {
            const size_t left = (size_t)(end - w);
            const uint8_t *fetch = left > distance ? w + distance : ahead + (distance - left);
            TK_UNROLL
            for (int j = 0; j < 4; j++) {
                _mm_prefetch((const char *)fetch + j * 64, _MM_HINT_T0);
                const __m512i wv = _mm512_xor_si512(_mm512_loadu_si512(w + j * 64), flip);
                TK_UNROLL
                for (int r = 0; r < R; r++) {
                    dot[r] = _mm512_dpbusd_epi32(dot[r], wv, _mm512_set1_epi32(q16[j * 16 + r]));
                }
            }
            w += 256;
            q16 += 4 * 16;
        }
        if (until_scale == 0) {
            ws += 32;
            wscale = tk512_scales(ws, TK_I8);
            until_scale = per_scale;
        }
        until_scale--;
        TK_UNROLL
        for (int r = 0; r < R; r++) {
            const __m512 scale = _mm512_mul_ps(wscale, _mm512_set1_ps(a->scales[at[r] + g]));
            const __m512 sum = _mm512_load_ps(acc + r * 16);
            _mm512_store_ps(acc + r * 16, _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[r]), scale, sum));
        }
    }
}

// All rows, 9 ... 16, of panels panel0 ..< panel1.
static void tk512_wide(const tk_qgemm *a, size_t panel0, size_t panel1) {
    int32_t q16[TK_WIDE_K / 4 * 16] __attribute__((aligned(64)));
    float acc[16 * 16] __attribute__((aligned(64)));
    size_t at[16];
    for (size_t r = 0; r < 16; r++) at[r] = tk_min(r, a->rows - 1) * a->lds;
    const size_t bytes = tk_panel_bytes(a, TK_I8);
    for (size_t k0 = 0, k1; k0 < a->kp; k0 = k1) {
        k1 = tk_min(k0 + TK_WIDE_K, a->kp);
        tk512_gather(a, k0, k1, q16);
        for (size_t panel = panel0; panel < panel1; panel++) {
            float *y = a->y + panel * 16;
            memset(acc, 0, sizeof acc);
            for (size_t r = 0; k0 > 0 && r < a->rows; r++) {
                _mm512_store_ps(acc + r * 16, _mm512_loadu_ps(y + r * a->ldy));
            }
            const size_t next = panel + 1 < panel1 ? panel + 1 : panel;
            const uint8_t *ahead = (const uint8_t *)a->w + next * bytes + k0 * 16;
            if (a->rows <= 12) {
                tk512_wide_panel(a, panel, 12, k0, k1, at, q16, ahead, acc);
            } else {
                tk512_wide_panel(a, panel, 16, k0, k1, at, q16, ahead, acc);
            }
            for (size_t r = 0; r < a->rows; r++) _mm512_storeu_ps(y + r * a->ldy, _mm512_load_ps(acc + r * 16));
        }
    }
}
