// SPDX-License-Identifier: Apache-2.0
//
// Attention over f32, f16 and i8 caches, and the storing of i8 keys and values, over the primitives of
// tk_rows.h, which includes this file.

// Up to TK_V_HEADS pairs of a row and a head, which go through the keys and values together.
typedef struct tk_rows_pairs {
    const float *q[TK_V_HEADS];
    float *scores[TK_V_HEADS];
    float *out[TK_V_HEADS];
    size_t start[TK_V_HEADS];  // positions from the origin that each pair does not see, ascending
    size_t count[TK_V_HEADS];  // end of what each pair sees, counted from the origin, ascending
    float inverse[TK_V_HEADS]; // 1 / the sum of each pair's weights
} tk_rows_pairs;

// Caches are long and read once a token: their bytes are asked for early. Measured on Zen 5: caches of 4096
// positions are read 1.15 times as fast with it for f16, 1.4 times for i8.
TK_INLINE void tk_rows_prefetch(const void *base, size_t byte, const int lines) {
    TK_UNROLL
    for (int i = 0; i < lines; i++) __builtin_prefetch((const char *)base + byte + 8192 + i * 64);
}

// ---- f32 and f16 ------------------------------------------------------------------------------------------

TK_INLINE tk_v tk_rows_kv(const void *base, size_t index, const int half_floats) {
    if (half_floats) return tk_v_load_half((const uint16_t *)base + index);
    return tk_v_load((const float *)base + index);
}

// Adds the products of 16 elements, from `c`, of T keys and of H queries.
TK_INLINE void tk_rows_score_step(const tk_attention *a, const size_t *at, size_t c, const tk_v *qv, tk_v *acc,
                                  const int H, const int T, const int half_floats) {
    TK_UNROLL
    for (int t = 0; t < T; t++) {
        const tk_v kv = tk_rows_kv(a->k, at[t] + c, half_floats);
        TK_UNROLL
        for (int h = 0; h < H; h++) acc[h * T + t] = tk_v_fma(qv[h], kv, acc[h * T + t]);
    }
}

// Scores of H pairs, several positions at a time, so that one load of a key serves all of them; `hd` and `stride` are
// those of `a`.
TK_INLINE void tk_rows_scores_of(const tk_attention *a, const tk_rows_pairs *g, const size_t hd, const size_t stride,
                                 const int H, const int half_floats) {
    const int T = TK_V_SCORES / H, element = half_floats ? 2 : 4;
    const size_t origin = tk_attention_origin(a), count = g->count[H - 1];
    // Where loads have masks, those of the last elements need no copy of the loop.
    const size_t whole = (TK_V_MASKS ? hd + 15 : hd) / 16 * 16;
    for (size_t t0 = g->start[0] / (size_t)T * (size_t)T; t0 < count; t0 += (size_t)T) {
        size_t at[TK_V_SCORES];
        // Past the end the last key is read again; those scores are never used.
        TK_UNROLL
        for (int t = 0; t < T; t++) {
            at[t] = (origin + tk_min(t0 + (size_t)t, count - 1)) * stride;
            for (size_t c = 0; c < stride; c += 32) tk_rows_prefetch(a->k, (at[t] + c) * (size_t)element, element / 2);
        }
        tk_v acc[TK_V_SCORES], qv[TK_V_HEADS];
        TK_UNROLL
        for (int i = 0; i < TK_V_SCORES; i++) acc[i] = tk_v_set1(0.0f);
        for (size_t c = 0; c < whole; c += 16) {
            TK_UNROLL
            for (int h = 0; h < H; h++) {
                qv[h] = TK_V_MASKS ? tk_v_load_n(g->q[h] + c, hd - c) : tk_v_load(g->q[h] + c);
            }
            tk_rows_score_step(a, at, c, qv, acc, H, T, half_floats);
        }
        if (!TK_V_MASKS && whole < hd) {
            TK_UNROLL
            for (int h = 0; h < H; h++) qv[h] = tk_v_load_n(g->q[h] + whole, hd - whole);
            tk_rows_score_step(a, at, whole, qv, acc, H, T, half_floats);
        }
        float s[TK_V_SCORES];
        tk_v_trees(acc, a->scale, s);
        TK_UNROLL
        for (int h = 0; h < H; h++) memcpy(g->scores[h] + t0, s + h * T, (size_t)T * sizeof(float));
    }
}

