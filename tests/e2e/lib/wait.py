"""Waiting for conditions: the only way in which these tests wait."""

import time


class Timeout(AssertionError):
    pass


def until(condition, what, seconds=20.0, pause=0.02):
    """Calls `condition` until it returns something true, and returns that; fails loudly after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise Timeout(f"after {seconds:g} s still not: {what() if callable(what) else what}")
        time.sleep(pause)
