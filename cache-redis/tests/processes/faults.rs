//! What a seed lets happen to a fleet and its store.

use std::{collections::BTreeMap, thread::sleep, time::Duration};

use cache_core::testing::{
    Dice,
    history::{Loss, Moment, Rollback},
};
use cache_redis::testing::RedisServer;
use rustix::process::Signal;

use crate::{
    fleet::{Fleet, settings},
    proxy::{Proxy, Way, Weather},
};

/// Where the identity of the server is, for which the namespace was last renewed.
const SERVER: &str = "shop:#server";

pub(crate) struct Chaos<'f> {
    fleet: &'f mut Fleet,
    dice: Dice,
    /// What will end, and when.
    under_way: Vec<(Moment, End)>,
    snapshot: Option<Snapshot>,
    /// The identity that the store was rolled back to, until it is renewed.
    unnoticed: Option<String>,
    counts: BTreeMap<String, usize>,
}

/// How a trouble of one process ends.
#[derive(Clone, Copy)]
enum End {
    Continue(usize),
    Restart(usize),
    Clear(usize),
}

struct Snapshot {
    file: String,
    identity: String,
}

impl<'f> Chaos<'f> {
    pub(crate) fn new(fleet: &'f mut Fleet, dice: Dice) -> Self {
        let (under_way, counts) = (Vec::new(), BTreeMap::new());
        Self { fleet, dice, under_way, snapshot: None, unnoticed: None, counts }
    }

    /// Lets things happen for so long, and then has all of it end. How often each did.
    pub(crate) fn reign(mut self, time: Duration) -> BTreeMap<String, usize> {
        let end = self.fleet.clock.now().after(time);
        while self.fleet.clock.now() < end {
            self.happen();
            let gap = self.dice.millis(50, 400);
            self.pass(gap);
        }
        while !self.under_way.is_empty() || self.unnoticed.is_some() {
            self.pass(Duration::from_millis(20));
        }
        self.counts
    }

    fn happen(&mut self) {
        let place = self.dice.below(self.fleet.members.len() as u64) as usize;
        let name = match self.dice.below(100) {
            0..15 => self.stop_process(place),
            15..23 => self.kill_process(place),
            23..58 => self.cloud_over(place),
            58..66 => self.disconnect(),
            66..72 => self.forget_scripts(),
            72..76 => self.flush(),
            76..82 => self.evict(),
            82..88 => self.stop_server(),
            88..91 => self.restart_empty(),
            91..97 => self.snapshot_or_rollback(),
            _ => self.promote(),
        };
        *self.counts.entry(name.to_owned()).or_default() += 1;
    }

