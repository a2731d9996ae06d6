// SPDX-License-Identifier: Apache-2.0
//
// Shared by every file of the kernels; not part of the public interface. Include it before any other header:
// it switches off floating-point contraction, on which the determinism contract stands.

#ifndef TK_INTERNAL_H
#define TK_INTERNAL_H

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

#ifdef __FAST_MATH__
#error "the kernels must not be built with -ffast-math: results would differ between machines"
#endif

#include "include/tandem_kernels.h"

#include <string.h>

#define TK_INLINE static inline __attribute__((always_inline, unused))
#define TK_NOINLINE static __attribute__((noinline, unused))

// Unrolls the next loop completely; its trip count is a constant after inlining.
#if defined(__clang__)
#define TK_UNROLL _Pragma("clang loop unroll(full)")
#else
#define TK_UNROLL _Pragma("GCC unroll 16")
#endif

#if defined(__x86_64__)
#define TK_X86 1
#else
#define TK_X86 0
#endif

// Tiles need a system that hands them out: Linux.
#if TK_X86 && defined(__linux__)
#define TK_AMX 1
#else
#define TK_AMX 0
#endif

#if defined(__aarch64__) && defined(__LITTLE_ENDIAN__)
#define TK_ARM64 1
#elif defined(__aarch64__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define TK_ARM64 1
#else
#define TK_ARM64 0
#endif

// exp: n = round-half-even(x * log2(e)) by adding and subtracting 1.5 * 2^23, r = x - n * ln 2 in two fused
// steps, a degree-6 polynomial in r with relative error 3.1e-9, and n added to the exponent field.
#define TK_EXP_MIN (-87.33f)
#define TK_EXP_MAX 88.72f
#define TK_EXP_LOG2E 0x1.715476p+0f
#define TK_ROUND_MAGIC 0x1.8p+23f
#define TK_EXP_LN2_HI 0x1.62e4p-1f
#define TK_EXP_LN2_LO 0x1.7f7d1cp-20f
#define TK_EXP_C2 0x1.fffffcp-2f
#define TK_EXP_C3 0x1.555492p-3f
#define TK_EXP_C4 0x1.5558f2p-5f
#define TK_EXP_C5 0x1.123a2p-7f
#define TK_EXP_C6 0x1.6a23cep-10f

// gelu_tanh: its exponent is gate * (TK_GELU_C1 + TK_GELU_C3 * gate^2).
#define TK_GELU_C1 (-0x1.988454p+0f)
#define TK_GELU_C3 (-0x1.2444f2p-4f)

// tanh: below the limit x + x^3 * P(x^2), with relative error 1.1e-9 before rounding.
#define TK_TANH_LIMIT 0.55f
#define TK_TANH_C0 (-0x1.55554ap-2f)
#define TK_TANH_C1 0x1.110d26p-3f
#define TK_TANH_C2 (-0x1.b9287ap-5f)
#define TK_TANH_C3 0x1.593d06p-6f
#define TK_TANH_C4 (-0x1.9b3046p-8f)

