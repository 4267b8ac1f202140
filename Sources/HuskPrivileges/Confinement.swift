// SPDX-License-Identifier: MIT
internal import CHuskSystem

/// What the whole process gives up, and which of it the kernel could do.
package enum Confinement {
    /// For a command that reads what someone else has made, before it opens it. To be called while
    /// there is one thread.
    ///
    /// - Parameters:
    ///   - places: where it writes.
    ///   - serves: it answers a browser.
    package static func beginReading(writing places: WritablePlaces, serves: Bool) {
        CapabilitySet.storing.keep()
        places.begin(network: serves)
        _ = SystemCallFilter.reading(serves: serves).begin()
    }

    /// For a trace whose probes are attached, and whose own threads have given up what they do not
    /// need. The command that is traced has been started before, and keeps all that it has.
    ///
    /// The places hold for the calling thread only: Landlock would keep the others from reading
    /// targets.
    package static func beginTracing(writing places: WritablePlaces, traps: Bool) {
        CapabilitySet.storing.union([.kill]).keep()
        places.begin(signals: true)
        _ = SystemCallFilter.tracing(traps: traps).begin()
    }

    /// For a thread that stores a capture and does nothing else.
    package static func beginStoring(at path: String) {
        husk_thread_set_name("husk-capture")  // who looks in /proc sees whose rights these are
        CapabilitySet.storing.keep()
        WritablePlaces(forCapturesAt: [path]).begin()
    }

    /// The version of Landlock's interface that the kernel has; nil: none.
    package static var landlockVersion: Int? {
        let version = husk_landlock_version()
        return version > 0 ? Int(version) : nil
    }
}
