// SPDX-License-Identifier: Apache-2.0

import TandemJSON
import TandemTokenizer
import Testing

/// Constructs of templates one by one. What jinja2 renders is compared in Tests/Parity/test_templates.py; here stands
/// what must hold without Python.
@Suite("Template rendering") struct TemplateRenderingTests {
    static let variables: JSONObject = [
        "name": "World", "empty": "", "number": 5, "ratio": 2.5, "yes": true, "nothing": nil,
        "list": [3, 1, 2], "words": ["b", "a", "C"], "map": ["a": 1, "items": 2],
        "people": [["n": "x", "age": 3], ["n": "y", "age": 1]],
    ]

    static func render(_ source: String, messages: [ChatMessage] = [.user("Hi")]) throws -> String {
        let request = ChatRequest(
            messages: messages, addsGenerationPrompt: false, variables: variables,
            time: try LocalTime(year: 2024, month: 2, day: 29, hour: 13, minute: 5, second: 9))
        return try ChatTemplate(source: source).render(request)
    }

    @Test(
        "expressions",
        arguments: [
            (
                "{{ name }}|{{ missing }}|{{ nothing }}|{{ yes }}|{{ number }}|{{ ratio }}",
                "World||None|True|5|2.5"
            ),
            (
                "{{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 10 }} {{ 1 + 2 * 3 }}",
                "3 -4 2 3.5 1024 7"
            ),
            (
                "{{ 1e16 }} {{ 1e15 }} {{ 0.0001 }} {{ 0.00001 }} {{ 1.0 }}",
                "1e+16 1000000000000000.0 0.0001 1e-05 1.0"
            ),
            ("{{ 'a' ~ 1 ~ none ~ [1, 'b', (2,), {'k': true}] }}", "a1None[1, 'b', (2,), {'k': True}]"),
            ("{{ \"it's\" ~ ['it\\'s', '\"', '\\n'] }}", "it's[\"it's\", '\"', '\\n']"),
            ("{{ 1 < 2 < 3 }} {{ 1 < 2 > 3 }} {{ 'a' in name }} {{ 'r' in name }}", "True False False True"),
            ("{{ not yes or number > 4 and 'x' }}", "x"),
            ("{{ 'a' if number is even else 'b' }}{{ 'c' if false }}", "b"),
            (
                "{{ list[1:] }}{{ list[::-1] }}{{ name[-3:] }}{{ name[0] }}{{ list[9] is undefined }}",
                "[1, 2][2, 1, 3]rldWTrue"
            ),
            ("{{ map.a }}{{ map['items'] }}{{ map.items() | list }}", "12[('a', 1), ('items', 2)]"),
            (
                "{{ 'a b  c'.split() }}{{ 'a,b,c'.split(',', 1) }}{{ 'a,b,c'.rsplit(',', 1) }}",
                "['a', 'b', 'c']['a', 'b,c']['a,b', 'c']"
            ),
            ("{{ ' x '.strip() }}{{ 'xax'.lstrip('x') }}{{ 'ab'.replace('a', 'b').upper() }}", "xaxBB"),
            ("{{ 'Straße ΑΣ'.upper() }} {{ 'ΑΣ ΑΣΑ'.lower() }} {{ 'ǆ'.title() }}", "STRASSE ΑΣ ας ασα ǅ"),
            ("{{ '%s-%03d-%.1f' % ('a', 7, 2.25) }} {{ '{}:{n:>4}'.format(1, n='b') }}", "a-007-2.2 1:   b"),
            ("{{ 'é\\u00e9\\x41\\t|' }}", "ééA\t|"),
            ("{{ '日本'|length }}{{ '😀x'[1] }}", "2x"),
        ])
    func expressions(_ source: String, _ expected: String) throws {
        #expect(try Self.render(source) == expected)
    }

