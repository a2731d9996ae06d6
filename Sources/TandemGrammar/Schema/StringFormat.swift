// SPDX-License-Identifier: Apache-2.0

/// Formats of strings, as patterns. Each matches a part of what its specification allows, and nothing else.
enum StringFormat {
    /// Formats that say how many bits a number has.
    static let numeric: Set<String> = ["int32", "int64", "float", "double"]

    static let names = [
        "date", "time", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "uri", "uuid",
    ]

    /// The pattern of a format; nil for one that is not known.
    static func pattern(of name: String) -> String? {
        switch name {
        case "date": "^\(date)$"
        case "time": "^\(time)$"
        case "date-time": "^\(date)T\(time)$"
        case "duration": "^P(?:\(days)(?:\(clock))?|\(clock)|[0-9]{1,4}W)$"
        case "email": "^\(word)(?:\\.\(word)){0,3}@\(label)(?:\\.\(label)){1,3}$"
        case "hostname": "^\(label)(?:\\.\(label)){0,6}$"
        case "ipv4": "^\(ipv4)$"
        case "ipv6": "^(?:\(ipv6))$"
        case "uri":
            "^[A-Za-z][A-Za-z0-9+.-]{0,31}:(?:\(authority)|\(character)+)(?:\\?\(query)*)?(?:#\(query)*)?$"
        case "uuid": "^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
        default: nil
        }
    }

    // Dates of RFC 3339, with the lengths of months and leap years, from the year 1 on.
    private static let year = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
    private static let fourth = "(?:0[48]|[2468][048]|[13579][26])"
    private static let day =
        "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
        + "|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    private static let date = "(?:\(year)-\(day)|(?:[0-9]{2}\(fourth)|\(fourth)00)-02-29)"
    private static let hour = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
    private static let time = "\(hour):[0-5][0-9](?:\\.[0-9]{1,6})?(?:Z|[+-]\(hour))"

    private static let amount = "[0-9]{1,4}"
    private static let days =
        "(?:\(amount)Y(?:\(amount)M(?:\(amount)D)?)?|\(amount)M(?:\(amount)D)?|\(amount)D)"
    private static let clock =
        "T(?:\(amount)H(?:\(amount)M(?:\(amount)S)?)?|\(amount)M(?:\(amount)S)?|\(amount)S)"

    private static let word = "[A-Za-z0-9_+-]{1,16}"
    private static let label = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,30}[A-Za-z0-9])?"
    private static let byte = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
    private static let ipv4 = "\(byte)(?:\\.\(byte)){3}"

    /// Eight groups, or fewer on both sides of `::`.
    private static let ipv6: String = {
        let group = "[0-9a-fA-F]{1,4}"
        var forms = ["(?:\(group):){7}\(group)", "(?:\(group):){1,7}:", ":(?::\(group)){1,7}", "::"]
        for before in 1...6 { forms.append("(?:\(group):){\(before)}(?::\(group)){1,\(7 - before)}") }
        return forms.joined(separator: "|")
    }()

    private static let character = "(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%[0-9A-Fa-f]{2})"
    private static let query = "(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})"
    private static let authority = "//\(label)(?:\\.\(label)){0,6}(?::[0-9]{1,5})?(?:/\(character)*)?"
}
