// SPDX-License-Identifier: Apache-2.0
//
// Products of 7 ... 16 rows and int8 weights with AVX-512 VNNI: the block lengths of verification. All rows
// take part in one pass over the weights, one panel after the other: memory delivers one stream fastest, and
// reading and multiplying overlap as long as nothing interrupts it. The activations lie interleaved, one pointer and
// one cache line instead of 16 of both. Include it after tk_gemm512.h.

// Sums of whole groups stay where they are. Without it the compiler keeps a second copy of what does not fit the
// registers, and stores both.
#define TK_KEEP_IN_MEMORY() __asm__ volatile("" ::: "memory")

// Interleaved activations: four int8 of each row, for all columns; then, for each group, what the sums of its products
// begin with; then the scales. Rows beyond the last repeat it.
typedef struct {
    const int32_t (*q)[16];
    const int32_t (*starts)[16];
    const float (*scales)[16];
} tk512_rows;

TK_INLINE tk512_rows tk512_interleaved_rows(const tk_qgemm *a, const void *interleaved) {
    const int32_t(*q)[16] = interleaved, (*starts)[16] = q + a->kp / 4;
    return (tk512_rows){q, starts, (const float(*)[16])(starts + a->kp / a->ga)};
}

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

// Sums of products with w + 128 start at -128 times the activations' sum.
static void tk512_interleave(const tk_qgemm *a, void *out) {
    const tk512_rows x = tk512_interleaved_rows(a, out);
    int32_t(*q)[16] = (int32_t(*)[16])x.q, (*starts)[16] = (int32_t(*)[16])x.starts;
    float(*scales)[16] = (float(*)[16])x.scales;
    for (size_t k = 0; k < a->kp; k += 64) {
        const __mmask16 valid = (__mmask16)(k + 64 <= a->kp ? 0xffff : 0xff);
        __m512i rows[16], lines[16];
        TK_UNROLL
        for (int r = 0; r < 16; r++) {
            rows[r] = _mm512_maskz_loadu_epi32(valid, a->q + tk_min((size_t)r, a->rows - 1) * a->ldq + k);
        }
        tk512_transpose(rows, lines);
        TK_UNROLL
        for (int i = 0; i < 16; i++) {
            if (i < 8 || valid == 0xffff) _mm512_store_si512(q[k / 4 + (size_t)i], lines[i]);
        }
    }
    for (size_t r = 0; r < 16; r++) {
        const size_t at = tk_min(r, a->rows - 1) * a->lds;
        for (size_t g = 0; g < a->kp / a->ga; g++) {
            starts[g][r] = a->sums[at + g] * -128;
            scales[g][r] = a->scales[at + g];
        }
    }
}

