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
    /// 8 bits, symmetric: a 16-bit float scale for each group.
    case int8(GroupSize)
    /// 4 bits, symmetric: a 16-bit float scale for each group.
    case int4(GroupSize)
    /// 4 bits, asymmetric: an 8-bit scale and an 8-bit offset for each group, with two factors for each row.
    case int4z(GroupSize)

    /// "f32", "int8/64", "int4/row", "int4z/32"…
    public var name: String {
        guard let group else { return "f32" }
        return "\(elementName)/\(group.name)"
    }

    /// "f32", "int8", "int4" or "int4z".
    public var elementName: String {
        switch self {
        case .f32: "f32"
        case .int8: "int8"
        case .int4: "int4"
        case .int4z: "int4z"
        }
    }

    /// The format of that name; without a group, "int8" and "int4" share scales among 64 columns, "int4z" among 32.
    public init?(name: String) {
        let parts = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let group = parts.count == 2 ? GroupSize(name: String(parts[1])) : nil
        if parts.count == 2 && group == nil { return nil }
        switch parts[0] {
        case "f32" where parts.count == 1: self = .f32
        case "int8": self = .int8(group ?? .columns64)
        case "int4": self = .int4(group ?? .columns64)
        case "int4z": self = .int4z(group ?? .columns32)
        default: return nil
        }
    }

    /// Columns that share a scale; nil for f32. Setting it does nothing to f32.
    public var group: GroupSize? {
        get {
            switch self {
            case .f32: nil
            case .int8(let group), .int4(let group), .int4z(let group): group
            }
        }
        set {
            guard let newValue else { return }
            switch self {
            case .f32: break
            case .int8: self = .int8(newValue)
            case .int4: self = .int4(newValue)
            case .int4z: self = .int4z(newValue)
            }
        }
    }

    /// The quantisers that know this format.
    public var quantizers: [Quantizer] {
        switch self {
        case .f32: []
        case .int8: [.rtn, .gptq]
        case .int4: [.rtn, .mse, .gptq]
        case .int4z: [.rtn, .mse, .hqq, .gptq]
        }
    }

    /// The quantiser taken when none is named and the inputs are unknown; nil for f32.
    public var defaultQuantizer: Quantizer? {
        switch self {
        case .f32: nil
        case .int8: .rtn
        case .int4, .int4z: .mse
        }
    }

    func layout(rows: Int, columns: Int) throws(FormatError) -> TensorLayout {
        try TensorLayout(
            encoding: encoding, rows: rows, columns: columns,
            groupSize: group.map { $0.elements(columns: columns) } ?? 0)
    }

    private var encoding: TensorEncoding {
        switch self {
        case .f32: .panelF32
        case .int8: .panelI8
        case .int4: .panelI4
        case .int4z: .panelI4Z
        }
    }

    /// A matrix whose largest magnitude is below this would lose most of its bits to the smallest scale there is.
    var smallestMagnitude: Float {
        switch self {
        case .f32: 0
        case .int8: 127 * 0x1p-24
        case .int4: 8 * 0x1p-24
        case .int4z: 0x1p-60
        }
    }

    /// Beyond this, squares of errors would leave the range of 32-bit floats. Formats with 16-bit scales find their own limit.
    static let largestAsymmetricMagnitude: Float = 0x1p48

    /// The name of a quantiser of this format in manifests.
    func manifestName(_ quantizer: Quantizer) -> String {
        switch quantizer {
        case .rtn: if case .int4z = self { "rtn-minmax" } else { "rtn-absmax" }
        case .mse: "rtn-mse"
        case .hqq: "hqq"
        case .gptq: "gptq"
        }
    }
}
