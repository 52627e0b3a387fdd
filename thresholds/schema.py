"""Writes the JSON Schema of the scene language, by which editors complete and check scenes.

`python -m thresholds.schema` in the repository; a test holds the file to what would be written.
"""

import inspect
import json
from pathlib import Path
from typing import Any

from thresholds.scene import Scene

ROOT = Path(__file__).resolve().parents[1]
SCHEMA_PATH = Path("schema/scene.schema.json")
_SOME = ("Feeds", "Where", "Change", "OverrideLevels")
"""Parts that have to say something, whatever it is."""


def scene_schema() -> str:
    """The JSON Schema (2020-12) of a scene, as text.

    What no schema can say (clear values on the right side, ladders, metrics of the catalogue) is left to `scene check`.
    """
    schema: dict[str, Any] = _plain(Scene.model_json_schema(by_alias=True))
    for name in _SOME:
        schema["$defs"][name]["minProperties"] = 1
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:scenewatch:schema:scene:v1",
        "title": "Scenewatch scene 场景",
    }
    return json.dumps({**schema, **head}, indent=2, ensure_ascii=False) + "\n"


def _plain(part: Any) -> Any:
    """Without what only Python knows: a key that is left out is not null in YAML, and docstrings are indented."""
    if isinstance(part, list):
        return [_plain(item) for item in part]
    if not isinstance(part, dict):
        return part
    kept = {
        key: _plain(value) for key, value in part.items() if key != "default" or isinstance(value, bool | str | int)
    }
    choices = [choice for choice in kept.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == 1:
        kept.pop("anyOf")
        kept = {**choices[0], **kept}
    elif choices:
        kept["anyOf"] = choices
    if isinstance(kept.get("description"), str):
        kept["description"] = inspect.cleandoc(kept["description"]).split("\n\nRaises:")[0]
    return kept


def main() -> None:
    """Write the file."""
    (ROOT / SCHEMA_PATH).write_text(scene_schema(), encoding="utf-8")


if __name__ == "__main__":
    main()
