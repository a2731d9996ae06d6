// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Floating-point numbers as Python writes them.
enum FloatText {
    /// `repr`: the fewest digits that read back as the same number; an exponent below 1e-4 and from 1e16 on.
    static func shortest(_ value: Double) -> String {
        if value.isNaN { return "nan" }
        if value.isInfinite { return value < 0 ? "-inf" : "inf" }
        var (digits, point) = decimal(value.magnitude)
        let sign = value.sign == .minus ? "-" : ""
        if digits == "0" { return sign + "0.0" }
        if point > 16 || point < -3 {
            let exponent = point - 1
            let first = digits.removeFirst()
            let fraction = digits.isEmpty ? "" : "." + digits
            let size = exponent.magnitude < 10 ? "0\(exponent.magnitude)" : "\(exponent.magnitude)"
            return "\(sign)\(first)\(fraction)e\(exponent < 0 ? "-" : "+")\(size)"
        }
        if point <= 0 { return sign + "0." + String(repeating: "0", count: -point) + digits }
        if digits.count <= point {
            return sign + digits + String(repeating: "0", count: point - digits.count) + ".0"
        }
        return sign + digits.prefix(point) + "." + digits.dropFirst(point)
    }

    /// The significant digits, and how many of them stand before the point.
    private static func decimal(_ value: Double) -> (digits: String, point: Int) {
        var mantissa = Substring(value.description)
        var exponent = 0
        if let mark = mantissa.firstIndex(where: { $0 == "e" || $0 == "E" }) {
            exponent = Int(mantissa[mantissa.index(after: mark)...]) ?? 0
            mantissa = mantissa[..<mark]
        }
        let parts = mantissa.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        var digits = String(parts[0])
        var point = digits.count + exponent
        if parts.count > 1 { digits += parts[1] }
        while digits.count > 1, digits.hasPrefix("0") {
            digits.removeFirst()
            point -= 1
        }
        while digits.count > 1, digits.hasSuffix("0") { digits.removeLast() }
        return (digits, point)
    }

    /// With `decimals` digits after the point, rounded as the exact value demands.
    static func fixed(_ value: Double, decimals: Int) -> String {
        if value.isNaN { return "nan" }
        if value.isInfinite { return value < 0 ? "-inf" : "inf" }
        let places = Int32(clamping: min(max(decimals, 0), 400))
        var buffer = [CChar](repeating: 0, count: 800)
        let length = unsafe withVaList([places, value]) { unsafe vsnprintf(&buffer, 800, "%.*f", $0) }
        return String(
            decoding: buffer.prefix(Int(max(length, 0))).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Python's `float(text)`; nil when the text is no number.
    static func parse(_ text: String) -> Double? {
        var digits = ""
        var previous: Character = " "
        for character in text {
            if character == "_" {
                guard previous.isASCII, previous.isNumber else { return nil }
            } else {
                if previous == "_", !(character.isASCII && character.isNumber) { return nil }
                digits.append(character)
            }
            previous = character
        }
        guard previous != "_" else { return nil }
        let word = digits.lowercased()
        switch word.hasPrefix("+") || word.hasPrefix("-") ? String(word.dropFirst()) : word {
        case "inf", "infinity": return word.hasPrefix("-") ? -.infinity : .infinity
        case "nan": return .nan
        default: break
        }
        guard digits.allSatisfy({ "0123456789.eE+-".contains($0) }) else { return nil }
        var body = Substring(digits)
        let isNegative = body.hasPrefix("-")
        if isNegative || body.hasPrefix("+") { body = body.dropFirst() }
        guard body.first?.isNumber == true || body.first == "." else { return nil }
        // Python allows a missing side of the point, Swift does not.
        var text = body.hasPrefix(".") ? "0" + body : String(body)
        if let point = text.firstIndex(of: ".") {
            let next = text.index(after: point)
            if next == text.endIndex || "eE".contains(text[next]) {
                guard body != ".", !body.hasPrefix(".e"), !body.hasPrefix(".E") else { return nil }
                text.insert("0", at: next)
            }
        }
        return Double(text).map { isNegative ? -$0 : $0 }
    }
}
