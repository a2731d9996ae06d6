// SPDX-License-Identifier: Apache-2.0

#include "include/tandem_planes.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "bit planes are written for little-endian machines"
#endif

#define SIGNS 0x8080808080808080ull

// The flip of negative bytes, for 8 bytes at a time; its own inverse.
static inline uint64_t flip_negative(uint64_t x) {
    uint64_t sign = x & SIGNS;
    return x ^ (sign - (sign >> 7));
}

// Transposes 8 x 8 bits: bit c of byte r becomes bit r of byte c (three rounds of masked swaps).
static inline uint64_t transpose_bits(uint64_t x) {
    uint64_t t = (x ^ (x >> 7)) & 0x00AA00AA00AA00AAull;
    x ^= t ^ (t << 7);
    t = (x ^ (x >> 14)) & 0x0000CCCC0000CCCCull;
    x ^= t ^ (t << 14);
    t = (x ^ (x >> 28)) & 0x00000000F0F0F0F0ull;
    return x ^ t ^ (t << 28);
}

void tk_planes_split(const uint8_t *bytes, size_t n, uint8_t *planes) {
    size_t count = n / 8;
    for (size_t j = 0; j < count; j++) {
        uint64_t x;
        memcpy(&x, bytes + j * 8, 8);
        x = transpose_bits(flip_negative(x));
        for (size_t p = 0; p < 8; p++) planes[p * count + j] = (uint8_t)(x >> (8 * p));
    }
}

// Joins the plane bytes j ..< count.
static void join_rest(const uint8_t *const planes[8], size_t j, size_t count, uint8_t *bytes) {
    for (; j < count; j++) {
        uint64_t x = 0;
        for (int p = 0; p < 8; p++) x |= (uint64_t)planes[p][j] << (8 * p);
        x = flip_negative(transpose_bits(x));
        memcpy(bytes + j * 8, &x, 8);
    }
}

#if defined(__x86_64__)

// The 64 bits of a plane are the mask of 64 bytes.
__attribute__((target("avx512f,avx512bw"))) static size_t join_avx512(
    const uint8_t *const planes[8], size_t count, uint8_t *bytes) {
    size_t j = 0;
    for (; j + 8 <= count; j += 8) {
        __mmask64 m[8];
        for (int p = 0; p < 8; p++) {
            uint64_t bits;
            memcpy(&bits, planes[p] + j, 8);
            m[p] = bits;
        }
        __m512i y = _mm512_maskz_set1_epi8(m[0], 1);
        for (int p = 1; p < 7; p++) y = _mm512_mask_add_epi8(y, m[p], y, _mm512_set1_epi8((char)(1 << p)));
        // The sign bit, and the flip of all below it.
        y = _mm512_mask_sub_epi8(y, m[7], _mm512_set1_epi8((char)0xFF), y);
        _mm512_storeu_si512(bytes + j * 8, y);
    }
    return j;
}

__attribute__((target("avx2"))) static size_t join_avx2(
    const uint8_t *const planes[8], size_t count, uint8_t *bytes) {
    // Output byte i needs bit i % 8 of plane byte i / 8.
    const __m256i spread = _mm256_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2,
                                            3, 3, 3, 3, 3, 3, 3, 3);
    const __m256i bit = _mm256_set1_epi64x((long long)0x8040201008040201ull);
    size_t j = 0;
    for (; j + 4 <= count; j += 4) {
        __m256i y = _mm256_setzero_si256(), sign = y;
        for (int p = 0; p < 8; p++) {
            int32_t bits;
            memcpy(&bits, planes[p] + j, 4);
            __m256i x = _mm256_and_si256(_mm256_shuffle_epi8(_mm256_set1_epi32(bits), spread), bit);
            __m256i set = _mm256_cmpeq_epi8(x, bit);
            if (p < 7) {
                y = _mm256_or_si256(y, _mm256_and_si256(set, _mm256_set1_epi8((char)(1 << p))));
            } else {
                sign = set;
            }
        }
        _mm256_storeu_si256((__m256i *)(bytes + j * 8), _mm256_xor_si256(y, sign));
    }
    return j;
}

#elif defined(__aarch64__)

static size_t join_neon(const uint8_t *const planes[8], size_t count, uint8_t *bytes) {
    const uint8x16_t bit = vreinterpretq_u8_u64(vdupq_n_u64(0x8040201008040201ull));
    size_t j = 0;
    for (; j + 2 <= count; j += 2) {
        uint8x16_t y = vdupq_n_u8(0), sign = y;
        for (int p = 0; p < 8; p++) {
            uint8x16_t x = vcombine_u8(vdup_n_u8(planes[p][j]), vdup_n_u8(planes[p][j + 1]));
            uint8x16_t set = vtstq_u8(x, bit);
            if (p < 7) {
                y = vorrq_u8(y, vandq_u8(set, vdupq_n_u8((uint8_t)(1 << p))));
            } else {
                sign = set;
            }
        }
        vst1q_u8(bytes + j * 8, veorq_u8(y, sign));
    }
    return j;
}

#endif

typedef struct {
    const char *name;
    size_t (*join)(const uint8_t *const planes[8], size_t count, uint8_t *bytes);
} way;

static size_t join_none(const uint8_t *const planes[8], size_t count, uint8_t *bytes) {
    (void)planes;
    (void)count;
    (void)bytes;
    return 0;
}

// Ways of this machine into list (room for 3), the slowest first.
static int find_ways(way *list) {
    int n = 0;
    list[n++] = (way){"scalar", join_none};
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) list[n++] = (way){"avx2", join_avx2};
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")) {
        list[n++] = (way){"avx512", join_avx512};
    }
#elif defined(__aarch64__)
    list[n++] = (way){"neon", join_neon};
#endif
    return n;
}

int tk_planes_ways(void) {
    way list[3];
    return find_ways(list);
}

const char *tk_planes_way_name(int index) {
    way list[3];
    return index >= 0 && index < find_ways(list) ? list[index].name : "";
}

void tk_planes_join_by(int index, const uint8_t *const planes[8], size_t n, uint8_t *bytes) {
    way list[3];
    size_t count = n / 8, done = 0;
    if (index >= 0 && index < find_ways(list)) done = list[index].join(planes, count, bytes);
    join_rest(planes, done, count, bytes);
}

void tk_planes_join(const uint8_t *const planes[8], size_t n, uint8_t *bytes) {
    way list[3];
    tk_planes_join_by(find_ways(list) - 1, planes, n, bytes);
}
