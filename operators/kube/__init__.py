"""The Kubernetes API for every program here: resources, wire format, errors, client, credentials."""
