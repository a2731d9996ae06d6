// SPDX-License-Identifier: Apache-2.0
//
// Tile instructions on processors without them; see emulate_amx.c.

#ifndef EMULATE_AMX_H
#define EMULATE_AMX_H

// From now on a tile instruction that this processor refuses is carried out in software. One that breaks a
// rule of the architecture ends the program with status 3.
void emulate_amx(void);

// How many tile instructions were carried out so far.
long emulated_amx_instructions(void);

// Whether tiles are configured at this moment. Outside of a kernel they must not be.
int emulated_amx_configured(void);

#endif
