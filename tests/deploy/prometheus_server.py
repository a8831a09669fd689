"""A real Prometheus on loopback with the configuration of deploy/, but intervals of seconds."""

import http.client
import json
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import yaml

from tests.contract.process.service import Service, free_port, wait_until
from tests.deploy.programs import DEPLOY, documents, program

__all__ = ["PrometheusServer"]

START = 20.0


class PrometheusServer:
    """A Prometheus process that scrapes services as in deploy/prometheus/prometheus.yml."""

    def __init__(self, folder: Path, nodes: dict[str, Service]) -> None:
        """Start it and wait until it is ready.

        Args:
            folder: For its configuration and its data.
            nodes: The scraped services by the names of their nodes.
        """
        self.port = free_port()
        self._log = folder / "prometheus.log"
        with self._log.open("wb") as output:
            self._process = subprocess.Popen(
                [
                    program("prometheus"),
                    f"--config.file={_configure(folder, nodes)}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                ],
                cwd=folder,
                stdout=output,
                stderr=output,
            )
        wait_until(lambda: self._is_ready() or self._process.poll() is not None, START)
        assert self._process.poll() is None, self._log.read_text()

    def query_api(self, path: str, **parameters: str) -> Any:
        """Return the data of an API call; an error or a warning fails the test."""
        code, body = self._get(f"/api/v1/{path}?{urlencode(parameters)}")
        answer = json.loads(body)
        assert (code, answer["status"]) == (200, "success"), (parameters, answer)
        assert not answer.get("warnings"), (parameters, answer)
        return answer["data"]

    def firing(self) -> set[tuple[str, str]]:
        """Return the firing alerts: name, and node where there is one."""
        return {
            (each["labels"]["alertname"], each["labels"].get("instance", ""))
            for each in self.query_api("alerts")["alerts"]
            if each["state"] == "firing"
        }

    def kill(self) -> None:
        """Kill the process."""
        self._process.kill()
        self._process.wait()

    def _is_ready(self) -> bool:
        try:
            return self._get("/-/ready")[0] == http.client.OK
        except OSError:
            return False

    def _get(self, path: str) -> tuple[int, bytes]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()


def _configure(folder: Path, nodes: dict[str, Service]) -> Path:
    """Write the configuration with short intervals, the rules with short `for`, and the targets."""
    (config,) = documents(DEPLOY / "prometheus" / "prometheus.yml")
    config["global"] = dict.fromkeys(("scrape_interval", "evaluation_interval"), "1s")
    scrape = config["scrape_configs"][0]
    scrape["scrape_timeout"] = "1s"
    config["scrape_configs"] = [scrape]
    for name in config["rule_files"]:
        (rules,) = documents(DEPLOY / "prometheus" / name)
        for group in rules["groups"]:
            group.pop("interval", None)
            for rule in group["rules"]:
                if "for" in rule:
                    rule["for"] = "2s"
        (folder / name).write_text(yaml.safe_dump(rules))
    targets = folder / "targets" / "nodes.yml"
    targets.parent.mkdir()
    targets.write_text(
        yaml.safe_dump(
            [{"targets": [node.netloc], "labels": {"node": name}} for name, node in nodes.items()]
        )
    )
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(config))
    return path
