// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// Which weights are in memory, and where those lie that always are.
///
/// Matrices of the primary have memory of their own, one by one, so that each can go and come while the model runs. All else
/// lies in one block: vectors, the secondary, the projections.
struct ResidentLayout {
    /// Where elements and scales of each tensor begin in the common block, by tensor.
    private(set) var places: [Int: (data: Int, scales: Int)] = [:]
    /// Tensors with memory of their own.
    private(set) var separate: [Int] = []
    /// The required tensors by name.
    private(set) var indexOfName: [String: Int] = [:]
    /// Bytes of the common block.
    private(set) var length = 0

    /// - Parameter isPrimaryOnly: leaves out all but the primary's tensors, which are in memory elsewhere.
    init(file: TandemFile, placement: WeightPlacement, isPrimaryOnly: Bool) {
        let streamed = Set(placement.streamed)
        for requirement in file.manifest.requiredTensors() { indexOfName[requirement.name] = -1 }
        for (index, tensor) in file.tensors.enumerated() where indexOfName[tensor.name] != nil {
            indexOfName[tensor.name] = index
            if streamed.contains(index) || placement.gathered == index { continue }
            if isPrimaryOnly && !tensor.name.hasPrefix(Self.primaryPrefix) { continue }
            if Self.isSeparate(tensor) {
                separate.append(index)
            } else {
                places[index] = (length, length + Self.padded(tensor.dataLength))
                length += Self.length(of: tensor)
            }
        }
    }

    private static let primaryPrefix = ModelRole.primary.rawValue + "."

    /// Whether a tensor has memory of its own: what a plan may stream or read row by row.
    static func isSeparate(_ tensor: TensorDescriptor) -> Bool {
        tensor.encoding.isPanel && tensor.name.hasPrefix(primaryPrefix)
    }

    /// Bytes a tensor takes in memory; whole pages where the memory is its own.
    static func length(of tensor: TensorDescriptor, geometry: PageGeometry = .system) -> Int {
        let length = padded(tensor.dataLength) + padded(tensor.scalesLength)
        return isSeparate(tensor) ? geometry.up(length) : length
    }

    /// Where the scales begin in a tensor's own memory.
    static func scalesOffset(of tensor: TensorDescriptor) -> Int { padded(tensor.dataLength) }

    private static func padded(_ length: Int) -> Int {
        (length + FormatLimits.sectionAlignment - 1) & ~(FormatLimits.sectionAlignment - 1)
    }
}
