// SPDX-License-Identifier: Apache-2.0

public import TandemFormat

/// What can go wrong while a session is saved or restored.
///
/// Errors of the structure name the field as the specification does (`Formats/session-file.md`) and the offset of its bytes.
public enum SessionFileError: Error, Sendable, Equatable {
    /// The file could not be opened, read or written.
    case storage(FormatError)
    /// The file does not begin as a session file does.
    case notSessionFile(path: String)
    /// The version is not the one this library reads.
    case unsupportedVersion(major: Int, minor: Int)
    /// The file is shorter than it has to be.
    case truncated(expected: Int, actual: Int)
    /// Stored and computed XXH64 differ.
    case checksumMismatch(field: String, offset: Int, expected: UInt64, actual: UInt64)
    /// A field holds a value that the specification does not allow, or that the model cannot have written.
    case invalidField(name: String, offset: Int, reason: String)
    /// The session was saved with another model file.
    case otherModel(saved: UInt64, loaded: UInt64)
    /// The session was saved with caches of another type.
    case otherKeyValueType(saved: KeyValueType, session: KeyValueType)
    /// The session's context is smaller than the saved text.
    case contextTooSmall(tokens: Int, contextSize: Int)
}

extension SessionFileError {
    /// The specification's name of the field at fault; empty when no field is.
    public var field: String {
        switch self {
        case .storage: ""
        case .notSessionFile: "header.magic"
        case .unsupportedVersion: "header.version_major"
        case .truncated: "header.file_size"
        case .checksumMismatch(let field, _, _, _): field
        case .invalidField(let name, _, _): name
        case .otherModel: "header.model"
        case .otherKeyValueType: "header.key_value_type"
        case .contextTooSmall: "header.token_count"
        }
    }

    /// Where in the file the bytes at fault begin; `nil` when no field is.
    public var offset: Int? {
        switch self {
        case .storage: nil
        case .notSessionFile: SessionFileLayout.magic
        case .unsupportedVersion: SessionFileLayout.versionMajor
        case .truncated: SessionFileLayout.fileSize
        case .checksumMismatch(_, let offset, _, _), .invalidField(_, let offset, _): offset
        case .otherModel: SessionFileLayout.model
        case .otherKeyValueType: SessionFileLayout.keyValueType
        case .contextTooSmall: SessionFileLayout.tokenCount
        }
    }
}

extension SessionFileError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .storage(.notRegularFile(let path)), .storage(.isDirectory(let path)):
            return "'\(path)' is not a regular file; name a session file"
        case .storage(.emptyFile(let path)), .notSessionFile(let path):
            return "'\(path)' is not a session file (wrong magic at offset 0)"
        case .storage(let error):
            return error.description
        case .unsupportedVersion(let major, let minor):
            return "the session file has version \(major).\(minor), this library reads version "
                + "\(SessionFileLayout.major).\(SessionFileLayout.minor); run its text again"
        case .truncated(let expected, let actual):
            return "the session file is truncated: \(expected) bytes expected, \(actual) present"
        case .checksumMismatch(let field, let offset, let expected, let actual):
            return "checksum mismatch in \(field) of the session file at offset \(offset): stored "
                + "\(hexadecimal(expected)), computed \(hexadecimal(actual)); the file is damaged"
        case .invalidField(let name, let offset, let reason):
            return "\(name) of the session file at offset \(offset): \(reason)"
        case .otherModel(let saved, let loaded):
            return "the session was saved with another model file (\(hexadecimal(saved)), this one is "
                + "\(hexadecimal(loaded))); load that model, or run its text again"
        case .otherKeyValueType(let saved, let session):
            return "the session was saved with \(saved.rawValue) caches, but this one has \(session.rawValue)"
                + " caches; make a session with the same type"
        case .contextTooSmall(let tokens, let contextSize):
            return "the saved session holds \(tokens) tokens, but the context only \(contextSize);"
                + " make a session with a larger context"
        }
    }

    private func hexadecimal(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}
