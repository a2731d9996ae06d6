// SPDX-License-Identifier: Apache-2.0

public import TandemFormat
public import TandemTokenizer

/// A loaded `.tandem` file: weights, tokenizer, and a compute pool.
///
/// ```swift
/// let model = try TandemModel.load(from: "story.tandem")
/// let session = try model.makeSession()
/// let result = try session.generate("Once upon a time", parameters: .init(maxTokens: 100)) {
///     print($0.text, terminator: "")
/// }
/// ```
///
/// ## Thread Safety
/// Immutable; any number of sessions on any threads share one model. A file that others overwrite or truncate while
/// it is loaded ends what is running with `FormatError.fileChanged(path:)`; replace files by renaming.
///
/// ## Memory
/// Where the file fits, loading copies no weights: pages come in as they are read and belong to the page cache. Within a
/// ``MemoryBudget`` the weights are read into memory of their own, and what does not fit is read again in every pass of the
/// primary (``memoryPlan``); the results are the same bits.
public final class TandemModel: Sendable {
    /// What the file holds.
    public let manifest: Manifest
    /// The file's tokenizer, if it carries one.
    public let tokenizer: Tokenizer?
    /// Name of the instruction set in use.
    public let instructionSet: String
    /// Threads that compute, the caller's included.
    public let threadCount: Int
    /// Tokens that end a text.
    public let endTokens: Set<TokenID>
    let core: ModelCore
    let grammars = ModelGrammars()

    init(core: ModelCore, tokenizer: Tokenizer?) {
        self.core = core
        self.tokenizer = tokenizer
        manifest = core.file.manifest
        instructionSet = core.kernels.name
        threadCount = core.pool.threadCount
        endTokens = Set((core.file.manifest.tokenizer?.eos ?? []).map { TokenID($0) })
    }

    static func mappedTokenizer(_ file: TandemFile) throws(TandemError) -> Tokenizer? {
        guard let reference = file.manifest.tokenizer else { return nil }
        let chunk: ChunkBytes
        do {
            chunk = try file.bytes(ofChunk: reference.chunk)
        } catch {
            throw .format(error)
        }
        do {
            return try unsafe Tokenizer(
                json: UnsafeRawBufferPointer(start: chunk.baseAddress, count: chunk.count))
        } catch {
            throw .tokenizer(error)
        }
    }

    /// Modes this file can decode in, the best first.
    public var availableModes: [DecodingMode] {
        switch manifest.kind {
        case .single: [.speed, .primary]
        case .pair: [.speed, .primary, .secondary]
        case .tandem: [.speed, .tandem, .primary, .secondary]
        }
    }

    /// A session with caches of its own.
    /// - Throws: ``TandemError/invalidParameter(name:value:allowed:)``, ``TandemError/outOfMemory(requestedBytes:purpose:)``.
    public func makeSession(options: SessionOptions = .default) throws(TandemError) -> Session {
        try Session(model: self, options: options)
    }

    /// Token ids of a text, with the beginning token when the file's tokenizer asks for one.
    /// - Throws: ``TandemError/noTokenizer``.
    public func tokenize(_ text: String) throws(TandemError) -> [TokenID] {
        guard let tokenizer else { throw .noTokenizer }
        var ids = tokenizer.encode(text, addSpecialTokens: true)
        if let reference = manifest.tokenizer, reference.addBOS, let bos = reference.bos,
            ids.first != TokenID(bos)
        {
            ids.insert(TokenID(bos), at: 0)
        }
        return ids
    }

    /// Text of token ids; special tokens are left out.
    /// - Throws: ``TandemError/noTokenizer``.
    public func detokenize(_ ids: [TokenID]) throws(TandemError) -> String {
        guard let tokenizer else { throw .noTokenizer }
        return tokenizer.decode(ids, skipSpecialTokens: true)
    }
}
