//! The bytes of an entry and of a mark. Redis's are untrusted: what has another form is not ours.
//!
//! ```text
//! entry   id (16) · flags (1): 128 if it was marked as stale · time to live in ms (7) · when it expires, by the server's
//!         clock, in ms (8) · n (1) · n epochs (16 each) · frame
//! mark    epoch (16); of a cache, then its live versions (4 each, at most 16); of a tag, then earlier epochs whose
//!         entries are stale (16 each, at most 4, the latest one first); or `hold`
//! server  server (16) · the fleet's longest staleness in ms (8)
//! ```
//!
//! When it expires is in the entry so that a read is one command, and needs no `PTTL`: what the server's clock shows is known
//! ([`clock`](crate::clock)). Where a time was told by `PTTL` it may be that of an entry which was rewritten since. The
//! smaller of it and the time to live, which is in the entry too, is never too long.

use std::time::Duration;

use bytes::Buf;
use cache_core::{
    Bytes,
    backend::{Few, Position, Stored},
    key::Scope,
    token::{EntryId, Epoch, ProcessId, ServerId},
};

const ID: usize = 16;
const TTL: usize = ID + 8;
const EXPIRES: usize = TTL + 8;
const HEAD: usize = EXPIRES + 1;
const EPOCH: usize = 16;
const VERSION: usize = 4;
/// What a mark has after its epoch, at most.
const REST: usize = 64;
const EXPIRED: u64 = 1 << 63;

/// The most epochs that an entry has room for.
pub(crate) const MOST_EPOCHS: usize = u8::MAX as usize;

/// What goes before the frame of an entry: `epochs`, and room for `late` more that the script adds.
pub(crate) fn head(id: EntryId, ttl: u64, epochs: &[Epoch], late: usize) -> Vec<u8> {
    let count = u8::try_from(epochs.len() + late).expect("the number of epochs was checked");
    let mut head = Vec::with_capacity(HEAD + epochs.len() * EPOCH);
    head.extend_from_slice(id.as_bytes());
    head.extend_from_slice(&ttl.to_be_bytes());
    // The script knows when it expires.
    head.extend_from_slice(&[0; EXPIRES - TTL]);
    head.push(count);
    head.extend(epochs.iter().flat_map(Epoch::as_bytes));
    head
}

/// An entry that was read after its `PTTL`, which said `left`.
pub(crate) fn entry(left: i64, bytes: Vec<u8>) -> Stored {
    let left = u64::try_from(left).ok().map(Duration::from_millis);
    parse(|_| left, Bytes::from(bytes)).unwrap_or_else(foreign)
}

/// An entry that was asked for when the server's clock showed `now`, or less.
pub(crate) fn entry_at(now: Duration, bytes: Bytes) -> Stored {
    parse(|expires| Some(expires.saturating_sub(now)), bytes).unwrap_or_else(foreign)
}

/// How many of an entry's bytes are read where only its head is wanted: as many epochs as marks that are asked for.
pub(crate) const fn head_length(marks: usize) -> usize {
    HEAD + EPOCH * marks
}

/// The first [`head_length`] bytes of an entry, read after its `PTTL`, which said `left`.
pub(crate) fn beginning(left: i64, bytes: Vec<u8>, marks: usize) -> Stored {
    let mut bytes = bytes;
    if bytes.len() == head_length(marks) && usize::from(bytes[EXPIRES]) > marks {
        // They were cut off here: those that were read are told, and that they are too many or too few is enough.
        bytes[EXPIRES] = u8::try_from(marks).expect("fewer than a byte says");
    }
    entry(left, bytes)
}

/// What is read where something lies that this library did not write.
pub(crate) fn foreign() -> Stored {
    Stored {
        id: EntryId::from_bytes([0; ID]),
        remaining: None,
        epochs: Few::default(),
        expired: false,
        frame: Bytes::new(),
    }
}

