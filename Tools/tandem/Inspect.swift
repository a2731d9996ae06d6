// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import TandemFormat
import TandemJSON

/// `tandem inspect`: what a file holds, without reading its weights.
struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show what a .tandem file holds.",
        discussion:
            "Reads the header, the tables and the manifest, which are checked; 'verify' checks the weights.")

    @Argument(help: "The .tandem file.")
    var file: String

    @Flag(help: "Print one JSON object with everything.")
    var json = false

    @Flag(help: "List every tensor.")
    var tensors = false

    func run() throws {
        try reportingErrors(file: file) {
            let file = try TandemFile(path: self.file)
            if json {
                StandardOutput.write(file.json.serialized(pretty: true, sortedKeys: false) + "\n")
            } else {
                StandardOutput.write(file.overview)
                if tensors { StandardOutput.write("\n" + file.tensorList) }
            }
        }
    }
}
