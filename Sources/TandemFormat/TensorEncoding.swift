// SPDX-License-Identifier: Apache-2.0

/// How the elements of a tensor are stored (`Formats/tandem-file.md`, "Matrix layouts").
public enum TensorEncoding: UInt32, Sendable, CaseIterable {
    /// Plain row-major binary32; used for vectors.
    case f32 = 0
    /// Binary32 in panels of 16 rows (N16K1).
    case panelF32 = 16
    /// Signed 8-bit values in panels of 16 rows, columns interleaved by 4 (N16K4), with f16 group scales.
    case panelI8 = 17
    /// 4-bit values in panels of 16 rows, columns interleaved by 4 (N16K4), with f16 group scales.
    case panelI4 = 18
    /// 4-bit values as ``panelI4``; 8-bit scales and offsets per group, two f32 factors per row.
    case panelI4Z = 19

    /// The name used in manifests and by `inspect`.
    public var name: String {
        switch self {
        case .f32: "f32"
        case .panelF32: "n16k1.f32"
        case .panelI8: "n16k4.i8"
        case .panelI4: "n16k4.i4"
        case .panelI4Z: "n16k4.i4z"
        }
    }

    /// The encoding of that name.
    public init?(name: String) {
        guard let match = TensorEncoding.allCases.first(where: { $0.name == name }) else { return nil }
        self = match
    }

    /// True for encodings with group scales.
    public var isQuantized: Bool { self == .panelI8 || self == .panelI4 || self == .panelI4Z }

    /// True for encodings whose groups have an offset beside their scale; files with one announce it as a
    /// required feature.
    public var isAsymmetric: Bool { self == .panelI4Z }

    /// True for encodings stored in panels of 16 rows.
    public var isPanel: Bool { self != .f32 }
}
