// SPDX-License-Identifier: Apache-2.0

/// What is told of a pass under way, on the thread that runs it.
protocol PassObserver: AnyObject {
    /// Called before each layer, and now and then while the pass waits for weights.
    func betweenLayers()
    /// Requests, by index, that were cancelled: nothing of theirs is touched any more.
    func didDrop(_ requests: [Int])
}
