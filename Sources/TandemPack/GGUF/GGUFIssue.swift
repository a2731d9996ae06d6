// SPDX-License-Identifier: Apache-2.0

/// What is wrong with a GGUF file. Offsets count bytes from the start of the file.
public enum GGUFIssue: Error, Sendable, Equatable, CustomStringConvertible {
    // MARK: Header

    /// The file does not begin with "GGUF".
    case notGGUF(magic: [UInt8])
    /// The version is none of 2 and 3.
    case unsupportedVersion(UInt32)
    /// The file was written for big-endian machines.
    case bigEndian(version: UInt32)
    /// The header counts more of something than the file has bytes for.
    case countTooLarge(what: String, count: UInt64, limit: Int)
    /// The file ends inside `field`, which starts at `offset`.
    case truncated(field: String, offset: Int)
    /// The text or array `field` at `offset` is longer than what is left of the file.
    case lengthBeyondEnd(field: String, offset: Int, length: UInt64, remaining: Int)

    // MARK: Metadata

    /// A value, or the elements of an array, are of no known type.
    case unknownValueType(key: String, offset: Int, type: UInt32)
    /// Arrays inside arrays inside arrays.
    case nestingTooDeep(key: String, offset: Int, limit: Int)
    /// A key occurs twice.
    case duplicateKey(key: String, offset: Int)
    /// `general.alignment` is not a 32-bit power of two.
    case invalidAlignment(value: String)

    // MARK: Tensors

    /// A name is not valid UTF-8 or too long.
    case invalidName(tensor: Int, offset: Int, reason: String)
    /// A tensor name occurs twice.
    case duplicateTensor(tensor: String, offset: Int)
    /// More than four dimensions.
    case tooManyDimensions(tensor: String, offset: Int, count: UInt32)
    /// A dimension is zero or negative.
    case invalidDimension(tensor: String, offset: Int, dimension: Int, size: Int64)
    /// The elements or bytes of a tensor do not fit 64 bits.
    case sizeOverflow(tensor: String)
    /// The tensor's type is unknown.
    case unknownTensorType(tensor: String, offset: Int, type: UInt32)
    /// A row is no whole number of blocks.
    case unevenRow(tensor: String, columns: Int, type: String, block: Int)
    /// A tensor's data does not start where the previous tensor's ends.
    case wrongDataOffset(tensor: String, offset: Int, found: UInt64, expected: Int)
    /// A tensor's data, with its padding, ends beyond the end of the file.
    case dataBeyondEnd(tensor: String, end: Int, size: Int)
    /// Weights of a known type that this version does not unpack.
    case unsupportedTensorType(tensor: String, type: String, supported: [String])

    // MARK: Split files

    /// A part says something about the set that contradicts its name or the first part.
    case splitMismatch(key: String, found: Int, expected: Int)
    /// Two parts hold a tensor of the same name.
    case tensorInTwoParts(tensor: String, other: String)

    public var description: String {
        switch self {
        case .notGGUF(let magic):
            "it begins with \(GGUFIssue.text(magic)) instead of \"GGUF\""
        case .unsupportedVersion(let version): "it has version \(version); versions 2 and 3 are read"
        case .bigEndian: "it was written for big-endian machines; convert it to little-endian"
        case .countTooLarge(let what, let count, let limit):
            "its header counts \(count) \(what), but its size allows \(limit) at most"
        case .truncated(let field, let offset):
            "it ends inside \(field), which starts at byte \(offset); the file is truncated"
        case .lengthBeyondEnd(let field, let offset, let length, let remaining):
            "\(field) at byte \(offset) has the length \(length), but only \(remaining) bytes follow"
        case .unknownValueType(let key, let offset, let type):
            "metadata '\(key)': \(type) at byte \(offset) is no type of value"
        case .nestingTooDeep(let key, let offset, let limit):
            "metadata '\(key)': the array at byte \(offset) is inside \(limit) others; that many are read"
        case .duplicateKey(let key, let offset): "metadata '\(key)' occurs again at byte \(offset)"
        case .invalidAlignment(let value):
            "metadata 'general.alignment' is \(value), but must be a 32-bit power of two"
        case .invalidName(let tensor, let offset, let reason):
            "the name of tensor \(tensor) at byte \(offset) \(reason)"
        case .duplicateTensor(let tensor, let offset): "tensor '\(tensor)' occurs again at byte \(offset)"
        case .tooManyDimensions(let tensor, let offset, let count):
            "tensor '\(tensor)' has \(count) dimensions (byte \(offset)); at most 4 are possible"
        case .invalidDimension(let tensor, let offset, let dimension, let size):
            "tensor '\(tensor)': dimension \(dimension) is \(size) (byte \(offset)), but must be positive"
        case .sizeOverflow(let tensor): "the size of tensor '\(tensor)' does not fit 64 bits"
        case .unknownTensorType(let tensor, let offset, let type):
            "tensor '\(tensor)' has the unknown type \(type) (byte \(offset))"
        case .unevenRow(let tensor, let columns, let type, let block):
            "tensor '\(tensor)' has rows of \(columns) elements, but \(type) needs multiples of \(block)"
        case .wrongDataOffset(let tensor, let offset, let found, let expected):
            "the data of tensor '\(tensor)' starts at \(found) (byte \(offset)), but must start at \(expected)"
        case .dataBeyondEnd(let tensor, let end, let size):
            "the data of tensor '\(tensor)' ends at byte \(end), beyond the file's \(size) bytes; "
                + "the file is truncated"
        case .unsupportedTensorType(let tensor, let type, let supported):
            "tensor '\(tensor)' has weights of type \(type), which cannot be packed; supported: "
                + supported.joined(separator: ", ")
        case .splitMismatch(let key, let found, let expected):
            "'\(key)' is \(found), but must be \(expected) in this part of the split file"
        case .tensorInTwoParts(let tensor, let other): "tensor '\(tensor)' is also in '\(other)'"
        }
    }

    /// A few bytes for a message: as text when they are printable, else in hexadecimal.
    private static func text(_ bytes: [UInt8]) -> String {
        if bytes.allSatisfy({ (0x20..<0x7F).contains($0) }) {
            return "\"\(String(decoding: bytes, as: UTF8.self))\""
        }
        return "the bytes "
            + bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined(separator: " ")
    }
}
