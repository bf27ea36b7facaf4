//! The guardrail of an open shell: the typed line, read from the screen.
