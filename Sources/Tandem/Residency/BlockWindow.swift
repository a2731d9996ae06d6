// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// A small buffer over a file for reading ranges of it at load time, one after another.
///
/// Thread safety: none; the user keeps order.
@safe
final class BlockWindow {
    private let storage: any BlockStorage
    private let buffer: AlignedBuffer
    private var filled: Range<Int> = 0..<0
    /// Bytes of the longest range that can be read at once.
    let capacity: Int
    private(set) var bytesRead = 0

    init(storage: any BlockStorage, capacity: Int) throws(TandemError) {
        self.storage = storage
        self.capacity = capacity
        buffer = try AlignedBuffer(
            byteCount: BlockLayout.up(capacity) + 2 * BlockLayout.size, purpose: "reading the file")
    }

    /// The bytes of a file range; valid until the next call.
    func bytes(_ range: Range<Int>) throws(TandemError) -> UnsafeRawBufferPointer {
        if !(filled.lowerBound <= range.lowerBound && range.upperBound <= filled.upperBound) {
            filled = 0..<0
            do {
                bytesRead += unsafe try storage.readBlocks(of: range, to: buffer.base)
            } catch {
                throw .format(error)
            }
            // Bytes behind the range may lie behind the end of the file: only what was asked for is known to be there.
            filled = BlockLayout.down(range.lowerBound)..<range.upperBound
        }
        return unsafe UnsafeRawBufferPointer(
            start: buffer.base + (range.lowerBound - filled.lowerBound), count: range.count)
    }
}
