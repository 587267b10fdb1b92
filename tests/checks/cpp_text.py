"""C++ as text: just enough reading for the source checks, no more."""

import re
from typing import Iterator, NamedTuple

_TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/'                      # comments
    r'|R"(?P<delimiter>[^()\\ ]{0,16})\(.*?\)(?P=delimiter)"'  # raw strings
    r'|"(?:\\.|[^"\\\n])*"'                    # strings
    r"|(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",   # characters, but not the digit separator of 1'000
    re.DOTALL)


def blank(text: str) -> str:
    """The text with comments and literals replaced by spaces; lines and columns stay."""
    def spaces(match):
        return re.sub(r'[^\n]', ' ', match.group())
    return _TOKEN.sub(spaces, text)


def line_of(text: str, offset: int) -> int:
    return text.count('\n', 0, offset) + 1


class Function(NamedTuple):
    name: str
    line: int
    lines: int      # with code: comments, literals and empty lines do not count


_NOT_A_FUNCTION = re.compile(r'^\s*(template\s*<.*>\s*)?(inline\s+)?(namespace|class|struct|union|enum|extern)\b', re.DOTALL)
_NAME = re.compile(r'([~\w:]+|operator\s*[^\s\w(]+|operator\s*\(\))\s*\(')


def functions(code: str) -> Iterator[Function]:
    """Functions with a body, found by their braces. `code` is blanked text."""
    scopes: list[tuple[str, int] | None] = []   # a function: its name and offset; any other scope: None
    start = 0
    for match in re.finditer(r'[{};]', code):
        offset, sign = match.start(), match.group()
        if sign == '{':
            head = code[start:offset]
            inside = any(scopes)
            name = None if inside or _NOT_A_FUNCTION.match(_without_directives(head)) else _NAME.search(head)
            scopes.append((name.group(1), start + name.start()) if name else None)
        elif sign == '}' and scopes:
            scope = scopes.pop()
            if scope:
                body = code[scope[1]:offset + 1]
                yield Function(scope[0], line_of(code, scope[1]), sum(1 for line in body.split('\n') if line.strip()))
        start = offset + 1


def _without_directives(head: str) -> str:
    return re.sub(r'^\s*#.*$|^\s*(public|private|protected)\s*:', '', head, flags=re.MULTILINE)


def awaited(code: str) -> Iterator[tuple[int, str]]:
    """Each co_await expression: its offset and text, to the end of the full operand as far as brackets tell."""
    for match in re.finditer(r'\bco_await\b', code):
        depth = 0
        end = match.end()
        while end < len(code):
            sign = code[end]
            if sign in '([{':
                depth += 1
            elif sign in ')]}':
                depth -= 1
            if depth < 0 or (depth == 0 and sign in ';,' and end > match.end()):
                break
            end += 1
        yield match.start(), code[match.end():end]
