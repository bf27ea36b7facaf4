//! The lifecycle under everything at once: random commands by several people, some of them one human being under
//! different names, through several gateways with clocks of their own that step forwards and backwards by hours, with
//! copies that are out of date, and with a crash between any two moments.
//!
//! After every step an oracle that knows nothing of the code under test ([`oracle`]) says what was allowed, from a plain
//! list of what was said; the shell around the lifecycle ([`shell`]) writes only against the version that it read,
//! as the API server makes it.

use proptest::prelude::*;

use super::*;

mod oracle;
mod people;
mod shell;

use people::{Kind, PEOPLE, Rules};
use shell::{Fate, World};

/// What somebody or something wants to happen.
#[derive(Debug, Clone)]
enum Do {
    Open {
        by_rule: bool,
    },
    Approve {
        who: usize,
        groups: u8,
    },
    Deny {
        who: usize,
        groups: u8,
    },
    Revoke {
        who: usize,
        groups: u8,
    },
    Extend {
        who: usize,
        until: i64,
    },
    Answer {
        hook: usize,
        allow: Option<bool>,
    },
    Review {
        who: usize,
        groups: u8,
    },
    Lapse,
    Activate,
    Fail,
    Tick,
    ChangePolicy,
    /// A reconciler's round, which dies after so many of its moves.
    Round {
        moves: u32,
    },
}

/// One event: what, by which gateway, on a copy that is this moment's or the last one it read, with which luck, and
/// how many seconds after the one before.
type Event = (Do, usize, bool, Fate, i64);

fn wishes() -> impl Strategy<Value = Do> {
    let who = || (0..PEOPLE.len(), prop_oneof![3 => Just(people::ALL_GROUPS), 2 => 0..=people::ALL_GROUPS]);
    let allow = prop_oneof![10 => Just(Some(true)), 1 => Just(Some(false)), 1 => Just(None)];
    prop_oneof![
        3 => any::<bool>().prop_map(|by_rule| Do::Open { by_rule }),
        12 => who().prop_map(|(who, groups)| Do::Approve { who, groups }),
        1 => who().prop_map(|(who, groups)| Do::Deny { who, groups }),
        1 => who().prop_map(|(who, groups)| Do::Revoke { who, groups }),
        5 => (0..4usize, 1i64..240).prop_map(|(who, until)| Do::Extend { who, until }),
        5 => (0..3usize, allow).prop_map(|(hook, allow)| Do::Answer { hook, allow }),
        3 => who().prop_map(|(who, groups)| Do::Review { who, groups }),
        1 => Just(Do::Lapse),
        4 => Just(Do::Activate),
        1 => Just(Do::Fail),
        2 => Just(Do::Tick),
        1 => Just(Do::ChangePolicy),
        6 => (0..6u32).prop_map(|moves| Do::Round { moves }),
    ]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let pace = prop_oneof![
        20 => 0i64..6,
        3 => -70i64..70,
        1 => (-5i64..6).prop_map(|hours| hours * 3600),
        1 => Just(90_000i64),
    ];
    let fate = prop_oneof![
        8 => Just(Fate::Written),
        1 => Just(Fate::DiedBefore),
        1 => Just(Fate::DiedAfter),
        1 => Just(Fate::SentTwice),
    ];
    prop::collection::vec((wishes(), 0..shell::GATEWAYS, prop::bool::weighted(0.8), fate, pace), 1..60)
}

fn rules() -> impl Strategy<Value = Rules> {
    let kind = prop_oneof![
        3 => (0u32..4).prop_map(Kind::Plain),
        3 => Just(Kind::Staged),
        2 => Just(Kind::Auto),
        2 => Just(Kind::Glass),
    ];
    let hooks = prop_oneof![3 => Just(0usize), 1 => Just(1), 1 => Just(2)];
    let start = prop_oneof![4 => Just(None), 1 => Just(Some(30i64)), 1 => Just(Some(-30))];
    (kind, hooks, any::<bool>(), start).prop_map(|(kind, hooks, waits, start_at)| Rules {
        kind,
        hooks,
        waits,
        start_at,
        version: 0,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1500) })]

    #[test]
    fn no_sequence_of_events_breaks_an_invariant(
        rules in rules(),
        skews in prop::array::uniform3(-2i64..3),
        events in events(),
    ) {
        let mut world = World::new(rules, skews);
        for (wish, gateway, fresh, fate, pace) in events {
            world.now += pace;
            world.happens(&wish, gateway, fresh, fate)?;
            world.holds()?;
        }
        world.comes_to_rest()?;
    }
}

/// The generator must reach what the invariants speak of, or they say nothing.
#[test]
fn the_events_reach_every_kind_of_state() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut reached = std::collections::BTreeMap::<&str, u32>::new();
    for _ in 0..1500 {
        let tree = (rules(), prop::array::uniform3(-2i64..3), events()).new_tree(&mut runner).unwrap();
        let (rules, skews, events) = tree.current();
        let mut world = World::new(rules, skews);
        for (wish, gateway, fresh, fate, pace) in events {
            world.now += pace;
            world.happens(&wish, gateway, fresh, fate).unwrap();
        }
        for mark in world.marks() {
            *reached.entry(mark).or_default() += 1;
        }
    }
    for mark in shell::MARKS {
        assert!(reached.get(mark).is_some_and(|times| *times >= 5), "{mark}: {reached:?}");
    }
}
