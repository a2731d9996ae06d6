// SPDX-License-Identifier: Apache-2.0
//
// Compares every table of the kernels with the scalar one, bit for bit, without Swift: for processors reached
// only through a cross compiler and an emulator, and for runs under the sanitizers. Every buffer is allocated
// at its exact size, so that an address sanitizer sees one element too many.
//
// Usage: compare [table …]   (by default all tables of this machine)
// Exit status 1 on a difference or a missing table.
//
// With EMULATE_AMX defined, and emulate_amx.c linked, there is a table "amx" on every processor that has AVX-512
// VNNI: where tile instructions are missing they are emulated.
//
// The digest in each line covers every result that was compared. It is the same for every table and on every
// machine.

#include "tandem_kernels.h"
#include "tandem_planes.h"

#ifdef EMULATE_AMX
#include "emulate_amx.h"
extern const tk_kernels tk_kernels_amx;
#endif

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t random_state, digest;
static long checks, failures;

static uint32_t random_u32(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 24);
}

static float random_unit(void) { return (float)(int32_t)random_u32() * 0x1p-31f; }

static void *allocate(size_t bytes) {
    // aligned_alloc of the exact size: what lies behind the last byte belongs to nobody.
    void *p = NULL;
    if (posix_memalign(&p, 64, bytes > 0 ? bytes : 1) != 0) {
        fprintf(stderr, "compare: out of memory\n");
        exit(2);
    }
    return p;
}

static float *random_floats(size_t n) {
    float *x = allocate(n * sizeof(float));
    for (size_t i = 0; i < n; i++) x[i] = random_unit();
    return x;
}

// Floats of every kind: NaN, infinities, denormals, zeros of both signs, huge and tiny.
static float *wild_floats(size_t n) {
    static const uint32_t kinds[] = {0x7fc00000, 0x7f800000, 0xff800000, 1,          0x80000000,
                                     0,          0x7f7fffff, 0x00800000, 0xffc12345, 0x7f800001,
                                     0x42b17218, 0xc2aeac50, 0x3f000000, 0x33000000};
    float *x = random_floats(n);
    for (size_t i = 0; i < n; i++) {
        if (random_u32() % 4 == 0) memcpy(x + i, &kinds[random_u32() % (sizeof kinds / sizeof *kinds)], 4);
        if (random_u32() % 16 == 0) {
            const uint32_t bits = random_u32();
            memcpy(x + i, &bits, 4);
        }
    }
    return x;
}

static void add_to_digest(const void *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) digest = (digest ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
}

static int same_bytes(const void *a, const void *b, size_t n) {
    add_to_digest(b, n);
    return memcmp(a, b, n) == 0;
}

// The same bits, or a NaN on both sides.
static int same_floats(const float *a, const float *b, size_t n) {
    int same = 1;
    for (size_t i = 0; i < n; i++) {
        const uint32_t nan = 0x7fc00000;
        add_to_digest(b[i] != b[i] ? (const void *)&nan : (const void *)(b + i), 4);
        same &= memcmp(a + i, b + i, 4) == 0 || (a[i] != a[i] && b[i] != b[i]);
    }
    return same;
}

static void check(int good, const tk_kernels *table, const char *what, size_t a, size_t b, size_t c) {
    checks++;
    if (good) return;
    if (failures++ < 20) printf("FAIL %s %s (%zu, %zu, %zu)\n", table->name, what, a, b, c);
}

// Tables of this machine, and after them the emulated one.
static const tk_kernels *table_at(size_t index) {
    const tk_kernels *table = tk_isa_at(index);
#ifdef EMULATE_AMX
    if (index == tk_isa_count() && tk_isa_named("avx512vnni") != NULL && tk_isa_named("amx") == NULL) {
        table = &tk_kernels_amx;
    }
#endif
    return table;
}

// A kernel leaves no tiles behind.
static int tiles_released(void) {
#ifdef EMULATE_AMX
    return !emulated_amx_configured();
#else
    return 1;
#endif
}

