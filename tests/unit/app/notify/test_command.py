"""What the command `notify` prints for an address."""

import pytest

from dstack_backend.app.notify.command import try_to_send
from dstack_backend.domain.notification import Level, Message
from tests.unit.app.notify.harness import FakeTarget


@pytest.mark.parametrize(
    ("accepts", "seconds", "text"),
    [
        (True, 0.44, "sent in 0.4 s"),
        (False, 0.1, "failed after 0.1 s: refused, or the service was not reached"),
        (False, 30.2, "timed out: no answer within 30 s"),
    ],
)
def test_result_says_how_long_it_took(accepts: bool, seconds: float, text: str) -> None:  # noqa: FBT001
    """A failure after a long time is one of an address that does not answer."""
    target, times = FakeTarget(), iter([100.0, 100.0 + seconds])
    target.accepts = accepts
    result = try_to_send(
        target, Message(title="title", body="body", level=Level.SUCCESS), lambda: next(times)
    )
    assert result == (accepts, text)
    assert target.levels == [Level.SUCCESS]
    assert target.sent == (["body"] if accepts else [])
