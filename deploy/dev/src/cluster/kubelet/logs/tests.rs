use std::time::Duration;

use super::*;

fn options() -> LogOptions {
    LogOptions::default()
}

async fn read(log: &Log, options: LogOptions) -> String {
    let mut reader = LogReader::open(log.clone(), options).await.unwrap();
    let mut all = Vec::new();
    while let Some(piece) = reader.next().await.unwrap() {
        all.extend_from_slice(&piece);
    }
    String::from_utf8(all).unwrap()
}

fn log(dir: &tempfile::TempDir, limit: u64) -> (LogWriter, Log) {
    LogWriter::with_limit(dir.path().join("ns/0.log"), limit).unwrap()
}

#[tokio::test]
async fn streams_interleave_as_written_and_can_be_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, log) = log(&dir, FILE_LIMIT);
    writer.write(LogSource::Stdout, b"one\ntw").unwrap();
    writer.write(LogSource::Stderr, b"bad\n").unwrap();
    writer.write(LogSource::Stdout, b"o\nend").unwrap();
    writer.finish().unwrap();
    assert_eq!(read(&log, options()).await, "one\nbad\ntwo\nend\n");
    let only = Some(LogSource::Stderr);
    assert_eq!(read(&log, LogOptions { only, ..options() }).await, "bad\n");
    let file = std::fs::read_to_string(dir.path().join("ns/0.log")).unwrap();
    assert!(file.lines().all(|line| line.split(' ').nth(2) == Some("F")), "{file}");
}

#[tokio::test]
async fn tail_counts_lines_from_the_end_also_across_a_rotation() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, log) = log(&dir, 400);
    for n in 0..20 {
        writer.write(LogSource::Stdout, format!("line {n}\n").as_bytes()).unwrap();
    }
    let tail = |n| LogOptions { tail: Some(n), ..options() };
    assert_eq!(read(&log, tail(0)).await, "");
    assert_eq!(read(&log, tail(2)).await, "line 18\nline 19\n");
    assert_eq!(read(&log, tail(10)).await, (10..20).map(|n| format!("line {n}\n")).collect::<String>());
    drop(writer);
    let ended = Log::ended(dir.path().join("ns/0.log"));
    assert_eq!(read(&ended, tail(10)).await, (10..20).map(|n| format!("line {n}\n")).collect::<String>());
    let all = read(&ended, options()).await;
    assert!(all.ends_with("line 18\nline 19\n") && !all.contains("line 0\n"), "{all}");
}

#[tokio::test]
async fn since_timestamps_and_a_limit_of_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, log) = log(&dir, FILE_LIMIT);
    writer.write(LogSource::Stdout, b"old\n").unwrap();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let since = Some(crate::cluster::time::now());
    writer.write(LogSource::Stdout, b"new\n").unwrap();
    assert_eq!(read(&log, LogOptions { since, tail: Some(9), ..options() }).await, "new\n");
    assert_eq!(read(&log, LogOptions { limit_bytes: Some(6), ..options() }).await, "old\nne");
    let stamped = read(&log, LogOptions { timestamps: true, ..options() }).await;
    for line in stamped.lines() {
        let (at, _) = line.split_once(' ').unwrap();
        assert!(at.len() == 30 && at.parse::<Timestamp>().is_ok(), "{line}");
    }
}

#[tokio::test]
async fn a_follower_sees_every_line_of_a_log_that_rotates_and_stops_when_it_ends() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, log) = log(&dir, 2000);
    let mut reader = LogReader::open(log, LogOptions { follow: true, ..options() }).await.unwrap();
    let writing = tokio::spawn(async move {
        for n in 0..200 {
            writer.write(LogSource::Stdout, format!("line {n}\n").as_bytes()).unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        writer.finish().unwrap();
    });
    let mut all = Vec::new();
    while let Some(piece) = reader.next().await.unwrap() {
        all.extend_from_slice(&piece);
    }
    writing.await.unwrap();
    let expected: String = (0..200).map(|n| format!("line {n}\n")).collect();
    assert_eq!(String::from_utf8(all).unwrap(), expected);
}

#[tokio::test]
async fn a_line_without_end_is_cut_into_parts_and_comes_out_whole() {
    let dir = tempfile::tempdir().unwrap();
    let (mut writer, log) = log(&dir, FILE_LIMIT);
    let long = "x".repeat(100_000);
    writer.write(LogSource::Stdout, long.as_bytes()).unwrap();
    writer.write(LogSource::Stdout, b"\nnext\n").unwrap();
    assert_eq!(read(&log, options()).await, format!("{long}\nnext\n"));
    let stamped = read(&log, LogOptions { timestamps: true, ..options() }).await;
    assert_eq!(stamped.lines().count(), 2);
}
