// SPDX-License-Identifier: Apache-2.0

import TandemJSON

extension TandemWriter {
    /// Writes the tables and the header, makes the file durable and gives it its name.
    ///
    /// The manifest is checked against what was written just as a reader does, so a finished file always
    /// opens.
    ///
    /// - Returns: the file's size in bytes.
    @discardableResult
    public func finish(manifest: Manifest) throws(FormatError) -> Int {
        try requireOpen()
        guard chunk == nil else { throw .misuse("finish() before endChunk()") }
        try check(manifest)
        finished = true

        var strings: [UInt8] = []
        var chunkTable = [UInt8](repeating: 0, count: chunks.count * ChunkRecordLayout.size)
        for (index, chunk) in chunks.enumerated() {
            let name = intern(chunk.name, in: &strings)
            chunk.encode(into: &chunkTable, at: index * ChunkRecordLayout.size, name: name)
        }
        var tensorTable = [UInt8](repeating: 0, count: tensors.count * TensorRecordLayout.size)
        for (index, tensor) in tensors.enumerated() {
            let name = intern(tensor.name, in: &strings)
            tensor.encode(into: &tensorTable, at: index * TensorRecordLayout.size, name: name)
        }
        let text = Array(manifest.json.serialized(pretty: true, sortedKeys: true).utf8)
        guard text.count <= FormatLimits.maximumTextLength, strings.count <= FormatLimits.maximumTextLength
        else {
            throw .misuse("the manifest or the names take more than \(FormatLimits.maximumTextLength) bytes")
        }
        var header = FileHeader()
        header.requiredFeatures = tensors.reduce(manifest.requiredFeatures) {
            $0.union($1.encoding.requiredFeatures)
        }
        for chunk in chunks { header.requiredFeatures.formUnion(chunk.codec.requiredFeatures) }
        header.stringTable = try section(strings)
        header.chunkTable = try section(chunkTable)
        header.tensorTable = try section(tensorTable)
        header.manifest = try section(text)
        header.chunkCount = chunks.count
        header.tensorCount = tensors.count
        header.fileSize = output.count
        try unsafe withBytes(header.encoded()) { (raw) throws(FormatError) in
            try unsafe output.overwrite(raw, at: 0)
        }
        try output.commit()
        return header.fileSize
    }

    private func check(_ manifest: Manifest) throws(FormatError) {
        if let tokenizer = manifest.tokenizer {
            try Validation.checkTokenizerChunk(tokenizer, chunks: chunks, offset: nil)
        }
        for requirement in manifest.requiredTensors() {
            guard let index = tensorIndex[requirement.name] else {
                throw .missingTensor(name: requirement.name)
            }
            try Validation.check(tensors[index], against: requirement, offset: nil)
        }
    }

    private func intern(_ name: String, in strings: inout [UInt8]) -> Range<Int> {
        let start = strings.count
        strings.append(contentsOf: name.utf8)
        return start..<strings.count
    }

    private func section(_ bytes: [UInt8]) throws(FormatError) -> Section {
        try output.pad(to: FormatLimits.sectionAlignment)
        let offset = output.count
        try output.write(bytes)
        return Section(offset: offset, length: bytes.count, checksum: XXH64.hash(bytes))
    }
}
