//! One load for all who ask.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use cache_core::{ErrorKind, LoadError, Source, Stack, backend::Memory, clock, testing::Operation};
use tokio::{sync::Barrier, task::JoinSet};

use crate::fleet::{Items, KEY, LONG, Origin, Process, cache_error, call, hold, settle, stored, until};

/// Callers of one process, all of whom have asked before the load ends.
async fn stampede(items: &Items, callers: usize) -> usize {
    let origin = Origin::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let (mut held, load) = origin.held();
    let leader = call(items, load);
    held.reached().await;
    let mut others = JoinSet::new();
    for _ in 0..callers - 1 {
        let (items, asked, load) = (items.clone(), Arc::clone(&asked), origin.load());
        others.spawn(async move {
            asked.fetch_add(1, Ordering::SeqCst);
            items.get_with(KEY, |_| load).await
        });
    }
    until("all have asked", || asked.load(Ordering::SeqCst) == callers - 1).await;
    held.release();
    leader.await.unwrap().unwrap();
    while let Some(value) = others.join_next().await {
        assert_eq!(value.unwrap().unwrap(), 0);
    }
    origin.loads()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a16_ten_thousand_callers_load_once() {
    let stack = Stack::builder("shop").build().await.unwrap();
    let items: Items = stack.cache("item").build().unwrap();
    assert_eq!(stampede(&items, 10_000).await, 1);
    assert_eq!(items.in_flight(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a16_ten_thousand_callers_load_once_with_a_shared_store() {
    let process = Process::on(&Memory::new()).await;
    assert_eq!(stampede(&process.items(), 10_000).await, 1);
    assert_eq!(process.items().in_flight(), 0);
    assert_eq!(process.faults.calls(Operation::Lease), 1);
    assert_eq!(process.faults.calls(Operation::Fill), 1);
}

#[tokio::test(start_paused = true)]
async fn a17_a_fleet_loads_once() {
    let (store, origin) = (Memory::new(), Origin::new());
    let (mut held, load) = origin.held();
    let first = Process::on(&store).await;
    let leader = call(&first.items(), load);
    held.reached().await;
    let mut fleet = vec![first];
    let mut callers = JoinSet::new();
    for _ in 0..3 {
        let process = Process::on(&store).await;
        for _ in 0..100 {
            let (items, load) = (process.items(), origin.load());
            callers.spawn(async move { items.get_with(KEY, |_| load).await.unwrap() });
        }
        fleet.push(process);
    }
    // Each has met the lease, and waits for it.
    until("they wait", || fleet[1..].iter().all(|process| process.faults.calls(Operation::Lease) > 1)).await;
    origin.commit();
    held.release();
    assert_eq!(leader.await.unwrap().unwrap(), 0);
    assert_eq!(callers.join_all().await, [0; 300], "the value that was loaded, not a newer one");
    assert_eq!(origin.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a17_a_load_that_outlasts_its_first_lease_keeps_it() {
    let (store, origin) = (Memory::new(), Origin::new());
    let (a, b) = (Process::on(&store).await, Process::on(&store).await);
    let (mut held, load) = origin.held();
    let leader = call(&a.items(), load);
    held.reached().await;
    let waiter = call(&b.items(), origin.load());
    tokio::time::advance(Duration::from_secs(1)).await;
    until("it was extended often", || a.faults.calls(Operation::Extend) > 6).await;
    assert_eq!(origin.loads(), 1);
    held.release();
    assert_eq!((leader.await.unwrap().unwrap(), waiter.await.unwrap().unwrap()), (0, 0));
    assert_eq!(origin.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn a17_a_lease_is_extended_three_times_in_its_life_as_long_as_its_load_runs() {
    const LEASE: Duration = Duration::from_secs(3);
    let (store, origin) = (Memory::new(), Origin::new());
    let process = Process::with(&store, |stack| stack.lease_ttl(LEASE)).await;
    let (mut held, load) = origin.held();
    let leader = call(&process.items(), load);
    held.reached().await;
    tokio::time::sleep(6 * LEASE + LEASE / 12).await;
    assert_eq!(process.faults.calls(Operation::Extend), 18);
    held.release();
    leader.await.unwrap().unwrap();
    tokio::time::sleep(LEASE).await;
    assert_eq!(process.faults.calls(Operation::Extend), 18);
}

#[tokio::test(start_paused = true)]
async fn a17_one_takes_over_from_a_dead_holder_within_the_lease_time() {
    let (store, origin) = (Memory::new(), Origin::new());
    let dead = Process::on(&store).await;
    let (mut held, load) = origin.held();
    let lost = call(&dead.items(), load);
    held.reached().await;
    // It never says another word, nor does it end its lease.
    dead.faults.hang_all();
    let died = clock::now();
    let mut fleet = Vec::new();
    for _ in 0..3 {
        let process = Process::on(&store).await;
        let load = origin.load();
        fleet.push((call(&process.items(), load), process));
    }
    for (caller, _) in &mut fleet {
        assert_eq!(caller.await.unwrap().unwrap(), 0);
    }
    let took = clock::now() - died;
    assert!(took <= Duration::from_secs(3) + Duration::from_millis(200), "{took:?}");
    assert_eq!(origin.loads(), 2, "one took over");
    lost.abort();
}

#[tokio::test(start_paused = true)]
async fn who_waits_longer_than_the_budget_for_a_peer_loads_by_itself_and_stores_nothing_in_the_store() {
    let (store, origin) = (Memory::new(), Origin::new());
    let (a, b) = (Process::on(&store).await, Process::with(&store, |s| s.lease_wait(Duration::from_secs(1))).await);
    let (mut held, load) = origin.held();
    let leader = call(&a.items(), load);
    held.reached().await;
    origin.commit();
    let started = clock::now();
    assert_eq!(b.items().get_with(KEY, |_| origin.load()).await.unwrap(), 1);
    assert_eq!(clock::now() - started, Duration::from_secs(1));
    assert_eq!(stored(&store).await, None, "it has no lease");
    held.release();
    leader.await.unwrap().unwrap();
    assert_eq!(stored(&store).await, Some(0));
}

#[tokio::test(start_paused = true)]
async fn a18_the_leader_leaves_and_the_others_get_the_value() {
    let process = Process::on(&Memory::new()).await;
    let (items, origin) = (process.items(), Origin::new());
    let (mut held, load) = origin.held();
    let leader = call(&items, load);
    held.reached().await;
    let others: Vec<_> = (0..10).map(|_| call(&items, origin.load())).collect();
    settle().await;
    leader.abort();
    assert!(leader.await.unwrap_err().is_cancelled());
    settle().await;
    held.release();
    for other in others {
        assert_eq!(other.await.unwrap().unwrap(), 0);
    }
    assert_eq!(origin.loads(), 1);
    assert_eq!(items.in_flight(), 0);
}

/// Says when it goes.
struct Goes(Arc<AtomicBool>);

impl Drop for Goes {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn a18_when_all_have_left_the_load_is_cancelled_and_its_lease_given_back() {
    let store = Memory::new();
    let (a, b) = (Process::on(&store).await, Process::on(&store).await);
    let (items, gone) = (a.items(), Arc::new(AtomicBool::new(false)));
    let (mut held, stand) = hold();
    let goes = Goes(Arc::clone(&gone));
    let load = async move {
        stand.await;
        drop(goes);
        7
    };
    let callers = [call(&items, load), call(&items, async { 8 })];
    held.reached().await;
    settle().await;
    for caller in callers {
        assert!(!gone.load(Ordering::SeqCst), "somebody waits still");
        caller.abort();
        let _ = caller.await;
        settle().await;
    }
    assert!(gone.load(Ordering::SeqCst));
    assert_eq!(items.in_flight(), 0);
    let started = clock::now();
    assert_eq!(b.items().get_with(KEY, |_| async { 9 }).await.unwrap(), 9);
    assert_eq!(clock::now(), started, "the lease is free at once");
}

#[tokio::test(start_paused = true)]
async fn a_load_to_the_end_is_stored_although_all_have_left() {
    let store = Memory::new();
    let process = Process::on(&store).await;
    let items = process.items();
    let (mut held, stand) = hold();
    let caller = {
        let items = items.clone();
        let load = async move {
            stand.await;
            7
        };
        tokio::spawn(async move { items.at(KEY).to_the_end().get_with(|_| load).await })
    };
    held.reached().await;
    caller.abort();
    let _ = caller.await;
    held.release();
    until("it has landed", || items.in_flight() == 0).await;
    assert_eq!(items.at(KEY).get().await.map(|answer| (answer.value, answer.source)), Some((7, Source::L1)));
    assert_eq!(stored(&store).await, Some(7));
}

#[tokio::test(start_paused = true)]
async fn a19_a_panic_reaches_every_waiter_and_the_next_call_loads_again() {
    let store = Memory::new();
    let (process, peer) = (Process::on(&store).await, Process::on(&store).await);
    let items = process.items();
    let (mut held, stand) = hold();
    let mut callers = vec![call(&items, async move {
        stand.await;
        panic!("no rows")
    })];
    held.reached().await;
    callers.extend((0..10).map(|_| call(&items, async { unreachable!("it joins") })));
    settle().await;
    held.release();
    for caller in callers {
        let error = caller.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panicked);
        assert!(error.to_string().contains("no rows"), "{error}");
    }
    assert_eq!(items.in_flight(), 0);
    let started = clock::now();
    assert_eq!(peer.items().get_with(KEY, |_| async { 1 }).await.unwrap(), 1);
    assert_eq!(clock::now(), started, "the lease is free at once");
    assert_eq!(items.get_with(KEY, |_| async { 2 }).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a19_a_panic_while_the_loader_is_made_leaves_no_trace() {
    let process = Process::on(&Memory::new()).await;
    let items = process.items();
    let caller = {
        let items = items.clone();
        let load = |_| -> std::future::Ready<u64> { panic!("no pool") };
        tokio::spawn(async move { items.get_with(KEY, load).await })
    };
    assert!(caller.await.unwrap_err().is_panic(), "it is the caller's own panic");
    assert_eq!(items.in_flight(), 0);
    assert_eq!(process.faults.calls(Operation::Lease), 0);
    assert_eq!(items.get_with(KEY, |_| async { 7 }).await.unwrap(), 7);
}

/// Can't be encoded.
#[derive(Clone, Debug, serde::Deserialize)]
struct Explosive;

impl serde::Serialize for Explosive {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("boom")
    }
}

#[tokio::test(start_paused = true)]
async fn a19_a_panic_of_the_value_while_it_is_encoded_reaches_every_waiter_too() {
    let store = Memory::new();
    let (process, peer) = (Process::on(&store).await, Process::on(&store).await);
    let items = process.stack.cache::<String, Explosive>("explosive").build().unwrap();
    let (mut held, stand) = hold();
    let loads = Arc::new(AtomicUsize::new(0));
    let mut stand = Some(stand);
    let callers: Vec<_> = (0..5)
        .map(|_| {
            let (items, loads, stand) = (items.clone(), Arc::clone(&loads), stand.take());
            tokio::spawn(async move {
                let load = |_| async move {
                    loads.fetch_add(1, Ordering::SeqCst);
                    if let Some(stand) = stand {
                        stand.await;
                    }
                    Explosive
                };
                items.get_with(KEY, load).await
            })
        })
        .collect();
    held.reached().await;
    settle().await;
    held.release();
    for caller in callers {
        let error = caller.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Panicked, "{error}");
        assert!(error.to_string().contains("boom"), "{error}");
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);
    assert_eq!(items.in_flight(), 0);
    let started = clock::now();
    let peer = peer.stack.cache::<String, Explosive>("explosive").build().unwrap();
    let _ = peer.get_with(KEY, |_| async { Explosive }).await;
    assert_eq!(clock::now(), started, "the lease is free at once");
}

#[derive(Debug, PartialEq)]
struct NoRows(u32);

#[tokio::test(start_paused = true)]
async fn a20_an_error_reaches_every_waiter_typed_and_is_not_cached() {
    let process = Process::on(&Memory::new()).await;
    let items = process.items();
    let loads = Arc::new(AtomicUsize::new(0));
    let (mut held, stand) = hold();
    let mut stand = Some(stand);
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let (items, loads, stand) = (items.clone(), Arc::clone(&loads), stand.take());
            tokio::spawn(async move {
                let load = |_| async move {
                    loads.fetch_add(1, Ordering::SeqCst);
                    if let Some(stand) = stand {
                        stand.await;
                    }
                    Err(NoRows(7))
                };
                items.try_get_with(KEY, load).await
            })
        })
        .collect();
    held.reached().await;
    settle().await;
    held.release();
    for caller in callers {
        let error = caller.await.unwrap().unwrap_err();
        assert_eq!(error.loader(), Some(&NoRows(7)));
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);
    assert_eq!(items.in_flight(), 0);
    assert_eq!(items.try_get_with(KEY, |_| async { Ok::<_, NoRows>(1) }).await.unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a20_a_waiter_whose_loader_fails_otherwise_loads_by_itself() {
    let process = Process::on(&Memory::new()).await;
    let items = process.items();
    let (mut held, stand) = hold();
    let numbers = {
        let items = items.clone();
        let load = async move {
            stand.await;
            Err::<u64, _>(7u32)
        };
        tokio::spawn(async move { items.try_get_with(KEY, |_| load).await })
    };
    held.reached().await;
    let texts = {
        let items = items.clone();
        tokio::spawn(async move { items.try_get_with(KEY, |_| async { Err::<u64, _>("seven") }).await })
    };
    settle().await;
    held.release();
    assert_eq!(numbers.await.unwrap().unwrap_err().loader(), Some(&7));
    assert_eq!(texts.await.unwrap().unwrap_err().loader(), Some(&"seven"));
    assert_eq!(items.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a20_a_waiter_whose_loader_cannot_fail_is_given_no_error_of_another() {
    let process = Process::on(&Memory::new()).await;
    let items = process.items();
    let (mut held, stand) = hold();
    let failing = {
        let items = items.clone();
        let load = async move {
            stand.await;
            Err::<u64, _>(7u32)
        };
        tokio::spawn(async move { items.try_get_with(KEY, |_| load).await })
    };
    held.reached().await;
    let never = call(&items, async { 7 });
    settle().await;
    held.release();
    assert_eq!(failing.await.unwrap().unwrap_err().loader(), Some(&7));
    assert_eq!(never.await.unwrap().unwrap(), 7);
    assert_eq!(items.get(KEY).await, Some(7));
}

#[tokio::test(start_paused = true)]
async fn a21_a_loader_that_asks_for_its_own_entry_is_told_at_once() {
    let process = Process::on(&Memory::new()).await;
    let items = process.items();
    let inner = items.clone();
    let started = clock::now();
    let error =
        items.try_get_with(KEY, |_| async move { inner.get_with(KEY, |_| async { 1 }).await }).await.unwrap_err();
    assert_eq!(error.loader().map(cache_core::Error::kind), Some(ErrorKind::Reentrant));
    assert_eq!(clock::now(), started);
    assert_eq!(items.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a21_a_ring_of_loaders_is_told_at_once() {
    let process = Process::on(&Memory::new()).await;
    let items = process.items();
    let (b, a) = (items.clone(), items.clone());
    let started = clock::now();
    let outcome = items
        .try_get_with("a", |_| async move {
            b.try_get_with("b", |_| async move { a.get_with("a", |_| async { 1 }).await }).await
        })
        .await;
    let Err(LoadError::Loader(inner)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(inner.loader().map(cache_core::Error::kind), Some(ErrorKind::Reentrant));
    assert_eq!(clock::now(), started);
}

#[tokio::test(start_paused = true)]
async fn a21_a_loader_may_look_for_its_own_entry_without_loading() {
    let process = Process::on(&Memory::new()).await;
    let items = process.items();
    let inner = items.clone();
    let found = items.get_with(KEY, |_| async move { inner.get(KEY).await.map_or(7, |found| found + 100) }).await;
    assert_eq!(found.unwrap(), 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a22_nothing_is_left_of_a_million_loads() {
    const LOADS: u64 = 1_000_000;
    let stack = Stack::builder("shop").l1(cache_core::L1::entries(1_000)).build().await.unwrap();
    let items = stack.cache::<u64, u64>("item").build().unwrap();
    let mut lanes = JoinSet::new();
    for lane in 0..8 {
        let items = items.clone();
        lanes.spawn(async move {
            for key in (lane..LOADS).step_by(8) {
                assert_eq!(items.get_with(&key, |_| async move { key }).await.unwrap(), key);
            }
        });
    }
    lanes.join_all().await;
    assert_eq!(items.in_flight(), 0);
    assert!(stack.l1_size().0 <= 1_000);
}

#[tokio::test]
async fn a_loader_may_borrow_from_its_caller_to_make_its_future() {
    let process = Process::on(&Memory::new()).await;
    let text = String::from("seven");
    let borrowed = &text;
    let items = process.items();
    let value = items.get_with(KEY, |_| {
        let length = borrowed.len() as u64;
        async move { length }
    });
    assert_eq!(value.await.unwrap(), 5);
    assert_eq!(text, "seven");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_waits_for_a_load_whose_runtime_ends_loads_by_itself() {
    let stack = Stack::builder("shop").build().await.unwrap();
    let items: Items = stack.cache("item").build().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (mut held, stand) = hold();
    let lost = {
        let items = items.clone();
        let load = async move {
            stand.await;
            1
        };
        runtime.spawn(async move { items.get_with(KEY, |_| load).await })
    };
    held.reached().await;
    let waiter = call(&items, async { 2 });
    until("it has joined", || items.in_flight() == 1).await;
    settle().await;
    runtime.shutdown_background();
    assert_eq!(waiter.await.unwrap().unwrap(), 2);
    assert!(lost.await.is_err());
    assert_eq!(items.in_flight(), 0);
}

#[test]
fn a_stack_outlives_the_runtimes_that_use_it() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let stack = first.block_on(Stack::builder("shop").build()).unwrap();
    let items: Items = stack.cache("item").build().unwrap();
    drop(first);

    let second = runtime();
    let (mut held, stand) = hold();
    let lost = items.clone();
    second.spawn(async move {
        lost.get_with(KEY, |_| async move {
            stand.await;
            1
        })
        .await
    });
    second.block_on(held.reached());
    assert_eq!(items.in_flight(), 1);
    drop(second);
    assert_eq!(items.in_flight(), 0);

    assert_eq!(runtime().block_on(items.get_with(KEY, |_| async { 2 })).unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_loads_whatever_is_cached_and_replaces_it_in_every_tier() {
    let (store, origin) = (Memory::new(), Origin::new());
    let process = Process::on(&store).await;
    let items = process.items();
    assert_eq!(items.get_with(KEY, |_| origin.load()).await.unwrap(), 0);
    origin.commit();
    let (mut held, load) = origin.held();
    let refresh = {
        let items = items.clone();
        tokio::spawn(async move { items.at(KEY).refresh_with(|_| load).await })
    };
    held.reached().await;
    assert_eq!(items.get(KEY).await, Some(0), "the old entry is served until then");
    held.release();
    let answer = refresh.await.unwrap().unwrap();
    assert_eq!((answer.value, answer.source), (1, Source::Loaded));
    assert_eq!(items.get(KEY).await, Some(1));
    assert_eq!(stored(&store).await, Some(1));
    assert_eq!(origin.loads(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_fails_leaves_the_old_entry() {
    let store = Memory::new();
    let process = Process::on(&store).await;
    let items = process.items();
    items.insert(KEY, 7).await.unwrap();
    let failed = items.at(KEY).try_refresh_with(|_| async { Err::<u64, _>("down") }).await;
    assert_eq!(failed.unwrap_err().loader(), Some(&"down"));
    assert_eq!(items.get(KEY).await, Some(7));
    assert_eq!(stored(&store).await, Some(7));
}

#[tokio::test(start_paused = true)]
async fn the_last_of_two_refreshes_is_what_stays() {
    for l2 in [true, false] {
        let (store, origin) = (Memory::new(), Origin::new());
        let builder = Stack::builder("shop");
        let stack = if l2 { builder.l2(store.clone()) } else { builder }.build().await.unwrap();
        let items: Items = stack.cache("item").build().unwrap();
        let (mut early, load) = origin.held();
        let first = {
            let items = items.clone();
            tokio::spawn(async move { items.at(KEY).refresh_with(|_| load).await.unwrap().value })
        };
        early.reached().await;
        origin.commit();
        assert_eq!(items.at(KEY).refresh_with(|_| origin.load()).await.unwrap().value, 1);
        early.release();
        assert_eq!(first.await.unwrap(), 0);
        assert_eq!(items.get(KEY).await, Some(1), "with L2: {l2}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_waits_for_no_peer_and_fences_its_load_off() {
    let (store, origin) = (Memory::new(), Origin::new());
    let (here, peer) = (Process::on(&store).await, Process::on(&store).await);
    let (mut held, load) = origin.held();
    let slow = call(&peer.items(), load);
    held.reached().await;
    origin.commit();
    let started = clock::now();
    assert_eq!(here.items().at(KEY).refresh_with(|_| origin.load()).await.unwrap().value, 1);
    assert_eq!(clock::now(), started);
    held.release();
    assert_eq!(slow.await.unwrap().unwrap(), 0);
    assert_eq!(stored(&store).await, Some(1));
    assert_eq!(peer.items().get(KEY).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_load_that_hangs_is_cancelled_at_its_deadline_and_leaves_no_lease() {
    let store = Memory::new();
    let (process, peer) = (Process::on(&store).await, Process::on(&store).await);
    let items = process.items();
    let error = items.get_with(KEY, |_| std::future::pending()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LoadTimeout);
    let started = clock::now();
    assert_eq!(peer.items().get_with(KEY, |_| async { 1 }).await.unwrap(), 1);
    assert_eq!(clock::now(), started);
    assert_eq!(items.in_flight(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_lookup_does_not_wait_for_a_load() {
    let process = Process::on(&Memory::new()).await;
    let (items, origin) = (process.items(), Origin::new());
    let (mut held, load) = origin.held();
    let loading = call(&items, load);
    held.reached().await;
    assert_eq!(items.get(KEY).await, None);
    assert!(!items.contains_key(KEY).await);
    held.release();
    loading.await.unwrap().unwrap();
    assert!(items.contains_key(KEY).await);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_lookups_are_one_read() {
    let process = Process::on(&Memory::new()).await;
    let items = process.items();
    let barrier = Arc::new(Barrier::new(1_000));
    let mut lookups = JoinSet::new();
    let mut gate = process.faults.hold(Operation::Read, cache_core::testing::Moment::Before);
    for _ in 0..1_000 {
        let (items, barrier) = (items.clone(), Arc::clone(&barrier));
        lookups.spawn(async move {
            barrier.wait().await;
            items.get(KEY).await
        });
    }
    gate.reached().await;
    settle().await;
    gate.release();
    assert!(lookups.join_all().await.iter().all(Option::is_none));
    assert_eq!(process.faults.calls(Operation::Read), 1);
}

#[tokio::test(start_paused = true)]
async fn a_loader_that_asks_for_no_store_is_answered_and_not_stored() {
    let store = Memory::new();
    let process = Process::on(&store).await;
    let items = process.items();
    let answer = items
        .at(KEY)
        .try_get_with(|load| async move {
            load.no_store();
            Ok::<_, Infallible>(7)
        })
        .await
        .map_err(cache_error)
        .unwrap();
    assert_eq!((answer.value, answer.source, answer.remaining), (7, Source::Loaded, Duration::ZERO));
    assert_eq!(items.get(KEY).await, None);
    tokio::time::advance(LONG).await;
    assert_eq!(stored(&store).await, None);
}