enum kind { I8, I4, I4Z };

static void gemm(const tk_kernels *table, enum kind kind, const tk_qgemm *args, size_t first, size_t last) {
    switch (kind) {
    case I8: table->gemm_i8(args, first, last); break;
    case I4: table->gemm_i4(args, first, last); break;
    case I4Z: table->gemm_i4z(args, first, last); break;
    }
}

static void compare_gemm(const tk_kernels *scalar, const tk_kernels *table, size_t n, size_t k, size_t rows,
                         size_t ga, size_t gw, enum kind kind, int wild) {
    const int four_bit = kind != I8;
    const size_t unit = gw == 0 ? 64 : gw > 64 ? gw : 64;
    const size_t kp = (k + unit - 1) / unit * unit, panels = (n + 15) / 16;
    if (gw == 0) gw = kp;
    const size_t panel_bytes = four_bit ? kp * 8 : kp * 16;
    const size_t scale_bytes = panels * (kp / gw * 32 + (kind == I4Z ? 128 : 0));
    uint8_t *w = allocate(panels * panel_bytes);
    int8_t *values = allocate(16 * k);
    for (size_t p = 0; p < panels; p++) {
        for (size_t i = 0; i < 16 * k; i++) {
            const uint32_t r = random_u32();
            values[i] = (int8_t)(four_bit     ? (int)(r % 16) - 8
                                 : r % 8 == 0 ? (r & 8 ? 127 : -128)
                                              : (int)(r >> 8) % 128);
        }
        const size_t valid = n - p * 16 < 16 ? n - p * 16 : 16;
        if (four_bit) {
            tk_pack_panel_i4(values, k, valid, k, kp, w + p * panel_bytes);
        } else {
            tk_pack_panel_i8(values, k, valid, k, kp, w + p * panel_bytes);
        }
    }
    uint16_t *ws = allocate(scale_bytes);
    for (size_t i = 0; i < scale_bytes / 2; i++) {
        ws[i] = wild || kind == I4Z ? (uint16_t)random_u32() : tk_f16_from_f32(random_unit() * 0.02f);
    }
    for (size_t p = 0; kind == I4Z && p < panels; p++) {
        float *factors = (float *)ws + p * (kp / gw * 8 + 32);
        for (size_t i = 0; i < 32; i++) factors[i] = wild && i % 5 == 0 ? NAN : random_unit() * 0.001f;
    }
    float *x = wild ? wild_floats(rows * k) : random_floats(rows * k);
    if (!wild) {
        for (size_t i = 0; i < k; i++) x[i] = i % 3 == 0 ? 1.0f : -1.0f;
    }
    const size_t groups = kp / ga, ldy = panels * 16;
    int8_t *q = allocate(rows * kp), *q2 = allocate(rows * kp);
    float *as = allocate(rows * groups * 4), *as2 = allocate(rows * groups * 4);
    int32_t *sums = allocate(rows * groups * 4), *sums2 = allocate(rows * groups * 4);
    float *y = allocate(rows * ldy * 4), *y2 = allocate(rows * ldy * 4);
    scalar->quantize(x, k, rows, k, kp, ga, q, kp, as, sums, groups);
    table->quantize(x, k, rows, k, kp, ga, q2, kp, as2, sums2, groups);
    check((same_bytes(q, q2, rows * kp) & same_bytes(sums, sums2, rows * groups * 4) &
           same_floats(as, as2, rows * groups)) != 0,
          table, "quantize", rows, k, ga);

    tk_qgemm args = {q, kp, as, sums, groups, rows, w, ws, kp, ga, gw, y, ldy, NULL};
    gemm(scalar, kind, &args, 0, panels);
    args.y = y2;
    memset(y2, 0x55, rows * ldy * 4);
    gemm(table, kind, &args, 0, panels / 2);
    gemm(table, kind, &args, panels / 2, panels);
    static const char *names[] = {"gemm_i8", "gemm_i4", "gemm_i4z"};
    check(same_floats(y, y2, rows * ldy), table, names[kind], n, k, rows * 1000 + ga);
    const size_t bytes = kind == I8 && table->interleave ? tk_interleaved_bytes(rows, kp, ga) : 0;
    if (bytes > 0) {
        // The same with the activations in another order; not in the digest, as other tables have nothing of the kind.
        const uint64_t digest_before = digest;
        uint8_t *interleaved = allocate(bytes + 64);
        memset(interleaved + bytes, 0x55, 64);
        table->interleave(&args, interleaved);
        check(interleaved[bytes] == 0x55, table, "interleave writes too much", n, k, rows * 1000 + ga);
        args.interleaved = interleaved;
        memset(y2, 0x55, rows * ldy * 4);
        gemm(table, kind, &args, 0, panels / 2);
        gemm(table, kind, &args, panels / 2, panels);
        check(same_floats(y, y2, rows * ldy), table, "gemm_i8, interleaved", n, k, rows * 1000 + ga);
        free(interleaved);
        digest = digest_before;
    }
    check(tiles_released(), table, "tiles released", n, k, rows);
    free(w), free(values), free(ws), free(x), free(q), free(q2), free(as), free(as2), free(sums), free(sums2);
    free(y), free(y2);
}

