//! Pipelines and redirections.

use super::*;

#[tokio::test]
async fn output_goes_from_command_to_command() {
    let came = script("printf '%s\\n' b c a | sort | tr a-c A-C\n").await;
    assert_eq!((came.out.as_str(), came.status), ("A\nB\nC\n", 0));
    let came = script("seq 1 200000 | wc -l\n").await;
    assert_eq!(came.out, "200000\n");
}

#[tokio::test]
async fn a_command_whose_reader_is_gone_is_hung_up() {
    let came = script("yes | head -n 2\n").await;
    assert_eq!((came.out.as_str(), came.status), ("y\ny\n", 0));
}

#[tokio::test]
async fn files_are_written_read_and_added_to() {
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    let file = dir.path().join("f").display().to_string();
    let text = format!(
        "echo one > {file}; echo two >> {file}; wc -l < {file}; cat {file}; sort -r {file} > {file}.2 2>&1; cat < {file}.2\n"
    );
    let came = script(&text).await;
    assert_eq!(came.out, "2\none\ntwo\ntwo\none\n", "{}", came.err);
    // What may not be written is not.
    let came = script("echo x > /etc/sallyport-never\n").await;
    assert_eq!(came.status, 77, "{came:?}");
    let came = script("cat < /etc/shadow\n").await;
    assert_eq!((came.out.as_str(), came.status), ("", 77));
    let came = script(&format!("cat < {file}.none\n")).await;
    assert!(came.status == 1 && came.err.contains("No such file"), "{came:?}");
}

#[tokio::test]
async fn errors_go_where_they_are_sent() {
    let came = script("ls /tmp/never-there-2 2>/dev/null; echo $?\n").await;
    assert_eq!((came.out.as_str(), came.err.as_str()), ("2\n", ""));
    let came = script("ls /tmp/never-there-2 2>&1 | wc -l\n").await;
    assert_eq!(came.out, "1\n");
    let came = script("ls /tmp/never-there-2\n").await;
    assert!(came.err.contains("never-there-2"), "{came:?}");
    // Nothing in the container is asked for what the gateway itself does.
    let machine = Machine::default();
    script_with(machine.clone(), Book::default(), OnDenied::Tell, "echo a > /dev/null\n").await;
    assert_eq!(for_the_person(&machine), ["echo a"]);
}

#[tokio::test]
async fn globs_are_matched_in_the_container_and_judged_afterwards() {
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    let path = dir.path().canonicalize().unwrap();
    for name in ["b", "a", ".hidden", "-rf", "with space"] {
        std::fs::write(path.join(name), "").unwrap();
    }
    let shown = path.display();
    let came = script(&format!("echo {shown}/*\n")).await;
    assert_eq!(came.out, format!("{shown}/-rf {shown}/a {shown}/b {shown}/with space\n"));
    // A file's name is no way to a flag that may not be given.
    let came = script(&format!("cd {shown}; rm *\n")).await;
    assert_eq!(came.status, 0, "`-f` and `-r` are flags that may be given here: {came:?}");
    let came = script("echo /tmp/no-such-*-name\n").await;
    assert_eq!(came.out, "/tmp/no-such-*-name\n");
}

#[tokio::test]
async fn a_slow_reader_holds_the_writer_up_and_nothing_is_lost() {
    let setup = Setup {
        container: Machine::default(),
        desk: Book::default(),
        commands: rules(OnDenied::Tell),
        size: None,
        term: "xterm".to_owned(),
        name: "api-0".to_owned(),
        place: "payments/api-0 (app)".to_owned(),
        colour: false,
    };
    let (input, mut output) = start(setup);
    input.write(Bytes::from_static(b"seq 1 300000\n")).await;
    input.eof().await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut bytes = 0;
    while let Some(next) = output.next().await {
        if let Output::Stdout(frame) = next {
            bytes += frame.len();
        }
    }
    assert_eq!(bytes, 1_988_895);
}
