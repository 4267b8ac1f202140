// SPDX-License-Identifier: MIT
public import HuskModel

/// A program or library that lies within other bytes.
///
/// Everything here is what the image's own headers say; ``contradictions`` says where they cannot
/// be true.
public struct CarvedImage: Hashable, Sendable {
    /// What kind of image.
    public enum Format: String, Hashable, Sendable, CaseIterable {
        case elf, pe
    }

    /// How it lies there.
    public enum Layout: String, Hashable, Sendable, CaseIterable {
        /// As in a file.
        case file
        /// As a loader spreads it out.
        case memory
    }

    public var format: Format
    public var layout: Layout
    /// From the first byte that was searched.
    public var offset: UInt64
    public var address: Address
    public var is64Bit: Bool
    /// `e_machine` of an ELF, `Machine` of a PE.
    public var machine: UInt16
    /// `executable`, `shared-object` (and position-independent executables), `object`, `core`;
    /// `dll`, `executable` of a PE.
    public var type: String
    /// In bytes, as the headers say for this layout.
    public var claimedSize: UInt64
    /// The part of them that is there.
    public var availableSize: UInt64
    /// Relative to the image for a PE, as in the header for an ELF; nil: it has none.
    public var entry: UInt64?
    /// DT_NEEDED, or the DLLs.
    public var libraries: [TargetText] = []
    /// Undefined symbols; `dll!name` (or `dll!ordN`) of a PE. In the order of the tables.
    public var imports: [TargetText] = []
    public var importHash: ImportHash?
    /// Where the headers cannot be true, in words.
    public var contradictions: [String] = []

    public init(
        format: Format, layout: Layout, offset: UInt64, address: Address, is64Bit: Bool,
        machine: UInt16, type: String, claimedSize: UInt64, availableSize: UInt64,
        entry: UInt64? = nil, libraries: [TargetText] = [], imports: [TargetText] = [],
        importHash: ImportHash? = nil, contradictions: [String] = []
    ) {
        self.format = format
        self.layout = layout
        self.offset = offset
        self.address = address
        self.is64Bit = is64Bit
        self.machine = machine
        self.type = type
        self.claimedSize = claimedSize
        self.availableSize = availableSize
        self.entry = entry
        self.libraries = libraries
        self.imports = imports
        self.importHash = importHash
        self.contradictions = contradictions
    }

    /// The word for ``machine``: `x86-64`, `aarch64`, ...; hexadecimal for others.
    public var machineName: String {
        let names: [UInt16: String] =
            switch format {
            case .elf:
                [
                    3: "x86", 8: "mips", 20: "powerpc", 21: "powerpc64", 40: "arm", 62: "x86-64",
                    183: "aarch64", 243: "riscv",
                ]
            case .pe: [0x14C: "x86", 0x8664: "x86-64", 0x1C4: "arm", 0xAA64: "aarch64"]
            }
        return names[machine] ?? "0x" + String(machine, radix: 16)
    }

    /// One line for people: `ELF64 x86-64 shared-object, 16384 bytes`.
    public var summary: String {
        let size =
            availableSize < claimedSize
            ? "\(availableSize) of \(claimedSize) bytes" : "\(claimedSize) bytes"
        return "\(format == .elf ? "ELF" : "PE")\(is64Bit ? "64" : "32") \(machineName) \(type) in "
            + "\(layout) layout, \(size)"
    }
}

/// Tells images with the same imports.
public struct ImportHash: Hashable, Sendable {
    /// Which of the two hashes it is.
    public enum Kind: String, Hashable, Sendable, CaseIterable {
        /// The MD5 that pefile and others call so: of `dll.function` in lower case with commas
        /// between.
        case imphash
        /// Husk's own: the SHA-256 of an ELF's undefined symbols, sorted, with commas between.
        /// It is not telfhash.
        case elfImports = "elf-imports-sha256"
    }

    public var kind: Kind
    /// Lower-case hexadecimal.
    public var value: String

    public init(
        kind: Kind, value: String
    ) {
        self.kind = kind
        self.value = value
    }
}
