// SPDX-License-Identifier: Apache-2.0

package import TandemFormat

/// Bytes of a model file, read in blocks that never pass through memory the budget does not know of.
///
/// Offsets, addresses and lengths of reads are multiples of ``BlockLayout/size``; only the end of the file may cut a read
/// short.
package protocol BlockStorage: AnyObject, Sendable {
    /// The file's path, for messages.
    var path: String { get }

    /// Bytes of the file as it is now; 0 when the system does not tell.
    var fileSize: Int { get }

    /// Reads into the whole of `buffer`, or up to the end of the file.
    /// - Returns: the bytes read; 0 at or behind the end.
    /// - Throws: ``FormatError/system(operation:path:code:)``.
    func read(at offset: Int, into buffer: UnsafeMutableRawBufferPointer) throws(FormatError) -> Int
}

/// The block arithmetic of direct I/O.
package enum BlockLayout {
    /// No storage in use asks for more; file systems that do are read through the page cache.
    package static let size = 4096
    /// Bytes asked for at once: long enough for full speed, short enough to stop soon.
    static let largestRead = 1 << 20

    static func down(_ offset: Int) -> Int { offset & ~(size - 1) }
    static func up(_ offset: Int) -> Int { (offset + size - 1) & ~(size - 1) }
    /// The blocks that hold a range.
    static func cover(_ range: Range<Int>) -> Range<Int> { down(range.lowerBound)..<up(range.upperBound) }
}

extension BlockStorage {
    /// Reads the blocks that hold `range` to `memory`, which has room for all of them.
    ///
    /// - Parameter goesOn: asked between reads; when it says no, what was read so far is worthless.
    /// - Returns: bytes read.
    /// - Throws: also ``FormatError/truncated(expected:actual:)`` when the file ends before the range does.
    func readBlocks(
        of range: Range<Int>, to memory: UnsafeMutableRawPointer, while goesOn: () -> Bool = { true }
    ) throws(FormatError) -> Int {
        let cover = BlockLayout.cover(range)
        var position = cover.lowerBound
        var total = 0
        while position < range.upperBound, goesOn() {
            let count = min(BlockLayout.largestRead, cover.upperBound - position)
            let target = unsafe UnsafeMutableRawBufferPointer(
                start: memory + (position - cover.lowerBound), count: count)
            let got = unsafe try read(at: position, into: target)
            total += got
            let end = position + got
            if end >= range.upperBound { break }
            // A read may end early inside the file; go on from the last whole block.
            let next = BlockLayout.down(end)
            guard next > position else { throw .truncated(expected: range.upperBound, actual: fileSize) }
            position = next
        }
        return total
    }
}
