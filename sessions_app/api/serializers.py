"""Validation of REST requests about sessions."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from kallglot_site.api.serializers import (
    MomentField,
    QueryBooleanField,
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
    StrictNumberField,
    StrictPatternField,
    StrictSerializer,
)
from sessions_app.input_fields import LanguageField, MetadataField
from sessions_app.models import Session
from sessions_app.transcripts import FORMATS

MAX_VOCABULARY, MAX_VOCABULARY_ENTRY = 100, 100
MAX_LANGUAGES = 8
MAX_GLOSSARY, MAX_GLOSSARY_TERM = 500, 100
MAX_VOICE = 64

_E164 = r"^\+[1-9][0-9]{6,14}$"
_PROVIDER = r"^[a-z0-9][a-z0-9_-]{0,31}$"


@extend_schema_field(
    {
        "type": "object",
        "maxProperties": MAX_GLOSSARY,
        "propertyNames": {"minLength": 1, "maxLength": MAX_GLOSSARY_TERM},
        "additionalProperties": {"type": "string", "minLength": 1, "maxLength": MAX_GLOSSARY_TERM},
    }
)
class GlossaryField(serializers.Field[dict[str, str], Any, dict[str, str], Any]):
    """Terms with their translations, in either direction."""

    def to_internal_value(self, data: Any) -> dict[str, str]:
        if not isinstance(data, dict):
            raise serializers.ValidationError(
                "Must be an object that gives each term its translation."
            )
        if len(data) > MAX_GLOSSARY:
            raise serializers.ValidationError(f"May hold at most {MAX_GLOSSARY} terms.")
        for term, translation in data.items():
            for text in (term, translation):
                if not isinstance(text, str) or not text.strip() or len(text) > MAX_GLOSSARY_TERM:
                    raise serializers.ValidationError(
                        f"Terms and translations must be strings of 1 to {MAX_GLOSSARY_TERM} "
                        f"characters: see {term[:MAX_GLOSSARY_TERM]!r}."
                    )
        return data

    def to_representation(self, value: dict[str, str]) -> dict[str, str]:
        return value


class RecordingInput(StrictSerializer):
    enabled = StrictBooleanField(default=False)
    channels = StrictChoiceField(Session.Channels.values, default=Session.Channels.MIXED.value)


class ProviderInput(StrictSerializer):
    type = StrictPatternField(
        _PROVIDER, message="Must be a word such as `websocket` or `twilio`.", default="websocket"
    )
    phone_number = StrictPatternField(
        _E164,
        message="Must be in E.164 form, such as +15551234567.",
        default=None,
        allow_null=True,
    )
    call_sid = StrictCharField(default=None, allow_null=True, min_length=1, max_length=255)


class TranscriptionInput(StrictSerializer):
    partials = StrictBooleanField(default=True)
    vocabulary = serializers.ListField(
        child=StrictCharField(min_length=1, max_length=MAX_VOCABULARY_ENTRY),
        default=list,
        max_length=MAX_VOCABULARY,
    )
    languages = serializers.ListField(
        child=LanguageField(required=True, allow_null=False),
        default=list,
        max_length=MAX_LANGUAGES,
        help_text="The only languages that detection may choose among; empty: all.",
    )


class VoiceInput(StrictSerializer):
    """The voices that speak for each party: ids of GET /v1/voices."""

    agent = StrictCharField(default=None, allow_null=True, min_length=1, max_length=MAX_VOICE)
    customer = StrictCharField(default=None, allow_null=True, min_length=1, max_length=MAX_VOICE)


class TranslationInput(StrictSerializer):
    barge_in = StrictBooleanField(default=True)
    original_volume = StrictNumberField(default=0.0, min_value=0, max_value=1)
    voice = VoiceInput(required=False)
    glossary = GlossaryField(default=dict)
    subtitles = StrictBooleanField(default=True)


class SessionInput(StrictSerializer):
    """The body of POST /v1/sessions."""

    mode = StrictChoiceField(Session.Mode.values, code="invalid_mode")
    source_language = LanguageField()
    target_language = LanguageField()
    recording = RecordingInput(required=False)
    provider = ProviderInput(required=False)
    transcription = TranscriptionInput(required=False)
    translation = TranslationInput(required=False)
    metadata = MetadataField(required=False)

    def service_arguments(self) -> dict[str, Any]:
        """The validated body as keyword arguments of ``session_create``."""
        data = dict(self.validated_data)
        translation = dict(data.pop("translation", {}))
        voices = translation.pop("voice", {})
        data.update(translation, **{f"{party}_voice": name for party, name in voices.items()})
        for group, names in (
            ("recording", {"enabled": "recording_enabled", "channels": "recording_channels"}),
            (
                "provider",
                {
                    "type": "provider_type",
                    "phone_number": "provider_phone_number",
                    "call_sid": "provider_call_sid",
                },
            ),
            (
                "transcription",
                {name: name for name in ("partials", "vocabulary", "languages")},
            ),
        ):
            values = data.pop(group, {})
            data.update({argument: values[name] for name, argument in names.items() if values})
        return data


class SessionEndInput(StrictSerializer):
    """The body of POST /v1/sessions/:id/end."""

    reason = StrictChoiceField(Session.EndReason.values, default=Session.EndReason.COMPLETED.value)


class TranscriptTranslateInput(StrictSerializer):
    """The body of POST /v1/sessions/:id/translate."""

    language = LanguageField(
        required=True, allow_null=False, help_text="Into which language; a region is ignored."
    )


class SessionListQuery(StrictSerializer):
    status = StrictChoiceField(Session.Status.values, required=False)
    mode = StrictChoiceField(Session.Mode.values, required=False, code="invalid_mode")
    created_after = MomentField(required=False)
    created_before = MomentField(required=False)


class TranscriptQuery(StrictSerializer):
    format = StrictChoiceField(FORMATS, default="json")
    include_translations = QueryBooleanField(default=True)
    language = LanguageField(
        allow_null=False,
        help_text="The language of `translation` in this answer. Ask for it with "
        "`POST /v1/sessions/{session_id}/translate` first.",
    )


class VoiceListQuery(StrictSerializer):
    language = LanguageField(allow_null=False, help_text="A region is ignored.")
