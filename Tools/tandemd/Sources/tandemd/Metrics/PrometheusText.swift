// SPDX-License-Identifier: Apache-2.0

/// Text in the exposition format of Prometheus, version 0.0.4.
struct PrometheusText {
    private(set) var text = ""

    /// Begins a metric; its samples follow.
    private mutating func begin(_ name: String, _ kind: String, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n"
    }

    private mutating func sample(_ name: String, _ labels: [(String, String)], _ value: String) {
        text += name
        if !labels.isEmpty {
            text += "{" + labels.map { "\($0.0)=\"\(Self.escaped($0.1))\"" }.joined(separator: ",") + "}"
        }
        text += " \(value)\n"
    }

    mutating func counter(_ name: String, _ help: String, _ value: Int) {
        begin(name, "counter", help)
        sample(name, [], "\(value)")
    }

    mutating func counters(
        _ name: String, _ help: String, labels: [String], _ totals: [(labels: [String], total: Int)]
    ) {
        begin(name, "counter", help)
        for entry in totals { sample(name, Array(zip(labels, entry.labels)), "\(entry.total)") }
    }

    mutating func gauge(_ name: String, _ help: String, _ value: Double) {
        begin(name, "gauge", help)
        sample(name, [], Self.number(value))
    }

    /// A metric with one sample per model.
    mutating func perModel(
        _ name: String, _ kind: String, _ help: String, _ values: [(model: String, value: Double)]
    ) {
        begin(name, kind, help)
        for entry in values { sample(name, [("model", entry.model)], Self.number(entry.value)) }
    }

    mutating func histogram(_ name: String, _ help: String, _ histogram: Histogram) {
        begin(name, "histogram", help)
        let state = histogram.snapshot
        var count = 0
        for (bound, inBucket) in zip(histogram.bounds, state.counts) {
            count += inBucket
            sample(name + "_bucket", [("le", Self.number(bound))], "\(count)")
        }
        count += state.counts.last ?? 0
        sample(name + "_bucket", [("le", "+Inf")], "\(count)")
        sample(name + "_sum", [], Self.number(state.sum))
        sample(name + "_count", [], "\(count)")
    }

    private static func number(_ value: Double) -> String {
        value == value.rounded() && value.magnitude < 1e15 ? "\(Int(value))" : "\(value)"
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
