// SPDX-License-Identifier: MIT
internal import Foundation

/// The executables of this build: husk itself and the fixtures.
public enum BuildProducts {
    /// The folder that the test bundle lies in: the executables lie beside it. The bundle is
    /// a library that some runner has loaded, so its path is looked up where it is mapped.
    private static let folder: String = {
        let maps = (try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8)) ?? ""
        let bundle = maps.split(separator: "\n").first { $0.hasSuffix(".xctest") }
        guard let bundle, let start = bundle.firstIndex(of: "/") else { return "." }
        return URL(fileURLWithPath: String(bundle[start...])).deletingLastPathComponent().path
    }()

    public static var husk: String { folder + "/husk" }

    public static func fixture(_ name: String) -> String {
        folder + "/fixture-" + name
    }

    /// The folder with the programs of Tests/Fixtures/cases, built when first asked for: some
    /// need flags that SwiftPM cannot give (32-bit, an executable stack, no C library).
    public static func cases() throws -> String {
        try casesBuilt.get()
    }

    private static let casesBuilt = Result {
        let output = folder + "/cases"
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        let build = Process()
        build.executableURL = root.appending(path: "Tools/build-cases")
        build.arguments = [output]
        try build.run()
        build.waitUntilExit()
        guard build.terminationStatus == 0 else { throw CocoaError(.executableNotLoadable) }
        return output
    }
}
