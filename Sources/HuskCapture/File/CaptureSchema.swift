// SPDX-License-Identifier: MIT
internal import GRDB

/// The tables of a capture file. docs/capture-format.md describes each column.
///
/// Addresses, lengths and identifiers are the bits of unsigned numbers in SQLite's signed ones;
/// protections look as in /proc/PID/maps; text that a target controls is escaped
/// (`TargetText.escaped`). What happened carries a `position`: one count over all tables, in the
/// order in which it was told.
enum CaptureSchema {
    /// "HUSK", in the header of the file (PRAGMA application_id), so that file(1) and others can
    /// tell.
    static let applicationID: Int32 = 0x4855_534B
    /// PRAGMA user_version.
    static let version: Int32 = 1
    /// Pages of the database, in bytes: many pages of code fit into one, and little is left over.
    static let pageSize = 65_536

    static let tables = [
        """
        CREATE TABLE capture (
          id INTEGER PRIMARY KEY CHECK (id = 1),
          uuid TEXT NOT NULL,
          husk_version TEXT NOT NULL,
          command TEXT,
          host TEXT NOT NULL,
          kernel TEXT NOT NULL,
          machine TEXT NOT NULL,
          cpus INTEGER NOT NULL,
          started_ns INTEGER NOT NULL,
          wall_offset_ns INTEGER NOT NULL,
          probes TEXT,
          copy_method TEXT,
          state TEXT NOT NULL,
          ended_ns INTEGER,
          complete INTEGER,
          transitions INTEGER NOT NULL DEFAULT 0,
          attempts INTEGER NOT NULL DEFAULT 0,
          looks INTEGER NOT NULL DEFAULT 0,
          regions INTEGER NOT NULL DEFAULT 0,
          executions INTEGER NOT NULL DEFAULT 0,
          blind_spots INTEGER NOT NULL DEFAULT 0,
          children INTEGER NOT NULL DEFAULT 0,
          pages INTEGER NOT NULL DEFAULT 0,
          bytes INTEGER NOT NULL DEFAULT 0,
          unreadable INTEGER NOT NULL DEFAULT 0,
          lost INTEGER NOT NULL DEFAULT 0,
          expected_pages INTEGER NOT NULL DEFAULT 0,
          referenced INTEGER NOT NULL DEFAULT 0,
          contents INTEGER NOT NULL DEFAULT 0,
          stored_bytes INTEGER NOT NULL DEFAULT 0,
          target_exit_code INTEGER,
          target_signal INTEGER
        ) STRICT
        """,
        """
        CREATE TABLE option (
          name TEXT PRIMARY KEY,
          value TEXT NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE file (
          id INTEGER PRIMARY KEY,
          device_major INTEGER NOT NULL,
          device_minor INTEGER NOT NULL,
          inode INTEGER NOT NULL,
          link_count INTEGER NOT NULL,
          name TEXT NOT NULL,
          path TEXT
        ) STRICT
        """,
        """
        CREATE TABLE process (
          id INTEGER PRIMARY KEY,
          pid INTEGER NOT NULL,
          host_pid INTEGER NOT NULL,
          name TEXT,
          parent INTEGER REFERENCES process(id),
          parent_tid INTEGER,
          parent_host_tid INTEGER,
          shares_memory INTEGER NOT NULL DEFAULT 0,
          start_position INTEGER,
          started_ns INTEGER,
          end_position INTEGER,
          ended_ns INTEGER,
          end_tid INTEGER,
          end_host_tid INTEGER,
          status INTEGER
        ) STRICT
        """,
        """
        CREATE TABLE program (
          position INTEGER PRIMARY KEY,
          process INTEGER NOT NULL REFERENCES process(id),
          tid INTEGER NOT NULL,
          host_tid INTEGER NOT NULL,
          time_ns INTEGER NOT NULL,
          name TEXT NOT NULL,
          backing TEXT NOT NULL,
          file INTEGER REFERENCES file(id),
          file_offset INTEGER,
          fileless TEXT
        ) STRICT
        """,
        """
        CREATE TABLE region (
          id INTEGER PRIMARY KEY,
          process INTEGER NOT NULL REFERENCES process(id),
          start INTEGER NOT NULL,
          length INTEGER NOT NULL,
          born_ns INTEGER NOT NULL,
          gone_ns INTEGER,
          protection TEXT NOT NULL,
          shared INTEGER NOT NULL,
          backing TEXT NOT NULL,
          file INTEGER REFERENCES file(id),
          file_offset INTEGER,
          label TEXT,
          label_source TEXT,
          label_detail TEXT,
          transitions INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE transition (
          position INTEGER PRIMARY KEY,
          id INTEGER NOT NULL,
          region INTEGER REFERENCES region(id),
          process INTEGER NOT NULL REFERENCES process(id),
          tid INTEGER NOT NULL,
          host_tid INTEGER NOT NULL,
          thread_name TEXT NOT NULL,
          cpu INTEGER NOT NULL,
          sequence INTEGER NOT NULL,
          time_ns INTEGER NOT NULL,
          kind TEXT NOT NULL,
          call TEXT,
          abi TEXT NOT NULL,
          start INTEGER NOT NULL,
          length INTEGER NOT NULL,
          argument_address INTEGER NOT NULL,
          argument_length INTEGER NOT NULL,
          argument_flags INTEGER NOT NULL,
          result INTEGER NOT NULL,
          requested TEXT NOT NULL,
          previous TEXT,
          effective TEXT NOT NULL,
          backing TEXT NOT NULL,
          file INTEGER REFERENCES file(id),
          file_offset INTEGER,
          shared INTEGER NOT NULL,
          fresh INTEGER NOT NULL,
          vanished INTEGER NOT NULL,
          unseen INTEGER NOT NULL,
          known INTEGER NOT NULL,
          has_pages INTEGER NOT NULL,
          instruction_pointer INTEGER NOT NULL,
          stack_pointer INTEGER NOT NULL,
          caller INTEGER,
          caller_backing TEXT,
          caller_file INTEGER REFERENCES file(id),
          caller_offset INTEGER,
          writer_pid INTEGER,
          writer_tid INTEGER,
          writer_host_pid INTEGER,
          writer_host_tid INTEGER,
          writer_name TEXT,
          look_trigger TEXT,
          call_number INTEGER,
          label TEXT,
          label_source TEXT,
          label_detail TEXT,
          reference_sha256 BLOB,
          reference_length INTEGER,
          end_position INTEGER,
          end_cpu INTEGER,
          end_sequence INTEGER,
          end_ns INTEGER,
          captured INTEGER,
          untouched INTEGER,
          unchanged INTEGER,
          unreadable INTEGER,
          lost INTEGER,
          stalled_ns INTEGER
        ) STRICT
        """,
        """
        CREATE TABLE content (
          id INTEGER PRIMARY KEY,
          sha256 BLOB NOT NULL,
          size INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE content_bytes (
          content INTEGER PRIMARY KEY REFERENCES content(id),
          encoding TEXT NOT NULL,
          bytes BLOB NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE snapshot (
          position INTEGER PRIMARY KEY,
          transition INTEGER NOT NULL REFERENCES transition(position),
          region INTEGER REFERENCES region(id),
          process INTEGER NOT NULL REFERENCES process(id),
          address INTEGER NOT NULL,
          size INTEGER NOT NULL,
          time_ns INTEGER NOT NULL,
          generation INTEGER NOT NULL,
          content INTEGER REFERENCES content(id),
          reader TEXT,
          unreadable TEXT,
          error INTEGER,
          tid INTEGER NOT NULL,
          host_tid INTEGER NOT NULL,
          cpu INTEGER NOT NULL,
          sequence INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE loss (
          position INTEGER PRIMARY KEY,
          cause TEXT NOT NULL,
          time_ns INTEGER NOT NULL,
          process INTEGER REFERENCES process(id),
          tid INTEGER,
          host_tid INTEGER,
          transition INTEGER,
          start INTEGER,
          length INTEGER NOT NULL,
          count INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE shared_view (
          position INTEGER PRIMARY KEY,
          time_ns INTEGER NOT NULL,
          executable_pid INTEGER NOT NULL,
          executable_start INTEGER NOT NULL,
          executable_length INTEGER NOT NULL,
          executable_protection TEXT NOT NULL,
          writable_pid INTEGER NOT NULL,
          writable_start INTEGER NOT NULL,
          writable_length INTEGER NOT NULL,
          writable_protection TEXT NOT NULL,
          backing TEXT NOT NULL,
          file INTEGER REFERENCES file(id),
          file_offset INTEGER
        ) STRICT
        """,
        """
        CREATE TABLE blind_spot (
          position INTEGER PRIMARY KEY,
          process INTEGER NOT NULL REFERENCES process(id),
          tid INTEGER NOT NULL,
          host_tid INTEGER NOT NULL,
          time_ns INTEGER NOT NULL,
          start INTEGER NOT NULL,
          length INTEGER NOT NULL,
          reason TEXT NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE label (
          position INTEGER PRIMARY KEY,
          process INTEGER NOT NULL REFERENCES process(id),
          tid INTEGER NOT NULL,
          host_tid INTEGER NOT NULL,
          time_ns INTEGER NOT NULL,
          start INTEGER NOT NULL,
          length INTEGER NOT NULL,
          label TEXT NOT NULL,
          label_source TEXT NOT NULL,
          label_detail TEXT
        ) STRICT
        """,
        """
        CREATE TABLE execution (
          position INTEGER PRIMARY KEY,
          transition INTEGER NOT NULL,
          process INTEGER NOT NULL REFERENCES process(id),
          tid INTEGER NOT NULL,
          host_tid INTEGER NOT NULL,
          time_ns INTEGER NOT NULL,
          address INTEGER NOT NULL,
          region_start INTEGER NOT NULL,
          region_length INTEGER NOT NULL,
          sequence INTEGER NOT NULL,
          writer INTEGER,
          writer_backing TEXT,
          writer_file INTEGER REFERENCES file(id),
          writer_offset INTEGER,
          rax INTEGER NOT NULL, rbx INTEGER NOT NULL, rcx INTEGER NOT NULL, rdx INTEGER NOT NULL,
          rsi INTEGER NOT NULL, rdi INTEGER NOT NULL, rbp INTEGER NOT NULL, rsp INTEGER NOT NULL,
          r8 INTEGER NOT NULL, r9 INTEGER NOT NULL, r10 INTEGER NOT NULL, r11 INTEGER NOT NULL,
          r12 INTEGER NOT NULL, r13 INTEGER NOT NULL, r14 INTEGER NOT NULL, r15 INTEGER NOT NULL,
          rip INTEGER NOT NULL, eflags INTEGER NOT NULL, cs INTEGER NOT NULL, ss INTEGER NOT NULL,
          fs_base INTEGER NOT NULL, gs_base INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE mapping (
          id INTEGER PRIMARY KEY,
          execution INTEGER NOT NULL REFERENCES execution(position),
          start INTEGER NOT NULL,
          length INTEGER NOT NULL,
          protection TEXT NOT NULL,
          shared INTEGER NOT NULL,
          backing TEXT NOT NULL,
          file INTEGER REFERENCES file(id),
          file_offset INTEGER
        ) STRICT
        """,
        """
        CREATE TABLE mapping_page (
          mapping INTEGER NOT NULL REFERENCES mapping(id),
          address INTEGER NOT NULL,
          content INTEGER NOT NULL REFERENCES content(id),
          PRIMARY KEY (mapping, address)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE layer (
          id INTEGER PRIMARY KEY,
          number INTEGER NOT NULL,
          parent INTEGER REFERENCES layer(id),
          process INTEGER NOT NULL REFERENCES process(id),
          tid INTEGER NOT NULL,
          host_tid INTEGER NOT NULL,
          time_ns INTEGER NOT NULL,
          start INTEGER NOT NULL,
          length INTEGER NOT NULL,
          backing TEXT NOT NULL,
          file INTEGER REFERENCES file(id),
          file_offset INTEGER,
          requester INTEGER,
          requester_backing TEXT,
          requester_file INTEGER REFERENCES file(id),
          requester_offset INTEGER,
          writer INTEGER,
          writer_backing TEXT,
          writer_file INTEGER REFERENCES file(id),
          writer_offset INTEGER,
          entry INTEGER,
          label TEXT,
          label_source TEXT,
          label_detail TEXT
        ) STRICT
        """,
        """
        CREATE TABLE record_count (
          cpu INTEGER PRIMARY KEY,
          given INTEGER NOT NULL,
          missing INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE loss_sum (
          cause TEXT PRIMARY KEY,
          pages INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE analysis (
          id INTEGER PRIMARY KEY CHECK (id = 1),
          husk_version TEXT NOT NULL,
          wall_ns INTEGER NOT NULL,
          rules TEXT,
          everything INTEGER NOT NULL,
          explained_by_jit INTEGER NOT NULL,
          suppressed INTEGER NOT NULL,
          cut INTEGER NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE finding (
          id INTEGER PRIMARY KEY,
          kind TEXT NOT NULL,
          importance TEXT NOT NULL,
          techniques TEXT NOT NULL,
          reason TEXT NOT NULL,
          process INTEGER REFERENCES process(id),
          process_name TEXT NOT NULL,
          time_ns INTEGER NOT NULL,
          start INTEGER NOT NULL,
          length INTEGER NOT NULL,
          layer INTEGER,
          entry INTEGER
        ) STRICT
        """,
        """
        CREATE TABLE finding_transition (
          finding INTEGER NOT NULL REFERENCES finding(id),
          transition INTEGER NOT NULL,
          PRIMARY KEY (finding, transition)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE appearance (
          id INTEGER PRIMARY KEY,
          region INTEGER NOT NULL REFERENCES region(id),
          transition INTEGER NOT NULL,
          generation INTEGER NOT NULL,
          start INTEGER NOT NULL,
          length INTEGER NOT NULL,
          kind TEXT NOT NULL,
          entropy REAL NOT NULL,
          reasons TEXT NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE carved (
          id INTEGER PRIMARY KEY,
          appearance INTEGER NOT NULL REFERENCES appearance(id),
          address INTEGER NOT NULL,
          format TEXT NOT NULL,
          claimed_size INTEGER NOT NULL,
          available_size INTEGER NOT NULL,
          entry INTEGER,
          summary TEXT NOT NULL,
          import_hash_kind TEXT,
          import_hash TEXT
        ) STRICT
        """,
        """
        CREATE TABLE rule_match (
          id INTEGER PRIMARY KEY,
          region INTEGER NOT NULL REFERENCES region(id),
          transition INTEGER NOT NULL,
          generation INTEGER NOT NULL,
          rule TEXT NOT NULL,
          namespace TEXT NOT NULL,
          tags TEXT NOT NULL,
          metadata TEXT NOT NULL
        ) STRICT
        """,
        """
        CREATE TABLE rule_string (
          rule_match INTEGER NOT NULL REFERENCES rule_match(id),
          identifier TEXT NOT NULL,
          address INTEGER NOT NULL,
          length INTEGER NOT NULL,
          data BLOB NOT NULL
        ) STRICT
        """,
    ]

    /// Made when the trace has ended: while it runs they would cost more than they give.
    static let indices = [
        "CREATE INDEX content_sha256 ON content(sha256)",
        "CREATE INDEX snapshot_address ON snapshot(process, address, position)",
        "CREATE INDEX snapshot_content ON snapshot(content)",
        "CREATE INDEX snapshot_transition ON snapshot(transition)",
        "CREATE INDEX snapshot_region ON snapshot(region, generation)",
        "CREATE INDEX transition_start ON transition(process, start)",
        "CREATE INDEX transition_region ON transition(region)",
        "CREATE INDEX transition_id ON transition(id)",
        "CREATE INDEX region_start ON region(process, start)",
        "CREATE INDEX mapping_execution ON mapping(execution)",
        "CREATE INDEX execution_region ON execution(process, region_start)",
    ]
}

extension CaptureSchema {
    /// In an empty database.
    static func create(in db: Database) throws {
        for table in tables { try db.execute(sql: table) }
        try db.execute(sql: "PRAGMA user_version = \(version)")
    }
}
