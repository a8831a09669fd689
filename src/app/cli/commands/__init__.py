"""The commands. The module of each is imported when it runs: imports take most of a start."""

from dstack_backend.app.cli.command import JSON, Command, Option
from dstack_backend.app.config import table as t

__all__ = ["COMMANDS", "HISTORY_LIMIT"]

HISTORY_LIMIT = "20"
"""The default of `history --limit`."""

_CHECK_SETTINGS = (
    *(t.DSTACK_URL, t.DSTACK_TOKEN, t.DSTACK_TOKEN_FILE, t.DSTACK_CA_FILE, t.CHECK_TIMEOUT),
    *(t.LOG_LEVEL, t.LOG_FORMAT),
    *(t.PUBKEYS, t.NOSTR_KEY_FILE, t.NOSTR_KEY_CREATE, t.ADVERTISED_IP),
)
_CHECK_EXIT_CODES = "Exit code 0 if the node is available, 1 if it is not, 2 for a bad setting."
_SERVE_EXIT_CODES = "Exit code 0 after SIGTERM, SIGHUP or Ctrl-C, 2 for a bad setting."

_COMMANDS = (
    Command(
        name="serve",
        module="cli.commands.serve",
        summary="serve /health and the page; the same as no command",
        details=_SERVE_EXIT_CODES,
        settings=t.SETTINGS,
        example="--dstack-url unix:/run/dstack/vmm.sock",
        runs_until_signal=True,
    ),
    Command(
        name="status",
        module="status.command",
        summary="print what the running services of the nodes say",
        details="One line per node, also for a node that does not answer within 5 s.\n"
        "Exit code 0 if all are available and no GPU is missing, 1 otherwise; 2 for a bad\n"
        "address or option. Ctrl-C ends --watch with 0.",
        settings=(t.LISTEN_ADDR,),
        argument=Option(
            "urls",
            "URL",
            "http(s)://host:8080, host:8080 or host, with a path or without; by default the"
            " service on this machine",
        ),
        options=(
            Option("file", "FILE", "more addresses: one per line, # begins a comment"),
            Option("watch", "", "print again with each change; on a terminal redraw in place"),
            JSON._replace(help="print one JSON object, with --watch one per change"),
        ),
        example="gpu-01 gpu-02:8090 https://example.net/gpu-03 --watch",
    ),
    Command(
        name="check",
        module="cli.commands.check",
        summary="check DStack once and print the BackendInfo",
        details=_CHECK_EXIT_CODES,
        settings=_CHECK_SETTINGS,
        options=(Option("pretty", "", "print it as lines for people, not as JSON"),),
        example="--dstack-url unix:/run/dstack/vmm.sock --pretty",
    ),
    Command(
        name="identity",
        module="cli.commands.identity",
        summary="print public keys and node type, for registration",
        details=_CHECK_EXIT_CODES,
        settings=_CHECK_SETTINGS,
        options=(JSON,),
        example="--nostr-key-file /var/lib/dstack-backend/key",
    ),
    Command(
        name="doctor",
        module="doctor.command",
        summary="find out what is wrong, and say what to do",
        details="Exit code 0 if no step failed, 1 if one failed, 2 for a bad setting.",
        settings=t.SETTINGS,
        options=(JSON._replace(help="print one JSON object without secrets, for tickets"),),
        example="--dstack-url unix:/run/dstack/vmm.sock",
    ),
    Command(
        name="gpus",
        module="cli.commands.gpus",
        summary="print the GPUs, their use, and which are missing",
        details="The data are those of the service's history file, whether it runs or not.\n"
        "Exit code 0 if no GPU is missing, or one was forgotten; 1 if GPUs are missing or\n"
        "none is known; 2 for a bad setting or option.",
        settings=(t.DATA_DIR, t.HISTORY),
        options=(
            Option("forget", "SLOT", "no longer report the GPU of this slot as missing"),
            JSON,
        ),
        example="--data-dir /var/lib/dstack-backend --forget 3b:00.0",
    ),
    Command(
        name="history",
        module="cli.commands.history",
        summary="print the latest changes and the uptime",
        details="Exit code 0, or 1 if there is no history; 2 for a bad setting or option.",
        settings=(t.DATA_DIR, t.HISTORY),
        options=(
            Option("limit", "N", f"number of changes at most (default: {HISTORY_LIMIT})"),
            Option("since", "TIME", "only changes from then on; ISO 8601, without a zone in UTC"),
            Option("until", "TIME", "only changes before then"),
            Option("kind", "KINDS", "kinds, such as gpu_lost (default: all but the use of GPUs)"),
            JSON,
        ),
        example="--data-dir /var/lib/dstack-backend --since 2026-11-24",
    ),
    Command(
        name="notify",
        module="notify.command",
        summary="send a test message to each address of NOTIFY_URLS",
        details="Exit code 0 if all were sent, 1 if one was not, 2 for a bad setting or option.",
        settings=(t.NOTIFY_URLS, t.NOTIFY_URLS_FILE, t.NOTIFY_LANGUAGE, t.NODE_NAME),
        options=(Option("test", "", "send it; required"),),
        example="--test --notify-urls-file /run/secrets/notify-urls",
    ),
    Command(
        name="demo",
        module="simulate.demo",
        summary="serve against a simulated DStack with eight H200s",
        details="GPUs are allocated and released. Now and then one is lost, or DStack is gone.\n"
        + _SERVE_EXIT_CODES,
        settings=tuple(each for each in t.SETTINGS if not each.variable.startswith("DSTACK_")),
        defaults={"LISTEN_ADDR": "127.0.0.1:8080", "CHECK_INTERVAL": "2", "HISTORY": "off"},
        example="--listen-addr 127.0.0.1:8090",
        runs_until_signal=True,
    ),
    Command(
        name="simulate",
        module="simulate.command",
        summary="run a DStack for tests, with any GPUs and any fault",
        details="The first line of the output is its address, for the service.\n"
        "SLOT is one such as 3b:00.0, or the number of a GPU, from 0. The commands gpus,\n"
        "free and product-id undo what was done to single GPUs.\n"
        "Exit code 0 after a signal or at the script's end, 2 for a bad option.",
        options=(
            Option(
                "listen", "ADDR", "host:port or unix:/path; port 0: any (default: 127.0.0.1:19060)"
            ),
            Option("gpus", "N", "number of GPUs (default: 8)"),
            Option("free", "N", "number of GPUs that are free (default: all)"),
            Option("product-id", "ID", "vendor and device (default: 10de:2335, an H200)"),
            Option("nvswitches", "N", "number of NVSwitches that are listed (default: 0)"),
            Option("token", "TEXT", "bearer token to require (default: none)"),
            Option("latency", "SECONDS", "time until an answer (default: 0)"),
            Option("fault", "NAME", "what goes wrong with each request (default: nothing)"),
            Option(
                "script",
                "FILE",
                "lines to follow, - for standard input: ok, fault NAME, crash, revive, gpus N,"
                " free N, free all, product-id ID, nvswitches N, lose SLOT, return SLOT,"
                " replace SLOT ID, allocate SLOT, release SLOT, latency S, token TEXT, wait S, end",
            ),
            Option("list-faults", "", "print each fault with the reason that a check ends with"),
        ),
        example="--gpus 4 --fault status-500",
        runs_until_signal=True,
    ),
    Command(
        name="healthcheck",
        module="cli.commands.healthcheck",
        summary="ask the running service whether it works",
        details="Exit code 0 if it answers within 3 s, 1 if it does not, 2 for a bad setting.",
        settings=(t.LISTEN_ADDR,),
        example="--listen-addr 127.0.0.1:8090",
    ),
)

COMMANDS = {each.name: each for each in _COMMANDS}
"""The commands by name, in the order of `--help`."""
