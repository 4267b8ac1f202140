// SPDX-License-Identifier: MIT
import Foundation
import PackagePlugin

/// Compiles `memory_tracer.bpf.c` with the toolchain's own clang and hands the object to
/// the `Husk` target as a Swift source, so that `swift build` alone is enough.
@main
struct EmbedProbes: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let probes = context.package.directoryURL.appending(path: "Sources/HuskProbes")
        let bpf = probes.appending(path: "bpf")
        let headers = probes.appending(path: "include")
        let source = bpf.appending(path: "memory_tracer.bpf.c")
        let included =
            try [bpf, headers]
            .flatMap {
                try FileManager.default.contentsOfDirectory(at: $0, includingPropertiesForKeys: nil)
            }
            .filter { $0.pathExtension == "h" }

        // Once for each kind of kernel (bpf/kernel_types.h).
        let objects = [
            ("EmbeddedProbes", "NONE"), ("EmbeddedProbesExplicit", "EXPLICIT"),
            ("EmbeddedProbesImplicit", "IMPLICIT"),
        ]
        return
            try objects
            .map { (name, taskWork) in
                let output = context.pluginWorkDirectoryURL.appending(path: "\(name).swift")
                return .buildCommand(
                    displayName: "Compile memory_tracer.bpf.c into \(name)",
                    executable: try context.tool(named: "compile-probes").url,
                    arguments: [
                        try context.tool(named: "clang").url.path,
                        try context.tool(named: "llvm-objcopy").url.path,
                        source.path, output.path, name,
                        "-target", "bpf", "-mcpu=v3", "-D__TARGET_ARCH_x86",
                        "-g", "-O2", "-Wall", "-Wextra", "-Werror",
                        // Else clang declares __bpf_trap, although nothing calls it: where the
                        // kernel has none, libbpf asks for the modules' types, which CAP_BPF alone
                        // does not allow.
                        "-mllvm", "-bpf-disable-trap-unreachable",
                        // Callbacks have parameters that the kernel prescribes.
                        "-Wno-unused-parameter",
                        "-ffile-prefix-map=\(context.package.directoryURL.path)=.",
                        "-I", headers.path,
                        // After clang's own headers: asm/types.h is in the multiarch folder.
                        "-idirafter", "/usr/include/x86_64-linux-gnu",
                        "-DHUSK_TASK_WORK=HUSK_TASK_WORK_\(taskWork)",
                    ],
                    inputFiles: [source] + included,
                    outputFiles: [output])
            }
    }
}
