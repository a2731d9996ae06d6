// SPDX-License-Identifier: Apache-2.0
// Stand-ins until the library has them.

import Synchronization
import Tandem
import TandemTokenizer

enum GenerationPriority: Sendable { case interactive, background }

final class SessionPool: Sendable {
    private let model: TandemModel
    private let options: SessionOptions
    private let idle = Mutex<[Session]>([])
    init(model: TandemModel, options: SessionOptions, count: Int) {
        self.model = model
        self.options = options
    }
    final class Lease: Sendable {
        let session: Session
        let pool: SessionPool
        init(_ session: Session, _ pool: SessionPool) { self.session = session; self.pool = pool }
        deinit { let s = session; pool.idle.withLock { $0.append(s) } }
    }
    func lease(for tokens: [TokenID]) throws(TandemError) -> Lease {
        if let session = idle.withLock({ $0.popLast() }) { return Lease(session, self) }
        return Lease(try model.makeSession(options: options), self)
    }
    func removeAll() { idle.withLock { $0 = [] } }
}

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
