//! What the guardrail misses, by name.
