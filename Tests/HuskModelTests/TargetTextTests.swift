// SPDX-License-Identifier: MIT
import HuskModel
import Testing

@Suite("Text that a target controls")
struct TargetTextTests {
    @Test(
        "is shown so that it can do nothing to a terminal",
        arguments: [
            ("plain name.so", "plain name.so"),
            ("Größe/日本", "Größe/日本"),
            ("back\\slash", "back\\\\slash"),
            ("two\nlines", "two\\x0alines"),
            ("\u{1B}[31mred\u{07}", "\\x1b[31mred\\x07"),
            ("C1 \u{9B}31m", "C1 \\xc2\\x9b31m"),
            ("a\u{202E}txt.exe", "a\\xe2\\x80\\xaetxt.exe"),
            ("zero\u{200B}width", "zero\\xe2\\x80\\x8bwidth"),
            ("e\u{301}", "e\\xcc\\x81"),
        ])
    func escapes(_ raw: String, _ shown: String) {
        #expect(TargetText(raw).escaped == shown)
    }

    @Test("keeps bytes that are not UTF-8, and shows them as bytes")
    func invalidUTF8() {
        #expect(TargetText(bytes: [0x61, 0xFF, 0x62]).escaped == "a\\xffb")
        #expect(TargetText(bytes: [0xC3]).escaped == "\\xc3")  // cut off
        #expect(TargetText(bytes: [0xC0, 0xAF]).escaped == "\\xc0\\xaf")  // overlong
        #expect(TargetText(bytes: [0xED, 0xA0, 0x80]).escaped == "\\xed\\xa0\\x80")  // surrogate
        #expect(TargetText(bytes: [0xF4, 0x90, 0x80, 0x80]).escaped == "\\xf4\\x90\\x80\\x80")
    }
}
