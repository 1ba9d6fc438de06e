"""The documentation as a site, by mkdocs: ``make docs``."""
