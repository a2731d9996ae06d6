// SPDX-License-Identifier: Apache-2.0
//
// AMX-TILE and AMX-INT8 in software: the processor raises SIGILL at an instruction it does not know, the
// handler decodes the instruction, does what it says, and goes on behind it. So the very instructions that
// the compiler made are tested, operands, registers and configuration included, on any x86-64 processor with
// Linux.
//
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, and the chapter on AMX in
// the Instruction Set Extensions reference. Where the architecture raises an exception (#UD, #GP), the
// program ends.

#define _GNU_SOURCE
#include "emulate_amx.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

enum { TILES = 8, ROWS = 16, ROW_BYTES = 64 };

static struct {
    uint8_t bytes[ROWS][ROW_BYTES];
    unsigned rows, row_bytes;
} tiles[TILES];

static int configured;
static long instructions;

static void refuse(const char *why) {
    // In a signal handler: nothing but write and _exit.
    static const char prefix[] = "FAIL emulated tile instruction: ";
    if (write(STDOUT_FILENO, prefix, sizeof prefix - 1) < 0 || write(STDOUT_FILENO, why, strlen(why)) < 0 ||
        write(STDOUT_FILENO, "\n", 1) < 0) {
        _exit(4);
    }
    _exit(3);
}

// ---- Instructions -----------------------------------------------------------------------------------------

static void release(void) {
    memset(tiles, 0, sizeof tiles);
    configured = 0;
}

static void configure(const uint8_t *c) {
    if (c[0] == 0) {
        release();
        return;
    }
    if (c[0] != 1) refuse("ldtilecfg: unknown palette");
    if (c[1] != 0) refuse("ldtilecfg: start row is not 0");
    for (int i = 2; i < 16; i++) {
        if (c[i] != 0) refuse("ldtilecfg: reserved byte");
    }
    release();
    for (int i = 0; i < 16; i++) {
        uint16_t row_bytes;
        memcpy(&row_bytes, c + 16 + 2 * i, 2);
        const unsigned rows = c[48 + i];
        if (i >= TILES) {
            if (row_bytes != 0 || rows != 0) refuse("ldtilecfg: shape of a tile that the palette lacks");
            continue;
        }
        if (row_bytes > ROW_BYTES || rows > ROWS) refuse("ldtilecfg: tile too large");
        if ((row_bytes == 0) != (rows == 0)) refuse("ldtilecfg: rows without bytes or bytes without rows");
        tiles[i].row_bytes = row_bytes;
        tiles[i].rows = rows;
    }
    configured = 1;
}

static void require_valid(unsigned tile) {
    if (!configured) refuse("tiles are not configured");
    if (tile >= TILES) refuse("register beyond tmm7");
    if (tiles[tile].rows == 0 || tiles[tile].row_bytes == 0) refuse("tile without a shape");
}

static void load(unsigned tile, const uint8_t *from, int64_t stride) {
    require_valid(tile);
    memset(tiles[tile].bytes, 0, sizeof tiles[tile].bytes);
    for (unsigned r = 0; r < tiles[tile].rows; r++) {
        memcpy(tiles[tile].bytes[r], from + (int64_t)r * stride, tiles[tile].row_bytes);
    }
}

static void store(unsigned tile, uint8_t *to, int64_t stride) {
    require_valid(tile);
    for (unsigned r = 0; r < tiles[tile].rows; r++) {
        memcpy(to + (int64_t)r * stride, tiles[tile].bytes[r], tiles[tile].row_bytes);
    }
}

static void zero(unsigned tile) {
    require_valid(tile);
    memset(tiles[tile].bytes, 0, sizeof tiles[tile].bytes);
}

static int32_t extended(uint8_t byte, int is_signed) { return is_signed ? (int8_t)byte : byte; }

// c += a * b, in 32 bits that wrap around.
static void dots(unsigned c, unsigned a, unsigned b, int a_signed, int b_signed) {
    require_valid(c);
    require_valid(a);
    require_valid(b);
    if (c == a || c == b || a == b) refuse("tdp: the three tiles must differ");
    if (tiles[c].row_bytes % 4 != 0 || tiles[a].row_bytes % 4 != 0 || tiles[b].row_bytes % 4 != 0) {
        refuse("tdp: row that is no multiple of 4 bytes");
    }
    if (tiles[a].rows != tiles[c].rows) refuse("tdp: rows of the first operand and of the sums differ");
    if (tiles[b].row_bytes != tiles[c].row_bytes) refuse("tdp: columns of operand 2 and sums differ");
    if (tiles[a].row_bytes / 4 != tiles[b].rows) refuse("tdp: inner sizes differ");
    for (unsigned m = 0; m < tiles[c].rows; m++) {
        for (unsigned n = 0; n < tiles[c].row_bytes / 4; n++) {
            uint32_t sum;
            memcpy(&sum, tiles[c].bytes[m] + 4 * n, 4);
            for (unsigned k = 0; k < tiles[b].rows; k++) {
                for (unsigned i = 0; i < 4; i++) {
                    sum += (uint32_t)(extended(tiles[a].bytes[m][4 * k + i], a_signed) *
                                      extended(tiles[b].bytes[k][4 * n + i], b_signed));
                }
            }
            memcpy(tiles[c].bytes[m] + 4 * n, &sum, 4);
        }
        // What lies beyond the columns of the sums becomes zero.
        memset(tiles[c].bytes[m] + tiles[c].row_bytes, 0, ROW_BYTES - tiles[c].row_bytes);
    }
}

