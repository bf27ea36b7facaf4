//! Nothing is shown before it is safely on disk, and nothing is shown that could not be written.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use super::*;

/// What a disk does with each sync: it counts, waits until it is let go, and does as it is told.
struct Disk {
    syncs: Arc<AtomicUsize>,
    go: mpsc::Sender<io::Result<()>>,
}

impl Bench {
    /// A bench whose disk syncs when told to.
    fn on_a_slow_disk() -> (Self, Disk) {
        let mut bench = Self::new();
        let (go, told) = mpsc::channel::<io::Result<()>>();
        let (told, syncs) = (std::sync::Mutex::new(told), Arc::<AtomicUsize>::default());
        let count = Arc::clone(&syncs);
        bench.recorder.sync = Arc::new(move |_| {
            count.fetch_add(1, Ordering::SeqCst);
            told.lock().unwrap().recv_timeout(Duration::from_secs(20)).map_err(io::Error::other)?
        });
        (bench, Disk { syncs, go })
    }

    async fn strict(&self, disk: &Disk) -> Recording {
        // The header, and the three directories.
        (0..4).for_each(|_| disk.go.send(Ok(())).unwrap());
        let start = SessionStart { strict: true, ..start(SessionKind::Shell, self.clock.now()) };
        let recording = self.recorder.begin(start).await.unwrap();
        assert_eq!(disk.syncs.load(Ordering::SeqCst), 4);
        recording
    }
}

#[tokio::test]
async fn nothing_is_shown_before_it_is_safely_on_disk() {
    let (bench, disk) = Bench::on_a_slow_disk();
    let recording = Arc::new(bench.strict(&disk).await);
    let cast = bench.path(&format!("{}.cast", recording.id()));
    assert!(bench.session(recording.id()).strict);

    let shows = tokio::spawn({
        let recording = Arc::clone(&recording);
        async move { recording.output(Bytes::from_static(b"secret")).await }
    });
    while disk.syncs.load(Ordering::SeqCst) < 5 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Written, not yet safe: not to be shown.
    assert!(played(&std::fs::read_to_string(&cast).unwrap()).ends_with("secret"));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!shows.is_finished());
    disk.go.send(Ok(())).unwrap();
    assert_eq!(shows.await.unwrap().unwrap(), "secret");

    disk.go.send(Ok(())).unwrap();
    Arc::into_inner(recording).unwrap().finish(ended()).await.unwrap();
}

#[tokio::test]
async fn what_came_while_the_disk_was_busy_is_made_safe_at_once() {
    let (bench, disk) = Bench::on_a_slow_disk();
    let recording = Arc::new(bench.strict(&disk).await);
    let shows = |text: &'static str| {
        let recording = Arc::clone(&recording);
        tokio::spawn(async move { recording.output(Bytes::from_static(text.as_bytes())).await })
    };
    let first = shows("a");
    while disk.syncs.load(Ordering::SeqCst) < 5 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let others: Vec<_> = ["b", "c", "d"].into_iter().map(shows).collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    (0..2).for_each(|_| disk.go.send(Ok(())).unwrap());
    first.await.unwrap().unwrap();
    for other in others {
        other.await.unwrap().unwrap();
    }
    assert_eq!(disk.syncs.load(Ordering::SeqCst), 6, "one sync for the first, one for all that waited");
    disk.go.send(Ok(())).unwrap();
    Arc::into_inner(recording).unwrap().finish(ended()).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_made_safe_is_not_shown_and_the_session_ends() {
    let (bench, disk) = Bench::on_a_slow_disk();
    let recording = bench.strict(&disk).await;
    let failed = recording.failed();
    disk.go.send(Err(io::Error::from(io::ErrorKind::StorageFull))).unwrap();
    let error = recording.output(Bytes::from_static(b"secret")).await.unwrap_err();
    assert_eq!(error.exit_status(), 79);
    assert!(matches!(failed.await, RecordError::Write { .. }));
    recording.output(Bytes::from_static(b"more")).await.unwrap_err();
    recording.finish(ended()).await.unwrap_err();
}

#[tokio::test]
async fn a_session_whose_names_cannot_be_made_safe_does_not_begin() {
    let (bench, disk) = Bench::on_a_slow_disk();
    disk.go.send(Ok(())).unwrap();
    disk.go.send(Err(io::Error::from(io::ErrorKind::StorageFull))).unwrap();
    let start = SessionStart { strict: true, ..start(SessionKind::Shell, bench.clock.now()) };
    assert!(matches!(bench.recorder.begin(start).await, Err(RecordError::Begin { .. })));
}

#[tokio::test]
async fn half_a_character_is_shown_once_the_rest_of_it_is_on_record_or_will_not_come() {
    let bench = Bench::new();
    let start = SessionStart { strict: true, ..start(SessionKind::Shell, bench.clock.now()) };
    let recording = bench.recorder.begin(start).await.unwrap();
    let cast = bench.path(&format!("{}.cast", recording.id()));
    assert_eq!(recording.output(Bytes::from_static(b"a\xe7\x95")).await.unwrap(), "a");
    assert_eq!(recording.output(Bytes::from_static(b"\x8c\xf0")).await.unwrap(), "界");
    assert_eq!(recording.error_output(Bytes::from_static(b"\xe9")).await.unwrap(), "");
    let (output, errors) = recording.rest().await.unwrap();
    assert_eq!((&output[..], &errors[..]), (&b"\xf0"[..], &b"\xe9"[..]));
    assert_eq!(played(&std::fs::read_to_string(&cast).unwrap()), "a界\u{fffd}\u{fffd}");
    recording.finish(ended()).await.unwrap();
}

#[tokio::test]
async fn an_ordinary_recording_syncs_at_its_end_only_and_holds_nothing_back() {
    let (bench, disk) = Bench::on_a_slow_disk();
    let recording = bench.recorder.begin(start(SessionKind::Shell, bench.clock.now())).await.unwrap();
    for _ in 0..100 {
        assert_eq!(recording.output(Bytes::from_static(b"\xe7")).await.unwrap().len(), 1);
    }
    assert_eq!(recording.rest().await.unwrap(), Default::default());
    assert_eq!(disk.syncs.load(Ordering::SeqCst), 0);
    disk.go.send(Ok(())).unwrap();
    let id = recording.id().clone();
    recording.finish(ended()).await.unwrap();
    assert_eq!(disk.syncs.load(Ordering::SeqCst), 1);
    assert!(!bench.session(&id).strict);
}
