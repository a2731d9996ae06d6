// SPDX-License-Identifier: Apache-2.0

import Glibc
package import TandemFormat

/// The inverse frequencies of one kind of rotary embeddings, and what goes with them.
///
/// The arithmetic is that of Hugging Face transformers' `modeling_rope_utils.py`: f32, in its order, with correctly
/// rounded powers; scalars are computed in f64 and rounded once.
package struct RopeFrequencies: Sendable, Equatable {
    /// Elements of a head that are turned; even.
    package let rotarySize: Int
    /// [rotarySize / 2]
    package let frequencies: [Float]
    /// Cosines and sines are multiplied by it.
    package let attentionFactor: Float
    /// The frequencies of sessions with more than `above` positions.
    package let long: Long?

    package struct Long: Sendable, Equatable {
        package let above: Int
        /// [rotarySize / 2]
        package let frequencies: [Float]
    }

    package init(rotarySize: Int, frequencies: [Float], attentionFactor: Float = 1, long: Long? = nil) {
        self.rotarySize = rotarySize
        self.frequencies = frequencies
        self.attentionFactor = attentionFactor
        self.long = long
    }

    /// What the manifest says about them.
    package var description: ModelArchitecture.Rope {
        ModelArchitecture.Rope(
            rotarySize: rotarySize, attentionFactor: attentionFactor, longAbove: long?.above)
    }

    /// How frequencies are stretched beyond the positions a model was first trained for.
    package enum Scaling: Sendable, Equatable {
        case none
        /// All frequencies divided by `factor`.
        case linear(factor: Double)
        /// Each frequency divided by its own factor, as GGUF files store the result of any scaling.
        case divided(by: [Float])
        case llama3(factor: Double, lowFactor: Double, highFactor: Double, originalPositions: Int)
        case yarn(Yarn)
        /// One divisor for each frequency, other ones beyond `originalPositions`.
        case longrope(short: [Float], long: [Float], originalPositions: Int)
    }

    /// arXiv 2309.00071.
    package struct Yarn: Sendable, Equatable {
        package var factor: Double
        package var originalPositions: Int
        package var betaFast = 32.0
        package var betaSlow = 1.0
        /// Whether the bounds of the ramp are rounded to whole frequencies.
        package var truncates = true

        package init(factor: Double, originalPositions: Int) {
            self.factor = factor
            self.originalPositions = originalPositions
        }
    }

    /// Computes frequencies.
    ///
    /// - Parameters:
    ///   - base: RoPE base θ.
    ///   - rotarySize: even; arrays of `scaling` have half as many elements.
    ///   - attentionFactor: see ``attentionFactor``; for YaRN and LongRoPE by default
    ///     ``yarnAttentionFactor(_:magnitude:)`` and ``longropeAttentionFactor(_:originalPositions:)``.
    package init(base: Double, rotarySize: Int, scaling: Scaling = .none, attentionFactor: Double = 1) {
        let plain = RopeFrequencies.powers(base: base, rotarySize: rotarySize)
        var long: Long?
        let frequencies: [Float]
        switch scaling {
        case .none: frequencies = plain.map { 1 / $0 }
        case .linear(let factor): frequencies = plain.map { 1 / $0 / Float(factor) }
        case .divided(let factors): frequencies = zip(plain, factors).map { 1 / $0 / $1 }
        case .llama3(let factor, let low, let high, let positions):
            frequencies = plain.map {
                RopeFrequencies.llama3(
                    1 / $0, factor: factor, low: low, high: high, positions: Double(positions))
            }
        case .yarn(let yarn): frequencies = yarn.frequencies(plain, base: base, rotarySize: rotarySize)
        case .longrope(let shortFactors, let longFactors, let positions):
            frequencies = zip(plain, shortFactors).map { 1 / ($1 * $0) }
            long = Long(above: positions, frequencies: zip(plain, longFactors).map { 1 / ($1 * $0) })
        }
        self.init(
            rotarySize: rotarySize, frequencies: frequencies, attentionFactor: Float(attentionFactor),
            long: long)
    }

    /// base^(2i / rotarySize) for every pair of elements.
    private static func powers(base: Double, rotarySize: Int) -> [Float] {
        let base = Double(Float(base))
        return (0..<rotarySize / 2).map { Float(pow(base, Double(Float(2 * $0) / Float(rotarySize)))) }
    }

    private static func llama3(
        _ frequency: Float, factor: Double, low: Double, high: Double, positions: Double
    ) -> Float {
        let wavelength = Float(2 * Double.pi) / frequency
        if wavelength > Float(positions / low) { return frequency / Float(factor) }
        if wavelength < Float(positions / high) { return frequency }
        let smooth = (Float(positions) / wavelength - Float(low)) / Float(high - low)
        return (1 - smooth) * frequency / Float(factor) + smooth * frequency
    }

    /// The attention factor that YaRN recommends.
    ///
    /// - Parameter magnitude: `mscale` and `mscale_all_dim`, where a configuration has both.
    package static func yarnAttentionFactor(
        _ factor: Double, magnitude: (scale: Double, all: Double)? = nil
    ) -> Double {
        func value(_ scale: Double) -> Double { factor <= 1 ? 1 : 0.1 * scale * log(factor) + 1 }
        guard let magnitude else { return value(1) }
        return value(magnitude.scale) / value(magnitude.all)
    }

    /// The attention factor that LongRoPE recommends for a context stretched by `factor`.
    package static func longropeAttentionFactor(_ factor: Double, originalPositions: Int) -> Double {
        factor <= 1 ? 1 : (1 + log(factor) / log(Double(originalPositions))).squareRoot()
    }
}

extension RopeFrequencies.Yarn {
    fileprivate func frequencies(_ powers: [Float], base: Double, rotarySize: Int) -> [Float] {
        func bound(_ rotations: Double) -> Double {
            Double(rotarySize) * log(Double(originalPositions) / (rotations * 2 * Double.pi))
                / (2 * log(base))
        }
        var (low, high) = (bound(betaFast), bound(betaSlow))
        if truncates { (low, high) = (low.rounded(.down), high.rounded(.up)) }
        (low, high) = (max(low, 0), min(high, Double(rotarySize - 1)))
        if low == high { high += 0.001 }
        return powers.enumerated().map { index, power in
            let ramp = min(max((Float(index) - Float(low)) / Float(high - low), 0), 1)
            let kept = 1 - ramp
            return 1 / (Float(factor) * power) * (1 - kept) + 1 / power * kept
        }
    }
}
