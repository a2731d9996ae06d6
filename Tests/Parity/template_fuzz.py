# SPDX-License-Identifier: Apache-2.0
"""Random templates: expressions and statements over a fixed set of variables, most of which make sense."""

from __future__ import annotations

import random

LITERALS = [
    "'a'", "'o'", "' '", "','", "''", "'lo'", "'%s'", "'x y'", "0", "1", "2", "3", "-1", "10", "2.5", "0.5", "1e3", "true", "false",
    "none", "[]", "{}", "[1, 2, 3]", "['a', 'b']", "(1, 2)", "()", "(1,)", "{'a': 1}", "{'role': 'user', 'n': [1]}",
    "{1: 'x', 'y': none}", '"d\\"q"', "'\\n'", "'é'",
]
METHODS = """strip() lstrip() rstrip() strip('lo') lstrip('H') rstrip('d\\n') upper() lower() title() capitalize() swapcase() split()
split(',') split('l',1) rsplit('l',1) split(none,1) rsplit(none,1) splitlines() splitlines(true) startswith('H') endswith('d')
startswith(('a','H')) replace('l','LL') replace('l','x',1) replace('','-') find('l') rfind('l') index('l') count('l')
join(['x','y']) join(ls) isdigit() isalpha() isalnum() isspace() isupper() islower() istitle() items() keys() values() get('a')
get('zz',7) get('role') copy() append(1) update({}) pop() index(1) count(1) count('a') zfill(9) center(15) center(14,'*')
ljust(14,'.') rjust(14) partition('l') rpartition('l') removeprefix('He') removesuffix('ld') format(1,'b',a=3) isnumeric()
isdecimal() isascii() isprintable() find('l',3) find('o',-5,-1) startswith('o',4) format_map({'a':1})""".split()
FILTERS = """trim upper lower title capitalize length count list string int float abs first last join join(',') join('-',attribute='role')
default('D') default('D',true) d(3) tojson tojson(indent=2) tojson(ensure_ascii=true) tojson(indent=4,sort_keys=true)
tojson(separators=(',',':')) sort sort(reverse=true) sort(case_sensitive=true) sort(attribute='role') unique|list
unique|list|length reverse reverse|list map('upper')|list map(attribute='role')|list map(attribute='x.y',default='-')|list
map('string')|join('|') select|list select('odd')|list reject('equalto',1)|list selectattr('role','equalto','user')|list
selectattr('x')|list rejectattr('x','defined')|list selectattr('content','undefined')|list sum sum(start=1) min max
batch(2)|list batch(2,'z')|list slice(2)|list dictsort dictsort(reverse=true) dictsort(by='value') items|list
replace('l','L') replace('l','L',1) indent indent(2) indent(2,true) indent('>',blank=true) round round(1) round(2)
round(method='ceil') round(1,'floor') safe e escape forceescape wordcount truncate(5) truncate(7,true) truncate(5,false,'..',0)
center(20) format(1) format('x',2) attr('items') attr('upper') map('length')|list map('int')|list|sum trim('lo')
select('string')|list map('tojson')|list list|last map(attribute=0)|list""".split()
TESTS = [
    "defined", "undefined", "none", "string", "number", "mapping", "iterable", "sequence", "boolean", "true", "false", "integer",
    "float", "odd", "even", "divisibleby 2", "divisibleby(3)", "equalto 1", "eq('a')", "ne 1", "lt 3", "gt(2)", "ge 2", "le 2",
    "in [1, 2, 'a']", "in 'Hello a'", "lower", "upper", "sameas true", "sameas none", "callable", "escaped",
]
TEXTS = ["", "", " ", "\n", "\n\n", "text", "  text\n", "\n  ", " \t", "a\nb", "x \n y"]
LOOP = ["x", "loop.index", "loop.last", "loop.first", "loop.revindex", "loop.length", "loop.previtem", "loop.nextitem",
        "loop.cycle('a','b')", "loop.changed(x)"]