TK_INLINE uint32_t tk_bits(float x) {
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

TK_INLINE float tk_float(uint32_t u) {
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

TK_INLINE uint64_t tk_bits64(double x) {
    uint64_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

TK_INLINE double tk_double(uint64_t u) {
    double x;
    memcpy(&x, &u, sizeof x);
    return x;
}

TK_INLINE int32_t tk_load32(const void *p) {
    int32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

TK_INLINE size_t tk_min(size_t a, size_t b) { return a < b ? a : b; }

// Panels of `bytes` each that together stay in a second-level cache while several row blocks pass over them.
TK_INLINE size_t tk_chunk_panels(size_t bytes) {
    const size_t chunk = (size_t)192 * 1024 / bytes;
    return chunk > 0 ? chunk : 1;
}

// Size of the next row block when `left` rows remain: blocks of nearly equal size, none above `limit`.
TK_INLINE size_t tk_row_block(size_t left, size_t limit) {
    const size_t blocks = (left + limit - 1) / limit;
    return (left + blocks - 1) / blocks;
}

// How many of the positions from a->begin lie before the window of a row.
TK_INLINE size_t tk_attention_hidden(const tk_attention *a, size_t row) {
    const size_t count = a->end + row - a->begin;
    return a->window != 0 && count > a->window ? count - a->window : 0;
}

// Positions are counted from here in scores: the first of the panel of 16 that begin lies in.
TK_INLINE size_t tk_attention_origin(const tk_attention *a) { return a->begin & ~(size_t)15; }

// Scores of one row and head, padding included.
TK_INLINE size_t tk_attention_padded(const tk_attention *a) {
    return (a->end + a->rows - 1 + 15) / 16 * 16 - tk_attention_origin(a);
}

// Where the codes and scales of an i8 cache are; `blocks` of 32 elements to a position.
#define TK_KV_BLOCK 32
TK_INLINE size_t tk_kv_scale_at(size_t position, size_t block, size_t blocks) {
    return (position / 16 * blocks + block) * 16 + position % 16;
}
TK_INLINE size_t tk_kv_key_at(size_t position, size_t i, size_t blocks) {
    return position / 16 * 16 * TK_KV_BLOCK * blocks + i / 4 * 64 + position % 16 * 4 + i % 4;
}

// ---- Quantised matrix products ----------------------------------------------------------------------------

// Kinds of weight matrices.
enum { TK_I8, TK_I4, TK_I4Z };

// Bytes of the row factors at the start of an i4z panel's scales.
#define TK_I4Z_FACTORS 128

TK_INLINE size_t tk_panel_bytes(const tk_qgemm *a, const int kind) {
    return a->kp * (kind == TK_I8 ? 16 : 8);
}

TK_INLINE const uint8_t *tk_panel_scales(const tk_qgemm *a, size_t panel, const int kind) {
    const size_t bytes = a->kp / a->gw * 32 + (kind == TK_I4Z ? TK_I4Z_FACTORS : 0);
    return (const uint8_t *)a->wscales + panel * bytes;
}

// What multiplies the offset codes of 16 groups from `group` (fewer at the end), for R rows: sum * scale.
TK_INLINE void tk_i4z_shifts(const tk_qgemm *a, size_t row, size_t group, const int R, float shifts[][16]) {
    const size_t count = tk_min(16, a->kp / a->ga - group);
    for (int r = 0; r < R; r++) {
        const size_t at = (row + (size_t)r) * a->lds + group;
        for (size_t i = 0; i < count; i++) shifts[r][i] = (float)a->sums[at + i] * a->scales[at + i];
    }
}

extern const tk_kernels tk_kernels_scalar;
#if TK_X86
extern const tk_kernels tk_kernels_avx2;
extern const tk_kernels tk_kernels_avxvnni;
extern const tk_kernels tk_kernels_avx512vnni;
void tk_avxvnni_gemm_i8(const tk_qgemm *args, size_t panel0, size_t panel1);
void tk_avxvnni_gemm_i4(const tk_qgemm *args, size_t panel0, size_t panel1);
void tk_avxvnni_gemm_i4z(const tk_qgemm *args, size_t panel0, size_t panel1);
void tk_avx512vnni_interleave(const tk_qgemm *args, void *out);
void tk_avx512vnni_gemm_i8(const tk_qgemm *args, size_t panel0, size_t panel1);
void tk_avx512vnni_gemm_i4(const tk_qgemm *args, size_t panel0, size_t panel1);
void tk_avx512vnni_gemm_i4z(const tk_qgemm *args, size_t panel0, size_t panel1);
#endif
#if TK_AMX
extern const tk_kernels tk_kernels_amx;
void tk_amx_gemm_i8(const tk_qgemm *args, size_t panel0, size_t panel1);
void tk_amx_gemm_i4(const tk_qgemm *args, size_t panel0, size_t panel1);
void tk_amx_gemm_i4z(const tk_qgemm *args, size_t panel0, size_t panel1);
#endif
#if TK_ARM64
extern const tk_kernels tk_kernels_neon;
extern const tk_kernels tk_kernels_neon_dotprod;
extern const tk_kernels tk_kernels_neon_i8mm;
void tk_neon_dotprod_gemm_i8(const tk_qgemm *args, size_t panel0, size_t panel1);
void tk_neon_dotprod_gemm_i4(const tk_qgemm *args, size_t panel0, size_t panel1);
void tk_neon_dotprod_gemm_i4z(const tk_qgemm *args, size_t panel0, size_t panel1);
void tk_neon_i8mm_gemm_i8(const tk_qgemm *args, size_t panel0, size_t panel1);
void tk_neon_i8mm_gemm_i4(const tk_qgemm *args, size_t panel0, size_t panel1);
void tk_neon_i8mm_gemm_i4z(const tk_qgemm *args, size_t panel0, size_t panel1);
#endif

#endif
