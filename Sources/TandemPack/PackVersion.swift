// SPDX-License-Identifier: Apache-2.0

/// The packer as it names itself in a file's provenance.
public enum PackVersion {
    public static let name = "tandem pack"
    public static let version = "0.1.0"
}