// The usual sizes of heads may have copies whose loops over elements are gone.
TK_INLINE void tk_rows_scores(const tk_attention *a, const tk_rows_pairs *g, const int H, const int half_floats) {
    const size_t hd = TK_V_UNROLLS && half_floats && a->hd == a->stride ? a->hd : 0;
    if (hd == 64) {
        tk_rows_scores_of(a, g, 64, 64, H, half_floats);
    } else if (hd == 128) {
        tk_rows_scores_of(a, g, 128, 128, H, half_floats);
    } else {
        tk_rows_scores_of(a, g, a->hd, a->stride, H, half_floats);
    }
}

// Adds the weighted values of the positions from ..< to for one pair: the few that it does not share with the others.
TK_NOINLINE void tk_rows_values_alone(const tk_attention *a, const float *weights, size_t column, size_t from,
                                      size_t to, tk_v *acc, int C, int half_floats) {
    const size_t origin = tk_attention_origin(a);
    for (size_t t = from; t < to; t++) {
        const size_t at = (origin + t) * a->stride + column;
        const tk_v weight = tk_v_set1(weights[t]);
        for (int c = 0; c < C; c++) {
            acc[c] = tk_v_fma(weight, tk_rows_kv(a->v, at + (size_t)c * 16, half_floats), acc[c]);
        }
    }
}

// Writes C vectors of the output, from `column`, of H pairs.
TK_INLINE void tk_rows_store_out(const tk_attention *a, const tk_rows_pairs *g, size_t column,
                                 const tk_v *acc, const int H, const int C) {
    TK_UNROLL
    for (int i = 0; i < H * C; i++) {
        const size_t at = column + (size_t)(i % C) * 16;
        if (at < a->hd) {
            const tk_v out = tk_v_mul(acc[i], tk_v_set1(g->inverse[i / C]));
            tk_v_store_some(g->out[i / C] + at, a->hd - at, out);
        }
    }
}

// C vectors of the output, from `column`, of H pairs.
TK_INLINE void tk_rows_values_float(const tk_attention *a, const tk_rows_pairs *g, size_t column, const int H,
                                    const int C, const int half_floats) {
    const int element = half_floats ? 2 : 4;
    const size_t origin = tk_attention_origin(a);
    // What others add to is in memory; the sums of the loop stay in registers.
    tk_v sums[TK_V_VALUES], acc[TK_V_VALUES];
    TK_UNROLL
    for (int i = 0; i < H * C; i++) sums[i] = tk_v_set1(0.0f);
    // With a window, earlier rows see some positions that later ones do not.
    const size_t shared = g->start[H - 1], last = shared > g->count[0] ? shared : g->count[0];
    for (int h = 0; h < H - 1 && g->start[0] < shared; h++) {
        const size_t to = tk_min(shared, g->count[h]);
        tk_rows_values_alone(a, g->scores[h], column, g->start[h], to, sums + h * C, C, half_floats);
    }
    TK_UNROLL
    for (int i = 0; i < H * C; i++) acc[i] = sums[i];
    for (size_t t = shared; t < last; t++) {
        tk_v v[4];
        const size_t at = (origin + t) * a->stride + column;
        tk_rows_prefetch(a->v, at * (size_t)element, (C * element + 3) / 4);
        TK_UNROLL
        for (int c = 0; c < C; c++) v[c] = tk_rows_kv(a->v, at + (size_t)c * 16, half_floats);
        TK_UNROLL
        for (int h = 0; h < H; h++) {
            const tk_v weight = tk_v_set1(g->scores[h][t]);
            TK_UNROLL
            for (int c = 0; c < C; c++) acc[h * C + c] = tk_v_fma(weight, v[c], acc[h * C + c]);
        }
    }
    TK_UNROLL
    for (int i = 0; i < H * C; i++) sums[i] = acc[i];
    // Later rows see some positions more.
    for (int h = 1; h < H && g->count[H - 1] > last; h++) {
        tk_rows_values_alone(a, g->scores[h], column, last, g->count[h], sums + h * C, C, half_floats);
    }
    tk_rows_store_out(a, g, column, sums, H, C);
}

