//! The attributes of `cache-core`. Use them from there: `cache_core::cached`, `cache_core::invalidates`.

mod advice;
mod args;
mod argument;
mod batch;
mod companions;
mod error;
mod expand;
mod function;
mod implementation;
mod invalidates;
mod key;
mod model;
mod setting;
mod site;
mod surroundings;
mod template;
#[cfg(test)]
mod tests;
mod warm;

use proc_macro::TokenStream;

use crate::{args::Args, error::Mistakes, function::Function, model::Model};

/// Caches what a function returns, by its arguments.
///
/// ```
/// # use cache_core::{Error, Stack, cached};
/// # #[derive(Clone, Debug)] enum DbError { Down, Cache(Error) }
/// # impl From<Error> for DbError { fn from(error: Error) -> Self { Self::Cache(error) } }
/// # async fn fetch(id: u64) -> Result<String, DbError> { Ok(format!("user {id}")) }
/// #[cached(cache = "user", ttl = 300, tags = ["org:{org}"])]
/// async fn user(org: u32, id: u64) -> Result<String, DbError> {
///     fetch(id).await
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), DbError> {
/// let loaded = user(7, 1).await?;                      // one load, however many ask at once
/// let cached = user(7, 1).await?;                      // no load
/// user::invalidate(7, 1).await?;                       // by the same arguments
/// Stack::global().invalidate_tag("org:7").await?;      // by tag
/// # assert_eq!(loaded, cached);
/// # Ok(()) }
/// ```
///
/// The function keeps its signature. A hit in L1 borrows the arguments and clones the value; it allocates nothing,
/// formats nothing, and makes neither a key nor the body's future. On a miss the body runs in a task of its own, on copies
/// of what it borrows, and everyone who asks for the same arguments meanwhile is given what it returns.
///
/// # What is cached
///
/// | return type | cached | not cached |
/// |---|---|---|
/// | `T`, `Option<T>` | every value, `None` too | |
/// | `Result<T, E>`, `Result<Option<T>, E>` | what is in `Ok` | `Err`: the next call loads again |
///
/// That can be narrowed, by [`cache_none`](#cache_none), [`cache_if`](#cache_if) and [`when`](#when-unless), and widened, by
/// [`cache_err`](#cache_err). Aliases make no difference: the type itself is looked at, not its name. `None` may live shorter than
/// a value, by the policy's `negative_ttl`. A value has to be `Clone`, `serde::Serialize` and `serde::Deserialize`, and
/// `Send + Sync + 'static`; wrap what is costly to clone in an `Arc`.
///
/// # Errors and panics
///
/// An error is given to everyone who waited for the load, so it has to be `Clone`; an `Arc<_>` of any error is.
///
/// A load may also fail by itself: the body panicked, took longer than the policy's `hard_timeout`, or called its own
/// function with its own arguments. If the error type implements `From<cache_core::Error>`, such a call returns that error;
/// otherwise, and for return types without an error, it panics with its message. The same goes for a cache that can't be
/// made, because its name is taken by one of other types or settings. A failing L2 is neither: the body is run.
///
/// # The key
///
/// All arguments, but for those that are [skipped](#skip). Each is `Clone`, `Eq`, `Hash` and `serde::Serialize`, and
/// `Send + Sync + 'static`; `Debug` is never used. At most 12; [`key`](#key) has no such limit.
///
/// # Options
///
/// Each example runs as it stands.
///
/// ## `cache`
/// The name of the cache, in the keys of L2, in statistics, and in the TTL map. Default: the path of the function.
///
/// Give one to every function whose stack has an L2: a path changes when code is moved, and then what an old process
/// invalidates is not what a new one reads. Functions may share a name if their keys, values and settings agree. An
/// expression is evaluated once; that of a [generic function](#generic-functions), once for each of its instances.
/// ```
/// # use cache_core::cached;
/// # const PRICES: &str = "price";
/// #[cached(cache = "price")]
/// async fn price(article: u64) -> u32 { 100 }
///
/// #[cached(cache = format!("{PRICES}:net"))]
/// async fn net_price(article: u64) -> u32 { 84 }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// assert_eq!(price::cache()?.name(), "price");
/// assert_eq!(net_price::cache()?.name(), "price:net");
/// # Ok(()) }
/// ```
///
/// ## `ttl`
/// The time to live: a number of seconds, a text with units (`ms`, `s`, `m`, `h`, `d`), or an expression of type
/// `Duration`, which is evaluated once. It wins over the TTL map. Default: the TTL map's.
/// ```
/// # use std::time::Duration;
/// # use cache_core::cached;
/// # const HOUR: Duration = Duration::from_secs(3600);
/// #[cached(ttl = "1h 30m")]                              // or 5400, 0.5, HOUR * 2
/// async fn forecast(city: String) -> String { city }
/// # #[cached(ttl = HOUR * 24)] async fn holidays(year: u16) -> Vec<u8> { vec![] }
/// # #[cached(ttl = 0.5)] async fn load_average() -> u32 { 1 }
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> cache_core::Result<()> {
/// forecast("Oslo".into()).await;
/// tokio::time::advance(Duration::from_secs(5401)).await;
/// assert_eq!(forecast::get("Oslo".into()).await, None);
/// # assert_eq!(holidays::cache()?.policy().ttl, HOUR * 24);
/// # assert_eq!(load_average::cache()?.policy().ttl, Duration::from_millis(500));
/// # Ok(()) }
/// ```
///
/// ## `l1_ttl`
/// How long L1 keeps an entry, written as [`ttl`](#ttl) is; L2 keeps it for the whole `ttl`. Like all fields of the policy
/// it wins over the TTL map, one by one. What is written out can't contradict itself: an `l1_ttl` or a `negative_ttl` that is
/// longer than the `ttl` beside it does not compile.
/// ```
/// # use cache_core::cached;
/// #[cached(ttl = "1h", l1_ttl = "30s")]
/// async fn profile(user: u64) -> String { format!("user {user}") }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// assert_eq!(profile::cache()?.policy().l1_ttl.unwrap().as_secs(), 30);
/// # Ok(()) }
/// ```
///
/// ## `negative_ttl`
/// How long `None` lives, and an `Err` that [`cache_err`](#cache_err) keeps. Default: as any value.
/// ```
/// # use std::time::Duration;
/// # use cache_core::cached;
/// #[cached(ttl = "1h", negative_ttl = "10s")]
/// async fn found(id: u64) -> Option<u64> { (id > 0).then_some(id) }
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> cache_core::Result<()> {
/// assert_eq!((found(0).await, found(7).await), (None, Some(7)));
/// tokio::time::advance(Duration::from_secs(11)).await;
/// assert_eq!((found::get(0).await, found::get(7).await), (None, Some(Some(7))));
/// # Ok(()) }
/// ```
///
/// ## `stale_while_revalidate`
/// For so long after the `ttl` the old value is served at once, while one load in the fleet replaces it.
/// ```
/// # use std::time::Duration;
/// # use cache_core::{Source, cached};
/// #[cached(ttl = "1m", stale_while_revalidate = "5m")]
/// async fn rate(currency: String) -> u32 { 100 }
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> cache_core::Result<()> {
/// rate("EUR".into()).await;
/// tokio::time::advance(Duration::from_secs(90)).await;
/// assert_eq!(rate::explain("EUR".into()).await.source, Source::Stale);
/// # Ok(()) }
/// ```
///
/// ## `stale_if_error`
/// For so long after the `ttl` the old value answers where a load fails. A failed load does not prolong it.
/// ```
/// # use std::{sync::atomic::{AtomicBool, Ordering::Relaxed}, time::Duration};
/// # use cache_core::cached;
/// # static IS_DOWN: AtomicBool = AtomicBool::new(false);
/// #[cached(ttl = "1m", stale_if_error = "1d")]
/// async fn stock(article: u64) -> Result<u32, String> {
///     if IS_DOWN.load(Relaxed) { Err("down".into()) } else { Ok(3) }
/// }
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> cache_core::Result<()> {
/// stock(7).await.unwrap();
/// IS_DOWN.store(true, Relaxed);
/// tokio::time::advance(Duration::from_secs(3600)).await;
/// assert_eq!(stock(7).await, Ok(3));
/// # Ok(()) }
/// ```
///
/// ## `soft_timeout`
/// So long a call waits for a load where a value inside one of the stale windows could answer; then that does, and the load goes
/// on. Shorter than [`hard_timeout`](#hard_timeout).
/// ```
/// # use cache_core::cached;
/// #[cached(ttl = "1m", stale_if_error = "1d", soft_timeout = 0.2)]
/// async fn offers(customer: u64) -> Result<Vec<u64>, String> { Ok(vec![]) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// # assert_eq!(offers(7).await, Ok(vec![]));
/// assert_eq!(offers::cache()?.policy().soft_timeout.unwrap().as_millis(), 200);
/// # Ok(()) }
/// ```
///
/// ## `hard_timeout`
/// The deadline of a load, after which it is cut off. Default: the policy's, 30 seconds.
/// ```
/// # use cache_core::{Error, ErrorKind, cached};
/// #[cached(hard_timeout = 5)]
/// async fn endless() -> Result<u32, Error> { std::future::pending().await }
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> cache_core::Result<()> {
/// assert_eq!(endless().await.unwrap_err().kind(), ErrorKind::LoadTimeout);
/// # Ok(()) }
/// ```
///
/// ## `refresh_ahead`
/// Loads anew what is still fresh and asked for, behind the call that finds it due: when this part of the time to live is over, or, by
/// `"xfetch"` (`"xfetch 2"`: earlier), as early as the load takes long, and by chance.
/// ```
/// # use cache_core::{RefreshAhead, cached};
/// #[cached(ttl = "5m", refresh_ahead = 0.8)]
/// async fn headlines(topic: String) -> Vec<String> { vec![] }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// assert_eq!(headlines::cache()?.policy().refresh_ahead, Some(RefreshAhead::After(0.8)));
/// # Ok(()) }
/// ```
///
/// ## `adaptive`
/// Lets the time to live of each entry grow and shrink with how often it changes, between two bounds: a text or a range of
/// `Duration`s. What was there has to be there for that, by [`refresh_ahead`](#refresh_ahead) or a stale window.
/// ```
/// # use cache_core::cached;
/// #[cached(adaptive = "1m..1h", refresh_ahead = 0.8)]
/// async fn page(path: String) -> String { path }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// assert_eq!(page::cache()?.policy().adaptive.unwrap().longest.as_secs(), 3600);
/// # Ok(()) }
/// ```
///
/// ## `error_backoff`
/// Leaves a source alone for so long after a load that failed, and twice as long after each further failure, up to 30 seconds.
/// Calls of its key are given that error meanwhile.
/// ```
/// # use cache_core::cached;
/// #[cached(error_backoff = 2)]
/// async fn quote(symbol: String) -> Result<u32, String> { Err("closed".into()) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// (quote("ABC".into()).await.unwrap_err(), quote("ABC".into()).await.unwrap_err());
/// assert_eq!(quote::stats().loads, 1);
/// # Ok(()) }
/// ```
///
/// ## `jitter`
/// The largest part of a lifetime that chance takes away, from 0 to less than 1, so that what was stored together does not
/// expire together. Default: the policy's, 0.1.
/// ```
/// # use cache_core::cached;
/// #[cached(ttl = "1h", jitter = 0.3)]
/// async fn menu(day: u16) -> Vec<String> { vec![] }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// let remaining = menu::explain(1).await.remaining.as_secs();
/// assert!((2520..=3600).contains(&remaining));
/// # Ok(()) }
/// ```
///
/// ## `codec`
/// How values are encoded for L2: `"json"`, and with the features of these names `"bincode"`, `"postcard"`, `"messagepack"`; or a
/// `cache_core::Format`. Default: the stack's.
/// ```
/// # use cache_core::{Format, cached};
/// #[cached(codec = "json")]
/// async fn thumbnail(image: u64) -> Vec<u8> { vec![] }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// assert_eq!(thumbnail::cache()?.policy().codec, Some(Format::Json));
/// # Ok(()) }
/// ```
///
/// ## `compression`, `compress_above`
/// How values are compressed for L2: `"none"`, and with the features of these names `"lz4"`, `"zstd"`; or a `cache_core::Compression`.
/// And from how many bytes on, in their encoded form.
/// ```
/// # use cache_core::cached;
/// #[cached(compression = "none", compress_above = 16 << 10)]
/// async fn article(id: u64) -> String { String::new() }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// assert_eq!(article::cache()?.policy().compress_above, 16384);
/// # Ok(()) }
/// ```
///
/// ## `tiers`
/// Which tiers of the stack are used: `"both"`, `"l1"`, `"l2"`, or a `cache_core::policy::Tiers`. `"l1"` is for what is cheaper to
/// make than to fetch, and `"l2"` for what is large, or rarely asked for twice. Invalidations reach every process in any case.
/// ```
/// # use cache_core::{Source, cached};
/// #[cached(tiers = "l1")]
/// async fn rendered(template: String) -> String { template }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// rendered("a".into()).await;
/// assert_eq!(rendered::explain("a".into()).await.source, Source::L1);
/// # Ok(()) }
/// ```
///
/// ## `max_loads`
/// How many loads run at once in this process; others wait their turn. Default: as many as there are.
/// ```
/// # use cache_core::cached;
/// #[cached(max_loads = 4)]
/// async fn report(year: u16) -> String { year.to_string() }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// assert_eq!(report::warm(2000..2020).await?.warmed, 20);    // four at a time
/// # Ok(()) }
/// ```
///
/// ## `max_value_size`
/// How many bytes a value may have, encoded, to be stored. A larger one is returned all the same.
/// ```
/// # use cache_core::cached;
/// #[cached(max_value_size = 1 << 10)]
/// async fn blob(size: usize) -> String { "x".repeat(size) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// assert_eq!((blob(10).await.len(), blob(10_000).await.len()), (10, 10_000));
/// assert_eq!((blob::get(10).await.is_some(), blob::get(10_000).await.is_some()), (true, false));
/// # Ok(()) }
/// ```
///
/// ## `enabled`
/// Whether anything is cached: a `bool`, or an expression that is evaluated once.
/// ```
/// # use cache_core::cached;
/// #[cached(enabled = !cfg!(debug_assertions))]
/// async fn not_in_development(id: u64) -> u64 { id }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// (not_in_development(1).await, not_in_development(1).await);
/// # if cfg!(debug_assertions) { assert_eq!(not_in_development::get(1).await, None) }
/// # Ok(()) }
/// ```
///
/// ## `policy`
/// The kind of data: its entry in the stack's TTL map. Default: the cache's name.
/// ```
/// # use cache_core::{Policies, Stack, cached};
/// #[cached(policy = "master data", stack = stack, skip(stack))]
/// async fn country(code: String, stack: &Stack) -> Option<String> { None }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// let policies = Policies::from_toml("[kinds.'master data']\nttl = '1d'")?;
/// let stack = Stack::builder("shop").policies(policies).build().await?;
/// assert_eq!(country::cache(&stack)?.policy().ttl.as_secs(), 86_400);
/// # Ok(()) }
/// ```
///
/// ## `skip`
/// Arguments that are no part of the key: connections, handles, traces.
/// ```
/// # use cache_core::cached;
/// # #[derive(Clone)] struct Db;
/// #[cached(skip(db))]
/// async fn stock(article: u64, db: &Db) -> u32 { 3 }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// stock(7, &Db).await;
/// assert_eq!(stock::key(7, &Db), 7);
/// # Ok(()) }
/// ```
///
/// ## `key`
/// The whole key, made of the arguments at each call. What is an argument's name, or a reference (`&self.name`), is lent for the
/// lookup and copied only where something is loaded; that goes for the parts of a tuple too. Anything else is an owned value,
/// which each call makes, and makes once more if L1 has no answer. The parts of an argument that the signature takes apart are
/// references here, as they are in the other options.
/// ```
/// # use cache_core::cached;
/// # #[derive(Clone)] struct Request { tenant: u32, host: String, path: String }
/// #[cached(key = (request.tenant, &request.host, request.path.to_lowercase()))]
/// async fn page(request: Request) -> String { request.path }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// # let request = |path: &str| Request { tenant: 7, host: "example".into(), path: path.into() };
/// page(request("/Index")).await;
/// assert_eq!(page::get(request("/INDEX")).await, Some("/Index".into()));
/// # Ok(()) }
/// ```
///
/// ## `tags`
/// By which entries are invalidated together. A text names arguments in braces, in any format but `Debug`; a closure is given
/// what would be cached, and gives a text, an `Option`, a `Vec` or an array of them; anything else is an expression that
/// gives a text. All are evaluated only when something is loaded.
/// ```
/// # use cache_core::{Stack, cached};
/// # #[derive(Clone, serde::Serialize, serde::Deserialize)] struct User { team: u32 }
/// # fn tag_of(id: u64) -> String { format!("shard:{}", id % 2) }
/// #[cached(tags = ["users", "org:{org}", tag_of(id), |user: &User| format!("team:{}", user.team)])]
/// async fn user(org: u32, id: u64) -> User { User { team: 3 } }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// user(7, 1).await;
/// Stack::global().invalidate_tag("team:3").await?;       // or "users", "org:7", "shard:1"
/// assert!(user::get(7, 1).await.is_none());
/// # for tag in ["users", "org:7", "shard:1"] {
/// #     user(7, 1).await;
/// #     Stack::global().invalidate_tag(tag).await?;
/// #     assert!(user::get(7, 1).await.is_none(), "{tag}");
/// # }
/// # Ok(()) }
/// ```
/// A tag over the arguments is known before the load, and one over the value only after it: if any tag at all is invalidated
/// meanwhile, such a value is returned and not stored in L2. So prefer the arguments where they say it too.
///
/// ## `cache_none`
/// `cache_none = false` leaves `None` uncached, also inside of an `Ok` or an `Arc`. Everyone who waited is given it all the same.
/// ```
/// # use cache_core::cached;
/// #[cached(cache_none = false)]
/// async fn found(id: u64) -> Option<u64> { (id > 0).then_some(id) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// (found(0).await, found(7).await);
/// assert_eq!((found::get(0).await, found::get(7).await), (None, Some(Some(7))));
/// # Ok(()) }
/// ```
///
/// ## `cache_if`
/// Which values are stored: not those that a closure or a function says no to, which is given what would be cached. Everyone who
/// waited is given the value all the same, and the next call loads again; where `refresh` loads such a value, the old one is
/// revoked. Inside a stale window the old one is served until the window ends.
/// ```
/// # use cache_core::cached;
/// #[cached(cache_if = |hits: &Vec<u64>| !hits.is_empty())]
/// async fn search(query: String) -> Vec<u64> { vec![] }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// search("nut".into()).await;
/// assert_eq!(search::get("nut".into()).await, None);
/// # Ok(()) }
/// ```
///
/// ## `cache_err`
/// Caches an `Err` too, or those that a closure or a function says yes to: the answer that something can't be had, which would
/// be found out again by each call. It lives as long as `None` does, by the policy's `negative_ttl`. The whole `Result` is the value
/// then: the error has to be what a value is, `serde::Serialize` and `serde::Deserialize` above all, and [what goes with the
/// function](#what-goes-with-the-function) gives and takes `Result`s. An `Err` that is cached takes the place of the old value, so
/// `stale_if_error` covers those alone that are not.
/// ```
/// # use cache_core::cached;
/// #[cached(ttl = "1h", negative_ttl = "10s", cache_err = |why| why != "timeout")]
/// async fn whois(domain: String) -> Result<String, String> { Err("no such domain".into()) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// whois("example".into()).await.unwrap_err();
/// assert!(whois::get("example".into()).await.unwrap().is_err());
/// # Ok(()) }
/// ```
///
/// ## `default_on_error`
/// The value that answers a call whose load fails, by an `Err`, a panic or a deadline, where no stale value may stand in. It is
/// an expression over the arguments, evaluated before each load, and is stored nowhere; `explain` says `Source::Default`. Others
/// who wait for that load are given what they would be without it. Not with [`cache_err`](#cache_err).
/// ```
/// # use cache_core::cached;
/// #[cached(default_on_error = vec![*home])]
/// async fn neighbours(home: &u64) -> Result<Vec<u64>, String> { Err("no map".into()) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// assert_eq!((neighbours(&7).await, neighbours::get(&7).await), (Ok(vec![7]), None));
/// # Ok(()) }
/// ```
///
/// ## `to_the_end`
/// A load goes on when all who waited for it have left; by default it is cancelled.
/// ```
/// # use std::time::Duration;
/// # use cache_core::cached;
/// #[cached(to_the_end)]
/// async fn yearly(year: u16) -> u16 { tokio::time::sleep(Duration::from_secs(5)).await; year }
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() -> cache_core::Result<()> {
/// tokio::time::timeout(Duration::from_secs(1), yearly(2000)).await.unwrap_err();
/// while yearly::get(2000).await.is_none() { tokio::time::sleep(Duration::from_secs(1)).await }
/// # Ok(()) }
/// ```
///
/// ## `when`, `unless`
/// A condition over the arguments. Calls that it keeps out run the body, and neither read nor write the cache.
/// ```
/// # use cache_core::cached;
/// #[cached(unless = user == 0)]
/// async fn basket(user: u64) -> Vec<u64> { vec![] }
///
/// #[cached(when = !query.is_empty())]
/// async fn search(query: &str) -> usize { query.len() }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// (basket(0).await, search("").await);
/// assert_eq!((basket::get(0).await, search::get("").await), (None, None));
/// # Ok(()) }
/// ```
///
/// ## `validated`
/// Serves nothing but what is known to be current after the call began: what L1 has is compared with L2 first, in one round
/// trip that moves no value if nothing changed.
/// ```
/// # use cache_core::{Stack, backend::Memory, cached};
/// #[cached(cache = "balance", validated, stack = stack, skip(stack))]
/// async fn balance(account: u64, stack: &Stack) -> i64 { 0 }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// # let stack = Stack::builder("bank").l2(Memory::new()).build().await?;
/// (balance(1, &stack).await, balance(1, &stack).await);
/// assert_eq!(balance::stats(&stack).validated, 1);
/// # Ok(()) }
/// ```
///
/// ## `version`
/// The schema version of the value. Raise it when its type changes in a way that old bytes can't be read as; during the
/// deploy both versions live side by side, and an invalidation covers both. Default: 1.
/// ```
/// # use cache_core::cached;
/// #[cached(cache = "price", version = 2)]
/// async fn price(article: u64) -> (u32, String) { (100, "EUR".into()) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// assert_eq!(price(7).await.1, "EUR");
/// # Ok(()) }
/// ```
///
/// ## `stack`
/// An expression that gives the stack, evaluated at each call; a `Stack`, a reference or an `Arc` of one. Each stack has
/// entries of its own. Default: the installed one (`Stack::install`), or else one of L1 alone.
/// ```
/// # use std::sync::Arc;
/// # use cache_core::{Stack, cached};
/// # struct App { stack: Stack }
/// #[cached(stack = &app.stack, skip(app))]
/// async fn report(month: u8, app: Arc<App>) -> String { String::new() }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// let app = Arc::new(App { stack: Stack::builder("test").build().await? });
/// report(1, Arc::clone(&app)).await;
/// assert_eq!(report::stats(app).loads, 1);
/// # Ok(()) }
/// ```
///
/// ## `crate`
/// Where generated code finds `cache-core`, for crates that re-export it. Default: `::cache_core`.
/// ```
/// # mod framework { pub use cache_core as cache; }
/// #[framework::cache::cached(crate = framework::cache)]
/// async fn answer() -> u32 { 42 }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// assert_eq!((answer().await, answer::get().await), (42, Some(42)));
/// # Ok(()) }
/// ```
///
/// # What goes with the function
///
/// They are called as functions of a module of its name, which has its visibility, or, of a [method](#methods), as methods named
/// after it. These take the arguments of the function, skipped ones too, borrowed where it borrows them.
///
/// The value is the `T` of a `Result<T, …>`, and otherwise what the function returns. A `Result` behind an alias of another
/// name is not seen through: `get` gives the whole, `insert` takes it, and `cache` is an error.
///
/// ## `invalidate`
/// Revokes the entry, in every tier, with every load of it in flight. An `Err` says that the shared store could not be told; the
/// entry is dropped here all the same, and the invalidation is retried.
/// ```
/// # use cache_core::cached;
/// # #[cached] async fn user(id: u64) -> String { format!("user {id}") }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// user(7).await;
/// user::invalidate(7).await?;
/// assert_eq!(user::get(7).await, None);
/// # Ok(()) }
/// ```
///
/// ## `expire`
/// Marks the entry as stale: it is served inside a stale window, and to nobody else. Errors as those of `invalidate`.
/// ```
/// # use cache_core::{Source, cached};
/// # #[cached(ttl = "1h", stale_while_revalidate = "1m")] async fn user(id: u64) -> String { format!("user {id}") }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// user(7).await;
/// user::expire(7).await?;
/// assert_eq!(user::explain(7).await.source, Source::Stale);
/// # Ok(()) }
/// ```
///
/// ## `refresh`
/// Loads whatever is cached, and caches that; returns what the function returns. Others are served the old entry until then; if the
/// function fails, it stays.
/// ```
/// # use cache_core::cached;
/// # #[cached] async fn user(id: u64) -> String { format!("user {id}") }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// (user(7).await, user::refresh(7).await);
/// assert_eq!(user::stats().loads, 2);
/// # Ok(()) }
/// ```
///
/// ## `get`
/// What is cached, in L1 or in L2, as an `Option` of the value. Runs nothing, and waits for no load.
/// ```
/// # use cache_core::cached;
/// # #[cached] async fn user(id: u64) -> String { format!("user {id}") }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// assert_eq!(user::get(7).await, None);
/// user(7).await;
/// assert_eq!(user::get(7).await, Some("user 7".into()));
/// # Ok(()) }
/// ```
///
/// ## `insert`
/// Caches a value, in every tier, in the place of whatever is there or being loaded. An `Err` says that the shared store could not be
/// written, or that the value can't be stored; L1 then holds nothing for the arguments.
/// ```
/// # use cache_core::cached;
/// # #[cached] async fn user(id: u64) -> String { format!("user {id}") }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// user::insert(7, "Ada".into()).await?;
/// assert_eq!(user(7).await, "Ada");
/// # Ok(()) }
/// ```
///
/// ## `write`
/// Runs a future that changes what the function reads, under a guard: nothing is cached for the arguments meanwhile, and nothing stale
/// is left, not even if the process dies half-way; see `cache_core::Cache::write`. An `Err` says that there was no guard, and the
/// future was not run.
/// ```
/// # use cache_core::cached;
/// # #[cached] async fn user(id: u64) -> String { format!("user {id}") }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// # async fn rename(id: u64, name: &str) -> usize { name.len() }
/// user(7).await;
/// assert_eq!(user::write(7, rename(7, "Ada")).await?, 3);
/// assert_eq!(user::get(7).await, None);
/// # Ok(()) }
/// ```
///
/// ## `uncached`
/// The body alone: the cache is neither read nor written.
/// ```
/// # use cache_core::cached;
/// # #[cached] async fn user(id: u64) -> String { format!("user {id}") }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// user::insert(7, "Ada".into()).await?;
/// assert_eq!(user::uncached(7).await, "user 7");
/// # Ok(()) }
/// ```
///
/// ## `explain`
/// The call, as a `cache_core::Answer` of what the function returns: from where it came, how old it is, and how long it remains.
/// ```
/// # use cache_core::{Source, cached};
/// # #[cached] async fn user(id: u64) -> String { format!("user {id}") }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// assert_eq!(user::explain(7).await.source, Source::Loaded);
/// assert_eq!(user::explain(7).await.source, Source::L1);
/// # Ok(()) }
/// ```
///
/// ## `key`
/// The key of the arguments, owned.
/// ```
/// # use cache_core::cached;
/// #[cached]
/// async fn rows(table: &str, from: u64) -> Vec<u64> { vec![] }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// assert_eq!(rows::key("users", 7), ("users".to_owned(), 7));
/// # Ok(()) }
/// ```
///
/// And these take none, but for those that [`stack = …`](#stack) speaks of:
///
/// ## `warm`
/// Calls the function for each of some items, some at a time: its argument, or a tuple of them, with anything that lends what is
/// borrowed. Gives a `cache_core::warm::Report`, in which calls that failed are counted; an `Err` if it took longer than a minute.
/// This one takes all arguments in its items.
/// ```
/// # use cache_core::cached;
/// #[cached]
/// async fn length(word: &str) -> usize { word.len() }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// assert_eq!(length::warm(["one", "three"]).await?.warmed, 2);
/// assert_eq!(length::get("three").await, Some(5));
/// # Ok(()) }
/// ```
///
/// ## `stats`
/// What happened to its cache so far in this process, as `cache_core::Stats`.
/// ```
/// # use cache_core::cached;
/// # #[cached] async fn user(id: u64) -> String { format!("user {id}") }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// (user(7).await, user(7).await);
/// assert_eq!((user::stats().loads, user::stats().l1_hits), (1, 1));
/// # Ok(()) }
/// ```
///
/// ## `cache`
/// The cache itself, as a `cache_core::Cache` of the key and the value, for all that it can do. Not with `key = …`, whose type has no
/// name.
/// ```
/// # use cache_core::cached;
/// # #[cached] async fn user(id: u64) -> String { format!("user {id}") }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// user(7).await;
/// user::cache()?.invalidate_all().await?;
/// assert_eq!(user::get(7).await, None);
/// # Ok(()) }
/// ```
///
/// They belong to a type of the function's name and visibility. So no other type and no module of that name can stand in
/// the same place, a crate of that name is hidden there, and links in documentation say which they mean:
/// ``[`user`](fn@user)``.
///
/// # Methods
///
/// A method takes its instance by `&self`, and says how that enters the key: by `key = …`, or not at all, by `skip(self)`. A
/// load keeps a copy of the instance. What goes with a method are methods too, named after it: `user_invalidate`, `user_get`,
/// and so on; `user_warm` takes instances with the arguments.
///
/// ```
/// # use cache_core::{Error, Stack, cached, invalidates};
/// #[derive(Clone)]
/// struct Users { tenant: u32, stack: Stack }
///
/// impl Users {
///     #[cached(cache = "user", key = (self.tenant, id), stack = &self.stack)]
///     async fn user(&self, id: u64) -> Result<String, Error> { Ok(format!("user {id}")) }
///
///     #[invalidates(self.user(id))]
///     async fn rename(&self, id: u64, name: &str) -> Result<(), Error> { Ok(()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Error> {
/// # let users = Users { tenant: 7, stack: Stack::builder("shop").build().await? };
/// users.user(1).await?;
/// assert!(users.user_get(1).await.is_some());
/// users.rename(1, "Ada").await?;
/// assert!(users.user_get(1).await.is_none());
/// # Ok(()) }
/// ```
///
/// ## `associated`
/// Says that a function without a receiver stands in an `impl`, which the attribute sees only where `Self` is mentioned. What goes
/// with it are associated functions too: `Users::count_get()`. Without a word, it is taken for a free function, and the compiler
/// says that a struct is not supported in an `impl`.
/// ```
/// # use cache_core::cached;
/// # struct Users;
/// impl Users {
///     #[cached(associated)]
///     async fn count() -> u64 { 7 }
/// }
/// ```
///
/// ## In the implementation of a trait
/// What goes with a method has no place there. So `#[cached]` is put on the `impl` as well, above `#[async_trait]` if there is
/// that too: then the methods that are cached move to an `impl` of the type, with all that goes with them, and the trait's call
/// them there. The type has to be one of your own, without a method of that name.
/// ```
/// # use cache_core::cached;
/// # #[derive(Clone)] struct Shop;
/// trait Prices {
///     async fn price(&self, article: u64) -> u32;
/// }
///
/// #[cached]
/// impl Prices for Shop {
///     #[cached(cache = "price", skip(self))]
///     async fn price(&self, article: u64) -> u32 { 100 }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// # let shop = Shop;
/// Prices::price(&shop, 7).await;
/// shop.price_invalidate(7).await?;
/// # Ok(()) }
/// ```
///
/// # Generic functions
///
/// Each instance has a cache of its own: each choice of the type and constant parameters of a function, of a method, and of
/// the type whose method it is. Keys and values may depend on them. The settings are expressions over them, if need be.
///
/// ```
/// # use std::time::Duration;
/// # use cache_core::{CacheValue, cached};
/// trait Table: CacheValue {
///     const NAME: &'static str;
///     const TTL: Duration;
///     fn read(id: u64) -> Option<Self>;
/// }
///
/// #[cached(cache = T::NAME, ttl = T::TTL)]
/// async fn row<T: Table>(id: u64) -> Option<T> { T::read(id) }
///
/// # type User = String;
/// # impl Table for User {
/// #     const NAME: &'static str = "user";
/// #     const TTL: Duration = Duration::from_secs(60);
/// #     fn read(id: u64) -> Option<Self> { Some(format!("user {id}")) }
/// # }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// assert_eq!(row::<User>(7).await, Some("user 7".into()));
/// row::invalidate::<User>(7).await?;
/// # Ok(()) }
/// ```
///
/// By default the names of the parameters are part of the name of the cache, `shop::row<shop::User>`, and of a given one too:
/// `row<shop::User>` by `cache = "row"`. They are the compiler's names for types; another compiler may have others, and types move. Where an L2
/// is shared with processes of another build, name the caches by an expression as above, which tells all instances apart:
/// for a second one with the name of a first, calls fail.
///
/// An argument that is an `impl Trait` is no instance: callers of all types share the entries, by what `key = …` makes of it.
/// ```
/// # use cache_core::cached;
/// #[cached(key = name.as_ref().to_lowercase())]
/// async fn user(name: impl AsRef<str> + Clone + Send + Sync + 'static) -> String { name.as_ref().into() }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// user(String::from("Ada")).await;
/// assert_eq!(user::get("ada").await, Some("Ada".into()));
/// # }
/// ```
///
/// # What it goes on
///
/// Functions, in modules and in other functions, and methods; they may call themselves. Arguments are owned or
/// borrowed by `&`; of a borrowed one and of one that an option names a load keeps a copy. Attributes below `#[cached]`
/// belong to the body, but for `cfg`, `doc`, `deprecated`, `must_use` and lint levels.
///
/// # Functions of many keys
///
/// With `batch` a function takes a `Vec` of keys and returns a `HashMap` of what it found, or a `Result` of one whose error has
/// `Clone` and `From<cache_core::Error>`. Each key is cached on its own, and the body is asked for those that are missing, as
/// `cache_core::Cache::many` does it. The options are those of the cache and its policy.
///
/// `one` takes a single key, and gives an `Option` of its value, or a `Result` of one; calls of it within a millisecond share one run
/// of the body. `get`, `invalidate` and `uncached` take many, as the function does; `cache` and `stats` take none.
/// ```
/// # use std::collections::HashMap;
/// # use cache_core::cached;
/// #[cached(batch, ttl = 300)]
/// async fn names(ids: Vec<u64>) -> HashMap<u64, String> { ids.into_iter().map(|id| (id, format!("user {id}"))).collect() }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> cache_core::Result<()> {
/// assert_eq!(names(vec![1, 2]).await.len(), 2);
/// assert_eq!(names::one(3).await, Some("user 3".into()));
/// names::invalidate(vec![1]).await?;
/// assert_eq!(names::get(vec![1, 2, 3]).await.len(), 2);
/// assert_eq!((names::stats().loads, names::uncached(vec![7]).await.len()), (3, 1));
/// assert_eq!(names::cache()?.get(&3).await, Some("user 3".into()));
/// # Ok(()) }
/// ```
///
/// # Synchronous functions
///
/// They are cached in L1 alone: to wait for the shared store would block a thread that its answer may need. An `async fn` can be
/// called from them, by `tokio::runtime::Handle::block_on`, from a thread that may block.
///
/// The body runs in the call, on its thread, on the arguments themselves: they need be neither `Send` nor `'static`. Threads that
/// ask for the same meanwhile wait for it, at most for the policy's `hard_timeout`; then they run the body by themselves. So nothing of
/// it needs a runtime, and none can be brought to a standstill. The options that are about loads apart from their callers don't go with
/// it, and what the TTL map says of them has no effect.
///
/// What goes with the function is synchronous too: `uncached`, `refresh`, `explain`, `get`, `insert`, `invalidate`, `key`, `stats` and
/// `cache`. An invalidation is done here when it returns, and elsewhere soon after, if ever there is a runtime to send it.
/// ```
/// # use cache_core::cached;
/// #[cached]
/// fn digits(number: u64) -> usize { number.to_string().len() }
///
/// assert_eq!((digits(1000), digits::get(1000)), (4, Some(4)));
/// ```
#[proc_macro_attribute]
pub fn cached(options: TokenStream, item: TokenStream) -> TokenStream {
    expansion(options.into(), item.into()).into()
}

/// Revokes what a function makes obsolete, when it has done its work.
///
/// ```
/// # use cache_core::{Error, cached, invalidates};
/// # async fn rename_in_database(id: u64, name: &str) -> Result<(), Error> { Ok(()) }
/// #[cached(tags = ["org:{org}"])]
/// async fn user(org: u32, id: u64) -> Result<String, Error> { Ok("Ada".into()) }
///
/// #[invalidates(user(org, id), tags = ["members:{org}"])]
/// async fn rename(org: u32, id: u64, name: String) -> Result<(), Error> {
///     rename_in_database(id, &name).await
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Error> {
/// user(7, 1).await?;
/// rename(7, 1, "Grace".to_owned()).await?;
/// assert_eq!(user::get(7, 1).await, None);
/// # Ok(()) }
/// ```
///
/// It names cached functions and methods, each with the arguments of an entry, as expressions over its own:
/// `user(order.org, &order.name)`, `self.users.user(id)`, `Users::count()`;
/// and [tags](macro@cached#tags), of the `stack` that is given, or else of the stacks of those functions, or else of the installed
/// one. All of it is settled before the body runs, so that the body may take the arguments.
///
/// | | revoked |
/// |---|---|
/// | as it is | after the body, unless it returned an `Err` |
/// | `before` | before the body, and again after it, whatever it returned: for bodies that may do their work and fail |
/// | `guarded` | before and after, under a guard: nothing is cached meanwhile, see `cache_core::Cache::write` |
///
/// A body that panics, or whose caller goes away, may have done its work: then all is revoked too, in the background.
/// ```
/// # use cache_core::{Error, cached, invalidates};
/// # #[cached] async fn user(id: u64) -> String { String::new() }
/// #[invalidates(user(id), before)]
/// async fn rename(id: u64) -> Result<(), String> { Err("the connection broke: who knows?".into()) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Error> {
/// user(1).await;
/// rename(1).await.unwrap_err();
/// assert_eq!(user::get(1).await, None);
/// # Ok(()) }
/// ```
///
/// # `expire`
/// Marks as stale what is otherwise revoked: inside a [stale window](macro@cached#stale_while_revalidate)
/// it is still served, while one load replaces it.
/// ```
/// # use cache_core::{Error, cached, invalidates};
/// #[cached(ttl = "1h", stale_while_revalidate = "5m")]
/// async fn ranking(league: u32) -> Vec<u64> { vec![] }
///
/// #[invalidates(ranking(league), expire)]
/// async fn add_result(league: u32, points: u32) -> Result<(), Error> { Ok(()) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Error> {
/// # ranking(1).await;
/// # add_result(1, 3).await?;
/// # assert_eq!(ranking::explain(1).await.source, cache_core::Source::Stale);
/// # Ok(()) }
/// ```
///
/// # `hold_off`
/// For so long after the function nothing of it is cached by anybody, and calls run their bodies: for those that read a replica which
/// lags behind the origin. A time as [`ttl`](macro@cached#ttl) is one. L2 keeps it: a stack of L1 alone knows of none.
/// ```
/// # use cache_core::{Error, Stack, backend::Memory, cached, invalidates};
/// # #[cached(stack = stack, skip(stack))] async fn user(id: u64, stack: &Stack) -> String { String::new() }
/// #[invalidates(user(id, stack), hold_off = "2s")]
/// async fn rename(id: u64, name: &str, stack: &Stack) -> Result<(), Error> { Ok(()) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Error> {
/// # let stack = Stack::builder("shop").l2(Memory::new()).build().await?;
/// rename(1, "Ada", &stack).await?;
/// user(1, &stack).await;
/// assert_eq!(user::get(1, &stack).await, None);
/// # Ok(()) }
/// ```
///
/// The function returns what its body returns, once everyone was told. A shared store that can't be told is not its
/// failure: the invalidation is queued, and shows in `cache_core::Stack::health`.
///
/// # Guarded
///
/// Between the end of the body and the revocation a reader may still be served the old value, and should the process die
/// there, nothing is revoked at all. Not so under a guard. It is held on one entry; the function returns a `Result` whose
/// error has `From<cache_core::Error>`, since without a guard the body is not run; and it owns its arguments, since a write
/// that was begun is finished even when its caller is gone.
/// ```
/// # use cache_core::{Error, cached, invalidates};
/// # #[cached] async fn balance(account: u64) -> Result<i64, Error> { Ok(0) }
/// #[invalidates(balance(account), guarded)]
/// async fn deposit(account: u64, amount: i64) -> Result<(), Error> { Ok(()) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Error> { deposit(1, 5).await }
/// ```
///
/// It goes on any `async fn` with a body: methods, in traits' implementations too, and generic ones.
#[proc_macro_attribute]
pub fn invalidates(options: TokenStream, item: TokenStream) -> TokenStream {
    invalidates::expansion(options.into(), item.into()).into()
}

/// The generated code; where there were mistakes, they and the function as it was, so that an editor still knows it.
fn expansion(options: proc_macro2::TokenStream, item: proc_macro2::TokenStream) -> proc_macro2::TokenStream {
    if implementation::is_one(&item) {
        return implementation::expansion(&options, item);
    }
    let mut mistakes = Mistakes::default();
    let args = Args::parse(options, &mut mistakes);
    let function = mistakes.keep(syn::parse2::<Function>(item.clone()));
    let batch = args.batch;
    if let Some(place) = batch {
        batch::check_options(&args, place, &mut mistakes);
    }
    let model = function.map(|function| Model::new(args, function, &mut mistakes));
    if let (Some(_), Some(model)) = (batch, &model) {
        batch::check(model, &mut mistakes);
    }
    match (mistakes.report(), model) {
        (None, Some(model)) if batch.is_some() => batch::expand(&model),
        (None, Some(model)) => expand::expand(&model),
        (report, _) => quote::quote!(#item #report),
    }
}
