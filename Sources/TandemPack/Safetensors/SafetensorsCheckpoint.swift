// SPDX-License-Identifier: Apache-2.0

/// A tensor of a safetensors file.
struct StoredTensor: Sendable {
    let file: InputFile
    let tensor: SafetensorsTensor

    var name: String { tensor.name }
    var shape: [Int] { tensor.shape }
    var type: SafetensorsElementType { tensor.type }
}

extension StoredTensor: TensorReader {
    var path: String { file.path }
    var typeName: String { type.rawValue }
    /// A vector has a row for each element.
    var rows: Int { shape.first ?? 1 }
    var columns: Int { shape.dropFirst().reduce(1, *) }
    var rowLength: Int { columns * type.bits / 8 }

    func read(
        rows: Range<Int>, scratch: UnsafeMutableRawPointer, into floats: UnsafeMutablePointer<Float>,
        stride: Int
    ) throws(PackError) {
        try unsafe file.read(
            at: tensor.offset + rows.lowerBound * rowLength,
            into: UnsafeMutableRawBufferPointer(start: scratch, count: rows.count * rowLength))
        // Rows without a gap are one run.
        let (runs, length) = stride == columns ? (1, rows.count * columns) : (rows.count, columns)
        for run in 0..<runs {
            unsafe FloatConversion.convert(
                scratch + run * rowLength, type: type, count: length, to: floats + run * stride)
        }
    }
}

/// The weights in a directory: `model.safetensors`, or the shards that `model.safetensors.index.json` lists.
struct SafetensorsCheckpoint: Sendable {
    /// The file messages name: the single file, or the index.
    let path: String
    let tensors: [String: StoredTensor]

    static let singleName = "model.safetensors"
    static let indexName = "model.safetensors.index.json"

    init(directory: String) throws(PackError) {
        let single = Paths.join(directory, SafetensorsCheckpoint.singleName)
        let index = Paths.join(directory, SafetensorsCheckpoint.indexName)
        if try PathKind(single) != .missing {
            try self.init(file: single)
        } else if try PathKind(index) != .missing {
            try self.init(index: index, directory: directory)
        } else {
            throw .noWeights(directory: directory, reason: try SafetensorsCheckpoint.hint(directory))
        }
    }

    /// One file.
    init(file path: String) throws(PackError) {
        let source = try SafetensorsFile(path: path)
        var tensors: [String: StoredTensor] = [:]
        for tensor in source.tensors {
            tensors[tensor.name] = StoredTensor(file: source.file, tensor: tensor)
        }
        self.path = path
        self.tensors = tensors
    }

    private init(index path: String, directory: String) throws(PackError) {
        let index = try JSONFile(path: path)
        guard let map = index["weight_map"]?.objectValue else {
            throw index.invalid("weight_map", "is missing or not an object")
        }
        var listed: [String: String] = [:]
        for member in map.members {
            guard let shard = member.value.stringValue else {
                throw index.invalid("weight_map['\(member.key)']", "is not a string")
            }
            listed[member.key] = shard
        }
        var held: [String: StoredTensor] = [:]
        var holder: [String: String] = [:]
        for shard in Set(listed.values).sorted() {
            try Paths.checkInside(shard, source: path, field: "weight_map")
            let shardPath = Paths.join(directory, shard)
            guard try PathKind(shardPath) != .missing else { throw .missingShard(index: path, shard: shard) }
            let source = try SafetensorsFile(path: shardPath)
            for tensor in source.tensors where holder[tensor.name] == nil || listed[tensor.name] == shard {
                holder[tensor.name] = shard
                held[tensor.name] = StoredTensor(file: source.file, tensor: tensor)
            }
        }
        for name in listed.keys.sorted() where holder[name] != listed[name] {
            throw .misplacedTensor(index: path, tensor: name, listed: listed[name] ?? "", found: holder[name])
        }
        self.path = path
        tensors = held
    }

    private static func hint(_ directory: String) throws(PackError) -> String {
        let needed = "neither \(singleName) nor \(indexName) is there"
        for other in ["pytorch_model.bin", "pytorch_model.bin.index.json", "consolidated.00.pth"]
        where try PathKind(Paths.join(directory, other)) != .missing {
            return "\(needed), only \(other); convert it to safetensors first"
        }
        return needed
    }
}