// ---- i8 ---------------------------------------------------------------------------------------------------

// Scores of H pairs, a panel of 16 positions at a time. Those of positions that a pair does not see are never
// used.
TK_INLINE void tk_rows_scores_i8(const tk_attention *a, const tk_rows_pairs *g, const int H) {
    const size_t blocks = a->stride / TK_KV_BLOCK, origin = tk_attention_origin(a);
    float *scales = a->scores + a->rows * a->heads * tk_attention_padded(a);
    int32_t *sums = (int32_t *)(scales + (size_t)H * blocks);
    int8_t *codes = (int8_t *)(sums + (size_t)H * blocks);
    for (int h = 0; h < H; h++) {
        const size_t at = (size_t)h * blocks;
        tk_rows_quantize(g->q[h], a->hd, 1, a->hd, a->stride, TK_KV_BLOCK, codes + (size_t)h * a->stride,
                         a->stride, scales + at, sums + at, blocks);
    }
    const int8_t *keys = (const int8_t *)a->k + origin * a->stride;
    const uint16_t *key_scales = a->kscales + origin * blocks;
    for (size_t t = g->start[0] & ~(size_t)15; t < g->count[H - 1]; t += 16) {
        tk_v acc[TK_V_HEADS];
        TK_UNROLL
        for (int h = 0; h < H; h++) acc[h] = tk_v_set1(0.0f);
        for (size_t b = 0; b < blocks; b++) {
            tk_v dots[TK_V_HEADS];
            const size_t at = t * a->stride + b * (16 * TK_KV_BLOCK);
            tk_rows_prefetch(keys, at, 16 * TK_KV_BLOCK / 64);
            tk_v_dots_i8(keys + at, codes + b * TK_KV_BLOCK, a->stride, sums + b, blocks, H, dots);
            const tk_v scale = tk_v_load_half(key_scales + t * blocks + b * 16);
            TK_UNROLL
            for (int h = 0; h < H; h++) {
                const tk_v both = tk_v_mul(scale, tk_v_set1(scales[(size_t)h * blocks + b]));
                acc[h] = tk_v_fma(dots[h], both, acc[h]);
            }
        }
        TK_UNROLL
        for (int h = 0; h < H; h++) tk_v_store(g->scores[h] + t, tk_v_mul(tk_v_set1(a->scale), acc[h]));
    }
}

// Weights times scales of a panel's 16 values in block b; 0 for the positions that a pair does not see.
TK_INLINE void tk_rows_weights_i8(const tk_rows_pairs *g, size_t t, const uint16_t *value_scales,
                                  const int H, float weights[TK_V_HEADS][16]) {
    const tk_v scale = tk_v_load_half(value_scales);
    TK_UNROLL
    for (int h = 0; h < H; h++) tk_v_store(weights[h], tk_v_mul(tk_v_load(g->scores[h] + t), scale));
    if (t >= g->start[H - 1] && t + 16 <= g->count[0]) return;
    for (int h = 0; h < H; h++) {
        for (size_t i = 0; i < 16; i++) {
            if (t + i < g->start[h] || t + i >= g->count[h]) weights[h][i] = 0;
        }
    }
}

