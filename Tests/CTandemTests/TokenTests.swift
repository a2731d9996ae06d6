// SPDX-License-Identifier: Apache-2.0

import CTandemHeader
import Testing

@Suite struct TokenTests {
    private let model: OpaquePointer

    init() throws { model = try loadModel() }

    private func freeModel() { #expect(tandem_model_free(model) == TANDEM_OK) }

    @Test func roundTripWithSizesAskedFirst() {
        defer { freeModel() }
        let original = "Zoë said: hi\n"
        var count = 0
        #expect(tandem_tokenize(model, original, cString, nil, 0, &count) == TANDEM_ERROR_BUFFER_TOO_SMALL)
        #expect(count == original.utf8.count)
        var ids = [Int32](repeating: -7, count: count)
        #expect(tandem_tokenize(model, original, original.utf8.count, &ids, ids.count, &count) == TANDEM_OK)
        #expect(ids == original.utf8.map { Int32($0) + 1 })

        var length = 0
        #expect(tandem_detokenize(model, ids, ids.count, nil, 0, &length) == TANDEM_ERROR_BUFFER_TOO_SMALL)
        #expect(length == original.utf8.count)
        var decoded = [CChar](repeating: 1, count: length + 1)
        #expect(
            tandem_detokenize(model, ids, ids.count, &decoded, length, &length)
                == TANDEM_ERROR_BUFFER_TOO_SMALL)
        #expect(decoded.allSatisfy { $0 == 1 })
        #expect(tandem_detokenize(model, ids, ids.count, &decoded, decoded.count, &length) == TANDEM_OK)
        #expect(text(decoded) == original)
    }

    @Test func aSmallBufferIsNotTouched() {
        defer { freeModel() }
        var count = 0
        var ids = [Int32](repeating: -7, count: 4)
        #expect(tandem_tokenize(model, "hello", 5, &ids, 4, &count) == TANDEM_ERROR_BUFFER_TOO_SMALL)
        #expect(count == 5)
        #expect(ids == [-7, -7, -7, -7])
        #expect(modelError(model).contains("5 tokens"))
    }

    @Test func emptyTextsAndArrays() {
        defer { freeModel() }
        var count = 99
        #expect(tandem_tokenize(model, nil, 0, nil, 0, &count) == TANDEM_OK)
        #expect(count == 0)
        var buffer: [CChar] = [1]
        #expect(tandem_detokenize(model, nil, 0, &buffer, 1, &count) == TANDEM_OK)
        #expect(buffer == [0])
    }

    @Test func textMayHoldNUL() {
        defer { freeModel() }
        var count = 0
        var ids = [Int32](repeating: 0, count: 3)
        let bytes: [CChar] = [0x61, 0, 0x62]
        #expect(tandem_tokenize(model, bytes, 3, &ids, 3, &count) == TANDEM_OK)
        #expect(ids == [0x62, 1, 0x63])
    }

    @Test func badUTF8IsNamedByItsPlace() {
        defer { freeModel() }
        var count = 0
        let wrong: [CChar] = [0x61, 0x62, -1, 0x63, 0]
        #expect(tandem_tokenize(model, wrong, 4, nil, 0, &count) == TANDEM_ERROR_INVALID_UTF8)
        #expect(modelError(model).contains("at 2"))
        #expect(tandem_tokenize(model, wrong, cString, nil, 0, &count) == TANDEM_ERROR_INVALID_UTF8)
        #expect(tandem_tokenize(model, "é", 1, nil, 0, &count) == TANDEM_ERROR_INVALID_UTF8)
        let surrogate: [CChar] = [-19, -96, -128]
        #expect(tandem_tokenize(model, surrogate, 3, nil, 0, &count) == TANDEM_ERROR_INVALID_UTF8)
    }

    @Test(arguments: [Int.max, -2, Int.min, (256 << 20) + 1])
    func hugeSizesAreRefused(size: Int) {
        defer { freeModel() }
        var count = 0
        #expect(tandem_tokenize(model, "a", size, nil, 0, &count) == TANDEM_ERROR_INVALID_ARGUMENT)
        let ids: [Int32] = [1]
        #expect(tandem_detokenize(model, ids, size, nil, 0, &count) == TANDEM_ERROR_INVALID_ARGUMENT)
    }

    @Test func hugeCapacitiesAreEnough() {
        defer { freeModel() }
        var count = 0
        var ids: [Int32] = [0, 0]
        #expect(tandem_tokenize(model, "ab", 2, &ids, -1, &count) == TANDEM_OK)
        #expect(ids == [0x62, 0x63])
        var buffer = [CChar](repeating: 1, count: 3)
        #expect(tandem_detokenize(model, ids, 2, &buffer, Int.min, &count) == TANDEM_OK)
        #expect(text(buffer) == "ab")
    }

    @Test func nullsAreRefused() {
        defer { freeModel() }
        var count = 0
        #expect(tandem_tokenize(model, "a", 1, nil, 0, nil) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(tandem_tokenize(model, "a", 1, nil, 4, &count) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(tandem_tokenize(model, nil, 1, nil, 0, &count) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(tandem_tokenize(model, nil, cString, nil, 0, &count) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(tandem_detokenize(model, nil, 1, nil, 0, &count) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(tandem_detokenize(model, [1], 1, nil, 4, &count) == TANDEM_ERROR_INVALID_ARGUMENT)
        #expect(tandem_detokenize(model, [1], 1, nil, 0, nil) == TANDEM_ERROR_INVALID_ARGUMENT)
    }

    @Test func idsWithoutATokenAddNothing() {
        defer { freeModel() }
        var length = 0
        var buffer = [CChar](repeating: 1, count: 8)
        let ids: [Int32] = [-1, 0x62, .max, .min, 0, 270, 0x63]
        #expect(tandem_detokenize(model, ids, ids.count, &buffer, 8, &length) == TANDEM_OK)
        #expect(text(buffer) == "ab")
    }
}
