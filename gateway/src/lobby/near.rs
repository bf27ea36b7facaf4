//! What people of other tools type, and what it is called here.

pub(super) use sallyport_policy::nearest;

/// Verbs.
const SYNONYMS: &[(&str, &str)] = &[
    ("?", "help"),
    ("access", "request"),
    ("ask", "request"),
    ("attach", "shell"),
    ("bash", "shell"),
    ("get", "pods"),
    ("allow", "approve"),
    ("block", "lock"),
    ("cancel", "withdraw"),
    ("can-i", "why"),
    ("end", "revoke"),
    ("explain", "why"),
    ("id", "whoami"),
    ("log", "logs"),
    ("ls", "pods"),
    ("man", "help"),
    ("ps", "pods"),
    ("prolong", "extend"),
    ("reject", "deny"),
    ("renew", "extend"),
    ("roles", "policies"),
    ("run", "exec"),
    ("sh", "shell"),
    ("signin", "login"),
    ("status", "grants"),
    ("tail", "logs"),
];

/// The same for flags.
const FLAGS: &[(&str, &str)] = &[
    ("all", "everything"),
    ("at", "start"),
    ("because", "reason"),
    ("comment", "reason"),
    ("duration", "for"),
    ("issue", "ticket"),
    ("message", "reason"),
    ("ns", "namespace"),
    ("time", "for"),
    ("until", "for"),
    ("user", "person"),
    ("who", "person"),
];

/// The flag that people of other tools call `word`, if it is one of `known`.
pub(super) fn flag_synonym(
    word: &str,
    mut known: impl Iterator<Item = &'static str>,
) -> Option<&'static str> {
    let (_, ours) = FLAGS.iter().find(|(other, _)| *other == word)?;
    known.find(|known| known == ours)
}

pub(super) fn synonym(word: &str) -> Option<&'static str> {
    SYNONYMS.iter().find(|(other, _)| *other == word).map(|(_, ours)| *ours)
}
