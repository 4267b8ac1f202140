// SPDX-License-Identifier: MIT
internal import Foundation
internal import HuskCapture
internal import Mustache

/// Puts the page together.
struct PageTemplate {
    enum Mode: String {
        case report, view
    }

    /// Sections that a server gives by themselves.
    enum Fragment: String, CaseIterable {
        case summary, findings, layers, processes, losses
    }

    private let assets: PageAssets

    init() throws(ReportError) {
        guard let assets = PageAssets.shared else { throw .damagedAssets }
        self.assets = assets
    }

    /// The whole page.
    ///
    /// - Parameters:
    ///   - index: JSON; what the script is told first.
    ///   - blocks: script elements with the documents; markup, so nothing of a target's.
    func page(
        _ context: PageContext, mode: Mode, index: [UInt8], blocks: String
    ) throws -> String {
        var values = try context.values()
        values["policy"] = policy(of: mode)
        values["style"] = assets.style
        values["library"] = assets.library
        values["script"] = assets.script
        values["blocks"] = blocks
        // What would end the element, or begin another, is told otherwise (JSON allows it).
        values["index"] = String(decoding: index, as: UTF8.self)
            .replacingOccurrences(of: "<", with: "\\u003c")
        values["isView"] = mode == .view
        values["isReport"] = mode == .report
        guard let page = assets.templates.render(values, withTemplate: "page") else {
            throw ReportError.damagedAssets
        }
        return page
    }

    func policy(of mode: Mode) -> String {
        ContentSecurityPolicy.text(
            scripts: [assets.library, assets.script], styles: [assets.style],
            connects: mode == .view)
    }

    func fragment(_ fragment: Fragment, _ context: PageContext) throws -> String {
        guard
            let text = assets.templates.render(
                try context.values(), withTemplate: fragment.rawValue)
        else { throw ReportError.damagedAssets }
        return text
    }
}

/// Why a page cannot be made.
public struct ReportError: Error, Hashable, Sendable, CustomStringConvertible {
    /// One sentence.
    public var message: String
    /// What the user can do.
    public var hint: String?

    public var description: String { message }

    static let damagedAssets = ReportError(
        message: "the page's own files are damaged in this build of Husk",
        hint: "build it anew: `swift package clean`, then `make build`")
}
