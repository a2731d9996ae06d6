// SPDX-License-Identifier: Apache-2.0
//
// The quantised matrix products with AMX tiles (Sapphire Rapids and later). The rest of the table is that of
// AVX-512, see tk_avx512vnni.c; so are products of fewer rows than TK_AMX_MIN_ROWS, which wait for memory on
// either path.
//
// N16K4 is what the tile unit wants: 1024 bytes of an int8 panel are the right operand of 64 k x 16 outputs,
// as they lie in the file. Nibbles are made into such bytes once for all rows, two instructions for 64 bytes.
//
// Loops: two panels; of these TK_AMX_DEPTH k, 16 KiB, which stay in the first-level cache; all rows in blocks
// of up to 32, two tiles by two; the groups. A group's sums leave the tiles as integers; the vector units
// then do what the scalar kernel does, in its order: one conversion, one product of scales, one fused
// multiply-add for each output. They work on the sums of the groups before while the tile unit is busy with
// the next.
//
// What to expect of one core, in cycles for one tile of 16 x 16 outputs and a group of 64 (16384 products):
//   tile unit      16 (a tile product takes a cycle for each row of the left operand)
//   vector units   24 (3 * 16 operations on two ports)
//   loads          24 (two a cycle: 16 for tile operands, used twice; 16 sums, 8 scales, 8 partial results)
//   stores         24 (one a cycle: 16 sums out of the tile, 8 partial results: these once for two groups)
// So everything but the tile unit bounds it: at best 16 / 24 of the tile unit's peak with groups of 64, all
// of it with groups of 128 (two tile products for the same scales), a third with groups of 32 (half a tile
// product for them). Of the 5.0 TOPS measured for one core at 2.4 GHz that is 3.3, 5.0 and 1.7 TOPS. Row
// blocks shorter than 16 scale all of these down alike. Weights from memory take longer up to some 100 rows
// (int8) or 50 (int4): at 17 GB/s a core waits 150 cycles for the 1024 bytes of an int8 tile, 75 for an int4
// one.

#include "tk_internal.h"

#if TK_AMX

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push( \
    __attribute__((target( \
        "avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,gfni,amx-tile,amx-int8"))), \
    apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c,avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,gfni,amx-tile,amx-int8")
#endif

#include "tk_amx_tiles.h"
#include "tk_gemm512.h"

// Below this the products of AVX-512 VNNI are as fast: both wait for the weights.
#define TK_AMX_MIN_ROWS 4
#define TK_AMX_ROWS 32   // rows of a block: two tiles
#define TK_AMX_SLICE 8   // rows that the vector units take at a time: 16 accumulators
#define TK_AMX_DEPTH 512 // k between two changes of weights; a multiple of every activation group
#define TK_AMX_GROUPS 2  // groups between loading and storing the partial results
#define TK_AMX_AHEAD 4096 // bytes ahead of the weights in use to prefetch, in each of two panels

// Sums that have left the tiles and wait for their scales: those of some groups of a block of rows.
typedef struct tk_amx_sums {
    const int32_t *dots; // [groups][TK_AMX_ROWS][2 panels][16]
    size_t groups;       // 0 = nothing waits
    size_t first, rows;  // rows first ..< rows of the block
    size_t panels;
    const float *as;     // activation scales of the block's first row, from the first of the groups
    size_t lds;
    const float *ws;     // weight scales [groups][2][16]
    const float *from;   // partial results [rows, from_stride], panels side by side
    size_t from_stride;
    float *to;
    size_t to_stride;
} tk_amx_sums;

// A call's working memory, on the stack: 40 KiB.
typedef struct tk_amx_scratch {
    int32_t dots[2][TK_AMX_GROUPS][TK_AMX_ROWS * 32];
    float acc[TK_AMX_ROWS * 32];
    float scales[2][TK_AMX_DEPTH / 32][32];
    uint8_t weights[2][TK_AMX_DEPTH * 16];
    tk_amx_sums waiting;
    size_t turn; // which of the two `dots` the tiles went to last
} tk_amx_scratch;

static const float tk_amx_zeros[32] = {0};

// ---- Vector units -----------------------------------------------------------------------------------------

// Adds the groups to R rows of N panels.
TK_INLINE void tk_amx_add(const tk_amx_sums *s, size_t row, const int R, const int N) {
    const float *from = s->from + row * s->from_stride;
    const float *as = s->as + row * s->lds;
    const int32_t *dots = s->dots + row * 32;
    float *to = s->to + row * s->to_stride;
    __m512 acc[2 * TK_AMX_SLICE];
    TK_UNROLL
    for (int i = 0; i < R * N; i++) {
        acc[i] = _mm512_loadu_ps(from + (size_t)(i / N) * s->from_stride + i % N * 16);
    }
    for (size_t g = 0; g < s->groups; g++) {
        __m512 ws[2];
        TK_UNROLL
        for (int n = 0; n < N; n++) ws[n] = _mm512_load_ps(s->ws + g * 32 + n * 16);
        TK_UNROLL
        for (int i = 0; i < R * N; i++) {
            const __m512i dot = _mm512_load_si512(dots + g * (TK_AMX_ROWS * 32) + i / N * 32 + i % N * 16);
            const __m512 scale = _mm512_mul_ps(ws[i % N], _mm512_set1_ps(as[(size_t)(i / N) * s->lds + g]));
            acc[i] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), scale, acc[i]);
        }
    }
    TK_UNROLL
    for (int i = 0; i < R * N; i++) {
        _mm512_storeu_ps(to + (size_t)(i / N) * s->to_stride + i % N * 16, acc[i]);
    }
}

