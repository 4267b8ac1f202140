// SPDX-License-Identifier: MIT
internal import CHuskSystem

/// What this process does with memory that it has freed.
public enum FreeMemory {
    /// Gives it back at once when there is more than this of it. By itself malloc(3) keeps what one
    /// thread has allocated and another one freed: pages that come on the ring's thread and go on a
    /// writer's pile up. Costs a little for each large block.
    public static func keep(below bytes: Int32) {
        husk_keep_free_memory_below(bytes)
    }
}
