// SPDX-License-Identifier: Apache-2.0
//
// Tandem kernels: the numeric core, one table of functions per instruction set.
//
// DETERMINISM CONTRACT. Every table computes the same bits for the same input. The scalar table is the
// specification; the rules it follows, and every other table must reproduce, are stated per function:
//   * integer dot products are exact;
//   * each matrix output has an accumulator of its own, updated in K order by fused multiply-adds;
//   * reductions over a row use 16 striped lanes (element i goes to lane i % 16, in order, by fused
//     multiply-add or add), then one fixed tree: l[i] += l[i+8] (i<8), l[i] += l[i+4] (i<4), l[i] += l[i+2],
//     l[0] += l[1];
//   * exp and tanh are one polynomial each (tk_expf_ref, tk_tanhf_ref), evaluated with the same fused
//     operations everywhere;
//   * division and square root are IEEE; no reciprocal estimates; no contraction the source does not spell.
//
// A position's result never depends on how many rows, panels or threads took part. A NaN result is a NaN
// everywhere; its sign and payload are not specified, except in the conversions.
//
// LAYOUTS (Formats/tandem-file.md, "Matrix layouts"). A weight matrix W[N, K] is stored in panels of 16
// outputs; N is padded with zero rows to a multiple of 16, K with zeros to `kp`.
//   f32  N16K1:  element (n, k) at float   (n/16)*kp*16 + k*16 + n%16,                               kp = K
//   i8   N16K4:  element (n, k) at byte    (n/16)*kp*16 + (k/4)*64 + (n%16)*4 + k%4,   signed, -127...127
//   i4   N16K4:  element (n, k) in byte    (n/16)*kp*8  + (k/8)*64 + (n%16)*4 + k%4,
//                low nibble when (k%8) < 4, else high nibble; stored as value + 8, value in -8...7
//                (a padding element stores value 0, that is nibble 8)
//   i4z N16K4:   nibbles as i4
//   scales f16:  scale of (n, group g) at half (n/16)*(kp/gw)*16 + g*16 + n%16 ; g = k / gw
//   scales i4z:  128 + kp/gw*32 bytes a panel: 16 float factors D, 16 float factors M (by n%16), then for
//                each group 16 scale codes s (unsigned bytes) and 16 offset codes o (signed), by n%16
// The element of an i8 or i4 matrix is value * scale, of an i4z matrix (value * s) * D + o * M.
// For i8, i4 and i4z, kp is K rounded up to a multiple of max(64, gw). gw is 32, 64, 128 or kp ("row").
//
// A key/value cache of one head with head size hd, positions t, element i < hd:
//   f32, f16  [positions, stride], stride = hd rounded up to a multiple of 16; entries hd ..< stride are zero
//   i8        codes with one f16 scale per position and block of 32 elements; an element is code * scale.
//             stride = hd rounded up to a multiple of 32, codes hd ..< stride are zero, positions are padded to
//             a multiple of 16. With B = stride/32 blocks:
//     scales  of (t, b) at half (t/16)*B*16 + b*16 + t%16
//     keys    code (t, i) at byte (t/16)*16*stride + (i/4)*64 + (t%16)*4 + i%4: panels of 16 positions, as i8
//             N16K4 above, so that 16 scores are 16 outputs of a product and need no sums across lanes
//     values  code (t, i) at byte t*stride + i
//
// Bit planes of stored weights are in tandem_planes.h.
//
// THREAD SAFETY. All functions are pure: they touch only what their arguments point to. None allocates, none
// keeps state, none fails; the caller guarantees sizes and alignment (64 bytes for weights, 4 for the rest).

#ifndef TANDEM_KERNELS_H
#define TANDEM_KERNELS_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Element types of a key/value cache.
#define TK_KV_F32 0
#define TK_KV_F16 1
#define TK_KV_I8 2

/// Floats that attention over an i8 cache needs beside the scores, by head size.
static inline size_t tk_kv_scratch(size_t hd) { return (hd + 31) / 32 * 40; }

