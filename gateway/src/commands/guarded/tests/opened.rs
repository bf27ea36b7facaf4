//! Redirections: opened before their command, from left to right.

use super::*;

struct Place {
    directory: tempfile::TempDir,
    machine: Machine,
}

impl Place {
    fn new() -> Self {
        Self { directory: tempfile::tempdir_in("/tmp").unwrap(), machine: Machine::default() }
    }

    fn has(&self, name: &str) -> bool {
        self.directory.path().join(name).exists()
    }

    fn holds(&self, name: &str) -> String {
        std::fs::read_to_string(self.directory.path().join(name)).unwrap()
    }

    /// `@` stands for the directory.
    async fn runs(&self, line: &str) -> Came {
        let at = self.directory.path().display().to_string();
        let line = line.replace('@', &at) + "\n";
        script_with(self.machine.clone(), Book::default(), OnDenied::Tell, &line).await
    }

    /// Whether a command was started for the person, as it was written.
    fn ran(&self, line: &str) -> bool {
        let line = line.replace('@', &self.directory.path().display().to_string());
        for_the_person(&self.machine).contains(&line)
    }
}

#[tokio::test]
async fn a_command_does_not_start_where_its_input_is_not_there() {
    let place = Place::new();
    let came = place.runs("wc -l < @/missing; echo st$?").await;
    assert_eq!(came.out, "st1\n", "{came:?}");
    assert!(came.err.starts_with("sallyport: "), "{came:?}");
    assert!(came.err.contains("/missing: No such file or directory"), "{came:?}");
    assert!(!place.ran("wc -l"));
    let came = place.runs("wc -l < @; echo st$?").await;
    assert!(came.out == "st1\n" && came.err.contains("Is a directory"), "{came:?}");
    assert!(!place.ran("wc -l"));
}

#[tokio::test]
async fn a_command_does_not_start_where_its_output_cannot_be_written() {
    for line in ["echo a > @/no/such/f", "echo a >> @/no/such/f", "echo a > @", "echo a 2> @", "echo a &> @"]
    {
        let place = Place::new();
        let came = place.runs(&format!("{line}; echo st$?")).await;
        assert_eq!(came.out, "st1\n", "{line}: {came:?}");
        assert!(came.err.starts_with("sallyport: /tmp/"), "{line}: {came:?}");
        assert!(!place.ran("echo a"), "{line}");
    }
}

#[tokio::test]
async fn files_are_opened_from_left_to_right_until_one_fails() {
    let place = Place::new();
    place.runs("echo a > @/one < @/missing > @/two").await;
    assert!(place.has("one") && !place.has("two") && !place.ran("echo a"));
    place.runs("echo a < @/missing > @/three").await;
    assert!(!place.has("three") && !place.ran("echo a"));
    let came = place.runs("echo b > @/one > @/four; wc -c < @/one; cat @/four").await;
    assert_eq!((came.out.as_str(), place.holds("four").as_str()), ("0\nb\n", "b\n"), "{came:?}");
    // The last of several inputs is read, and all of them have to be there.
    let came = place.runs("sort < @/four < @/one; sort < @/one < @/four; sort < @/missing < @/four").await;
    assert_eq!((came.out.as_str(), came.status), ("b\n", 1), "{came:?}");
}

#[tokio::test]
async fn a_file_is_emptied_before_its_own_command_reads_it() {
    let place = Place::new();
    let came = place.runs("echo old > @/f; sort @/f > @/f; wc -c < @/f").await;
    assert_eq!(came.out, "0\n", "{came:?}");
    let came = place.runs("echo one > @/f; echo two >> @/f; echo three >> @/f; cat @/f").await;
    assert_eq!(came.out, "one\ntwo\nthree\n", "{came:?}");
    let came = place.runs("true > /tmp; printf '' > @/empty; cat < @/empty; echo st$?").await;
    assert!(came.status == 77, "what this shell does itself is not redirected: {came:?}");
    let came = place.runs("printf '' > @/empty; cat < @/empty; echo st$?").await;
    assert_eq!(came.out, "st0\n", "{came:?}");
}

#[tokio::test]
async fn the_rest_of_a_pipeline_goes_on_without_the_command_that_could_not_start() {
    let place = Place::new();
    let came = place.runs("sort < @/missing | wc -l").await;
    assert_eq!((came.out.as_str(), came.status), ("0\n", 0), "{came:?}");
    assert!(!place.ran("sort"));
    let came = place.runs("yes | sort > @/no/such/f; echo st$?").await;
    assert_eq!(came.out, "st1\n", "{came:?}");
}

#[tokio::test]
async fn every_file_is_judged_before_any_is_opened() {
    for line in [
        "echo a > @/f < /etc/shadow",
        "echo a > @/f > /etc/sallyport-never",
        "sort < /etc/shadow < @/f",
        "echo b > @/f; echo a > /etc/sallyport-never > @/g",
    ] {
        let place = Place::new();
        let came = place.runs(line).await;
        assert_eq!(came.status, 77, "{line}: {came:?}");
        assert!(!place.has("f") && !place.has("g"), "{line}");
        assert_eq!(for_the_person(&place.machine), [""; 0], "{line}");
    }
}

#[tokio::test]
async fn only_a_redirection_costs_an_exec_more() {
    let started = |line: &'static str| async move {
        let place = Place::new();
        place.runs(line).await;
        let at = place.directory.path().display().to_string();
        let mut all: Vec<_> =
            for_the_person(&place.machine).iter().map(|line| line.replace(&at, "@")).collect();
        all.sort();
        all
    };
    assert_eq!(started("echo a | sort").await, ["echo a", "sort"]);
    assert_eq!(started("echo a > /dev/null < /dev/null").await, ["echo a"]);
    assert_eq!(started("echo a > @/f").await, ["echo a", "tee -- @/f", "tee -a -- @/f"]);
    assert_eq!(started("echo a > @/f > @/g").await, ["echo a", "tee -- @/f", "tee -- @/g", "tee -a -- @/g"]);
    assert_eq!(started("sort < /etc/hostname").await, ["cat -- /etc/hostname", "sort"]);
}
