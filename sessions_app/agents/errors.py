"""Errors of agents and knowledge bases, each with its code in the API."""

from kallglot_site.api.errors import ApiError


class KnowledgeBaseUnknown(ApiError):
    """An agent names a knowledge base that its tenant does not have."""

    code = "resource_not_found"

    def __init__(self) -> None:
        super().__init__("There is no such knowledge base.", param="knowledge_base_id")


class TooMany(ApiError):
    """The tenant has as many of these objects as it may have."""

    code = "invalid_field_value"


class InvalidFile(ApiError):
    """The uploaded file is of another kind, empty, or not given as it should be."""

    code = "invalid_field_value"
