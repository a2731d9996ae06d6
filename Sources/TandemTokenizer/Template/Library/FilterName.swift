// SPDX-License-Identifier: Apache-2.0

/// The filters of jinja2 that chat templates may use.
enum FilterName: String, Sendable {
    case abs, attr, batch, capitalize, center, count, d, `default`, dictsort, e, escape, first, float,
        forceescape
    case format, indent, int, items, join, last, length, list, lower, map, max, min, reject, rejectattr,
        replace
    case reverse, round, safe, select, selectattr, slice, sort, string, sum, title, tojson, trim, truncate,
        unique
    case upper, wordcount

    /// Filters that jinja2 has and this library has not.
    static let unsupported: Set<String> = [
        "filesizeformat", "groupby", "pprint", "random", "striptags", "urlencode", "urlize", "wordwrap",
        "xmlattr",
    ]

    /// Whether a filter or a test is named in its arguments.
    var takesName: Bool {
        switch self {
        case .map, .select, .reject, .selectattr, .rejectattr: true
        default: false
        }
    }
}
