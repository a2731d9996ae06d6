// SPDX-License-Identifier: Apache-2.0

#define _GNU_SOURCE
#include "tandem_system.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif
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

#ifdef __linux__

int tk_lease_signal(void) { return SIGIO; }

int tk_lease_take(int descriptor) {
    // To this very thread: no handler of the process ever sees the signal.
    struct f_owner_ex owner = {.type = F_OWNER_TID, .pid = (pid_t)syscall(SYS_gettid)};
    if (fcntl(descriptor, F_SETOWN_EX, &owner) != 0) return errno;
    if (fcntl(descriptor, F_SETSIG, SIGIO) != 0) return errno;
    if (fcntl(descriptor, F_SETLEASE, F_RDLCK) != 0) return errno;
    return 0;
}

void tk_lease_wait(void) {
    sigset_t wanted;
    sigemptyset(&wanted);
    sigaddset(&wanted, SIGIO);
    while (sigwaitinfo(&wanted, NULL) < 0 && errno == EINTR) continue;
}

void tk_lease_release(int descriptor) { fcntl(descriptor, F_SETLEASE, F_UNLCK); }

#else

int tk_lease_signal(void) { return SIGIO; }
int tk_lease_take(int descriptor) {
    (void)descriptor;
    return ENOSYS;
}
void tk_lease_wait(void) {}
void tk_lease_release(int descriptor) { (void)descriptor; }

#endif
