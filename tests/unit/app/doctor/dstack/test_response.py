"""Tests of the checks of DStack's response."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstack_backend.adapters.httpx_dstack import (
    Basic,
    Bearer,
    Credentials,
    TokenFile,
    parse_address,
)
from dstack_backend.app.config.settings import DStackSettings
from dstack_backend.app.doctor.dstack.response import RESPONSE_STEPS, check_response
from dstack_backend.app.doctor.finding import Finding, Step, Verdict, skip_rest
from dstack_backend.domain.check import CheckFailure, CheckResult, FailureCause, Reason
from dstack_backend.domain.gpu import Gpu, GpuInventory
from dstack_backend.domain.monitor import CheckPolicy

H200 = Gpu(slot="3b:00.0", product_id="10de:2335", description="", is_free=True)
INVENTORY = GpuInventory(gpus=(H200,), source_version="v0.5.11 (git:0123)")
TOKEN = Bearer("t0k3n")
LOGIN = Basic("user", "password")


def check(
    result: CheckResult,
    *,
    credentials: Credentials | None = None,
    seconds: float = 0.1,
    url: str = "http://host:19060",
) -> Mapping[Step, Finding]:
    """Return the findings by step, with those that are skipped after a failed one."""
    dstack = DStackSettings(address=parse_address(url), credentials=credentials, tls=None)
    findings = check_response(result, dstack, seconds, CheckPolicy(timeout=5))
    if findings[-1].verdict is Verdict.FAILED:
        findings = skip_rest(findings, RESPONSE_STEPS, findings[-1].step)
    return {each.step: each for each in findings}


def test_inventory_passes_every_step() -> None:
    """The version is DStack's."""
    found = check(INVENTORY)
    assert {each.verdict for each in found.values()} == {Verdict.OK}
    assert tuple(found) == RESPONSE_STEPS
    assert found[Step.VERSION].text == "DStack v0.5.11 (git:0123)"


@pytest.mark.parametrize(
    ("reason", "cause", "step", "remedy"),
    [
        (Reason.TIMED_OUT, None, Step.HTTP, "raise CHECK_TIMEOUT"),
        (Reason.CONNECTION_CLOSED, None, Step.HTTP, "https://"),
        (Reason.HTTP_ERROR, FailureCause.HTTP_BAD_REQUEST, Step.HTTP, "lspci"),
        (Reason.HTTP_ERROR, FailureCause.HTTP_NOT_FOUND, Step.HTTP, "/prpc"),
        (Reason.HTTP_ERROR, FailureCause.HTTP_REDIRECT, Step.HTTP, "redirects are not followed"),
        (Reason.HTTP_ERROR, None, Step.HTTP, "proxy"),
        (Reason.HTTP_ERROR, FailureCause.HTTP_FORBIDDEN, Step.AUTH, "DSTACK_TOKEN_FILE"),
        (Reason.UNAUTHORIZED, None, Step.AUTH, "DSTACK_TOKEN_FILE"),
        (Reason.INVALID_RESPONSE, FailureCause.NOT_HTTP, Step.HTTP, "https://"),
        (Reason.INVALID_RESPONSE, None, Step.JSON, "another program"),
        (Reason.RESPONSE_TOO_LARGE, None, Step.JSON, "another program"),
    ],
)
def test_failure_belongs_to_one_step(
    reason: Reason, cause: FailureCause | None, step: Step, remedy: str
) -> None:
    """Earlier steps are ok, later ones are skipped, and there is a remedy.

    The codes decide: the detail is the same for all.
    """
    found = check(CheckFailure(reason, "403 is not HTTP/1.1", cause))
    index = RESPONSE_STEPS.index(step)
    verdicts = [found[each].verdict for each in RESPONSE_STEPS]
    rest = len(RESPONSE_STEPS) - index - 1
    assert verdicts == [Verdict.OK] * index + [Verdict.FAILED] + [Verdict.SKIPPED] * rest
    assert found[step].reason is reason
    assert any(remedy in each for each in found[step].remedies)


@given(
    st.sampled_from(list(Reason)),
    st.text(max_size=20),
    st.none() | st.sampled_from(list(FailureCause)),
)
def test_every_failure_fails_one_step_and_has_a_remedy(
    reason: Reason, detail: str, cause: FailureCause | None
) -> None:
    """Whatever the failure, the steps are the same and exactly one of them has failed."""
    found = check(CheckFailure(reason, detail, cause))
    bad = [each for each in found.values() if each.verdict is Verdict.FAILED]
    assert tuple(found) == RESPONSE_STEPS
    assert len(bad) == 1
    assert bad[0].remedies


def test_refusal_names_the_setting_of_the_credentials(tmp_path: Path) -> None:
    """The remedy is in that setting."""
    refused = CheckFailure(Reason.UNAUTHORIZED)
    assert "no token was sent" in check(refused)[Step.AUTH].text
    found = check(refused, credentials=TOKEN)[Step.AUTH]
    assert found.text == "401 Unauthorized: DSTACK_TOKEN was sent"
    assert "correct DSTACK_TOKEN" in found.remedies[0]
    path = tmp_path / "token"
    path.write_text("t0k3n")
    file = check(refused, credentials=TokenFile(path))[Step.AUTH]
    assert "correct the token in the file" in file.remedies[0]
    login = "the user and password of DSTACK_URL were sent"
    assert login in check(refused, credentials=LOGIN)[Step.AUTH].text
    assert check(INVENTORY, credentials=LOGIN, url="https://host")[Step.AUTH].text.endswith(login)


@pytest.mark.parametrize("result", [INVENTORY, CheckFailure(Reason.INVALID_RESPONSE)])
def test_token_sent_in_cleartext_to_another_machine_is_a_warning(result: CheckResult) -> None:
    """It gives full control of the VMM."""
    found = check(result, credentials=TOKEN)[Step.AUTH]
    assert found.verdict is Verdict.WARNING
    assert "https://" in found.remedies[0]


@pytest.mark.parametrize(
    "url", ["https://host", "unix:/s", "http://localhost:1", "http://host.docker.internal:1"]
)
def test_token_that_is_encrypted_or_stays_on_the_machine_is_ok(url: str) -> None:
    """Nothing on the way can read it."""
    found = check(INVENTORY, credentials=TOKEN, url=url)[Step.AUTH]
    assert (found.verdict, "t0k3n" in found.text) == (Verdict.OK, False)


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(2.5, Verdict.OK), (2.6, Verdict.WARNING), (4.9, Verdict.WARNING)]
)
def test_more_than_half_of_the_timeout_is_a_warning(seconds: float, verdict: Verdict) -> None:
    """On a slightly slower day the node would be unavailable."""
    found = check(INVENTORY, seconds=seconds)[Step.TIME]
    assert (found.verdict, found.seconds) == (verdict, seconds)


def test_curl_command_uses_the_socket() -> None:
    """The command of the remedy can be copied."""
    found = check(CheckFailure(Reason.TIMED_OUT), url="unix:/run/a b.sock")
    assert any("curl --unix-socket '/run/a b.sock'" in each for each in found[Step.HTTP].remedies)
