"""Strict validation of input: unknown fields and wrong types are refused, never converted.

Serializers describe input only, for validation and for the schema. Output is made by payload
functions, which are faster and also make the payloads of webhook events.
"""

import datetime
import math
import re
from collections.abc import Mapping
from typing import Any

from django.utils.dateparse import parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer that refuses fields it does not know (``unknown_field``)."""

    default_error_messages = {"invalid": "Expected a JSON object."}

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [name for name in data if name not in self.fields]
            if unknown:
                known = ", ".join(f"`{name}`" for name in self.fields) or "none"
                raise serializers.ValidationError(
                    {
                        name: serializers.ErrorDetail(
                            f"Unknown field. Allowed fields: {known}.", code="unknown"
                        )
                        for name in unknown
                    }
                )
        return super().to_internal_value(data)


class StrictCharField(serializers.CharField):
    """Text. Numbers are not converted to text, and spaces are kept."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("trim_whitespace", False)
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return str(super().to_internal_value(data))


class StrictPatternField(StrictCharField):
    """Text that matches a pattern from start to end. ``message`` is the error for other text."""

    def __init__(self, pattern: str, *, message: str, **kwargs: Any) -> None:
        self.pattern, self.message = re.compile(pattern.removesuffix("$") + r"\Z"), message
        self._spectacular_annotation = {"field": {"type": "string", "pattern": pattern}}
        super().__init__(**kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str) or not self.pattern.match(data):
            raise serializers.ValidationError(self.message)
        return data


class StrictBooleanField(serializers.BooleanField):
    """JSON's true or false. Neither 1 nor "yes" is accepted."""

    default_error_messages = {"invalid": "Must be true or false."}

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class StrictNumberField(serializers.FloatField):
    """A JSON number. Neither "0.5" nor true is accepted."""

    default_error_messages = {"invalid": "Must be a number."}

    def to_internal_value(self, data: Any) -> float:
        if isinstance(data, bool) or not isinstance(data, int | float) or not math.isfinite(data):
            self.fail("invalid")
        return float(data)


class StrictChoiceField(serializers.ChoiceField):
    """One of a list of words; the error lists them. ``code`` is its error code."""

    default_error_messages = {"invalid_choice": "Must be one of: {choices_text}."}

    def __init__(self, choices: Any, *, code: str = "invalid_field_value", **kwargs: Any) -> None:
        self.code = code
        super().__init__(choices, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, str) and data in self.choices:
            return data
        allowed = ", ".join(f"`{choice}`" for choice in self.choices)
        raise serializers.ValidationError(f"Must be one of: {allowed}.", code=self.code)


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentField(serializers.Field[datetime.datetime, Any, str, Any]):
    """A time in ISO 8601. It needs an offset or Z, because otherwise its zone is unknown."""

    default_error_messages = {
        "invalid": "Must be an ISO 8601 time with an offset, such as 2026-03-01T12:00:00Z."
    }

    def to_internal_value(self, data: Any) -> datetime.datetime:
        try:
            # An unescaped "+" in a query string arrives as a space. RFC 3339 allows "t" and "z".
            text = data.replace(" ", "+").upper() if isinstance(data, str) else ""
            moment = parse_datetime(text)
        except ValueError:
            moment = None
        if moment is None or moment.tzinfo is None:
            self.fail("invalid")
        try:
            return moment.astimezone(datetime.UTC)
        except OverflowError:
            self.fail("invalid")

    def to_representation(self, value: datetime.datetime) -> str:
        return value.isoformat()


@extend_schema_field({"type": "boolean"})
class QueryBooleanField(serializers.BooleanField):
    """``true`` or ``false``, as text in a query string."""

    def to_internal_value(self, data: Any) -> bool:
        if data not in {"true", "false"}:
            raise serializers.ValidationError("Must be `true` or `false`.")
        return bool(data == "true")


class EmptySerializer(StrictSerializer):
    """For bodies without fields: every field is unknown."""


def validated(serializer_class: type[StrictSerializer], data: Any = empty) -> dict[str, Any]:
    """The validated input. Raises DRF's ValidationError, which becomes a 422."""
    serializer = serializer_class(data=data)
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
