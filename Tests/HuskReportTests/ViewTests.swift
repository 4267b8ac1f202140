// SPDX-License-Identifier: MIT
import Foundation
import Glibc
import HuskCapture
import HuskModel
import HuskTestSupport
import HuskViewer
import ModelSamples
import Testing

/// `husk view`, asked over real sockets.
@Suite("husk view", .serialized)
struct ViewTests {
    /// A viewer that runs.
    private final class Serving {
        let running: Running
        let port: UInt16
        let token: String

        init(_ path: String, _ more: String...) throws {
            running = try Running(BuildProducts.husk, ["view"] + more + [path])
            let running = running
            #expect(running.wait { running.outputSoFar.contains("\n") })
            let address = running.outputSoFar.split(separator: "\n").first.map(String.init) ?? ""
            let url = try #require(URL(string: address), "\(running.errorsSoFar)")
            #expect(url.host == "127.0.0.1")
            port = UInt16(try #require(url.port))
            token = url.pathComponents.count > 1 ? url.pathComponents[1] : ""
            #expect(token.count == 32)
        }

        /// Not every test waits for its end, and it would go on after all of them.
        deinit {
            if running.isRunning { running.signal(SIGKILL) }
        }

        /// Sends one request; returns the status and everything that came.
        func ask(
            _ path: String, method: String = "GET", _ headers: String...
        ) throws -> (status: Int, text: String) {
            let socket = try connect()
            defer { close(socket) }
            var request = "\(method) \(path) HTTP/1.1\r\nConnection: close\r\n"
            if !headers.contains(where: { $0.hasPrefix("Host:") }) {
                request += "Host: 127.0.0.1:\(port)\r\n"
            }
            for header in headers { request += header + "\r\n" }
            Self.send(request + "\r\n", to: socket)
            let text = Self.receive(from: socket)
            let words = text.split(separator: " ", maxSplits: 2)
            return (words.count > 1 ? Int(words[1]) ?? 0 : 0, text)
        }

        func connect() throws -> Int32 {
            let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var limit = timeval(tv_sec: 10, tv_usec: 0)
            setsockopt(
                socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            let result = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            try #require(result == 0, "connect: \(errno)")
            return socket
        }

        static func send(_ text: String, to socket: Int32) {
            let bytes = Array(text.utf8)
            _ = Glibc.send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        }

        static func receive(from socket: Int32) -> String {
            var all: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 1 << 16)
            while case let count = recv(socket, &chunk, chunk.count, 0), count > 0 {
                all += chunk.prefix(count)
            }
            return String(decoding: all, as: UTF8.self)
        }
    }

    @Test("serves the page and its documents to who has the token; Ctrl-C ends it")
    func serves() throws {
        let capture = try SampleCapture(SampleCapture.unpacking())
        let viewer = try Serving(capture.path)
        let base = "/\(viewer.token)/"
        let page = try viewer.ask(base)
        #expect(page.status == 200)
        #expect(page.text.contains("Content-Security-Policy: default-src 'none'; script-src"))
        #expect(page.text.contains("frame-ancestors 'none'"))
        #expect(page.text.contains("Referrer-Policy: no-referrer"))
        #expect(page.text.contains("Cache-Control: no-store"))
        #expect(!page.text.contains("id=\"husk-block-"))
        for (path, part) in [
            ("overview", "\"regions\":["), ("timeline", "\"kinds\":["), ("status", "\"position\":"),
            ("region/1", "\"snapshots\":"), ("search?q=second%20generation", "\"offset\":27"),
            ("fragment/summary", "complete: 2 of 2 pages"), ("fragment/losses", "Losses"),
        ] {
            let answer = try viewer.ask(base + path)
            #expect(answer.status == 200, "\(path)")
            #expect(answer.text.contains(part), "\(path): \(answer.text.suffix(300))")
        }
        let region = try viewer.ask(base + "region/1").text
        let content = try #require(region.range(of: "\"content\":["))
        let number = region[content.upperBound...].prefix(while: \.isNumber)
        #expect(try viewer.ask(base + "page/\(number)-7000").text.contains("\"bits\":64"))
        viewer.running.signal(SIGINT)
        let outcome = viewer.running.finish(within: 10)
        #expect(outcome.status == 0)
        #expect(outcome.errors.contains("Ctrl-C ends it"))
    }

