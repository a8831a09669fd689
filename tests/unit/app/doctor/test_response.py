"""The doctor: what is said of DStack's answer and of the inventory in it."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.adapters.httpx_dstack import parse_address
from dstack_backend.app.doctor.finding import Finding, Step, Verdict
from dstack_backend.app.doctor.inventory import check_inventory
from dstack_backend.app.doctor.response import ANSWER_STEPS, ProbeResult, check_response
from dstack_backend.domain.check import CheckFailure, CheckResult, Reason
from dstack_backend.domain.gpu import Gpu, GpuInventory

H200 = Gpu(slot="3b:00.0", product_id="10de:2335", description="", is_free=True)
NVSWITCH = Gpu(slot="05:00.0", product_id="10de:22a3", description="", is_free=True)
NAMELESS = Gpu(slot="06:00.0", product_id="10de:ffff", description="NVIDIA Corp", is_free=False)
GOOD = GpuInventory(gpus=(H200,), source_version="v0.5.11 (git:0123)")


def judged(
    result: CheckResult,
    *,
    proof: str | None = None,
    sent_in_cleartext: bool = False,
    seconds: float = 0.1,
    url: str = "http://host:19060",
) -> Mapping[Step, Finding]:
    """What is said, by step."""
    asked = ProbeResult(
        address=parse_address(url),
        proof=proof,
        sent_in_cleartext=sent_in_cleartext,
        timeout=5,
        seconds=seconds,
        result=result,
    )
    return {each.step: each for each in check_response(asked)}


def test_a_good_answer_is_good_in_every_step() -> None:
    """The version is DStack's own."""
    found = judged(GOOD)
    assert {each.verdict for each in found.values()} == {Verdict.OK}
    assert tuple(found) == ANSWER_STEPS
    assert found[Step.VERSION].text == "DStack v0.5.11 (git:0123)"


@pytest.mark.parametrize(
    ("reason", "detail", "step", "cure"),
    [
        (Reason.TIMED_OUT, "no answer within 5 s", Step.HTTP, "raise CHECK_TIMEOUT, now 5"),
        (Reason.CONNECTION_CLOSED, "", Step.HTTP, "https://"),
        (Reason.HTTP_ERROR, "400 Bad Request", Step.HTTP, "lspci"),
        (Reason.HTTP_ERROR, "404 Not Found", Step.HTTP, "/prpc"),
        (Reason.HTTP_ERROR, "302 Found", Step.HTTP, "redirects are not followed"),
        (Reason.HTTP_ERROR, "304 Not Modified", Step.HTTP, "proxy"),
        (Reason.HTTP_ERROR, "502 Bad Gateway", Step.HTTP, "proxy"),
        (Reason.HTTP_ERROR, "403 Forbidden", Step.AUTH, "DSTACK_TOKEN_FILE"),
        (Reason.UNAUTHORIZED, "401 Unauthorized", Step.AUTH, "DSTACK_TOKEN_FILE"),
        (Reason.INVALID_RESPONSE, "the answer is not HTTP/1.1", Step.HTTP, "https://"),
        (Reason.INVALID_RESPONSE, "the answer is not UTF-8", Step.JSON, "another program"),
        (Reason.RESPONSE_TOO_LARGE, "", Step.JSON, "another program"),
    ],
)
def test_a_failure_is_that_of_its_step(reason: Reason, detail: str, step: Step, cure: str) -> None:
    """What comes before it is good, what comes after it is skipped, and there is a cure."""
    found = judged(CheckFailure(reason, detail))
    environment = ANSWER_STEPS.index(step)
    verdicts = [found[each].verdict for each in ANSWER_STEPS]
    rest = len(ANSWER_STEPS) - environment - 1
    assert verdicts == [Verdict.OK] * environment + [Verdict.FAILED] + [Verdict.SKIPPED] * rest
    assert found[step].reason is reason
    assert any(cure in each for each in found[step].remedies)


@given(st.sampled_from(list(Reason)), st.text(max_size=20))
def test_every_failure_fails_exactly_one_step_and_has_a_cure(reason: Reason, detail: str) -> None:
    """Whatever the reason, the steps are the same and one of them says what to do."""
    found = judged(CheckFailure(reason, detail))
    bad = [each for each in found.values() if each.verdict is Verdict.FAILED]
    assert tuple(found) == ANSWER_STEPS
    assert len(bad) == 1
    assert bad[0].remedies


