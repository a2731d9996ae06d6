// SPDX-License-Identifier: Apache-2.0

import CTandemHeader
import Foundation
import Testing

@Suite struct LoadTests {
    /// Loads what must not load; returns the status and the text.
    private func refusal(_ path: String?, _ options: UnsafePointer<tandem_load_options>? = nil) -> (
        Int32, String
    ) {
        var model = OpaquePointer(bitPattern: 0x123_4560)
        var error = [CChar](repeating: 1, count: 512)
        let status = tandem_model_load(path, options, &model, &error, error.count)
        #expect(model == nil)
        #expect(!text(error).isEmpty)
        return (status, text(error))
    }

    @Test func namesWhatIsWrongWithAFile() throws {
        let file = try ModelFile()
        let sound = try Data(contentsOf: URL(filePath: file.path))
        #expect(refusal(nil).0 == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(refusal("").0 == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(refusal(String(repeating: "a", count: 5000)).0 == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(refusal("/").0 == TANDEM_ERROR_IO)
        let missing = refusal("/no/such/file.tandem")
        #expect(missing.0 == TANDEM_ERROR_IO)
        #expect(missing.1.contains("/no/such/file.tandem"))
        #expect(refusal(try file.write(Data(), as: "empty")).0 == TANDEM_ERROR_BAD_FILE)
        #expect(refusal(try file.write(Data("a text".utf8), as: "text")).0 == TANDEM_ERROR_BAD_FILE)
        #expect(refusal(try file.write(sound.prefix(sound.count / 2), as: "half")).0 == TANDEM_ERROR_BAD_FILE)
        var damaged = sound
        damaged[damaged.count / 2] ^= 1
        #expect(refusal(try file.write(damaged, as: "damaged")).0 == TANDEM_ERROR_BAD_FILE)
    }

    @Test func refusesAPathThatIsNotUTF8() {
        var model: OpaquePointer?
        let path: [CChar] = [0x2F, -1, 0x61, 0]
        #expect(tandem_model_load(path, nil, &model, nil, 0) == TANDEM_ERROR_INVALID_UTF8)
        #expect(model == nil)
    }

    @Test func worksWithoutPlaceForTheModelOrTheText() throws {
        let path = try ModelFile.shared.get().path
        #expect(tandem_model_load(path, nil, nil, nil, 0) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(tandem_model_load(path, nil, nil, nil, 100) == TANDEM_ERROR_INVALID_ARGUMENT)
        var model: OpaquePointer?
        #expect(tandem_model_load(path, nil, &model, nil, 0) == TANDEM_OK)
        #expect(tandem_model_free(model) == TANDEM_OK)
    }

    @Test func errorTextIsCutAtACharacter() {
        var model: OpaquePointer?
        for (capacity, expected) in [(1, ""), (2, "'"), (3, "'/"), (4, "'/"), (5, "'/é"), (6, "'/é/")] {
            var error = [CChar](repeating: 1, count: 16)
            #expect(tandem_model_load("/é/missing", nil, &model, &error, capacity) == TANDEM_ERROR_IO)
            #expect(text(error) == expected)
            #expect(error[capacity...].allSatisfy { $0 == 1 })
        }
    }

    @Test func optionsAreChecked() throws {
        let path = try ModelFile.shared.get().path
        var options = tandem_load_options()
        options.size = MemoryLayout<tandem_load_options>.size
        options.threads = -1
        #expect(refusal(path, &options).0 == TANDEM_ERROR_INVALID_ARGUMENT)
        options.threads = .max
        #expect(refusal(path, &options).1.contains("threads is 2147483647"))
        options.threads = 1
        options.verification = 77
        #expect(refusal(path, &options).0 == TANDEM_ERROR_UNSUPPORTED)
        options.verification = TANDEM_VERIFY_STRUCTURE
        "no-such-set".withCString { name in
            options.instruction_set = name
            let outcome = refusal(path, &options)
            #expect(outcome.0 == TANDEM_ERROR_UNSUPPORTED)
            #expect(outcome.1.contains("scalar"))
        }
        try "scalar".withCString { name in
            options.instruction_set = name
            var model: OpaquePointer?
            try #require(tandem_model_load(path, &options, &model, nil, 0) == TANDEM_OK)
            #expect(tandem_model_free(model) == TANDEM_OK)
        }
    }

    @Test(arguments: [0, 1, 8, 23, 4097, Int.max, -1, Int.min])
    func impossibleSizesAreRefused(size: Int) throws {
        var options = tandem_load_options()
        options.size = size
        let outcome = refusal(try ModelFile.shared.get().path, &options)
        #expect(outcome.0 == TANDEM_ERROR_STRUCT_SIZE)
        #expect(outcome.1.contains("options.size is \(UInt(bitPattern: size))"))
    }

