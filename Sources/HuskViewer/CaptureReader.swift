// SPDX-License-Identifier: MIT
internal import HuskAnalysis
internal import HuskCapture
internal import HuskReport

/// Answers what browsers ask of one capture, one question at a time.
///
/// A capture that is finished stays open. One that is being written is opened for each question and
/// closed again: its writer folds its log into it at the end, and for that it must be alone.
actor CaptureReader {
    private let path: String
    private let executor: QueueExecutor
    private var kept: CaptureDocuments?
    private var analysis: AnalysisRecord?
    private var expected: String?
    private var isAnalyzing = false
    /// Grows when something other than an event is new.
    private var revision: Int64 = 0
    /// Of the last position; pages and fragments are asked for together.
    private var answers: [PageRequest: PageAnswer] = [:]
    private var answersAt: Int64 = -1

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    init(path: String, name: String) {
        self.path = path
        executor = QueueExecutor("husk-view-\(name)")
    }

    /// The capture's own number.
    func identity() throws -> String { try documents().file.info.uuid }

    /// From now on the file must be this capture: another one in its place is not told as it.
    func expect(_ identity: String) throws {
        expected = identity
        _ = try documents()
    }

    /// Whether its trace has ended, and whether an analysis is stored in it.
    func state() throws -> (isFinished: Bool, isAnalyzed: Bool) {
        let file = try documents().file
        return (file.info.isFinished, try file.analysis() != nil)
    }

    private func documents() throws -> CaptureDocuments {
        if let kept { return kept }
        let file = try CaptureFile(path: path)
        guard expected == nil || expected == file.info.uuid else {
            throw CaptureFileError(
                .notReadable, "the capture has been replaced by another one",
                hint: "end `husk view` and start it again")
        }
        if analysis == nil { analysis = try file.analysis() }
        let documents = CaptureDocuments(file, analysis: analysis)
        if file.info.isFinished { kept = documents }
        return documents
    }

    func answer(_ request: PageRequest) throws -> PageAnswer? {
        let documents = try documents()
        switch request {
        case .page, .overview, .timeline, .fragment:
            // Several viewers ask for the same.
            let position = try documents.file.lastPosition() &+ revision
            if position != answersAt || kept == nil { answers = [:] }
            answersAt = position
            if let known = answers[request] { return known }
            let answer = try documents.answer(request)
            answers[request] = answer
            return answer
        case .region, .contents, .search:
            return try documents.answer(request)
        case .status:
            return try documents.status(isBusy: isAnalyzing, revision: revision)
        }
    }

    // MARK: Analysis

    func beginAnalysis() {
        isAnalyzing = true
    }

    /// What an analysis has found that is not stored in the capture; nil: it has failed.
    func endAnalysis(_ record: AnalysisRecord?) {
        isAnalyzing = false
        revision += 1
        analysis = record
        if let file = kept?.file { kept = CaptureDocuments(file, analysis: record) }
        answers = [:]
    }
}
