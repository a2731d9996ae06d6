// SPDX-License-Identifier: Apache-2.0

import TandemFormat

/// Tensors that belong together in a summary, such as all attention matrices of the primary.
struct TensorClass<Member> {
    let name: String
    let encoding: TensorEncoding
    private(set) var members: [Member]

    /// Groups in the order of their first members.
    static func group(
        _ tensors: [Member], name: (Member) -> String, encoding: (Member) -> TensorEncoding
    ) -> [TensorClass] {
        var groups: [TensorClass] = []
        for tensor in tensors {
            let title = title(of: name(tensor))
            if let index = groups.firstIndex(where: { $0.name == title && $0.encoding == encoding(tensor) }) {
                groups[index].members.append(tensor)
            } else {
                groups.append(TensorClass(name: title, encoding: encoding(tensor), members: [tensor]))
            }
        }
        return groups
    }

    private static func title(of tensor: String) -> String {
        let parts = tensor.split(separator: ".")
        guard let role = parts.first, let last = parts.last else { return tensor }
        if role == "tandem" { return "tandem projections" }
        switch last {
        case "q", "k", "v", "o": return "\(role) attention"
        case "gate", "up", "down": return "\(role) MLP"
        case "attn_norm", "mlp_norm", "norm": return "\(role) norms"
        case "embed": return "\(role) embeddings"
        default: return "\(role) \(last)"
        }
    }
}
