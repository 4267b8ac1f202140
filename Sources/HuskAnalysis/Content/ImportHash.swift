// SPDX-License-Identifier: MIT
internal import Crypto
internal import HuskModel

extension ImportHash {
    /// Of an ELF's undefined symbols.
    init(ofELF symbols: [TargetText]) {
        let sorted = symbols.map(\.bytes).sorted { $0.lexicographicallyPrecedes($1) }
        let joined = Array(sorted.joined(separator: [UInt8(ascii: ",")]))
        self.init(kind: .elfImports, value: Digest(of: joined).hexadecimal)
    }

    /// Of a PE's imports, in their order, as pefile's `get_imphash` has defined it.
    ///
    /// Nil: there are none, or one is by a number whose name the definition wants and Husk does
    /// not know: another value than pefile's would be worse than none.
    init?(ofPE imports: [PEImport]) {
        guard !imports.isEmpty else { return nil }
        var text: [UInt8] = []
        for entry in imports {
            let library = Self.lowercased(entry.library)
            let name: [UInt8]
            switch entry.function {
            case .name(let function): name = Self.lowercased(function)
            case .ordinal(let number):
                guard let known = Self.name(of: number, in: library) else { return nil }
                name = Array(known.utf8)
            }
            if !text.isEmpty { text.append(UInt8(ascii: ",")) }
            text += Self.stem(of: library) + [UInt8(ascii: ".")] + name
        }
        // MD5 because the definition says so; nothing relies on its strength.
        let hash = Insecure.MD5.hash(data: text)
        let digits = Array("0123456789abcdef".utf8)
        var value: [UInt8] = []
        for byte in hash {
            value.append(digits[Int(byte >> 4)])
            value.append(digits[Int(byte & 15)])
        }
        self.init(kind: .imphash, value: String(decoding: value, as: UTF8.self))
    }

    private static func lowercased(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        bytes.map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 }
    }

    /// Without the extension, if it is one of three.
    private static func stem(of library: [UInt8]) -> [UInt8] {
        for suffix in [".dll", ".ocx", ".sys"] where library.count >= suffix.utf8.count {
            if library.suffix(suffix.utf8.count).elementsEqual(suffix.utf8) {
                return Array(library.dropLast(suffix.utf8.count))
            }
        }
        return library
    }

    /// The definition names functions of Winsock and OLE Automation that are imported by number;
    /// those of others are `ordN`.
    private static func name(of number: UInt16, in library: [UInt8]) -> String? {
        switch String(decoding: library, as: UTF8.self) {
        case "ws2_32.dll": winsock[number]
        // The older library has three of them in another order.
        case "wsock32.dll": oldWinsock[number] ?? winsock[number]
        case "oleaut32.dll": nil
        default: "ord\(number)"
        }
    }

    private static let oldWinsock: [UInt16: String] = [
        10: "inet_addr", 11: "inet_ntoa", 12: "ioctlsocket",
    ]

    /// Windows' own numbers for the calls of Winsock 1.1, which have never changed.
    private static let winsock: [UInt16: String] = [
        1: "accept", 2: "bind", 3: "closesocket", 4: "connect", 5: "getpeername",
        6: "getsockname", 7: "getsockopt", 8: "htonl", 9: "htons", 10: "ioctlsocket",
        11: "inet_addr", 12: "inet_ntoa", 13: "listen", 14: "ntohl", 15: "ntohs", 16: "recv",
        17: "recvfrom", 18: "select", 19: "send", 20: "sendto", 21: "setsockopt",
        22: "shutdown", 23: "socket", 51: "gethostbyaddr", 52: "gethostbyname",
        53: "getprotobyname", 54: "getprotobynumber", 55: "getservbyname", 56: "getservbyport",
        57: "gethostname", 101: "wsaasyncselect", 102: "wsaasyncgethostbyaddr",
        103: "wsaasyncgethostbyname", 104: "wsaasyncgetprotobynumber",
        105: "wsaasyncgetprotobyname", 106: "wsaasyncgetservbyport",
        107: "wsaasyncgetservbyname", 108: "wsacancelasyncrequest", 109: "wsasetblockinghook",
        110: "wsaunhookblockinghook", 111: "wsagetlasterror", 112: "wsasetlasterror",
        113: "wsacancelblockingcall", 114: "wsaisblocking", 115: "wsastartup",
        116: "wsacleanup", 151: "__wsafdisset",
    ]
}
