//! Paths that no rule opens: secrets, other processes, disks; and for writing, what others would run.

use super::facts::{Access, Touched};
use super::paths::PathPattern;

/// Neither read nor written. `default` in `protectedPaths` stands for both lists.
pub(crate) const UNREAD: &[&str] = &[
    "/var/run/secrets/**",
    "/run/secrets/**",
    "/var/lib/kubelet/**",
    "/etc/kubernetes/**",
    "/etc/shadow*",
    "/etc/gshadow*",
    "/etc/ssh/ssh_host_*",
    "/etc/ssl/private/**",
    "/etc/security/opasswd*",
    "/etc/pki/tls/private/**",
    "/etc/letsencrypt/live/**",
    "/etc/letsencrypt/archive/**",
    "/etc/wireguard/**",
    "/etc/rancher/**",
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/containerd/**",
    "/run/crio/**",
    "/run/podman/**",
    "/var/run/containerd/**",
    "/var/run/crio/**",
    "/etc/krb5.keytab",
    "/proc/*/environ",
    "/proc/*/task/*/environ",
    "/proc/*/mem",
    "/proc/*/task/*/mem",
    "/proc/*/auxv",
    "/proc/*/task/*/auxv",
    "/proc/*/root/**",
    "/proc/*/cwd/**",
    "/proc/*/fd/**",
    "/proc/*/map_files/**",
    "/proc/*/exe",
    "/proc/*/task/*/root/**",
    "/proc/*/task/*/cwd/**",
    "/proc/*/task/*/fd/**",
    "/proc/*/task/*/exe",
    "/dev/fd/**",
    "/proc/kcore",
    "/proc/vmcore",
    "/proc/kallsyms",
    "/proc/kmsg",
    "/proc/keys",
    "/sys/kernel/debug/**",
    "/sys/kernel/security/**",
    "/sys/kernel/tracing/**",
    "/sys/firmware/**",
    "/sys/fs/bpf/**",
    "/dev/mem",
    "/dev/kmem",
    "/dev/port",
    "/dev/sd*",
    "/dev/vd*",
    "/dev/xvd*",
    "/dev/nvme*",
    "/dev/hd*",
    "/dev/dm-*",
    "/dev/mapper/**",
    "/dev/loop*",
    "/dev/md*",
    "/dev/mmcblk*",
    "/dev/nbd*",
    "/dev/rbd*",
    "/dev/pmem*",
    "/dev/zram*",
    "/dev/ram*",
    "/dev/sr*",
    "/dev/root",
    "/dev/block/**",
    "/dev/disk/**",
    "/root/.ssh/**",
    "/home/*/.ssh/**",
    "/root/.kube/**",
    "/home/*/.kube/**",
    "/root/.aws/**",
    "/home/*/.aws/**",
    "/root/.gnupg/**",
    "/home/*/.gnupg/**",
    "/root/.config/gcloud/**",
    "/home/*/.config/gcloud/**",
    "/root/.config/gh/**",
    "/home/*/.config/gh/**",
    "/root/.azure/**",
    "/home/*/.azure/**",
    "**/.ssh/id_*",
    "**/.kube/config",
    "**/.docker/config.json",
    "**/.dockercfg",
    "**/.netrc",
    "**/.pgpass",
    "**/.my.cnf",
    "**/.git-credentials",
    "**/.vault-token",
    "**/.bash_history",
    "**/.psql_history",
    "**/.mysql_history",
    "**/.sh_history",
    "**/.ash_history",
    "**/.zsh_history",
    "**/.python_history",
    "**/.node_repl_history",
    "**/.rediscli_history",
    "**/.sqlite_history",
    "**/.mylogin.cnf",
    "**/.npmrc",
    "**/.pypirc",
];

