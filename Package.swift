// swift-tools-version: 6.2
// SPDX-License-Identifier: MIT
import PackageDescription

let strict: [SwiftSetting] =
    [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
    ]
    // Set by the Makefile, so by CI. Not for everyone: a newer compiler may have new warnings.
    + (Context.environment["HUSK_STRICT"] == "1" ? [.treatAllWarnings(as: .error)] : [])

/// Small C programs that play the target in tests, one folder each.
let fixtures = [
    "attempts", "big", "brief", "classic", "files", "growsdown", "kill", "pages", "partial",
    "patch", "reserve", "resident", "rewrite", "sparse", "threads", "toggle", "unpack",
    "userfault", "wait",
]

let package = Package(
    name: "husk",
    products: [
        .library(name: "Husk", targets: ["Husk"]),
        .library(name: "HuskModel", targets: ["HuskModel"]),
        .library(name: "HuskCapture", targets: ["HuskCapture"]),
        .library(name: "HuskAnalysis", targets: ["HuskAnalysis"]),
        .library(name: "HuskReport", targets: ["HuskReport"]),
        .executable(name: "husk", targets: ["HuskCommand"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
    ],
    targets: [
        // What crosses the kernel border, and the probes themselves. The .bpf.c is
        // compiled by the plugin, not as a part of this target.
        .target(name: "HuskProbes", exclude: ["bpf", "LICENSE.GPL-2.0"]),
        .systemLibrary(
            name: "CLibbpf", pkgConfig: "libbpf", providers: [.apt(["libbpf-dev"])]),
        .systemLibrary(
            name: "CCapstone", pkgConfig: "capstone", providers: [.apt(["libcapstone-dev"])]),
        .systemLibrary(
            name: "CXXHash", pkgConfig: "libxxhash", providers: [.apt(["libxxhash-dev"])]),
        .systemLibrary(
            name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(
            name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .systemLibrary(
            name: "CYara", pkgConfig: "yara", providers: [.apt(["libyara-dev"])]),
        .systemLibrary(
            name: "CLibelf", pkgConfig: "libelf", providers: [.apt(["libelf-dev"])]),
        .systemLibrary(
            name: "CSeccomp", pkgConfig: "libseccomp", providers: [.apt(["libseccomp-dev"])]),
        .target(name: "CHuskSystem"),

        // What Husk may do, and how it gives that up.
        .target(
            name: "HuskPrivileges", dependencies: ["CHuskSystem", "CSeccomp"],
            swiftSettings: strict),

        .target(
            name: "HuskModel",
            dependencies: ["CXXHash", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: strict),
        .target(
            name: "Husk",
            dependencies: ["HuskModel", "HuskPrivileges", "HuskProbes", "CLibbpf", "CHuskSystem"],
            swiftSettings: strict,
            plugins: ["EmbedProbes"]),
        .target(
            name: "HuskCapture",
            dependencies: [
                "HuskModel", "HuskPrivileges", "CZstd",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
        .target(
            name: "HuskAnalysis",
            dependencies: [
                "HuskModel", "HuskCapture", "CCapstone", "CYara", "CLibelf",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: strict),
        .target(
            name: "HuskReport",
            dependencies: [
                "HuskModel", "HuskCapture", "HuskAnalysis", "CZlib",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Mustache", package: "swift-mustache"),
            ],
            exclude: ["Assets"],
            swiftSettings: strict,
            plugins: ["EmbedAssets"]),
        .target(
            name: "HuskViewer",
            dependencies: [
                "HuskReport", "HuskCapture", "HuskAnalysis",
                .product(name: "Hummingbird", package: "hummingbird"),
            ],
            swiftSettings: strict),
        .executableTarget(
            name: "HuskCommand",
            dependencies: [
                "Husk", "HuskPrivileges", "HuskCapture", "HuskAnalysis", "HuskReport", "HuskViewer",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Sources/husk",
            swiftSettings: strict),

        .executableTarget(
            name: "compile-probes", path: "Plugins/compile-probes", swiftSettings: strict),
        .plugin(
            name: "EmbedProbes", capability: .buildTool(), dependencies: ["compile-probes"]),
        .executableTarget(
            name: "embed-assets", path: "Plugins/embed-assets", swiftSettings: strict),
        .plugin(
            name: "EmbedAssets", capability: .buildTool(), dependencies: ["embed-assets"]),

        .target(name: "FixtureSupport", path: "Tests/Fixtures/support"),
        .executableTarget(
            name: "fixture-confined", dependencies: ["HuskPrivileges"],
            path: "Tests/Fixtures/confined", swiftSettings: strict),
        .target(
            name: "HuskTestSupport", dependencies: ["Husk"], path: "Tests/Support",
            swiftSettings: strict),
        .target(
            name: "ModelSamples", dependencies: ["HuskModel"], path: "Tests/ModelSamples",
            swiftSettings: strict),
        .target(
            name: "CoverageSuite", dependencies: ["Husk", "HuskTestSupport"],
            path: "Tests/Coverage/CoverageSuite", swiftSettings: strict),
        .executableTarget(
            name: "husk-coverage",
            dependencies: [
                "CoverageSuite", "Husk",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Tests/Coverage/husk-coverage", swiftSettings: strict),
        .testTarget(
            name: "CoverageTests",
            dependencies: ["CoverageSuite", "Husk", "HuskTestSupport", "husk-coverage"],
            swiftSettings: strict),
        .testTarget(
            name: "HuskModelTests", dependencies: ["HuskModel", "ModelSamples"],
            swiftSettings: strict),
        .testTarget(
            name: "HuskTests",
            dependencies: ["Husk", "HuskProbes", "CLibbpf", "HuskTestSupport"],
            swiftSettings: strict),
        .testTarget(
            name: "HuskCaptureTests",
            dependencies: [
                "HuskCapture", "HuskModel", "HuskTestSupport", "ModelSamples",
                .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "HuskAnalysisTests",
            dependencies: ["HuskAnalysis", "HuskModel", "ModelSamples"],
            swiftSettings: strict),
        .testTarget(
            name: "HuskReportTests",
            dependencies: [
                "HuskReport", "HuskViewer", "HuskCapture", "HuskAnalysis", "HuskModel", "CZlib",
                "HuskCommand", "HuskTestSupport", "ModelSamples",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "FuzzCorpusTests",
            dependencies: [
                "Husk", "HuskProbes", "HuskCapture", "HuskAnalysis", "HuskReport", "HuskModel",
                "ModelSamples", .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "HuskCommandTests",
            dependencies: [
                "HuskCommand", "HuskPrivileges", "CLibbpf", "HuskTestSupport", "ModelSamples",
                "fixture-confined",
            ],
            swiftSettings: strict),
    ]
        + fixtures.map { name in
            .executableTarget(
                name: "fixture-\(name)", dependencies: ["FixtureSupport"],
                path: "Tests/Fixtures/\(name)")
        },
    swiftLanguageModes: [.v6]
)