TK_INLINE void tk_amx_add_rows(const tk_amx_sums *s, size_t row, size_t rows, const int N) {
    if (rows == TK_AMX_SLICE) {
        tk_amx_add(s, row, TK_AMX_SLICE, N);
        return;
    }
    if (rows & 4) tk_amx_add(s, row, 4, N);
    if (rows & 2) tk_amx_add(s, row + (rows & 4), 2, N);
    if (rows & 1) tk_amx_add(s, row + (rows & 6), 1, N);
}

// Slices first ..< last of the rows that wait.
static void tk_amx_add_slices(const tk_amx_sums *s, size_t first, size_t last) {
    for (size_t i = first; i < last; i++) {
        const size_t row = s->first + i * TK_AMX_SLICE, rows = tk_min(TK_AMX_SLICE, s->rows - row);
        if (s->panels == 2) {
            tk_amx_add_rows(s, row, rows, 2);
        } else {
            tk_amx_add_rows(s, row, rows, 1);
        }
    }
}

TK_INLINE size_t tk_amx_slices(const tk_amx_sums *s) {
    return s->groups == 0 ? 0 : (s->rows - s->first + TK_AMX_SLICE - 1) / TK_AMX_SLICE;
}

// The offsets of an i4z panel, added to what is in y.
TK_INLINE void tk_amx_offset_rows(const tk_qgemm *a, size_t panel, size_t row, const int R) {
    const uint8_t *scales = tk_panel_scales(a, panel, TK_I4Z), *codes = scales + TK_I4Z_FACTORS + 16;
    __m512 b[8];
    float shifts[8][16];
    TK_UNROLL
    for (int r = 0; r < R; r++) b[r] = _mm512_setzero_ps();
    for (size_t g = 0; g < a->kp / a->ga; g++) {
        if (g % 16 == 0) tk512_shifts(a, row, g, R, shifts);
        const __m512 offset = tk512_signed_codes(codes + g * a->ga / a->gw * 32);
        TK_UNROLL
        for (int r = 0; r < R; r++) b[r] = _mm512_fmadd_ps(offset, _mm512_set1_ps(shifts[r][g % 16]), b[r]);
    }
    TK_UNROLL
    for (int r = 0; r < R; r++) {
        float *y = a->y + (row + (size_t)r) * a->ldy + panel * 16;
        _mm512_storeu_ps(y, tk512_add_offset(_mm512_loadu_ps(y), b[r], scales));
    }
}

static void tk_amx_offsets(const tk_qgemm *a, size_t panel) {
    size_t row = 0;
    for (; row + 8 <= a->rows; row += 8) tk_amx_offset_rows(a, panel, row, 8);
    for (; row < a->rows; row++) tk_amx_offset_rows(a, panel, row, 1);
}

// 64 k of nibbles as signed bytes. A nibble n stands for n - 8: its three low bits, and above them the
// inverse of its top bit, five times. That is a matrix of bits times the byte, and a constant.
TK_INLINE void tk_amx_unpack(const uint8_t *w, uint8_t *out) {
    const __m512i low = _mm512_set1_epi64(0x0102040808080808), high = _mm512_set1_epi64(0x1020408080808080);
    TK_UNROLL
    for (int j = 0; j < 8; j++) {
        const __m512i both = _mm512_loadu_si512(w + j * 64);
        _mm512_store_si512(out + j * 128, _mm512_gf2p8affine_epi64_epi8(both, low, 0xf8));
        _mm512_store_si512(out + j * 128 + 64, _mm512_gf2p8affine_epi64_epi8(both, high, 0xf8));
    }
}

// ---- Tile unit --------------------------------------------------------------------------------------------

