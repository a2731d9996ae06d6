// SPDX-License-Identifier: Apache-2.0

import TandemJSON

/// The files beside a tokenizer that add tokens to it: `added_tokens_decoder` of tokenizer_config.json, and
/// added_tokens.json.
///
/// Each file is taken from the first directory that has it.
struct AddedTokenFiles {
    private let configuration: JSONFile?
    private let plain: JSONFile?

    init(directories: [String]) throws(PackError) {
        configuration = try Self.first("tokenizer_config.json", in: directories)
        plain = try Self.first("added_tokens.json", in: directories)
    }

    private static func first(_ name: String, in directories: [String]) throws(PackError) -> JSONFile? {
        for directory in directories {
            if let file = try JSONFile(ifPresent: Paths.join(directory, name)) { return file }
        }
        return nil
    }

    /// What tokenizer_config.json says about the tokens around a text.
    func surroundings() throws(PackError) -> SentencePieceModel.Surroundings {
        guard let file = configuration else { return SentencePieceModel.Surroundings() }
        func flag(_ key: String) throws(PackError) -> Bool? {
            file[key] == nil ? nil : try file.bool(key, default: false)
        }
        return SentencePieceModel.Surroundings(
            addBOS: try flag("add_bos_token"), addEOS: try flag("add_eos_token"),
            isLegacy: try flag("legacy"))
    }

    /// The document with the tokens whose ids are not among its added tokens; unchanged when it has them all.
    func merged(into bytes: [UInt8], path: String) throws(PackError) -> [UInt8] {
        let additions = try self.additions()
        guard !additions.isEmpty else { return bytes }
        var document = try JSONFile(path: path, bytes: bytes).object
        var tokens = document["added_tokens"]?.arrayValue ?? []
        var ids = Set(tokens.compactMap { $0["id"]?.intValue })
        var texts = Set(tokens.compactMap { $0["content"]?.stringValue.map { Array($0.utf8) } })
        let count = tokens.count
        for addition in additions {
            let text = addition["content"]?.stringValue.map { Array($0.utf8) } ?? []
            guard let id = addition["id"]?.intValue, !ids.contains(id), !texts.contains(text) else {
                continue
            }
            ids.insert(id)
            texts.insert(text)
            tokens.append(addition)
        }
        guard tokens.count > count else { return bytes }
        document["added_tokens"] = .array(tokens)
        return JSONValue.object(document).serializedBytes(sortedKeys: false)
    }

    /// The added tokens of both files, by id.
    private func additions() throws(PackError) -> [JSONValue] {
        var result: [Int: JSONValue] = [:]
        if let plain {
            for member in plain.object.members {
                guard let id = member.value.intValue, id >= 0 else {
                    throw plain.invalid(JSONText.quote(member.key), "is not an id")
                }
                result[id] = Self.token(id, member.key, .null)
            }
        }
        guard let file = configuration, let decoder = file["added_tokens_decoder"] else {
            return Self.sorted(result)
        }
        guard let entries = decoder.objectValue else {
            throw file.invalid("added_tokens_decoder", "is not an object")
        }
        for entry in entries.members {
            guard let id = Int(entry.key), id >= 0, let text = entry.value["content"]?.stringValue else {
                throw file.invalid(
                    "added_tokens_decoder[\(JSONText.quote(entry.key))]", "is no token with its id")
            }
            result[id] = Self.token(id, text, entry.value)
        }
        return Self.sorted(result)
    }

    private static func sorted(_ tokens: [Int: JSONValue]) -> [JSONValue] {
        tokens.sorted { $0.key < $1.key }.map(\.value)
    }

    private static func token(_ id: Int, _ text: String, _ flags: JSONValue) -> JSONValue {
        func flag(_ key: String) -> JSONValue { .bool(flags[key]?.boolValue ?? false) }
        return [
            "id": .integer(Int64(id)), "content": .string(text), "single_word": flag("single_word"),
            "lstrip": flag("lstrip"), "rstrip": flag("rstrip"), "normalized": flag("normalized"),
            "special": flag("special"),
        ]
    }
}
