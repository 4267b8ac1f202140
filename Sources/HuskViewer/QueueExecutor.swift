// SPDX-License-Identifier: MIT
internal import Dispatch

/// Runs an actor on a queue of its own: reading a capture blocks, and the threads that tasks share
/// are as few as there are CPUs.
final class QueueExecutor: SerialExecutor {
    private let queue: DispatchQueue

    init(_ name: String) {
        queue = DispatchQueue(label: name)
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedSerialExecutor()) }
    }
}
