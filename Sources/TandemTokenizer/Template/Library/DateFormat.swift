// SPDX-License-Identifier: Apache-2.0

/// `strftime_now`: a date by the directives of C's `strftime`, with English names.
extension TemplateRun {
    func formatNow(_ format: TemplateValue) throws(TemplateError) -> TemplateValue {
        guard case .text(let text) = format else {
            throw failure("'strftime_now' needs a string, not \(format.typeName)")
        }
        guard let time else { throw failure("the template asks for the date, and none was given") }
        var result: [UInt32] = []
        var index = 0
        while index < text.count {
            guard text.units[index] & TemplateText.valueMask == 0x25 else {
                result.append(text.units[index])
                index += 1
                continue
            }
            index += 1
            var flag: UInt32?
            if index < text.count, [0x2D, 0x5F, 0x30].contains(text.units[index]) {
                flag = text.units[index]
                index += 1
            }
            guard index < text.count else { throw failure("the date format is incomplete") }
            let directive = TemplateText.scalar(text.units[index])
            guard let written = time.text(directive, flag: flag) else {
                throw failure("the date directive '%\(directive)' is not supported")
            }
            result += TemplateText(written).units
            index += 1
        }
        return try self.text(result)
    }
}

extension LocalTime {
    private static let monthNames = [
        "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
        "November", "December",
    ]
    private static let dayNames = [
        "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
    ]

    /// What a directive stands for; nil when it is not known.
    fileprivate func text(_ directive: Unicode.Scalar, flag: UInt32?) -> String? {
        func padded(_ number: Int, _ width: Int, _ usual: String = "0") -> String {
            let digits = String(number)
            let fill = flag == 0x2D ? "" : flag == 0x5F ? " " : flag == 0x30 ? "0" : usual
            return String(repeating: fill, count: max(0, width - digits.utf8.count)) + digits
        }
        let twelve = hour % 12 == 0 ? 12 : hour % 12
        switch directive {
        case "Y": return String(year)
        case "y": return padded(year % 100, 2)
        case "C": return padded(year / 100, 2)
        case "m": return padded(month, 2)
        case "d": return padded(day, 2)
        case "e": return padded(day, 2, " ")
        case "H": return padded(hour, 2)
        case "I": return padded(twelve, 2)
        case "k": return padded(hour, 2, " ")
        case "l": return padded(twelve, 2, " ")
        case "M": return padded(minute, 2)
        case "S": return padded(second, 2)
        case "j": return padded(dayOfYear, 3)
        case "u": return String(weekday == 0 ? 7 : weekday)
        case "w": return String(weekday)
        case "U": return padded((dayOfYear + 6 - weekday) / 7, 2)
        case "W": return padded((dayOfYear + 6 - (weekday + 6) % 7) / 7, 2)
        case "B": return Self.monthNames[month - 1]
        case "b", "h": return String(Self.monthNames[month - 1].prefix(3))
        case "A": return Self.dayNames[weekday]
        case "a": return String(Self.dayNames[weekday].prefix(3))
        case "p": return hour < 12 ? "AM" : "PM"
        case "P": return hour < 12 ? "am" : "pm"
        case "n": return "\n"
        case "t": return "\t"
        case "z", "Z": return ""
        case "%": return "%"
        default: return composite(directive)
        }
    }

    private func composite(_ directive: Unicode.Scalar) -> String? {
        let parts: [Unicode.Scalar]
        switch directive {
        case "F": parts = ["Y", "-", "m", "-", "d"]
        case "T", "X": parts = ["H", ":", "M", ":", "S"]
        case "R": parts = ["H", ":", "M"]
        case "D", "x": parts = ["m", "/", "d", "/", "y"]
        case "c": parts = ["a", " ", "b", " ", "e", " ", "T", " ", "Y"]
        case "r": parts = ["I", ":", "M", ":", "S", " ", "p"]
        default: return nil
        }
        return parts.map { part in
            part.properties.isAlphabetic ? text(part, flag: nil) ?? "" : String(part)
        }.joined()
    }
}
