// SPDX-License-Identifier: Apache-2.0
//
// Names of the C library that need feature macros, which Swift cannot set.

#ifndef TANDEM_SYSTEM_H
#define TANDEM_SYSTEM_H

#include <stddef.h>

/// The flag of `open` for reads that bypass the page cache; 0 where there is none.
int tk_direct_io_flag(void);

/// Gives memory that was freed back to the system, where the C library can.
void tk_trim_heap(void);

/// Takes pages of programs and libraries that nobody has written to out of the process's memory, code and constants: those
/// that are still in use come back, from the page cache, when they are touched next; those that were of use only at the
/// start do not. Objects that somebody has changed in memory stay as they are. Returns the bytes that were looked at; 0
/// where the system cannot tell which pages were written to.
size_t tk_release_program_pages(void);

/// Asks the kernel to tell the calling thread, and to wait for it, before anyone may open the file for writing or truncate
/// it. The thread has to have all signals blocked. Returns 0, or the reason why not (errno): a foreign file, a file system
/// without leases, a file that is open for writing.
int tk_lease_take(int descriptor);

/// Waits on the thread that took a lease until somebody wants to write, or until the thread is sent tk_lease_signal().
void tk_lease_wait(void);

/// Lets the writer go on.
void tk_lease_release(int descriptor);

/// The signal that wakes tk_lease_wait.
int tk_lease_signal(void);

#endif
