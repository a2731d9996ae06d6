// SPDX-License-Identifier: Apache-2.0

/// How the integers and the scales of a matrix are found.
public enum Quantizer: String, Sendable, Hashable, CaseIterable {
    /// Scales from the extremes of each group, every weight rounded to nearest.
    case rtn
    /// Scales searched for the least squared error of each group, refined by least squares; with calibration the
    /// error of a column counts by the second moment of the input there.
    case mse
    /// Half-quadratic quantisation (Badri and Shaji 2023): the offset of each group minimises an Lp norm of the error,
    /// p < 1, which forgives outliers. Needs no data; for asymmetric formats only.
    case hqq
    /// Error-compensating rounding (Frantar et al. 2022, in the form of Chee et al. 2023): each column's rounding
    /// error is made up for in the columns after it, by the correlations of the inputs. Needs calibration; a matrix
    /// without statistics, such as embeddings that are only looked up, is quantised by ``mse``.
    case gptq
}

/// What a matrix becomes: a format, and the quantiser that finds its integers.
///
/// Written "int4z/32" or "int4z/32:hqq". Without a quantiser the format's own is taken: ``Quantizer/rtn`` for 8 bits;
/// for 4 bits ``Quantizer/mse``, or ``Quantizer/gptq`` where the packer is given statistics of the matrix's inputs.
public struct WeightTreatment: Sendable, Hashable {
    public var format: WeightFormat
    /// nil takes the format's own.
    public var quantizer: Quantizer?

    /// - Throws: ``PackError/invalidOption(name:value:allowed:)`` when the quantiser does not know the format.
    public init(_ format: WeightFormat, quantizer: Quantizer? = nil) throws(PackError) {
        self.init(unchecked: format, quantizer: quantizer)
        if let quantizer, !format.quantizers.contains(quantizer) {
            let names = format.quantizers.map(\.rawValue).joined(separator: ", ")
            throw .invalidOption(
                name: "the quantiser of \(format.name)", value: "'\(quantizer.rawValue)'",
                allowed: names.isEmpty ? "left out" : "one of \(names)")
        }
    }

    init(unchecked format: WeightFormat, quantizer: Quantizer? = nil) {
        self.format = format
        self.quantizer = quantizer
    }

    /// The treatment of that name, such as "f32", "int8/64", "int4z/32:hqq"; the group may be left out.
    /// - Throws: ``PackError/invalidOption(name:value:allowed:)``.
    public init(name: String) throws(PackError) {
        let parts = name.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard let format = WeightFormat(name: String(parts[0])) else {
            throw .invalidOption(
                name: "the format", value: "'\(name)'",
                allowed: "f32, or one of int8, int4, int4z with '/' and a group of 32, 64, 128 or row")
        }
        guard parts.count == 2 else {
            self.init(unchecked: format)
            return
        }
        guard let quantizer = Quantizer(rawValue: String(parts[1])) else {
            let names = Quantizer.allCases.map(\.rawValue).joined(separator: ", ")
            throw .invalidOption(name: "the quantiser", value: "'\(parts[1])'", allowed: "one of \(names)")
        }
        try self.init(format, quantizer: quantizer)
    }

    /// As ``init(name:)`` reads it.
    public var name: String { quantizer.map { "\(format.name):\($0.rawValue)" } ?? format.name }

    /// The quantiser to use for one matrix; nil for f32.
    func quantizer(isCalibrated: Bool) -> Quantizer? {
        guard let fallback = format.defaultQuantizer else { return nil }
        switch quantizer {
        case .gptq: return isCalibrated ? .gptq : .mse
        case .some(let quantizer): return quantizer
        case nil: return isCalibrated && fallback == .mse ? .gptq : fallback
        }
    }
}
