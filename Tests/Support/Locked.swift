// SPDX-License-Identifier: MIT
internal import Synchronization

/// A value that several threads of a test share.
public final class Locked<Value: Sendable>: Sendable {
    private let storage: Mutex<Value>

    public init(_ value: Value) {
        storage = Mutex(value)
    }

    public var value: Value { storage.withLock { $0 } }

    public func update(_ change: @Sendable (inout Value) -> Void) {
        storage.withLock { change(&$0) }
    }
}
