// SPDX-License-Identifier: Apache-2.0

import Tandem

/// Settings as they were written, from all sources, read as values.
///
/// A flag wins over the environment, the environment over the file.
struct SettingsReader: Sendable {
    private var texts: [SettingKey: [SettingText]]

    init(flags: [SettingKey: [String]], environment: [String: String], file: ConfigurationFile?) {
        texts = file?.settings ?? [:]
        for key in SettingKey.allCases {
            if let value = environment[key.environmentName] {
                let parts = key.isList ? value.split(separator: ";").map { String(trimmed($0)) } : [value]
                texts[key] = parts.map { SettingText(text: $0, origin: .environment(key)) }
            }
            if let values = flags[key], !values.isEmpty {
                texts[key] = values.map { SettingText(text: $0, origin: .flag(key)) }
            }
        }
    }

    func list(_ key: SettingKey) -> [SettingText] { texts[key] ?? [] }

    /// The setting; nil when it is not given, or given as nothing.
    func text(_ key: SettingKey) -> SettingText? {
        texts[key]?.last.flatMap { $0.text.isEmpty ? nil : $0 }
    }

    func string(_ key: SettingKey) -> String? { text(key)?.text }

    func integer(_ key: SettingKey, in range: ClosedRange<Int>) throws(SettingsError) -> Int? {
        guard let text = text(key) else { return nil }
        guard let value = Int(text.text), range.contains(value) else {
            throw .invalid(
                origin: text.origin, value: text.text,
                allowed: range.upperBound == Int.max
                    ? "a whole number, at least \(range.lowerBound)"
                    : "a whole number in \(range.lowerBound) ... \(range.upperBound)")
        }
        return value
    }

    func flag(_ key: SettingKey) throws(SettingsError) -> Bool? {
        guard let text = text(key) else { return nil }
        switch text.text.lowercased() {
        case "true", "yes", "on", "1": return true
        case "false", "no", "off", "0": return false
        default: throw .invalid(origin: text.origin, value: text.text, allowed: "true or false")
        }
    }

    func choice<T: RawRepresentable & CaseIterable>(_ key: SettingKey, as type: T.Type) throws(SettingsError)
        -> T? where T.RawValue == String
    {
        guard let text = text(key) else { return nil }
        guard let value = T(rawValue: text.text) else {
            let names = T.allCases.map(\.rawValue).joined(separator: ", ")
            throw .invalid(origin: text.origin, value: text.text, allowed: "one of \(names)")
        }
        return value
    }

    /// Bytes: a number, or one with K, M, G or T (powers of 1024).
    func bytes(_ key: SettingKey) throws(SettingsError) -> Int? {
        guard let text = text(key) else { return nil }
        guard case .bytes(let count)? = MemoryBudget(text.text) else {
            throw .invalid(
                origin: text.origin, value: text.text, allowed: "a size, such as 4M or 1.5G")
        }
        return count
    }

    /// Seconds: a number, or one with s, m or h.
    func seconds(_ key: SettingKey) throws(SettingsError) -> Double? {
        guard let text = text(key) else { return nil }
        let units: [Character: Double] = ["s": 1, "m": 60, "h": 3600]
        var digits = Substring(text.text)
        var factor = 1.0
        if let last = digits.last, let unit = units[last] {
            digits.removeLast()
            factor = unit
        }
        guard let value = Double(digits), value.isFinite, value >= 0, value * factor <= 1e7 else {
            throw .invalid(
                origin: text.origin, value: text.text, allowed: "a time, such as 30, 90s, 10m or 2h")
        }
        return value * factor
    }

    /// The error of a value that was read by other means.
    func invalid(_ key: SettingKey, allowed: String) -> SettingsError {
        guard let text = text(key) else { return .conflict("\(key.rawValue) must be \(allowed)") }
        return .invalid(origin: text.origin, value: text.text, allowed: allowed)
    }
}