class Fuzzer:
    """A seeded source of templates."""

    VARIABLES = {
        "s": "Hello World", "t": "  padded text\n", "e": "", "n": 5, "z": 0, "f": 2.5, "neg": -7, "b": True, "no": None,
        "l": [3, 1, 2], "ls": ["b", "a", "C", "a"], "d": {"a": 1, "B": "x", "items": 9, "c": [1, {"k": None}]},
        "m": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo", "x": {"y": 1}}, {"role": "user"}],
        "u": "héllo Straße ΑΣ 日本 😀", "q": "it's \"q\" \\ \n\t\x07 é \u200b", "big": 123456, "nest": [[1, 2], [3]],
        "html": "<a href='x'>&\"</a>", "sep": "a,b,,c", "num": "42", "flt": "3.75", "tr": [True, False, None, 1.0, 1e20, 1e-7, 0.1],
    }

    def __init__(self, seed: int):
        self.random = random.Random(seed)

    def template(self) -> str:
        if self.random.random() < 0.6:
            return "{{ " + self.expression(self.random.randint(1, 3)) + " }}"
        return self.body(2)

    def pick(self, *choices):
        return self.random.choice(choices)

    def variable(self) -> str:
        return self.pick(*self.VARIABLES, "undef", "m[0]", "m[1].x", "m[2].content", "d.a", "d['c']", "range(4)", "range(1, 9, 3)",
                         "u[0]", "m[0].role")

    def atom(self) -> str:
        return self.pick(*LITERALS) if self.random.random() < 0.35 else self.variable()

    def operand(self, depth: int) -> str:
        text = self.expression(depth - 1)
        return text if text.replace("_", "").isalnum() else f"({text})"

    def expression(self, depth: int) -> str:
        kind = self.random.random()
        if depth <= 0 or kind < 0.10:
            return self.atom()
        if kind < 0.25:
            return f"{self.operand(depth)}|{self.pick(*FILTERS)}"
        if kind < 0.40:
            return f"{self.operand(depth)}.{self.pick(*METHODS)}"
        if kind < 0.48:
            return f"({self.expression(depth - 1)} is {self.pick('', 'not ')}{self.pick(*TESTS)})"
        if kind < 0.60:
            return f"{self.operand(depth)} {self.pick('+', '-', '*', '/', '//', '%', '~', '~', '+')} {self.operand(depth)}"
        if kind < 0.68:
            return f"{self.operand(depth)} {self.pick('==', '!=', '<', '<=', '>', '>=', 'in', 'not in')} {self.operand(depth)}"
        if kind < 0.71:
            return f"{self.operand(depth)} {self.pick('<', '<=', '==')} {self.operand(depth)} {self.pick('<', '!=')} {self.operand(depth)}"
        if kind < 0.77:
            return f"({self.expression(depth - 1)} {self.pick('and', 'or')} {self.expression(depth - 1)})"
        if kind < 0.80:
            return f"not {self.operand(depth)}"
        if kind < 0.85:
            return f"({self.expression(depth - 1)} if {self.expression(depth - 1)} else {self.expression(depth - 1)})"
        if kind < 0.91:
            bound = lambda: self.pick("", "0", "1", "2", "3", "-1", "-2", "5")
            return f"{self.variable()}[{bound()}:{bound()}{self.pick('', ':', ':1', ':2', ':-1', ':-2')}]"
        if kind < 0.96:
            return f"{self.operand(depth)}[{self.pick('0', '1', '-1', '7', self.expression(depth - 1))}]"
        if kind < 0.97:
            return f"-{self.operand(depth)}"
        return "[" + ", ".join(self.expression(depth - 1) for _ in range(self.random.randint(0, 3))) + "]"

    def body(self, depth: int, names: list[str] | None = None) -> str:
        out = self.pick(*TEXTS)
        for _ in range(self.random.randint(1, 2)):
            if names and self.random.random() < 0.5:
                out += "{{ " + self.pick(*names) + " }}"
            else:
                out += self.statement(depth)
            out += self.pick(*TEXTS)
        return out

    def statement(self, depth: int) -> str:
        kind = self.random.random()
        begin = lambda: "{%" + self.pick("", "", "-", "+")
        end = lambda: self.pick("", "", "-", "+") + "%}"
        if depth <= 0 or kind < 0.35:
            return f"{{{{{self.pick('', '', '-')} {self.expression(2)} {self.pick('', '', '-')}}}}}"
        if kind < 0.45:
            return f"{begin()} set v = {self.expression(2)} {end()}{self.pick('', chr(10), ' ')}{{{{ v }}}}"
        if kind < 0.60:
            jump = self.pick("", f"{{% if loop.index {self.pick('>', '==')} 1 %}}{{% {self.pick('break', 'continue')} %}}{{% endif %}}t")
            condition = self.pick("", "", f" if {self.pick('x', 'x is defined', 'x != 1')}")
            return (f"{begin()} for x in {self.expression(1)}{condition} {end()}{self.body(depth - 1, LOOP)}{jump}"
                    f"{self.pick('', '{% else %}none')}{begin()} endfor {end()}")
        if kind < 0.72:
            middle = self.pick("", f"{{% elif {self.expression(1)} %}}{self.body(depth - 1)}")
            other = self.pick("", "{%- else %}" + self.body(depth - 1))
            return f"{begin()} if {self.expression(2)} {end()}{self.body(depth - 1)}{middle}{other}{begin()} endif {end()}"
        if kind < 0.78:
            arguments = self.pick("", "1", "1, c=3", "b=4", self.expression(1))
            return f"{{% macro mm(a, b=2, c=a) %}}{self.body(0, ['a', 'b', 'c'])}{{% endmacro %}}{{{{ mm({arguments}) }}}}"
        if kind < 0.83:
            return (f"{{% set ns = namespace(k=0, w={self.expression(1)}) %}}{{% for i in range(3) %}}{{% set ns.k = ns.k + i %}}"
                    "{% set w = i %}{% endfor %}{{ ns.k }}{{ ns.w }}{{ w }}{{ ns }}")
        if kind < 0.87:
            return f"{{% set blk %}}{self.body(depth - 1)}{{% endset %}}[{{{{ blk }}}}]"
        if kind < 0.90:
            filters = self.pick("upper", "trim", "replace('a','b')|trim")
            return f"{{% filter {filters} %}}{self.body(depth - 1)}{{% endfilter %}}"
        if kind < 0.93:
            return f"{{% with a = {self.expression(1)}, b = 2 %}}{self.body(depth - 1, ['a', 'b'])}{{% endwith %}}{{{{ a }}}}"
        if kind < 0.95:
            return f"{{% generation %}}{self.body(depth - 1)}{{% endgeneration %}}"
        if kind < 0.97:
            return "{#" + self.pick("", "-") + " comment " + self.pick("", "-") + "#}" + self.pick("\n", "  x")
        return "{% raw %}{{ x }}{%- endraw %}"