/// One quantised matrix product: y[r, n] for all rows r and the outputs n of a range of panels.
typedef struct tk_qgemm {
    const int8_t *q;       ///< activations [rows, ldq], each row kp int8 in -127...127 (zero beyond K)
    size_t ldq;            ///< elements between activation rows, >= kp
    const float *scales;   ///< activation scales [rows, lds], one per group of `ga`
    const int32_t *sums;   ///< sums of q over each group [rows, lds]
    size_t lds;            ///< elements between rows of `scales` and of `sums`, >= kp/ga
    size_t rows;           ///< number of activation rows, >= 1
    const void *w;         ///< panels, i8, i4 or i4z N16K4, 64-byte aligned
    const void *wscales;   ///< weight scales: f16, or the blocks of i4z; 64-byte aligned
    size_t kp;             ///< padded K
    size_t ga;             ///< activation group: 32, 64 or 128; divides kp
    size_t gw;             ///< weight group: a multiple of ga; divides kp
    float *y;              ///< output [rows, ldy]; columns 16*panel0 ..< 16*panel1 are written
    size_t ldy;            ///< elements between output rows, >= 16 * (number of panels of the matrix)
    const void *interleaved; ///< what `interleave` made of these activations, or NULL
} tk_qgemm;

/// Bytes that `interleave` of a table writes; 0 where its products do not read that.
static inline size_t tk_interleaved_bytes(size_t rows, size_t kp, size_t ga) {
    return rows >= 7 && rows <= 16 ? 64 * (kp / 4 + 2 * (kp / ga)) : 0;
}

/// One float matrix product.
typedef struct tk_fgemm {
    const float *x;        ///< activations [rows, ldx]
    size_t ldx;
    size_t rows;
    const float *w;        ///< panels, f32 N16K1
    size_t k;
    float *y;              ///< output [rows, ldy]; columns 16*panel0 ..< 16*panel1 are written
    size_t ldy;
} tk_fgemm;

/// Attention of `heads` query heads that share one key/value head, at `rows` neighbouring positions: row r sees the
/// positions begin ..< end + r, of these the last `window` where that is not 0. A row's result does not depend
/// on the rows beside it.
typedef struct tk_attention {
    const float *q;        ///< queries: row r, head h at r * qrow + h * ldq; each hd floats
    size_t ldq;
    size_t heads;
    size_t hd;             ///< head size
    const void *k;         ///< keys of this kv head; of TK_KV_I8 the codes
    const void *v;         ///< its values
    int type;              ///< TK_KV_F32, TK_KV_F16 or TK_KV_I8
    size_t stride;         ///< elements between positions: hd rounded up to a multiple of 16, for i8 of 32
    size_t begin;          ///< first visible position
    size_t end;            ///< one past the last position that the first row sees, > begin
    float scale;           ///< usually 1/sqrt(hd)
    float *scores;         ///< scratch of rows * heads * ((end + rows - 1) rounded up to 16 - begin rounded down
                           ///< to 16) floats, and for i8 tk_kv_scratch(hd) more
    float *out;            ///< output: row r, head h at r * orow + h * ldo; each hd floats
    size_t ldo;
    size_t rows;           ///< positions, >= 1
    size_t qrow;           ///< floats between the rows of q
    size_t orow;           ///< floats between the rows of out
    size_t window;         ///< greatest number of positions a row sees, its own included; 0 = no limit
    float softcap;         ///< bound of the scores, see `softcap` below; 0 = none
    const uint16_t *kscales; ///< i8: scales of the keys
    const uint16_t *vscales; ///< i8: scales of the values
} tk_attention;