static void compare_gemm_f32(const tk_kernels *scalar, const tk_kernels *table, size_t n, size_t k,
                             size_t rows) {
    const size_t panels = (n + 15) / 16, ldy = panels * 16;
    float *w = random_floats(panels * 16 * k), *x = random_floats(rows * k);
    float *y = allocate(rows * ldy * 4), *y2 = allocate(rows * ldy * 4);
    tk_fgemm args = {x, k, rows, w, k, y, ldy};
    scalar->gemm_f32(&args, 0, panels);
    args.y = y2;
    table->gemm_f32(&args, 0, panels);
    check(same_bytes(y, y2, rows * ldy * 4), table, "gemm_f32", n, k, rows);
    free(w), free(x), free(y), free(y2);
}

static void compare_vectors(const tk_kernels *scalar, const tk_kernels *table, size_t n, int wild) {
    float *a = wild ? wild_floats(n) : random_floats(n), *b = wild ? wild_floats(n) : random_floats(n);
    float *y = allocate(n * 4), *y2 = allocate(n * 4);
    uint16_t *h = allocate(n * 2), *h2 = allocate(n * 2);
    if (!wild) {
        for (size_t i = 0; i < n; i++) a[i] *= 40.0f;
    }
    scalar->rmsnorm(a, b, 1e-5f, n, y), table->rmsnorm(a, b, 1e-5f, n, y2);
    check(same_floats(y, y2, n), table, "rmsnorm", n, (size_t)wild, 0);
    memcpy(y2, a, n * 4), table->rmsnorm(y2, b, 1e-5f, n, y2);
    check(same_floats(y, y2, n), table, "rmsnorm in place", n, (size_t)wild, 0);
    scalar->swiglu(a, b, n, y), table->swiglu(a, b, n, y2);
    check(same_floats(y, y2, n), table, "swiglu", n, (size_t)wild, 0);
    scalar->geglu(a, b, n, y), table->geglu(a, b, n, y2);
    check(same_floats(y, y2, n), table, "geglu", n, (size_t)wild, 0);
    memcpy(y, a, n * 4), memcpy(y2, a, n * 4);
    scalar->add(y, b, n), table->add(y2, b, n);
    check(same_floats(y, y2, n), table, "add", n, (size_t)wild, 0);
    scalar->add_scaled(y, 0.22f, b, n), table->add_scaled(y2, 0.22f, b, n);
    check(same_floats(y, y2, n), table, "add_scaled", n, (size_t)wild, 0);
    scalar->scale(y, 1.7f, n), table->scale(y2, 1.7f, n);
    check(same_floats(y, y2, n), table, "scale", n, (size_t)wild, 0);
    memcpy(y, a, n * 4), memcpy(y2, a, n * 4);
    scalar->softcap(y, 7.5f, n), table->softcap(y2, 7.5f, n);
    check(same_floats(y, y2, n), table, "softcap", n, (size_t)wild, 0);
    memcpy(y, a, n * 4), memcpy(y2, a, n * 4);
    scalar->softmax(y, n, 0.7f), table->softmax(y2, n, 0.7f);
    check(same_floats(y, y2, n), table, "softmax", n, (size_t)wild, 0);
    const uint64_t best = scalar->argmax(a, n), best2 = table->argmax(a, n);
    check(same_bytes(&best, &best2, sizeof best), table, "argmax", n, (size_t)wild, 0);
    scalar->f16_from_f32(a, n, h), table->f16_from_f32(a, n, h2);
    check(same_bytes(h, h2, n * 2), table, "f16_from_f32", n, (size_t)wild, 0);
    for (size_t i = 0; i < n; i++) h[i] = (uint16_t)random_u32();
    scalar->f32_from_f16(h, n, y), table->f32_from_f16(h, n, y2);
    check(same_bytes(y, y2, n * 4), table, "f32_from_f16", n, (size_t)wild, 0);
    scalar->f32_from_bf16(h, n, y), table->f32_from_bf16(h, n, y2);
    check(same_bytes(y, y2, n * 4), table, "f32_from_bf16", n, (size_t)wild, 0);
    free(a), free(b), free(y), free(y2), free(h), free(h2);
}

