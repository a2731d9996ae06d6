// SPDX-License-Identifier: Apache-2.0
//
// The frame of the quantised matrix products on 256-bit registers: a panel is two registers wide. The
// including file defines, for R rows and dot[2 * row + half of the panel],
//
//   TK_GEMM256_ROWS                         rows of a block that the 16 registers can hold: at most 4
//   TK_GEMM256_PART_I8(w, q, ldq, R, dot)   adds the products of 32 k
//   TK_GEMM256_PART_I4(w, q, ldq, R, dot)   likewise, with nibbles taken as stored: value + 8
//   TK_GEMM256_BIAS_I8                      what PART_I8 adds to every weight: 0 or 128

TK_INLINE void tk_gemm256_block(const tk_qgemm *a, size_t panel, size_t row, const int R,
                                const int four_bit) {
    const size_t groups = a->kp / a->ga, per_scale = a->gw / a->ga, parts = a->ga / 32;
    const uint8_t *w = (const uint8_t *)a->w + panel * a->kp * (four_bit ? 8 : 16);
    const uint16_t *ws = a->wscales + panel * (a->kp / a->gw) * 16;
    const int8_t *q = a->q + row * a->ldq;
    const float *as = a->scales + row * a->lds;
    const int32_t *sums = a->sums + row * a->lds;
    const int bias = four_bit ? 8 : TK_GEMM256_BIAS_I8;

    __m256 acc[8], wscale0 = _mm256_setzero_ps(), wscale1 = _mm256_setzero_ps();
    TK_UNROLL
    for (int i = 0; i < 2 * R; i++) acc[i] = _mm256_setzero_ps();
    size_t until_scale = 0;
    for (size_t g = 0; g < groups; g++) {
        __m256i dot[8];
        TK_UNROLL
        for (int r = 0; r < R; r++) {
            dot[2 * r] =
                bias == 0 ? _mm256_setzero_si256() : _mm256_set1_epi32(-bias * sums[(size_t)r * a->lds + g]);
            dot[2 * r + 1] = dot[2 * r];
        }
        for (size_t part = 0; part < parts; part++) {
            if (four_bit) {
                TK_GEMM256_PART_I4(w, q, a->ldq, R, dot);
                w += 256;
            } else {
                TK_GEMM256_PART_I8(w, q, a->ldq, R, dot);
                w += 512;
            }
            q += 32;
        }
        if (until_scale == 0) {
            wscale0 = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)ws));
            wscale1 = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(ws + 8)));
            ws += 16;
            until_scale = per_scale;
        }
        until_scale--;
        TK_UNROLL
        for (int r = 0; r < R; r++) {
            const __m256 scale = _mm256_set1_ps(as[(size_t)r * a->lds + g]);
            acc[2 * r] =
                _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot[2 * r]), _mm256_mul_ps(wscale0, scale), acc[2 * r]);
            acc[2 * r + 1] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot[2 * r + 1]),
                                             _mm256_mul_ps(wscale1, scale), acc[2 * r + 1]);
        }
    }
    TK_UNROLL
    for (int i = 0; i < 2 * R; i++) {
        _mm256_storeu_ps(a->y + (row + (size_t)(i / 2)) * a->ldy + panel * 16 + i % 2 * 8, acc[i]);
    }
}

TK_INLINE void tk_gemm256(const tk_qgemm *a, size_t panel0, size_t panel1, const int four_bit) {
    // Enough panels to stay in the second-level cache while all row blocks pass over them.
    const size_t chunk = tk_chunk_panels(a->kp * (four_bit ? 8 : 16));
    for (size_t first = panel0; first < panel1; first += chunk) {
        const size_t last = tk_min(first + chunk, panel1);
        for (size_t row = 0, step; row < a->rows; row += step) {
            step = tk_row_block(a->rows - row, TK_GEMM256_ROWS);
            for (size_t p = first; p < last; p++) {
                switch (step) {
                case 1: tk_gemm256_block(a, p, row, 1, four_bit); break;
                case 2: tk_gemm256_block(a, p, row, 2, four_bit); break;
                case 3: tk_gemm256_block(a, p, row, 3, four_bit); break;
                default: tk_gemm256_block(a, p, row, 4, four_bit); break;
                }
            }
        }
    }
}
