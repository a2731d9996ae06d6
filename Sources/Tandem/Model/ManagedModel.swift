// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// A model that is loaded when it is needed and can be unloaded while nobody uses it.
///
/// ```swift
/// let managed = ManagedModel(path: "story.tandem")
/// let session = try managed.acquire().makeSession()   // loads
/// …
/// managed.unloadIfIdle(for: 300)                      // a host's own timer asks now and then
/// ```
///
/// A model's memory goes back when the last reference to it goes, and every session holds one. So only a model that nobody
/// else refers to is unloaded: end sessions, and empty ``SessionPool``s, first.
///
/// ## Thread Safety
/// Any thread. While one loads, others that ask for the model wait for it, and get the same one. There is no thread and no
/// timer inside.
public final class ManagedModel: @unchecked Sendable {
    /// The file.
    public let path: String
    public let options: LoadOptions

    private let lock = ThreadLock()
    private let loaded = ThreadCondition()
    private var model: TandemModel?
    private var isLoading = false
    /// Loads that ended, and how the last one did.
    private var loadCount = 0
    private var problem: TandemError?
    /// When the model was asked for last.
    private var lastUse = monotonicSeconds()

    /// Nothing is loaded yet.
    public init(path: String, options: LoadOptions = .default) {
        self.path = path
        self.options = options
    }

    /// The model, loaded if it is not.
    /// - Throws: as ``TandemModel/load(from:options:)``; everybody who waited for a load that fails gets its error, and the
    ///   next call tries again.
    public func acquire() throws(TandemError) -> TandemModel {
        lock.lock()
        defer { lock.unlock() }
        lastUse = monotonicSeconds()
        while true {
            if let model { return model }
            guard isLoading else { break }
            if let model = try waitForLoad() { return model }
        }
        isLoading = true
        lock.unlock()
        let result: Result<TandemModel, TandemError>
        do {
            result = .success(try TandemModel.load(from: path, options: options))
        } catch {
            result = .failure(error)
        }
        lock.lock()
        isLoading = false
        loadCount += 1
        switch result {
        case .success(let made):
            model = made
            problem = nil
        case .failure(let error):
            problem = error
        }
        lastUse = monotonicSeconds()
        loaded.broadcast()
        return try result.get()
    }

    /// What the load under way ends with; `nil` when the model was unloaded again before this thread woke. With the lock
    /// held.
    private func waitForLoad() throws(TandemError) -> TandemModel? {
        let count = loadCount
        while loadCount == count { loaded.wait(lock) }
        if let problem { throw problem }
        return model
    }

    /// Unloads the model if nobody has used it for `seconds`: nobody asked for it, nobody generated, and nobody holds it
    /// or a session of it.
    /// - Returns: whether it was unloaded now.
    @discardableResult
    public func unloadIfIdle(for seconds: Double) -> Bool {
        lock.lock()
        guard let core = model?.core, monotonicSeconds() - max(lastUse, core.passes.lastActivity) >= seconds,
            isKnownUniquelyReferenced(&model)
        else {
            lock.unlock()
            return false
        }
        // Giving memory back takes a while: nobody has to wait for that.
        let gone = model
        model = nil
        lock.unlock()
        withExtendedLifetime(gone) {}
        return true
    }

    /// Whether the model is loaded.
    public var isLoaded: Bool { lock.withLock { model != nil } }
}
