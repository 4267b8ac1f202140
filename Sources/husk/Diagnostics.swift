// SPDX-License-Identifier: MIT
import Husk

/// What Husk says about itself, on stderr: notes and errors. Names in it may come from a
/// target, so all of it is escaped.
enum Diagnostics {
    static func report(_ failure: any ReportableFailure) {
        var text = "husk: \(safe(failure.summary))\n"
        if let advice = failure.advice { text += "  hint: \(safe(advice))\n" }
        if let extra = failure.extra, !extra.isEmpty {
            for line in extra.split(separator: "\n").suffix(40) { text += "  | \(safe(line))\n" }
        }
        _ = write(text)
    }

    static func note(_ text: String) {
        _ = write("husk: \(safe(text))\n")
    }

    private static func safe(_ text: some StringProtocol) -> String {
        TargetText(String(text)).escaped
    }

    private static func write(_ text: String) -> Bool {
        LineOutput.standardError.write(Array(text.utf8))
    }
}
