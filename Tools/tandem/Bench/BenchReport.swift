// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemJSON

/// What a benchmark measured.
struct BenchReport {
    /// One row: tokens per second.
    struct Result {
        let test: String
        let samples: [Double]
        /// Bytes of weights a token reads; nil where that is not the limit.
        var bytesPerToken: Int?
        /// Seconds between two pieces of text of a session, where several generate at the same time.
        var gaps: (median: Double, p99: Double)?

        init(test: String, samples: [Double]) {
            self.test = test
            self.samples = samples
        }

        var average: Double { samples.reduce(0, +) / Double(max(1, samples.count)) }

        /// Standard deviation of the sample.
        var deviation: Double {
            guard samples.count > 1 else { return 0 }
            let sum = samples.reduce(0) { $0 + ($1 - average) * ($1 - average) }
            return (sum / Double(samples.count - 1)).squareRoot()
        }
    }

    /// A pass over several rows against a pass over one.
    struct VerifyCost {
        var test: String
        let rows: Int
        /// Tokens before it.
        let depth: Int
        let seconds: Double
        let singleSeconds: Double

        /// In units of a pass over one row.
        var tokens: Double { singleSeconds > 0 ? seconds / singleSeconds : 0 }
    }

    let machine: MachineDescription
    let model: TandemModel
    let bandwidth: MemoryBandwidth
    let results: [Result]
    let verify: [VerifyCost]

    func text(_ format: BenchFormat) -> String {
        switch format {
        case .md: markdown
        case .csv: csv
        case .json: json.serialized(pretty: true) + "\n"
        }
    }

    /// Share of the best memory bandwidth that a row's weights take; nil where weights are not read once a token.
    private func bandwidthShare(_ result: Result) -> Double? {
        guard let bytes = result.bytesPerToken, bandwidth.best.bytesPerSecond > 0 else { return nil }
        return median(result.samples) * Double(bytes) / bandwidth.best.bytesPerSecond
    }

    private var markdown: String {
        var text =
            "\(machine.processor), \(machine.processorCount) processors; \(model.threadCount) threads, "
        text += "\(model.instructionSet); reads \(fixed(bandwidth.best.bytesPerSecond / 1e9, 1)) GB/s "
        text += "(\(bandwidth.best.streams) streams a thread)\n\n"
        text += "| test | tok/s | median | share of bandwidth |\n|---|---:|---:|---:|\n"
        for result in results {
            let share = bandwidthShare(result).map { "\(fixed(100 * $0, 0)) %" } ?? ""
            text += "| \(result.test) | \(fixed(result.average, 2)) ± \(fixed(result.deviation, 2)) "
            text += "| \(fixed(median(result.samples), 2)) | \(share) |\n"
        }
        let parallel = results.filter { $0.gaps != nil }
        if !parallel.isEmpty {
            text += "\n| test | ms between pieces of text, median | 99 % |\n|---|---:|---:|\n"
            for result in parallel {
                let gaps = result.gaps ?? (0, 0)
                text += "| \(result.test) | \(fixed(gaps.median * 1e3, 2)) | \(fixed(gaps.p99 * 1e3, 2)) |\n"
            }
        }
        guard !verify.isEmpty else { return text }
        text += "\n| pass | cost in single tokens | seconds |\n|---|---:|---:|\n"
        for cost in verify {
            text += "| \(cost.test) | \(fixed(cost.tokens, 2)) | \(significant(cost.seconds)) |\n"
        }
        return text
    }

    private var csv: String {
        var text = "test,avg_ts,stddev_ts,median_ts,bandwidth_share,cost_in_tokens,gap_median_s,gap_p99_s\n"
        for result in results {
            let share = bandwidthShare(result).map { fixed($0, 4) } ?? ""
            text += "\(result.test),\(fixed(result.average, 4)),\(fixed(result.deviation, 4)),"
            let gaps = result.gaps.map { "\(fixed($0.median, 6)),\(fixed($0.p99, 6))" } ?? ","
            text += "\(fixed(median(result.samples), 4)),\(share),,\(gaps)\n"
        }
        for cost in verify { text += "\(cost.test),,,,,\(fixed(cost.tokens, 4)),,\n" }
        return text
    }

    private var json: JSONValue {
        let rows = results.map { result -> JSONValue in
            var object: JSONObject = [
                "test": .string(result.test), "avg_ts": .number(result.average),
                "stddev_ts": .number(result.deviation),
                "median_ts": .number(median(result.samples)),
                "samples_ts": .array(result.samples.map(JSONValue.number)),
            ]
            if let bytes = result.bytesPerToken { object["bytes_per_token"] = .integer(Int64(bytes)) }
            if let share = bandwidthShare(result) { object["bandwidth_share"] = .number(share) }
            if let gaps = result.gaps {
                object["gap_median_s"] = .number(gaps.median)
                object["gap_p99_s"] = .number(gaps.p99)
            }
            return .object(object)
        }
        let costs = verify.map { cost -> JSONValue in
            [
                "rows": .integer(Int64(cost.rows)), "depth": .integer(Int64(cost.depth)),
                "seconds": .number(cost.seconds),
                "single_seconds": .number(cost.singleSeconds), "cost_in_tokens": .number(cost.tokens),
            ]
        }
        let patterns = bandwidth.byStreams.map { entry -> JSONValue in
            ["streams": .integer(Int64(entry.streams)), "bytes_per_second": .number(entry.bytesPerSecond)]
        }
        return [
            "machine": machine.json,
            "threads": .integer(Int64(model.threadCount)),
            "instruction_set": .string(model.instructionSet),
            "bandwidth": [
                "best_bytes_per_second": .number(bandwidth.best.bytesPerSecond),
                "best_streams": .integer(Int64(bandwidth.best.streams)), "patterns": .array(patterns),
            ],
            "results": .array(rows),
            "verify": .array(costs),
        ]
    }
}
