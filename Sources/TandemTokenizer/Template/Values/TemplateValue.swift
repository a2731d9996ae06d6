// SPDX-License-Identifier: Apache-2.0

/// A value of an expression, with the kinds that Python has.
enum TemplateValue {
    case undefined(UndefinedValue)
    case none
    case boolean(Bool)
    case integer(Int)
    case float(Double)
    case text(TemplateText)
    case list(ItemList)
    case tuple(ItemList)
    case dictionary(DictionaryValue)
    case range(RangeValue)
    case view(ViewValue)
    case generator(GeneratorValue)
    case namespace(NamespaceValue)
    case function(FunctionValue)
    case loop(LoopState)
}

extension TemplateValue {
    static func text(_ units: [UInt32]) -> TemplateValue { .text(TemplateText(units: units)) }
    static func text(_ string: String) -> TemplateValue { .text(TemplateText(string)) }

    /// What Python calls the type.
    var typeName: String {
        switch self {
        case .undefined: "Undefined"
        case .none: "NoneType"
        case .boolean: "bool"
        case .integer: "int"
        case .float: "float"
        case .text(let text): text.isMarkup ? "Markup" : "str"
        case .list: "list"
        case .tuple: "tuple"
        case .dictionary: "dict"
        case .range: "range"
        case .view(let view): view.kind.rawValue
        case .generator: "generator"
        case .namespace: "Namespace"
        case .function: "function"
        case .loop: "LoopContext"
        }
    }

    /// Python's truth value.
    var isTrue: Bool {
        switch self {
        case .undefined, .none: false
        case .boolean(let flag): flag
        case .integer(let number): number != 0
        case .float(let number): number != 0
        case .text(let text): !text.isEmpty
        case .list(let list), .tuple(let list): !list.items.isEmpty
        case .dictionary(let dictionary): !dictionary.entries.isEmpty
        case .range(let range): range.count > 0
        case .view(let view): !view.items.isEmpty
        case .generator, .namespace, .function, .loop: true
        }
    }

    /// How deep lists, mappings and lazy values nest.
    var depth: Int {
        switch self {
        case .list(let list), .tuple(let list): list.depth
        case .dictionary(let dictionary): dictionary.depth
        case .view(let view): view.depth
        case .generator(let generator): generator.depth
        case .function(.method(let receiver, _)): receiver.depth + 1
        default: 0
        }
    }

    /// Numbers and truth values as an integer, as Python's indexing takes them.
    var index: Int? {
        switch self {
        case .integer(let number): number
        case .boolean(let flag): flag ? 1 : 0
        default: nil
        }
    }

    /// Numbers and truth values.
    var number: Double? {
        switch self {
        case .float(let number): number
        default: index.map(Double.init)
        }
    }

    var isUndefined: Bool {
        if case .undefined = self { true } else { false }
    }

    var isNone: Bool {
        if case .none = self { true } else { false }
    }
}

/// A value that is not there: it prints as nothing, and everything else that is asked of it fails.
struct UndefinedValue {
    /// What using it says.
    let message: String

    static func name(_ name: String) -> TemplateValue {
        .undefined(UndefinedValue(message: "'\(name)' is undefined"))
    }
}

/// The items of a list or a tuple; never changed.
struct ItemList {
    let items: [TemplateValue]
    let depth: Int

    init(_ items: [TemplateValue]) {
        self.items = items
        depth = 1 + (items.lazy.map(\.depth).max() ?? 0)
    }
}

/// A range of integers.
struct RangeValue {
    let start: Int
    /// The bound as it was given: it need not be where the last step ends.
    let stop: Int
    let step: Int
    let count: Int

    subscript(index: Int) -> Int { start &+ index &* step }

    var values: [TemplateValue] { (0..<count).map { .integer(self[$0]) } }
}

/// What `keys`, `values` and `items` of a mapping give.
struct ViewValue {
    enum Kind: String {
        case keys = "dict_keys"
        case values = "dict_values"
        case items = "dict_items"
    }

    let kind: Kind
    let items: [TemplateValue]
    let depth: Int

    init(_ kind: Kind, of dictionary: DictionaryValue) {
        self.kind = kind
        depth = dictionary.depth + 1
        items = dictionary.entries.map { entry in
            switch kind {
            case .keys: entry.key
            case .values: entry.value
            case .items: .tuple(ItemList([entry.key, entry.value]))
            }
        }
    }
}

/// Items that are made when they are first asked for, and can be had once.
final class GeneratorValue {
    let depth: Int
    private var make: (() throws(TemplateError) -> [TemplateValue])?
    private var items: [TemplateValue] = []
    private var next = 0

    init(depth: Int, make: @escaping () throws(TemplateError) -> [TemplateValue]) {
        self.depth = depth
        self.make = make
    }

    private func prepare() throws(TemplateError) {
        guard let make else { return }
        self.make = nil
        items = try make()
    }

    /// All items that are left.
    func takeAll() throws(TemplateError) -> [TemplateValue] {
        try prepare()
        defer { next = items.count }
        return Array(items[next...])
    }

    /// The next item, if there is one.
    func takeFirst() throws(TemplateError) -> TemplateValue? {
        try prepare()
        guard next < items.count else { return nil }
        next += 1
        return items[next - 1]
    }

    /// Lets go of everything it holds.
    func clear() {
        make = nil
        items = []
        next = 0
    }
}

/// A bag of attributes that templates may set.
final class NamespaceValue {
    var attributes: [(name: TemplateText, value: TemplateValue)]

    init(_ attributes: [(name: TemplateText, value: TemplateValue)]) {
        self.attributes = attributes
    }

    subscript(name: TemplateText) -> TemplateValue? {
        get { attributes.first { $0.name == name }?.value }
        set {
            guard let newValue else { return }
            if let place = attributes.firstIndex(where: { $0.name == name }) {
                attributes[place].value = newValue
            } else {
                attributes.append((name, newValue))
            }
        }
    }
}

/// What can be called.
indirect enum FunctionValue {
    case range
    case dictionary
    case dictionaryFromKeys
    case namespace
    case raiseException
    case formatNow
    case method(TemplateValue, MethodName)
    case macro(MacroValue)
    case loopCycle(LoopState)
    case loopChanged(LoopState)
}

/// A macro with the scope it was defined in.
final class MacroValue {
    let definition: MacroDefinition
    let scope: Scope

    init(definition: MacroDefinition, scope: Scope) {
        self.definition = definition
        self.scope = scope
    }
}
