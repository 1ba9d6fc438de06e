"""How hooks are executed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HookSettings:
    """``allow_cidrs`` are networks that hooks may reach although loopback, link-local and the like are refused."""

    allow_cidrs: tuple[str, ...] = ()
    max_concurrent: int = 200
