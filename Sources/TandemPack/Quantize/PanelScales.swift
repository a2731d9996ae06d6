// SPDX-License-Identifier: Apache-2.0

import TandemFormat

/// The scales of one panel as they stand in the file (`Formats/tandem-file.md`, "Matrix layouts").
@safe struct PanelScales {
    @unsafe private let base: UnsafeMutableRawPointer
    private let codes: Int

    @unsafe init(_ base: UnsafeMutableRawPointer, layout: TensorLayout) {
        unsafe self.base = base
        codes = layout.panelRowFactorsLength
        unsafe base.initializeMemory(as: UInt8.self, repeating: 0, count: layout.panelScalesLength)
    }

    /// A 16-bit float scale.
    @inline(__always)
    func store(_ scale: GroupScale, row: Int, group: Int) {
        unsafe base.storeBytes(of: scale.bits, toByteOffset: (group &* 16 &+ row) &* 2, as: UInt16.self)
    }

    func store(_ factors: RowFactors, row: Int) {
        unsafe base.storeBytes(of: factors.scale, toByteOffset: 4 &* row, as: Float.self)
        unsafe base.storeBytes(of: factors.offset, toByteOffset: 64 &+ 4 &* row, as: Float.self)
    }

    @inline(__always)
    func store(scale: UInt8, offset: Int8, row: Int, group: Int) {
        unsafe base.storeBytes(of: scale, toByteOffset: codes &+ 32 &* group &+ row, as: UInt8.self)
        unsafe base.storeBytes(of: offset, toByteOffset: codes &+ 32 &* group &+ 16 &+ row, as: Int8.self)
    }
}
