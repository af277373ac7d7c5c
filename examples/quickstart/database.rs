//! The database of the service: a SQLite file, a small pool of connections, and the queries that the cache is to spare it.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cache_core::clock;
use rusqlite::Connection;
use tokio::{sync::Semaphore, task::spawn_blocking};

use crate::service::{Plan, PlanId, Profile, Recommendation, ServiceError, ServiceUse, UserId};

/// A handle to the database. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    idle: Mutex<Vec<Connection>>,
    /// One for each idle connection: waiting for a connection is waiting for a permit, and blocks no thread.
    permits: Arc<Semaphore>,
    queries: AtomicU64,
    nanos: AtomicU64,
}

/// What a plan costs, and what those who are on it consume.
pub(crate) struct PlanUse {
    pub(crate) price_cents: u32,
    pub(crate) mean_units: f64,
    pub(crate) most_units: u32,
}

pub(crate) const CONNECTIONS: usize = 4;

impl Database {
    /// Makes a new one in `directory`, with the same rows in every run.
    pub(crate) fn create(directory: &Directory) -> rusqlite::Result<Self> {
        let file = directory.0.join("shop.sqlite");
        Connection::open(&file)?.execute_batch(include_str!("database.sql"))?;
        let idle = (0..CONNECTIONS).map(|_| connect(&file)).collect::<Result<_, _>>()?;
        let shared = Shared {
            idle: Mutex::new(idle),
            permits: Arc::new(Semaphore::new(CONNECTIONS)),
            queries: AtomicU64::new(0),
            nanos: AtomicU64::new(0),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// How many queries there were so far.
    pub(crate) fn queries(&self) -> u64 {
        self.shared.queries.load(Ordering::Relaxed)
    }

    /// How long queries ran so far, all together; waiting for a connection is not part of it.
    pub(crate) fn busy(&self) -> Duration {
        Duration::from_nanos(self.shared.nanos.load(Ordering::Relaxed))
    }

    /// A plan of the catalogue, with how much those who are on it use.
    pub(crate) async fn plan(&self, plan: PlanId) -> Result<Plan, ServiceError> {
        self.query(move |connection| {
            let mut query = connection.prepare_cached(
                "SELECT plans.name, price_cents, count(DISTINCT users.id), avg(units)
                 FROM plans JOIN users ON users.plan = plans.id JOIN metered ON metered.user = users.id
                 WHERE plans.id = ?1",
            )?;
            query.query_one([plan.0], |row| {
                Ok(Plan {
                    name: row.get(0)?,
                    price_cents: row.get(1)?,
                    subscribers: row.get(2)?,
                    units_per_day: row.get(3)?,
                })
            })
        })
        .await
    }

    /// Who a user is, and how their consumption ranks among those on the same plan.
    pub(crate) async fn profile(&self, user: UserId) -> Result<Profile, ServiceError> {
        self.query(move |connection| {
            let mut query = connection.prepare_cached(
                "WITH consumed AS (
                     SELECT users.id AS user, sum(units) AS units
                     FROM users JOIN metered ON metered.user = users.id
                     WHERE plan = (SELECT plan FROM users WHERE id = ?1)
                     GROUP BY users.id
                 )
                 SELECT users.name, email, plans.name, (SELECT count(*) FROM purchases WHERE user = ?1),
                     (SELECT 1 + count(*) FROM consumed AS more WHERE more.units > consumed.units)
                 FROM users JOIN plans ON plans.id = users.plan JOIN consumed ON consumed.user = users.id
                 WHERE users.id = ?1",
            )?;
            query.query_one([user.0], |row| {
                Ok(Profile {
                    name: row.get(0)?,
                    email: row.get(1)?,
                    plan: row.get(2)?,
                    addons: row.get(3)?,
                    rank: row.get(4)?,
                })
            })
        })
        .await
    }

    /// The add-ons that were bought most by those who bought the same as a user.
    pub(crate) async fn recommendations(&self, user: UserId) -> Result<Vec<Recommendation>, ServiceError> {
        self.query(move |connection| {
            let mut query = connection.prepare_cached(
                "SELECT addons.name, price_cents, count(*) AS bought
                 FROM purchases AS mine
                 JOIN purchases AS shared ON shared.addon = mine.addon AND shared.user <> mine.user
                 JOIN purchases AS theirs ON theirs.user = shared.user
                 JOIN addons ON addons.id = theirs.addon
                 WHERE mine.user = ?1 AND theirs.addon NOT IN (SELECT addon FROM purchases WHERE user = ?1)
                 GROUP BY addons.id ORDER BY bought DESC, addons.id LIMIT 10",
            )?;
            let rows = query.query_map([user.0], |row| {
                Ok(Recommendation { addon: row.get(0)?, price_cents: row.get(1)?, bought: row.get(2)? })
            })?;
            rows.collect()
        })
        .await
    }

    /// What a user consumes of each service, beside the mean of those on the same plan.
    pub(crate) async fn usage(&self, user: UserId) -> Result<Vec<ServiceUse>, ServiceError> {
        self.query(move |connection| {
            let mut query = connection.prepare_cached(
                "SELECT service, sum(units) FILTER (WHERE user = ?1), 1.0 * sum(units) / count(DISTINCT user)
                 FROM metered JOIN users ON users.id = user
                 WHERE plan = (SELECT plan FROM users WHERE id = ?1)
                 GROUP BY service ORDER BY service",
            )?;
            let rows = query.query_map([user.0], |row| {
                Ok(ServiceUse { service: row.get(0)?, units: row.get(1)?, mean: row.get(2)? })
            })?;
            rows.collect()
        })
        .await
    }

    /// All that a quote needs.
    pub(crate) async fn plan_use(&self, plan: PlanId) -> Result<PlanUse, ServiceError> {
        self.query(move |connection| {
            let mut query = connection.prepare_cached(
                "WITH consumed AS (
                     SELECT sum(units) AS units FROM users JOIN metered ON metered.user = users.id
                     WHERE plan = ?1 GROUP BY users.id
                 )
                 SELECT price_cents, avg(units), max(units) FROM plans, consumed WHERE plans.id = ?1",
            )?;
            query.query_one([plan.0], |row| {
                Ok(PlanUse { price_cents: row.get(0)?, mean_units: row.get(1)?, most_units: row.get(2)? })
            })
        })
        .await
    }

