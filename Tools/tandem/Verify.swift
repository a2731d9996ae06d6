// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import TandemFormat
import TandemJSON

/// `tandem verify`: reads everything in a file and checks it.
struct Verify: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Check the structure and all checksums of a .tandem file.",
        discussion: "Prints the first damage and exits with 1, or OK.")

    @Argument(help: "The .tandem file.")
    var file: String

    @Flag(name: .shortAndLong, help: "Print nothing when the file is sound.")
    var quiet = false

    func run() throws {
        catchInterrupt()
        try reportingErrors(file: file) {
            let start = ContinuousClock.now
            let file = try TandemFile(path: self.file)
            var line = ProgressLine(label: "MB", total: file.fileSize / 1_000_000, quiet: quiet)
            defer { line.finish() }
            for index in file.chunks.indices {
                guard !interruptibleToken.isCancelled else { throw ExitCode(130) }
                try file.verify(chunk: index)
                let chunk = file.chunks[index]
                line.update((chunk.offset + chunk.storedLength) / 1_000_000, note: chunk.name)
            }
            line.finish()
            let seconds = start.duration(to: .now) / .seconds(1)
            if !quiet {
                StandardOutput.write(
                    "\(self.file): OK, \(file.chunks.count) chunks and \(file.tensors.count) tensors, "
                        + "\(byteText(file.fileSize)) at \(fixed(Double(file.fileSize) / seconds / 1e9, 2)) GB/s\n"
                )
            }
        }
    }
}
