// SPDX-License-Identifier: Apache-2.0

internal import Tandem

extension CallError {
    /// Runs a call of the engine, whose errors become this type's.
    static func passing<Result>(_ body: () throws(TandemError) -> Result) throws(CallError) -> Result {
        do throws(TandemError) {
            return try body()
        } catch {
            throw CallError(error)
        }
    }
}
