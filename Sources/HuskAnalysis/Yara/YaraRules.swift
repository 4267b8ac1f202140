// SPDX-License-Identifier: MIT
internal import CYara

/// Compiled YARA rules.
///
/// Not to be used from two threads (it is not Sendable). What it holds is given back when the last
/// reference goes.
public final class YaraRules {
    let pointer: UnsafeMutablePointer<YR_RULES>
    /// How many rules there are.
    public let count: Int

    /// Once in a process; libyara's own tables are never given back.
    private static let isInitialised = yr_initialize() == ERROR_SUCCESS

    /// Compiles a file, or all `*.yar` and `*.yara` files of a folder and the folders in it, in the
    /// order of their paths.
    ///
    /// Each file has a namespace of its own, named by its path below the folder without the
    /// extension. `include` is refused: a folder's files are all compiled anyway, and a rule from
    /// elsewhere must not read this machine's files.
    public convenience init(path: String) throws(YaraError) {
        let sources = try RuleFiles.sources(at: path)
        guard !sources.isEmpty else {
            throw YaraError(
                .noRules, "no file of rules in \(path)",
                hint: "Rules are read from *.yar and *.yara files", file: path)
        }
        try self.init(sources)
    }

    /// Compiles rules from text.
    public convenience init(text: String, namespace: String = "default") throws(YaraError) {
        let source = RuleFiles.Source(
            path: "", namespace: namespace,
            text: text.utf8.filter { $0 != 0 }.map { CChar(bitPattern: $0) } + [0])
        try self.init([source])
    }

    private init(_ sources: [RuleFiles.Source]) throws(YaraError) {
        guard Self.isInitialised else { throw Self.failure("yr_initialize", ERROR_SUCCESS) }
        var created: UnsafeMutablePointer<YR_COMPILER>?
        let status = yr_compiler_create(&created)
        guard status == ERROR_SUCCESS, let compiler = created else {
            throw Self.failure("yr_compiler_create", status)
        }
        defer { yr_compiler_destroy(compiler) }
        yr_compiler_set_include_callback(compiler, nil, nil, nil)
        let complaints = Complaints()
        // Safe: `complaints` outlives the compiler's calls, which are all within this function.
        yr_compiler_set_callback(
            compiler, Complaints.callback, Unmanaged.passUnretained(complaints).toOpaque())
        for source in sources {
            let errors = yr_compiler_add_string(compiler, source.text, source.namespace)
            guard errors == 0 else { throw complaints.error(in: source.path, count: Int(errors)) }
        }
        withExtendedLifetime(complaints) {}
        var compiled: UnsafeMutablePointer<YR_RULES>?
        let result = yr_compiler_get_rules(compiler, &compiled)
        guard result == ERROR_SUCCESS, let compiled else {
            throw Self.failure("yr_compiler_get_rules", result)
        }
        pointer = compiled
        count = Int(compiled.pointee.num_rules)
        guard count > 0 else {
            throw YaraError(
                .noRules, "there is no rule in \(sources[0].path)",
                hint: "Give a file with at least one rule", file: sources[0].path)
        }
    }

    deinit {
        yr_rules_destroy(pointer)
    }

    static func failure(_ function: String, _ status: Int32) -> YaraError {
        YaraError(
            .library, "\(function) failed with libyara's error \(status)",
            hint: status == ERROR_INSUFFICIENT_MEMORY ? "There is not enough memory" : "Report it")
    }
}

/// What the compiler has to say. Used by one thread, while one file is compiled.
private final class Complaints {
    private var first: (line: Int, message: String)?

    static let callback: YR_COMPILER_CALLBACK_FUNC = { level, _, line, _, message, context in
        guard level == YARA_ERROR_LEVEL_ERROR, let context, let message else { return }
        // Safe: the context is the object that the compiler was given, which is still alive.
        let complaints = Unmanaged<Complaints>.fromOpaque(context).takeUnretainedValue()
        if complaints.first == nil {
            complaints.first = (Int(line), String(cString: message))
        }
    }

    func error(in path: String, count: Int) -> YaraError {
        let line = first?.line
        let message = first?.message ?? "unknown error"
        let place = (path.isEmpty ? "rules" : path) + (line.map { ":\($0)" } ?? "")
        let isInclude = message.contains("include")
        return YaraError(
            .compilation,
            "\(place): \(message)" + (count > 1 ? " (and \(count - 1) more)" : ""),
            hint: isInclude
                ? "Husk allows no include: give a folder, all of its files are compiled"
                : "Correct the rule, or leave its file out",
            file: path.isEmpty ? nil : path, line: line)
    }
}
