"""Which failures to connect mean that nothing listens."""

import errno
import socket

import pytest

from dstack_backend.adapters.httpx_dstack.watcher import has_no_listener

REFUSED = errno.ECONNREFUSED
UNUSABLE = [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.ENETUNREACH, errno.EHOSTUNREACH]


def attempts(*numbers: int) -> OSError:
    """Return what a connection to a name with several addresses raises."""
    errors = [OSError(number, "c4n4ry") for number in numbers]
    failed = OSError("All connection attempts failed")
    failed.__cause__ = ExceptionGroup("multiple connection attempts failed", errors)
    return failed


@pytest.mark.parametrize("number", [REFUSED, errno.ENOENT])
def test_refused_connection_means_that_nothing_listens(number: int) -> None:
    """So does a missing socket; on TCP and on a unix socket."""
    assert has_no_listener(OSError(number, "c4n4ry"))
    assert has_no_listener(attempts(number))
    assert has_no_listener(attempts(number, REFUSED))


@pytest.mark.parametrize("unusable", UNUSABLE)
def test_address_that_cannot_be_used_does_not_count(unusable: int) -> None:
    """A name may have an IPv6 address on a host without IPv6, before or after the others."""
    assert has_no_listener(attempts(unusable, REFUSED))
    assert has_no_listener(attempts(REFUSED, unusable))


@pytest.mark.parametrize(
    "number", [*UNUSABLE, errno.ECONNRESET, errno.ETIMEDOUT, errno.EACCES, errno.EMFILE]
)
def test_other_errors_do_not_mean_that_nothing_listens(number: int) -> None:
    """At least one address must be refused: a network that is down is not a crash of DStack.

    A listener may reset each connection: the reset comes before or after connecting has succeeded.
    """
    assert not has_no_listener(OSError(number, "c4n4ry"))
    assert not has_no_listener(attempts(number, number))


@pytest.mark.parametrize("number", [errno.ETIMEDOUT, errno.EACCES, errno.EMFILE])
def test_refused_address_beside_one_in_doubt_is_not_enough(number: int) -> None:
    """DStack may listen on the other address."""
    assert not has_no_listener(attempts(REFUSED, number))


@pytest.mark.parametrize(
    "error", [TimeoutError(), socket.gaierror(socket.EAI_NONAME, "c4n4ry"), UnicodeError("c4n4ry")]
)
def test_name_without_address_and_timeout_are_in_doubt(error: Exception) -> None:
    """The name server may be down, and a firewall may drop packets."""
    assert not has_no_listener(error)
