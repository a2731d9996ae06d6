// SPDX-License-Identifier: Apache-2.0

import TandemFormat
import Testing

@Suite struct TensorLayoutTests {
    /// The worked example of the specification.
    @Test func workedExample() throws {
        let four = try TensorLayout(encoding: .panelI4, rows: 20, columns: 70, groupSize: 32)
        #expect(four.paddedColumns == 128 && four.dataLength == 2048 && four.scalesLength == 256)
        #expect(four.panelCount == 2 && four.panelDataLength == 1024 && four.panelScalesLength == 128)
        let eight = try TensorLayout(encoding: .panelI8, rows: 20, columns: 70, groupSize: 32)
        #expect(eight.dataLength == 4096 && eight.scalesLength == 256)
        let shifted = try TensorLayout(encoding: .panelI4Z, rows: 20, columns: 70, groupSize: 32)
        #expect(shifted.paddedColumns == 128 && shifted.dataLength == 2048 && shifted.scalesLength == 512)
        #expect(shifted.panelScalesLength == 256 && shifted.panelRowFactorsLength == 128)
        #expect(shifted.groupCount == 4 && four.panelRowFactorsLength == 0)
    }

    @Test func groups() throws {
        func layout(_ columns: Int, _ group: Int) throws -> TensorLayout {
            try TensorLayout(encoding: .panelI8, rows: 16, columns: columns, groupSize: group)
        }
        #expect(try layout(65, 64).paddedColumns == 128)
        #expect(try layout(65, 128).paddedColumns == 128)
        #expect(try layout(129, 128).paddedColumns == 256)
        #expect(try layout(129, 32).paddedColumns == 192)
        #expect(try layout(129, TensorLayout.rowGroupSize(columns: 129)).groupSize == 192)
        #expect(try layout(129, 192).activationGroup == 64)
        #expect(try layout(129, 192).scalesLength == 32)
        #expect(try layout(100, 128).activationGroup == 128)
        #expect(try layout(100, 32).activationGroup == 32)
        for group in [0, 1, 16, 48, 100, 256, -64] {
            #expect(formatError { _ = try layout(129, group) }?.field == "group_size")
        }
    }

    @Test func limits() {
        func field(_ rows: Int, _ columns: Int, _ encoding: TensorEncoding = .panelF32, _ group: Int = 0)
            -> String?
        {
            formatError {
                _ = try TensorLayout(encoding: encoding, rows: rows, columns: columns, groupSize: group)
            }?
            .field
        }
        #expect(field(0, 1) == "rows" && field(Int.max, 1) == "rows" && field(-1, 1) == "rows")
        #expect(field(1, 0) == "columns" && field(1, Int.max) == "columns" && field(1, Int.min) == "columns")
        #expect(field(1 << 24, 1 << 24) == nil)
        #expect(field(1 << 24, 1 << 24, .panelI8, 32) == nil)
        #expect(field(1 << 24, 1 << 24, .panelI4Z, 32) == nil)
        #expect(field(1, 1, .f32, 64) == "group_size")
    }

    @Test func names() {
        for encoding in TensorEncoding.allCases { #expect(TensorEncoding(name: encoding.name) == encoding) }
        #expect(TensorEncoding(name: "int8") == nil)
    }
}
