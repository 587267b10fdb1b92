#!/usr/bin/env python3
"""Runs the parts of the test suite one after the other, each within bounds of time, and ends with one summary:
the parts with their times, the failed tests, and as the last line `N passed, N failed`.

usage: parts.py [PART...]     default: all parts, in the order of PARTS. Exit status 1 if a test failed or did not run.
"""

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
JOBS = '2'


@dataclass
class Build:
    """Configures a preset and builds targets of it."""
    preset: str
    targets: tuple[str, ...] = ('all',)


@dataclass
class Tests:
    """All tests of a preset's build that have the label, or one of "a|b"."""
    preset: str
    label: str
    jobs: str = JOBS


@dataclass
class Part:
    name: str
    minutes: float      # on two idle cores, by itself
    steps: tuple[Build | Tests, ...]
    if_time: bool = False       # left out, and told so, where a whole run would not end within the hour with it


# A machine may be busy: a part that takes this many times as long is ended, and so is all that is not done by the end of the run.
PATIENCE = 2.5
WHOLE_RUN_MINUTES = 86
HOUR = 60
# From this part on programs mostly wait, while two processors are there: what comes later is built with what they leave.
WAITING_PART = 'e2e'

# With an empty compiler cache.
PARTS = (
    Part('build', 8, (Build('dev'),)),
    Part('unit', 2, (Tests('dev', 'unit|sim'),)),
    Part('kernel', 2, (Tests('dev', 'kernel'),)),
    Part('e2e', 14, (Tests('dev', 'e2e', '1'),)),
    Part('check', 1, (Tests('dev', 'check', '1'),)),
    Part('machine', 12, (Tests('dev', 'machine', '1'),)),
    # clang, the second compiler, with the address and undefined-behaviour sanitizers
    Part('asan', 11, (Build('fuzz', ('unit_tests',)), Tests('fuzz', 'unit|sim')), if_time=True),
    Part('tsan', 12, (Build('tsan', ('unit_tests',)), Tests('tsan', 'unit|sim')), if_time=True),
    Part('tidy', 5, (Tests('dev', 'tidy', '1'),), if_time=True),
)
# Run by name only: what looks for more than a verdict, and what would not fit within an hour.
MORE_PARTS = (
    Part('fuzz', 9, (Build('fuzz', ('unit_tests',)), Tests('fuzz', 'fuzz'))),
    Part('long', 10, (Tests('dev', 'long', '1'),)),
)


@dataclass
class Outcome:
    """What came out of one or more steps."""
    passed: int = 0
    skipped: int = 0
    failed: list[str] = field(default_factory=list)

    def add(self, other: 'Outcome') -> None:
        self.passed += other.passed
        self.skipped += other.skipped
        self.failed += other.failed


def run(command: list[str], deadline: float) -> str | None:
    """Runs a command until the deadline. None when it succeeded, else what went wrong."""
    print('$', ' '.join(command), flush=True)
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        status = process.wait(timeout=max(0.0, deadline - time.monotonic()))
        return None if status == 0 else f'exit status {status}'
    except subprocess.TimeoutExpired:
        return 'ran out of its time'
    finally:
        end_group(process)


def end_group(process: subprocess.Popen) -> None:
    """Ends what a command left running. Tests remove their namespaces on SIGTERM, so they get time for it."""
    for sign, patience in ((signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0)):
        if not signal_group(process, sign):
            return
        until = time.monotonic() + patience
        while time.monotonic() < until:
            process.poll()      # a zombie keeps the group alive
            if not signal_group(process, 0):
                return
            time.sleep(0.1)


def signal_group(process: subprocess.Popen, sign: int) -> bool:
    """False if nobody of the group is left."""
    try:
        os.killpg(process.pid, sign)
        return True
    except ProcessLookupError:
        return False


def without_randomisation(preset: str) -> list[str]:
    """The sanitizers of these compilers do not know the wide address randomisation of newer kernels."""
    return ['setarch', '-R'] if preset in ('asan', 'tsan', 'fuzz') else []


def build_commands(step: Build) -> list[list[str]]:
    launcher = ['-DCMAKE_CXX_COMPILER_LAUNCHER=ccache'] if shutil.which('ccache') else []
    return [['cmake', '--preset', step.preset, *launcher],
            [*without_randomisation(step.preset), 'cmake', '--build', '--preset', step.preset, '-j', JOBS, '--target', *step.targets]]


def build(step: Build, deadline: float) -> Outcome:
    for command in build_commands(step):
        problem = run(command, deadline)
        if problem:
            return Outcome(failed=[f'build of {step.preset}: {problem}'])
    return Outcome()


