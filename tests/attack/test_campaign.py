"""Hostile input of every kind against real processes, while a judge watches; the figures are in docs/attack.md.

The short form runs with the other tests; `make test-attack` goes on for a quarter of an hour.
"""

from __future__ import annotations

import asyncio
import os
import time
from random import Random

import pytest

from tests.attack.judge import report
from tests.attack.waves import Waves

pytestmark = pytest.mark.alone

#: Seconds that a wave gets at most before the next kind comes.
WAVE = 6.0
#: An attack of so many seconds begins with the inputs of the attack log; others are tests of their own elsewhere.
LONG = 120.0


async def test_attack_f1_to_f10_nobodys_input_stops_anybody_else(
    api_server, game_server, hooks, certificates, judge, seconds
):
    waves = Waves(api_server, game_server, hooks, certificates.context())
    seed = int(os.environ.get("GAME_OPERATORS_ATTACK_SEED", "0"))
    await asyncio.to_thread(_attack, waves, judge, seconds, seed)
    await asyncio.to_thread(judge.stop)
    print(f"seed {seed}, load {os.getloadavg()}, refused {waves.refused}, asked {game_server.asked}\n{report(judge)}")
    assert not judge.faults, report(judge)
    assert game_server.asked > 100, "the attack has reached the hooks"
    for what in ("hook", "workload", "deletion", "own_lag"):
        assert judge.looked(what) >= len(waves.kinds), f"{what} was looked at in every wave"


def _attack(waves, judge, seconds, seed):
    """All kinds in turn, again and again with other inputs, until the time is over."""
    kinds = {**waves.cases, **waves.kinds} if seconds >= LONG else waves.kinds
    end, turn = time.monotonic() + seconds, 0
    each = min(WAVE, seconds / len(kinds))
    while time.monotonic() < end or turn < len(kinds):
        judge.kind = list(kinds)[turn % len(kinds)]
        began = time.monotonic()
        kinds[judge.kind](Random(f"{seed}-{turn}"))
        while time.monotonic() < began + each:
            time.sleep(0.05)
        turn += 1
