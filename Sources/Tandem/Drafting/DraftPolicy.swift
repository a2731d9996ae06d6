// SPDX-License-Identifier: Apache-2.0

internal import Glibc
package import TandemTokenizer

/// Decides, token by token, whether to draft on, so that expected tokens per second are highest.
///
/// A renewal process has its best long-run rate λ (tokens per second) when every decision in it gains more tokens than λ
/// times the seconds it costs. Chances are learnt from the drafts, costs by ``PassCosts``, ``StoppingRule`` weighs what may
/// follow, and λ is the rate that it then attains. Where no draft is worth its time the primary decodes alone, and a trial
/// now and then tells when that changes (tandem.md, "Adaptive block length").
///
/// The chance of a draft comes from the secondary's own distribution (a router's estimate or its largest probability,
/// calibrated by what was accepted before). What is drafted cannot show in the text (``TokenRace``), so decisions may rest
/// on anything.
///
/// Thread safety: a value.
package struct DraftPolicy: Sendable {
    /// Fewest and most drafts of a pass.
    package let limits: ClosedRange<Int>
    /// Most drafts of a pass that are not one chain; 0 = all are chains.
    package let nodeLimit: Int
    /// Whether tokens are drawn: chances are others then.
    package let isSampled: Bool
    package private(set) var costs: PassCosts
    /// What the chances of drafts are told by.
    package enum Evidence: Sendable {
        /// The secondary's largest probability.
        case confidence
        /// A router's estimate of the chance itself.
        case estimate
    }

    private let evidence: Evidence
    /// Acceptance by the evidence, in bins, and how often each bin was seen.
    private var byConfidence: [AcceptanceEstimate]
    private var seen: [Double]
    /// Kept drafts over those that `byConfidence` promised, by depth class: deep drafts know less of the text.
    private var depthKept: [Double]
    private var depthPromised: [Double]
    private var rule = StoppingRule()
    /// Tokens that the time of a pass over one row is worth, where passes are chains.
    private var price = expectedGain
    /// What the row of the draft after 0, 1, … others takes, over a pass over one row.
    private var rows: [Double] = []
    /// What a pass with its drafts takes, over a pass over one row: how fast its gain falls with the price.
    private var passTime = 2.0
    /// Of trees: what chances their tokens have, when steps of the secondary are worth it, for the most probable node and for
    /// those beside it, and what the last node of a full tree survives.
    package var chances: TreeChances
    var treeRule = StoppingRule()
    var sideRule = StoppingRule()
    var shadow = 0.0
    private var rowsToSolve = 0
    private var rowsBetweenSolutions = firstSolvingInterval
    /// Acceptance of looked-up tokens by length of the match, and of those that the secondary does not think the best.
    private var byMatch: [Int: AcceptanceEstimate]
    private var byDisputedMatch: [Int: AcceptanceEstimate]
    /// Tokens and seconds of recent passes.
    private var tokens = 0.0
    private var seconds = 0.0
    /// Passes' time that the expected gain still counts for.
    private var expectation = expectedGainWeight
    /// Passes in which the secondary drafted nothing; looked-up drafts say nothing of it.
    private var passesWithoutDraft = 0
    private var passesBetweenTrials = 8

    private static let depthClasses = 6
    private static let binCount = 12
    /// Weight of "as promised" in the depth factors, and what an old draft keeps of its weight.
    private static let depthPrior = 30.0
    private static let depthMemory = 0.995
    /// Rows verified between two solutions of the stopping rule: few at first, when every pass teaches much.
    private static let firstSolvingInterval = 5
    private static let solvingInterval = 40
    /// Rows that a pass counts for at least: where nothing is drafted, that should not last.
    private static let leastRows = 10
    private static let memory = 0.97
    /// What passes are expected to gain before any was made: tokens in the time of one row of the primary, and how many
    /// passes' time that counts for.
    private static let expectedGain = 1.3
    private static let expectedGainWeight = 4.0
    /// Rows whose costs the stopping rule tells apart.
    private static let tellingRows = 16
    /// What the counts of bins keep of their weight from one solution to the next.
    private static let fading = 0.9
    private static let longestPause = 64
    /// Trials in the search of a price, and the share of it that it may be wrong by.
    private static let priceSteps = 4
    private static let priceTolerance = 0.005
    /// Share of all tokens that trials may cost, unless the longest pause makes it more.
    private static let trialShare = 0.02
    /// Drafts of a trial pass.
    private static let trialLength = 2
    /// Trials are rare, so each of their drafts counts for several.
    private static let trialWeight = 6

    /// - Parameters:
    ///   - limits: 0 ≤ fewest ≤ most. Equal limits give a fixed block length.
    ///   - nodes: most drafts of a pass that are not one chain.
    ///   - isSampled: whether tokens are drawn.
    ///   - costs: what passes cost, measured or fixed.
    ///   - evidence: what ``takes(evidence:in:)`` is told.
    package init(
        limits: ClosedRange<Int>, nodes: Int = 0, isSampled: Bool = false, costs: PassCosts = PassCosts(),
        evidence: Evidence = .confidence
    ) {
        self.limits = limits
        self.isSampled = isSampled
        chances = TreeChances(isSampled: isSampled)
        nodeLimit = nodes
        self.costs = costs
        self.evidence = evidence
        byConfidence = (0..<Self.binCount).map { bin in
            evidence.prior((Double(bin) + 0.5) / Double(Self.binCount), isSampled: isSampled)
        }
        seen = [Double](repeating: 1, count: Self.binCount)
        depthKept = [Double](repeating: 0, count: Self.depthClasses)
        depthPromised = depthKept
        byMatch = [2: 0.3, 3: 0.5, 4: 0.6].mapValues { AcceptanceEstimate(prior: $0) }
        byDisputedMatch = [2: 0.05, 3: 0.1, 4: 0.15].mapValues { AcceptanceEstimate(prior: $0, strength: 8) }
    }

    /// Whether every pass drafts the same number.
    package var isFixed: Bool { limits.lowerBound == limits.upperBound }

    /// Whether what was learnt is of use for another policy.
    package func isLike(_ other: DraftPolicy) -> Bool {
        limits == other.limits && nodeLimit == other.nodeLimit && isSampled == other.isSampled
    }

    // MARK: - One pass

    /// A pass in the making.
    package struct Pass: Sendable {
        let most: Int
        let least: Int
        /// Most drafts of a tree; 0 = the drafts are a chain.
        let nodes: Int
        /// Probability that all drafts so far are kept.
        fileprivate var survival = 1.0
        fileprivate var count = 0
        fileprivate var drafts: [(bin: Int, promised: Double)] = []
        /// Steps of the secondary, their rows beside the first, and their time.
        fileprivate var steps = 0
        fileprivate var sideRows = 0
        fileprivate var draftSeconds = 0.0
        fileprivate var matchLength: Int?
    }

    /// Begins a pass with room for `room` drafts one after the other, and for `nodes` in all where they are no chain.
    package mutating func begin(room: Int, nodes: Int = 0) -> Pass {
        let most = min(limits.upperBound, max(0, room))
        var least = min(limits.lowerBound, most)
        if least == 0, isTrial {
            least = min(Self.trialLength, most)
        }
        if rowsToSolve <= 0 {
            measureRows()
            if !isFixed {
                solve()
                if nodeLimit > 0 { solveTree() }
            }
            rowsToSolve = rowsBetweenSolutions
            rowsBetweenSolutions = min(2 * rowsBetweenSolutions, Self.solvingInterval)
            for bin in seen.indices { seen[bin] *= Self.fading }
        }
        return Pass(most: most, least: least, nodes: max(0, min(nodeLimit, nodes)))
    }

    /// Tokens per second in the long run: those of the passes so far, and at first what is expected of them.
    package var rate: Double {
        let known = seconds + expectation * costs.base
        return known > 0 ? (tokens + expectation * Self.expectedGain) / known : 0
    }

    /// Whether the secondary should run for one more draft.
    package func wantsStep(_ pass: Pass) -> Bool {
        guard pass.count < pass.most else { return false }
        guard pass.count >= pass.least else { return true }
        return rule.value(survival: pass.survival * depthFactor(pass.count), drafts: pass.count) > 0
    }

    /// Finds the price of a pass's time, in tokens, and solves the rule with it: the rate that the best way to draft attains by
    /// the chances and costs known now. A lower price, as that of the passes so far, makes drafts that are worth less than
    /// their time; with a higher one no pass would gain what it costs.
    ///
    /// What a pass gains over its price falls with the price by the time that the pass takes, so every trial brackets the
    /// price sought; secants find it from the one before in a few steps.
    private mutating func solve() {
        var least = 1.0
        var most = Double(limits.upperBound + 1)
        var next = min(max(price, least), most)
        var before: (price: Double, excess: Double)?
        for _ in 0..<Self.priceSteps {
            solve(price: next)
            let excess = 1 + rule.value(survival: 1) - price
            if abs(excess) <= Self.priceTolerance * price { return }
            if excess > 0 {
                (least, most) = (price, min(most, price + excess))
            } else {
                (least, most) = (max(least, price + excess), price)
            }
            if let before { passTime = max(1, (before.excess - excess) / (price - before.price)) }
            before = (price, excess)
            next = min(max(price + excess / passTime, least), most)
            guard next != price else { return }
        }
        solve(price: next)
    }

    private mutating func solve(price: Double) {
        let total = seen.reduce(0, +)
        self.price = price
        rule.solve(
            chances: zip(byConfidence, seen).map { (chance: $0.share, share: $1 / total) },
            step: price * costs.draft / costs.base, rows: rows.map { price * $0 },
            goesOn: limits.upperBound > Self.tellingRows)
    }

    private mutating func measureRows() {
        let base = costs.base
        rows = (0..<min(limits.upperBound, Self.tellingRows)).map { costs.row(after: $0 + 1) / base }
    }

    /// Tokens that the row of one more draft of the primary is worth after `drafts`, where passes are chains.
    private func rowPrice(after drafts: Int) -> Double {
        rows.isEmpty ? 0 : price * rows[min(drafts, rows.count - 1)]
    }

    private func depthFactor(_ depth: Int) -> Double {
        let index = min(depth, Self.depthClasses - 1)
        return (depthKept[index] + Self.depthPrior) / (depthPromised[index] + Self.depthPrior)
    }

    /// Whether the draft should be made, of whose distribution `value` 0 … 1 is the evidence; the secondary's step is paid
    /// for already.
    package mutating func takes(evidence value: Double, in pass: inout Pass) -> Bool {
        let bin = Self.bin(evidence.place(value))
        seen[bin] += 1
        let promised = byConfidence[bin].share
        let survival = pass.survival * min(promised * depthFactor(pass.count), 0.999)
        guard
            pass.count < pass.least
                || survival - rowPrice(after: pass.count)
                    + rule.value(survival: survival, drafts: pass.count + 1) > 0
        else { return false }
        pass.drafts.append((bin: bin, promised: promised))
        pass.survival = survival
        pass.count += 1
        return true
    }

    /// How many tokens of a looked-up proposal are worth a row each; 0 when the secondary (or no draft) promises more.
    /// - Parameter canDraft: whether the secondary could draft instead.
    package func lookupLength(_ proposal: PromptLookup.Proposal, in pass: Pass, canDraft: Bool = true) -> Int
    {
        guard let estimate = byMatch[proposal.matchLength] else { return 0 }
        let chance = estimate.share
        var survival = 1.0
        var gain = 0.0
        var best = 0.0
        var length = 0
        for drafts in 0..<min(pass.most, proposal.tokens.count) {
            survival *= chance
            gain += survival - rowPrice(after: drafts)
            // Rows that fill what the kernels do at once cost less than those before them.
            if gain > best { (best, length) = (gain, drafts + 1) }
        }
        return best > (canDraft ? rule.value(survival: 1) : 0) ? length : 0
    }

    /// How likely looked-up tokens are that the secondary does not think the best, by length of the match.
    var disputedChances: [Int: Double] { byDisputedMatch.mapValues(\.share) }

    /// How likely each token of a looked-up proposal is to be kept after those before it.
    /// - Parameter isDisputed: whether the secondary would put another token in its place.
    func chance(_ proposal: PromptLookup.Proposal, isDisputed: Bool) -> Double {
        (isDisputed ? byDisputedMatch : byMatch)[proposal.matchLength]?.share ?? 0
    }

    /// Notes that the drafts of `pass` come from `proposal`.
    package func markLookedUp(_ pass: inout Pass, _ proposal: PromptLookup.Proposal) {
        pass.matchLength = proposal.matchLength
    }

    // MARK: - What happened

    /// Adds the time of one step of the secondary.
    package mutating func recordDraft(seconds: Double, rows: Int = 1, in pass: inout Pass) {
        costs.recordDraft(seconds: seconds, rows: rows)
        pass.steps += 1
        pass.sideRows += rows - 1
        pass.draftSeconds += seconds
    }

    /// Adds a pass over a prompt, of a model whose weights are streamed: what it waited for them, any pass does. So drafting
    /// pays from the first pass on, and that is one of few where passes are long.
    package mutating func recordPrompt(_ pass: PassMeasure) {
        guard pass.wait > 0, pass.streamedShare > 0 else { return }
        costs.recordPass(pass)
    }

    /// Adds a finished pass: `accepted` of `drafted` drafts were kept, the primary took what `measure` says.
    package mutating func record(_ pass: Pass, drafted: Int, accepted: Int, _ measure: PassMeasure) {
        costs.recordPass(measure)
        for index in 0..<min(accepted + 1, drafted) {
            let kept = index < accepted
            if let length = pass.matchLength {
                byMatch[length]?.record(kept)
            } else if index < pass.drafts.count {
                learn(pass.drafts[index], depth: index, kept: kept)
            }
        }
        let usual =
            costs.pass(rows: drafted + 1) + Double(pass.steps) * costs.draft
            + Double(pass.sideRows) * costs.draftMarginal
        let time = costs.isClocked ? measure.seconds + pass.draftSeconds : usual
        tokens = tokens * Self.memory + Double(accepted + 1)
        self.seconds = self.seconds * Self.memory + min(time, 3 * usual)
        expectation *= Self.memory
        pace(pass, drafted: drafted, accepted: accepted)
        rowsToSolve -= max(drafted + 1, Self.leastRows)
    }

    /// Learns from a pass with a tree: `path` are the nodes of `pool` that were taken, `next` is what the primary put after
    /// the last. Call before ``record(_:drafted:accepted:_:)``.
    package mutating func learn(_ pool: DraftPool, path: [Int], next: TokenID?) {
        chances.learn(pool, path: path, next: next, weight: isTrial ? Self.trialWeight : 1)
        for (step, node) in path.enumerated() {
            let isLast = step + 1 == path.count
            guard let token = isLast ? next : pool.tree.tokens[path[step + 1]] else { continue }
            for child in pool.lookedUp(of: node) {
                let length = pool.matchLengths[child]
                let isKept = pool.tree.tokens[child] == token
                byMatch[length]?.record(isKept)
                if pool.isExpanded[node], pool.ranks[child] != 0 { byDisputedMatch[length]?.record(isKept) }
            }
        }
    }

    /// Whether the pass under way drafts only to find out.
    private var isTrial: Bool { passesWithoutDraft >= passesBetweenTrials }

    private mutating func learn(_ draft: (bin: Int, promised: Double), depth: Int, kept: Bool) {
        byConfidence[draft.bin].record(kept, weight: isTrial ? Self.trialWeight : 1)
        let index = min(depth, Self.depthClasses - 1)
        depthKept[index] = depthKept[index] * Self.depthMemory + (kept ? 1 : 0)
        depthPromised[index] = depthPromised[index] * Self.depthMemory + draft.promised
    }

    /// Trials come rarer while they fail, and where they are dear.
    private mutating func pace(_ pass: Pass, drafted: Int, accepted: Int) {
        if drafted > 0, pass.steps > 0 {
            if isTrial {
                let pause = accepted == drafted ? 8 : min(2 * passesBetweenTrials, Self.longestPause)
                // Tokens that the time of the trial would have given, less those it gave.
                let seconds = Double(pass.steps) * costs.draft + Double(drafted) * costs.marginal
                let price = rate * seconds - Double(accepted)
                let affordable = min(price / Self.trialShare, Double(Self.longestPause))
                passesBetweenTrials = max(pause, Int(affordable.rounded(.up)))
            }
            passesWithoutDraft = 0
        } else {
            passesWithoutDraft += 1
        }
    }

    /// - Parameter place: 0 … 1; what is no number has no place, and counts as the least.
    private static func bin(_ place: Double) -> Int {
        place > 0 ? min(Int(min(place, 1) * Double(binCount)), binCount - 1) : 0
    }
}

extension DraftPolicy.Evidence {
    /// Where a value stands among the bins, 0 … 1. Long blocks are a matter of chances near 1: there estimates have
    /// narrower bins.
    fileprivate func place(_ value: Double) -> Double {
        switch self {
        case .confidence: value
        case .estimate: 1 - max(0, 1 - value).squareRoot()
        }
    }

    /// What is expected of the values at a place before any of them was tried. Where no tokens are drawn, a token with more
    /// than half of the probability is nearly always the primary's first choice too. Where they are, even one with four
    /// fifths of it is drawn by both in three of four places only, because what is left may be another's.
    fileprivate func prior(_ place: Double, isSampled: Bool) -> AcceptanceEstimate {
        switch self {
        case .confidence:
            AcceptanceEstimate(
                prior: isSampled
                    ? 0.48 + 0.3 * place + 0.24 * pow(place, 6) : min(0.42 + 0.85 * place, 0.975),
                strength: 10)
        case .estimate: AcceptanceEstimate(prior: 1 - (1 - place) * (1 - place), strength: 8)
        }
    }
}
