// SPDX-License-Identifier: MIT
import Foundation
import HuskModel

@testable import HuskCapture

extension FuzzEntry {
    /// Names that a target chooses.
    static let text = FuzzEntry(name: "text", largestInput: 512) { bytes in
        let text = TargetText(bytes: bytes)
        let escaped = text.escaped
        try holdPlain(escaped, "escaped text")
        try hold(TargetText(escaped: escaped) == text, "\(escaped) is another text: \(bytes)")
        // Any text that someone else has written, too.
        let other = String(decoding: bytes, as: UTF8.self)
        try holdPlain(TargetText(escaped: other).escaped, "text that was escaped again")
        for value in [escaped, other] {
            let line = try LineEncoder.encode([value])
            try hold(!line.contains { $0 < 0x20 || $0 == 0x7F }, "a JSON line has control bytes")
            let read = try JSONSerialization.jsonObject(with: Data(line)) as? [String]
            try hold(
                read.map { $0.map { Array($0.utf8) } } == [Array(value.utf8)],
                "\(Array(value.utf8)) is read as \(read.debugDescription)")
        }
    }
}
