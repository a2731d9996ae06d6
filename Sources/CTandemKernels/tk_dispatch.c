// SPDX-License-Identifier: Apache-2.0
//
// Which tables this processor, and its operating system, can run.

#include "tk_internal.h"

#if TK_ARM64 && defined(__linux__)
#include <sys/auxv.h>
#define TK_HWCAP_ASIMDDP (1ul << 20)
#define TK_HWCAP2_I8MM (1ul << 13)
#endif

#if TK_AMX
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#if TK_X86
// __builtin_cpu_supports also checks that the operating system saves the registers in question.
static int tk_has_avx2(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}

static int tk_has_avxvnni(void) { return tk_has_avx2() && __builtin_cpu_supports("avxvnni"); }

static int tk_has_avx512vnni(void) {
    return tk_has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni");
}
#endif

#if TK_AMX
#define TK_ARCH_GET_XCOMP_PERM 0x1022
#define TK_ARCH_REQ_XCOMP_PERM 0x1023
#define TK_XFEATURE_TILEDATA 18

// Tiles of eight registers of 16 rows of 64 bytes, their int8 products, GFNI, and a system that saves them.
static int tk_amx_in_processor(void) {
    unsigned eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || (ecx >> 27 & 1) == 0) return 0; // OSXSAVE
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return 0;
    if ((edx >> 24 & 3) != 3 || (ecx >> 8 & 1) == 0) return 0; // AMX-TILE, AMX-INT8; GFNI
    if (!__get_cpuid_count(0x1d, 1, &eax, &ebx, &ecx, &edx)) return 0;
    if (eax >> 16 < 1024 || (ebx & 0xffff) < 64 || ebx >> 16 < 8 || (ecx & 0xffff) < 16) return 0;
    unsigned low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (low >> 17 & 3) == 3;
}

// Linux hands tile registers only to processes that ask. The answer holds for all threads and for good, so it
// is asked for once; threads that ask at the same time get the same answer.
static int tk_has_amx(void) {
    enum { unknown, yes, no };
    static _Atomic int answer = unknown;
    if (answer == unknown) {
        unsigned long granted = 0;
        const int has = tk_has_avx512vnni() && tk_amx_in_processor() &&
                        syscall(SYS_arch_prctl, TK_ARCH_REQ_XCOMP_PERM, TK_XFEATURE_TILEDATA) == 0 &&
                        syscall(SYS_arch_prctl, TK_ARCH_GET_XCOMP_PERM, &granted) == 0 &&
                        (granted >> TK_XFEATURE_TILEDATA & 1) != 0;
        answer = has ? yes : no;
    }
    return answer == yes;
}
#endif

#if TK_ARM64
static int tk_has_dotprod(void) {
#if defined(__linux__)
    return (getauxval(AT_HWCAP) & TK_HWCAP_ASIMDDP) != 0;
#elif defined(__APPLE__) || defined(__ARM_FEATURE_DOTPROD)
    return 1;
#else
    return 0;
#endif
}

static int tk_has_i8mm(void) {
#if defined(__linux__)
    return tk_has_dotprod() && (getauxval(AT_HWCAP2) & TK_HWCAP2_I8MM) != 0;
#elif defined(__ARM_FEATURE_MATMUL_INT8)
    return 1;
#else
    return 0;
#endif
}
#endif

static int tk_always(void) { return 1; }

// From the slowest to the fastest.
static const struct {
    const tk_kernels *kernels;
    int (*available)(void);
} tk_tables[] = {
    {&tk_kernels_scalar, tk_always},
#if TK_X86
    {&tk_kernels_avx2, tk_has_avx2},
    {&tk_kernels_avxvnni, tk_has_avxvnni},
    {&tk_kernels_avx512vnni, tk_has_avx512vnni},
#endif
#if TK_AMX
    {&tk_kernels_amx, tk_has_amx},
#endif
#if TK_ARM64
    {&tk_kernels_neon, tk_always},
    {&tk_kernels_neon_dotprod, tk_has_dotprod},
    {&tk_kernels_neon_i8mm, tk_has_i8mm},
#endif
};

#define TK_TABLE_COUNT (sizeof tk_tables / sizeof tk_tables[0])

const tk_kernels *tk_isa_at(size_t index) {
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        if (!tk_tables[i].available()) continue;
        if (index == 0) return tk_tables[i].kernels;
        index--;
    }
    return NULL;
}

size_t tk_isa_count(void) {
    size_t count = 0;
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) count += tk_tables[i].available() ? 1 : 0;
    return count;
}

const tk_kernels *tk_isa_named(const char *name) {
    if (name == NULL) return NULL;
    for (size_t i = 0; i < TK_TABLE_COUNT; i++) {
        if (strcmp(tk_tables[i].kernels->name, name) == 0) {
            return tk_tables[i].available() ? tk_tables[i].kernels : NULL;
        }
    }
    return NULL;
}
