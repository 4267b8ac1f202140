// SPDX-License-Identifier: MIT
internal import Dispatch
internal import Foundation
internal import Hummingbird
internal import HummingbirdCore
internal import HuskAnalysis
internal import HuskCapture
internal import HuskReport
internal import Logging
internal import NIOCore
internal import ServiceLifecycle
internal import UnixSignals

/// Serves the page of a capture on this machine, until it is asked to end.
public struct Viewer: Sendable {
    public struct Configuration: Sendable {
        /// The capture file.
        public var path: String
        /// An address of this machine.
        public var host = "127.0.0.1"
        /// 0: any that is free.
        public var port = 0
        /// Husk's version, for an analysis.
        public var version: String

        public init(path: String, version: String) {
            self.path = path
            self.version = version
        }
    }

    private let configuration: Configuration
    private let token: String

    public init(_ configuration: Configuration) {
        self.configuration = configuration
        // 128 bits of the kernel's.
        var generator = SystemRandomNumberGenerator()
        token = (0..<16).map { _ in
            let byte = UInt8.random(in: 0...255, using: &generator)
            return (byte < 16 ? "0" : "") + String(byte, radix: 16)
        }.joined()
    }

    /// Returns when SIGINT or SIGTERM have ended it.
    ///
    /// - Parameters:
    ///   - whenReady: called once, with the address to open.
    ///   - whenStuck: called if an answer that is being made keeps it from ending for seconds.
    /// - Throws: ``ViewerError``, or what opening the capture throws.
    public func run(
        whenReady: @escaping @Sendable (_ address: String) -> Void,
        whenStuck: @escaping @Sendable () -> Void
    ) async throws {
        let readers = ["reader", "searcher", "status"].map {
            CaptureReader(path: configuration.path, name: $0)
        }
        // All of them open the same file, also if it is replaced later.
        let identity = try await readers[0].identity()
        for reader in readers { try await reader.expect(identity) }
        let (host, token) = (configuration.host, token)
        let application = Application(
            responder: ViewerResponder(
                token: token, reader: readers[0], searcher: readers[1], teller: readers[2]),
            // Whoever can reach the port can open connections: those that ask nothing go soon.
            server: .http1(configuration: .init(idleTimeout: .seconds(5))),
            configuration: .init(
                address: .hostname(host, port: configuration.port), serverName: nil,
                availableConnectionsDelegate: MaximumAvailableConnections(1024)),
            onServerRunning: { channel in
                let port = channel.localAddress?.port ?? 0
                let name = host.contains(":") ? "[\(host)]" : host
                whenReady("http://\(name):\(port)/\(token)/")
            },
            logger: Logger(label: "husk-view") { _ in SwiftLogNoOpLogHandler() })
        let analyst = Task { await analyze(identity, for: readers) }
        defer { analyst.cancel() }
        var services = ServiceGroupConfiguration(
            services: [application, Farewell(whenStuck: whenStuck)],
            gracefulShutdownSignals: [.sigint, .sigterm],
            logger: Logger(label: "husk-view") { _ in SwiftLogNoOpLogHandler() })
        // A browser that does not take its answer does not keep it from ending.
        services.maximumGracefulShutdownDuration = Duration.seconds(2)
        do {
            try await ServiceGroup(configuration: services).run()
        } catch let error as IOError {
            throw ViewerError(error, configuration)
        } catch is SocketAddressError.UnknownHost {
            throw ViewerError(unknownHostOf: configuration)
        } catch is SocketAddressError {
            throw ViewerError(unknownHostOf: configuration)
        }
    }

    /// Analyzes a capture that has not been, as soon as its trace has ended.
    private func analyze(_ identity: String, for readers: [CaptureReader]) async {
        while true {
            // A file that is being written may not be readable at some moment.
            if let state = try? await readers[0].state() {
                if state.isAnalyzed { return }
                if state.isFinished { break }
            }
            do { try await Task.sleep(for: .seconds(1)) } catch { return }
        }
        for reader in readers { await reader.beginAnalysis() }
        let record = await Analyst(path: configuration.path).analyze(
            identity, version: configuration.version)
        for reader in readers { await reader.endAnalysis(record) }
    }
}

/// Sees to it that it ends: an answer that is being made cannot be interrupted.
private struct Farewell: Service {
    let whenStuck: @Sendable () -> Void

    func run() async throws {
        try? await gracefulShutdown()
        DispatchQueue.global().asyncAfter(deadline: .now() + 3) { whenStuck() }
    }
}

/// Analyzes a capture on a thread of its own.
private actor Analyst {
    private let path: String
    private let executor = QueueExecutor("husk-view-analyst")

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    init(path: String) {
        self.path = path
    }

    /// Nil: it cannot be read to its end, or is another capture by now; the page shows what it can.
    func analyze(_ identity: String, version: String) -> AnalysisRecord? {
        // A connection of its own: one that is in use lets no one else read.
        guard let file = try? CaptureFile(path: path), file.info.uuid == identity else {
            return nil
        }
        return try? CaptureAnalysis(file, rules: nil).run(version: version, rulesName: nil)
    }
}

/// Why the page cannot be served.
public struct ViewerError: Error, Hashable, Sendable, CustomStringConvertible {
    public var message: String
    public var hint: String?

    public var description: String { message }

    /// The host is no address, and no name of one.
    init(unknownHostOf configuration: Viewer.Configuration) {
        message = "\(configuration.host): this is no address, and no name of one that can be found"
        hint = "name an address of this machine, such as 127.0.0.1, ::1 or 0.0.0.0"
    }

    init(_ error: IOError, _ configuration: Viewer.Configuration) {
        let place = "\(configuration.host), port \(configuration.port)"
        switch error.errnoCode {
        case EADDRINUSE:
            message = "\(place) is in use"
            hint = "without --port a free one is taken"
        case EACCES:
            message = "\(place): you may not use it"
            hint = "ports below 1024 need root"
        case EADDRNOTAVAIL:
            message = "\(place): this machine has no such address"
            hint = nil
        default:
            message = "\(place): \(error)"
            hint = nil
        }
    }
}