    /// Time goes by, and what is under way ends in its turn.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now().after(time);
        loop {
            let now = self.now();
            let over: Vec<_> = self.under_way.extract_if(.., |(when, _)| *when <= now).collect();
            over.into_iter().for_each(|(_, what)| self.end(what));
            self.notice();
            self.fleet.assert_alive();
            if now >= end {
                return;
            }
            sleep(Duration::from_millis(5).min(end.at - now.at));
        }
    }

    fn now(&self) -> Moment {
        self.fleet.clock.now()
    }

    fn later(&mut self, longest: u64, what: End) {
        let when = self.now().after(self.dice.millis(50, longest));
        self.under_way.push((when, what));
    }

    fn end(&mut self, what: End) {
        match what {
            End::Continue(place) => self.fleet.members[place].signal(Signal::CONT),
            End::Restart(place) => self.fleet.restart(place),
            End::Clear(place) => self.fleet.members[place].proxy.set(Weather::Fair),
        }
    }

    /// When somebody has renewed the namespace for the server that was rolled back.
    fn notice(&mut self) {
        let Some(old) = &self.unnoticed else { return };
        let identity = identity(&self.fleet.server);
        if !identity.is_empty() && identity != *old {
            self.noticed();
        }
    }

    fn noticed(&mut self) {
        self.unnoticed = None;
        let now = self.now();
        for back in &mut self.fleet.rollbacks {
            back.noticed.get_or_insert(now);
        }
    }

    fn is_down(&self, place: usize) -> bool {
        self.under_way.iter().any(|(_, what)| matches!(what, End::Restart(down) if *down == place))
    }

    fn stop_process(&mut self, place: usize) -> &'static str {
        if self.is_down(place) {
            return "process was down anyway";
        }
        self.fleet.members[place].signal(Signal::STOP);
        self.later(2500, End::Continue(place));
        "process stopped, continued"
    }

    fn kill_process(&mut self, place: usize) -> &'static str {
        if self.is_down(place) {
            return "process was down anyway";
        }
        self.fleet.kill(place);
        self.under_way.retain(|(_, what)| !matches!(what, End::Continue(stopped) if *stopped == place));
        self.later(500, End::Restart(place));
        "process killed, another started"
    }

    fn cloud_over(&mut self, place: usize) -> &'static str {
        let (weather, name) = match self.dice.below(5) {
            0 => (Weather::Slow(self.dice.millis(5, 300)), "network slow"),
            1 => (Weather::Cut, "network cut"),
            2 => (Weather::Hole, "network a black hole"),
            3 => (Weather::Stuck(Way::Out), "network stuck on the way out"),
            _ => (Weather::Stuck(Way::Back), "network stuck on the way back"),
        };
        self.fleet.members[place].proxy.set(weather);
        self.later(2000, End::Clear(place));
        name
    }

    fn disconnect(&mut self) -> &'static str {
        // All but the connection that asks for it.
        let all = ["CLIENT", "KILL", "SKIPME", "yes"];
        let normal = ["CLIENT", "KILL", "TYPE", "normal"];
        let _ = self.fleet.server.cli(if self.dice.chance(500) { &all } else { &normal });
        "clients killed"
    }

    fn forget_scripts(&mut self) -> &'static str {
        let _ = self.fleet.server.cli(&["SCRIPT", "FLUSH"]);
        "scripts flushed"
    }

    fn lose(&mut self, what: impl FnOnce(&mut Self)) {
        let from = self.now();
        what(self);
        let to = self.now();
        self.fleet.losses.push(Loss { from, to });
    }

    fn flush(&mut self) -> &'static str {
        self.lose(|chaos| drop(chaos.fleet.server.cli(&["FLUSHALL"])));
        "store flushed"
    }

    fn evict(&mut self) -> &'static str {
        let policy = if self.dice.chance(500) { "allkeys-lru" } else { "allkeys-random" };
        self.lose(|chaos| {
            let used: u64 = field(&chaos.fleet.server.cli(&["INFO", "memory"]), "used_memory").parse().unwrap();
            let least = (used + (1 << 20)).to_string();
            let set = ["CONFIG", "SET", "maxmemory-policy", policy, "maxmemory", &least];
            let _ = chaos.fleet.server.cli(&set);
            for part in 0..8 {
                let _ = chaos.fleet.server.cli(&["EVAL", BALLAST, "0", &part.to_string()]);
                let gap = chaos.dice.millis(0, 100);
                chaos.pass(gap);
            }
            let _ = chaos.fleet.server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
        });
        "records evicted"
    }

    fn stop_server(&mut self) -> &'static str {
        self.fleet.server.stop();
        let time = self.dice.millis(50, 1500);
        // Nothing may be asked of it meanwhile.
        let unnoticed = self.unnoticed.take();
        self.pass(time);
        self.unnoticed = unnoticed;
        self.fleet.server.cont();
        "server stopped, continued"
    }

    fn restart_empty(&mut self) -> &'static str {
        self.lose(|chaos| chaos.restart("none.rdb"));
        // Nothing old is left: this is no rollback, nor does one go on.
        self.noticed();
        "server killed, started empty"
    }

    /// On the same port, with what is in the file, if it is there.
    fn restart(&mut self, file: &str) {
        self.fleet.server.kill();
        let (time, unnoticed) = (self.dice.millis(0, 800), self.unnoticed.take());
        self.pass(time);
        self.unnoticed = unnoticed;
        self.fleet.server.restart_with(&["--dbfilename", file]);
        self.snapshot = None;
    }

    pub(crate) fn snapshot_or_rollback(&mut self) -> &'static str {
        let Some(Snapshot { file, identity }) = self.snapshot.take() else {
            let file = format!("{}.rdb", self.now().at.as_nanos());
            let _ = self.fleet.server.cli(&["CONFIG", "SET", "dbfilename", &file]);
            let _ = self.fleet.server.cli(&["SAVE"]);
            let identity = identity(&self.fleet.server);
            self.snapshot = Some(Snapshot { file, identity });
            return "snapshot taken";
        };
        self.fleet.server.kill();
        self.roll_back(identity);
        self.restart(&file);
        "server killed, started from a snapshot"
    }

    fn roll_back(&mut self, identity: String) {
        self.unnoticed = Some(identity);
        self.fleet.rollbacks.push(Rollback { at: self.now(), noticed: None });
    }

    /// A replica that is behind takes the primary's place.
    fn promote(&mut self) -> &'static str {
        let replica = settings().start();
        let link = Proxy::start(self.fleet.runtime.handle(), self.fleet.server.port());
        let _ = replica.cli(&["REPLICAOF", "127.0.0.1", &link.port.to_string()]);
        while field(&replica.cli(&["INFO", "replication"]), "master_link_status") != "up" {
            self.pass(Duration::from_millis(10));
        }
        // Both have the same for a while, and then they have not.
        for weather in [Weather::Fair, Weather::Stuck(Way::Back)] {
            link.set(weather);
            let time = self.dice.millis(100, 1000);
            self.pass(time);
        }
        self.fleet.server.kill();
        self.roll_back(identity(&replica));
        let _ = replica.cli(&["REPLICAOF", "NO", "ONE"]);
        self.fleet.members.iter().for_each(|member| member.proxy.lead_to(replica.port()));
        self.fleet.server = replica;
        self.snapshot = None;
        "lagging replica promoted"
    }
}

/// A quarter of a megabyte that is gone after a few seconds.
const BALLAST: &str = "#!lua flags=allow-oom
for i = 1, 100 do redis.call('SET', 'ballast:' .. ARGV[1] .. ':' .. i, string.rep('x', 2500), 'PX', 3000) end";

fn identity(server: &RedisServer) -> String {
    let digest = "local id = redis.call('GET', KEYS[1]) return id and redis.sha1hex(id) or ''";
    server.cli(&["EVAL", digest, "1", SERVER])
}

fn field(info: &str, name: &str) -> String {
    let value = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.map(|value| value.trim_end().to_owned()).unwrap_or_default()
}
