// SPDX-License-Identifier: Apache-2.0

import TandemJSON

extension ComponentReader {
    static func postProcessor(
        _ field: Field, _ vocabulary: ByteStringTable
    ) throws(TokenizerError) -> PostProcessor {
        var result = PostProcessor()
        for part in try field.unfolded("processors") {
            switch try part.type() {
            case "ByteLevel": break
            case "TemplateProcessing":
                result = result.wrapped(in: try template(part, vocabulary))
            case "BertProcessing", "RobertaProcessing":
                let outer = PostProcessor(
                    prefix: [try token(part.required("cls"), vocabulary)],
                    suffix: [try token(part.required("sep"), vocabulary)])
                result = result.wrapped(in: outer)
            default:
                throw try part.required("type").unsupported(
                    "ByteLevel, TemplateProcessing, BertProcessing, RobertaProcessing, Sequence")
            }
        }
        return result
    }

    /// The special tokens before and after `Sequence` in the template for a single text.
    private static func template(
        _ part: Field, _ vocabulary: ByteStringTable
    ) throws(TokenizerError) -> PostProcessor {
        let single = try part.required("single")
        var result = PostProcessor()
        var hasText = false
        for piece in try single.elements() {
            if piece.optional("Sequence") != nil {
                if hasText { throw single.unsupported("one text") }
                hasText = true
            } else {
                let name = try piece.required("SpecialToken").required("id").string()
                let ids = try templateIDs(name, part, vocabulary)
                if hasText { result.suffix += ids } else { result.prefix += ids }
            }
        }
        guard hasText else { throw single.unsupported("a template with a text") }
        return result
    }

    private static func templateIDs(
        _ name: String, _ part: Field, _ vocabulary: ByteStringTable
    ) throws(TokenizerError) -> [TokenID] {
        let field = try part.required("special_tokens").required(name).required("ids")
        var ids: [TokenID] = []
        for element in try field.elements() {
            ids.append(try checked(element.int(), name, element.path, vocabulary))
        }
        return ids
    }

    /// A `["[SEP]", 102]` pair.
    private static func token(_ field: Field, _ vocabulary: ByteStringTable) throws(TokenizerError) -> TokenID
    {
        let parts = try field.elements()
        guard parts.count == 2 else { throw .wrongType(path: field.path, expected: "a token and its id") }
        return try checked(parts[1].int(), parts[0].string(), field.path, vocabulary)
    }

    private static func checked(
        _ id: Int, _ name: String, _ path: String, _ vocabulary: ByteStringTable
    ) throws(TokenizerError) -> TokenID {
        guard id >= 0 && id < vocabulary.idLimit && vocabulary.contains(TokenID(id)) else {
            throw .unknownToken(path: path, token: "\(name) (\(id))")
        }
        return TokenID(id)
    }
}

extension ComponentReader {
    /// Without a decoder, tokens are spelt with spaces between them.
    static func decoder(_ field: Field?) throws(TokenizerError) -> TokenDecoder {
        var decoder = TokenDecoder()
        guard let field else {
            decoder.separator = [0x20]
            return decoder
        }
        var isFused = false
        for part in try field.unfolded("decoders") {
            let type = try part.type()
            if isFused && type != "Strip" && type != "Fuse" {
                throw try part.required("type").unsupported("Strip after Fuse")
            }
            switch type {
            case "ByteLevel": decoder.steps.append(.byteLevel)
            case "ByteFallback": decoder.steps.append(.byteFallback)
            case "Fuse": isFused = true
            case "Replace":
                decoder.steps.append(try replacement(part))
            case "Metaspace":
                decoder.steps.append(
                    .metaspace(
                        replacement: try part.text("replacement"),
                        stripsFirst: try prependScheme(part) != .never))
            case "Strip": try addStrip(part, isFused: isFused, to: &decoder)
            default:
                throw try part.required("type").unsupported(
                    "ByteLevel, ByteFallback, Fuse, Replace, Metaspace, Strip, Sequence")
            }
        }
        return decoder
    }

    private static func replacement(_ part: Field) throws(TokenizerError) -> TokenDecoder.Step {
        let content = Array(try part.required("content").string().utf8)
        let pattern = try part.required("pattern")
        guard let regex = pattern.optional("Regex") else {
            return .replace(pattern: try pattern.text("String"), content: content)
        }
        return .replaceMatches(try self.pattern(regex), content: content)
    }

    private static func addStrip(
        _ part: Field, isFused: Bool, to decoder: inout TokenDecoder
    ) throws(TokenizerError) {
        let scalar = try part.text("content")
        let start = try part.required("start")
        let count = try start.int()
        guard count >= 0 && count <= 1024 else { throw start.unsupported("0 … 1024") }
        if let stop = part.optional("stop"), try stop.int() != 0 {
            throw stop.unsupported("0: the end of a text that is still being written is not known")
        }
        if !isFused {
            decoder.steps.append(.stripEach(scalar: scalar, count: count))
        } else if decoder.stripStart == nil {
            decoder.stripStart = (scalar, count)
        } else {
            throw try part.required("type").unsupported("one Strip after Fuse")
        }
    }
}
