"""Schemathesis over the whole schema: generated requests, and chains of them along the links."""

import datetime
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.conf import settings as django_settings
from django.core.wsgi import get_wsgi_application
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    missing_required_header,
    unsupported_method,
)

from kallglot_site.api.views import openapi_schema
from tests.conftest import Cast

pytestmark = pytest.mark.django_db
