"""The rules of the source check, each a function from one file to its findings."""

import re
from pathlib import PurePosixPath
from typing import Callable, Iterator, NamedTuple

from cpp_text import awaited, blank, functions, line_of

MAX_FILE_LINES = 500        # a hard end; most files are 90 to 250 lines
MAX_FUNCTION_LINES = 100    # a hard end for the product; most functions are 8 to 15 lines


class Finding(NamedTuple):
    path: str
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f'{self.path}:{self.line}: {self.text} [{self.rule}]'


class Source(NamedTuple):
    """One file. `code` is the text without comments and literals, for C++ only."""
    path: str
    text: str
    code: str

    @property
    def folder(self) -> str:
        return self.path.split('/')[0]

    @property
    def is_cpp(self) -> bool:
        return PurePosixPath(self.path).suffix in ('.cpp', '.h')


def source(path: str, text: str) -> Source:
    is_cpp = PurePosixPath(path).suffix in ('.cpp', '.h')
    return Source(path, text, blank(text) if is_cpp else '')


# Include directions (docs/architecture.md). A folder may include what its pattern matches; .cpp files of netlink/ the
# kernel's headers and the netlink libraries too. POSIX headers and the standard library are free for all.
FREE = re.compile(r'^[a-z_0-9]+$|^(sys|net|netinet|arpa)/[a-z_0-9]+\.h$'
                  r'|^(unistd|fcntl|sched|poll|signal|pthread|grp|pwd|termios|ifaddrs|netdb|time|errno|spawn)\.h$')
MAY_INCLUDE = {
    'netlink': re.compile(r'^(netlink|fmt|tl)/'),
    'sync': re.compile(r'^(sync|tl)/|^xxhash\.h$|^boost/unordered/'),
    'daemon': re.compile(r'^(daemon|netlink|sync|boost|openssl|toml\+\+|CLI|spdlog|fmt|tl|prometheus|systemd)/|^(ares|xxhash)\.h$'),
}
NETLINK_SOURCES = re.compile(r'^(linux|libmnl|libnftnl|libnetfilter_conntrack)/')
KERNEL_HEADERS = re.compile(r'^linux/')
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', re.MULTILINE)


def includes(file: Source) -> Iterator[Finding]:
    if not file.is_cpp:
        return
    for match in _INCLUDE.finditer(file.text):
        header = match.group(1)
        if not _allowed(file, header):
            yield Finding(file.path, line_of(file.text, match.start()), 'include',
                          f'{file.folder}/ must not include {header}')


def _allowed(file: Source, header: str) -> bool:
    if file.folder == 'daemon' and header.startswith('daemon/ctl/') and not file.path.startswith('daemon/ctl/'):
        return False    # the daemon does not know its client
    if file.folder not in MAY_INCLUDE:
        return True
    if FREE.match(header) or MAY_INCLUDE[file.folder].match(header):
        return True
    if not file.path.endswith('.cpp'):
        return False
    return bool({'netlink': NETLINK_SOURCES, 'daemon': KERNEL_HEADERS}.get(file.folder, re.compile('$^')).match(header))


def sizes(file: Source) -> Iterator[Finding]:
    if not file.is_cpp:
        return
    lines = file.text.count('\n')
    if lines > MAX_FILE_LINES:
        yield Finding(file.path, 1, 'size', f'{lines} lines (at most {MAX_FILE_LINES})')
    for function in functions(file.code) if file.folder in MAY_INCLUDE else ():     # tables of tests may be long
        if function.lines > MAX_FUNCTION_LINES:
            yield Finding(file.path, function.line, 'size',
                          f'{function.name} has {function.lines} lines of code (at most {MAX_FUNCTION_LINES})')


class Banned(NamedTuple):
    pattern: re.Pattern
    where: re.Pattern
    why: str


def _banned(pattern: str, where: str, why: str) -> Banned:
    return Banned(re.compile(pattern), re.compile(where), why)


_PRODUCT = r'^(netlink|sync|daemon)/'
_LIBRARIES = r'^(netlink|sync)/'
_PURE = (r'^(sync/|daemon/balance/|daemon/health/(damper|paths|backend_health|all_down|pace)|daemon/election/(advert|vrrp|takeover|role|role_rules|peer_state)\.|daemon/dataplane/(names|plan|diff)'
         r'|daemon/service/(desired_state|change|members|layers|overlay|newcomers)|daemon/pair/(digests|hash|shared)|netlink/nft/(ruleset|transaction))')
