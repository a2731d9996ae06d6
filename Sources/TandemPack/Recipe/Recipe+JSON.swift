// SPDX-License-Identifier: Apache-2.0

import TandemFormat
public import TandemJSON

extension Recipe {
    /// Reads a recipe file; its form is that of ``Recipe``.
    /// - Throws: ``PackError`` naming the file and the member.
    public init(path: String) throws(PackError) {
        let file = try JSONFile(path: path)
        try file.refuseUnknown(in: file.object, at: "", known: ["name", "default", "rules"])
        let name = try file.string("name", default: Recipe.name(ofFile: path))
        let standard = try file.treatment(file["default"], "default")
        var rules: [Rule] = []
        if let list = file["rules"] {
            guard let elements = list.arrayValue else { throw file.invalid("rules", "is not an array") }
            for (index, element) in elements.enumerated() {
                rules.append(try Rule(element, at: "rules[\(index)]", of: file))
            }
        }
        self.init(name: name, standard: standard, rules: rules)
    }

    private static func name(ofFile path: String) -> String {
        let name = Paths.lastComponent(path)
        return name.hasSuffix(".json") ? String(name.dropLast(5)) : name
    }

    /// The recipe as a file holds it, and as the manifest records it.
    public var json: JSONObject {
        var object: JSONObject = ["name": .string(name), "default": .string(standard.name)]
        if !rules.isEmpty { object["rules"] = .array(rules.map { .object($0.json) }) }
        return object
    }
}

extension Recipe.Rule {
    fileprivate init(_ value: JSONValue, at field: String, of file: JSONFile) throws(PackError) {
        guard let object = value.objectValue else { throw file.invalid(field, "is not an object") }
        try file.refuseUnknown(in: object, at: field + ".", known: ["classes", "layers", "role", "format"])
        classes = try Recipe.Rule.classes(object["classes"], at: field + ".classes", of: file)
        layers = try Recipe.Rule.layers(object["layers"], at: field + ".layers", of: file)
        role = try Recipe.Rule.role(object["role"], at: field + ".role", of: file)
        treatment = try file.treatment(object["format"], field + ".format")
    }

    private static func classes(
        _ value: JSONValue?, at field: String, of file: JSONFile
    ) throws(PackError) -> Set<MatrixClass>? {
        guard let value else { return nil }
        guard let elements = value.arrayValue else { throw file.invalid(field, "is not an array") }
        var result: Set<MatrixClass> = []
        for (index, element) in elements.enumerated() {
            guard let match = element.stringValue.flatMap(MatrixClass.init) else {
                let names = MatrixClass.allCases.map(\.rawValue).joined(separator: ", ")
                throw file.invalid("\(field)[\(index)]", "is not one of \(names)")
            }
            result.insert(match)
        }
        return result
    }

    private static func layers(
        _ value: JSONValue?, at field: String, of file: JSONFile
    ) throws(PackError) -> [Recipe.Layers]? {
        guard let value else { return nil }
        guard let elements = value.arrayValue else { throw file.invalid(field, "is not an array") }
        var result: [Recipe.Layers] = []
        for (index, element) in elements.enumerated() {
            let ends = element.arrayValue?.compactMap(\.intValue)
            if let layer = element.intValue {
                result.append(Recipe.Layers(layer))
            } else if let ends, ends.count == 2, element.arrayValue?.count == 2 {
                result.append(Recipe.Layers(ends[0], ends[1]))
            } else {
                throw file.invalid("\(field)[\(index)]", "is neither a layer nor a pair of layers")
            }
        }
        return result
    }

    private static func role(
        _ value: JSONValue?, at field: String, of file: JSONFile
    ) throws(PackError) -> ModelRole? {
        guard let value else { return nil }
        guard let role = value.stringValue.flatMap(ModelRole.init) else {
            throw file.invalid(field, "is neither 'primary' nor 'secondary'")
        }
        return role
    }

    fileprivate var json: JSONObject {
        var object = JSONObject()
        if let classes {
            let ordered = MatrixClass.allCases.filter(classes.contains)
            object["classes"] = .array(ordered.map { .string($0.rawValue) })
        }
        if let layers {
            object["layers"] = .array(
                layers.map { range in
                    range.first == range.last
                        ? .integer(Int64(range.first))
                        : [.integer(Int64(range.first)), .integer(Int64(range.last))]
                })
        }
        if let role { object["role"] = .string(role.rawValue) }
        object["format"] = .string(treatment.name)
        return object
    }
}

extension JSONFile {
    fileprivate func refuseUnknown(
        in object: JSONObject, at prefix: String, known: Set<String>
    ) throws(PackError) {
        if let stranger = object.keys.first(where: { !known.contains($0) }) {
            throw invalid(prefix + stranger, "is not a member of a recipe")
        }
    }

    fileprivate func treatment(_ value: JSONValue?, _ field: String) throws(PackError) -> WeightTreatment {
        guard let value else { throw invalid(field, "is missing") }
        guard let name = value.stringValue else { throw invalid(field, "is not a string") }
        do throws(PackError) {
            return try WeightTreatment(name: name)
        } catch {
            guard case .invalidOption(_, _, let allowed) = error else { throw error }
            throw invalid(field, "is \(JSONText.quote(name)), but must be \(allowed)")
        }
    }
}