    /// A program compiled with version 1.0 of the header passes smaller structs; what follows them is not read.
    @Test func structsOfVersionOneAreTaken() throws {
        var load = tandem_load_options()
        (load.size, load.threads, load.memory_bytes, load.session_count) = (24, 1, 1, -5)
        var model: OpaquePointer?
        let path = try ModelFile.shared.get().path
        try #require(tandem_model_load(path, &load, &model, nil, 0) == TANDEM_OK)
        let session = try makeSession(model)
        var options = generateOptions(maxTokens: 4)
        (options.size, options.logprobs, options.top_logprobs) = (104, 0, 99)
        #expect(tandem_generate(session, "a", 1, &options, nil, nil, nil) == TANDEM_OK)
        options.size = 120
        #expect(tandem_generate(session, "a", 1, &options, nil, nil, nil) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(tandem_session_free(session) == TANDEM_OK)
        #expect(tandem_model_free(model) == TANDEM_OK)
    }

    @Test func budgetsAreKeptOrRefused() throws {
        var options = tandem_load_options()
        (options.size, options.threads) = (MemoryLayout<tandem_load_options>.size, 1)
        let path = try ModelFile.shared.get().path
        options.memory_bytes = 1
        let tooSmall = refusal(path, &options)
        #expect(tooSmall.0 == TANDEM_ERROR_OUT_OF_MEMORY)
        #expect(tooSmall.1.contains("at least"))
        for (bytes, sessions) in [(TANDEM_MEMORY_MAPPED, 0), (1 << 30, 2)] as [(UInt64, Int32)] {
            (options.memory_bytes, options.session_count) = (bytes, sessions)
            var model: OpaquePointer?
            try #require(tandem_model_load(path, &options, &model, nil, 0) == TANDEM_OK)
            #expect(tandem_model_free(model) == TANDEM_OK)
        }
        options.session_count = 1025
        #expect(refusal(path, &options).0 == TANDEM_ERROR_INVALID_ARGUMENT)
        var session = tandem_session_options()
        (options.session_count, session.size) = (0, 8)
        withUnsafePointer(to: &session) { session in
            options.session = session
            #expect(refusal(path, &options).0 == TANDEM_ERROR_STRUCT_SIZE)
        }
    }

    @Test func budgetsOfLoadedModelsChange() throws {
        var options = tandem_load_options()
        (options.size, options.threads) = (MemoryLayout<tandem_load_options>.size, 1)
        options.memory_bytes = 1
        let path = try ModelFile.shared.get().path
        let least = try #require(
            refusal(path, &options).1.firstMatch(of: /at least (\d+)/).flatMap { UInt64($0.output.1) })
        options.memory_bytes = 1 << 30
        var model: OpaquePointer?
        try #require(tandem_model_load(path, &options, &model, nil, 0) == TANDEM_OK)
        let session = try makeSession(model)
        func text() -> [Int32] {
            var result = tandem_result()
            result.size = MemoryLayout<tandem_result>.size
            var given = generateOptions(maxTokens: 4)
            #expect(tandem_session_reset(session) == TANDEM_OK)
            #expect(tandem_generate(session, "a", 1, &given, nil, nil, &result) == TANDEM_OK)
            var tokens = [Int32](repeating: -1, count: 64)
            var count = 0
            #expect(tandem_session_tokens(session, &tokens, tokens.count, &count) == TANDEM_OK)
            return Array(tokens.prefix(count))
        }
        let expected = text()
        for bytes in [2 * least, 1 << 30] {
            #expect(tandem_model_set_memory_budget(model, bytes) == TANDEM_OK)
            #expect(text() == expected)
        }
        #expect(tandem_model_set_memory_budget(model, 1) == TANDEM_ERROR_OUT_OF_MEMORY)
        var buffer = [CChar](repeating: 0, count: 400)
        #expect(tandem_model_last_error(model, &buffer, buffer.count) > 0)
        #expect(String(decoding: buffer.map(UInt8.init(bitPattern:)), as: UTF8.self).contains("at least"))
        #expect(
            tandem_model_set_memory_budget(model, TANDEM_MEMORY_MAPPED) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(text() == expected)
        #expect(tandem_session_free(session) == TANDEM_OK)
        #expect(tandem_model_free(model) == TANDEM_OK)
        #expect(tandem_model_set_memory_budget(model, 1 << 30) == TANDEM_ERROR_INVALID_HANDLE)
    }

    @Test func newerOptionsAreTakenWhileTheyAreZero() throws {
        let path = try ModelFile.shared.get().path
        let known = MemoryLayout<tandem_load_options>.size
        let bytes = UnsafeMutableRawPointer.allocate(byteCount: known + 40, alignment: 8)
        defer { bytes.deallocate() }
        bytes.initializeMemory(as: UInt8.self, repeating: 0, count: known + 40)
        bytes.storeBytes(of: known + 40, as: Int.self)
        let options = UnsafePointer(bytes.assumingMemoryBound(to: tandem_load_options.self))
        var model: OpaquePointer?
        #expect(tandem_model_load(path, options, &model, nil, 0) == TANDEM_OK)
        #expect(tandem_model_free(model) == TANDEM_OK)
        bytes.storeBytes(of: 1, toByteOffset: known + 39, as: UInt8.self)
        let outcome = refusal(path, options)
        #expect(outcome.0 == TANDEM_ERROR_UNSUPPORTED)
        #expect(outcome.1.contains("byte \(known + 39)"))
    }
}
