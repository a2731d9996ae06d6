// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TestSupport
import Testing

@Suite struct XXH64Tests {
    @Test(
        arguments: [
            ("", 0xEF46_DB37_51D8_E999), ("a", 0xD24E_C4F1_A98C_6E5B), ("abc", 0x44BC_2CF5_AD77_0999),
            ("Nobody inspects the spammish repetition", 0xFBCE_A83C_8A37_8BF1),
        ] as [(String, UInt64)])
    func knownValues(text: String, value: UInt64) {
        #expect(XXH64.hash(Array(text.utf8)) == value)
    }

    @Test func everyLengthAndSplit() {
        var source = ByteSource(seed: 11)
        let bytes = source.bytes(200)
        for length in 0...bytes.count {
            let part = Array(bytes[..<length])
            let whole = XXH64.hash(part)
            for split in stride(from: 0, through: length, by: 7) {
                var hash = XXH64()
                unsafe part[..<split].withUnsafeBytes { unsafe hash.update($0) }
                unsafe part[split...].withUnsafeBytes { unsafe hash.update($0) }
                #expect(hash.digest() == whole)
            }
            var single = XXH64()
            for byte in part { unsafe [byte].withUnsafeBytes { unsafe single.update($0) } }
            #expect(single.digest() == whole)
        }
    }

    @Test func emptyBuffer() {
        #expect(unsafe XXH64.hash(UnsafeRawBufferPointer(start: nil, count: 0)) == 0xEF46_DB37_51D8_E999)
    }

    /// Held against a pass over the same bytes one by one: it takes some 4 % of that time, and must not take all of it.
    @Test func speed() {
        let bytes = [UInt8](repeating: 42, count: 16 << 20)
        var (hashing, summing) = (Double.infinity, Double.infinity)
        var digests: Set<UInt64> = []
        for _ in 0..<5 {
            hashing = min(hashing, threadSeconds { digests.insert(XXH64.hash(bytes)) })
            summing = min(summing, threadSeconds { digests.insert(byteSum(bytes)) })
        }
        #expect(digests.count == 2)
        #expect(hashing < summing, "\(hashing) s, byte by byte \(summing) s")
    }

    /// One byte after another: the plain way through memory.
    @inline(never)
    private func byteSum(_ bytes: [UInt8]) -> UInt64 {
        var sum: UInt64 = 1
        for byte in bytes { sum = sum &* 31 &+ UInt64(byte) }
        return sum
    }
}
