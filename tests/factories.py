"""Rows for tests, as the services would have written them."""

from typing import Any

from factory.declarations import LazyAttribute, Sequence, SubFactory
from factory.django import DjangoModelFactory

from kallglot_site.accounts.models import Environment, Organization
from sessions_app.models import Segment, Session


class OrganizationFactory(DjangoModelFactory[Organization]):
    class Meta:
        model = Organization

    name = Sequence(lambda n: f"Organization {n}")


class SessionFactory(DjangoModelFactory[Session]):
    class Meta:
        model = Session

    organization = SubFactory(OrganizationFactory)
    environment = Environment.LIVE
    mode = Session.Mode.TRANSCRIPTION


class SegmentFactory(DjangoModelFactory[Segment]):
    class Meta:
        model = Segment

    session: Any = SubFactory(SessionFactory)
    sequence = Sequence(lambda n: n + 1)
    speaker = "customer"
    language = "en"
    text = "Hello, I have a question about my order."
    start_time = LazyAttribute(lambda segment: (segment.sequence - 1) * 4.0)
    end_time = LazyAttribute(lambda segment: segment.start_time + 3.0)
    confidence = 0.9
