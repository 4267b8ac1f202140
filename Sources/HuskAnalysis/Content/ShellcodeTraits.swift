// SPDX-License-Identifier: MIT

/// A habit of position-independent payloads that ordinary code does not have.
public enum ShellcodeTrait: String, Hashable, Sendable, CaseIterable {
    /// A call to the next instruction, or back to one just before, whose return address is popped:
    /// code that finds out where it lies.
    case callPop = "call-pop"
    /// The same with the FPU: fnstenv stores where the last FPU instruction was.
    case fnstenv
    /// The Windows process environment block, through `fs:[0x30]` or `gs:[0x60]`.
    case processEnvironmentBlock = "peb"
    /// `/bin/sh` as it is pushed or moved, not as text that lies about.
    case shellPath = "bin-sh"
    /// execve, socket, connect, mmap or mprotect by number, directly before the system call.
    case directCall = "direct-call"
    /// A run of NOPs, or of other single bytes that do nothing, before code.
    case sled
    /// A marker doubled, as egg hunters look for it, or the hunt itself.
    case egg

    /// For people.
    public var explanation: String {
        switch self {
        case .callPop: "finds its own address with call and pop"
        case .fnstenv: "finds its own address with fnstenv"
        case .processEnvironmentBlock: "reads the Windows process environment block"
        case .shellPath: "builds the string /bin/sh in registers or on the stack"
        case .directCall: "makes system calls by number, without a library"
        case .sled: "begins with a sled"
        case .egg: "searches memory for an egg"
        }
    }
}

/// Finds these habits in the beginning of some bytes.
enum ShellcodeTraits {
    /// Payloads are small, and so is the part that is searched.
    static let searched = 4096
    private static let sledLength = 16

    static func find(in bytes: ArraySlice<UInt8>) -> [ShellcodeTrait: Int] {
        let code = Array(bytes.prefix(searched))
        var found: [ShellcodeTrait: Int] = [:]
        func note(_ trait: ShellcodeTrait, _ offset: Int) {
            if found[trait] == nil { found[trait] = offset }
        }
        for offset in code.indices {
            switch code[offset] {
            case 0xE8 where isCallPop(code, offset): note(.callPop, offset)
            case 0xD9 where has(code, offset, [0xD9, 0x74, 0x24, 0xF4]): note(.fnstenv, offset)
            case 0x64, 0x65:
                if readsProcessEnvironmentBlock(code, offset) {
                    note(.processEnvironmentBlock, offset)
                }
            case 0x48...0x49, 0x68:
                if buildsShellPath(code, offset) { note(.shellPath, offset) }
            case 0x0F where has(code, offset, [0x0F, 0x05]):
                if setsCallNumber(code, before: offset, of: [59, 41, 42, 9, 10, 57, 319, 322]) {
                    note(.directCall, offset)
                }
            case 0xCD where has(code, offset, [0xCD, 0x80]):
                if setsCallNumber(code, before: offset, of: [11, 102, 90, 125, 192, 359, 362]) {
                    note(.directCall, offset)
                }
            case 0xAF
            where has(code, offset, [0xAF, 0x75]) || has(code, offset, [0xAF, 0x0F, 0x85]):
                // scasd; jne: and once more for the second half.
                if code[offset...].prefix(8).filter({ $0 == 0xAF }).count > 1 { note(.egg, offset) }
            default: break
            }
        }
        let sled = code.prefix { $0 == 0x90 }.count
        // Only NOPs: padding. A whole page of them may still be the front of something.
        if sled >= sledLength, sled < code.count || code.count == searched { note(.sled, 0) }
        return found
    }

    private static func has(_ code: [UInt8], _ offset: Int, _ pattern: [UInt8]) -> Bool {
        offset + pattern.count <= code.count
            && code[offset..<offset + pattern.count].elementsEqual(pattern)
    }