/// One instruction set's implementation of everything.
typedef struct tk_kernels {
    /// "scalar", "avx2", "avxvnni", "avx512vnni", "amx", "neon", "neon-dotprod", "neon-i8mm".
    const char *name;

    /// y[r, n] = sum over groups i (in order) of fma((float)dot_i, wscale * ascale_i, acc), acc starting at
    /// +0, where dot_i = exact integer dot product over the group's `ga` elements and wscale =
    /// (float)wscales[n, i*ga/gw]. The product wscale * ascale_i is rounded once to float.
    void (*gemm_i8)(const tk_qgemm *args, size_t panel0, size_t panel1);
    void (*gemm_i4)(const tk_qgemm *args, size_t panel0, size_t panel1);

    /// y[r, n] = fma(a, D, b * M) with the row factors D and M of n, where
    ///   a = sum over groups i (in order) of fma((float)dot_i, (float)s * ascale_i, a), starting at +0, and
    ///   b = sum over groups i (in order) of fma((float)o, (float)sum_i * ascale_i, b), starting at +0.
    /// dot_i is the exact integer dot product over the group's `ga` elements, sum_i the sum of its
    /// activations (args->sums), s and o are the codes of (n, i*ga/gw). Products inside fma's arguments are
    /// rounded once.
    void (*gemm_i4z)(const tk_qgemm *args, size_t panel0, size_t panel1);

    /// y[r, n] = acc after acc = fma(x[r, k], w[n, k], acc) for k = 0 ..< K, acc starting at +0.
    void (*gemm_f32)(const tk_fgemm *args, size_t panel0, size_t panel1);

    /// Quantises rows of x [rows, ldx] (k valid columns) to int8 with one scale per group of `ga`:
    /// amax = max |x| over the group; scale = amax / 127; inv = amax > 0 ? 127 / amax : 0;
    /// q = clamp(round-half-even(x * inv), -127, 127), 0 where x * inv is NaN; sums = sum of q. Columns k
    /// ..< kp are zero. So NaN elements quantise to 0 and do not take part in amax; an infinite amax gives
    /// scale inf and q 0.
    void (*quantize)(const float *x, size_t ldx, size_t rows, size_t k, size_t kp, size_t ga,
                     int8_t *q, size_t ldq, float *scales, int32_t *sums, size_t lds);

    /// Lays the activations of 7 ... 16 rows out so that one line of 64 bytes holds the same columns of all rows: into `out`,
    /// 64-byte aligned, tk_interleaved_bytes of it. Of `args` only the activations count, y and weights may be missing. Products
    /// of int8 are faster with it and give the same bits. NULL where they are not.
    void (*interleave)(const tk_qgemm *args, void *out);

    /// y = x * (1 / sqrt(mean(x*x) + eps)) * w, evaluated as (x * r) * w; the sum of squares is striped.
    /// mean = sum / (float)n; r = 1.0f / sqrtf(mean + eps). y may be x.
    void (*rmsnorm)(const float *x, const float *w, float eps, size_t n, float *y);

    /// Rotates `heads` heads [heads, ld] in place. Pairs (i, i + half) for i < half, rotary size 2*half <=
    /// head size: a' = fma(a, cos, -(b*sin)), b' = fma(b, cos, a*sin), products in the inner terms rounded
    /// once. cos_sin holds half cosines followed by half sines (see tk_rope_row).
    void (*rope)(float *x, size_t heads, size_t ld, size_t half, const float *cos_sin);

    /// y = gate / (1 + exp(-gate)) * up, evaluated as (gate / (1 + e)) * up with e = tk_expf_ref(-gate).
    void (*swiglu)(const float *gate, const float *up, size_t n, float *y);

    /// y = gelu_tanh(gate) * up. 0.5 * (1 + tanh(u)) is 1 / (1 + exp(-2u)), so it is evaluated as
    /// (gate / (1 + e)) * up with e = tk_expf_ref(gate * fma(gate * gate, -0x1.2444f2p-4f, -0x1.988454p+0f)),
    /// whose argument is -2 sqrt(2/pi) (gate + 0.044715 gate^3).
    void (*geglu)(const float *gate, const float *up, size_t n, float *y);

    /// x += y.
    void (*add)(float *x, const float *y, size_t n);

    /// x = fma(factor, y, x).
    void (*add_scaled)(float *x, float factor, const float *y, size_t n);

    /// x *= factor.
    void (*scale)(float *x, float factor, size_t n);

    /// x = cap * tk_tanhf_ref(x * (1 / cap)), the quotient 1 / cap rounded once. cap > 0.
    void (*softcap)(float *x, float cap, size_t n);

    /// For each head: s[t] = scale * dot(q, k[t]) (dot striped over `stride` elements, fma, q being zero
    /// beyond hd), capped as by `softcap` where asked for, m = max s, p[t] = exp(s[t] - m), sum striped over
    /// t - b, b being the first position that the row sees,
    /// out = (sum over t in order of fma(p[t], v[t], out), starting at +0) * (1 / sum).
    ///
    /// With an i8 cache the query is quantised as by `quantize` in groups of 32, with codes and scales qs, and
    /// dot(q, k[t]) = sum over blocks b (in order) of fma((float)dot_b, ks[t, b] * qs[b], dot), starting at +0,
    /// where dot_b is the exact integer dot product of the block's codes. A value enters as
    /// fma(p[t] * vs[t, b], (float)code, out). Inner products are rounded once.
    void (*attention)(const tk_attention *args);

    /// Writes one position of one head's keys or values x [hd] to an i8 cache. Of a block of 32: amax = max |x|
    /// as in `quantize`; the scale s is amax / 127 rounded to f16; inv = s > 0 ? 1 / s : 0; codes as in
    /// `quantize` with this inv, so against the scale as it is stored.
    void (*store_keys_i8)(const float *x, size_t hd, size_t position, int8_t *codes, uint16_t *scales);
    void (*store_values_i8)(const float *x, size_t hd, size_t position, int8_t *codes, uint16_t *scales);

    /// In place: x = exp((x - max) * inv_temperature), divided by its striped sum (x * (1 / sum)). -inf
    /// gives 0. Returns nothing; n >= 1. inv_temperature > 0.
    void (*softmax)(float *x, size_t n, float inv_temperature);

    /// First index of the greatest element; NaN never wins; 0 when all are NaN.
    size_t (*argmax)(const float *x, size_t n);

    /// Exact conversions, round-half-even where narrowing. Between f16 and f32 a NaN becomes quiet and keeps
    /// its sign and the payload bits that fit; from bf16 the bits move unchanged.
    void (*f32_from_f16)(const uint16_t *x, size_t n, float *y);
    void (*f16_from_f32)(const float *x, size_t n, uint16_t *y);
    void (*f32_from_bf16)(const uint16_t *x, size_t n, float *y);
} tk_kernels;

