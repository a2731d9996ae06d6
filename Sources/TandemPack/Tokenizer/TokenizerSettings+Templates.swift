// SPDX-License-Identifier: Apache-2.0

import TandemJSON
import TandemTokenizer

extension TokenizerSettings {
    /// The template for conversations with tools: `additional_chat_templates/tool_use.jinja`, or the one of that name in
    /// tokenizer_config.json.
    func toolTemplate() throws(PackError) -> String? {
        for directory in directories {
            let path = Paths.join(directory, "additional_chat_templates/tool_use.jinja")
            guard try PathKind(path) != .missing else { continue }
            let bytes = try InputFile(path: path).contents(limit: JSONFile.sizeLimit)
            guard let text = String(validating: bytes, as: UTF8.self) else {
                throw .invalidField(path: path, field: "the text", reason: "is not valid UTF-8")
            }
            return text
        }
        for element in tokenizerFile?["chat_template"]?.arrayValue ?? []
        where element["name"]?.stringValue == "tool_use" {
            return element["template"]?.stringValue
        }
        return nil
    }

    /// The texts of the special tokens that tokenizer_config.json names.
    var specialTokens: JSONObject {
        var tokens = JSONObject()
        for kind in ["bos", "eos", "unk", "sep", "pad", "cls", "mask"] {
            let value = tokenizerFile?["\(kind)_token"]
            if let text = value?.stringValue ?? value?["content"]?.stringValue {
                tokens["\(kind)_token"] = .string(text)
            }
        }
        return tokens
    }
}

extension TokenizerSource {
    /// Reads the chat templates, so that one that cannot be used is refused before anything is written.
    /// - Throws: ``PackError/chatTemplate(path:error:)``.
    func checkChatTemplates() throws(PackError) {
        for source in [chatTemplate, toolTemplate] {
            guard let source else { continue }
            do throws(TemplateError) {
                _ = try ChatTemplate(source: source)
            } catch {
                throw .chatTemplate(path: path, error: error)
            }
        }
    }
}
