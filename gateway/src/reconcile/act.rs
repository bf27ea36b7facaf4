//! Doing what a plan says, and telling what was done.

use std::future::Future;
use std::time::Duration;

use k8s_openapi::api::rbac::v1::RoleBinding;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::api::{Api, DeleteParams, PostParams, Preconditions};
use kube::{Client, ResourceExt};
use sallyport_policy::lifecycle::{Command, End, Life, Stage, step};

use super::plan::{TRIED_FOR, Task, noted_for};
use crate::audit::{Audit, Event, Kind, Outcome, Person};
use crate::clock::SharedClock;
use crate::crd::{AccessRequest, AccessRequestStatus, Mirror, Opened, Phase};

/// How long one call may take.
const CALL: Duration = Duration::from_secs(10);
/// The condition that says whether what a grant needs exists.
const READY: &str = "Ready";

/// Why a task was not done. It is tried again.
#[derive(Debug, thiserror::Error)]
pub(super) enum ActError {
    /// The API server said no, or nothing worth the name.
    #[error("cannot {doing}")]
    Call {
        /// What was tried.
        doing: &'static str,
        /// The cause.
        source: Box<kube::Error>,
    },
    /// No answer.
    #[error("cannot {doing}: no answer within {}s", CALL.as_secs())]
    Silence {
        /// What was tried.
        doing: &'static str,
    },
    /// A binding could not be made, for a reason that the requester should know.
    #[error("cannot create a binding: {why}")]
    Binding {
        /// In words for the requester.
        why: String,
        /// The cause.
        source: Box<kube::Error>,
    },
    /// Somebody else was faster; look again.
    #[error("it was changed by somebody else meanwhile")]
    Conflict,
}

/// What is needed to act.
#[derive(Clone)]
pub(super) struct Hands {
    pub(super) client: Client,
    pub(super) clock: SharedClock,
    pub(super) audit: Audit,
    pub(super) requests: Mirror<AccessRequest>,
    pub(super) bindings: Mirror<RoleBinding>,
}

impl Hands {
    /// The request as the API server has it this moment.
    pub(super) async fn live(&self, name: &str) -> Result<Option<AccessRequest>, ActError> {
        let api: Api<AccessRequest> = Api::all(self.client.clone());
        call("read a request", api.get_opt(name)).await
    }

    /// Does one task; `request` is as it was read live.
    pub(super) async fn perform(&self, request: &AccessRequest, task: Task) -> Result<(), ActError> {
        match task {
            Task::Store(life) => self.store(request, &life).await,
            Task::Create(binding) => self.create(&binding).await,
            Task::Delete { namespace, name, uid } => self.delete(&namespace, &name, uid).await,
            Task::Note(bindings) => self.note(request, bindings).await,
            Task::Spoil(why) => {
                let mut status = request.status.clone().unwrap_or_default();
                (status.phase, status.ended_at) = (Phase::Failed, Some(self.clock.now()));
                status.message = Some(why.clone());
                self.condition(&mut status, false, "Changed", &why);
                self.write(request, status).await?;
                tracing::error!(request = request.name_any(), why, "a request is void");
                self.audit.record(Event {
                    request: Some(request.name_any()),
                    policy: Some(request.spec.policy.clone()),
                    why: Some(why),
                    ..Event::new(self.clock.now(), Kind::GrantEnded, Outcome::Failed)
                });
                Ok(())
            }
        }
    }

    async fn store(&self, request: &AccessRequest, life: &Life) -> Result<(), ActError> {
        let mut status = request.status_for(life, None);
        match &life.stage {
            Stage::Active { .. } => {
                let name = request.request_name().map(|name| name.binding()).unwrap_or_default();
                status.opened = noted_for(&name, life.asked.scope.namespaces.iter());
                self.condition(&mut status, true, "Open", "the bindings exist");
            }
            Stage::Ended(_) => {
                let (reason, message) = (status.phase.to_string(), "the grant is over".to_owned());
                self.condition(&mut status, false, &reason, &message);
            }
            Stage::Pending { .. } | Stage::Approved { .. } => {}
        }
        self.write(request, status).await?;
        self.announce(request, life);
        Ok(())
    }

