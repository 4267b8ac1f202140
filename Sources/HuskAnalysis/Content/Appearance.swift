// SPDX-License-Identifier: MIT

/// What bytes look like, and why it is thought so.
///
/// A guess from the bytes alone, of the beginning of a region or of one page: not a verdict. The
/// facts are there so that a person can think otherwise.
public struct Appearance: Hashable, Sendable {
    /// What bytes can look like.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// Nothing but zeros, or no bytes at all.
        case zeros
        /// Begins with an ELF header.
        case elf
        /// Begins with a DOS header that leads to a PE header.
        case pe
        /// Printable characters.
        case text
        /// Has a habit of shellcode (``Appearance/traits``).
        case shellcode
        case code64 = "x86-64-code"
        case code32 = "x86-32-code"
        /// x86-64 code with whole addresses in it, as JIT compilers emit it.
        case jitCode = "jit-code"
        /// Compressed or encrypted.
        case highEntropy = "high-entropy"
        /// None of these.
        case data

        /// Something that a CPU would run.
        public var isCode: Bool {
            switch self {
            case .shellcode, .code64, .code32, .jitCode: true
            case .zeros, .elf, .pe, .text, .highEntropy, .data: false
            }
        }
    }

    public var kind: Kind
    /// In bits per byte, without the padding.
    public var entropy: Double
    /// Bytes from the first to the last that are not padding (zeros).
    public var usedBytes: Int
    /// Of the sampled bytes, the part that decodes as instructions, from 0 to 1.
    public var decodedShare: Double
    /// Of these instructions, the part that is of the usual kinds, from 0 to 1.
    public var typicalShare: Double
    /// Habits of shellcode, in the order of their place.
    public var traits: [ShellcodeTrait]
    /// What led to ``kind``, in words, the most telling first.
    public var reasons: [String]

    /// Above this, bytes are called compressed or encrypted. Of 4096 random bytes the entropy is
    /// 7.95; of code pages here 6.7 at most.
    public static let highEntropy = 7.2
    /// Fewer bytes cannot have a high entropy.
    public static let entropySample = 512

    /// How many bytes are considered, from the first one on.
    public static let consideredBytes = 65_536

    /// Looks at the beginning of `bytes`: ``consideredBytes`` of them.
    public init(of bytes: ArraySlice<UInt8>) {
        let considered = bytes.prefix(Self.consideredBytes)
        let first = considered.firstIndex { $0 != 0 } ?? considered.endIndex
        let last = considered.lastIndex { $0 != 0 }.map { $0 + 1 } ?? first
        let used = considered[first..<last]
        let counts = Entropy.counts(of: used)
        kind = .data
        entropy = Entropy.bitsPerByte(counts: counts)
        usedBytes = used.count
        decodedShare = 0
        typicalShare = 0
        traits = []
        reasons = []
        guard !used.isEmpty else {
            kind = .zeros
            reasons = [
                considered.isEmpty ? "no bytes" : "all \(considered.count) bytes are zero"
            ]
            return
        }
        if judgeHeader(considered) || judgeText(used, counts) { return }
        judgeCode(used)
    }

    private mutating func judgeHeader(_ bytes: ArraySlice<UInt8>) -> Bool {
        let image = ImageBytes(bytes)
        if image.matches([0x7F, 0x45, 0x4C, 0x46], at: 0), let fileClass = image.byte(at: 4),
            fileClass == 1 || fileClass == 2
        {
            kind = .elf
            reasons = ["begins with an ELF\(fileClass == 2 ? 64 : 32) header"]
            return true
        }
        if image.matches([0x4D, 0x5A], at: 0), let place = image.word(at: 0x3C),
            image.matches([0x50, 0x45, 0, 0], at: UInt64(place))
        {
            kind = .pe
            reasons = ["begins with MZ, and a PE header is at offset \(place)"]
            return true
        }
        return false
    }

    private mutating func judgeText(_ used: ArraySlice<UInt8>, _ counts: [Int]) -> Bool {
        var printable = counts[0x20..<0x7F].reduce(0, +) + counts[9] + counts[10] + counts[13]
        // UTF-8 beyond ASCII, if all of it is valid.
        let high = counts[0x80...].reduce(0, +)
        if high > 0, high < used.count / 2, String(validating: used, as: UTF8.self) != nil {
            printable += high
        }
        // Strings side by side have zeros between.
        let zeros = min(counts[0], printable / 4)
        let share = Double(printable + zeros) / Double(used.count)
        guard share >= 0.95, used.count >= 4 else { return false }
        kind = .text
        reasons = ["\(percent(share)) of \(used.count) bytes are printable"]
        return true
    }

    private mutating func judgeCode(_ used: ArraySlice<UInt8>) {
        let wide = CodeLikeness(of: used, bits32: false)
        let narrow = CodeLikeness(of: used, bits32: true)
        let isNarrow = Self.isNarrow(wide: wide, narrow: narrow)
        let likeness = isNarrow ? narrow : wide
        decodedShare = likeness.decodedShare
        typicalShare = likeness.typicalShare
        let found = ShellcodeTraits.find(in: used)
        let isDense = entropy >= Self.highEntropy && used.count >= Self.entropySample
        let isCode = likeness.looksLikeCode && !isDense
        // In random bytes of a page, short patterns occur by chance: once in 2^16 places.
        if !found.isEmpty, !isDense, isCode || found.count > 1 || likeness.decodedShare > 0.9 {
            kind = .shellcode
            traits = found.sorted { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) }
                .map(\.key)
            reasons = traits.map { "\($0.explanation) (offset \(found[$0] ?? 0))" }
            reasons.append(describe(likeness, isNarrow))
            return
        }
        if isCode {
            kind = isNarrow ? .code32 : .code64
            reasons = [describe(likeness, isNarrow)]
            if !isNarrow, likeness.embeddedAddresses >= 3, likeness.embeddedAddressShare >= 0.03 {
                kind = .jitCode
                reasons.append("\(likeness.embeddedAddresses) of the instructions load an address")
            }
            return
        }
        if isDense {
            kind = .highEntropy
            reasons = ["entropy \(rounded(entropy)) bits per byte over \(used.count) bytes"]
            return
        }
        reasons = ["entropy \(rounded(entropy))", describe(likeness, isNarrow)]
    }

    /// 64-bit code in 32-bit eyes has a `dec eax` in front of many instructions; 32-bit code in
    /// 64-bit eyes has no REX prefixes.
    private static func isNarrow(wide: CodeLikeness, narrow: CodeLikeness) -> Bool {
        guard narrow.looksLikeCode else { return false }
        guard wide.looksLikeCode else { return wide.wideShare < 0.1 }
        // Compiled 64-bit code has it in front of every third instruction. Too few instructions
        // tell nothing, and 64 bits are usual.
        return wide.instructions >= 24 && wide.wideShare < 0.08
    }

    private func describe(_ likeness: CodeLikeness, _ isNarrow: Bool) -> String {
        "\(percent(likeness.decodedShare)) of \(likeness.sampled) sampled bytes decode as "
            + "\(isNarrow ? 32 : 64)-bit instructions, \(percent(likeness.typicalShare)) of "
            + "\(likeness.instructions) of the usual kinds"
    }

    private func percent(_ share: Double) -> String { "\(Int((share * 100).rounded()))%" }
    private func rounded(_ value: Double) -> String {
        let tenths = Int((value * 100).rounded())
        return "\(tenths / 100).\(tenths % 100 < 10 ? "0" : "")\(tenths % 100)"
    }
}