static void compare_rope(const tk_kernels *scalar, const tk_kernels *table, size_t heads, size_t half,
                         size_t extra) {
    const size_t ld = 2 * half + extra, n = heads * ld;
    float *x = random_floats(n), *x2 = allocate(n * 4), *freq = allocate(half * 4),
          *row = allocate(2 * half * 4);
    memcpy(x2, x, n * 4);
    tk_rope_frequencies(10000.0f, half, freq);
    tk_rope_row(1234, freq, half, extra == 2 ? 1.19f : 1.0f, row);
    scalar->rope(x, heads, ld, half, row), table->rope(x2, heads, ld, half, row);
    check(same_bytes(x, x2, n * 4), table, "rope", heads, half, extra);
    free(x), free(x2), free(freq), free(row);
}

// Keys and values of one head, with what the kernels want to know of them.
typedef struct cache {
    int type;
    size_t stride, positions;
    void *k, *v;
    uint16_t *kscales, *vscales;
} cache;

static cache float_cache(int type, size_t hd, size_t positions) {
    const size_t stride = (hd + 15) / 16 * 16, cells = positions * stride, element = type == TK_KV_F16 ? 2 : 4;
    cache c = {type, stride, positions, allocate(cells * element), allocate(cells * element), NULL, NULL};
    for (size_t i = 0; i < cells; i++) {
        const float kf = i % stride < hd ? random_unit() * 3 : 0, vf = i % stride < hd ? random_unit() : 0;
        const uint16_t kh = tk_f16_from_f32(kf), vh = tk_f16_from_f32(vf);
        memcpy((char *)c.k + i * element, type == TK_KV_F16 ? (const void *)&kh : (const void *)&kf, element);
        memcpy((char *)c.v + i * element, type == TK_KV_F16 ? (const void *)&vh : (const void *)&vf, element);
    }
    return c;
}

