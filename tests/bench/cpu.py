"""Processor time of processes and of the kernel's softirq threads.

On this bed packets travel inside the system calls of whoever sends them (veth), or in ksoftirqd: so the sum over clients, servers,
daemon and ksoftirqd is all that a connection costs, and other programs on the machine do not count (their own softirqs aside)."""

import contextlib
import os

from lib.wait import until


def by_thread(pid):
    """Name of a thread -> seconds, to the nanosecond: the first number of /proc/PID/task/TID/schedstat. A process that is gone has none."""
    times = {}
    with contextlib.suppress(FileNotFoundError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            folder = f"/proc/{pid}/task/{thread}"
            with open(f"{folder}/comm", encoding="utf-8") as name, open(f"{folder}/schedstat", encoding="utf-8") as file:
                thread_name = name.read().strip()
                times[thread_name] = times.get(thread_name, 0.0) + int(file.read().split()[0]) / 1e9
    return times


def seconds(pid):
    """Over all threads."""
    return sum(by_thread(pid).values())


def settle(pids):
    """Waits until they have worked off what came: 3 ms of processor time each in a fifth of a second; nodes of a pair talk all the time."""
    last = [-1.0]

    def quiet():
        now = sum(map(seconds, pids))
        was, last[0] = last[0], now
        return now - was <= 0.003 * len(pids)
    until(quiet, "quiet", 60, 0.2)


def softirq_threads():
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/comm", encoding="utf-8") as file:
                    if file.read().startswith("ksoftirqd/"):
                        found.append(int(entry))
            except FileNotFoundError:
                pass  # it has just ended
    return found


def memory(pid, key="VmRSS"):
    """Bytes of VmRSS (now) or VmHWM (at most)."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(key + ":"))