    @Test("answers nobody else: no token, a wrong one, another site's page, a rebound name, POST")
    func refuses() throws {
        let capture = try SampleCapture(SampleCapture.unpacking())
        let viewer = try Serving(capture.path)
        let base = "/\(viewer.token)/"
        let wrong = String(viewer.token.reversed())
        #expect(try viewer.ask("/").status == 404)
        #expect(try viewer.ask("/overview").status == 404)
        #expect(try viewer.ask("/\(wrong)/overview").status == 404)
        #expect(try viewer.ask("/\(viewer.token.dropLast())/overview").status == 404)
        #expect(try viewer.ask("/\(viewer.token)").status == 301)
        #expect(try viewer.ask(base + "overview", "Host: husk.example:80").status == 403)
        #expect(try viewer.ask(base + "overview", "Host: 127.0.0.1.example").status == 403)
        #expect(try viewer.ask(base + "overview", "Host: localhost:\(viewer.port)").status == 200)
        #expect(
            try viewer.ask(base + "overview", "Origin: http://husk.example").status == 403)
        #expect(try viewer.ask(base + "overview", "Origin: null").status == 403)
        #expect(try viewer.ask(base + "overview", "Sec-Fetch-Site: cross-site").status == 403)
        #expect(try viewer.ask(base + "overview", method: "POST").status == 405)
        for path in [
            "nothing", "region/0", "region/99", "region/-1", "region/1/2", "page/1", "page/99-7000",
            "fragment/page", "fragment/../page", "..%2f..%2fetc%2fpasswd", "region/%00",
        ] {
            #expect(try viewer.ask(base + path).status == 404, "\(path)")
        }
        #expect(try viewer.ask(base + "search?q=").status == 400)
        #expect(try viewer.ask(base + "search?q=hex:1").status == 400)
        #expect(try viewer.ask(base + "search?q=a&from=-9223372036854775808").status == 200)
        for answer in [try viewer.ask("/"), try viewer.ask(base + "nothing")] {
            #expect(answer.text.contains("Content-Security-Policy: default-src 'none'"))
            #expect(!answer.text.contains("Access-Control"))
        }
        // It is on loopback, and there only.
        let listening = try Running("ss", ["-Hltn", "sport = :\(viewer.port)"]).finish()
        #expect(listening.output.contains("127.0.0.1:\(viewer.port)"), "\(listening)")
        #expect(listening.outputLines.count == 1)
    }

    @Test("lives on when browsers go away, send nonsense, or send nothing")
    func rudeBrowsers() throws {
        let capture = try SampleCapture(SampleCapture.unpacking())
        let viewer = try Serving(capture.path)
        let base = "/\(viewer.token)/"
        var waiting: [Int32] = []
        for round in 0..<60 {
            let socket = try viewer.connect()
            switch round % 4 {
            case 0:  // goes away in the middle of the answer
                Serving.send("GET \(base) HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", to: socket)
                var byte: UInt8 = 0
                _ = recv(socket, &byte, 1, 0)
                var linger = linger(l_onoff: 1, l_linger: 0)  // as a reset
                setsockopt(
                    socket, SOL_SOCKET, SO_LINGER, &linger,
                    socklen_t(MemoryLayout<Glibc.linger>.size))
                close(socket)
            case 1:
                Serving.send("\u{1}\u{2} nonsense\r\n\r\n", to: socket)
                close(socket)
            case 2:  // headers without an end
                Serving.send(
                    "GET / HTTP/1.1\r\nX: \(String(repeating: "a", count: 1 << 17))", to: socket)
                close(socket)
            default: waiting.append(socket)
            }
        }
        defer { for socket in waiting { close(socket) } }
        #expect(try viewer.ask(base + "status").status == 200)
        #expect(viewer.running.isRunning)
        viewer.running.signal(SIGTERM)
        #expect(viewer.running.finish(within: 10).status == 0)
    }

    @Test("a port in use is told, two viewers of one capture are fine")
    func ports() throws {
        let capture = try SampleCapture(SampleCapture.unpacking())
        let first = try Serving(capture.path)
        let taken = try husk("view", "--port", "\(first.port)", capture.path)
        #expect(taken.status == 123)
        #expect(taken.errors.contains("is in use"))
        #expect(taken.errors.contains("hint: without --port"))
        let second = try Serving(capture.path)
        #expect(try first.ask("/\(first.token)/overview").status == 200)
        #expect(try second.ask("/\(second.token)/overview").status == 200)
        // Each has a token of its own.
        #expect(try first.ask("/\(second.token)/overview").status == 404)
    }

