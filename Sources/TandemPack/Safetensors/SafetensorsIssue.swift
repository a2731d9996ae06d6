// SPDX-License-Identifier: Apache-2.0

public import TandemJSON

/// What is wrong with a safetensors file.
public enum SafetensorsIssue: Error, Sendable, Equatable, CustomStringConvertible {
    /// Fewer than the eight bytes of the header length.
    case tooSmall(size: Int)
    /// The header length exceeds the format's limit.
    case headerTooLarge(length: UInt64, limit: Int)
    /// The header reaches beyond the end of the file.
    case headerBeyondEnd(length: Int, size: Int)
    /// The header is not JSON; offsets count from its first byte.
    case header(JSONError)
    /// The header is not an object of tensors, or a member is not what it must be.
    case invalidMember(name: String, reason: String)
    /// A tensor does not start where the previous one ends, or ends before it starts.
    case invalidOffsets(tensor: String, begin: Int, end: Int, expectedBegin: Int)
    /// The number of elements or bits does not fit 64 bits.
    case sizeOverflow(tensor: String)
    /// A tensor of elements smaller than a byte does not end at a byte.
    case misaligned(tensor: String)
    /// The bytes a tensor claims are not what its shape and type need.
    case sizeMismatch(tensor: String, bytes: Int, expected: Int)
    /// The tensors do not cover the file's data exactly.
    case uncoveredBytes(covered: Int, present: Int)

    public var description: String {
        switch self {
        case .tooSmall(let size): "it has \(size) bytes, fewer than the 8 of a header length"
        case .headerTooLarge(let length, let limit):
            "its header has \(length) bytes; at most \(limit) are allowed"
        case .headerBeyondEnd(let length, let size):
            "its header of \(length) bytes ends beyond the file's \(size) bytes; the file may be truncated"
        case .header(let error): "header: \(error)"
        case .invalidMember(let name, let reason): "header: \(name) \(reason)"
        case .invalidOffsets(let tensor, let begin, let end, let expected):
            "tensor '\(tensor)' lies at \(begin)..<\(end), but must start at \(expected) and not end before it starts"
        case .sizeOverflow(let tensor): "the size of tensor '\(tensor)' does not fit 64 bits"
        case .misaligned(let tensor): "tensor '\(tensor)' does not end at a byte boundary"
        case .sizeMismatch(let tensor, let bytes, let expected):
            "tensor '\(tensor)' has \(bytes) bytes, but its shape and type need \(expected)"
        case .uncoveredBytes(let covered, let present):
            "its tensors cover \(covered) bytes of data, but \(present) are present; "
                + (present < covered ? "the file is truncated" : "something else follows them")
        }
    }
}
