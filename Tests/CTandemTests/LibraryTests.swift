// SPDX-License-Identifier: Apache-2.0

import CTandemHeader
import Foundation
import Testing

@Suite struct LibraryTests {
    /// Every function of the interface; taking its address makes the linker prove that it exists.
    private static var functions: [(name: String, address: Any)] {
        [
            ("tandem_abi_version", tandem_abi_version), ("tandem_version", tandem_version),
            ("tandem_status_text", tandem_status_text), ("tandem_model_load", tandem_model_load),
            ("tandem_model_free", tandem_model_free), ("tandem_model_last_error", tandem_model_last_error),
            ("tandem_tokenize", tandem_tokenize), ("tandem_detokenize", tandem_detokenize),
            ("tandem_session_create", tandem_session_create), ("tandem_session_free", tandem_session_free),
            ("tandem_session_reset", tandem_session_reset), ("tandem_session_cancel", tandem_session_cancel),
            ("tandem_session_last_error", tandem_session_last_error), ("tandem_generate", tandem_generate),
            ("tandem_generate_tokens", tandem_generate_tokens), ("tandem_chat_prompt", tandem_chat_prompt),
            ("tandem_chat_tokens", tandem_chat_tokens), ("tandem_session_fork", tandem_session_fork),
            ("tandem_session_save", tandem_session_save),
            ("tandem_session_restore", tandem_session_restore),
            ("tandem_session_tokens", tandem_session_tokens), ("tandem_embedding", tandem_embedding),
            ("tandem_model_statistics", tandem_model_statistics),
            ("tandem_model_set_memory_budget", tandem_model_set_memory_budget),
        ]
    }

    private static var root: URL {
        URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
    }

    private static func headerLines() throws -> [String] {
        let header = root.appending(path: "Sources/CTandem/include/tandem.h")
        return try String(contentsOf: header, encoding: .utf8).components(separatedBy: "\n")
            .filter { !$0.trimmingCharacters(in: .whitespaces).hasPrefix("//") }
    }

    @Test func everyDeclaredFunctionIsImplemented() throws {
        let code = try Self.headerLines().filter { !$0.hasPrefix("#") }.joined(separator: "\n")
        let declared = code.matches(of: /\b(\w+)\(/).map { String($0.output.1) }
            .filter { $0 != "int32_t" && $0 != "sizeof" }
        #expect(Set(declared) == Set(Self.functions.map(\.name)))
        #expect(declared.count == Self.functions.count)
    }

    @Test func theListOfSymbolsIsThatOfTheHeader() throws {
        let list = Self.root.appending(path: "Sources/CTandem/tandem.symbols")
        let lines = try String(contentsOf: list, encoding: .utf8).components(separatedBy: "\n")
            .filter { !$0.isEmpty && !$0.hasPrefix("#") }
        let names = lines.compactMap { $0.wholeMatch(of: /(tandem_\w+) 1\.\d+/)?.output.1 }.map(String.init)
        #expect(names.count == lines.count)
        #expect(names == Self.functions.map(\.name).sorted())
    }

    @Test func everyNameHasThePrefix() throws {
        let lines = try Self.headerLines()
        let macros = lines.compactMap { $0.firstMatch(of: /^#define (\w+)/)?.output.1 }
        #expect(macros.count > 20)
        for macro in macros { #expect(macro.hasPrefix("TANDEM_")) }
        let types = lines.compactMap { $0.firstMatch(of: /^(?:typedef struct (\w+)|\} (\w+);)/) }
            .map { $0.output.1 ?? $0.output.2 ?? "" }
        #expect(types.count > 8)
        for type in types { #expect(type.hasPrefix("tandem_")) }
    }

    @Test func versionsAreThoseOfTheHeader() throws {
        #expect(tandem_abi_version() == TANDEM_ABI_VERSION)
        let version = try #require(tandem_version().map { String(cString: $0) })
        #expect(version.wholeMatch(of: /\d+\.\d+\.\d+/) != nil)
    }

    @Test func everyStatusHasATextOfItsOwn() throws {
        var texts: Set<String> = []
        for status in TANDEM_OK...TANDEM_ERROR_QUEUE_FULL {
            texts.insert(String(cString: try #require(tandem_status_text(status))))
        }
        #expect(texts.count == Int(TANDEM_ERROR_QUEUE_FULL) + 1)
        for status in [-1, TANDEM_ERROR_QUEUE_FULL + 1, .max, .min] {
            #expect(String(cString: try #require(tandem_status_text(status))) == "unknown status")
        }
    }

    @Test func signalsAreLeftAlone() throws {
        let signals = [SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT]
        let before = signals.map(disposition)
        let model = try loadModel(threads: 2)
        let session = try makeSession(model)
        var options = generateOptions(maxTokens: 4)
        #expect(tandem_generate(session, "a", 1, &options, nil, nil, nil) == TANDEM_OK)
        #expect(signals.map(disposition) == before)
        #expect(tandem_session_free(session) == TANDEM_OK)
        #expect(tandem_model_free(model) == TANDEM_OK)
    }

    /// Handler and flags; the rest of the struct is not all written by the system.
    private func disposition(_ signal: Int32) -> [UInt] {
        var action = sigaction()
        sigaction(signal, nil, &action)
        let handler = withUnsafeBytes(of: action.__sigaction_handler) { $0.load(as: UInt.self) }
        return [handler, UInt(bitPattern: Int(action.sa_flags))]
    }
}