    @Test("a capture that is replaced while it is served is not told as the other one")
    func replaced() throws {
        let capture = try SampleCapture(SampleCapture.unpacking(), finishing: false)
        let other = try SampleCapture(SampleCapture.unpacking(process: "another"))
        let viewer = try Serving(capture.path)
        let base = "/\(viewer.token)/"
        #expect(try viewer.ask(base + "overview").status == 200)
        try FileManager.default.removeItem(atPath: capture.path)
        try FileManager.default.copyItem(atPath: other.path, toPath: capture.path)
        for document in ["overview", "status", "search?q=second", "region/1"] {
            let answer = try viewer.ask(base + document)
            #expect(answer.status == 500, "\(document)")
            #expect(!answer.text.contains("another\""))
        }
        #expect(viewer.running.isRunning)
    }

    @Test("where its address cannot be told, nothing is served")
    func noReader() throws {
        let capture = try SampleCapture(SampleCapture.unpacking())
        let outcome = try Running(
            "/bin/sh",
            ["-c", "exec \"$0\" view \"$1\" >/dev/full", BuildProducts.husk, capture.path]
        ).finish(within: 20)
        #expect(outcome.status == 123)
    }

    @Test("what is no capture is refused before anything is served")
    func noCapture() throws {
        let capture = try SampleCapture(SampleCapture.unpacking())
        let path = capture.temporary.path + "/nothing.husk"
        #expect(try husk("view", path).status == 64)
        try Data("SQLite format 3\0".utf8).write(to: URL(fileURLWithPath: path))
        #expect(try husk("view", path).status == 119)
        #expect(try husk("report", path, "-o", path + ".html").status == 119)
        #expect(try husk("view", "--port", "65536", capture.path).status == 64)
        #expect(try husk("view", "--host", "192.0.2.1", capture.path).status == 123)
        #expect(!FileManager.default.fileExists(atPath: path + ".html"))
    }

    @Test("a capture that is still written is followed until it is finished, and then analyzed")
    func follows() throws {
        let temporary = try TemporaryFolder()
        let path = temporary.path + "/live.husk"
        let writer = try CaptureFileWriter(
            path: path, replaces: false,
            run: RunDescription(huskVersion: "1.2", command: ["./sample"], options: [:]))
        var tally = CaptureTally()
        func add(_ events: [Event]) {
            for event in events {
                writer.add(event)
                tally.add(event)
            }
        }
        let events = SampleCapture.unpacking()
        add(Array(events.prefix(4)))
        let viewer = try Serving(path)
        let base = "/\(viewer.token)/"
        func status() throws -> [String: Any] {
            let text = try viewer.ask(base + "status").text
            let body = try #require(text.range(of: "\r\n\r\n")).upperBound
            return try #require(
                try JSONSerialization.jsonObject(with: Data(text[body...].utf8))
                    as? [String: Any])
        }
        func position() -> Int { ((try? status()["position"]) as? Int) ?? -1 }
        #expect(viewer.running.wait(10) { position() > 0 })
        let before = position()
        #expect(try status()["finished"] as? Bool == false)
        #expect(try viewer.ask(base + "fragment/summary").text.contains("unfinished"))
        add(Array(events.dropFirst(4)))
        #expect(viewer.running.wait(10) { position() > before })
        #expect(try viewer.ask(base + "region/1").text.contains("\"generation\":[0,1]"))
        #expect(writer.drain() == nil)
        // While someone looks.
        let failure = writer.finish(
            tally, layers: [], records: [], probes: nil, copyMethod: nil, target: nil)
        #expect(failure == nil)
        #expect(
            viewer.running.wait(20) { ((try? status()["finished"]) as? Bool) == true })
        #expect(
            viewer.running.wait(20) {
                let text = (try? viewer.ask(base + "fragment/summary").text) ?? ""
                return text.contains("complete: 2 of 2 pages")
                    && !text.contains("not been analyzed")
            })
        #expect(!FileManager.default.fileExists(atPath: path + "-wal"))
    }
}
