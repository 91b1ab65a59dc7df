"""The errors of a scoring request; each has an HTTP status and a stable code."""

from __future__ import annotations

from collections.abc import Sequence

from vfl.errors import VflError


class ServiceError(VflError):
    """A request that is not answered with scores. The text names fields and positions, never a value."""

    code = "service"
    http_status = 400


class UnknownModel(ServiceError):
    """No model of this name is published."""

    code = "unknown_model"
    http_status = 404


class NotReady(ServiceError):
    """The model is published, but cannot be served now; the log says why."""

    code = "not_ready"
    http_status = 503


class ReasonsForbidden(ServiceError):
    """Reasons were asked for, and a feature party does not let its contributions be told."""

    code = "reasons_forbidden"
    http_status = 403


class PeersAbsent(ServiceError):
    """Feature parties did not answer in time, and the model is published to be refused then."""

    code = "partners_absent"
    http_status = 503

    def __init__(self, peers: Sequence[str]) -> None:
        super().__init__(
            f"no answer in time from {', '.join(peers)}, and this model gives no score without; try again"
        )
        self.peers = list(peers)


class BadRequest(ServiceError):
    """The request as a whole asks for something outside its limits."""

    code = "bad_request"
    http_status = 422


class BadRecord(ServiceError):
    """A record of the request cannot be read.

    Attributes:
        record: its position in the request, from 0.
        field: the part that is wrong, such as ``keys.customer_id`` or ``features.age``.
    """

    code = "bad_record"
    http_status = 422

    def __init__(self, record: int, field: str, mistake: str) -> None:
        super().__init__(f"record {record}, {field}: {mistake}")
        self.record, self.field = record, field
