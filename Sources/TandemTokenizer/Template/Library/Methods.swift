// SPDX-License-Identifier: Apache-2.0

/// Methods of mappings and lists, and the way to those of texts.
extension TemplateRun {
    func call(
        _ method: MethodName, of receiver: TemplateValue, _ arguments: CallArguments
    ) throws(TemplateError) -> TemplateValue {
        switch receiver {
        case .dictionary(let dictionary): return try call(method, of: dictionary, receiver, arguments)
        case .text(let text): return try call(method, of: text, arguments)
        default: return try callOnItems(method, receiver, arguments)
        }
    }

    private func call(
        _ method: MethodName, of dictionary: DictionaryValue, _ receiver: TemplateValue,
        _ arguments: CallArguments
    ) throws(TemplateError) -> TemplateValue {
        guard arguments.keywords.isEmpty else { throw failure("'\(method.rawValue)' takes no keywords") }
        switch method {
        case .get:
            let values = try bind(arguments, ["key", "default"], required: 1, of: "get")
            guard let key = values[0], key.isHashable else { throw failure("this cannot be a key") }
            return dictionary[key] ?? values[1] ?? .none
        case .items, .keys, .values:
            _ = try bind(arguments, [], of: method.rawValue)
            try charge(dictionary.entries.count)
            let kind: ViewValue.Kind = method == .items ? .items : method == .keys ? .keys : .values
            return .view(ViewValue(kind, of: dictionary))
        default:
            _ = try bind(arguments, [], of: method.rawValue)
            return receiver
        }
    }

    private func callOnItems(
        _ method: MethodName, _ receiver: TemplateValue, _ arguments: CallArguments
    ) throws(TemplateError) -> TemplateValue {
        guard arguments.keywords.isEmpty else { throw failure("'\(method.rawValue)' takes no keywords") }
        if method == .copy {
            _ = try bind(arguments, [], of: "copy")
            return receiver
        }
        let items = try iterate(receiver)
        let values = try bind(arguments, ["value", "start", "stop"], required: 1, of: method.rawValue)
        let wanted = values[0] ?? .none
        var found = 0
        for (place, item) in items.enumerated() where try equal(item, wanted) {
            if method == .index, values[1] == nil { return .integer(place) }
            found += 1
        }
        guard method == .count else { throw failure("\(try represent(wanted)) is not in the list") }
        return .integer(found)
    }
}
