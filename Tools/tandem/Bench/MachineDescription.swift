// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemJSON

/// What a measurement was made on.
struct MachineDescription {
    /// The processor's own name, or "unknown".
    let processor: String
    /// Processors that are online.
    let processorCount: Int
    /// Bytes of main memory.
    let memoryBytes: Int
    let instructionSets: [String]

    init() {
        let info = Self.lines(of: "/proc/cpuinfo")
        processor =
            info.lazy.compactMap { Self.value(of: $0, keys: ["model name", "Model", "Processor"]) }.first
            ?? "unknown"
        processorCount = info.count { $0.hasPrefix("processor") }
        let total = Self.lines(of: "/proc/meminfo").lazy.compactMap { Self.value(of: $0, keys: ["MemTotal"]) }
            .first
        let kibibytes = total.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
        memoryBytes = kibibytes * 1024
        instructionSets = availableInstructionSets()
    }

    var json: JSONValue {
        [
            "processor": .string(processor), "processors": .integer(Int64(processorCount)),
            "memory_bytes": .integer(Int64(memoryBytes)),
            "instruction_sets": .array(instructionSets.map(JSONValue.string)),
        ]
    }

    private static func lines(of path: String) -> [Substring] {
        ((try? readPrompt(path)) ?? "").split(separator: "\n")
    }

    private static func value(of line: Substring, keys: [String]) -> String? {
        guard let colon = line.firstIndex(of: ":") else { return nil }
        let key = line[..<colon].trimmingSpaces()
        guard keys.contains(key) else { return nil }
        return line[line.index(after: colon)...].trimmingSpaces()
    }
}

extension Substring {
    fileprivate func trimmingSpaces() -> String {
        var text = self
        while text.first == " " || text.first == "\t" { text.removeFirst() }
        while text.last == " " || text.last == "\t" { text.removeLast() }
        return String(text)
    }
}
