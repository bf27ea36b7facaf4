//! What holds for every text that is read as a line. Used by the fuzzer, and by a test on stable.

use sallyport_policy::line::{
    Field, MOST_COMMANDS, MOST_WORDS, Part, RedirectTo, Simple, Survey, Variables, Word, expand, expand_one,
    expand_target, nested, parse, survey,
};

struct Set;

impl Variables for Set {
    fn get(&self, name: &str) -> Option<&str> {
        match name {
            "HOME" => Some("/home/u"),
            "A" => Some("one"),
            "B" => Some("two words"),
            "E" => Some(""),
            "S" => Some("*.txt"),
            "?" => Some("0"),
            _ => None,
        }
    }
}

/// Panics where something does not hold.
pub(crate) fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    surveyed(&text);
    let script = match parse(&text) {
        Ok(script) => script,
        Err(error) => {
            assert!(text.get(error.at.clone()).is_some(), "{error:?} is not in the line");
            assert!(!error.problem.is_empty() && !error.problem.contains('\n'), "{error:?}");
            return;
        }
    };
    if let Ok(longer) = parse(&format!("{text}\n# more")) {
        assert_eq!(longer, script, "a comment changed what the line means");
    }
    let commands: Vec<&Simple> = script.steps.iter().flat_map(|step| &step.pipeline.commands).collect();
    assert!(commands.len() <= MOST_COMMANDS);
    assert!(script.steps.iter().all(|step| !step.pipeline.commands.is_empty()));
    let mut words = 0;
    for simple in commands {
        assert!(text.get(simple.span.clone()).is_some());
        words += simple.words.len() + simple.assignments.len() + simple.redirections.len();
        for word in &simple.words {
            assert!(!word.parts.is_empty(), "a word of nothing");
            known(&text, word);
        }
        for (name, value) in &simple.assignments {
            assert!(is_name(name), "`{name}` is no name");
            known(&text, value);
            let _ = expand_one(value, &Set);
        }
        for redirection in &simple.redirections {
            if let RedirectTo::Read(word) | RedirectTo::Write(word) | RedirectTo::Append(word) =
                &redirection.to
            {
                known(&text, word);
                if let Ok(file) = expand_target(word, &Set) {
                    assert!(!file.is_empty());
                }
            }
        }
        if let Ok(fields) = expand(&simple.words, &Set) {
            assert!(fields.len() <= MOST_WORDS);
            fields.iter().for_each(globbed);
            comes_back(&fields);
        }
    }
    assert!(words <= MOST_WORDS);
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn known(text: &str, word: &Word) {
    assert!(text.get(word.span.clone()).is_some());
    for part in &word.parts {
        match part {
            Part::Variable { name, .. } => assert!(name == "?" || is_name(name), "`{name}` is no name"),
            Part::Text { text, .. } => {
                assert!(!text.contains(|c: char| c.is_control() && !matches!(c, '\t' | '\n')), "{text:?}");
            }
            Part::Home => {}
        }
    }
}

/// Words that are quoted and read again are the same words.
fn comes_back(fields: &[Field]) {
    let argv: Vec<String> = fields.iter().map(Field::text).collect();
    let quoted: Vec<String> = argv.iter().map(|word| format!("'{}'", word.replace('\'', "'\\''"))).collect();
    let Ok(again) = parse(&quoted.join(" ")) else {
        // Quotes make it longer than a line may be, and for no other reason.
        assert!(quoted.join(" ").len() > sallyport_policy::line::LONGEST_LINE, "{argv:?} cannot be quoted");
        return;
    };
    let words: Vec<&Word> = again
        .steps
        .iter()
        .flat_map(|step| &step.pipeline.commands)
        .flat_map(|simple| &simple.words)
        .collect();
    let words: Vec<Word> = words.into_iter().cloned().collect();
    let fields = expand(&words, &Set).expect("quoted words have no variables");
    assert!(fields.iter().all(|field| field.glob().is_none()), "a quoted word is a pattern");
    assert_eq!(fields.iter().map(Field::text).collect::<Vec<_>>(), argv);
}

fn globbed(field: &Field) {
    let Some(mut glob) = field.glob() else { return };
    let names = [("a", true), ("b.txt", false), (".h", true), ("..", true), ("x/y", true)];
    let names = names.map(|(name, directory)| (name.to_owned(), directory));
    let mut asked = 0;
    while glob.wants().is_some() {
        glob.give(&names);
        asked += 1;
        assert!(asked <= 64, "a pattern asks without end");
    }
    let pattern = field.text();
    if let Ok(found) = glob.found() {
        assert!(found.is_sorted());
        for path in found {
            assert_eq!(path.starts_with('/'), pattern.starts_with('/'), "{path} for {pattern}");
            let climbs = |text: &str| text.split('/').filter(|part| *part == "..").count();
            assert!(climbs(&path) <= climbs(&pattern), "{path} for {pattern}");
        }
    }
}

fn surveyed(text: &str) {
    match survey(text) {
        Survey::Known(_) => assert!(parse(text).is_ok()),
        Survey::Guessed { commands, why } => {
            assert!(!why.is_empty());
            for argv in commands {
                assert!(!argv.is_empty(), "a command without a program");
                let _ = nested(&argv).map(|text| survey(&text));
            }
        }
    }
}
