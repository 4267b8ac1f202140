// SPDX-License-Identifier: MIT
import Foundation
import PackagePlugin

/// Hands the page of the report (templates, style, scripts) and D3 to the `HuskReport` target as a
/// Swift source: the command is one file, whatever folder it lies in.
@main
struct EmbedAssets: BuildToolPlugin {
    /// Debian's node-d3.
    private static let library = URL(fileURLWithPath: "/usr/share/nodejs/d3/dist/d3.min.js")

    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let folder = context.package.directoryURL.appending(path: "Sources/HuskReport/Assets")
        let assets = try FileManager.default.contentsOfDirectory(
            at: folder, includingPropertiesForKeys: nil
        ).sorted { $0.path < $1.path }
        let output = context.pluginWorkDirectoryURL.appending(path: "EmbeddedAssets.swift")
        return [
            .buildCommand(
                displayName: "Embed the page of the report",
                executable: try context.tool(named: "embed-assets").url,
                arguments: [output.path, Self.library.path] + assets.map(\.path),
                inputFiles: assets + [Self.library],
                outputFiles: [output])
        ]
    }
}