// ---- Decoding ---------------------------------------------------------------------------------------------

typedef struct {
    unsigned reg, rm;  // of the ModRM byte, extended
    int memory;        // whether rm names memory
    int sib;           // whether an index byte follows
    uint8_t *base;     // address without the index
    int64_t index;     // scaled index register: the stride of tile loads and stores
    const uint8_t *end; // behind the instruction
} operands;

static int64_t general(const greg_t *g, unsigned number) {
    static const int names[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                  REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    return g[names[number]];
}

// From the ModRM byte on; r, x and b are the register extensions of the VEX prefix (0 or 8).
static operands decode(const uint8_t *p, const greg_t *g, unsigned r, unsigned x, unsigned b) {
    const unsigned mod = *p >> 6, low = *p & 7;
    operands o = {.reg = (unsigned)(*p >> 3 & 7) | r, .rm = low | b, .memory = mod != 3};
    p++;
    if (mod == 3) {
        o.end = p;
        return o;
    }
    int64_t address = 0;
    int relative = 0, wide = mod == 2;
    if (low == 4) {
        o.sib = 1;
        const unsigned scale = *p >> 6, index = (unsigned)(*p >> 3 & 7) | x, base = *p & 7;
        p++;
        if (index != 4) o.index = (int64_t)((uint64_t)general(g, index) << scale);
        if (base == 5 && mod == 0) {
            wide = 1;
        } else {
            address = general(g, base | b);
        }
    } else if (low == 5 && mod == 0) {
        relative = wide = 1;
    } else {
        address = general(g, low | b);
    }
    if (wide) {
        int32_t displacement;
        memcpy(&displacement, p, 4);
        address += displacement;
        p += 4;
    } else if (mod == 1) {
        address += (int8_t)*p++;
    }
    if (relative) address += (int64_t)p;
    o.base = (uint8_t *)address;
    o.end = p;
    return o;
}

// Carries out the instruction at p; where the next one begins, or NULL if this is not one of ours.
static const uint8_t *step(const uint8_t *p, const greg_t *g) {
    // Three-byte VEX prefix, map 0F38, W = 0, L = 0.
    if (p[0] != 0xc4 || (p[1] & 31) != 2 || (p[2] & 0x84) != 0) return NULL;
    const unsigned r = p[1] & 0x80 ? 0 : 8, x = p[1] & 0x40 ? 0 : 8, b = p[1] & 0x20 ? 0 : 8;
    const unsigned v = ~(p[2] >> 3) & 15, prefix = p[2] & 3; // none, 66, F3, F2
    const operands o = decode(p + 4, g, r, x, b);
    switch (p[3]) {
    case 0x49:
        if (v != 0) refuse("VEX.vvvv must be empty");
        if (prefix == 0 && o.memory && o.reg == 0) {
            configure(o.base + o.index);
        } else if (prefix == 0 && p[4] == 0xc0) {
            release();
        } else if (prefix == 3 && !o.memory && o.rm == 0) {
            zero(o.reg);
        } else {
            return NULL;
        }
        return o.end;
    case 0x4b:
        if (v != 0) refuse("VEX.vvvv must be empty");
        if (!o.sib) refuse("tile loads and stores need an index byte");
        if (prefix == 3 || prefix == 1) {
            load(o.reg, o.base, o.index);
        } else if (prefix == 2) {
            store(o.reg, o.base, o.index);
        } else {
            return NULL;
        }
        return o.end;
    case 0x5e:
        if (o.memory) return NULL;
        dots(o.reg, o.rm, v, prefix & 2, prefix & 1); // F2: both signed; F3: the first; 66: the second
        return o.end;
    default: return NULL;
    }
}

static void on_illegal_instruction(int number, siginfo_t *info, void *context) {
    (void)info;
    greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
    const uint8_t *next = step((const uint8_t *)g[REG_RIP], g);
    if (next == NULL) {
        // Not a tile instruction: let it end the program as it would have.
        signal(number, SIG_DFL);
        return;
    }
    instructions++;
    g[REG_RIP] = (greg_t)next;
}

void emulate_amx(void) {
    struct sigaction action = {.sa_sigaction = on_illegal_instruction, .sa_flags = SA_SIGINFO};
    if (sigaction(SIGILL, &action, NULL) != 0) {
        perror("sigaction");
        exit(2);
    }
}

long emulated_amx_instructions(void) { return instructions; }

int emulated_amx_configured(void) { return configured; }
