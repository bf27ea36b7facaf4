//! What is said about files, and where.

use std::path::Path;

use super::*;

const GOOD: &str = "\
# a comment
apiVersion: sallyport.dev/v1alpha1
kind: AccessPolicy
metadata: {name: debug}
spec:
  subjects: {groups: [oncall]}
  namespaces: [payments]
  allow:
    exec: true
    forward: {ports: [5432, \"8000-8999\"]}
  clusterRole: view
  maxDuration: 1h
  approval:
    required: 1
    groups: [leads]
";

fn problems(text: &str) -> Vec<String> {
    let read = objects(text, Path::new("p.yaml"));
    read.into_iter().filter_map(|one| one.err().map(|problem| problem.to_string())).collect()
}

fn policies(text: &str) -> Vec<PolicyFromFile> {
    let read = objects(text, Path::new("p.yaml"));
    let policy = |one| match one {
        Ok(FromFile::Policy(policy)) => *policy,
        other => panic!("{other:?}"),
    };
    read.into_iter().map(policy).collect()
}

#[test]
fn a_good_file_is_read_as_the_cluster_would() {
    let read = policies(&format!("{GOOD}---\n{}", GOOD.replace("debug", "other")));
    let names: Vec<_> = read.iter().map(|one| one.object.name_any()).collect();
    assert_eq!(names, ["debug", "other"]);
    assert_eq!(read[0].place().line, 2);
    let json = serde_json::to_string_pretty(&read[0].object).unwrap();
    assert_eq!(policies(&json)[0].parse(&[]).unwrap(), read[0].parse(&[]).unwrap());
}

const SET: &str = "\
apiVersion: sallyport.dev/v1alpha1
kind: CommandSet
metadata: {name: java-team}
spec:
  description: what the Java team looks at
  allow:
  - programs: [jcmd]
  deny:
  - programs: [jcmd]
    args: [VM.flags]
";

#[test]
fn a_policy_names_a_set_that_stands_anywhere_and_is_told_where_it_does_not() {
    let text = format!("{GOOD}  commands:\n    sets: [observe, java-team]\n");
    let policy = policies(&text).remove(0);
    let missing = policy.parse(&[]).unwrap_err().to_string();
    assert!(missing.starts_with("p.yaml:17:21: commands.sets[1]: there is no set `java-team`"), "{missing}");
    let set = match objects(SET, Path::new("s.yaml")).remove(0) {
        Ok(FromFile::Set(set)) => set,
        other => panic!("{other:?}"),
    };
    assert_eq!((set.place.line, set.path.as_path()), (1, Path::new("s.yaml")));
    let commands = policy.parse(&[set.set]).unwrap();
    assert!(commands.commands().unwrap().programs().contains(&"jcmd"));
    // A name that no CommandSet could have is a mistake of the policy alone.
    assert!(problems(&text.replace("java-team", "Java"))[0].contains("commands.sets[1]: `Java`"));
}

#[test]
fn a_mistake_in_a_set_has_its_line_and_column() {
    for (from, to, said) in [
        ("programs: [jcmd]", "programs: [bash]", "p.yaml:7:16: allow[0].programs[0]: `bash`"),
        ("VM.flags", "'('", "p.yaml:10:12: deny[0].args[0]: "),
        ("java-team", "debug", "p.yaml:3:18: metadata.name: `debug` is a built-in set"),
        ("  description:", "  sets: [observe]\n  description:", "p.yaml:5:3: there is no field `sets` here"),
        ("programs: [jcmd]", "program: [jcmd]", "did you mean `programs`?"),
        ("metadata: {name: java-team}\n", "", "`metadata` is missing"),
    ] {
        let all = problems(&SET.replacen(from, to, 1));
        assert!(all.iter().any(|one| one.contains(said)), "{to}: {all:#?}");
    }
}

#[test]
fn every_mistake_has_its_line_and_column() {
    for (from, to, said) in [
        ("maxDuration: 1h", "maxDuration: soon", "p.yaml:12:16: maxDuration: "),
        ("  approval:", "  aproval:", "there is no field `aproval` here; did you mean `approval`?"),
        ("  approval:", "  aproval:", "p.yaml:13:3: there is no field"),
        ("required: 1", "required: one", "p.yaml:14:15: `required` must be a whole number"),
        ("exec: true", "exec: yes please", "p.yaml:9:11: `exec` must be true or false"),
        ("namespaces: [payments]", "namespaces: payments", "p.yaml:7:15: `namespaces` must be a list"),
        ("namespaces: [payments]", "namespaces: ['*']", "p.yaml:7:15: namespaces: "),
        ("clusterRole: view", "", "`clusterRole` is missing"),
        ("v1alpha1", "v2", "p.yaml:2:13: `apiVersion` must be sallyport.dev/v1alpha1"),
        ("kind: AccessPolicy\n", "", "`kind` is missing"),
        ("metadata: {name: debug}", "metadata: {name: Debug}", "p.yaml:4:18: metadata.name: "),
        ("[oncall]", "[oncall", "p.yaml:"),
    ] {
        let all = problems(&GOOD.replace(from, to));
        assert!(all.iter().any(|one| one.contains(said)), "{to}: {all:#?}");
    }
}

#[test]
fn all_mistakes_are_told_not_only_the_first() {
    let text = GOOD.replace("exec: true", "exek: true").replace("required: 1", "required: x");
    assert_eq!(problems(&text).len(), 2, "{:#?}", problems(&text));
}

#[test]
fn other_kinds_are_left_to_others_and_long_files_refused() {
    let test = "apiVersion: sallyport.dev/v1alpha1\nkind: AccessPolicyTest\npolicy: x\n";
    assert!(objects(test, Path::new("t.yaml")).is_empty());
    assert_eq!(problems(&" ".repeat(LONGEST_FILE + 1)).len(), 1);
}

#[test]
fn hostile_files_are_errors_and_nothing_more() {
    for text in [
        "a: &a [*a]",
        "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]",
        "\u{0}",
        "? [1]\n: 2",
        "- - - - -",
    ] {
        assert!(!problems(text).is_empty(), "{text:?}");
    }
    assert!(!problems(&"[".repeat(100_000)).is_empty());
    assert!(!problems(&"a: ".repeat(50_000)).is_empty());
}
