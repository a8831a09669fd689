"""Requests of `/health`: how many, how long ago, from how many clients."""

from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.domain.requests import HealthRequestReport, HealthRequests


class Reading:
    """A monotonic clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_without_a_request_there_is_no_age() -> None:
    """`None` means never since the start."""
    report = HealthRequests(Reading()).report()
    assert report == HealthRequestReport(count=0, last_age_seconds=None, clients=0)


def test_the_age_is_that_of_the_last_request() -> None:
    """Whoever sent it."""
    clock = Reading()
    requests = HealthRequests(clock)
    requests.add("10.0.0.1")
    clock.now += 3.0
    requests.add("10.0.0.2")
    clock.now += 4.25
    report = requests.report()
    assert report == HealthRequestReport(count=2, last_age_seconds=4.25, clients=2)


def test_a_client_is_counted_for_five_minutes_after_its_last_request() -> None:
    """The number of all requests stays."""
    clock = Reading()
    requests = HealthRequests(clock)
    requests.add("10.0.0.1")
    requests.add("10.0.0.2")
    clock.now += 200.0
    requests.add("10.0.0.2")
    clock.now += 200.0
    assert (requests.report().count, requests.report().clients) == (3, 1)
    clock.now += 101.0
    assert (requests.report().count, requests.report().clients) == (3, 0)


def test_clients_are_bounded_and_old_ones_make_room() -> None:
    """Requests from any number of addresses take bounded memory, and are all counted."""
    clock = Reading()
    requests = HealthRequests(clock)
    for number in range(1000):
        requests.add(f"2001:db8::{number:x}")
    assert (requests.report().count, requests.report().clients) == (1000, 64)
    clock.now += 301.0
    requests.add("10.0.0.1")
    assert requests.report().clients == 1


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0.0, 400.0))))
def test_counts_agree_with_a_list_of_all_requests(sent: list[tuple[str, float]]) -> None:
    """In any order, with any pauses."""
    clock = Reading()
    requests = HealthRequests(clock)
    times: dict[str, float] = {}
    for client, pause in sent:
        clock.now += pause
        requests.add(client)
        times[client] = clock.now
    report = requests.report()
    assert report.count == len(sent)
    assert report.clients == sum(clock.now - at <= 300.0 for at in times.values())
    assert report.last_age_seconds == (0.0 if sent else None)
