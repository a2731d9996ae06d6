// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// Everything a file says about itself, checked in the order of the specification ("Reading a file").
struct ParsedFile {
    let header: FileHeader
    let strings: [UInt8]
    var chunks: [ChunkDescriptor] = []
    var tensors: [TensorDescriptor] = []
    var tensorIndex: [String: Int] = [:]
    let manifestJSON: JSONValue
    let manifest: Manifest

    init(_ file: MappedFile) throws(FormatError) {
        header = try FileHeader(prefix: file.prefix, actualSize: file.count, path: file.path)
        let strings = try ParsedFile.load(header.stringTable, "string_table", from: file)
        let chunkTable = try ParsedFile.load(header.chunkTable, "chunk_table", from: file)
        let tensorTable = try ParsedFile.load(header.tensorTable, "tensor_table", from: file)
        let manifestBytes = try ParsedFile.load(header.manifest, "manifest", from: file)
        self.strings = strings.bytes
        do throws(JSONError) {
            manifestJSON = try JSONValue(
                parsing: manifestBytes.bytes, limits: JSONLimits(maxBytes: FormatLimits.maximumTextLength))
        } catch {
            throw .invalidField(
                name: "manifest", offset: header.manifest.offset + error.offset, reason: error.description)
        }
        do throws(FormatError) {
            manifest = try Manifest(json: manifestJSON)
            try manifest.check(announced: header.requiredFeatures)
        } catch {
            throw error.located(at: header.manifest.offset)
        }
        try readChunks(chunkTable)
        try checkOverlaps()
        try readTensors(tensorTable)
        try checkReferences(file)
    }

    private static func load(
        _ section: Section, _ name: String, from file: MappedFile
    ) throws(FormatError) -> FileBytes {
        let bytes = try file.read(section.offset..<section.offset + section.length)
        let computed = XXH64.hash(bytes)
        guard computed == section.checksum else {
            throw .checksumMismatch(
                field: name, offset: section.offset, expected: section.checksum, actual: computed)
        }
        return FileBytes(bytes: bytes, fileOffset: section.offset)
    }

    /// The manifest's references into the tables.
    private func checkReferences(_ file: MappedFile) throws(FormatError) {
        if let tokenizer = manifest.tokenizer {
            try Validation.checkTokenizerChunk(tokenizer, chunks: chunks, offset: header.manifest.offset)
        }
        let base = header.tensorTable.offset
        for requirement in manifest.requiredTensors() {
            guard let index = tensorIndex[requirement.name] else {
                throw .missingTensor(name: requirement.name)
            }
            try Validation.check(
                tensors[index], against: requirement, offset: base + index * header.tensorRecordSize)
        }
    }
}

/// Rules that the reader and the writer share.
enum Validation {
    /// Names are 1...255 printable ASCII characters without space.
    static func isName(_ bytes: some Collection<UInt8>) -> Bool {
        (1...FormatLimits.maximumNameLength).contains(bytes.count)
            && bytes.allSatisfy { (0x21...0x7E).contains($0) }
    }

    static func checkTokenizerChunk(
        _ tokenizer: TokenizerReference, chunks: [ChunkDescriptor], offset: Int?
    ) throws(FormatError) {
        let name = "manifest.tokenizer.chunk"
        guard chunks.indices.contains(tokenizer.chunk) else {
            throw .invalidField(
                name: name, offset: offset, reason: "\(tokenizer.chunk), the file has \(chunks.count) chunks")
        }
        guard chunks[tokenizer.chunk].tensors.isEmpty else {
            throw .invalidField(
                name: name, offset: offset, reason: "chunk \(tokenizer.chunk) holds tensors, not a tokenizer")
        }
    }

    static func check(
        _ tensor: TensorDescriptor, against requirement: TensorRequirement, offset: Int?
    ) throws(FormatError) {
        guard tensor.rows == requirement.rows, tensor.columns == requirement.columns else {
            throw .invalidField(
                name: "tensors[\(tensor.name)].shape", offset: offset,
                reason: "[\(tensor.rows), \(tensor.columns)], the manifest's configuration needs "
                    + "[\(requirement.rows), \(requirement.columns)]")
        }
        guard requirement.isVector == (tensor.encoding == .f32) else {
            throw .invalidField(
                name: "tensors[\(tensor.name)].encoding", offset: offset,
                reason:
                    "\(tensor.encoding.name), but a \(requirement.isVector ? "vector" : "matrix") is needed")
        }
        guard !requirement.isFloat || !tensor.encoding.isQuantized else {
            throw .invalidField(
                name: "tensors[\(tensor.name)].encoding", offset: offset,
                reason: "\(tensor.encoding.name), but a matrix of 32-bit floats is needed")
        }
    }
}
