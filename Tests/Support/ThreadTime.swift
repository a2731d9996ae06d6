// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// Seconds for which the calling thread computed while `body` ran. However busy the machine is, time in which the thread had
/// to wait for a processor does not count.
package func threadSeconds<E: Error>(_ body: () throws(E) -> Void) throws(E) -> Double {
    let start = threadTime()
    try body()
    return threadTime() - start
}

private func threadTime() -> Double {
    var time = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}
