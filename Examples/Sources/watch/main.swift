// SPDX-License-Identifier: MIT
// watch PID: prints what becomes executable in a process and its children, as it happens, until
// they have ended or Ctrl-C is pressed. Needs root, or CAP_BPF and CAP_PERFMON.

import Dispatch
@preconcurrency import Glibc  // stdout
import Husk

guard CommandLine.arguments.count == 2, let pid = Int32(CommandLine.arguments[1]) else {
    print("usage: watch PID")
    exit(64)
}

setlinebuf(stdout)  // also where it is no terminal

// ARTICLE-BEGIN watch-configuration
var configuration = Tracer.Configuration()
configuration.capturesPresent = true  // what is executable already, too
configuration.retainsPages = false  // they come as events: keep none for stop()
let tracer = Tracer(pid: pid, configuration: configuration)
// ARTICLE-END

// Ctrl-C ends the trace, not the program: the events that are on their way still come.
signal(SIGINT, SIG_IGN)
let interrupt = DispatchSource.makeSignalSource(signal: SIGINT, queue: .main)
interrupt.setEventHandler { _ = try? tracer.stop() }
interrupt.resume()

do {
    try tracer.start()
} catch {
    print("watch: \(error)\(error.hint.map { " (\($0))" } ?? "")")
    exit(1)
}
print("watching \(pid)")

// ARTICLE-BEGIN watch-loop
var tally = CaptureTally()
for await event in tracer.events {
    tally.add(event)
    switch event {
    case .transition(let transition):
        print(
            transition.kind.rawValue, transition.start, transition.length,
            transition.previous?.description ?? "?", "->", transition.effective,
            transition.backing.kind, transition.label?.kind.rawValue ?? "")
    case .page(let page):
        print(
            "  page", page.address, "generation", page.generation,
            page.digest?.hexadecimal ?? "not readable")
    case .loss(let loss):
        print("  LOST:", loss.cause.rawValue, loss.start?.description ?? "?", loss.length)
    case .blindSpot(let spot):
        print("  may change unseen:", spot.start, spot.length, spot.reason.rawValue)
    case .processExit(let exit):
        print("process", exit.task.pid, "has ended")
    default:
        break  // starts of processes, programs, ends of transitions, ...
    }
}
// ARTICLE-END

try tracer.stop()  // it may have ended by itself
print(
    tally.isComplete
        ? "complete: \(tally.pages) pages"
        : "incomplete: \(tally.pages) of \(tally.expectedPages) pages")
exit(tally.isComplete ? 0 : 2)
