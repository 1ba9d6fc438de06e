"""Where hooks measure: web, Prometheus, Kubernetes."""
