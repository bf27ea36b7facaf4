//! The pages of the commands about access itself.

use super::{Page, new};

pub(super) static REQUEST: Page = new(
    "request POLICY [TARGET…] [-n NS[,NS]] [--for DURATION] [--reason WORDS] [--wait [-- COMMAND]]",
    "ask for access; prints the request's name",
    "The first word on stdout is the request's name, for scripts. What happens next follows.\n\
     ssh takes the quotes off the reason, so it goes on until the next flag.\n\n\
     TARGET narrows it: deploy/NAME, sts/NAME, ds/NAME, job/NAME follow the workload wherever its pods are\n\
     scheduled, POD is that one pod. -c and --port narrow it to containers and tunnels' ports.\n\n\
     --wait tells who may approve and what they say, and exits with 0 when it is open, 77 when it is denied and 78\n\
     when it is over. With `-- shell …`, `-- exec …` or `-- logs …` it goes straight on, in the same connection.\n",
    &[
        "request oncall-debug -n payments --for 1h --reason \"INC-4711 checkout 500s\"",
        "request oncall-debug deploy/api -n payments --for 90m --ticket INC-4711 --start 14:00",
        "-t request oncall-debug -n payments --reason INC-4711 --wait -- shell deploy/api",
    ],
);
pub(super) static EXTEND: Page = new(
    "extend GRANT --for DURATION [--reason WORDS]",
    "make a grant of yours longer; beyond the policy's longest time this asks again",
    "Within the longest time of the policy it is the same grant with a later end. Beyond it, a new request is\n\
     made that goes on from it: your open sessions move over when it is open, and are cut at the old end if not.\n",
    &["extend oncall-debug-7k2m9x --for 30m", "extend oncall-debug-7k2m9x --for 1h --reason still looking"],
);
pub(super) static WITHDRAW: Page = new(
    "withdraw REQUEST [--reason WORDS]",
    "take back a request of yours that is not open yet",
    "",
    &["withdraw oncall-debug-7k2m9x", "withdraw oncall-debug-7k2m9x --reason solved"],
);
pub(super) static WHY: Page = new(
    "why POLICY [TARGET…] [-n NS] [--for DURATION] …  |  why shell|exec|logs|forward [-n NS] TARGET",
    "why you may or may not: of a request rule by rule, of a use by which grant",
    "With a policy it takes what `request` takes, and makes nothing. With a use it says which grant of yours covers\n\
     it (exit status 0), or why none does and what to ask for (77). External checks are not asked.\n",
    &[
        "why exec -n payments api-0",
        "why forward -n payments svc/postgres --port 5432",
        "why oncall-debug -n payments --for 4h --reason INC-4711",
    ],
);
pub(super) static REVIEWS: Page = new(
    "reviews [-o json]",
    "uses of break-glass that wait for your review",
    "",
    &["reviews", "reviews -o json"],
);
pub(super) static REVIEW: Page = new(
    "review REQUEST --verdict justified|unjustified --reason WORDS",
    "close the review of somebody else's break-glass",
    "",
    &["review break-glass-7k2m9x --verdict justified --reason checkout was down, recording is clean"],
);
pub(super) static LOCKS: Page =
    new("locks [-o json]", "what is locked, as far as it concerns you", "", &["locks", "locks -o json"]);
pub(super) static LOCK: Page = new(
    "lock (--person USERNAME | -n NS [POD] | --everything) [--for DURATION] --reason WORDS",
    "shut somebody, a place or everything out, now",
    "What is open there ends within a second: shells, tunnels, log streams. It does not come back with `unlock`.\n\
     The gateway's configuration names the groups that may lock.\n",
    &[
        "lock --person alice@example.com --reason laptop stolen",
        "lock -n payments api-0 --for 2h --reason forensics",
        "lock --everything --reason INC-4800",
    ],
);
pub(super) static UNLOCK: Page =
    new("unlock LOCK", "lift a lock; what it ended stays ended", "", &["unlock lock-7k2m9x"]);
pub(super) static RULES: Page = new(
    "rules [POLICY] [-o json]",
    "which commands your policies let run, and what each rule is worth",
    "A boundary: nothing else can be started. A guardrail prevents mistakes, no more.\n",
    &["rules", "rules oncall-debug", "rules -o json"],
);
