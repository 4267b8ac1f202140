// SPDX-License-Identifier: MIT

/// Kept in step with CHANGELOG.md.
let huskVersion = "0.1.0"
