// SPDX-License-Identifier: MIT
// The library example of README.md. `make check` compares the lines between the marks with
// the README, so that what people copy is what is compiled and run here.

// README-BEGIN
import Husk

func capturePages(of pid: Int32, during time: Duration) async throws -> [Page] {
    let tracer = Tracer(pid: pid)
    try tracer.start()  // from here on, nothing is missed
    try await Task.sleep(for: time)
    let pages = try tracer.stop()
    for page in pages {
        print(page.address, page.protectionAfter, page.generation, page.content?.prefix(6) ?? [])
    }
    return pages
}
// README-END
