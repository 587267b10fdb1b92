"""Running programs: with their errors in the exception, and as children that are always ended."""

import os
import select
import signal
import subprocess
import sys
import time

BIN = os.environ.get("WSL4_BIN", "/usr/sbin")
TOOLS = os.environ.get("WSL4_TOOLS", "")  # folders, with colons between them


class Failed(AssertionError):
    pass


def end_in_order(first=lambda: None):
    """From now on SIGTERM calls `first` and ends the program by an exception, so that what it made goes with it."""
    def end(*_):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)   # once is enough, also for who tidies up
        first()
        sys.exit(143)
    signal.signal(signal.SIGTERM, end)


def run(*command, stdin=None, check=True, timeout=60):
    """Runs a command; returns the finished process, with text output."""
    done = subprocess.run([str(word) for word in command], input=stdin, capture_output=True, text=True, timeout=timeout)
    if check and done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: exit status {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done


def tool(name):
    """A program of tests/e2e/tools that the build makes."""
    for folder in TOOLS.split(":"):
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK):
            return path
    raise Failed(f"{name} is not in WSL4_TOOLS={TOOLS!r}: build it, or run the tests with ctest")


class Child:
    """A process that speaks line by line on its standard input and output; what it says on standard error goes to a file."""

    def __init__(self, command, log, stdin=True, **options):
        self.command = [str(word) for word in command]
        self.log = log
        with open(log, "ab") as errors:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                                            stdout=subprocess.PIPE, stderr=errors, **options)
        self.buffer = b""

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process.poll() is None

    def errors(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def line(self, seconds=30.0):
        """The next line of standard output."""
        deadline = time.monotonic() + seconds
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise Failed(f"no answer within {seconds:g} s from {' '.join(self.command)}\n{self.errors()[-2000:]}")
            chunk = os.read(self.process.stdout.fileno(), 1 << 16)
            if not chunk:
                raise Failed(f"ended early: {' '.join(self.command)}\n{self.errors()[-2000:]}")
            self.buffer += chunk
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.decode()

    def kill(self, number=signal.SIGKILL):
        if self.alive():
            self.process.send_signal(number)

    def wait(self, seconds=30.0):
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise Failed(f"still running after {seconds:g} s: {' '.join(self.command)}\n{self.errors()[-2000:]}") from None

    def end(self):
        self.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass
