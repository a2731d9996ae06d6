// SPDX-License-Identifier: Apache-2.0

import Foundation
import TandemJSON
import TandemTokenizer
import Testing

/// What templates and conversations are refused for, and that refusing them takes bounded time and memory.
@Suite("Template errors") struct TemplateErrorTests {
    private func error(_ source: String, _ request: ChatRequest = ChatRequest(messages: [.user("Hi")]))
        -> TemplateError?
    {
        do throws(TemplateError) {
            _ = try ChatTemplate(source: source).render(request)
            return nil
        } catch {
            return error
        }
    }

    @Test("what is not implemented is named with its place")
    func unsupported() {
        #expect(
            error("a\n  {% include 'x' %}")
                == .unsupported(construct: "the tag 'include'", line: 2, column: 6))
        #expect(
            error("{{ x|groupby('a') }}")
                == .unsupported(construct: "the filter 'groupby'", line: 1, column: 6))
        #expect(
            error("{{ x.encode() }}") == .unsupported(construct: "the method 'encode'", line: 1, column: 5))
        #expect(error("{{ joiner() }}") == .unsupported(construct: "'joiner'", line: 1, column: 4))
    }

    @Test(
        "syntax errors",
        arguments: [
            "{{ x", "{% if x %}", "{% endif %}", "{{ (1] }}", "{{ 'a }}", "{# a", "{% raw %}", "{{ }}",
            "{{ 1 + }}", "{% for x %}{% endfor %}",
            "{% set true = 1 %}", "{{ x|nothing }}", "{{ x is nothing }}", "{% break %}",
            "{% macro f(a=1, b) %}{% endmacro %}", "{{ f(a=1, 2) }}",
            "{{ 012 }}", "{{ x is defined is defined }}", "{% unknown %}",
        ])
    func syntax(_ source: String) throws {
        guard case .syntax? = error(source) else {
            Issue.record("\(source): \(String(describing: error(source)))")
            return
        }
    }

    @Test(
        "operations without sense",
        arguments: [
            "{{ 1 + 'a' }}", "{{ missing.x }}", "{{ missing() }}", "{{ 1 / 0 }}", "{{ none|length }}",
            "{{ 'a' < 1 }}", "{{ [] in {} }}",
            "{{ 9223372036854775807 + 1 }}", "{% for x in none %}{% endfor %}", "{{ 'a'.join([1]) }}",
            "{% set x.y = 1 %}", "{{ ({}|tojson(indent='x')).y.z }}",
            "{{ range }}", "{{ [1].append(2) }}", "{% set ns = namespace(_a=1) %}",
        ])
    func evaluation(_ source: String) throws {
        guard case .evaluation(_, let line, _)? = error(source) else {
            Issue.record("\(source): \(String(describing: error(source)))")
            return
        }
        #expect(line == 1)
    }

    @Test("the template's own refusal")
    func refused() {
        #expect(
            error("\n {{ raise_exception('no ' ~ 1) }}") == .refused(message: "no 1", line: 2, column: 20))
    }

    @Test(
        "bounds",
        arguments: [
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "{{ 'x' * 99999999999 }}",
            "{{ range(200000) }}",
            "{% set ns = namespace(s='xxxxxxxx') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
            "{% set ns = namespace(l=[]) %}{% for i in range(9999) %}{% set ns.l = [ns.l] %}{% endfor %}",
            "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
            "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}", "{{ 'x'|center(99999999999) }}",
            "{% set ns = namespace(g=[1]) %}{% for i in range(9999) %}{% set ns.g = ns.g|map('abs') %}{% endfor %}{{ ns.g|list }}",
            "{{ " + String(repeating: "(", count: 3000) + "1" + String(repeating: ")", count: 3000) + " }}",
            String(repeating: "{% if 1 %}", count: 3000),
            "{{ " + String(repeating: "not ", count: 3000) + "1 }}",
            "{{ 1" + String(repeating: "+1", count: 3000) + " }}",
            "{{ x" + String(repeating: "[0]", count: 3000) + " }}",
        ])
    func bounds(_ source: String) {
        guard case .limitExceeded? = error(source) else {
            Issue.record("\(source.prefix(80)): \(String(describing: error(source)))")
            return
        }
    }

    @Test("rendering at its deepest fits a stack of 1 MiB")
    func stack() {
        let done = DispatchSemaphore(value: 0)
        let thread = Thread {
            let source =
                "{% macro m(x) %}{% if 1 %}{% for y in [1] %}{{ ((([m(1+(2*(3-4)))])|map('upper')|list) ~ 1) if 1 else 2 }}"
                + "{% endfor %}{% endif %}{% endmacro %}{{ m(1) }}"
            guard case .limitExceeded? = error(source) else {
                Issue.record("not refused")
                return
            }
            done.signal()
        }
        thread.stackSize = 1 << 20
        thread.start()
        #expect(done.wait(timeout: .now() + 60) == .success)
    }

    @Test("wrong input")
    func input() {
        var deep = JSONValue.array([])
        for _ in 0..<200 { deep = .array([deep]) }
        let requests = [
            ChatRequest(messages: []),
            ChatRequest(messages: [.user("x")], variables: ["messages": 1]),
            ChatRequest(messages: [ChatMessage(role: "user", members: ["content": deep])]),
            ChatRequest(messages: [.user("x")], continuesFinalMessage: true),
        ]
        for request in requests {
            guard case .invalidInput? = error("x", request) else {
                Issue.record("\(request) was taken")
                continue
            }
        }
        #expect(throws: TemplateError.self) { try ChatMessage(json: ["content": "x"]) }
        #expect(throws: TemplateError.self) { try LocalTime(year: 2023, month: 2, day: 29) }
        guard case .evaluation? = error("{{ strftime_now('%Y') }}") else {
            Issue.record("a date came from nowhere")
            return
        }
    }
}
