// SPDX-License-Identifier: Apache-2.0
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import CTandemHeader
internal import Tandem

@c @implementation
public func tandem_embedding(
    _ model: OpaquePointer?, _ text: UnsafePointer<CChar>?, _ length: Int, _ pooling: Int32,
    _ values: UnsafeMutablePointer<Float>?, _ capacity: Int, _ count: UnsafeMutablePointer<Int>?
) -> Int32 {
    unsafe count?.pointee = 0
    return unsafe ModelHandle.call(model) { target throws(CallError) in
        let count = try unsafe checkedPlace(
            values, capacity: capacity, name: "values", count, countName: "count")
        let pooling = try embeddingPooling(pooling)
        let text = try unsafe checkedText(at: text, length: length, name: "text")
        let size = target.model.manifest.primary.hiddenSize
        unsafe count.pointee = size
        guard UInt(bitPattern: capacity) >= UInt(size) else {
            throw CallError(
                TANDEM_ERROR_BUFFER_TOO_SMALL, "the vector has \(size) values, but capacity is \(capacity)")
        }
        let vector = try CallError.passing { () throws(TandemError) in
            try target.model.embedding(for: text, pooling: pooling)
        }
        try unsafe store(vector, at: values, capacity: capacity, count: count, kind: "values")
    }
}

private func embeddingPooling(_ pooling: Int32) throws(CallError) -> EmbeddingPooling {
    switch pooling {
    case TANDEM_POOLING_MEAN: return .mean
    case TANDEM_POOLING_LAST: return .last
    default:
        throw CallError(
            TANDEM_ERROR_UNSUPPORTED, "pooling is \(pooling), which is no TANDEM_POOLING_ value")
    }
}

@c @implementation
public func tandem_model_statistics(
    _ model: OpaquePointer?, _ statistics: UnsafeMutablePointer<tandem_statistics>?
) -> Int32 {
    unsafe ModelHandle.call(model) { target throws(CallError) in
        guard let statistics = unsafe statistics else { throw .invalidArgument("statistics is NULL") }
        let size = unsafe UnsafeRawPointer(statistics).loadUnaligned(as: Int.self)
        let known = MemoryLayout<tandem_statistics>.size
        try checkSize(size, first: known, known: known, name: "statistics")
        unsafe writeResult(tandem_statistics(target.model.statistics), size: size, at: statistics)
    }
}

extension tandem_statistics {
    fileprivate init(_ statistics: ModelStatistics) {
        self.init()
        running = Int64(statistics.running)
        queued = Int64(statistics.queued)
        prompt_tokens = Int64(statistics.promptTokens)
        generated_tokens = Int64(statistics.generatedTokens)
        primary_passes = Int64(statistics.primaryPasses)
        secondary_passes = Int64(statistics.secondaryPasses)
        primary_rows = Int64(statistics.primaryRows)
        drafted_tokens = Int64(statistics.drafted)
        accepted_tokens = Int64(statistics.accepted)
        bytes_streamed = Int64(statistics.bytesStreamed)
        pass_seconds = statistics.passSeconds
    }
}
