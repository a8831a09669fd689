"""The manifests on IPv4, IPv6 and dual-stack clusters."""

import re
from pathlib import Path

import pytest

from dstack_backend.testing.simulated_dstack import SimulatedDStack, in_thread
from tests.contract.process.service import Service
from tests.deploy.manifests import OVERLAYS, manifests

TOKEN = "secret-of-the-cluster"


@pytest.mark.parametrize("node", ["127.0.0.1", "::1"])
def test_the_service_runs_with_the_settings_of_a_pod(node: str, tmp_path: Path) -> None:
    """With DStack at the address of its node and the token of a Secret, whatever the family."""
    made = manifests("tcp-token")
    dstack = SimulatedDStack()
    dstack.token = TOKEN
    (tmp_path / "token").write_text(TOKEN)
    with in_thread(dstack, host=node) as remote:
        settings = made.settings(spec_nodeName="gpu-07", status_hostIP=node)
        settings |= {
            "DSTACK_URL": settings["DSTACK_URL"].replace("19060", remote.url.rpartition(":")[2]),
            "DSTACK_TOKEN_FILE": str(tmp_path / Path(settings["DSTACK_TOKEN_FILE"]).name),
            "DATA_DIR": str(tmp_path / "data"),
        }
        # The address of the pod is of the same family.
        service = Service(tmp_path / "log", host=node, **settings)
        try:
            assert service.wait_for(None)["node"] == "gpu-07"
            probes = {key: each for key, each in made.container.items() if key.endswith("Probe")}
            assert len(probes) == 3
            for probe in probes.values():
                assert service.ask(probe["httpGet"]["path"]).code == 200
        finally:
            service.kill()


@pytest.mark.parametrize("name", OVERLAYS)
def test_no_object_contains_an_address(name: str) -> None:
    """Therefore the Service and the policies hold for both families."""
    made = manifests(name)
    assert made.only("Service")["spec"]["ipFamilyPolicy"] == "PreferDualStack"
    assert not {"ipFamilies", "clusterIP", "externalIPs"} & made.only("Service")["spec"].keys()
    assert not re.search(r"\d+\.\d+\.\d+\.\d+|::|ipBlock", str(made.objects[1:]))


@pytest.mark.parametrize("name", OVERLAYS)
def test_the_policies_allow_what_the_settings_need(name: str) -> None:
    """Ingress from selected pods; egress to the port of DStack, and to DNS and HTTPS."""
    made = manifests(name)
    policies = [each["spec"] for each in made.of_kind("NetworkPolicy")]
    (rule,) = [rule for each in policies for rule in each.get("ingress", [])]
    assert all("podSelector" in peer for peer in rule["from"])
    assert any(sorted(each["policyTypes"]) == ["Egress", "Ingress"] for each in policies)
    egress = [rule for each in policies for rule in each["egress"]]
    assert all(rule.keys() == {"ports"} for rule in egress)
    allowed = {(port["protocol"], port["port"]) for rule in egress for port in rule["ports"]}
    settings = made.settings(spec_nodeName="gpu-07", status_hostIP="192.0.2.7")
    needed = {("UDP", 53), ("TCP", 53), ("TCP", 443)} if "NOTIFY_URLS_FILE" in settings else set()
    if port := re.search(r":(\d+)$", settings["DSTACK_URL"]):
        needed.add(("TCP", int(port[1])))
    assert allowed == needed