_FREE_CALL = r'(?<![\w.>:])(?:std::|::)?'     # not a member function, not part of another name
BANNED = [
    _banned(_FREE_CALL + r'(system|popen)\s*\(', _PRODUCT, 'no shell: talk to the kernel directly'),
    _banned(_FREE_CALL + r'(strcpy|strcat|sprintf|vsprintf|gets|strtok)\s*\(', '', 'unbounded or not reentrant: use std::string, fmt'),
    _banned(_FREE_CALL + r'(atoi|atol|atoll|atof)\s*\(', _PRODUCT, 'hides errors: use std::from_chars'),
    _banned(_FREE_CALL + r'(rand|srand|drand48)\s*\(', '', 'use <random> where randomness is allowed at all'),
    _banned(r'\b(sleep_for|sleep_until|usleep|nanosleep)\b|' + _FREE_CALL + r'sleep\s*\(', _PRODUCT, 'wait for what is awaited, with a timer'),
    _banned(r'\b(sleep_for|sleep_until|usleep|nanosleep)\b|' + _FREE_CALL + r'sleep\s*\(', r'^tests/(unit|integration|fuzz|sim)/',
            'wait for the condition, with the helper of tests/support'),
    _banned(r'\bstd::(cout|cerr|clog)\b|' + _FREE_CALL + r'(printf|fprintf|puts|perror)\s*\(', _LIBRARIES, 'libraries do not print'),
    _banned(r'\bspdlog::', _LIBRARIES, 'libraries do not log'),
    _banned(r'\bthrow\b', _LIBRARIES, 'errors are values'),
    _banned(r'\busing\s+namespace\s+std\b(?!::\w*literals|::\w+_literals|::chrono_literals)', '', 'name what you use'),
    _banned(r'\busing\s+namespace\s+(?!\S*_?literals\b)', r'\.h$', 'a header must not open namespaces for others'),
    _banned(r'\b(malloc|calloc|realloc)\s*\(', _PRODUCT, 'own memory in types'),
    _banned(r'[cC]lock::now\s*\(|\bstd::random_device\b|\bstd::thread\b|\bspdlog::', _PURE, 'pure code has no clock, thread, random source or log'),
    _banned(r'\bGTEST_SKIP\b|\bDISABLED_', '', 'a test runs or does not exist'),
]


def banned_calls(file: Source) -> Iterator[Finding]:
    for rule in BANNED:
        if not rule.where.search(file.path):
            continue
        for match in rule.pattern.finditer(file.code):
            yield Finding(file.path, line_of(file.code, match.start()), 'banned', f'{match.group().strip(" (")}: {rule.why}')


# g++ 12 destroys some temporaries twice inside a co_await expression: name the object on the line before and move it.
_CAPTURING_LAMBDA = re.compile(r'(?:^|[(,=&|?:{]|\breturn\b)\s*\[[^\]\[]+\]\s*(?:\(|\{|<|mutable\b)')
_BRACED_TEMPORARY = re.compile(r'[\w>]\s*\{|[(,]\s*\{')
_LAMBDA = re.compile(r'\[[^\]\[]*\]\s*(?:\([^()]*\))?\s*(?:mutable\s*)?(?:->\s*[\w:<>]+\s*)?\{')


def coroutines(file: Source) -> Iterator[Finding]:
    for offset, expression in awaited(file.code):
        line = line_of(file.code, offset)
        if _CAPTURING_LAMBDA.search(expression):
            yield Finding(file.path, line, 'coroutine', 'a capturing lambda inside co_await: name it on the line before')
        elif _BRACED_TEMPORARY.search(_LAMBDA.sub(' ', expression)):
            yield Finding(file.path, line, 'coroutine', 'a braced temporary inside co_await: name it on the line before')


# What belongs to a developer's machine and not into the tree.
_PLACES = re.compile(r'(?<![\w.\-/}])/(work|root|home/\w+)/|/tmp/(build|brief)|//(registry|packages?|deb|crates|pypi|proxy)\.[\w.]+')


def places(file: Source) -> Iterator[Finding]:
    for match in _PLACES.finditer(file.text):
        yield Finding(file.path, line_of(file.text, match.start()), 'place', f'names a place of one machine or a registry: {match.group()}')


RULES: list[Callable[[Source], Iterator[Finding]]] = [includes, sizes, banned_calls, coroutines, places]


def check(file: Source) -> list[Finding]:
    return [finding for rule in RULES for finding in rule(file)]
