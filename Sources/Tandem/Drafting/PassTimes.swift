// SPDX-License-Identifier: Apache-2.0

internal import Glibc

/// What passes of one model take, by their rows: learnt from passes on a machine that is busy with other things too.
///
/// Every one of some shapes (``PassShapes``) keeps the mean of log(seconds / shape) over recent passes, and the variance about it. It
/// counts for as much as was expected of it and as it has been true to the passes: what these do not tell stays as expected, and
/// what many passes of several lengths have shown hardly depends on that.
///
/// A pass that took far longer than the shapes allow (the machine was busy with something else) counts as the longest they allow,
/// and the less the longer it took. Nothing makes a pass faster than it is: one that took far less than they allow shows that those
/// before were disturbed, and most of these are forgotten.
///
/// Thread safety: a value.
package struct PassTimes: Sendable {
    private let shapes: PassShapes
    /// What is known of each shape.
    private var states: [State]
    private var passes = 0
    /// Passes since shapes were weighed.
    private var unweighed = 0
    /// A pass over one row, in seconds; 1 before any was timed.
    private(set) var base = 1.0
    /// Number of the passes that tell shapes apart, old ones counting for less.
    private var evidence = 0.0
    /// Number of recent passes, old ones counting for less; 0 = none was timed.
    private(set) var weight = 0.0
    /// Rows after the first, on the average of recent passes.
    private(set) var meanRows = 0.0

    private struct State {
        // Over passes of which old ones fade: mean of log(seconds / shape), and weighted squares of what differs from it.
        var mean = 0.0
        var squares = 0.0
        /// What the shape counts for; the sum is 1.
        var belief = 0.0
        /// That, times the seconds of a pass over one row by the shape.
        var scale = 0.0
    }

    /// What an old pass keeps of its weight with every new one: in what passes take now, and in which shape is true.
    private static let memory = 0.95
    private static let shapeMemory = 0.99
    /// Weight of the first pass, which finds nothing in the caches.
    private static let firstWeight = 0.25
    /// Standard deviation that the logarithms have at the least.
    private static let leastDeviation = 0.03
    /// Shapes that count for less say nothing of how long passes may take.
    private static let leastBelief = 0.02
    /// Logarithms of what a pass takes, over the most or the least that shapes allow, beyond which the machine was busy, or
    /// has been.
    private static let stalled = 0.18
    private static let undisturbed = -0.29
    /// What passes that were disturbed keep of their weight at the least.
    private static let disturbedWeight = 0.02
    /// Passes after which shapes are weighed every few passes only.
    private static let fewPasses = 8
    private static let weighingInterval = 4
    /// Standard deviation of the logarithm of what rows of others cost, after one pass; it grows with the root of their number.
    private static let knownDeviation = 0.1

    /// - Parameter shapes: what is expected.
    package init(_ shapes: PassShapes) {
        self.shapes = shapes
        states = [State](repeating: State(), count: shapes.count)
        believe(known: nil)
        scale()
    }

    package var isKnown: Bool { weight > 0 }

    // In seconds; before a pass was timed, a pass over one row is the unit.

    /// A pass over `rows` ≥ 1 rows.
    @inline(never)
    package func seconds(rows: Int) -> Double {
        var seconds = 0.0
        for shape in states.indices { seconds += states[shape].scale * shapes.ratio(shape, rows: rows) }
        return seconds
    }

    /// One more row of passes of usual lengths.
    package var marginal: Double {
        let rows = 1 + Int(meanRows)
        return (seconds(rows: rows + PassShapes.period) - seconds(rows: rows)) / Double(PassShapes.period)
    }

    /// The most rows, up to `limit` ≥ 1, that a pass does in so many seconds; 1 where even that takes longer.
    package func rows(within seconds: Double, limit: Int) -> Int {
        var least = 1
        var most = limit
        while least < most {
            let middle = (least + most + 1) / 2
            if self.seconds(rows: middle) <= seconds { least = middle } else { most = middle - 1 }
        }
        return least
    }

    /// Adds a pass over `rows` ≥ 1 rows.
    /// - Parameter known: seconds that one more row has cost in passes of others too.
    @inline(never)
    package mutating func record(rows: Int, seconds: Double, known: Double? = nil) {
        guard seconds > 0, rows > 0 else { return }
        var time = log(seconds)
        var own = passes == 0 ? Self.firstWeight : 1
        var keep = 1.0
        if weight > 0 {
            let usual = usual(rows: rows)
            let over = time - usual.upperBound - Self.stalled
            if over > 0 {
                time -= over
                own = exp(-2 * over)
            }
            let under = time - usual.lowerBound - Self.undisturbed
            if under < 0 { keep = max(exp(3 * under), Self.disturbedWeight) }
        }
        weight = weight * keep * Self.memory + own
        evidence = evidence * keep * Self.shapeMemory + own
        let share = own / weight
        let faded = keep * Self.shapeMemory
        for shape in states.indices {
            let difference = time - shapes.logarithm(shape, rows: rows) - states[shape].mean
            let step = difference * share
            states[shape].mean += step
            states[shape].squares = states[shape].squares * faded + own * difference * (difference - step)
        }
        meanRows += (Double(rows - 1) - meanRows) * share
        passes += 1
        unweighed += 1
        // Passes over one row tell shapes apart only when there are others.
        if meanRows > 0 || known != nil, passes <= Self.fewPasses || unweighed >= Self.weighingInterval {
            believe(known: known)
        }
        scale()
    }

    /// Logarithms of what a pass takes at the least and at the most by the shapes that may be true.
    private func usual(rows: Int) -> ClosedRange<Double> {
        var least = Double.infinity
        var most = -Double.infinity
        for shape in states.indices where states[shape].belief > Self.leastBelief {
            let time = states[shape].mean + shapes.logarithm(shape, rows: rows)
            least = min(least, time)
            most = max(most, time)
        }
        return least...max(least, most)
    }

    /// Weighs the shapes anew.
    @inline(never)
    private mutating func believe(known: Double?) {
        unweighed = 0
        let noise = Self.leastDeviation * Self.leastDeviation
        var greatest = -Double.infinity
        for shape in states.indices {
            var belief = shapes.expected(shape)
            if evidence > 0 { belief -= evidence / 2 * log(noise + states[shape].squares / evidence) }
            if let known {
                let row = shapes.ratio(shape, rows: 1 + PassShapes.period) - 1
                let own = exp(states[shape].mean) * row / Double(PassShapes.period)
                let distance = log((own + 1e-12) / (known + 1e-12)) / Self.knownDeviation
                belief -= distance * distance / (2 * weight)
            }
            states[shape].belief = belief
            greatest = max(greatest, belief)
        }
        var total = 0.0
        for shape in states.indices {
            states[shape].belief = exp(states[shape].belief - greatest)
            total += states[shape].belief
        }
        for shape in states.indices { states[shape].belief /= total }
    }

    private mutating func scale() {
        base = 0
        for shape in states.indices {
            states[shape].scale = states[shape].belief * exp(states[shape].mean)
            base += states[shape].scale
        }
    }
}