def test_a_refusal_says_whether_and_from_where_a_token_was_sent() -> None:
    """The cure is in the setting that it came from."""
    refused = CheckFailure(Reason.UNAUTHORIZED)
    assert "no token was sent" in judged(refused)[Step.AUTH].text
    found = judged(refused, proof="DSTACK_TOKEN")[Step.AUTH]
    assert "DSTACK_TOKEN was sent, and refused" in found.text
    assert "correct DSTACK_TOKEN" in found.remedies[0]
    login = "the user and password of DSTACK_URL"
    assert f"{login} were sent, and refused" in judged(refused, proof=login)[Step.AUTH].text
    assert judged(GOOD, proof=login)[Step.AUTH].text.endswith(f"{login} were sent")


def test_a_token_that_others_can_read_on_the_way_is_a_warning() -> None:
    """It gives full control of the VMM."""
    found = judged(GOOD, proof="DSTACK_TOKEN", sent_in_cleartext=True)[Step.AUTH]
    assert found.verdict is Verdict.WARNING
    assert "https://" in found.remedies[0]


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(2.5, Verdict.OK), (2.6, Verdict.WARNING), (4.9, Verdict.WARNING)]
)
def test_more_than_half_of_the_timeout_is_a_warning(seconds: float, verdict: Verdict) -> None:
    """A somewhat slower day would make the node unavailable."""
    assert judged(GOOD, seconds=seconds)[Step.TIME].verdict is verdict


def test_a_socket_is_asked_by_hand_through_the_socket() -> None:
    """The command in the cure can be copied."""
    found = judged(CheckFailure(Reason.TIMED_OUT), url="unix:/run/a b.sock")
    assert any("curl --unix-socket '/run/a b.sock'" in each for each in found[Step.HTTP].remedies)


def test_an_empty_inventory_is_a_warning_that_names_the_setting() -> None:
    """The node is available all the same."""
    found = check_inventory(GpuInventory())
    assert found.verdict is Verdict.WARNING
    assert "[cvm.gpu]" in found.remedies[0]
    assert "listing" in found.remedies[0]


def test_gpus_are_counted_by_model() -> None:
    """Free ones are told."""
    found = check_inventory(GpuInventory(gpus=(H200, H200)))
    assert (found.verdict, found.text) == (Verdict.OK, "2 GPUs, 2 free: 2 x H200 SXM 141GB")


def test_nvswitches_and_nameless_gpus_are_warned_of_with_their_ids() -> None:
    """Each has a cure of its own."""
    found = check_inventory(GpuInventory(gpus=(H200, NVSWITCH, NAMELESS)))
    assert found.verdict is Verdict.WARNING
    assert "NVSwitches (10de:22a3)" in found.text
    assert "nobody knows (10de:ffff)" in found.text
    assert "take 10de:22a3 out of listing" in found.remedies[0]
    assert "update-pciids" in found.remedies[1]


@given(
    st.lists(
        st.builds(
            Gpu, slot=st.text(), product_id=st.text(), description=st.text(), is_free=st.booleans()
        ),
        max_size=20,
    )
)
def test_whatever_dstack_calls_its_gpus_the_text_is_harmless(gpus: list[Gpu]) -> None:
    """Printable ASCII, on one line, not long; an id that is none is not repeated."""
    found = check_inventory(GpuInventory(gpus=tuple(gpus)))
    told = " ".join([found.text, *found.remedies])
    assert told.isascii()
    assert told.isprintable()
    assert len(told) < 2000


def test_a_secret_that_dstack_sends_back_as_an_id_is_not_shown() -> None:
    """DStack knows our token, and the texts are its own."""
    gpu = Gpu(slot="s3cr3t", product_id="s3cr3t", description="s3cr3t", is_free=True)
    found = check_inventory(GpuInventory(gpus=(gpu,)))
    assert "s3cr3t" not in " ".join([found.text, *found.remedies])
    assert "1 that is no product id" in found.text