fn parse(left: impl FnOnce(Duration) -> Option<Duration>, bytes: Bytes) -> Option<Stored> {
    let id = *bytes.first_chunk()?;
    let flags_and_ttl = u64::from_be_bytes(bytes.get(ID..TTL)?.try_into().ok()?);
    let ttl = Duration::from_millis(flags_and_ttl & !EXPIRED);
    let expires = Duration::from_millis(u64::from_be_bytes(bytes.get(TTL..EXPIRES)?.try_into().ok()?));
    let head = HEAD + EPOCH * usize::from(*bytes.get(EXPIRES)?);
    let epochs = bytes.get(HEAD..head)?.chunks_exact(EPOCH);
    let epochs = epochs.map(|epoch| Epoch::from_bytes(epoch.try_into().expect("16 bytes"))).collect();
    // A slice of them would be a second owner, and those take an allocation.
    let mut frame = bytes;
    frame.advance(head);
    Some(Stored {
        id: EntryId::from_bytes(id),
        remaining: left(expires).map(|left| left.min(ttl)),
        epochs,
        expired: flags_and_ttl & EXPIRED != 0,
        frame,
    })
}

/// The epoch in a mark, unless its form is wrong.
pub(crate) fn epoch(scope: Scope, mark: &[u8]) -> Option<Epoch> {
    let (epoch, rest) = mark.split_first_chunk()?;
    let fits = match scope {
        Scope::Cache => rest.len().is_multiple_of(VERSION) && rest.len() <= REST,
        Scope::Tag => rest.len().is_multiple_of(EPOCH) && rest.len() <= REST,
        Scope::Namespace => rest.is_empty(),
    };
    fits.then(|| Epoch::from_bytes(*epoch))
}

/// The earlier epochs of a tag whose entries are stale.
pub(crate) fn expired(scope: Scope, mark: &[u8]) -> impl Iterator<Item = Epoch> {
    let is_there = scope == Scope::Tag && epoch(scope, mark).is_some();
    let earlier = if is_there { &mark[EPOCH..] } else { &[] };
    earlier.chunks_exact(EPOCH).map(|epoch| Epoch::from_bytes(epoch.try_into().expect("16 bytes")))
}

/// The live versions in the mark of a cache.
pub(crate) fn versions(mark: &[u8]) -> impl Iterator<Item = u32> {
    let versions = epoch(Scope::Cache, mark).map_or(&[][..], |_| &mark[EPOCH..]);
    versions.chunks_exact(VERSION).map(|version| u32::from_be_bytes(version.try_into().expect("4 bytes")))
}

/// The server that is recorded for a namespace, and the longest staleness of its fleet.
pub(crate) fn server(record: &[u8]) -> Option<(ServerId, Duration)> {
    let (server, longest) = record.split_first_chunk()?;
    let longest = u64::from_be_bytes(longest.try_into().ok()?);
    Some((ServerId::from_bytes(*server), Duration::from_millis(longest)))
}

/// A staleness as it is recorded: in whole milliseconds, and no shorter than it is.
pub(crate) fn staleness(staleness: Duration) -> [u8; 8] {
    u64::try_from(staleness.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX).to_be_bytes()
}

/// A position as Redis shows it.
pub(crate) fn position(text: &[u8]) -> Option<Position> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Who sends a message, as the log shows it: 32 hexadecimal digits.
pub(crate) fn process(process: ProcessId) -> String {
    format!("{:032x}", u128::from_be_bytes(*process.as_bytes()))
}

/// Reads what [`process`] wrote.
pub(crate) fn process_of(text: &str) -> Option<ProcessId> {
    let fits = text.len() == 32 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
    let number = u128::from_str_radix(text, 16).ok().filter(|_| fits)?;
    Some(ProcessId::from_bytes(number.to_be_bytes()))
}

