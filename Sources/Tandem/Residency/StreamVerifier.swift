// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// Checks streamed bytes before they are used.
///
/// Until a chunk has been read as a whole, its units are hashed one by one and the chunk's checksum over all of them, what
/// lies between them (read again for this) included: damage is known at the chunk's last unit at the latest, before the
/// pass ends. From then on, every unit is compared with its own hash.
///
/// Thread safety: none; used by whoever holds the pass.
final class StreamVerifier {
    private let units: [StreamUnit]
    private let chunks: [ChunkDescriptor]
    private let window: BlockWindow
    /// Hashes of every unit's segments.
    private var known: [[UInt64]]
    private var isTrusted: [Bool]
    private var whole = XXH64()
    private var position = 0
    /// Segments behind their unit's first one, whose bytes come later in the file.
    private var pending: [(range: Range<Int>, hash: UInt64)] = []

    /// - Parameter hashes: of the segments of units of chunks that were verified already, by unit.
    init(
        units: [StreamUnit], chunks: [ChunkDescriptor], hashes: [Int: [UInt64]], storage: any BlockStorage
    ) throws(TandemError) {
        self.units = units
        self.chunks = chunks
        known = units.indices.map { hashes[$0] ?? [] }
        isTrusted = units.indices.map { hashes[$0] != nil }
        window = try BlockWindow(storage: storage, capacity: 64 << 10)
    }

    /// Bytes of memory used, more or less.
    static func memory(unitCount: Int) -> Int { unitCount * 128 + (64 << 10) + 3 * BlockLayout.size }

    /// Whether a unit's own hash is known to be right.
    func trusts(_ index: Int) -> Bool { isTrusted[index] }

    /// Checks a unit whose bytes lie in `region`.
    func check(_ index: Int, region: UnsafeRawPointer) throws(TandemError) {
        let unit = units[index]
        func bytes(_ segment: Int) -> UnsafeRawBufferPointer {
            unsafe UnsafeRawBufferPointer(
                start: region + unit.position(ofSegment: segment), count: unit.segments[segment].count)
        }
        let hashes = unit.segments.indices.map { unsafe XXH64.hash(bytes($0)) }
        if isTrusted[index] {
            for (segment, hash) in hashes.enumerated() where hash != known[index][segment] {
                throw mismatch(unit, unit.segments[segment].lowerBound, known[index][segment], hash)
            }
            return
        }
        known[index] = hashes
        let chunk = chunks[unit.chunk]
        let first = index == 0 || units[index - 1].chunk != unit.chunk
        if first {
            whole = XXH64()
            position = chunk.offset
            pending = []
        }
        if let segment = unit.segments.first {
            try feedGap(upTo: segment.lowerBound, unit)
            unsafe whole.update(bytes(0))
            position = segment.upperBound
        }
        for segment in unit.segments.indices.dropFirst() {
            pending.append((unit.segments[segment], hashes[segment]))
        }
        guard index + 1 == units.count || units[index + 1].chunk != unit.chunk else { return }
        try feedGap(upTo: chunk.offset + chunk.storedLength, unit)
        let computed = whole.digest()
        guard computed == chunk.checksum else { throw mismatch(unit, chunk.offset, chunk.checksum, computed) }
        var member = index
        while member >= 0, units[member].chunk == unit.chunk {
            isTrusted[member] = true
            member -= 1
        }
    }

    /// Adds the bytes from `position` on to the chunk's hash, and compares the segments among them with what was used.
    private func feedGap(upTo end: Int, _ unit: StreamUnit) throws(TandemError) {
        while let next = pending.first, next.range.upperBound <= end {
            pending.removeFirst()
            guard next.range.lowerBound >= position else { continue }
            try unsafe feed(upTo: next.range.lowerBound)
            var segment = XXH64()
            try unsafe feed(upTo: next.range.upperBound) { unsafe segment.update($0) }
            let computed = segment.digest()
            guard computed == next.hash else {
                throw mismatch(unit, next.range.lowerBound, computed, next.hash)
            }
        }
        try unsafe feed(upTo: end)
    }

    private func feed(
        upTo end: Int, also: (UnsafeRawBufferPointer) -> Void = { _ in }
    ) throws(TandemError) {
        while position < end {
            let stop = min(position + window.capacity, end)
            let bytes = try unsafe window.bytes(position..<stop)
            unsafe whole.update(bytes)
            unsafe also(bytes)
            position = stop
        }
    }

    private func mismatch(
        _ unit: StreamUnit, _ offset: Int, _ expected: UInt64, _ actual: UInt64
    ) -> TandemError {
        .format(
            .checksumMismatch(
                field: "chunks[\(chunks[unit.chunk].name)]", offset: offset, expected: expected,
                actual: actual))
    }
}
