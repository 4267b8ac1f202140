// SPDX-License-Identifier: MIT
import ArgumentParser
import Foundation
import Husk
import HuskCapture
import HuskReport
import HuskViewer

struct View: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look at a capture in a browser, also while its trace still runs.",
        discussion: """
            Serves the page of `husk report` on this machine, with all of the capture: contents are \
            fetched when they are looked at, so a large capture opens at once. A capture that is \
            still being written is followed.

            The address has a token: without it nothing is answered, neither to other users of \
            this machine nor to pages of other sites. It is served on loopback only unless --host \
            says otherwise; over ssh, forward the port: ssh -L 8080:127.0.0.1:8080 HOST. Ctrl-C \
            ends it.

            A capture that has not been analyzed is analyzed meanwhile; the capture file is not \
            changed. Needs no root.

            EXAMPLES
              husk view sample.husk
              husk view --port 8080 sample.husk
              husk run -o sample.husk -- ./sample & husk view sample.husk
            """)

    @Option(
        name: .long,
        help: ArgumentHelp("The port; else one that is free.", valueName: "number"))
    var port: Int = 0

    @Option(
        name: .long,
        help: ArgumentHelp(
            "The address to serve at. Others than loopback let other machines in: whoever has the "
                + "token sees the capture, and the network sees the token.", valueName: "address"))
    var host = "127.0.0.1"

    @OptionGroup var capture: CaptureArgument

    func validate() throws {
        guard (0...65535).contains(port) else {
            throw ValidationError("--port takes a number from 1 to 65535; 0 takes a free one.")
        }
        guard !host.isEmpty else {
            throw ValidationError("--host takes an address of this machine, such as 127.0.0.1.")
        }
    }

    func run() throws {
        // Mistakes are told as by the other commands.
        let file = try capture.open()
        let isFinished = file.info.isFinished
        // A browser that goes away is no failure.
        signal(SIGPIPE, SIG_IGN)
        var configuration = Viewer.Configuration(path: capture.path, version: huskVersion)
        configuration.host = host
        configuration.port = port
        let host = host
        try Self.wait(for: Viewer(configuration)) { address in
            if !Self.isLoopback(host) {
                Diagnostics.note(
                    "serving at \(host): whoever can read the network can read the capture")
            }
            // For scripts: the address alone on standard output.
            guard LineOutput.standardOutput.write(Array("\(address)\n".utf8)) else {
                Diagnostics.report(
                    OutputError(
                        cannot: "write", "the address", errno: LineOutput.standardOutput.error))
                leave(ExitStatus.output.rawValue)
            }
            Diagnostics.note(
                (isFinished ? "" : "the trace still runs, or was cut off: it is followed; ")
                    + "open this in a browser; Ctrl-C ends it")
        }
    }

    private static func isLoopback(_ host: String) -> Bool {
        host == "localhost" || host == "::1" || host.hasPrefix("127.")
    }

    /// Commands are not asynchronous; the server is.
    private static func wait(
        for viewer: Viewer, whenReady: @escaping @Sendable (String) -> Void
    ) throws {
        let end = End()
        Task {
            do {
                try await viewer.run(whenReady: whenReady) { leave(0) }
                end.tell(.success(()))
            } catch {
                end.tell(.failure(error))
            }
        }
        try end.wait().get()
    }

    /// How it ended, for a thread that waits for that.
    private final class End: @unchecked Sendable {
        // Guarded by the condition.
        private var result: Result<Void, any Error>?
        private let condition = NSCondition()

        func tell(_ result: Result<Void, any Error>) {
            condition.lock()
            self.result = result
            condition.signal()
            condition.unlock()
        }

        func wait() -> Result<Void, any Error> {
            condition.lock()
            defer { condition.unlock() }
            while true {
                if let result { return result }
                condition.wait()
            }
        }
    }
}

extension ViewerError: ReportableFailure {
    var summary: String { message }
    var advice: String? { hint }
    var extra: String? { nil }
    var exitStatus: ExitStatus { .output }
}

extension ReportError: ReportableFailure {
    var summary: String { message }
    var advice: String? { hint }
    var extra: String? { nil }
    var exitStatus: ExitStatus { .failure }
}
