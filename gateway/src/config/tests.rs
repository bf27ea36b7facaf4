use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("sallyport.yaml"))
}

const SMALLEST: &str = "oidc:\n  issuer: https://idp.example.com\n  clientId: sallyport\n";

#[test]
fn what_print_default_shows_is_what_an_empty_file_means() {
    assert_eq!(parse(DEFAULT).unwrap(), parse(SMALLEST).unwrap());
}

#[test]
fn a_mistyped_field_is_refused_with_line_and_column() {
    let text = format!("ssh:\n  lisen: 0.0.0.0:2222\n{SMALLEST}");
    let error = parse(&text).unwrap_err().to_string();
    assert!(error.contains("lisen"), "{error}");
    assert!(error.contains("line 2") || error.contains("2:"), "{error}");
}

#[test]
fn a_mistyped_duration_is_refused_with_line_and_column() {
    let text = format!("{SMALLEST}certificates:\n  validity: 8 hours\n");
    let error = parse(&text).unwrap_err().to_string();
    assert!(error.contains("8 hours"), "{error}");
    assert!(error.contains('5'), "{error}");
}

#[test]
fn values_out_of_bounds_are_refused_by_name() {
    for (extra, field) in [
        ("certificates: {validity: 30s}\n", "certificates.validity"),
        ("certificates: {validity: 25h}\n", "certificates.validity"),
        ("ssh: {signInGrace: 1s}\n", "ssh.signInGrace"),
        ("ssh: {hostNames: []}\n", "ssh.hostNames"),
    ] {
        let error = parse(&format!("{SMALLEST}{extra}")).unwrap_err().to_string();
        assert!(error.contains(field), "{extra}: {error}");
    }
}

#[test]
fn asking_the_provider_again_has_bounds_and_can_be_switched_off() {
    let at = |span: &str| parse(&format!("{SMALLEST}  recheck: {span}\n"));
    for good in ["0s", "1s", "5m", "24h"] {
        at(good).unwrap();
    }
    assert!(at("25h").unwrap_err().to_string().contains("oidc.recheck"));
    assert!(at("0.5s").is_err() && at("-1s").is_err());
}

#[test]
fn a_provider_without_tls_is_for_loopback_only() {
    let at = |issuer: &str| parse(&format!("oidc: {{issuer: '{issuer}', clientId: x}}\n"));
    assert!(at("http://127.0.0.1:5556").is_ok());
    assert!(at("http://localhost:5556").is_ok());
    assert!(at("http://idp.example.com").is_err());
    assert!(at("ftp://idp.example.com").is_err());
}

#[test]
fn browsers_come_over_tls_or_from_this_machine_and_to_no_path() {
    let at = |url: &str| parse(&format!("{SMALLEST}console: {{publicUrl: '{url}'}}\n"));
    assert!(at("https://gw.example.com").is_ok());
    assert!(at("http://127.0.0.1:8022/").is_ok());
    for bad in [
        "http://gw.example.com",
        "ftp://127.0.0.1",
        "https://gw.example.com/console",
        "https://gw.example.com/?x",
        "https://u:p@gw.example.com",
        "gw.example.com",
    ] {
        assert!(at(bad).unwrap_err().to_string().contains("publicUrl"), "{bad}");
    }
}

#[test]
fn the_published_schema_is_the_one_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas/config.schema.json");
    crate::config::published(&path, &Config::schema());
}

#[test]
fn the_published_event_schema_is_the_one_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas/event.schema.json");
    crate::config::published(&path, &schemars::schema_for!(crate::audit::Event).to_value());
}

#[test]
fn more_webhooks_than_a_status_can_note_are_refused() {
    let hooks = |count: usize| -> String {
        let one = |n| format!("  - name: hook-{n}\n    url: https://hooks.example.com\n");
        format!("{SMALLEST}notifications:\n{}", (0..count).map(one).collect::<String>())
    };
    assert_eq!(parse(&hooks(16)).unwrap().notifications.len(), 16);
    assert!(parse(&hooks(17)).unwrap_err().to_string().contains("16 at most"));
}
