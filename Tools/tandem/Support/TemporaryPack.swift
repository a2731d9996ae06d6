// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization
import Tandem
import TandemPack

/// A checkpoint packed into a file that nobody else sees.
///
/// The file lies in `TMPDIR` (`/tmp` without it) and loses its name as soon as it is loaded: it goes when the model goes,
/// however the process ends.
final class TemporaryPack {
    let report: PackReport
    private let path: String

    /// - Parameter calibration: what is known of the matrices' inputs.
    init(
        source: String, secondary: String? = nil, recipe: Recipe, calibration: Calibration? = nil,
        threads: Int, quiet: Bool = false
    ) throws {
        var options = try PackOptions(recipe: recipe, threadCount: packThreads(threads))
        options.calibration = calibration
        // Nobody chats with it, so a template that cannot be used does not matter.
        options.omitsChatTemplate = true
        options.isCancelled = { interruptibleToken.isCancelled }
        let folder = unsafe getenv("TMPDIR").map { unsafe String(cString: $0) } ?? "/tmp"
        path = "\(folder)/tandem-\(getpid())-\(TemporaryPack.nextNumber()).tandem"
        var line: ProgressLine?
        defer { line?.finish() }
        report = try Packer().pack(
            source: source, secondary: secondary, destination: path, options: options,
            progress: { progress in
                if line == nil {
                    line = ProgressLine(
                        label: "MB as \(recipe.name)", total: progress.totalBytes / 1_000_000, quiet: quiet)
                }
                line?.update(progress.completedBytes / 1_000_000, note: progress.tensor)
            })
    }

    deinit { unsafe unlink(path) }

    /// Loads the file and takes its name away.
    func load(threads: Int) throws -> TandemModel {
        defer { unsafe unlink(path) }
        return try TandemModel.load(
            from: path,
            // Calibration knows matrices by their place in the mapping.
            options: LoadOptions(
                threadCount: threads == 0 ? nil : threads, verification: .structure, memory: .mapped))
    }

    private static func nextNumber() -> Int {
        counter.withLock { count in
            count += 1
            return count
        }
    }

    private static let counter = Mutex(0)
}

/// Threads that quantise, for a `--threads` of 0 (all) or more.
func packThreads(_ wanted: Int) -> Int {
    wanted == 0 ? min(availableProcessorCount(), 256) : wanted
}

/// What a path that is given as a model holds.
enum ModelPath {
    /// A packed file, or anything that its reader will find wrong.
    case packed
    /// A checkpoint: a directory or a GGUF file.
    case checkpoint

    init(_ path: String) {
        var status = stat()
        if unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
            self = .checkpoint
            return
        }
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            self = .packed
            return
        }
        defer { close(descriptor) }
        var magic = [UInt8](repeating: 0, count: 4)
        let count = unsafe magic.withUnsafeMutableBytes { unsafe read(descriptor, $0.baseAddress, 4) }
        self = count == 4 && magic == Array("GGUF".utf8) ? .checkpoint : .packed
    }
}
