// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import TandemFormat
import TandemJSON
import TandemPack
import Testing

@Suite("The packed file")
struct PackOutputTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// Large enough for several blocks of rows, so that threads race.
    private static let large = TestModel.Shape(
        vocabulary: 2500, hidden: 192, intermediate: 800, layers: 1, heads: 6, keyValueHeads: 3, headSize: 32)

    @Test(arguments: [WeightFormat.f32, .int8(.columns64), .int4(.columns32)])
    func sameBytesWhateverTheThreads(format: WeightFormat) throws {
        try TestModel(PackOutputTests.large).write(to: folder, "m")
        var first: [UInt8]?
        for threads in [1, 2, 5, 1] {
            try pack(
                folder["m"], to: folder["m.tandem"],
                options: PackOptions(weights: format, overwrite: true, threadCount: threads))
            let bytes = try folder.read("m.tandem")
            #expect(first == nil || first == bytes)
            first = bytes
        }
    }

    @Test func chunksAreInExecutionOrder() throws {
        try TestTandem().write(to: folder, "t")
        let report = try pack(folder["t"], to: folder["t.tandem"])
        let file = try TandemFile(path: folder["t.tandem"])
        let expected = [
            "tokenizer", "secondary.embed", "secondary.layers.0", "secondary.layers.1", "secondary.output",
            "tandem.projections", "primary.embed", "primary.layers.0", "primary.layers.1", "primary.output",
        ]
        #expect(file.chunks.map(\.name) == expected)
        #expect(report.chunks.map(\.name) == expected)
        #expect(file.tensors.map(\.name) == report.tensors.map(\.name))
        #expect(report.fileSize == file.fileSize)
        #expect(file.manifest.kind == .tandem)
        for chunk in file.chunks.indices { try file.verify(chunk: chunk) }
        #expect(report.json["tensors"]?.arrayValue?.count == file.tensors.count)
    }

    @Test func rolesHaveTheirOwnFormats() throws {
        try TestTandem().write(to: folder, "t")
        let recipe = Recipe(
            name: "mixed", standard: try WeightTreatment(.int8(.columns64)),
            rules: [
                .init(role: .secondary, treatment: try WeightTreatment(.int4(.columns32))),
                .init(classes: [.projections], treatment: try WeightTreatment(.f32)),
                .init(classes: [.embed, .head], treatment: try WeightTreatment(.int8(.row))),
            ])
        try pack(folder["t"], to: folder["t.tandem"], options: PackOptions(recipe: recipe))
        let file = try TandemFile(path: folder["t.tandem"])
        func encoding(_ name: String) -> TensorEncoding? { file.tensor(named: name)?.encoding }
        #expect(encoding("primary.layers.0.q") == .panelI8)
        #expect(encoding("secondary.layers.0.q") == .panelI4)
        #expect(file.tensor(named: "secondary.layers.0.q")?.groupSize == 32)
        #expect(encoding("secondary.embed") == .panelI8)
        #expect(encoding("primary.head") == .panelI8)
        #expect(encoding("tandem.projections.1") == .panelF32)
        #expect(encoding("primary.norm") == .f32)
        #expect(file.manifest.quantization["recipe"] == .object(recipe.json))
        #expect(
            file.manifest.quantization["matrices"] == [
                "int8/row rtn-absmax": 3, "int4/32 rtn-mse": 14, "f32": 2, "int8/64 rtn-absmax": 14,
            ])
    }

    @Test func provenanceNamesSourcesButNoPlaces() throws {
        try TestTandem().write(to: folder, "t")
        try pack(folder["t"], to: folder["t.tandem"])
        let provenance = try TandemFile(path: folder["t.tandem"]).manifest.provenance
        #expect(provenance["source"] == "t")
        #expect(provenance["primary"] == ["name": "primary", "architecture": "LlamaForCausalLM"])
        #expect(provenance["checkpoint"] == ["trainer": "test"])
        #expect(!JSONValue.object(provenance).serialized().contains(folder.path))
    }

    @Test func existingFilesAreKept() throws {
        try TestModel().write(to: folder, "m")
        try folder.write([1, 2, 3], to: "old")
        #expect(packError(folder["m"], to: folder["old"]) == .destinationExists(path: folder["old"]))
        #expect(try folder.read("old") == [1, 2, 3])
        try pack(folder["m"], to: folder["old"], options: PackOptions(overwrite: true))
        #expect(try TandemFile(path: folder["old"]).manifest.kind == .single)
        #expect(packError(folder["m"], to: folder["m"]) == .destinationIsDirectory(path: folder["m"]))
    }

    @Test func destinationsThatCannotBeWritten() throws {
        try TestModel().write(to: folder, "m")
        guard
            case .format(.system(_, folder["no/x.tandem"], ENOENT))? = packError(
                folder["m"], to: folder["no/x.tandem"])
        else {
            Issue.record("no error")
            return
        }
    }

    @Test func cancellingLeavesNothing() throws {
        try TestModel(PackOutputTests.large).write(to: folder, "m")
        for limit in [0, 1, 4] {
            var options = try PackOptions(threadCount: 2)
            options.isCancelled = CancelAfter(limit).ask
            #expect(packError(folder["m"], to: folder["x"], options: options) == .cancelled)
            #expect(try folder.names() == ["m"])
        }
    }

    @Test func failuresLeaveNothingAndKeepTheOldFile() throws {
        var model = TestModel()
        model["lm_head.weight"]?.values[7] = .nan
        try model.write(to: folder, "m")
        try folder.write([1], to: "old")
        #expect(packError(folder["m"], to: folder["old"], options: try PackOptions(overwrite: true)) != nil)
        #expect(try folder.names() == ["m", "old"])
        #expect(try folder.read("old") == [1])
    }

    @Test func progressReachesTheEnd() throws {
        try TestModel(PackOutputTests.large).write(to: folder, "m")
        var last: PackProgress?
        let report = try Packer().pack(
            source: folder["m"], destination: folder["m.tandem"], options: PackOptions(threadCount: 2)
        ) { progress in
            #expect(progress.completedBytes > last?.completedBytes ?? 0)
            last = progress
        }
        #expect(last?.fraction == 1)
        #expect(last?.totalBytes == report.sourceSize)
    }

    @Test(arguments: [0, 257, -1])
    func threadCounts(count: Int) {
        #expect(
            throws: PackError.invalidOption(name: "threads", value: "\(count)", allowed: "1...256")
        ) { try PackOptions(threadCount: count) }
    }
}

/// A cancellation hook that says yes after being asked some times.
private final class CancelAfter: Sendable {
    private let left: Atomic<Int>

    init(_ count: Int) { left = Atomic(count) }

    @Sendable func ask() -> Bool { left.subtract(1, ordering: .relaxed).oldValue <= 0 }
}
