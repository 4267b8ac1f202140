// SPDX-License-Identifier: MIT
internal import Crypto
internal import Foundation
internal import Mustache

/// The files that the page is made of. They are part of the program.
struct PageAssets: Sendable {
    let style: String
    /// D3, with its licence.
    let library: String
    let script: String
    let templates: MustacheLibrary

    /// Nil: the program has been put together wrongly.
    static let shared = try? PageAssets()

    private struct Missing: Error {
        var name: String
    }

    private init() throws {
        var files: [String: String] = [:]
        for (name, content) in EmbeddedAssets.base64 {
            guard let data = Data(base64Encoded: content.text) else {
                throw Missing(name: name.text)
            }
            files[name.text] = String(decoding: data, as: UTF8.self)
        }
        func file(_ name: String) throws -> String {
            guard let text = files[name] else { throw Missing(name: name) }
            return text
        }
        style = try file("style.css")
        library = "/*\n" + (try file("d3-licence.txt")) + "*/\n" + (try file("d3.min.js"))
        let order = try file("order.txt").split(separator: "\n").map(String.init)
            .filter { !$0.hasPrefix("#") }
        // In one scope of its own: what it declares is no property of the window.
        script =
            "(() => {\n'use strict';\n" + (try order.map(file).joined(separator: "\n")) + "})();\n"
        var templates = MustacheLibrary()
        for (name, text) in files where name.hasSuffix(".mustache") {
            try templates.register(text, named: String(name.dropLast(".mustache".count)))
        }
        self.templates = templates
    }
}

extension StaticString {
    fileprivate var text: String { description }
}

/// What a browser may do with the page: run these very scripts, use this very style, and nothing
/// else.
enum ContentSecurityPolicy {
    /// - Parameter connects: the page asks the server that it comes from.
    static func text(scripts: [String], styles: [String], connects: Bool) -> String {
        func hashes(_ texts: [String]) -> String {
            texts.map { text in
                let digest = Data(SHA256.hash(data: Data(text.utf8))).base64EncodedString()
                return "'sha256-\(digest)'"
            }.joined(separator: " ")
        }
        return [
            "default-src 'none'", "script-src \(hashes(scripts))", "style-src \(hashes(styles))",
            "img-src data:", connects ? "connect-src 'self'" : nil, "base-uri 'none'",
            "form-action 'none'",
        ].compactMap { $0 }.joined(separator: "; ")
    }
}
