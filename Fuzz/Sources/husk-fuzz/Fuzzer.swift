// SPDX-License-Identifier: MIT
import FuzzEntries
import Glibc

// libFuzzer's own way in, for programs that have their main() (compiler-rt, FuzzerInterface.h).
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ testOneInput: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// One program for all entries, because linking is what takes time. libFuzzer starts it anew to
/// minimize a corpus, so the choice is in the environment.
@main
enum Fuzzer {
    private static let entry: FuzzEntry = {
        guard let name = getenv("HUSK_FUZZ_ENTRY"),
            let entry = FuzzEntry.named(String(cString: name))
        else {
            let names = FuzzEntry.all.map(\.name).joined(separator: ", ")
            fatalError("HUSK_FUZZ_ENTRY must be one of these: \(names)")
        }
        return entry
    }()

    static func main() {
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        exit(
            runFuzzer(&count, &arguments) { data, size in
                guard size <= Fuzzer.entry.largestInput else { return -1 }
                do {
                    // Safe: libFuzzer's buffer lives for the time of the call, and is copied.
                    try Fuzzer.entry.run(
                        [UInt8](UnsafeBufferPointer(start: data, count: size)))
                } catch {
                    fatalError("\(Fuzzer.entry.name): \(error)")
                }
                return 0
            })
    }
}
