"""Rows for tests, as the services would have written them."""

from typing import Any, Protocol, TypeVar, cast

from factory.declarations import LazyAttribute, Sequence, SubFactory
from factory.django import DjangoModelFactory

from kallglot_site.accounts.models import Environment, Organization
from sessions_app.models import Segment, Session

Row = TypeVar("Row")


class Factory(Protocol[Row]):
    """What a factory class looks like to a type checker: calling it gives a row, not a factory."""

    def __call__(self, **values: Any) -> Row: ...
    def create(self, **values: Any) -> Row: ...
    def build(self, **values: Any) -> Row: ...
    def create_batch(self, size: int, **values: Any) -> list[Row]: ...


def rows(factory: type[DjangoModelFactory[Row]]) -> Factory[Row]:
    return cast("Factory[Row]", factory)


class _Organization(DjangoModelFactory[Organization]):
    class Meta:
        model = Organization

    name = Sequence(lambda n: f"Organization {n}")


OrganizationFactory = rows(_Organization)


class _Session(DjangoModelFactory[Session]):
    class Meta:
        model = Session

    organization = SubFactory(_Organization)
    environment = Environment.LIVE
    mode = Session.Mode.TRANSCRIPTION


SessionFactory = rows(_Session)


class _Segment(DjangoModelFactory[Segment]):
    class Meta:
        model = Segment

    session: Any = SubFactory(_Session)
    sequence = Sequence(lambda n: n + 1)
    speaker = "customer"
    language = "en"
    text = "Hello, I have a question about my order."
    start_time = LazyAttribute(lambda segment: (segment.sequence - 1) * 4.0)
    end_time = LazyAttribute(lambda segment: segment.start_time + 3.0)
    confidence = 0.9


SegmentFactory = rows(_Segment)
