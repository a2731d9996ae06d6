// SPDX-License-Identifier: Apache-2.0
//
// Products of 9 ... 16 rows and int8 weights with AVX-512 VNNI: the block lengths of verification. All rows
// take part in one pass over the weights, which come from memory, so that reading and multiplying overlap.
// Include it after tk_gemm512.h.
//
// Up to 12 rows take one panel at a time, one stream from memory, which it delivers fastest. Their activations are
// copied next to one another first: one pointer and one cache line instead of 12 of both. More rows are bound by
// the loads of their activations, so they take two panels, which share these. Then the sums do not fit the
// registers: each group of columns is done for the first eight rows, then for the last eight, which find the weights
// in the first-level cache.

// Sums of whole groups stay where they are. Without it the compiler keeps a second copy of what does not fit the
// registers, and stores both.
#define TK_KEEP_IN_MEMORY() __asm__ volatile("" ::: "memory")

// Columns copied at a time: 32 KiB of activations.
#define TK_WIDE_K 2048

// The copy: four int8 of each row, then, for each group, what its sums begin with and its scale. Rows beyond the
// last repeat it.
typedef struct {
    int32_t q[TK_WIDE_K / 4][16];
    int32_t starts[TK_WIDE_K / 32][16];
    float scales[TK_WIDE_K / 32][16];
} tk512_block __attribute__((aligned(64)));

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

// Copies columns k0 ..< k1 of all rows. The sums of products with w + 128 start at -128 times the activations' sum.
static void tk512_gather(const tk_qgemm *a, size_t k0, size_t k1, tk512_block *x) {
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
            if (i < 8 || valid == 0xffff) _mm512_store_si512(x->q[(k - k0) / 4 + (size_t)i], out[i]);
        }
    }
    const size_t first = k0 / a->ga, count = (k1 - k0) / a->ga;
    for (size_t r = 0; r < 16; r++) {
        const size_t at = tk_min(r, a->rows - 1) * a->lds + first;
        for (size_t g = 0; g < count; g++) {
            x->starts[g][r] = a->sums[at + g] * -128;
            x->scales[g][r] = a->scales[at + g];
        }
    }
}

// What the sums of eight rows and two panels need of the rows: the activations, where their sums begin, scales.
typedef struct {
    const int8_t *q;
    const int32_t *sums;
    const float *scales;
} tk512_rows;

// One group of two panels `next` bytes apart and eight rows, `steps` times 16 columns; what it adds goes to
// acc[2 * row + panel]. The lines at `fetch` are fetched, as many as a panel has here.
TK_INLINE void tk512_pair_group(const uint8_t *w, size_t next, size_t steps, const tk512_rows x, size_t ldq,
                                size_t lds, const __m512 wscale[2], const uint8_t *fetch, float (*acc)[16]) {
    const __m512i flip = _mm512_set1_epi8((char)0x80), zero = _mm512_setzero_si512();
    const int8_t *q = x.q;
    __m512i dot[16];
    TK_UNROLL
    for (int r = 0; r < 8; r++) {
        const __m512i sum = _mm512_set1_epi32(x.sums[(size_t)r * lds]);
        dot[2 * r] = dot[2 * r + 1] = _mm512_sub_epi32(zero, _mm512_slli_epi32(sum, 7));
    }
    for (; steps > 0; steps--) {
        TK_UNROLL
        for (int j = 0; j < 4; j++) {
            _mm_prefetch((const char *)fetch + j * 64, _MM_HINT_T0);
            const __m512i w0 = _mm512_xor_si512(_mm512_loadu_si512(w + j * 64), flip);
            const __m512i w1 = _mm512_xor_si512(_mm512_loadu_si512(w + next + j * 64), flip);
            TK_UNROLL
            for (int r = 0; r < 8; r++) {
                const __m512i qv = _mm512_set1_epi32(tk_load32(q + (size_t)r * ldq + j * 4));
                dot[2 * r] = _mm512_dpbusd_epi32(dot[2 * r], w0, qv);
                dot[2 * r + 1] = _mm512_dpbusd_epi32(dot[2 * r + 1], w1, qv);
            }
        }
        w += 256;
        fetch += 256;
        q += 16;
    }
    TK_UNROLL
    for (int r = 0; r < 8; r++) {
        const __m512 scale = _mm512_set1_ps(x.scales[(size_t)r * lds]);
        TK_UNROLL
        for (int i = 2 * r; i < 2 * r + 2; i++) {
            const __m512 total = _mm512_cvtepi32_ps(dot[i]), both = _mm512_mul_ps(wscale[i % 2], scale);
            _mm512_store_ps(acc[i], _mm512_fmadd_ps(total, both, _mm512_load_ps(acc[i])));
        }
    }
}