    async fn note(&self, request: &AccessRequest, bindings: Vec<Opened>) -> Result<(), ActError> {
        let mut status = request.status.clone().unwrap_or_default();
        let cleaned = bindings.is_empty();
        status.opened = bindings;
        self.write(request, status).await?;
        if cleaned {
            self.audit.record(Event {
                request: Some(request.name_any()),
                policy: Some(request.spec.policy.clone()),
                why: Some("its bindings are gone".to_owned()),
                ..Event::new(self.clock.now(), Kind::GrantCleaned, Outcome::Ok)
            });
        }
        Ok(())
    }

    async fn create(&self, wanted: &RoleBinding) -> Result<(), ActError> {
        let namespace = wanted.namespace().unwrap_or_default();
        let api: Api<RoleBinding> = Api::namespaced(self.client.clone(), &namespace);
        let doing = "create a binding";
        match call(doing, api.create(&PostParams::default(), wanted)).await {
            Ok(made) => {
                self.bindings.learn(made);
                Ok(())
            }
            Err(ActError::Call { source, doing }) => match &*source {
                // Another gateway made it, or our copy is behind: the next look tells which.
                kube::Error::Api(status)
                    if status.code == 409 && !status.message.contains("being terminated") =>
                {
                    self.learn(&api, &wanted.name_any()).await
                }
                kube::Error::Api(status) => match in_words(status.code, &namespace, &wanted.role_ref.name) {
                    Some(why) => Err(ActError::Binding { why, source }),
                    None => Err(ActError::Call { doing, source }),
                },
                _ => Err(ActError::Call { doing, source }),
            },
            Err(error) => Err(error),
        }
    }

    /// A binding of that name is there although our copy does not have it.
    async fn learn(&self, api: &Api<RoleBinding>, name: &str) -> Result<(), ActError> {
        match call("read a binding", api.get_opt(name)).await? {
            Some(there) => {
                let ours = super::binding::request_of(&there).is_some();
                if ours {
                    self.bindings.learn(there);
                    return Err(ActError::Conflict);
                }
                // Not labelled ours: somebody put it there to be in the way, or to be adopted.
                self.delete(&there.namespace().unwrap_or_default(), name, there.uid()).await
            }
            None => Err(ActError::Conflict),
        }
    }

