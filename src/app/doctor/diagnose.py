"""Runs the checks in their order."""

from collections.abc import Mapping
from pathlib import Path

from dstack_backend.app.doctor.dstack.reach import reach_dstack
from dstack_backend.app.doctor.dstack.response import RESPONSE_STEPS
from dstack_backend.app.doctor.environment import check_environment, detect_environment
from dstack_backend.app.doctor.finding import Diagnosis, Step, skipped
from dstack_backend.app.doctor.service.history import check_history, probe_history
from dstack_backend.app.doctor.service.listen import actual_address, check_listen, probe_listen
from dstack_backend.app.doctor.service.worker import check_worker
from dstack_backend.app.doctor.settings import check_settings, load_settings
from dstack_backend.app.errors import UserError

__all__ = ["diagnose"]

ROOT = Path("/")

_SERVICE_STEPS = (Step.LISTEN, Step.HISTORY, Step.WORKER)


async def diagnose(
    environ: Mapping[str, str], options: Mapping[str, str], root: Path = ROOT
) -> Diagnosis:
    """Return the findings of all checks. DStack is called at most once.

    `/proc`, `/sys` and the marks of a container are read below `root`.
    """
    try:
        settings, dstack = load_settings(environ, options)
    except UserError as exc:
        steps = (Step.CONTAINER, Step.CONNECTION, *RESPONSE_STEPS, *_SERVICE_STEPS)
        rest = (skipped(step, Step.SETTINGS) for step in steps)
        return Diagnosis(dstack=None, findings=(check_settings(environ, options, exc), *rest))
    environment, timeout = detect_environment(root, environ), settings.policy.timeout
    listen = await probe_listen(settings.listen, root, timeout)
    history = await probe_history(settings.history_folder, timeout)
    is_running = listen.running_service is not None
    findings = (
        check_settings(environ, options),
        check_environment(environment, dstack.address),
        *await reach_dstack(settings, dstack, environment),
        check_listen(settings.listen, listen),
        check_history(history, environment, is_running=is_running),
        check_worker(actual_address(settings.listen, listen), environment),
    )
    return Diagnosis(dstack=dstack.address.shown, findings=findings)
