// SPDX-License-Identifier: Apache-2.0
// swift-format-ignore-file: AlwaysUseLowerCamelCase

public import CTandemHeader
internal import Glibc
internal import Tandem

@c @implementation
public func tandem_model_load(
    _ path: UnsafePointer<CChar>?, _ options: UnsafePointer<tandem_load_options>?,
    _ model: UnsafeMutablePointer<OpaquePointer?>?, _ errorText: UnsafeMutablePointer<CChar>?,
    _ errorCapacity: Int
) -> Int32 {
    unsafe model?.pointee = nil
    do throws(CallError) {
        guard let model = unsafe model else { throw .invalidArgument("model is NULL") }
        let path = try unsafe checkedPath(path)
        let options = try unsafe loadOptions(options)
        let loaded: TandemModel
        do throws(TandemError) {
            loaded = try TandemModel.load(from: path, options: options)
        } catch {
            throw CallError(error)
        }
        unsafe model.pointee = try HandleTable.insert(.model(ModelHandle(model: loaded)))
        unsafe copyText("", to: errorText, capacity: errorCapacity)
        return TANDEM_OK
    } catch {
        unsafe copyText(error.text, to: errorText, capacity: errorCapacity)
        return error.status
    }
}

@c @implementation
public func tandem_model_free(_ model: OpaquePointer?) -> Int32 {
    if unsafe model == nil { return TANDEM_OK }
    return unsafe HandleTable.removeModel(model) == nil ? TANDEM_ERROR_INVALID_HANDLE : TANDEM_OK
}

@c @implementation
public func tandem_model_last_error(
    _ model: OpaquePointer?, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int
) -> Int {
    guard let target = unsafe HandleTable.model(model) else {
        unsafe copyText("", to: buffer, capacity: capacity)
        return 0
    }
    return unsafe target.lastError.copy(to: buffer, capacity: capacity)
}

private func checkedPath(_ pointer: UnsafePointer<CChar>?) throws(CallError) -> String {
    guard let pointer = unsafe pointer else { throw .invalidArgument("path is NULL") }
    let limit = Int(PATH_MAX)
    let length = unsafe strnlen(pointer, limit)
    guard length > 0 else { throw .invalidArgument("path is empty") }
    guard length < limit else { throw .invalidArgument("path has \(limit) bytes or more") }
    return try unsafe checkedText(at: pointer, length: length, name: "path")
}

private func loadOptions(_ pointer: UnsafePointer<tandem_load_options>?) throws(CallError) -> LoadOptions {
    let given = try unsafe readOptions(at: pointer, default: tandem_load_options(), name: "options")
    let verification: LoadOptions.Verification
    switch unsafe given.verification {
    case TANDEM_VERIFY_FULL: verification = .full
    case TANDEM_VERIFY_STRUCTURE: verification = .structure
    case let other:
        throw CallError(
            TANDEM_ERROR_UNSUPPORTED, "verification is \(other), which is no TANDEM_VERIFY_ value")
    }
    var instructionSet: String?
    if let name = unsafe given.instruction_set {
        instructionSet = try unsafe checkedText(at: name, length: strnlen(name, 64), name: "instruction_set")
    }
    do throws(TandemError) {
        let threads = unsafe given.threads
        return try LoadOptions(
            threadCount: threads == 0 ? nil : Int(threads), instructionSet: instructionSet,
            verification: verification)
    } catch {
        throw CallError(error)
    }
}
