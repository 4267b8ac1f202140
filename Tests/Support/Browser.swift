// SPDX-License-Identifier: MIT
internal import Foundation

/// A real browser (headless Chromium) that looks at a page: Tests/Browser/check_page.py, which
/// drives it by Selenium.
public enum Browser {
    private static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// Nil: it is there.
    public static let missing: String? = {
        for program in ["/usr/bin/chromium", "/usr/bin/chromedriver"]
        where !FileManager.default.isExecutableFile(atPath: program) {
            return "there is no \(program) (apt-get install chromium chromium-driver)"
        }
        let selenium = try? Running("/usr/bin/python3", ["-c", "import selenium"]).finish()
        return selenium?.status == 0
            ? nil : "there is no Selenium (apt-get install python3-selenium)"
    }()

    /// axe-core, which checks accessibility; nil: it could not be had (Tools/get-axe has said why).
    public static let axe: String? = {
        let path = root.appending(path: ".build/browser/axe.min.js").path
        if FileManager.default.fileExists(atPath: path) { return path }
        print("SKIPPED: accessibility is not checked, there is no \(path)")
        return nil
    }()

    /// What a page did and told.
    public struct Sight {
        public let values: [String: Any]

        /// A value by its keys.
        public subscript(_ keys: String...) -> Any? {
            var value: Any? = values
            for key in keys { value = (value as? [String: Any])?[key] }
            return value
        }

        /// Errors and violations of the policy that the browser has noted.
        public var console: [Any] { values["console"] as? [Any] ?? ["no console"] }
        /// Elements that the page is not meant to have.
        public var injected: Int { values["injected"] as? Int ?? -1 }

        /// Violations that axe-core has found, in both colour schemes.
        public var violations: [String] {
            guard let axe = values["axe"] as? [String: [[String: Any]]] else { return [] }
            return axe.flatMap { scheme, found in
                found.map { "\(scheme): \($0["id"] ?? "?") \($0["nodes"] ?? "")" }
            }
        }
    }

    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// Opens a page and does what the options of check_page.py say.
    public static func look(at url: String, _ options: [String] = []) throws -> Sight {
        let accessibility = axe.map { ["--axe", $0] } ?? []
        let outcome = try Running(
            "/usr/bin/python3",
            [root.appending(path: "Tests/Browser/check_page.py").path] + accessibility + options
                + [url],
            // A browser's own services are of no use here.
            environment: ["NO_AT_BRIDGE": "1"]
        ).finish(within: 180)
        guard outcome.status == 0,
            let values = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8))
                as? [String: Any]
        else { throw Failure(description: "\(url): \(outcome.errors.suffix(2000))") }
        return Sight(values: values)
    }
}
