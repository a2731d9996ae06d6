// SPDX-License-Identifier: Apache-2.0

internal import CTandemKernels
import Glibc

/// Where everything that running a model takes is kept, in bytes.
///
/// A plan is made before any weight is read (``TandemModel/memoryPlan(forFile:options:)``), and a loaded
/// model keeps to the one it was loaded with (``TandemModel/memoryPlan``).
public struct MemoryPlan: Sendable, Equatable {
    /// How the weights are kept.
    public enum Residency: String, Sendable {
        /// In the mapped file: its pages belong to the page cache.
        case mapped
        /// Read into memory once.
        case resident
        /// In part in memory, in part read from storage in every pass of the primary.
        case streamed
    }

    /// One line of the plan.
    public struct Item: Sendable, Equatable {
        /// What takes the memory.
        public let name: String
        public let bytes: Int
        /// What it consists of.
        public let detail: String
    }

    public let residency: Residency
    /// The budget; `nil` when there is none.
    public let budgetBytes: Int?
    /// What set the budget: `asked for`, `MemAvailable`, or the folder of a control group.
    public internal(set) var budgetSource: String
    /// The least budget with which these models and this session could run.
    public internal(set) var leastBytes: Int
    public let items: [Item]
    /// Bytes of the file.
    public let fileBytes: Int
    /// Layers of the primary.
    public let layerCount: Int
    /// Layers of the primary that stay in memory as a whole.
    public let pinnedLayers: [Int]
    /// Bytes of the primary's matrices that a pass multiplies by, wherever they are.
    public let primaryBytes: Int
    /// Bytes of the secondary's matrices that a drafted token multiplies by; 0 without a secondary.
    public let secondaryBytes: Int
    /// Bytes of weights that are read in every pass of the primary, when caches and activations are in use to the full.
    public let streamedBytes: Int
    /// Bytes that storage delivers for them: whole blocks.
    public let passBytes: Int
    /// Bytes of the ring buffer that streamed weights are read ahead into.
    public let ringBytes: Int
    /// Bytes of streamed weights that stay in memory from the first pass on: what is left over.
    public let heldBytes: Int
    /// Bytes of caches and activations that hold streamed weights too, as far as they are not in use.
    public let sparseBytes: Int
    /// Positions of the session that the plan has room for.
    public let contextSize: Int
    /// Rows of a prompt that go through the model in one pass.
    public let promptRows: Int
    /// Block length γ that the file recommends, or 4; 0 without a secondary.
    public let draftLength: Int
    /// Drafts of a pass that the plan has room for where they are a tree.
    public let treeNodes: Int
    /// Bytes of the sessions there is room for, but for the activations.
    let sessionBytes: Int
    /// Bytes of those that are no caches.
    let fixedSessionBytes: Int
    /// Rows that passes have room for, of all sessions together, and the bytes of their activations.
    let passRows: Int
    let activationBytes: Int
    let placement: WeightPlacement

    /// All items together.
    public var totalBytes: Int { items.reduce(0) { $0 + $1.bytes } }

    /// What the runtime itself takes: program and library pages, stacks, the heap's own needs.
    ///
    /// Measured on Linux x86-64 as the peak resident memory of `tandem generate` minus what the plan lists by name and the run
    /// uses: 8.8 MiB for a program with the Swift libraries inside; for one that loads them 10.1 MiB, 17.6 MiB where pages
    /// that were needed only at the start cannot be given back. Such a program takes 16 MiB before there is a model, which
    /// smaller models would not cover otherwise. Three quarters of all this are pages of programs and libraries, which a
    /// control group that others have read them in is not charged for.
    public static let runtimeBytes =
        !loadsSwift ? (9 << 20) + (512 << 10) : tk_release_program_pages() > 0 ? 14 << 20 : 18 << 20

    /// Whether the Swift libraries are files of their own in this process.
    private static let loadsSwift: Bool = {
        guard let library = unsafe dlopen("libswiftCore.so", RTLD_LAZY | RTLD_NOLOAD) else { return false }
        unsafe dlclose(library)
        return true
    }()
}
