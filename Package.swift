// swift-tools-version: 6.2
import PackageDescription

let swiftSettings: [SwiftSetting] = [
    .strictMemorySafety(),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
    name: "tandem",
    products: [
        .library(name: "Tandem", targets: ["Tandem"]),
        .library(name: "TandemFormat", targets: ["TandemFormat"]),
        .library(name: "TandemTokenizer", targets: ["TandemTokenizer"]),
        .library(name: "TandemGrammar", targets: ["TandemGrammar"]),
        .library(name: "TandemJSON", targets: ["TandemJSON"]),
        .library(name: "TandemPack", targets: ["TandemPack"]),
        .library(name: "tandem-c", type: .dynamic, targets: ["CTandem", "CTandemHeader"]),
        .executable(name: "tandem", targets: ["TandemCLI"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2")
    ],
    targets: [
        // System and C.
        .systemLibrary(name: "CLZ4", pkgConfig: "liblz4", providers: [.apt(["liblz4-dev"])]),
        .target(name: "CTandemKernels"),

        // Leaves.
        .target(name: "TandemJSON", swiftSettings: swiftSettings),
        .target(name: "TandemTokenizer", dependencies: ["TandemJSON"], swiftSettings: swiftSettings),
        .target(name: "TandemGrammar", dependencies: ["TandemJSON"], swiftSettings: swiftSettings),

        // Container, packer, engine.
        .target(
            name: "TandemFormat", dependencies: ["CLZ4", "CTandemKernels", "TandemJSON"],
            swiftSettings: swiftSettings),
        .target(
            name: "TandemPack",
            dependencies: ["CTandemKernels", "TandemFormat", "TandemJSON", "TandemTokenizer"],
            swiftSettings: swiftSettings),
        .target(
            name: "Tandem",
            dependencies: [
                "CTandemKernels", "TandemFormat", "TandemGrammar", "TandemJSON", "TandemTokenizer",
            ],
            swiftSettings: swiftSettings),

        // C interface: the hand-written header, and its implementation.
        .target(
            name: "CTandemHeader", path: "Sources/CTandem", sources: ["abi.c"], publicHeadersPath: "include"),
        .target(
            name: "CTandem",
            dependencies: [
                "CTandemHeader", "Tandem", "TandemFormat", "TandemGrammar", "TandemJSON", "TandemTokenizer",
            ],
            path: "Sources/CTandem", exclude: ["abi.c", "include", "tandem.symbols"],
            swiftSettings: swiftSettings),

        // Tools.
        .executableTarget(
            name: "TandemCLI",
            dependencies: [
                "Tandem", "TandemPack", "TandemFormat", "TandemGrammar", "TandemJSON", "TandemTokenizer",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tools/tandem",
            swiftSettings: swiftSettings),

        // Examples.
        .executableTarget(
            name: "c-generate", dependencies: ["CTandem", "CTandemHeader"], path: "Examples/c-generate"),
        .executableTarget(
            name: "low-memory", dependencies: ["Tandem"], path: "Examples/low-memory",
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "swift-daemon", dependencies: ["Tandem"], path: "Examples/swift-daemon",
            swiftSettings: swiftSettings),

        // Tests.
        .target(
            name: "TestSupport", dependencies: ["TandemJSON"], path: "Tests/Support",
            swiftSettings: swiftSettings),
        .testTarget(
            name: "TandemJSONTests", dependencies: ["TandemJSON"], swiftSettings: swiftSettings),
        .testTarget(
            name: "TandemGrammarTests", dependencies: ["TandemGrammar", "TandemJSON"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "CTandemKernelsTests", dependencies: ["CTandemKernels"], exclude: ["cross"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "TandemFormatTests", dependencies: ["TestSupport", "TandemFormat", "TandemJSON"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "TandemTokenizerTests", dependencies: ["TestSupport", "TandemTokenizer", "TandemJSON"],
            exclude: ["Fixtures", "Scripts"], swiftSettings: swiftSettings),
        .testTarget(
            name: "TandemPackTests",
            dependencies: ["TandemPack", "TandemFormat", "TandemJSON", "CTandemKernels"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "TandemTests",
            dependencies: [
                "TestSupport", "Tandem", "TandemFormat", "TandemGrammar", "TandemPack", "TandemJSON",
                "TandemTokenizer", "CTandemKernels",
            ],
            exclude: ["Fixtures"], swiftSettings: swiftSettings),
        .testTarget(
            name: "CTandemTests",
            dependencies: [
                "TestSupport", "CTandem", "CTandemHeader", "Tandem", "TandemFormat", "TandemJSON",
            ],
            exclude: ["abuse"],
            // Every other expression is a call of C: no strict memory safety here.
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("InternalImportsByDefault"),
            ]),
    ],
    swiftLanguageModes: [.v6]
)
