// SPDX-License-Identifier: Apache-2.0

import CLZ4
internal import CTandemKernels

/// Payloads of compressed blocks of the `planes+lz4` codec: eight length words, the eight bit planes, each an LZ4 block or
/// as it is, and the bytes that fill no plane byte (`Formats/tandem-file.md`, "Codec planes+lz4").
enum PlaneBlocks {
    static let count = 8
    static let headerLength = 4 * count
    /// A plane is compressed when that saves at least this part of it: less is not worth the decoding.
    private static let leastSaving = 32

    /// Decodes one payload into exactly the block's raw bytes.
    ///
    /// - Parameter scratch: at least as long as `output`.
    /// - Returns: what is wrong with the payload; nil when it was decoded.
    static func decode(
        _ payload: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer,
        scratch: UnsafeMutableRawBufferPointer
    ) -> String? {
        let length = output.count / count
        guard payload.count >= headerLength, length > 0 else { return "too short for bit planes" }
        guard scratch.count >= length * count, let base = payload.baseAddress,
            let spare = scratch.baseAddress, let target = output.baseAddress
        else { return "no room to decode it" }
        var cursor = headerLength
        return unsafe withUnsafeTemporaryAllocation(of: UnsafePointer<UInt8>?.self, capacity: count) {
            planes -> String? in
            for plane in 0..<count {
                let word = unsafe UInt32(
                    littleEndian: payload.loadUnaligned(fromByteOffset: plane * 4, as: UInt32.self))
                let stored = Int(word & ~LZ4Blocks.storedFlag)
                let isPlain = word & LZ4Blocks.storedFlag != 0
                guard isPlain ? stored == length : stored >= 1 && stored < length else {
                    return "length \(stored) is not possible for a plane of \(length) bytes"
                }
                guard cursor + stored <= payload.count else { return "plane \(plane) runs past its end" }
                if isPlain {
                    unsafe planes[plane] = (base + cursor).assumingMemoryBound(to: UInt8.self)
                } else {
                    let place = unsafe spare + plane * length
                    let written = unsafe LZ4_decompress_safe(
                        (base + cursor).assumingMemoryBound(to: CChar.self),
                        place.assumingMemoryBound(to: CChar.self), Int32(stored), Int32(length))
                    guard Int(written) == length else {
                        return written < 0
                            ? "plane \(plane) is not valid LZ4 data"
                            : "plane \(plane) decodes to \(written) bytes, not \(length)"
                    }
                    unsafe planes[plane] = UnsafePointer(place.assumingMemoryBound(to: UInt8.self))
                }
                cursor += stored
            }
            let rest = output.count - length * count
            guard payload.count - cursor == rest else {
                return "\(payload.count - cursor) bytes follow the planes, not \(rest)"
            }
            unsafe tk_planes_join(
                planes.baseAddress, length * count, target.assumingMemoryBound(to: UInt8.self))
            unsafe (target + length * count).copyMemory(from: base + cursor, byteCount: rest)
            return nil
        }
    }

    /// The payload that `input`, at most one block, becomes, in the front of `output`; nil when it does not shrink.
    static func compress(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer,
        scratch: UnsafeMutableRawBufferPointer, thorough: Bool
    ) -> Int? {
        let length = input.count / count
        guard length > 0, scratch.count >= input.count, output.count >= headerLength,
            let source = input.baseAddress, let planes = scratch.baseAddress
        else { return nil }
        unsafe tk_planes_split(
            source.assumingMemoryBound(to: UInt8.self), length * count,
            planes.assumingMemoryBound(to: UInt8.self))
        let rest = input.count - length * count
        let limit = min(output.count, input.count - 1)
        var cursor = headerLength
        for plane in 0..<count {
            let bytes = unsafe UnsafeRawBufferPointer(start: planes + plane * length, count: length)
            let room = limit - cursor
            guard room > 0 else { return nil }
            let place = unsafe UnsafeMutableRawBufferPointer(rebasing: output[cursor..<cursor + room])
            let word: UInt32
            if let stored = unsafe compressPlane(bytes, into: place, thorough: thorough) {
                word = UInt32(stored)
                cursor += stored
            } else {
                guard room >= length else { return nil }
                unsafe place.copyMemory(from: bytes)
                word = UInt32(length) | LZ4Blocks.storedFlag
                cursor += length
            }
            unsafe output.storeBytes(of: word.littleEndian, toByteOffset: plane * 4, as: UInt32.self)
        }
        guard cursor + rest <= limit else { return nil }
        unsafe UnsafeMutableRawBufferPointer(rebasing: output[cursor..<cursor + rest]).copyMemory(
            from: UnsafeRawBufferPointer(rebasing: input[(length * count)...]))
        return cursor + rest
    }

    /// A plane that fast compression does not shrink is not tried harder.
    private static func compressPlane(
        _ plane: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, thorough: Bool
    ) -> Int? {
        let most = plane.count - max(1, plane.count / leastSaving)
        guard let fast = unsafe LZ4Blocks.compress(plane, into: output, thorough: false), fast <= most else {
            return nil
        }
        guard thorough else { return fast }
        // Now and then the fast way is the shorter one; it is written again then.
        if let best = unsafe LZ4Blocks.compress(plane, into: output, thorough: true), best <= fast {
            return best
        }
        return unsafe LZ4Blocks.compress(plane, into: output, thorough: false)
    }
}
