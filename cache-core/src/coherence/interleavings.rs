//! The ledger and the proof under threads that do everything at once.

use std::{sync::Arc, time::Duration};

use shuttle::{
    check_random,
    thread::{self, JoinHandle},
};

use super::{
    ledger::{Ledger, Moment, Standing},
    proof::{AsOf, Proof, Stamp},
};
use crate::{
    clock,
    key::{Mark, Namespace},
    tag::Tags,
};

const SCHEDULES: usize = 2_000;

fn ledger() -> Ledger {
    Ledger::new(Namespace::new("test").unwrap())
}

/// Says when the invalidation is done.
fn invalidates(ledger: &Arc<Ledger>, tag: &Mark) -> JoinHandle<Moment> {
    let (ledger, tag) = (Arc::clone(ledger), tag.clone());
    thread::spawn(move || {
        ledger.renew([&tag]);
        ledger.moment()
    })
}

fn sweeps(ledger: &Arc<Ledger>, times: usize) -> JoinHandle<()> {
    let ledger = Arc::clone(ledger);
    thread::spawn(move || (0..times).for_each(|_| ledger.sweep()))
}

/// A tag that nobody here has seen, named by a load that was born before, while it is invalidated and marks are swept.
#[test]
fn what_was_born_before_an_invalidation_is_for_no_call_that_begins_after_it() {
    check_random(
        || {
            let (ledger, tag) = (Arc::new(ledger()), Namespace::new("test").unwrap().tag("late"));
            let born = ledger.moment();
            let invalidator = invalidates(&ledger, &tag);
            let sweeper = sweeps(&ledger, 2);
            let named = Standing::on(born, [ledger.local(&tag)]);
            let later = Standing::on(ledger.moment(), [ledger.local(&tag)]);
            let since = invalidator.join().unwrap();
            sweeper.join().unwrap();
            assert!(!named.may_serve(since) && !named.holds());
            assert!(later.born >= since || !later.may_serve(since));
            let unseen = Standing::on(ledger.moment(), [ledger.local(&tag)]);
            assert!(unseen.holds(), "what is born now rests on the tag as it is");
        },
        SCHEDULES,
    );
}

/// A tag whose only entry goes, named by a load that was born before, while it is invalidated and marks are swept.
#[test]
fn a_tag_that_goes_with_its_entry_takes_no_invalidation_with_it() {
    check_random(
        || {
            let (ledger, tag) = (Arc::new(ledger()), Namespace::new("test").unwrap().tag("late"));
            let scopes = Arc::new(ledger.scopes([]));
            let born = ledger.moment();
            let standing = || Standing::new(born, &scopes, ledger.lot("key"), ledger.tags(&["late"]));
            let mut entry = standing();
            entry.tags().enter();
            let leaver = thread::spawn(move || entry.leave());
            let invalidator = invalidates(&ledger, &tag);
            let sweeper = sweeps(&ledger, 1);
            let named = standing();
            let since = invalidator.join().unwrap();
            leaver.join().unwrap();
            sweeper.join().unwrap();
            assert!(!named.may_serve(since) && !named.holds());
            assert!(!standing().holds());
        },
        SCHEDULES,
    );
}

/// Two that hear of invalidations of one entry: neither takes the other's back, and the order only goes forward.
#[test]
fn whatever_was_born_before_one_of_many_invalidations_is_dead() {
    check_random(
        || {
            let ledger = Arc::new(ledger());
            let scopes = Arc::new(ledger.scopes([]));
            let standing = {
                let ledger = Arc::clone(&ledger);
                move || Standing::new(ledger.moment(), &scopes, ledger.lot("key"), Tags::default())
            };
            let invalidate = {
                let (ledger, standing) = (Arc::clone(&ledger), standing.clone());
                move || {
                    [(); 3].map(|()| {
                        let before = standing();
                        ledger.renew_lot(ledger.lot("key"));
                        assert!(!before.holds());
                        before
                    })
                }
            };
            let other = thread::spawn(invalidate.clone());
            let (one, other) = (invalidate(), other.join().unwrap());
            assert!(one.iter().chain(&other).all(|before| !before.holds()));
            assert!(standing().holds());
        },
        SCHEDULES,
    );
}

#[test]
fn a_proof_and_a_stamp_only_grow() {
    check_random(
        || {
            let start = clock::now();
            let (proof, as_of) = (Arc::new(Proof::new(start, Duration::ZERO)), Arc::new(AsOf::new(Stamp(0))));
            let raise = |to: u64| {
                let (proof, as_of) = (Arc::clone(&proof), Arc::clone(&as_of));
                thread::spawn(move || {
                    proof.sync(start + Duration::from_nanos(to));
                    as_of.raise(Stamp(to));
                })
            };
            let raising = [raise(5), raise(9), raise(7)];
            let mut last = (0, Stamp(0));
            for _ in 0..3 {
                let next = (proof.contents(), as_of.get());
                assert!(last.0 <= next.0 && last.1 <= next.1);
                last = next;
            }
            for thread in raising {
                thread.join().unwrap();
            }
            assert_eq!((proof.contents(), as_of.get()), (9, Stamp(9)));
        },
        SCHEDULES,
    );
}
