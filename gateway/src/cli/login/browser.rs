//! Opening an address in the person's browser, where there is a screen to see it on.

use std::process::{Command, Stdio};

/// Whether there is a screen of the person's own.
pub(super) fn there_is_one() -> bool {
    if cfg!(target_os = "macos") {
        // Over SSH, the screen is somebody else's.
        return std::env::var_os("SSH_CONNECTION").is_none();
    }
    ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// Opens `text` if it is an address and nothing else. Whether that was tried; whether it worked, the person sees, and
/// the address stands on the screen in any case.
pub(super) fn open(text: &str) -> bool {
    if !is_address(text) {
        return false;
    }
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = Command::new(program);
    command.arg(text).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Ok(mut child) = command.spawn() {
        // Some openers stay; nobody waits for them.
        std::thread::spawn(move || child.wait());
    }
    true
}

pub(super) fn is_address(text: &str) -> bool {
    let web = text.starts_with("https://") || text.starts_with("http://");
    web && text.len() <= 2048 && text.chars().all(|c| c.is_ascii_graphic()) && url::Url::parse(text).is_ok()
}
