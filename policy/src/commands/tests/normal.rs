//! Flags in every form come to the same, held against a reading that has nothing to do with ours.

use proptest::prelude::*;

use super::super::flags::split;
use super::super::programs::find;
use super::words;

/// Flags with their values, and operands, as the reading says.
fn read(line: &[String]) -> (Vec<(String, Option<String>)>, Vec<String>) {
    let split = split(find("head").unwrap(), line);
    let seen = split.seen.iter().map(|seen| {
        let name =
            seen.flag.map_or(seen.name.as_str(), |flag| flag.names.first().copied().unwrap_or_default());
        (name.to_owned(), seen.value.clone())
    });
    (seen.collect(), split.operands.iter().map(|at| line[*at].clone()).collect())
}

/// One flag of `head` in one of the forms in which it can be typed.
#[derive(Debug, Clone)]
enum Typed {
    Lines(u8, String),
    Quiet(u8),
    Operand(String),
}

fn typed() -> impl Strategy<Value = Typed> {
    prop_oneof![
        (0_u8..6, "[0-9]{1,3}").prop_map(|(form, value)| Typed::Lines(form, value)),
        (0_u8..4).prop_map(Typed::Quiet),
        "[a-z]{1,4}".prop_map(Typed::Operand),
    ]
}

proptest! {
    #[test]
    fn every_form_of_a_flag_is_read_as_that_flag(all in proptest::collection::vec(typed(), 0..8), end in proptest::option::of("-[a-z]{1,3}")) {
        let mut line = vec!["head".to_owned()];
        let (mut flags, mut operands) = (Vec::new(), Vec::new());
        for one in all {
            match one {
                Typed::Lines(form, value) => {
                    match form {
                        0 => line.extend(["-n".to_owned(), value.clone()]),
                        1 => line.push(format!("-n{value}")),
                        2 => line.push(format!("--lines={value}")),
                        3 => line.extend(["--lines".to_owned(), value.clone()]),
                        4 => line.push(format!("--li={value}")),
                        _ => {
                            // Joined with another one.
                            flags.push(("-v".to_owned(), None));
                            line.push(format!("-vn{value}"));
                        }
                    }
                    flags.push(("-n".to_owned(), Some(value)));
                }
                Typed::Quiet(form) => {
                    let text = match form { 0 => "-q", 1 => "--quiet", 2 => "--silent", _ => "--qui" };
                    line.push(text.to_owned());
                    flags.push(("-q".to_owned(), None));
                }
                Typed::Operand(text) => {
                    line.push(text.clone());
                    operands.push(text);
                }
            }
        }
        if let Some(end) = end {
            line.extend(["--".to_owned(), end.clone()]);
            operands.push(end);
        }
        prop_assert_eq!(read(&line), (flags, operands));
    }
}

#[test]
fn shortened_flags_are_written_out_and_ambiguous_ones_are_unknown() {
    let long = split(find("grep").unwrap(), &words("grep --regex=x --recurs --no y"));
    assert_eq!(long.renamed, [(1, "--regexp=x".to_owned()), (2, "--recursive".to_owned())]);
    assert_eq!(long.seen.iter().filter(|seen| seen.unknown()).count(), 1, "`--no` could be several");
}

#[test]
fn signals_have_one_name() {
    let signal = |line: &str| {
        let split = split(find("kill").unwrap(), &words(line));
        (
            split.seen.iter().map(|seen| seen.value.clone().unwrap_or_default()).collect::<Vec<_>>(),
            split.operands.len(),
        )
    };
    for line in ["kill -9 17", "kill -KILL 17", "kill -SIGKILL 17", "kill -kill 17"] {
        assert_eq!(signal(line), (vec!["KILL".to_owned()], 1), "{line}");
    }
    // The second number is every process there is.
    assert_eq!(signal("kill -15 -1").1, 1);
}

#[test]
fn tar_without_a_dash_is_read_as_tar_reads_it() {
    let split = split(find("tar").unwrap(), &words("tar cfX /tmp/a /tmp/x /app"));
    let read: Vec<(&str, Option<&str>)> =
        split.seen.iter().map(|seen| (seen.name.as_str(), seen.value.as_deref())).collect();
    assert_eq!(read, [("-c", None), ("-f", Some("/tmp/a")), ("-X", Some("/tmp/x"))]);
    assert_eq!(split.operands, [4]);
}
