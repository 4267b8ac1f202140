// SPDX-License-Identifier: MIT
// read-capture FILE: lists the code of a capture file (`husk run -o FILE`) that is in anonymous
// memory, each version of each page with its SHA-256. Needs no root, no BPF, no target.

import Foundation
import HuskCapture
import HuskModel

guard CommandLine.arguments.count == 2 else {
    print("usage: read-capture FILE")
    exit(64)
}

do {
    // ARTICLE-BEGIN read-capture
    let capture = try CaptureFile(path: CommandLine.arguments[1])
    print(
        capture.info.command?.joined(separator: " ") ?? "attached",
        capture.info.isCompleteByItsNumbers ? "complete" : "INCOMPLETE")
    try capture.forEachRegion { region in
        guard region.life.backing == .anonymous else { return true }
        let life = region.life
        print("r\(life.id)", life.task.pid, life.start, life.length, life.protection)
        try capture.forEachSnapshot(region: life.id) { snapshot in
            let page = snapshot.page
            guard let content = snapshot.content else {
                print("  page", page.address, "generation", page.generation, "not readable")
                return true
            }
            // Checked against the SHA-256 that the file has for it.
            let bytes = try capture.bytes(of: content)
            print(
                "  page", page.address, "generation", page.generation,
                Digest(of: bytes).hexadecimal)
            return true  // false: no more
        }
        return true
    }
    // ARTICLE-END
} catch let error as CaptureFileError {
    print("read-capture: \(error)\(error.hint.map { " (\($0))" } ?? "")")
    exit(1)
}