/// Number of instruction sets this build and this processor both support; at least 1 (scalar, at index 0).
/// Later ones are faster.
size_t tk_isa_count(void);

/// The table at `index`, or NULL when out of range. Static storage, immutable.
const tk_kernels *tk_isa_at(size_t index);

/// The table of that name when this machine supports it, else NULL.
const tk_kernels *tk_isa_named(const char *name);

// ---- Shared scalar helpers, the same on every machine -----------------------------------------------------

/// exp(x): 2^n * polynomial, all steps fused as written in tk_scalar.c. Exactly 0 below -87.33 (no
/// denormals), +inf above 88.72, NaN stays NaN. Relative error below 2e-7.
float tk_expf_ref(float x);

/// tanh(x): for |x| < 0.55 an odd polynomial, fma(x * z, P(z), x) with z = x * x, all steps fused as written in
/// tk_scalar.c; beyond it 1 - 2 / (1 + e) with e = tk_expf_ref(2|x|), and the sign of x. NaN stays NaN.
/// Relative error below 3e-7.
float tk_tanhf_ref(float x);

/// log(x) in double, from IEEE operations only (the same bits on every machine). Relative error below 1e-15;
/// -inf at 0, NaN below 0.
double tk_log_ref(double x);

/// Inverse frequencies of RoPE as the reference models compute them: out[i] = 1 / base^(2i/rotary) in float.
/// half = rotary/2 values. Same bits on every machine.
void tk_rope_frequencies(float base, size_t half, float *out);

/// One position's table: out[i] = cos(a_i) * factor, out[half+i] = sin(a_i) * factor, a_i = (float)position *
/// freq[i] rounded to float; the cosine and sine of that float are computed in double from IEEE operations
/// only, then rounded to float, and so is their product with factor. NaN where |a_i| >= 2^50.
void tk_rope_row(size_t position, const float *freq, size_t half, float factor, float *out);

/// Row n of a matrix in panel layout as k floats: value * scale, rounded once; for i4z
/// (value * s) * D + o * M, both products (value * s is exact) and their sum rounded.
void tk_gather_f32(const float *w, size_t kp, size_t n, size_t k, float *out);
void tk_gather_i8(const void *w, const uint16_t *wscales, size_t kp, size_t gw, size_t n, size_t k,
                  float *out);
void tk_gather_i4(const void *w, const uint16_t *wscales, size_t kp, size_t gw, size_t n, size_t k,
                  float *out);
void tk_gather_i4z(const void *w, const void *wscales, size_t kp, size_t gw, size_t n, size_t k, float *out);

/// Lays `rows` (<= 16) rows of plain int8 values [rows, ldv] (values in -127...127 / -8...7, k valid
/// columns) out as one panel of kp*16 (i8) or kp*8 (i4, i4z) bytes; missing rows and columns become zero
/// values.
void tk_pack_panel_i8(const int8_t *values, size_t ldv, size_t rows, size_t k, size_t kp, uint8_t *panel);
void tk_pack_panel_i4(const int8_t *values, size_t ldv, size_t rows, size_t k, size_t kp, uint8_t *panel);
void tk_pack_panel_f32(const float *values, size_t ldv, size_t rows, size_t k, float *panel);

/// Single-value f16 conversions.
float tk_f32_from_f16(uint16_t x);
uint16_t tk_f16_from_f32(float x);

#ifdef __cplusplus
}
#endif

#endif
