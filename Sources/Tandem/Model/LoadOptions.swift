// SPDX-License-Identifier: Apache-2.0

/// How a model is loaded.
public struct LoadOptions: Sendable, Equatable {
    /// What is checked before the model may be used.
    public enum Verification: String, Sendable {
        /// Header, tables and manifest, with their checksums.
        case structure
        /// Everything, the weights' checksums included: one read of the file.
        case full
    }

    /// Threads that compute, the caller's included; `nil` = the processors the process may use.
    public let threadCount: Int?
    /// Instruction set by name; `nil` = the environment variable `TANDEM_ISA`, else the fastest.
    public let instructionSet: String?
    public let verification: Verification
    /// Memory for the model and its sessions.
    public let memory: MemoryBudget
    /// The session that a budget leaves room for.
    public let session: SessionOptions
    /// How many such sessions at a time.
    public let sessionCount: Int
    /// How many generations run and wait at a time.
    public let scheduling: SchedulingOptions

    /// Checks and keeps the options.
    /// - Throws: ``TandemError/invalidParameter(name:value:allowed:)``.
    public init(
        threadCount: Int? = nil, instructionSet: String? = nil, verification: Verification = .full,
        memory: MemoryBudget = .automatic, session: SessionOptions = .default, sessionCount: Int = 1,
        scheduling: SchedulingOptions = .default
    ) throws(TandemError) {
        if let threadCount, !(1...1024).contains(threadCount) {
            throw .invalidParameter(name: "threads", value: "\(threadCount)", allowed: "in 1 ... 1024")
        }
        guard (1...1024).contains(sessionCount) else {
            throw .invalidParameter(name: "sessions", value: "\(sessionCount)", allowed: "in 1 ... 1024")
        }
        if case .bytes(let count) = memory, count < 1 {
            throw .invalidParameter(name: "memory", value: "\(count)", allowed: "at least 1")
        }
        self.threadCount = threadCount
        self.instructionSet = instructionSet
        self.verification = verification
        self.memory = memory
        self.session = session
        self.sessionCount = sessionCount
        self.scheduling = scheduling
    }

    private init() {
        threadCount = nil
        instructionSet = nil
        verification = .full
        memory = .automatic
        session = .default
        sessionCount = 1
        scheduling = .default
    }

    /// All processors, the fastest instruction set, everything verified, the memory that is there.
    public static let `default` = LoadOptions()
}
