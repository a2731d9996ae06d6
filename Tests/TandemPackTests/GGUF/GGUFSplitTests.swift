// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemFormat
import TandemPack
import Testing

@Suite("Split GGUF files and their directories")
struct GGUFSplitTests {
    let folder: TemporaryFolder
    private let whole: GGUFTestModel

    /// A whole file and its three parts.
    init() throws {
        folder = try TemporaryFolder()
        whole = GGUFTestModel(TestModel())
        try whole.write(to: folder, "whole.gguf")
        try folder.makeFolder("p")
        for index in 0..<3 { try part(index).write(to: folder, GGUFSplitTests.name(index)) }
    }

    private static func name(_ index: Int) -> String { "p/m-0000\(index + 1)-of-00003.gguf" }

    /// Part 0 has the metadata; the tensors take turns.
    private func part(_ index: Int, _ change: (inout GGUFBuilder) -> Void = { _ in }) -> GGUFTestModel {
        var model = whole
        if index > 0 { model.file.entries = [] }
        model.file.tensors = whole.file.tensors.enumerated().filter { $0.offset % 3 == index }.map(\.element)
        model.file.add("split.no", type: 2, littleEndian(UInt16(index)))
        model.file.add("split.count", type: 2, littleEndian(UInt16(3)))
        model.file.add("split.tensors.count", type: 5, littleEndian(UInt32(whole.file.tensors.count)))
        change(&model.file)
        return model
    }

    private func error(_ index: Int, _ change: (inout GGUFBuilder) -> Void) throws -> PackError? {
        try part(index, change).write(to: folder, GGUFSplitTests.name(index))
        return packError(folder[GGUFSplitTests.name(0)], to: folder["x.tandem"])
    }

    @Test func everyPartStandsForTheSet() throws {
        try pack(folder["whole.gguf"], to: folder["whole.tandem"])
        let expected = try TandemFile(path: folder["whole.tandem"]).chunks.map(\.checksum)
        for (index, source) in [GGUFSplitTests.name(0), GGUFSplitTests.name(1), GGUFSplitTests.name(2), "p"]
            .enumerated()
        {
            try pack(folder[source], to: folder["\(index).tandem"])
            #expect(try TandemFile(path: folder["\(index).tandem"]).chunks.map(\.checksum) == expected)
        }
    }

    @Test func missingPart() throws {
        try folder.remove(GGUFSplitTests.name(1))
        #expect(
            packError(folder[GGUFSplitTests.name(0)], to: folder["x.tandem"])
                == .missingShard(index: folder[GGUFSplitTests.name(0)], shard: "m-00002-of-00003.gguf"))
    }

    @Test func contradictions() throws {
        func replaced(_ key: String, _ value: UInt16) -> (inout GGUFBuilder) -> Void {
            {
                $0.remove(key)
                $0.add(key, type: 2, littleEndian(value))
            }
        }
        let last = folder[GGUFSplitTests.name(2)]
        #expect(
            try error(2, replaced("split.no", 1))
                == .gguf(path: last, issue: .splitMismatch(key: "split.no", found: 1, expected: 2)))
        #expect(
            try error(2, replaced("split.count", 4))
                == .gguf(path: last, issue: .splitMismatch(key: "split.count", found: 4, expected: 3)))
        try part(2).write(to: folder, GGUFSplitTests.name(2))
        let count = whole.file.tensors.count
        #expect(
            try error(0, replaced("split.tensors.count", 7))
                == .gguf(
                    path: folder[GGUFSplitTests.name(0)],
                    issue: .splitMismatch(key: "split.tensors.count", found: 7, expected: count)))
    }

    @Test func tensorInTwoParts() throws {
        let twice = whole.file.tensors[0]
        let found = try error(1) { builder in
            builder.tensors.append(twice)
        }
        guard case .gguf(_, .splitMismatch("split.tensors.count", _, _))? = found else {
            Issue.record("\(String(describing: found))")
            return
        }
        for index in 0..<3 {
            try part(index) { builder in
                builder.remove("split.tensors.count")
                if index == 1 { builder.tensors.append(twice) }
            }.write(to: folder, GGUFSplitTests.name(index))
        }
        #expect(
            packError(folder[GGUFSplitTests.name(0)], to: folder["x.tandem"])
                == .gguf(
                    path: folder[GGUFSplitTests.name(1)],
                    issue: .tensorInTwoParts(tensor: twice.name, other: folder[GGUFSplitTests.name(0)])))
    }

    @Test func renamedPart() throws {
        try folder.copy(GGUFSplitTests.name(0), to: "renamed.gguf")
        guard
            case .invalidField(folder["renamed.gguf"], "split.no", let reason)? = packError(
                folder["renamed.gguf"], to: folder["x.tandem"])
        else {
            Issue.record("no error")
            return
        }
        #expect(reason.contains("-00001-of-00003.gguf"))
    }

    @Test func directories() throws {
        try folder.makeFolder("d")
        guard case .notACheckpoint(folder["d"], _)? = packError(folder["d"], to: folder["x.tandem"]) else {
            Issue.record("an empty directory was packed")
            return
        }
        try whole.write(to: folder, "d/a.gguf")
        try folder.write([1], to: "d/mmproj-a.gguf")
        #expect(packError(folder["d"], to: folder["x.tandem"]) == nil)
        try whole.write(to: folder, "d/b.gguf")
        guard case .notACheckpoint(folder["d"], let reason)? = packError(folder["d"], to: folder["y.tandem"])
        else {
            Issue.record("one of two models was packed")
            return
        }
        #expect(reason.contains("'a.gguf', 'b.gguf'"))
    }

    @Test func otherFiles() throws {
        try folder.write(Array("text".utf8), to: "text")
        #expect(
            packError(folder["text"], to: folder["x.tandem"]) == .notADirectory(path: folder["text"]))
        try whole.write(to: folder, "no-suffix")
        #expect(packError(folder["no-suffix"], to: folder["x.tandem"]) == nil)
    }

    /// Both models may come from either format.
    @Test func pairs() throws {
        try TestModel().write(to: folder, "hf")
        for (index, models) in [("whole.gguf", "hf"), ("hf", "whole.gguf"), ("whole.gguf", "p")].enumerated()
        {
            try pack(folder[models.0], secondary: folder[models.1], to: folder["\(index).tandem"])
            #expect(try TandemFile(path: folder["\(index).tandem"]).manifest.kind == .pair)
        }
    }
}
