// SPDX-License-Identifier: MIT
internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import HuskCapture
internal import HuskReport

/// Turns HTTP requests into questions to the capture.
///
/// Who asks must know the token: any process and any page in any browser of this machine can reach
/// the port. No other page may look into the answers (no CORS, no framing), and a name that a
/// stranger has made to lead here is not served.
struct ViewerResponder: HTTPResponder {
    typealias Context = BasicRequestContext

    let token: String
    let reader: CaptureReader
    /// Searches take long: they do not keep others waiting.
    let searcher: CaptureReader
    /// How far the capture is can be asked while something large is answered.
    let teller: CaptureReader

    func respond(to request: Request, context: Context) async throws -> Response {
        var response = await answer(request)
        for (name, value) in Self.headers where response.headers[name] == nil {
            response.headers[name] = value
        }
        return response
    }

    private static let headers: [(HTTPField.Name, String)] = {
        var headers: [(HTTPField.Name, String)] = [
            (.cacheControl, "no-store"), (.contentSecurityPolicy, "default-src 'none'"),
            (.xContentTypeOptions, "nosniff"),
        ]
        // Names that the library has no constant for.
        for (name, value) in [
            ("Referrer-Policy", "no-referrer"), ("X-Frame-Options", "DENY"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cross-Origin-Opener-Policy", "same-origin"),
        ] {
            if let field = HTTPField.Name(name) { headers.append((field, value)) }
        }
        return headers
    }()

    private func answer(_ request: Request) async -> Response {
        guard request.method == .get || request.method == .head else {
            return Self.failure(.methodNotAllowed, "only GET is answered")
        }
        guard Self.isOwn(host: request.head.authority), Self.isOwn(request.headers) else {
            return Self.failure(.forbidden, "this page is served to itself only")
        }
        let path = request.uri.path
        guard path.hasPrefix("/") else { return Self.failure(.notFound, "not found") }
        let rest = path.dropFirst()
        let given = rest.prefix { $0 != "/" }
        guard Self.isEqual(given, token) else {
            return Self.failure(
                .notFound, "not found",
                hint: "open the whole address that `husk view` has printed, with its token")
        }
        guard rest.count > given.count else {
            return Response(status: .movedPermanently, headers: [.location: "/\(token)/"])
        }
        var query: [String: String] = [:]
        for (name, value) in request.uri.queryParameters {
            query[String(name)] = String(value)
        }
        guard
            let question = PageRequest(
                path: rest.dropFirst(given.count + 1), query: query)
        else { return Self.failure(.notFound, "there is no such document") }
        return await answer(question)
    }

    private func answer(_ question: PageRequest) async -> Response {
        do {
            let asked =
                switch question {
                case .search: searcher
                case .status: teller
                default: reader
                }
            guard let answer = try await asked.answer(question) else {
                return Self.failure(.notFound, "the capture has no such thing")
            }
            return Self.response(answer)
        } catch let error as ReportError {
            return Self.failure(.badRequest, error.message, hint: error.hint)
        } catch let error as CaptureFileError {
            return Self.failure(.internalServerError, error.message, hint: error.hint)
        } catch {
            return Self.failure(.internalServerError, "\(error)")
        }
    }

    private static func response(_ answer: PageAnswer) -> Response {
        var headers: HTTPFields = [
            .contentType: answer.kind == .html
                ? "text/html; charset=utf-8" : "application/json"
        ]
        if let policy = answer.policy {
            headers[.contentSecurityPolicy] = policy + "; frame-ancestors 'none'"
        }
        return Response(
            status: .ok, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: answer.body)))
    }

    private struct Failure: Encodable {
        var error: String
        var hint: String?
    }

    private static func failure(
        _ status: HTTPResponse.Status, _ text: String, hint: String? = nil
    ) -> Response {
        let body = (try? JSONEncoder().encode(Failure(error: text, hint: hint))) ?? Data()
        return Response(
            status: status, headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: Array(body))))
    }

    // MARK: Who asks

    /// A number or `localhost`: no name that a stranger's name server leads here.
    static func isOwn(host: String?) -> Bool {
        guard var host else { return false }
        if host.hasPrefix("[") {
            guard let end = host.firstIndex(of: "]") else { return false }
            let inner = host[host.index(after: host.startIndex)..<end]
            return !inner.isEmpty && inner.allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." }
        }
        if let colon = host.firstIndex(of: ":") { host = String(host[..<colon]) }
        if host.lowercased() == "localhost" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
    }

    /// Not asked by another site's page.
    static func isOwn(_ headers: HTTPFields) -> Bool {
        if let field = HTTPField.Name("Sec-Fetch-Site"), let site = headers[field] {
            guard ["same-origin", "none"].contains(site) else { return false }
        }
        guard let origin = headers[.origin] else { return true }
        // Pages of our own send none with GET; a browser that does sends this very host.
        return origin.hasPrefix("http://") && isOwn(host: String(origin.dropFirst(7)))
    }

    /// Takes the same time wherever they differ.
    static func isEqual(_ given: some StringProtocol, _ token: String) -> Bool {
        let (left, right) = (Array(given.utf8), Array(token.utf8))
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
