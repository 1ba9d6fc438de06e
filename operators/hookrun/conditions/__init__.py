"""The language of hook conditions: parser, type check, evaluation, patterns."""
