//! A copy of one kind of object, kept current by a watch, which knows how old its news is.
//!
//! kube's own watcher retries in silence for as long as it takes. Here the last moment at which the API server was
//! certainly heard is part of what readers see ([`Mirror::health`]), since a gateway must stop trusting a copy
//! that it can no longer renew. Watches are short ([`WATCH_FOR`]), so a connection that died without a word is
//! noticed too. An object that cannot be read is kept as such: one bad object does not hide the others.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use futures::{StreamExt, pin_mut};
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use kube::core::DeserializeGuard;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long the server is asked to keep one watch open, in seconds.
const WATCH_FOR: u32 = if cfg!(test) { 1 } else { 10 };
/// How long opening a watch, listing a page, or the silence after a watch should have ended may last.
const PATIENCE: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 15 });
/// The pauses between attempts.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);
/// Without news for this long, a copy is not to be trusted.
pub const STALE_AFTER: Duration = Duration::from_secs(if cfg!(test) { 4 } else { 30 });

/// Why the copy could not be renewed.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The list could not be had.
    #[error("cannot list `{kind}`")]
    List {
        /// The resource's plural name.
        kind: String,
        /// The cause.
        source: Box<kube::Error>,
    },
    /// The cluster knows no such resource.
    #[error(
        "this cluster has no `{name}`: apply the custom resources (`deploy/crds`) of this gateway's version"
    )]
    NotInstalled {
        /// The resource's plural name and group.
        name: String,
    },
    /// No answer in time.
    #[error("no answer to a list or watch of `{kind}` within {}s", PATIENCE.as_secs())]
    Silence {
        /// The resource's plural name.
        kind: String,
    },
    /// The watch was refused or broke.
    #[error("cannot watch `{kind}`")]
    Watch {
        /// The resource's plural name.
        kind: String,
        /// The cause.
        source: Box<kube::Error>,
    },
    /// The resource version is too old: list anew.
    #[error("the watch of `{kind}` has to begin anew")]
    Gone {
        /// The resource's plural name.
        kind: String,
    },
}

/// How current a copy is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// When the API server was last certainly heard; `None` before the first list.
    pub heard: Option<Instant>,
    /// What is wrong at the moment, with its causes.
    pub trouble: Option<String>,
    /// The resource, where what is wrong is that the cluster knows none such.
    pub missing: Option<String>,
}

impl Health {
    /// Whether the copy can be trusted.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.heard.is_some_and(|heard| heard.elapsed() < STALE_AFTER)
    }
}

/// An object, or what is wrong with it.
pub type Entry<K> = Result<Arc<K>, Arc<str>>;

type Objects<K> = BTreeMap<String, Entry<K>>;

/// The copy; cheap to clone. The watch ends with the last clone.
#[derive(Debug)]
pub struct Mirror<K> {
    inner: Arc<Inner<K>>,
    _alive: Arc<DropGuard>,
}

impl<K> Clone for Mirror<K> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner), _alive: Arc::clone(&self._alive) }
    }
}

#[derive(Debug)]
struct Inner<K> {
    objects: RwLock<Objects<K>>,
    /// The version up to which the copy holds everything.
    passed: AtomicU64,
    changes: watch::Sender<u64>,
    health: watch::Sender<Health>,
}

