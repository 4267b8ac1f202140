// SPDX-License-Identifier: MIT
import Foundation
import HuskAnalysis
import HuskModel
import Testing

@Suite("YARA")
struct YaraTests {
    private static let rules = """
        rule Packer : upx stub {
            meta:
                author = "husk"
                level = 3
                old = true
            strings:
                $a = "UPX!"
                $b = { 60 BE ?? ?? ?? ?? 8D BE }
            condition: any of them
        }
        """

    @Test("a match has name, namespace, tags, metas and addresses")
    func match() throws {
        let scanner = try YaraScanner(try YaraRules(text: Self.rules, namespace: "packers"))
        var bytes = [UInt8](repeating: 0, count: 4096)
        bytes.replaceSubrange(100..<104, with: Array("UPX!".utf8))
        let scan = try scanner.scan([YaraBlock(base: 0x7F00_0000_1000, bytes: bytes)])
        #expect(
            scan.matches == [
                YaraMatch(
                    rule: "Packer", namespace: "packers", tags: ["upx", "stub"],
                    metas: [
                        YaraMatch.Meta(name: "author", value: .text("husk")),
                        YaraMatch.Meta(name: "level", value: .integer(3)),
                        YaraMatch.Meta(name: "old", value: .boolean(true)),
                    ],
                    strings: [
                        YaraMatch.StringMatch(
                            identifier: "$a", address: 0x7F00_0000_1064, length: 4,
                            data: Array("UPX!".utf8))
                    ])
            ])
        #expect(!scan.isCut)
        // The scanner can be used again, and forgets.
        #expect(try scanner.scan([YaraBlock(base: 0, bytes: [1, 2, 3])]).matches.isEmpty)
        #expect(try scanner.scan([]).matches.isEmpty)
    }

    @Test("a string across a page border is found in a run, not in two pages apart")
    func border() throws {
        let rules = try YaraRules(
            text: "rule border { strings: $a = \"across the border\" condition: $a }")
        let scanner = try YaraScanner(rules)
        var run = [UInt8](repeating: 0, count: 8192)
        run.replaceSubrange(4090..<4107, with: Array("across the border".utf8))
        let whole = try scanner.scan([YaraBlock(base: 0x5000, bytes: run)])
        #expect(whole.matches.first?.strings.map(\.address) == [0x5FFA])
        let apart = try scanner.scan([
            YaraBlock(base: 0x5000, bytes: Array(run[..<4096])),
            YaraBlock(base: 0x6000, bytes: Array(run[4096...])),
        ])
        #expect(apart.matches.isEmpty)
    }

    @Test("a rule may need strings of several blocks, and addresses are virtual")
    func blocks() throws {
        let rules = try YaraRules(
            text: """
                rule both { strings: $a = "first" $b = "second" condition: all of them }
                rule place { strings: $a = "second" condition: $a at 0x900001 }
                rule word { condition: uint32(0x900001) == 0x6F636573 }
                """)
        let scan = try YaraScanner(rules).scan([
            YaraBlock(base: 0x1000, bytes: Array("first".utf8)),
            YaraBlock(base: 0x900000, bytes: Array("_second".utf8)),
        ])
        #expect(scan.matches.map(\.rule) == ["both", "place", "word"])
    }

    @Test("a wrong rule is an error with file, line and message")
    func wrong() throws {
        try Bytes.inFolder { folder in
            let path = folder + "/wrong.yar"
            try "rule ok { condition: true }\nrule bad {\n  condition: $nothing }\n"
                .write(toFile: path, atomically: true, encoding: .utf8)
            let error = try #require(throws: YaraError.self) { try YaraRules(path: path) }
            #expect(error.kind == .compilation)
            #expect(error.file == path)
            #expect(error.line == 3)
            #expect(error.message.contains("\(path):3: undefined string \"$nothing\""))
            #expect(!error.hint.isEmpty)
        }
    }

    @Test("a folder's rules are all compiled, each file in a namespace of its own")
    func folder() throws {
        try Bytes.inFolder { folder in
            try FileManager.default.createDirectory(
                atPath: folder + "/sub", withIntermediateDirectories: true)
            let rule = "rule same { strings: $a = \"needle\" condition: $a }"
            for name in ["/b.yar", "/a.yara", "/sub/c.yar"] {
                try rule.write(toFile: folder + name, atomically: true, encoding: .utf8)
            }
            try "nothing".write(toFile: folder + "/readme.txt", atomically: true, encoding: .utf8)
            try "broken".write(toFile: folder + "/.hidden.yar", atomically: true, encoding: .utf8)
            // Links lead out of the folder: not followed.
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/link.yar", withDestinationPath: "/etc/passwd")
            try FileManager.default.createSymbolicLink(
                atPath: folder + "/loop", withDestinationPath: folder)
            let rules = try YaraRules(path: folder)
            #expect(rules.count == 3)
            let scan = try YaraScanner(rules).scan([
                YaraBlock(base: 0, bytes: Array("a needle".utf8))
            ])
            #expect(scan.matches.map(\.namespace) == ["a", "b", "sub/c"])
        }
    }

    @Test("include is refused, and so is what is no rules")
    func refused() throws {
        try Bytes.inFolder { folder in
            try "rule x { condition: true }".write(
                toFile: folder + "/x.yar", atomically: true, encoding: .utf8)
            try "include \"x.yar\"\n".write(
                toFile: folder + "/y.yar", atomically: true, encoding: .utf8)
            let include = try #require(throws: YaraError.self) { try YaraRules(path: folder) }
            #expect(include.kind == .compilation)
            #expect(include.file == folder + "/y.yar")
            #expect(include.hint.contains("no include"))

            let missing = try #require(throws: YaraError.self) {
                try YaraRules(path: folder + "/missing.yar")
            }
            #expect(missing.kind == .unreadable)
            try FileManager.default.createDirectory(
                atPath: folder + "/empty", withIntermediateDirectories: true)
            let empty = try #require(throws: YaraError.self) {
                try YaraRules(path: folder + "/empty")
            }
            #expect(empty.kind == .noRules)
            #expect(throws: YaraError.self) { try YaraRules(text: "// no rule") }
        }
    }

    @Test("a rule without end ends by the clock")
    func timeout() throws {
        let rules = try YaraRules(
            text: """
                rule endless {
                    condition:
                        for all i in (1..2000000000) : ( for all j in (1..2000000000) : ( i + j > 0 ) )
                }
                """)
        let scanner = try YaraScanner(rules, timeout: .seconds(1))
        let clock = ContinuousClock()
        let took = try clock.measure {
            let error = try #require(throws: YaraError.self) {
                _ = try scanner.scan([
                    YaraBlock(base: 0, bytes: [UInt8](repeating: 0x61, count: 65_536))
                ])
            }
            #expect(error.kind == .timeout)
        }
        #expect(took < .seconds(20))
    }

    @Test("a regular expression that explodes is refused by name, and does not hang")
    func complexity() throws {
        let rules = try YaraRules(
            text: "rule explodes { strings: $a = /a.{1,500}.{1,500}.{1,500}z/s condition: $a }")
        let error = try #require(throws: YaraError.self) {
            _ = try YaraScanner(rules, timeout: .seconds(5)).scan([
                YaraBlock(base: 0, bytes: [UInt8](repeating: 0x61, count: 65_536))
            ])
        }
        #expect(error.kind == .tooComplex)
        #expect(error.message.contains("(explodes, $a)"))
    }

    @Test("string matches are bounded and the rest is counted")
    func limits() throws {
        let rules = try YaraRules(text: "rule many { strings: $a = \"ab\" condition: $a }")
        let bytes = [UInt8]((0..<5000).flatMap { _ in [0x61, 0x62] as [UInt8] })
        let match = try #require(
            try YaraScanner(rules).scan([YaraBlock(base: 0, bytes: bytes)]).matches.first)
        #expect(match.strings.count == YaraScanner.stringLimit)
        #expect(match.furtherStrings == 4000)
        let long = try YaraRules(text: "rule long { strings: $a = /a[^z]{200}/ condition: $a }")
        let data = try #require(
            try YaraScanner(long).scan([
                YaraBlock(base: 0, bytes: [UInt8](repeating: 0x61, count: 300))
            ]).matches.first?.strings.first)
        #expect(data.length == 201)
        #expect(data.data.count == YaraScanner.dataLimit)
    }

    @Test("memory that cannot be read is an error, not a miss")
    func unreadable() throws {
        struct Gone: Error {}
        let scanner = try YaraScanner(try YaraRules(text: Self.rules))
        let error = try #require(throws: YaraError.self) {
            _ = try scanner.scan([
                YaraBlock(base: 0x1000, length: 10) { [UInt8](repeating: 0, count: 10) },
                YaraBlock(base: 0x2000, length: 10) { throw Gone() },
            ])
        }
        #expect(error.kind == .memory)
        #expect(throws: YaraError.self) {
            _ = try scanner.scan([YaraBlock(base: 0, length: 4) { [1] }])
        }
    }
}
