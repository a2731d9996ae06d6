// SPDX-License-Identifier: Apache-2.0

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

extension FormatError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noSuchFile(let path):
            return "'\(path)': no such file or directory"
        case .isDirectory(let path):
            return "'\(path)' is a directory; name a .tandem file"
        case .notRegularFile(let path):
            return "'\(path)' is not a regular file"
        case .emptyFile(let path):
            return "'\(path)' is empty (0 bytes)"
        case .notTandem(let path, let looksLike):
            guard let looksLike else { return "'\(path)' is not a tandem file (wrong magic at offset 0)" }
            return "'\(path)' is not a tandem file: it looks like \(looksLike)"
        case .unsupportedVersion(let major, let minor):
            return "the file has format version \(major).\(minor), this library reads version "
                + "\(FormatVersion.major).x; use a newer library"
        case .unsupportedFeatures(let bits, let offset):
            return "the file needs features this library does not have (header.required_features "
                + "0x\(hex(bits)) at offset \(offset)); use a newer library"
        case .truncated(let expected, let actual):
            return
                "the file is truncated: \(expected) bytes expected, \(actual) present; "
                + "copy or download it again"
        case .checksumMismatch(let field, let offset, let expected, let actual):
            return "checksum mismatch in \(field) at offset \(offset): stored \(hex(expected)), "
                + "computed \(hex(actual)); the file is damaged"
        case .invalidField(let name, let offset, let reason):
            guard let offset else { return "\(name): \(reason)" }
            return "\(name) at offset \(offset): \(reason)"
        case .missingTensor(let name):
            return "the manifest's configuration needs the tensor '\(name)', which the file does not have"
        case .corruptBlock(let chunk, let block, let offset, let reason):
            return "chunk '\(chunk)', block \(block) at offset \(offset): \(reason)"
        case .system(let operation, let path, let code):
            return "cannot \(operation) '\(path)': \(systemMessage(code))"
        case .fileChanged(let path):
            return "'\(path)' was opened for writing while it was in use; load it again"
        case .diskFull(let path):
            return "no space left on the device while writing '\(path)'; no partial file was left"
        case .outOfMemory(let bytes, let purpose):
            return "could not allocate \(bytes) bytes for \(purpose)"
        case .misuse(let message):
            return message
        }
    }
}

/// 16 lower-case hexadecimal digits.
func hex(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.utf8.count) + digits
}

func systemMessage(_ code: Int32) -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard unsafe strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
