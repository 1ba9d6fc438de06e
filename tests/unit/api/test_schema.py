"""From a model to a structural schema."""

from typing import Annotated, Literal

import pytest
from pydantic import Field

from operators.api.base import SpecModel
from operators.api.schema import NotStructural, structural


class Part(SpecModel):
    """A part."""

    size: Annotated[int, Field(ge=0, description="How big.")] = 3


class Whole(SpecModel):
    """A whole."""

    kind_of: Annotated[Literal["a", "b"], Field(description="Which.")] = "a"
    part: Annotated[Part, Field(description="The part.")] = Part()
    maybe: Annotated[Part | None, Field(description="Or not.")] = None
    names: Annotated[tuple[str, ...], Field(description="Names.")] = ()


def test_references_are_inlined_and_the_field_describes_itself():
    part = structural(Whole)["properties"]["part"]
    assert (part["type"], part["description"]) == ("object", "The part.")
    assert part["properties"]["size"] == {"type": "integer", "minimum": 0, "default": 3, "description": "How big."}


def test_an_optional_part_has_neither_null_nor_default():
    maybe = structural(Whole)["properties"]["maybe"]
    assert (maybe["type"], maybe["description"]) == ("object", "Or not.")
    assert not {"anyOf", "default", "nullable"} & set(maybe)


def test_a_part_with_defaults_of_its_own_starts_empty():
    assert structural(Whole)["properties"]["part"]["default"] == {}


def test_an_empty_list_is_no_default():
    assert "default" not in structural(Whole)["properties"]["names"]


def test_names_are_those_of_manifests():
    assert set(structural(Whole)["properties"]) == {"kindOf", "part", "maybe", "names"}


def test_a_status_gets_no_defaults():
    properties = structural(Whole, defaults=False)["properties"]
    assert "default" not in properties["part"]
    assert "default" not in properties["part"]["properties"]["size"]


def test_a_choice_of_types_is_an_error_here_and_not_on_the_api_server():
    class Choice(SpecModel):
        either: int | str

    with pytest.raises(NotStructural, match="a choice of 2 types"):
        structural(Choice)
