// SPDX-License-Identifier: MIT
import ArgumentParser
import Husk

@main
struct HuskCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "husk",
        abstract: "Catch every way in which a process's memory becomes executable, and its bytes.",
        discussion: """
            Husk traces a process with eBPF probes, copies each page at the moment when it \
            becomes executable, and shows or keeps it.

            EXAMPLES
              husk run -- ./sample            trace a command from its first instruction
              husk run -o out/ -- ./sample    keep the pages, with a manifest
              husk attach 4242                trace a process that runs; Ctrl-C ends it
              husk run -o s.husk -- ./sample  keep all of it in one file, and ask that:
              husk list s.husk                its regions; also info, show, diff, timeline, strings
              husk analyze s.husk             what is notable in it, and why
              husk report s.husk              one HTML file of it, to look at and to hand on
              husk view s.husk                the same in a browser, all of it, also live
              husk export elf s.husk -o u     a program of what was unpacked; also core, ...
              husk verify s.husk              check what was kept, from its bytes
              husk doctor                     what this kernel and your rights allow

            Shells complete commands and options after `husk --generate-completion-script bash` \
            (zsh, fish).

            To trace, Husk needs root, or CAP_BPF and CAP_PERFMON.

            \(ExitStatus.help)
            """,
        version: huskVersion,
        subcommands: [
            Run.self, Attach.self, Info.self, List.self, Show.self, Diff.self, History.self,
            Strings.self, Analyze.self, Report.self, View.self, Export.self, Verify.self,
            Doctor.self,
        ])

    static func main() {
        StandardDescriptors.makeSureOfThem()
        LineOutput.prepare()
        do {
            // Swift reads the arguments in /proc/self/cmdline: without it there would be none, and
            // no one is told of that.
            if CommandLine.argc == 0 {
                throw HuskError(
                    .unsupportedKernel, "there is no /proc: Husk cannot even read its arguments",
                    hint: "mount it: mount -t proc proc /proc")
            }
            var command = try parseAsRoot()
            if let command = command as? any ReadsCapture { command.confine() }
            try command.run()
        } catch let status as ExitStatus {
            leave(status.rawValue)
        } catch let code as ExitCode {
            leave(code.rawValue)
        } catch let failure as any ReportableFailure {
            Diagnostics.report(failure)
            leave(failure.exitStatus.rawValue)
        } catch {
            // Help, version and mistakes in the arguments: ArgumentParser's own words.
            exit(withError: error)
        }
    }
}
