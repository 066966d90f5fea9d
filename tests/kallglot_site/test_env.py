import pytest
from django.core.exceptions import ImproperlyConfigured

from kallglot_site.env import SETTINGS, read


def test_everything_has_a_default_that_can_be_read():
    assert read({}).keys() == {setting.name for setting in SETTINGS}


def test_all_wrong_settings_are_listed_at_once():
    with pytest.raises(ImproperlyConfigured) as refusal:
        read({"KALLGLOT_MAX_STREAMS": "none", "KALLGLOT_DEBUG": "perhaps"})
    assert "KALLGLOT_MAX_STREAMS: 'none' is not valid: use a whole number" in str(refusal.value)
    assert "KALLGLOT_DEBUG: 'perhaps' is not valid: use true or false" in str(refusal.value)


def test_a_typing_mistake_in_a_name_does_not_pass_silently():
    with pytest.raises(ImproperlyConfigured, match="KALLGLOT_PUBLIC_ULR: there is no such setting"):
        read({"KALLGLOT_PUBLIC_ULR": "https://api.example.com"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("KALLGLOT_PUBLIC_URL", "api.example.com"),
        ("KALLGLOT_STREAM_URL", "https://stream.example.com"),
        ("KALLGLOT_STREAM_TOKEN_TTL", "0"),
        ("KALLGLOT_SESSION_IDLE_TIMEOUT", "nan"),
        ("KALLGLOT_DRAIN_TIMEOUT", "inf"),
        ("KALLGLOT_ENVIRONMENT", "staging"),
        ("KALLGLOT_MAX_STREAMS", "-1"),
        ("DATABASE_URL", "mysql://localhost/kallglot"),
        ("REDIS_URL", "localhost:6379"),
        ("CELERY_BROKER_URL", "kafka://localhost"),
        ("STORAGE_URL", "/var/media"),
        ("KALLGLOT_TIME_ZONE", "Mars/Olympus"),
        ("KALLGLOT_TRUSTED_PROXIES", "proxy.internal"),
        ("HF_ENDPOINT", "hub.internal"),
        ("HF_TOKEN", "hf_…"),
        ("HF_TOKEN", "hf_one hf_two"),
    ],
)
def test_a_wrong_value_is_refused_by_name(name, value):
    with pytest.raises(ImproperlyConfigured, match=name):
        read({name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "mysql://user:hunter2@localhost/kallglot"),
        ("HF_ENDPOINT", "https://user:hunter2@hub.internal"),
        ("HF_TOKEN", "hunter2…"),
    ],
)
def test_a_refused_secret_is_not_shown(name, value):
    with pytest.raises(ImproperlyConfigured) as refusal:
        read({name: value})
    assert "hunter2" not in str(refusal.value)


def test_lists_are_split_at_commas():
    assert read({"KALLGLOT_ALLOWED_HOSTS": "a.example, b.example,"})["KALLGLOT_ALLOWED_HOSTS"] == [
        "a.example",
        "b.example",
    ]


def test_an_empty_variable_means_the_default():
    assert read({"TRANSCRIBER_URL": ""})["TRANSCRIBER_URL"] == "whisper://base"
