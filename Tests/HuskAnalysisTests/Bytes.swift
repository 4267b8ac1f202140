// SPDX-License-Identifier: MIT
import Foundation
import Testing

/// Bytes for tests: from a compiler, or from a generator that always gives the same.
enum Bytes {
    /// A PCG-like generator; the same seed gives the same bytes everywhere.
    struct Generator: RandomNumberGenerator {
        private var state: UInt64

        init(seed: UInt64) { state = seed }

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            var mixed = state ^ (state >> 33)
            mixed = mixed &* 0xFF51_AFD7_ED55_8CCD
            return mixed ^ (mixed >> 33)
        }
    }

    static func random(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        var generator = Generator(seed: seed)
        return (0..<count).map { _ in UInt8(truncatingIfNeeded: generator.next()) }
    }

    static func rc4(_ bytes: [UInt8], key: [UInt8]) -> [UInt8] {
        var state = (0...255).map { UInt8($0) }
        var j = 0
        for i in 0..<256 {
            j = (j + Int(state[i]) + Int(key[i % key.count])) & 255
            state.swapAt(i, j)
        }
        var i = 0
        j = 0
        return bytes.map { byte in
            i = (i + 1) & 255
            j = (j + Int(state[i])) & 255
            state.swapAt(i, j)
            return byte ^ state[(Int(state[i]) + Int(state[j])) & 255]
        }
    }

    /// Runs a command; its output goes nowhere.
    static func run(_ arguments: [String]) throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "\(arguments)")
    }

    /// A new folder, removed afterwards.
    static func inFolder<Result>(_ body: (String) throws -> Result) throws -> Result {
        let folder = FileManager.default.temporaryDirectory.path + "/judge-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        return try body(folder)
    }

    static func file(_ path: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    static let program = """
        #include <stdio.h>
        #include <stdlib.h>
        #include <string.h>
        struct node { struct node *left, *right; int key; char name[24]; };
        struct node *insert(struct node *n, int key, const char *name) {
            if (!n) { n = calloc(1, sizeof *n); n->key = key; strncpy(n->name, name, 23); return n; }
            if (key < n->key) n->left = insert(n->left, key, name);
            else n->right = insert(n->right, key, name);
            return n;
        }
        unsigned crc(const unsigned char *p, unsigned long n) {
            unsigned c = ~0u;
            while (n--) { c ^= *p++; for (int i = 0; i < 8; i++) c = c >> 1 ^ (c & 1 ? 0xedb88320u : 0); }
            return ~c;
        }
        int walk(struct node *n, int depth) {
            if (!n) return depth;
            printf("%*s%s\\n", depth, "", n->name);
            int a = walk(n->left, depth + 1), b = walk(n->right, depth + 1);
            return a > b ? a : b;
        }
        double mean(const double *v, int n) { double s = 0; for (int i = 0; i < n; i++) s += v[i]; return s / n; }
        """

    /// The program above, compiled: a shared object.
    static func sharedObject(_ flags: [String] = []) throws -> [UInt8] {
        try inFolder { folder in
            try program.write(toFile: folder + "/p.c", atomically: true, encoding: .utf8)
            try run(
                ["cc", "-O1", "-fPIC", "-shared", "-o", folder + "/p.so", folder + "/p.c"] + flags)
            return try file(folder + "/p.so")
        }
    }

    /// The code that a compiler makes of C without includes.
    static func text(of source: String, flags: [String]) throws -> [UInt8] {
        try inFolder { folder in
            try source.write(toFile: folder + "/p.c", atomically: true, encoding: .utf8)
            try run(["cc", "-c", "-o", folder + "/p.o", folder + "/p.c"] + flags)
            try run(["objcopy", "-O", "binary", "-j", ".text", folder + "/p.o", folder + "/text"])
            return try file(folder + "/text")
        }
    }

    /// A section of the machine's C library.
    static func libcSection(_ name: String) throws -> [UInt8] {
        try inFolder { folder in
            try run([
                "objcopy", "-O", "binary", "-j", name, "/lib/x86_64-linux-gnu/libc.so.6",
                folder + "/section",
            ])
            return try file(folder + "/section")
        }
    }

    static func pages(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        stride(from: 0, to: bytes.count - 4095, by: 4096).map { bytes[$0..<$0 + 4096] }
    }
}

extension Bytes {
    static func write(_ bytes: UnsafeRawBufferPointer, to path: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }
}
