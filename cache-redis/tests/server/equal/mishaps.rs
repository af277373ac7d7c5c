//! What befalls stores from outside.

use std::{rc::Rc, time::Duration};

use async_trait::async_trait;
use cache_core::{backend::Memory, testing::Names};
use cache_redis::testing::RedisServer;
use tokio::time::advance;

#[async_trait(?Send)]
pub(crate) trait Mishaps {
    /// The records of these names are gone.
    fn lose(&self, names: &[String]);
    /// The log keeps its last `messages`.
    fn trim(&self, names: &Names, messages: usize);
    /// The server that is recorded is not the one that answers.
    fn replace(&self, names: &Names);
    /// Scripts are forgotten.
    fn forget(&self);
    async fn pass(&self, time: Duration);
}

#[async_trait(?Send)]
impl Mishaps for Memory {
    fn lose(&self, names: &[String]) {
        names.iter().for_each(|name| Memory::lose(self, name));
    }

    /// It tells of every change in one message.
    fn trim(&self, names: &Names, _: usize) {
        self.trim_log(&names.log());
    }

    fn replace(&self, _: &Names) {
        self.restart_from(&self.snapshot());
    }

    fn forget(&self) {}

    async fn pass(&self, time: Duration) {
        advance(time).await;
    }
}

/// Nobody can move the clock of a server, so everything in it moves the other way.
const PASS: &str = "
local time = tonumber(ARGV[1])
local function text(number) return string.format('%.0f', number) end
for _, name in ipairs(redis.call('KEYS', '*')) do
  if redis.call('TYPE', name).ok == 'zset' then
    for _, member in ipairs(redis.call('ZRANGE', name, 0, -1)) do
      redis.call('ZINCRBY', name, text(-time), member)
    end
  end
  if string.find(name, ':v%d+$') and redis.call('TYPE', name).ok == 'string' then
    local expires = redis.call('GETRANGE', name, 24, 31)
    if #expires == 8 then
      redis.call('SETRANGE', name, 24, struct.pack('>I8', struct.unpack('>I8', expires) - time))
    end
  end
  local left = redis.call('PTTL', name)
  if left > time then
    redis.call('PEXPIRE', name, text(left - time))
  elseif left >= 0 then
    redis.call('DEL', name)
  end
end";

const REPLACE: &str = "
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('SETRANGE', KEYS[1], 0, 'another server..')
end";

#[async_trait(?Send)]
impl Mishaps for Rc<RedisServer> {
    fn lose(&self, names: &[String]) {
        let command: Vec<_> = ["DEL"].into_iter().chain(names.iter().map(String::as_str)).collect();
        self.cli(&command);
        // A log that begins again in the millisecond in which it was lost begins with the same id.
        let millis = || self.cli(&["EVAL", "local t = redis.call('TIME') return t[1] .. string.sub(t[2], 1, -4)", "0"]);
        let lost = millis();
        while millis() == lost {}
    }

    fn trim(&self, names: &Names, messages: usize) {
        self.cli(&["XTRIM", names.log().name(), "MAXLEN", &messages.to_string()]);
    }

    fn replace(&self, names: &Names) {
        self.cli(&["EVAL", REPLACE, "1", names.log().server()]);
    }

    fn forget(&self) {
        self.cli(&["SCRIPT", "FLUSH"]);
    }

    async fn pass(&self, time: Duration) {
        self.cli(&["EVAL", PASS, "0", &time.as_millis().to_string()]);
    }
}
