// SPDX-License-Identifier: Apache-2.0

import TandemFormat

/// How many columns of a row share one scale.
public enum GroupSize: Sendable, Hashable, CaseIterable {
    case columns32, columns64, columns128
    /// One scale per row.
    case row

    /// "32", "64", "128" or "row".
    public var name: String {
        switch self {
        case .columns32: "32"
        case .columns64: "64"
        case .columns128: "128"
        case .row: "row"
        }
    }

    /// The group size of that name.
    public init?(name: String) {
        guard let match = GroupSize.allCases.first(where: { $0.name == name }) else { return nil }
        self = match
    }

    /// The container's group size for rows of `columns` elements.
    func elements(columns: Int) -> Int {
        switch self {
        case .columns32: 32
        case .columns64: 64
        case .columns128: 128
        case .row: TensorLayout.rowGroupSize(columns: columns)
        }
    }
}

/// What the elements of a matrix become.
public enum WeightFormat: Sendable, Hashable {
    /// Unchanged, as 32-bit floats.
    case f32
    /// 8 bits: round to nearest, symmetric, the scale from the group's largest magnitude.
    case int8(GroupSize)
    /// 4 bits: round to nearest, symmetric, the scale with the least squared error among several per group.
    case int4(GroupSize)

    /// "f32", "int8/64", "int4/row"…
    public var name: String {
        switch self {
        case .f32: "f32"
        case .int8(let group): "int8/\(group.name)"
        case .int4(let group): "int4/\(group.name)"
        }
    }

    /// The quantiser's name in manifests; nil for f32.
    var quantizer: String? {
        switch self {
        case .f32: nil
        case .int8: "rtn-absmax"
        case .int4: "rtn-mse"
        }
    }

    func layout(rows: Int, columns: Int) throws(FormatError) -> TensorLayout {
        switch self {
        case .f32: try TensorLayout(encoding: .panelF32, rows: rows, columns: columns)
        case .int8(let group):
            try TensorLayout(
                encoding: .panelI8, rows: rows, columns: columns, groupSize: group.elements(columns: columns))
        case .int4(let group):
            try TensorLayout(
                encoding: .panelI4, rows: rows, columns: columns, groupSize: group.elements(columns: columns))
        }
    }
}
