// SPDX-License-Identifier: Apache-2.0

/// A tensor being written.
struct OpenTensor {
    let name: String
    let layout: TensorLayout
    let dataOffset: Int
    var dataLength = 0
    var scales: [UInt8] = []
}

extension TandemWriter {
    /// Starts a tensor in the open chunk. Its bytes follow in the layout of its encoding
    /// (`Formats/tandem-file.md`, "Matrix layouts"); see ``TensorLayout`` for how many.
    ///
    /// - Parameters: - rows: output dimension N; 1 for a vector. - columns: input dimension K; the length of
    ///   a vector. - groupSize: 0 for unquantised encodings, else 32, 64, 128 or
    ///   ``TensorLayout/rowGroupSize(columns:)``.
    public func beginTensor(
        name: String, encoding: TensorEncoding, rows: Int, columns: Int, groupSize: Int = 0
    ) throws(FormatError) {
        try requireOpen()
        guard let open = chunk else { throw .misuse("beginTensor('\(name)') outside of a chunk") }
        guard tensor == nil else { throw .misuse("beginTensor('\(name)') before endTensor()") }
        try checkName(name, kind: "tensor")
        guard tensorIndex[name] == nil else { throw .misuse("two tensors are named '\(name)'") }
        guard tensors.count < FormatLimits.maximumRecords else {
            throw .misuse("more than \(FormatLimits.maximumRecords) tensors")
        }
        let layout: TensorLayout
        do throws(FormatError) {
            layout = try TensorLayout(encoding: encoding, rows: rows, columns: columns, groupSize: groupSize)
        } catch .invalidField(let member, _, let reason) {
            throw .invalidField(name: "tensors[\(name)].\(member)", offset: nil, reason: reason)
        }
        try padChunk()
        tensor = OpenTensor(name: name, layout: layout, dataOffset: output.count - open.offset)
        tensor?.scales.reserveCapacity(layout.scalesLength)
    }

    /// Appends elements; calls may split them anywhere.
    public func appendData(_ bytes: UnsafeRawBufferPointer) throws(FormatError) {
        guard let open = tensor else { throw .misuse("appendData outside of a tensor") }
        guard open.dataLength + bytes.count <= open.layout.dataLength else {
            throw .misuse(
                "tensor '\(open.name)' has \(open.layout.dataLength) bytes of data; more were given")
        }
        try unsafe appendToChunk(bytes)
        tensor?.dataLength += bytes.count
    }

    /// Appends scales, as they stand in their region; calls may come before, between and after those of
    /// ``appendData(_:)``.
    public func appendScales(_ bytes: UnsafeRawBufferPointer) throws(FormatError) {
        guard let open = tensor else { throw .misuse("appendScales outside of a tensor") }
        guard open.scales.count + bytes.count <= open.layout.scalesLength else {
            throw .misuse(
                "tensor '\(open.name)' has \(open.layout.scalesLength) bytes of scales; more were given")
        }
        unsafe tensor?.scales.append(contentsOf: bytes)
    }

    /// Ends the tensor; exactly the bytes its layout asks for must have been given.
    @discardableResult
    public func endTensor() throws(FormatError) -> TensorDescriptor {
        guard let open = tensor, let openChunk = chunk else {
            throw .misuse("endTensor() without beginTensor")
        }
        guard open.dataLength == open.layout.dataLength, open.scales.count == open.layout.scalesLength else {
            throw .misuse(
                "tensor '\(open.name)' got \(open.dataLength) bytes of data "
                    + "and \(open.scales.count) of scales, "
                    + "needs \(open.layout.dataLength) and \(open.layout.scalesLength)")
        }
        var scalesOffset = 0
        if !open.scales.isEmpty {
            try padChunk()
            scalesOffset = output.count - openChunk.offset
            try unsafe withBytes(open.scales) { (raw) throws(FormatError) in try unsafe appendToChunk(raw) }
        }
        let descriptor = TensorDescriptor(
            name: open.name, layout: open.layout, chunk: chunks.count, dataOffset: open.dataOffset,
            scalesOffset: scalesOffset)
        tensorIndex[open.name] = tensors.count
        tensors.append(descriptor)
        tensor = nil
        return descriptor
    }

    /// Pads the open chunk with zeros so that the next byte is aligned; chunks themselves start aligned.
    private func padChunk() throws(FormatError) {
        let missing = roundUp(output.count, to: FormatLimits.sectionAlignment) - output.count
        guard missing > 0 else { return }
        let zeros = [UInt8](repeating: 0, count: missing)
        try unsafe withBytes(zeros) { (raw) throws(FormatError) in try unsafe appendToChunk(raw) }
    }
}
