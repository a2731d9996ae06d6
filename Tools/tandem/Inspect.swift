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

    @Flag(help: "Measure what the codecs would make of each class of tensors (reads a part of the weights).")
    var ratios = false

    func run() throws {
        try reportingErrors(file: file) {
            let file = try TandemFile(path: self.file)
            if json {
                var object = file.json
                if ratios { object["ratios"] = try .array(file.classRatios().map(\.json)) }
                StandardOutput.write(
                    JSONValue.object(object).serialized(pretty: true, sortedKeys: false) + "\n")
            } else {
                StandardOutput.write(file.overview)
                if ratios { StandardOutput.write("\n" + (try file.ratioTable())) }
                if tensors { StandardOutput.write("\n" + file.tensorList) }
            }
        }
    }
}