    /// Changes what a plan costs.
    pub(crate) async fn set_price(&self, plan: PlanId, cents: u32) -> Result<(), ServiceError> {
        self.run(move |connection| {
            connection.execute("UPDATE plans SET price_cents = ?2 WHERE id = ?1", [plan.0, cents]).map(drop)
        })
        .await
    }

    /// A read, counted and timed.
    async fn query<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let shared = Arc::clone(&self.shared);
        self.run(move |connection| {
            let started = clock::now();
            let rows = read(connection);
            shared.queries.fetch_add(1, Ordering::Relaxed);
            shared.nanos.fetch_add((clock::now() - started).as_nanos() as u64, Ordering::Relaxed);
            rows
        })
        .await
    }

    /// Waits for a connection, and runs `work` on a thread that may block.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, ServiceError> {
        let permit = Arc::clone(&self.shared.permits).acquire_owned().await.expect("the semaphore is never closed");
        let shared = Arc::clone(&self.shared);
        let working = spawn_blocking(move || {
            let connection = shared.take();
            let outcome = work(&connection);
            shared.give_back(connection);
            drop(permit);
            outcome
        });
        Ok(working.await.expect("queries don't panic")?)
    }
}

fn connect(file: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(file)?;
    // Nobody needs the file after the run: what a crash would take from it does not matter.
    connection.pragma_update(None, "synchronous", "OFF")?;
    connection.busy_timeout(Duration::from_secs(5))?;
    Ok(connection)
}

impl Shared {
    fn take(&self) -> Connection {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.pop().expect("whoever holds a permit finds a connection")
    }

    fn give_back(&self, connection: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
    }
}

/// A directory among the system's temporary ones, removed when this is dropped.
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn create() -> io::Result<Self> {
        let path = env::temp_dir().join(format!("cache-quickstart-{}", process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // That something stays behind among temporary files is no reason to fail.
        let _ = fs::remove_dir_all(&self.0);
    }
}
