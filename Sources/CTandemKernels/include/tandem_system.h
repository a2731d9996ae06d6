// SPDX-License-Identifier: Apache-2.0
//
// Names of the C library that need feature macros, which Swift cannot set.

#ifndef TANDEM_SYSTEM_H
#define TANDEM_SYSTEM_H

/// The flag of `open` for reads that bypass the page cache; 0 where there is none.
int tk_direct_io_flag(void);

/// Gives memory that was freed back to the system, where the C library can.
void tk_trim_heap(void);

#endif
