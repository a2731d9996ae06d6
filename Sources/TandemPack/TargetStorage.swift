// SPDX-License-Identifier: Apache-2.0

/// How fast the storage is that a model's weights will be streamed from, and what compression is worth there.
///
/// A chunk that is read raw is used where it was read to. A compressed one saves a part of the reading time and costs decoding
/// time in every pass:
///
///     stored / storage speed + raw / decoding speed  <  raw / storage speed
///
/// So it may take ``largestRatio`` of its bytes at most. The decoding speed is a constant, not a measurement: packing
/// the same source gives the same bytes on every machine.
public struct TargetStorage: Sendable, Equatable {
    /// Bytes per second.
    public let bytesPerSecond: Double
    /// Bytes of weights that one small core decodes per second, un-planing and LZ4 together.
    public static let decodedBytesPerSecond = 2e9

    /// - Throws: ``PackError/invalidOption(name:value:allowed:)`` unless the speed lies in 100 kB/s … 1 TB/s.
    public init(bytesPerSecond: Double) throws(PackError) {
        guard bytesPerSecond >= 1e5, bytesPerSecond <= 1e12 else {
            throw .invalidOption(
                name: "target-storage", value: "\(bytesPerSecond) bytes per second",
                allowed: "100kB/s ... 1TB/s")
        }
        self.bytesPerSecond = bytesPerSecond
    }

    /// The largest part of its raw bytes that a compressed chunk may take, to be worth decoding.
    public var largestRatio: Double { max(0, 1 - bytesPerSecond / Self.decodedBytesPerSecond) }
}
