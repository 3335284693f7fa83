"""Stop the clock of the answer's loop and move it by hand: no lateness of the machine counts."""

from asyncio import get_running_loop

clock = {}


def stop_clock():
    loop = get_running_loop()
    clock.update(loop=loop, going=loop.time, shows=loop.time())
    loop.time = lambda: clock["shows"]


def move_clock(seconds):
    clock["shows"] += seconds


def start_clock():
    going = clock["going"]
    behind = going() - clock["shows"]
    clock["loop"].time = lambda: going() - behind
