// SPDX-License-Identifier: Apache-2.0
//
// One spin-wait hint, for the compute pool's bounded spinning.

#ifndef TANDEM_RELAX_H
#define TANDEM_RELAX_H

/// Tells the processor that the calling thread is spinning. Tens of cycles on x86-64, fewer on AArch64.
static inline void tk_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("isb" ::: "memory");
#else
    __asm__ __volatile__("" ::: "memory");
#endif
}

#endif
