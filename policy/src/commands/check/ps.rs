//! ps: the same letter means one thing behind a dash and another one without, and `e` without one shows every process's
//! environment.

use super::starts;
use crate::commands::facts::{Access, Facts};
use crate::commands::flags::Seen;

/// Flags behind a dash that take a value.
const VALUED: &str = "CGgOopqstUuN";
/// Columns. Another one makes procps read all words again, the other way.
const COLUMNS: &str = "pid ppid pgid sid tid lwp spid nlwp thcount user uid euser euid ruser ruid suser suid group gid egroup egid rgroup rgid comm cmd command args ucmd ucomm fname \
    pcpu %cpu c cp pmem %mem rss rssize rsz vsz vsize sz size drs trs maj_flt min_flt stat s state f flag flags nice ni pri priority rtprio cls class policy sched psr tty tt tname time cputime \
    cputimes times etime etimes bsdtime start start_time stime lstart bsdstart wchan nwchan label cgroup cgroupname cgname ipcns mntns netns pidns userns utsns numa pss uss rbytes wbytes eip esp stackp \
    pending blocked ignored caught unit slice machine session ouid seat oom oomadj oom_adj oomscoreadj";

pub(super) fn look(facts: &mut Facts) {
    facts.seen.clear();
    facts.operands.clear();
    let words: Vec<String> = facts.argv.iter().skip(1).cloned().collect();
    let (mut dashed_e, mut doubtful, mut environment) = (false, false, false);
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        if let Some(long) = word.strip_prefix("--") {
            facts.seen.push(Seen::mark(word, None));
            doubtful |= !matches!(
                long,
                "forest"
                    | "no-headers"
                    | "noheaders"
                    | "headers"
                    | "help"
                    | "version"
                    | "deselect"
                    | "context"
            ) && !sorts(long);
        } else if let Some(letters) = word.strip_prefix('-') {
            let letters = letters.char_indices();
            for (at, letter) in letters {
                dashed_e |= letter == 'e';
                let mut seen = Seen::mark(&format!("-{letter}"), None);
                if VALUED.contains(letter) && letter != 'N' {
                    let glued = word.get(at + 1 + letter.len_utf8()..).unwrap_or_default();
                    let value = if glued.is_empty() {
                        rest.next().map(String::as_str).unwrap_or_default()
                    } else {
                        glued
                    };
                    doubtful |= !plain(letter, value);
                    environment |= letter.eq_ignore_ascii_case(&'o') && value.contains("env");
                    dashed_e |= glued.contains('e') && !plain(letter, value);
                    seen.value = Some(value.to_owned());
                    facts.seen.push(seen);
                    break;
                }
                doubtful |= !"AadefFHjlLmMNPTVwyZcn".contains(letter);
                facts.seen.push(seen);
            }
        } else {
            // Without a dash: letters, or process numbers.
            let number = word.bytes().all(|byte| byte.is_ascii_digit() || byte == b',');
            facts.operands.push(word.clone());
            if number {
                continue;
            }
            let letters = word.split(['o', 'O', 'k', 'p', 't', 'U']).next().unwrap_or_default();
            environment |= letters.contains('e');
            // What follows a letter with a value is that value, glued or not.
            if letters.len() < word.len() {
                let glued = word.get(letters.len() + 1..).unwrap_or_default();
                let value = if glued.is_empty() {
                    rest.next().map(String::as_str).unwrap_or_default()
                } else {
                    glued
                };
                let list = value
                    .split([',', ' '])
                    .all(|one| column(one) || one.bytes().all(|byte| byte.is_ascii_digit()));
                environment |= !list
                    && (word.contains('e') || value.contains("env") || !sorts(&format!("sort={value}")));
            }
        }
    }
    if environment || (dashed_e && doubtful) {
        facts.path("/proc/1/environ", Access::Read, None);
        starts(
            facts,
            "this form of ps shows, or could be read as showing, the environment of every process, with its secrets",
            "`ps -ef` or `ps -eo pid,user,args`",
        );
    }
}

fn column(text: &str) -> bool {
    let name = text.split(['=', ':']).next().unwrap_or_default();
    COLUMNS.split_whitespace().any(|column| column == name)
}

/// A value that ps surely accepts as it stands.
fn plain(letter: char, value: &str) -> bool {
    match letter {
        'o' | 'O' => value.split([',', ' ']).all(column),
        'C' => !value.is_empty(),
        'p' | 'q' | 's' => value
            .split([',', ' '])
            .all(|one| !one.is_empty() && one.bytes().all(|byte| byte.is_ascii_digit())),
        _ => false,
    }
}

fn sorts(long: &str) -> bool {
    long.strip_prefix("sort=")
        .is_some_and(|keys| keys.split(',').all(|key| column(key.trim_start_matches(['-', '+']))))
        || long.strip_prefix("pid=").is_some_and(|value| plain('p', value))
        || long.strip_prefix("ppid=").is_some_and(|value| plain('p', value))
}