// Registers 0 to 3 hold the sums of rows 0-15 and 16-31 by the two panels, 4 and 5 the rows, 6 and 7 the
// panels.
TK_INLINE tk_tile_configuration tk_amx_configuration(size_t rows, size_t ga) {
    tk_tile_configuration c = {.palette = 1};
    const size_t k = tk_min(ga, 64);
    for (size_t i = 0; i < 6; i++) {
        const size_t tile = i < 4 ? i / 2 : i - 4; // of rows
        const size_t count = tile == 0 ? tk_min(rows, 16) : rows > 16 ? rows - 16 : 0;
        c.rows[i] = (uint8_t)count;
        c.row_bytes[i] = (uint16_t)(count == 0 ? 0 : i < 4 ? 64 : k);
    }
    c.rows[6] = c.rows[7] = (uint8_t)(k / 4);
    c.row_bytes[6] = c.row_bytes[7] = 64;
    return c;
}

// The sums of one group: rows q, `steps` times 64 k (or once 32).
TK_INLINE void tk_amx_dots(const int8_t *q, size_t ldq, size_t rows, const uint8_t *w[2], size_t panels,
                           size_t steps) {
    const int more_rows = rows > 16, more_panels = panels == 2;
    TK_TILE_ZERO(0);
    if (more_panels) TK_TILE_ZERO(1);
    if (more_rows) TK_TILE_ZERO(2);
    if (more_rows && more_panels) TK_TILE_ZERO(3);
    for (size_t i = 0; i < steps; i++) {
        TK_TILE_LOAD(6, w[0] + i * 1024, 64);
        TK_TILE_LOAD(4, q + i * 64, ldq);
        TK_TILE_DOTS(0, 4, 6);
        if (more_panels) {
            TK_TILE_LOAD(7, w[1] + i * 1024, 64);
            TK_TILE_DOTS(1, 4, 7);
        }
        if (more_rows) {
            TK_TILE_LOAD(5, q + 16 * ldq + i * 64, ldq);
            TK_TILE_DOTS(2, 5, 6);
            if (more_panels) TK_TILE_DOTS(3, 5, 7);
        }
    }
}

TK_INLINE void tk_amx_store(int32_t *dots, size_t rows, size_t panels) {
    TK_TILE_STORE(0, dots, 128);
    if (panels == 2) TK_TILE_STORE(1, dots + 16, 128);
    if (rows > 16) TK_TILE_STORE(2, dots + 512, 128);
    if (rows > 16 && panels == 2) TK_TILE_STORE(3, dots + 528, 128);
}

// ---- Products ---------------------------------------------------------------------------------------------

// Where a product stands: k0 ..< k0 + depth of some panels, their weights as bytes and their scales.
typedef struct tk_amx_place {
    size_t panel, panels, k0, depth;
    const uint8_t *weights[2];
    const float *scales;
} tk_amx_place;

// Rows first ..< rows of the block that begins at `row`.
TK_INLINE void tk_amx_block(const tk_qgemm *a, const tk_amx_place *at, size_t row, size_t first, size_t rows,
                            const int kind, tk_amx_scratch *s) {
    const size_t groups = at->depth / a->ga, steps = a->ga < 64 ? 1 : a->ga / 64;
    const size_t panel_bytes = tk_panel_bytes(a, kind), group_bytes = a->ga * (kind == TK_I8 ? 16 : 8);
    float *y = a->y + row * a->ldy + at->panel * 16;
    for (size_t g = 0, count; g < groups; g += count) {
        count = tk_min(TK_AMX_GROUPS, groups - g);
        s->turn ^= 1;
        const size_t slices = tk_amx_slices(&s->waiting);
        for (size_t i = 0; i < count; i++) {
            const size_t k = at->k0 + (g + i) * a->ga, part = (g + i) * a->ga * 16;
            const uint8_t *w[2] = {at->weights[0] + part, at->weights[1] + part};
            tk_amx_dots(a->q + row * a->ldq + k, a->ldq, rows, w, at->panels, steps);
            for (size_t n = 0; row == 0 && n < at->panels; n++) {
                size_t ahead = (at->panel + n) * panel_bytes + k * (kind == TK_I8 ? 16 : 8) + TK_AMX_AHEAD;
                // What follows the end of a panel is the second of this pair: skip it.
                if (ahead >= (at->panel + n + 1) * panel_bytes) ahead += (at->panels - 1) * panel_bytes;
                const char *line = (const char *)a->w + ahead;
                for (size_t j = 0; j < group_bytes; j += 64) _mm_prefetch(line + j, _MM_HINT_T0);
            }
            // Before the sums of this group are stored: loads behind a store to the same offset in a page
            // would wait for it, that is for the tile unit.
            tk_amx_add_slices(&s->waiting, slices * i / count, slices * (i + 1) / count);
            tk_amx_store(s->dots[s->turn][i], rows, at->panels);
        }
        const int begins = g == 0, ends = g + count == groups;
        s->waiting = (tk_amx_sums){
            .dots = s->dots[s->turn][0],
            .groups = count,
            .first = first,
            .rows = rows,
            .panels = at->panels,
            .as = a->scales + row * a->lds + at->k0 / a->ga + g,
            .lds = a->lds,
            .ws = at->scales + g * 32,
            .from = !begins ? s->acc : at->k0 == 0 ? tk_amx_zeros : y,
            .from_stride = !begins ? 32 : at->k0 == 0 ? 0 : a->ldy,
            .to = ends ? y : s->acc,
            .to_stride = ends ? a->ldy : 32,
        };
    }
}

