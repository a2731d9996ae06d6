// SPDX-License-Identifier: Apache-2.0

internal import CTandemHeader
internal import Tandem

/// What a `tandem_model` stands for.
final class ModelHandle: Sendable {
    let model: TandemModel
    let lastError = ErrorText()

    init(model: TandemModel) {
        self.model = model
    }

    /// Runs a call on the model that `handle` names, and keeps the text of its failure.
    static func call(_ handle: OpaquePointer?, _ body: (TandemModel) throws(CallError) -> Void) -> Int32 {
        guard let target = unsafe HandleTable.model(handle) else { return TANDEM_ERROR_INVALID_HANDLE }
        do throws(CallError) {
            try body(target.model)
            return TANDEM_OK
        } catch {
            target.lastError.set(error.text)
            return error.status
        }
    }
}
