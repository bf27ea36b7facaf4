//! The commands about access itself: `request`, `why`, `extend`, `review`, `lock`.

use sallyport_policy::names::{ContainerName, Namespace, PodName, PolicyName};
use sallyport_policy::{Workload, WorkloadError};

use super::{Arguments, TARGET};
use crate::access::{LockSubject, MOST_NARROWED};
use crate::bridge::TargetKind;
use crate::crd::ReviewVerdict;
use crate::lobby::command::{Command, Doing, Extend, Lock, Output, Request, Review, Wait, Why};
use crate::lobby::near;
use crate::lobby::start::Start;
use crate::lobby::target::{self, TargetArg};
use crate::lobby::usage::UsageError;
use crate::lobby::verb::Verb;

/// What can be used, for `why`.
const ACTIONS: [&str; 4] = ["shell", "exec", "logs", "forward"];

impl Arguments<'_> {
    pub(super) fn request(&self) -> Result<Request, UsageError> {
        let mut request = self.asking()?;
        request.wait = self.wait(request.output)?;
        Ok(request)
    }

    /// `POLICY [TARGET…]` with everything that narrows it.
    fn asking(&self) -> Result<Request, UsageError> {
        let what = "the name of a policy (`policies` lists them)";
        let (command, usage) = (self.verb.name(), self.verb.usage());
        let Some((policy, targets)) = self.parsed.arguments.split_first() else {
            return Err(match self.parsed.value("reason") {
                Some(_) => UsageError::Swallowed { command, what },
                None => UsageError::Missing { command, what, usage },
            });
        };
        let (mut workloads, mut pods) = (Vec::new(), Vec::new());
        for typed in self.parsed.values("workload").flat_map(|list| list.split(',')) {
            push(&mut workloads, Workload::parse(typed.trim())?)?;
        }
        for typed in self.parsed.values("pod").flat_map(|list| list.split(',')) {
            push(&mut pods, pod(typed.trim())?)?;
        }
        for typed in targets {
            match Workload::parse(typed) {
                Ok(workload) => push(&mut workloads, workload)?,
                Err(WorkloadError::Kind { .. }) => push(&mut pods, pod(typed)?)?,
                Err(error) => return Err(error.into()),
            }
        }
        let mut namespaces = Vec::new();
        for name in self.parsed.values("namespace").flat_map(|list| list.split(',')) {
            push(&mut namespaces, Namespace::parse(name.trim())?)?;
        }
        let mut containers = Vec::new();
        for name in self.parsed.values("container").flat_map(|list| list.split(',')) {
            push(&mut containers, ContainerName::parse(name.trim())?)?;
        }
        Ok(Request {
            policy: PolicyName::parse(policy)?,
            namespaces,
            workloads,
            pods,
            containers,
            ports: self.ports()?,
            duration: self.duration("for")?,
            start: self.parsed.value("start").map(Start::parse).transpose()?,
            ticket: self.parsed.value("ticket").map(str::to_owned),
            reason: self.reason(),
            wait: None,
            output: self.output()?,
        })
    }

    fn ports(&self) -> Result<Vec<u16>, UsageError> {
        let mut ports = Vec::new();
        for typed in self.parsed.values("port").flat_map(|list| list.split(',')) {
            let port = typed.trim().parse::<u16>().ok().filter(|port| *port > 0);
            let invalid = || UsageError::Invalid {
                what: "the port",
                value: typed.to_owned(),
                why: "write a number from 1 to 65535".to_owned(),
            };
            push(&mut ports, port.ok_or_else(invalid)?)?;
        }
        Ok(ports)
    }

    fn wait(&self, output: Output) -> Result<Option<Wait>, UsageError> {
        let after = self.parsed.after_dashes.as_deref().unwrap_or_default();
        let Some((first, rest)) = after.split_first() else {
            return Ok(self.parsed.has("wait").then(Wait::default));
        };
        if !self.parsed.has("wait") {
            return Err(UsageError::NoWait);
        }
        if output == Output::Json {
            return Err(UsageError::JsonBeforeCommand);
        }
        let verb = Verb::named(first).filter(|verb| matches!(verb, Verb::Shell | Verb::Exec | Verb::Logs));
        let Some(verb) = verb else { return Err(UsageError::NotAfterWait { word: first.clone() }) };
        // A target in the user name is where the command goes, here too.
        let then = Arguments::read(verb, rest, self.target.clone())?.command()?;
        if matches!(then, Command::Help(_)) {
            return Err(UsageError::NotAfterWait { word: "--help".to_owned() });
        }
        Ok(Some(Wait { then: Some(Box::new(then)) }))
    }

    pub(super) fn extend(&self) -> Result<Extend, UsageError> {
        let name = self.name()?;
        let missing =
            UsageError::NeedsFlag { command: "extend", what: "how much longer", add: "--for DURATION" };
        let by = self.duration("for")?.filter(|by| !by.is_zero()).ok_or(missing)?;
        Ok(Extend { name, by, reason: self.reason(), output: self.output()? })
    }

    pub(super) fn review(&self) -> Result<Review, UsageError> {
        let name = self.name()?;
        let add = "--verdict justified|unjustified";
        let Some(typed) = self.parsed.value("verdict") else {
            return Err(UsageError::NeedsFlag { command: "review", what: "what you found", add });
        };
        let verdict = match typed.to_ascii_lowercase().as_str() {
            "justified" => ReviewVerdict::Justified,
            "unjustified" => ReviewVerdict::Unjustified,
            other => {
                let why = match near::nearest(other, ["justified", "unjustified"]) {
                    Some(near) => format!("did you mean `{near}`"),
                    None => "write `justified` or `unjustified`".to_owned(),
                };
                return Err(UsageError::Invalid { what: "the verdict", value: typed.to_owned(), why });
            }
        };
        let missing = UsageError::NeedsFlag {
            command: "review",
            what: "the grounds of your verdict",
            add: "--reason WORDS",
        };
        Ok(Review { name, verdict, reason: self.reason().ok_or(missing)?, output: self.output()? })
    }

    pub(super) fn lock(&self) -> Result<Lock, UsageError> {
        let person = self.parsed.value("person");
        let namespace = self.namespace()?;
        let arguments = self.parsed.arguments.as_slice();
        let subject = match (person, namespace, self.parsed.has("everything"), arguments) {
            (Some(person), None, false, []) => LockSubject::Person(person.to_owned()),
            (None, Some(namespace), false, []) => LockSubject::Target { namespace, pod: None },
            (None, Some(namespace), false, [typed]) => {
                LockSubject::Target { namespace, pod: Some(pod(typed)?) }
            }
            (None, None, true, []) => LockSubject::Everything,
            (None, Some(_), false, [_, word, ..]) => {
                let (command, usage) = ("lock", self.verb.usage());
                return Err(UsageError::Surplus { command, word: word.clone(), usage });
            }
            _ => return Err(UsageError::LockWhat),
        };
        let missing = UsageError::NeedsFlag {
            command: "lock",
            what: "a reason, which those who are shut out are shown",
            add: "--reason WORDS",
        };
        let reason = self.reason().ok_or(missing)?;
        Ok(Lock { subject, duration: self.duration("for")?, reason, output: self.output()? })
    }

    pub(super) fn why(&self) -> Result<Why, UsageError> {
        let first = self.parsed.arguments.first().map(String::as_str).unwrap_or_default();
        if !ACTIONS.contains(&first) {
            return Ok(Why::Asking(Box::new(self.asking()?)));
        }
        let action = match (first, self.ports()?.as_slice()) {
            ("forward", [port]) => Doing::Forward(*port),
            ("forward", _) => {
                let what = "the port that the tunnel goes to";
                return Err(UsageError::NeedsFlag { command: "why forward", what, add: "--port PORT" });
            }
            ("shell", _) => Doing::Shell,
            ("logs", _) => Doing::Logs,
            _ => Doing::Exec,
        };
        let target = match (&self.target, self.parsed.arguments.get(1..).unwrap_or_default()) {
            (Some(target), []) => target.clone(),
            (_, [typed]) => {
                let (kind, name) = target::parse(typed)?;
                let container = self.parsed.value("container").map(ContainerName::parse).transpose()?;
                TargetArg { namespace: self.namespace()?, kind, name, container }
            }
            (None, []) => {
                return Err(UsageError::Missing { command: "why", what: TARGET, usage: self.verb.usage() });
            }
            (_, [_, word, ..]) => {
                let usage = self.verb.usage();
                return Err(UsageError::Surplus { command: "why", word: word.clone(), usage });
            }
        };
        Ok(Why::Doing { action, target, output: self.output()? })
    }
}

/// `api-0` or `pod/api-0`; what is no workload and no pod is refused with what can be named.
fn pod(typed: &str) -> Result<PodName, UsageError> {
    match target::parse(typed)? {
        (TargetKind::Pod, name) => Ok(name),
        _ => Err(UsageError::Invalid {
            what: "the target",
            value: typed.to_owned(),
            why: "access is narrowed to POD, deploy/NAME, sts/NAME, ds/NAME or job/NAME".to_owned(),
        }),
    }
}

/// Adds what is not there yet, up to what a request can hold.
fn push<T: PartialEq>(list: &mut Vec<T>, item: T) -> Result<(), UsageError> {
    if list.contains(&item) {
        return Ok(());
    }
    if list.len() == MOST_NARROWED {
        return Err(UsageError::Invalid {
            what: "the request",
            value: format!("more than {MOST_NARROWED}"),
            why: format!("it takes at most {MOST_NARROWED} of each kind; ask twice, or for a workload"),
        });
    }
    list.push(item);
    Ok(())
}
