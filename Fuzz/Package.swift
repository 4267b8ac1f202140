// swift-tools-version: 6.2
// SPDX-License-Identifier: MIT
import PackageDescription

// Apart from the main package, which is compiled for libFuzzer here. `make fuzz` gives the flags.

/// libFuzzer without its main(): SwiftPM gives that a name of its own. Part of the toolchain.
let fuzzer = Context.environment["HUSK_FUZZER_LIBRARY"] ?? "-lHUSK_FUZZER_LIBRARY-is-not-set"

let package = Package(
    name: "husk-fuzz",
    dependencies: [
        .package(name: "husk", path: ".."),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        // Links to Tests/FuzzCorpusTests/Entries, which the tests call too, and Tests/ModelSamples.
        .target(
            name: "ModelSamples", dependencies: [.product(name: "HuskModel", package: "husk")]),
        .target(
            name: "FuzzEntries",
            dependencies: [
                "ModelSamples",
                .product(name: "Husk", package: "husk"),
                .product(name: "HuskModel", package: "husk"),
                .product(name: "HuskCapture", package: "husk"),
                .product(name: "HuskAnalysis", package: "husk"),
                .product(name: "HuskReport", package: "husk"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ]),
        .executableTarget(
            name: "husk-fuzz", dependencies: ["FuzzEntries"],
            linkerSettings: [.unsafeFlags([fuzzer]), .linkedLibrary("stdc++")]),
    ],
    swiftLanguageModes: [.v6]
)
