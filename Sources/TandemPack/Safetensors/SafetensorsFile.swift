// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// One tensor of a safetensors file.
package struct SafetensorsTensor: Sendable, Equatable {
    package let name: String
    package let type: SafetensorsElementType
    package let shape: [Int]
    /// Offset of the first byte in the file.
    package let offset: Int
    /// Bytes.
    package let length: Int
}

/// A safetensors file whose header has been checked completely.
///
/// Accepts what the reference implementation (safetensors 0.8) accepts: the header is at most 100 MB of JSON, and the
/// tensors, sorted by offset, cover the data without hole or overlap. Stricter in one point: a repeated tensor name is
/// refused, because it leaves open which entry counts.
package struct SafetensorsFile: Sendable {
    package let file: InputFile
    /// In the order of their bytes.
    package let tensors: [SafetensorsTensor]
    /// The free texts under `__metadata__`.
    package let metadata: [String: String]

    package static let headerLimit = 100_000_000

    package init(path: String) throws(PackError) {
        let file = try InputFile(path: path)
        let header = try SafetensorsFile.header(of: file)
        do throws(SafetensorsIssue) {
            metadata = try SafetensorsFile.metadata(in: header.object)
            tensors = try SafetensorsFile.tensors(
                in: header.object, dataStart: header.end, dataLength: file.size - header.end)
        } catch {
            throw .safetensors(path: path, issue: error)
        }
        self.file = file
    }

    private static func header(of file: InputFile) throws(PackError) -> (object: JSONObject, end: Int) {
        func fail(_ issue: SafetensorsIssue) -> PackError { .safetensors(path: file.path, issue: issue) }
        guard file.size >= 8 else { throw fail(.tooSmall(size: file.size)) }
        let prefix = try file.bytes(at: 0, count: 8)
        let length = prefix.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(headerLimit) else {
            throw fail(.headerTooLarge(length: length, limit: headerLimit))
        }
        guard Int(length) <= file.size - 8 else {
            throw fail(.headerBeyondEnd(length: Int(length), size: file.size))
        }
        let text = try file.bytes(at: 8, count: Int(length))
        let root: JSONValue
        do throws(JSONError) {
            root = try JSONValue(parsing: text)
        } catch {
            throw fail(.header(error))
        }
        guard let object = root.objectValue else {
            throw fail(.invalidMember(name: "the document", reason: "is not an object"))
        }
        return (object, 8 + Int(length))
    }

    private static func metadata(in header: JSONObject) throws(SafetensorsIssue) -> [String: String] {
        guard let value = header["__metadata__"], !value.isNull else { return [:] }
        guard let object = value.objectValue else {
            throw .invalidMember(name: "__metadata__", reason: "is not an object")
        }
        var result: [String: String] = [:]
        for member in object.members {
            guard let text = member.value.stringValue else {
                throw .invalidMember(name: "__metadata__.\(member.key)", reason: "is not a string")
            }
            result[member.key] = text
        }
        return result
    }

    private static func tensors(
        in header: JSONObject, dataStart: Int, dataLength: Int
    ) throws(SafetensorsIssue) -> [SafetensorsTensor] {
        var entries: [Entry] = []
        entries.reserveCapacity(header.count)
        for member in header.members where member.key != "__metadata__" {
            entries.append(try Entry(member))
        }
        entries.sort { ($0.begin, $0.end) < ($1.begin, $1.end) }

        var start = 0
        var result: [SafetensorsTensor] = []
        result.reserveCapacity(entries.count)
        for entry in entries {
            guard entry.begin == start, entry.end >= start else {
                throw .invalidOffsets(
                    tensor: entry.name, begin: entry.begin, end: entry.end, expectedBegin: start)
            }
            start = entry.end
            let expected = try entry.expectedLength()
            guard entry.end - entry.begin == expected else {
                throw .sizeMismatch(tensor: entry.name, bytes: entry.end - entry.begin, expected: expected)
            }
            let (offset, overflow) = dataStart.addingReportingOverflow(entry.begin)
            guard !overflow else { throw .sizeOverflow(tensor: entry.name) }
            result.append(
                SafetensorsTensor(
                    name: entry.name, type: entry.type, shape: entry.shape, offset: offset, length: expected))
        }
        guard start == dataLength else { throw .uncoveredBytes(covered: start, present: dataLength) }
        return result
    }
}

/// One member of the header, its types checked.
private struct Entry {
    let name: String
    let type: SafetensorsElementType
    let shape: [Int]
    let begin: Int
    let end: Int

    init(_ member: JSONObject.Member) throws(SafetensorsIssue) {
        name = member.key
        guard let object = member.value.objectValue else {
            throw .invalidMember(name: "'\(member.key)'", reason: "is not an object")
        }
        guard let typeName = object["dtype"]?.stringValue else {
            throw .invalidMember(name: "'\(member.key)'.dtype", reason: "is missing or not a string")
        }
        guard let type = SafetensorsElementType(rawValue: typeName) else {
            throw .invalidMember(
                name: "'\(member.key)'.dtype", reason: "is '\(typeName)', an unknown element type")
        }
        self.type = type
        shape = try Entry.sizes(object["shape"], name: "'\(member.key)'.shape")
        let offsets = try Entry.sizes(object["data_offsets"], name: "'\(member.key)'.data_offsets")
        guard offsets.count == 2 else {
            throw .invalidMember(
                name: "'\(member.key)'.data_offsets", reason: "has \(offsets.count) entries instead of 2")
        }
        begin = offsets[0]
        end = offsets[1]
    }

    private static func sizes(_ value: JSONValue?, name: String) throws(SafetensorsIssue) -> [Int] {
        guard let values = value?.arrayValue else {
            throw .invalidMember(name: name, reason: "is missing or not an array")
        }
        var result: [Int] = []
        result.reserveCapacity(values.count)
        for (index, value) in values.enumerated() {
            guard case .integer(let number) = value, number >= 0 else {
                throw .invalidMember(name: "\(name)[\(index)]", reason: "is not a size")
            }
            result.append(Int(number))
        }
        return result
    }

    func expectedLength() throws(SafetensorsIssue) -> Int {
        var product = 1
        for size in shape + [type.bits] {
            let (next, overflow) = product.multipliedReportingOverflow(by: size)
            guard !overflow else { throw .sizeOverflow(tensor: name) }
            product = next
        }
        guard product % 8 == 0 else { throw .misaligned(tensor: name) }
        return product / 8
    }
}
