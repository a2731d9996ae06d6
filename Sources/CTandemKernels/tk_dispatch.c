// SPDX-License-Identifier: Apache-2.0
//
// Which tables this processor, and its operating system, can run.

#include "tk_internal.h"

#if TK_ARM64 && defined(__linux__)
#include <sys/auxv.h>
#define TK_HWCAP_ASIMDDP (1ul << 20)
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
#if TK_ARM64
    {&tk_kernels_neon, tk_always},
    {&tk_kernels_neon_dotprod, tk_has_dotprod},
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
