//! Variables of an open shell that are nobody's business but its user's.

use crate::commands::{Commands, CommandsInput, RuleInput};
use crate::line::Variables;

struct Unset;

impl Variables for Unset {
    fn get(&self, _name: &str) -> Option<&str> {
        None
    }
}

#[test]
fn a_prompt_may_be_set_in_an_open_shell_and_one_that_runs_something_not() {
    let deny = RuleInput { programs: vec!["rm".to_owned()], ..RuleInput::default() };
    let commands = Commands::parse(&CommandsInput { deny: vec![deny], ..CommandsInput::default() }).unwrap();
    let passes = |text| commands.judge_text(text, None, &Unset).iter().all(|one| one.cleared.is_some());
    assert!(passes("PS1='$ '"));
    assert!(passes("export PS2='> '"));
    for text in ["PS1='$(id)'", "PS1='`id`'", "PROMPT_COMMAND=id", "LD_PRELOAD=/tmp/x.so", "BASH_ENV=/tmp/x"]
    {
        assert!(!passes(text), "{text}");
    }
}
