"""The contract as a JSON schema, for editors and for senders in other languages."""

from __future__ import annotations

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from worker.contract.order import OrderSignal
from worker.contract.position import PositionSyncSignal


class _Untitled(GenerateJsonSchema):
    """Leaves out pydantic's titles, which only repeat the field names in another spelling."""

    def field_title_should_be_set(self, _schema: object) -> bool:
        return False


def json_schema() -> dict[str, object]:
    """JSON schema (draft 2020-12) of one signal. `parse` also checks what a schema cannot say."""
    shapes: list[tuple[type[BaseModel], JsonSchemaMode]]
    shapes = [(OrderSignal, "validation"), (PositionSyncSignal, "validation")]
    _, schema = models_json_schema(shapes, title="Signal", schema_generator=_Untitled)
    # The enums are written out where they are used; their definitions would be left over.
    shapes_only = {name: shape for name, shape in schema["$defs"].items() if shape["type"] == "object"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "$defs": shapes_only,
        "oneOf": [{"$ref": "#/$defs/OrderSignal"}, {"$ref": "#/$defs/PositionSyncSignal"}],
    }
