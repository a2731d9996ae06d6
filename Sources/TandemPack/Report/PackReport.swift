// SPDX-License-Identifier: Apache-2.0

public import TandemFormat
public import TandemJSON

/// What packing made of every tensor and chunk.
public struct PackReport: Sendable {
    public let path: String
    public let fileSize: Int
    /// Bytes of the source weights.
    public let sourceSize: Int
    public let kind: Manifest.Kind
    /// As in the file's manifest.
    public let quantization: JSONObject
    public let tensors: [Tensor]
    public let chunks: [Chunk]

    /// One tensor.
    public struct Tensor: Sendable, Equatable {
        /// Its names in the container and in the checkpoint.
        public let name: String
        public let sourceName: String
        /// Element type in the checkpoint, such as "BF16".
        public let sourceType: String
        public let rows: Int
        public let columns: Int
        public let encoding: TensorEncoding
        /// Columns per scale; 0 when unquantised.
        public let groupSize: Int
        /// What found the integers, as in manifests ("rtn-mse"); nil when unquantised.
        public let quantizer: String?
        /// Bytes in the container, scales included, and bits for each element.
        public let bytes: Int
        public let bitsPerElement: Double
        /// Root mean square of the error over that of the weights.
        public let relativeRMSError: Double
        /// Largest absolute error.
        public let largestError: Double
        /// Root mean square of what the error does to the matrix's outputs over the calibration text, over that of the
        /// outputs, measured on a sample of the rows; nil when the inputs are not known.
        public let relativeOutputError: Double?
    }

    /// One chunk.
    public struct Chunk: Sendable, Equatable {
        public let name: String
        public let codec: ChunkCodec
        public let storedLength: Int
        public let rawLength: Int
        /// Why it has its codec.
        public let reason: String

        /// - Parameter ratio: what the codec for such chunks would make of it, when the writer measured it.
        init(_ chunk: ChunkDescriptor, ratio: Double?) {
            name = chunk.name
            codec = chunk.codec
            storedLength = chunk.storedLength
            rawLength = chunk.rawLength
            let name = chunk.tensors.isEmpty ? "LZ4" : "bit planes"
            let saving = ratio.map { ", \(name) would save \(Int(((1 - $0) * 100).rounded())) %" } ?? ""
            reason = chunk.codec == .raw ? chunk.codecReason + saving : chunk.codecReason
        }
    }
}

extension ChunkDescriptor {
    /// Why the packer gave the chunk its codec.
    public var codecReason: String {
        switch (codec, tensors.isEmpty) {
        case (.raw, false): "used in place from the mapping"
        case (.raw, true): "LZ4 saves less than 10 %"
        case (.lz4, _): "LZ4 saves \(savedPercent) %"
        case (.planes, _): "bit planes save \(savedPercent) % of what storage has to read"
        }
    }
}

extension ChunkDescriptor {
    private var savedPercent: Int { (rawLength - storedLength) * 100 / max(rawLength, 1) }
}

extension PackReport.Tensor {
    init(_ tensor: PackPlan.Tensor, error: QuantizationError) {
        name = tensor.name
        sourceName = tensor.source.name
        sourceType = tensor.source.typeName
        rows = tensor.layout.rows
        columns = tensor.layout.columns
        encoding = tensor.layout.encoding
        groupSize = tensor.layout.groupSize
        quantizer = tensor.quantizerName
        bytes = tensor.layout.dataLength + tensor.layout.scalesLength
        bitsPerElement = tensor.layout.bitsPerElement
        relativeRMSError = error.relativeRMS
        largestError = Double(error.largestError)
        relativeOutputError = error.relativeOutput
    }
}

extension PackReport {
    public var json: JSONValue {
        [
            "path": .string(path),
            "file_bytes": .integer(Int64(fileSize)),
            "source_bytes": .integer(Int64(sourceSize)),
            "kind": .string(kind.rawValue),
            "quantization": .object(quantization),
            "tensors": .array(tensors.map(\.json)),
            "chunks": .array(chunks.map(\.json)),
        ]
    }
}

extension PackReport.Tensor {
    var json: JSONValue {
        var object: JSONObject = [
            "name": .string(name),
            "source": .string(sourceName),
            "source_type": .string(sourceType),
            "rows": .integer(Int64(rows)),
            "columns": .integer(Int64(columns)),
            "encoding": .string(encoding.name),
            "group_size": .integer(Int64(groupSize)),
        ]
        if let quantizer { object["quantizer"] = .string(quantizer) }
        object["bytes"] = .integer(Int64(bytes))
        object["bits_per_element"] = .number(bitsPerElement)
        object["relative_rms_error"] = .number(relativeRMSError)
        object["largest_error"] = .number(largestError)
        if let relativeOutputError { object["relative_output_error"] = .number(relativeOutputError) }
        return .object(object)
    }
}

extension PackReport.Chunk {
    var json: JSONValue {
        [
            "name": .string(name),
            "codec": .string(codec.name),
            "stored_bytes": .integer(Int64(storedLength)),
            "raw_bytes": .integer(Int64(rawLength)),
            "reason": .string(reason),
        ]
    }
}
