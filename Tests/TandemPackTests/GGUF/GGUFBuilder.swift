// SPDX-License-Identifier: Apache-2.0

/// Bytes of a GGUF file made by a test, well-formed unless told otherwise.
struct GGUFBuilder {
    var magic = Array("GGUF".utf8)
    var version: UInt32 = 3
    var alignment = 32
    var entries: [(key: String, bytes: [UInt8])] = []
    var tensors: [Tensor] = []
    /// What the header says, when it lies.
    var claimedTensors: UInt64?
    var claimedEntries: UInt64?

    struct Tensor {
        var name: String
        var type: UInt32
        /// Fastest dimension first, as in the file.
        var dimensions: [UInt64]
        var data: [UInt8]
        /// The offset in the table, when it lies.
        var offset: UInt64?
        /// The number of dimensions, when it lies.
        var dimensionCount: UInt32?
    }

    /// An entry of a type's number and the bytes of its value.
    mutating func add(_ key: String, type: UInt32, _ value: [UInt8]) {
        entries.append((key, littleEndian(type) + value))
    }

    mutating func add(_ key: String, _ value: Int) { add(key, type: 4, littleEndian(UInt32(value))) }
    mutating func add(_ key: String, _ value: Float) { add(key, type: 6, littleEndian(value.bitPattern)) }
    mutating func add(_ key: String, _ value: Bool) { add(key, type: 7, [value ? 1 : 0]) }
    mutating func add(_ key: String, _ value: String) { add(key, type: 8, text(value)) }

    mutating func add(_ key: String, _ values: [String]) {
        add(key, type: 9, arrayHead(type: 8, count: values.count) + values.flatMap(text))
    }

    mutating func add(_ key: String, _ values: [Float]) {
        add(
            key, type: 9,
            arrayHead(type: 6, count: values.count) + values.flatMap { littleEndian($0.bitPattern) })
    }

    mutating func add(_ key: String, _ values: [Int32]) {
        add(
            key, type: 9,
            arrayHead(type: 5, count: values.count) + values.flatMap { littleEndian(UInt32(bitPattern: $0)) })
    }

    mutating func add(_ key: String, _ values: [Bool]) {
        add(key, type: 9, arrayHead(type: 7, count: values.count) + values.map { $0 ? 1 : 0 })
    }

    /// A 32-bit float tensor; its shape slowest dimension first.
    mutating func add(_ name: String, shape: [Int], _ values: [Float]) {
        add(name, type: 0, shape: shape, values.flatMap { littleEndian($0.bitPattern) })
    }

    mutating func add(_ name: String, type: UInt32, shape: [Int], _ data: [UInt8]) {
        tensors.append(
            Tensor(name: name, type: type, dimensions: shape.reversed().map { UInt64($0) }, data: data))
    }

    /// Removes an entry.
    mutating func remove(_ key: String) { entries.removeAll { $0.key == key } }

    var bytes: [UInt8] {
        var bytes = magic + littleEndian(version)
        bytes += littleEndian(claimedTensors ?? UInt64(tensors.count))
        bytes += littleEndian(claimedEntries ?? UInt64(entries.count))
        for entry in entries { bytes += text(entry.key) + entry.bytes }
        var data: [UInt8] = []
        for tensor in tensors {
            bytes += text(tensor.name)
            bytes += littleEndian(tensor.dimensionCount ?? UInt32(tensor.dimensions.count))
            for size in tensor.dimensions { bytes += littleEndian(size) }
            bytes += littleEndian(tensor.type) + littleEndian(tensor.offset ?? UInt64(data.count))
            data += padded(tensor.data)
        }
        return tensors.isEmpty ? bytes : padded(bytes) + data
    }

    private func padded(_ bytes: [UInt8]) -> [UInt8] {
        bytes + [UInt8](repeating: 0, count: (alignment - bytes.count % alignment) % alignment)
    }
}

func arrayHead(type: UInt32, count: Int) -> [UInt8] { littleEndian(type) + littleEndian(UInt64(count)) }

/// A text behind its length.
func text(_ text: String) -> [UInt8] { littleEndian(UInt64(text.utf8.count)) + Array(text.utf8) }
