// SPDX-License-Identifier: Apache-2.0

/// Shape and encoding of a tensor, and the byte counts that follow from them.
///
/// A value of this type is always valid: sizes are within ``FormatLimits`` and the group size fits the
/// encoding.
public struct TensorLayout: Sendable, Equatable {
    /// Rows in one panel.
    public static let panelRows = 16

    public let encoding: TensorEncoding
    /// Output dimension N; 1 for a vector.
    public let rows: Int
    /// Input dimension K; the length of a vector.
    public let columns: Int
    /// Columns that share one scale: 0 for unquantised encodings, else 32, 64, 128 or ``paddedColumns``
    /// ("row").
    public let groupSize: Int
    /// `columns` rounded up to what the encoding stores.
    public let paddedColumns: Int
    /// Bytes of the elements, padding included.
    public let dataLength: Int
    /// Bytes of the scales, with all that belongs to them; 0 for unquantised encodings.
    public let scalesLength: Int

    /// Checks a shape against the format's rules.
    ///
    /// - Throws: ``FormatError/invalidField(name:offset:reason:)`` naming `rows`, `columns` or `group_size`.
    public init(encoding: TensorEncoding, rows: Int, columns: Int, groupSize: Int = 0) throws(FormatError) {
        let limit = FormatLimits.maximumDimension
        guard rows >= 1, rows <= limit else {
            throw .invalidField(name: "rows", offset: nil, reason: "\(rows) is outside 1...\(limit)")
        }
        guard columns >= 1, columns <= limit else {
            throw .invalidField(name: "columns", offset: nil, reason: "\(columns) is outside 1...\(limit)")
        }
        self.encoding = encoding
        self.rows = rows
        self.columns = columns
        self.groupSize = groupSize

        let panels = (rows + 15) / 16
        if encoding.isQuantized {
            let padded = TensorLayout.paddedColumns(columns: columns, groupSize: groupSize)
            guard TensorLayout.fixedGroupSizes.contains(groupSize) || groupSize == padded else {
                throw .invalidField(
                    name: "group_size", offset: nil,
                    reason: "\(groupSize) is not 32, 64, 128 or the padded row length \(padded)")
            }
            paddedColumns = padded
            dataLength = panels * padded * (encoding == .panelI8 ? 16 : 8)
            // 16 rows: an f16 scale, or a scale code and an offset code.
            scalesLength = panels * (TensorLayout.rowFactorsLength(encoding) + padded / groupSize * 32)
        } else {
            guard groupSize == 0 else {
                throw .invalidField(
                    name: "group_size", offset: nil,
                    reason: "\(groupSize) must be 0 for the encoding \(encoding.name)")
            }
            paddedColumns = columns
            dataLength = (encoding == .f32 ? rows : panels * 16) * columns * 4
            scalesLength = 0
        }
    }

    static let fixedGroupSizes = [32, 64, 128]

    private static func rowFactorsLength(_ encoding: TensorEncoding) -> Int {
        encoding.isAsymmetric ? 2 * panelRows * 4 : 0
    }

    /// Stored columns of a quantised row: `columns` rounded up to a multiple of 64, or of 128 for groups of
    /// 128.
    static func paddedColumns(columns: Int, groupSize: Int) -> Int {
        let unit = groupSize == 128 ? 128 : 64
        return (columns + unit - 1) / unit * unit
    }

    /// The group size that gives one scale per row.
    public static func rowGroupSize(columns: Int) -> Int { paddedColumns(columns: columns, groupSize: 64) }

    /// Panels of 16 rows; 0 for plain row-major tensors.
    public var panelCount: Int { encoding.isPanel ? (rows + 15) / 16 : 0 }

    /// Bytes of one panel's elements; 0 for plain row-major tensors.
    public var panelDataLength: Int { encoding.isPanel ? dataLength / panelCount : 0 }

    /// Bytes of one panel's scales; they are contiguous.
    public var panelScalesLength: Int { encoding.isPanel ? scalesLength / panelCount : 0 }

    /// Bytes at the start of one panel's scales that hold the factors of its rows: 16 f32 factors of the scale codes,
    /// then 16 f32 factors of the offset codes. Each group's 16 scale codes and 16 offset codes follow. 0 for
    /// encodings without row factors.
    public var panelRowFactorsLength: Int { TensorLayout.rowFactorsLength(encoding) }

    /// Groups in a row; 0 for unquantised encodings.
    public var groupCount: Int { groupSize > 0 ? paddedColumns / groupSize : 0 }

    /// The group in which activations are quantised against this matrix: the group size, or 64 for "row".
    public var activationGroup: Int {
        guard encoding.isQuantized else { return 0 }
        return TensorLayout.fixedGroupSizes.contains(groupSize) ? groupSize : 64
    }

    /// Stored bits per element of the matrix, scales and padding included.
    public var bitsPerElement: Double {
        Double(dataLength + scalesLength) * 8 / (Double(rows) * Double(columns))
    }
}
