// SPDX-License-Identifier: Apache-2.0

internal import Synchronization
internal import TandemFormat
public import TandemTokenizer

/// The sessions of a server: each request gets the one whose caches hold most of its text.
///
/// ```swift
/// let pool = try SessionPool(model: model, count: 4)
/// let result = try pool.withSession(for: prompt) { session in
///     try session.generate(tokens: prompt, parameters: parameters)
/// }
/// ```
///
/// A session that holds the beginning of the prompt is taken where that is at least half of what it holds: it loses little. Else
/// a new session is made while there are fewer than ``count``, which takes over what another one holds of the beginning
/// (``Session/fork()``). Else, or when the memory plan has no room, it is the session that was used least recently.
///
/// ## Thread Safety
/// Any number of threads. No call waits for a session: whoever wants more than there are is refused.
public final class SessionPool: Sendable {
    public let model: TandemModel
    /// Of every session.
    public let options: SessionOptions
    /// Sessions there may be at a time.
    public let count: Int
    private let state = Guarded(State())

    /// A shorter beginning is run again rather than copied.
    fileprivate static let worthForking = 16

    fileprivate struct State {
        /// Sessions that nobody uses, the least recently used first.
        var idle: [Session] = []
        /// Sessions that are lent, or being made.
        var lent = 0
        /// How often the pool was emptied.
        var epoch = 0
    }

    /// An empty pool; sessions are made when they are wanted.
    /// - Parameters:
    ///   - model: the model of every session.
    ///   - options: of every session.
    ///   - count: sessions at most, 1 ... 1024.
    /// - Throws: ``TandemError/invalidParameter(name:value:allowed:)``.
    public init(model: TandemModel, options: SessionOptions = .default, count: Int) throws(TandemError) {
        guard (1...1024).contains(count) else {
            throw .invalidParameter(name: "sessions", value: "\(count)", allowed: "in 1 ... 1024")
        }
        self.model = model
        self.options = options
        self.count = count
    }

    /// Sessions that nobody uses at the moment.
    public var idleCount: Int { state.withLock { $0.idle.count } }

    /// Sessions that are lent at the moment.
    public var lentCount: Int { state.withLock { $0.lent } }

    /// Lends a session for a prompt. Its caches may hold the beginning of the prompt, or anything else.
    ///
    /// - Throws: ``TandemError/queueFull(waiting:limit:)`` when all sessions are lent; what
    ///   ``TandemModel/makeSession(options:)`` throws, when a first session cannot be made.
    public func lease(for tokens: [TokenID]) throws(TandemError) -> Lease {
        let choice = state.withLock { state in state.choose(for: tokens, count: count) }
        switch choice {
        case .none:
            throw .queueFull(waiting: 0, limit: count)
        case .take(let session, let epoch):
            return Lease(session, pool: self, epoch: epoch)
        case .make(let source, let epoch):
            do throws(TandemError) {
                return Lease(try make(from: source, epoch: epoch), pool: self, epoch: epoch)
            } catch {
                return try fallBack(error, epoch: epoch)
            }
        }
    }

    /// Runs `body` with a session for a prompt; see ``lease(for:)``.
    /// - Throws: also what `body` throws.
    public func withSession<R>(for tokens: [TokenID], _ body: (Session) throws -> R) throws -> R {
        let lease = try lease(for: tokens)
        defer { lease.end() }
        return try body(lease.session)
    }

    /// Gives up all sessions and their memory: the idle ones now, the lent ones when they come back.
    public func removeAll() {
        // They go outside of the lock.
        let removed = state.withLock { state in
            state.epoch += 1
            defer { state.idle = [] }
            return state.idle
        }
        _ = consume removed
    }

    /// A session on loan. It goes back when ``end()`` is called or nobody holds the lease any more; until then it belongs to
    /// the holder alone.
    public final class Lease: Sendable {
        public let session: Session
        private let pool: SessionPool
        private let epoch: Int
        private let hasEnded = Atomic<Bool>(false)

        fileprivate init(_ session: Session, pool: SessionPool, epoch: Int) {
            self.session = session
            self.pool = pool
            self.epoch = epoch
        }

        deinit { end() }

        /// Gives the session back; it must not be used any more. A second call does nothing.
        public func end() {
            guard !hasEnded.exchange(true, ordering: .acquiringAndReleasing) else { return }
            pool.takeBack(session, epoch: epoch)
        }
    }
}

extension SessionPool {
    fileprivate enum Choice {
        /// All are lent.
        case none
        case take(Session, epoch: Int)
        /// A new one, from what this one holds.
        case make(from: Session?, epoch: Int)
    }

    private func make(from source: Session?, epoch: Int) throws(TandemError) -> Session {
        guard let source else { return try model.makeSession(options: options) }
        // It counts as lent while it is copied.
        defer { takeBack(source, epoch: epoch) }
        return try source.fork()
    }

    /// After a session could not be made: lends an idle one.
    private func fallBack(_ error: TandemError, epoch: Int) throws(TandemError) -> Lease {
        let session: Session? = state.withLock { state in
            guard let index = state.idle.firstIndex(where: { !$0.isBusy }) else {
                state.lent -= 1
                return nil
            }
            return state.idle.remove(at: index)
        }
        guard let session else { throw error }
        return Lease(session, pool: self, epoch: epoch)
    }

    fileprivate func takeBack(_ session: Session, epoch: Int) {
        state.withLock { state in
            state.lent -= 1
            if state.epoch == epoch { state.idle.append(session) }
        }
    }
}

extension SessionPool.State {
    /// Takes out what is to be lent, and counts it as lent.
    fileprivate mutating func choose(for tokens: [TokenID], count: Int) -> SessionPool.Choice {
        var best: (index: Int, shared: Int, held: Int)?
        for (index, session) in idle.enumerated() where !session.isBusy {
            let held = session.tokens
            let shared = zip(held, tokens).prefix { $0 == $1 }.count
            if shared > best?.shared ?? -1 { best = (index, shared, held.count) }
        }
        guard idle.count + lent < count || best != nil else { return .none }
        lent += 1
        if let best, best.held == 0 || (best.shared > 0 && 2 * best.shared >= best.held) {
            return .take(idle.remove(at: best.index), epoch: epoch)
        }
        if idle.count + lent <= count {
            let source = best.flatMap {
                $0.shared >= SessionPool.worthForking ? idle.remove(at: $0.index) : nil
            }
            if source != nil { lent += 1 }
            return .make(from: source, epoch: epoch)
        }
        let oldest = idle.firstIndex { !$0.isBusy } ?? 0
        return .take(idle.remove(at: oldest), epoch: epoch)
    }
}
