// SPDX-License-Identifier: Apache-2.0

/// The tensors of a GGUF model: one file, or all parts of a split one.
package struct GGUFWeights: Sendable {
    /// The file with the metadata: the only one, or the first part.
    package let head: GGUFFile
    package let tensors: [String: GGUFStoredTensor]

    package var path: String { head.path }

    /// - Parameter path: the file, or any part of a split one; the others are looked for beside it.
    /// - Throws: ``PackError``, of a part that is missing or does not belong to the set too.
    package init(path: String) throws(PackError) {
        let file = try GGUFFile(path: path)
        let split = try GGUFPart(file)
        guard let split else {
            head = file
            tensors = try GGUFWeights.tensors(of: [file])
            return
        }
        var parts: [GGUFFile] = []
        for index in 0..<split.count {
            let name = split.name(ofPart: index)
            let partPath = Paths.join(Paths.directory(of: path), name)
            if index == split.index {
                parts.append(file)
                continue
            }
            guard try PathKind(partPath) != .missing else { throw .missingShard(index: path, shard: name) }
            let part = try GGUFFile(path: partPath)
            try split.check(part, index: index)
            parts.append(part)
        }
        try split.checkTotal(parts)
        head = parts[0]
        tensors = try GGUFWeights.tensors(of: parts)
    }

    private static func tensors(of parts: [GGUFFile]) throws(PackError) -> [String: GGUFStoredTensor] {
        var tensors: [String: GGUFStoredTensor] = [:]
        for part in parts {
            try part.checkData()
            for tensor in part.tensors {
                if let other = tensors[tensor.name] {
                    throw .gguf(
                        path: part.path, issue: .tensorInTwoParts(tensor: tensor.name, other: other.path))
                }
                tensors[tensor.name] = GGUFStoredTensor(file: part.file, tensor: tensor)
            }
        }
        return tensors
    }
}

/// What a part of a split file says about its set. Parts are called `NAME-00001-of-00003.gguf`, counted from 1; the
/// metadata counts from 0.
private struct GGUFPart {
    private let path: String
    private let stem: String
    let index: Int
    let count: Int

    private static let indexKey = "split.no"
    private static let countKey = "split.count"
    private static let tensorsKey = "split.tensors.count"

    /// nil when the file is whole.
    init?(_ file: GGUFFile) throws(PackError) {
        guard file[GGUFPart.countKey] != nil else { return nil }
        let count = try GGUFPart.integer(file, GGUFPart.countKey)
        guard count > 1 else { return nil }
        let index = try GGUFPart.integer(file, GGUFPart.indexKey)
        let name = Paths.lastComponent(file.path)
        let ending = GGUFPart.ending(index: index, count: count)
        guard index < count, name.hasSuffix(ending) else {
            throw .invalidField(
                path: file.path, field: GGUFPart.indexKey,
                reason: "makes it part \(index + 1) of \(count), whose name must end in '\(ending)'")
        }
        path = file.path
        stem = String(name.dropLast(ending.count))
        self.index = index
        self.count = count
    }

    func name(ofPart index: Int) -> String { stem + GGUFPart.ending(index: index, count: count) }

    func check(_ part: GGUFFile, index: Int) throws(PackError) {
        for (key, expected) in [(GGUFPart.countKey, count), (GGUFPart.indexKey, index)] {
            let found = try GGUFPart.integer(part, key)
            guard found == expected else {
                throw .gguf(
                    path: part.path, issue: .splitMismatch(key: key, found: found, expected: expected))
            }
        }
    }

    /// The first part says how many tensors all of them hold.
    func checkTotal(_ parts: [GGUFFile]) throws(PackError) {
        guard let first = parts.first, first[GGUFPart.tensorsKey] != nil else { return }
        let found = try GGUFPart.integer(first, GGUFPart.tensorsKey)
        let expected = parts.reduce(0) { $0 + $1.tensors.count }
        guard found == expected else {
            throw .gguf(
                path: first.path,
                issue: .splitMismatch(key: GGUFPart.tensorsKey, found: found, expected: expected))
        }
    }

    private static func integer(_ file: GGUFFile, _ key: String) throws(PackError) -> Int {
        guard let value = file[key] else {
            throw .invalidField(path: file.path, field: key, reason: "is missing")
        }
        guard let number = value.intValue, (0...0xFFFF_FFFF).contains(number) else {
            throw .invalidField(path: file.path, field: key, reason: "is no count")
        }
        return number
    }

    private static func ending(index: Int, count: Int) -> String {
        "-\(digits(index + 1))-of-\(digits(count)).gguf"
    }

    /// Five digits, more when they are needed.
    private static func digits(_ number: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, 5 - text.utf8.count)) + text
    }
}
