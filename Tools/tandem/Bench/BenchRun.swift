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

    /// - Parameter depths: tokens before each row; `nil` = none, and a few before a verification pass.
    mutating func execute(prompts: [Int], generations: [Int], verify: [Int], depths: [Int]?) throws
        -> BenchReport
    {
        let parallelCount = generations.count * parallel.sessionCounts.count
        progress = ProgressLine(
            label: "samples",
            total: ((prompts.count + generations.count) * (depths?.count ?? 1) + parallelCount)
                * (repetitions + 1) + verify.count * (depths?.count ?? 1))
        let machine = MachineDescription()
        let bandwidth = MemoryBandwidth(threads: model.threadCount, memoryBytes: machine.memoryBytes)
        var results: [BenchReport.Result] = []
        let run = self
        for depth in depths ?? [0] {
            for length in prompts {
                results.append(
                    try measure("pp\(length)", depth: depth, context: length + 1) {
                        try run.promptRate($0, length, depth: depth)
                    })
            }
            for length in generations {
                var result = try measure("tg\(length)", depth: depth, context: length + 1) {
                    try run.generationRate($0, length, depth: depth)
                }
                result.bytesPerToken = bytesPerToken
                results.append(result)
            }
        }
        for length in generations {
            for count in parallel.sessionCounts {
                results.append(try measureParallel(sessions: count, length: length))
            }
        }
        var costs: [BenchReport.VerifyCost] = []
        for depth in depths?.map({ max(1, $0) }) ?? [Self.usualDepth] {
            for rows in verify {
                var cost = try verifyCost(rows: rows, depth: depth)
                if depths != nil { cost.test += " @ d\(depth)" }
                costs.append(cost)
            }
        }
        progress.finish()
        return BenchReport(
            machine: machine, model: model, bandwidth: bandwidth, results: results, verify: costs
        )
    }

    /// Tokens before a verification pass.
    private static let usualDepth = 64

    /// Samples of one row, after a sample that warms up.
    private mutating func measure(
        _ name: String, depth: Int, context length: Int, _ sample: (Session) throws -> Double
    ) throws -> BenchReport.Result {
        let limit = model.manifest.primary.maxPositions
        let test = depth == 0 ? name : "\(name) @ d\(depth)"
        let context = length + depth
        guard context <= limit else {
            throw BenchError.contextTooSmall(test: test, needed: context, limit: limit)
        }
        let session = try model.makeSession(
            options: SessionOptions(
                contextSize: context, batchSize: min(context, 512), keyValueType: keyValueType))
        var samples: [Double] = []
        for index in 0...repetitions {
            // Text before the row stays.
            if depth == 0 { try session.reset() }
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

    /// Prompt tokens per second after `depth` tokens; the logits of the last one are part of it.
    private func promptRate(_ session: Session, _ length: Int, depth: Int) throws -> Double {
        let tokens = Session.plainTokens(
            depth + length, vocabularySize: model.manifest.primary.vocabularySize)
        if depth > 0 { _ = try generate(session, Array(tokens[..<depth]), 0) }
        return try generate(session, tokens, 0).timings.promptPerSecond
    }

    /// Tokens per second after a prompt of `depth` tokens, one at least.
    private func generationRate(_ session: Session, _ length: Int, depth: Int) throws -> Double {
        let prompt =
            depth == 0
            ? [0] : Session.plainTokens(depth, vocabularySize: model.manifest.primary.vocabularySize)
        return try generate(session, prompt, length).timings.predictedPerSecond
    }

    private func generate(_ session: Session, _ prompt: [TokenID], _ count: Int) throws -> GenerationResult {
        let result = try session.generate(
            tokens: prompt, parameters: parameters(count), cancellation: interruptibleToken)
        if result.finishReason == .cancelled { throw TandemError.cancelled }
        return result
    }

    private func parameters(_ count: Int) throws -> GenerateParameters {
        try GenerateParameters(maxTokens: count, mode: .primary, ignoreEndTokens: true)
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
        return BenchReport.VerifyCost(
            test: "verify\(rows)", rows: rows, depth: depth, seconds: median(many),
            singleSeconds: median(single))
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
