#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::cached;

#[cached(associated)]
async fn count() -> u64 {
    7
}

mod users {
    use cache_core::cached;

    #[cached(associated)]
    pub async fn count() -> u64 {
        7
    }
}

fn main() {
    // The functions themselves are still there.
    let _ = (count(), users::count());
}
