// SPDX-License-Identifier: Apache-2.0

/// The format version this library writes, and the major version it reads.
public enum FormatVersion {
    public static let major = 1
    /// Files that need no required feature are written as minor version 0.
    public static let minor = 1
}

/// Limits of format version 1 (`Formats/tandem-file.md`, "Limits"). Readers refuse what exceeds them.
public enum FormatLimits {
    /// Chunks, and tensors, in one file.
    public static let maximumRecords = 65_536
    /// Bytes of one chunk or tensor name.
    public static let maximumNameLength = 255
    /// Bytes of the manifest and of the string table, each.
    public static let maximumTextLength = 16 << 20
    /// Rows, and columns, of one tensor.
    public static let maximumDimension = 1 << 24
    /// Values of ``ModelConfiguration``.
    public static let maximumVocabularySize = 1 << 24
    public static let maximumHiddenSize = 1 << 20
    public static let maximumIntermediateSize = 1 << 22
    public static let maximumLayerCount = 1024
    public static let maximumHeadCount = 4096
    public static let maximumHeadSize = 4096
    public static let maximumPositions = 1 << 24
    /// Values of ``ModelArchitecture``: entries of `ropes`; factors lie between its inverse and this.
    public static let maximumRopes = 16
    public static let maximumFactor: Float = 1e6
    /// Tokens drafted between two primary passes.
    public static let maximumBlockLength = 64
    /// Tokens that a block-length router looks at, and its hidden units.
    public static let maximumRouterTokens = 32
    public static let maximumRouterUnits = 1024
    /// End-of-text tokens.
    public static let maximumEndTokens = 64

    /// File alignment of raw chunks that hold tensors: one page of a 16 KiB-page kernel.
    public static let pageAlignment = 16_384
    /// Alignment of all other sections in the file, and of tensors inside a chunk.
    public static let sectionAlignment = 64
    /// Raw bytes of every block of an `lz4` chunk but the last.
    public static let blockSize = 1 << 20
    /// No LZ4 block expands by more than this factor.
    public static let maximumExpansion = 255
}
