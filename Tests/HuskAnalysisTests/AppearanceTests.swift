// SPDX-License-Identifier: MIT
import HuskAnalysis
import HuskModel
import Testing

@Suite("Appearance and entropy")
struct AppearanceTests {
    private func kind(_ bytes: [UInt8]) -> Appearance.Kind { Appearance(of: bytes[...]).kind }

    @Test("entropy is 0 for one value, 1 for two, 8 for all, and follows blocks")
    func entropy() {
        #expect(Entropy.bitsPerByte([UInt8]()) == 0)
        #expect(Entropy.bitsPerByte([UInt8](repeating: 7, count: 100)) == 0)
        #expect(Entropy.bitsPerByte([0, 1, 0, 1]) == 1)
        #expect(Entropy.bitsPerByte(Array(0...255)) == 8)
        #expect(Entropy.bitsPerByte(Bytes.random(4096)) > 7.9)
        let mixed = [UInt8](repeating: 0, count: 256) + Array(0...255) + [1, 2]
        #expect(Entropy.blocks(of: mixed[...], blockSize: 256) == [0, 8, 1])
        #expect(Entropy.blocks(of: mixed[...], blockSize: 1, limit: 3).count == 3)
        #expect(Entropy.blocks(of: mixed[...], blockSize: .max, limit: 3).count == 1)
        #expect(Entropy.blocks(of: mixed[...], blockSize: 0).isEmpty)
    }

    @Test("the C library's code pages are code, its data and random pages are not")
    func pages() throws {
        let code = Bytes.pages(try Bytes.libcSection(".text"))
        let isCode = code.filter { Appearance(of: $0).kind.isCode }
        #expect(Double(isCode.count) >= Double(code.count) * 0.96, "\(isCode.count)/\(code.count)")
        // Capstone 4 does not know AVX-512, of which the string functions have some pages.
        // Loops of vector instructions are nearly the same in both word sizes.
        let narrow = code.filter { Appearance(of: $0).kind == .code32 }
        #expect(narrow.count <= code.count / 50, "\(narrow.count) taken for 32-bit code")
        let trained = code.filter { Appearance(of: $0).kind == .shellcode }
        #expect(trained.count <= code.count / 50, "\(trained.count) taken for shellcode")

        let data = Bytes.pages(try Bytes.libcSection(".rodata"))
        let wrong = data.filter { Appearance(of: $0).kind.isCode }
        #expect(wrong.count <= data.count / 20, "\(wrong.count)/\(data.count)")

        for seed in 1...200 as ClosedRange<UInt64> {
            #expect(kind(Bytes.random(4096, seed: seed)) == .highEntropy)
            #expect(!kind(Bytes.random(256, seed: seed)).isCode)
        }
    }

    @Test("32-bit code is told from 64-bit code")
    func wordSize() throws {
        let source = """
            unsigned crc(const unsigned char *p, unsigned n) {
                unsigned c = ~0u;
                while (n--) { c ^= *p++; for (int i = 0; i < 8; i++) c = c >> 1 ^ (c & 1 ? 7u : 0); }
                return ~c;
            }
            struct node { struct node *next; int key; };
            int find(struct node *n, int key, int *depth) {
                for (*depth = 0; n; n = n->next, ++*depth) if (n->key == key) return 1;
                return crc((void *)depth, 4) == 0;
            }
            """
        for (flag, expected) in [("-m32", Appearance.Kind.code32), ("-m64", .code64)] {
            for level in ["-O0", "-O1", "-O2"] {
                let code = try Bytes.text(of: source, flags: [flag, level])
                #expect(kind(code) == expected, "\(flag) \(level) \(Appearance(of: code[...]))")
            }
        }
        #expect(kind([0x55, 0x48, 0x89, 0xE5, 0xB8, 0x2A, 0, 0, 0, 0x5D, 0xC3]) == .code64)
    }

    @Test("the classic six bytes in an empty page are code")
    func classic() {
        let page = [0xB8, 0x2A, 0, 0, 0, 0xC3] + [UInt8](repeating: 0, count: 4090)
        let appearance = Appearance(of: page[...])
        #expect(appearance.kind == .code64)
        #expect(appearance.usedBytes == 6)
        #expect(appearance.reasons.first?.contains("decode as 64-bit") == true)
    }

