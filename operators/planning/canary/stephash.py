"""Whether the list of canary steps is still the one a rollout began with (docs/spec/gamedeployment.md 4.1).

The hash on the object is ours, marked by its prefix. A rollout that the Go operators began carries theirs; it is
computed here too, so that such a rollout goes on where it stands instead of starting over.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache

from operators.api.strategies import CanaryStep, HookStep, Pause

_PREFIX = "v2-"
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_FNV_PRIME, _FNV_OFFSET = 0x01000193, 0x811C9DC5


#: The Go operators printed no longer list that anybody wrote; theirs is computed byte by byte.
_LONGEST_PRINTED = 64 << 10
#: Bytes of steps that are remembered, and how many lists of steps: 4 MB in all.
_LARGEST_KEPT, _KEPT = 8 << 10, 512
_STEP_BYTES, _ARGUMENT_BYTES = 600, 500


def step_hash(steps: tuple[CanaryStep, ...]) -> str:
    """The hash we record: equal for lists that mean the same."""
    return _kept_hash(steps) if _weight(steps) <= _LARGEST_KEPT else _hash(steps)


def _weight(steps: tuple[CanaryStep, ...]) -> int:
    args = [argument for step in steps if step.hook is not None for argument in step.hook.args]
    return _STEP_BYTES * len(steps) + sum(_ARGUMENT_BYTES + len(a.name) + len(a.value) for a in args)


@lru_cache(maxsize=_KEPT)
def _kept_hash(steps: tuple[CanaryStep, ...]) -> str:
    return _hash(steps)


def _hash(steps: tuple[CanaryStep, ...]) -> str:
    body = [s.model_dump(by_alias=True, exclude_none=True) for s in steps]
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return _PREFIX + hashlib.sha256(text.encode()).hexdigest()[:10]


def _number(value: int | None) -> str:
    return "(*int32)<nil>" if value is None else f"(*int32){value}"


def _pause(pause: Pause | None) -> str:
    if pause is None:
        return "(*v1alpha1.CanaryPause)<nil>"
    return f"(*v1alpha1.CanaryPause){{Duration:{_number(pause.duration)}}}"


def _hook(hook: HookStep | None) -> str:
    if hook is None:
        return "(*v1alpha1.HookStep)<nil>"
    args = " ".join(f"{{Name:(string){a.name} Value:(string){a.value}}}" for a in hook.args)
    listed = f"[{args}]" if hook.args else "<nil>"
    return (
        f"(*v1alpha1.HookStep){{TemplateName:(string){hook.template_name} Args:([]v1alpha1.HookRunArgument){listed}}}"
    )


def go_step_hash(steps: Sequence[CanaryStep] | None) -> str | None:
    """The hash the Go operators record, None where they know no such step (a partition in percent) or none so long.

    It is 32-bit FNV-1a over the list as Go's debug printer shows it; ``None`` stands for no canary at all.
    """
    text = ""
    if steps is not None:
        if any(isinstance(s.partition, str) for s in steps):
            return None
        shown = [
            f"{{Partition:{_number(s.partition if isinstance(s.partition, int) else None)}"
            f" Pause:{_pause(s.pause)} Hook:{_hook(s.hook)}}}"
            for s in steps
        ]
        text = f"([]v1alpha1.CanaryStep)[{' '.join(shown)}]"
    if len(text) > _LONGEST_PRINTED:
        return None
    code = _FNV_OFFSET
    for byte in text.encode():
        code = ((code ^ byte) * _FNV_PRIME) & 0xFFFFFFFF
    return "".join(_ALPHABET[ord(c) % len(_ALPHABET)] for c in str(code))


def same_steps(recorded: str, steps: tuple[CanaryStep, ...]) -> bool:
    """Whether a recorded hash, ours or theirs, belongs to this list."""
    if recorded.startswith(_PREFIX):
        return recorded == step_hash(steps)
    return bool(recorded) and recorded == go_step_hash(steps)
