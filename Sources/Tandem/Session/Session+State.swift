// SPDX-License-Identifier: Apache-2.0

extension Session {
    /// A session of its own that begins with what this one holds: its tokens, their keys and values, and what was learnt about
    /// drafting. From then on the two have nothing in common.
    ///
    /// Several answers to one long prompt cost one run of the prompt.
    ///
    /// - Throws: ``TandemError/sessionBusy``, ``TandemError/sessionExceedsBudget(neededBytes:leftBytes:)`` when the model's
    ///   memory plan has no room for another session, ``TandemError/outOfMemory(requestedBytes:purpose:)``.
    /// - Complexity: copies the positions in use of both caches; a session reserves, but does not touch, the rest.
    public func fork() throws(TandemError) -> Session {
        try exclusively { (decoder) throws(TandemError) in
            let copy = try Session(
                model: model,
                options: SessionOptions(
                    contextSize: contextSize, batchSize: options.batchSize, maxDraft: options.maxDraft,
                    keyValueType: options.keyValueType))
            try copy.exclusively { (other) throws(TandemError) in try other.copyState(from: decoder) }
            return copy
        }
    }

    /// Writes what the session holds to a file, so that ``restore(from:)`` can go on from there, in another process too.
    ///
    /// The file appears under its name only when it is complete and on the disk: whatever happens meanwhile, power cuts
    /// included, there is the old file or the new one. The format is `Formats/session-file.md`.
    ///
    /// - Throws: ``TandemError/sessionBusy``, ``TandemError/sessionFile(_:)``.
    /// - Complexity: writes the positions in use of both caches, and waits for the disk. Memory: 2 MiB.
    public func save(to path: String) throws(TandemError) {
        try exclusively { (decoder) throws(TandemError) in
            let state = try decoder.settledState()
            do throws(SessionFileError) {
                try SessionFileWriter.write(decoder, state, to: path)
            } catch {
                throw .sessionFile(error)
            }
        }
    }

    /// Replaces what the session holds by what ``save(to:)`` wrote. All logits are the same bits from there on as if the
    /// session had gone on.
    ///
    /// The file has to be of the same model file and the same type of caches; its tokens have to fit this session's context,
    /// which may be larger or smaller than the saved one's.
    ///
    /// - Throws: ``TandemError/sessionBusy``, ``TandemError/sessionFile(_:)`` for everything that is wrong with the file; the
    ///   session then holds what it held. ``TandemError/outOfMemory(requestedBytes:purpose:)``; it is then empty.
    /// - Complexity: reads the file twice: first to check it, then to take it. Memory: 1 MiB.
    public func restore(from path: String) throws(TandemError) {
        try exclusively { (decoder) throws(TandemError) in
            try SessionFileReader.read(path, into: decoder)
        }
    }
}
