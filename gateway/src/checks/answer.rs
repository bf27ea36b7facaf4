//! What a check says, read: `{"result": {"allow": true, "reasons": ["…"]}}`. Its words are somebody else's: made
//! harmless for terminals and cut to what a request's status holds. Fields beside these two are left alone, since
//! OPA gives the whole package where it is asked for one.

use serde_json::Value;

use crate::terminal::clean;

/// As many reasons as a request's status holds, and as long.
const MAX_REASONS: usize = 16;
const MAX_REASON_CHARS: usize = 512;

/// A check's yes or no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckAnswer {
    /// Whether it agrees.
    pub allow: bool,
    /// Why, in its words: clean, at most 16 of at most 512 characters.
    pub reasons: Vec<String>,
}

impl CheckAnswer {
    /// Reads an answer's body. What OPA leaves out because no rule defines it is a no.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let body: Value = serde_json::from_slice(body).map_err(|_| "its answer is not JSON".to_owned())?;
        let Value::Object(body) = body else {
            return Err("its answer is not a JSON object".to_owned());
        };
        let result = match body.get("result") {
            None => return Ok(Self::undefined("the check has no decision for this (`result` is undefined)")),
            Some(Value::Object(result)) => result,
            Some(Value::Bool(_)) => {
                return Err("`result` is true or false alone: name the address of the package, not of its \
                            rule `allow`"
                    .to_owned());
            }
            Some(_) => return Err("`result` is not an object with `allow`".to_owned()),
        };
        let reasons = match result.get("reasons") {
            None => Vec::new(),
            Some(Value::Array(reasons)) => {
                let text = |reason: &Value| reason.as_str().map(bounded);
                let all: Option<Vec<_>> = reasons.iter().take(MAX_REASONS).map(text).collect();
                all.ok_or_else(|| "`result.reasons` has something other than text".to_owned())?
            }
            Some(_) => return Err("`result.reasons` is not a list".to_owned()),
        };
        match result.get("allow") {
            Some(Value::Bool(allow)) => Ok(Self { allow: *allow, reasons }),
            None if reasons.is_empty() => {
                Ok(Self::undefined("the check has no decision for this (`result.allow` is undefined)"))
            }
            None => Ok(Self { allow: false, reasons }),
            Some(_) => Err("`result.allow` is neither true nor false".to_owned()),
        }
    }

    fn undefined(why: &str) -> Self {
        Self { allow: false, reasons: vec![why.to_owned()] }
    }
}

fn bounded(text: &str) -> String {
    // Cut first: cleaning replaces one character by one.
    if text.chars().nth(MAX_REASON_CHARS).is_none() {
        return clean(text);
    }
    let kept: String = text.chars().take(MAX_REASON_CHARS - 1).collect();
    clean(&kept) + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<CheckAnswer, String> {
        CheckAnswer::read(text.as_bytes())
    }

    #[test]
    fn yes_and_no_are_read_with_their_reasons() {
        let yes = read(r#"{"result": {"allow": true}}"#).unwrap();
        assert_eq!(yes, CheckAnswer { allow: true, reasons: vec![] });
        let no = read(
            r#"{"result": {"allow": false, "reasons": ["no ticket"], "helper": [1]}, "decision_id": "x"}"#,
        );
        assert_eq!(no.unwrap(), CheckAnswer { allow: false, reasons: vec!["no ticket".to_owned()] });
    }

    #[test]
    fn what_opa_leaves_undefined_is_a_no_with_words() {
        for text in ["{}", r#"{"warning": {}}"#, r#"{"result": {}}"#, r#"{"result": {"reasons": []}}"#] {
            let answer = read(text).unwrap();
            assert!(!answer.allow && answer.reasons[0].contains("undefined"), "{text}");
        }
        let answer = read(r#"{"result": {"reasons": ["closed ticket"]}}"#).unwrap();
        assert_eq!(answer, CheckAnswer { allow: false, reasons: vec!["closed ticket".to_owned()] });
    }

    #[test]
    fn what_is_not_understood_is_no_answer_at_all() {
        for text in [
            "",
            "yes",
            "[]",
            "true",
            r#"{"result": null}"#,
            r#"{"result": true}"#,
            r#"{"result": [true]}"#,
            r#"{"result": {"allow": "true"}}"#,
            r#"{"result": {"allow": 1}}"#,
            r#"{"result": {"allow": null}}"#,
            r#"{"result": {"allow": true, "reasons": "fine"}}"#,
            r#"{"result": {"allow": true, "reasons": [{}]}}"#,
            "{\"result\": {\"allow\": true}",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read(&"[".repeat(60_000)).is_err(), "nesting is bounded");
    }

    #[test]
    fn reasons_are_harmless_and_bounded() {
        let many = vec!["\u{1b}[2J\nx".to_owned() + &"y".repeat(5_000); 100];
        let answer =
            read(&serde_json::json!({"result": {"allow": false, "reasons": many}}).to_string()).unwrap();
        assert_eq!(answer.reasons.len(), 16);
        for reason in answer.reasons {
            assert!(reason.starts_with("�[2J xy"), "{reason}");
            assert_eq!(reason.chars().count(), 512);
        }
    }
}
