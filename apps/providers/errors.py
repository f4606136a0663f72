"""What can go wrong in this room. Failures of a call itself are `protocol.ProviderError`."""

from apps.core.errors import Conflict, InvalidInput, NotFound


class ProviderNotFound(NotFound):
    code = "unknown_provider"
    title = "There is no such provider"


class UnknownModel(InvalidInput):
    code = "unknown_model"
    title = "There is no such model"


class ModelNotFound(NotFound):
    code = "model_not_found"
    title = "There is no such model"


class BaseUrlRefused(InvalidInput):
    code = "base_url_refused"
    title = "The base URL may not be used"


class ProviderArchived(Conflict):
    code = "provider_archived"
    title = "The provider is archived"


class ConnectionTestNotFound(NotFound):
    code = "unknown_connection_test"
    title = "There is no such connection test"