@contextlib.contextmanager
def building_ahead(parts: list[Part]) -> Iterator[None]:
    """Builds the package, then what these parts need, in the time that nobody else wants. It only comes before: the parts build
    whatever is not there yet, so what fails here fails in its part too, and is told there."""
    commands = [['packaging/build-deb']] + [command for part in parts for step in part.steps if isinstance(step, Build)
                                            for command in build_commands(step)]
    # The scheduler shares between sessions first (autogroup): the idle class counts within one only.
    script = '\n'.join(['echo 19 >/proc/self/autogroup', *map(shlex.join, commands)])
    process = subprocess.Popen(['chrt', '--idle', '0', 'sh', '-c', script], cwd=ROOT, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield
    finally:
        end_group(process)


def tests(step: Tests, deadline: float) -> Outcome:
    report = ROOT / 'build' / step.preset / f'{step.label.replace("|", "-")}.xml'
    report.unlink(missing_ok=True)
    problem = run([*without_randomisation(step.preset), 'ctest', '--test-dir', f'build/{step.preset}', '-L', f'^({step.label})$', '-j', step.jobs,
                   '--output-on-failure', '--no-tests=error', '--output-junit', str(report)], deadline)
    outcome = read_report(report, f'{step.preset}/')
    if problem and not outcome.failed:
        outcome.failed.append(f'tests {step.label} of {step.preset}: {problem}')
    return outcome


def read_report(report: Path, prefix: str) -> Outcome:
    """ctest's JUnit file. A test that ctest could not start counts as failed, not as skipped."""
    outcome = Outcome()
    if not report.exists():
        return outcome
    for case in ElementTree.parse(report).getroot().iter('testcase'):
        if case.get('status') == 'run':
            outcome.passed += 1
        elif case.get('status') == 'disabled':
            outcome.skipped += 1
        else:
            outcome.failed.append(prefix + case.get('name', '?'))
    return outcome


def run_part(part: Part, end: float) -> Outcome:
    outcome = Outcome()
    deadline = min(time.monotonic() + PATIENCE * part.minutes * 60, end)
    for step in part.steps:
        outcome.add(build(step, deadline) if isinstance(step, Build) else tests(step, deadline))
        if outcome.failed and isinstance(step, Build):
            break
    return outcome


def has_time(part: Part, done: list[tuple[Part, float, Outcome]]) -> bool:
    """Whether it would end within the hour on a machine that needed so long for the others."""
    passed = sum(seconds for _, seconds, _ in done) / 60
    usual = sum(other.minutes for other, _, _ in done)
    return not part.if_time or passed + 1.1 * part.minutes * max(1.0, passed / usual) <= HOUR


def summary(rows: list[tuple[Part, float, Outcome]], left_out: list[str]) -> Outcome:
    total = Outcome()
    print('\n== summary\npart        time    usual  passed  failed')
    for part, seconds, outcome in rows:
        print(f'{part.name:8} {seconds / 60:5.1f} m  {part.minutes:4.0f} m  {outcome.passed:6}  {len(outcome.failed):6}')
        total.add(outcome)
    if total.failed:
        print('\nfailed:')
        for name in total.failed:
            print(f'  {name}')
    for name in left_out:
        print(f'\nLEFT OUT: {name}, since this machine needs too long; run it by its name')
    skipped = f', {total.skipped} skipped' if total.skipped else ''
    print(f'\n{total.passed} passed, {len(total.failed)} failed{skipped}', flush=True)
    return total


def main(names: list[str]) -> int:
    unknown = set(names) - {part.name for part in PARTS + MORE_PARTS}
    if unknown:
        print(f'unknown part {", ".join(sorted(unknown))}; there are: {", ".join(part.name for part in PARTS + MORE_PARTS)}', file=sys.stderr)
        return 2
    rows, left_out = [], []
    end = time.monotonic() + WHOLE_RUN_MINUTES * 60
    parts = [part for part in PARTS + MORE_PARTS if part.name in names] if names else list(PARTS)
    with contextlib.ExitStack() as ahead:
        for number, part in enumerate(parts):
            if not names and not has_time(part, rows):
                left_out.append(part.name)
                continue
            print(f'\n== {part.name} ({part.minutes:g} minutes on an idle machine)', flush=True)
            started = time.monotonic()
            if any(isinstance(step, Build) for step in part.steps):
                ahead.close()
            if not names and part.name == WAITING_PART:
                ahead.enter_context(building_ahead(parts[number + 1:]))
            outcome = run_part(part, end)
            rows.append((part, time.monotonic() - started, outcome))
            if outcome.failed and part.name == 'build':
                break       # the others would test nothing, or what was there before
    total = summary(rows, left_out)
    return 0 if total.passed and not total.failed else 1


if __name__ == '__main__':
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))    # so that what was begun is ended, as by Ctrl-C
    sys.exit(main(sys.argv[1:]))
