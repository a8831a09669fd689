"""Write the PrometheusRule objects from the rules of Prometheus."""

from pathlib import Path
from textwrap import indent

DEPLOY = Path(__file__).parents[1] / "deploy"
OBJECTS = DEPLOY / "kubernetes" / "components" / "prometheus-operator" / "prometheusrule.yaml"

HEADER = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: dstack-backend-{name}
  labels: {{app.kubernetes.io/name: dstack-backend}}
spec:
"""


def objects() -> str:
    """Return the text of the file: one object for each file of rules."""
    documents = [
        HEADER.format(name=name) + indent((DEPLOY / "prometheus" / f"{name}.yml").read_text(), "  ")
        for name in ("recording", "alerts")
    ]
    return "# Made by `make rules` from deploy/prometheus. Do not edit.\n" + "---\n".join(documents)


if __name__ == "__main__":
    OBJECTS.write_text(objects())
