"""Fields of request bodies that sessions and agents have in common."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kallglot_site.api.serializers import StrictCharField
from sessions_app.languages import NAMES, is_language_code

MAX_METADATA, MAX_METADATA_KEY, MAX_METADATA_VALUE = 50, 40, 500


@extend_schema_field(
    {
        "type": "string",
        "pattern": f"^({'|'.join(NAMES)})(-([A-Z]{{2}}|[0-9]{{3}}))?$",
        "examples": ["es", "es-MX"],
    }
)
class LanguageField(StrictCharField):
    """ISO 639-1, alone or with a region; null: detected from the audio for each speaker."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, "allow_null": True, "max_length": 16, **kwargs})

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if data is serializers.empty or data is None:
            return super().run_validation(data)
        if not isinstance(data, str) or not is_language_code(data):
            raise serializers.ValidationError(
                "Must be an ISO 639-1 code such as `es`, or one with a region such as `es-MX`.",
                code="invalid_language_code",
            )
        return data


@extend_schema_field(
    {
        "type": "object",
        "maxProperties": MAX_METADATA,
        "propertyNames": {"minLength": 1, "maxLength": MAX_METADATA_KEY},
        "additionalProperties": {"type": "string", "maxLength": MAX_METADATA_VALUE},
    }
)
class MetadataField(serializers.Field[dict[str, str], Any, dict[str, str], Any]):
    """Up to 50 pairs of strings."""

    def to_internal_value(self, data: Any) -> dict[str, str]:
        if not isinstance(data, dict):
            raise serializers.ValidationError(
                "Must be an object whose keys and values are strings."
            )
        if len(data) > MAX_METADATA:
            raise serializers.ValidationError(f"May hold at most {MAX_METADATA} pairs.")
        for key, value in data.items():
            if not 1 <= len(key) <= MAX_METADATA_KEY:
                raise serializers.ValidationError(
                    f"Keys must have 1 to {MAX_METADATA_KEY} characters."
                )
            if not isinstance(value, str) or len(value) > MAX_METADATA_VALUE:
                raise serializers.ValidationError(
                    f"The value of {key!r} must be a string of at most "
                    f"{MAX_METADATA_VALUE} characters."
                )
        return data

    def to_representation(self, value: dict[str, str]) -> dict[str, str]:
        return value