// Stored by both tables, which must write the same.
static cache code_cache(const tk_kernels *scalar, const tk_kernels *table, size_t hd, size_t positions,
                        int wild) {
    const size_t stride = (hd + 31) / 32 * 32, panels = (positions + 15) / 16;
    const size_t keys = panels * 16 * stride, values = positions * stride, scales = panels * 16 * (stride / 32);
    cache c[2];
    for (int i = 0; i < 2; i++) {
        c[i] = (cache){TK_KV_I8,       stride,           positions,           allocate(keys),
                       allocate(values), allocate(scales * 2), allocate(scales * 2)};
        memset(c[i].k, 0x55, keys), memset(c[i].v, 0x55, values);
        memset(c[i].kscales, 0x7f, scales * 2), memset(c[i].vscales, 0x7f, scales * 2);
    }
    for (size_t t = 0; t < positions; t++) {
        float *k = wild ? wild_floats(hd) : random_floats(hd), *v = wild ? wild_floats(hd) : random_floats(hd);
        for (int i = 0; i < 2; i++) {
            const tk_kernels *writer = i == 0 ? scalar : table;
            writer->store_keys_i8(k, hd, t, c[i].k, c[i].kscales);
            writer->store_values_i8(v, hd, t, c[i].v, c[i].vscales);
        }
        free(k), free(v);
    }
    check(same_bytes(c[0].k, c[1].k, keys) && same_bytes(c[0].kscales, c[1].kscales, scales * 2), table,
          "store_keys_i8", hd, positions, (size_t)wild);
    check(same_bytes(c[0].v, c[1].v, values) && same_bytes(c[0].vscales, c[1].vscales, scales * 2), table,
          "store_values_i8", hd, positions, (size_t)wild);
    free(c[1].k), free(c[1].v), free(c[1].kscales), free(c[1].vscales);
    return c[0];
}

static void compare_attention(const tk_kernels *scalar, const tk_kernels *table, size_t heads, size_t hd,
                              size_t begin, size_t count, int type, size_t window, float softcap) {
    static const char *names[] = {"attention f32", "attention f16", "attention i8"};
    const size_t rows = 1 + count % 5, end = begin + count, width = heads * hd, positions = end + rows - 1;
    const cache c = type == TK_KV_I8 ? code_cache(scalar, table, hd, positions, 0)
                                     : float_cache(type, hd, positions);
    const size_t padded = (positions + 15) / 16 * 16 - begin / 16 * 16;
    const size_t scratch = rows * heads * padded + (type == TK_KV_I8 ? tk_kv_scratch(hd) : 0);
    float *q = random_floats(rows * width), *scores = allocate(scratch * 4);
    float *y = allocate(rows * width * 4), *y2 = allocate(rows * width * 4);
    tk_attention args = {q,       hd,  heads,  hd,     c.k,  c.v,   type,  c.stride, begin,  end,
                         1.0f / sqrtf((float)hd), scores, y, hd, rows, width, width, window, softcap,
                         c.kscales, c.vscales};
    scalar->attention(&args);
    args.out = y2;
    memset(scores, 0xff, scratch * 4);
    table->attention(&args);
    check(same_bytes(y, y2, rows * width * 4), table, names[type], heads, hd, count);
    free(c.k), free(c.v), free(c.kscales), free(c.vscales), free(q), free(scores), free(y), free(y2);
}

static void compare_exp(const tk_kernels *scalar, const tk_kernels *table) {
    // swiglu with up = 1 over exponents of every size shows every branch of exp.
    enum { N = 4096 };
    float *a = allocate(N * 4), *b = allocate(N * 4), *y = allocate(N * 4), *y2 = allocate(N * 4);
    for (uint64_t start = 0; start < 0x100000000u; start += 0x1000000u) {
        for (size_t i = 0; i < N; i++) {
            const uint32_t bits = (uint32_t)(start + random_u32() % 0x1000000u);
            memcpy(a + i, &bits, 4);
            b[i] = 1;
        }
        scalar->swiglu(a, b, N, y), table->swiglu(a, b, N, y2);
        check(same_floats(y, y2, N), table, "exp", (size_t)(start >> 24), 0, 0);
    }
    for (size_t i = 0; i < N; i++) a[i] = -90.0f + 180.0f * (float)i / N;
    scalar->swiglu(a, b, N, y), table->swiglu(a, b, N, y2);
    check(same_floats(y, y2, N), table, "exp", 256, 0, 0);
    free(a), free(b), free(y), free(y2);
}

