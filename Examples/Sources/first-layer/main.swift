// SPDX-License-Identifier: MIT
// first-layer FILE COMMAND [ARGUMENT...]: runs a command until the first code in it that is not
// from a file has been captured, writes its bytes to FILE, and kills the command.
//
// W^X is enforced (RWXMode.trap), so code that unpacks itself into writable memory is captured
// before its first instruction runs. The command is killed when the event arrives here, and may
// have run on by then: what is not to be trusted belongs into a virtual machine.

import Foundation
import Husk

func fail(_ message: String) -> Never {
    FileHandle.standardError.write(Data("first-layer: \(message)\n".utf8))
    exit(1)
}

let arguments = CommandLine.arguments
guard arguments.count >= 3 else { fail("usage: first-layer FILE COMMAND [ARGUMENT...]") }

// ARTICLE-BEGIN first-layer
/// The first pages that are executable and in no file: those of one transition, in order.
func firstLayer(of command: [String]) async throws -> [Page] {
    let held = try HeldCommand(command)  // a process that has executed nothing yet
    var configuration = Tracer.Configuration()
    configuration.rwx = .trap
    configuration.retainsPages = false
    let tracer = Tracer(pid: held.pid, configuration: configuration)
    try tracer.start()
    try held.execute()  // from its first instruction on, it is traced

    var anonymous: [Transition.ID: [Page]] = [:]
    for await event in tracer.events {
        switch event {
        case .transition(let transition) where transition.effective.contains(.execute):
            switch transition.backing {
            case .anonymous, .heap, .stack, .memfd, .sharedMemory: anonymous[transition.id] = []
            case .file, .special, .none, .unknown: break
            }
        case .page(let page):
            anonymous[page.transition]?.append(page)
        case .transitionEnd(let end):
            guard let pages = anonymous.removeValue(forKey: end.transition), end.captured > 0
            else { break }
            // The process that it was found in may be a child; 0: of another PID namespace.
            for pid in [held.pid, end.task.pid] where pid > 0 { kill(pid, SIGKILL) }
            try tracer.stop()
            return pages
        default:
            break
        }
    }
    return []
}
// ARTICLE-END

do {
    let pages = try await firstLayer(of: Array(arguments.dropFirst(2)))
    guard let first = pages.first else { fail("all code of \(arguments[2]) was from files") }
    // Only what lies side by side: a file has no holes, and bytes are not made up.
    var bytes: [UInt8] = []
    for page in pages where page.address == first.address.advanced(by: UInt64(bytes.count)) {
        bytes += page.content ?? []
    }
    try Data(bytes).write(to: URL(fileURLWithPath: arguments[1]))
    print("\(bytes.count) bytes from \(first.address), \(first.kind.rawValue), to \(arguments[1])")
    print("sha256 \(Digest(of: bytes).hexadecimal)")
} catch let error as HuskError {
    fail("\(error)\(error.hint.map { " (\($0))" } ?? "")")
}