// C vectors of the output, from `column`, of H pairs. A weight of 0 adds nothing to any sum, whatever the
// value: codes are finite, and a sum that starts at +0 is never -0.
TK_INLINE void tk_rows_values_i8(const tk_attention *a, const tk_rows_pairs *g, size_t column, const int H,
                                 const int C) {
    const int B = C > 2 ? C / 2 : 1;
    const size_t blocks = a->stride / TK_KV_BLOCK, origin = tk_attention_origin(a);
    const int8_t *values = (const int8_t *)a->v + origin * a->stride + column;
    const uint16_t *value_scales = a->vscales + origin * blocks + column / TK_KV_BLOCK * 16;
    tk_v acc[TK_V_VALUES];
    TK_UNROLL
    for (int i = 0; i < H * C; i++) acc[i] = tk_v_set1(0.0f);
    for (size_t t = g->start[0] & ~(size_t)15; t < g->count[H - 1]; t += 16) {
        float weights[2][TK_V_HEADS][16];
        TK_UNROLL
        for (int b = 0; b < B; b++) {
            tk_rows_weights_i8(g, t, value_scales + t * blocks + (size_t)b * 16, H, weights[b]);
        }
        const size_t steps = tk_min(16, g->count[H - 1] - t);
        for (size_t i = 0; i < steps; i++) {
            const int8_t *codes = values + (t + i) * a->stride;
            tk_rows_prefetch(codes, 0, 1);
            TK_UNROLL
            for (int c = 0; c < C; c++) {
                const tk_v value = tk_v_load_i8(codes + c * 16);
                TK_UNROLL
                for (int h = 0; h < H; h++) {
                    const tk_v weight = tk_v_set1(weights[c / 2][h][i]);
                    acc[h * C + c] = tk_v_fma(weight, value, acc[h * C + c]);
                }
            }
        }
    }
    tk_rows_store_out(a, g, column, acc, H, C);
}

// Quantises block b of x; returns the scale.
TK_INLINE uint16_t tk_rows_quantize_block(const float *x, size_t hd, size_t b, int8_t codes[TK_KV_BLOCK]) {
    const size_t valid = tk_min(TK_KV_BLOCK, hd - b * TK_KV_BLOCK);
    x += b * TK_KV_BLOCK;
    const tk_v lo = tk_v_load_some(x, valid);
    const tk_v hi = valid > 16 ? tk_v_load_some(x + 16, valid - 16) : tk_v_set1(0.0f);
    const tk_v none = tk_v_set1(0.0f);
    const float amax = tk_v_peak(tk_v_max(tk_v_abs(hi), tk_v_max(tk_v_abs(lo), none)));
    const uint16_t scale = tk_f16_from_f32(amax / 127.0f);
    const float stored = tk_f32_from_f16(scale);
    const tk_v inverse = tk_v_set1(stored > 0 ? 1.0f / stored : 0.0f);
    tk_v_store_q8(codes, tk_v_mul(lo, inverse));
    tk_v_store_q8(codes + 16, tk_v_mul(hi, inverse));
    return scale;
}

static void tk_rows_store_keys_i8(const float *x, size_t hd, size_t position, int8_t *codes,
                                  uint16_t *scales) {
    const size_t blocks = (hd + TK_KV_BLOCK - 1) / TK_KV_BLOCK;
    for (size_t b = 0; b < blocks; b++) {
        int8_t block[TK_KV_BLOCK];
        scales[tk_kv_scale_at(position, b, blocks)] = tk_rows_quantize_block(x, hd, b, block);
        int8_t *out = codes + tk_kv_key_at(position, b * TK_KV_BLOCK, blocks);
        for (size_t i = 0; i < TK_KV_BLOCK / 4; i++) memcpy(out + i * 64, block + i * 4, 4);
    }
}