static void compare_tanh(const tk_kernels *scalar, const tk_kernels *table) {
    enum { N = 4096 };
    float *y = allocate(N * 4), *y2 = allocate(N * 4);
    for (uint64_t start = 0; start < 0x100000000u; start += 0x1000000u) {
        for (size_t i = 0; i < N; i++) {
            const uint32_t bits = (uint32_t)(start + random_u32() % 0x1000000u);
            memcpy(y + i, &bits, 4);
        }
        memcpy(y2, y, N * 4);
        scalar->softcap(y, 1, N), table->softcap(y2, 1, N);
        check(same_floats(y, y2, N), table, "tanh", (size_t)(start >> 24), 0, 0);
    }
    free(y), free(y2);
}

static void compare(const tk_kernels *scalar, const tk_kernels *table) {
    static const size_t groups[] = {32, 64, 128};
    for (size_t rows = 1; rows <= 17; rows++) {
        for (size_t gi = 0; gi < 3; gi++) {
            for (enum kind kind = I8; kind <= I4Z; kind++) {
                const size_t ga = groups[gi];
                compare_gemm(scalar, table, 40, 200, rows, ga, ga, kind, 0);
                compare_gemm(scalar, table, 16, 64, rows, ga, ga, kind, rows % 2 == 0);
                compare_gemm(scalar, table, 5, 3, rows, ga, ga, kind, 1);
                if (ga <= 64) compare_gemm(scalar, table, 33, 384, rows, ga, 0, kind, 0);
                if (ga <= 64) compare_gemm(scalar, table, 33, 256, rows, ga, 128, kind, 0);
            }
        }
        compare_gemm_f32(scalar, table, rows * 7, 13 + rows, rows);
        compare_gemm_f32(scalar, table, 80, 64, rows);
    }
    // Every edge of blocks of rows, and of blocks of k.
    static const size_t many[] = {31, 32, 33, 47, 48, 49, 64, 65, 100};
    for (size_t i = 0; i < sizeof many / sizeof *many; i++) {
        for (enum kind kind = I8; kind <= I4Z; kind++) {
            const size_t ga = groups[i % 3];
            compare_gemm(scalar, table, 40 + i, 512 + 64 * i, many[i], ga, ga, kind, i % 4 == 0);
            compare_gemm(scalar, table, 16 * i + 1, 640, many[i], 32, 0, kind, 0);
            compare_gemm(scalar, table, 48, 1100, many[i], 64, 128, kind, 0);
        }
    }
    for (enum kind kind = I8; kind <= I4Z; kind++) {
        compare_gemm(scalar, table, 70, 2048, 40, 64, 64, kind, 0);
        compare_gemm(scalar, table, 33, 576, 512, 32, 32, kind, 0);
    }
    for (size_t n = 1; n <= 100; n++) {
        compare_vectors(scalar, table, n, 0);
        compare_vectors(scalar, table, n, 1);
    }
    compare_vectors(scalar, table, 4096, 0);
    for (size_t half = 1; half <= 40; half++) compare_rope(scalar, table, 1 + half % 5, half, half % 3);
    for (size_t count = 1; count <= 70; count++) {
        static const size_t sizes[] = {8, 16, 24, 40, 48, 56, 64, 80, 96, 112, 120, 128};
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            const size_t heads = 1 + (count + i) % 7, begin = (count * 3 + i) % 5;
            compare_attention(scalar, table, heads, sizes[i], begin, count, TK_KV_F32, 0, 0);
            compare_attention(scalar, table, heads, sizes[i], begin, count, TK_KV_F16, 0, 0);
            const size_t window = 1 + (count * 5 + i * 11) % 40;
            compare_attention(scalar, table, heads, sizes[i], begin, count, TK_KV_F32, window, 0);
            compare_attention(scalar, table, heads, sizes[i], begin, count, TK_KV_F16, window, 1.5f);
            compare_attention(scalar, table, heads, sizes[i], begin * 7, count, TK_KV_I8, 0, 0);
            compare_attention(scalar, table, heads, sizes[i], begin, count, TK_KV_I8, window, 1.5f);
        }
    }
    for (size_t hd = 1; hd <= 100; hd++) {
        const cache c = code_cache(scalar, table, hd, 1 + hd % 20, 1);
        free(c.k), free(c.v), free(c.kscales), free(c.vscales);
    }
    compare_exp(scalar, table);
    compare_tanh(scalar, table);
}

