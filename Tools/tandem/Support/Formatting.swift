// SPDX-License-Identifier: Apache-2.0

/// A byte count in decimal units: "312 B", "41.9 MB".
func byteText(_ count: Int) -> String {
    var value = Double(count)
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 1000 || unit == "GB" { return "\(fixed(value, unit == "B" ? 0 : 1)) \(unit)" }
        value /= 1000
    }
    return "\(count) B"
}

/// "4096 × 256", or "256" for a vector.
func shapeText(rows: Int, columns: Int) -> String {
    rows == 1 ? "\(columns)" : "\(rows) × \(columns)"
}

/// Three significant digits, in decimal or exponential form.
func significant(_ value: Double) -> String {
    guard value.isFinite, value != 0 else { return "\(value)" }
    var exponent = 0
    var mantissa = value.magnitude
    while mantissa >= 10 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
    while mantissa < 1 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
    if (-4..<6).contains(exponent) { return fixed(value, max(0, 2 - exponent)) }
    return "\(value < 0 ? "-" : "")\(fixed(mantissa, 2))e\(exponent)"
}
