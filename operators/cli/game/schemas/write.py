"""``python -m operators.cli.game.schemas.write`` writes the schemas from the models."""

from __future__ import annotations

import json

import operators.cli.game.plans.documents  # noqa: F401 - its documents are among the subclasses
from operators.cli.game.documents import Document
from operators.cli.game.schemas import FOLDER


def texts() -> dict[str, str]:
    """The text of each file, by its name."""
    found = {}
    for model in Document.__subclasses__():
        schema = model.model_json_schema(mode="serialization", by_alias=True)
        schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
        found[f"{model.__name__}.json"] = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
    return found


if __name__ == "__main__":
    for name, text in texts().items():
        (FOLDER / name).write_text(text)