// Panels `panel` and the one after it, 9 ... 16 rows: the first eight and the last eight, some of them twice. Towards
// their end the weights at `ahead` are fetched, where the next pair begins. Not inlined, for the registers' sake.
TK_NOINLINE void tk512_pair(const tk_qgemm *a, size_t panel, const uint8_t *ahead, float (*acc)[16]) {
    enum { distance = 4096 };
    const size_t next = tk_panel_bytes(a, TK_I8), row = a->rows - 8;
    const size_t ga = a->ga, per_scale = a->gw / ga, ldq = a->ldq, lds = a->lds;
    const uint8_t *w = (const uint8_t *)a->w + panel * next;
    const uint8_t *const end = w + a->kp * 16;
    const uint8_t *ws = tk_panel_scales(a, panel, TK_I8);
    const size_t next_scales = (size_t)(tk_panel_scales(a, panel + 1, TK_I8) - ws);
    tk512_rows first = {a->q, a->sums, a->scales};
    tk512_rows last = {a->q + row * ldq, a->sums + row * lds, a->scales + row * lds};
    __m512 wscale[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    size_t until_scale = 0;
    for (; w < end; w += ga * 16) {
        if (until_scale == 0) {
            wscale[0] = tk512_scales(ws, TK_I8);
            wscale[1] = tk512_scales(ws + next_scales, TK_I8);
            ws += 32;
            until_scale = per_scale;
        }
        until_scale--;
        TK_KEEP_IN_MEMORY();
        const size_t left = (size_t)(end - w);
        const uint8_t *fetch = left > distance ? w + distance : ahead + (distance - left);
        tk512_pair_group(w, next, ga / 16, first, ldq, lds, wscale, fetch, acc);
        TK_KEEP_IN_MEMORY();
        tk512_pair_group(w, next, ga / 16, last, ldq, lds, wscale, fetch + next, acc + 16);
        first = (tk512_rows){first.q + ga, first.sums + 1, first.scales + 1};
        last = (tk512_rows){last.q + ga, last.sums + 1, last.scales + 1};
    }
}

// One panel, columns k0 ..< k1, 12 rows; sums continue in `acc`. Towards its end the weights at `ahead` are fetched,
// where the next call begins.
TK_NOINLINE void tk512_12_rows(const tk_qgemm *a, size_t panel, size_t k0, size_t k1, const tk512_block *x,
                               const uint8_t *ahead, float (*acc)[16]) {
    enum { distance = 8192 };
    const uint8_t *w = (const uint8_t *)a->w + panel * tk_panel_bytes(a, TK_I8) + k0 * 16;
    const uint8_t *const end = w + (k1 - k0) * 16;
    const uint8_t *ws = tk_panel_scales(a, panel, TK_I8) + k0 / a->gw * 32;
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    const size_t per_scale = a->gw / a->ga, steps = a->ga / 16;
    const int32_t(*q)[16] = x->q;
    __m512 wscale = tk512_scales(ws, TK_I8);
    size_t until_scale = per_scale - k0 / a->ga % per_scale;
    for (size_t g = 0; w < end; g++) {
        __m512i dot[12];
        TK_UNROLL
        for (int r = 0; r < 12; r++) dot[r] = _mm512_set1_epi32(x->starts[g][r]);
        for (size_t step = 0; step < steps; step++) {
            const size_t left = (size_t)(end - w);
            const uint8_t *fetch = left > distance ? w + distance : ahead + (distance - left);
            TK_UNROLL
            for (int j = 0; j < 4; j++) {
                _mm_prefetch((const char *)fetch + j * 64, _MM_HINT_T0);
                const __m512i wv = _mm512_xor_si512(_mm512_loadu_si512(w + j * 64), flip);
                TK_UNROLL
                for (int r = 0; r < 12; r++) {
                    dot[r] = _mm512_dpbusd_epi32(dot[r], wv, _mm512_set1_epi32(q[j][r]));
                }
            }
            w += 256;
            q += 4;
        }
        if (until_scale == 0) {
            ws += 32;
            wscale = tk512_scales(ws, TK_I8);
            until_scale = per_scale;
        }
        until_scale--;
        TK_KEEP_IN_MEMORY();
        TK_UNROLL
        for (int r = 0; r < 12; r++) {
            const __m512 scale = _mm512_mul_ps(wscale, _mm512_set1_ps(x->scales[g][r]));
            _mm512_store_ps(acc[r], _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[r]), scale, _mm512_load_ps(acc[r])));
        }
    }
}

