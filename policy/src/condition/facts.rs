//! What a condition may speak of, and as what.
//!
//! | name | type |
//! |---|---|
//! | `request` | policy, reason, ticket: text; namespaces, workloads, pods, containers: lists of text; ports: list of int; duration; start: timestamp; breakGlass: bool |
//! | `person` | username: text; groups: list of text |
//! | `groups` | the person's groups, once more |
//! | `now` | timestamp |
//! | `history` | openNow, askedLastHour, askedLastDay, deniedLastDay, grantedLastDay: int |
//! | `target` | namespace, pod, container, action: text; labels: map of text |

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use cel::common::types::{CelList, CelString};
use cel::common::value::Val;
use cel::objects::{Key, Map};
use cel::{Context, Value};
use chrono::{DateTime, FixedOffset, TimeDelta};
use jiff::Timestamp;

use super::{Condition, Mentions, STANDARD};
use crate::policy::Policy;
use crate::question::{Question, Use};

/// What the conditions of one decision are evaluated on. Put together when the first of them asks, and once.
pub(crate) struct Facts<'a> {
    policy: &'a Policy,
    question: &'a Question<'a>,
    /// Where a grant is used; only what needs no target is evaluated without it.
    used: Option<&'a Use<'a>>,
    /// What is bound; nothing else can be asked of them.
    mentions: Mentions,
    context: OnceCell<Context<'a, 'a>>,
}

fn text(text: &str) -> Value {
    Value::String(Arc::new(text.to_owned()))
}

fn texts<T: ToString>(items: impl IntoIterator<Item = T>) -> Value {
    Value::List(Arc::new(items.into_iter().map(|item| text(&item.to_string())).collect()))
}

fn moment(moment: Timestamp) -> Value {
    let nanoseconds = u32::try_from(moment.subsec_nanosecond()).unwrap_or_default();
    let moment = DateTime::from_timestamp(moment.as_second(), nanoseconds).unwrap_or_default();
    Value::Timestamp(DateTime::<FixedOffset>::from(moment))
}

fn map<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    let map: HashMap<Key, Value> =
        fields.into_iter().map(|(name, value)| (Key::String(Arc::new(name.to_owned())), value)).collect();
    Value::Map(Map { map: Arc::new(map) })
}

#[cfg(test)]
pub(super) fn moment_for_tests(given: Timestamp) -> Value {
    moment(given)
}

impl<'a> Facts<'a> {
    pub(crate) fn new(policy: &'a Policy, question: &'a Question<'a>, used: Option<&'a Use<'a>>) -> Self {
        Self { policy, question, used, mentions: policy.mentions, context: OnceCell::new() }
    }

    /// The same for one condition alone: what the policy's others mention is not put together for it.
    pub(crate) const fn of(policy: &'a Policy, question: &'a Question<'a>, condition: &Condition) -> Self {
        Self { policy, question, used: None, mentions: condition.mentions(), context: OnceCell::new() }
    }

    /// The variables, bound.
    pub(super) fn context(&self) -> &Context<'a, 'a> {
        self.context.get_or_init(|| {
            let mut context = Context::with_env(Arc::clone(&STANDARD));
            self.bind(&mut context);
            context
        })
    }

