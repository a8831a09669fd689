"""The process that sends: what it reads and writes, and whom it connects to.

Secrets are in the address only: neither in a log nor in an error, a name, a command line or a
variable.
"""

import os
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from dstack_backend.adapters.apprise_notifier import AppriseTarget, check_urls
from dstack_backend.adapters.apprise_notifier.order import Order
from tests.contract.ports.notifier.mail_server import mail_server, mail_url
from tests.contract.ports.notifier.web_server import answer, hang, web_server
from tests.contract.process.service import free_port, wait_until

NOWHERE = "http://127.0.0.1:9"
MISSING = "/no/such/file"

ENVIRONMENT = {
    **dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"), NOWHERE),
    **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), NOWHERE),
    "NO_PROXY": "[::",
    **dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), MISSING),
    **dict.fromkeys(("OPENSSL_CONF", "SSLKEYLOGFILE", "NETRC", "HOME", "TMPDIR"), MISSING),
    **dict.fromkeys(("PYTHONSTARTUP", "PYTHONWARNINGS", "PYTHONINSPECT"), "error"),
    "LC_ALL": "C",
    "LANG": "xx",
    "TZ": "No/Zone",
    "APPRISE_URLS": NOWHERE,
}


def test_environment_of_libraries_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also with TLS: neither proxies nor authorities, passwords or a file for keys are used."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login evil password evil\n")
    for name, value in {**ENVIRONMENT, "NETRC": str(tmp_path / ".netrc")}.items():
        monkeypatch.setenv(name, value)
    with web_server() as server:
        assert AppriseTarget(f"json://127.0.0.1:{server.port}", "monitor").send("title", "正文")
        assert "Authorization" not in server.requests[0].headers
        assert server.requests[0].json()["message"] == "正文"


def test_plain_http_is_never_sent_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy would see the message and the secrets of the address."""
    with web_server() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert not AppriseTarget("json://nowhere.invalid/hook", "monitor").send("title", "body")
        assert proxy.requests == []


AUDIT = """
import sys
def hook(event, arguments):
    if event == "open" and isinstance(arguments[2], int) and arguments[2] & 3:
        print("write", arguments[0], file=sys.stderr)
    elif event in ("socket.connect", "socket.sendto"):
        print("connect", *arguments[1], file=sys.stderr)
    elif event == "socket.getaddrinfo":
        print("resolve", arguments[0], file=sys.stderr)
    elif event in ("os.mkdir", "os.rename", "os.remove", "os.symlink", "subprocess.Popen"):
        print(event, *arguments, file=sys.stderr)
sys.addaudithook(hook)
from dstack_backend.adapters.apprise_notifier.program import main
sys.exit(main())
"""


@pytest.mark.parametrize("schema", ["json", "ntfy", "mailto"])
def test_program_writes_no_file_and_connects_to_the_address_only(
    schema: str, tmp_path: Path
) -> None:
    """It looks up no other name, and starts no program."""
    with web_server() as web, mail_server() as mail:
        port = mail.port if schema == "mailto" else web.port
        url = mail.url if schema == "mailto" else f"{schema}://127.0.0.1:{port}/topic"
        done = subprocess.run(
            [sys.executable, "-B", "-c", AUDIT],
            input=msgspec.json.encode(Order((url,), "monitor", 10.0, ("title", "body"))),
            capture_output=True,
            env={"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "TMPDIR": str(tmp_path)},
            check=True,
        )
    assert sorted(done.stderr.decode().split("\n")[:-1]) == [
        f"connect 127.0.0.1 {port}",
        "resolve 127.0.0.1",
        "write /proc/self/oom_score_adj",
    ]
    assert list(tmp_path.iterdir()) == []


LOGGING = """
import sys
from dstack_backend.adapters.apprise_notifier import AppriseTarget, check_urls
from dstack_backend.adapters.stdlib_logging import set_up_logging
set_up_logging("debug", "text", is_queued=False)
for url in sys.stdin.read().split():
    target = AppriseTarget(url, "monitor")
    print(check_urls([url]), target, target.send("title", "body"))
"""


def test_secrets_are_neither_logged_nor_printed() -> None:
    """Neither where it is sent, nor where it is refused, insecure, or not understood."""
    with web_server(answer(403)) as server, mail_server() as mail:
        here = f"sesame:hush@localhost:{server.port}/sesame/hush"
        urls = [
            *(f"json://{here}?hush=sesame", f"jsons://{here}?verify=no", f"ntfy://{here}"),
            f"json://{here}?cto=sesame&rto=hush&overflow=sesame",
            *(f"ntfy://{here}?mode=sesame", "tgram://sesame/hush"),
            *(mail_url(mail.port, "hush"), mail_url(free_port(), "hush")),
        ]
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-c", LOGGING],
            input="\n".join(urls),
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stderr == ""
    assert len(done.stdout.splitlines()) == len(urls)
    for secret in ("sesame", "hush", "localhost", "127.0.0.1", str(server.port)):
        assert secret not in done.stdout


def test_secrets_are_not_in_the_process_list() -> None:
    """Command lines can be read by all users of the system."""
    with web_server(hang) as server:
        target = AppriseTarget(f"json://sesame:hush@127.0.0.1:{server.port}", "monitor", 2.0)
        thread = threading.Thread(target=target.send, args=("title", "body"))
        thread.start()
        wait_until(lambda: server.requests)
        (process,) = [each for each in Path("/proc").glob("[0-9]*") if _is_program(each)]
        shown = (process / "cmdline").read_bytes() + (process / "environ").read_bytes()
        assert b"sesame" not in shown
        assert b"hush" not in shown
        thread.join()


def _is_program(process: Path) -> bool:
    """Return whether it is one that this process has started to send."""
    try:
        parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        return parent == os.getpid() and b"apprise_notifier" in (process / "cmdline").read_bytes()
    except OSError:
        return False


BAD_URLS = [
    "",
    " ",
    "x",
    "://",
    "json",
    "json:",
    "json://",
    "json://:80",
    "json://[::1",
    "json://host:99999999999999999999/\x00",
    "http://example.com/hook",
    "https://example.com/hook",
    "nonsense://secret@host/path",
    "ntfy://host/topic?mode=secret",
    "mailto://",
    "mailto://secret",
    "tgram://secret/chat",
    "discord://secret",
    "slack://secret",
    "mailto://user:secret@",
    "gotify://secret",
    "matrix://:secret@",
    "json://secret\nhost",
    "json://\udcffsecret",
    "file:///etc/passwd",
    "json://one.example secret,json://two.example",
    "json://" + "%zz" * 20_000,
]


def test_bad_urls_have_no_name() -> None:
    """Whatever is wrong with one of them, the others are checked."""
    assert check_urls([*BAD_URLS, "json://host"]) == [*[None] * len(BAD_URLS), "JSON"]
