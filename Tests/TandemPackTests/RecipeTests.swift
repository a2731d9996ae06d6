// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import TandemJSON
import TandemPack
import Testing

@Suite("Recipes")
struct RecipeTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func formats(
        _ recipe: Recipe, tied: Bool = false
    ) throws -> [String: String] {
        try TestModel(.init(layers: 4, tied: tied)).write(to: folder, "m")
        let report = try pack(
            folder["m"], to: folder["m.tandem"], options: PackOptions(recipe: recipe, overwrite: true))
        return Dictionary(
            uniqueKeysWithValues: report.tensors.map { ($0.name, "\($0.encoding.name)/\($0.groupSize)") })
    }

    private func read(_ text: String) throws -> Recipe {
        try folder.write(Array(text.utf8), to: "r.json")
        return try Recipe(path: folder["r.json"])
    }

    @Test func theLastRuleThatMatchesDecides() throws {
        let recipe = try read(
            """
            { "default": "int4z/32", "rules": [
                { "classes": ["v", "down"], "layers": [0, -1], "format": "int8/64" },
                { "layers": [[1, 2]], "classes": ["o"], "format": "int8/32" },
                { "classes": ["down"], "layers": [3], "format": "f32" },
                { "classes": ["head"], "format": "int4/128" },
                { "role": "secondary", "format": "f32" } ] }
            """)
        #expect(recipe.name == "r")
        let found = try formats(recipe)
        let expected = [
            "layers.0.v": "n16k4.i8/64", "layers.0.down": "n16k4.i8/64", "layers.0.o": "n16k4.i4z/32",
            "layers.1.o": "n16k4.i8/32", "layers.2.o": "n16k4.i8/32", "layers.3.o": "n16k4.i4z/32",
            "layers.1.v": "n16k4.i4z/32", "layers.3.v": "n16k4.i8/64", "layers.3.down": "n16k1.f32/0",
            "head": "n16k4.i4/128", "embed": "n16k4.i4z/32", "layers.2.attn_norm": "f32/0",
        ]
        for (name, format) in expected { #expect(found["primary.\(name)"] == format, "\(name)") }
    }

    @Test func tiedEmbeddingsAreTheHead() throws {
        let recipe = Recipe(
            name: "x", standard: try WeightTreatment(.int4(.columns32)),
            rules: [.init(classes: [.head], treatment: .int8)])
        #expect(try formats(recipe, tied: true)["primary.embed"] == "n16k4.i8/64")
        #expect(try formats(recipe)["primary.embed"] == "n16k4.i4/32")
    }

    @Test func builtInRecipes() throws {
        for recipe in Recipe.builtIn {
            #expect(Recipe(builtIn: recipe.name) == recipe)
            #expect(try !formats(recipe).isEmpty)
        }
        #expect(Recipe(builtIn: "int9") == nil)
        let small = try formats(.int4Small)
        #expect(Set(small.filter { !$0.value.hasPrefix("f32") }.values) == ["n16k4.i4z/32"])
    }

    @Test func oneModelOnly() throws {
        var recipe = Recipe.int8
        recipe.append(.int4, role: .secondary)
        try TestTandem().write(to: folder, "t")
        try pack(folder["t"], to: folder["t.tandem"], options: PackOptions(recipe: recipe))
        let file = try TandemFile(path: folder["t.tandem"])
        #expect(file.tensor(named: "primary.layers.0.q")?.encoding == .panelI8)
        #expect(file.tensor(named: "secondary.layers.0.q")?.encoding == .panelI4Z)
        #expect(file.tensor(named: "secondary.embed")?.encoding == .panelI8)
        #expect(file.tensor(named: "tandem.projections.0")?.encoding == .panelI8)
    }

    @Test func groupsForAll() throws {
        var recipe = Recipe.int4
        recipe.setGroup(.columns128)
        let found = try formats(recipe)
        #expect(found["primary.layers.0.q"] == "n16k4.i4z/128")
        #expect(found["primary.embed"] == "n16k4.i8/128")
    }

    @Test func recipesSurviveTheirFile() throws {
        for recipe in Recipe.builtIn {
            #expect(try read(JSONValue.object(recipe.json).serialized()) == recipe)
        }
    }

    @Test(arguments: [
        ("{}", "default"), ("[]", "document"), (#"{"default": 4}"#, "default"),
        (#"{"default": "int5"}"#, "default"), (#"{"default": "int8", "rule": []}"#, "rule"),
        (#"{"default": "int8", "rules": {}}"#, "rules"),
        (#"{"default": "int8", "rules": [{"format": "int8/64:hqq"}]}"#, "rules[0].format"),
        (#"{"default": "int8", "rules": [{"classes": ["w"], "format": "f32"}]}"#, "rules[0].classes[0]"),
        (#"{"default": "int8", "rules": [{"layers": [[1]], "format": "f32"}]}"#, "rules[0].layers[0]"),
        (#"{"default": "int8", "rules": [{"layers": 1, "format": "f32"}]}"#, "rules[0].layers"),
        (#"{"default": "int8", "rules": [{"role": "third", "format": "f32"}]}"#, "rules[0].role"),
        (#"{"default": "int8", "rules": [{"only": 1, "format": "f32"}]}"#, "rules[0].only"),
        (#"{"default": "int8", "rules": [{}]}"#, "rules[0].format"),
    ])
    func wrongFilesAreNamed(text: String, field: String) throws {
        let error = #expect(throws: PackError.self) { try read(text) }
        let message = error.map { "\($0)" } ?? ""
        #expect(message.contains(field), "\(message)")
        #expect(message.contains("r.json"), "\(message)")
    }
}
