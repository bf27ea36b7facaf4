//! A map whose entries pass, and which never grows beyond its bound.

use std::collections::HashMap;
use std::time::{Duration, Instant};

/// There is no room.
#[derive(Debug)]
pub(super) struct Full;

#[derive(Debug)]
pub(super) struct Table<V> {
    entries: HashMap<String, (V, Instant)>,
    life: Duration,
    max: usize,
}

impl<V> Table<V> {
    /// At most `max` entries, each for `life`.
    pub(super) fn new(life: Duration, max: usize) -> Self {
        Self { entries: HashMap::new(), life, max }
    }

    /// Keeps `value`, unless the table is full of entries that still live.
    pub(super) fn insert(&mut self, key: String, value: V) -> Result<(), Full> {
        let now = Instant::now();
        if self.entries.len() >= self.max {
            self.entries.retain(|_, (_, until)| *until > now);
        }
        if self.entries.len() >= self.max {
            return Err(Full);
        }
        self.entries.insert(key, (value, now + self.life));
        Ok(())
    }

    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        let (value, until) = self.entries.get_mut(key)?;
        (*until > Instant::now()).then_some(value)
    }

    /// Takes an entry out; it works once.
    pub(super) fn take(&mut self, key: &str) -> Option<V> {
        let (value, until) = self.entries.remove(key)?;
        (until > Instant::now()).then_some(value)
    }

    /// The first living entry that fits.
    pub(super) fn find(&mut self, fits: impl Fn(&V) -> bool) -> Option<&mut V> {
        let now = Instant::now();
        self.entries.values_mut().find(|(value, until)| *until > now && fits(value)).map(|(value, _)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_table_takes_nothing_until_something_passes() {
        let mut table = Table::new(Duration::from_millis(30), 2);
        table.insert("a".to_owned(), 1).unwrap();
        table.insert("b".to_owned(), 2).unwrap();
        table.insert("c".to_owned(), 3).unwrap_err();
        std::thread::sleep(Duration::from_millis(40));
        assert_eq!(table.get_mut("a"), None);
        table.insert("c".to_owned(), 3).unwrap();
        assert_eq!(table.take("c"), Some(3));
        assert_eq!(table.take("c"), None);
    }
}
