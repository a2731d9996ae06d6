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
        let given = try unsafe readOptions(
            at: options, default: tandem_load_options(), first: FirstSize.loadOptions, name: "options")
        let log = try unsafe callLog(given)
        let loaded = try unsafe load(path, given, log)
        unsafe model.pointee = try HandleTable.insert(.model(ModelHandle(model: loaded, log: log)))
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
    do throws(CallError) {
        let target = try unsafe HandleTable.removeModel(model)
        target.log.write(TANDEM_LOG_INFO, "model freed")
        return TANDEM_OK
    } catch {
        return error.statusOfFree
    }
}

@c @implementation
public func tandem_model_set_memory_budget(_ model: OpaquePointer?, _ memoryBytes: UInt64) -> Int32 {
    unsafe ModelHandle.call(model) { target throws(CallError) in
        let budget = memoryBudget(memoryBytes)
        try CallError.passing { () throws(TandemError) in try target.model.setMemoryBudget(budget) }
        target.log.write(TANDEM_LOG_INFO, "memory budget changed: \(summary(of: target.model))")
    }
}

@c @implementation
public func tandem_model_last_error(
    _ model: OpaquePointer?, _ buffer: UnsafeMutablePointer<CChar>?, _ capacity: Int
) -> Int {
    do throws(CallError) {
        return try unsafe HandleTable.model(model).lastError.copy(to: buffer, capacity: capacity)
    } catch {
        return unsafe copyText(error.lastErrorText, to: buffer, capacity: capacity)
    }
}

private func load(_ path: String, _ given: tandem_load_options, _ log: CallLog) throws(CallError)
    -> TandemModel
{
    do throws(CallError) {
        let options = try unsafe loadOptions(given)
        do throws(TandemError) {
            let model = try TandemModel.load(from: path, options: options)
            log.write(TANDEM_LOG_INFO, "loaded '\(path)': \(summary(of: model))")
            return model
        } catch {
            throw CallError(error)
        }
    } catch {
        log.write(failure: error, of: "tandem_model_load")
        throw error
    }
}

private func summary(of model: TandemModel) -> String {
    let plan = model.memoryPlan
    var text = "\(model.manifest.kind.rawValue), \(model.threadCount) threads, \(model.instructionSet), "
    text += "weights \(plan.residency.rawValue), \(plan.totalBytes >> 20) MiB planned"
    if plan.passBytes > 0 { text += ", \(plan.passBytes >> 20) MiB read from the file in every pass" }
    return text
}

private func callLog(_ given: tandem_load_options) throws(CallError) -> CallLog {
    let level = unsafe given.log_level
    guard (0...TANDEM_LOG_DEBUG).contains(level) else {
        throw CallError(TANDEM_ERROR_UNSUPPORTED, "log_level is \(level), which is no TANDEM_LOG_ value")
    }
    return unsafe CallLog(
        function: given.on_log, userData: given.log_user_data,
        lastLevel: level == 0 ? TANDEM_LOG_INFO : level)
}

private func loadOptions(_ given: tandem_load_options) throws(CallError) -> LoadOptions {
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
    let session = try unsafe sessionOptions(given.session, name: "session")
    let (running, queued) = unsafe (given.max_running, given.max_queued)
    do throws(TandemError) {
        let standard = SchedulingOptions.default
        let scheduling = try SchedulingOptions(
            maxRunning: running == 0 ? standard.maxRunning : Int(running),
            maxQueued: queued == 0 ? standard.maxQueued : queued == -1 ? 0 : Int(queued))
        let (threads, sessions) = unsafe (given.threads, given.session_count)
        return try LoadOptions(
            threadCount: threads == 0 ? nil : Int(threads), instructionSet: instructionSet,
            verification: verification, memory: memoryBudget(unsafe given.memory_bytes), session: session,
            sessionCount: sessions == 0 ? 1 : Int(sessions), scheduling: scheduling)
    } catch {
        throw CallError(error)
    }
}

private func memoryBudget(_ bytes: UInt64) -> MemoryBudget {
    switch bytes {
    case 0: .automatic
    case TANDEM_MEMORY_MAPPED: .mapped
    default: .bytes(Int(clamping: bytes))
    }
}
