// SPDX-License-Identifier: Apache-2.0

package import TandemFormat
import TandemJSON

/// What a Hugging Face `config.json` says, checked: which family, and its model as the container describes it.
package struct HuggingFaceConfiguration: Sendable {
    package let architecture: String
    let family: ModelFamily
    package let configuration: ModelConfiguration
    /// One for each entry of the configuration's `ropes`.
    package let ropes: [RopeFrequencies]

    /// Reads a `config.json`.
    ///
    /// - Throws: ``PackError`` with the file and the member at fault.
    package init(path: String) throws(PackError) {
        let root = try JSONFile(path: path)
        let (family, architecture) = try HuggingFaceConfiguration.family(of: root)
        let settings = try family.textMember.map { (key) throws(PackError) in try root.member(key) } ?? root
        for rule in family.rules {
            try rule.check(root)
            if family.textMember != nil { try rule.check(settings) }
        }
        self.family = family
        self.architecture = architecture
        (configuration, ropes) = try ConfigurationMapping(settings: settings, root: root, family: family)
            .configuration()
    }

    private static func family(of settings: JSONFile) throws(PackError) -> (ModelFamily, String) {
        guard let names = settings["architectures"]?.arrayValue, let name = names.first?.stringValue else {
            throw settings.invalid("architectures", "does not name the architecture")
        }
        guard let family = ModelFamily.all.first(where: { $0.architectures.contains(name) }) else {
            throw .unsupportedArchitecture(
                path: settings.path, name: name, supported: ModelFamily.supportedArchitectures)
        }
        let type = try settings.string("model_type", default: family.modelType)
        guard type == family.modelType || family.otherModelTypes.contains(type) else {
            throw settings.invalid("model_type", "is '\(type)', which contradicts the architecture \(name)")
        }
        return (family, name)
    }
}
