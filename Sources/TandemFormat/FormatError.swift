// SPDX-License-Identifier: Apache-2.0

/// Everything that can go wrong while reading or writing a `.tandem` file.
///
/// Structural errors name the field as the specification does (`Formats/tandem-file.md`) and the file offset
/// of the bytes at fault.
public enum FormatError: Error, Sendable, Equatable {
    /// The path does not exist.
    case noSuchFile(path: String)
    /// The path is a directory.
    case isDirectory(path: String)
    /// The path is a device, pipe or socket.
    case notRegularFile(path: String)
    /// The file has no bytes.
    case emptyFile(path: String)
    /// The file does not start with the magic; `looksLike` says what it seems to be instead.
    case notTandem(path: String, looksLike: String?)
    /// The major version is not one this library reads.
    case unsupportedVersion(major: Int, minor: Int)
    /// The file needs features this library does not have.
    case unsupportedFeatures(bits: UInt64, offset: Int)
    /// The file is shorter than its header says.
    case truncated(expected: Int, actual: Int)
    /// Stored and computed XXH64 differ.
    case checksumMismatch(field: String, offset: Int, expected: UInt64, actual: UInt64)
    /// A field holds a value that the specification does not allow. `offset` is nil when no file is involved
    /// yet.
    case invalidField(name: String, offset: Int?, reason: String)
    /// The configuration in the manifest asks for a tensor that the file lacks.
    case missingTensor(name: String)
    /// A compressed block cannot be decoded.
    case corruptBlock(chunk: String, block: Int, offset: Int, reason: String)
    /// A system call failed.
    case system(operation: String, path: String, code: Int32)
    /// The file was opened for writing, or truncated, while it was in use.
    case fileChanged(path: String)
    /// The device holding `path` is full, or the quota is used up. No partial file is left.
    case diskFull(path: String)
    /// Memory for `purpose` could not be allocated.
    case outOfMemory(bytes: Int, purpose: String)
    /// A ``TandemWriter`` method was called out of order or with arguments that do not fit together.
    case misuse(String)
}

extension FormatError {
    /// The verdict's short name, the same in every implementation (`Formats/golden/expected.tsv`).
    public var code: String {
        switch self {
        case .noSuchFile: "no-such-file"
        case .isDirectory: "is-directory"
        case .notRegularFile: "not-regular-file"
        case .emptyFile: "empty"
        case .notTandem: "not-tandem"
        case .unsupportedVersion: "version"
        case .unsupportedFeatures: "features"
        case .truncated: "truncated"
        case .checksumMismatch: "checksum"
        case .invalidField: "invalid"
        case .missingTensor: "missing-tensor"
        case .corruptBlock: "corrupt-block"
        case .system: "system"
        case .fileChanged: "changed"
        case .diskFull: "disk-full"
        case .outOfMemory: "out-of-memory"
        case .misuse: "misuse"
        }
    }

    /// The specification's name of the field, tensor or chunk at fault; empty when the whole file is.
    public var field: String {
        switch self {
        case .unsupportedVersion: "header.version_major"
        case .unsupportedFeatures: "header.required_features"
        case .truncated: "header.file_size"
        case .notTandem: "header.magic"
        case .checksumMismatch(let field, _, _, _): field
        case .invalidField(let name, _, _): name
        case .missingTensor(let name): name
        case .corruptBlock(let chunk, _, _, _): chunk
        default: ""
        }
    }

    func located(at offset: Int) -> FormatError {
        if case .invalidField(let name, nil, let reason) = self {
            return .invalidField(name: name, offset: offset, reason: reason)
        }
        return self
    }
}
