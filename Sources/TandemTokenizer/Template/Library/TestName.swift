// SPDX-License-Identifier: Apache-2.0

/// The tests of jinja2: what may stand after `is`.
enum TestName: String, Sendable {
    case boolean, callable, defined, divisibleby, eq, equalto, escaped, even, `false`, filter, float, ge,
        greaterthan
    case gt, `in`, integer, iterable, le, lessthan, lower, lt, mapping, ne, none, number, odd, sameas,
        sequence
    case string, test, `true`, undefined, upper
    case equalSign = "=="
    case notEqualSign = "!="
    case greaterSign = ">"
    case greaterOrEqualSign = ">="
    case lessSign = "<"
    case lessOrEqualSign = "<="
}

extension TemplateRun {
    /// Whether a test holds for a value.
    func holds(
        _ test: TestName, for value: TemplateValue, _ arguments: CallArguments
    ) throws(TemplateError) -> Bool {
        switch test {
        case .defined: return try alone(!value.isUndefined, test, arguments)
        case .undefined: return try alone(value.isUndefined, test, arguments)
        case .none: return try alone(value.isNone, test, arguments)
        case .boolean:
            if case .boolean = value { return try alone(true, test, arguments) }
            return try alone(false, test, arguments)
        case .true, .false:
            if case .boolean(let flag) = value { return try alone(flag == (test == .true), test, arguments) }
            return try alone(false, test, arguments)
        case .integer:
            if case .integer = value { return try alone(true, test, arguments) }
            return try alone(false, test, arguments)
        case .float:
            if case .float = value { return try alone(true, test, arguments) }
            return try alone(false, test, arguments)
        case .number: return try alone(value.number != nil, test, arguments)
        case .string:
            if case .text = value { return try alone(true, test, arguments) }
            return try alone(false, test, arguments)
        case .mapping:
            if case .dictionary = value { return try alone(true, test, arguments) }
            return try alone(false, test, arguments)
        case .escaped:
            if case .text(let text) = value { return try alone(text.isMarkup, test, arguments) }
            return try alone(false, test, arguments)
        default: return try holdsFurther(test, for: value, arguments)
        }
    }

    private func alone(
        _ result: Bool, _ test: TestName, _ arguments: CallArguments
    ) throws(TemplateError) -> Bool {
        _ = try bind(arguments, [], of: test.rawValue)
        return result
    }

    private func holdsFurther(
        _ test: TestName, for value: TemplateValue, _ arguments: CallArguments
    ) throws(TemplateError) -> Bool {
        switch test {
        case .lower: return try alone(try string(value).isLower, test, arguments)
        case .upper: return try alone(try string(value).isUpper, test, arguments)
        case .iterable: return try alone(isIterable(value), test, arguments)
        case .sequence: return try alone(isSequence(value), test, arguments)
        case .callable: return try alone(isCallable(value), test, arguments)
        case .odd, .even:
            let rest = try compute(.remainder, value, .integer(2))
            return try alone(try equal(rest, .integer(test == .odd ? 1 : 0)), test, arguments)
        case .filter:
            return try alone(FilterName(rawValue: try string(value).string) != nil, test, arguments)
        case .test:
            return try alone(TestName(rawValue: try string(value).string) != nil, test, arguments)
        default: break
        }
        let other = try bind(arguments, ["other"], required: 1, of: test.rawValue)[0] ?? .none
        switch test {
        case .divisibleby:
            return try equal(try compute(.remainder, value, other), .integer(0))
        case .sameas: return try isSame(value, other)
        case .in: return try contains(other, value)
        case .eq, .equalto, .equalSign: return try equal(value, other)
        case .ne, .notEqualSign: return try !equal(value, other)
        case .lt, .lessthan, .lessSign: return try compare(.less, value, other)
        case .le, .lessOrEqualSign: return try compare(.lessOrEqual, value, other)
        case .gt, .greaterthan, .greaterSign: return try compare(.greater, value, other)
        default: return try compare(.greaterOrEqual, value, other)
        }
    }

    /// Identity, where Python's is certain: for none, truth values and integers.
    private func isSame(_ value: TemplateValue, _ other: TemplateValue) throws(TemplateError) -> Bool {
        guard value.typeName == other.typeName else { return false }
        switch value {
        case .none, .boolean, .integer, .text, .undefined, .namespace, .loop, .generator:
            return try equal(value, other)
        default:
            throw failure("whether two values of the kind \(value.typeName) are the same object is not known")
        }
    }

    private func isIterable(_ value: TemplateValue) -> Bool {
        switch value {
        case .none, .boolean, .integer, .float, .namespace, .function: false
        default: true
        }
    }

    private func isSequence(_ value: TemplateValue) -> Bool {
        switch value {
        case .undefined, .text, .list, .tuple, .dictionary, .range: true
        default: false
        }
    }

    private func isCallable(_ value: TemplateValue) -> Bool {
        switch value {
        case .function, .loop, .undefined: true
        default: false
        }
    }
}