/// Read, but not written: programs, libraries, accounts, and what programs read before they begin.
pub(crate) const UNWRITTEN: &[&str] = &[
    "/bin/**",
    "/sbin/**",
    "/usr/bin/**",
    "/usr/sbin/**",
    "/usr/local/bin/**",
    "/usr/local/sbin/**",
    "/usr/libexec/**",
    "/lib/**",
    "/lib32/**",
    "/lib64/**",
    "/libx32/**",
    "/usr/lib/**",
    "/usr/lib32/**",
    "/usr/lib64/**",
    "/usr/local/lib/**",
    "/usr/local/lib64/**",
    "/boot/**",
    "/proc/**",
    "/sys/**",
    "/dev/**",
    "/etc/ld.so.*",
    "/etc/ld.so.conf.d/**",
    "/etc/ld-musl*",
    "/etc/passwd*",
    "/etc/group*",
    "/etc/subuid*",
    "/etc/subgid*",
    "/etc/sudoers*",
    "/etc/sudoers.d/**",
    "/etc/doas*",
    "/etc/cron*/**",
    "/etc/cron*",
    "/etc/at.*",
    "/var/spool/cron/**",
    "/etc/profile*",
    "/etc/profile.d/**",
    "/etc/environment",
    "/etc/bash*",
    "/etc/zsh*/**",
    "/etc/zsh*",
    "/etc/inputrc",
    "/etc/pam.d/**",
    "/etc/security/**",
    "/etc/nsswitch.conf",
    "/etc/init.d/**",
    "/etc/inittab",
    "/etc/inetd.conf",
    "/etc/xinetd*/**",
    "/etc/runit/**",
    "/etc/s6*/**",
    "/etc/services.d/**",
    "/etc/cont-init.d/**",
    "/etc/supervisor*",
    "/etc/supervisor*/**",
    "/etc/alternatives/**",
    "/etc/logrotate*",
    "/etc/logrotate.d/**",
    "/etc/anacrontab",
    "/etc/periodic/**",
    "/var/spool/at/**",
    "/etc/udev/**",
    "/etc/network/**",
    "/etc/dhcp/**",
    "/etc/modprobe.d/**",
    "/etc/apt/**",
    "/etc/dpkg/**",
    "/etc/update-motd.d/**",
    "/etc/aliases",
    "/etc/hosts.allow",
    "/etc/hosts.deny",
    "/etc/ssl/openssl.cnf",
    "/etc/tmux.conf",
    "/etc/screenrc",
    "/etc/nanorc",
    "/etc/systemd/**",
    "/etc/rc*",
    "/etc/vim/**",
    "/etc/sysless",
    "/etc/psqlrc",
    "/etc/postgresql-common/**",
    "/etc/mysql/**",
    "/etc/my.cnf*",
    "/etc/gitconfig",
    "/etc/wgetrc",
    "/etc/topdefaultrc",
    "/etc/ssh/**",
    "/root/.config/**",
    "/home/*/.config/**",
    "**/.bash*",
    "**/.profile",
    "**/.zsh*",
    "**/.zprofile",
    "**/.zlogin",
    "**/.kshrc",
    "**/.mkshrc",
    "**/.shrc",
    "**/.ashrc",
    "**/.cshrc",
    "**/.tcshrc",
    "**/.login",
    "**/.inputrc",
    "**/.ssh/**",
    "**/.vimrc",
    "**/.gvimrc",
    "**/.vim/**",
    "**/.exrc",
    "**/.less",
    "**/.lesskey",
    "**/.lessfilter",
    "**/.toprc",
    "**/.htoprc",
    "**/procps/**",
    "**/.psqlrc",
    "**/.sqliterc",
    "**/.mylogin.cnf",
    "**/.curlrc",
    "**/.wgetrc",
    "**/.gitconfig",
    "**/.git/**",
    "**/.gdbinit",
    "**/.rediscli*",
    "**/.digrc",
    "**/.jq",
    "**/.jq/**",
    "**/.tmux.conf",
    "**/.screenrc",
    "**/.nanorc",
    "**/.xprofile",
    "**/.pam_environment",
    "**/.local/bin/**",
    "**/authorized_keys*",
];

/// Nothing is there to protect.
const HARMLESS: [&str; 6] =
    ["/dev/null", "/dev/stdin", "/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/zero"];
/// Trees of which it is known that nobody's home is in them, so that they can be searched although some patterns begin
/// with `**`.
const WITHOUT_HOMES: [&str; 2] = ["/var/log", "/usr/share"];

/// Whether a path is one of those that every process has and that hold nothing.
pub(crate) fn harmless(path: &str) -> bool {
    HARMLESS.contains(&path)
}

/// The lists that hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Protected {
    closed: Vec<PathPattern>,
    unread: Vec<PathPattern>,
    unwritten: Vec<PathPattern>,
}

impl Protected {
    /// The default lists, or others: patterns, with `read:` or `write:` before those that mean only that, and `default` for
    /// the default ones.
    ///
    /// # Errors
    /// Which one, and what is wrong with it.
    pub(crate) fn parse(given: Option<&[String]>) -> Result<Self, (usize, String)> {
        let mut lists = Self { closed: Vec::new(), unread: Vec::new(), unwritten: Vec::new() };
        let usual = ["default".to_owned()];
        for (at, one) in given.unwrap_or(&usual).iter().enumerate() {
            let wrong = |problem| (at, problem);
            if one == "default" {
                for pattern in UNREAD {
                    lists.closed.push(PathPattern::parse(pattern).map_err(wrong)?);
                }
                for pattern in UNWRITTEN {
                    lists.unwritten.push(PathPattern::parse(pattern).map_err(wrong)?);
                }
            } else if let Some(pattern) = one.strip_prefix("write:") {
                lists.unwritten.push(PathPattern::parse(pattern).map_err(wrong)?);
            } else if let Some(pattern) = one.strip_prefix("read:") {
                lists.unread.push(PathPattern::parse(pattern).map_err(wrong)?);
            } else {
                lists.closed.push(PathPattern::parse(one).map_err(wrong)?);
            }
        }
        Ok(lists)
    }

    /// The pattern that protects what is touched.
    pub(crate) fn hit(&self, touched: &Touched) -> Option<&str> {
        let rooted;
        let path = match &touched.path {
            Some(path) => path,
            None => {
                // Not known where from: at least not from the root, where most containers begin.
                rooted = super::paths::normal(&touched.written, Some("/"))?;
                &rooted
            }
        };
        // Memory that processes share: no device, so that rules may open it; they have to say so.
        if harmless(path) || path == "/dev/shm" || path.starts_with("/dev/shm/") {
            return None;
        }
        let unread = if touched.access == Access::Write { &[] } else { self.unread.as_slice() };
        let unwritten = if touched.access == Access::Read { &[] } else { self.unwritten.as_slice() };
        let mut all = self.closed.iter().chain(unread).chain(unwritten);
        all.find(|pattern| reached(pattern, path, touched)).map(PathPattern::source)
    }
}

/// Whether a pattern means a path, or something below it. One that begins with `**` could be below anything: for what is
/// read that counts, except in trees without homes; what is written or moved as a whole is not thereby known to anybody.
pub(crate) fn reached(pattern: &PathPattern, path: &str, touched: &Touched) -> bool {
    if pattern.matches(path) {
        return true;
    }
    if !touched.deep {
        return false;
    }
    if !pattern.floats() {
        return pattern.reaches_below(path);
    }
    let homeless = WITHOUT_HOMES
        .iter()
        .any(|tree| path.strip_prefix(tree).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')));
    pattern.continues(path) || (touched.access == Access::Read && touched.certain && !homeless)
}
