//! The guardrail of an open shell: the typed line, read from the screen.

#![allow(dead_code, reason = "the two halves that use the reader come next")]

mod keys;
mod picture;
mod programs;
mod prompts;
mod reader;
mod typed;
