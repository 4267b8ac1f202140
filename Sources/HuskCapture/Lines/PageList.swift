// SPDX-License-Identifier: MIT
internal import HuskModel

/// The pages of runs as JSON. A region may have millions of them: written by hand, thirty times as
/// fast as by an encoder. Nothing in them is text of a target's.
enum PageList {
    /// How an encoder writes an empty `pages`. In a string the quotes would have a backslash before
    /// them, so this stands for nothing else.
    private static let placeholder = Array("\"pages\":[]".utf8)

    /// Puts the pages of the runs, in their order, where the line has empty lists of them.
    static func fill(_ line: [UInt8], _ runs: [PageRun]) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(line.count + runs.reduce(0) { $0 + $1.pages.count * 192 })
        var from = 0
        for run in runs {
            // Behind the `[` of the next one.
            guard let place = endOfPlaceholder(in: line, from: from) else { break }
            result.append(contentsOf: line[from..<(place - 1)])
            var isFirst = true
            for page in run.pages {
                if !isFirst { result.append(UInt8(ascii: ",")) }
                isFirst = false
                append(page, to: &result)
            }
            from = place - 1
        }
        result.append(contentsOf: line[from...])
        return result
    }

    private static func endOfPlaceholder(in line: [UInt8], from start: Int) -> Int? {
        let last = placeholder.count - 1
        var index = start + last
        while index < line.count {
            if line[index] == UInt8(ascii: "]"), line[index - 1] == UInt8(ascii: "["),
                line[(index - last)...index].elementsEqual(placeholder)
            {
                return index + 1
            }
            index += 1
        }
        return nil
    }

    private static func append(_ page: Page, to line: inout [UInt8]) {
        line += "{\"address\":\"0x".utf8
        append(page.address.rawValue, radix: 16, to: &line)
        line += "\",\"cpu\":".utf8
        append(UInt64(page.number.cpu), radix: 10, to: &line)
        line += ",\"generation\":".utf8
        append(UInt64(page.generation), radix: 10, to: &line)
        if case .content(let content, let reader) = page.body {
            line += ",\"reader\":\"".utf8
            line += reader.rawValue.utf8
            line.append(UInt8(ascii: "\""))
            line += ",\"sequence\":".utf8
            append(page.number.sequence, radix: 10, to: &line)
            line += ",\"sha256\":\"".utf8
            content.digest.appendHexadecimal(to: &line)
            line.append(UInt8(ascii: "\""))
        }
        line += ",\"time_ns\":".utf8
        append(page.time.monotonic, radix: 10, to: &line)
        line.append(UInt8(ascii: "}"))
    }

    private static func append(_ number: UInt64, radix: UInt64, to line: inout [UInt8]) {
        let start = line.count
        var rest = number
        repeat {
            let digit = UInt8(rest % radix)
            line.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            rest /= radix
        } while rest > 0
        line[start...].reverse()
    }
}
