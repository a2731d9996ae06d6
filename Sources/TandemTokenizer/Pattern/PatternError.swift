// SPDX-License-Identifier: Apache-2.0

/// Why a regular expression cannot be used; the reason continues "the pattern …".
struct PatternError: Error, Equatable {
    let reason: String

    init(_ reason: String) {
        self.reason = reason
    }
}
