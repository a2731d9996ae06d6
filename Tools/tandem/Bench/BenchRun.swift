// SPDX-License-Identifier: Apache-2.0

import Tandem
import TandemFormat
import TandemTokenizer

/// One run of the benchmark.
struct BenchRun {
    let model: TandemModel
    let file: TandemFile
    let repetitions: Int
    let keyValueType: KeyValueType
    /// Sessions at the same time.
    var parallel = Parallel()
    private var progress = ProgressLine(label: "samples", total: 1)
    private var done = 0

    struct Parallel {
        var sessionCounts: [Int] = []
        var mode = DecodingMode.primary
        var texts: [String] = []
    }

    init(path: String, threads: Int, repetitions: Int, keyValueType: KeyValueType) throws {
        model = try TandemModel.load(
            from: path,
            options: LoadOptions(
                threadCount: threads == 0 ? nil : threads, verification: .structure, memory: .mapped,
                scheduling: SchedulingOptions(maxRunning: 1024)))
        file = try TandemFile(path: path)
        self.repetitions = repetitions
        self.keyValueType = keyValueType
    }

    mutating func execute(prompts: [Int], generations: [Int], verify: [Int], depth: Int) throws -> BenchReport
    {
        let parallelCount = generations.count * parallel.sessionCounts.count
        progress = ProgressLine(
            label: "samples",
            total: (prompts.count + generations.count + parallelCount) * (repetitions + 1) + verify.count)
        let machine = MachineDescription()
        let bandwidth = MemoryBandwidth(threads: model.threadCount, memoryBytes: machine.memoryBytes)
        var results: [BenchReport.Result] = []
        let run = self
        for length in prompts {
            results.append(try measure("pp\(length)", context: length + 1) { try run.promptRate($0, length) })
        }
        for length in generations {
            var result = try measure("tg\(length)", context: length + 1) {
                try run.generationRate($0, length)
            }
            result.bytesPerToken = bytesPerToken
            results.append(result)
        }
        for length in generations {
            for count in parallel.sessionCounts {
                results.append(try measureParallel(sessions: count, length: length))
            }
        }
        var costs: [BenchReport.VerifyCost] = []
        for rows in verify { costs.append(try verifyCost(rows: rows, depth: depth)) }
        progress.finish()
        return BenchReport(
            machine: machine, model: model, bandwidth: bandwidth, results: results, verify: costs
        )
    }

    /// Samples of one row, after a sample that warms up.
    private mutating func measure(
        _ test: String, context: Int, _ sample: (Session) throws -> Double
    ) throws -> BenchReport.Result {
        let limit = model.manifest.primary.maxPositions
        guard context <= limit else {
            throw BenchError.contextTooSmall(test: test, needed: context, limit: limit)
        }
        let session = try model.makeSession(
            options: SessionOptions(
                contextSize: context, batchSize: min(context, 512), keyValueType: keyValueType))
        var samples: [Double] = []
        for index in 0...repetitions {
            try session.reset()
            let rate = try sample(session)
            if index > 0 { samples.append(rate) }
            done += 1
            progress.update(done, note: test)
        }
        return BenchReport.Result(test: test, samples: samples)
    }

    /// Samples of sessions at the same time, after one that warms up.
    private mutating func measureParallel(sessions: Int, length: Int) throws -> BenchReport.Result {
        let vocabulary = model.manifest.primary.vocabularySize
        var prompts = try model.tokenizer == nil ? [] : parallel.texts.map { try model.tokenize($0) }
        prompts.removeAll(where: \.isEmpty)
        if prompts.isEmpty { prompts = [Session.plainTokens(8, vocabularySize: vocabulary)] }
        let run = ParallelRun(
            model: model, sessionCount: sessions, tokenCount: length, mode: parallel.mode,
            keyValueType: keyValueType, prompts: prompts)
        let suffix = parallel.mode == .primary ? "" : " \(parallel.mode.rawValue)"
        let test = "tg\(length) x \(sessions)\(suffix)"
        var samples: [ParallelRun.Sample] = []
        for index in 0...repetitions {
            let sample = try run.sample()
            if index > 0 { samples.append(sample) }
            done += 1
            progress.update(done, note: test)
        }
        var result = BenchReport.Result(test: test, samples: samples.map(\.tokensPerSecond))
        let gaps = samples.flatMap(\.gaps)
        result.gaps = (median: percentile(gaps, 0.5), p99: percentile(gaps, 0.99))
        return result
    }

    /// Prompt tokens per second; the logits of the last one are part of it.
    private func promptRate(_ session: Session, _ length: Int) throws -> Double {
        let tokens = Session.plainTokens(length, vocabularySize: model.manifest.primary.vocabularySize)
        let result = try session.generate(
            tokens: tokens, parameters: parameters(0), cancellation: interruptibleToken)
        try throwIfCancelled(result)
        return result.timings.promptPerSecond
    }

    /// Tokens per second after a prompt of one token.
    private func generationRate(_ session: Session, _ length: Int) throws -> Double {
        let result = try session.generate(
            tokens: [0], parameters: parameters(length), cancellation: interruptibleToken)
        try throwIfCancelled(result)
        return result.timings.predictedPerSecond
    }

    private func parameters(_ count: Int) throws -> GenerateParameters {
        try GenerateParameters(maxTokens: count, mode: .primary, ignoreEndTokens: true)
    }

    private func throwIfCancelled(_ result: GenerationResult) throws {
        if result.finishReason == .cancelled { throw TandemError.cancelled }
    }

    /// Medians of passes over `rows` rows and over one row, taken in turn.
    private mutating func verifyCost(rows: Int, depth: Int) throws -> BenchReport.VerifyCost {
        let limit = model.manifest.primary.maxPositions
        guard depth + rows <= limit else {
            throw BenchError.contextTooSmall(test: "verify\(rows)", needed: depth + rows, limit: limit)
        }
        let session = try model.makeSession(
            options: SessionOptions(
                contextSize: depth + rows, maxDraft: max(1, rows - 1), keyValueType: keyValueType))
        var many: [Double] = []
        var single: [Double] = []
        for _ in 0..<repetitions {
            single += try session.timePasses(
                rows: 1, after: depth, repeats: 4, cancellation: interruptibleToken
            ).dropFirst()
            many += try session.timePasses(
                rows: rows, after: depth, repeats: 4, cancellation: interruptibleToken
            ).dropFirst()
        }
        done += 1
        progress.update(done, note: "verify\(rows)")
        return BenchReport.VerifyCost(rows: rows, seconds: median(many), singleSeconds: median(single))
    }

    /// Bytes of weights that one token reads: all of the primary but an embedding table that is not its head too.
    private var bytesPerToken: Int {
        let tied = model.manifest.primary.tiedEmbeddings
        return file.tensors.reduce(0) { sum, tensor in
            guard tensor.name.hasPrefix("primary."), tied || tensor.name != TensorName.embed(.primary) else {
                return sum
            }
            return sum + tensor.dataLength + tensor.scalesLength
        }
    }
}

/// The middle value (of an even count: the mean of the two in the middle); 0 of none.
func median(_ values: [Double]) -> Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// Why a row cannot be measured.
enum BenchError: Error, CustomStringConvertible {
    case contextTooSmall(test: String, needed: Int, limit: Int)

    var description: String {
        switch self {
        case .contextTooSmall(let test, let needed, let limit):
            "\(test) needs a context of \(needed) tokens, the model has \(limit): give shorter lengths with -p, -n or -d"
        }
    }
}
