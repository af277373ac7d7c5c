//! The shared store fails, and the cache stays optional.

use std::{sync::Arc, time::Duration};

use cache_core::{
    BreakerSettings, BreakerState, Bytes, ErrorKind, L1, LoadError, Overrides, Source, Stack,
    backend::{Backend, Memory, Part, Put, Read},
    clock,
    key::EntryKey,
    testing::{Faulty, Moment, Operation},
    token::{EntryId, ProcessId},
};
use tokio::{task::JoinSet, time::advance};

use crate::fleet::{Items, KEY, LONG, NAMESPACE, Origin, Process, Tap, call, hold, namespace, settle, stored, until};

const TEMPORARY: [ErrorKind; 3] = [ErrorKind::Unavailable, ErrorKind::Timeout, ErrorKind::Refused];

#[tokio::test(start_paused = true)]
async fn a29_a_store_that_is_down_from_the_start_costs_nothing_but_its_hits() {
    for kind in TEMPORARY {
        let backend = Faulty::new(Memory::new());
        let faults = backend.faults();
        faults.fail_all(kind);
        let stack = Stack::builder("shop").l2(backend).build().await.unwrap();
        let items: Items = stack.cache("item").build().unwrap();
        let origin = Origin::new();
        for key in ["a", "b", "c", "a"] {
            assert_eq!(items.get_with(key, |_| origin.load()).await.unwrap(), 0);
        }
        assert_eq!(origin.loads(), 3, "L1 works without it");
        assert_eq!(items.get("d").await, None);
        assert!(items.insert("d", 1).await.unwrap_err().is_temporary());
        assert!(!stack.health().is_good());
        faults.heal();
        advance(LONG).await;
        items.insert("d", 1).await.unwrap();
        assert_eq!(items.get("d").await, Some(1));
        assert!(stack.health().is_good(), "{:?}", stack.health());
    }
}

