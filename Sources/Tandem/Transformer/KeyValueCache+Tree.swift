// SPDX-License-Identifier: Apache-2.0

extension KeyValueCache {
    /// Copies the keys and values of all layers from `moves[i].home` to `moves[i].depth`, both counted from `position`.
    func apply(_ moves: [TreeRows.Move], at position: Int, layerCount: Int) {
        let view = view
        for layer in 0..<layerCount {
            for head in 0..<headCount {
                for move in moves where move.home != move.depth {
                    view.copy(
                        from: position &+ move.home, to: position &+ move.depth, layer: layer, head: head)
                }
            }
        }
    }
}
