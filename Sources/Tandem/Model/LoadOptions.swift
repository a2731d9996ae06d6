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

    /// Checks and keeps the options.
    /// - Throws: ``TandemError/invalidParameter(name:value:allowed:)``.
    public init(
        threadCount: Int? = nil, instructionSet: String? = nil, verification: Verification = .full
    ) throws(TandemError) {
        if let threadCount, !(1...1024).contains(threadCount) {
            throw .invalidParameter(name: "threads", value: "\(threadCount)", allowed: "in 1 ... 1024")
        }
        self.threadCount = threadCount
        self.instructionSet = instructionSet
        self.verification = verification
    }

    private init() {
        threadCount = nil
        instructionSet = nil
        verification = .full
    }

    /// All processors, the fastest instruction set, everything verified.
    public static let `default` = LoadOptions()
}
