// SPDX-License-Identifier: Apache-2.0

/// The methods of Python's values that templates may call. Those that change a value are out of reach, as in jinja2's
/// sandbox.
enum MethodName: String, Sendable {
    case capitalize, casefold, center, copy, count, endswith, find, format, get, index, isalnum, isalpha,
        isascii
    case isdecimal, isdigit, islower, isnumeric, isprintable, isspace, istitle, isupper, items, join, keys,
        ljust
    case lower, lstrip, partition, removeprefix, removesuffix, replace, rfind, rindex, rjust, rpartition,
        rsplit
    case rstrip, split, splitlines, startswith, strip, swapcase, title, upper, values, zfill
    case formatMap = "format_map"

    /// Methods that Python has and this library has not.
    static let unsupported: Set<String> = [
        "encode", "expandtabs", "isidentifier", "maketrans", "translate", "bit_length", "to_bytes", "hex",
        "as_integer_ratio", "is_integer", "conjugate",
    ]

    func belongs(to value: TemplateValue) -> Bool {
        switch value {
        case .text:
            switch self {
            case .copy, .get, .items, .keys, .values: false
            default: true
            }
        case .dictionary:
            switch self {
            case .copy, .get, .items, .keys, .values: true
            default: false
            }
        case .list: self == .copy || self == .count || self == .index
        case .tuple, .range: self == .count || self == .index
        default: false
        }
    }
}
