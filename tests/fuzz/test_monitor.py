"""The monitor's state machine against its model, with many examples."""

from tests.fuzz.effort import effort
from tests.unit.app.monitoring.test_monitor_machine import MonitorMachine

MonitorMachine.TestCase.settings = effort(500)
TestMonitor = MonitorMachine.TestCase
