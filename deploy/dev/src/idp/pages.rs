//! The pages, by hand: no scripts, nothing from elsewhere, every foreign word escaped.

use std::fmt::{self, Display, Write};

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};

use super::DevPerson;

pub(super) const STYLE: &str = "\
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --line: #767c85; --act: #0b57a4; --on-act: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8eaed; --paper: #16191d; --line: #8d949e; --act: #8ab8f0; --on-act: #10151b; }
}
* { box-sizing: border-box; }
body { margin: 0; overflow-wrap: anywhere; font: 1rem/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
main { max-width: 30rem; margin: 3rem auto; padding: 0 1.25rem; }
h1 { font-size: 1.4rem; line-height: 1.25; margin: 0 0 1rem; }
.note { border-left: 4px solid var(--line); padding: .25rem 0 .25rem .75rem; margin: 1.5rem 0; }
.code { font: 700 1.6rem/1.5 ui-monospace, monospace; letter-spacing: .12em; }
fieldset { border: 1px solid var(--line); border-radius: .5rem; padding: .5rem 1rem 1rem; margin: 1rem 0; }
legend, label.field { font-weight: 600; padding: 0 .25rem; }
.choice { display: flex; gap: .75rem; align-items: flex-start; padding: .5rem .25rem; cursor: pointer; }
.choice input { width: 1.25rem; height: 1.25rem; margin: .15rem 0 0; accent-color: var(--act); }
.choice small { display: block; }
input[type=text] { display: block; width: 100%; margin: .25rem 0 1rem; padding: .6rem .75rem; color: inherit;
  background: transparent; border: 1px solid var(--line); border-radius: .4rem;
  font: 1.3rem ui-monospace, monospace; letter-spacing: .1em; text-transform: uppercase; }
button { font: inherit; font-weight: 600; padding: .6rem 1.25rem; margin: 0 .5rem .5rem 0; border-radius: .4rem;
  border: 1px solid var(--act); background: var(--act); color: var(--on-act); cursor: pointer; }
button.quiet { background: transparent; color: inherit; border-color: var(--line); }
:focus-visible { outline: 3px solid var(--act); outline-offset: 2px; }
";

/// Text inside HTML, also inside quoted attributes.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '&' => f.write_str("&amp;"),
            '<' => f.write_str("&lt;"),
            '>' => f.write_str("&gt;"),
            '"' => f.write_str("&quot;"),
            '\'' => f.write_str("&#39;"),
            c => f.write_char(c),
        })
    }
}

fn page(title: &str, body: &str) -> Html<String> {
    let title = Escaped(title);
    Html(format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} - Sallyport development sign-in</title>\n<link rel=\"stylesheet\" href=\"/style.css\">\n\
         </head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}\
         <p class=\"note\">This provider is for trying out. It asks for no password: whoever can open this page \
         can be any of its accounts.</p>\n</main>\n</body>\n</html>\n"
    ))
}

pub(super) fn home(people: &[DevPerson]) -> Html<String> {
    let mut body = String::from(
        "<p>These people live here; the gateway sends you when one of them is to sign in.</p>\n<ul>\n",
    );
    for person in people {
        let (name, groups) = (Escaped(&person.username), person.groups.join(", "));
        // Writing to a String does not fail.
        let _ = writeln!(body, "<li><b>{name}</b>: {} ({})</li>", Escaped(&person.name), Escaped(&groups));
    }
    body.push_str("</ul>\n<p><a href=\"/device\">Enter a code that a terminal shows</a></p>\n");
    page("Sign-in provider", &body)
}

/// The accounts to choose from, the first one chosen.
fn accounts(people: &[DevPerson]) -> String {
    let mut html = String::from("<fieldset>\n<legend>Sign in as</legend>\n");
    for (index, person) in people.iter().enumerate() {
        let _ = writeln!(
            html,
            "<label class=\"choice\"><input type=\"radio\" name=\"account\" value=\"{username}\" required{checked}>\
             <span>{username}<small>{name}; groups: {groups}</small></span></label>",
            username = Escaped(&person.username),
            checked = if index == 0 { " checked" } else { "" },
            name = Escaped(&person.name),
            groups = Escaped(&person.groups.join(", ")),
        );
    }
    html.push_str("</fieldset>\n");
    html
}

const BUTTONS: &str = "<button name=\"action\" value=\"allow\">Sign in</button>\n\
     <button class=\"quiet\" name=\"action\" value=\"deny\">Cancel</button>\n";

fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n", Escaped(value))
}

/// Whom to sign in at a web application.
pub(super) fn choose_account(people: &[DevPerson], to: &str, pending: &str, csrf: &str) -> Html<String> {
    let body = format!(
        "<p>You will be sent to <b>{}</b>.</p>\n<form method=\"post\" action=\"/authorize\">\n{}{}{}{BUTTONS}</form>\n",
        Escaped(to),
        hidden("pending", pending),
        hidden("csrf", csrf),
        accounts(people),
    );
    page("Sign in", &body)
}

/// Where to type the code; `wrong` is one that nobody waits for.
pub(super) fn enter_code(wrong: Option<&str>) -> Response {
    let problem = wrong.map_or_else(String::new, |code| {
        format!(
            "<p id=\"problem\" role=\"alert\"><b>No sign-in waits for the code {}.</b> It may have expired; the \
             terminal shows a new one after another <code>login</code>.</p>\n",
            Escaped(code)
        )
    });
    let (described, status) = if wrong.is_some() {
        (" aria-describedby=\"problem\"", StatusCode::NOT_FOUND)
    } else {
        ("", StatusCode::OK)
    };
    let body = format!(
        "{problem}<form method=\"get\" action=\"/device\">\n<label class=\"field\" for=\"code\">Code from the terminal</label>\n\
         <input type=\"text\" id=\"code\" name=\"user_code\" maxlength=\"16\" required autofocus autocomplete=\"off\" \
         autocapitalize=\"characters\" spellcheck=\"false\" placeholder=\"XXXX-XXXX\"{described}>\n\
         <button>Continue</button>\n</form>\n"
    );
    (status, page("Sign in a terminal", &body)).into_response()
}

/// The code once more, to compare, and whom to sign in.
pub(super) fn confirm_code(people: &[DevPerson], code: &str, csrf: &str) -> Html<String> {
    let body = format!(
        "<p>Does your terminal show this code? If somebody else sent it to you, cancel.</p>\n\
         <p class=\"code\">{}</p>\n<form method=\"post\" action=\"/device\">\n{}{}{}{BUTTONS}</form>\n",
        Escaped(code),
        hidden("user_code", code),
        hidden("csrf", csrf),
        accounts(people),
    );
    page("Sign in a terminal", &body)
}

pub(super) fn device_done(username: Option<&str>) -> Html<String> {
    match username {
        Some(name) => page(
            "Signed in",
            &format!("<p>The terminal goes on as <b>{}</b>. You can close this page.</p>\n", Escaped(name)),
        ),
        None => page("Cancelled", "<p>The terminal was told no. You can close this page.</p>\n"),
    }
}

pub(super) fn refused(status: StatusCode, why: &str) -> Response {
    (status, page("That did not work", &format!("<p role=\"alert\">{}</p>\n", Escaped(why)))).into_response()
}
