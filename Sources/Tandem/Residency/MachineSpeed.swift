// SPDX-License-Identifier: Apache-2.0

internal import TandemFormat

/// How fast weights come from storage and are computed with, for predictions.
public struct MachineSpeed: Sendable, Equatable {
    public let storageBytesPerSecond: Double
    /// Bytes of the primary's weights multiplied by one row of activations in a second, all threads together.
    public let computeBytesPerSecond: Double
    /// False when the storage's speed was given.
    public let isStorageMeasured: Bool

    /// Reads some weights of the primary and multiplies by them, for a fraction of a second each.
    ///
    /// Takes memory for one matrix and a ring's worth of reads. The speed of storage is that of bypassing the page cache
    /// where the file system lets us.
    /// - Parameters:
    ///   - path: a `.tandem` file on the storage in question.
    ///   - options: the threads and the instruction set to compute with.
    ///   - storageBytesPerSecond: the storage's speed, when it is known.
    /// - Throws: ``TandemError``.
    public static func measure(
        file path: String, options: LoadOptions = .default, storageBytesPerSecond: Double? = nil
    ) throws(TandemError) -> MachineSpeed {
        let file: TandemFile
        let storage: FileStorage
        do {
            file = try TandemFile(path: path)
            storage = try FileStorage(file)
        } catch {
            throw .format(error)
        }
        let candidates = file.tensors.filter {
            $0.name.hasPrefix("primary.layers.") && $0.encoding.isPanel && $0.dataLength <= 32 << 20
        }
        guard let tensor = candidates.max(by: { $0.dataLength < $1.dataLength }) ?? file.tensors.first else {
            throw .missingTensor(name: TensorName.layer(.primary, 0, .up))
        }
        let reading: Double
        if let storageBytesPerSecond {
            reading = storageBytesPerSecond
        } else {
            reading = try readSpeed(file, storage)
        }
        return MachineSpeed(
            storageBytesPerSecond: reading,
            computeBytesPerSecond: try multiplySpeed(file, tensor, storage, options),
            isStorageMeasured: storageBytesPerSecond == nil)
    }

    /// Reads the longest chunk from its start, for a quarter of a second or 64 MiB.
    private static func readSpeed(_ file: TandemFile, _ storage: FileStorage) throws(TandemError) -> Double {
        let window = try BlockWindow(storage: storage, capacity: BlockLayout.largestRead)
        let start = monotonicSeconds()
        var bytes = 0
        for chunk in file.chunks where chunk.name.hasPrefix("primary") {
            var offset = chunk.offset
            let end = chunk.offset + chunk.storedLength
            while offset < end {
                let stop = min(offset + window.capacity, end)
                _ = try unsafe window.bytes(offset..<stop)
                bytes += stop - offset
                offset = stop
                let seconds = monotonicSeconds() - start
                if seconds > 0.25 || bytes >= 64 << 20 { return Double(bytes) / max(seconds, 1e-9) }
            }
        }
        return Double(bytes) / max(monotonicSeconds() - start, 1e-9)
    }

    private static func multiplySpeed(
        _ file: TandemFile, _ tensor: TensorDescriptor, _ storage: FileStorage, _ options: LoadOptions
    ) throws(TandemError) -> Double {
        let memory = try AlignedBuffer(
            byteCount: tensor.dataLength + tensor.scalesLength + 128, purpose: "measuring")
        let scales = (tensor.dataLength + 63) & ~63
        var copies = [
            unsafe ChunkScan.Copy(
                range: tensor.dataOffset..<tensor.dataOffset + tensor.dataLength, target: memory.base)
        ]
        if tensor.scalesLength > 0 {
            unsafe copies.append(
                ChunkScan.Copy(
                    range: tensor.scalesOffset..<tensor.scalesOffset + tensor.scalesLength,
                    target: memory.base + scales))
        }
        var scan = ChunkScan(
            chunk: file.chunks[tensor.chunk],
            window: try BlockWindow(storage: storage, capacity: ChunkScan.windowCapacity), copies: copies,
            isVerifying: false)
        try scan.run()
        let kernels = try KernelTable(named: options.instructionSet)
        let pool = ComputePool(threadCount: options.threadCount ?? availableProcessorCount())
        let workspace = try Workspace(
            configurations: [file.manifest.primary], maxRows: 1, contextSize: 16,
            threadCount: pool.threadCount)
        let multiplier = unsafe Multiplier(pool: pool, kernels: kernels.table, workspace: workspace)
        let output = try AlignedBuffer(byteCount: (tensor.rows + 15) * 4, purpose: "measuring")
        let input = try AlignedBuffer(byteCount: (tensor.columns + 15) * 4, purpose: "measuring")
        let matrix = unsafe Matrix(
            tensor, data: UnsafeRawPointer(memory.base), scales: UnsafeRawPointer(memory.base + scales))
        func multiply() {
            unsafe multiplier.multiply(
                UnsafePointer(input.pointer(to: Float.self)), stride: tensor.columns, rows: 1,
                by: [
                    Product(
                        matrix: matrix, output: output.pointer(to: Float.self),
                        outputStride: (tensor.rows + 15) & ~15)
                ])
        }
        multiply()
        let start = monotonicSeconds()
        var rounds = 0
        var seconds = 0.0
        while seconds < 0.05 || rounds < 3 {
            multiply()
            rounds += 1
            seconds = monotonicSeconds() - start
        }
        return Double(rounds) * Double(tensor.dataLength + tensor.scalesLength) / seconds
    }
}

extension MemoryPlan {
    /// Seconds of one pass of the primary over a few rows, reading and computing at the same time.
    public func passSeconds(_ speed: MachineSpeed) -> Double {
        max(
            Double(passBytes) / speed.storageBytesPerSecond,
            Double(primaryBytes) / speed.computeBytesPerSecond)
    }

    /// Predicted tokens per second when `draft` tokens are drafted before each pass and each one, given that those before
    /// it were accepted, is accepted with probability `acceptance`.
    ///
    /// A verified row is taken to cost nothing beyond the pass; reading ahead goes on while the secondary drafts.
    public func tokensPerSecond(_ speed: MachineSpeed, draft: Int, acceptance: Double) -> Double {
        var tokens = 1.0
        var chance = 1.0
        for _ in 0..<draft {
            chance *= acceptance
            tokens += chance
        }
        let drafting = Double(draft) * Double(secondaryBytes) / speed.computeBytesPerSecond
        let ahead = min(drafting, Double(ringBytes) / speed.storageBytesPerSecond)
        let reading = max(0, Double(passBytes) / speed.storageBytesPerSecond - ahead)
        let computing = Double(primaryBytes) / speed.computeBytesPerSecond
        return tokens / (drafting + max(reading, computing))
    }
}
