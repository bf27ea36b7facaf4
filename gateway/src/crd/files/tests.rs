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
    let read = policies(text, Path::new("p.yaml"));
    read.into_iter().filter_map(|one| one.err().map(|problem| problem.to_string())).collect()
}

#[test]
fn a_good_file_is_read_as_the_cluster_would() {
    let read = policies(&format!("{GOOD}---\n{}", GOOD.replace("debug", "other")), Path::new("p.yaml"));
    let names: Vec<_> = read.iter().map(|one| one.as_ref().unwrap().policy.name().to_string()).collect();
    assert_eq!(names, ["debug", "other"]);
    assert_eq!(read[0].as_ref().unwrap().place.line, 2);
    let json = serde_json::to_string_pretty(&read[0].as_ref().unwrap().object).unwrap();
    let again = policies(&json, Path::new("p.json"));
    assert_eq!(again[0].as_ref().unwrap().policy, read[0].as_ref().unwrap().policy);
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
    assert!(policies(test, Path::new("t.yaml")).is_empty());
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
