"""The application: ties domain and adapters, and is the only place that builds adapters."""
