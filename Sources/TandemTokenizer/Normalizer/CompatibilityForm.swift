// SPDX-License-Identifier: Apache-2.0

/// Compatibility decompositions, complete: what they give is not decomposed again.
enum CompatibilityForm {
    /// What a scalar becomes in form KD where that differs from form D. O(1).
    static func mapping(of value: UInt32) -> ArraySlice<UInt32>? {
        guard let place = places[value] else { return nil }
        return CompatibilityMappings.table[place]
    }

    private static let places: [UInt32: Range<Int>] = {
        let table = CompatibilityMappings.table
        var places: [UInt32: Range<Int>] = [:]
        var index = 0
        while index < table.count {
            let count = Int(table[index] >> 21)
            places[table[index] & 0x1F_FFFF] = index + 1..<index + 1 + count
            index += 1 + count
        }
        return places
    }()
}
