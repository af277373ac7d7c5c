#![allow(unused, reason = "only what the attribute says matters")]

use cache_core::{cached, invalidates};

#[cached]
async fn user(org: u32, id: u64) -> String {
    String::new()
}

#[invalidates]
async fn nothing() {}

#[invalidates(user, entry(1), tag = "all")]
async fn no_arguments() {}

#[invalidates(tags = ["org:{org}"])]
async fn unknown_argument(id: u64) {}

#[invalidates(tags = ["{self.id}", "{0}", "fine:{id}"])]
async fn not_a_name(id: u64) {}

#[invalidates(user(1, 2), stack = cache_core::Stack::global())]
async fn stack_of_no_tags() {}

#[invalidates(user(1, 2))]
fn synchronous() {}

#[invalidates(user(1, 2))]
struct Users;

trait Change {
    #[invalidates(user(1, 2))]
    async fn declared();
}

fn main() {}
