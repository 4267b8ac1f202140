// swift-tools-version: 6.2
// SPDX-License-Identifier: MIT
// Programs that use Husk as a library, as a package of its own: what another project's manifest
// looks like. `make examples` builds them and runs each.
import PackageDescription

let package = Package(
    name: "husk-examples",
    dependencies: [
        .package(name: "husk", path: "..")
    ],
    targets: [
        .executableTarget(
            name: "watch", dependencies: [.product(name: "Husk", package: "husk")]),
        .executableTarget(
            name: "first-layer", dependencies: [.product(name: "Husk", package: "husk")]),
        .executableTarget(
            name: "read-capture",
            dependencies: [
                .product(name: "HuskCapture", package: "husk"),
                .product(name: "HuskModel", package: "husk"),
            ]),
    ],
    swiftLanguageModes: [.v6]
)