// One panel and R rows, at most 16; `acc` receives the sums. Towards its end the weights at `ahead` are fetched, where the
// next panel begins. Rows from the 13th on come from their line by permutation: beyond 12 loads of activations for every load of
// weights, loads would take longer than products.
TK_INLINE void tk512_wide_panel(const tk_qgemm *a, size_t panel, const int R, const tk512_rows x,
                                const uint8_t *ahead, float (*acc)[16]) {
    enum { distance = 8192, loaded = 12 };
    const uint8_t *w = (const uint8_t *)a->w + panel * tk_panel_bytes(a, TK_I8);
    const uint8_t *const end = w + a->kp * 16;
    const uint8_t *ws = tk_panel_scales(a, panel, TK_I8);
    const __m512i flip = _mm512_set1_epi8((char)0x80);
    const size_t per_scale = a->gw / a->ga, steps = a->ga / 16;
    const int32_t(*q)[16] = x.q;
    __m512i place[16 - loaded];
    TK_UNROLL
    for (int r = loaded; r < R; r++) {
        place[r - loaded] = _mm512_set1_epi32(r);
        // In a register: the compiler would load it every time.
        __asm__("" : "+v"(place[r - loaded]));
    }
    TK_UNROLL
    for (int r = 0; r < R; r++) _mm512_store_ps(acc[r], _mm512_setzero_ps());
    __m512 wscale = _mm512_setzero_ps();
    size_t until_scale = 0;
    for (size_t g = 0; w < end; g++) {
        __m512i dot[16];
        TK_UNROLL
        for (int r = 0; r < R; r++) dot[r] = _mm512_set1_epi32(x.starts[g][r]);
        for (size_t step = 0; step < steps; step++) {
            const size_t left = (size_t)(end - w);
            const uint8_t *fetch = left > distance ? w + distance : ahead + (distance - left);
            TK_UNROLL
            for (int j = 0; j < 4; j++) {
                _mm_prefetch((const char *)fetch + j * 64, _MM_HINT_NTA);
                const __m512i wv = _mm512_xor_si512(_mm512_loadu_si512(w + j * 64), flip);
                const __m512i line = _mm512_load_si512(q[j]);
                TK_UNROLL
                for (int r = 0; r < R; r++) {
                    const __m512i qv = r < loaded ? _mm512_set1_epi32(q[j][r])
                                                  : _mm512_permutexvar_epi32(place[r - loaded], line);
                    dot[r] = _mm512_dpbusd_epi32(dot[r], wv, qv);
                }
            }
            w += 256;
            q += 4;
        }
        if (until_scale == 0) {
            wscale = tk512_scales(ws, TK_I8);
            ws += 32;
            until_scale = per_scale;
        }
        until_scale--;
        TK_KEEP_IN_MEMORY();
        TK_UNROLL
        for (int r = 0; r < R; r++) {
            const __m512 scale = _mm512_mul_ps(wscale, _mm512_set1_ps(x.scales[g][r]));
            _mm512_store_ps(acc[r], _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot[r]), scale, _mm512_load_ps(acc[r])));
        }
    }
}

// Not inlined, for the registers' sake. A row that is only there to fill up costs as much as one of the text, so most numbers of
// rows have a function of their own; more of them would make the library longer than they are worth.
#define TK_WIDE_PANEL(R)                                                                                             \
    TK_NOINLINE void tk512_wide_panel_##R(const tk_qgemm *a, size_t panel, const tk512_rows x, const uint8_t *ahead, \
                                          float (*acc)[16]) {                                                        \
        tk512_wide_panel(a, panel, R, x, ahead, acc);                                                                \
    }
TK_WIDE_PANEL(7)
TK_WIDE_PANEL(8)
TK_WIDE_PANEL(9)
TK_WIDE_PANEL(10)
TK_WIDE_PANEL(12)
TK_WIDE_PANEL(14)
TK_WIDE_PANEL(16)
#undef TK_WIDE_PANEL

// 7 ... 16 rows, interleaved, of panels panel0 ..< panel1.
static void tk512_wide(const tk_qgemm *a, size_t panel0, size_t panel1) {
    const tk512_rows x = tk512_interleaved_rows(a, a->interleaved);
    float acc[16][16] __attribute__((aligned(64)));
    const size_t bytes = tk_panel_bytes(a, TK_I8);
    static void (*const by_rows[])(const tk_qgemm *, size_t, tk512_rows, const uint8_t *, float(*)[16]) = {
        tk512_wide_panel_7,  tk512_wide_panel_8,  tk512_wide_panel_9,  tk512_wide_panel_10, tk512_wide_panel_12,
        tk512_wide_panel_12, tk512_wide_panel_14, tk512_wide_panel_14, tk512_wide_panel_16, tk512_wide_panel_16,
    };
    void (*const run)(const tk_qgemm *, size_t, tk512_rows, const uint8_t *, float(*)[16]) = by_rows[a->rows - 7];
    for (size_t panel = panel0; panel < panel1; panel++) {
        const size_t after = panel + 1 < panel1 ? panel + 1 : panel;
        const uint8_t *ahead = (const uint8_t *)a->w + after * bytes;
        run(a, panel, x, ahead, acc);
        for (size_t r = 0; r < a->rows; r++) {
            _mm512_storeu_ps(a->y + r * a->ldy + panel * 16, _mm512_load_ps(acc[r]));
        }
    }
}