// Nothing to compare these with here; the digest shows whether two machines agree.
static void compare_helpers(void) {
    float freq[64], row[128];
    for (int base = 0; base < 4; base++) {
        tk_rope_frequencies(base == 0 ? 10000.0f : 123456.0f * (float)base, 64, freq);
        add_to_digest(freq, sizeof freq);
        for (size_t position = 0; position < 3000; position += 7) {
            tk_rope_row(position * (size_t)(base + 1), freq, 64, base == 3 ? 0.83f : 1.0f, row);
            add_to_digest(row, sizeof row);
        }
    }
    for (int i = 1; i < 20000; i++) {
        const double log = tk_log_ref((double)i * 0x1.3579bp-7);
        const float exp = tk_expf_ref((float)(i - 10000) * 0.0091f);
        const float tanh = tk_tanhf_ref((float)(i - 10000) * 0.0013f);
        add_to_digest(&log, sizeof log);
        add_to_digest(&exp, sizeof exp);
        add_to_digest(&tanh, sizeof tanh);
    }
}

// Every way of joining bit planes gives back what was split.
static void compare_planes(void) {
    for (size_t n = 0; n <= 1032; n += n < 600 ? 8 : 48) {
        uint8_t *bytes = allocate(n), *planes = allocate(n), *joined = allocate(n);
        for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)random_u32();
        tk_planes_split(bytes, n, planes);
        add_to_digest(planes, n);
        const uint8_t *list[8];
        for (size_t p = 0; p < 8; p++) list[p] = planes + p * (n / 8);
        for (int way = 0; way < tk_planes_ways(); way++) {
            memset(joined, 0x55, n);
            tk_planes_join_by(way, list, n, joined);
            checks++;
            if (n > 0 && memcmp(joined, bytes, n) != 0) {
                printf("FAIL planes of %zu bytes joined by %s\n", n, tk_planes_way_name(way));
                failures++;
            }
        }
        free(bytes);
        free(planes);
        free(joined);
    }
}

int main(int argc, char **argv) {
    const tk_kernels *scalar = tk_isa_named("scalar");
#ifdef EMULATE_AMX
    emulate_amx();
#endif
    for (int i = 1; i < argc; i++) {
        size_t at = 0;
        while (table_at(at) != NULL && strcmp(table_at(at)->name, argv[i]) != 0) at++;
        if (table_at(at) == NULL) {
            printf("FAIL this processor or build lacks the table \"%s\"\n", argv[i]);
            failures++;
        }
    }
    for (size_t i = 0; table_at(i) != NULL; i++) {
        const tk_kernels *table = table_at(i);
        int wanted = argc == 1;
        for (int j = 1; j < argc; j++) wanted |= strcmp(argv[j], table->name) == 0;
        if (!wanted) continue;
        const long before = checks, failed = failures;
        random_state = 0x9e3779b97f4a7c15u;
        digest = 0xcbf29ce484222325u;
        compare(scalar, table);
        compare_helpers();
        compare_planes();
        printf("%-14s %ld comparisons with scalar, %ld differences, digest %016llx\n", table->name,
               checks - before, failures - failed, (unsigned long long)digest);
    }
#ifdef EMULATE_AMX
    printf("%ld tile instructions emulated\n", emulated_amx_instructions());
#endif
    return failures == 0 ? 0 : 1;
}
