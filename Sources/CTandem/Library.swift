// SPDX-License-Identifier: Apache-2.0
// swift-format-ignore-file: AlwaysUseLowerCamelCase

internal import CTandemHeader
internal import TandemFormat

@c @implementation
public func tandem_abi_version() -> Int32 {
    TANDEM_ABI_VERSION
}

@c @implementation
public func tandem_version() -> UnsafePointer<CChar>? {
    unsafe cString(LibraryVersion.text)
}

@c @implementation
public func tandem_status_text(_ status: Int32) -> UnsafePointer<CChar>? {
    unsafe cString(statusText(status))
}

private func statusText(_ status: Int32) -> StaticString {
    switch status {
    case TANDEM_OK: "success"
    case TANDEM_ERROR_INVALID_ARGUMENT: "invalid argument"
    case TANDEM_ERROR_INVALID_HANDLE: "not a live handle of this type"
    case TANDEM_ERROR_STRUCT_SIZE: "the size field of a struct is not set"
    case TANDEM_ERROR_UNSUPPORTED: "not supported here"
    case TANDEM_ERROR_INVALID_UTF8: "text is not UTF-8"
    case TANDEM_ERROR_BUFFER_TOO_SMALL: "the buffer is too small"
    case TANDEM_ERROR_IO: "the file cannot be read"
    case TANDEM_ERROR_BAD_FILE: "the file is damaged or no .tandem file"
    case TANDEM_ERROR_OUT_OF_MEMORY: "out of memory"
    case TANDEM_ERROR_NO_TOKENIZER: "the file holds no tokenizer"
    case TANDEM_ERROR_PROMPT_TOO_LONG: "the prompt does not fit the context"
    case TANDEM_ERROR_INVALID_TOKEN: "a token id is outside the vocabulary"
    case TANDEM_ERROR_BUSY: "the session is generating"
    case TANDEM_ERROR_NOT_RUNNING: "no generation is running"
    case TANDEM_ERROR_INTERNAL: "fault of the library"
    case TANDEM_ERROR_FORKED: "made before this process was forked"
    case TANDEM_ERROR_QUEUE_FULL: "too many calls are waiting"
    default: "unknown status"
    }
}

/// A literal as C sees it: NUL-terminated and never freed.
private func cString(_ literal: StaticString) -> UnsafePointer<CChar> {
    unsafe UnsafeRawPointer(literal.utf8Start).assumingMemoryBound(to: CChar.self)
}
