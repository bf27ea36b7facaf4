//! How a cleared command is placed.

use super::*;

#[test]
fn a_command_is_placed_by_its_words_alone() {
    let commands = allowing(vec![rule(&["cat"])]);
    let clear = || judged(&commands, "cat /app/a;_b").cleared.unwrap();
    let environment = [("LANG".to_owned(), "C'; id".to_owned())];
    let placed = |carrier, directory, environment: &[(String, String)]| {
        clear().placed(directory, environment, carrier).argv().to_vec()
    };
    assert_eq!(placed(Carrier::Env, None, &[]), ["cat", "/app/a; b"]);
    assert_eq!(placed(Carrier::Env, None, &environment), ["env", "LANG=C'; id", "cat", "/app/a; b"]);
    assert_eq!(
        placed(Carrier::EnvChdir, Some("/x y"), &environment),
        ["env", "-C", "/x y", "LANG=C'; id", "cat", "/app/a; b"]
    );
    assert_eq!(
        placed(Carrier::Shell, Some("/x y"), &environment),
        [
            "sh",
            "-c",
            r#"cd -- "$1" && shift && exec "$@""#,
            "sh",
            "/x y",
            "env",
            "LANG=C'; id",
            "cat",
            "/app/a; b"
        ]
    );
}