    @Test("zeros, text, images and encrypted code are told apart")
    func kinds() throws {
        #expect(kind([]) == .zeros)
        #expect(kind([UInt8](repeating: 0, count: 4096)) == .zeros)
        #expect(kind(Array("Hello, world\n".utf8)) == .text)
        #expect(kind(Array("Grüße, 世界 und alle anderen\n".utf8)) == .text)
        #expect(kind(try Bytes.sharedObject()) == .elf)
        #expect(kind(SamplePE.file(wide: true)) == .pe)
        let code = Array(try Bytes.libcSection(".text").prefix(4096))
        #expect(kind(Bytes.rc4(code, key: [1, 2, 3, 4, 5])) == .highEntropy)
        #expect(!kind(code.map { $0 ^ 0x5A }).isCode)
        #expect(kind((0..<512).flatMap { [UInt8($0 & 255), 0, UInt8($0 >> 8), 0x80] }) == .data)
    }

    /// xor rsi,rsi; mul; movabs rbx,"/bin//sh"; push; execve
    private static let execve: [UInt8] =
        [0x48, 0x31, 0xF6, 0x56, 0x48, 0xBF] + Array("/bin//sh".utf8)
        + [0x57, 0x54, 0x5F, 0x6A, 0x3B, 0x58, 0x99, 0x0F, 0x05]

    @Test(
        "habits of shellcode are named",
        arguments: [
            ([0xE8, 0, 0, 0, 0, 0x58, 0x48, 0x83, 0xC0, 0x10, 0xFF, 0xD0], ShellcodeTrait.callPop),
            (
                [
                    0xEB, 0x05, 0x5E, 0x31, 0xC0, 0xFF, 0xE6, 0xE8, 0xF6, 0xFF, 0xFF, 0xFF, 0x90,
                    0x90,
                ],
                .callPop
            ),
            ([0xD9, 0xEE, 0xD9, 0x74, 0x24, 0xF4, 0x5B, 0x31, 0xC9, 0xB1, 0x10, 0x90], .fnstenv),
            (
                [0x64, 0xA1, 0x30, 0, 0, 0, 0x8B, 0x40, 0x0C, 0x8B, 0x70, 0x14, 0xAD, 0xC3],
                .processEnvironmentBlock
            ),
            (
                [0x65, 0x48, 0x8B, 0x04, 0x25, 0x60, 0, 0, 0, 0x48, 0x8B, 0x40, 0x18, 0xC3],
                .processEnvironmentBlock
            ),
            (
                [
                    0x65, 0x48, 0x8B, 0x52, 0x60, 0x48, 0x8B, 0x52, 0x18, 0x48, 0x8B, 0x52, 0x20,
                    0xC3,
                ],
                .processEnvironmentBlock
            ),
            (execve, .shellPath), (execve, .directCall),
            (
                [
                    0x31, 0xC0, 0x50, 0x68, 0x2F, 0x2F, 0x73, 0x68, 0x68, 0x2F, 0x62, 0x69, 0x6E,
                    0x89,
                    0xE3, 0xB0, 0x0B, 0xCD, 0x80,
                ], .shellPath
            ),
            ([UInt8](repeating: 0x90, count: 64) + execve, .sled),
        ] as [([UInt8], ShellcodeTrait)])
    func shellcode(_ bytes: [UInt8], _ trait: ShellcodeTrait) {
        let page = bytes + [UInt8](repeating: 0, count: 512)
        let appearance = Appearance(of: page[...])
        #expect(appearance.kind == .shellcode)
        #expect(appearance.traits.contains(trait))
        #expect(appearance.reasons.contains { $0.contains(trait.explanation) })
    }

    @Test("code full of addresses looks like that of a JIT")
    func jit() {
        // mov r10, 0x7f12345678xx; mov rax, [r10]; call rax
        let block: (UInt8) -> [UInt8] = {
            [0x49, 0xBA, $0, 0x78, 0x56, 0x34, 0x12, 0x7F, 0, 0, 0x49, 0x8B, 0x02, 0xFF, 0xD0]
        }
        #expect(kind((0..<30).flatMap { block($0) }) == .jitCode)
    }
}
