// SPDX-License-Identifier: Apache-2.0
//
// The tile instructions that tk_amx.c uses. Written out, because the compilers' own intrinsics differ in what
// they tell the optimiser: every access to memory is declared here, and no instruction is moved across
// another one.
//
// A tile is up to 16 rows of 64 bytes. Its registers, like their configuration, belong to whoever is running:
// a kernel configures them when it begins and releases them when it ends, so that neither the caller's
// registers nor the cost of switching threads depends on it.

#ifndef TK_AMX_TILES_H
#define TK_AMX_TILES_H

#include <stddef.h>
#include <stdint.h>

// What ldtilecfg reads.
typedef struct tk_tile_configuration {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} tk_tile_configuration;

_Static_assert(sizeof(tk_tile_configuration) == 64, "the processor reads 64 bytes");

TK_INLINE void tk_tiles_configure(const tk_tile_configuration *c) {
    __asm__ volatile("ldtilecfg %0" : : "m"(*c));
}

TK_INLINE void tk_tiles_release(void) { __asm__ volatile("tilerelease"); }

// The arguments of these name registers: plain numbers.
#define TK_TILE_ZERO(tile) __asm__ volatile("tilezero %%tmm" #tile : :)
#define TK_TILE_LOAD(tile, from, stride) \
    __asm__ volatile("tileloadd (%0,%1,1), %%tmm" #tile : : "r"(from), "r"((size_t)(stride)) : "memory")
#define TK_TILE_STORE(tile, to, stride) \
    __asm__ volatile("tilestored %%tmm" #tile ", (%0,%1,1)" : : "r"(to), "r"((size_t)(stride)) : "memory")
// sums += a * b: a [rows, 4k] and b [k, 4 * columns] signed bytes, sums [rows, columns] in 32 bits.
#define TK_TILE_DOTS(sums, a, b) \
    __asm__ volatile("tdpbssd %%tmm" #b ", %%tmm" #a ", %%tmm" #sums : :)

#endif
