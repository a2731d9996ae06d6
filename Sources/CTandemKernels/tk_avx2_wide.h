// SPDX-License-Identifier: Apache-2.0
//
// AVX2 products of many rows and int4 weights: nibbles are unpacked once for up to 32 rows, 512 columns of a
// panel at a time. Four rows take part at once; only the sums of one group are in registers, those of the
// rows in memory.

#define TK_WIDE_K 512
#define TK_WIDE_ROWS 32

// Nibbles of `columns` of a panel as bytes, in the order of int8 weights.
TK_INLINE void tk_avx2_unpack(const uint8_t *w, size_t columns, uint8_t *bytes) {
    const __m256i nibble = _mm256_set1_epi8(15);
    for (size_t i = 0; i < columns * 8; i += 64) {
        _mm_prefetch((const char *)w + i + TK_PREFETCH_BYTES, _MM_HINT_T0);
        TK_UNROLL
        for (int half = 0; half < 2; half++) {
            const __m256i both = _mm256_loadu_si256((const __m256i *)(w + i + half * 32));
            __m256i *out = (__m256i *)(bytes + i * 2 + half * 32);
            _mm256_store_si256(out, _mm256_and_si256(both, nibble));
            _mm256_store_si256(out + 2, _mm256_and_si256(_mm256_srli_epi16(both, 4), nibble));
        }
    }
}

// sum = fma(x, y, sum), in memory.
TK_INLINE void tk_avx2_add_product(float *sum, __m256 x, __m256 y) {
    _mm256_store_ps(sum, _mm256_fmadd_ps(x, y, _mm256_load_ps(sum)));
}

// Four rows from `row` on, groups first ..< last of a panel, whose nibbles are at `w` and whose scales begin
// at `ws`. The sums go on in acc [row][16], those of offsets in b.
TK_INLINE void tk_avx2_wide_rows(const tk_qgemm *a, size_t row, size_t first, size_t last, const uint8_t *w,
                                 const uint8_t *ws, float acc[][16], float b[][16], const int kind) {
    const size_t per_scale = a->gw / a->ga;
    const int8_t *q = a->q + row * a->ldq + first * a->ga;
    const float *as = a->scales + row * a->lds;
    const int32_t *sums = a->sums + row * a->lds;
    float shifts[4][16];
    if (kind == TK_I4Z) tk_gemm256_shifts(a, row, first, 4, shifts);
    size_t until_scale = per_scale - first % per_scale;
    for (size_t g = first; g < last; g++) {
        __m256i dot[8];
        TK_UNROLL
        for (int i = 0; i < 8; i++) dot[i] = _mm256_set1_epi32(-8 * sums[(size_t)(i / 2) * a->lds + g]);
        for (const int8_t *end = q + a->ga; q < end; q += 32) {
            tk_avx2_part_nibbles(w, q, a->ldq, 4, 0, dot);
            w += 512;
        }
        TK_UNROLL
        for (int half = 0; half < 2; half++) {
            const __m128i codes = _mm_loadu_si128((const __m128i *)(ws + half * (kind == TK_I4Z ? 8 : 16)));
            const __m256 wscale = kind == TK_I4Z ? _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(codes))
                                                 : _mm256_cvtph_ps(codes);
            const __m256 offset = tk_avx2_load_i8((const int8_t *)ws + 16 + half * 8);
            TK_UNROLL
            for (int r = 0; r < 4; r++) {
                const __m256 scale = _mm256_mul_ps(wscale, _mm256_set1_ps(as[(size_t)r * a->lds + g]));
                tk_avx2_add_product(&acc[r][half * 8], _mm256_cvtepi32_ps(dot[2 * r + half]), scale);
                if (kind == TK_I4Z) {
                    tk_avx2_add_product(&b[r][half * 8], offset, _mm256_set1_ps(shifts[r][g - first]));
                }
            }
        }
        if (--until_scale == 0) {
            ws += 32;
            until_scale = per_scale;
        }
    }
}

// Rows row ..< row + rows of one panel; `rows` is a multiple of 4 and at most TK_WIDE_ROWS.
TK_INLINE void tk_avx2_wide(const tk_qgemm *a, size_t panel, size_t row, size_t rows, const int kind) {
    uint8_t bytes[TK_WIDE_K * 16] __attribute__((aligned(64)));
    float acc[TK_WIDE_ROWS][16] __attribute__((aligned(64)));
    float b[TK_WIDE_ROWS][16] __attribute__((aligned(64)));
    const uint8_t *w = (const uint8_t *)a->w + panel * tk_panel_bytes(a, kind);
    const uint8_t *scales = tk_panel_scales(a, panel, kind);
    const uint8_t *ws = scales + (kind == TK_I4Z ? TK_I4Z_FACTORS : 0);
    const size_t groups = a->kp / a->ga, step = TK_WIDE_K / a->ga;
    memset(acc, 0, rows * sizeof acc[0]);
    if (kind == TK_I4Z) memset(b, 0, rows * sizeof b[0]);
    for (size_t first = 0, last; first < groups; first = last) {
        last = tk_min(first + step, groups);
        const size_t k = first * a->ga;
        tk_avx2_unpack(w + k * 8, last * a->ga - k, bytes);
        for (size_t r = 0; r < rows; r += 4) {
            tk_avx2_wide_rows(a, row + r, first, last, bytes, ws + k / a->gw * 32, acc + r, b + r, kind);
        }
    }
    for (size_t i = 0; i < rows * 2; i++) {
        const size_t at = i % 2 * 8;
        __m256 sum = _mm256_load_ps(&acc[i / 2][at]);
        if (kind == TK_I4Z) sum = tk_gemm256_add_offset(sum, _mm256_load_ps(&b[i / 2][at]), scales + at * 4);
        _mm256_storeu_ps(a->y + (row + i / 2) * a->ldy + panel * 16 + at, sum);
    }
}
