//! Doing what a plan says, and telling what was done.

use kube::ResourceExt;
use kube::api::{Api, PostParams};
use sallyport_policy::lifecycle::{Command, End, Life, Stage, step};

use super::api::{ActError, Pieces, call};
use super::piece::Piece;
use super::plan::{TRIED_FOR, Task};
use super::story;
use super::tell::Teller;
use crate::audit::{Audit, Event, Kind, Outcome, Place};
use crate::clock::SharedClock;
use crate::crd::{AccessRequest, AccessRequestStatus, Mirror, Opened, Phase, to_the_millisecond};

/// What is needed to act.
#[derive(Clone)]
pub(super) struct Hands {
    pub(super) pieces: Pieces,
    pub(super) clock: SharedClock,
    pub(super) audit: Audit,
    pub(super) requests: Mirror<AccessRequest>,
    pub(super) teller: Teller,
}

impl Hands {
    /// The request as the API server has it this moment.
    pub(super) async fn live(&self, name: &str) -> Result<Option<AccessRequest>, ActError> {
        call("read a request", self.api().get_opt(name)).await
    }

    /// Does one task; `request` is as it was read live.
    pub(super) async fn perform(&self, request: &AccessRequest, task: Task) -> Result<(), ActError> {
        match task {
            Task::Store(life, opened) => self.store(request, &life, opened).await,
            Task::Make { piece, again } => self.make(request, &piece, again).await,
            Task::Mend { there, wanted, difference } => {
                if difference.anew {
                    self.pieces.delete(&there).await?;
                    self.pieces.create(&wanted).await?;
                } else {
                    self.pieces.replace(&there.mended(&wanted)).await?;
                }
                if !difference.moved {
                    self.repaired(Some(request), &there.opened(), &format!("{}; put back", difference.what))
                        .await;
                }
                Ok(())
            }
            Task::Remove { piece, why } => self.remove(Some(request), &piece, why).await,
            Task::Settle(opened) => self.settle(request, opened).await,
            Task::Sweep(registered) => self.sweep(request, &registered).await,
            Task::Refuse(why) => Err(ActError::Refused { why }),
            Task::Spoil(why) => {
                let mut status = request.status.clone().unwrap_or_default();
                (status.phase, status.ended_at) = (Phase::Failed, Some(self.now()));
                status.message = Some(why.clone());
                self.write(request, status).await?;
                tracing::error!(request = request.name_any(), why, "a request is void");
                self.say(request, Kind::GrantEnded, Outcome::Failed, Some(why), None);
                Ok(())
            }
        }
    }

    async fn store(
        &self,
        request: &AccessRequest,
        life: &Life,
        opened: Option<Vec<Opened>>,
    ) -> Result<(), ActError> {
        let mut status = request.status_for(life, None);
        if let Some(opened) = opened {
            status.opened = opened;
        }
        self.write(request, status).await?;
        self.announce(request, life);
        Ok(())
    }

    /// Writes down what is there, with the conditions that follow from it.
    async fn settle(&self, request: &AccessRequest, opened: Vec<Opened>) -> Result<(), ActError> {
        let mut status = request.status.clone().unwrap_or_default();
        status.opened = opened;
        self.write(request, status).await
    }

    /// Looks after everything that the register names: what lost our labels would be seen by no watch.
    async fn sweep(&self, request: &AccessRequest, registered: &[Opened]) -> Result<(), ActError> {
        for one in registered {
            if let Some(piece) = self.pieces.get(one).await?
                && (piece.request() == Some(request.name_any().as_str()) || piece.was_for(request))
            {
                self.remove(Some(request), &piece, Some("it was hidden by changed labels")).await?;
            }
        }
        self.settle(request, Vec::new()).await?;
        self.say(
            request,
            Kind::GrantCleaned,
            Outcome::Ok,
            Some("what it had opened is gone".to_owned()),
            None,
        );
        Ok(())
    }

    async fn make(&self, request: &AccessRequest, piece: &Piece, again: bool) -> Result<(), ActError> {
        let opened = piece.opened();
        match self.pieces.create(piece).await {
            Ok(()) => {
                if again {
                    self.repaired(Some(request), &opened, "it was gone; made again").await;
                }
                Ok(())
            }
            Err(ActError::Call { source, doing }) => match &*source {
                // Another gateway made it, or our copy is behind: look which.
                kube::Error::Api(status)
                    if status.code == 409 && !status.message.contains("being terminated") =>
                {
                    self.in_the_way(request, piece).await
                }
                kube::Error::Api(status) => match in_words(status.code, &opened, piece) {
                    Some(why) => Err(ActError::Refused { why }),
                    None => Err(ActError::Call { doing, source }),
                },
                _ => Err(ActError::Call { doing, source }),
            },
            Err(error) => Err(error),
        }
    }

    /// Something of that name is there although our copy does not have it.
    async fn in_the_way(&self, request: &AccessRequest, wanted: &Piece) -> Result<(), ActError> {
        let opened = wanted.opened();
        let Some(there) = self.pieces.get(&opened).await? else { return Err(ActError::Conflict) };
        if there.request() == Some(request.name_any().as_str()) {
            self.pieces.learn(&there);
            return Err(ActError::Conflict);
        }
        if there.request().is_none() && there.was_for(request) {
            // Ours, with its labels taken off.
            self.pieces.delete(&there).await?;
            self.pieces.create(wanted).await?;
            self.repaired(Some(request), &opened, "its labels were taken off; made again").await;
            return Ok(());
        }
        let Opened { kind, namespace, name } = opened;
        Err(ActError::Refused {
            why: format!("a {kind} `{name}` that is not ours is in the way in namespace `{namespace}`"),
        })
    }

