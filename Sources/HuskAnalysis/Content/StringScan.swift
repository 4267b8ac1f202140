// SPDX-License-Identifier: MIT
public import HuskModel

/// A printable string in a target's memory.
public struct FoundString: Hashable, Sendable {
    /// How its characters are stored.
    public enum Encoding: String, Hashable, Sendable, CaseIterable {
        case ascii
        /// Two bytes a character, the low one first, as Windows programs have it.
        case utf16LittleEndian = "utf-16le"
        /// ASCII with longer sequences between.
        case utf8 = "utf-8"
    }

    /// Of its first byte.
    public var address: Address
    /// In bytes of memory, of all of it.
    public var length: UInt64
    public var encoding: Encoding
    /// The characters, as ASCII or UTF-8; of a string beyond ``StringScan/textLimit``, the
    /// beginning.
    public var text: TargetText
    /// ``text`` is only the beginning.
    public var isCut: Bool

    public init(
        address: Address, length: UInt64, encoding: Encoding, text: TargetText, isCut: Bool = false
    ) {
        self.address = address
        self.length = length
        self.encoding = encoding
        self.text = text
        self.isCut = isCut
    }
}

/// Finds strings in memory that is given in chunks, as strings(1) does.
///
/// Chunks that follow each other in address are one run: a string across their border is found
/// once. A chunk elsewhere begins a new run. Results come in the order in which strings end;
/// memory that is used does not grow with the input.
///
/// As for strings(1), characters are the printable ASCII ones and the tab; UTF-16 strings are
/// found at even and at odd addresses.
public struct StringScan: Sendable {
    /// How many characters of one string are kept; the rest is counted.
    public static let textLimit = 16_384

    private let minimum: Int
    private let encodings: Set<FoundString.Encoding>
    private var found: [FoundString] = []
    private var next: Address?
    private var narrow: Collector
    /// Of pairs that begin at an even address, and at an odd one.
    private var wide: [Collector]
    private var previous: UInt8?
    private var sequence = UTF8Sequence()

    /// - Parameters:
    ///   - minimum: characters that a string has at least; less than 1 is taken as 1.
    ///   - encodings: with `utf8`, what is ASCII only is told as `ascii` if that is asked for too.
    public init(
        minimum: Int = 4, encodings: Set<FoundString.Encoding> = [.ascii, .utf16LittleEndian]
    ) {
        self.minimum = max(1, minimum)
        self.encodings = encodings
        narrow = Collector()
        wide = [Collector(), Collector()]
    }

    /// All strings of one contiguous run, by address; at most `limit` of them.
    public static func strings(
        in bytes: ArraySlice<UInt8>, at base: Address, minimum: Int = 4,
        encodings: Set<FoundString.Encoding> = [.ascii, .utf16LittleEndian], limit: Int = 1_000_000
    ) -> [FoundString] {
        var scan = StringScan(minimum: minimum, encodings: encodings)
        let found = scan.take(bytes, at: base) + scan.finish()
        let sorted = found.sorted { ($0.address, $0.length) < ($1.address, $1.length) }
        return Array(sorted.prefix(max(0, limit)))
    }

    /// Takes the next chunk; returns the strings that have ended by it.
    public mutating func take(_ bytes: ArraySlice<UInt8>, at base: Address) -> [FoundString] {
        guard !bytes.isEmpty else { return [] }
        if let next, next != base { endRun() }
        let takesNarrow = encodings.contains(.ascii) || encodings.contains(.utf8)
        let takesUTF8 = encodings.contains(.utf8)
        let takesWide = encodings.contains(.utf16LittleEndian)
        var address = base
        for byte in bytes {
            if takesUTF8 {
                takeUTF8(byte, at: address)
            } else if takesNarrow {
                if Self.isPrintable(byte) {
                    narrow.add(byte, at: address)
                } else if narrow.characters > 0 {
                    endNarrow()
                }
            }
            if takesWide { takeWide(byte, at: address) }
            address = address.advanced(by: 1)
        }
        next = address
        defer { found = [] }
        return found
    }

    /// Ends the run; returns what was open. Call it when nothing more comes.
    public mutating func finish() -> [FoundString] {
        endRun()
        defer { found = [] }
        return found
    }

