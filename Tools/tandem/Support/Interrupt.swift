// SPDX-License-Identifier: Apache-2.0

import Glibc
import Tandem

/// Cancelled by Ctrl-C and by SIGTERM once ``catchInterrupt()`` was called.
let interruptibleToken = CancellationToken()

/// Turns the first SIGINT or SIGTERM into a cancellation; the second one ends the process as usual.
func catchInterrupt() {
    // Made before the handler may need it: a signal handler must not run a lazy initialiser.
    _ = interruptibleToken.isCancelled
    let handler: @convention(c) (Int32) -> Void = { number in
        interruptibleToken.cancel()
        signal(number, SIG_DFL)
    }
    signal(SIGINT, handler)
    signal(SIGTERM, handler)
}
