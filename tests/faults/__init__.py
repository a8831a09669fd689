"""The whole fault suite: `make faults`. What of it is quick stands in tests/contract as well."""
