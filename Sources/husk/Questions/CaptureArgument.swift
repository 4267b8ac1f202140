// SPDX-License-Identifier: MIT
import ArgumentParser
import Husk
import HuskCapture

/// The capture file that is asked: the last argument of all of these commands.
struct CaptureArgument: ParsableArguments {
    @Argument(
        help: ArgumentHelp("The capture file.", valueName: "file"), completion: .file())
    var path: String

    func open() throws -> CaptureFile { try Self.open(path) }

    static func open(_ path: String) throws -> CaptureFile {
        let file = try CaptureFile(path: path)
        if file.ignoresLog { noteLog() }
        return file
    }

    static func noteLog() {
        Diagnostics.note("the log beside the capture cannot be used: its last batches are not seen")
    }
}

/// Which region, or which page, is meant.
enum Place: ExpressibleByArgument {
    case address(Address)
    case region(Int64)

    init?(argument: String) {
        if let sign = argument.first, sign == "r" || sign == "#" {
            guard let number = Int64(argument.dropFirst()), number > 0 else { return nil }
            self = .region(number)
        } else {
            guard let address = Address(argument: argument) else { return nil }
            self = .address(address)
        }
    }
}

extension Address {
    /// Hexadecimal, with 0x or without.
    init?(argument: some StringProtocol) {
        let isPrefixed = argument.hasPrefix("0x") || argument.hasPrefix("0X")
        let digits = isPrefixed ? argument.dropFirst(2) : argument[...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
            let number = UInt64(digits, radix: 16)
        else { return nil }
        self.init(number)
    }
}
