// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Seconds of a clock that never goes back. Only differences mean anything.
package func monotonicSeconds() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}