    private mutating func endRun() {
        sequence = UTF8Sequence()
        endNarrow()
        endWide(0)
        endWide(1)
        previous = nil
        next = nil
    }

    // MARK: One byte

    private mutating func takeWide(_ byte: UInt8, at address: Address) {
        // The pair that ends here began at the address before.
        defer { previous = byte }
        guard let low = previous else { return }
        let index = Int((address.rawValue &- 1) & 1)
        if byte == 0, Self.isPrintable(low) {
            wide[index].add(low, at: Address(address.rawValue &- 1), bytes: 2)
        } else if wide[index].characters > 0 {
            endWide(index)
        }
    }

    private mutating func takeUTF8(_ byte: UInt8, at address: Address) {
        switch sequence.take(byte) {
        case .ascii(let byte) where Self.isPrintable(byte):
            narrow.add(byte, at: address)
        case .scalar(let scalar, let bytes) where Self.isPrintable(scalar):
            let start = Address(address.rawValue &- UInt64(bytes.count - 1))
            narrow.add(bytes, at: start)
        case .partial:
            break
        case .ascii, .scalar:
            endNarrow()
        case .invalid(let again):
            endNarrow()
            if again { takeUTF8(byte, at: address) }
        }
    }

    private mutating func endNarrow() {
        defer { narrow.clear() }
        guard narrow.characters >= minimum else { return }
        let encoding: FoundString.Encoding =
            narrow.isASCII && encodings.contains(.ascii) ? .ascii : .utf8
        tell(narrow, encoding)
    }

    private mutating func endWide(_ index: Int) {
        defer { wide[index].clear() }
        guard wide[index].characters >= minimum else { return }
        tell(wide[index], .utf16LittleEndian)
    }

    private mutating func tell(_ collector: Collector, _ encoding: FoundString.Encoding) {
        found.append(
            FoundString(
                address: collector.start, length: collector.length, encoding: encoding,
                text: TargetText(bytes: collector.text), isCut: collector.isCut))
    }

    private static func isPrintable(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte < 0x7F || byte == 0x09
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator,
            .paragraphSeparator:
            false
        default: true
        }
    }
}

/// A string that may go on.
private struct Collector: Sendable {
    private(set) var start: Address = 0
    private(set) var length: UInt64 = 0
    private(set) var characters = 0
    private(set) var text: [UInt8] = []
    private(set) var isASCII = true
    private(set) var isCut = false

    mutating func add(_ byte: UInt8, at address: Address, bytes: UInt64 = 1) {
        begin(at: address)
        length += bytes
        if text.count < StringScan.textLimit { text.append(byte) } else { isCut = true }
    }

    mutating func add(_ sequence: [UInt8], at address: Address) {
        begin(at: address)
        length += UInt64(sequence.count)
        isASCII = false
        if text.count + sequence.count <= StringScan.textLimit, !isCut {
            text += sequence
        } else {
            isCut = true
        }
    }

    private mutating func begin(at address: Address) {
        if characters == 0 { start = address }
        characters += 1
    }

    mutating func clear() {
        guard characters > 0 else { return }
        self = Collector()
    }
}

/// A UTF-8 sequence, as its bytes come.
private struct UTF8Sequence: Sendable {
    enum Step {
        case ascii(UInt8)
        case partial
        case scalar(Unicode.Scalar, [UInt8])
        /// `again`: this byte may begin something itself.
        case invalid(again: Bool)
    }

    private var bytes: [UInt8] = []
    private var expected = 0

    mutating func take(_ byte: UInt8) -> Step {
        if bytes.isEmpty {
            switch byte {
            case 0..<0x80: return .ascii(byte)
            case 0xC2...0xDF: expected = 2
            case 0xE0...0xEF: expected = 3
            case 0xF0...0xF4: expected = 4
            default: return .invalid(again: false)
            }
            bytes.append(byte)
            return .partial
        }
        guard byte & 0xC0 == 0x80 else {
            bytes = []
            return .invalid(again: true)
        }
        bytes.append(byte)
        guard bytes.count == expected else { return .partial }
        defer { bytes = [] }
        // Overlong forms and surrogates are refused here.
        guard let scalar = String(validating: bytes, as: UTF8.self)?.unicodeScalars.first else {
            return .invalid(again: false)
        }
        return .scalar(scalar, bytes)
    }
}