#[tokio::test(start_paused = true)]
async fn a29_calls_answer_within_the_deadline_while_the_store_hangs() {
    let here = Process::with(&Memory::new(), |stack| stack.l2_deadline(Duration::from_millis(50))).await;
    let (items, origin) = (here.items(), Origin::new());
    for operation in Operation::ALL {
        here.faults.hang(operation);
        let started = clock::now();
        let key = format!("{operation:?}");
        assert_eq!(items.get_with(&key, |_| origin.load()).await.unwrap(), 0);
        let took = clock::now() - started;
        assert!(took <= Duration::from_millis(50), "{operation:?}: {took:?}");
        here.faults.heal();
    }
    here.faults.hang_all();
    let mut calls = JoinSet::new();
    let started = clock::now();
    for n in 0..100u64 {
        let (items, load) = (items.clone(), origin.load());
        calls.spawn(async move { items.get_with(&n.to_string(), |_| load).await.unwrap() });
    }
    assert_eq!(calls.join_all().await, [0; 100]);
    assert!(clock::now() - started <= Duration::from_millis(50));
    assert_eq!(items.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a29_the_breaker_opens_probes_one_at_a_time_and_closes_without_a_restart() {
    let store = Memory::new();
    let here = Process::without_l1(&store).await;
    let (items, origin) = (here.items(), Origin::new());
    items.insert(KEY, 7).await.unwrap();
    here.faults.fail_all(ErrorKind::Unavailable);
    for _ in 0..20 {
        items.get_with(KEY, |_| origin.load()).await.unwrap();
    }
    let breaker = || here.stack.health().l2.unwrap().breaker;
    assert_eq!(breaker(), BreakerState::Open);
    let asked = here.faults.calls(Operation::Read);
    assert!(asked < 20, "it stopped asking");
    let started = clock::now();
    items.get_with(KEY, |_| origin.load()).await.unwrap();
    assert_eq!((here.faults.calls(Operation::Read), clock::now()), (asked, started), "it fails fast");

    here.faults.hang_all();
    until("the pause is over", || breaker() == BreakerState::HalfOpen).await;
    let calls = || Operation::ALL.iter().map(|operation| here.faults.calls(*operation)).sum::<usize>();
    let before = calls();
    let mut probes = JoinSet::new();
    for n in 0..50u64 {
        let (items, load) = (items.clone(), origin.load());
        probes.spawn(async move { items.get_with(&n.to_string(), |_| load).await });
    }
    settle().await;
    assert_eq!(calls() - before, 1, "one probe");
    while let Some(probe) = probes.join_next().await {
        probe.unwrap().unwrap();
    }

    here.faults.heal();
    until("it may be asked again", || breaker() == BreakerState::HalfOpen).await;
    assert_eq!(items.get(KEY).await, Some(7));
    until("it is closed", || breaker() == BreakerState::Closed).await;
    assert!(here.stack.health().is_good());
    assert!(here.stack.health().l2.unwrap().openings >= 1);
    assert!(items.stats().backend_errors > 0 && items.stats().unleased > 0);
}

/// Every other call fails, so never two in a row.
#[tokio::test(start_paused = true)]
async fn a29_the_breaker_opens_for_a_store_that_fails_half_of_the_time() {
    let settings = BreakerSettings::new().error_rate(0.4, Duration::from_secs(10), 20);
    let here = Process::with(&Memory::new(), |stack| stack.breaker(settings).l1(L1::entries(0))).await;
    let items = here.items();
    for call in 0..40 {
        match call % 2 {
            0 => here.faults.heal(),
            _ => here.faults.fail_all(ErrorKind::Unavailable),
        }
        let _ = items.insert(KEY, call).await;
    }
    assert_eq!(here.stack.health().l2.unwrap().openings, 1);
    here.faults.heal();
    until("a probe may go", || here.stack.health().l2.unwrap().breaker == BreakerState::HalfOpen).await;
    items.insert(KEY, 7).await.unwrap();
    assert_eq!(here.stack.health().l2.unwrap().breaker, BreakerState::Closed);
}

#[tokio::test(start_paused = true)]
async fn a29_an_invalidation_while_the_store_is_down_reaches_it_when_it_is_back() {
    let store = Memory::new();
    let here = Process::on(&store).await;
    here.items().insert(KEY, 7).await.unwrap();
    here.faults.fail_all(ErrorKind::Unavailable);
    for n in 0..10 {
        here.items().invalidate(&format!("other {n}")).await.unwrap_err();
    }
    here.items().invalidate(KEY).await.unwrap_err();
    assert_eq!(here.stack.health().queued_invalidations, 11);
    assert_eq!(here.items().stats().invalidations_queued, 11);
    here.faults.heal();
    until("they got through", || here.stack.health().is_good()).await;
    assert_eq!(stored(&store).await, None);
}

#[test]
fn a29_queued_invalidations_outlive_the_runtime_that_the_stack_was_built_in() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = Memory::new();
    let here = runtime().block_on(Process::on(&store));
    runtime().block_on(async {
        here.items().insert(KEY, 7).await.unwrap();
        here.faults.fail(Operation::Invalidate, ErrorKind::Unavailable);
        here.items().invalidate(KEY).await.unwrap_err();
        here.faults.heal();
        until("it got through", || here.stack.health().queued_invalidations == 0).await;
        assert_eq!(stored(&store).await, None);
    });
}

#[tokio::test(start_paused = true)]
async fn a30_wrong_credentials_and_an_unfit_store_are_told_when_the_stack_is_built() {
    for kind in [ErrorKind::Denied, ErrorKind::Unsupported, ErrorKind::Config] {
        let backend = Faulty::new(Memory::new());
        backend.faults().fail_all(kind);
        assert_eq!(Stack::builder("shop").l2(backend).build().await.unwrap_err().kind(), kind);
    }
}

#[tokio::test(start_paused = true)]
async fn a30_a_store_that_begins_to_refuse_is_as_one_that_is_down() {
    for kind in [ErrorKind::Refused, ErrorKind::Denied, ErrorKind::Unsupported] {
        for operation in Operation::ALL {
            let here = Process::on(&Memory::new()).await;
            here.faults.fail(operation, kind);
            let items = here.items();
            assert_eq!(items.get_with(KEY, |_| async { 7 }).await.unwrap(), 7, "{operation:?} {kind:?}");
            assert_eq!(items.get(KEY).await, Some(7), "{operation:?} {kind:?}: L1 has it");
        }
    }
}

/// A stack without L1, and the way to write to the entry of [`KEY`] past it.
struct Tampering {
    store: Memory,
    items: Items,
    key: EntryKey,
}

impl Tampering {
    async fn begin() -> Self {
        let store = Memory::new();
        let (tap, keys) = Tap::new(&store);
        let stack = Stack::builder("shop").l1(cache_core::L1::entries(0)).l2(tap).build().await.unwrap();
        let items: Items = stack.cache("item").overrides(Overrides::new().jitter(0.0)).build().unwrap();
        items.at(KEY).tag("t").get_with(|_| async { 7 }).await.unwrap();
        let key = keys.lock().unwrap()[0].clone();
        Self { store, items, key }
    }

    fn marks(&self) -> [cache_core::key::Mark; 3] {
        [namespace().mark(), self.key.cache().clone(), namespace().tag("t")]
    }

    async fn frame(&self) -> Bytes {
        self.store.read(Read { key: &self.key, marks: &[], part: Part::Whole }).await.unwrap().entry.unwrap().frame
    }

    async fn write(&self, frame: impl Into<Bytes>) {
        let (frame, ttl) = (frame.into(), Duration::from_secs(60));
        let (id, log, from) = (EntryId::random(), &namespace().log(), ProcessId::random());
        let put = Put { key: &self.key, id, marks: &self.marks(), frame: &frame, ttl, retain: ttl, log, from };
        self.store.put(put).await.unwrap();
    }

    /// What is there is a counted miss, and is replaced by the next load.
    async fn assert_replaced(&self, what: &str) {
        let before = self.items.stats();
        assert_eq!(self.items.get(KEY).await, None, "{what}");
        assert_eq!((self.items.stats() - before).damaged, 1, "{what}");
        let answer = self.items.at(KEY).tag("t").get_with(|_| async { 8 }).await.unwrap();
        assert_eq!((answer.value, answer.source), (8, Source::Loaded), "{what}");
        assert_eq!(self.items.get(KEY).await, Some(8), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn a32_a_rewritten_frame_is_served_as_long_as_it_is_whole() {
    let tampering = Tampering::begin().await;
    let frame = tampering.frame().await;
    tampering.write(frame).await;
    assert_eq!(tampering.items.get(KEY).await, Some(7), "so the tests below tamper with the right thing");
}

#[tokio::test(start_paused = true)]
async fn a32_bytes_that_are_cut_or_flipped_are_a_counted_miss_and_replaced() {
    let tampering = Tampering::begin().await;
    let whole = tampering.frame().await;
    for end in 0..whole.len() {
        tampering.write(whole.slice(..end)).await;
        tampering.assert_replaced(&format!("cut at {end}")).await;
    }
    for at in 0..whole.len() {
        for bit in [0, 7] {
            let mut bytes = whole.to_vec();
            bytes[at] ^= 1 << bit;
            tampering.write(bytes).await;
            tampering.assert_replaced(&format!("bit {bit} of byte {at}")).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a32_hostile_lengths_allocate_nothing() {
    let tampering = Tampering::begin().await;
    let whole = tampering.frame().await;
    for at in 0..whole.len().saturating_sub(8) {
        for number in [u64::MAX, 1 << 60, 0] {
            let mut bytes = whole.to_vec();
            bytes[at..at + 8].copy_from_slice(&number.to_le_bytes());
            if bytes == whole {
                continue;
            }
            // The checksum is no defence: who can write to the store can make one.
            let end = bytes.len() - 4;
            let checksum = crc32fast::hash(&bytes[..end]).to_le_bytes();
            bytes[end..].copy_from_slice(&checksum);
            tampering.write(bytes).await;
            // It may say another number, or live shorter; it must not crash, hang or take the machine's memory.
            let _ = tampering.items.get(KEY).await;
            tampering.items.at(KEY).tag("t").get_with(|_| async { 8 }).await.unwrap();
        }
    }
    for garbage in [vec![], vec![0; 1], vec![0xFF; 10_000], b"{\"value\": 7}".to_vec(), vec![0xCA; 1 << 20]] {
        tampering.write(garbage).await;
        tampering.assert_replaced("garbage").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a32_an_entry_of_another_key_type_codec_or_schema_is_a_counted_miss() {
    let tampering = Tampering::begin().await;
    // The bytes of another key.
    let other = {
        let (tap, keys) = Tap::new(&tampering.store);
        let stack = Stack::builder("shop").l2(tap).build().await.unwrap();
        let items: Items = stack.cache("item").build().unwrap();
        items.at("other").tag("t").get_with(|_| async { 1 }).await.unwrap();
        let key = keys.lock().unwrap()[0].clone();
        tampering.store.read(Read { key: &key, marks: &[], part: Part::Whole }).await.unwrap().entry.unwrap().frame
    };
    tampering.write(other).await;
    tampering.assert_replaced("another key").await;

    let stack = Stack::builder("shop").l2(tampering.store.clone()).build().await.unwrap();
    let texts = stack.cache::<String, String>("item").build().unwrap();
    texts.at(KEY).tag("t").insert("seven".to_owned()).await.unwrap();
    tampering.assert_replaced("another type").await;

    let process = Process::on(&tampering.store).await;
    let binary = Overrides::new().codec(cache_core::Format::Postcard);
    if let Ok(items) = process.stack.cache::<String, u64>("item").overrides(binary).build() {
        items.at(KEY).tag("t").insert(7).await.unwrap();
        tampering.assert_replaced("another codec").await;
    }
}

#[tokio::test(start_paused = true)]
async fn a32_an_entry_of_another_type_is_a_miss_although_its_bytes_would_do() {
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Metres {
        n: u64,
    }
    #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Miles {
        n: u64,
    }

    let store = Memory::new();
    let (here, peer) = (Process::on(&store).await, Process::without_l1(&store).await);
    here.stack.cache::<String, Metres>("way").build().unwrap().insert(KEY, Metres { n: 7 }).await.unwrap();
    let miles = peer.stack.cache::<String, Miles>("way").build().unwrap();
    assert_eq!(miles.get(KEY).await, None);
    assert_eq!(miles.stats().damaged, 1);
    assert_eq!(miles.get_with(KEY, |_| async { Miles { n: 8 } }).await.unwrap(), Miles { n: 8 });
    assert_eq!(miles.get(KEY).await, Some(Miles { n: 8 }));
}

#[tokio::test(start_paused = true)]
async fn a32_a_damaged_entry_that_was_replaced_meanwhile_is_left_alone() {
    let store = Memory::new();
    let here = Process::without_l1(&store).await;
    let wrong = Process::on(&store).await.stack.cache::<String, String>("item").build().unwrap();
    wrong.insert(KEY, "of another type".to_owned()).await.unwrap();
    let mut gate = here.faults.hold(Operation::Lease, cache_core::testing::Moment::Before);
    let reader = {
        let items = here.items();
        tokio::spawn(async move { items.at(KEY).get_with(|_| async { 8 }).await.unwrap() })
    };
    gate.reached().await;
    let peer = Process::on(&store).await;
    peer.items().insert(KEY, 9).await.unwrap();
    gate.release();
    let answer = reader.await.unwrap();
    assert_eq!((answer.value, answer.source), (9, Source::L2));
}

#[tokio::test(start_paused = true)]
async fn a32_endlessly_damaged_entries_end_at_the_origin() {
    let tampering = Arc::new(Tampering::begin().await);
    tampering.write(vec![1; 10]).await;
    let answer = tampering.items.at(KEY).get_with(|_| async { 8 }).await.unwrap();
    assert_eq!(answer.value, 8);
}

#[tokio::test(start_paused = true)]
async fn a34_a_value_above_the_limit_is_answered_counted_and_not_stored() {
    let store = Memory::new();
    let here = Process::on(&store).await;
    let overrides = Overrides::new().max_value_size(1_000);
    let texts = here.stack.cache::<String, String>("text").overrides(overrides).build().unwrap();
    let answer = texts.at(KEY).get_with(|_| async { "x".repeat(1_000) }).await.unwrap();
    assert_eq!((answer.value.len(), answer.source, answer.remaining), (1_000, Source::Loaded, Duration::ZERO));
    assert_eq!(texts.stats().too_large, 1, "with its quotes");
    assert_eq!(texts.get(KEY).await, None);
    assert_eq!(here.stack.l1_size().0, 0);
    texts.get_with(KEY, |_| async { "x".repeat(998) }).await.unwrap();
    assert_eq!(texts.get(KEY).await.map(|text| text.len()), Some(998), "and the lease is free");
}

#[tokio::test(start_paused = true)]
async fn a34_a_value_above_the_limit_leaves_no_older_one_behind() {
    let store = Memory::new();
    let here = Process::on(&store).await;
    let overrides = Overrides::new().max_value_size(10);
    let texts = here.stack.cache::<String, String>("text").overrides(overrides).build().unwrap();
    texts.insert(KEY, "old".to_owned()).await.unwrap();
    texts.insert(KEY, "x".repeat(10)).await.unwrap_err();
    assert_eq!(texts.at(KEY).get().await.map(|answer| answer.source), Some(Source::L2));
}

#[tokio::test(start_paused = true)]
async fn values_may_be_empty_or_five_megabytes() {
    let store = Memory::new();
    let (here, bare) = (Process::on(&store).await, Process::without_l1(&store).await);
    let texts = |process: &Process| process.stack.cache::<u64, String>("text").build().unwrap();
    for (key, size) in [(0, 0), (1, 5 << 20)] {
        let value = texts(&here).get_with(&key, |_| async move { "x".repeat(size) }).await.unwrap();
        assert_eq!(value.len(), size);
        let answer = texts(&bare).at(&key).get().await.unwrap();
        assert_eq!((answer.value.len(), answer.source), (size, Source::L2));
    }
    let nothing = here.stack.cache::<(), ()>("nothing").build().unwrap();
    nothing.get_with(&(), |_| async {}).await.unwrap();
    assert_eq!(nothing.at(&()).get().await.map(|answer| answer.source), Some(Source::L1));
}

#[tokio::test(start_paused = true)]
async fn a_type_that_its_codec_can_not_read_back_is_kept_here_alone_and_told() {
    let store = Memory::new();
    let here = Process::on(&store).await;
    let floats = here.stack.cache::<String, f64>("float").build().unwrap();
    assert!(floats.get_with(KEY, |_| async { f64::NAN }).await.unwrap().is_nan());
    assert!(floats.get(KEY).await.unwrap().is_nan(), "L1 needs no codec");
    assert_eq!(floats.stats().codec_refused, 1);
    let problems = here.stack.health().problems;
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].cache, "float");
    let bare = Process::without_l1(&store).await;
    assert!(bare.stack.cache::<String, f64>("float").build().unwrap().get(KEY).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_disabled_cache_is_passed_through() {
    let here = Process::on(&Memory::new()).await;
    let origin = Origin::new();
    let off: Items = here.stack.cache("off").overrides(Overrides::new().enabled(false)).build().unwrap();
    for _ in 0..3 {
        let answer = off.at(KEY).get_with(|_| origin.load()).await.unwrap();
        assert_eq!((answer.source, answer.remaining), (Source::Loaded, Duration::ZERO));
    }
    assert_eq!((off.get(KEY).await, origin.loads()), (None, 3));
    assert_eq!(here.faults.requests(), here.faults.calls(Operation::Probe));
    off.invalidate(KEY).await.unwrap();
    off.insert(KEY, 1).await.unwrap();
    assert_eq!(off.get(KEY).await, None);
    assert_eq!(here.faults.calls(Operation::Invalidate), 2, "other processes may have it on");
}

#[tokio::test(start_paused = true)]
async fn a_default_answers_the_call_that_gave_it_and_is_stored_nowhere() {
    let store = Memory::new();
    let here = Process::on(&store).await;
    let items = here.items();
    let (mut held, stand) = hold();
    let joined = {
        let items = items.clone();
        tokio::spawn(async move {
            items
                .at(KEY)
                .try_get_with(|_| async move {
                    stand.await;
                    Err::<u64, _>("no rows")
                })
                .await
        })
    };
    held.reached().await;
    let call = items.at(KEY).default_on_error(7).try_get_with(|_| async { Err::<u64, _>("no rows") });
    let (answer, ()) = tokio::join!(call, async {
        settle().await;
        held.release();
    });
    let answer = answer.unwrap();
    assert_eq!((answer.value, answer.source, answer.remaining), (7, Source::Default, Duration::ZERO));
    assert!(matches!(joined.await.unwrap(), Err(LoadError::Loader(_))), "others are told");
    assert_eq!((items.get(KEY).await, stored(&store).await), (None, None));
    assert_eq!((items.stats().defaults, items.stats().load_errors), (1, 1));

    let panics = items.at(KEY).default_on_error(8).get_with(|_| async { panic!("no rows") }).await.unwrap();
    assert_eq!((panics.value, panics.source), (8, Source::Default));
    let hangs = items.at(KEY).default_on_error(9).get_with(|_| std::future::pending()).await.unwrap();
    assert_eq!((hangs.value, hangs.source), (9, Source::Default));
    let refreshed = items.at(KEY).default_on_error(9).try_refresh_with(|_| async { Err::<u64, _>("no rows") }).await;
    assert_eq!(refreshed.unwrap().source, Source::Default);
    let bypassed =
        items.at(KEY).bypass().default_on_error(9).try_get_with(|_| async { Err::<u64, _>("no rows") }).await;
    assert_eq!(bypassed.unwrap().source, Source::Default);
}

#[tokio::test(start_paused = true)]
async fn a_default_is_the_last_resort_and_hides_no_mistake() {
    let here = Process::on(&Memory::new()).await;
    let policy = Overrides::new().jitter(0.0).stale_if_error(LONG);
    let items: Items = here.stack.cache("lenient").overrides(policy).build().unwrap();
    items.get_with(KEY, |_| async { 1 }).await.unwrap();
    items.expire(KEY).await.unwrap();
    let fails = || async { Err::<u64, _>("no rows") };
    let answer = items.at(KEY).default_on_error(7).try_get_with(|_| fails()).await.unwrap();
    assert_eq!((answer.value, answer.source), (1, Source::Stale));
    items.invalidate(KEY).await.unwrap();
    let answer = items.at(KEY).default_on_error(7).try_get_with(|_| fails()).await.unwrap();
    assert_eq!((answer.value, answer.source), (7, Source::Default), "what was revoked is no stale value");

    let many = (0..65).map(|tag| tag.to_string());
    let error = items.at(KEY).tags(many).default_on_error(7).get_with(|_| async { 1 }).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(items.at("other").default_on_error(7).get().await, None, "what loads nothing fails in nothing");
}

/// A deadline without end was taken, and twice it, which is how long a call waits for another's flight, was a panic of
/// that call.
#[tokio::test(start_paused = true)]
async fn a_deadline_of_l2_that_can_not_be_counted_on_is_refused() {
    let build = |deadline| Stack::builder(NAMESPACE).l2(Memory::new()).l2_deadline(deadline).build();
    for (deadline, way_out) in [
        (Duration::from_micros(999), "l2_deadline is 999µs; give it 1ms or more"),
        (LONG + Duration::from_nanos(1), "give it 3600s or less"),
        (Duration::MAX, "give it 3600s or less"),
    ] {
        let error = build(deadline).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(way_out), "{error}");
    }
    for deadline in [Duration::from_millis(1), LONG] {
        build(deadline).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_joins_a_flight_whatever_the_deadline_of_l2() {
    let here = Process::with(&Memory::new(), |stack| stack.l2_deadline(LONG)).await;
    let items = here.items();
    let mut read = here.faults.hold(Operation::Read, Moment::After);
    let leader = call(&items, async { 7 });
    read.reached().await;
    let joined = call(&items, async { 8 });
    settle().await;
    read.release();
    assert_eq!((leader.await.unwrap().unwrap(), joined.await.unwrap().unwrap()), (7, 7));
}
