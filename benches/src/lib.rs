//! What the benchmarks share. `README.md` says which question each of them answers.

mod counted;
mod plot;
mod process;
mod random;
mod ratio;
mod rounds;
mod server;
mod tasks;
mod traffic;
mod user;

pub use self::{
    counted::{Calls, Counted},
    plot::{Curve, plot},
    process::{cpu_time, resident},
    random::{Random, Zipf},
    ratio::{Ratios, Workload, ratios},
    rounds::{Rounds, Took},
    server::{Server, Spent},
    tasks::{in_tasks, runtime, single_threaded},
    traffic::Traffic,
    user::{Organisation, User},
};
