// SPDX-License-Identifier: Apache-2.0
//
// The frame of the quantised matrix products on 256-bit registers: a panel is two registers wide. The
// including file defines, for R rows, at most 4, and dot[2 * row + half of the panel],
//
//   TK_GEMM256_PART_I8(w, q, ldq, R, dot)   adds the products of 16 k
//   TK_GEMM256_PART_I4(w, q, ldq, R, dot)   adds those of 32 k, with nibbles taken as stored: value + 8
//   TK_GEMM256_BIAS_I8                      what PART_I8 adds to every weight: 0 or 128

// tk_i4z_shifts for blocks of several rows: one function for them all.
static __attribute__((noinline)) void tk_gemm256_shifts(const tk_qgemm *a, size_t row, size_t group,
                                                        const int R, float shifts[][16]) {
    tk_i4z_shifts(a, row, group, R, shifts);
}

// The end of half an i4z panel, whose row factors are at `factors`: fma(acc, D, b * M).
TK_INLINE __m256 tk_gemm256_add_offset(__m256 acc, __m256 b, const uint8_t *factors) {
    const __m256 shifted = _mm256_mul_ps(b, _mm256_loadu_ps((const float *)factors + 16));
    return _mm256_fmadd_ps(acc, _mm256_loadu_ps((const float *)factors), shifted);
}

// One group's offset codes times what multiplies them, shifts[row][g], in all rows.
TK_INLINE void tk_gemm256_offset(const uint8_t *codes, const float shifts[][16], size_t g, const int R,
                                 __m256 b[]) {
    const __m128i bytes = _mm_loadu_si128((const __m128i *)codes);
    const __m256 offset0 = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
    const __m256 offset1 = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_srli_si128(bytes, 8)));
    TK_UNROLL
    for (int r = 0; r < R; r++) {
        const __m256 shift = _mm256_set1_ps(shifts[r][g]);
        b[2 * r] = _mm256_fmadd_ps(offset0, shift, b[2 * r]);
        b[2 * r + 1] = _mm256_fmadd_ps(offset1, shift, b[2 * r + 1]);
    }
}

// All groups' offset codes in a pass of their own, for blocks whose other accumulators leave no registers
// free.
TK_INLINE void tk_gemm256_offsets(const tk_qgemm *a, const uint8_t *codes, size_t row, const int R,
                                  __m256 b[]) {
    const size_t groups = a->kp / a->ga, per_code = a->gw / a->ga;
    float shifts[4][16];
    size_t until_code = per_code;
    for (size_t first = 0; first < groups; first += 16) {
        const size_t count = tk_min(16, groups - first);
        tk_gemm256_shifts(a, row, first, R, shifts);
        for (size_t g = 0; g < count; g++) {
            tk_gemm256_offset(codes, shifts, g, R, b);
            if (--until_code == 0) {
                codes += 32;
                until_code = per_code;
            }
        }
    }
}

TK_INLINE void tk_gemm256_block(const tk_qgemm *a, size_t panel, size_t row, const int R,
                                const int kind) {
    const size_t groups = a->kp / a->ga, per_scale = a->gw / a->ga;
    const uint8_t *w = (const uint8_t *)a->w + panel * tk_panel_bytes(a, kind);
    const uint8_t *scales = tk_panel_scales(a, panel, kind);
    const uint8_t *ws = scales + (kind == TK_I4Z ? TK_I4Z_FACTORS : 0);
    const int8_t *q = a->q + row * a->ldq;
    const float *as = a->scales + row * a->lds;
    const int32_t *sums = a->sums + row * a->lds;
    const int bias = kind == TK_I8 ? TK_GEMM256_BIAS_I8 : 8, columns = kind == TK_I8 ? 16 : 32;

    __m256 acc[8], wscale0 = _mm256_setzero_ps(), wscale1 = _mm256_setzero_ps();
    TK_UNROLL
    for (int i = 0; i < 2 * R; i++) acc[i] = _mm256_setzero_ps();
    const int separate_offsets = kind == TK_I4Z && R > 2;
    __m256 b[8];
    float shifts[4][16];
    TK_UNROLL
    for (int i = 0; i < 2 * R; i++) b[i] = _mm256_setzero_ps();
    size_t until_scale = 0;
    for (size_t g = 0; g < groups; g++) {
        if (kind == TK_I4Z && !separate_offsets && g % 16 == 0) tk_i4z_shifts(a, row, g, R, shifts);
        __m256i dot[8];
        TK_UNROLL
        for (int r = 0; r < R; r++) {
            dot[2 * r] =
                bias == 0 ? _mm256_setzero_si256() : _mm256_set1_epi32(-bias * sums[(size_t)r * a->lds + g]);
            dot[2 * r + 1] = dot[2 * r];
        }
        for (const int8_t *end = q + a->ga; q < end; q += columns) {
            if (kind == TK_I8) {
                TK_GEMM256_PART_I8(w, q, a->ldq, R, dot);
            } else {
                TK_GEMM256_PART_I4(w, q, a->ldq, R, dot);
            }
            w += 256;
        }
        if (until_scale == 0) {
            const __m128i codes = _mm_loadu_si128((const __m128i *)ws);
            if (kind == TK_I4Z) {
                wscale0 = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(codes));
                wscale1 = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_srli_si128(codes, 8)));
            } else {
                wscale0 = _mm256_cvtph_ps(codes);
                wscale1 = _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(ws + 16)));
            }
            ws += 32;
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
        if (kind == TK_I4Z && !separate_offsets) tk_gemm256_offset(ws - 16, shifts, g % 16, R, b);
    }
    if (separate_offsets) tk_gemm256_offsets(a, scales + TK_I4Z_FACTORS + 16, row, R, b);
    TK_UNROLL
    for (int i = 0; i < 2 * R; i++) {
        if (kind == TK_I4Z) acc[i] = tk_gemm256_add_offset(acc[i], b[i], scales + i % 2 * 32);
        _mm256_storeu_ps(a->y + (row + (size_t)(i / 2)) * a->ldy + panel * 16 + i % 2 * 8, acc[i]);
    }
}

// All rows from `row` on, panels panel0 ..< panel1.
TK_INLINE void tk_gemm256_rows(const tk_qgemm *a, size_t row, size_t panel0, size_t panel1, const int kind) {
    for (size_t step; row < a->rows; row += step) {
        step = tk_row_block(a->rows - row, 4);
        for (size_t p = panel0; p < panel1; p++) {
            switch (step) {
            case 1: tk_gemm256_block(a, p, row, 1, kind); break;
            case 2: tk_gemm256_block(a, p, row, 2, kind); break;
            case 3: tk_gemm256_block(a, p, row, 3, kind); break;
            default: tk_gemm256_block(a, p, row, 4, kind); break;
            }
        }
    }
}

TK_INLINE void tk_gemm256(const tk_qgemm *a, size_t panel0, size_t panel1, const int kind) {
    // Enough panels to stay in the second-level cache while all row blocks pass over them.
    const size_t chunk = tk_chunk_panels(tk_panel_bytes(a, kind));
    for (size_t first = panel0; first < panel1; first += chunk) {
        tk_gemm256_rows(a, 0, first, tk_min(first + chunk, panel1), kind);
    }
}
