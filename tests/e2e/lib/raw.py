"""rawflows, both ends of more connections than sockets could hold, driven from a test. Only for beds of cables (direct)."""

from lib.bed import VIP4
from lib.load import Process
from lib.run import tool

_SILENT = "table inet silent { chain in { type filter hook input priority 0; meta l4proto tcp drop; }; }"


class RawFlows(Process):
    """To all `ports` of the VIP from 443 on."""

    def __init__(self, bed, ports=8, source="198.19.0.1", sources=1000):
        for name in (bed.clients, bed.backends):
            bed.nft(_SILENT, name)
        super().__init__(bed, bed.clients, bed.backends, bed.mac("front"), bed.mac("back"), VIP4, f"443+{ports}", f"{source}+{sources}",
                         program=tool("rawflows"))

    def open(self, count, rate, stop=False, seconds=120):
        return self.ask(f"open {count} {rate}" + " stop" * stop, seconds + count / rate)

    def end(self, count, rate, how="reset", seconds=60):
        return self.ask(f"end {count} {rate} {how}", seconds + count / rate)

    def churn(self, seconds, rate, how="both", ends=None, each=False, meanwhile=None):
        """`ends`: if not as many end as begin; `each`: so many on each backend; `meanwhile` is called while it goes on."""
        self.say(f"churn {seconds} {rate} {how} {rate if ends is None else ends}" + " each" * each)
        if meanwhile:
            meanwhile()
        return self.answer(seconds + 60)

    def wait(self, seconds, resets):
        """Until so many flows have been reset, or the time is over."""
        return self.ask(f"wait {seconds} {resets}", seconds + 30)

    def mute(self, on):
        return self.ask(f"mute {int(on)}")
