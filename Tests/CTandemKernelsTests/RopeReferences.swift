// SPDX-License-Identifier: Apache-2.0

struct RopeReference: Sendable {
    let base: Float
    let dimension: Int
    /// Index and bit pattern.
    let values: [(Int, UInt32)]
}

/// 1.0 / (base ** (torch.arange(0, dim, 2).float() / dim)) of PyTorch 2.13, every eighth value and the last.
let ropeReferences: [RopeReference] = [
    RopeReference(
        base: 10000, dimension: 64,
        values: [
            (0, 0x3f800000), (1, 0x3f3ff911), (3, 0x3ed7e89b), (8, 0x3dcccccd), (16, 0x3c23d70a),
            (24, 0x3a83126f), (31, 0x390bd472),
        ]),
    RopeReference(
        base: 10000, dimension: 96,
        values: [
            (0, 0x3f800000), (1, 0x3f534db0), (3, 0x3f0ff59a), (8, 0x3e5c9d35), (16, 0x3d3e1e95),
            (24, 0x3c23d70a), (32, 0x3b0d3169), (40, 0x39f35a5c), (47, 0x38fe1363),
        ]),
    RopeReference(
        base: 10000, dimension: 128,
        values: [
            (0, 0x3f800000), (1, 0x3f5dafd7), (3, 0x3f263de0), (8, 0x3ea1e89b), (16, 0x3dcccccd),
            (24, 0x3d0186e3), (32, 0x3c23d70a), (40, 0x3b4f3e38), (48, 0x3a83126f), (56, 0x39a5cb60),
            (63, 0x38f22ce2),
        ]),
    RopeReference(
        base: 500000, dimension: 64,
        values: [
            (0, 0x3f800000), (1, 0x3f29e1c6), (3, 0x3e959ee3), (8, 0x3d1a08c8), (16, 0x3ab95d21),
            (24, 0x385f10c4), (31, 0x364a41b0),
        ]),
    RopeReference(
        base: 500000, dimension: 128,
        values: [
            (0, 0x3f800000), (1, 0x3f508ac1), (3, 0x3f0a6384), (8, 0x3e4693b0), (16, 0x3d1a08c8),
            (24, 0x3beef74f), (32, 0x3ab95d21), (40, 0x398fc8f8), (48, 0x385f10c4), (56, 0x372d07a7),
            (63, 0x3624c2ff),
        ]),
    RopeReference(
        base: 1000000, dimension: 128,
        values: [
            (0, 0x3f800000), (1, 0x3f4e4bad), (3, 0x3f05f6ef), (8, 0x3e361887), (16, 0x3d0186e3),
            (24, 0x3bb8449c), (32, 0x3a83126f), (40, 0x393a7753), (48, 0x3804a2b2), (56, 0x36bcb0c1),
            (63, 0x35a68e4c),
        ]),
    RopeReference(
        base: 100, dimension: 16,
        values: [
            (0, 0x3f800000), (1, 0x3f0ff59a), (3, 0x3e361887), (7, 0x3c91ad39),
        ]),
]
