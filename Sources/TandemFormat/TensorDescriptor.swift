// SPDX-License-Identifier: Apache-2.0

/// One tensor of a file: what it is and where its bytes lie inside its chunk.
public struct TensorDescriptor: Sendable, Equatable {
    public let name: String
    /// Shape, encoding and byte counts; always valid.
    public let layout: TensorLayout
    /// Index of the chunk that holds the tensor.
    public let chunk: Int
    /// Offset of the elements in the chunk's raw bytes; a multiple of 64.
    public let dataOffset: Int
    /// Offset of the scales in the chunk's raw bytes; a multiple of 64, or 0 when there are none.
    public let scalesOffset: Int

    public var encoding: TensorEncoding { layout.encoding }
    /// Output dimension N; 1 for a vector.
    public var rows: Int { layout.rows }
    /// Input dimension K; the length of a vector.
    public var columns: Int { layout.columns }
    /// Columns per scale; 0 when unquantised, ``paddedColumns`` for one scale per row.
    public var groupSize: Int { layout.groupSize }
    public var dataLength: Int { layout.dataLength }
    public var scalesLength: Int { layout.scalesLength }
    /// Panels of 16 rows; 0 for plain row-major tensors.
    public var panelCount: Int { layout.panelCount }
    /// Columns as stored (the kernels' `kp`).
    public var paddedColumns: Int { layout.paddedColumns }
    /// The kernels' `ga`: the group in which activations are quantised; 0 when unquantised.
    public var activationGroup: Int { layout.activationGroup }
}
