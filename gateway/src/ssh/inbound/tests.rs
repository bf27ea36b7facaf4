use std::time::Duration;

use super::*;

const SMALL: Bounds = Bounds { memory: 64 << 10, soft: 4 << 20, hard: 8 << 20 };

fn budget() -> Arc<Budget> {
    Budget::new(std::env::temp_dir(), 1 << 30, 1 << 30)
}

/// Bytes that differ from place to place, so that a swap is noticed.
fn pattern(from: u64, len: usize) -> Vec<u8> {
    (from..from + len as u64).map(|n| (n.wrapping_mul(2_654_435_761) >> 7) as u8).collect()
}

async fn settle(inbox: &Inbox) {
    for _ in 0..15_000 {
        if inbox.shared.lock().memory_bytes() <= SMALL.memory {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Waits until nothing of the budget is used: what is kept in a file is given back by who writes it.
async fn given_back(budget: &Budget) {
    let used = || (budget.memory.used.load(Ordering::Relaxed), budget.disk.used.load(Ordering::Relaxed));
    for _ in 0..15_000 {
        if used() == (0, 0) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("still used: {:?}", used());
}

async fn drain(inflow: &mut Inflow) -> Vec<u8> {
    let mut all = Vec::new();
    while let Some(bytes) = inflow.next().await.unwrap() {
        all.extend_from_slice(&bytes);
    }
    all
}

#[tokio::test]
async fn what_a_stuck_pod_does_not_read_goes_to_the_file_and_comes_back_in_order() {
    let budget = budget();
    let (inbox, mut inflow) = channel(SMALL, &budget);
    let all = pattern(0, 3 << 20);
    for chunk in all.chunks(7001) {
        assert_ne!(inbox.push(chunk), Pressure::Over);
        if inbox.shared.lock().memory_bytes() > SMALL.memory {
            inbox.room(Duration::from_millis(20)).await;
            tokio::task::yield_now().await;
        }
    }
    settle(&inbox).await;
    assert!(inbox.shared.lock().memory_bytes() <= SMALL.memory, "memory is bounded");
    assert!(budget.memory.used.load(Ordering::Relaxed) <= SMALL.memory as u64);
    inbox.finish();
    assert!(drain(&mut inflow).await == all);
    assert_eq!(inflow.next().await, Ok(None), "the end stays the end");
    drop((inbox, inflow));
    given_back(&budget).await;
}

#[tokio::test]
async fn order_holds_while_both_sides_run_and_the_file_does_not_grow_with_the_stream() {
    let budget = budget();
    let (inbox, mut inflow) = channel(SMALL, &budget);
    let total = 24_usize << 20;
    let writer = tokio::spawn(async move {
        let (mut at, mut step) = (0, 1);
        while at < total {
            step = (step * 31 + 17) % 40_000 + 1;
            let len = step.min(total - at);
            match inbox.push(&pattern(at as u64, len)) {
                Pressure::Easy => {}
                Pressure::Slow(_) => inbox.room(Duration::from_secs(1)).await,
                Pressure::Over => panic!("over"),
            }
            at += len;
            tokio::task::yield_now().await;
        }
        inbox.finish();
    });
    let mut at = 0;
    while let Some(bytes) = inflow.next().await.unwrap() {
        assert!(bytes == pattern(at, bytes.len()), "at {at}");
        at += bytes.len() as u64;
        if at % 5 == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    assert_eq!(at, total as u64);
    writer.await.unwrap();
    assert!(budget.disk.used.load(Ordering::Relaxed) <= SMALL.hard + (1 << 20), "places are used again");
}

#[tokio::test]
async fn pressure_comes_before_the_end_and_the_end_before_memory_is_gone() {
    let (inbox, _inflow) = channel(SMALL, &budget());
    let (mut slow, mut pushed) = (false, 0_u64);
    loop {
        match inbox.push(&[1; 32 << 10]) {
            Pressure::Easy => {}
            Pressure::Slow(_) => slow = true,
            Pressure::Over => break,
        }
        pushed += 32 << 10;
        settle(&inbox).await;
        assert!(inbox.shared.lock().memory_bytes() <= 4 * SMALL.memory + (32 << 10));
    }
    assert!(slow);
    assert!((SMALL.hard..SMALL.hard + (64 << 10)).contains(&pushed), "{pushed}");
}

#[test]
fn a_window_is_never_long_in_front_of_others() {
    let window = |full, alone| slice(32 << 10, full, alone) * (WINDOW / (32 << 10));
    assert!(window(0.1, true) < Duration::from_millis(50), "hardly noticed at first");
    assert!(window(1.0, false) <= Duration::from_millis(501));
    assert!(window(1.0, true) <= Duration::from_millis(4001));
}

#[tokio::test]
async fn without_disk_the_client_is_slowed_and_then_ended_and_nothing_is_mixed_up() {
    let budget = Budget::new(std::env::temp_dir(), 1 << 30, 0);
    let (inbox, mut inflow) = channel(SMALL, &budget);
    let mut pushed = 0;
    let mut seen = Vec::new();
    loop {
        let pressure = inbox.push(&pattern(pushed, 1000));
        seen.push(pressure);
        if pressure == Pressure::Over {
            break;
        }
        pushed += 1000;
        tokio::task::yield_now().await;
    }
    assert!(seen.iter().any(|pressure| matches!(pressure, Pressure::Slow(_))));
    assert!(pushed <= 5 * SMALL.memory as u64);
    inbox.finish();
    assert!(drain(&mut inflow).await == pattern(0, pushed as usize));
}

#[tokio::test]
async fn a_client_that_sends_single_bytes_costs_bytes() {
    let (inbox, _inflow) = channel(SMALL, &budget());
    for n in 0..30_000_u32 {
        inbox.push(&n.to_le_bytes()[..1]);
    }
    assert!(inbox.shared.lock().memory_bytes() == 30_000);
    assert!(inbox.shared.lock().pieces() <= 2);
}

#[tokio::test]
async fn the_spool_file_does_not_show_what_was_sent() {
    let directory = tempfile::tempdir().unwrap();
    let budget = Budget::new(directory.path().to_owned(), 1 << 30, 1 << 30);
    let (inbox, _inflow) = channel(SMALL, &budget);
    let secret = b"correct horse battery staple ".repeat(20_000);
    inbox.push(&secret[..300_000]);
    settle(&inbox).await;
    let spool = inbox.shared.lock().file().expect("a file");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "it has no name");
    let stored = spool.raw();
    assert!(stored.len() >= 200_000);
    assert!(!stored.windows(13).any(|window| window == b"correct horse"));
}

#[tokio::test]
async fn a_changed_block_is_noticed() {
    let (inbox, mut inflow) = channel(SMALL, &budget());
    inbox.push(&[5; 300_000]);
    settle(&inbox).await;
    inbox.shared.lock().file().expect("a file").spoil();
    assert!(matches!(inflow.next().await, Err(InboundError::Spool(_))));
}

#[tokio::test]
async fn an_unwritable_directory_ends_the_channel_with_an_error_and_not_silently() {
    let budget = Budget::new("/nonexistent/spool".into(), 1 << 30, 1 << 30);
    let (inbox, mut inflow) = channel(SMALL, &budget);
    inbox.push(&[5; 300_000]);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(matches!(inflow.next().await, Err(InboundError::Spool(_))));
}

#[tokio::test]
async fn a_client_that_vanished_is_not_an_end_of_file() {
    let (inbox, mut inflow) = channel(SMALL, &budget());
    inbox.push(b"half a dump");
    drop(inbox);
    assert_eq!(inflow.next().await, Err(InboundError::Gone));
}

#[tokio::test]
async fn after_the_end_of_file_a_client_may_vanish_and_the_rest_still_comes() {
    let (inbox, mut inflow) = channel(SMALL, &budget());
    inbox.push(b"all of it");
    inbox.finish();
    drop(inbox);
    assert_eq!(drain(&mut inflow).await, b"all of it");
}

#[tokio::test]
async fn a_session_that_ended_frees_what_was_waiting_for_it() {
    let budget = budget();
    let (inbox, inflow) = channel(SMALL, &budget);
    inbox.push(&[1; 300_000]);
    drop(inflow);
    assert_eq!(inbox.push(&[1; 300_000]), Pressure::Easy);
    given_back(&budget).await;
    assert_eq!(inbox.shared.lock().bytes(), 0);
}
