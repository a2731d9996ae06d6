// SPDX-License-Identifier: Apache-2.0

extension TandemModel {
    /// Bytes of streamed weights that are in memory from pass to pass, in room that nobody else needs yet.
    /// - Throws: ``TandemError/forkedProcess``.
    package func heldWeightBytes() throws(TandemError) -> Int { try core.heldBytes() }
}