    @Test(
        "filters and tests",
        arguments: [
            (
                "{{ list|sort|join('-') }} {{ words|sort|join }} {{ list|sum }} {{ list|max }}",
                "1-2-3 abC 6 3"
            ),
            (
                "{{ people|map(attribute='n')|join(',') }} {{ people|sort(attribute='age')|map(attribute='n')|list }}",
                "x,y ['y', 'x']"
            ),
            (
                "{{ people|selectattr('age', 'gt', 2)|list|length }}{{ people|rejectattr('n', 'equalto', 'x')|list|first }}",
                "1{'n': 'y', 'age': 1}"
            ),
            ("{{ missing|default('d') }}{{ empty|default('d') }}{{ empty|d('d', true) }}", "dd"),
            (
                "{{ {'b': 1, 'a': [none, true, 1.5, 'é\"<>&']}|tojson }}",
                "{\"b\": 1, \"a\": [null, true, 1.5, \"é\\\"<>&\"]}"
            ),
            ("{{ [1, {}]|tojson(indent=2) }}", "[\n  1,\n  {}\n]"),
            ("{{ 'a\nb\n\nc'|indent(2) }}", "a\n  b\n\n  c"),
            ("{{ '<b>'|e }}{{ '<b>'|safe ~ '<' }}{{ ('<b>'|safe) + '<' }}", "&lt;b&gt;<b><<b>&lt;"),
            (
                "{{ 2.5|round }} {{ 3.5|round }} {{ 2.675|round(2) }} {{ 7|round }} {{ '3.9'|int }} {{ 'x'|int(4) }}",
                "2.0 4.0 2.67 7 3 4"
            ),
            (
                "{{ list is iterable }} {{ map is mapping }} {{ name is string }} {{ missing is sequence }}",
                "True True True True"
            ),
            (
                "{{ list|reverse|list }}{{ 'abc'|reverse }}{{ list|batch(2)|list }}",
                "[2, 1, 3]cba[[3, 1], [2]]"
            ),
            ("{{ 'hello wORLD-x'|title }} {{ 'hELLO'|capitalize }}", "Hello World-X Hello"),
            ("{{ [1, 1.0, true, 'A', 'a']|unique|list }}", "[1, 'A']"),
            ("{{ {'b': 2, 'A': 1}|dictsort }}", "[('A', 1), ('b', 2)]"),
        ])
    func filters(_ source: String, _ expected: String) throws {
        #expect(try Self.render(source) == expected)
    }

    @Test(
        "statements",
        arguments: [
            (
                "{% for x in list %}{{ loop.index }}{{ x }}{{ ',' if not loop.last }}{% else %}no{% endfor %}",
                "13,21,32"
            ),
            ("{% for x in [] %}{% else %}no{% endfor %}", "no"),
            ("{% for x in list if x > 1 %}{{ x }}/{{ loop.length }} {% endfor %}", "3/2 2/2 "),
            ("{% for a, b in [(1, 2), (3, 4)] %}{{ a }}{{ b }}{% endfor %}", "1234"),
            (
                "{% for x in range(9) %}{% if x == 2 %}{% continue %}{% elif x == 4 %}{% break %}{% endif %}{{ x }}{% endfor %}",
                "013"
            ),
            (
                "{% for x in [[1], [2, [3]]] recursive %}{{ x if x is number else loop(x) }}{% endfor %}",
                "123"
            ),
            ("{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}", "21"),
            ("{% set ns = namespace(x=1) %}{% for i in [1] %}{% set ns.x = 2 %}{% endfor %}{{ ns.x }}", "2"),
            (
                "{% set a, b = 1, 2 %}{{ a }}{{ b }}{% set c %}[{{ a }}]{% endset %}{{ c }}{% set d | upper %}x{% endset %}{{ d }}",
                "12[1]X"
            ),
            (
                "{% macro m(a, b='B', c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }}{{ m(1, c=3) }}",
                "1B11B3"
            ),
            ("{% macro m(x) %}{{ caller(x) }}{% endmacro %}{% call(y) m(4) %}<{{ y }}>{% endcall %}", "<4>"),
            ("{% macro f(n) %}{{ n }}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}", "3210"),
            ("{% macro v() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ v(1, k=2) }}", "(1,){'k': 2}"),
            (
                "{% filter upper %}a{{ name }}{% endfilter %}{% with x = 1 %}{{ x }}{% endwith %}{{ x }}",
                "AWORLD1"
            ),
            ("{% generation %}a{% set z = 1 %}{{ z }}{% endgeneration %}{{ z }}", "a1"),
            ("{% raw %}{{ x }}{% endraw %}{# note #}", "{{ x }}"),
            (
                "{{ strftime_now('%d %b %Y %H:%M:%S %-I %p %j %A') }}",
                "29 Feb 2024 13:05:09 1 PM 060 Thursday"
            ),
        ])
    func statements(_ source: String, _ expected: String) throws {
        #expect(try Self.render(source) == expected)
    }

    @Test(
        "white space",
        arguments: [
            ("a\n  {% if yes %}\n  b\n  {% endif %}\nc\n", "a\n  b\nc"),
            ("a\n  {%- if yes -%}\n  b\n  {%- endif %}\nc", "abc"),
            ("a\n  {%+ if yes +%}\nb{% endif %}", "a\n  \nb"),
            ("  {{- name -}}  x", "Worldx"),
            ("  {# c #}\nx {#- d -#} y", "xy"),
            ("x\r\n{% if yes %}\r\ny{% endif %}", "x\ny"),
        ])
    func whiteSpace(_ source: String, _ expected: String) throws {
        #expect(try Self.render(source) == expected)
    }

    @Test("messages as transformers prepares them")
    func messages() throws {
        let message = ChatMessage(
            role: "assistant", members: ["content": nil, "thinking": "hm", "tool_calls": nil])
        #expect(
            try Self.render(
                "{{ messages[0].keys()|list }}{{ messages[0].reasoning_content }}", messages: [message])
                == "['role', 'thinking', 'reasoning_content']hm")
        #expect(try Self.render("{{ tools }}{{ documents }}{{ add_generation_prompt }}") == "NoneNoneFalse")
    }
}
