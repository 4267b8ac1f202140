// SPDX-License-Identifier: MIT
// confined HOW FOLDER: gives up what Husk gives up, then tries what it must not be able to do any
// more and what it must, and prints a line for each: "ok" or the errno.
import Glibc
import HuskPrivileges

let how = CommandLine.arguments[1]
let folder = CommandLine.arguments[2]

func tell(_ what: String, _ result: Int) {
    let line = Array("\(what) \(result >= 0 ? "ok" : String(errno))\n".utf8)
    write(STDOUT_FILENO, line, line.count)
}

func make(_ path: String) -> Int {
    let descriptor = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600)
    if descriptor >= 0 { close(descriptor) }
    return Int(descriptor)
}

/// 0, or -1 with errno set.
func map(_ protection: Int32) -> Int {
    mmap(nil, 4096, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0
}

var places = WritablePlaces()
places.add(folder + "/inside/new")
switch how {
case "reading": Confinement.beginReading(writing: places, serves: false)
case "serving": Confinement.beginReading(writing: places, serves: true)
case "tracing": Confinement.beginTracing(writing: places, traps: false)
default: exit(64)
}

tell("inside", make(folder + "/inside/new"))
tell("outside", make(folder + "/outside"))
tell("read", Int(open(folder + "/known", O_RDONLY)))
tell("socket", Int(socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)))
tell("data", map(PROT_READ | PROT_WRITE))
tell("code", map(PROT_READ | PROT_EXEC))
tell("setuid", Int(setuid(getuid())))
tell("signal", Int(kill(getppid(), 0)))
let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("/bin/true"), nil]
tell("execute", Int(execv("/bin/true", arguments)))