/// Whole milliseconds, at least one and at most a century: Redis adds them to the date.
pub(crate) fn millis(ttl: Duration) -> u64 {
    const CENTURY: u128 = 100 * 365 * 24 * 60 * 60 * 1000;
    u64::try_from(ttl.as_millis().clamp(1, CENTURY)).expect("less than a century")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_as_it_was_written() {
        let (id, epochs) = (EntryId::random(), [Epoch::random(), Epoch::random()]);
        let mut bytes = head(id, 500, &epochs[..1], 1);
        bytes.extend_from_slice(epochs[1].as_bytes());
        bytes.extend_from_slice(b"frame");
        let entry = entry(300, bytes);
        assert_eq!((entry.id, &*entry.epochs), (id, epochs.as_slice()));
        assert_eq!(entry.remaining, Some(Duration::from_millis(300)));
        assert_eq!(entry.frame, "frame");
    }

    #[test]
    fn the_head_of_an_entry_tells_the_epochs_that_were_read() {
        let (id, epochs) = (EntryId::random(), [Epoch::random(), Epoch::random()]);
        let mut bytes = head(id, 500, &epochs, 0);
        bytes.extend_from_slice(b"frame");
        for marks in 0..4 {
            let head = bytes[..bytes.len().min(head_length(marks))].to_vec();
            let entry = beginning(300, head, marks);
            assert_eq!((entry.id, entry.remaining), (id, Some(Duration::from_millis(300))));
            assert_eq!(entry.epochs, &epochs[..marks.min(2)]);
        }
        let cut = beginning(300, bytes[..head_length(2) - 1].to_vec(), 2);
        assert_eq!(cut.id, EntryId::from_bytes([0; 16]), "the entry itself is too short");
    }

    #[test]
    fn an_entry_that_was_marked_as_stale_keeps_its_time() {
        let mut bytes = head(EntryId::random(), 500, &[], 0);
        assert!(!entry(300, bytes.clone()).expired);
        bytes[ID] = 128;
        let entry = entry(900, bytes);
        assert_eq!((entry.expired, entry.remaining), (true, Some(Duration::from_millis(500))));
    }

    #[test]
    fn the_record_of_a_server_is_read_as_it_was_written() {
        let id = ServerId::random();
        let record = |longest| [&id.as_bytes()[..], &staleness(longest)].concat();
        for longest in [Duration::ZERO, Duration::from_secs(60)] {
            assert_eq!(server(&record(longest)), Some((id, longest)));
        }
        let (_, longest) = server(&record(Duration::from_micros(1))).unwrap();
        assert_eq!(longest, Duration::from_millis(1), "never shorter than it is");
        assert!(server(&record(Duration::MAX)).is_some());
        assert_eq!(server(&record(Duration::ZERO)[1..]), None);
    }

    #[test]
    fn the_time_that_remains_is_never_longer_than_the_entrys_own() {
        let remaining = |left| entry(left, head(EntryId::random(), 500, &[], 0)).remaining;
        assert_eq!(remaining(9_000), Some(Duration::from_millis(500)));
        assert_eq!(remaining(0), Some(Duration::ZERO));
        assert_eq!(remaining(-1), None);
        assert_eq!(remaining(-2), None);
    }

    #[test]
    fn what_is_too_short_for_what_it_says_is_foreign() {
        let whole = head(EntryId::random(), 500, &[Epoch::random()], 0);
        for length in 0..whole.len() {
            let entry = entry(300, whole[..length].to_vec());
            assert_eq!(entry.id, EntryId::from_bytes([0; 16]), "{length}");
            assert!(entry.remaining.is_none() && entry.frame.is_empty());
        }
        assert_ne!(entry(300, whole).id, EntryId::from_bytes([0; 16]));
    }

    #[test]
    fn a_mark_of_a_wrong_length_is_missing() {
        for length in 0..100 {
            let is_there = |scope| epoch(scope, &vec![7; length]).is_some();
            assert_eq!(is_there(Scope::Tag), [16, 32, 48, 64, 80].contains(&length));
            let earlier = expired(Scope::Tag, &vec![7; length]).count();
            assert_eq!(earlier, if is_there(Scope::Tag) { length / 16 - 1 } else { 0 });
            assert_eq!(expired(Scope::Cache, &vec![7; length]).count(), 0);
            assert_eq!(is_there(Scope::Namespace), length == 16);
            assert_eq!(is_there(Scope::Cache), (16..=80).step_by(4).any(|fits| fits == length));
        }
        assert_eq!(versions(&[7; 19]).count(), 0);
        assert_eq!(versions(&[&[0; 16][..], &[0, 0, 0, 3, 0, 0, 1, 0]].concat()).collect::<Vec<_>>(), [3, 256]);
    }

    #[test]
    fn times_to_live_fit_what_redis_takes() {
        assert_eq!(millis(Duration::ZERO), 1);
        assert_eq!(millis(Duration::from_micros(1_999)), 1);
        assert_eq!(millis(Duration::from_millis(500)), 500);
        assert_eq!(millis(Duration::MAX), 3_153_600_000_000);
    }
}
