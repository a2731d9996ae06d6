// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemJSON
import TandemPack

/// A folder of its own for one test, removed with this object.
final class TemporaryFolder {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appending(path: "tandem-pack-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    subscript(name: String) -> String { "\(path)/\(name)" }

    @discardableResult
    func makeFolder(_ name: String) throws -> String {
        try FileManager.default.createDirectory(atPath: self[name], withIntermediateDirectories: true)
        return self[name]
    }

    func write(_ bytes: [UInt8], to name: String) throws {
        try Data(bytes).write(to: URL(filePath: self[name]))
    }

    func write(_ json: JSONValue, to name: String) throws {
        try write(Array(json.serialized().utf8), to: name)
    }

    func read(_ name: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: self[name]))) }

    func remove(_ name: String) throws { try FileManager.default.removeItem(atPath: self[name]) }

    func copy(_ name: String, to other: String) throws {
        try FileManager.default.copyItem(atPath: self[name], toPath: self[other])
    }

    /// Names of everything directly inside.
    func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
}

/// Packs with a few threads and returns the error, nil when there is none.
func packError(
    _ source: String, secondary: String? = nil, to destination: String, options: PackOptions? = nil
) -> PackError? {
    do {
        _ = try pack(source, secondary: secondary, to: destination, options: options)
        return nil
    } catch {
        return error as? PackError
    }
}

@discardableResult
func pack(
    _ source: String, secondary: String? = nil, to destination: String, options: PackOptions? = nil
) throws -> PackReport {
    try Packer().pack(
        source: source, secondary: secondary, destination: destination,
        options: options ?? PackOptions(threadCount: 2))
}
