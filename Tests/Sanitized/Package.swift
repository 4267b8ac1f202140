// swift-tools-version: 6.2
// SPDX-License-Identifier: MIT
import PackageDescription

// The tests that trace nothing and run no program of ours, without what only the others need: the
// viewer and its HTTP server take longer to build than all the rest. The sources are links to the
// main package's. `make sanitize` builds it once for each sanitizer.
let husk = ["Husk", "HuskModel", "HuskCapture", "HuskAnalysis", "HuskReport"]
    .map { Target.Dependency.product(name: $0, package: "husk") }
let database = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")

let package = Package(
    name: "husk-sanitized",
    dependencies: [
        .package(name: "husk", path: "../.."),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    ],
    targets: [
        .target(name: "ModelSamples", dependencies: husk),
        .target(name: "HuskTestSupport", dependencies: husk),
        .testTarget(name: "HuskModelTests", dependencies: husk + ["ModelSamples"]),
        .testTarget(name: "HuskAnalysisTests", dependencies: husk + ["ModelSamples"]),
        .testTarget(
            name: "HuskCaptureTests",
            dependencies: husk + [database, "HuskTestSupport", "ModelSamples"]),
        .testTarget(
            name: "HuskReportTests",
            dependencies: husk + [crypto, "HuskTestSupport", "ModelSamples"]),
        .testTarget(
            name: "FuzzCorpusTests", dependencies: husk + [database, "ModelSamples"]),
    ],
    swiftLanguageModes: [.v6]
)
