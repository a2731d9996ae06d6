// SPDX-License-Identifier: Apache-2.0

/// Required features: what a reader must know to use a file (`Formats/tandem-file.md`, "Required features").
///
/// The writer sets the bits a file needs, and no others; a file without any is written as version 1.0.
public struct FormatFeatures: OptionSet, Sendable, Hashable {
    public let rawValue: UInt64

    public init(rawValue: UInt64) { self.rawValue = rawValue }

    /// A model differs from the plain Llama of version 1.0 (``ModelArchitecture``), or the two vocabularies have
    /// different sizes.
    public static let architecture = FormatFeatures(rawValue: 1 << 0)
    /// A matrix has an encoding with offsets.
    public static let asymmetric = FormatFeatures(rawValue: 1 << 1)
    /// A chunk is stored as bit planes.
    public static let planes = FormatFeatures(rawValue: 1 << 2)

    /// The features this library reads.
    public static let known: FormatFeatures = [.architecture, .asymmetric, .planes]

    /// Names of the known features in the set, in the order of their bits.
    public var names: [String] {
        var names: [String] = []
        if contains(.architecture) { names.append("architecture") }
        if contains(.asymmetric) { names.append("asymmetric") }
        if contains(.planes) { names.append("planes") }
        return names
    }
}

extension TensorEncoding {
    /// The features a reader needs for this encoding.
    public var requiredFeatures: FormatFeatures { isAsymmetric ? .asymmetric : [] }
}

extension Manifest {
    /// The first member that a reader of version 1.0 would overlook, and why; nil when there is none.
    var architectureMember: (name: String, reason: String)? {
        for role in ModelRole.allCases {
            guard let configuration = configuration(role) else { continue }
            if let member = configuration.architectureMember {
                return ("manifest.models.\(role.rawValue).\(member.name)", member.reason)
            }
        }
        if let secondary, secondary.vocabularySize != primary.vocabularySize {
            return (
                "manifest.models.secondary.vocabulary_size",
                "\(secondary.vocabularySize) differs from the primary's \(primary.vocabularySize)"
            )
        }
        return nil
    }

    /// The features a reader needs for the models, encodings aside.
    public var requiredFeatures: FormatFeatures { architectureMember == nil ? [] : .architecture }

    /// A file must announce what a reader of version 1.0 would misread.
    ///
    /// - Throws: ``FormatError/invalidField(name:offset:reason:)`` with the first member that needs a feature
    ///   which is not among `features`.
    func check(announced features: FormatFeatures) throws(FormatError) {
        guard !features.contains(.architecture), let member = architectureMember else { return }
        throw .invalidField(
            name: member.name, offset: nil,
            reason: "\(member.reason), which needs the feature 'architecture' (bit 0 of required_features)")
    }
}
