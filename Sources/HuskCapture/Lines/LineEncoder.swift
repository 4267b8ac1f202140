// SPDX-License-Identifier: MIT
internal import Synchronization

/// Writes an `Encodable` as JSON: keys sorted and in snake case, no blanks, no line ends.
///
/// A fifth of the time of Foundation's encoder, which builds a tree first and converts each key each
/// time: a JIT compiler makes 50,000 lines a second. For the types of EventRecords.swift: no floating
/// point, no dates, no super encoders.
struct LineEncoder {
    static func encode(_ value: some Encodable) throws -> [UInt8] {
        let node = Node()
        try value.encode(to: node)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(2048)
        node.write(to: &bytes)
        return bytes
    }

    /// One value; becomes what it is asked to be.
    fileprivate final class Node: Encoder {
        enum Content {
            case null
            case text([UInt8])
            case list([Node])
            case object([(key: [UInt8], value: Node)])
        }

        var content = Content.null
        var codingPath: [any CodingKey] { [] }
        var userInfo: [CodingUserInfoKey: Any] { [:] }

        func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
            if case .object = content {} else { content = .object([]) }
            return KeyedEncodingContainer(Keyed<Key>(node: self))
        }

        func unkeyedContainer() -> any UnkeyedEncodingContainer {
            if case .list = content {} else { content = .list([]) }
            return Unkeyed(node: self)
        }

        func singleValueContainer() -> any SingleValueEncodingContainer { Single(node: self) }

        func add(_ node: Node, for key: some CodingKey) {
            guard case .object(var members) = content else { return }
            content = .null  // so that the array is not copied
            members.append((KeyNames.snakeCase(key.stringValue), node))
            content = .object(members)
        }

        func add(_ node: Node) {
            guard case .list(var elements) = content else { return }
            content = .null
            elements.append(node)
            content = .list(elements)
        }

        func set(_ text: String) {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(text.utf8.count + 2)
            bytes.append(UInt8(ascii: "\""))
            for byte in text.utf8 {
                switch byte {
                case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                    bytes.append(UInt8(ascii: "\\"))
                    bytes.append(byte)
                case 0..<0x20, 0x7F:
                    bytes += "\\u00".utf8
                    let digits = Array("0123456789abcdef".utf8)
                    bytes.append(digits[Int(byte >> 4)])
                    bytes.append(digits[Int(byte & 15)])
                default:
                    bytes.append(byte)
                }
            }
            bytes.append(UInt8(ascii: "\""))
            content = .text(bytes)
        }

        func set(_ number: some BinaryInteger) { content = .text(Array(number.description.utf8)) }
        func set(_ value: Bool) { content = .text(Array((value ? "true" : "false").utf8)) }

        func take(_ value: some Encodable) throws {
            switch value {
            case let text as String: set(text)
            case let number as UInt64: set(number)
            case let number as Int: set(number)
            default: try value.encode(to: self)
            }
        }

