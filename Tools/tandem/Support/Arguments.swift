// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
public import Tandem

extension DecodingMode: ExpressibleByArgument {}
extension EmbeddingPooling: ExpressibleByArgument {}

extension KeyValueType: ExpressibleByArgument {
    /// Its own name, or llama.cpp's where that is another.
    public init?(argument: String) {
        self.init(rawValue: argument == "q8_0" ? "int8" : argument)
    }
}

/// The types of the key/value caches, named as llama.cpp names them.
struct CacheFlags: ParsableArguments {
    @Option(
        name: [.customLong("cache-type-k"), .customLong("ctk", withSingleDash: true)],
        help: "Element type of the key cache: f16 (default), int8 (or q8_0, the same) or f32.")
    var keyType: KeyValueType?

    @Option(
        name: [.customLong("cache-type-v"), .customLong("ctv", withSingleDash: true)],
        help: "Element type of the value cache; must equal the key cache's.")
    var valueType: KeyValueType?

    /// The one type both caches have.
    func type() throws -> KeyValueType {
        let type = keyType ?? valueType ?? .f16
        guard (valueType ?? type) == type else {
            throw ValidationError("the key and the value cache must have the same type")
        }
        return type
    }
}
