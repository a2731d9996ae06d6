// SPDX-License-Identifier: Apache-2.0

import Glibc

extension TemplateRun {
    static func power(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }
}
