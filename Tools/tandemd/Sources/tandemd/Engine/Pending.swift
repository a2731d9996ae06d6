// SPDX-License-Identifier: Apache-2.0
// Stand-ins until the library has them.

import Synchronization
import Tandem
import TandemTokenizer

final class ManagedModel: Sendable {
    let path: String
    let options: LoadOptions
    private let model = Mutex<TandemModel?>(nil)
    init(path: String, options: LoadOptions) { self.path = path; self.options = options }
    var isLoaded: Bool { model.withLock { $0 != nil } }
    func acquire() throws(TandemError) -> TandemModel {
        if let model = model.withLock({ $0 }) { return model }
        let loaded = try TandemModel.load(from: path, options: options)
        model.withLock { $0 = loaded }
        return loaded
    }
    func unloadIfIdle(for seconds: Double) -> Bool { model.withLock { $0 = nil }; return true }
}