    /// Binds what the conditions mention, and nothing else.
    fn bind(&self, context: &mut Context<'a, 'a>) {
        let Question { who, scope, duration, reason, ticket, start, history: past, now } = *self.question;
        let mentions = self.mentions;
        let mut request = HashMap::new();
        let mut put = |field: &'static str, value: &dyn Fn() -> Value| {
            if mentions.has("request", field) {
                request.insert(Key::String(Arc::new(field.to_owned())), value());
            }
        };
        put("policy", &|| text(self.policy.name().as_str()));
        put("namespaces", &|| texts(&scope.namespaces));
        put("workloads", &|| texts(&scope.workloads));
        put("pods", &|| texts(&scope.pods));
        put("containers", &|| texts(&scope.containers));
        put("ports", &|| {
            Value::List(Arc::new(scope.ports.iter().map(|port| Value::Int(i64::from(*port))).collect()))
        });
        put("duration", &|| Value::Duration(TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)));
        put("reason", &|| text(reason.unwrap_or_default()));
        put("ticket", &|| text(ticket.unwrap_or_default()));
        put("start", &|| moment(start));
        put("breakGlass", &|| Value::Bool(self.policy.is_break_glass()));
        if !request.is_empty() {
            context.add_variable_from_value("request", Value::Map(Map { map: Arc::new(request) }));
        }
        let mut person = HashMap::new();
        if mentions.has("person", "username") {
            person.insert(Key::String(Arc::new("username".to_owned())), text(&who.username));
        }
        if mentions.has("person", "groups") {
            person.insert(Key::String(Arc::new("groups".to_owned())), texts(&who.groups));
        }
        if !person.is_empty() {
            context.add_variable_from_value("person", Value::Map(Map { map: Arc::new(person) }));
        }
        if mentions.has("groups", "") {
            // By far the longest list, and looked through one by one: bound as it is, not copied.
            let groups =
                who.groups.iter().map(|group| Box::new(CelString::from(group.as_str())) as Box<dyn Val + 'a>);
            context.add_variable_as_val("groups", Box::new(CelList::from(groups.collect::<Vec<_>>())));
        }
        if mentions.has("now", "") {
            context.add_variable_from_value("now", moment(now));
        }
        if mentions.any("history") {
            let counts = [
                ("openNow", past.open_now),
                ("askedLastHour", past.asked_last_hour),
                ("askedLastDay", past.asked_last_day),
                ("deniedLastDay", past.denied_last_day),
                ("grantedLastDay", past.granted_last_day),
            ];
            let mentioned = counts.into_iter().filter(|(field, _)| mentions.has("history", field));
            let past = map(mentioned.map(|(field, number)| (field, Value::Int(i64::from(number)))));
            context.add_variable_from_value("history", past);
        }
        if let Some(used) = self.used.filter(|_| mentions.any("target"))
            && let Some(facts) = used.target
        {
            let labels = || {
                let pairs = facts.labels.iter();
                let pairs = pairs.map(|(key, value)| (Key::String(Arc::new(key.clone())), text(value)));
                Value::Map(Map { map: Arc::new(pairs.collect()) })
            };
            let fields: [(&str, &dyn Fn() -> Value); 5] = [
                ("namespace", &|| text(used.namespace.as_str())),
                ("pod", &|| text(facts.pod.as_str())),
                ("container", &|| text(facts.container.map_or("", |container| container.as_str()))),
                ("labels", &labels),
                ("action", &|| text(&used.action.to_string())),
            ];
            let mentioned = fields.into_iter().filter(|(field, _)| mentions.has("target", field));
            let target = map(mentioned.map(|(field, value)| (field, value())));
            context.add_variable_from_value("target", target);
        }
    }
}

/// Binds every variable to an example of its type.
pub(super) fn bind_examples(context: &mut Context<'_, '_>) {
    let (one, now) = (texts(["example"]), moment(Timestamp::UNIX_EPOCH));
    let request = map([
        ("policy", text("example")),
        ("namespaces", one.clone()),
        ("workloads", one.clone()),
        ("pods", one.clone()),
        ("containers", one.clone()),
        ("ports", Value::List(Arc::new(vec![Value::Int(1)]))),
        ("duration", Value::Duration(TimeDelta::seconds(60))),
        ("reason", text("example")),
        ("ticket", text("example")),
        ("start", now.clone()),
        ("breakGlass", Value::Bool(false)),
    ]);
    context.add_variable_from_value("request", request);
    context.add_variable_from_value("person", map([("username", text("example")), ("groups", one.clone())]));
    context.add_variable_from_value("groups", one);
    context.add_variable_from_value("now", now);
    let counts = ["openNow", "askedLastHour", "askedLastDay", "deniedLastDay", "grantedLastDay"];
    context.add_variable_from_value("history", map(counts.map(|name| (name, Value::Int(0)))));
    let labels = map([("example", text("example"))]);
    let target = [
        ("namespace", text("example")),
        ("pod", text("example")),
        ("container", text("example")),
        ("labels", labels),
        ("action", text("exec")),
    ];
    context.add_variable_from_value("target", map(target));
}