    pub(super) async fn delete(
        &self,
        namespace: &str,
        name: &str,
        uid: Option<String>,
    ) -> Result<(), ActError> {
        let api: Api<RoleBinding> = Api::namespaced(self.client.clone(), namespace);
        let params = DeleteParams::default().preconditions(Preconditions { uid, resource_version: None });
        match call("delete a binding", api.delete(name, &params)).await {
            Ok(_) => Ok(()),
            // Gone already, or replaced by another object, which has its own turn.
            Err(ActError::Call { source, .. }) if matches!(&*source, kube::Error::Api(status) if matches!(status.code, 404 | 409)) => {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Tells the requester why their grant does not open, and gives up on it after [`TRIED_FOR`].
    pub(super) async fn complain(&self, request: &AccessRequest, why: &str) -> Result<(), ActError> {
        let Ok(life) = request.life() else { return Ok(()) };
        let now = self.clock.now();
        let mut status = request.status.clone().unwrap_or_default();
        if let Stage::Approved { window, .. } = &life.stage
            && window.start.checked_add(TRIED_FOR).is_ok_and(|give_up| now >= give_up)
        {
            return self.store(request, &step(life, &Command::Fail { why }, now).life).await;
        }
        if status.message.as_deref() == Some(why) {
            return Ok(());
        }
        status.message = Some(why.to_owned());
        self.condition(&mut status, false, "BindingFailed", why);
        self.write(request, status).await
    }

    async fn write(&self, request: &AccessRequest, status: AccessRequestStatus) -> Result<(), ActError> {
        let api: Api<AccessRequest> = Api::all(self.client.clone());
        let mut changed = request.clone();
        changed.status = Some(status);
        let (name, params) = (request.name_any(), PostParams::default());
        match call("write a request's status", api.replace_status(&name, &params, &changed)).await {
            Ok(written) => {
                self.requests.learn(written);
                Ok(())
            }
            Err(ActError::Call { source, .. }) if matches!(&*source, kube::Error::Api(status) if matches!(status.code, 404 | 409)) => {
                Err(ActError::Conflict)
            }
            Err(error) => Err(error),
        }
    }

    fn condition(&self, status: &mut AccessRequestStatus, holds: bool, reason: &str, message: &str) {
        let word = if holds { "True" } else { "False" };
        let same = |one: &Condition| one.type_ == READY && one.status == word;
        let since =
            status.conditions.iter().find(|one| same(one)).map(|one| one.last_transition_time.clone());
        status.conditions.retain(|one| one.type_ != READY);
        status.conditions.push(Condition {
            type_: READY.to_owned(),
            status: word.to_owned(),
            reason: reason.to_owned(),
            message: message.to_owned(),
            last_transition_time: since.unwrap_or_else(|| Time(self.clock.now())),
            observed_generation: None,
        });
    }

    fn announce(&self, request: &AccessRequest, life: &Life) {
        let had_window = request.status.as_ref().is_some_and(|status| status.window.is_some());
        let (kind, outcome, why) = match &life.stage {
            Stage::Active { .. } => (Kind::GrantStarted, Outcome::Ok, None),
            Stage::Ended(End::Expired { .. }) if had_window => {
                (Kind::GrantEnded, Outcome::Ok, Some("the window is over".to_owned()))
            }
            Stage::Ended(End::Expired { .. }) => {
                (Kind::RequestDenied, Outcome::Ok, Some("nobody approved it in time".to_owned()))
            }
            Stage::Ended(End::Failed { why, .. }) => {
                tracing::error!(request = request.name_any(), why, "a grant could not be opened");
                (Kind::GrantEnded, Outcome::Failed, Some(why.clone()))
            }
            _ => return,
        };
        let until = match &life.stage {
            Stage::Active { window, .. } => Some(window.end),
            _ => None,
        };
        let who = &request.spec.requester;
        let person = Person {
            username: who.username.clone(),
            issuer: Some(who.issuer.clone()),
            subject: Some(who.subject.clone()),
        };
        self.audit.record(Event {
            person: Some(person),
            request: Some(request.name_any()),
            policy: Some(request.spec.policy.clone()),
            reason: request.spec.reason.clone(),
            why,
            until,
            ..Event::new(self.clock.now(), kind, outcome)
        });
    }
}

/// Whether a phase may have bindings that are missing.
pub(super) const fn may_need_bindings(phase: Phase) -> bool {
    matches!(phase, Phase::Approved | Phase::Active)
}

/// Why a binding was not made, for the requester; `None` where that is nobody's doing and will pass.
fn in_words(code: u16, namespace: &str, role: &str) -> Option<String> {
    match code {
        404 => Some(format!("namespace `{namespace}` does not exist")),
        403 => Some(format!("the gateway may not bind ClusterRole `{role}` in namespace `{namespace}`")),
        409 => Some(format!("namespace `{namespace}` is being deleted")),
        400..=499 if code != 429 => {
            Some(format!("ClusterRole `{role}` cannot be bound in namespace `{namespace}` (status {code})"))
        }
        _ => None,
    }
}

async fn call<T>(
    doing: &'static str,
    work: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, ActError> {
    match tokio::time::timeout(CALL, work).await {
        Ok(answer) => answer.map_err(|source| ActError::Call { doing, source: Box::new(source) }),
        Err(_) => Err(ActError::Silence { doing }),
    }
}
