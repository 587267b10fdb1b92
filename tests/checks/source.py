#!/usr/bin/env python3
"""Checks the sources for what compilers and clang-tidy do not: include directions, sizes, banned calls, the coroutine
rule, names of places. Prints each finding as FILE:LINE: what is wrong [rule]; exit status 1 if there is one.

usage: source.py [--sizes]     --sizes: also print the longest files and functions
"""

import subprocess
import sys
from pathlib import Path

sys.dont_write_bytecode = True
import rules  # noqa: E402
from cpp_text import functions  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]


def paths() -> list[str]:
    listed = subprocess.run([ROOT / 'packaging/source-files'], check=True, capture_output=True).stdout.decode()
    return listed.split('\0')[:-1]


def read(path: str) -> rules.Source | None:
    try:
        return rules.source(path, (ROOT / path).read_text(encoding='utf-8'))
    except UnicodeDecodeError:
        return None     # a corpus file of bytes


def print_sizes(sources: list[rules.Source]) -> None:
    cpp = [file for file in sources if file.is_cpp]
    longest_files = sorted(((file.text.count('\n'), file.path) for file in cpp), reverse=True)[:10]
    longest = sorted(((f.lines, f'{file.path}:{f.line} {f.name}') for file in cpp for f in functions(file.code)), reverse=True)[:10]
    for title, rows in (('longest files', longest_files), ('longest functions', longest)):
        print(f'{title}:')
        for lines, what in rows:
            print(f'  {lines:4} {what}')


def main() -> int:
    sources = [file for file in map(read, paths()) if file]
    if not any(file.is_cpp for file in sources):
        print('no sources found', file=sys.stderr)
        return 1
    findings = [finding for file in sources for finding in rules.check(file)]
    for finding in findings:
        print(finding)
    if '--sizes' in sys.argv[1:]:
        print_sizes(sources)
    print(f'{len(sources)} files, {len(findings)} findings')
    return 1 if findings else 0


if __name__ == '__main__':
    sys.exit(main())