    private static func isCallPop(_ code: [UInt8], _ offset: Int) -> Bool {
        guard offset + 5 < code.count else { return false }
        let distance = Int32(
            truncatingIfNeeded: (1...4).reversed().reduce(UInt32(0)) {
                $0 << 8 | UInt32(code[offset + $1])
            })
        let target = offset + 5 + Int(distance)
        // `call $+5`, or jmp forward, call back: in both cases a pop is first at its goal. Old
        // 32-bit compilers have the first for their data too; then an add to the register follows.
        guard distance == 0 || (-512..<0).contains(Int(distance)), code.indices.contains(target)
        else { return false }
        guard (0x58...0x5F).contains(code[target]), code[target] != 0x5C else { return false }
        if distance == 0 { return !has(code, target + 1, [0x81]) && !has(code, target + 1, [0x05]) }
        // Only if something jumped to the call: a jmp whose goal it is.
        return (0..<min(offset, 512)).contains { back in
            let jump = offset - 1 - back
            if code[jump] == 0xEB, jump + 1 < code.count {
                return jump + 2 + Int(Int8(bitPattern: code[jump + 1])) == offset
            }
            return false
        }
    }

    private static func readsProcessEnvironmentBlock(_ code: [UInt8], _ offset: Int) -> Bool {
        if code[offset] == 0x64 {
            // mov eax, fs:[0x30]; mov reg, fs:[0x30]; mov reg, fs:[reg + 0x30]
            return has(code, offset + 1, [0xA1, 0x30, 0, 0, 0])
                || offset + 7 <= code.count && code[offset + 1] == 0x8B
                    && code[offset + 2] & 0xC7 == 0x05
                    && has(code, offset + 3, [0x30, 0, 0, 0])
                || offset + 4 <= code.count && code[offset + 1] == 0x8B
                    && code[offset + 2] & 0xC0 == 0x40 && code[offset + 3] == 0x30
        }
        // mov reg, gs:[0x60]; mov reg, gs:[reg + 0x60]
        guard offset + 5 <= code.count, code[offset + 1] & 0xF8 == 0x48, code[offset + 2] == 0x8B
        else { return false }
        return code[offset + 3] & 0xC7 == 0x04
            && has(code, offset + 4, [0x25, 0x60, 0, 0, 0])
            || code[offset + 3] & 0xC0 == 0x40 && code[offset + 4] == 0x60
    }

    private static let shellPaths: [[UInt8]] = [
        Array("/bin/sh\0".utf8), Array("/bin//sh".utf8), Array("//bin/sh".utf8),
    ]

    private static func buildsShellPath(_ code: [UInt8], _ offset: Int) -> Bool {
        if code[offset] == 0x68 {
            // push "//sh" or "/sh\0", then push "/bin" or "//bi".
            guard
                has(code, offset + 1, Array("//sh".utf8))
                    || has(code, offset + 1, Array("n/sh".utf8))
                    || has(code, offset + 1, Array("/sh\0".utf8))
            else { return false }
            return has(code, offset + 5, [0x68] + Array("/bin".utf8))
                || has(code, offset + 5, [0x68] + Array("//bi".utf8))
        }
        guard offset + 10 <= code.count, (0xB8...0xBF).contains(code[offset + 1]) else {
            return false
        }
        return shellPaths.contains { has(code, offset + 2, $0) }
    }

    /// Whether one of these numbers is put into eax within the instructions before.
    private static func setsCallNumber(
        _ code: [UInt8], before offset: Int, of numbers: Set<Int>
    ) -> Bool {
        for start in max(0, offset - 24)..<offset {
            switch code[start] {
            case 0xB0 where start + 1 < offset:  // mov al, n
                if numbers.contains(Int(code[start + 1])) { return true }
            case 0x6A where start + 2 < offset && code[start + 2] == 0x58:  // push n; pop rax
                if numbers.contains(Int(code[start + 1])) { return true }
            case 0xB8 where start + 4 < offset:  // mov eax, n
                let number = Int(code[start + 1]) | Int(code[start + 2]) << 8
                if code[start + 3] == 0, code[start + 4] == 0, numbers.contains(number) {
                    return true
                }
            default: break
            }
        }
        return false
    }
}
