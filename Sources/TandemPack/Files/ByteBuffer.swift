// SPDX-License-Identifier: Apache-2.0

import Glibc

/// A fixed piece of 64-byte aligned memory with one owner.
///
/// Thread safety: the owner decides who may touch the bytes when.
@safe final class ByteBuffer: @unchecked Sendable {
    let count: Int
    @unsafe let base: UnsafeMutableRawPointer

    init(count: Int) {
        self.count = count
        unsafe base = UnsafeMutableRawPointer.allocate(byteCount: max(count, 64), alignment: 64)
        unsafe memset(base, 0, max(count, 64))
    }

    deinit { unsafe base.deallocate() }

    @unsafe var floats: UnsafeMutablePointer<Float> { unsafe base.assumingMemoryBound(to: Float.self) }
    @unsafe var halves: UnsafeMutablePointer<UInt16> { unsafe base.assumingMemoryBound(to: UInt16.self) }
    @unsafe var integers: UnsafeMutablePointer<Int8> { unsafe base.assumingMemoryBound(to: Int8.self) }
    @unsafe var bytes: UnsafeMutablePointer<UInt8> { unsafe base.assumingMemoryBound(to: UInt8.self) }
}
