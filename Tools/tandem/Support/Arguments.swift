// SPDX-License-Identifier: Apache-2.0

public import ArgumentParser
public import Tandem

extension DecodingMode: ExpressibleByArgument {}
extension KeyValueType: ExpressibleByArgument {}