// All rows of one or two panels; blocks of `step` rows.
TK_INLINE void tk_amx_panels(const tk_qgemm *a, size_t panel, size_t panels, size_t step, const int kind,
                             tk_amx_scratch *s) {
    tk_amx_place at = {.panel = panel, .panels = panels};
    for (size_t block = 0; at.k0 < a->kp; at.k0 += TK_AMX_DEPTH, block++) {
        at.depth = tk_min(TK_AMX_DEPTH, a->kp - at.k0);
        float *scales = s->scales[block % 2][0];
        at.scales = scales;
        for (size_t n = 0; n < panels; n++) {
            const uint8_t *w = (const uint8_t *)a->w + (panel + n) * tk_panel_bytes(a, kind);
            if (kind == TK_I8) {
                at.weights[n] = w + at.k0 * 16;
            } else {
                for (size_t k = 0; k < at.depth; k += 64) {
                    tk_amx_unpack(w + (at.k0 + k) * 8, s->weights[n] + k * 16);
                }
                at.weights[n] = s->weights[n];
            }
            const uint8_t *ws = tk_panel_scales(a, panel + n, kind) + (kind == TK_I4Z ? TK_I4Z_FACTORS : 0);
            for (size_t g = 0; g < at.depth / a->ga; g++) {
                const uint8_t *codes = ws + (at.k0 + g * a->ga) / a->gw * 32;
                _mm512_store_ps(scales + g * 32 + n * 16, tk512_scales(codes, kind));
            }
        }
        if (panels == 1) at.weights[1] = at.weights[0]; // not read
        for (size_t row = 0; row < a->rows; row += step) {
            // All blocks have one shape, the tiles' configuration: the last takes rows again that are done.
            const size_t over = row + step > a->rows ? row + step - a->rows : 0;
            tk_amx_block(a, &at, row - over, over, step, kind, s);
        }
    }
    tk_amx_add_slices(&s->waiting, 0, tk_amx_slices(&s->waiting));
    s->waiting.groups = 0;
    for (size_t n = 0; kind == TK_I4Z && n < panels; n++) tk_amx_offsets(a, panel + n);
}

TK_INLINE void tk_amx_gemm(const tk_qgemm *a, size_t panel0, size_t panel1, const int kind) {
    if (panel0 >= panel1) return;
    const size_t blocks = (a->rows + TK_AMX_ROWS - 1) / TK_AMX_ROWS, step = (a->rows + blocks - 1) / blocks;
    _Alignas(64) tk_amx_scratch scratch;
    scratch.waiting.groups = 0;
    scratch.turn = 0;
    const tk_tile_configuration configuration = tk_amx_configuration(step, a->ga);
    tk_tiles_configure(&configuration);
    for (size_t p = panel0; p < panel1; p += 2) {
        tk_amx_panels(a, p, tk_min(2, panel1 - p), step, kind, &scratch);
    }
    tk_tiles_release();
}

void tk_amx_gemm_i8(const tk_qgemm *a, size_t panel0, size_t panel1) {
    if (a->rows < TK_AMX_MIN_ROWS) {
        tk_avx512vnni_gemm_i8(a, panel0, panel1);
    } else {
        tk_amx_gemm(a, panel0, panel1, TK_I8);
    }
}

void tk_amx_gemm_i4(const tk_qgemm *a, size_t panel0, size_t panel1) {
    if (a->rows < TK_AMX_MIN_ROWS) {
        tk_avx512vnni_gemm_i4(a, panel0, panel1);
    } else {
        tk_amx_gemm(a, panel0, panel1, TK_I4);
    }
}

void tk_amx_gemm_i4z(const tk_qgemm *a, size_t panel0, size_t panel1) {
    if (a->rows < TK_AMX_MIN_ROWS) {
        tk_avx512vnni_gemm_i4z(a, panel0, panel1);
    } else {
        tk_amx_gemm(a, panel0, panel1, TK_I4Z);
    }
}

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif
