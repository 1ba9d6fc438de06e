"""Hostile input of every kind that was found to stop the operators, at random up to the sizes that the CRDs allow.

Pure: a `random.Random` goes in, specs of HookRuns and answers of game servers come out. An `Answer` is what the game
server of the attack says to the metrics that carry its number in their path.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any, Final

Json = dict[str, Any]
#: The limits of the CRDs.
CONDITION, URL, ARGUMENT, JSON_PATH, QUERY, METRICS = 4096, 4096, 4096, 1024, 8192, 32
#: The most that is read of an answer.
BODY: Final = 1 << 20
BASE: Final = "http://GAMESERVER"
"""Stands for the address of the attack's server, which is known only when it runs."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a game server says: ``text``, in pieces with ``pause`` seconds between; silent for ever without a text."""

    text: str | None
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Attack:
    """One wave: the specs of HookRuns, and the answer that all their metrics get at the path ``/ANSWER``."""

    kind: str
    runs: tuple[Json, ...]
    answer: Answer


def metric(number: int, path: str = "{.result}", url: str = f"{BASE}/ANSWER", **fields: Any) -> Json:
    """A metric that asks a web server; `fields` of the metric."""
    provider = {"url": url, "jsonPath": path, "timeoutSeconds": 5}
    return {"name": f"m{number}", "provider": {"web": provider}, **fields}


def result(value: Any) -> Answer:
    """An answer with a field ``result``."""
    return Answer(json.dumps({"result": value}))


def digits(random: Random) -> Attack:
    """F1: long runs of digits, and something after them that no number has."""
    count = random.choice((1_000, 60_000, 250_000, 1_000_000))
    text = random.choice(("", "+", "1.", "0." + "0" * 9)) + random.choice("0123456789") * count
    text += random.choice(("x", "", "e", ".", "e9999", "_1", "."))
    condition = random.choice(
        ("asFloat(result) < 0.5", "asInt(result) > 0", "asFloat(result) + asInt(result) > 1", "isNaN(asFloat(result))")
    )
    return Attack("digits", _runs(random, lambda n: metric(n, successCondition=condition)), result(text[: BODY - 100]))


def bodies(random: Random) -> Attack:
    """Huge lists, deep nesting, long texts, halves of JSON, numbers that no float holds."""
    size = random.choice((1_000, 19_000, 250_000))
    text = random.choice(
        (
            lambda: json.dumps({"result": [{}] * min(size, 250_000)}),
            lambda: '{"result": ' + "[" * size + "]" * size + "}",
            lambda: '{"result": ' + '{"a":' * size + "1" + "}" * size + "}",
            lambda: json.dumps({"result": "\U0001f3ae" * 80_000}),
            lambda: '{"result": "' + "a" * (BODY - 20) + '"}',
            lambda: '{"result": ' + "9" * (BODY - 20) + "}",
            lambda: "[" + "1e999," * 100_000 + "NaN]",
            lambda: '{"result": "' + "\\u0041" * 150_000,
        )
    )()
    conditions = ("len(result) > 5", "result == nil", 'result contains "aaab"', "all(result, {# == 1})")
    condition = random.choice(conditions)
    return Attack("bodies", _runs(random, lambda n: metric(n, successCondition=condition)), Answer(text[:BODY]))


def filters(random: Random) -> Attack:
    """F2: a filter of hundreds of members on a list of thousands of elements."""
    members = random.randrange(100, 490)
    path = random.choice(("{[?(@%s)]}", "{[?(@%s==1)]}", "{..[?(@%s)]}", "{[*]%s}"))
    path = path % (random.choice((".a", ".b", ".*")) * members)
    listed = [random.choice(({}, {"a": {"a": {}}}, {"b": [1]}))] * random.choice((500, 19_000))
    return Attack("filters", _runs(random, lambda n: metric(n, path[:JSON_PATH])), Answer(json.dumps(listed)))


def patterns(random: Random) -> Attack:
    """F2: patterns of the answer itself, many of them, and patterns that are known to go back and forth."""
    text = "".join(random.choice("abx") for _ in range(3_000))
    width = random.randrange(50, 390)
    condition = random.choice(
        (
            f'count(0..2500, {{"x" matches result[#:#+{width}]}}) >= 0',
            'any(0..900, {result matches "(a|aa)+$"})',
            'result matches "(a*)*(b*)*(x*)*y"',
            f'result matches "({"a?" * 300}){{20}}"',
            'result matches "((a{1,100}){1,100}){1,100}"',
        )
    )
    return Attack("patterns", _runs(random, lambda n: metric(n, successCondition=condition)), result(text))


def conditions(random: Random) -> Attack:
    """F3, F6: conditions up to the size of the CRD, many to a run, which are parsed or use up all their steps."""
    made = [condition(random) for _ in range(METRICS * 2)]

    def one(number: int) -> Json:
        delay = {"initialDelay": "1h"} if lazy else {}
        first, second = made[number % len(made)], made[(number * 7 + 1) % len(made)]
        return metric(number, successCondition=first, failureCondition=second, **delay)

    lazy = random.random() < 0.5
    return Attack("conditions", _runs(random, one, runs=4), result("ab" * 500))


def condition(random: Random) -> str:
    """A condition of some thousand characters."""
    parts = random.choice(
        (
            lambda: f"[{','.join(['[]'] * random.randrange(300, 1300))}] == []",
            lambda: "all(0..200, {all(0..200, {# >= 0})})",
            lambda: " and ".join(f'result != "{random.randrange(10**6)}"' for _ in range(180)),
            lambda: "(" * 1500 + "1" + ")" * 1500 + " == 1",
            lambda: "!" * 4000 + "true",
            lambda: "+".join(["1"] * 1900) + " > 0",
            lambda: "2 ** " * 700 + "2 > 0",
            lambda: "len(" * 800 + "result" + ")" * 800 + " > 0",
        )
    )
    return parts()[:CONDITION]


def arguments(random: Random) -> Attack:
    """F2, F12: queries and URLs with hundreds of tags, of long values with quotes."""
    value = random.choice(('"', "'", "a", "#", "\n", "`"))
    value = (value + "a" * random.randrange(20)) * ARGUMENT
    tags = "{{args.a}}" * random.randrange(100, 409)
    args = [{"name": "a", "value": value[:ARGUMENT]}]
    if random.random() < 0.5:
        quote = random.choice(("", '"', "# it isn't\n", "`"))
        settings = {"address": BASE, "query": (quote + tags + tags)[:QUERY]}
        made = _runs(random, lambda n: {"name": f"m{n}", "provider": {"prometheus": settings}})
    else:
        url = (BASE + random.choice(("/", "/?q=", "@")) + tags)[:URL]
        made = _runs(random, lambda n: metric(n, url=url))
    return Attack("arguments", tuple({**run, "args": args} for run in made), result(1))


def silent(random: Random) -> Attack:
    """F7: endpoints that say nothing, or a byte now and then, for as long as they may be waited for."""
    pause = random.choice((0.0, 0.5))
    answer = Answer(None) if not pause else Answer('{"result": "' + "a" * 5_000, pause)

    def one(number: int) -> Json:
        made = metric(number)
        made["provider"]["web"]["timeoutSeconds"] = 300
        return made

    return Attack("silent", _runs(random, one, runs=9, metrics=28), answer)


def names(random: Random) -> Attack:
    """F7: names that nobody knows, hundreds at a time, asked again each second."""
    salt = random.randrange(10**9)

    def one(number: int) -> Json:
        return metric(number, url=f"http://n{number}-{salt}.{random.randrange(10**6)}.invalid/", interval="1s")

    return Attack("names", _runs(random, one, runs=8), result(1))


def growth(random: Random) -> Attack:
    """F10: values of four bytes a character, a measurement each second, until the status is full."""
    value = random.choice('\U0001f3ae\x01"ä') * 1024
    made = _runs(random, lambda n: metric(n, interval="1s", count=15, successCondition='result == "1"'), runs=2)
    return Attack("growth", made, result(value))


def _runs(random: Random, one: Callable[[int], Json], runs: int = 3, metrics: int = METRICS) -> tuple[Json, ...]:
    """Specs of some runs with as many metrics as the CRD allows."""
    return tuple({"metrics": [one(run * metrics + number) for number in range(metrics)]} for run in range(runs))


#: All kinds by name.
KINDS: Final[dict[str, Callable[[Random], Attack]]] = {
    made.__name__: made for made in (digits, filters, conditions, silent, patterns, arguments, bodies, names, growth)
}


def broken_workload(name: str) -> Json:
    """A GameDeployment whose pods are refused when they are to be created: no pod has such a port."""
    container = {"name": "game", "image": "game:1", "ports": [{"containerPort": 70_000}]}
    return workload(name, container)


def workload(name: str, container: Json | None = None) -> Json:
    """A GameDeployment of one pod."""
    container = container or {"name": "game", "image": "game:1"}
    return {
        "apiVersion": "tkex.tencent.com/v1alpha1",
        "kind": "GameDeployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
        },
    }


def hook_run(name: str, spec: Json, server: str, answer: str) -> Json:
    """A HookRun of a spec, sent to the attack's server; ``answer`` is the path at which its answer is found."""
    text = json.dumps(spec).replace(BASE, server).replace("/ANSWER", answer)
    return {
        "apiVersion": "tkex.tencent.com/v1alpha1",
        "kind": "HookRun",
        "metadata": {"name": name},
        "spec": json.loads(text),
    }


def template(random: Random) -> Json:
    """A HookTemplate as it is sent to the webhooks, past the limits of the CRD as well."""
    count = random.choice((1, 32, 32, 500, 2000))
    made = [condition(random) for _ in range(min(count, 64))]
    metrics = [
        metric(n, successCondition=made[n % len(made)], interval="9" * random.choice((1, 60))) for n in range(count)
    ]
    return {
        "apiVersion": "tkex.tencent.com/v1alpha1",
        "kind": "HookTemplate",
        "metadata": {"name": "hostile"},
        "spec": {"metrics": metrics},
    }
