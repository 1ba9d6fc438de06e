"""What all models share."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

#: A number that is never negative and fits what Kubernetes calls int32.
Count = Annotated[int, Field(ge=0, le=2_147_483_647)]
#: Pods of one workload: more than any cluster can hold, and few enough that a slip of the keyboard hurts nobody else.
Replicas = Annotated[int, Field(ge=0, le=1_000_000)]


class SpecModel(BaseModel):
    """A part of an object: camelCase outside, frozen, unknown keys ignored.

    Objects may predate today's validation, so reading is lenient where it can be: an explicit null is the same as an
    absent field, and so is an empty string in the fields that ``empty_is_absent`` names (the Go operators leave such
    in enumerations).
    """

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")
    empty_is_absent: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, data: Any) -> Any:
        if isinstance(data, dict):
            lenient = cls.empty_is_absent
            return {k: v for k, v in data.items() if v is not None and not (v == "" and k in lenient)}
        return data
