// SPDX-License-Identifier: Apache-2.0

internal import CTandemHeader
internal import Tandem

/// What a `tandem_model` stands for.
final class ModelHandle: Sendable {
    let model: TandemModel
    let log: CallLog
    let lastError = ErrorText()

    init(model: TandemModel, log: CallLog) {
        self.model = model
        self.log = log
    }

    /// Runs a call on the model that `handle` names, and keeps the text of its failure.
    static func call(
        _ handle: OpaquePointer?, function: StaticString = #function,
        _ body: (ModelHandle) throws(CallError) -> Void
    ) -> Int32 {
        let target: ModelHandle
        do throws(CallError) {
            target = try unsafe HandleTable.model(handle)
        } catch {
            return error.status
        }
        do throws(CallError) {
            try body(target)
            return TANDEM_OK
        } catch {
            target.lastError.set(error.text)
            target.log.write(failure: error, of: function)
            return error.status
        }
    }
}
