// SPDX-License-Identifier: MIT
// The library example of README.md. `make check` compares the lines between the marks with
// the README, so that what people copy is what is compiled and run here.

// README-BEGIN
import Husk

func captureOneSecond(of pid: Int32, while work: () -> Void) throws -> [Page] {
    let tracer = Tracer(pid: pid)
    try tracer.start()  // from here on, nothing is missed
    work()
    try? Task.sleepOneSecond()
    let pages = try tracer.stop()
    for page in pages {
        print(page.address, page.protectionAfter, page.generation, page.content?.prefix(6) ?? [])
    }
    return pages
}
// README-END

extension Task where Success == Never, Failure == Never {
    /// Blocks, as a command-line tool may.
    static func sleepOneSecond() throws {
        let clock = ContinuousClock()
        let end = clock.now + .seconds(1)
        while clock.now < end {}
    }
}
