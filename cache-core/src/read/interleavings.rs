//! Boarding, landing, leaving and invalidating at once: whatever thread goes first at each lock, atomic and wake-up.

use std::{sync::Arc, time::Duration};

use shuttle::{
    check_random,
    future::block_on,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread::{self, yield_now},
};
use tokio::runtime::{Builder, Runtime};

use super::*;
use crate::{Stack, StackBuilder, backend::Memory, coherence::course::End, flight::Cargo, policy::LONGEST};

const SCHEDULES: usize = 300;
const KEY: u8 = 7;
const OLD: u8 = 1;

/// The stack of one schedule.
struct Scene {
    cache: Arc<Shared<u8, u8>>,
    hash: u64,
    _stack: Stack,
    /// Where its background task waits, which is never run.
    _runtime: Runtime,
}

impl Scene {
    fn new() -> Arc<Self> {
        Self::of(Stack::builder("test"))
    }

    fn of(stack: StackBuilder) -> Arc<Self> {
        let runtime = Builder::new_current_thread().enable_time().build().unwrap();
        let stack = runtime.block_on(stack.build()).unwrap();
        let cache = stack.cache::<u8, u8>("cache").build().unwrap().shared().clone();
        let hash = cache.hash(&&KEY);
        Arc::new(Self { cache, hash, _stack: stack, _runtime: runtime })
    }

    fn passenger(&self) -> Passenger<'_, u8, u8> {
        Passenger::new(&self.cache, KEY, self.hash, Call::default()).unwrap()
    }

    fn board(&self) -> Boarding<u8, u8> {
        self.passenger().board().unwrap()
    }

    /// A flight, the seat of the call that leads it, and its end.
    fn lead(&self) -> (Arc<Flight<u8, u8>>, Seat<u8, u8>, Landing<u8, u8>) {
        match self.board() {
            Boarding::Leads(Lead { flight, seat, .. }) => (Arc::clone(&flight), seat, self.landing(&flight)),
            _ => panic!("nothing is under way"),
        }
    }

    fn landing(&self, flight: &Arc<Flight<u8, u8>>) -> Landing<u8, u8> {
        Landing::new(&self.cache, flight, &KEY, self.hash)
    }

    /// As a flight lands that has loaded: its loader named the tag only now.
    fn land(&self, flight: &Flight<u8, u8>, landing: &Landing<u8, u8>) {
        let tags = self.cache.stack.ledger.tags(&["tag"]);
        let started = clock::now();
        let cargo = Cargo {
            value: OLD,
            started,
            ttl: LONGEST,
            grace: Duration::ZERO,
            leased: true,
            tags,
            validator: None,
            payload: None,
            size: None,
            id: None,
        };
        let entry_key = self.cache.entry_key(&self.cache.encode(&KEY).unwrap());
        let standing = self.cache.standing(self.cache.lot(self.hash, &entry_key), flight.standing.born, &cargo.tags);
        let entry = self.cache.landed(&self.cache.policy(), KEY, standing, cargo, clock::now());
        let order = self.passenger().order::<fn(Load) -> BoxLoad<u8>, Error>(None);
        landing.land(Outcome::Landed(entry, Source::Loaded), End::Loaded { admit: true }, &order);
    }

    fn is_served(&self) -> bool {
        self.cache.hit(self.hash, &&KEY, Asker::Looks, |_| ()).is_some()
    }
}

/// A flight lands while `invalidate` runs.
fn race(invalidate: fn(&Scene)) {
    check_random(
        move || {
            let scene = Scene::new();
            let (flight, seat, landing) = scene.lead();
            let invalidator = {
                let scene = Arc::clone(&scene);
                thread::spawn(move || {
                    invalidate(&scene);
                    let since = scene.cache.stack.ledger.moment();
                    match scene.board() {
                        Boarding::Hit(..) | Boarding::Stale(..) => panic!("it was invalidated"),
                        Boarding::Leads(..) => {}
                        // As long as nobody knows its tags.
                        Boarding::Joined(seat) => match block_on(seat.outcome()) {
                            Outcome::Landed(entry, _) => assert!(!entry.standing.may_serve(since)),
                            _ => panic!("it landed"),
                        },
                    }
                })
            };
            scene.land(&flight, &landing);
            invalidator.join().unwrap();
            assert!(!scene.is_served(), "it was invalidated before it landed, or after");
            drop(seat);
        },
        SCHEDULES,
    );
}

#[test]
fn an_invalidation_of_the_key_leaves_nothing_of_a_flight_that_lands_meanwhile() {
    race(|scene| scene.cache.drop_local(scene.hash, &KEY));
}

