// SPDX-License-Identifier: Apache-2.0

import Foundation

/// One stretch of this process's addresses, as `/proc/self/smaps` describes it.
struct MemoryRegion {
    let addresses: Range<UInt>
    /// Path of the mapped file; empty where there is none.
    let path: String
    /// Two letters each, as `hg` (large pages wanted) and `nh` (none).
    let flags: Set<String>

    /// All stretches, in order of their addresses.
    static func all() throws -> [MemoryRegion] {
        // Its size is said to be 0: to be read until its end.
        let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: "/proc/self/smaps"))
        let text = String(decoding: try file.readToEnd() ?? Data(), as: UTF8.self)
        var regions: [MemoryRegion] = []
        var header: (addresses: Range<UInt>, path: String)?
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: " ", omittingEmptySubsequences: true)
            if line.hasPrefix("VmFlags:"), let known = header {
                let flags = Set(fields.dropFirst().map(String.init))
                regions.append(MemoryRegion(addresses: known.addresses, path: known.path, flags: flags))
            } else if let ends = fields.first?.split(separator: "-"), ends.count == 2,
                let start = UInt(ends[0], radix: 16), let end = UInt(ends[1], radix: 16)
            {
                header = (start..<end, fields.dropFirst(5).joined(separator: " "))
            }
        }
        return regions
    }
}
