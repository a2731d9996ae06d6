// SPDX-License-Identifier: Apache-2.0
//
// Bit planes of quantised weights (Formats/tandem-file.md, codec planes+lz4).
//
// A byte x, taken as a signed integer, becomes y = x ^ (x < 0 ? 0x7F : 0): its sign in the top bit, the distance from
// zero (or from minus one) below. Small weights of either sign then have the same, mostly zero, high bits. Plane p of n
// bytes holds bit p of every y: bit i of byte j of the plane belongs to byte 8 j + i.
//
// THREAD SAFETY. Pure functions. None allocates or fails.

#ifndef TANDEM_PLANES_H
#define TANDEM_PLANES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Splits n bytes (a multiple of 8) into 8 planes of n / 8 bytes, plane 0 first, one after another.
void tk_planes_split(const uint8_t *bytes, size_t n, uint8_t *planes);

/// The inverse: joins 8 planes of n / 8 bytes, wherever each lies, to n bytes (a multiple of 8), in the fastest of the
/// ways that this machine has.
void tk_planes_join(const uint8_t *const planes[8], size_t n, uint8_t *bytes);

/// The ways of joining that this machine has, the slowest first; all give the same bytes.
int tk_planes_ways(void);
const char *tk_planes_way_name(int way);
void tk_planes_join_by(int way, const uint8_t *const planes[8], size_t n, uint8_t *bytes);

#ifdef __cplusplus
}
#endif

#endif