static void tk_rows_store_values_i8(const float *x, size_t hd, size_t position, int8_t *codes,
                                    uint16_t *scales) {
    const size_t blocks = (hd + TK_KV_BLOCK - 1) / TK_KV_BLOCK;
    for (size_t b = 0; b < blocks; b++) {
        int8_t *block = codes + (position * blocks + b) * TK_KV_BLOCK;
        scales[tk_kv_scale_at(position, b, blocks)] = tk_rows_quantize_block(x, hd, b, block);
    }
}

// ---- All types --------------------------------------------------------------------------------------------

TK_INLINE void tk_rows_values_at(const tk_attention *a, const tk_rows_pairs *g, size_t column, const int H,
                                 const int C, const int type) {
    if (type == TK_KV_I8) {
        tk_rows_values_i8(a, g, column, H, C);
    } else {
        tk_rows_values_float(a, g, column, H, C, type == TK_KV_F16);
    }
}

TK_INLINE void tk_rows_values(const tk_attention *a, const tk_rows_pairs *g, const int H, const int type) {
    size_t column = 0;
    if (H * 4 <= TK_V_VALUES) {
        for (; column + 64 <= a->stride; column += 64) tk_rows_values_at(a, g, column, H, 4, type);
    }
    if (H * 2 <= TK_V_VALUES) {
        for (; column + 32 <= a->stride; column += 32) tk_rows_values_at(a, g, column, H, 2, type);
    }
    for (; column < a->stride; column += 16) tk_rows_values_at(a, g, column, H, 1, type);
}

// Makes weights of the scores of H pairs. One function for all kinds of attention: each would have a copy of it.
TK_NOINLINE void tk_rows_weigh(const tk_attention *a, tk_rows_pairs *g, int H) {
    for (int h = 0; h < H; h++) {
        float *p = g->scores[h] + g->start[h];
        const size_t count = g->count[h] - g->start[h];
        if (a->softcap != 0) tk_rows_softcap(p, a->softcap, count);
        g->inverse[h] = 1.0f / tk_rows_exp_sum(p, count, tk_rows_max(p, count), 1.0f);
    }
}

// The pairs `first` ..< `first + H`, counted row by row.
TK_INLINE void tk_rows_attend(const tk_attention *a, size_t first, const int H, const int type) {
    const size_t padded = tk_attention_padded(a), skipped = a->begin - tk_attention_origin(a);
    tk_rows_pairs g;
    for (int h = 0; h < H; h++) {
        const size_t pair = first + (size_t)h, row = pair / a->heads, head = pair % a->heads;
        g.q[h] = a->q + row * a->qrow + head * a->ldq;
        g.out[h] = a->out + row * a->orow + head * a->ldo;
        g.scores[h] = a->scores + pair * padded;
        g.start[h] = skipped + tk_attention_hidden(a, row);
        g.count[h] = skipped + a->end + row - a->begin;
    }
    if (type == TK_KV_I8) {
        tk_rows_scores_i8(a, &g, H);
    } else {
        tk_rows_scores(a, &g, H, type == TK_KV_F16);
    }
    tk_rows_weigh(a, &g, H);
    tk_rows_values(a, &g, H, type);
}

TK_INLINE void tk_rows_attention_of(const tk_attention *a, const int type) {
    const size_t pairs = a->rows * a->heads;
    size_t pair = 0;
#if TK_V_HEADS >= 4
    for (; pair + 4 <= pairs; pair += 4) tk_rows_attend(a, pair, 4, type);
#endif
#if TK_V_HEADS >= 2
    for (; pair + 2 <= pairs; pair += 2) tk_rows_attend(a, pair, 2, type);
#endif
    for (; pair < pairs; pair++) tk_rows_attend(a, pair, 1, type);
}

static void tk_rows_attention(const tk_attention *a) {
    switch (a->type) {
    case TK_KV_F16: tk_rows_attention_of(a, TK_KV_F16); break;
    case TK_KV_I8: tk_rows_attention_of(a, TK_KV_I8); break;
    default: tk_rows_attention_of(a, TK_KV_F32); break;
    }
}