    /// Deletes a piece; `why` where it should never have been there.
    pub(super) async fn remove(
        &self,
        request: Option<&AccessRequest>,
        piece: &Piece,
        why: Option<&str>,
    ) -> Result<(), ActError> {
        if self.pieces.delete(piece).await?
            && let Some(why) = why
        {
            let of = piece.request().unwrap_or_default().to_owned();
            match request {
                Some(_) => self.repaired(request, &piece.opened(), &format!("{why}; removed")).await,
                None => self.orphan(&of, &piece.opened(), why),
            }
        }
        Ok(())
    }

    fn orphan(&self, of: &str, what: &Opened, why: &str) {
        let Opened { kind, namespace, name } = what;
        tracing::warn!(kind, namespace, name, why, "removed what belonged to nothing");
        self.audit.record(Event {
            request: Some(of.to_owned()),
            place: Some(Place { namespace: Some(namespace.clone()), ..Place::default() }),
            why: Some(format!("{kind} {namespace}/{name}: {why}; removed")),
            ..Event::new(self.clock.now(), Kind::GrantRepaired, Outcome::Ok)
        });
    }

    async fn repaired(&self, request: Option<&AccessRequest>, what: &Opened, how: &str) {
        let Opened { kind, namespace, name } = what;
        let Some(request) = request else { return };
        let why = format!("{kind} {namespace}/{name}: {how}");
        tracing::warn!(request = request.name_any(), why, "repaired what a grant had opened");
        self.say(request, Kind::GrantRepaired, Outcome::Ok, Some(why.clone()), Some(namespace));
        self.teller.mention(request, "Repaired", &why).await;
    }

    /// Tells the requester why their grant does not open, and gives up on it after [`TRIED_FOR`].
    pub(super) async fn complain(&self, request: &AccessRequest, why: &str) -> Result<(), ActError> {
        let Ok(life) = request.life() else { return Ok(()) };
        let now = self.now();
        let mut status = request.status.clone().unwrap_or_default();
        if let Stage::Approved { window, .. } = &life.stage
            && window.start.checked_add(TRIED_FOR).is_ok_and(|give_up| now >= give_up)
        {
            return self.store(request, &step(life, &Command::Fail { why }, now).life, None).await;
        }
        if status.message.as_deref() == Some(why) {
            return Ok(());
        }
        status.message = Some(why.to_owned());
        self.write(request, status).await
    }

    /// Writes a status, with its conditions.
    pub(super) async fn write(
        &self,
        request: &AccessRequest,
        status: AccessRequestStatus,
    ) -> Result<(), ActError> {
        let mut changed = request.clone();
        changed.status = Some(status);
        let opened = changed.status.as_ref().map(|status| status.opened.clone()).unwrap_or_default();
        let conditions = story::conditions(&changed, &opened);
        if let Some(status) = &mut changed.status {
            status.conditions = conditions;
        }
        let (name, params, api) = (request.name_any(), PostParams::default(), self.api());
        match call("write a request's status", api.replace_status(&name, &params, &changed)).await {
            Ok(written) => {
                self.requests.learn(written);
                Ok(())
            }
            Err(error) if matches!(error.code(), Some(404 | 409)) => Err(ActError::Conflict),
            Err(error) => Err(error),
        }
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
            Stage::Ended(End::Lapsed { why, .. }) => (Kind::GrantEnded, Outcome::Ok, Some(why.clone())),
            Stage::Ended(End::Refused { why, .. }) => (Kind::RequestDenied, Outcome::Ok, Some(why.clone())),
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
        self.audit.record(Event { until, ..self.event(request, kind, outcome, why) });
    }

    /// Records an event about a request.
    pub(super) fn say(
        &self,
        request: &AccessRequest,
        kind: Kind,
        outcome: Outcome,
        why: Option<String>,
        namespace: Option<&str>,
    ) {
        let place = namespace.map(|one| Place { namespace: Some(one.to_owned()), ..Place::default() });
        self.audit.record(Event { place, ..self.event(request, kind, outcome, why) });
    }

    fn event(&self, request: &AccessRequest, kind: Kind, outcome: Outcome, why: Option<String>) -> Event {
        Event {
            person: Some((&request.spec.requester).into()),
            request: Some(request.name_any()),
            policy: Some(request.spec.policy.clone()),
            reason: request.spec.reason.clone(),
            why,
            ..Event::new(self.clock.now(), kind, outcome)
        }
    }

    pub(super) fn api(&self) -> Api<AccessRequest> {
        Api::all(self.pieces.client.clone())
    }

    pub(super) fn now(&self) -> jiff::Timestamp {
        to_the_millisecond(self.clock.now())
    }
}

/// Why a piece was not made, for the requester; `None` where that is nobody's doing and will pass.
fn in_words(code: u16, place: &Opened, piece: &Piece) -> Option<String> {
    let namespace = &place.namespace;
    match (code, piece) {
        (404, _) => Some(format!("namespace `{namespace}` does not exist")),
        (403, Piece::Binding(binding)) => {
            let role = &binding.role_ref.name;
            Some(format!("the gateway may not bind ClusterRole `{role}` in namespace `{namespace}`"))
        }
        (403, Piece::Path(_)) => {
            Some(format!("the gateway may not open network paths in namespace `{namespace}`"))
        }
        (409, _) => Some(format!("namespace `{namespace}` is being deleted")),
        (400..=499, _) if code != 429 => {
            let Opened { kind, name, .. } = place;
            Some(format!(
                "the cluster does not take {kind} `{name}` in namespace `{namespace}` (status {code})"
            ))
        }
        _ => None,
    }
}
