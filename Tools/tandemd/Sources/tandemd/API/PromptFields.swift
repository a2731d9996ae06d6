// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemJSON
import TandemTokenizer

/// The texts, or token ids, that a request to `/v1/completions` or `/v1/embeddings` is about.
enum PromptFields {
    static let mostPrompts = 256

    /// Reads a text, an array of texts, an array of token ids, or an array of arrays of token ids.
    /// - Parameter model: turns texts into tokens, with the beginning token where the model has one.
    /// - Throws: 400 that names the member.
    static func tokens(_ fields: Fields, _ name: String, model: TandemModel) throws(APIError) -> [[TokenID]] {
        let expected = "a string, an array of strings, an array of token ids or an array of such arrays"
        guard let value = fields[name] else { throw fields.error(name, expected) }
        if let text = value.stringValue { return [try tokenize(text, model)] }
        guard let elements = value.arrayValue, let first = elements.first else {
            throw fields.error(name, expected)
        }
        if case .integer = first { return [try ids(elements, fields, name, model)] }
        guard elements.count <= mostPrompts else {
            throw fields.error(name, "an array of at most \(mostPrompts) texts")
        }
        var prompts: [[TokenID]] = []
        for (index, element) in elements.enumerated() {
            if let text = element.stringValue {
                prompts.append(try tokenize(text, model))
            } else if let array = element.arrayValue {
                prompts.append(try ids(array, fields, "\(name).\(index)", model))
            } else {
                throw fields.error("\(name).\(index)", "a string or an array of token ids")
            }
        }
        return prompts
    }

    /// Token ids, checked against the vocabulary.
    static func ids(_ elements: [JSONValue], _ fields: Fields, _ name: String, _ model: TandemModel)
        throws(APIError) -> [TokenID]
    {
        let size = model.manifest.primary.vocabularySize
        var ids: [TokenID] = []
        ids.reserveCapacity(elements.count)
        for element in elements {
            guard let id = element.intValue, (0..<size).contains(id) else {
                throw fields.error(name, "an array of token ids from 0 to \(size - 1)")
            }
            ids.append(TokenID(id))
        }
        return ids
    }

    private static func tokenize(_ text: String, _ model: TandemModel) throws(APIError) -> [TokenID] {
        do {
            return try model.tokenize(text)
        } catch {
            throw APIError(error)
        }
    }
}
