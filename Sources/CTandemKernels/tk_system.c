// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "tandem_system.h"

#include <fcntl.h>
#include <stdlib.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

int tk_direct_io_flag(void) {
#ifdef O_DIRECT
    return O_DIRECT;
#else
    return 0;
#endif
}

void tk_trim_heap(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}
