// SPDX-License-Identifier: Apache-2.0

import CTandemKernels

/// A group's scale as it is stored: 16-bit float bits, and the value they have.
struct GroupScale {
    let bits: UInt16
    let value: Float

    static let zero = GroupScale(bits: 0)

    init(bits: UInt16) {
        self.bits = bits
        value = tk_f32_from_f16(bits)
    }

    /// The 16-bit float nearest to `ideal`; nil when that is infinite. A scale that is not zero stays so: below the
    /// smallest 16-bit float it becomes that.
    init?(nearest ideal: Float) {
        var bits = tk_f16_from_f32(ideal)
        if bits & 0x7FFF == 0 && ideal != 0 { bits |= 1 }
        guard bits & 0x7C00 != 0x7C00 else { return nil }
        self.init(bits: bits)
    }

    /// The scale with which `magnitude` becomes at most `levels` without clipping more than half a step.
    ///
    /// Rounding to nearest is right while 16-bit floats are normal (the excess is 0.06 of a step at most); among the
    /// subnormal ones the next larger is taken where the nearest would clip.
    init?(covering magnitude: Float, levels: Float) {
        guard let nearest = GroupScale(nearest: magnitude / levels) else { return nil }
        let clips = magnitude > nearest.value * (levels + 0.5)
        self = clips ? GroupScale(bits: nearest.bits + 1) : nearest
    }
}