impl<K> Mirror<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    /// Begins to watch what `api` reaches, restricted to `labels` where given (`key=value` or `key`).
    #[must_use]
    pub fn start(api: Api<DeserializeGuard<K>>, labels: Option<String>) -> Self {
        let health = watch::Sender::new(Health { heard: None, trouble: None, missing: None });
        let inner = Arc::new(Inner {
            objects: RwLock::default(),
            passed: AtomicU64::new(0),
            changes: watch::Sender::new(0),
            health,
        });
        let stop = CancellationToken::new();
        let follow = follow(Arc::clone(&inner), api, labels);
        let stopped = stop.clone();
        tokio::spawn(async move { stopped.run_until_cancelled(follow).await });
        Self { inner, _alive: Arc::new(stop.drop_guard()) }
    }

    /// Resolves once there has been a first complete list.
    pub async fn filled(&self) {
        let mut health = self.inner.health.subscribe();
        // An error means that the sender is gone, but it lives in `self`.
        let _ = health.wait_for(|health| health.heard.is_some()).await;
    }

    /// The object of this name (`namespace/name` where the kind has namespaces), if it is there and readable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Arc<K>> {
        self.read(|objects| objects.get(name).and_then(|entry| entry.as_ref().ok().cloned()))
    }

    /// All readable objects, by name.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<K>> {
        self.read(|objects| objects.values().filter_map(|entry| entry.as_ref().ok().cloned()).collect())
    }

    /// All objects by name, with what is wrong with those that cannot be read.
    #[must_use]
    pub fn entries(&self) -> Vec<(String, Entry<K>)> {
        self.read(|objects| objects.iter().map(|(name, entry)| (name.clone(), entry.clone())).collect())
    }

    /// Changes its value whenever an object does.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.inner.changes.subscribe()
    }

    /// How current it is.
    #[must_use]
    pub fn health(&self) -> Health {
        self.inner.health.borrow().clone()
    }

    /// Puts in what a write of our own has returned, so that we read our own writes. What the watch has passed
    /// already is dropped: it may have been changed or deleted since.
    pub fn learn(&self, object: K) {
        if version(object.resource_version()) > self.inner.passed.load(Ordering::Acquire) {
            self.inner.put(DeserializeGuard(Ok(object)));
        }
    }

    fn read<T>(&self, look: impl FnOnce(&Objects<K>) -> T) -> T {
        look(&self.inner.objects.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<K> Inner<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    fn change(&self, how: impl FnOnce(&mut Objects<K>)) {
        how(&mut self.objects.write().unwrap_or_else(PoisonError::into_inner));
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }

    fn put(&self, object: DeserializeGuard<K>) {
        let (name, entry) = entry(object);
        self.change(|objects| {
            objects.insert(name, entry);
        });
    }

    fn passes(&self, at: &str) {
        if let Ok(at) = at.parse() {
            self.passed.fetch_max(at, Ordering::AcqRel);
        }
    }

    fn heard(&self) {
        self.health.send_modify(|health| {
            health.heard = Some(Instant::now());
            health.trouble = None;
            health.missing = None;
        });
    }

    fn trouble(&self, error: &MirrorError) {
        let text = crate::crd::causes(error);
        // It is tried again every few seconds; a log that says the same each time hides what else it says.
        if self.health.borrow().trouble.as_ref() != Some(&text) {
            tracing::warn!(error = %text, "the Kubernetes API does not answer as it should");
        }
        let missing = match error {
            MirrorError::NotInstalled { name } => Some(name.clone()),
            _ => None,
        };
        self.health.send_modify(|health| (health.trouble, health.missing) = (Some(text), missing));
    }
}

/// Why a list could not be had.
fn unlisted<K: Resource<DynamicType = ()>>(source: kube::Error) -> MirrorError {
    let kind = K::plural(&());
    match source {
        // A list that is only empty is answered by 200.
        kube::Error::Api(status) if status.code == 404 => {
            MirrorError::NotInstalled { name: format!("{kind}.{}", K::group(&())) }
        }
        source => MirrorError::List { kind: kind.into_owned(), source: Box::new(source) },
    }
}

/// A resource version as a number, which Kubernetes' own are. What is not one counts as newest, so that nothing
/// is ever missed for its sake.
fn version(text: Option<String>) -> u64 {
    text.and_then(|text| text.parse().ok()).unwrap_or(u64::MAX)
}

fn key(namespace: Option<String>, name: &str) -> String {
    namespace.map_or_else(|| name.to_owned(), |namespace| format!("{namespace}/{name}"))
}

fn entry<K: Resource<DynamicType = ()>>(object: DeserializeGuard<K>) -> (String, Entry<K>) {
    let name = key(object.namespace(), &object.name_any());
    (name, object.0.map(Arc::new).map_err(|invalid| Arc::from(invalid.error.as_str())))
}

async fn follow<K>(inner: Arc<Inner<K>>, api: Api<DeserializeGuard<K>>, labels: Option<String>)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let mut pause = SHORTEST_PAUSE;
    loop {
        let began = Instant::now();
        let error = match list(&inner, &api, labels.as_deref()).await {
            Err(error) => error,
            Ok(mut version) => loop {
                match watch_once(&inner, &api, labels.as_deref(), &mut version).await {
                    // A server that ends watches at once must not be asked in a tight loop.
                    Ok(lasted) if lasted < SHORTEST_PAUSE => sleep(SHORTEST_PAUSE).await,
                    Ok(_) => {}
                    Err(error) => break error,
                }
            },
        };
        if began.elapsed() > LONGEST_PAUSE * 4 {
            pause = SHORTEST_PAUSE;
        }
        if !matches!(error, MirrorError::Gone { .. }) {
            inner.trouble(&error);
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn in_time<T, K>(work: impl Future<Output = T>) -> Result<T, MirrorError>
where
    K: Resource<DynamicType = ()>,
{
    timeout(PATIENCE, work).await.map_err(|_| MirrorError::Silence { kind: K::plural(&()).into_owned() })
}

/// Replaces the whole copy and returns the version to watch from.
async fn list<K>(
    inner: &Inner<K>,
    api: &Api<DeserializeGuard<K>>,
    labels: Option<&str>,
) -> Result<String, MirrorError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let mut objects = Objects::new();
    let mut page = ListParams::default().limit(500);
    page.label_selector = labels.map(str::to_owned);
    loop {
        let list = in_time::<_, K>(api.list(&page)).await?.map_err(unlisted::<K>)?;
        objects.extend(list.items.into_iter().map(entry));
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => {
                let at = list.metadata.resource_version.unwrap_or_default();
                inner.change(|copy| {
                    // What a write of ours has brought in since the list was made is newer than the list.
                    let made_at = version(Some(at.clone()));
                    let newer = |entry: &Entry<K>| {
                        entry.as_ref().is_ok_and(|object| {
                            (made_at..u64::MAX).contains(&version(object.resource_version()))
                        })
                    };
                    copy.retain(|_, entry| newer(entry));
                    objects.append(copy);
                    *copy = objects;
                });
                inner.passes(&at);
                inner.heard();
                return Ok(at);
            }
        }
    }
}

/// Follows one watch to its end; says how long it lasted.
async fn watch_once<K>(
    inner: &Inner<K>,
    api: &Api<DeserializeGuard<K>>,
    labels: Option<&str>,
    version: &mut String,
) -> Result<Duration, MirrorError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let kind = || K::plural(&()).into_owned();
    let broken = |source| MirrorError::Watch { kind: kind(), source: Box::new(source) };
    let mut params = WatchParams::default().timeout(WATCH_FOR);
    params.label_selector = labels.map(str::to_owned);
    let began = Instant::now();
    let stream = in_time::<_, K>(api.watch(&params, version)).await?.map_err(broken)?;
    inner.heard();
    pin_mut!(stream);
    while let Some(event) = in_time::<_, K>(stream.next()).await? {
        match event.map_err(broken)? {
            WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                *version = object.resource_version().unwrap_or_default();
                inner.put(object);
            }
            WatchEvent::Deleted(object) => {
                *version = object.resource_version().unwrap_or_default();
                let (name, _) = entry(object);
                inner.change(|objects| {
                    objects.remove(&name);
                });
            }
            WatchEvent::Bookmark(bookmark) => *version = bookmark.metadata.resource_version,
            WatchEvent::Error(status) if status.code == 410 => {
                return Err(MirrorError::Gone { kind: kind() });
            }
            WatchEvent::Error(status) => return Err(broken(kube::Error::Api(status))),
        }
        inner.passes(version);
        inner.heard();
    }
    Ok(began.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crd::CommandSet;
    use crate::crd::fake::{Fake, Fault};

    #[tokio::test]
    async fn a_resource_that_is_not_installed_is_named_with_what_to_apply() {
        let fake = Fake::at("2026-01-01T10:00:00Z".parse().unwrap());
        fake.faults(|_, path| path.contains("/commandsets").then_some(Fault::Status(404)));
        let mirror = Mirror::<CommandSet>::start(Api::all(fake.client()), None);
        let told = async {
            loop {
                if let Health { trouble: Some(trouble), missing, .. } = mirror.health() {
                    assert_eq!(missing.as_deref(), Some("commandsets.sallyport.dev"));
                    return trouble;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let trouble = timeout(Duration::from_secs(20), told).await.unwrap();
        assert!(
            trouble.contains("`commandsets.sallyport.dev`") && trouble.contains("deploy/crds"),
            "{trouble}"
        );
    }
}