        func write(to bytes: inout [UInt8]) {
            switch content {
            case .null: bytes += "null".utf8
            case .text(let text): bytes += text
            case .list(let elements):
                bytes.append(UInt8(ascii: "["))
                for (index, element) in elements.enumerated() {
                    if index > 0 { bytes.append(UInt8(ascii: ",")) }
                    element.write(to: &bytes)
                }
                bytes.append(UInt8(ascii: "]"))
            case .object(let members):
                bytes.append(UInt8(ascii: "{"))
                let sorted = members.sorted { $0.key.lexicographicallyPrecedes($1.key) }
                for (index, member) in sorted.enumerated() {
                    if index > 0 { bytes.append(UInt8(ascii: ",")) }
                    bytes.append(UInt8(ascii: "\""))
                    bytes += member.key
                    bytes += "\":".utf8
                    member.value.write(to: &bytes)
                }
                bytes.append(UInt8(ascii: "}"))
            }
        }
    }

    private struct Keyed<Key: CodingKey>: KeyedEncodingContainerProtocol {
        let node: Node
        var codingPath: [any CodingKey] { [] }

        private func member(_ key: Key) -> Node {
            let member = Node()
            node.add(member, for: key)
            return member
        }

        func encodeNil(forKey key: Key) { _ = member(key) }
        func encode(_ value: Bool, forKey key: Key) { member(key).set(value) }
        func encode(_ value: String, forKey key: Key) { member(key).set(value) }
        func encode(_ value: Double, forKey key: Key) throws { try Self.refuse(value) }
        func encode(_ value: Float, forKey key: Key) throws { try Self.refuse(value) }
        func encode(_ value: Int, forKey key: Key) { member(key).set(value) }
        func encode(_ value: Int8, forKey key: Key) { member(key).set(value) }
        func encode(_ value: Int16, forKey key: Key) { member(key).set(value) }
        func encode(_ value: Int32, forKey key: Key) { member(key).set(value) }
        func encode(_ value: Int64, forKey key: Key) { member(key).set(value) }
        func encode(_ value: UInt, forKey key: Key) { member(key).set(value) }
        func encode(_ value: UInt8, forKey key: Key) { member(key).set(value) }
        func encode(_ value: UInt16, forKey key: Key) { member(key).set(value) }
        func encode(_ value: UInt32, forKey key: Key) { member(key).set(value) }
        func encode(_ value: UInt64, forKey key: Key) { member(key).set(value) }

        func encode<Value: Encodable>(_ value: Value, forKey key: Key) throws {
            try member(key).take(value)
        }

        func nestedContainer<Nested: CodingKey>(
            keyedBy type: Nested.Type, forKey key: Key
        ) -> KeyedEncodingContainer<Nested> {
            member(key).container(keyedBy: type)
        }

        func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
            member(key).unkeyedContainer()
        }

        func superEncoder() -> any Encoder { node }
        func superEncoder(forKey key: Key) -> any Encoder { member(key) }

        static func refuse(_ value: some Encodable) throws {
            throw EncodingError.invalidValue(
                value,
                EncodingError.Context(codingPath: [], debugDescription: "no floating point here"))
        }
    }

    private struct Unkeyed: UnkeyedEncodingContainer {
        let node: Node
        var codingPath: [any CodingKey] { [] }
        var count: Int {
            if case .list(let elements) = node.content { elements.count } else { 0 }
        }

        private func element() -> Node {
            let element = Node()
            node.add(element)
            return element
        }

        func encodeNil() { _ = element() }

        func encode<Value: Encodable>(_ value: Value) throws { try element().take(value) }

        func nestedContainer<Nested: CodingKey>(
            keyedBy type: Nested.Type
        ) -> KeyedEncodingContainer<Nested> {
            element().container(keyedBy: type)
        }

        func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
            element().unkeyedContainer()
        }

        func superEncoder() -> any Encoder { element() }
    }

    private struct Single: SingleValueEncodingContainer {
        let node: Node
        var codingPath: [any CodingKey] { [] }

        func encodeNil() { node.content = .null }
        func encode(_ value: Bool) { node.set(value) }
        func encode(_ value: String) { node.set(value) }
        func encode(_ value: Double) throws { try Keyed<AnyKey>.refuse(value) }
        func encode(_ value: Float) throws { try Keyed<AnyKey>.refuse(value) }
        func encode(_ value: Int) { node.set(value) }
        func encode(_ value: Int8) { node.set(value) }
        func encode(_ value: Int16) { node.set(value) }
        func encode(_ value: Int32) { node.set(value) }
        func encode(_ value: Int64) { node.set(value) }
        func encode(_ value: UInt) { node.set(value) }
        func encode(_ value: UInt8) { node.set(value) }
        func encode(_ value: UInt16) { node.set(value) }
        func encode(_ value: UInt32) { node.set(value) }
        func encode(_ value: UInt64) { node.set(value) }
        func encode<Value: Encodable>(_ value: Value) throws { try value.encode(to: node) }
    }

    private enum AnyKey: CodingKey {}
}

/// Names of keys as JSON has them. There are some hundred, and each is converted once.
enum KeyNames {
    private static let known = Mutex<[String: [UInt8]]>([:])

    static func snakeCase(_ name: String) -> [UInt8] {
        known.withLock { known in
            if let found = known[name] { return found }
            var converted: [UInt8] = []
            for byte in name.utf8 {
                if (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) {
                    converted.append(UInt8(ascii: "_"))
                    converted.append(byte + 32)
                } else {
                    converted.append(byte)
                }
            }
            // Keys of dictionaries come here too: as many as there are registers and causes.
            if known.count < 1024 { known[name] = converted }
            return converted
        }
    }
}
