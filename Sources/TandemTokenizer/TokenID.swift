// SPDX-License-Identifier: Apache-2.0

/// A token's number in its vocabulary, 0 ..< 2²⁴.
public typealias TokenID = Int32
