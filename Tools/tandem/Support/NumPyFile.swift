// SPDX-License-Identifier: Apache-2.0

import Glibc

/// Writes a [rows, columns] array of floats as a NumPy `.npy` file (format version 1.0), replacing what was there.
/// - Throws: ``NumPyError``; no partial file is left.
func writeNumPy(_ values: [Float], rows: Int, columns: Int, to path: String) throws {
    var header = "{'descr': '<f4', 'fortran_order': False, 'shape': (\(rows), \(columns)), }"
    // Magic, version, length and header together fill a multiple of 64 bytes and end in a newline.
    let unpadded = 10 + header.utf8.count + 1
    header += String(repeating: " ", count: (64 - unpadded % 64) % 64) + "\n"
    var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0]
    let length = header.utf8.count
    bytes += [UInt8(length & 255), UInt8(length >> 8)] + Array(header.utf8)
    unsafe values.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }

    let temporary = "\(path).partial-\(getpid())"
    let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw NumPyError(path: path, reason: currentSystemError()) }
    var written = 0
    var failure: String?
    while written < bytes.count && failure == nil {
        let count = unsafe bytes.withUnsafeBytes { buffer in
            unsafe write(descriptor, buffer.baseAddress.map { unsafe $0 + written }, buffer.count - written)
        }
        if count > 0 { written += count } else if errno != EINTR { failure = currentSystemError() }
    }
    if fsync(descriptor) != 0, failure == nil { failure = currentSystemError() }
    close(descriptor)
    if failure == nil, unsafe rename(temporary, path) != 0 { failure = currentSystemError() }
    if let failure {
        unsafe unlink(temporary)
        throw NumPyError(path: path, reason: failure)
    }
}

/// A `.npy` file could not be written.
struct NumPyError: Error, CustomStringConvertible {
    let path: String
    let reason: String

    var description: String { "cannot write '\(path)': \(reason)" }
}