#[test]
fn an_invalidation_of_a_tag_leaves_nothing_of_a_flight_that_names_it_meanwhile() {
    race(|scene| {
        let tag = scene.cache.stack.namespace.tag("tag");
        scene.cache.stack.ledger.renew([&tag]);
    });
}

#[test]
fn an_invalidation_by_another_process_leaves_nothing_of_a_flight_that_lands_meanwhile() {
    race(|scene| {
        let entry_key = scene.cache.entry_key(&scene.cache.encode(&KEY).unwrap());
        scene.cache.stack.ledger.renew_lot(scene.cache.lot(scene.hash, &entry_key));
    });
}

#[test]
fn of_two_calls_that_board_at_once_one_leads_and_both_are_answered() {
    check_random(
        || {
            let scene = Scene::new();
            let led = Arc::new(AtomicUsize::new(0));
            let call = {
                let (scene, led) = (Arc::clone(&scene), Arc::clone(&led));
                move || {
                    let seat = match scene.board() {
                        Boarding::Hit(entry, _) | Boarding::Stale(entry, _) => return assert_eq!(entry.value, OLD),
                        Boarding::Joined(seat) => seat,
                        Boarding::Leads(Lead { flight, seat, .. }) => {
                            led.fetch_add(1, Ordering::SeqCst);
                            let (scene, landing) = (Arc::clone(&scene), scene.landing(&flight));
                            thread::spawn(move || scene.land(&flight, &landing));
                            seat
                        }
                    };
                    match block_on(seat.outcome()) {
                        Outcome::Landed(entry, _) => assert_eq!(entry.value, OLD),
                        _ => panic!("it landed"),
                    }
                }
            };
            let other = thread::spawn(call.clone());
            call();
            other.join().unwrap();
            assert_eq!(led.load(Ordering::SeqCst), 1);
        },
        SCHEDULES,
    );
}

/// A wake-up that is lost is a deadlock, which the scheduler notices.
#[test]
fn a_flight_is_given_up_once_by_the_last_who_leaves_and_boarded_by_nobody_after() {
    check_random(
        || {
            let scene = Scene::new();
            let (_flight, seat, landing) = scene.lead();
            let given_up = Arc::new(AtomicBool::new(false));
            let pilot = {
                let given_up = Arc::clone(&given_up);
                thread::spawn(move || {
                    block_on(landing.everyone_left());
                    assert!(!given_up.swap(true, Ordering::SeqCst));
                    landing
                })
            };
            let other = {
                let (scene, given_up) = (Arc::clone(&scene), Arc::clone(&given_up));
                thread::spawn(move || match scene.board() {
                    Boarding::Joined(_seat) => {
                        for _ in 0..3 {
                            yield_now();
                            assert!(!given_up.load(Ordering::SeqCst), "somebody sits in it");
                        }
                    }
                    Boarding::Leads(Lead { flight, seat: _seat, .. }) => drop(scene.landing(&flight)),
                    Boarding::Hit(..) | Boarding::Stale(..) => panic!("nothing landed"),
                })
            };
            drop(seat);
            other.join().unwrap();
            drop(pilot.join().unwrap());
            assert_eq!(scene.cache.in_flight(), 0);
        },
        SCHEDULES,
    );
}

/// A landing that is dropped tells those who wait.
#[test]
fn nobody_waits_for_a_flight_that_was_abandoned() {
    check_random(
        || {
            let scene = Scene::new();
            let (_, seat, landing) = scene.lead();
            let waiting = thread::spawn(move || block_on(seat.outcome()));
            drop(landing);
            assert!(matches!(waiting.join().unwrap(), Outcome::Failed(Failure::Abandoned)));
            assert!(matches!(scene.board(), Boarding::Leads(..)));
        },
        SCHEDULES,
    );
}

/// The log was cut off, and then tells in one go that the entry was revoked long ago, and that this process is in step.
#[test]
fn what_was_not_proven_is_not_proven_by_the_message_that_revokes_it() {
    const X: Duration = Duration::from_millis(10);
    check_random(
        || {
            let scene = Scene::of(Stack::builder("test").l2(Memory::new()).max_staleness(X));
            let (flight, _seat, landing) = scene.lead();
            scene.land(&flight, &landing);
            while scene.cache.stack.proof.age(clock::now()) <= X || scene.is_served() {
                std::hint::spin_loop();
            }
            let follower = {
                let scene = Arc::clone(&scene);
                thread::spawn(move || {
                    let entry_key = scene.cache.entry_key(&scene.cache.encode(&KEY).unwrap());
                    scene.cache.stack.ledger.renew_lot(scene.cache.lot(scene.hash, &entry_key));
                    scene.cache.stack.proof.sync(clock::now());
                })
            };
            assert!(!scene.is_served());
            follower.join().unwrap();
        },
        SCHEDULES,
    );
}
