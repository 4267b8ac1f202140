// SPDX-License-Identifier: MIT
internal import Foundation
internal import Glibc
internal import Synchronization

/// What a program that has ended has left.
public struct Outcome: Sendable {
    /// The exit status, or 128 + N if signal N ended it.
    public var status: Int32
    public var output: String
    public var errors: String

    public var outputLines: [String] {
        output.split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
    }
}

/// A program that runs, with its standard streams as pipes.
public final class Running: @unchecked Sendable {
    // Guard: `process` is used by the test that owns it; the two readers touch only their
    // own pipes and `collected`.
    private let process = Process()
    private let input = Pipe()
    private let output = Pipe()
    private let errors = Pipe()
    private let collected = Mutex<(output: Data, errors: Data)>((Data(), Data()))
    private let readers = DispatchGroup()

    public var pid: Int32 { process.processIdentifier }

    public init(
        _ program: String, _ arguments: [String] = [], environment: [String: String] = [:],
        directory: String? = nil
    ) throws {
        // Test runners ignore signals, and what is ignored is inherited through exec.
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["--default-signal", program] + arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
        process.standardInput = input
        process.standardOutput = output
        process.standardError = errors
        try process.run()
        read(output) { $0.output.append($1) }
        read(errors) { $0.errors.append($1) }
    }

    private func read(
        _ pipe: Pipe,
        into append: @escaping @Sendable (inout (output: Data, errors: Data), Data) -> Void
    ) {
        readers.enter()
        let handle = pipe.fileHandleForReading
        Thread.detachNewThread { [self] in
            while true {
                let chunk = handle.availableData
                if chunk.isEmpty { break }
                collected.withLock { append(&$0, chunk) }
            }
            readers.leave()
        }
    }

    public var outputSoFar: String {
        collected.withLock { String(decoding: $0.output, as: UTF8.self) }
    }

    public var errorsSoFar: String {
        collected.withLock { String(decoding: $0.errors, as: UTF8.self) }
    }

    public func send(_ text: String) {
        input.fileHandleForWriting.write(Data(text.utf8))
    }

    public func closeInput() {
        try? input.fileHandleForWriting.close()
    }

    public func signal(_ number: Int32) {
        kill(process.processIdentifier, number)
    }

    public var isRunning: Bool { process.isRunning }

    /// Waits until `condition` holds; false after `seconds`.
    public func wait(_ seconds: Double = 20, until condition: () -> Bool) -> Bool {
        let deadline = Date(timeIntervalSinceNow: seconds)
        while !condition() {
            if Date() > deadline { return false }
            usleep(5000)
        }
        return true
    }

    /// Waits for the end. A program that takes longer than `seconds` is killed: a test must
    /// not hang.
    @discardableResult
    public func finish(within seconds: Double = 120) -> Outcome {
        closeInput()
        if !wait(seconds, until: { !process.isRunning }) {
            kill(process.processIdentifier, SIGKILL)
        }
        process.waitUntilExit()
        _ = readers.wait(timeout: .now() + 10)
        let base: Int32 = process.terminationReason == .uncaughtSignal ? 128 : 0
        return Outcome(
            status: base + process.terminationStatus, output: outputSoFar, errors: errorsSoFar)
    }

    deinit {
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }
}

/// Runs husk to its end.
public func husk(
    _ arguments: String..., environment: [String: String] = [:], directory: String? = nil
) throws -> Outcome {
    try Running(
        BuildProducts.husk, arguments, environment: environment, directory: directory
    ).finish()
}

/// A new empty folder, removed with everything in it when this is dropped.
public final class TemporaryFolder: Sendable {
    public let path: String

    public init() throws {
        path = NSTemporaryDirectory() + "husk-test-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }
}
