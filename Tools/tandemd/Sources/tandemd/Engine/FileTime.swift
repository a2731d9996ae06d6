// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Seconds since 1970 at which a file was last changed; nil when there is none.
func modificationTime(of path: String) -> Int? {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else { return nil }
    return status.st_mtim.tv_sec
}

/// A number with so many decimals, for logs.
func rounded(_ value: Double, _ decimals: Int) -> Double {
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    return (value * scale).rounded() / scale
}