// 9 ... 12 rows of panels panel0 ..< panel1.
static void tk512_to_12_rows(const tk_qgemm *a, size_t panel0, size_t panel1) {
    tk512_block x;
    float acc[12][16] __attribute__((aligned(64)));
    const size_t bytes = tk_panel_bytes(a, TK_I8);
    for (size_t k0 = 0, k1; k0 < a->kp; k0 = k1) {
        k1 = tk_min(k0 + TK_WIDE_K, a->kp);
        tk512_gather(a, k0, k1, &x);
        for (size_t panel = panel0; panel < panel1; panel++) {
            float *y = a->y + panel * 16;
            memset(acc, 0, sizeof acc);
            for (size_t r = 0; k0 > 0 && r < a->rows; r++) {
                _mm512_store_ps(acc[r], _mm512_loadu_ps(y + r * a->ldy));
            }
            const size_t after = panel + 1 < panel1 ? panel + 1 : panel;
            tk512_12_rows(a, panel, k0, k1, &x, (const uint8_t *)a->w + after * bytes + k0 * 16, acc);
            for (size_t r = 0; r < a->rows; r++) _mm512_storeu_ps(y + r * a->ldy, _mm512_load_ps(acc[r]));
        }
    }
}

// Rows 9 ... 16 of panels panel0 ..< panel1; returns where it stopped, which may be before the last one.
static size_t tk512_wide(const tk_qgemm *a, size_t panel0, size_t panel1) {
    if (a->rows <= 12) {
        tk512_to_12_rows(a, panel0, panel1);
        return panel1;
    }
    float acc[16 * 2][16] __attribute__((aligned(64)));
    const size_t bytes = tk_panel_bytes(a, TK_I8);
    for (; panel0 + 2 <= panel1; panel0 += 2) {
        const size_t after = panel0 + 4 <= panel1 ? panel0 + 2 : panel0;
        const uint8_t *ahead = (const uint8_t *)a->w + after * bytes;
        // A line of every page of the next pair: their addresses are looked up side by side, not one by one later.
        for (size_t at = 0; at < 2 * bytes; at += 4096) _mm_prefetch((const char *)ahead + at, _MM_HINT_T0);
        memset(acc, 0, sizeof acc);
        tk512_pair(a, panel0, ahead, acc);
        for (size_t i = 0; i < 32; i++) {
            const size_t row = i / 2 < 8 ? i / 2 : a->rows - 16 + i / 2;
            _mm512_storeu_ps(a->y + row * a->ldy + (panel0 + i % 2) * 16, _mm512_load_ps(acc[i]));
        }
    }
    return panel0;
}
