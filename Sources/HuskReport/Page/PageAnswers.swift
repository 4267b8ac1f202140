// SPDX-License-Identifier: MIT
internal import Foundation
internal import HuskCapture
internal import HuskModel

/// What a browser asks a server of the page for (docs/view-data.md).
public enum PageRequest: Hashable, Sendable {
    case page
    case overview
    case timeline
    case region(Int64)
    /// CONTENT-ADDRESS.
    case contents(String)
    case search(String, from: Int64)
    case status
    case fragment(String)

    /// - Parameters:
    ///   - path: behind the token, without a slash at its beginning.
    ///   - query: its parameters, decoded.
    /// - Returns: nil: there is no such document.
    public init?(path: some StringProtocol, query: [String: String]) {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        switch (parts.first, parts.count) {
        case ("", 1): self = .page
        case ("overview", 1): self = .overview
        case ("timeline", 1): self = .timeline
        case ("status", 1): self = .status
        case ("search", 1):
            self = .search(query["q"] ?? "", from: query["from"].flatMap { Int64($0) } ?? 0)
        case ("region", 2):
            guard let id = Int64(parts[1]), id > 0 else { return nil }
            self = .region(id)
        case ("page", 2): self = .contents(String(parts[1]))
        case ("fragment", 2): self = .fragment(String(parts[1]))
        default: return nil
        }
    }
}

/// What a page that asks is given.
public struct PageAnswer: Sendable {
    public enum Kind: Sendable {
        case html, json
    }

    public var kind: Kind
    public var body: [UInt8]
    /// Of the whole page: its Content-Security-Policy.
    public var policy: String?
}

extension CaptureDocuments {
    /// - Returns: nil: the capture has no such thing.
    public func answer(_ request: PageRequest) throws -> PageAnswer? {
        switch request {
        case .page: return try wholePage()
        case .overview: return try json(overview())
        case .timeline: return try json(timeline())
        case .region(let id): return try detail(of: id, held: nil).map(json)
        case .contents(let name):
            return try PageName(name).flatMap { try page($0) }.map {
                PageAnswer(kind: .json, body: $0.json)
            }
        case .search(let text, let cursor):
            guard let query = SearchQuery(text) else {
                throw ReportError(
                    message: "this cannot be searched for",
                    hint: "up to \(SearchQuery.limit) bytes of text, or hex: and an even number of "
                        + "digits: hex:48 8b 05")
            }
            return try json(search(query, from: cursor))
        case .status: return try status(isBusy: false, revision: 0)
        case .fragment(let name):
            guard let fragment = PageTemplate.Fragment(rawValue: name) else { return nil }
            let text = try PageTemplate().fragment(fragment, PageContext(self, overview()))
            return PageAnswer(kind: .html, body: Array(text.utf8))
        }
    }

    /// How far the capture is.
    ///
    /// - Parameters:
    ///   - isBusy: more is to come, although the capture is finished: an analysis runs.
    ///   - revision: grows with what is new besides events.
    public func status(isBusy: Bool, revision: Int64) throws -> PageAnswer {
        let info = file.info
        return try json(
            StatusDocument(
                finished: info.isFinished && !isBusy,
                position: try file.lastPosition() &+ revision, pages: size(info.pages),
                bytes: size(info.bytes), lost: size(info.lost),
                duration: time(info.ended ?? SystemClock.monotonic)))
    }

    private func json(_ document: some Encodable) throws -> PageAnswer {
        PageAnswer(kind: .json, body: try Self.encode(document))
    }

    private struct ViewIndex: Encodable {
        var mode = PageTemplate.Mode.view.rawValue
        var file: String
    }

    private func wholePage() throws -> PageAnswer {
        let template = try PageTemplate()
        let text = try template.page(
            PageContext(self, try overview()), mode: .view,
            index: Self.encode(ViewIndex(file: fileName)), blocks: "")
        return PageAnswer(kind: .html, body: Array(text.utf8), policy: template.policy(of: .view))
    }
}
