"""What can go wrong with a model. Each message is one or two sentences for the operator."""


class ModelError(Exception):
    """A model cannot be fetched, found or removed."""


class HubUnreachable(ModelError):
    """The hub does not answer: without a network, the model has to be copied by hand."""
