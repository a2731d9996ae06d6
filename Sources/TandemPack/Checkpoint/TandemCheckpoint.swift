// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON

/// A tandem checkpoint's `tandem.json` (`Formats/tandem-checkpoint.md`).
struct TandemCheckpoint: Sendable {
    enum Kind: String, Sendable { case tandem, pair }

    let directory: String
    let kind: Kind
    /// Directories of the two models.
    let primary: String
    let secondary: String
    /// The projections' file; nil for a pair.
    let projections: String?
    let layerMap: [Int]
    let blockLength: Int
    let tokenizer: String
    let router: Router?
    let draftVocabulary: DraftVocabulary?
    let provenance: JSONObject

    /// The block-length router: its weights, and how many tokens it looks at.
    struct Router: Sendable {
        let path: String
        let topCount: Int
    }

    /// The file of the tokens' frequencies, and how many tokens drafts are to come from.
    struct DraftVocabulary: Sendable {
        let path: String
        let size: Int
        /// The file that says so.
        let manifest: String
    }

    static let fileName = "tandem.json"

    init(directory: String) throws(PackError) {
        let file = try JSONFile(path: Paths.join(directory, TandemCheckpoint.fileName))
        let format = try file.string("format")
        guard format == "tandem-checkpoint" else {
            throw file.invalid("format", "is '\(format)', but must be 'tandem-checkpoint'")
        }
        let version = try file.integer("version")
        guard version == 1 else { throw file.invalid("version", "is \(version); this version reads 1") }
        let kindName = try file.string("kind")
        guard let kind = Kind(rawValue: kindName) else {
            throw file.invalid("kind", "is '\(kindName)', but must be 'tandem' or 'pair'")
        }
        func member(_ key: String, default fallback: String) throws(PackError) -> String {
            let name = try file.string(key, default: fallback)
            try Paths.checkInside(name, source: file.path, field: key)
            return Paths.join(directory, name)
        }
        self.directory = directory
        self.kind = kind
        primary = try member("primary", default: "primary")
        secondary = try member("secondary", default: "secondary")
        tokenizer = try member("tokenizer", default: "tokenizer.json")
        projections = kind == .tandem ? try member("projections", default: "tandem.safetensors") : nil
        layerMap = kind == .tandem ? try TandemCheckpoint.layerMap(file) : []
        blockLength = try file.integer("gamma", default: 2)
        router = try TandemCheckpoint.router(file, directory: directory)
        draftVocabulary = try TandemCheckpoint.draftVocabulary(file, directory: directory)
        if let value = file["provenance"] {
            guard let object = value.objectValue else { throw file.invalid("provenance", "is not an object") }
            provenance = object
        } else {
            provenance = JSONObject()
        }
    }

    private static func router(_ file: JSONFile, directory: String) throws(PackError) -> Router? {
        guard file["router"] != nil else { return nil }
        let entry = try file.member("router")
        let name = try entry.string("weights")
        try Paths.checkInside(name, source: file.path, field: "router.weights")
        let topCount = try entry.integer("top_k")
        guard (1...FormatLimits.maximumRouterTokens).contains(topCount) else {
            throw entry.invalid(
                "top_k", "is \(topCount), but must be in 1...\(FormatLimits.maximumRouterTokens)")
        }
        return Router(path: Paths.join(directory, name), topCount: topCount)
    }

    private static func draftVocabulary(
        _ file: JSONFile, directory: String
    ) throws(PackError) -> DraftVocabulary? {
        guard file["draft_vocabulary"] != nil else { return nil }
        let entry = try file.member("draft_vocabulary")
        let name = try entry.string("frequencies")
        try Paths.checkInside(name, source: file.path, field: "draft_vocabulary.frequencies")
        return DraftVocabulary(
            path: Paths.join(directory, name), size: try entry.integer("size"), manifest: file.path)
    }

    private static func layerMap(_ file: JSONFile) throws(PackError) -> [Int] {
        guard let values = file["layer_map"]?.arrayValue else {
            throw file.invalid("layer_map", "is missing or not an array")
        }
        var map: [Int] = []
        for (index, value) in values.enumerated() {
            guard let tap = value.intValue else {
                throw file.invalid("layer_map[\(index)]", "is not an integer")
            }
            map.append(tap)
        }
        return map
    }

    /// Checks the layer map and γ against the two models.
    func check(primaryLayers: Int, secondaryLayers: Int) throws(PackError) {
        let path = Paths.join(directory, TandemCheckpoint.fileName)
        guard (1...64).contains(blockLength) else {
            throw .invalidField(
                path: path, field: "gamma", reason: "is \(blockLength), but must be in 1...64")
        }
        guard layerMap.count == secondaryLayers else {
            throw .invalidField(
                path: path, field: "layer_map",
                reason: "has \(layerMap.count) entries, but the secondary has \(secondaryLayers) layers")
        }
        for (index, tap) in layerMap.enumerated() where tap < 0 || tap > primaryLayers {
            throw .invalidField(
                path: path, field: "layer_map[\(index)]",
                reason: "is \(tap), but the primary has \(primaryLayers) layers (0...\(primaryLayers))")
        }
    }
}
