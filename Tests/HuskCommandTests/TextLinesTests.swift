// SPDX-License-Identifier: MIT
import Husk
import Testing

@testable import HuskCommand

@Suite("What people read")
struct TextLinesTests {
    @Test(
        "sizes have a binary unit",
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (4096, "4 KiB"), (1_400_832, "1.3 MiB"),
            (512 << 30, "512 GiB"), (UInt64.max, "15 EiB"),
        ])
    func sizes(_ bytes: UInt64, _ text: String) {
        #expect(TextLines.size(bytes) == text)
    }

    @Test(
        "spans of time are read as people write them",
        arguments: [
            ("5", 5.0), ("1.5", 1.5), ("500ms", 0.5), ("10s", 10), ("2m", 120), ("1h", 3600),
        ])
    func timeSpans(_ text: String, _ seconds: Double) {
        #expect(TimeSpan(argument: text)?.duration == .milliseconds(Int64(seconds * 1000)))
    }

    @Test(
        "nonsense is no span of time",
        arguments: ["", "s", "-1", "0", "1d", "nan", "inf", "1e400", "9e99h", "1s2"])
    func badTimeSpans(_ text: String) {
        #expect(TimeSpan(argument: text) == nil)
    }

    @Test("sizes are read with a unit or without")
    func byteSizes() {
        #expect(ByteSize(argument: "65536")?.bytes == 65536)
        #expect(ByteSize(argument: "64k")?.bytes == 65536)
        #expect(ByteSize(argument: "1G")?.bytes == 1 << 30)
        for text in ["", "K", "-1", "0", "1T", "99999999999G", "1.5M", "64ß", "64ﬁ"] {
            #expect(ByteSize(argument: text) == nil, "took \(text)")
        }
    }
}
