//! Which variables may be set for a command. Many programs take orders from their environment.

use crate::line::Matcher;

/// What may be set where a policy says nothing.
pub(crate) const USUAL: &[&str] = &[
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "TERM",
    "COLORTERM",
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "CLICOLOR",
    "PGHOST",
    "PGPORT",
    "PGDATABASE",
    "PGUSER",
    "PGAPPNAME",
    "PGCONNECT_TIMEOUT",
    "PGCLIENTENCODING",
    "PGTZ",
];

/// What makes programs start others, load code or read other files: set only where a policy names it letter by letter.
pub(crate) const ORDERS: &[&str] = &[
    "PATH",
    "IFS",
    "ENV",
    "HOME",
    "SHELL",
    "CDPATH",
    "TMPDIR",
    "TEMP",
    "TMP",
    "PS0",
    "PS1",
    "PS2",
    "PS3",
    "PS4",
    "PROMPT_COMMAND",
    "SHELLOPTS",
    "BASH*",
    "ZDOTDIR",
    "FPATH",
    "HIST*",
    "INPUTRC",
    "FCEDIT",
    "GLOBIGNORE",
    "MAIL*",
    "TIMEFORMAT",
    "OPTIND",
    "LD_*",
    "DYLD_*",
    "LIBPATH",
    "SHLIB_PATH",
    "GLIBC_TUNABLES",
    "MALLOC_*",
    "GCONV_PATH",
    "LOCPATH",
    "NLSPATH",
    "TZDIR",
    "TERMINFO*",
    "TERMCAP",
    "TERMPATH",
    "RES_OPTIONS",
    "HOSTALIASES",
    "LOCALDOMAIN",
    "PAGER",
    "*_PAGER",
    "MANPAGER",
    "EDITOR",
    "*_EDITOR",
    "VISUAL",
    "BROWSER",
    "LESS*",
    "MORE",
    "MOST*",
    "VIM*",
    "EXINIT",
    "NVIM*",
    "MANOPT",
    "MANPATH",
    "PYTHON*",
    "PERL*",
    "RUBY*",
    "NODE_*",
    "NPM_*",
    "JAVA_*",
    "_JAVA_OPTIONS",
    "JDK_*",
    "CLASSPATH",
    "JAVA_TOOL_OPTIONS",
    "LUA_*",
    "PHP*",
    "TCL*",
    "R_*",
    "GEM_*",
    "BUNDLE_*",
    "PIP_*",
    "GO*",
    "RUST*",
    "GIT_*",
    "SSH_*",
    "KUBE*",
    "DOCKER_*",
    "AWS_*",
    "GOOGLE_*",
    "VAULT_*",
    "XDG_*",
    "CURL_HOME",
    "CURL_*",
    "WGETRC",
    "*_proxy",
    "*_PROXY",
    "SSL_*",
    "OPENSSL_*",
    "PGOPTIONS",
    "PGPASSFILE",
    "PGPASSWORD",
    "PGSERVICE*",
    "PGSYSCONFDIR",
    "PGSSL*",
    "PSQL*",
    "MYSQL_*",
    "REDISCLI*",
    "SQLITE_*",
    "TAR_OPTIONS",
    "TAPE",
    "GREP",
    "GREP_*",
    "SSLKEYLOGFILE",
    "QLOGDIR",
    "KRB5*",
    "MARIADB_*",
    "SYSTEM_WGETRC",
    "POSIXLY_CORRECT",
    "AWKPATH",
    "AWKLIBPATH",
    "GAWK*",
    "MAKE*",
    "PS_*",
    "CMD_ENV",
    "I_WANT_A_BROKEN_PS",
    "LIBPROC_*",
    "TOP*",
    "HTOPRC",
    "GZIP",
    "XZ_*",
    "ZSTD_*",
    "BZIP*",
    "DEBUGINFOD*",
    "ASAN_OPTIONS",
    "LSAN_OPTIONS",
    "UBSAN_OPTIONS",
    "DISPLAY",
    "DBUS_*",
    "NOTIFY_SOCKET",
    "SYSTEMD_*",
    "COLUMNS_*",
    "_",
];

/// The variables that a policy lets through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Environment {
    allowed: Vec<Matcher>,
    orders: Vec<Matcher>,
}

impl Environment {
    /// Checks names and patterns of names.
    ///
    /// # Errors
    /// Which one, and what is wrong with it.
    pub(crate) fn parse(given: Option<&[String]>) -> Result<Self, (usize, String)> {
        let usual: Vec<String> = USUAL.iter().map(|name| (*name).to_owned()).collect();
        let mut allowed = Vec::new();
        for (at, name) in given.unwrap_or(&usual).iter().enumerate() {
            let written = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '*'));
            if !written || name.is_empty() {
                return Err((
                    at,
                    format!("`{name}` is not a variable's name: letters, digits and `_`, `*` for any"),
                ));
            }
            allowed.push(Matcher::parse(name).map_err(|problem| (at, problem))?);
        }
        let orders = ORDERS
            .iter()
            .map(|name| Matcher::parse(name))
            .collect::<Result<_, _>>()
            .map_err(|problem| (0, problem))?;
        Ok(Self { allowed, orders })
    }

    /// Why a variable may not be set; `None` where it may.
    pub(crate) fn refuses(&self, name: &str, value: &str) -> Option<String> {
        let mut letters = name.chars();
        let written = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            && letters.all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !written {
            return Some(format!("`{name}` is not a variable's name"));
        }
        if self.allowed.iter().any(|one| one.source() == name) {
            return self.names_a_file(name, value);
        }
        if self.orders.iter().any(|one| one.matches(name)) {
            return Some(format!(
                "`{name}` gives orders to programs, and is set only where the policy's `commands.environment` names it"
            ));
        }
        if self.allowed.iter().any(|one| one.matches(name)) {
            return self.names_a_file(name, value);
        }
        Some(format!("`{name}` is not among the variables that may be set"))
    }

    /// Locales and time zones are looked up as files.
    fn names_a_file(&self, name: &str, value: &str) -> Option<String> {
        let looked_up = name.starts_with("LANG") || name.starts_with("LC_") || name == "TERM";
        let bad = (looked_up && value.contains('/'))
            || (name == "TZ" && (value.starts_with(['/', ':']) || value.contains("..")));
        (bad || value.contains('\0')).then(|| format!("the value of `{name}` names a file"))
    }
}
